package act_test

import (
	"testing"
	"time"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/act"
)

// TestReasonOfARepeatedFailure: why a patch failed is still told when later
// tries did not get as far as beginning it; a try that began is told instead.
func TestReasonOfARepeatedFailure(t *testing.T) {
	p := plan(t, hosts(1), settings())
	at := time.Date(2026, 11, 12, 22, 0, 0, 0, time.UTC)
	entry := func(event katprep.Event, message string) katprep.Entry {
		at = at.Add(time.Minute)
		return katprep.Entry{
			At: at, Host: web0, HostID: p.Hosts[0].HostID, Step: "patch", Kind: katprep.StepPatch,
			Stage: katprep.StageExecute, Event: event, Message: message,
		}
	}
	var journal []katprep.Entry
	for _, step := range []struct {
		e    katprep.Entry
		want string
	}{
		{entry(katprep.EventFailed, "reach a: refused"), "reach a: refused"},
		{entry(katprep.EventFailed, "reach a: no route"), "reach a: no route"},
		{entry(katprep.EventIntent, "install"), "install"},
		{entry(katprep.EventFailed, "repository is gone"), "repository is gone"},
		{entry(katprep.EventFailed, "reach a: refused"), "repository is gone; not begun again at 2026-11-12 22:05 UTC: reach a: refused"},
		{entry(katprep.EventFailed, "no credential"), "repository is gone; not begun again at 2026-11-12 22:06 UTC: no credential"},
		{entry(katprep.EventIntent, "install"), "install"},
		{entry(katprep.EventFailed, "disk is full"), "disk is full"},
		{entry(katprep.EventFailed, "disk is full"), "disk is full"},
	} {
		journal = append(journal, step.e)
		status, err := act.Status(katprep.RunRecord{Plan: p, Journal: journal})
		if err != nil {
			t.Fatal(err)
		}
		if status[0].Reason != step.want {
			t.Errorf("after %s %q: %q, want %q", step.e.Event, step.e.Message, status[0].Reason, step.want)
		}
	}
}
