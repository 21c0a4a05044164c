package archive

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/internal/archive/canon"
	"github.com/stdevel/katprep/internal/archive/names"
	"github.com/stdevel/katprep/internal/archive/object"
	"github.com/stdevel/katprep/internal/archive/pack"
	"github.com/stdevel/katprep/internal/archive/refs"
)

// A Writer takes the hosts of one snapshot as they come, writes them into a
// pack, and makes the snapshot's commit of them. It is a sink for
// collect.Run. Its methods are for one goroutine.
type Writer struct {
	a    *Archive
	lock *held
	pack *pack.Writer

	known  map[string]object.Hash // hosts of the parent, by path
	taken  map[string]katprep.HostID
	errata map[string]*heldErratum // by path
	base   object.Hash             // errata tree that heldErratum.hash extends

	mu    sync.Mutex // guards hosts: the pack calls back
	hosts map[string]object.Hash
}

// Begin opens a snapshot. The archive is locked for other katprep processes
// until Commit or Abort; an error of kind Locked says who has it.
func (a *Archive) Begin(ctx context.Context) (*Writer, error) {
	op := "write archive " + a.path
	lock, err := a.lock(ctx)
	if err != nil {
		return nil, fail(op, err)
	}
	w := &Writer{
		a: a, lock: lock,
		known: map[string]object.Hash{}, taken: map[string]katprep.HostID{},
		errata: map[string]*heldErratum{}, hosts: map[string]object.Hash{},
	}
	if err := w.open(ctx); err != nil {
		return nil, errors.Join(fail(op, err), lock.Close())
	}
	return w, nil
}

func (w *Writer) open(ctx context.Context) error {
	if err := pack.CleanUp(w.a.dir, pack.Snapshots); err != nil {
		return err
	}
	tip, err := w.a.tip()
	if err != nil {
		return err
	}
	if err := w.load(ctx, tip); err != nil {
		return err
	}
	w.pack, err = pack.NewWriter(w.a.dir)
	return err
}

// load remembers what the present tip holds, so that what did not change is
// not written again.
func (w *Writer) load(ctx context.Context, tip object.Hash) error {
	if tip.IsZero() {
		return nil
	}
	hosts, err := w.a.folder(ctx, tip, "hosts")
	if err != nil {
		return err
	}
	list, err := w.a.files(ctx, "hosts", hosts)
	if err != nil {
		return err
	}
	for _, f := range list {
		w.known[f.path] = f.hash
	}
	w.base, err = w.a.folder(ctx, tip, "errata")
	return err
}

// tip returns the commit that the branch points to, zero in a new archive. A
// branch that was there and is gone is damage, not a new archive: a second
// root would hide the history.
func (a *Archive) tip() (object.Hash, error) {
	tip, err := a.refs.Read(branch)
	if err != nil || !tip.IsZero() {
		return tip, err
	}
	logged, err := a.refs.Logged(branch)
	if err != nil {
		return tip, err
	}
	tags, err := a.refs.List("refs/tags/")
	if err != nil {
		return tip, err
	}
	if logged || len(tags) > 0 {
		return tip, katprep.Errorf(katprep.Corrupt, "the branch main is gone, but there was one").
			WithHint("put it back: its last values are in %s", a.dir+"/logs/"+branch)
	}
	return tip, nil
}

// Put stores one host's state. Of two hosts with one name the first keeps
// the plain path, the other gets its source's name into its own. The lists of
// s are read until Commit: nobody may change them after Put.
func (w *Writer) Put(ctx context.Context, s katprep.State) error {
	if w.pack == nil {
		return errClosed
	}
	canon.Identify(&s.Host)
	path, err := w.place(s.Host)
	if err != nil {
		return err
	}
	name := s.Name // s belongs to the encoder from here on
	encode := func(b []byte) []byte {
		w.a.opts.Mask.State(&s)
		return canon.Append(b, &s)
	}
	err = w.pack.AddFunc(ctx, object.BlobKind, encode, w.known[path], func(h object.Hash) {
		w.mu.Lock()
		w.hosts[path] = h
		w.mu.Unlock()
	})
	return fail(fmt.Sprintf("store host %q", name), err)
}

var errClosed = errors.New("the snapshot is committed or aborted")

// place chooses a host's path.
func (w *Writer) place(h katprep.Host) (string, error) {
	for _, path := range []string{
		names.Host(h.Name),
		names.Twin(h.Name, h.Source, h.ID, false),
		names.Twin(h.Name, h.Source, h.ID, true),
	} {
		switch id, ok := w.taken[path]; {
		case !ok:
			w.taken[path] = h.HostID
			return path, nil
		case id == h.HostID:
			return "", katprep.Errorf(katprep.Invalid, "store host %q: %s was stored already", h.Name, h.HostID)
		}
	}
	return "", katprep.Errorf(katprep.Invalid, "store host %q: no path is left for %s", h.Name, h.HostID)
}

// Abort gives the snapshot up and unlocks the archive, which is as it was.
// After Commit it does nothing.
func (w *Writer) Abort() error {
	if w.pack == nil {
		return nil
	}
	err := w.pack.Abort()
	w.pack = nil
	return fail("abort the snapshot", errors.Join(err, w.lock.Close()))
}

// Commit makes the snapshot part of the archive and returns its commit. When
// it returns without error, the snapshot is on disk; otherwise the archive is
// as it was. Either way the Writer is done.
func (w *Writer) Commit(ctx context.Context, s katprep.Snapshot) (c katprep.CommitID, err error) {
	const op = "commit the snapshot"
	if w.pack == nil {
		return "", errClosed
	}
	defer func() { err = errors.Join(err, w.Abort()) }()
	s = w.a.opts.Mask.Snapshot(s)
	s.Format = katprep.ArchiveFormat
	text, err := canon.Encode(s)
	if err != nil {
		return "", katprep.Errorf(katprep.Invalid, "%s: %w", op, err)
	}
	file, err := w.pack.AddNow(ctx, object.BlobKind, text, object.Hash{})
	if err != nil {
		return "", fail(op, err)
	}
	hosts, err := w.hostTree(ctx)
	if err != nil {
		return "", fail(op, err)
	}
	when := s.Finished
	if when.IsZero() {
		when = w.a.opts.Now()
	}
	ch := change{
		kind: KindSnapshot, message: snapshotMessage(s), when: when,
		tree: func(ctx context.Context, p *pack.Writer, parent object.Hash) (object.Hash, error) {
			return w.rootTree(ctx, p, parent, file, hosts)
		},
	}
	h, err := w.a.append(ctx, w.pack, ch)
	return katprep.CommitID(h.String()), fail(op, err)
}

// hostTree writes the folders of the hosts and returns that of all.
func (w *Writer) hostTree(ctx context.Context) (object.Hash, error) {
	if err := w.pack.Flush(ctx); err != nil {
		return object.Hash{}, err
	}
	return writeFolders(ctx, w.pack, w.hosts)
}

// writeFolders writes the trees of files at top/<folder>/<file>, and returns
// the top one; zero if there is no file.
func writeFolders(ctx context.Context, p *pack.Writer, files map[string]object.Hash) (object.Hash, error) {
	folders := map[string][]object.Entry{}
	for path, h := range files {
		_, rest := splitDir(path)
		folder, name := splitDir(rest)
		folders[folder] = append(folders[folder], object.Entry{Name: name, Hash: h})
	}
	if len(folders) == 0 {
		return object.Hash{}, nil
	}
	var top []object.Entry
	for name, entries := range folders {
		h, err := p.AddNow(ctx, object.TreeKind, object.EncodeTree(entries), object.Hash{})
		if err != nil {
			return h, err
		}
		top = append(top, object.Entry{Name: name, Dir: true, Hash: h})
	}
	return p.AddNow(ctx, object.TreeKind, object.EncodeTree(top), object.Hash{})
}

// splitDir parts a path after its first component.
func splitDir(path string) (first, rest string) {
	first, rest, _ = strings.Cut(path, "/")
	return first, rest
}

// rootTree writes the root of a snapshot on top of a parent: its hosts and no
// others, its errata added to the parent's, all else as the parent has it.
func (w *Writer) rootTree(ctx context.Context, p *pack.Writer, parent, file, hosts object.Hash) (object.Hash, error) {
	var root []object.Entry
	var before object.Hash // errata
	if !parent.IsZero() {
		tree, err := w.a.tree(ctx, parent)
		if err != nil {
			return tree, err
		}
		if root, err = w.a.list(ctx, tree); err != nil {
			return tree, err
		}
		if i := slices.IndexFunc(root, func(e object.Entry) bool { return e.Name == "errata" && e.Dir }); i >= 0 {
			before = root[i].Hash
		}
	}
	errata, err := w.errataTree(ctx, p, before)
	if err != nil {
		return errata, err
	}
	root = with(root, object.Entry{Name: snapshotFile, Hash: file})
	root = with(root, object.Entry{Name: "hosts", Dir: true, Hash: hosts})
	root = with(root, object.Entry{Name: "errata", Dir: true, Hash: errata})
	return p.AddNow(ctx, object.TreeKind, object.EncodeTree(root), object.Hash{})
}

// with replaces or adds an entry; one of the zero hash is removed.
func with(list []object.Entry, e object.Entry) []object.Entry {
	list = slices.DeleteFunc(slices.Clone(list), func(o object.Entry) bool { return o.Name == e.Name })
	if e.Hash.IsZero() {
		return list
	}
	return append(list, e)
}

// lockTries bounds how often a commit is made anew because another program
// was faster.
const lockTries = 100

// append finishes a pack with one commit on top of the branch and moves the
// branch to it. If the branch moves meanwhile, the commit is made again on
// its new tip.
func (a *Archive) append(ctx context.Context, p *pack.Writer, ch change) (object.Hash, error) {
	for range lockTries {
		parent, err := a.tip()
		if err != nil {
			return object.Hash{}, err
		}
		h, err := a.writeCommit(ctx, p, ch, parent)
		if err != nil {
			return object.Hash{}, err
		}
		done, err := p.Finish(ctx)
		if err != nil {
			return object.Hash{}, err
		}
		defer done.Release()
		if err := a.store.Refresh(); err != nil {
			return object.Hash{}, err
		}
		err = a.move(ctx, branch, parent, h, ch)
		if !errors.Is(err, refs.ErrChanged) {
			return h, err
		}
		if p, err = pack.NewWriter(a.dir); err != nil {
			return object.Hash{}, err
		}
		defer p.Abort()
	}
	return object.Hash{}, refs.ErrChanged
}

func (a *Archive) move(ctx context.Context, ref string, old, to object.Hash, ch change) error {
	return a.refs.Apply(ctx, refs.Update{
		Name: ref, Old: old, New: to,
		By:  a.opts.Committer.signature(a.opts.Now()),
		Why: "katprep: " + ch.message.subject,
	}, max(a.opts.LockWait, refWait))
}
