package archive

import (
	"bufio"
	"context"
	"fmt"
	"iter"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/pprof"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/internal/archive/canon"
	"github.com/stdevel/katprep/internal/archive/names"
	"github.com/stdevel/katprep/internal/peers"
)

// These benchmarks measure against Git itself, in the same run. They write a
// landscape of benchHosts hosts; KATPREP_BENCH_HOSTS changes the number.
func benchHosts(b *testing.B) int {
	n, err := strconv.Atoi(os.Getenv("KATPREP_BENCH_HOSTS"))
	if err != nil {
		n = 10000
	}
	b.Logf("%d hosts", n)
	return n
}

const churn = 5 // percent of hosts patched a day

// Benchmarks that must know their peak memory run in processes of their own:
// the test binary, told by this variable what to do.
const childJob = "KATPREP_TEST_JOB"

// job runs a job of benchChild in another process and returns its time, its
// processor time and its peak memory in MB.
func job(b *testing.B, path, what string) (took, cpu time.Duration, peak float64) {
	b.Helper()
	exe, err := os.Executable()
	if err != nil {
		b.Fatal(err)
	}
	c := exec.CommandContext(b.Context(), exe)
	c.Env = append(os.Environ(), childPath+"="+path, childJob+"="+what)
	c.Stderr = os.Stderr
	out, err := c.Output()
	if err != nil {
		b.Fatal(err)
	}
	var ms, kb int64
	if _, err := fmt.Sscan(string(out), &ms, &kb); err != nil {
		b.Fatalf("%q: %v", out, err)
	}
	cpu = c.ProcessState.UserTime() + c.ProcessState.SystemTime()
	return time.Duration(ms) * time.Millisecond, cpu, float64(kb) / 1024
}

// benchChild does one job: "write HOSTS DAY PACKAGES", "ready" like it, but with
// all hosts made before the clock starts, "simulate HOSTS DAYS
// PACKAGES", "compare BEFORE AFTER", "all", "verify [SINCE]", "verify", "maintain", "log", "history NAME".
func benchChild(path, what string) error {
	f := strings.Fields(what)
	if dir := os.Getenv("KATPREP_BENCH_PROFILE"); dir != "" { // a folder for processor profiles
		out, err := os.CreateTemp(dir, f[0]+"-*.prof")
		if err != nil {
			return err
		}
		if err := pprof.StartCPUProfile(out); err != nil {
			return err
		}
		defer pprof.StopCPUProfile()
	}
	var l *landscape
	if f[0] == "write" || f[0] == "ready" || f[0] == "simulate" {
		l = smallLandscape(atoi(f[1]), atoi(f[3]))
	}
	var ready []katprep.State
	if f[0] == "write" || f[0] == "ready" {
		l.until(atoi(f[2]), churn)
	}
	if f[0] == "ready" {
		for i := range l.hosts {
			ready = append(ready, l.host(i, l.day, churn))
		}
		runtime.GC()
	}
	begin := time.Now()
	a, err := Open(path, Options{})
	if err != nil {
		return err
	}
	ctx := context.Background()
	switch f[0] {
	case "write":
		err = writeDay(ctx, a, l, l.day)
	case "ready":
		err = writeStates(ctx, a, l, slices.Values(ready))
	case "simulate":
		err = simulate(ctx, a, l, atoi(f[2]))
	case "compare":
		err = compare(ctx, a, f[1], f[2])
	case "all":
		for _, err = range a.States(ctx, must(a.Resolve(ctx, "latest"))) {
			if err != nil {
				break
			}
		}
	case "verify":
		var v *Verification
		o := VerifyOptions{}
		if len(f) > 1 {
			o.Since = must(a.Resolve(ctx, f[1]))
		}
		if v, err = a.Verify(ctx, o); err == nil && (v.Broken() != nil || v.Commits == 0) {
			err = fmt.Errorf("%d commits, %v", v.Commits, v.Broken())
		}
	case "maintain":
		_, err = a.Maintain(ctx, "")
	case "log":
		for _, err = range a.Log(ctx, "") {
			if err != nil {
				break
			}
		}
	case "history":
		for _, err = range a.History(ctx, "", f[1]) {
			if err != nil {
				break
			}
		}
	}
	if err != nil {
		return err
	}
	fmt.Println(time.Since(begin).Milliseconds(), peakKB())
	return nil
}

func atoi(s string) int {
	n, err := strconv.Atoi(s)
	if err != nil {
		panic(err)
	}
	return n
}

func must(c katprep.CommitID, err error) katprep.CommitID {
	if err != nil {
		panic(err)
	}
	return c
}

func writeDay(ctx context.Context, a *Archive, l *landscape, day int) error {
	return writeStates(ctx, a, l, func(yield func(katprep.State) bool) {
		for i := range l.hosts {
			if !yield(l.host(i, day, churn)) {
				return
			}
		}
	})
}

func writeStates(ctx context.Context, a *Archive, l *landscape, states iter.Seq[katprep.State]) error {
	w, err := a.Begin(ctx)
	if err != nil {
		return err
	}
	defer w.Abort()
	for s := range states {
		if err := w.Put(ctx, s); err != nil {
			return err
		}
	}
	_, err = w.Commit(ctx, katprep.Snapshot{Version: strconv.Itoa(l.day), Counts: l.counts()})
	return err
}

func compare(ctx context.Context, a *Archive, before, after string) error {
	c, err := a.Compare(ctx, must(a.Resolve(ctx, before)), must(a.Resolve(ctx, after)))
	if err != nil {
		return err
	}
	n := 0
	for p, err := range c.Pairs(ctx) {
		if err != nil || p.Before == nil || p.After == nil {
			return fmt.Errorf("pair %s: %v", p.Path, err)
		}
		n++
	}
	if n == 0 || c.Same == 0 && before == "latest~1" {
		return fmt.Errorf("%d hosts differ, %d are the same", n, c.Same)
	}
	return nil
}

// peakKB returns the highest resident memory of this process so far.
func peakKB() int {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			n, _ := strconv.Atoi(strings.Fields(rest)[0])
			return n
		}
	}
	return 0
}

// BenchmarkSnapshot writes two days and says the ratio to git fast-import,
// which gets the same files: ready made, hosts of one role together, the order
// that suits it best. The time is that of hosts which were made before, too, the
// memory that of hosts which are made one by one, as collectors deliver them.
func BenchmarkSnapshot(b *testing.B) {
	peers.Need(b, "git")
	hosts := benchHosts(b)
	dir := b.TempDir()
	l := newLandscape(hosts)
	fast := filepath.Join(dir, "fast.git")
	git(b, dir, "init", "-q", "--bare", fast)
	var gitTook, gitCPU [2]time.Duration
	for day := range 2 {
		stream := filepath.Join(dir, "stream")
		fastImportStream(b, l, stream, day)
		f, err := os.Open(stream)
		if err != nil {
			b.Fatal(err)
		}
		c := exec.CommandContext(b.Context(), "git", "-C", fast, "fast-import", "--quiet", "--force")
		c.Stdin = f
		begin := time.Now()
		if out, err := c.CombinedOutput(); err != nil {
			b.Fatalf("%v: %s", err, out)
		}
		gitTook[day] = time.Since(begin)
		gitCPU[day] = c.ProcessState.UserTime() + c.ProcessState.SystemTime()
		f.Close()
		os.Remove(stream)
	}
	for b.Loop() {
		path := filepath.Join(b.TempDir(), "a.git")
		if err := Init(path); err != nil {
			b.Fatal(err)
		}
		streamed, cpu, peak := job(b, path, fmt.Sprintf("write %d 0 400", hosts))
		streamed2, cpu2, peak2 := job(b, path, fmt.Sprintf("write %d 1 400", hosts))
		if err := Init(path + "2"); err != nil {
			b.Fatal(err)
		}
		full, _, _ := job(b, path+"2", fmt.Sprintf("ready %d 0 400", hosts))
		second, _, _ := job(b, path+"2", fmt.Sprintf("ready %d 1 400", hosts))
		b.Logf("full: %v (made on the way: %v, %v of processor, %.0f MB), fast-import %v (%v): ratio %.2f; size %s, fast-import %s",
			full, streamed, cpu, peak, gitTook[0], gitCPU[0], full.Seconds()/gitTook[0].Seconds(), size(b, path), size(b, fast))
		b.Logf("%d %% changed: %v (made on the way: %v, %v of processor, %.0f MB), fast-import %v (%v): ratio %.2f",
			churn, second, streamed2, cpu2, peak2, gitTook[1], gitCPU[1], second.Seconds()/gitTook[1].Seconds())
		b.ReportMetric(full.Seconds()/gitTook[0].Seconds(), "full/fast-import")
		b.ReportMetric(second.Seconds()/gitTook[1].Seconds(), "second/fast-import")
		b.ReportMetric(max(peak, peak2), "peak-MB")
	}
}

func size(b *testing.B, path string) string { return fmt.Sprintf("%.1f MB", bytesOf(b, path)/(1<<20)) }

func bytesOf(b *testing.B, path string) float64 {
	b.Helper()
	var sum int64
	err := filepath.Walk(path, func(_ string, st os.FileInfo, err error) error {
		if err == nil && !st.IsDir() {
			sum += st.Size()
		}
		return err
	})
	if err != nil {
		b.Fatal(err)
	}
	return float64(sum)
}

func fastImportStream(b *testing.B, l *landscape, path string, day int) {
	b.Helper()
	f, err := os.Create(path)
	if err != nil {
		b.Fatal(err)
	}
	out := bufio.NewWriterSize(f, 1<<20)
	fmt.Fprintf(out, "commit refs/heads/main\ncommitter x <x> %d +0000\ndata 0\n", 1800000000+day)
	if day > 0 {
		fmt.Fprintf(out, "from refs/heads/main^0\n")
	}
	order := make([]int, l.hosts)
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(x, y int) int { return l.role(x) - l.role(y) })
	for _, i := range order {
		s := l.host(i, day, churn)
		text := canon.EncodeState(&s)
		fmt.Fprintf(out, "M 100644 inline %s\ndata %d\n%s\n", names.Host(s.Name), len(text), text)
	}
	if err := out.Flush(); err != nil {
		b.Fatal(err)
	}
	if err := f.Close(); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkCompare reads what differs between two snapshots, in a process of
// its own.
func BenchmarkCompare(b *testing.B) {
	hosts := benchHosts(b)
	path := filepath.Join(b.TempDir(), "a.git")
	if err := Init(path); err != nil {
		b.Fatal(err)
	}
	for day := range 2 {
		job(b, path, fmt.Sprintf("write %d %d 400", hosts, day))
	}
	for b.Loop() {
		took, cpu, peak := job(b, path, "compare latest~1 latest")
		b.Logf("compare: %v, %v of processor, %.0f MB", took, cpu, peak)
		allTook, allCPU, allPeak := job(b, path, "all")
		b.Logf("read all hosts: %v, %v of processor, %.0f MB", allTook, allCPU, allPeak)
		b.ReportMetric(cpu.Seconds(), "cpu-s")
		b.ReportMetric(peak, "peak-MB")
	}
}

// BenchmarkHistory follows one host over 365 snapshots of 500 hosts, against
// git log.
func BenchmarkHistory(b *testing.B) {
	peers.Need(b, "git")
	path := filepath.Join(b.TempDir(), "a.git")
	if err := Init(path); err != nil {
		b.Fatal(err)
	}
	a := open(b, path)
	l := newLandscape(500)
	for day := range 365 {
		if err := writeDay(b.Context(), a, l, day); err != nil {
			b.Fatal(err)
		}
	}
	s := l.host(123, 0, 0)
	for b.Loop() {
		begin := time.Now()
		lines := strings.Count(git(b, path, "log", "--format=%H", "--", names.Host(s.Name)), "\n")
		gitTook := time.Since(begin)
		took, _, peak := job(b, path, "history "+s.Name)
		b.Logf("history of %d versions: %v (%.0f MB), git log %v: ratio %.1f", lines, took, peak, gitTook, took.Seconds()/gitTook.Seconds())
		b.ReportMetric(took.Seconds()/gitTook.Seconds(), "history/git-log")
	}
}
