package act_test

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/act"
	"github.com/stdevel/katprep/act/acttest"
)

// bulkEngine is an engine whose monitoring system takes many hosts at once.
func bulkEngine(p katprep.Plan, w *acttest.World, j act.Journal) (*act.Engine, *atomic.Int64) {
	var n atomic.Int64
	return withMonitor(engine(p, w, j), acttest.BulkMonitor{Monitor: acttest.Monitor{World: w}, Requests: &n}), &n
}

func withMonitor(e *act.Engine, monitor any) *act.Engine {
	systems := maps.Clone(e.Systems.(acttest.Systems))
	systems["monitor"] = monitor
	e.Systems = systems
	return e
}

func TestDowntimesTogether(t *testing.T) {
	set := settings()
	set.Concurrency = 3
	set.Waves = []act.WaveRule{{Wave: katprep.Wave{Name: "first"}, HostGroups: []string{"group0"}}}
	p := plan(t, hosts(12), set)
	w, j := world(p), &acttest.Journal{}
	e, requests := bulkEngine(p, w, j)
	if s := run(t, e, allStages...); s.Failures() != 0 {
		t.Fatalf("%+v", s)
	}
	wantClean(t, p, w)
	if n := requests.Load(); n != 4 {
		t.Errorf("%d requests to monitoring, want one for each wave and direction", n)
	}
	for _, h := range p.Hosts {
		for _, step := range []string{"downtime", "end-downtime"} {
			var events []katprep.Event
			for _, en := range j.All() {
				if en.HostID == h.HostID && en.Step == step {
					events = append(events, en.Event)
				}
			}
			if !slices.Equal(events, []katprep.Event{katprep.EventIntent, katprep.EventDone}) {
				t.Errorf("%s of %s: %v", step, h.Name, events)
			}
		}
	}
}

func TestOneOfManyFails(t *testing.T) {
	for name, test := range map[string]struct {
		op    string
		err   error
		after bool
		state act.HostState
		step  string
	}{
		"refused":      {"schedule", katprep.Errorf(katprep.Denied, "not allowed"), false, act.HostFailed, "downtime"},
		"not shown":    {"schedule", katprep.Errorf(katprep.Unreachable, "a service: %w", act.ErrNotShown), true, act.HostFailed, "downtime"},
		"lost request": {"schedule", errors.New("connection reset"), false, act.HostFailed, "downtime"},
		"unconfirmed":  {"schedule", errors.New("connection reset"), true, act.HostUnknown, "downtime"},
		"not ended":    {"end-downtime", katprep.Errorf(katprep.Denied, "not allowed"), false, act.HostFailed, "end-downtime"},
		"hook before":  {"script", katprep.Errorf(katprep.Unreachable, "no route"), false, act.HostFailed, "hook.prepare.pre.drain"},
	} {
		t.Run(name, func(t *testing.T) {
			p := plan(t, hosts(6), settings())
			w, j := world(p), &acttest.Journal{}
			w.Fault = failFor(test.op, web1, test.after, test.err)
			e, _ := bulkEngine(p, w, j)
			s := run(t, e, allStages...)
			if r := resultOf(t, s, web1); s.Failures() != 1 || r.State != test.state || r.Step != test.step || !strings.Contains(r.Reason, test.err.Error()) {
				t.Errorf("%d failures, %+v", s.Failures(), r)
			}
			if test.op != "end-downtime" && did(w, "patch", web1) > 0 {
				t.Error("patched without a confirmed downtime")
			}
			w.Fault = nil
			e, _ = bulkEngine(p, w, j)
			if s := run(t, e, allStages...); s.Failures() != 0 {
				t.Errorf("afterwards: %+v", s)
			}
			wantCleaned(t, w)
		})
	}
}

func wantCleaned(t *testing.T, w *acttest.World) {
	t.Helper()
	for _, r := range w.Remainders() {
		if r.Downtimes+r.Snapshots+r.Pending != 0 {
			t.Errorf("%+v", r)
		}
	}
	for c, n := range w.Effects() {
		if n > 1 && c.Op != "script" {
			t.Errorf("%+v happened %d times", c, n)
		}
	}
}

// An answer that got lost is asked for once more for all hosts, and what is
// there is adopted.
func TestLostAnswerForMany(t *testing.T) {
	for _, op := range []string{"schedule", "end-downtime"} {
		p := plan(t, hosts(6), settings())
		w, j := world(p), &acttest.Journal{}
		lost := map[string]bool{}
		w.Fault = func(c acttest.Call, after bool) error {
			if c.Op == op && after && !lost[c.Host] {
				lost[c.Host] = true // calls come one after the other
				return katprep.Errorf(katprep.Unreachable, "connection reset by peer")
			}
			return nil
		}
		e, _ := bulkEngine(p, w, j)
		if s := run(t, e, allStages...); s.Failures() != 0 {
			t.Errorf("%s: %+v", op, s)
		}
		wantClean(t, p, w)
	}
}

// A silent monitoring system is asked about one host, not about each.
func TestSilentMonitorIsAskedOnce(t *testing.T) {
	p := plan(t, hosts(20), settings())
	w, j := world(p), &acttest.Journal{}
	asked := atomic.Int64{}
	w.Fault = func(c acttest.Call, after bool) error {
		silent := c.Op == "schedule" || c.Op == "find" && c.Arg != "" && did(w, "snapshot", c.Host) == 0
		if silent && c.Op == "find" && !after {
			asked.Add(1)
		}
		if silent {
			return katprep.Errorf(katprep.Unreachable, "no answer")
		}
		return nil
	}
	e, requests := bulkEngine(p, w, j)
	s := run(t, e, katprep.StagePrepare)
	if s.Failures() != 20 || asked.Load() != 1 || requests.Load() != 2 {
		t.Errorf("%d failures, asked %d times, %d requests", s.Failures(), asked.Load(), requests.Load())
	}
	for _, r := range s.Hosts {
		if r.State != act.HostUnknown {
			t.Errorf("%+v", r)
		}
	}
}

// A mutteringMonitor forgets the last result.
type mutteringMonitor struct{ acttest.BulkMonitor }

func (m mutteringMonitor) ScheduleAll(ctx context.Context, ts []act.Target, w katprep.Window, comment string) []act.Result {
	return m.BulkMonitor.ScheduleAll(ctx, ts[:len(ts)-1], w, comment)
}

func TestTooFewResults(t *testing.T) {
	p := plan(t, hosts(3), settings())
	w, j := world(p), &acttest.Journal{}
	e := withMonitor(engine(p, w, j), mutteringMonitor{acttest.BulkMonitor{Monitor: acttest.Monitor{World: w}}})
	s := run(t, e, katprep.StagePrepare)
	if r := resultOf(t, s, web2); s.Failures() != 1 || r.State != act.HostFailed || !strings.Contains(r.Reason, "gave no result") {
		t.Errorf("%d failures, %+v", s.Failures(), r)
	}
}

// A run that stops while hosts wait for each other gives them no downtime,
// and undoes what it began.
func TestStopWhileHostsWait(t *testing.T) {
	set := settings()
	set.OnFailure, set.Concurrency = katprep.FailStop, 1
	p := plan(t, hosts(3), set)
	w, j := world(p), &acttest.Journal{}
	w.Fault = failFor("script", web2, false, katprep.Errorf(katprep.Unreachable, "no route"))
	e, requests := bulkEngine(p, w, j)
	s := run(t, e, katprep.StagePrepare)
	if requests.Load() != 0 || s.Failures() != 3 || !strings.Contains(resultOf(t, s, web0).Reason, "host "+web2+" failed") {
		t.Errorf("%d requests, %+v", requests.Load(), s)
	}
	w.Fault = nil
	e, _ = bulkEngine(p, w, j)
	if s := run(t, e, allStages...); s.Failures() != 0 {
		t.Errorf("afterwards: %+v", s)
	}
	wantClean(t, p, w)
}

// A run that is killed after, or while writing, any line of its journal, and
// is run again, ends as if it had not been killed, also where hosts share
// requests.
func TestKilledTogether(t *testing.T) {
	p := plan(t, hosts(5), settings())
	w, j := world(p), &acttest.Journal{}
	e, _ := bulkEngine(p, w, j)
	run(t, e, allStages...)
	wantClean(t, p, w)
	total := len(j.All())
	for n := 1; n <= total; n++ {
		for _, keep := range []bool{true, false} {
			w := world(p)
			j := &acttest.Journal{Die: func(at int) (bool, bool) {
				if at < n {
					return false, true
				}
				w.Kill()
				return true, keep
			}}
			e, _ := bulkEngine(p, w, j)
			_, _ = e.Run(t.Context(), allStages...) // it was killed
			j.Revive()
			w.Revive()
			e, _ = bulkEngine(p, w, j)
			if s := run(t, e, allStages...); s.Failures() != 0 {
				t.Errorf("the resumed run: %+v", s)
			}
			if wantClean(t, p, w); t.Failed() {
				t.Fatalf("killed at entry %d of %d, entry kept: %v", n, total, keep)
			}
		}
	}
}

// A run that is killed in the middle of a request for many hosts adopts what
// the request made.
func TestKilledInTheMiddleOfARequest(t *testing.T) {
	for _, op := range []string{"schedule", "end-downtime"} {
		p := plan(t, hosts(6), settings())
		w, j := world(p), &acttest.Journal{}
		calls := 0
		w.Fault = func(c acttest.Call, after bool) error {
			if c.Op == op && after {
				if calls++; calls == 3 {
					w.Kill()
					return acttest.ErrKilled
				}
			}
			return nil
		}
		e, _ := bulkEngine(p, w, j)
		run(t, e, allStages...)
		w.Fault = nil
		w.Revive()
		e, _ = bulkEngine(p, w, j)
		e.Options.RetryUnknown = true
		if s := run(t, e, allStages...); s.Failures() != 0 {
			t.Errorf("afterwards: %+v", s)
		}
		wantCleaned(t, w)
	}
}

// A lameMonitor says that its user may not set downtimes.
type lameMonitor struct{ acttest.Monitor }

func (lameMonitor) Identify(context.Context) (act.Identity, error) {
	return act.Identity{User: "katprep", Missing: []string{"actions/schedule-downtime"}}, nil
}

func TestPrecheckNamesMissingPermissions(t *testing.T) {
	p := plan(t, hosts(3), settings())
	w := world(p)
	e := withMonitor(engine(p, w, &acttest.Journal{}), lameMonitor{acttest.Monitor{World: w}})
	os, err := e.Precheck(t.Context())
	if err != nil || len(os) != 3 || os[0].Step != "health.before" || !strings.Contains(os[0].Reason, `"katprep" lacks permissions in monitor: actions/schedule-downtime`) {
		t.Errorf("%+v, %v", os, err)
	}
}
