package diff

import (
	"cmp"
	"slices"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/internal/vers"
)

// packages are the installed ones of a host by name, each list sorted by
// architecture and then ascending version.
type packages map[string][]katprep.Package

func group(s *katprep.State, f katprep.Format) packages {
	if !knows(s, katprep.AspectPackages) {
		return packages{}
	}
	order := func(a, b katprep.Package) int {
		return cmp.Or(cmp.Compare(a.Arch, b.Arch), compare(f, a.EVR, b.EVR), cmp.Compare(a.EVR, b.EVR))
	}
	m := make(packages, len(s.Packages))
	for left := s.Packages; len(left) > 0; {
		n := 1
		for n < len(left) && left[n].Name == left[0].Name {
			n++
		}
		list := left[:n:n] // of the state itself: most packages stand alone
		if old := m[left[0].Name]; old != nil {
			list = append(old[:len(old):len(old)], list...)
		}
		m[left[0].Name], left = list, left[n:]
	}
	for name, list := range m {
		if !slices.IsSortedFunc(list, order) {
			m[name] = slices.SortedStableFunc(slices.Values(list), order)
		}
	}
	return m
}

func compare(f katprep.Format, a, b katprep.EVR) int {
	return vers.Compare(string(f), string(a), string(b))
}

// of returns the installed versions of a package, ascending. An architecture
// that one side does not tell fits any.
func (m packages) of(k katprep.PackageKey) (list []katprep.Package) {
	for _, p := range m[k.Name] {
		if p.Arch == k.Arch || p.Arch == "" || k.Arch == "" {
			list = append(list, p)
		}
	}
	return list
}

// exact returns the installed versions of exactly this package.
func (m packages) exact(k katprep.PackageKey) (list []katprep.Package) {
	for _, p := range m[k.Name] {
		if p.Arch == k.Arch {
			list = append(list, p)
		}
	}
	return list
}

// highest returns the highest of some versions of one package.
func highest(f katprep.Format, list []katprep.Package) katprep.Package {
	return slices.MaxFunc(list, func(a, b katprep.Package) int { return compare(f, a.EVR, b.EVR) })
}

// keys lists the packages that may differ, sorted by name and architecture:
// those of names of which not everything is the same on both sides.
func (p *pair) keys() []katprep.PackageKey {
	var keys []katprep.PackageKey
	was, now := p.was(), p.now()
	add := func(m, other packages) {
		for name, list := range m {
			if slices.EqualFunc(list, other[name], alike) {
				continue
			}
			for _, pk := range list {
				keys = append(keys, pk.Key())
			}
		}
	}
	add(was, now)
	add(now, was)
	slices.SortFunc(keys, compareKeys)
	return slices.Compact(keys)
}

// alike reports whether two packages do not differ in what makes a change.
func alike(a, b katprep.Package) bool {
	return a.Arch == b.Arch && a.EVR == b.EVR && a.Vendor == b.Vendor && a.Source == b.Source
}

func compareKeys(a, b katprep.PackageKey) int {
	return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Arch, b.Arch))
}

// packages returns what changed of what is installed, if both sides know it.
func (p *pair) packages(errata []katprep.ErratumChange) (changes []katprep.PackageChange) {
	if p.before == p.after || !knows(p.before, katprep.AspectPackages) || !knows(p.after, katprep.AspectPackages) {
		return nil
	}
	fixes := fixesOf(errata)
	for _, k := range p.keys() {
		old, now := p.was().exact(k), p.now().exact(k)
		kind := p.kind(old, now)
		if kind == "" {
			continue
		}
		c := katprep.PackageChange{PackageKey: k, Kind: kind, Before: versions(old), After: versions(now), Errata: fixes[k]}
		for _, pk := range slices.Concat(old, now) {
			c.Source = cmp.Or(pk.Source, c.Source)
		}
		changes = append(changes, c)
	}
	return changes
}

// kind says how two lists of versions differ, "" if they do not.
func (p *pair) kind(old, now []katprep.Package) katprep.PackageKind {
	switch {
	case len(old) == 0:
		return katprep.Added
	case len(now) == 0:
		return katprep.Removed
	case slices.Equal(versions(old), versions(now)):
		if rebuilt(old, now) {
			return katprep.Changed
		}
		return ""
	case !p.comparable:
		return katprep.Changed
	}
	switch c := compare(p.format, highest(p.format, old).EVR, highest(p.format, now).EVR); {
	case c < 0:
		return katprep.Upgraded
	case c > 0:
		return katprep.Downgraded
	}
	return katprep.Changed
}

// rebuilt reports whether packages of the same versions have another vendor
// or source.
func rebuilt(old, now []katprep.Package) bool {
	for i, o := range old {
		n := now[i]
		if o.Vendor != "" && n.Vendor != "" && o.Vendor != n.Vendor || o.Source != "" && n.Source != "" && o.Source != n.Source {
			return true
		}
	}
	return false
}

func versions(list []katprep.Package) []katprep.EVR {
	evrs := make([]katprep.EVR, 0, len(list))
	for _, p := range list {
		if len(evrs) == 0 || evrs[len(evrs)-1] != p.EVR {
			evrs = append(evrs, p.EVR)
		}
	}
	return evrs
}

// fixesOf lists the installed errata by the packages that prove them.
func fixesOf(errata []katprep.ErratumChange) map[katprep.PackageKey][]string {
	m := map[katprep.PackageKey][]string{}
	for _, e := range errata {
		if e.Ending != katprep.Installed && e.Ending != katprep.RebootPending {
			continue
		}
		for _, proof := range e.Proof {
			m[proof.Package] = append(m[proof.Package], e.ID)
		}
	}
	for k, ids := range m {
		slices.Sort(ids)
		m[k] = slices.Compact(ids)
	}
	return m
}
