package site

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/stdevel/katprep"
)

// marker is the file by which a folder is known to be a site of ours.
const marker = ".katprep-site"

// A tree is a site under construction, beside the one that it will replace.
type tree struct {
	out  string // absolute
	tmp  string
	lock *os.File
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
	if t.lock, err = lockFile(t.tmp + ".lock"); err != nil {
		return nil, err
	}
	if err = os.RemoveAll(t.tmp); err == nil {
		err = os.Mkdir(t.tmp, 0o755)
	}
	if err == nil {
		err = os.WriteFile(filepath.Join(t.tmp, marker), []byte("Made by katprep. Changes here are lost with the next build.\n"), 0o644)
	}
	if err != nil {
		t.discard()
		return nil, fmt.Errorf("build site: %w", err)
	}
	return t, nil
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

func lockFile(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, fmt.Errorf("build site: %w", err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		f.Close()
		return nil, katprep.Errorf(katprep.Locked, "build site: another build of the same folder is under way").
			WithHint("wait for it to end")
	}
	return f, nil
}

// write makes one file of the tree. Names use slashes and are made by us.
func (t *tree) write(name string, fill func(io.Writer) error) (int64, error) {
	path := filepath.Join(t.tmp, filepath.FromSlash(name))
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_EXCL, 0o644)
	if errors.Is(err, os.ErrNotExist) {
		if err = os.MkdirAll(filepath.Dir(path), 0o755); err == nil {
			f, err = os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_EXCL, 0o644)
		}
	}
	if err != nil {
		return 0, fmt.Errorf("build site: %w", err)
	}
	c := &counter{w: f}
	if err := errors.Join(fill(c), f.Close()); err != nil {
		return c.n, fmt.Errorf("write %s: %w", name, err)
	}
	return c.n, nil
}

type counter struct {
	w io.Writer
	n int64
}

func (c *counter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.n += int64(n)
	return n, err
}

// publish puts the tree in the place of the old site: at no time is there
// none, or half of one.
func (t *tree) publish() error {
	if err := syncAll(t.tmp); err != nil {
		return fmt.Errorf("publish site: %w", err)
	}
	err := unix.Renameat2(unix.AT_FDCWD, t.tmp, unix.AT_FDCWD, t.out, unix.RENAME_EXCHANGE)
	if errors.Is(err, unix.ENOENT) {
		err = os.Rename(t.tmp, t.out)
	} else if err != nil {
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
	return os.RemoveAll(old)
}

// syncAll makes the files reach the disk before they are given the name that
// people look at.
func syncAll(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return unix.Syncfs(int(d.Fd()))
}

// discard removes what is left in the temporary place: a tree that was not
// published, or the site that was replaced.
func (t *tree) discard() {
	os.RemoveAll(t.tmp)
	if t.lock != nil {
		os.Remove(t.lock.Name())
		t.lock.Close()
	}
}
