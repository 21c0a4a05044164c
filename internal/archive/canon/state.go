package canon

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/stdevel/katprep"
)

// Normalize sorts the lists of a state, puts its times into UTC and what
// identifies and sorts its items into valid UTF-8: what the canonical form
// promises, whatever a collector delivers. The caller's lists are not changed.
func Normalize(s *katprep.State) {
	normalizeRest(s)
	normalizePackages(s)
}

func normalizePackages(s *katprep.State) {
	s.Packages = repaired(s.Packages, goodPackage,
		func(p *katprep.Package) { text(&p.Name); text(&p.Arch); text(&p.EVR); clock(&p.Installed) })
	if !packagesSorted(s.Packages) {
		s.Packages = sorted(s.Packages, katprep.ComparePackages)
	}
}

// normalizeRest is Normalize for all but the packages.
func normalizeRest(s *katprep.State) {
	Identify(&s.Host)
	repair(s)
	s.Aspects = sorted(s.Aspects, cmp.Compare[katprep.Aspect])
	s.Parameters = sorted(s.Parameters, func(a, b katprep.Parameter) int { return cmp.Compare(a.Name, b.Name) })
	s.Repositories = sorted(s.Repositories, func(a, b katprep.Repository) int { return cmp.Compare(a.ID, b.ID) })
	s.Errata = sorted(s.Errata, func(a, b katprep.HostErratum) int { return cmp.Compare(a.ID, b.ID) })
	s.Updates = sorted(s.Updates, func(a, b katprep.Update) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Arch, b.Arch), cmp.Compare(a.To, b.To))
	})
	s.Processes = sorted(s.Processes, func(a, b katprep.Process) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Unit, b.Unit))
	})
	s.Reboot.Reasons = sorted(s.Reboot.Reasons, cmp.Compare[string])
	s.Facts.Collections = sorted(s.Facts.Collections, cmp.Compare[string])
}

// Identify puts what identifies a host into valid UTF-8.
func Identify(h *katprep.Host) {
	text(&h.Name)
	text(&h.ID)
	text(&h.Source)
}

// packagesSorted is a quick way to see what is nearly always so.
func packagesSorted(list []katprep.Package) bool {
	for i := 1; i < len(list); i++ {
		a, b := &list[i-1], &list[i]
		if a.Name > b.Name || a.Name == b.Name && katprep.ComparePackages(*a, *b) > 0 {
			return false
		}
	}
	return true
}

// repair puts the items of lists in order, but not the packages; of what is in order already it
// copies nothing.
func repair(s *katprep.State) {
	s.Aspects = repaired(s.Aspects, func(a *katprep.Aspect) bool { return utf8.ValidString(string(*a)) }, text[katprep.Aspect])
	s.Reboot.Reasons = repaired(s.Reboot.Reasons, valid, text[string])
	s.Facts.Collections = repaired(s.Facts.Collections, valid, text[string])
	s.Parameters = repaired(s.Parameters, func(p *katprep.Parameter) bool { return valid(&p.Name) },
		func(p *katprep.Parameter) { text(&p.Name) })
	s.Repositories = repaired(s.Repositories, func(r *katprep.Repository) bool { return valid(&r.ID) && inUTC(&r.Refreshed) },
		func(r *katprep.Repository) { text(&r.ID); clock(&r.Refreshed) })
	s.Errata = repaired(s.Errata, func(e *katprep.HostErratum) bool { return valid(&e.ID) },
		func(e *katprep.HostErratum) { text(&e.ID) })
	s.Updates = repaired(s.Updates, func(u *katprep.Update) bool {
		return valid(&u.Name) && valid(&u.Arch) && utf8.ValidString(string(u.To))
	},
		func(u *katprep.Update) { text(&u.Name); text(&u.Arch); text(&u.To) })
	s.Processes = repaired(s.Processes, func(p *katprep.Process) bool { return valid(&p.Name) && valid(&p.Unit) },
		func(p *katprep.Process) { text(&p.Name); text(&p.Unit) })
	clock(&s.Boot.Time)
	for k := range s.Facts.Extra {
		if !utf8.ValidString(k) {
			s.Facts.Extra = repairedMap(s.Facts.Extra)
			break
		}
	}
}

func goodPackage(p *katprep.Package) bool {
	return valid(&p.Name) && valid(&p.Arch) && utf8.ValidString(string(p.EVR)) && inUTC(&p.Installed)
}

// repaired returns the list, or a copy with all items fixed if one is not
// good.
func repaired[T any](list []T, good func(*T) bool, fix func(*T)) []T {
	for i := range list {
		if good(&list[i]) {
			continue
		}
		list = slices.Clone(list)
		for ; i < len(list); i++ {
			fix(&list[i])
		}
		break
	}
	return list
}

func repairedMap(m map[string]string) map[string]string {
	out := make(map[string]string, len(m))
	for _, k := range slices.Sorted(maps.Keys(m)) { // of two keys that become one, always the same wins
		out[strings.ToValidUTF8(k, "\ufffd")] = m[k]
	}
	return out
}

func valid(s *string) bool { return utf8.ValidString(*s) }

// text makes valid UTF-8.
func text[T ~string](s *T) { *s = T(strings.ToValidUTF8(string(*s), "\ufffd")) }

func inUTC(t *time.Time) bool {
	return t.Location() == time.UTC && t.Year() >= 0 && t.Year() <= 9999
}

// clock puts a time into UTC. What JSON cannot say becomes the zero time,
// instead of failing a whole snapshot for a package from the year 20000.
func clock(t *time.Time) {
	if *t = t.UTC(); t.IsZero() || !inUTC(t) {
		*t = time.Time{}
	}
}

func sorted[T any](list []T, compare func(a, b T) int) []T {
	if slices.IsSortedFunc(list, compare) {
		return list
	}
	list = slices.Clone(list)
	slices.SortStableFunc(list, compare)
	return list
}
