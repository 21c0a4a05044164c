package act_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/act"
	"github.com/stdevel/katprep/act/acttest"
)

func TestServicesMayTakeTheirTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := plan(t, hosts(1), settings())
		w, j := world(p), &acttest.Journal{}
		run(t, engine(p, w, j), katprep.StagePrepare, katprep.StageExecute)
		w.SetHealth(web0, act.CheckOK, act.CheckState{Name: "http", Status: act.CheckPending})
		go func() {
			time.Sleep(40 * time.Second)
			w.SetHealth(web0, act.CheckOK, act.CheckState{Name: "http", Status: act.CheckOK})
		}()
		if s := run(t, engine(p, w, j), katprep.StageVerify); s.Failures() != 0 {
			t.Errorf("%+v", s)
		}
	})
}

func TestWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		set := settings()
		set.Concurrency = 1
		now := time.Now()
		set.Window = katprep.Window{Start: now.Add(time.Hour), End: now.Add(time.Hour + 30*time.Second)}
		p := plan(t, hosts(6), set)
		w, j := world(p), &acttest.Journal{}
		w.Latency = func(c acttest.Call) time.Duration { return time.Second }
		if s := run(t, engine(p, w, j), katprep.StagePrepare, katprep.StageExecute); did(w, "patch", web0) != 0 || s.Failures() != 6 {
			t.Fatalf("executed before the window: %+v", s)
		}
		time.Sleep(time.Until(set.Window.Start))
		s := run(t, engine(p, w, j), katprep.StageExecute)
		patched := 0
		for _, h := range p.Hosts {
			patched += did(w, "patch", h.Name)
		}
		if patched == 0 || patched == 6 {
			t.Errorf("%d hosts were patched, want some", patched)
		}
		for _, e := range j.All() {
			if e.Event == katprep.EventIntent && e.Stage == katprep.StageExecute && !strings.HasPrefix(e.Step, "undo") && !e.At.Before(set.Window.End) {
				t.Errorf("%s of %s began at %v, after the window", e.Step, e.Host, e.At)
			}
		}
		if !strings.Contains(s.Hosts[5].Reason, "the maintenance window ended") || !s.Hosts[5].Bad() {
			t.Errorf("%+v: want the reason", s.Hosts[5])
		}
	})
}

func TestClockThatJumps(t *testing.T) {
	set := settings()
	now := time.Now()
	set.Window = katprep.Window{Start: now.Add(-time.Hour), End: now.Add(time.Hour)}
	set.Concurrency = 1
	p := plan(t, hosts(4), set)
	for _, jump := range []time.Duration{-48 * time.Hour, 48 * time.Hour} {
		w, j := world(p), &acttest.Journal{}
		e := engine(p, w, j)
		run(t, e, katprep.StagePrepare)
		e.Options.Now = func() time.Time {
			if did(w, "patch", web0) > 0 {
				return time.Now().Add(jump)
			}
			return time.Now()
		}
		run(t, e, katprep.StageExecute)
		if did(w, "patch", web2) != 0 {
			t.Errorf("jump %v: patched although the clocks do not agree that it may", jump)
		}
		if !slices.ContainsFunc(j.All(), func(e katprep.Entry) bool { return e.Step == "clock" }) {
			t.Errorf("jump %v: the journal does not tell of it", jump)
		}
	}
}

func TestLimits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		set := settings()
		set.Concurrency = 12
		set.PerSystem = map[string]int{"hypervisor/datastore1": 2, "monitor": 3}
		set.Waves = []act.WaveRule{{Wave: katprep.Wave{Name: "narrow", Concurrency: 5}, Percent: 50}}
		p := plan(t, hosts(40), set)
		w, j := world(p), &acttest.Journal{}
		w.Latency = func(acttest.Call) time.Duration { return time.Second }
		if s := run(t, engine(p, w, j), allStages...); s.Failures() != 0 {
			t.Fatalf("%+v", s)
		}
		for op, want := range map[string]int{"snapshot": 2, "schedule": 3, "script": 12} {
			if got := w.Peak(op); got > want || got < 2 {
				t.Errorf("%d calls of %s at once, the limit is %d", got, op, want)
			}
		}
	})
}

func TestDowntimeThatRanOutIsMadeAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := plan(t, hosts(2), settings())
		w, j := world(p), &acttest.Journal{}
		run(t, engine(p, w, j), katprep.StagePrepare)
		time.Sleep(9 * time.Hour)
		if s := run(t, engine(p, w, j), katprep.StageExecute); s.Failures() != 2 || did(w, "patch", web0) != 0 {
			t.Errorf("patched after the downtime: %+v", s)
		}
		if s := run(t, engine(p, w, j), allStages...); s.Failures() != 0 {
			t.Errorf("%+v", s)
		}
		if did(w, "schedule", web0) != 2 || did(w, "snapshot", web0) != 1 {
			t.Errorf("%d downtimes, %d VM snapshots", did(w, "schedule", web0), did(w, "snapshot", web0))
		}
	})
}

// An interrupt ends the run within seconds even if a system does not answer.
func TestInterrupt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := plan(t, hosts(10), settings())
		w, j := world(p), &acttest.Journal{}
		hang := make(chan struct{})
		w.Fault = func(c acttest.Call, after bool) error {
			if c.Op == "snapshot" && c.Host == web1 && after {
				<-hang // deaf to the context
			}
			return nil
		}
		w.Latency = func(acttest.Call) time.Duration { return 10 * time.Second }
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(55*time.Second, cancel)
		_, err := engine(p, w, j).Run(ctx, allStages...)
		if !errors.Is(err, context.Canceled) {
			t.Errorf("error %v", err)
		}
		began := time.Now()
		cancelled := time.Now()
		for _, e := range j.All() {
			if e.Event == katprep.EventUnknown && e.At.Before(cancelled) {
				cancelled = e.At
			}
		}
		if d := began.Sub(cancelled); d > 5*time.Second {
			t.Errorf("it took %v to end", d)
		}
		close(hang)
		synctest.Wait()
		w.Fault, w.Latency = nil, nil
		if s := run(t, engine(p, w, j), allStages...); s.Failures() != 0 {
			t.Errorf("resumed: %+v", s)
		}
		wantClean(t, p, w)
	})
}

// 5,000 hosts, a second for each action, 200 at once.
func TestManyHosts(t *testing.T) {
	if testing.Short() {
		t.Skip("long")
	}
	synctest.Test(t, func(t *testing.T) {
		set := settings()
		set.Concurrency, set.Hooks = 200, nil
		p := plan(t, hosts(manyHosts), set)
		w, j := world(p), &acttest.Journal{}
		w.Latency = func(c acttest.Call) time.Duration { return time.Second }
		w.JobTime = time.Second
		begin := time.Now()
		if s := run(t, engine(p, w, j), katprep.StagePrepare, katprep.StageExecute); s.Failures() != 0 {
			t.Fatalf("%d failures", s.Failures())
		}
		calls := 0
		took := time.Since(begin)
		// health, downtime, VM snapshot | two looks, job sent, job ends, result read | boot read, reboot
		for _, h := range p.Hosts {
			calls += 3 + 2 + 3
			if reboots(h) {
				calls += 2
			}
		}
		ideal := time.Duration(calls) * time.Second / 200
		t.Logf("%v, ideally %v: %.3f", took, ideal, float64(took)/float64(ideal))
		if float64(took) > 1.1*float64(ideal) {
			t.Errorf("it took %v, ideally %v", took, ideal)
		}
	})
}

// TestInterruptIsNoFailure: whatever step an interrupt meets, no step has
// failed, no limit of failures is reached, summary and status name the same
// step, and the run goes on where it was.
func TestInterruptIsNoFailure(t *testing.T) {
	for cut := 5 * time.Second; cut < 5*time.Minute; cut += 10 * time.Second {
		synctest.Test(t, func(t *testing.T) {
			set := settings()
			set.OnFailure = katprep.FailStop
			p := plan(t, hosts(2), set)
			w, j := world(p), &acttest.Journal{}
			w.Latency = func(acttest.Call) time.Duration { return 10 * time.Second }
			ctx, cancel := context.WithTimeout(t.Context(), cut)
			defer cancel()
			s, err := engine(p, w, j).Run(ctx, allStages...)
			if err == nil {
				return // it had ended
			}
			for _, e := range j.All() {
				if e.Event == katprep.EventFailed || e.Event == katprep.EventUnknown && e.Data[act.DataInterrupted] == "" {
					t.Errorf("after %v: %s of %s: %s: %s", cut, e.Step, e.Host, e.Event, e.Message)
				}
			}
			if s.Stopped != "" {
				t.Errorf("after %v: stopped: %s", cut, s.Stopped)
			}
			wantSameSteps(t, cut, p, j, s)
			w.Latency = nil
			if s := run(t, engine(p, w, j), allStages...); s.Failures() != 0 {
				t.Errorf("after %v, resumed: %+v", cut, s)
			}
			wantClean(t, p, w)
		})
	}
}

// wantSameSteps compares what the summary of an interrupted run says with
// the status.
func wantSameSteps(t *testing.T, cut time.Duration, p katprep.Plan, j *acttest.Journal, s act.Summary) {
	t.Helper()
	all, err := act.Status(katprep.RunRecord{Plan: p, Journal: j.All()})
	if err != nil {
		t.Fatal(err)
	}
	for i, st := range all {
		r := s.Hosts[i]
		// A host that was at the end of a stage when others were not has no reason.
		if r.Reason != "" && !strings.Contains(r.Reason, "interrupted") || r.State == act.HostFailed {
			t.Errorf("after %v: summary: %s is %s at %q: %q", cut, r.Name, r.State, r.Step, r.Reason)
		}
		if st.Step != "" && st.Step != r.Step || st.State != r.State {
			t.Errorf("after %v: status %s at %q: %s; summary %s at %q: %s", cut, st.State, st.Step, st.Reason, r.State, r.Step, r.Reason)
		}
	}
}
