package act_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/act"
	"github.com/stdevel/katprep/act/acttest"
)

func openJournal(t testing.TB, path string) *act.FileJournal {
	t.Helper()
	j, err := act.OpenJournal(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { j.Close() })
	return j
}

func entries(t testing.TB, j act.Journal) []katprep.Entry {
	t.Helper()
	var es []katprep.Entry
	for e, err := range j.Entries() {
		if err != nil {
			t.Fatal(err)
		}
		es = append(es, e)
	}
	return es
}

func TestJournalNumbersWhatManyAppend(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a", "journal.jsonl")
	j := openJournal(t, path)
	var all sync.WaitGroup
	for i := range 50 {
		all.Go(func() {
			for k := range 20 {
				if err := j.Append(katprep.Entry{Host: fmt.Sprint(i), Step: fmt.Sprint(k), Stage: katprep.StageExecute, Event: katprep.EventIntent}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	es := entries(t, j)
	next := map[string]int{}
	for i, e := range es {
		if e.Seq != i+1 || e.At.IsZero() || e.Step != fmt.Sprint(next[e.Host]) {
			t.Fatalf("entry %d: %+v", i, e)
		}
		next[e.Host]++
	}
	if len(es) != 1000 {
		t.Errorf("%d entries", len(es))
	}
	j.Close()
	again := openJournal(t, path)
	if got := entries(t, again); len(got) != 1000 {
		t.Errorf("%d entries after opening it again", len(got))
	}
	if err := again.Append(katprep.Entry{Event: katprep.EventNote}); err != nil {
		t.Fatal(err)
	}
	if es := entries(t, again); es[1000].Seq != 1001 {
		t.Errorf("%+v", es[1000])
	}
}

// However much of the last line got to the disk, the ones before are there
// and the next one is whole.
func TestTornLine(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal.jsonl")
	j := openJournal(t, path)
	for i := range 3 {
		if err := j.Append(katprep.Entry{Host: "h", Step: fmt.Sprint(i), Event: katprep.EventIntent, Message: "äöü \u2028 \x00"}); err != nil {
			t.Fatal(err)
		}
	}
	j.Close()
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	second := bytes.LastIndexByte(whole[:len(whole)-1], '\n') + 1
	for cut := second; cut <= len(whole); cut++ {
		torn := filepath.Join(t.TempDir(), "torn.jsonl")
		if err := os.WriteFile(torn, whole[:cut], 0o600); err != nil {
			t.Fatal(err)
		}
		j := openJournal(t, torn)
		want := 2
		if cut == len(whole) {
			want = 3
		}
		if got := entries(t, j); len(got) != want {
			t.Fatalf("cut at %d of %d: %d entries, want %d", cut, len(whole), len(got), want)
		}
		if err := j.Append(katprep.Entry{Host: "h", Step: "next"}); err != nil {
			t.Fatal(err)
		}
		if got := entries(t, j); got[want].Step != "next" || got[want].Seq != want+1 {
			t.Fatalf("cut at %d: %+v", cut, got)
		}
	}
}

func TestDamagedJournalIsRefused(t *testing.T) {
	for name, text := range map[string]string{
		"no JSON":     "{\"seq\":1}\nnonsense\n{\"seq\":3}\n",
		"lost line":   "{\"seq\":1}\n{\"seq\":3}\n",
		"double line": "{\"seq\":1}\n{\"seq\":1}\n",
		"empty line":  "{\"seq\":1}\n\n",
	} {
		path := filepath.Join(t.TempDir(), "journal.jsonl")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := act.OpenJournal(path); katprep.KindOf(err) != katprep.Corrupt {
			t.Errorf("%s: error %v, want one of kind Corrupt", name, err)
		}
		if after, err := os.ReadFile(path); err != nil || string(after) != text {
			t.Errorf("%s: the file was changed", name)
		}
	}
}

func FuzzReadJournal(f *testing.F) {
	f.Add([]byte("{\"seq\":1,\"at\":\"2026-11-12T20:00:00Z\",\"stage\":\"prepare\",\"event\":\"note\"}\n"))
	f.Add([]byte("{\"seq\":1}\n{\"se"))
	f.Fuzz(func(t *testing.T, data []byte) {
		n := 0
		for e, err := range act.ReadJournal(bytes.NewReader(data)) {
			if err == nil {
				n++
				if _, err := json.Marshal(e); err != nil {
					t.Fatalf("%+v: %v", e, err)
				}
			}
		}
		if n > bytes.Count(data, []byte("\n")) {
			t.Fatalf("%d entries of %q", n, data)
		}
	})
}

// What cannot be recorded is not done.
func TestJournalThatCannotBeWritten(t *testing.T) {
	p := plan(t, hosts(2), settings())
	w, j := world(p), openJournal(t, filepath.Join(t.TempDir(), "journal.jsonl"))
	if err := j.Append(katprep.Entry{Event: katprep.EventNote}); err != nil {
		t.Fatal(err)
	}
	j.Close()
	if _, err := engine(p, w, j).Run(t.Context(), allStages...); err == nil {
		t.Error("a run whose journal cannot be written has no error")
	}
	if len(w.Effects()) > 0 {
		t.Errorf("done without a record: %v", w.Effects())
	}
}

func begin(t *testing.T, d *act.StateDir, p katprep.Plan, archived []katprep.Entry) *act.LocalRun {
	t.Helper()
	r, err := d.Begin(p, archived)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func stateDir(t *testing.T) *act.StateDir {
	t.Helper()
	d, err := act.OpenStateDir(filepath.Join(t.TempDir(), "state"))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestRunsKeepOutOfEachOthersWay(t *testing.T) {
	d := stateDir(t)
	p := plan(t, hosts(3), settings())
	other := p
	other.Run = "another"
	a := begin(t, d, p, nil)
	if _, err := d.Begin(p, nil); katprep.KindOf(err) != katprep.Locked {
		t.Errorf("the same run twice: error %v, want one of kind Locked", err)
	}
	b := begin(t, d, other, nil)
	host := func(i ...int) (hs []katprep.Host) {
		for _, i := range i {
			hs = append(hs, p.Hosts[i].Host)
		}
		return hs
	}
	if err := a.Claim(host(0, 1)); err != nil {
		t.Fatal(err)
	}
	if err := b.Claim(host(2, 1)); katprep.KindOf(err) != katprep.Locked || !strings.Contains(err.Error(), string(p.Run)) {
		t.Errorf("a host of another run: error %v, want one of kind Locked that names the run", err)
	}
	if err := a.Claim(host(2)); err != nil {
		t.Errorf("a refused claim left something behind: %v", err)
	}
	a.Close() // the claims stay
	if err := b.Claim(host(0)); katprep.KindOf(err) != katprep.Locked {
		t.Errorf("after the other process ended: error %v, want one of kind Locked", err)
	}
	a = begin(t, d, p, nil)
	if err := a.Release(host(0, 1)); err != nil {
		t.Fatal(err)
	}
	if err := b.Claim(host(0, 1)); err != nil {
		t.Errorf("after the release: %v", err)
	}
	if err := a.Release(host(0)); err != nil {
		t.Fatal(err)
	}
	if err := a.Claim(host(0)); katprep.KindOf(err) != katprep.Locked {
		t.Errorf("one run gave another one's host away: %v", err)
	}
	a.Close()
	b.Close()
}

func TestJournalFromTheArchive(t *testing.T) {
	p := plan(t, hosts(1), settings())
	w, first := world(p), stateDir(t)
	r := begin(t, first, p, nil)
	run(t, engine(p, w, r.Journal), katprep.StagePrepare)
	archived := entries(t, r.Journal)
	r.Close()
	// Another controller goes on with what the archive has.
	r = begin(t, stateDir(t), p, archived)
	if s := run(t, engine(p, w, r.Journal), katprep.StageExecute); s.Failures() != 0 {
		t.Errorf("%+v", s)
	}
	later := entries(t, r.Journal)
	r.Close()
	if len(later) <= len(archived) || did(w, "schedule", web0) != 1 {
		t.Errorf("%d entries after %d, %d downtimes", len(later), len(archived), did(w, "schedule", web0))
	}
	// The first one has to take that over, and must not differ from it.
	r = begin(t, first, p, later)
	if got := entries(t, r.Journal); len(got) != len(later) {
		t.Errorf("%d entries, want %d", len(got), len(later))
	}
	r.Close()
	forked := slices.Clone(later)
	forked[2].Message = "something else"
	if _, err := first.Begin(p, forked); katprep.KindOf(err) != katprep.Conflict {
		t.Errorf("another history: error %v, want one of kind Conflict", err)
	}
	p.By = "somebody else"
	if _, err := first.Begin(p, later); katprep.KindOf(err) != katprep.Conflict {
		t.Errorf("another plan: error %v, want one of kind Conflict", err)
	}
}

// A real process is killed at some lines of its journal, on a real disk.
func TestProcessKilled(t *testing.T) {
	if os.Getenv("KATPREP_TEST_STATE") != "" {
		killedChild(t)
		return
	}
	for _, line := range []int{1, 2, 5, 9, 14, 20, 31} {
		state := filepath.Join(t.TempDir(), "state")
		cmd := exec.Command(os.Args[0], "-test.run=^TestProcessKilled$", "-test.v")
		cmd.Env = append(os.Environ(), "KATPREP_TEST_STATE="+state)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		for sc := bufio.NewScanner(out); sc.Scan(); {
			if sc.Text() == fmt.Sprintf("written %d", line) {
				if err := cmd.Process.Kill(); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := cmd.Wait(); err == nil {
			t.Fatalf("the process ended before line %d", line)
		}
		resumeKilled(t, state, line)
	}
}

func killedChild(t *testing.T) {
	p := plan(t, hosts(3), settings())
	w := world(p)
	w.Latency = func(acttest.Call) time.Duration { return time.Millisecond }
	d, err := act.OpenStateDir(os.Getenv("KATPREP_TEST_STATE"))
	if err != nil {
		t.Fatal(err)
	}
	r := begin(t, d, p, nil)
	e, n := engine(p, w, r.Journal), 0
	var mu sync.Mutex
	e.Options.Notify = func(katprep.Entry) {
		mu.Lock()
		defer mu.Unlock()
		n++
		fmt.Printf("written %d\n", n)
	}
	run(t, e, allStages...)
}

func resumeKilled(t *testing.T, state string, line int) {
	d, err := act.OpenStateDir(state)
	if err != nil {
		t.Fatal(err)
	}
	p := plan(t, hosts(3), settings())
	r := begin(t, d, p, nil) // the lock of the killed process is gone
	defer r.Close()
	before := entries(t, r.Journal)
	if len(before) < line {
		t.Fatalf("killed after line %d was safe, and only %d are there", line, len(before))
	}
	// The world of the killed process went with it; what the journal calls
	// open is looked up in this one, found missing, and done.
	w := world(p)
	s := run(t, engine(p, w, r.Journal), katprep.StageCleanup)
	for _, h := range s.Hosts {
		if h.State == act.HostUnknown && h.Reason == "" {
			t.Errorf("%+v", h)
		}
	}
	seen := map[int]bool{}
	for _, e := range entries(t, r.Journal) {
		if seen[e.Seq] {
			t.Errorf("two entries have the number %d", e.Seq)
		}
		seen[e.Seq] = true
	}
}

func BenchmarkJournal(b *testing.B) {
	j := openJournal(b, filepath.Join(b.TempDir(), "journal.jsonl"))
	e := katprep.Entry{Host: "web0001.example.com", Step: "vm-snapshot", Stage: katprep.StagePrepare, Event: katprep.EventIntent, Message: "make VM snapshot"}
	b.SetParallelism(100)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if err := j.Append(e); err != nil {
				b.Error(err)
			}
		}
	})
}

// BenchmarkRun takes 5,000 hosts through all stages against systems that
// answer at once, with a journal on disk.
func BenchmarkRun(b *testing.B) {
	set := settings()
	set.Concurrency, set.Hooks = 200, nil
	p := plan(b, hosts(5000), set)
	for b.Loop() {
		j := openJournal(b, filepath.Join(b.TempDir(), "journal.jsonl"))
		s, err := engine(p, world(p), j).Run(b.Context(), allStages...)
		if err != nil || s.Failures() > 0 {
			b.Fatalf("%d failures, %v", s.Failures(), err)
		}
	}
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return
	}
	for line := range strings.Lines(string(status)) {
		var kb float64
		if n, _ := fmt.Sscanf(line, "VmHWM: %f kB", &kb); n == 1 {
			b.ReportMetric(kb/1024, "MB-peak")
		}
	}
}
