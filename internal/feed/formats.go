package feed

import (
	"bufio"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/internal/probe"
)

type osvRecord struct {
	ID         string   `json:"id"`
	Summary    string   `json:"summary"`
	Details    string   `json:"details"`
	Published  string   `json:"published"`
	Modified   string   `json:"modified"`
	Withdrawn  string   `json:"withdrawn"`
	Aliases    []string `json:"aliases"`
	Related    []string `json:"related"`
	Upstream   []string `json:"upstream"`
	References []struct {
		Type string `json:"type"`
		URL  string `json:"url"`
	} `json:"references"`
	Affected []osvAffected `json:"affected"`
}

type osvAffected struct {
	Package struct {
		Ecosystem string `json:"ecosystem"`
		Name      string `json:"name"`
	} `json:"package"`
	Ranges []struct {
		Type   string `json:"type"`
		Events []struct {
			Fixed string `json:"fixed"`
		} `json:"events"`
	} `json:"ranges"`
	Specific struct {
		Binaries json.RawMessage `json:"binaries"`
	} `json:"ecosystem_specific"`
}

// osv reads one record, a stream of records, or an array of them.
func (f *Feed) osv(in *bufio.Reader) error {
	d := json.NewDecoder(in)
	if b, _ := in.Peek(1); len(b) > 0 && b[0] == '[' {
		if _, err := d.Token(); err != nil {
			return err
		}
	}
	n := 0
	for d.More() {
		var r osvRecord
		if err := d.Decode(&r); err != nil {
			return fmt.Errorf("OSV record %d: %w", n+1, err)
		}
		if r.ID == "" {
			return errors.New("a JSON document that is no OSV record: it has no id")
		}
		n++
		if r.Withdrawn == "" && isAdvisory(r.ID) {
			f.osvRecord(r)
		}
	}
	return nil
}

// isAdvisory keeps out records of single vulnerabilities, which many feeds
// hold as well: they are no vendor's fix.
func isAdvisory(id string) bool {
	return !strings.HasPrefix(id, "CVE-") && !strings.Contains(id, "-CVE-")
}

func (f *Feed) osvRecord(r osvRecord) {
	e := katprep.Erratum{ID: probe.Clean(r.ID), Title: probe.Clean(r.Summary), Type: katprep.Security, Issued: probe.Date(r.Published), Description: probe.Text(r.Details), CVEs: osvCVEs(r)}
	for _, ref := range r.References {
		if ref.Type == "ADVISORY" {
			e.URL = probe.Clean(ref.URL)
			break
		}
	}
	a := f.erratum(e)
	for _, af := range r.Affected {
		eco, release, _ := strings.Cut(af.Package.Ecosystem, ":")
		release = strings.TrimPrefix(strings.TrimSuffix(release, ":LTS"), "Pro:")
		os := strings.ToLower(eco)
		if os != "debian" && os != "ubuntu" {
			continue
		}
		for _, rg := range af.Ranges {
			for _, ev := range rg.Events {
				if ev.Fixed != "" && rg.Type == "ECOSYSTEM" {
					f.add(probe.Clean(af.Package.Name), entry{advisory: a, format: katprep.Deb, os: os, release: probe.Clean(release), fixed: katprep.EVR(probe.Clean(ev.Fixed)), binaries: osvBinaries(af.Specific.Binaries)})
				}
			}
		}
	}
}

// osvCVEs finds the CVEs that a record names, under whatever relation and
// prefix ("UBUNTU-CVE-2024-1").
func osvCVEs(r osvRecord) []string {
	var list []string
	for _, id := range slices.Concat(r.Aliases, r.Related, r.Upstream) {
		if i := strings.Index(id, "CVE-"); i >= 0 {
			list = append(list, probe.Clean(id[i:]))
		}
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// osvBinaries reads both shapes that Ubuntu used: a list of
// {binary_name, binary_version}, and a list of {name: version} objects.
func osvBinaries(raw json.RawMessage) map[string]katprep.EVR {
	var list []map[string]string
	if len(raw) == 0 || json.Unmarshal(raw, &list) != nil {
		return nil
	}
	m := map[string]katprep.EVR{}
	for _, b := range list {
		if n := b["binary_name"]; n != "" {
			m[probe.Clean(n)] = katprep.EVR(probe.Clean(b["binary_version"]))
			continue
		}
		for n, v := range b {
			m[probe.Clean(n)] = katprep.EVR(probe.Clean(v))
		}
	}
	return m
}

var (
	listHead = regexp.MustCompile(`^\[(\d\d? \w{3} \d{4})\] (D[SL]A-\d+-\d+|ELA-\d+-\d+) (\S+)(.*)$`)
	listFix  = regexp.MustCompile(`^\[(\w+)\] - (\S+) (\d\S*)`)
)

// debianList reads data/DSA/list or data/DLA/list of the security tracker.
func (f *Feed) debianList(in *bufio.Reader) error {
	var a *advisory
	scan := bufio.NewScanner(in)
	scan.Buffer(nil, 4<<20)
	for scan.Scan() {
		line := scan.Text()
		if m := listHead.FindStringSubmatch(line); m != nil {
			day, err := time.Parse("2 Jan 2006", m[1])
			if err != nil {
				return fmt.Errorf("%.80q: %w", line, err)
			}
			a = f.erratum(katprep.Erratum{ID: m[2], Title: probe.Clean(m[3] + m[4]), Type: katprep.Security, Issued: katprep.Date(day.Format(time.DateOnly)), URL: "https://security-tracker.debian.org/tracker/" + m[2]})
			continue
		}
		line = strings.TrimSpace(line)
		switch {
		case a == nil:
		case strings.HasPrefix(line, "{"):
			a.CVEs = listCVEs(a.CVEs, line)
		default:
			if m := listFix.FindStringSubmatch(line); m != nil {
				f.add(probe.Clean(m[2]), entry{advisory: a, format: katprep.Deb, os: "debian", release: m[1], fixed: katprep.EVR(probe.Clean(m[3]))})
			}
		}
	}
	if err := scan.Err(); err != nil {
		return err
	}
	if a == nil {
		return errors.New("a text that holds no advisory of Debian's security tracker")
	}
	return nil
}

func listCVEs(have []string, line string) []string {
	for id := range strings.FieldsSeq(strings.Trim(line, "{}")) {
		if strings.HasPrefix(id, "CVE-") {
			have = append(have, probe.Clean(id))
		}
	}
	slices.Sort(have)
	return slices.Compact(have)
}

type xmlUpdate struct {
	Type     string `xml:"type,attr"`
	Status   string `xml:"status,attr"`
	ID       string `xml:"id"`
	Title    string `xml:"title"`
	Severity string `xml:"severity"`
	Summary  string `xml:"summary"`
	Desc     string `xml:"description"`
	Solution string `xml:"solution"`
	Issued   struct {
		Date string `xml:"date,attr"`
	} `xml:"issued"`
	Updated struct {
		Date string `xml:"date,attr"`
	} `xml:"updated"`
	References []struct {
		ID   string `xml:"id,attr"`
		Type string `xml:"type,attr"`
		Href string `xml:"href,attr"`
	} `xml:"references>reference"`
	Packages []struct {
		Name    string    `xml:"name,attr"`
		Epoch   string    `xml:"epoch,attr"`
		Version string    `xml:"version,attr"`
		Release string    `xml:"release,attr"`
		Arch    string    `xml:"arch,attr"`
		Reboot  *struct{} `xml:"reboot_suggested"`
	} `xml:"pkglist>collection>package"`
}

// updateInfo reads updateinfo.xml, one advisory at a time.
func (f *Feed) updateInfo(in io.Reader) error {
	d := xml.NewDecoder(in)
	root := false
	for {
		tok, err := d.Token()
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
		start, ok := tok.(xml.StartElement)
		if !ok {
			continue
		}
		if !root {
			if start.Name.Local != "updates" {
				return fmt.Errorf("an XML document of %.40q, not of updates", start.Name.Local)
			}
			root = true
			continue
		}
		var u xmlUpdate
		if err := d.DecodeElement(&u, &start); err != nil {
			return err
		}
		if start.Name.Local == "update" && u.ID != "" && u.Status != "retracted" {
			f.xmlUpdate(u)
		}
	}
	return nil
}

func (f *Feed) xmlUpdate(u xmlUpdate) {
	e := katprep.Erratum{ID: probe.Clean(u.ID), Title: probe.Clean(u.Title), Type: katprep.ErratumType(strings.ToLower(probe.Clean(u.Type))), Severity: katprep.ParseSeverity(probe.Clean(u.Severity)),
		Issued: probe.Date(u.Issued.Date), Updated: probe.Date(u.Updated.Date), Description: probe.Text(u.Desc), Solution: probe.Text(u.Solution)}
	for _, r := range u.References {
		switch r.Type {
		case "cve":
			e.CVEs = append(e.CVEs, probe.Clean(r.ID))
		case "bugzilla":
			e.Bugs = append(e.Bugs, probe.Clean(r.ID))
		case "self":
			e.URL = probe.Clean(r.Href)
		}
	}
	slices.Sort(e.CVEs)
	slices.Sort(e.Bugs)
	e.CVEs, e.Bugs = slices.Compact(e.CVEs), slices.Compact(e.Bugs)
	for _, p := range u.Packages {
		e.RebootSuggested = e.RebootSuggested || p.Reboot != nil
	}
	a := f.erratum(e)
	for _, p := range u.Packages {
		if p.Name != "" && p.Arch != "src" {
			evr := katprep.EVR(probe.Clean(string(katprep.JoinEVR(p.Epoch, p.Version, p.Release))))
			f.add(probe.Clean(p.Name), entry{advisory: a, format: katprep.RPM, arch: probe.Clean(p.Arch), fixed: evr})
		}
	}
}
