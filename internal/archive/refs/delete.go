package refs

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/stdevel/katprep/internal/archive/pack"
)

// Delete removes references which must have the values given, or returns
// ErrChanged. It is done under Git's own locks; a crash leaves each of them
// whole or gone.
func (d Dir) Delete(ctx context.Context, list []Ref, wait time.Duration) error {
	for _, r := range list {
		if err := d.deleteLoose(ctx, r, wait); err != nil {
			return fmt.Errorf("delete %s: %w", r.Name, err)
		}
	}
	return nil
}

// deleteLoose takes a reference out of packed-refs first: the loose file hides
// the packed value until it goes.
func (d Dir) deleteLoose(ctx context.Context, r Ref, wait time.Duration) (err error) {
	lock, err := d.lock(ctx, r.Name, wait)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lock.Close(), os.Remove(lock.Name())) }()
	now, err := d.Read(r.Name)
	if err != nil || now.IsZero() {
		return err
	}
	if now != r.Hash {
		return ErrChanged
	}
	if err := d.unpack(ctx, r.Name, wait); err != nil {
		return err
	}
	if err := os.Remove(d.file(r.Name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return pack.SyncDir(filepath.Dir(d.file(r.Name)))
}

// unpack writes packed-refs without a reference.
func (d Dir) unpack(ctx context.Context, name string, wait time.Duration) (err error) {
	if h, err := d.packed(name); err != nil || h.IsZero() {
		return err
	}
	lock, err := d.lock(ctx, "packed-refs", wait)
	if err != nil {
		return err
	}
	done := false
	defer func() {
		if !done {
			err = errors.Join(err, lock.Close(), os.Remove(lock.Name()))
		}
	}()
	raw, err := os.ReadFile(d.file("packed-refs"))
	if err != nil {
		return err
	}
	if _, err := lock.Write(without(raw, name)); err != nil {
		return err
	}
	if err := errors.Join(lock.Sync(), lock.Close()); err != nil {
		return err
	}
	done = true
	if err := os.Rename(lock.Name(), d.file("packed-refs")); err != nil {
		return errors.Join(err, os.Remove(lock.Name()))
	}
	return pack.SyncDir(string(d))
}

// without drops a reference's line, and the one with what its tag names.
func without(raw []byte, name string) []byte {
	var out []byte
	gone := false
	for line := range bytes.Lines(raw) {
		text := strings.TrimRight(string(line), "\n")
		if gone && strings.HasPrefix(text, "^") {
			continue
		}
		gone = strings.HasSuffix(text, " "+name) && !strings.HasPrefix(text, "#")
		if !gone {
			out = append(out, line...)
		}
	}
	return out
}

// Log returns the reflog of a branch, nil if there is none.
func (d Dir) Log(name string) ([]byte, error) {
	raw, err := os.ReadFile(d.file("logs/" + name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return raw, err
}

// ReplaceLog writes the reflog of a branch anew. The caller holds off whoever
// appends to it.
func (d Dir) ReplaceLog(name string, text []byte) error {
	path := d.file("logs/" + name)
	return replace(path, text)
}

// replace writes a file whole or not at all.
func replace(path string, text []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".new-*")
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	if err = errors.Join(err, f.Chmod(0o644), f.Sync(), f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return pack.SyncDir(filepath.Dir(path))
}

// shallow is Git's file of the commits whose parents are elsewhere.
const shallow = "shallow"

// SetCut makes a commit the end of the history here: Git takes it as one
// without parents. Name is its hash.
func (d Dir) SetCut(name string) error { return replace(d.file(shallow), []byte(name+"\n")) }

// CutChanged tells when the file of the commits that end the history was
// changed; the zero time if there is none.
func (d Dir) CutChanged() time.Time {
	st, err := os.Stat(d.file(shallow))
	if err != nil {
		return time.Time{}
	}
	return st.ModTime()
}

// Cut returns the commits that end the history here, none if it is whole.
func (d Dir) Cut() ([]string, error) {
	raw, err := os.ReadFile(d.file(shallow))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return strings.Fields(string(raw)), err
}
