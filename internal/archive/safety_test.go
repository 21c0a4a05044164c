package archive

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/internal/peers"
)

// The test binary is its own second process: with this variable it writes
// snapshots into the archive that it names and prints each commit.
const (
	childPath  = "KATPREP_TEST_ARCHIVE"
	childCount = "KATPREP_TEST_COUNT"
	childName  = "KATPREP_TEST_NAME"
	childSize  = "KATPREP_TEST_SIZE"
)

func TestMain(m *testing.M) {
	if path := os.Getenv(childPath); path != "" {
		if err := child(path); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func child(path string) error {
	if what := os.Getenv(childJob); what != "" {
		return benchChild(path, what)
	}
	count, err := strconv.Atoi(os.Getenv(childCount))
	if err != nil {
		return err
	}
	size, err := strconv.Atoi(os.Getenv(childSize))
	if err != nil {
		return err
	}
	a, err := Open(path, Options{LockWait: time.Minute})
	if err != nil {
		return err
	}
	ctx := context.Background()
	for n := range count {
		w, err := a.Begin(ctx)
		if err != nil {
			return err
		}
		for h := range size {
			if err := w.Put(ctx, host("s", strconv.Itoa(h), fmt.Sprintf("h%d.example.com", h), noise(os.Getenv(childName), n, h)...)); err != nil {
				return err
			}
		}
		c, err := w.Commit(ctx, katprep.Snapshot{Version: fmt.Sprintf("%s-%d", os.Getenv(childName), n)})
		if err != nil {
			return err
		}
		fmt.Println(c)
	}
	return a.Close()
}

// noise returns packages that no other host has.
func noise(name string, n, h int) []string {
	var out []string
	for i := range 20 {
		out = append(out, fmt.Sprintf("package-%d=%s.%d.%d.%d", i, name, n, h, i*7919%31))
	}
	return out
}

func start(t *testing.T, path, name string, count, size int) (*exec.Cmd, *bufio.Scanner) {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.CommandContext(t.Context(), exe)
	c.Env = append(os.Environ(), childPath+"="+path, childName+"="+name,
		childCount+"="+strconv.Itoa(count), childSize+"="+strconv.Itoa(size))
	c.Stderr = os.Stderr
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	return c, bufio.NewScanner(out)
}

// TestWriters lets processes and plain Git commit into one archive at the
// same time: every commit that was reported is in the history.
// KATPREP_TEST_WRITERS=2x200 makes it two processes and 200 commits of each.
func TestWriters(t *testing.T) {
	peers.Need(t, "git")
	a, path := create(t)
	shot(t, a, katprep.Snapshot{})
	writers, each, byHand := 4, 100, 25
	if size := os.Getenv("KATPREP_TEST_WRITERS"); size != "" {
		if _, err := fmt.Sscanf(size, "%dx%d", &writers, &each); err != nil {
			t.Fatal(err)
		}
	}
	var mu sync.Mutex
	var reported []string
	note := func(c string) {
		mu.Lock()
		defer mu.Unlock()
		reported = append(reported, c)
	}
	var wg sync.WaitGroup
	for i := range writers {
		c, lines := start(t, path, fmt.Sprintf("w%d", i), each, 2)
		wg.Go(func() {
			for lines.Scan() {
				note(lines.Text())
			}
			if err := c.Wait(); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Go(func() {
		for range byHand {
			for !plainCommit(t, path, note) {
			}
		}
	})
	wg.Wait()
	history := git(t, path, "rev-list", "main")
	for _, c := range reported {
		if !strings.Contains(history, c) {
			t.Errorf("commit %s is lost", c)
		}
	}
	if len(reported) != writers*each+byHand || strings.Count(history, "\n") != len(reported)+1 {
		t.Errorf("%d commits reported, %d in the history", len(reported), strings.Count(history, "\n"))
	}
	fsck(t, path)
}

// plainCommit commits with Git's own commands and Git's own compare-and-swap;
// false if somebody else was faster.
func plainCommit(t *testing.T, path string, note func(string)) bool {
	old := strings.TrimSpace(git(t, path, "rev-parse", "main"))
	c := strings.TrimSpace(git(t, path, "commit-tree", "-p", old, "-m", "by hand", old+"^{tree}"))
	cmd := exec.CommandContext(t.Context(), "git", "-C", path, "update-ref", "refs/heads/main", c, old)
	if cmd.Run() != nil {
		return false
	}
	note(c)
	return true
}

// TestKilled kills a writer at any moment: what it reported is there, the
// archive is whole and takes the next snapshot.
func TestKilled(t *testing.T) {
	peers.Need(t, "git")
	a, path := create(t)
	shot(t, a, katprep.Snapshot{})
	var reported []string
	for round := range 12 {
		c, lines := start(t, path, fmt.Sprintf("k%d", round), 1000, 50)
		time.AfterFunc(time.Duration(30+rand.IntN(150))*time.Millisecond, func() { c.Process.Kill() })
		for lines.Scan() {
			reported = append(reported, lines.Text())
		}
		c.Wait()
		// A kill between the reference's lock and its rename leaves the lock.
		lock := filepath.Join(path, branch+".lock")
		if _, err := os.Stat(lock); err == nil {
			if _, err := snapshotOnce(t, path); katprep.KindOf(err) != katprep.Locked || !strings.Contains(err.Error(), lock) {
				t.Fatalf("stale lock: %v", err)
			}
			os.Remove(lock)
		}
		last, err := snapshotOnce(t, path)
		if err != nil {
			t.Fatal(err)
		}
		reported = append(reported, string(last))
	}
	history := git(t, path, "rev-list", "main")
	for _, c := range reported {
		if !strings.Contains(history, c) {
			t.Errorf("commit %s is lost", c)
		}
	}
	if len(reported) < 13 {
		t.Error("no writer got as far as a commit: the test shows nothing")
	}
	for _, pattern := range []string{"katprep/tmp/*", "objects/pack/*.keep"} {
		if left, _ := filepath.Glob(filepath.Join(path, pattern)); len(left) > 0 {
			t.Errorf("left behind: %v", left)
		}
	}
	fsck(t, path)
}

func snapshotOnce(t *testing.T, path string) (c katprep.CommitID, err error) {
	t.Helper()
	a, err := Open(path, Options{})
	if err != nil {
		return "", err
	}
	defer a.Close()
	ctx := t.Context()
	w, err := a.Begin(ctx)
	if err != nil {
		return "", err
	}
	defer w.Abort()
	if err := w.Put(ctx, host("s", "1", "h1.example.com", noise("once", 0, 0)...)); err != nil {
		return "", err
	}
	return w.Commit(ctx, katprep.Snapshot{})
}

func TestLocked(t *testing.T) {
	a, path := create(t)
	w, err := a.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	_, err = snapshotOnce(t, path)
	if katprep.KindOf(err) != katprep.Locked || !strings.Contains(err.Error(), fmt.Sprintf("process %d on ", os.Getpid())) || katprep.HintOf(err) == "" {
		t.Errorf("held lock: %v", err)
	}
	if err := w.Abort(); err != nil {
		t.Fatal(err)
	}
	if _, err := snapshotOnce(t, path); err != nil {
		t.Errorf("released lock: %v", err)
	}
}

func TestMaintenanceBetween(t *testing.T) {
	a, path := create(t)
	ctx := t.Context()
	var commits []katprep.CommitID
	for n := range 30 {
		v := fmt.Sprintf("a=%d", n)
		commits = append(commits, shot(t, a, katprep.Snapshot{}, host("s", "1", "h1.example.com", append(noise("m", 0, 0), v)...), host("s", "2", "h2.example.com", noise("m", n/5, 1)...)))
		if n == 10 {
			git(t, path, "gc", "-q")
		}
		if n == 20 {
			git(t, path, "repack", "-a", "-d", "-q", "--write-midx")
			git(t, path, "pack-refs", "--all")
		}
	}
	git(t, path, "gc", "-q", "--prune=now")
	for n, c := range commits {
		s, err := a.State(ctx, c, "h1.example.com")
		if err != nil || s[0].Packages[0].EVR != katprep.EVR(strconv.Itoa(n)) {
			t.Fatalf("snapshot %d after gc: %v", n, err)
		}
	}
	clone := filepath.Join(t.TempDir(), "clone.git")
	git(t, ".", "clone", "-q", "--bare", path, clone)
	b := open(t, clone) // has no mark in its config
	if log := all(t, b.Log(ctx, "")); len(log) != len(commits) {
		t.Errorf("the clone has %d commits", len(log))
	}
	fsck(t, path)
}

// TestForeign opens what is no archive of ours.
func TestForeign(t *testing.T) {
	peers.Need(t, "git")
	_, mine := create(t)
	shot(t, open(t, mine), katprep.Snapshot{})
	tmp := t.TempDir()
	at := func(name string) string { return filepath.Join(tmp, name) }
	write := func(path, text string) {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	git(t, ".", "init", "-q", "--bare", at("bare"))
	git(t, ".", "init", "-q", "--bare", "-b", "main", at("other"))
	git(t, ".", "clone", "-q", at("other"), at("work"))
	git(t, at("work"), "commit", "-q", "--allow-empty", "-m", "x")
	git(t, at("work"), "push", "-q", "origin", "HEAD:main")
	git(t, ".", "init", "-q", "--bare", "--object-format=sha256", at("sha256"))
	git(t, ".", "clone", "-q", "--bare", "--depth=1", "file://"+mine, at("shallow"))
	git(t, ".", "clone", "-q", "--bare", "--shared", mine, at("alternates"))
	git(t, ".", "clone", "-q", "--bare", mine, at("newer"))
	git(t, at("newer"), "config", "katprep.archive", "99")
	git(t, ".", "clone", "-q", "--bare", mine, at("broken"))
	write(at("broken/config"), "[core")
	write(at("folder/file"), "x")
	write(at("file"), "x")
	for name, want := range map[string]struct {
		kind katprep.Kind
		text string
	}{
		"nothing": {katprep.NoArchive, "no archive"}, "folder": {katprep.Invalid, "not a Git repository"}, "file": {katprep.Invalid, "a file"},
		"bare": {katprep.Invalid, "not a katprep archive"}, "other": {katprep.Invalid, "not a katprep archive"},
		"sha256": {katprep.Invalid, "sha256"}, "shallow": {katprep.Invalid, "shallow"}, "alternates": {katprep.Invalid, "alternates"},
		"newer": {katprep.Invalid, "format is 99"}, "broken": {katprep.Corrupt, "config"},
	} {
		_, err := Open(at(name), Options{})
		if err == nil || katprep.KindOf(err) != want.kind || !strings.Contains(err.Error(), want.text) {
			t.Errorf("%s: %v", name, err)
		}
		if name != "nothing" && name != "newer" && name != "broken" {
			if err := Init(at(name)); err == nil {
				t.Errorf("init took %s over", name)
			}
		}
	}
	if err := Init(mine); err != nil {
		t.Errorf("init again: %v", err)
	}
}

// TestDamage holds that damage is named, never read as something else.
func TestDamage(t *testing.T) {
	a, path := create(t)
	ctx := t.Context()
	c := shot(t, a, katprep.Snapshot{}, host("s", "1", "h1", noise("d", 0, 0)...))
	ref := filepath.Join(path, branch)
	for what, text := range map[string]string{"empty": "", "cut": "abc", "zero": strings.Repeat("0", 40) + "\n"} {
		if err := os.WriteFile(ref, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := snapshotOnce(t, path); katprep.KindOf(err) != katprep.Corrupt {
			t.Errorf("%s reference: %v", what, err)
		}
	}
	os.Remove(ref)
	if _, err := snapshotOnce(t, path); katprep.KindOf(err) != katprep.Corrupt || !strings.Contains(katprep.HintOf(err), "logs") {
		t.Errorf("lost branch: %v", err)
	}
	if err := os.WriteFile(ref, []byte(c+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	packs, err := filepath.Glob(filepath.Join(path, "objects/pack/*.pack"))
	if err != nil || len(packs) != 1 {
		t.Fatal(packs, err)
	}
	whole, err := os.ReadFile(packs[0])
	if err != nil {
		t.Fatal(err)
	}
	os.Chmod(packs[0], 0o600)
	for i := 12; i < len(whole)-20; i++ {
		broken := append([]byte(nil), whole...)
		broken[i] ^= 0x10
		if err := os.WriteFile(packs[0], broken, 0o600); err != nil {
			t.Fatal(err)
		}
		b, err := Open(path, Options{})
		if err != nil {
			t.Fatal(err)
		}
		_, err1 := b.Snapshot(ctx, c)
		s, err2 := b.State(ctx, c, "h1")
		b.Close()
		for _, err := range []error{err1, err2} {
			if err != nil && katprep.KindOf(err) != katprep.Corrupt {
				t.Fatalf("byte %d: %v", i, err)
			}
		}
		if err1 == nil && err2 == nil && s[0].Name != "h1" {
			t.Fatalf("byte %d: read as %+v", i, s)
		}
	}
}
