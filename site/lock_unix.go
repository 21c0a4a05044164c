//go:build unix

package site

import (
	"os"
	"syscall"
)

// tryLock locks an open file until it is closed, or reports that another
// build has it.
func tryLock(f *os.File) bool {
	return syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil
}
