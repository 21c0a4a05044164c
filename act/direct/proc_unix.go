//go:build unix

package direct

import (
	"os/exec"
	"syscall"
	"time"
)

// ownGroup makes the command's whole process group end with its context, not
// only the shell.
func ownGroup(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = 5 * time.Second
}
