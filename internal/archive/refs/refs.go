// Package refs reads and moves the references of a Git repository so that a
// crash, a full disk or another writer never loses one: under Git's own lock
// file, compared with the old value, synced before it counts.
package refs

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/stdevel/katprep/internal/archive/object"
	"github.com/stdevel/katprep/internal/archive/pack"
)

// ErrChanged means that a reference is no longer what the caller thought.
var ErrChanged = errors.New("reference changed meanwhile")

// ErrDamaged means that a reference is there but holds no hash.
var ErrDamaged = errors.New("reference is damaged")

// A LockedError means that another program holds a reference, or died while
// it did.
type LockedError struct {
	File  string
	Since time.Time
}

// Error names the lock file and its age.
func (e *LockedError) Error() string {
	return fmt.Sprintf("%s exists since %s", e.File, e.Since.UTC().Format(time.RFC3339))
}

// A Dir holds the references of the repository in a folder.
type Dir string

// Read returns the value of a reference such as "refs/heads/main"; zero if
// there is none. An unreadable one is an error, never "none".
func (d Dir) Read(name string) (object.Hash, error) {
	// Git deletes the loose file after it has written the packed one, and
	// creates it again for the next change: a second look catches both.
	for range 2 {
		if h, err := d.loose(name); err != nil || !h.IsZero() {
			return h, err
		}
		if h, err := d.packed(name); err != nil || !h.IsZero() {
			return h, err
		}
	}
	return object.Hash{}, nil
}

func (d Dir) file(name string) string { return filepath.Join(string(d), filepath.FromSlash(name)) }

func (d Dir) loose(name string) (object.Hash, error) {
	raw, err := os.ReadFile(d.file(name))
	if errors.Is(err, fs.ErrNotExist) || err != nil && isDir(d.file(name)) {
		return object.Hash{}, nil
	}
	if err != nil {
		return object.Hash{}, err
	}
	h, ok := object.ParseHash(strings.TrimRight(string(raw), "\n"))
	if !ok || h.IsZero() {
		return object.Hash{}, fmt.Errorf("%w: %s", ErrDamaged, d.file(name))
	}
	return h, nil
}

func isDir(path string) bool {
	st, err := os.Stat(path)
	return err == nil && st.IsDir()
}

func (d Dir) packed(name string) (object.Hash, error) {
	for ref, err := range d.allPacked() {
		if err != nil || ref.Name == name {
			return ref.Hash, err
		}
	}
	return object.Hash{}, nil
}

// A Ref is a reference and its value.
type Ref struct {
	Name string
	Hash object.Hash
}

func (d Dir) allPacked() func(yield func(Ref, error) bool) {
	return func(yield func(Ref, error) bool) {
		raw, err := os.ReadFile(d.file("packed-refs"))
		if errors.Is(err, fs.ErrNotExist) {
			return
		}
		if err != nil {
			yield(Ref{}, err)
			return
		}
		lines := bufio.NewScanner(bytes.NewReader(raw))
		for lines.Scan() {
			line := lines.Text()
			if line == "" || line[0] == '#' || line[0] == '^' {
				continue
			}
			hex, name, _ := strings.Cut(line, " ")
			h, ok := object.ParseHash(hex)
			if !ok || name == "" {
				yield(Ref{}, fmt.Errorf("%w: %s", ErrDamaged, d.file("packed-refs")))
				return
			}
			if !yield(Ref{name, h}, nil) {
				return
			}
		}
		if err := lines.Err(); err != nil {
			yield(Ref{}, err)
		}
	}
}

// List returns the references whose names begin with prefix, sorted.
func (d Dir) List(prefix string) ([]Ref, error) {
	all := map[string]object.Hash{}
	for ref, err := range d.allPacked() {
		if err != nil {
			return nil, err
		}
		if strings.HasPrefix(ref.Name, prefix) {
			all[ref.Name] = ref.Hash
		}
	}
	err := filepath.WalkDir(d.file("refs"), func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return ignoreGone(err)
		}
		rel, err := filepath.Rel(string(d), path)
		if err != nil {
			return err
		}
		name := filepath.ToSlash(rel)
		if !strings.HasPrefix(name, prefix) || strings.HasSuffix(name, ".lock") {
			return nil
		}
		h, err := d.loose(name)
		if err == nil && !h.IsZero() {
			all[name] = h
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	out := make([]Ref, 0, len(all))
	for name, h := range all {
		out = append(out, Ref{name, h})
	}
	slices.SortFunc(out, func(a, b Ref) int { return strings.Compare(a.Name, b.Name) })
	return out, nil
}

func ignoreGone(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// An Update says how a reference is to change.
type Update struct {
	Name string
	Old  object.Hash // what it must be now; zero: it must not exist
	New  object.Hash
	By   object.Signature // for the reflog
	Why  string           // one line, for the reflog
}

// Apply changes a reference, or returns ErrChanged if it is not what
// Update.Old says, or a *LockedError if another program holds it for longer
// than wait.
func (d Dir) Apply(ctx context.Context, u Update, wait time.Duration) (err error) {
	lock, err := d.lock(ctx, u.Name, wait)
	if err != nil {
		return err
	}
	defer func() {
		if lock != nil {
			err = errors.Join(err, lock.Close(), os.Remove(lock.Name()))
		}
	}()
	now, err := d.Read(u.Name)
	if err != nil {
		return err
	}
	if now != u.Old {
		return fmt.Errorf("%s: %w", u.Name, ErrChanged)
	}
	if _, err := io.WriteString(lock, u.New.String()+"\n"); err != nil {
		return err
	}
	if err := lock.Sync(); err != nil {
		return err
	}
	if err := d.log(u); err != nil {
		return err
	}
	if err := lock.Close(); err != nil {
		return err
	}
	if err := os.Rename(lock.Name(), d.file(u.Name)); err != nil {
		os.Remove(lock.Name())
		lock = nil
		return err
	}
	lock = nil
	return pack.SyncDir(filepath.Dir(d.file(u.Name)))
}

// lock creates Git's own lock file of a reference.
func (d Dir) lock(ctx context.Context, name string, wait time.Duration) (*os.File, error) {
	path := d.file(name) + ".lock"
	end := time.Now().Add(wait)
	for pause := time.Millisecond; ; pause = min(2*pause, 25*time.Millisecond) {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return nil, err
		}
		f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
		if err == nil || !errors.Is(err, fs.ErrExist) && !errors.Is(err, fs.ErrNotExist) {
			return f, err
		}
		if time.Now().After(end) {
			e := &LockedError{File: path}
			if st, err := os.Stat(path); err == nil {
				e.Since = st.ModTime()
			}
			return nil, e
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(pause):
		}
	}
}

// log appends to the reflog of a branch. It comes before the rename: a line
// too many tells of a change that was about to be made, a line too few would
// hide one.
func (d Dir) log(u Update) error {
	if !strings.HasPrefix(u.Name, "refs/heads/") {
		return nil
	}
	path := d.file("logs/" + u.Name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	why := strings.NewReplacer("\n", " ", "\r", " ").Replace(u.Why)
	_, err = fmt.Fprintf(f, "%s %s %s\t%s\n", u.Old, u.New, u.By, why)
	return errors.Join(err, f.Close())
}

// Logged reports whether the branch ever had a value, as far as the reflog
// tells.
func (d Dir) Logged(name string) (bool, error) {
	st, err := os.Stat(d.file("logs/" + name))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil && st.Size() > 0, err
}
