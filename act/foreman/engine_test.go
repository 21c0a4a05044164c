package foreman_test

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/act"
	"github.com/stdevel/katprep/act/foreman"
	"github.com/stdevel/katprep/internal/landscape"
)

// only is the one system of a run.
type only struct{ actor *foreman.Actor }

func (o only) System(name string) (any, error) {
	if name != "satellite" {
		return nil, fmt.Errorf("no system %q", name)
	}
	return o.actor, nil
}

// pending are the states of RPM hosts with what is installable there.
func pending(l *landscape.Server) (states []katprep.State) {
	for _, name := range l.Names() {
		h, _ := l.Truth(name)
		if !strings.HasPrefix(h.Family, "rhel") || len(h.Installable) == 0 {
			continue
		}
		s := katprep.State{Host: target(h).Host, Status: katprep.Collected, Aspects: []katprep.Aspect{katprep.AspectErrata}, Boot: h.Boot}
		for _, id := range h.Installable {
			s.Errata = append(s.Errata, katprep.HostErratum{ID: id, Installable: true})
		}
		states = append(states, s)
	}
	return states
}

// TestPatchDay takes hosts through a whole run with the real engine: all are
// patched, those that need it are rebooted once, with few jobs.
func TestPatchDay(t *testing.T) {
	l, _ := serve(t, landscape.Options{Hosts: 40})
	a := dial(t, l, func(o *foreman.Options) { o.Gather = 50 * time.Millisecond })
	states := pending(l)
	p, err := act.NewPlan(act.PlanRequest{
		Run: "patch-2026-11", By: "anna@ops", Created: l.Now(), Version: "test", Before: "1234567890", States: states,
		Settings: act.Settings{Reboot: act.RebootIfNeeded, OnFailure: katprep.FailContinue, Concurrency: 50, VMSnapshot: act.SnapshotNever, Patchers: []string{"satellite"}},
		Erratum:  func(id string) (katprep.Erratum, bool) { return katprep.Erratum{ID: id, Type: katprep.Security}, true },
	})
	if err != nil {
		t.Fatal(err)
	}
	j, err := act.OpenJournal(filepath.Join(t.TempDir(), "journal"))
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	e := &act.Engine{Plan: p, Systems: only{a}, Journal: j, Options: act.Options{By: "anna@ops", Grace: time.Second, Gather: 100 * time.Millisecond, Poll: time.Millisecond}}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	sum, err := e.Run(ctx, katprep.StagePrepare, katprep.StageExecute, katprep.StageVerify)
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range sum.Hosts {
		if h.Bad() {
			t.Errorf("%s: %s at %s: %s", h.Name, h.State, h.Step, h.Reason)
			for e := range j.Entries() {
				if e.Host == h.Name {
					t.Logf("%d %s %s %s %s %v", e.Seq, e.Step, e.Event, e.Ref, e.Message, e.Data)
				}
			}
		}
	}
	for _, s := range states {
		h, _ := l.Truth(s.Name)
		for _, e := range s.Errata {
			if slices.Contains(h.Installable, e.ID) {
				t.Errorf("%s still needs %s", h.Name, e.ID)
			}
		}
		if h.NeedsReboot || h.Boots > 1 {
			t.Errorf("%s: needs a reboot %v, booted %d times", h.Name, h.NeedsReboot, h.Boots)
		}
	}
	t.Logf("%d hosts, %d jobs, %d requests", len(states), l.Stats().ByRoute["POST /api/job_invocations"], l.Stats().Requests)
}
