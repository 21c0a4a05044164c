package site_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/site"
	"github.com/stdevel/katprep/site/sitetest"
)

// TestOneSnapshot: there is nothing to compare yet, and everything that is
// pending is there.
func TestOneSnapshot(t *testing.T) {
	m := &sitetest.Memory{Known: sample().Known}
	m.Add(commit(1), snapshot(10, 6, "", ""), state("17", "web01.example.com", "a", "RHSA-2026:0001"))
	out := build(t, m, site.Options{Policy: rules})
	check(t, out)
	for page, want := range map[string]string{
		"index.html":                 "1 of 1 hosts",
		"errata/RHSA-2026_0001.html": "in the newest snapshot",
		"cves/CVE-2026-1001.html":    "Still open on 1 host",
		"evidence.html":              "2026-11-10 06:04:00 UTC",
		"maintenances/index.html":    "None is in the archive yet",
	} {
		if got := text(read(t, out, page)); !strings.Contains(got, want) {
			t.Errorf("%s lacks %q: %s", page, want, got)
		}
	}
}

// TestFailedHostsOnly: a landscape of which nothing could be read is no
// landscape without errata.
func TestFailedHostsOnly(t *testing.T) {
	m := patchDay(func(_ *katprep.RunRecord, before, after []katprep.State, _ *katprep.Snapshot) {
		before[0], after[0] = failed("17", "web01.example.com", "timeout"), failed("17", "web01.example.com", "timeout")
	})
	out := build(t, m, site.Options{Policy: rules})
	check(t, out)
	for page, want := range map[string]string{
		"index.html":                  "0 of 1 hosts",
		"maintenances/day/index.html": "?inconclusive",
		"hosts/index.html":            "?failed not known not known",
	} {
		if got := text(read(t, out, page)); !strings.Contains(got, want) || strings.Contains(got, "as planned") {
			t.Errorf("%s lacks %q, or says that all is as planned", page, want)
		}
	}
	if got := text(read(t, out, "compliance.html")); !strings.Contains(got, "What is unknown is in none of these numbers") {
		t.Error("compliance does not say what it is about")
	}
}

// TestManySnapshots: years of regular snapshots are pages, charts and lists
// of bounded size.
func TestManySnapshots(t *testing.T) {
	if testing.Short() {
		t.Skip("builds hundreds of comparisons")
	}
	m := &sitetest.Memory{Known: sample().Known}
	for i := range 300 {
		s := snapshot(1, 6, "", "")
		s.Started, s.Finished = s.Started.Add(time.Duration(i)*4*24*time.Hour), s.Finished.Add(time.Duration(i)*4*24*time.Hour)
		m.Add(katprep.CommitID(fmt.Sprintf("%08x%032d", i+1, 0)), s, state("17", "web01.example.com", fmt.Sprint("boot", i/2), "RHSA-2026:0001"))
	}
	out := build(t, m, site.Options{Policy: rules})
	for name := range tree(t, out) {
		if strings.HasSuffix(name, ".html") && len(read(t, out, name)) > 250_000 {
			t.Errorf("%s has %d bytes", name, len(read(t, out, name)))
		}
	}
	if got := text(read(t, out, "snapshots/index.html")); !strings.Contains(got, "of 299") {
		t.Error("the list of comparisons is not paged")
	}
	if got := text(read(t, out, "trends.html")); !strings.Contains(got, "2030-02-09") {
		t.Error("the charts lack the newest snapshot")
	}
}

// TestRenamedGoneAndBack: a host keeps its page and its history under another
// name; one that is gone says so, and one that came back goes on.
func TestRenamedGoneAndBack(t *testing.T) {
	m := &sitetest.Memory{Known: sample().Known}
	m.Add(commit(1), snapshot(10, 6, "", ""), state("1", "old-name.example.com", "a", "RHSA-2026:0001"), state("2", "back.example.com", "a"), state("3", "gone.example.com", "a"))
	m.Add(commit(2), snapshot(11, 6, "", ""), state("1", "new-name.example.com", "a", "RHSA-2026:0001"), state("3", "gone.example.com", "a"))
	m.Add(commit(3), snapshot(12, 6, "", ""), state("1", "new-name.example.com", "b"), state("2", "back.example.com", "c", "RHSA-2026:0002"))
	out := build(t, m, site.Options{Policy: rules})
	check(t, out)
	if pages := glob(t, out, "hosts/*-name*.html"); len(pages) != 1 {
		t.Errorf("a renamed host has the pages %v", pages)
	}
	for pattern, wants := range map[string][]string{
		"hosts/*-name*.html": {"new-name.example.com", "2026-11-11 06:04 UTC", "2026-11-12 06:04 UTC"},
		"hosts/gone*.html":   {"not in the newest snapshot", "2026-11-12 06:04 UTC"},
		"hosts/back*.html":   {"2026-11-11 06:04 UTC", "2026-11-12 06:04 UTC", "RHSA-2026:0002"},
	} {
		page := text(read(t, out, glob(t, out, pattern)[0]))
		for _, w := range wants {
			if !strings.Contains(page, w) {
				t.Errorf("%s lacks %q", pattern, w)
			}
		}
	}
}
