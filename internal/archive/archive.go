// Package archive keeps snapshots, errata, runs and decisions in a bare Git
// repository that plain Git reads for ever. docs/archive-format.md describes
// what is in it.
//
// A snapshot is one streamed pack and one commit; hosts that did not change
// cost no write. References move under Git's own lock files, synced and
// compared with their old value, so that neither a crash nor another program
// loses a commit. Everything read is checked against its hash.
package archive

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-git/go-git/v5/plumbing/format/config"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/internal/archive/mask"
	"github.com/stdevel/katprep/internal/archive/names"
	"github.com/stdevel/katprep/internal/archive/object"
	"github.com/stdevel/katprep/internal/archive/pack"
	"github.com/stdevel/katprep/internal/archive/refs"
)

// branch is the one that holds the evidence.
const branch = "refs/heads/main"

// An Archive is an open archive. It may be used by many goroutines.
type Archive struct {
	path  string // as it was given, for messages
	dir   string // the repository
	bare  bool
	refs  refs.Dir
	store *pack.Store
	opts  Options

	decoders sync.Pool                // of *canon.Decoder, which remember texts
	cut      atomic.Pointer[cutState] // see cut.go
}

// Options say in whose name commits are made. The zero value is good for
// reading.
type Options struct {
	Author    Person           // who makes the change; the committer if empty
	Committer Person           // "katprep" if empty
	Sign      Signer           // nil: commits and tags are not signed
	Now       func() time.Time // time.Now if nil
	LockWait  time.Duration    // how long to wait for another katprep
	Mask      *mask.Rules      // what is never written; nil: the built-in rules
}

// A Person is named in a commit.
type Person struct {
	Name  string `json:"name"`
	Email string `json:"email"`
}

// A Signer signs commits and tags.
type Signer interface {
	// Sign returns the armored signature of what Git signs: an SSH signature
	// in the namespace "git", or a detached OpenPGP one.
	Sign(ctx context.Context, payload []byte) (armor string, err error)
}

// Init makes an empty archive in a folder that does not exist or is empty.
// An archive that is there already is left as it is.
func Init(path string) error {
	list, err := os.ReadDir(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return fail("create archive "+path, err)
	case len(list) > 0:
		a, err := Open(path, Options{})
		if err != nil {
			return katprep.Errorf(katprep.Invalid, "create archive %s: the folder is not empty and holds no archive", path).
				WithHint("choose a new folder")
		}
		return a.Close()
	}
	return fail("create archive "+path, build(path))
}

// build writes the files of an empty bare repository, HEAD last: without it
// nobody takes the folder for one.
func build(path string) error {
	for _, d := range []string{"objects/info", "objects/pack", "refs/heads", "refs/tags", "info", pack.TempDir} {
		if err := os.MkdirAll(filepath.Join(path, d), 0o755); err != nil {
			return err
		}
	}
	for _, f := range [...]struct{ name, text string }{
		{"description", "katprep archive: snapshots and runs of patch days\n"},
		{"config", repoConfig},
		{"HEAD", "ref: " + branch + "\n"},
	} {
		if err := writeSynced(filepath.Join(path, f.name), []byte(f.text)); err != nil {
			return err
		}
	}
	return pack.SyncDir(path)
}

// repoConfig makes Git itself careful with an archive: nothing is rewritten
// or deleted by a push, reflogs are kept, and unreachable objects stay for a
// while.
const repoConfig = `[core]
	repositoryformatversion = 0
	filemode = true
	bare = true
	logAllRefUpdates = true
	fsync = committed,reference
[katprep]
	archive = 1
[receive]
	denyNonFastForwards = true
	denyDeletes = true
	fsckObjects = true
[gc]
	auto = 0
	reflogExpire = never
	reflogExpireUnreachable = never
`

func writeSynced(path string, text []byte) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	return errors.Join(err, f.Sync(), f.Close())
}

// Open opens an archive, or a clone of one for reading. The error is of kind
// NoArchive if there is nothing, Invalid if it is something else or of a kind
// that katprep does not read, Corrupt if it is damaged.
func Open(path string, o Options) (*Archive, error) {
	a := &Archive{path: path, dir: path, bare: true, opts: o.withDefaults()}
	if st, err := os.Stat(filepath.Join(path, ".git")); err == nil && st.IsDir() {
		a.dir, a.bare = filepath.Join(path, ".git"), false
	}
	op := "open archive " + path
	if _, err := os.Stat(filepath.Join(a.dir, "HEAD")); err != nil {
		return nil, a.absent(op, err)
	}
	if _, err := os.Stat(filepath.Join(a.dir, "objects")); err != nil {
		return nil, a.absent(op, err)
	}
	a.refs = refs.Dir(a.dir)
	marked, err := a.check()
	if err != nil {
		return nil, fail(op, err)
	}
	if a.store, err = pack.Open(a.dir); err != nil {
		return nil, fail(op, err)
	}
	if err = a.loadCut(); err == nil && !marked {
		err = a.recognize()
	}
	if err == nil {
		err = a.checkCut(context.Background())
	}
	if err != nil {
		return nil, errors.Join(fail(op, err), a.store.Close())
	}
	return a, nil
}

func (o Options) withDefaults() Options {
	if o.Committer.Name == "" {
		o.Committer.Name = "katprep"
	}
	if o.Committer.Email == "" {
		o.Committer.Email = "katprep@localhost"
	}
	if o.Author.Name == "" {
		o.Author = o.Committer
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Mask == nil {
		o.Mask = &mask.Rules{}
	}
	return o
}

// absent tells a path without an archive from one that is something else.
func (a *Archive) absent(op string, err error) error {
	if st, err := os.Stat(a.path); err == nil && !st.IsDir() {
		return katprep.Errorf(katprep.Invalid, "%s: it is a file, not a folder", op)
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return fail(op, err)
	}
	if list, err := os.ReadDir(a.path); err == nil && len(list) > 0 {
		return katprep.Errorf(katprep.Invalid, "%s: the folder is not a Git repository", op).
			WithHint("name the archive with --archive, or make one in a new folder with: katprep init")
	}
	return katprep.Errorf(katprep.NoArchive, "%s: there is no archive", op).
		WithHint("make one with: katprep init")
}

// check refuses repositories that would be misread, and reports whether the
// configuration marks this one as an archive.
func (a *Archive) check() (marked bool, err error) {
	for _, f := range []struct{ name, what, hint string }{
		{"objects/info/alternates", "it borrows objects from another repository (alternates)", "run in it: git repack -a -d && rm objects/info/alternates"},
	} {
		if _, err := os.Stat(filepath.Join(a.dir, f.name)); err == nil {
			return false, katprep.Errorf(katprep.Invalid, "%s", f.what).WithHint("%s", f.hint)
		}
	}
	raw, err := os.ReadFile(filepath.Join(a.dir, "config"))
	if err != nil {
		return false, err
	}
	c := config.New()
	if err := config.NewDecoder(bytes.NewReader(raw)).Decode(c); err != nil {
		return false, katprep.Errorf(katprep.Corrupt, "read its config: %w", err)
	}
	ext := c.Section("extensions")
	if f := ext.Option("objectformat"); f != "" && f != "sha1" {
		return false, katprep.Errorf(katprep.Invalid, "its object format is %s; katprep reads sha1", f).
			WithHint("make an archive with: katprep init")
	}
	if f := ext.Option("refstorage"); f != "" && f != "files" {
		return false, katprep.Errorf(katprep.Invalid, "its references are stored as %s; katprep reads files", f)
	}
	if ext.Option("partialclone") != "" {
		return false, katprep.Errorf(katprep.Invalid, "it is a partial clone, objects are missing").
			WithHint("clone it again without --filter")
	}
	return formatOf(c.Section("katprep").Option("archive"))
}

func formatOf(mark string) (marked bool, err error) {
	if mark == "" {
		return false, nil
	}
	n, err := strconv.Atoi(mark)
	if err != nil || n < 1 {
		return false, katprep.Errorf(katprep.Corrupt, "its config says katprep.archive = %q", mark)
	}
	if n > katprep.ArchiveFormat {
		return false, katprep.Errorf(katprep.Invalid, "its format is %d, this katprep knows %d", n, katprep.ArchiveFormat).
			WithHint("use a newer katprep")
	}
	return true, nil
}

// recognize looks whether an unmarked repository, such as a clone, holds
// what an archive holds.
func (a *Archive) recognize() error {
	foreign := katprep.Errorf(katprep.Invalid, "the repository is not a katprep archive").
		WithHint("make one in a new folder with: katprep init")
	tip, err := a.refs.Read(branch)
	if err != nil || tip.IsZero() {
		return errors.Join(err, foreign)
	}
	ctx := context.Background()
	root, err := a.tree(ctx, tip)
	if err != nil {
		return err
	}
	for _, name := range []string{snapshotFile, "runs", "policy"} {
		if _, ok, err := a.entry(ctx, root, name); err != nil || ok {
			return err
		}
	}
	return foreign
}

// Close releases the files that reading has opened.
func (a *Archive) Close() error { return fail("close archive "+a.path, a.store.Close()) }

// Path returns the folder of the archive as it was given to Open.
func (a *Archive) Path() string { return a.path }

const roomHint = "make room on the archive's disk; nothing is lost, the archive is as it was"

// fail turns errors of the layers below into ones that a person can act on.
// nil stays nil.
func fail(op string, err error) error {
	if err == nil {
		return nil
	}
	if e, ok := errors.AsType[*katprep.Error](err); ok {
		return &katprep.Error{Kind: e.Kind, Op: op, Err: err}
	}
	out := &katprep.Error{Kind: katprep.Internal, Op: op, Err: err}
	held, isHeld := errors.AsType[*refs.LockedError](err)
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("%s: %w", op, err)
	case isHeld:
		out.Kind = katprep.Locked
		out.Hint = "if no other program is at work there, remove " + held.File
	case errors.Is(err, refs.ErrChanged):
		out.Kind = katprep.Conflict
	case errors.Is(err, refs.ErrDamaged), errors.Is(err, pack.ErrDamaged):
		out.Kind = katprep.Corrupt
		out.Hint = "see what is damaged with: git fsck; fetch it again from a remote or a backup"
	case errors.Is(err, pack.ErrNotFound):
		out.Kind = katprep.Corrupt
		out.Hint = "objects are missing; fetch them from a remote or a backup"
	case errors.Is(err, fs.ErrPermission), isReadOnly(err):
		out.Kind = katprep.Denied
		out.Hint = "the archive cannot be written by this user"
	case isFull(err):
		out.Hint = roomHint
	}
	return out
}

// signature makes the line of a commit of a person.
func (p Person) signature(at time.Time) object.Signature {
	s := object.Signature{Name: p.Name, Email: p.Email, When: at.UTC()}
	if s.Name == "" {
		s.Name = "unknown"
	}
	return s
}

// FileName returns a file name that stands for a text, such as the path of an
// archive, and for no other.
func FileName(text string) string { return names.File(text) }
