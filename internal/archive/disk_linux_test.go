package archive

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/internal/peers"
)

// TestDiskFull fills the disk at different moments of a snapshot. As root it
// is a real file system; otherwise a limit on the size of files has the same
// effect.
func TestDiskFull(t *testing.T) {
	peers.NeedRoot(t)
	peers.Need(t, "git")
	program, err := exec.LookPath("git")
	if err != nil {
		t.Fatal(err)
	}
	disk := t.TempDir()
	if err := syscall.Mount("tmpfs", disk, "tmpfs", 0, "size=3m"); err != nil {
		peers.Missing(t, "cannot mount a file system: "+err.Error())
	}
	t.Cleanup(func() { syscall.Unmount(disk, syscall.MNT_DETACH) })
	path := filepath.Join(disk, "a.git")
	if err := Init(path); err != nil {
		t.Fatal(err)
	}
	base := shot(t, open(t, path), katprep.Snapshot{}, host("s", "1", "h1"))
	filler := filepath.Join(disk, "filler")
	for _, free := range []int64{0, 4 << 10, 8 << 10, 16 << 10, 24 << 10, 32 << 10, 64 << 10, 1 << 20} {
		var st syscall.Statfs_t
		if err := syscall.Statfs(disk, &st); err != nil {
			t.Fatal(err)
		}
		if fill := int64(st.Bavail)*st.Bsize - free; fill > 0 {
			if err := os.WriteFile(filler, make([]byte, fill), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		_, err := snapshotOnce(t, path)
		_, merr := open(t, path).Maintain(t.Context(), "")
		_, gerr := open(t, path).Maintain(t.Context(), program)
		os.Remove(filler)
		if left, _ := filepath.Glob(filepath.Join(path, "objects/pack/*tmp*")); len(left) > 0 {
			t.Errorf("%d bytes free: left behind: %v", free, left)
		}
		if err != nil && (!errors.Is(err, syscall.ENOSPC) || !strings.Contains(katprep.HintOf(err), "room")) {
			t.Errorf("%d bytes free: %v", free, err)
		}
		if free == 0 && err == nil {
			t.Error("a full disk took a snapshot")
		}
		for _, err := range []error{merr, gerr} {
			if free == 0 && err == nil || err != nil && !strings.Contains(katprep.HintOf(err), "room") {
				t.Errorf("%d bytes free: maintain: %v (%s)", free, err, katprep.HintOf(err))
			}
		}
		if _, err := os.Stat(filepath.Join(path, branch+".lock")); err == nil {
			t.Error("the reference is left locked")
		}
		if !strings.Contains(git(t, path, "rev-list", "main"), string(base)) {
			t.Fatal("the history is lost")
		}
		fsck(t, path)
	}
	if _, err := snapshotOnce(t, path); err != nil {
		t.Errorf("after there is room again: %v", err)
	}
}

func TestReadOnly(t *testing.T) {
	peers.NeedRoot(t)
	_, path := create(t)
	if err := syscall.Mount(path, path, "", syscall.MS_BIND, ""); err != nil {
		peers.Missing(t, "cannot mount: "+err.Error())
	}
	t.Cleanup(func() { syscall.Unmount(path, syscall.MNT_DETACH) })
	if err := syscall.Mount("", path, "", syscall.MS_REMOUNT|syscall.MS_BIND|syscall.MS_RDONLY, ""); err != nil {
		t.Fatal(err)
	}
	_, err := snapshotOnce(t, path)
	if katprep.KindOf(err) != katprep.Denied || katprep.HintOf(err) == "" {
		t.Errorf("read-only archive: %v", err)
	}
}
