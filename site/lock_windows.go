package site

import (
	"os"

	"golang.org/x/sys/windows"
)

// tryLock locks an open file until it is closed, or reports that another
// build has it.
func tryLock(f *os.File) bool {
	return windows.LockFileEx(windows.Handle(f.Fd()), windows.LOCKFILE_EXCLUSIVE_LOCK|windows.LOCKFILE_FAIL_IMMEDIATELY, 0, 1, 0, &windows.Overlapped{}) == nil
}
