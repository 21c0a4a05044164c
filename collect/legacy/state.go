package legacy

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/collect"
)

// A report is one host as any version wrote it: Katello's (errata, params,
// verification), Uyuni's (errata with advisory_name, upgrades), or Uyuni's
// after "verify" (patches, verifications).
type report struct {
	Errata        list[advisory] `json:"errata"`
	Patches       list[advisory] `json:"patches"`
	Upgrades      list[upgrade]  `json:"upgrades"`
	Params        texts          `json:"params"`
	Verification  texts          `json:"verification"`
	Verifications texts          `json:"verifications"`

	Cls            text `json:"cls"`
	Hostname       text `json:"hostname"`
	Organization   text `json:"organization"`
	Location       text `json:"location"`
	Owner          text `json:"owner"`
	IP             text `json:"ip"`
	IPv6           text `json:"ipv6"`
	Description    text `json:"description"`
	Virtualization text `json:"virtualization"`
}

// An advisory is an erratum in any of the formats.
type advisory struct {
	ID              text           `json:"id"`
	ErrataID        text           `json:"errata_id"`
	Name            text           `json:"name"`
	Title           text           `json:"title"`
	Type            text           `json:"type"`
	Severity        text           `json:"severity"`
	Issued          text           `json:"issued"`
	Updated         text           `json:"updated"`
	Summary         text           `json:"summary"`
	Description     text           `json:"description"`
	Solution        text           `json:"solution"`
	RebootSuggested text           `json:"reboot_suggested"`
	Installable     *text          `json:"installable"`
	CVEs            list[nameOf]   `json:"cves"`
	Bugs            list[nameOf]   `json:"bugs"`
	Packages        list[text]     `json:"packages"`
	Modules         list[moduleOf] `json:"module_streams"`

	AdvisoryName text `json:"advisory_name"` // Uyuni
	AdvisoryType text `json:"advisory_type"`
	Synopsis     text `json:"advisory_synopsis"`
	Date         text `json:"date"`
	UpdateDate   text `json:"update_date"`

	IssuedAt  text `json:"issued_at"` // Uyuni after verify
	UpdatedAt text `json:"updated_at"`
}

type moduleOf struct {
	Name     text       `json:"name"`
	Stream   text       `json:"stream"`
	Packages list[text] `json:"packages"`
}

// An upgrade is a package update of Uyuni; the older formats name no
// versions.
type upgrade struct {
	Name        text `json:"name"`
	PackageName text `json:"package_name"`
	Arch        text `json:"arch"`
	FromVersion text `json:"from_version"`
	FromRelease text `json:"from_release"`
	FromEpoch   text `json:"from_epoch"`
	ToVersion   text `json:"to_version"`
	ToRelease   text `json:"to_release"`
	ToEpoch     text `json:"to_epoch"`
}

// reading makes a state of one host's report.
func reading(h katprep.Host, data json.RawMessage) (collect.Reading, error) {
	if len(data) == 0 || data[0] != '{' {
		return collect.Reading{}, katprep.Errorf(katprep.Corrupt, "the report of this host is not an object")
	}
	var r report
	if err := json.Unmarshal(data, &r); err != nil {
		return collect.Reading{}, katprep.Errorf(katprep.Corrupt, "the report of this host cannot be read: %w", err)
	}
	s := katprep.State{Host: h, Status: katprep.Collected, Facts: r.facts(), Parameters: r.parameters(),
		Aspects: []katprep.Aspect{katprep.AspectFacts, katprep.AspectParameters}}
	if r.Upgrades.there {
		s.Updates = r.updates()
		s.Aspects = append(s.Aspects, katprep.AspectUpdates)
	}
	errata := r.advisories(&s)
	slices.Sort(s.Aspects)
	return collect.Reading{State: s, Errata: errata}, nil
}

// advisories fills in the host's errata. Where no list is written, nobody
// knows: the old katprep wrote {} for hosts without errata and for hosts that
// it could not ask.
func (r *report) advisories(s *katprep.State) (errata []katprep.Erratum) {
	from := r.Errata
	if r.Patches.there {
		from = r.Patches
	}
	if !from.there {
		s.Status = katprep.Incomplete
		s.Problems = append(s.Problems, katprep.Problem{Aspect: katprep.AspectErrata,
			Message: "the report lists no errata, which the old katprep also wrote for hosts that it could not ask"})
		return nil
	}
	s.Aspects = append(s.Aspects, katprep.AspectErrata)
	nameless := 0
	on := map[string]bool{}
	for _, a := range from.items {
		e := a.erratum()
		if e.ID == "" {
			nameless++
			continue
		}
		errata = append(errata, e)
		on[e.ID] = on[e.ID] || a.Installable == nil || a.Installable.yes()
	}
	for _, id := range slices.Sorted(maps.Keys(on)) {
		s.Errata = append(s.Errata, katprep.HostErratum{ID: id, Installable: on[id]})
	}
	if nameless > 0 {
		s.Problems = append(s.Problems, katprep.Problem{Warning: true, Aspect: katprep.AspectErrata,
			Message: fmt.Sprintf("%d errata without an ID were left out", nameless)})
	}
	return errata
}

func (a *advisory) erratum() katprep.Erratum {
	title := text(cmp.Or(a.Title, a.Synopsis, a.Summary))
	e := katprep.Erratum{
		ID:              string(cmp.Or(a.ErrataID, a.AdvisoryName, a.Name, a.ID)),
		Title:           string(title),
		Type:            typeOf(cmp.Or(a.Type, a.AdvisoryType)),
		Severity:        cmp.Or(katprep.ParseSeverity(string(a.Severity)), severityIn(title)),
		Issued:          date(cmp.Or(a.Issued, a.Date, a.IssuedAt)),
		Updated:         date(cmp.Or(a.Updated, a.UpdateDate, a.UpdatedAt)),
		RebootSuggested: a.RebootSuggested.yes(),
		CVEs:            names(a.CVEs.items),
		Bugs:            names(a.Bugs.items),
		Summary:         string(a.Summary),
		Description:     string(a.Description),
		Solution:        string(a.Solution),
	}
	e.Packages = fixed(a.Packages.items)
	for _, m := range a.Modules.items {
		if m.Name != "" {
			e.Modules = append(e.Modules, string(m.Name)+":"+string(m.Stream))
		}
		e.Packages = append(e.Packages, fixed(m.Packages.items)...)
	}
	slices.Sort(e.Modules)
	e.Modules = slices.Compact(e.Modules)
	slices.SortFunc(e.Packages, katprep.ComparePackages)
	e.Packages = slices.CompactFunc(e.Packages, func(a, b katprep.Package) bool { return katprep.ComparePackages(a, b) == 0 })
	return e
}

// fixed reads the packages of an advisory, without those of source code.
func fixed(nevras []text) (list []katprep.Package) {
	for _, n := range nevras {
		if p, ok := katprep.ParseNEVRA(string(n)); ok && p.Arch != "src" && p.Arch != "nosrc" {
			list = append(list, p)
		}
	}
	return list
}

func names(list []nameOf) (out []string) {
	for _, n := range list {
		if n != "" {
			out = append(out, string(n))
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func (r *report) updates() (list []katprep.Update) {
	seen := map[katprep.PackageKey]bool{}
	for _, u := range r.Upgrades.items {
		k := katprep.PackageKey{Name: string(cmp.Or(u.Name, u.PackageName)), Arch: string(u.Arch)}
		if k.Name == "" || seen[k] {
			continue
		}
		seen[k] = true
		list = append(list, katprep.Update{Name: k.Name, Arch: k.Arch,
			From: katprep.JoinEVR(string(u.FromEpoch), string(u.FromVersion), string(u.FromRelease)),
			To:   katprep.JoinEVR(string(u.ToEpoch), string(u.ToVersion), string(u.ToRelease))})
	}
	slices.SortFunc(list, func(a, b katprep.Update) int { return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Arch, b.Arch)) })
	return list
}

// ownParams are the members of Katello's params that are facts of the host.
var ownParams = []string{"name", "ip", "ip6", "organization_name", "location_name", "environment_name", "operatingsystem_name", "owner", "system_physical"}

func (r *report) facts() katprep.Facts {
	p := func(name string, other text) string { return string(cmp.Or(other, r.Params[name])) }
	f := katprep.Facts{
		OS:           katprep.OS{Name: p("operatingsystem_name", "")},
		IP:           p("ip", r.IP),
		IP6:          p("ip6", r.IPv6),
		Organization: p("organization_name", r.Organization),
		Location:     p("location_name", r.Location),
		Environment:  p("environment_name", ""),
		Owner:        p("owner", cmp.Or(r.Owner, r.Params["katprep_owner"])),
		Comment:      string(r.Description),
		Extra:        r.verified(),
	}
	switch {
	case r.Params["system_physical"].yes():
		f.Hardware = katprep.Physical
	case r.Virtualization != "":
		f.Hardware = katprep.Virtual
	}
	return f
}

// verified keeps what "verify" wrote, as further facts.
func (r *report) verified() map[string]string {
	extra := map[string]string{}
	for _, m := range []texts{r.Verification, r.Verifications} {
		for k, v := range m {
			if v != "" {
				extra["verification."+k] = string(v)
			}
		}
	}
	if len(extra) == 0 {
		return nil
	}
	return extra
}

// secretName matches parameters whose values do not belong into an archive.
var secretName = regexp.MustCompile(`(?i)pass(w|ph|$|_)|secret|token|credential|private_?key|api_?key`)

func (r *report) parameters() (list []katprep.Parameter) {
	for _, name := range slices.Sorted(maps.Keys(r.Params)) {
		if slices.Contains(ownParams, name) && !strings.HasPrefix(name, "katprep_") {
			continue
		}
		p := katprep.Parameter{Name: name, Value: string(r.Params[name])}
		if secretName.MatchString(name) {
			p.Value, p.Masked = "", true
		}
		list = append(list, p)
	}
	return list
}
