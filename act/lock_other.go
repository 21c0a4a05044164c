//go:build !unix

package act

import (
	"os"

	"github.com/stdevel/katprep"
)

func lockFile(string) (*os.File, error) {
	return nil, katprep.Errorf(katprep.Invalid, "maintenance needs a POSIX system")
}

func waitLock(path string) (*os.File, error) { return lockFile(path) }
