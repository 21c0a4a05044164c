package proxmox_test

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/act"
	"github.com/stdevel/katprep/act/acttest"
	"github.com/stdevel/katprep/act/proxmox"
	"github.com/stdevel/katprep/internal/httpx"
	"github.com/stdevel/katprep/internal/vm"
)

func hostOf(t *testing.T, u string) string {
	t.Helper()
	p, err := url.Parse(u)
	if err != nil {
		t.Fatal(err)
	}
	return p.Host
}

func TestRestarts(t *testing.T) {
	f, s := newFake(t)
	relay := acttest.NewRelay(t, hostOf(t, s.URL))
	acttest.Restarts(t, acttest.RestartFixture{
		Open:   func(t *testing.T) act.Snapshotter { return openAt(t, "https://"+relay.Addr()) },
		Target: act.Target{Name: "web01"},
		Kill:   func(*testing.T) { relay.Cut() },
		Start:  func(*testing.T) { relay.Join() },
		Ours: func(_ *testing.T, m act.Marker) (n int) {
			f.mu.Lock()
			defer f.mu.Unlock()
			for _, s := range f.vms["100"].snaps {
				if strings.HasPrefix(s.name, string(m)) {
					n++
				}
			}
			return n
		},
		Moments: []time.Duration{time.Millisecond, 5 * time.Millisecond, 15 * time.Millisecond},
	})
}

// TestCutOffInTheMiddle: a node that was reset while it made a snapshot shows
// it as being prepared for ever. It is none to go back to.
func TestCutOffInTheMiddle(t *testing.T) {
	f, s := newFake(t)
	c := open(t, s)
	if _, err := c.CreateSnapshot(t.Context(), target("web01"), act.SnapshotOptions{}); err != nil {
		t.Fatal(err)
	}
	f.vms["100"].snaps[0].state = "prepare"
	if _, found, err := c.FindSnapshot(t.Context(), target("web01")); found || katprep.KindOf(err) != katprep.Conflict {
		t.Errorf("find: %v, %v", found, err)
	}
	if _, err := c.RevertSnapshot(t.Context(), target("web01")); katprep.KindOf(err) != katprep.Conflict {
		t.Errorf("revert: %v", err)
	}
	if err := c.RemoveSnapshot(t.Context(), target("web01")); err != nil || len(f.vms["100"].snaps) > 0 {
		t.Errorf("remove: %v", err)
	}
}

func TestSilent(t *testing.T) {
	acttest.Silent(t, func(t *testing.T, addr string) act.Snapshotter {
		c, err := proxmox.New(proxmox.Options{URL: "https://" + addr, HTTP: httpx.Options{Insecure: true}, Limits: vm.Limits{Read: 200 * time.Millisecond}})
		if err != nil {
			t.Fatal(err)
		}
		return c
	})
}
