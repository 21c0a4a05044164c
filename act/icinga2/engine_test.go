package icinga2_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/act"
	"github.com/stdevel/katprep/act/acttest"
	"github.com/stdevel/katprep/act/icinga2"
	"github.com/stdevel/katprep/internal/monlab"
)

var landscape = []string{"web01.example.test", "web02.example.test", oddHost, "no.such.host"}

// runOf is a run for hosts of the real monitoring; what else it needs is in
// memory.
func runOf(t testing.TB, c *icinga2.Client, j act.Journal, names []string) *act.Engine {
	t.Helper()
	var states []katprep.State
	for i, name := range names {
		states = append(states, katprep.State{
			Host:   katprep.Host{HostID: katprep.HostID{Source: "source", ID: fmt.Sprint(i)}, Name: name},
			Status: katprep.Collected, Aspects: []katprep.Aspect{katprep.AspectErrata},
			Errata: []katprep.HostErratum{{ID: "RHSA-2026:0001", Installable: true}},
		})
	}
	p, err := act.NewPlan(act.PlanRequest{
		Run: "engine", Created: time.Now(), States: states,
		Settings: act.Settings{
			Downtime: time.Hour, Reboot: act.RebootNever, OnFailure: katprep.FailContinue, Concurrency: 20, Settle: time.Second,
			VMSnapshot: act.SnapshotNever, Patchers: []string{"source"}, Monitors: []act.PlanSystem{{Name: "icinga"}},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	w := acttest.NewWorld(names...)
	for _, name := range names {
		w.SetPending(name, "RHSA-2026:0001")
	}
	systems := acttest.Around(w)
	systems["icinga"] = c
	return &act.Engine{Plan: p, Systems: systems, Journal: j, Options: act.Options{Gather: time.Millisecond, Poll: 10 * time.Millisecond}}
}

func oursIn(t *testing.T, s *monlab.Icinga2) (hosts, all int) {
	t.Helper()
	for _, d := range s.Call(t, "/v1/objects/downtimes", nil) {
		a := d["attrs"].(map[string]any)
		if strings.HasPrefix(a["comment"].(string), "katprep-engine ") {
			all++
			if a["service_name"] == "" {
				hosts++
			}
		}
	}
	return hosts, all
}

// TestEngine takes hosts through a run while the process is killed and the
// monitoring system restarted between all stages. The unknown host's failure
// is its own; a killed process's downtimes are adopted, not doubled.
func TestEngine(t *testing.T) {
	s := lab.Icinga2(t)
	theirs := foreign(s)(t, act.Target{Name: "web01.example.test"})
	// A note, four looks at services, three intents, three results.
	killed := &acttest.Journal{Die: func(n int) (die, keep bool) { return n == 1+4+3+2, n < 1+4+3+2 }}
	e := runOf(t, client(t, s, "katprep"), killed, landscape)
	if _, err := e.Run(t.Context(), katprep.StagePrepare); !errors.Is(err, acttest.ErrKilled) {
		t.Fatalf("the killed run: %v", err)
	}
	if es := killed.All(); es[len(es)-1].Step != "downtime" || es[len(es)-1].Event != katprep.EventDone {
		t.Fatalf("the last entry is %+v", es[len(es)-1])
	}
	hosts, all := oursIn(t, s)
	if hosts != 3 || all < 8 {
		t.Fatalf("the run was killed too early: %d downtimes, %d of hosts", all, hosts)
	}
	if err := restart(s); err != nil {
		t.Fatal(err)
	}
	killed.Revive()
	c := client(t, s, "katprep")
	e.Systems.(acttest.Systems)["icinga"] = c
	sum := runStage(t, e, katprep.StagePrepare)
	if h, a := oursIn(t, s); h != hosts || a != all {
		t.Errorf("afterwards %d downtimes, %d of hosts, want %d and %d", a, h, all, hosts)
	}
	for _, r := range sum.Hosts {
		if bad := r.Name == "no.such.host"; r.Bad() != bad || bad && (r.State != act.HostFailed || !strings.Contains(r.Reason, "knows no host")) {
			t.Errorf("%s: %s at %s: %s", r.Name, r.State, r.Step, r.Reason)
		}
	}
	if err := restart(s); err != nil { // between confirmation and clean-up
		t.Fatal(err)
	}
	e.Options.Select = func(h *katprep.HostPlan) bool { return h.Name != "no.such.host" }
	for _, stage := range []katprep.Stage{katprep.StageExecute, katprep.StageVerify, katprep.StageCleanup} {
		if sum := runStage(t, e, stage); sum.Failures() != 0 {
			t.Errorf("%s: %+v", stage, sum)
		}
	}
	if h, a := oursIn(t, s); h+a != 0 {
		t.Errorf("%d downtimes are left", a)
	}
	if !theirs() {
		t.Error("somebody else's downtime is gone")
	}
}

func runStage(t testing.TB, e *act.Engine, stage katprep.Stage) act.Summary {
	t.Helper()
	sum, err := e.Run(t.Context(), stage)
	if err != nil {
		t.Fatal(err)
	}
	return sum
}
