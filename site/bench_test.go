//go:build unix

package site_test

import (
	"context"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

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

// Runs is part of site.Source: with KATPREP_BENCH_RUNS=1 each maintenance has
// a plan with every host and a journal with six entries for each.
func (m *months) Runs(context.Context) iter.Seq2[katprep.RunRecord, error] {
	return func(yield func(katprep.RunRecord, error) bool) {
		if os.Getenv("KATPREP_BENCH_RUNS") != "1" {
			return
		}
		for i := 0; i < len(m.Refs); i += 2 {
			if !yield(m.record(i/2), nil) {
				return
			}
		}
	}
}

// Run is part of site.Recorder.
func (m *months) Run(_ context.Context, id katprep.RunID) (katprep.RunRecord, error) {
	for i := 0; i < len(m.Refs); i += 2 {
		if m.Refs[i].Snapshot.Run == id {
			return m.record(i / 2), nil
		}
	}
	return katprep.RunRecord{}, katprep.Errorf(katprep.NotFound, "no run %s", id)
}

func (m *months) record(i int) katprep.RunRecord {
	r := katprep.RunRecord{Plan: katprep.Plan{Run: m.Refs[2*i].Snapshot.Run, Created: at(1+i, 0), By: "alice", Before: m.Refs[2*i].Commit}}
	kinds := []katprep.StepKind{katprep.StepDowntime, katprep.StepPatch, katprep.StepEndDown}
	for h := range m.hosts {
		host := m.at(h, 2*i)
		p := katprep.HostPlan{Host: host.Host}
		for _, e := range host.Errata {
			p.Errata = append(p.Errata, strings.Clone(e.ID))
		}
		for _, k := range kinds {
			p.Steps = append(p.Steps, katprep.PlannedStep{ID: string(k), Kind: k, System: "satellite"})
			for j, ev := range []katprep.Event{katprep.EventIntent, katprep.EventDone} {
				r.Journal = append(r.Journal, katprep.Entry{Seq: len(r.Journal) + 1, At: at(1+i, 0).Add(time.Duration(h+j) * time.Second), Host: host.Name, HostID: host.HostID, Step: string(k), Kind: k, Stage: katprep.StageExecute, Event: ev, By: "alice", System: "satellite", Ref: fmt.Sprintf("task %d-%d", i, h)})
			}
		}
		r.Plan.Hosts = append(r.Plan.Hosts, p)
	}
	return r
}

// size is "hosts x maintenances" of the benchmarks; KATPREP_BENCH_SITE
// overrides it, such as with 10000x24.
func size(b *testing.B) (hosts, maintenances int) {
	b.Helper()
	v := os.Getenv("KATPREP_BENCH_SITE")
	if v == "" {
		v = "1000x3"
	}
	if _, err := fmt.Sscanf(v, "%dx%d", &hosts, &maintenances); err != nil {
		b.Fatalf("KATPREP_BENCH_SITE=%q: %v", v, err)
	}
	return hosts, maintenances
}

// BenchmarkBuild builds a site from nothing, then again after one more
// maintenance, and says what the second build cost of the first.
func BenchmarkBuild(b *testing.B) {
	hosts, maintenances := size(b)
	o := site.Options{Version: "1", Policy: rules}
	out := filepath.Join(b.TempDir(), "public")
	var full, again time.Duration
	var cpuFull, cpuAgain time.Duration
	var pages int
	for b.Loop() {
		start, cpu := time.Now(), cpuTime()
		o.Full = true
		st, err := site.Build(b.Context(), newMonths(hosts, maintenances), out, o)
		if err != nil {
			b.Fatal(err)
		}
		full, cpuFull, pages = full+time.Since(start), cpuFull+cpuTime()-cpu, pages+st.Pages
		start, cpu = time.Now(), cpuTime()
		o.Full = false
		if _, err = site.Build(b.Context(), newMonths(hosts, maintenances+1), out, o); err != nil {
			b.Fatal(err)
		}
		again, cpuAgain = again+time.Since(start), cpuAgain+cpuTime()-cpu
	}
	b.ReportMetric(float64(pages)/full.Seconds(), "pages/s")
	b.ReportMetric(float64(pages)/cpuFull.Seconds(), "pages/cpu-s")
	b.ReportMetric(float64(pages)/float64(b.N), "pages")
	b.ReportMetric(100*again.Seconds()/full.Seconds(), "%-of-full-after-one-more")
	b.ReportMetric(100*cpuAgain.Seconds()/cpuFull.Seconds(), "%-of-full-cpu-after-one-more")
	b.ReportMetric(peakMB(), "MB-peak")
}

func cpuTime() time.Duration { return cpuOf(unix.RUSAGE_SELF) }

func cpuOf(who int) time.Duration {
	var u unix.Rusage
	if unix.Getrusage(who, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// peakMB is the most memory that this process ever had.
func peakMB() float64 {
	var u unix.Rusage
	if unix.Getrusage(unix.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return float64(u.Maxrss) / 1024
}
