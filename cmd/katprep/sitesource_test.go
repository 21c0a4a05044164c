//go:build unix

package main

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/internal/archive"
	"github.com/stdevel/katprep/policy"
	"github.com/stdevel/katprep/site"
)

// A landscapeArchive is an archive of hosts with 400 packages each. In every
// maintenance 20 of them are patched on all hosts but every tenth, on which
// nothing happens.
type landscapeArchive struct {
	arc   *archive.Archive
	hosts int
}

func newLandscapeArchive(tb testing.TB, hosts int) *landscapeArchive {
	tb.Helper()
	dir := filepath.Join(tb.TempDir(), "archive.git")
	if err := archive.Init(dir); err != nil {
		tb.Fatal(err)
	}
	arc, err := archive.Open(dir, archive.Options{})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { arc.Close() })
	return &landscapeArchive{arc, hosts}
}

func (l *landscapeArchive) state(host, maintenance int, after bool) katprep.State {
	patched := maintenance // maintenances that are behind the host
	if after {
		patched++
	}
	stuck := host%10 == 0
	if stuck {
		patched = 0
	}
	s := katprep.State{Host: katprep.Host{HostID: katprep.HostID{Source: "satellite", ID: fmt.Sprint(host)}, Name: fmt.Sprintf("host%05d.domain%02d.example.com", host, host%20)},
		Status: katprep.Collected, Format: katprep.RPM,
		Aspects: []katprep.Aspect{katprep.AspectErrata, katprep.AspectPackages, katprep.AspectBoot, katprep.AspectKernel, katprep.AspectReboot, katprep.AspectUpdates, katprep.AspectFacts, katprep.AspectParameters},
		Facts:   katprep.Facts{OS: katprep.OS{ID: "rhel", Version: "9.4", Name: "Red Hat Enterprise Linux 9.4 (Plow)"}, HostGroup: "base/web"},
		Boot:    katprep.Boot{ID: fmt.Sprintf("boot-%d-%d", host, patched)}, Reboot: katprep.Reboot{Need: katprep.NotNeeded}}
	for k := range 400 {
		evr := katprep.EVR(fmt.Sprintf("1.0-%d.el9", host%7))
		if k < 20 {
			evr = katprep.EVR(fmt.Sprintf("1.%d-1.el9", patched))
		}
		s.Packages = append(s.Packages, katprep.Package{Name: fmt.Sprintf("package%03d", k), EVR: evr, Arch: "x86_64"})
	}
	for m := range maintenance + 1 {
		if stuck || m >= patched {
			for k := range 20 {
				s.Errata = append(s.Errata, katprep.HostErratum{ID: fmt.Sprintf("RHSA-2026:%02d%02d", m, k), Installable: true})
			}
		}
	}
	return s
}

// maintenance adds the snapshots before and after one.
func (l *landscapeArchive) maintenance(tb testing.TB, m int) {
	tb.Helper()
	run := katprep.RunID(fmt.Sprintf("2026-%02d", m+1))
	for i, ph := range []katprep.Phase{katprep.Before, katprep.After} {
		w, err := l.arc.Begin(tb.Context())
		if err != nil {
			tb.Fatal(err)
		}
		at := time.Date(2026, 1, 1+m, i, 0, 0, 0, time.UTC)
		snap := katprep.Snapshot{Format: 1, Started: at, Finished: at.Add(time.Minute), Run: run, Phase: ph, Version: "1.0.0", Sources: []katprep.Source{{Name: "satellite", Type: "foreman"}}}
		for h := range l.hosts {
			if err := w.Put(tb.Context(), l.state(h, m, i == 1)); err != nil {
				tb.Fatal(err)
			}
		}
		for k := range 20 {
			e := katprep.Erratum{ID: fmt.Sprintf("RHSA-2026:%02d%02d", m, k), Title: "security update", Type: katprep.Security, Severity: katprep.Severities[k%4], Issued: "2026-01-01", CVEs: []string{fmt.Sprintf("CVE-2026-%02d%02d", m, k)},
				Packages: []katprep.Package{{Name: fmt.Sprintf("package%03d", k), EVR: katprep.EVR(fmt.Sprintf("1.%d-1.el9", m+1)), Arch: "x86_64"}}}
			if err := w.PutErratum(tb.Context(), e); err != nil {
				tb.Fatal(err)
			}
		}
		snap.Counts = katprep.Counts{Hosts: l.hosts, Collected: l.hosts}
		if _, err := w.Commit(tb.Context(), snap); err != nil {
			tb.Fatal(err)
		}
	}
}

func (l *landscapeArchive) build(tb testing.TB, src site.Source, out string, full bool) site.Stats {
	tb.Helper()
	o := site.Options{Version: "1.0.0", Full: full, Policy: policy.Policy{Deadlines: map[katprep.Severity]time.Duration{katprep.Critical: 7 * 24 * time.Hour}}}
	st, err := site.Build(tb.Context(), src, out, o)
	if err != nil {
		tb.Fatal(err)
	}
	return st
}

// everyHost reads every host of a snapshot.
type everyHost struct {
	site.Source
	read *int
}

func (e everyHost) States(ctx context.Context, c katprep.CommitID) iter.Seq2[katprep.State, error] {
	return func(yield func(katprep.State, error) bool) {
		for s, err := range e.Source.States(ctx, c) {
			*e.read++
			if !yield(s, err) {
				return
			}
		}
	}
}

// TestUnchangedHosts holds that a maintenance has the same pages whether the
// hosts that changed are read once more or not.
func TestUnchangedHosts(t *testing.T) {
	l := newLandscapeArchive(t, 30)
	l.maintenance(t, 0)
	l.maintenance(t, 1)
	dir := t.TempDir()
	read := 0
	src := newSiteSource(l.arc)
	l.build(t, src, filepath.Join(dir, "a"), true)
	l.build(t, struct { // all that the source can, but for site.Unchanger
		everyHost
		site.Chain
		site.Filer
		site.Elder
		site.Recorder
	}{everyHost{src, &read}, src, src, src, src}, filepath.Join(dir, "b"), true)
	if read != 3*30 { // of two maintenances, and of the newest snapshot
		t.Errorf("the other way reads %d hosts", read)
	}
	a, b := files(t, filepath.Join(dir, "a")), files(t, filepath.Join(dir, "b"))
	if len(a) < 60 || len(a) != len(b) {
		t.Fatalf("%d and %d files", len(a), len(b))
	}
	for name, sum := range a {
		if b[name] != sum {
			t.Errorf("%s differs", name)
		}
	}
}

func files(tb testing.TB, dir string) map[string][32]byte {
	tb.Helper()
	out := map[string][32]byte{}
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(p)
		out[p[len(dir):]] = sha256.Sum256(b)
		return err
	})
	if err != nil {
		tb.Fatal(err)
	}
	return out
}

// BenchmarkSite builds the site of a real archive, from nothing and after one
// more maintenance. KATPREP_BENCH_SITE=10000x3 makes it large.
func BenchmarkSite(b *testing.B) {
	hosts, maintenances := 300, 3
	if v := os.Getenv("KATPREP_BENCH_SITE"); v != "" {
		if _, err := fmt.Sscanf(v, "%dx%d", &hosts, &maintenances); err != nil {
			b.Fatalf("KATPREP_BENCH_SITE=%q: %v", v, err)
		}
	}
	for b.Loop() {
		b.StopTimer()
		l := newLandscapeArchive(b, hosts)
		for m := range maintenances {
			l.maintenance(b, m)
		}
		out := filepath.Join(b.TempDir(), "public")
		runtime.GC()
		b.StartTimer()
		start, cpu := time.Now(), siteCPU()
		st := l.build(b, newSiteSource(l.arc), out, true)
		full, fullCPU := time.Since(start), siteCPU()-cpu
		b.StopTimer()
		l.maintenance(b, maintenances)
		b.StartTimer()
		start, cpu = time.Now(), siteCPU()
		l.build(b, newSiteSource(l.arc), out, false)
		b.ReportMetric(float64(st.Pages), "pages")
		b.ReportMetric(full.Seconds(), "s-full")
		b.ReportMetric(fullCPU.Seconds(), "cpu-s-full")
		b.ReportMetric(float64(st.Pages)/full.Seconds(), "pages/s")
		b.ReportMetric(time.Since(start).Seconds(), "s-one-more")
		b.ReportMetric((siteCPU() - cpu).Seconds(), "cpu-s-one-more")
	}
}

func siteCPU() time.Duration {
	var u unix.Rusage
	if unix.Getrusage(unix.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
