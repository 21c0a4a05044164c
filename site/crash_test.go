//go:build unix

package site_test

import (
	"crypto/sha256"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/internal/peers"
	"github.com/stdevel/katprep/site"
)

// TestBuildForEver is what TestKill kills.
func TestBuildForEver(t *testing.T) {
	out := os.Getenv("KATPREP_TEST_BUILD_FOR_EVER")
	if out == "" {
		t.Skip("only as a child of TestKill")
	}
	for {
		if _, err := site.Build(t.Context(), sample(), out, site.Options{Version: "1.0.0", Full: true}); err != nil {
			t.Fatal(err)
		}
	}
}

// TestKill kills builds at any moment. The site that people look at is always
// whole, and the next build leaves nothing behind.
func TestKill(t *testing.T) {
	out := build(t, sample(), site.Options{Version: "1.0.0"})
	want := tree(t, out)
	for i := range 8 {
		cmd := exec.Command(os.Args[0], "-test.run=^TestBuildForEver$")
		cmd.Env = append(os.Environ(), "KATPREP_TEST_BUILD_FOR_EVER="+out)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Duration(60+37*i) * time.Millisecond) // any moment will do
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait() // killed
		if d := cmp.Diff(want, tree(t, out)); d != "" {
			t.Fatalf("after kill %d the site is not whole:\n%s", i, d)
		}
	}
	if _, err := site.Build(t.Context(), sample(), out, site.Options{Version: "1.0.0"}); err != nil {
		t.Fatal(err)
	}
	left, err := os.ReadDir(filepath.Dir(out))
	if err != nil || len(left) != 1 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// TestUpdateForEver is what TestKillUpdate kills.
func TestUpdateForEver(t *testing.T) {
	out := os.Getenv("KATPREP_TEST_UPDATE_FOR_EVER")
	if out == "" {
		t.Skip("only as a child of TestKillUpdate")
	}
	for {
		for _, m := range []site.Source{sample(), larger()} {
			if _, err := site.Build(t.Context(), m, out, site.Options{Version: "1.0.0"}); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// TestKillUpdate kills builds that take folders of an earlier site. People
// see the one site or the other, whole, and the next build equals one from
// nothing.
func TestKillUpdate(t *testing.T) {
	small, large := tree(t, build(t, sample(), site.Options{Version: "1.0.0"})), tree(t, build(t, larger(), site.Options{Version: "1.0.0"}))
	out := build(t, sample(), site.Options{Version: "1.0.0"})
	for i := range 6 {
		cmd := exec.Command(os.Args[0], "-test.run=^TestUpdateForEver$")
		cmd.Env = append(os.Environ(), "KATPREP_TEST_UPDATE_FOR_EVER="+out)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Duration(80+31*i) * time.Millisecond) // any moment will do
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait() // killed
		if d, d2 := cmp.Diff(small, seen(t, out, small)), cmp.Diff(large, seen(t, out, large)); d != "" && d2 != "" {
			t.Fatalf("after kill %d the site is neither:\n%s\n%s", i, d, d2)
		}
	}
	if _, err := site.Build(t.Context(), larger(), out, site.Options{Version: "1.0.0"}); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(large, tree(t, out)); d != "" {
		t.Errorf("the next build:\n%s", d)
	}
	if left, err := os.ReadDir(filepath.Dir(out)); err != nil || len(left) != 1 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// seen is what a web server finds of files, through links too.
func seen(t *testing.T, dir string, files map[string][32]byte) map[string][32]byte {
	t.Helper()
	got := map[string][32]byte{}
	for name := range files {
		if b, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(name))); err == nil {
			got[name] = sha256.Sum256(b)
		}
	}
	return got
}

func TestFullDisk(t *testing.T) {
	peers.NeedRoot(t)
	disk := t.TempDir()
	if err := unix.Mount("tmpfs", disk, "tmpfs", 0, "size=1500k"); err != nil {
		peers.Missing(t, "mount: "+err.Error())
	}
	t.Cleanup(func() {
		if err := unix.Unmount(disk, 0); err != nil {
			t.Error(err)
		}
	})
	out := filepath.Join(disk, "public")
	if _, err := site.Build(t.Context(), sample(), out, site.Options{}); err != nil {
		t.Fatal(err)
	}
	want := tree(t, out)
	free := func() uint64 {
		var s unix.Statfs_t
		if err := unix.Statfs(disk, &s); err != nil {
			t.Fatal(err)
		}
		return s.Bfree * uint64(s.Bsize)
	}
	before := free()
	if err := os.WriteFile(filepath.Join(disk, "ballast"), make([]byte, before-100<<10), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := site.Build(t.Context(), sample(), out, site.Options{Title: "Other"}); err == nil {
		t.Fatal("a full disk is no error")
	}
	if d := cmp.Diff(want, tree(t, out)); d != "" {
		t.Errorf("the site is not whole:\n%s", d)
	}
	if got := free(); got < 90<<10 {
		t.Errorf("%d bytes are free: something was left behind", got)
	}
}

func TestTwoBuildsAtOnce(t *testing.T) {
	out := build(t, sample(), site.Options{})
	var second error
	if _, err := site.Build(t.Context(), sample(), out, site.Options{Full: true, Progress: func(n int, _ string) {
		if n == 3 {
			_, second = site.Build(t.Context(), sample(), out, site.Options{})
		}
	}}); err != nil {
		t.Fatal(err)
	}
	if katprep.KindOf(second) != katprep.Locked {
		t.Errorf("a second build meanwhile: %v", second)
	}
}
