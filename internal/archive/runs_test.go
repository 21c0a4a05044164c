package archive

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/stdevel/katprep"
)

func TestRuns(t *testing.T) {
	a, path := create(t)
	ctx := t.Context()
	at := time.Date(2026, 11, 24, 10, 0, 0, 0, time.UTC)
	one := shot(t, a, katprep.Snapshot{}, host("sat", "1", "web01"))
	plan := katprep.Plan{Run: "patch-2026-11", Created: at, By: "ann", Before: one, Hosts: []katprep.HostPlan{{Host: host("sat", "1", "web01").Host}}}
	if _, err := a.PutPlan(ctx, plan); err != nil {
		t.Fatal(err)
	}
	again, err := a.PutPlan(ctx, plan)
	if err != nil {
		t.Fatal(err)
	}
	if tip, _ := a.Resolve(ctx, "main"); again != tip {
		t.Error("the same plan made a new commit")
	}
	other := plan
	other.By = "mallory"
	if _, err := a.PutPlan(ctx, other); katprep.KindOf(err) != katprep.Conflict {
		t.Errorf("another plan: %v", err)
	}
	journal := []katprep.Entry{
		{Seq: 1, At: at, Host: "web01", Stage: katprep.StageExecute, Event: katprep.EventIntent},
		{Seq: 2, At: at, Host: "web01", Stage: katprep.StageExecute, Event: katprep.EventFailed, Message: "line\nbreak"},
		{Seq: 5, At: at, Stage: katprep.StageExecute, Event: katprep.EventNote},
	}
	for _, part := range [][]katprep.Entry{journal[:2], journal, journal[2:]} {
		if _, err := a.PutJournal(ctx, plan.Run, katprep.StageExecute, part); err != nil {
			t.Fatal(err)
		}
	}
	edited := []katprep.Entry{journal[0]}
	edited[0].Event = katprep.EventDone
	if _, err := a.PutJournal(ctx, plan.Run, katprep.StageExecute, edited); katprep.KindOf(err) != katprep.Conflict {
		t.Errorf("edited journal: %v", err)
	}
	yes := katprep.Decision{Run: plan.Run, By: "cab", At: at, Verdict: "approved"}
	if _, err := a.PutApproval(ctx, yes); err != nil {
		t.Fatal(err)
	}
	if _, err := a.PutSignOff(ctx, katprep.Decision{Run: plan.Run, By: "eve\nKatprep-Kind: snapshot", At: at, Verdict: "accepted"}); err != nil {
		t.Fatal(err)
	}
	two := shot(t, a, katprep.Snapshot{}, host("sat", "1", "web01"))
	if last, err := a.Resolve(ctx, "latest"); err != nil || last != two {
		t.Errorf("latest is %s, %v: a text forged a snapshot", last, err)
	}
	r, err := a.Run(ctx, plan.Run)
	if err != nil {
		t.Fatal(err)
	}
	plan.Format = katprep.ArchiveFormat
	if !reflect.DeepEqual(r.Plan, plan) || !reflect.DeepEqual(r.Journal, journal) || *r.Approval != yes || r.SignOff == nil {
		t.Errorf("run is %+v", r)
	}
	if ids, err := a.Runs(ctx); err != nil || !reflect.DeepEqual(ids, []katprep.RunID{plan.Run}) {
		t.Errorf("runs %v, %v", ids, err)
	}
	if _, err := a.Run(ctx, "nothing"); katprep.KindOf(err) != katprep.NotFound {
		t.Errorf("unknown run: %v", err)
	}
	if _, err := a.PutPlan(ctx, katprep.Plan{Run: "../x"}); katprep.KindOf(err) != katprep.Invalid {
		t.Errorf("hostile run: %v", err)
	}
	if got := git(t, path, "show", "main:runs/patch-2026-11/journal.jsonl"); strings.Count(got, "\n") != 3 {
		t.Errorf("journal:\n%s", got)
	}
	fsck(t, path)
}

func TestTagsDoNotMove(t *testing.T) {
	a, path := create(t)
	ctx := t.Context()
	one, two := shot(t, a, katprep.Snapshot{Version: "1"}), shot(t, a, katprep.Snapshot{Version: "2"})
	for range 2 {
		if err := a.Tag(ctx, "p1", katprep.Before, one); err != nil {
			t.Fatal(err)
		}
	}
	if err := a.Tag(ctx, "p1", katprep.Before, two); katprep.KindOf(err) != katprep.Conflict {
		t.Errorf("moved tag: %v", err)
	}
	if err := a.Tag(ctx, "p1", "../x", two); katprep.KindOf(err) != katprep.Invalid {
		t.Errorf("hostile phase: %v", err)
	}
	if got := git(t, path, "for-each-ref", "--format=%(refname) %(objecttype) %(*objectname)", "refs/tags"); got != "refs/tags/run/p1/before tag "+string(one)+"\n" {
		t.Errorf("tags: %s", got)
	}
	fsck(t, path)
}

func TestErrataAreMerged(t *testing.T) {
	a, path := create(t)
	ctx := t.Context()
	put := func(list ...katprep.Erratum) katprep.CommitID {
		t.Helper()
		w, err := a.Begin(ctx)
		if err != nil {
			t.Fatal(err)
		}
		defer w.Abort()
		for _, e := range list {
			if err := w.PutErratum(ctx, e); err != nil {
				t.Fatal(err)
			}
		}
		c, err := w.Commit(ctx, katprep.Snapshot{})
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	x := katprep.Erratum{ID: "RHSA-2026:0001", Title: "openssl", CVEs: []string{"CVE-2026-1"}}
	y := katprep.Erratum{ID: "RHSA-2026:0001", CVEs: []string{"CVE-2026-2"}, Severity: katprep.Important}
	other := katprep.Erratum{ID: "USN-1-1", Description: "<script>"}
	put(x, y, x, y)
	put(other)
	last := put(x)
	if got, err := a.Erratum(ctx, last, x.ID); err != nil || !reflect.DeepEqual(got, x.Merge(y)) {
		t.Errorf("erratum %+v, %v", got, err)
	}
	if list := all(t, a.Errata(ctx, last)); len(list) != 2 || list[1].ID != other.ID {
		t.Errorf("errata %+v", list)
	}
	if _, err := a.Erratum(ctx, last, "RHSA-2026:0002"); katprep.KindOf(err) != katprep.NotFound {
		t.Errorf("unknown erratum: %v", err)
	}
	// Another program commits while a snapshot is open: both are kept.
	w, err := a.Begin(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Abort()
	if err := w.PutErratum(ctx, katprep.Erratum{ID: x.ID, Solution: "reboot"}); err != nil {
		t.Fatal(err)
	}
	clone := t.TempDir()
	git(t, clone, "clone", "-q", path, ".")
	git(t, clone, "rm", "-q", "errata/usn/usn-1-1.json")
	git(t, clone, "commit", "-q", "-m", "by hand")
	git(t, clone, "push", "-q")
	if last, err = w.Commit(ctx, katprep.Snapshot{}); err != nil {
		t.Fatal(err)
	}
	if got, err := a.Erratum(ctx, last, x.ID); err != nil || got.Solution != "reboot" || len(got.CVEs) != 2 {
		t.Errorf("erratum %+v, %v", got, err)
	}
	if log := all(t, a.Log(ctx, last)); log[1].Subject != "by hand" || log[1].Kind != KindForeign {
		t.Errorf("log %+v", log[:2])
	}
	fsck(t, path)
}

// TestJournalSubject: what a step came to in the end counts, and an interrupt
// is no failure.
func TestJournalSubject(t *testing.T) {
	a, path := create(t)
	plan := katprep.Plan{Run: "patch-2026-11", Hosts: []katprep.HostPlan{}}
	if _, err := a.PutPlan(t.Context(), plan); err != nil {
		t.Fatal(err)
	}
	cut := map[string]string{"interrupted": "yes"}
	journal := []katprep.Entry{
		{Seq: 1, Host: "web01", Step: "reboot", Event: katprep.EventFailed},
		{Seq: 2, Host: "web01", Step: "reboot", Event: katprep.EventDone},
		{Seq: 3, Host: "web02", Step: "patch", Event: katprep.EventUnknown, Data: cut},
		{Seq: 4, Host: "web03", Step: "check.patch", Event: katprep.EventSkipped, Data: cut},
		{Seq: 5, Host: "web04", Step: "patch", Event: katprep.EventUnknown},
		{Seq: 6, Host: "web05", Step: "patch", Event: katprep.EventFailed},
	}
	if _, err := a.PutJournal(t.Context(), plan.Run, katprep.StageExecute, journal); err != nil {
		t.Fatal(err)
	}
	const want = "execute patch-2026-11: 5 hosts, 6 entries, 2 with failures, 2 interrupted"
	if got := strings.TrimSpace(git(t, path, "log", "-1", "--format=%s")); got != want {
		t.Errorf("the subject is %q, want %q", got, want)
	}
}
