package act_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/act"
	"github.com/stdevel/katprep/act/acttest"
)

var allStages = []katprep.Stage{katprep.StagePrepare, katprep.StageExecute, katprep.StageVerify, katprep.StageCleanup}

// settings are those of a run with everything in it.
func settings() act.Settings {
	return act.Settings{
		Downtime: 8 * time.Hour, Reboot: act.RebootIfNeeded, OnFailure: katprep.FailContinue, Concurrency: 8,
		VMSnapshot: act.SnapshotAlways, Settle: time.Minute,
		Monitors: []act.PlanSystem{{Name: "monitor"}}, Hypervisors: []act.PlanSystem{{Name: "hypervisor"}}, Patchers: []string{"source"},
		Hooks: []act.HookRule{
			{Name: "drain", Stage: "prepare.pre", Where: "controller", Text: "drain", Undo: "fill"},
			{Name: "usr-rw", Stage: "patch.pre", Where: "host", Text: "mount -o remount,rw /usr", Undo: "mount -o remount,ro /usr"},
			{Name: "tell", Stage: "verify.post", Where: "controller", Text: "tell"},
		},
	}
}

// hosts are n hosts in groups of their own, each with an erratum of its own
// beside one that all need; every second one has to be rebooted for it.
func hosts(n int) []katprep.State {
	states := make([]katprep.State, n)
	for i := range states {
		name := fmt.Sprintf("web%04d.example.com", i)
		states[i] = katprep.State{
			Host:   katprep.Host{HostID: katprep.HostID{Source: "source", ID: fmt.Sprint(i)}, Name: name},
			Status: katprep.Collected, Aspects: []katprep.Aspect{katprep.AspectErrata},
			Facts:  katprep.Facts{Hardware: katprep.Virtual, HostGroup: fmt.Sprintf("group%d/web", i%3)},
			Errata: []katprep.HostErratum{{ID: "RHSA-2026:0001", Installable: true}, {ID: fmt.Sprintf("RHSA-2026:%04d", 100+i%2), Installable: true}},
		}
	}
	return states
}

func request(states []katprep.State, s act.Settings) act.PlanRequest {
	return act.PlanRequest{
		Run: "patch-2026-11", By: "anna@ops", Created: time.Date(2026, 11, 12, 20, 0, 0, 0, time.UTC), Version: "test",
		Before: "1234567890", Settings: s, States: states,
		Erratum: func(id string) (katprep.Erratum, bool) {
			return katprep.Erratum{ID: id, Type: katprep.Security, RebootSuggested: id == "RHSA-2026:0101"}, true
		},
	}
}

func plan(t testing.TB, states []katprep.State, s act.Settings) katprep.Plan {
	t.Helper()
	p, err := act.NewPlan(request(states, s))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func world(p katprep.Plan) *acttest.World {
	var names []string
	for _, h := range p.Hosts {
		names = append(names, h.Name)
	}
	w := acttest.NewWorld(names...)
	for _, h := range p.Hosts {
		w.SetPending(h.Name, h.Errata...)
	}
	return w
}

func engine(p katprep.Plan, w *acttest.World, j act.Journal) *act.Engine {
	return &act.Engine{
		Plan: p, Systems: acttest.Around(w), Journal: j,
		Options: act.Options{By: "anna@ops", Grace: time.Second, Gather: 5 * time.Millisecond, Poll: time.Millisecond},
	}
}

// wantClean compares a world with one whose hosts were all patched and
// cleaned up, each action done once.
func wantClean(t *testing.T, p katprep.Plan, w *acttest.World) {
	t.Helper()
	boots := map[string]int{}
	for _, h := range p.Hosts {
		if reboots(h) {
			boots[h.Name] = 1
		}
	}
	for _, r := range w.Remainders() {
		want := acttest.Remainder{Host: r.Host, Power: act.PoweredOn, Boots: boots[r.Host]}
		if r != want {
			t.Errorf("%+v, want %+v", r, want)
		}
	}
	wantOnce(t, p, w)
}

func reboots(h katprep.HostPlan) bool { return slices.Contains(h.Errata, "RHSA-2026:0101") }

func wantOnce(t *testing.T, p katprep.Plan, w *acttest.World) {
	t.Helper()
	effects := w.Effects()
	for c, n := range effects {
		if n != 1 {
			t.Errorf("%+v happened %d times", c, n)
		}
	}
	for _, h := range p.Hosts {
		want := []acttest.Call{
			{Op: "schedule", Host: h.Name, Arg: "katprep-patch-2026-11"}, {Op: "end-downtime", Host: h.Name, Arg: "katprep-patch-2026-11"},
			{Op: "snapshot", Host: h.Name, Arg: "katprep-patch-2026-11"}, {Op: "remove", Host: h.Name, Arg: "katprep-patch-2026-11"},
			{Op: "patch", Host: h.Name},
		}
		if reboots(h) {
			want = append(want, acttest.Call{Op: "reboot", Host: h.Name})
		}
		for _, c := range want {
			if effects[c] == 0 {
				t.Errorf("%+v did not happen", c)
			}
		}
	}
}

func TestWholeRun(t *testing.T) {
	s := settings()
	p := plan(t, hosts(6), s)
	w, j := world(p), &acttest.Journal{}
	e := engine(p, w, j)
	e.Options.Gather = time.Minute // until all are there, however slow the machine is
	sum, err := e.Run(t.Context(), allStages...)
	if err != nil || sum.Failures() != 0 || len(sum.Hosts) != 6 {
		t.Fatalf("%+v, %v", sum, err)
	}
	wantClean(t, p, w)
	for _, h := range sum.Hosts {
		if h.State != act.HostCleaned {
			t.Errorf("host %s is %s", h.Name, h.State)
		}
	}
	status, err := act.Status(katprep.RunRecord{Plan: p, Journal: j.All()})
	if err != nil || slices.ContainsFunc(status, func(s act.HostStatus) bool { return s.State != act.HostCleaned || len(s.Left) > 0 }) {
		t.Errorf("status %+v, %v", status, err)
	}
	patchJobs := 0
	for c := range w.Effects() {
		if c.Op == "send" {
			patchJobs++
		}
	}
	if patchJobs != 2 {
		t.Errorf("%d patch jobs for 2 different lists of errata", patchJobs)
	}
}

// Each step of a host comes after what must be confirmed before it.
func TestOrder(t *testing.T) {
	p := plan(t, hosts(4), settings())
	w, j := world(p), &acttest.Journal{}
	if _, err := engine(p, w, j).Run(t.Context(), allStages...); err != nil {
		t.Fatal(err)
	}
	for _, h := range p.Hosts {
		var got []string
		for _, e := range j.All() {
			if e.HostID == h.HostID && e.Event == katprep.EventDone {
				got = append(got, e.Step)
			}
		}
		want := []string{
			"hook.prepare.pre.drain", "health.before", "downtime", "vm-snapshot", "ready", "hook.patch.pre.usr-rw", "patch", "undo.patch.pre.usr-rw",
			"reboot", "check.downtime", "check.vm-snapshot", "check.patch", "check.reboot", "check.services", "hook.verify.post.tell",
			"remove-vm-snapshot", "check.vm-snapshot-gone", "end-downtime", "check.downtime-gone", "undo.prepare.pre.drain",
		}
		if !reboots(h) {
			want = slices.DeleteFunc(want, func(s string) bool { return s == "reboot" || s == "check.reboot" })
		}
		if !slices.Equal(got, want) {
			t.Errorf("host %s:\ngot  %q\nwant %q", h.Name, got, want)
		}
	}
}

// A run that is killed after, or while writing, any line of its journal, and
// is run again, ends as if it had not been killed.
func TestKilledAtEveryWrite(t *testing.T) {
	s := settings()
	s.Waves = []act.WaveRule{{Wave: katprep.Wave{Name: "first", Gate: katprep.GateHealth}, HostGroups: []string{"group0"}}}
	p := plan(t, hosts(20), s)
	w, j := world(p), &acttest.Journal{}
	if _, err := engine(p, w, j).Run(t.Context(), allStages...); err != nil {
		t.Fatal(err)
	}
	wantClean(t, p, w)
	total := len(j.All())
	t.Logf("%d journal entries", total)
	if total < 20*2*8 {
		t.Fatalf("%d entries: the run is not what this test is for", total)
	}
	for n := 1; n <= total; n += killStride {
		for _, keep := range []bool{true, false} {
			if !killAndResume(t, p, n, keep) {
				t.Fatalf("killed at entry %d of %d, entry kept: %v", n, total, keep)
			}
		}
	}
}

func killAndResume(t *testing.T, p katprep.Plan, n int, keep bool) bool {
	w := world(p)
	j := &acttest.Journal{Die: func(at int) (bool, bool) {
		if at < n {
			return false, true
		}
		w.Kill()
		return true, keep
	}}
	_, err := engine(p, w, j).Run(t.Context(), allStages...)
	if !errors.Is(err, acttest.ErrKilled) && at(j) >= n {
		t.Errorf("the killed run returned %v", err)
	}
	j.Revive()
	w.Revive()
	sum, err := engine(p, w, j).Run(t.Context(), allStages...)
	if err != nil || sum.Failures() != 0 {
		t.Errorf("the resumed run: %+v, %v", sum, err)
	}
	wantClean(t, p, w)
	return !t.Failed()
}

func at(j *acttest.Journal) int { return len(j.All()) }

// A needer is a fleet that knows whether hosts need a reboot.
type needer struct {
	acttest.Fleet
	need katprep.Need
}

func (n needer) RebootNeeded(context.Context, act.Target) (katprep.Reboot, error) {
	return katprep.Reboot{Need: n.need}, nil
}
