package site_test

import (
	"strings"
	"testing"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/site"
)

// TestForgottenVMSnapshots warns on the first page and the maintenance's, by
// the newest snapshot's time.
func TestForgottenVMSnapshots(t *testing.T) {
	const warning = "1 VM snapshot of katprep is older than allowed and not known to be removed: web01.example.com"
	for age, want := range map[string]bool{"24h0m0s": true, "": false} { // the newest snapshot is 47 hours younger
		m := sample()
		r := &m.Records[0]
		r.Plan.Limits.VMSnapshotAge = age
		r.Journal = append(r.Journal, katprep.Entry{Seq: len(r.Journal) + 1, At: at(11, 21), Host: "web01.example.com", HostID: katprep.HostID{Source: "satellite", ID: "17"},
			Kind: katprep.StepVMSnapshot, Step: "vm-snapshot", Stage: katprep.StagePrepare, Event: katprep.EventDone})
		out := build(t, m, site.Options{})
		for _, page := range []string{"index.html", "maintenances/2026-11-prod-a/index.html"} {
			if strings.Contains(read(t, out, page), warning) != want {
				t.Errorf("limit %q: %s warns: %v, want %v", age, page, !want, want)
			}
		}
	}
}
