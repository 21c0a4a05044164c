//go:build !linux && !darwin

package site

import (
	"errors"
	"os"
)

// exchange cannot be done here in one step.
func exchange(a, b string) error {
	if _, err := os.Lstat(b); err != nil {
		return err
	}
	return &os.LinkError{Op: "exchange", Old: a, New: b, Err: errors.ErrUnsupported}
}
