package katprep_test

import (
	"testing"
	"time"

	"github.com/stdevel/katprep"
)

func TestVMSnapshots(t *testing.T) {
	at := time.Date(2026, 11, 10, 20, 0, 0, 0, time.UTC)
	entry := func(after time.Duration, kind katprep.StepKind, step string, ev katprep.Event, data map[string]string) katprep.Entry {
		return katprep.Entry{At: at.Add(after), Host: "web01", HostID: katprep.HostID{Source: "s", ID: "1"}, Kind: kind, Step: step, Event: ev, System: "vc", Data: data}
	}
	intent := entry(0, katprep.StepVMSnapshot, "vm-snapshot", katprep.EventIntent, nil)
	made := entry(time.Minute, katprep.StepVMSnapshot, "vm-snapshot", katprep.EventDone, map[string]string{"created": "2026-11-10T20:00:30Z"})
	for what, c := range map[string]struct {
		journal []katprep.Entry
		at      time.Duration // of the look
		plan    string
		limit   time.Duration
		n       int
		certain bool
		age     int
		old     bool
	}{
		"nothing":                 {nil, time.Hour, "", 0, 0, false, 0, false},
		"asked for":               {[]katprep.Entry{intent}, 80 * time.Hour, "", 0, 1, false, 80, true},
		"made":                    {[]katprep.Entry{intent, made}, 72 * time.Hour, "", 0, 1, true, 71, false},
		"made long ago":           {[]katprep.Entry{intent, made}, 73 * time.Hour, "", 0, 1, true, 72, true},
		"the plan's limit":        {[]katprep.Entry{intent, made}, 25 * time.Hour, "24h0m0s", 0, 1, true, 24, true},
		"the caller's limit":      {[]katprep.Entry{intent, made}, 25 * time.Hour, "24h0m0s", 48 * time.Hour, 1, true, 24, false},
		"a plan that says \"-1\"": {[]katprep.Entry{intent, made}, 25 * time.Hour, "-1h", 0, 1, true, 24, false},
		"made later":              {[]katprep.Entry{intent, made}, -time.Hour, "", 0, 0, false, 0, false},
		"failed":                  {[]katprep.Entry{intent, entry(1, katprep.StepVMSnapshot, "vm-snapshot", katprep.EventFailed, nil)}, time.Hour, "", 0, 0, false, 0, false},
		"made, then failed anew":  {[]katprep.Entry{intent, made, intent, entry(1, katprep.StepVMSnapshot, "vm-snapshot", katprep.EventFailed, nil)}, time.Hour, "", 0, 1, true, 0, false},
		"removed":                 {[]katprep.Entry{intent, made, entry(90*time.Hour, katprep.StepRemoveVM, "remove-vm-snapshot", katprep.EventDone, nil)}, 80 * time.Hour, "", 0, 0, false, 0, false},
		"removal failed":          {[]katprep.Entry{intent, made, entry(2, katprep.StepRemoveVM, "remove-vm-snapshot", katprep.EventFailed, nil)}, 80 * time.Hour, "", 0, 1, true, 79, true},
		"seen to be gone":         {[]katprep.Entry{intent, made, entry(2, katprep.StepCheck, "check.vm-snapshot-gone", katprep.EventDone, nil)}, 80 * time.Hour, "", 0, 0, false, 0, false},
		"only checked":            {[]katprep.Entry{entry(2, katprep.StepCheck, "check.vm-snapshot", katprep.EventDone, nil)}, 80 * time.Hour, "", 0, 0, false, 0, false},
		"skipped":                 {[]katprep.Entry{entry(2, katprep.StepVMSnapshot, "vm-snapshot", katprep.EventSkipped, nil)}, 80 * time.Hour, "", 0, 0, false, 0, false},
	} {
		r := katprep.RunRecord{Plan: katprep.Plan{Run: "r", Limits: katprep.Limits{VMSnapshotAge: c.plan}}, Journal: c.journal}
		got := r.VMSnapshots(at.Add(c.at), c.limit)
		if len(got) != c.n {
			t.Errorf("%s: %+v, want %d", what, got, c.n)
			continue
		}
		if c.n == 0 {
			continue
		}
		if s := got[0]; s.Name != "web01" || s.Run != "r" || s.System != "vc" || s.Certain != c.certain || s.Age != c.age || s.Old != c.old {
			t.Errorf("%s: %+v", what, s)
		}
	}
}
