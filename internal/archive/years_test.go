package archive

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/internal/archive/names"
	"github.com/stdevel/katprep/internal/peers"
)

// benchYears returns how long a history is simulated:
// KATPREP_BENCH_YEARS=HOSTSxDAYSxPACKAGES. With KATPREP_BENCH_GIT=no Git does
// not repack a copy, which takes it several times as long as all the rest.
func benchYears(b *testing.B) (hosts, days, packages int) {
	hosts, days, packages = 1000, 100, 400
	if size := os.Getenv("KATPREP_BENCH_YEARS"); size != "" {
		if _, err := fmt.Sscanf(size, "%dx%dx%d", &hosts, &days, &packages); err != nil {
			b.Fatalf("KATPREP_BENCH_YEARS=%s: want HOSTSxDAYSxPACKAGES: %v", size, err)
		}
	}
	return hosts, days, packages
}

// writeChanged writes the same snapshot as writeDay, but takes the hosts that
// did not change over without making them, for many days to be simulated in
// minutes.
func writeChanged(ctx context.Context, a *Archive, l *landscape, day int) error {
	w, err := a.Begin(ctx)
	if err != nil {
		return err
	}
	defer w.Abort()
	l.until(day, churn)
	for i := range l.hosts {
		if path := names.Host(l.name(i)); day > 0 && l.last[i] != day {
			w.mu.Lock()
			w.hosts[path] = w.known[path]
			w.mu.Unlock()
			continue
		}
		if err := w.Put(ctx, l.host(i, day, churn)); err != nil {
			return err
		}
	}
	_, err = w.Commit(ctx, katprep.Snapshot{Version: strconv.Itoa(day), Counts: l.counts()})
	return err
}

// simulate writes the snapshots of many days, those that an archive has not
// yet.
func simulate(ctx context.Context, a *Archive, l *landscape, days int) error {
	done := 0
	for c, err := range a.Log(ctx, "") {
		if err != nil {
			return err
		}
		if c.Kind == KindSnapshot {
			done++
		}
	}
	for day := done; day < days; day++ {
		if err := writeChanged(ctx, a, l, day); err != nil {
			return err
		}
	}
	return nil
}

// BenchmarkYears simulates years of daily snapshots, and measures what people
// do with such an archive before and after maintenance. Git gets a copy.
func BenchmarkYears(b *testing.B) {
	peers.Need(b, "git")
	hosts, days, packages := benchYears(b)
	dir := b.TempDir()
	path := filepath.Join(dir, "a.git")
	if err := Init(path); err != nil {
		b.Fatal(err)
	}
	l := smallLandscape(hosts, packages)
	do := func(what string) time.Duration {
		took, cpu, peak := job(b, path, what)
		b.Logf("  %s: %v (%v of processor, %.0f MB)", what, took, cpu, peak)
		return took
	}
	do(fmt.Sprintf("simulate %d %d %d", hosts, days, packages))
	b.Logf("%d snapshots of %d hosts, %d packages each, %d %% changed a day: %s", days, hosts, packages, churn, size(b, path))
	for b.Loop() {
		do(fmt.Sprintf("write %d %d %d", hosts, days, packages))
		measureYears(b, path, l, days, do)
		copied := filepath.Join(dir, "copy.git")
		if os.Getenv("KATPREP_BENCH_GIT") != "no" {
			if err := os.CopyFS(copied, os.DirFS(path)); err != nil {
				b.Fatal(err)
			}
		}
		before := size(b, path)
		do("maintain")
		b.Logf("maintained: %s, then %s", before, size(b, path))
		measureYears(b, path, l, days, do)
		if os.Getenv("KATPREP_BENCH_GIT") == "no" {
			continue
		}
		begin := time.Now()
		git(b, copied, "repack", "-a", "-d", "-q")
		b.Logf("git repack -a -d: %s in %v: ratio %.2f", size(b, copied), time.Since(begin), bytesOf(b, path)/bytesOf(b, copied))
		b.ReportMetric(bytesOf(b, path)/bytesOf(b, copied), "maintained/git-repack")
		os.RemoveAll(copied)
	}
}

// measureYears does what people do with an archive.
func measureYears(b *testing.B, path string, l *landscape, days int, do func(string) time.Duration) {
	do("verify")
	do("verify latest~1")
	do("log")
	do(fmt.Sprintf("compare latest~%d latest", days/2))
	name := l.name(l.hosts / 3)
	begin := time.Now()
	versions := strings.Count(git(b, path, "log", "--format=%H", "--", names.Host(name)), "\n")
	gitTook := time.Since(begin)
	took := do("history " + name)
	b.Logf("  %d versions; git log -- path: %v: ratio %.1f", versions, gitTook, took.Seconds()/gitTook.Seconds())
}
