package foreman_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/internal/landscape"
)

// TestTruth compares what is collected with how the simulated hosts really
// are.
func TestTruth(t *testing.T) {
	l, o := serve(t, landscape.Options{Hosts: 60, NoSelf: true})
	o.Packages, o.Applicable, o.Traces, o.Facts = true, true, true, true
	states, errata, _ := read(t, o, katprep.Selection{})
	if len(states) != len(l.Names()) {
		t.Fatalf("%d hosts of %d", len(states), len(l.Names()))
	}
	for name, s := range states {
		h, _ := l.Truth(name)
		if !slices.Equal(ids(s, true), h.Installable) || !slices.Equal(ids(s, false), h.Applicable) {
			t.Errorf("%s: installable %v, really %v; applicable %v, really %v", name, ids(s, true), h.Installable, ids(s, false), h.Applicable)
		}
		if !samePackages(s.Packages, h.Packages) {
			t.Errorf("%s: %d packages, really %d", name, len(s.Packages), len(h.Packages))
		}
		if s.Facts.IP != h.IP || s.Facts.MAC != h.MAC || s.Facts.UUID != h.UUID || (s.Facts.Hardware == katprep.Virtual) != h.Virtual {
			t.Errorf("%s: %+v, really %+v", name, s.Facts, h)
		}
		if !s.Boot.Time.Equal(h.Boot.Time) || s.Kernel.Running != h.Kernel.Running {
			t.Errorf("%s: boot %v, kernel %v; really %v, %v", name, s.Boot, s.Kernel, h.Boot, h.Kernel)
		}
		if s.Reboot.Need != katprep.NeedUnknown && (s.Reboot.Need == katprep.Needed) != h.NeedsReboot {
			t.Errorf("%s: reboot %v, really %v", name, s.Reboot, h.NeedsReboot)
		}
		if len(s.Facts.Extra) == 0 {
			t.Errorf("%s: no facts", name)
		}
		for _, p := range h.Parameters {
			if !slices.ContainsFunc(s.Parameters, func(q katprep.Parameter) bool { return p.Name == q.Name && p.Value == q.Value && q.Origin == "host" }) {
				t.Errorf("%s: parameter %v is not in %v", name, p, s.Parameters)
			}
		}
		for _, e := range s.Errata {
			if d := errata[e.ID]; d.Title == "" || len(d.Packages) == 0 && strings.HasPrefix(h.Family, "rhel") {
				t.Errorf("%s: details of %s are %+v", name, e.ID, d)
			}
		}
	}
}

func ids(s katprep.State, installable bool) (out []string) {
	for _, e := range s.Errata {
		if e.Installable || !installable {
			out = append(out, e.ID)
		}
	}
	return out
}

func samePackages(got, want []katprep.Package) bool {
	return slices.EqualFunc(got, want, func(a, b katprep.Package) bool { return a.Name == b.Name && a.EVR == b.EVR && a.Arch == b.Arch })
}

// TestFewHosts: hosts that are named are asked for their facts themselves.
func TestFewHosts(t *testing.T) {
	l, o := serve(t, landscape.Options{Hosts: 60, NoSelf: true})
	name := l.Names()[7]
	states, _, _ := read(t, o, katprep.Selection{Hosts: []string{name}})
	h, _ := l.Truth(name)
	if s := states[name]; s.Facts.UUID != h.UUID || (s.Facts.Hardware == katprep.Virtual) != h.Virtual {
		t.Errorf("%+v, really %+v", s.Facts, h)
	}
	if n := l.Stats().ByRoute["GET /api/fact_values"]; n != 0 {
		t.Errorf("the facts of all hosts were asked for %d times", n)
	}
}
