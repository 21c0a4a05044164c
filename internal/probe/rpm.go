package probe

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/stdevel/katprep"
)

// ParseRPM reads the section "rpm": name, epoch, version, release,
// architecture, install time, source and vendor, separated by tabs. Lines
// that cannot be read are counted.
func ParseRPM(data string) (ps []katprep.Package, bad int) {
	for line := range lines(data) {
		f := strings.SplitN(line, "\t", 8)
		if len(f) != 8 || f[0] == "" {
			bad++
			continue
		}
		if f[0] == "gpg-pubkey" { // a key, not a package
			continue
		}
		for i, v := range f {
			if f[i] = Clean(v); f[i] == "(none)" {
				f[i] = ""
			}
		}
		ps = append(ps, katprep.Package{
			Name: f[0], EVR: katprep.JoinEVR(f[1], f[2], f[3]), Arch: f[4],
			Installed: unix(f[5]), Source: f[6], Vendor: f[7],
		})
	}
	slices.SortFunc(ps, katprep.ComparePackages)
	return ps, bad
}

// ParseRPMKernels reads the section "rpm-kernels": as "rpm", with what the
// package provides instead of source and vendor. Several packages of one
// kernel (kernel, kernel-core) give one kernel.
func ParseRPMKernels(data string) []InstalledKernel {
	byRelease := map[string]InstalledKernel{}
	for line := range lines(data) {
		f := strings.SplitN(line, "\t", 7)
		if len(f) != 7 {
			continue
		}
		k := InstalledKernel{
			Package: Clean(f[0]), EVR: katprep.JoinEVR(f[1], f[2], f[3]), Installed: unix(f[5]),
			Release: f[2] + "-" + f[3] + "." + f[4],
		}
		if u := provided(f[6], "kernel-uname-r"); u != "" {
			k.Release = u
		}
		k.Release = Clean(k.Release)
		if old, ok := byRelease[k.Release]; !ok || k.Package > old.Package {
			byRelease[k.Release] = k
		}
	}
	ks := make([]InstalledKernel, 0, len(byRelease))
	for _, k := range byRelease {
		ks = append(ks, k)
	}
	slices.SortFunc(ks, func(a, b InstalledKernel) int { return cmp.Compare(a.Release, b.Release) })
	return ks
}

// provided returns the version of a capability in "name=version name=version ".
func provided(provides, name string) string {
	for p := range strings.FieldsSeq(provides) {
		if n, v, ok := strings.Cut(p, "="); ok && n == name {
			return v
		}
	}
	return ""
}

// Content is what a host's package manager says of its repositories: what
// could be installed, and why.
type Content struct {
	Repositories []katprep.Repository
	Fetched      time.Time // the oldest of the repositories' last refreshes; zero if unknown
	Missing      []string  // enabled repositories without usable metadata
	Updates      []katprep.Update
	Advisories   []Advisory
	Silent       bool   // no repository carries any advisory, for whatever package
	Problem      string // something about the advisories' details is missing
}

// An Advisory is an erratum that concerns the host.
type Advisory struct {
	katprep.Erratum
	Installed bool     // the fix is installed, only the running kernel is older
	Packages  []string // the NEVRAs that made it concern the host
}

type dnf4Doc struct {
	DNF     string   `json:"dnf"`
	Missing []string `json:"missing"`
	Problem string   `json:"problem"`
	Repos   []struct {
		ID       string `json:"id"`
		Revision string `json:"revision"`
		Made     int64  `json:"made"`
		Fetched  int64  `json:"fetched"`
		Advises  bool   `json:"advisories"` // it carries updateinfo.xml
	} `json:"repos"`
	Upgrades   []dnf4Upgrade  `json:"upgrades"`
	Advisories []dnf4Advisory `json:"advisories"`
}

type dnf4Upgrade struct {
	Name    string `json:"name"`
	Epoch   string `json:"epoch"`
	Version string `json:"version"`
	Release string `json:"release"`
	Arch    string `json:"arch"`
	Repo    string `json:"repo"`
}

type dnf4Advisory struct {
	ID          string   `json:"id"`
	Type        string   `json:"type"`
	Severity    string   `json:"severity"`
	Title       string   `json:"title"`
	Summary     string   `json:"summary"`
	Description string   `json:"description"`
	Solution    string   `json:"solution"`
	Issued      string   `json:"issued"`
	Updated     string   `json:"updated"`
	URL         string   `json:"url"`
	CVEs        []string `json:"cves"`
	Bugs        []string `json:"bugs"`
	Packages    []string `json:"packages"`
	Fixes       []string `json:"fixes"`
	Reboot      bool     `json:"reboot_suggested"`
	Installed   bool     `json:"installed"`
}

// ParseDNF4 reads the JSON document of the dnf 4 part of the probe.
func ParseDNF4(data string) (Content, error) {
	var d dnf4Doc
	if err := json.Unmarshal([]byte(data), &d); err != nil {
		return Content{}, fmt.Errorf("read what dnf said: %w", err)
	}
	c := Content{Missing: d.Missing, Problem: Clean(d.Problem), Silent: true}
	for _, r := range d.Repos {
		c.Repositories = append(c.Repositories, katprep.Repository{ID: Clean(r.ID), Revision: Clean(r.Revision), Refreshed: unixInt(r.Made)})
		c.Silent = c.Silent && !r.Advises
		if f := unixInt(r.Fetched); !f.IsZero() && (c.Fetched.IsZero() || f.Before(c.Fetched)) {
			c.Fetched = f
		}
	}
	for _, u := range d.Upgrades {
		c.Updates = append(c.Updates, katprep.Update{
			Name: Clean(u.Name), Arch: Clean(u.Arch), Origin: Clean(u.Repo),
			To: katprep.EVR(Clean(string(katprep.JoinEVR(u.Epoch, u.Version, u.Release)))),
		})
	}
	for _, a := range d.Advisories {
		if a.ID = Clean(a.ID); a.ID != "" {
			c.Advisories = append(c.Advisories, a.advisory())
		}
	}
	c.sort()
	return c, nil
}

func (a dnf4Advisory) advisory() Advisory {
	e := katprep.Erratum{
		ID: a.ID, Title: Clean(a.Title), Type: katprep.ErratumType(strings.ToLower(Clean(a.Type))),
		Severity: katprep.ParseSeverity(Clean(a.Severity)), Issued: Date(a.Issued), Updated: Date(a.Updated),
		RebootSuggested: a.Reboot, URL: Clean(a.URL), CVEs: cves(a.CVEs), Bugs: words(a.Bugs),
		Description: Text(a.Description), Solution: Text(a.Solution),
	}
	if s := Text(a.Summary); s != e.Title {
		e.Summary = s
	}
	fixes := a.Fixes
	if len(fixes) == 0 {
		fixes = a.Packages
	}
	e.Packages = nevras(fixes)
	return Advisory{Erratum: e, Installed: a.Installed, Packages: words(a.Packages)}
}

func (c *Content) sort() {
	slices.SortFunc(c.Repositories, func(a, b katprep.Repository) int { return cmp.Compare(a.ID, b.ID) })
	slices.SortFunc(c.Updates, compareUpdates)
	slices.SortFunc(c.Advisories, func(a, b Advisory) int { return cmp.Compare(a.ID, b.ID) })
	slices.Sort(c.Missing)
}

// Date makes a day of what vendors write: a timestamp of seconds, or text
// that begins with a day. Anything else is "".
func Date(s string) katprep.Date {
	s = strings.TrimSpace(s)
	if len(s) >= 10 && s[4] == '-' {
		if _, err := time.Parse(time.DateOnly, s[:10]); err == nil {
			return katprep.Date(s[:10])
		}
	}
	if t := unix(s); !t.IsZero() {
		return katprep.Date(t.Format(time.DateOnly))
	}
	return ""
}

func unixInt(n int64) time.Time {
	if n <= 0 || n > 1<<40 {
		return time.Time{}
	}
	return time.Unix(n, 0).UTC()
}

// nevras parses NEVRAs; what is none is left out.
func nevras(list []string) []katprep.Package {
	var ps []katprep.Package
	for _, s := range list {
		if p, ok := katprep.ParseNEVRA(Clean(s)); ok {
			ps = append(ps, p)
		}
	}
	slices.SortFunc(ps, katprep.ComparePackages)
	return slices.CompactFunc(ps, func(a, b katprep.Package) bool { return katprep.ComparePackages(a, b) == 0 })
}

// cves keeps what is a CVE ID, sorted: some tools list an advisory's own ID
// among them.
func cves(list []string) []string {
	return slices.DeleteFunc(words(list), func(s string) bool { return !strings.HasPrefix(s, "CVE-") })
}

// words cleans, sorts and removes doubles.
func words(list []string) []string {
	var out []string
	for _, s := range list {
		if s = Clean(s); s != "" {
			out = append(out, s)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// Text keeps the line breaks of a longer text, bounded.
func Text(s string) string {
	const most = 64 << 10
	if len(s) > most {
		s = s[:most]
	}
	s = strings.ToValidUTF8(s, "\uFFFD")
	s = strings.Map(func(r rune) rune {
		if r < ' ' && r != '\n' && r != '\t' || r == 0x7f || r >= 0x80 && r < 0xa0 {
			return -1
		}
		return r
	}, s)
	return strings.TrimSpace(s)
}
