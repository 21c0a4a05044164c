package creds

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"

	"github.com/stdevel/katprep"
)

// replace writes the file beside the old one, syncs it, and moves it into
// place. The new file is the lock as well: only one writer can make it.
func (f *File) replace(data []byte) (err error) {
	dir := filepath.Dir(f.path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	tmp := f.path + ".new"
	w, err := os.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return katprep.Errorf(katprep.Locked, "%s exists: another katprep is writing the file", tmp).
			WithHint("if none is, one was killed while it wrote: remove %s", tmp)
	}
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(tmp))
		}
	}()
	if err := f.unchanged(); err != nil {
		return errors.Join(err, w.Close())
	}
	if _, err := w.Write(data); err != nil {
		return errors.Join(err, w.Close())
	}
	if err := errors.Join(w.Sync(), w.Close()); err != nil {
		return err
	}
	if err := os.Rename(tmp, f.path); err != nil {
		return err
	}
	return syncDir(dir)
}

// unchanged holds if nobody wrote the file since it was opened.
func (f *File) unchanged() error {
	now, err := os.ReadFile(f.path)
	switch {
	case errors.Is(err, fs.ErrNotExist) && f.raw == nil:
		return nil
	case err != nil:
		return err
	case !bytes.Equal(now, f.raw):
		return katprep.Errorf(katprep.Conflict, "%s was changed meanwhile", f.path).WithHint("try again")
	}
	return nil
}

func syncDir(dir string) error {
	if runtime.GOOS == "windows" {
		return nil // it has no such thing
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
