package collecttest

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/stdevel/katprep"
)

// Check returns what about a state breaks the contract of its types. errata
// are the details that came along; nil leaves them unchecked.
func Check(s *katprep.State, errata map[string]katprep.Erratum) (broken []string) {
	say := func(format string, args ...any) { broken = append(broken, fmt.Sprintf(format, args...)) }
	if s.Name == "" || s.ID == "" {
		say("no name or no ID: %+v", s.Host)
	}
	checkStatus(s, say)
	checkAspects(s, say)
	checkSorted(s, say)
	for _, t := range []time.Time{s.Boot.Time} {
		if !t.Equal(t.Truncate(time.Second)) || t.Location() != time.UTC && !t.IsZero() {
			say("time %v is not in UTC and whole seconds", t)
		}
	}
	if len(s.Packages) > 0 && s.Format == "" {
		say("packages without a format cannot be compared")
	}
	for _, e := range s.Errata {
		if _, known := errata[e.ID]; errata != nil && !known {
			say("erratum %s has no details", e.ID)
		}
	}
	return broken
}

func checkStatus(s *katprep.State, say func(string, ...any)) {
	explained := slices.ContainsFunc(s.Problems, func(p katprep.Problem) bool { return !p.Warning && p.Message != "" })
	switch s.Status {
	case katprep.Collected:
		if explained {
			say("collected, but with the problem %v", s.Problems)
		}
	case katprep.Incomplete, katprep.Failed:
		if !explained {
			say("%s without a reason", s.Status)
		}
	default:
		say("status %q", s.Status)
	}
}

// checkAspects: what is there must be known, and what a problem says is
// missing must not be.
func checkAspects(s *katprep.State, say func(string, ...any)) {
	for aspect, there := range map[katprep.Aspect]bool{
		katprep.AspectPackages:   len(s.Packages) > 0,
		katprep.AspectUpdates:    len(s.Updates) > 0,
		katprep.AspectErrata:     slices.ContainsFunc(s.Errata, func(e katprep.HostErratum) bool { return e.Installable }),
		katprep.AspectParameters: len(s.Parameters) > 0,
		katprep.AspectKernel:     s.Kernel.Running != "",
		katprep.AspectBoot:       s.Boot != katprep.Boot{},
		katprep.AspectReboot:     s.Reboot.Need != katprep.NeedUnknown,
		katprep.AspectProcesses:  len(s.Processes) > 0,
	} {
		excused := slices.ContainsFunc(s.Problems, func(p katprep.Problem) bool { return p.Aspect == aspect })
		if there && !s.Knows(aspect) && !excused {
			say("%s are there, but neither said to be known nor to be a part", aspect)
		}
	}
	if s.Knows(katprep.AspectReboot) && s.Reboot.Need == katprep.NeedUnknown {
		say("the reboot state is said to be known, and is unknown")
	}
	for _, p := range s.Problems {
		if !p.Warning && p.Aspect != "" && s.Knows(p.Aspect) {
			say("%s is known in spite of %q", p.Aspect, p.Message)
		}
	}
}

func checkSorted(s *katprep.State, say func(string, ...any)) {
	sorted(say, "aspects", s.Aspects, cmp.Compare[katprep.Aspect])
	sorted(say, "parameters", s.Parameters, func(a, b katprep.Parameter) int { return cmp.Compare(a.Name, b.Name) })
	sorted(say, "repositories", s.Repositories, func(a, b katprep.Repository) int { return cmp.Compare(a.ID, b.ID) })
	sorted(say, "errata", s.Errata, func(a, b katprep.HostErratum) int { return cmp.Compare(a.ID, b.ID) })
	sorted(say, "updates", s.Updates, func(a, b katprep.Update) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Arch, b.Arch))
	})
	sorted(say, "processes", s.Processes, func(a, b katprep.Process) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Unit, b.Unit))
	})
	sorted(say, "packages", s.Packages, katprep.ComparePackages)
}

func sorted[T any](say func(string, ...any), what string, list []T, compare func(a, b T) int) {
	for i := 1; i < len(list); i++ {
		if compare(list[i-1], list[i]) >= 0 {
			say("%s are not sorted, or double: %v, %v", what, list[i-1], list[i])
			return
		}
	}
}
