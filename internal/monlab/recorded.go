//go:build unix

package monlab

import (
	"os"
	"path/filepath"
	"testing"
)

// Recorded returns a folder of exchanges that were recorded with real servers,
// for systems that cannot run here. It is no part of the project: it is looked
// for in $KATPREP_SHARED and in "shared" beside the project, and its absence
// skips the test even where services are required.
func Recorded(t testing.TB, name string) string {
	t.Helper()
	roots := []string{os.Getenv("KATPREP_SHARED")}
	if dir, err := os.Getwd(); err == nil {
		for ; dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
			roots = append(roots, filepath.Join(dir, "..", "shared"))
		}
	}
	for _, r := range roots {
		for _, sub := range []string{"lab", ""} {
			if p := filepath.Join(r, sub, name); r != "" && exists(p) {
				return p
			}
		}
	}
	t.Skip("no recorded exchanges: " + name)
	return ""
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
