package archive

import (
	"context"
	"fmt"
	"iter"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/internal/archive/canon"
	"github.com/stdevel/katprep/internal/archive/names"
	"github.com/stdevel/katprep/internal/archive/object"
	"github.com/stdevel/katprep/internal/archive/pack"
)

const snapshotFile = "snapshot.json"

// hashOf reads a commit's ID.
func hashOf(c katprep.CommitID) (object.Hash, error) {
	h, ok := object.ParseHash(string(c))
	if !ok {
		return h, katprep.Errorf(katprep.Invalid, "%q is not the full name of a commit", string(c))
	}
	return h, nil
}

// read returns an object that must be of a kind.
func (a *Archive) read(ctx context.Context, h object.Hash, want object.Kind) ([]byte, error) {
	kind, data, err := a.store.Read(ctx, h)
	if err != nil {
		return nil, err
	}
	if kind != want {
		return nil, fmt.Errorf("object %s: %w: it is a %s, not a %s", h, pack.ErrDamaged, kind, want)
	}
	return data, nil
}

// commit reads a commit.
func (a *Archive) commit(ctx context.Context, h object.Hash) (*object.Commit, error) {
	data, err := a.read(ctx, h, object.CommitKind)
	if err != nil {
		return nil, err
	}
	c, err := object.DecodeCommit(data)
	if err != nil {
		return nil, fmt.Errorf("object %s: %w: %w", h, pack.ErrDamaged, err)
	}
	if a.isCut(h) {
		c.Parents = nil // as Git reads it
	}
	return c, nil
}

// tree returns the root tree of a commit.
func (a *Archive) tree(ctx context.Context, commit object.Hash) (object.Hash, error) {
	c, err := a.commit(ctx, commit)
	if err != nil {
		return object.Hash{}, err
	}
	return c.Tree, nil
}

// entry looks a path up, relative to a tree; its parts are separated by '/'.
func (a *Archive) entry(ctx context.Context, tree object.Hash, path ...string) (object.Entry, bool, error) {
	e := object.Entry{Dir: true, Hash: tree}
	for _, name := range path {
		if !e.Dir {
			return object.Entry{}, false, nil
		}
		data, err := a.read(ctx, e.Hash, object.TreeKind)
		if err != nil {
			return object.Entry{}, false, err
		}
		var ok bool
		if e, ok, err = object.Find(data, name); err != nil || !ok {
			return object.Entry{}, false, err
		}
	}
	return e, true, nil
}

// list returns the entries of a tree; none if the tree is the zero hash.
func (a *Archive) list(ctx context.Context, tree object.Hash) ([]object.Entry, error) {
	if tree.IsZero() {
		return nil, nil
	}
	data, err := a.read(ctx, tree, object.TreeKind)
	if err != nil {
		return nil, err
	}
	out, err := object.DecodeTree(data)
	if err != nil {
		return nil, fmt.Errorf("object %s: %w: %w", tree, pack.ErrDamaged, err)
	}
	return out, nil
}

// folder returns the hash of a folder in a commit's tree, zero if there is none.
func (a *Archive) folder(ctx context.Context, commit object.Hash, path ...string) (object.Hash, error) {
	root, err := a.tree(ctx, commit)
	if err != nil {
		return object.Hash{}, err
	}
	e, ok, err := a.entry(ctx, root, path...)
	if err != nil || !ok || !e.Dir {
		return object.Hash{}, err
	}
	return e.Hash, nil
}

// file returns the content of a file in a commit's tree.
func (a *Archive) file(ctx context.Context, commit object.Hash, path ...string) (data []byte, found bool, err error) {
	root, err := a.tree(ctx, commit)
	if err != nil {
		return nil, false, err
	}
	e, ok, err := a.entry(ctx, root, path...)
	if err != nil || !ok || e.Dir {
		return nil, false, err
	}
	data, err = a.read(ctx, e.Hash, object.BlobKind)
	return data, err == nil, err
}

// Snapshot returns the description of the snapshot that a commit holds: its
// own, or the last one before it.
func (a *Archive) Snapshot(ctx context.Context, c katprep.CommitID) (s katprep.Snapshot, err error) {
	op := "read snapshot " + c.Short()
	h, err := hashOf(c)
	if err != nil {
		return s, fail(op, err)
	}
	data, found, err := a.file(ctx, h, snapshotFile)
	if err != nil {
		return s, fail(op, err)
	}
	if !found {
		return s, katprep.Errorf(katprep.NotFound, "%s: the commit holds no snapshot", op)
	}
	if err := canon.Decode(data, &s); err != nil {
		return s, katprep.Errorf(katprep.Corrupt, "%s: %s: %w", op, snapshotFile, err)
	}
	if s.Format > katprep.ArchiveFormat {
		return s, katprep.Errorf(katprep.Invalid, "%s: its format is %d, this katprep knows %d", op, s.Format, katprep.ArchiveFormat).
			WithHint("use a newer katprep")
	}
	return s, nil
}

// State returns a host of a snapshot by its name; more than one if several
// sources know the name. The error is of kind NotFound if none does.
func (a *Archive) State(ctx context.Context, c katprep.CommitID, name string) ([]katprep.State, error) {
	op := fmt.Sprintf("read host %q of %s", name, c.Short())
	h, err := hashOf(c)
	if err != nil {
		return nil, fail(op, err)
	}
	dir, err := a.hostDir(ctx, h, name)
	if err != nil {
		return nil, fail(op, err)
	}
	entries, err := a.list(ctx, dir)
	if err != nil {
		return nil, fail(op, err)
	}
	var out []katprep.State
	for _, e := range entries {
		if !names.IsHost(e.Name, name) {
			continue
		}
		s, err := a.state(ctx, e.Hash, names.HostDir(name)+"/"+e.Name)
		if err != nil {
			return nil, fail(op, err)
		}
		out = append(out, *s)
	}
	if len(out) == 0 {
		return nil, katprep.Errorf(katprep.NotFound, "%s: there is no such host", op)
	}
	return out, nil
}

// hostDir returns the folder that would hold a host's file.
func (a *Archive) hostDir(ctx context.Context, commit object.Hash, name string) (object.Hash, error) {
	top, domain := splitDir(names.HostDir(name))
	return a.folder(ctx, commit, top, domain)
}

// state reads one host's file.
func (a *Archive) state(ctx context.Context, h object.Hash, path string) (*katprep.State, error) {
	return a.stateBy(ctx, &canon.Decoder{}, h, path)
}

func (a *Archive) stateBy(ctx context.Context, d *canon.Decoder, h object.Hash, path string) (*katprep.State, error) {
	data, err := a.read(ctx, h, object.BlobKind)
	if err != nil {
		return nil, err
	}
	s := &katprep.State{}
	if err := d.State(data, s); err != nil {
		return nil, katprep.Errorf(katprep.Corrupt, "%s: %w", path, err)
	}
	return s, nil
}

// A located is a file somewhere in a tree.
type located struct {
	path string
	hash object.Hash
}

// files returns the files of the folders in a tree, sorted by path. It reads
// two levels: hosts/<domain>/<host>.json and errata/<series>/<id>.json.
func (a *Archive) files(ctx context.Context, top string, tree object.Hash) ([]located, error) {
	dirs, err := a.list(ctx, tree)
	if err != nil {
		return nil, err
	}
	var out []located
	for _, d := range dirs {
		if !d.Dir {
			continue
		}
		entries, err := a.list(ctx, d.Hash)
		if err != nil {
			return nil, err
		}
		for _, e := range entries {
			if !e.Dir {
				out = append(out, located{top + "/" + d.Name + "/" + e.Name, e.Hash})
			}
		}
	}
	return out, nil
}

// States yields all hosts of a snapshot, sorted by path: by domain, then
// name. It holds a few of them at a time.
func (a *Archive) States(ctx context.Context, c katprep.CommitID) iter.Seq2[katprep.State, error] {
	op := "read hosts of " + c.Short()
	return func(yield func(katprep.State, error) bool) {
		h, err := hashOf(c)
		if err != nil {
			yield(katprep.State{}, fail(op, err))
			return
		}
		dir, err := a.folder(ctx, h, "hosts")
		if err != nil {
			yield(katprep.State{}, fail(op, err))
			return
		}
		list, err := a.files(ctx, "hosts", dir)
		if err != nil {
			yield(katprep.State{}, fail(op, err))
			return
		}
		for s, err := range a.bulk(ctx, list) {
			if err != nil {
				yield(katprep.State{}, fail(op, err))
				return
			}
			if !yield(*s, nil) {
				return
			}
		}
	}
}
