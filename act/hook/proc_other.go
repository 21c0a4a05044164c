//go:build !unix

package hook

import (
	"os/exec"

	"github.com/stdevel/katprep"
)

func ownGroup(*exec.Cmd)              {}
func killGroup(cmd *exec.Cmd, _ bool) { _ = cmd.Process.Kill() }
func groupLives(int, string) bool     { return false }
func brokenPipe(error) bool           { return false }

func asUser(*exec.Cmd, string, string) error {
	return katprep.Errorf(katprep.Invalid, "hooks on the controller need a POSIX system")
}
