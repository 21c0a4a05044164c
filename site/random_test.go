package site_test

import (
	"fmt"
	"math/rand"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/site"
	"github.com/stdevel/katprep/site/sitetest"
)

// A history is an archive to which anything may happen.
type history struct {
	*rand.Rand
	m     *sitetest.Memory
	o     site.Options
	hosts map[int]katprep.State
	n     int // snapshots
}

func newHistory(seed int64) *history {
	h := &history{Rand: rand.New(rand.NewSource(seed)), m: &sitetest.Memory{}, o: site.Options{Version: "1", Policy: rules, Rows: 3}, hosts: map[int]katprep.State{}}
	for i := range 6 {
		e := katprep.Erratum{ID: fmt.Sprintf("RHSA-2026:000%d", i), Title: "update", Type: katprep.Security, Severity: katprep.Severities[i%4], Issued: katprep.Date(fmt.Sprintf("2026-10-%02d", 10+3*i)), CVEs: []string{fmt.Sprintf("CVE-2026-%d", i)},
			Packages: []katprep.Package{{Name: "openssl", EVR: katprep.EVR(fmt.Sprintf("1:3.0.7-%d.el9", 25+i)), Arch: "x86_64"}}}
		h.m.Known = append(h.m.Known, e)
	}
	for i := range 6 {
		h.hosts[i] = h.host(i)
	}
	return h
}

func (h *history) host(i int) katprep.State {
	s := state(fmt.Sprint(i), fmt.Sprintf("host%d.example.com", i), "a")
	for k := range 6 {
		if h.Intn(2) == 0 {
			s.Errata = append(s.Errata, katprep.HostErratum{ID: h.m.Known[k].ID, Installable: h.Intn(4) > 0})
		}
	}
	return s
}

// step lets something happen.
func (h *history) step() string {
	switch h.Intn(9) {
	case 0:
		h.o.Title = fmt.Sprint("Title ", h.Intn(3))
		return "another title"
	case 1:
		e := &h.m.Known[h.Intn(6)]
		e.Title = fmt.Sprint("corrected ", h.Intn(100))
		return "an erratum is corrected"
	case 2:
		h.m.Policy = append(h.m.Policy, katprep.Exception{ID: fmt.Sprint("EX-", len(h.m.Policy)), Hosts: []string{fmt.Sprintf("host%d*", h.Intn(6))}, Errata: []string{h.m.Known[h.Intn(6)].ID}, Expires: "2026-11-20"})
		return "an exception"
	}
	h.n++
	for i := range 7 {
		switch s := h.hosts[i]; h.Intn(7) {
		case 0:
			delete(h.hosts, i)
		case 1:
			h.hosts[i] = h.host(i)
		case 2: // patched
			s.Errata, s.Boot.ID = nil, fmt.Sprint("boot", h.n)
			s.Packages = []katprep.Package{{Name: "openssl", EVR: "1:3.0.7-40.el9", Arch: "x86_64"}}
			h.hosts[i] = s
		case 3:
			s.Facts.HostGroup = fmt.Sprint("group", h.Intn(3))
			h.hosts[i] = s
		case 4:
			h.hosts[i] = failed(fmt.Sprint(i), fmt.Sprintf("host%d.example.com", i), "timeout")
		}
	}
	var run katprep.RunID
	ph := katprep.Phase("")
	if h.n%3 > 0 { // two of three are a maintenance
		run, ph = katprep.RunID(fmt.Sprint("run-", h.n/3)), []katprep.Phase{"", katprep.Before, katprep.After}[h.n%3]
	}
	var list []katprep.State
	for i := range 7 {
		if s, ok := h.hosts[i]; ok && s.Name != "" {
			list = append(list, s)
		}
	}
	h.m.Add(commit(h.n), snapshot(1+h.n, 6, run, ph), list...)
	return "a snapshot"
}

// TestIncrementalHistories holds that whatever happens to an archive, building
// on top of the earlier site gives what building from nothing gives.
func TestIncrementalHistories(t *testing.T) {
	for seed := range int64(4) {
		h := newHistory(seed)
		out := filepath.Join(t.TempDir(), "public")
		kept := 0
		for range 12 {
			what := h.step()
			st, err := site.Build(t.Context(), h.m, out, h.o)
			if err != nil {
				t.Fatal(err)
			}
			kept += st.Kept
			if d := cmp.Diff(tree(t, build(t, h.m, h.o)), tree(t, out)); d != "" {
				t.Fatalf("history %d, %s: incremental and full differ:\n%s", seed, what, d)
			}
		}
		if kept == 0 {
			t.Errorf("history %d: nothing was ever kept", seed)
		}
	}
}
