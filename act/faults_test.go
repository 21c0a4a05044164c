package act_test

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/act"
	"github.com/stdevel/katprep/act/acttest"
)

var errNoSpace = katprep.Errorf(katprep.Internal, "not enough free space on datastore1")

// failFor makes calls with the operation fail for a host. after says that
// they have their effect all the same.
func failFor(op, host string, after bool, err error) func(acttest.Call, bool) error {
	return func(c acttest.Call, isAfter bool) error {
		if c.Op == op && (host == "" || c.Host == host) && isAfter == after {
			return err
		}
		return nil
	}
}

func run(t *testing.T, e *act.Engine, stages ...katprep.Stage) act.Summary {
	t.Helper()
	s, err := e.Run(t.Context(), stages...)
	if err != nil {
		t.Fatalf("Run(%v): %v", stages, err)
	}
	return s
}

func resultOf(t *testing.T, s act.Summary, host string) act.HostResult {
	t.Helper()
	for _, r := range s.Hosts {
		if r.Name == host {
			return r
		}
	}
	t.Fatalf("no result for %s in %+v", host, s)
	return act.HostResult{}
}

func did(w *acttest.World, op, host string) int {
	n := 0
	for c, times := range w.Effects() {
		if c.Op == op && c.Host == host {
			n += times
		}
	}
	return n
}

const (
	web0 = "web0000.example.com"
	web1 = "web0001.example.com"
	web2 = "web0002.example.com"
)

func TestFailedStepStopsItsHostOnly(t *testing.T) {
	for _, test := range []struct {
		name, op string
		err      error
		step     string // that fails
		never    string // what must not be done then
	}{
		{"no space for the VM snapshot", "snapshot", errNoSpace, "vm-snapshot", "patch"},
		{"downtime refused", "schedule", katprep.Errorf(katprep.Denied, "not allowed"), "downtime", "patch"},
		{"task stuck in paused", "await", katprep.Errorf(katprep.Conflict, "the task is paused and waits for a person"), "patch", "reboot"},
		{"reboot not possible", "reboot", katprep.Errorf(katprep.Denied, "not allowed"), "reboot", "remove"},
		{"hook cannot be started", "script", katprep.Errorf(katprep.Unreachable, "no route to host"), "hook.prepare.pre.drain", "snapshot"},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := plan(t, hosts(4), settings())
			w := world(p)
			w.Fault = failFor(test.op, web1, false, test.err)
			s := run(t, engine(p, w, &acttest.Journal{}), allStages...)
			r := resultOf(t, s, web1)
			if r.State != act.HostFailed || r.Step != test.step || !strings.Contains(r.Reason, test.err.Error()) || s.Failures() != 1 {
				t.Errorf("%d failures, host %+v; want it failed at %s with the cause", s.Failures(), r, test.step)
			}
			if did(w, test.never, web1) > 0 {
				t.Errorf("%s was done after %s failed", test.never, test.step)
			}
			for _, other := range []string{web0, web2} {
				if r := resultOf(t, s, other); r.State != act.HostCleaned {
					t.Errorf("host %s: %+v", other, r)
				}
			}
		})
	}
}

func TestFailedRunGoesOn(t *testing.T) {
	for _, op := range []string{"snapshot", "schedule", "await", "reboot", "script", "remove", "end-downtime", "find", "send"} {
		t.Run(op, func(t *testing.T) {
			p := plan(t, hosts(4), settings())
			w, j := world(p), &acttest.Journal{}
			w.Fault = failFor(op, "", false, errors.New("connection refused"))
			if s := run(t, engine(p, w, j), allStages...); s.Failures() == 0 {
				t.Errorf("nothing failed: %+v", s)
			}
			w.Fault = nil
			e := engine(p, w, j)
			e.Options.RetryUnknown = true // a reboot that was asked for in vain
			if s := run(t, e, allStages...); s.Failures() != 0 {
				t.Errorf("afterwards: %+v", s)
			}
			for _, r := range w.Remainders() {
				if r.Downtimes+r.Snapshots+r.Pending != 0 || r.Boots > 1 {
					t.Errorf("%+v", r)
				}
			}
			for c, n := range w.Effects() {
				if n > 1 && c.Op != "script" && !(op == "await" && c.Op == "patch") {
					t.Errorf("%+v happened %d times", c, n)
				}
			}
		})
	}
}

// An answer that is lost after the action was done is not a second action.
func TestLostAnswers(t *testing.T) {
	for _, op := range []string{"schedule", "snapshot", "send", "script", "reboot", "end-downtime", "remove"} {
		t.Run(op, func(t *testing.T) {
			p := plan(t, hosts(6), settings())
			w, j := world(p), &acttest.Journal{}
			w.Fault = failFor(op, "", true, katprep.Errorf(katprep.Unreachable, "connection reset by peer"))
			run(t, engine(p, w, j), allStages...)
			w.Fault = nil
			if s := run(t, engine(p, w, j), allStages...); s.Failures() != 0 {
				t.Errorf("afterwards: %+v", s)
			}
			wantClean(t, p, w)
		})
	}
}

// A deafMonitor accepts downtimes and never applies them.
type deafMonitor struct{ acttest.Monitor }

func (deafMonitor) Schedule(context.Context, act.Target, katprep.Window, string) (act.Ref, error) {
	return act.Ref{ID: "accepted"}, nil
}

func TestDowntimeThatNeverTookEffect(t *testing.T) {
	p := plan(t, hosts(2), settings())
	w, j := world(p), &acttest.Journal{}
	e := engine(p, w, j)
	systems := maps.Clone(e.Systems.(acttest.Systems))
	systems["monitor"] = deafMonitor{acttest.Monitor{World: w}}
	e.Systems = systems
	s := run(t, e, katprep.StagePrepare, katprep.StageExecute)
	if s.Failures() != 2 || did(w, "patch", web0)+did(w, "patch", web1) != 0 {
		t.Errorf("patched without a downtime in effect: %+v", s)
	}
	if r := s.Hosts[0]; r.Step != "ready" || !strings.Contains(r.Reason, "no downtime") {
		t.Errorf("%+v: want the reason", r)
	}
	// The monitor was repaired: prepare makes the downtime, and it goes on.
	if s := run(t, engine(p, w, j), allStages...); s.Failures() != 0 {
		t.Errorf("afterwards: %+v", s)
	}
	wantClean(t, p, w)
}

func TestJobThatTargetsFewerHosts(t *testing.T) {
	p := plan(t, hosts(6), settings())
	w, j := world(p), &acttest.Journal{}
	w.Unreached = func(host string) bool { return host == web2 }
	s := run(t, engine(p, w, j), allStages...)
	r := resultOf(t, s, web2)
	if s.Failures() != 1 || r.State != act.HostFailed || r.Step != "patch" || !strings.Contains(r.Reason, "does not target this host") {
		t.Errorf("%+v", r)
	}
	if did(w, "reboot", web2) != 0 || did(w, "remove", web2) != 0 {
		t.Error("a host that was not patched was rebooted or cleaned up")
	}
	w.Unreached = nil
	if s := run(t, engine(p, w, j), allStages...); s.Failures() != 0 || did(w, "patch", web2) != 1 {
		t.Errorf("afterwards: %+v", s)
	}
}

func TestHostThatDoesNotComeBack(t *testing.T) {
	p := plan(t, hosts(4), settings())
	w, j := world(p), &acttest.Journal{}
	w.Fault = failFor("reboot", web1, true, katprep.Errorf(katprep.Unreachable, "not back within 30m"))
	s := run(t, engine(p, w, j), allStages...)
	if r := resultOf(t, s, web1); r.State != act.HostUnknown || r.Step != "reboot" || did(w, "end-downtime", web1) != 0 {
		t.Errorf("%+v: want it unknown, and its downtime kept", r)
	}
	w.Fault = nil
	if s := run(t, engine(p, w, j), allStages...); s.Failures() != 0 || did(w, "reboot", web1) != 1 {
		t.Errorf("rebooted %d times, %+v", did(w, "reboot", web1), s)
	}
}

func TestOrderIsEnforced(t *testing.T) {
	p := plan(t, hosts(2), settings())
	w, j := world(p), &acttest.Journal{}
	e := engine(p, w, j)
	for _, stage := range []katprep.Stage{katprep.StageExecute, katprep.StageVerify, katprep.StageRevert} {
		if s := run(t, e, stage); s.Failures() != 2 || len(w.Effects()) != 0 {
			t.Errorf("%s without prepare: %+v", stage, s)
		}
	}
	run(t, e, katprep.StagePrepare)
	run(t, e, katprep.StageExecute)
	if s := run(t, e, katprep.StageCleanup); s.Failures() != 2 || did(w, "remove", web0) != 0 {
		t.Errorf("cleaned up without verification: %+v", s)
	}
	e.Options.Unverified = true
	if s := run(t, e, katprep.StageCleanup); s.Failures() != 0 || did(w, "remove", web0) != 1 {
		t.Errorf("told to clean up: %+v", s)
	}
	before := len(w.Order())
	run(t, e, katprep.StageExecute)
	if len(w.Order()) != before {
		t.Error("something was done after the clean-up")
	}
}

func TestUnpreparedHostsAreCleanedUp(t *testing.T) {
	p := plan(t, hosts(2), settings())
	w, j := world(p), &acttest.Journal{}
	w.Fault = failFor("snapshot", "", false, errNoSpace)
	run(t, engine(p, w, j), katprep.StagePrepare)
	w.Fault = nil
	if s := run(t, engine(p, w, j), katprep.StageCleanup); s.Failures() != 0 && did(w, "remove", web0) != 0 {
		t.Errorf("%+v", s)
	}
	for _, r := range w.Remainders() {
		if r.Downtimes != 0 {
			t.Errorf("%+v", r)
		}
	}
	if did(w, "script", web0) != 2 {
		t.Error("the hook of prepare was not undone")
	}
}

func TestNothingMadeIsNoRemoval(t *testing.T) {
	p := plan(t, hosts(1), settings())
	w, j := world(p), &acttest.Journal{}
	run(t, engine(p, w, j), katprep.StageCleanup)
	for _, e := range j.All() {
		if e.Host != "" && e.Event != katprep.EventSkipped {
			t.Errorf("%+v: nothing was made, so nothing was removed", e)
		}
	}
}

func TestOnFailure(t *testing.T) {
	for _, test := range []struct {
		name     string
		policy   katprep.OnFailure
		max      int
		fail     []string
		patched  int
		reverted int
		stopped  string
	}{
		{"stop", katprep.FailStop, 0, []string{web1}, 1, 0, "host web0001.example.com failed"},
		{"continue", katprep.FailContinue, 0, []string{web1}, 5, 0, ""},
		{"max_failures", katprep.FailContinue, 2, []string{web1, web2}, 1, 0, "the limit is reached"},
		{"revert", katprep.FailRevert, 0, []string{web1}, 5, 1, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			set := settings()
			set.OnFailure, set.MaxFailures, set.Concurrency = test.policy, test.max, 1
			p := plan(t, hosts(6), set)
			w, j := world(p), &acttest.Journal{}
			w.Fault = func(c acttest.Call, after bool) error {
				if c.Op == "await" && slices.Contains(test.fail, c.Host) && !after {
					return katprep.Errorf(katprep.Internal, "dnf: no space left on device")
				}
				return nil
			}
			run(t, engine(p, w, j), katprep.StagePrepare)
			s := run(t, engine(p, w, j), katprep.StageExecute)
			patched, reverted := 0, 0
			for _, h := range p.Hosts {
				patched += did(w, "patch", h.Name)
				reverted += did(w, "revert", h.Name)
			}
			if patched-len(test.fail) != test.patched || reverted != test.reverted || !strings.Contains(s.Stopped, test.stopped) || (test.stopped == "") != (s.Stopped == "") {
				t.Errorf("%d patched, %d reverted, stopped %q; want %d, %d, %q", patched-len(test.fail), reverted, s.Stopped, test.patched, test.reverted, test.stopped)
			}
			if test.reverted > 0 {
				if r := resultOf(t, s, web1); r.State != act.HostReverted {
					t.Errorf("%+v", r)
				}
				if s := run(t, engine(p, w, j), katprep.StageExecute); did(w, "patch", web1) != 1 {
					t.Errorf("a reverted host was patched again: %+v", s)
				}
			}
		})
	}
}

func TestRevertByHand(t *testing.T) {
	p := plan(t, hosts(2), settings())
	w, j := world(p), &acttest.Journal{}
	run(t, engine(p, w, j), katprep.StagePrepare, katprep.StageExecute)
	e := engine(p, w, j)
	e.Options.Select = func(h *katprep.HostPlan) bool { return h.Name == web0 }
	if s := run(t, e, katprep.StageRevert); len(s.Hosts) != 1 || s.Hosts[0].State != act.HostReverted {
		t.Errorf("%+v", s)
	}
	for _, r := range w.Remainders() {
		if want := map[string]int{web0: 2, web1: 0}[r.Host]; r.Pending != want {
			t.Errorf("%s: %d pending, want %d", r.Host, r.Pending, want)
		}
	}
	if s := run(t, e, katprep.StageCleanup); s.Failures() != 0 {
		t.Errorf("a reverted host is cleaned up without verification: %+v", s)
	}
}

func TestGates(t *testing.T) {
	set := settings()
	gated := func(g katprep.Gate) katprep.Plan {
		set.Waves = []act.WaveRule{{Wave: katprep.Wave{Name: "canary", Gate: g}, Hosts: []string{"web0000*"}}}
		return plan(t, hosts(3), set)
	}
	t.Run("pause", func(t *testing.T) {
		p := gated(katprep.GatePause)
		w, j := world(p), &acttest.Journal{}
		s := run(t, engine(p, w, j), allStages...)
		if s.Paused != "canary" || did(w, "patch", web1) != 0 || did(w, "patch", web0) != 1 || did(w, "remove", web0) != 0 || s.Failures() != 0 {
			t.Errorf("%+v", s)
		}
		if s := run(t, engine(p, w, j), allStages...); s.Paused != "" || s.Failures() != 0 {
			t.Errorf("taken up again: %+v", s)
		}
		wantClean(t, p, w)
	})
	t.Run("confirm", func(t *testing.T) {
		p := gated(katprep.GateConfirm)
		for _, answer := range []bool{true, false} {
			w, j := world(p), &acttest.Journal{}
			e := engine(p, w, j)
			e.Options.Confirm = func(_ context.Context, done katprep.Wave, s act.Summary) (bool, error) {
				if done.Name != "canary" || len(s.Hosts) != 1 {
					t.Errorf("asked about %+v, %+v", done, s)
				}
				return answer, nil
			}
			s := run(t, e, allStages...)
			if got := did(w, "patch", web1) == 1; got != answer || (s.Stopped == "") != answer {
				t.Errorf("answer %v: the next wave was patched: %v, stopped %q", answer, got, s.Stopped)
			}
		}
	})
	t.Run("not executed", func(t *testing.T) {
		p := gated(katprep.GatePause)
		w, j := world(p), &acttest.Journal{}
		for range 2 { // the second time must not count as taken up again
			if s := run(t, engine(p, w, j), katprep.StageExecute); s.Paused != "" || !strings.Contains(s.Stopped, "no host of wave canary") || s.Failures() != 3 {
				t.Errorf("%+v", s)
			}
		}
	})
	t.Run("nobody to confirm", func(t *testing.T) {
		p := gated(katprep.GateConfirm)
		w, j := world(p), &acttest.Journal{}
		if s := run(t, engine(p, w, j), allStages...); s.Paused != "canary" || did(w, "patch", web1) != 0 {
			t.Errorf("%+v", s)
		}
	})
	t.Run("health", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			p := gated(katprep.GateHealth)
			w, j := world(p), &acttest.Journal{}
			w.SetHealth(web0, act.CheckOK, act.CheckState{Name: "old", Status: act.CheckCritical})
			run(t, engine(p, w, j), katprep.StagePrepare)
			w.SetHealth(web0, act.CheckOK, act.CheckState{Name: "old", Status: act.CheckCritical}, act.CheckState{Name: "http", Status: act.CheckCritical})
			s := run(t, engine(p, w, j), katprep.StageExecute)
			if did(w, "patch", web1) != 0 || !strings.Contains(s.Stopped, "not healthy") {
				t.Errorf("the second wave began after an unhealthy first one: %+v", s)
			}
			if r := resultOf(t, s, web0); r.Step != "check.services" || !strings.Contains(r.Reason, "http is critical") || strings.Contains(r.Reason, "old") {
				t.Errorf("%+v: want the new problem and no old one", r)
			}
			w.SetHealth(web0, act.CheckOK, act.CheckState{Name: "old", Status: act.CheckCritical}, act.CheckState{Name: "http", Status: act.CheckOK})
			if s := run(t, engine(p, w, j), allStages[1:]...); s.Failures() != 0 {
				t.Errorf("healthy again: %+v", s)
			}
			wantClean(t, p, w)
		})
	})
}

func TestArchiveGone(t *testing.T) {
	p := plan(t, hosts(2), settings())
	w, j := world(p), &acttest.Journal{}
	e := engine(p, w, j)
	gone := katprep.Errorf(katprep.NoArchive, "no archive")
	e.Options.Commit = func(katprep.Stage) error { return gone }
	s := run(t, e, allStages...)
	if !errors.Is(s.Uncommitted, gone) || s.Failures() != 0 {
		t.Errorf("%+v", s)
	}
	wantClean(t, p, w)
}

func TestAnotherPlanIsRefused(t *testing.T) {
	p := plan(t, hosts(2), settings())
	w, j := world(p), &acttest.Journal{}
	run(t, engine(p, w, j), katprep.StagePrepare)
	p.Hosts = slices.Clone(p.Hosts)
	p.Hosts[0].Errata = append(slices.Clone(p.Hosts[0].Errata), "RHSA-2026:9999")
	if _, err := engine(p, w, j).Run(t.Context(), katprep.StageExecute); katprep.KindOf(err) != katprep.Conflict {
		t.Errorf("error %v, want one of kind Conflict", err)
	}
}

func TestHooksAround(t *testing.T) {
	// The first patch fails: the hook is undone, and done again for the second.
	p := plan(t, hosts(1), settings())
	w, j := world(p), &acttest.Journal{}
	var ran []string
	w.Script = func(_ string, s act.Script) (act.ScriptOutcome, error) {
		ran = append(ran, s.Name+" "+s.Env["KATPREP_RESULT"])
		return act.ScriptOutcome{Output: "fine\n"}, nil
	}
	w.Fault = failFor("await", web0, false, katprep.Errorf(katprep.Internal, "dnf failed"))
	run(t, engine(p, w, j), katprep.StagePrepare, katprep.StageExecute)
	w.Fault = nil
	run(t, engine(p, w, j), katprep.StagePrepare, katprep.StageExecute)
	run(t, engine(p, w, j), katprep.StageExecute)
	want := []string{
		"hook.prepare.pre.drain ", "hook.patch.pre.usr-rw ", "undo.patch.pre.usr-rw failed",
		"hook.patch.pre.usr-rw failed", "undo.patch.pre.usr-rw done",
	}
	if !slices.Equal(ran, want) {
		t.Errorf("ran %q\nwant %q", ran, want)
	}
}

func TestHookOutcomes(t *testing.T) {
	for _, test := range []struct {
		name      string
		onFailure string
		outcome   act.ScriptOutcome
		state     act.HostState
		patched   int // of 3 hosts, one at a time
		stopped   bool
	}{
		{"fails", "", act.ScriptOutcome{Exit: 1, Output: "cannot drain\n"}, act.HostFailed, 0, false},
		{"hangs", "", act.ScriptOutcome{Exit: -1, TimedOut: true}, act.HostFailed, 0, false},
		{"asks to be left out", "", act.ScriptOutcome{Exit: 75, Output: "backup runs\n"}, act.HostDeferred, 0, false},
		{"fails, host goes on", "continue", act.ScriptOutcome{Exit: 1}, act.HostExecuted, 3, false},
		{"fails, run ends", "abort-run", act.ScriptOutcome{Exit: 1}, act.HostFailed, 0, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			set := settings()
			set.Concurrency = 1
			set.Hooks = []act.HookRule{{Name: "h", Stage: "patch.pre", Where: "host", Text: "x", OnFailure: test.onFailure, Undo: "y"}}
			p := plan(t, hosts(3), set)
			w, j := world(p), &acttest.Journal{}
			w.Script = func(_ string, s act.Script) (act.ScriptOutcome, error) {
				if strings.HasPrefix(s.Name, "undo") {
					return act.ScriptOutcome{}, nil
				}
				return test.outcome, nil
			}
			s := run(t, engine(p, w, j), katprep.StagePrepare)
			s = run(t, engine(p, w, j), katprep.StageExecute)
			patched := did(w, "patch", web0) + did(w, "patch", web1) + did(w, "patch", web2)
			if s.Hosts[0].State != test.state || patched != test.patched || (s.Stopped != "") != test.stopped {
				t.Errorf("%d patched, stopped %q, %+v", patched, s.Stopped, s.Hosts[0])
			}
		})
	}
}

// A plainHook cannot be asked what became of a script.
type plainHook struct{ fleet acttest.Fleet }

func (h plainHook) Run(ctx context.Context, t act.Target, s act.Script) (act.ScriptOutcome, error) {
	return h.fleet.Run(ctx, t, s)
}

func TestLostHookNeedsAPerson(t *testing.T) {
	set := settings()
	set.Hooks = []act.HookRule{{Name: "h", Stage: "prepare.pre", Where: "controller", Text: "x"}}
	p := plan(t, hosts(1), set)
	w := world(p)
	died := 0
	j := &acttest.Journal{Die: func(n int) (bool, bool) { died++; return died == 3, died != 3 }}
	e := engine(p, w, j)
	systems := maps.Clone(e.Systems.(acttest.Systems))
	systems["controller"] = plainHook{acttest.Fleet{World: w}}
	e.Systems = systems
	if _, err := e.Run(t.Context(), katprep.StagePrepare); !errors.Is(err, acttest.ErrKilled) {
		t.Fatalf("error %v", err)
	}
	j.Revive()
	s := run(t, e, katprep.StagePrepare)
	if s.Hosts[0].State != act.HostUnknown || did(w, "script", web0) != 1 {
		t.Errorf("ran %d times, %+v; want it unknown", did(w, "script", web0), s.Hosts[0])
	}
	e.Options.RetryUnknown = true
	if s := run(t, e, katprep.StagePrepare); s.Failures() != 0 || did(w, "script", web0) != 2 {
		t.Errorf("told to do it again: %+v", s)
	}
}

// A checkedHypervisor knows before that a VM cannot be snapshot.
type checkedHypervisor struct{ acttest.Hypervisor }

func (checkedHypervisor) CheckSnapshot(_ context.Context, t act.Target, o act.SnapshotOptions) error {
	if t.Host.Name == web1 && o.Quiesce == act.QuiesceNo {
		return errNoSpace
	}
	return nil
}

func TestPrecheck(t *testing.T) {
	p := plan(t, hosts(4), settings())
	w := world(p)
	w.Fault = func(c acttest.Call, after bool) error {
		if c.Op == "find" && c.Host == web2 && c.Arg == "" {
			return katprep.Errorf(katprep.NotFound, "no host %q", c.Host)
		}
		return nil
	}
	j := &acttest.Journal{}
	e := engine(p, w, j)
	systems := maps.Clone(e.Systems.(acttest.Systems))
	systems["hypervisor"] = checkedHypervisor{acttest.Hypervisor{World: w}}
	e.Systems = systems
	got, err := e.Precheck(t.Context())
	if err != nil || len(got) != 2 || got[0].Name != web1 || got[0].Step != "vm-snapshot" || got[1].Name != web2 || got[1].System != "monitor" {
		t.Errorf("%v, %v", got, err)
	}
	if len(w.Effects()) > 0 || len(j.All()) > 0 {
		t.Error("a look changed something")
	}
}

func TestCancelAtInterrupt(t *testing.T) {
	for _, wanted := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			p := plan(t, hosts(4), settings())
			w, j := world(p), &acttest.Journal{}
			w.JobTime = time.Hour
			e := engine(p, w, j)
			e.Options.CancelOnInterrupt = wanted
			ctx, cancel := context.WithCancel(t.Context())
			time.AfterFunc(10*time.Minute, cancel)
			begin := time.Now()
			if _, err := e.Run(ctx, katprep.StagePrepare, katprep.StageExecute); !errors.Is(err, context.Canceled) {
				t.Errorf("error %v", err)
			}
			if d := time.Since(begin); d > 10*time.Minute+5*time.Second {
				t.Errorf("it took %v to end", d-10*time.Minute)
			}
			cancels := 0
			for c := range w.Effects() {
				if c.Op == "cancel" {
					cancels++
				}
			}
			if want := map[bool]int{true: 2, false: 0}[wanted]; cancels != want {
				t.Errorf("%d jobs were cancelled, want %d", cancels, want)
			}
			// Resumed, a job that goes on is waited for; a cancelled one is a
			// failure, and the next attempt sends another one.
			s := run(t, engine(p, w, j), katprep.StageExecute)
			if wanted != (s.Failures() == 4) {
				t.Errorf("cancelled: %v, %d failures", wanted, s.Failures())
			}
			if s := run(t, engine(p, w, j), katprep.StageExecute); s.Failures() != 0 {
				t.Errorf("%+v", s)
			}
			for _, r := range w.Remainders() {
				if r.Pending != 0 {
					t.Errorf("%+v", r)
				}
			}
		})
	}
}

// A host that failed and was cleaned up is free, and still failed.
func TestFailedAndClean(t *testing.T) {
	p := plan(t, hosts(1), settings())
	w, j := world(p), &acttest.Journal{}
	w.Fault = failFor("await", web0, false, katprep.Errorf(katprep.Internal, "dnf failed"))
	run(t, engine(p, w, j), katprep.StagePrepare, katprep.StageExecute)
	w.Fault = nil
	status := func() act.HostStatus {
		all, err := act.Status(katprep.RunRecord{Plan: p, Journal: j.All()})
		if err != nil {
			t.Fatal(err)
		}
		return all[0]
	}
	if s := status(); s.Clean || s.State != act.HostFailed || !slices.Equal(s.Left, []string{"downtime", "undo.prepare.pre.drain", "vm-snapshot"}) {
		t.Errorf("clean %v, %s, left %q", s.Clean, s.State, s.Left)
	}
	e := engine(p, w, j)
	e.Options.Unverified = true
	run(t, e, katprep.StageCleanup)
	if s := status(); !s.Clean || s.State != act.HostFailed || s.Step != "patch" || len(s.Left) != 0 {
		t.Errorf("clean %v, %s at %s, left %q", s.Clean, s.State, s.Step, s.Left)
	}
}

// A silentPatcher says that all is well and did nothing.
type silentPatcher struct{ acttest.Fleet }

func (silentPatcher) Patch(_ context.Context, ts []act.Target, _ act.PatchRequest, _ func(act.Job)) []act.Result {
	return make([]act.Result, len(ts))
}

// A shortPatcher forgets the last host's result.
type shortPatcher struct{ acttest.Fleet }

func (p shortPatcher) Patch(ctx context.Context, ts []act.Target, r act.PatchRequest, sent func(act.Job)) []act.Result {
	return p.Fleet.Patch(ctx, ts, r, sent)[:len(ts)-1]
}

func TestPatchersThatSayTooLittle(t *testing.T) {
	for name, make := range map[string]func(acttest.Fleet) any{
		"no job":    func(f acttest.Fleet) any { return silentPatcher{f} },
		"no result": func(f acttest.Fleet) any { return shortPatcher{f} },
	} {
		p := plan(t, hosts(1), settings())
		w := world(p)
		e := engine(p, w, &acttest.Journal{})
		systems := maps.Clone(e.Systems.(acttest.Systems))
		systems["source"] = make(acttest.Fleet{World: w})
		e.Systems = systems
		s := run(t, e, katprep.StagePrepare, katprep.StageExecute)
		// Without a result, the job is asked for: it was sent, and had success.
		if want := map[string]int{"no job": 1, "no result": 0}[name]; s.Failures() != want {
			t.Errorf("%s: %s at %s: %s", name, s.Hosts[0].State, s.Hosts[0].Step, s.Hosts[0].Reason)
		}
	}
}

// deafRefresher is a source that does not compute errata again.
type deafRefresher struct{ acttest.Fleet }

func (deafRefresher) Refresh(context.Context, act.Target, time.Time) (act.Ref, error) {
	return act.Ref{}, katprep.Errorf(katprep.Unreachable, "the source did not look at the host again")
}

// TestDoubtsAreTold: a host that went on without a step is verified, and its
// status says what nobody knows.
func TestDoubtsAreTold(t *testing.T) {
	p := plan(t, hosts(1), settings())
	w, j := world(p), &acttest.Journal{}
	e := engine(p, w, j)
	sys := acttest.Around(w)
	sys["source"] = deafRefresher{sys["source"].(acttest.Fleet)}
	e.Systems = sys
	s := run(t, e, katprep.StagePrepare, katprep.StageExecute, katprep.StageVerify)
	r := resultOf(t, s, web0)
	if r.State != act.HostVerified || r.Bad() || len(r.Doubts) != 1 {
		t.Errorf("%+v", r)
	}
	all, err := act.Status(katprep.RunRecord{Plan: p, Journal: j.All()})
	if err != nil {
		t.Fatal(err)
	}
	const want = "applicability: failed: the source did not look at the host again; installed errata are not confirmed"
	if st := all[0]; st.State != act.HostVerified || st.Reason != want || !slices.Equal(st.Doubts, []string{want}) {
		t.Errorf("%s, reason %q, doubts %q; want %q", st.State, st.Reason, st.Doubts, want)
	}
}

// A haltingPatcher sends the job of one host; the user interrupts the run
// before it has sent the other one's.
type haltingPatcher struct {
	acttest.Fleet
	cancel context.CancelFunc
}

func (p haltingPatcher) Patch(ctx context.Context, ts []act.Target, _ act.PatchRequest, sent func(act.Job)) []act.Result {
	sent(act.Job{ID: "7", Hosts: []katprep.HostID{ts[0].Host.HostID}})
	p.cancel()
	results := make([]act.Result, len(ts))
	for i := range results {
		results[i].Err = ctx.Err()
	}
	return results
}

// TestInterruptBetweenJobs: a job that was not sent yet did not fail.
func TestInterruptBetweenJobs(t *testing.T) {
	states := hosts(2)
	states[1].Errata = states[0].Errata // one request for both
	p := plan(t, states, settings())
	w, j := world(p), &acttest.Journal{}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	e := engine(p, w, j)
	e.Options.Gather = time.Second
	systems := maps.Clone(e.Systems.(acttest.Systems))
	systems["source"] = haltingPatcher{acttest.Fleet{World: w}, cancel}
	e.Systems = systems
	if _, err := e.Run(ctx, katprep.StagePrepare, katprep.StageExecute); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	intents := 0
	for _, en := range j.All() {
		if en.Event == katprep.EventFailed {
			t.Errorf("%s of %s failed: %s", en.Step, en.Host, en.Message)
		}
		if en.Step == "patch" && en.Event == katprep.EventIntent {
			intents++
		}
	}
	if intents != 2 {
		t.Errorf("%d hosts in the request, want 2", intents)
	}
}

// TestEmptyWave: a wave in which nothing was to be done is not called verified.
func TestEmptyWave(t *testing.T) {
	set := settings()
	set.Waves = []act.WaveRule{{Wave: katprep.Wave{Name: "canary", Gate: katprep.GateHealth}, Hosts: []string{"web0000*"}}}
	states := hosts(2)
	states[0].Errata = nil
	p := plan(t, states, set)
	w, j := world(p), &acttest.Journal{}
	run(t, engine(p, w, j), allStages...)
	i := slices.IndexFunc(j.All(), func(e katprep.Entry) bool { return e.Step == "gate.0" })
	if i < 0 || j.All()[i].Message != "no host of wave canary had anything to do: it proves nothing of the next one" {
		t.Errorf("gate %d in %v", i, j.All())
	}
}
