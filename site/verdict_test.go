package site_test

import (
	"strings"
	"testing"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/site"
	"github.com/stdevel/katprep/site/sitetest"
)

// patchDay is one host that is patched as planned; change spoils it.
func patchDay(change func(rec *katprep.RunRecord, before, after []katprep.State, last *katprep.Snapshot)) *sitetest.Memory {
	m := &sitetest.Memory{Known: sample().Known}
	rec := katprep.RunRecord{Plan: katprep.Plan{Run: "day", Created: at(11, 9), By: "alice", Hosts: []katprep.HostPlan{{
		Host: katprep.Host{HostID: katprep.HostID{Source: "satellite", ID: "17"}, Name: "web01.example.com"}, Errata: []string{"RHSA-2026:0001"}, Steps: []katprep.PlannedStep{{ID: "patch", Kind: katprep.StepPatch}}}}}}
	rec.Journal = []katprep.Entry{{Seq: 1, At: at(11, 20), Host: "web01.example.com", HostID: katprep.HostID{Source: "satellite", ID: "17"}, Step: "patch", Kind: katprep.StepPatch, Stage: katprep.StageExecute, Event: katprep.EventDone}}
	before := []katprep.State{state("17", "web01.example.com", "a", "RHSA-2026:0001")}
	after := []katprep.State{state("17", "web01.example.com", "b")}
	after[0].Packages = []katprep.Package{{Name: "bash", EVR: "5.1.8-9.el9", Arch: "x86_64"}, {Name: "openssl", EVR: "1:3.0.7-27.el9", Arch: "x86_64"}}
	last := snapshot(11, 23, "day", katprep.After)
	change(&rec, before, after, &last)
	m.Records = []katprep.RunRecord{rec}
	m.Add(commit(1), snapshot(11, 19, "day", katprep.Before), before...)
	if last.Run != "" {
		m.Add(commit(2), last, after...)
	}
	return m
}

// TestOutcome: one word for each maintenance, here and in the lists.
// Inconclusive is its own answer and never part of a good one.
func TestOutcome(t *testing.T) {
	without := func(s *katprep.State, gone ...katprep.Aspect) {
		known := s.Aspects
		s.Aspects = nil
		for _, a := range known {
			if len(gone) > 0 && (a == gone[0] || a == gone[len(gone)-1]) {
				continue
			}
			s.Aspects = append(s.Aspects, a)
		}
	}
	type snap = katprep.Snapshot
	for name, c := range map[string]struct {
		change func(rec *katprep.RunRecord, before, after []katprep.State, last *snap)
		word   string
		why    string
	}{
		"as planned":    {func(*katprep.RunRecord, []katprep.State, []katprep.State, *snap) {}, "✓as planned", "the planned erratum is proven to be installed"},
		"not installed": {func(_ *katprep.RunRecord, b, a []katprep.State, _ *snap) { a[0] = b[0] }, "✗not as planned", "1 planned erratum is not installed"},
		"failed step":   {func(r *katprep.RunRecord, _, _ []katprep.State, _ *snap) { r.Journal[0].Event = katprep.EventFailed }, "✗not as planned", "1 step failed or not confirmed"},
		"failed after": {func(_ *katprep.RunRecord, _, a []katprep.State, _ *snap) {
			a[0] = failed("17", "web01.example.com", "timeout")
		}, "?inconclusive", "could not be read in full: what became of its patches is unknown"},
		"errata of nobody":     {func(_ *katprep.RunRecord, _, a []katprep.State, _ *snap) { without(&a[0], katprep.AspectErrata) }, "?inconclusive", "Errata are not known for any host that was read"},
		"list broken":          {func(_ *katprep.RunRecord, _, _ []katprep.State, s *snap) { s.Sources[0].Problem = "502" }, "?inconclusive", "is not complete: 502"},
		"other selection":      {func(_ *katprep.RunRecord, _, _ []katprep.State, s *snap) { s.Selection.Hosts = []string{"web*"} }, "?inconclusive", "different selections"},
		"under way":            {func(_ *katprep.RunRecord, _, _ []katprep.State, s *snap) { s.Run = "" }, "…under way", "there is no after-snapshot"},
		"planned only":         {func(r *katprep.RunRecord, _, _ []katprep.State, s *snap) { r.Journal, s.Run = nil, "" }, "○not begun", "there is no after-snapshot"},
		"after without before": {func(_ *katprep.RunRecord, _, _ []katprep.State, s *snap) { s.Started = at(10, 1) }, "?inconclusive", "older than the before-snapshot"},
	} {
		t.Run(name, func(t *testing.T) {
			out := build(t, patchDay(c.change), site.Options{})
			page := text(read(t, out, "maintenances/day/index.html"))
			if !strings.Contains(page, c.word) || !strings.Contains(page, c.why) {
				t.Errorf("the page lacks %q or %q", c.word, c.why)
			}
			for _, good := range []string{"✓as planned", "✗not as planned", "?inconclusive"} {
				if good != c.word && strings.Contains(page, good) {
					t.Errorf("the page says %q too", good)
				}
			}
			for _, list := range []string{"index.html", "maintenances/index.html"} {
				if !strings.Contains(text(read(t, out, list)), c.word) {
					t.Errorf("%s lacks %q", list, c.word)
				}
			}
		})
	}
}
