package acttest_test

import (
	"testing"

	"github.com/stdevel/katprep/act"
	"github.com/stdevel/katprep/act/acttest"
)

func targets(names ...string) []act.Target {
	var ts []act.Target
	for _, n := range names {
		ts = append(ts, act.Target{Name: n})
	}
	return ts
}

func TestMonitorKeepsTheContracts(t *testing.T) {
	world := acttest.NewWorld("a.example.com", "b.example.com")
	m := acttest.Monitor{World: world}
	acttest.Downtimer(t, acttest.DowntimerFixture{
		Downtimer: m,
		Targets:   targets("a.example.com", "b.example.com"),
		Unknown:   act.Target{Name: "nowhere.example.com"},
		Foreign:   func(t *testing.T, target act.Target) func() bool { return m.ScheduleForeign(target) },
	})
	acttest.Downtimer(t, acttest.DowntimerFixture{
		Downtimer: acttest.BulkMonitor{Monitor: m},
		Targets:   targets("a.example.com", "b.example.com"),
		Unknown:   act.Target{Name: "nowhere.example.com"},
		Foreign:   func(t *testing.T, target act.Target) func() bool { return m.ScheduleForeign(target) },
	})
	world.SetHealth("a.example.com", act.CheckOK, act.CheckState{Name: "load", Status: act.CheckWarning, Output: "load 9"})
	acttest.HealthReader(t, acttest.HealthFixture{
		Reader:  m,
		Target:  act.Target{Name: "a.example.com"},
		Unknown: act.Target{Name: "nowhere.example.com"},
		Want: act.Health{
			Host:     act.CheckState{Status: act.CheckOK},
			Services: []act.CheckState{{Name: "load", Status: act.CheckWarning, Output: "load 9"}},
		},
	})
	acttest.Inventory(t, acttest.InventoryFixture{
		Inventory: m,
		Want:      []act.Object{{Name: "a.example.com"}, {Name: "b.example.com"}},
	})
}

func TestHypervisorKeepsTheContracts(t *testing.T) {
	h := acttest.Hypervisor{World: acttest.NewWorld("a.example.com", "b.example.com")}
	acttest.Snapshotter(t, acttest.SnapshotterFixture{
		Snapshotter: h,
		Targets:     targets("a.example.com", "b.example.com"),
		Unknown:     act.Target{Name: "nowhere.example.com"},
		Foreign: func(t *testing.T, target act.Target, name string) (func() bool, func()) {
			return h.SnapForeign(target, name)
		},
		State: func(t *testing.T, target act.Target) act.PowerState {
			s, err := h.PowerState(t.Context(), target)
			if err != nil {
				t.Fatal(err)
			}
			return s
		},
	})
	acttest.Power(t, acttest.PowerFixture{Power: h, Target: act.Target{Name: "a.example.com"}, Unknown: act.Target{Name: "nowhere.example.com"}})
}

func fleetTargets(names ...string) []act.Target {
	ts := targets(names...)
	for i := range ts {
		ts[i].Host.Source, ts[i].Host.ID, ts[i].Host.Name = "test", ts[i].Name, ts[i].Name
	}
	return ts
}

func TestFleetKeepsTheContracts(t *testing.T) {
	world := acttest.NewWorld("a.example.com", "b.example.com")
	world.SetPending("a.example.com", "RHSA-2026:1", "RHSA-2026:2")
	world.SetPending("b.example.com", "RHSA-2026:1")
	fleet := acttest.Fleet{World: world}
	acttest.Patcher(t, acttest.PatcherFixture{
		Patcher: fleet,
		Targets: fleetTargets("a.example.com", "b.example.com"),
		Unknown: fleetTargets("nowhere.example.com")[0],
		Request: act.PatchRequest{Errata: []string{"RHSA-2026:1"}},
		Installed: func(t *testing.T, target act.Target) bool {
			for _, r := range world.Remainders() {
				if r.Host == target.Name {
					return r.Pending == map[string]int{"a.example.com": 1, "b.example.com": 0}[r.Host]
				}
			}
			return false
		},
	})
	acttest.Rebooter(t, acttest.RebooterFixture{Rebooter: fleet, Target: act.Target{Name: "a.example.com"}, Unknown: act.Target{Name: "nowhere.example.com"}})
}
