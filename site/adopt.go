package site

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Most of a large site is folders with a page for every host of an old
// maintenance. To link each page into the new site, and to remove it from the
// old one, would take longer than making what is new. So that the new site
// has such a folder whole, and the old one too for as long as it is read:
//
//  1. while it is built, the new site has a symbolic link in its place;
//  2. new and old site are exchanged; the link leads to where the old is now;
//  3. the link and the folder are exchanged.
//
// Each step is one system call, and the site that people read is whole before
// and after each. A build that is killed between 2 and 3 leaves the old site
// beside the new one, and the next build begins with step 3.

// adopt takes a folder of the earlier site, if all its files are there with
// their sizes, and nothing else.
func (t *tree) adopt(dir string, files []kept) bool {
	if !t.trades || !fs.ValidPath(dir) || !t.holds(dir, files) {
		return false
	}
	path := filepath.Join(t.tmp, filepath.FromSlash(dir))
	if os.MkdirAll(filepath.Dir(path), 0o755) != nil || os.Symlink(t.target(dir), path) != nil {
		return false
	}
	t.adopted = append(t.adopted, dir)
	return true
}

// target is where a folder of the old site is once it was replaced, as seen
// from the same place in the new one.
func (t *tree) target(dir string) string {
	return filepath.Join(strings.Repeat("../", strings.Count(dir, "/")+1), filepath.Base(t.tmp), filepath.FromSlash(dir))
}

// holds reports whether a folder of the earlier site has these files, with
// their sizes, and no others.
func (t *tree) holds(dir string, files []kept) bool {
	path := filepath.Join(t.out, filepath.FromSlash(dir))
	if fi, err := os.Lstat(path); err != nil || !fi.IsDir() {
		return false
	}
	d, err := os.Open(path)
	if err != nil {
		return false
	}
	defer d.Close()
	names, err := d.Readdirnames(-1)
	if err != nil || len(names) != len(files) {
		return false
	}
	root, err := os.OpenRoot(path)
	if err != nil {
		return false
	}
	defer root.Close()
	for _, f := range files {
		name, ok := strings.CutPrefix(f.path, dir+"/")
		if !ok || strings.Contains(name, "/") {
			return false
		}
		if fi, err := root.Lstat(name); err != nil || !fi.Mode().IsRegular() || fi.Size() != int64(f.size) {
			return false
		}
	}
	return true
}

// move brings adopted folders from the site that was replaced into the one
// that replaced it.
func (t *tree) move(dirs []string) error {
	var errs []error
	for _, dir := range dirs {
		errs = append(errs, exchange(filepath.Join(t.tmp, filepath.FromSlash(dir)), filepath.Join(t.out, filepath.FromSlash(dir))))
	}
	return errors.Join(errs...)
}

// settle moves what a build that was killed has not moved.
func (t *tree) settle() error {
	var dirs []string
	for _, kind := range []string{"maintenances", "snapshots"} {
		pairs, err := os.ReadDir(filepath.Join(t.out, kind))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		for _, p := range pairs {
			dir := kind + "/" + p.Name() + "/hosts"
			if to, err := os.Readlink(filepath.Join(t.out, filepath.FromSlash(dir))); err == nil && to == t.target(dir) {
				dirs = append(dirs, dir)
			}
		}
	}
	return t.move(dirs)
}

// canTrade tries to exchange two names where the tree is.
func (t *tree) canTrade() bool {
	a, b := filepath.Join(t.tmp, "a"), filepath.Join(t.tmp, "b")
	ok := os.Mkdir(a, 0o755) == nil && os.Symlink("a", b) == nil && exchange(a, b) == nil
	return errors.Join(os.RemoveAll(a), os.RemoveAll(b)) == nil && ok
}
