package site

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"

	"github.com/stdevel/katprep"
)

// versionPath is where a site says of which state of the archive it is.
const versionPath = ".katprep/version"

// versionName matches the names that version makes.
var versionName = regexp.MustCompile(`^\d{8}T\d{6}Z-[0-9a-f]{1,16}$`)

// version names the state of the archive that a site is made of: the time of
// its newest snapshot, and the last commit.
func (b *builder) version() string {
	if len(b.m.snapshots) == 0 {
		return ""
	}
	tip := b.m.head().Commit
	if n := len(b.chain.links); n > 0 {
		tip = b.chain.links[n-1].Commit
	}
	return b.now().UTC().Format("20060102T150405Z") + "-" + shortName(tip)
}

// saveVersion writes the name down, for the build that replaces this site.
func (b *builder) saveVersion(context.Context) error {
	return b.write(nil, versionPath, []byte(b.version()))
}

// keepVersions puts the site that was replaced into "<out>.versions" and
// leaves the newest n there. What is no site of ours is not touched.
func (t *tree) keepVersions(n int, now string) error {
	if n <= 0 || !t.earlier {
		return nil
	}
	raw, err := os.ReadFile(filepath.Join(t.tmp, filepath.FromSlash(versionPath)))
	if errors.Is(err, os.ErrNotExist) || err == nil && (!versionName.Match(raw) || string(raw) == now) {
		return nil // of the same state, or of no snapshot at all
	}
	dir := t.out + ".versions"
	if err == nil {
		err = os.MkdirAll(dir, 0o755)
	}
	to := filepath.Join(dir, string(raw))
	if err == nil {
		err = removeSite(to)
	}
	if err == nil {
		err = os.Rename(t.tmp, to)
	}
	if err == nil {
		err = pruneVersions(dir, n)
	}
	if err != nil {
		return fmt.Errorf("keep the earlier site: %w", err)
	}
	return nil
}

func pruneVersions(dir string, n int) error {
	entries, err := os.ReadDir(dir) // sorted: by time
	if err != nil {
		return err
	}
	var names []string
	for _, e := range entries {
		if e.IsDir() && versionName.MatchString(e.Name()) {
			names = append(names, e.Name())
		}
	}
	slices.Sort(names)
	for _, name := range names[:max(0, len(names)-n)] {
		if err := removeSite(filepath.Join(dir, name)); err != nil {
			return err
		}
	}
	return nil
}

// removeSite removes a folder that holds a site of ours, and nothing else.
func removeSite(dir string) error {
	if _, err := os.Lstat(dir); errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if _, err := os.Lstat(filepath.Join(dir, marker)); err != nil {
		return katprep.Errorf(katprep.Conflict, "%s holds files that are not a site of katprep", dir)
	}
	return os.RemoveAll(dir)
}
