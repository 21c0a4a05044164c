package act_test

import (
	"context"
	"fmt"
	"time"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/act"
)

// A plan is made from a snapshot and asks nobody. What a stage would do is
// known from plan and journal alone.
func ExampleEngine_Preview() {
	plan, err := act.NewPlan(act.PlanRequest{
		Run: "patch-2026-11", By: "anna", Created: time.Date(2026, 11, 12, 20, 0, 0, 0, time.UTC), Before: "1234567890",
		Settings: act.Settings{Downtime: 2 * time.Hour, Concurrency: 1, OnFailure: katprep.FailStop, Reboot: act.RebootNever, VMSnapshot: act.SnapshotNever, Monitors: []act.PlanSystem{{Name: "icinga"}}, Patchers: []string{"satellite"}},
		States: []katprep.State{{
			Host:   katprep.Host{HostID: katprep.HostID{Source: "satellite", ID: "17"}, Name: "web01.example.com"},
			Status: katprep.Collected, Aspects: []katprep.Aspect{katprep.AspectErrata},
			Errata: []katprep.HostErratum{{ID: "RHSA-2026:0001", Installable: true}},
		}},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	e := &act.Engine{Plan: plan, Journal: act.Recorded(nil)}
	previews, err := e.Preview(context.Background(), katprep.StagePrepare, katprep.StageExecute)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, p := range previews {
		for _, s := range p.Steps {
			fmt.Println(p.Host.Name, p.Stage, s.Say)
		}
	}
	// Output:
	// web01.example.com prepare note the state of the host's services in icinga
	// web01.example.com prepare set a downtime of 2h0m0s for web01.example.com and its services in icinga
	// web01.example.com execute look whether downtime and VM snapshot are still there
	// web01.example.com execute install 1 erratum and 0 package updates through satellite
	// web01.example.com execute wait until satellite has computed the host's errata again
}

// How far a run is, the journal says alone. A step that was begun and of which
// nobody knows the outcome is unknown, never done.
func ExampleStatus() {
	host := katprep.Host{HostID: katprep.HostID{Source: "satellite", ID: "17"}, Name: "web01.example.com"}
	patch := katprep.PlannedStep{ID: "patch", Stage: katprep.StageExecute, Kind: katprep.StepPatch, System: "satellite", Target: host.Name, Say: "install 1 erratum"}
	rec := katprep.RunRecord{
		Plan: katprep.Plan{
			Format: act.PlanFormat, Run: "patch-2026-11", Waves: []katprep.Wave{{Name: "all"}},
			Hosts: []katprep.HostPlan{{Host: host, Steps: []katprep.PlannedStep{patch}}},
		},
		Journal: []katprep.Entry{{Seq: 1, Host: host.Name, HostID: host.HostID, Step: "patch", Stage: katprep.StageExecute, Event: katprep.EventIntent}},
	}
	status, err := act.Status(rec)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(status[0].Name, status[0].State, "at", status[0].Step)
	// Output:
	// web01.example.com unknown at patch
}
