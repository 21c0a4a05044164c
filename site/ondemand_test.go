package site_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/site"
	"github.com/stdevel/katprep/site/sitetest"
)

// recorder has the records of runs again.
type recorder struct {
	*sitetest.Memory
	asked map[katprep.RunID]int
}

func (r recorder) Run(_ context.Context, id katprep.RunID) (katprep.RunRecord, error) {
	r.asked[id]++
	for _, rec := range r.Records {
		if rec.Plan.Run == id {
			return rec, nil
		}
	}
	return katprep.RunRecord{}, katprep.Errorf(katprep.NotFound, "no run %q", id)
}

// TestRecordsOnDemand holds that a build that lets go of records makes the
// same pages as one that keeps them all.
func TestRecordsOnDemand(t *testing.T) {
	o := site.Options{Version: "1.0.0", Policy: rules}
	want := tree(t, build(t, larger(), o))
	r := recorder{larger(), map[katprep.RunID]int{}}
	if d := cmp.Diff(want, tree(t, build(t, r, o))); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff(map[katprep.RunID]int{"2026-11-prod-a": 1, "2026-11-prod-b": 1}, r.asked); d != "" {
		t.Errorf("records asked for:\n%s", d)
	}
}

// TestKeptVersionIsWhole holds that an earlier site that is kept loses nothing
// to the one that was built on top of it.
func TestKeptVersionIsWhole(t *testing.T) {
	o := site.Options{Version: "1.0.0", Policy: rules, Keep: 2}
	out := build(t, sample(), o)
	want := tree(t, out)
	if _, err := site.Build(t.Context(), larger(), out, o); err != nil {
		t.Fatal(err)
	}
	list, err := os.ReadDir(out + ".versions")
	if err != nil || len(list) != 1 {
		t.Fatalf("versions: %v, %v", list, err)
	}
	if d := cmp.Diff(want, tree(t, filepath.Join(out+".versions", list[0].Name()))); d != "" {
		t.Errorf("the earlier site has changed:\n%s", d)
	}
	check(t, out)
}
