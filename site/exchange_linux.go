package site

import (
	"os"

	"golang.org/x/sys/unix"
)

// exchange lets two names trade places in one step. Where that cannot be, it
// is an error and nothing happens.
func exchange(a, b string) error {
	if err := unix.Renameat2(unix.AT_FDCWD, a, unix.AT_FDCWD, b, unix.RENAME_EXCHANGE); err != nil {
		return &os.LinkError{Op: "exchange", Old: a, New: b, Err: err}
	}
	return nil
}
