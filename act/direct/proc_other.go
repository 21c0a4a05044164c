//go:build !unix

package direct

import (
	"os/exec"
	"time"
)

// ownGroup bounds the end of the command; there are no process groups here.
func ownGroup(cmd *exec.Cmd) { cmd.WaitDelay = 5 * time.Second }
