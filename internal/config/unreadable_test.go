//go:build linux

package config

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"github.com/stdevel/katprep"
)

// TestLoadUnreadable reads a file of somebody else. Root may read any: the
// test gives that up for one thread, which ends with it.
func TestLoadUnreadable(t *testing.T) {
	path := filepath.Join(t.TempDir(), "katprep.yml")
	if err := os.WriteFile(path, []byte("archive: {path: a.git}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, 0); err != nil {
		t.Fatal(err)
	}
	failed := make(chan error)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends here
		if os.Getuid() == 0 {
			const nobody = 65534
			syscall.RawSyscall(syscall.SYS_SETFSUID, nobody, 0, 0) // it has no error; what follows shows it
		}
		_, err := Load(path)
		failed <- err
	}()
	err := <-failed
	if katprep.KindOf(err) != katprep.Invalid || !strings.HasSuffix(err.Error(), "katprep.yml: permission denied") || !strings.Contains(katprep.HintOf(err), "ls -ld ") {
		t.Errorf("%v (%s)", err, katprep.HintOf(err))
	}
	if os.Getuid() == 0 {
		if _, err := os.ReadFile(path); err != nil {
			t.Errorf("the test's own right is gone: %v", err)
		}
	}
}
