package xapi_test

import (
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/act"
	"github.com/stdevel/katprep/act/acttest"
	"github.com/stdevel/katprep/act/xapi"
	"github.com/stdevel/katprep/internal/httpx"
	"github.com/stdevel/katprep/internal/vm"
)

// count counts the snapshots of the first VM that are named after the marker.
func (f *fake) count(m act.Marker) (n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, r := range f.vms {
		if name, _ := r["name_label"].(string); r["snapshot_of"] == "OpaqueRef:vm0" && strings.HasPrefix(name, string(m)) {
			n++
		}
	}
	return n
}

// TestRestarts ends sessions too, as a restart of the pool's master does.
func TestRestarts(t *testing.T) {
	f, _ := newFake(t)
	s := httptest.NewTLSServer(f)
	t.Cleanup(s.Close)
	relay := acttest.NewRelay(t, strings.TrimPrefix(s.URL, "https://"))
	acttest.Restarts(t, acttest.RestartFixture{
		Open:   func(t *testing.T) act.Snapshotter { return open(t, "https://"+relay.Addr(), "secret") },
		Target: act.Target{Name: "web01"},
		Kill:   func(*testing.T) { relay.Cut() },
		Start: func(*testing.T) {
			f.mu.Lock()
			defer f.mu.Unlock()
			clear(f.sessions)
			relay.Join()
		},
		Ours:    func(_ *testing.T, m act.Marker) int { return f.count(m) },
		Moments: []time.Duration{time.Millisecond, 5 * time.Millisecond, 15 * time.Millisecond},
	})
}

// TestMarkedFromTheStart: whatever happens after XAPI made the snapshot, it is
// known to be ours.
func TestMarkedFromTheStart(t *testing.T) {
	f, c := newFake(t)
	f.denied = "VM.set_name_description"
	ref, err := c.CreateSnapshot(t.Context(), target("web01"), act.SnapshotOptions{Description: "before patching"})
	if err != nil || ref.ID == "" {
		t.Fatalf("the description is refused: %+v, %v", ref, err)
	}
	if name := ref.Data["snapshot"]; name != "katprep-run-1 [katprep, running]" {
		t.Errorf("the snapshot is called %q", name)
	}
	if left, err := c.Leftovers(t.Context()); err != nil || len(left) != 1 || left[0].Marker != "katprep-run-1" {
		t.Errorf("%+v, %v", left, err)
	}
}

// TestUnderWay: the record of a snapshot may be there before its disks are.
func TestUnderWay(t *testing.T) {
	f, c := newFake(t)
	if _, err := c.CreateSnapshot(t.Context(), target("web01"), act.SnapshotOptions{}); err != nil {
		t.Fatal(err)
	}
	f.mu.Lock()
	f.vms["OpaqueRef:vm0"]["current_operations"] = map[string]string{"OpaqueRef:task": "snapshot"}
	f.mu.Unlock()
	if _, found, err := c.FindSnapshot(t.Context(), target("web01")); found || katprep.KindOf(err) != katprep.Conflict {
		t.Errorf("find: %v, %v", found, err)
	}
	if _, err := c.RevertSnapshot(t.Context(), target("web01")); katprep.KindOf(err) != katprep.Conflict {
		t.Errorf("revert: %v", err)
	}
}

func TestSilent(t *testing.T) {
	acttest.Silent(t, func(t *testing.T, addr string) act.Snapshotter {
		c, err := xapi.New(xapi.Options{URL: "https://" + addr, HTTP: httpx.Options{Insecure: true}, Limits: vm.Limits{Read: 200 * time.Millisecond}})
		if err != nil {
			t.Fatal(err)
		}
		return c
	})
}
