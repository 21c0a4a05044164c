//go:build unix

package hook

import (
	"errors"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/stdevel/katprep"
)

func ownGroup(cmd *exec.Cmd) {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Setpgid = true
}

// killGroup sends TERM, or KILL if hard, to the command and its children.
func killGroup(cmd *exec.Cmd, hard bool) {
	sig := syscall.SIGTERM
	if hard {
		sig = syscall.SIGKILL
	}
	_ = syscall.Kill(-cmd.Process.Pid, sig) // gone already is as good
}

// groupLives reports whether the wrapper in the process is still the one of
// the directory: process IDs are used again.
func groupLives(pid int, dir string) bool {
	if syscall.Kill(pid, 0) != nil {
		return false
	}
	line, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/cmdline")
	return err != nil || strings.Contains(string(line), dir)
}

func brokenPipe(err error) bool { return errors.Is(err, syscall.EPIPE) }

// asUser lets the command run as another user; only root can do that.
func asUser(cmd *exec.Cmd, dir, name string) error {
	if name == "" {
		return nil
	}
	u, err := user.Lookup(name)
	if err != nil {
		return katprep.Errorf(katprep.NotFound, "user %q: %w", name, err)
	}
	uid, uerr := strconv.ParseUint(u.Uid, 10, 32)
	gid, gerr := strconv.ParseUint(u.Gid, 10, 32)
	if err := errors.Join(uerr, gerr); err != nil {
		return err
	}
	if int(uid) == os.Getuid() {
		return nil
	}
	if os.Getuid() != 0 {
		return katprep.Errorf(katprep.Denied, "run as %q: only root can", name)
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}
	return errors.Join(os.Chown(dir, int(uid), int(gid)), os.Chown(filepath.Join(dir, "script"), int(uid), int(gid)), os.Chmod(filepath.Dir(dir), 0o711))
}
