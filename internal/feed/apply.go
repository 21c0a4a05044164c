package feed

import (
	"cmp"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/internal/probe"
	"github.com/stdevel/katprep/internal/vers"
)

// Apply adds to a state the advisories of the feed that concern the host, and
// returns their details. An advisory concerns a host that has one of its
// packages in an older version; it is installable if a pending update reaches
// the fix. now decides only whether the feed is old. Only if packages and updates are known, and the feed speaks of the
// host's release, are errata said to be known.
func (f *Feed) Apply(s *katprep.State, now time.Time) []katprep.Erratum {
	if !s.Knows(katprep.AspectPackages) || s.Format == "" {
		return nil
	}
	m := &match{feed: f, s: s, compare: vers.RPM, found: map[string]*concern{}, updates: map[katprep.PackageKey]*katprep.Update{}}
	if s.Format == katprep.Deb {
		m.compare = vers.Deb
	}
	for i := range s.Updates {
		m.updates[katprep.PackageKey{Name: s.Updates[i].Name, Arch: s.Updates[i].Arch}] = &s.Updates[i]
	}
	m.releases = releases(s.Facts.OS)
	for _, p := range s.Packages {
		m.installed(p)
	}
	details := m.finish()
	if newest, err := time.Parse(time.DateOnly, string(f.newest)); err == nil && now.Sub(newest) > staleAfter {
		m.warn("the advisory feed ends on " + string(f.newest) + ": newer advisories are not known")
	}
	return details
}

// staleAfter is the age of a feed that is worth a warning.
const staleAfter = 30 * 24 * time.Hour

func (m *match) warn(message string) {
	m.s.Problems = append(m.s.Problems, katprep.Problem{Aspect: katprep.AspectErrata, Warning: true, Message: message})
}

type concern struct {
	erratum     katprep.Erratum
	installable bool
}

type match struct {
	feed     *Feed
	s        *katprep.State
	compare  func(a, b string) int
	releases []string
	updates  map[katprep.PackageKey]*katprep.Update
	found    map[string]*concern
	covered  bool // the feed speaks of this host's release
}

// installed matches one package.
func (m *match) installed(p katprep.Package) {
	name, version := p.Name, p.EVR
	if m.s.Format == katprep.Deb {
		name, version = probe.SourceOf(p)
	}
	for _, e := range m.feed.byName[name] {
		if e.format != m.s.Format || !m.fits(e, p) {
			continue
		}
		m.covered = true
		fixed, old := m.fixOf(e, p, version)
		if fixed != "" && old {
			m.concerned(e, p, fixed)
		}
	}
}

// fits reports whether an entry is for this host's distribution, release and
// architecture.
func (m *match) fits(e entry, p katprep.Package) bool {
	if e.format == katprep.RPM {
		return e.arch == p.Arch && sameDist(e.fixed, p.EVR)
	}
	return e.os == m.s.Facts.OS.ID && slices.Contains(m.releases, e.release)
}

var elTag = regexp.MustCompile(`\.(el|fc|amzn)[0-9]+`)

// sameDist keeps the fixes of one major release from hosts of another.
func sameDist(a, b katprep.EVR) bool {
	x, y := elTag.FindString(string(a)), elTag.FindString(string(b))
	return x == "" || y == "" || x == y
}

// fixOf returns the version of the binary package that holds the fix, and
// whether the installed one is older. Where the feed names source versions
// only, they are the binary's if the installed ones are the same too.
func (m *match) fixOf(e entry, p katprep.Package, version katprep.EVR) (fixed katprep.EVR, old bool) {
	if e.format == katprep.RPM {
		return e.fixed, m.compare(string(p.EVR), string(e.fixed)) < 0
	}
	if len(e.binaries) > 0 {
		v := e.binaries[p.Name] // "": this binary package is not part of the fix
		return v, v != "" && m.compare(string(p.EVR), string(v)) < 0
	}
	return e.fixed, m.compare(string(version), string(e.fixed)) < 0
}

// concerned notes that an advisory concerns the host by one package.
func (m *match) concerned(e entry, p katprep.Package, fixed katprep.EVR) {
	c := m.found[e.advisory.ID]
	if c == nil {
		c = &concern{erratum: e.advisory.Erratum}
		c.erratum.Packages = nil
		m.found[e.advisory.ID] = c
	}
	if m.sameScheme(e, p) {
		c.erratum.Packages = append(c.erratum.Packages, katprep.Package{Name: p.Name, EVR: fixed, Arch: p.Arch})
	}
	u := m.updates[p.Key()]
	if u == nil || m.compare(string(u.To), string(fixed)) < 0 {
		return
	}
	c.installable = true
	u.Errata = union(u.Errata, e.advisory.ID)
	u.CVEs = union(u.CVEs, e.advisory.CVEs...)
	u.Security = u.Security || e.advisory.Type == katprep.Security
}

// sameScheme reports whether a source version says something about the
// binary package: "gcc-defaults 1.203" builds "gcc 4:12.2.0-3".
func (m *match) sameScheme(e entry, p katprep.Package) bool {
	if e.format == katprep.RPM || e.binaries[p.Name] != "" {
		return true
	}
	_, version := probe.SourceOf(p)
	base, _, _ := strings.Cut(string(p.EVR), "+b")
	return p.EVR == version || base == string(version)
}

func union(list []string, more ...string) []string {
	list = append(slices.Clone(list), more...)
	slices.Sort(list)
	return slices.Compact(list)
}

// finish writes what was found into the state.
func (m *match) finish() []katprep.Erratum {
	s := m.s
	known := map[string]int{}
	for i, e := range s.Errata {
		known[e.ID] = i
	}
	var details []katprep.Erratum
	for _, id := range slices.Sorted(maps.Keys(m.found)) {
		c := m.found[id]
		slices.SortFunc(c.erratum.Packages, katprep.ComparePackages)
		details = append(details, c.erratum)
		if i, ok := known[id]; ok {
			s.Errata[i].Installable = s.Errata[i].Installable || c.installable
			continue
		}
		s.Errata = append(s.Errata, katprep.HostErratum{ID: id, Installable: c.installable})
	}
	slices.SortFunc(s.Errata, func(a, b katprep.HostErratum) int { return cmp.Compare(a.ID, b.ID) })
	m.claim()
	return details
}

// claim says what is known now.
func (m *match) claim() {
	s := m.s
	speaks := m.covered || s.Format == katprep.Deb && slices.ContainsFunc(m.releases, m.feed.speaksOf)
	missing := slices.ContainsFunc(s.Problems, func(p katprep.Problem) bool { return p.Aspect == katprep.AspectErrata && !p.Warning })
	switch {
	case missing: // and said already
	case !speaks:
		m.warn("the advisory feed does not speak of this host's release")
	case !s.Knows(katprep.AspectUpdates):
		m.warn("without pending updates it is not known which advisories are installable")
	default:
		s.Aspects = append(s.Aspects, katprep.AspectErrata, katprep.AspectApplicable)
		slices.Sort(s.Aspects)
		s.Aspects = slices.Compact(s.Aspects)
	}
}

// speaksOf reports whether any advisory is for a release.
func (f *Feed) speaksOf(release string) bool {
	for _, list := range f.byName {
		if slices.ContainsFunc(list, func(e entry) bool { return e.release == release }) {
			return true
		}
	}
	return false
}

// codenames are Debian's releases by their number.
var codenames = map[string]string{"9": "stretch", "10": "buster", "11": "bullseye", "12": "bookworm", "13": "trixie", "14": "forky", "15": "duke"}

// releases returns the names under which feeds know an operating system.
func releases(os katprep.OS) []string {
	list := []string{os.Version}
	if os.ID == "debian" {
		list = append(list, codenames[os.Version])
	}
	return slices.DeleteFunc(list, func(s string) bool { return s == "" })
}
