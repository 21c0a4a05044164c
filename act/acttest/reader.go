package acttest

import (
	"iter"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/act"
)

func splitComma(s string) iter.Seq[string] { return strings.SplitSeq(s, ",") }

// A HealthFixture is a monitoring system under test that watches one host.
type HealthFixture struct {
	Reader  act.HealthReader
	Target  act.Target
	Unknown act.Target // names a host that the system does not have; zero where a system cannot tell
	// Want is the health that the system really shows. Services that are
	// not in Want may be there as well; empty outputs are not compared.
	Want    act.Health
	Timeout time.Duration // of each call; zero is 30 s
}

// HealthReader tests that a backend keeps the contract of [act.HealthReader].
func HealthReader(t *testing.T, f HealthFixture) {
	t.Run("Health", func(t *testing.T) {
		h, err := f.Reader.Health(bounded(t, f.Timeout), f.Target)
		if err != nil {
			t.Fatalf("Health: %v", err)
		}
		checkHealth(t, h)
		compareCheck(t, h.Host, f.Want.Host)
		for _, want := range f.Want.Services {
			i := slices.IndexFunc(h.Services, func(c act.CheckState) bool { return c.Name == want.Name })
			if i < 0 {
				t.Errorf("service %q is missing", want.Name)
				continue
			}
			compareCheck(t, h.Services[i], want)
		}
	})
	t.Run("UnknownHost", func(t *testing.T) {
		if f.Unknown == (act.Target{}) {
			t.Skip("the system does not know its hosts")
		}
		if h, err := f.Reader.Health(bounded(t, f.Timeout), f.Unknown); katprep.KindOf(err) != katprep.NotFound {
			t.Errorf("Health of an unknown host = %+v, error %v; want an error of kind NotFound", h, err)
		}
	})
}

func checkHealth(t *testing.T, h act.Health) {
	t.Helper()
	if h.At.IsZero() || h.At.Location() != time.UTC {
		t.Errorf("Health.At = %v: want a time in UTC", h.At)
	}
	if h.Host.Name != "" {
		t.Errorf("the host's own check has the name %q, want none", h.Host.Name)
	}
	if !slices.IsSortedFunc(h.Services, func(a, b act.CheckState) int { return strings.Compare(a.Name, b.Name) }) {
		t.Error("services are not sorted by name")
	}
	known := []act.CheckStatus{act.CheckOK, act.CheckWarning, act.CheckCritical, act.CheckUnknown, act.CheckPending}
	for _, c := range append([]act.CheckState{h.Host}, h.Services...) {
		if !slices.Contains(known, c.Status) {
			t.Errorf("service %q: status %q", c.Name, c.Status)
		}
		if strings.ContainsAny(c.Output, "\n\r") {
			t.Errorf("service %q: output of more than one line", c.Name)
		}
	}
}

func compareCheck(t *testing.T, got, want act.CheckState) {
	t.Helper()
	if got.Status != want.Status || got.Acknowledged != want.Acknowledged || got.InDowntime != want.InDowntime ||
		want.Output != "" && got.Output != want.Output {
		t.Errorf("check %q = %+v, want %+v", want.Name, got, want)
	}
}

// An InventoryFixture is a system under test that knows hosts or VMs.
type InventoryFixture struct {
	Inventory act.Inventory
	// Want are objects that must be listed. Empty fields are not compared,
	// lists must be contained.
	Want    []act.Object
	Timeout time.Duration // of the call; zero is 30 s
}

// Inventory tests that a backend keeps the contract of [act.Inventory].
func Inventory(t *testing.T, f InventoryFixture) {
	objects, err := f.Inventory.Objects(bounded(t, f.Timeout))
	if err != nil {
		t.Fatalf("Objects: %v", err)
	}
	for i, o := range objects {
		if o.Name == "" {
			t.Errorf("object %d has no name: %+v", i, o)
		}
		if i > 0 && objects[i-1].Name >= o.Name {
			t.Errorf("%q follows %q: want sorted and unique names", o.Name, objects[i-1].Name)
		}
	}
	for _, want := range f.Want {
		i := slices.IndexFunc(objects, func(o act.Object) bool { return o.Name == want.Name })
		if i < 0 {
			t.Errorf("object %q is missing", want.Name)
			continue
		}
		compareObject(t, objects[i], want)
	}
	again, err := f.Inventory.Objects(bounded(t, f.Timeout))
	if err != nil || len(again) != len(objects) {
		t.Errorf("Objects again: %d objects, error %v; want %d", len(again), err, len(objects))
	}
}

func compareObject(t *testing.T, got, want act.Object) {
	t.Helper()
	lists := [][2][]string{{got.IPs, want.IPs}, {got.MACs, want.MACs}, {got.Groups, want.Groups}}
	for _, l := range lists {
		for _, s := range l[1] {
			if !slices.Contains(l[0], s) {
				t.Errorf("object %q: %q is missing in %q", want.Name, s, l[0])
			}
		}
	}
	if want.UUID != "" && got.UUID != want.UUID || want.Display != "" && got.Display != want.Display {
		t.Errorf("object = %+v, want %+v", got, want)
	}
}
