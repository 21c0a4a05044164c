package site

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/stdevel/katprep"
)

// marker is the file by which a folder is known to be a site of ours.
const (
	marker     = ".katprep-site"
	markerText = "Made by katprep. Changes here are lost with the next build.\n"
)

// A tree is a site under construction, beside the one that it will replace.
type tree struct {
	out  string // absolute
	tmp  string
	lock *os.File
	// earlier says that out holds a site of ours.
	earlier bool
	// adopted are folders of the earlier site that the new one has as links,
	// until it is published.
	adopted []string
	trades  bool // the file system exchanges two names in one step
	spent   bool // nobody needs what is in tmp
}

// openTree locks the place, clears away what a killed build left behind, and
// begins a new tree.
func openTree(out string) (*tree, error) {
	abs, err := filepath.Abs(out)
	if err != nil {
		return nil, fmt.Errorf("build site: %w", err)
	}
	if err := replaceable(abs); err != nil {
		return nil, err
	}
	parent, name := filepath.Split(abs)
	if err := os.MkdirAll(parent, 0o755); err != nil {
		return nil, fmt.Errorf("build site: %w", err)
	}
	t := &tree{out: abs, tmp: filepath.Join(parent, "."+name+".katprep-build")}
	if _, err := os.Lstat(filepath.Join(abs, marker)); err == nil {
		t.earlier = true
	}
	if t.lock, err = lockFile(t.tmp + ".lock"); err != nil {
		return nil, err
	}
	if err = t.begin(); err != nil {
		t.discard()
		return nil, fmt.Errorf("build site: %w", err)
	}
	return t, nil
}

// begin clears the place of the new tree. What a build that was killed while
// it published has left there may be in use.
func (t *tree) begin() error {
	if _, err := os.Lstat(t.tmp); err == nil && t.earlier {
		if err := t.settle(); err != nil {
			return err
		}
	}
	t.spent = true
	if err := os.RemoveAll(t.tmp); err != nil {
		return err
	}
	if err := os.Mkdir(t.tmp, 0o755); err != nil {
		return err
	}
	t.trades = t.earlier && t.canTrade()
	return nil
}

// replaceable refuses a folder that is not ours.
func replaceable(dir string) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, os.ErrNotExist) || err == nil && len(entries) == 0 {
		return nil
	}
	if err != nil {
		return katprep.Errorf(katprep.Invalid, "build site: %w", err)
	}
	if _, err := os.Lstat(filepath.Join(dir, marker)); err != nil {
		return katprep.Errorf(katprep.Conflict, "build site: %s holds files that are not a site of katprep", dir).
			WithHint("choose an empty folder")
	}
	return nil
}

// lockFile locks a file that its holder removes in the end. Who got hold of a
// file that was just removed tries again.
func lockFile(path string) (*os.File, error) {
	for {
		f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
		if err != nil {
			return nil, fmt.Errorf("build site: %w", err)
		}
		if !tryLock(f) {
			f.Close()
			return nil, katprep.Errorf(katprep.Locked, "build site: another build of the same folder is under way").
				WithHint("wait for it to end")
		}
		mine, err := f.Stat()
		if err == nil {
			var there os.FileInfo
			if there, err = os.Stat(path); err == nil && os.SameFile(mine, there) {
				return f, nil
			}
		}
		f.Close()
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return nil, fmt.Errorf("build site: %w", err)
		}
	}
}

// old reads a file of the earlier site.
func (t *tree) old(name string) ([]byte, error) {
	return os.ReadFile(filepath.Join(t.out, filepath.FromSlash(name)))
}

// write makes one file of the tree. Names use slashes and are made by us. A
// file that the earlier site has with the same bytes is kept.
func (t *tree) write(name string, data []byte) (kept bool, err error) {
	path := filepath.Join(t.tmp, filepath.FromSlash(name))
	if old := filepath.Join(t.out, filepath.FromSlash(name)); t.earlier && sameFile(old, data) {
		if t.link(old, path) == nil {
			return true, nil
		}
	}
	f, err := create(path)
	if err != nil {
		return false, fmt.Errorf("build site: %w", err)
	}
	_, err = f.Write(data)
	if err = errors.Join(err, f.Close()); err != nil {
		return false, fmt.Errorf("build site: %w", err)
	}
	return false, nil
}

func create(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_EXCL, 0o644)
	if errors.Is(err, os.ErrNotExist) {
		if err = os.MkdirAll(filepath.Dir(path), 0o755); err == nil {
			f, err = os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_EXCL, 0o644)
		}
	}
	return f, err
}

func sameFile(path string, data []byte) bool {
	fi, err := os.Lstat(path)
	if err != nil || !fi.Mode().IsRegular() || fi.Size() != int64(len(data)) {
		return false
	}
	b, err := os.ReadFile(path)
	return err == nil && bytes.Equal(b, data)
}

// link gives a file of the earlier site a second name in the new one: files
// are never changed in place, so that both are safe.
func (t *tree) link(old, path string) error {
	err := os.Link(old, path)
	if errors.Is(err, os.ErrNotExist) {
		if err = os.MkdirAll(filepath.Dir(path), 0o755); err == nil {
			err = os.Link(old, path)
		}
	}
	return err
}

// keep takes a file of the earlier site as it is, if it has the size that it
// was written with.
func (t *tree) keep(name string, size int) error {
	if !t.earlier || !fs.ValidPath(name) {
		return os.ErrNotExist
	}
	old, path := filepath.Join(t.out, filepath.FromSlash(name)), filepath.Join(t.tmp, filepath.FromSlash(name))
	fi, err := os.Lstat(old)
	if err != nil {
		return err
	}
	if !fi.Mode().IsRegular() || fi.Size() != int64(size) {
		return katprep.Errorf(katprep.Corrupt, "keep %s: it was changed", name)
	}
	if t.link(old, path) == nil {
		return nil
	}
	b, err := os.ReadFile(old) // a file system without links
	if err != nil {
		return err
	}
	_, err = t.write(name, b)
	return err
}

// drop removes files that were kept.
func (t *tree) drop(files []kept) error {
	for _, f := range files {
		if err := os.Remove(filepath.Join(t.tmp, filepath.FromSlash(f.path))); err != nil {
			return fmt.Errorf("build site: %w", err)
		}
	}
	return nil
}

// publish puts the tree in the place of the old site: at no time is there
// none, or half of one. Nothing is synced to disk: a site can be built again
// at any time, and the next build keeps no file that was cut short.
func (t *tree) publish() error {
	t.spent = len(t.adopted) == 0
	err := exchange(t.tmp, t.out)
	switch {
	case err == nil:
		err = t.move(t.adopted)
		t.spent = err == nil
	case errors.Is(err, os.ErrNotExist):
		err = os.Rename(t.tmp, t.out)
	case len(t.adopted) == 0:
		err = t.swap() // a file system without exchange
	}
	if err != nil {
		return fmt.Errorf("publish site: %w", err)
	}
	return nil
}

// swap does in two steps what the file system cannot do in one.
func (t *tree) swap() error {
	old := t.tmp + ".old"
	if err := os.RemoveAll(old); err != nil {
		return err
	}
	if err := os.Rename(t.out, old); err != nil {
		return err
	}
	if err := os.Rename(t.tmp, t.out); err != nil {
		return errors.Join(err, os.Rename(old, t.out))
	}
	return os.Rename(old, t.tmp) // as after an exchange
}

// discard removes what is left in the temporary place: a tree that was not
// published, or the site that was replaced.
func (t *tree) discard() {
	if t.spent {
		os.RemoveAll(t.tmp)
	}
	if t.lock != nil {
		os.Remove(t.lock.Name())
		t.lock.Close()
	}
}
