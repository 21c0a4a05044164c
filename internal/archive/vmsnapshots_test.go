package archive

import (
	"testing"
	"time"

	"github.com/stdevel/katprep"
)

// TestVMSnapshots looks at the runs of the whole archive: the first one's VM
// snapshot was removed, the second one's was not.
func TestVMSnapshots(t *testing.T) {
	a, _ := create(t)
	at := time.Date(2026, 11, 1, 20, 0, 0, 0, time.UTC)
	host := katprep.HostID{Source: "s", ID: "1"}
	entry := func(seq int, kind katprep.StepKind, step string, ev katprep.Event) katprep.Entry {
		return katprep.Entry{Seq: seq, At: at, Host: "web01", HostID: host, Stage: katprep.StagePrepare, Kind: kind, Step: step, Event: ev}
	}
	made := []katprep.Entry{entry(1, katprep.StepVMSnapshot, "vm-snapshot", katprep.EventIntent), entry(2, katprep.StepVMSnapshot, "vm-snapshot", katprep.EventDone), entry(3, katprep.StepPatch, "patch", katprep.EventDone)}
	for run, journal := range map[katprep.RunID][]katprep.Entry{"removed": append(made, entry(4, katprep.StepRemoveVM, "remove-vm-snapshot", katprep.EventDone)), "left": made, "planned": nil} {
		if _, err := a.PutPlan(t.Context(), katprep.Plan{Format: katprep.ArchiveFormat, Run: run, Created: at, Limits: katprep.Limits{VMSnapshotAge: "1h0m0s"}}); err != nil {
			t.Fatal(err)
		}
		if journal == nil {
			continue
		}
		if _, err := a.PutJournal(t.Context(), run, katprep.StagePrepare, journal); err != nil {
			t.Fatal(err)
		}
	}
	got, err := a.VMSnapshots(t.Context(), at.Add(2*time.Hour))
	if err != nil || len(got) != 1 || got[0].Run != "left" || got[0].HostID != host || got[0].Age != 2 || got[0].Limit != 1 || !got[0].Old {
		t.Errorf("%+v, %v", got, err)
	}
	if got, err := a.VMSnapshots(t.Context(), at.Add(-time.Hour)); err != nil || len(got) > 0 {
		t.Errorf("before it was made: %+v, %v", got, err)
	}
}
