package site

import (
	"maps"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stdevel/katprep"
)

func someSummaries() []summary {
	return []summary{
		{Host: katprep.Host{HostID: katprep.HostID{Source: "s", ID: "1"}, Name: "web"}, Group: "base/web", Presence: katprep.InBoth, Before: katprep.Collected, After: katprep.Collected, Rebooted: katprep.Yes, Need: katprep.NotNeeded,
			Flags: flagChanged | flagPage | flagKernel, Packages: 300, Downgraded: 1, Unplanned: 2, Size: 70000, Errata: []outcome{{"RHSA-1", 0}, {"RHSA-2", 3}}},
		{Host: katprep.Host{HostID: katprep.HostID{Source: "s", ID: "2"}, Name: "db"}, Presence: katprep.NotCollected, Flags: flagGap, Problems: []string{"timeout", ""}, Errata: []outcome{{"RHSA-2", 4}}},
	}
}

var someMoves = moves{{name: "openssl", before: "1", after: "2", kind: katprep.Upgraded}: 3, {name: "kernel", after: "5, 6", kind: katprep.Added}: 1}

func TestSummariesRoundTrip(t *testing.T) {
	for _, list := range [][]summary{nil, someSummaries()} {
		same, got, mv, err := decodeSummaries("key", encodeSummaries("key", 17, list, someMoves))
		if err != nil || same != 17 {
			t.Fatalf("%d, %v", same, err)
		}
		if !maps.Equal(mv, someMoves) {
			t.Errorf("moves: %v", mv)
		}
		if d := cmp.Diff(len(list), len(got)); d != "" {
			t.Error(d)
		}
		for i := range got {
			if d := cmp.Diff(list[i], got[i]); d != "" {
				t.Error(d)
			}
		}
	}
	if _, _, _, err := decodeSummaries("other", encodeSummaries("key", 0, nil, nil)); err == nil {
		t.Error("the memory of another comparison is taken")
	}
}

// FuzzDecodeSummaries holds that damaged memory is an error and never a panic,
// and that what is accepted is what would be written.
func FuzzDecodeSummaries(f *testing.F) {
	f.Add(encodeSummaries("key", 17, someSummaries(), someMoves))
	f.Add(encodeSummaries("key", 0, nil, nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		same, list, mv, err := decodeSummaries("key", b)
		if err != nil {
			return
		}
		again := encodeSummaries("key", same, list, mv)
		if s2, l2, m2, err := decodeSummaries("key", again); err != nil || s2 != same || !cmp.Equal(l2, list) || !maps.Equal(m2, mv) {
			t.Errorf("%q decodes to what does not come back", b)
		}
	})
}

// FuzzDecodeGroups holds the same for groups of pages.
func FuzzDecodeGroups(f *testing.F) {
	f.Add(encodeGroups(map[string]*group{"a": {key: "k", files: []kept{{"a/index.html", 17}, {"a/x.csv", 0}}}, "b": {}}))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		g := decodeGroups(b)
		if g == nil {
			return
		}
		if again := decodeGroups(encodeGroups(g)); len(again) != len(g) {
			t.Errorf("%q decodes to what does not come back", b)
		}
	})
}
