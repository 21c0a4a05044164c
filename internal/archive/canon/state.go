package canon

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/stdevel/katprep"
)

// Normalize sorts the lists of a state, puts its times into UTC and its
// identity into valid UTF-8: what the canonical form promises, whatever a
// collector delivers. The caller's lists are not changed.
func Normalize(s *katprep.State) {
	s.Name = strings.ToValidUTF8(s.Name, "\ufffd")
	s.ID = strings.ToValidUTF8(s.ID, "\ufffd")
	s.Source = strings.ToValidUTF8(s.Source, "\ufffd")
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
	s.Packages = sorted(s.Packages, katprep.ComparePackages)
	s.Reboot.Reasons = sorted(s.Reboot.Reasons, cmp.Compare[string])
	s.Facts.Collections = sorted(s.Facts.Collections, cmp.Compare[string])
	normalizeTimes(s)
}

func sorted[T any](list []T, compare func(a, b T) int) []T {
	if slices.IsSortedFunc(list, compare) {
		return list
	}
	list = slices.Clone(list)
	slices.SortStableFunc(list, compare)
	return list
}

func normalizeTimes(s *katprep.State) {
	s.Boot.Time = utc(s.Boot.Time)
	for i := range s.Packages {
		if t := s.Packages[i].Installed; t != utc(t) {
			s.Packages = slices.Clone(s.Packages)
			for j := range s.Packages {
				s.Packages[j].Installed = utc(s.Packages[j].Installed)
			}
			break
		}
	}
	for i := range s.Repositories {
		if t := s.Repositories[i].Refreshed; t != utc(t) {
			s.Repositories = slices.Clone(s.Repositories)
			for j := range s.Repositories {
				s.Repositories[j].Refreshed = utc(s.Repositories[j].Refreshed)
			}
			break
		}
	}
}

// utc drops what JSON cannot say, instead of failing a whole snapshot for a
// package from the year 20000.
func utc(t time.Time) time.Time {
	if t.IsZero() {
		return time.Time{}
	}
	if t = t.UTC(); t.Year() < 0 || t.Year() > 9999 {
		return time.Time{}
	}
	return t
}

// EncodeState returns a normalized state in canonical form.
func EncodeState(s *katprep.State) ([]byte, error) { return Encode(s) }

// DecodeState reads a state in any JSON form.
func DecodeState(data []byte, s *katprep.State) error { return Decode(data, s) }
