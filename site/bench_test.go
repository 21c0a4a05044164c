package site_test

import (
	"context"
	"fmt"
	"iter"
	"path/filepath"
	"testing"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/site"
	"github.com/stdevel/katprep/site/sitetest"
)

// months is an archive of n hosts and as many maintenances as asked for, in
// each of which every host gets 20 errata and 20 packages. It makes states as
// they are asked for, so that only the build's own memory counts.
type months struct {
	sitetest.Memory
	hosts int
}

func newMonths(hosts, maintenances int) *months {
	m := &months{hosts: hosts}
	for i := range maintenances {
		for j, ph := range []katprep.Phase{katprep.Before, katprep.After} {
			s := snapshot(1+i, j, katprep.RunID(fmt.Sprintf("2026-%02d", i+1)), ph)
			s.Counts = katprep.Counts{Hosts: hosts, Collected: hosts}
			m.Refs = append(m.Refs, katprep.SnapshotRef{Commit: commit(2*i + j), Snapshot: s})
		}
		for k := range 20 {
			id := fmt.Sprintf("RHSA-2026:%02d%02d", i, k)
			m.Known = append(m.Known, katprep.Erratum{ID: id, Title: "security update", Type: katprep.Security, Severity: katprep.Severities[k%4], Issued: "2026-11-01", CVEs: []string{fmt.Sprintf("CVE-2026-%02d%02d", i, k)},
				Packages: []katprep.Package{{Name: fmt.Sprintf("pkg%02d", k), EVR: katprep.EVR(fmt.Sprintf("1.%d-1.el9", i+1)), Arch: "x86_64"}}})
		}
	}
	return m
}

// at makes a host as it was before (even) or after (odd) a maintenance.
func (m *months) at(host, n int) katprep.State {
	s := state(fmt.Sprint(host), fmt.Sprintf("host%05d.example.com", host), fmt.Sprint(n/2+n%2))
	s.Packages = make([]katprep.Package, 0, 20)
	for k := range 20 {
		s.Packages = append(s.Packages, katprep.Package{Name: fmt.Sprintf("pkg%02d", k), EVR: katprep.EVR(fmt.Sprintf("1.%d-1.el9", (n+1)/2)), Arch: "x86_64"})
		if n%2 == 0 {
			s.Errata = append(s.Errata, katprep.HostErratum{ID: fmt.Sprintf("RHSA-2026:%02d%02d", n/2, k), Installable: true})
		}
	}
	return s
}

func (m *months) number(c katprep.CommitID) int {
	for i, r := range m.Refs {
		if r.Commit == c {
			return i
		}
	}
	return -1
}

// Compare is part of site.Source.
func (m *months) Compare(_ context.Context, before, after katprep.CommitID) (int, iter.Seq2[site.Pair, error], error) {
	b, a := m.number(before), m.number(after)
	if b%2 == 1 { // between maintenances only errata appear, on one host in a hundred
		return m.hosts - m.hosts/100, m.pairs(b, a, 100), nil
	}
	return 0, m.pairs(b, a, 1), nil
}

func (m *months) pairs(b, a, step int) iter.Seq2[site.Pair, error] {
	return func(yield func(site.Pair, error) bool) {
		for h := 0; h < m.hosts; h += step {
			before, after := m.at(h, b), m.at(h, a)
			if !yield(site.Pair{Before: &before, After: &after}, nil) {
				return
			}
		}
	}
}

// States is part of site.Source.
func (m *months) States(_ context.Context, c katprep.CommitID) iter.Seq2[katprep.State, error] {
	n := m.number(c)
	return func(yield func(katprep.State, error) bool) {
		for h := range m.hosts {
			if !yield(m.at(h, n), nil) {
				return
			}
		}
	}
}

func BenchmarkBuild(b *testing.B) {
	for _, c := range []struct{ hosts, maintenances int }{{1000, 3}} {
		b.Run(fmt.Sprintf("%dx%d", c.hosts, c.maintenances), func(b *testing.B) {
			src, pages := newMonths(c.hosts, c.maintenances), 0
			for b.Loop() {
				st, err := site.Build(b.Context(), src, filepath.Join(b.TempDir(), "public"), site.Options{Version: "1"})
				if err != nil {
					b.Fatal(err)
				}
				pages += st.Pages
			}
			b.ReportMetric(float64(pages)/b.Elapsed().Seconds(), "pages/s")
		})
	}
}
