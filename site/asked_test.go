package site_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/site"
)

// TestAskedComparisons: any two snapshots have pages if somebody asks, and
// what lies between them is told once only.
func TestAskedComparisons(t *testing.T) {
	plain := build(t, sample(), site.Options{Policy: rules})
	out := build(t, sample(), site.Options{Policy: rules, Compare: []site.Comparison{{Before: commit(1), After: commit(4)}, {Before: commit(2), After: commit(3)}}})
	dir := "compare/" + string(commit(1)[:16]) + "-" + string(commit(4)[:16])
	page := text(read(t, out, dir+"/index.html"))
	for _, w := range []string{"From 2026-11-10 06:04 UTC to 2026-11-13 20:04 UTC", "web01.example.com", "RHSA-2026:0001", "✓1 installed"} {
		if !strings.Contains(strings.ReplaceAll(page, "✓ ", "✓"), w) {
			t.Errorf("the comparison lacks %q", w)
		}
	}
	if list := read(t, out, "snapshots/index.html"); !strings.Contains(list, dir) || !strings.Contains(list, "--compare") {
		t.Error("the list of comparisons does not name it, or how to ask for others")
	}
	if entries, err := os.ReadDir(filepath.Join(out, "compare")); err != nil || len(entries) != 1 {
		t.Errorf("a maintenance is compared twice: %v, %v", entries, err)
	}
	for _, p := range []string{"hosts", "errata"} {
		for _, name := range glob(t, out, p+"/*.html") {
			if read(t, out, name) != read(t, plain, name) {
				t.Errorf("%s depends on what was asked for", name)
			}
		}
	}
	for _, c := range []site.Comparison{{Before: commit(4), After: commit(1)}, {Before: commit(1), After: commit(99)}, {Before: commit(1), After: commit(1)}} {
		if _, err := site.Build(t.Context(), sample(), filepath.Join(t.TempDir(), "x"), site.Options{Compare: []site.Comparison{c}}); err == nil {
			t.Errorf("%v is compared", c)
		}
	}
}

func TestMonthlyComparisons(t *testing.T) {
	m := sample()
	for i, s := range []katprep.Snapshot{snapshot(31+9, 6, "", ""), snapshot(31+10, 6, "", ""), snapshot(31+31+9, 6, "", "")} {
		m.Add(commit(20+i), s, state("17", "web01.example.com", "z"))
	}
	out := build(t, m, site.Options{Monthly: true})
	want := []string{filepath.Join(out, "compare", string(commit(1)[:16])+"-"+string(commit(20)[:16])), filepath.Join(out, "compare", string(commit(20)[:16])+"-"+string(commit(22)[:16]))}
	for _, dir := range want {
		if _, err := os.Stat(filepath.Join(dir, "index.html")); err != nil {
			t.Error(err)
		}
	}
}

// TestVersions: the earlier sites are kept, so many and no more, and nothing
// that is not one of ours is touched.
func TestVersions(t *testing.T) {
	out := filepath.Join(t.TempDir(), "www")
	m := sample()
	build := func() {
		t.Helper()
		if _, err := site.Build(t.Context(), m, out, site.Options{Keep: 2}); err != nil {
			t.Fatal(err)
		}
	}
	build()
	first := read(t, out, "index.html")
	versions := out + ".versions"
	build() // of the same state: nothing to keep
	if _, err := os.Stat(versions); err == nil {
		t.Error("the same state is kept as an earlier one")
	}
	if err := os.MkdirAll(filepath.Join(versions, "notes"), 0o755); err != nil {
		t.Fatal(err)
	}
	for i := range 4 {
		m.Add(commit(30+i), snapshot(14+i, 6, "", ""), state("17", "web01.example.com", "z"))
		build()
		if i > 0 {
			continue
		}
		old := glob(t, versions, "2026*/index.html")
		if len(old) != 1 || read(t, versions, old[0]) != first {
			t.Errorf("the first site is not kept as it was: %v", old)
		}
	}
	if kept := glob(t, versions, "2026*/index.html"); len(kept) != 2 || !strings.HasPrefix(kept[1], "20261116T0604") {
		t.Errorf("kept: %v", kept)
	}
	if _, err := os.Stat(filepath.Join(versions, "notes")); err != nil {
		t.Error("a folder of somebody else is gone")
	}
}
