package archive

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/internal/archive/object"
	"github.com/stdevel/katprep/internal/archive/pack"
)

// A Maintenance says what Maintain did.
type Maintenance struct {
	PacksBefore int   `json:"packs_before"`
	PacksAfter  int   `json:"packs_after"`
	BytesBefore int64 `json:"bytes_before"`
	BytesAfter  int64 `json:"bytes_after"`
}

// Maintain joins the packs of many snapshots into one, which is smaller and
// quicker to read. No history is lost: every object that a reference leads to
// is in the new pack before an old one goes, and packs that a writer has just
// made or keeps are left alone, so it may run beside a snapshot. git names
// Git's program, which then does it; "" does it without, and packs tighter.
func (a *Archive) Maintain(ctx context.Context, git string) (m Maintenance, err error) {
	const op = "maintain the archive"
	lock, err := a.maintainLock()
	if err != nil {
		return m, fail(op, err)
	}
	defer lock.Close()
	if err := pack.CleanUp(a.dir, pack.Maintenance); err != nil {
		return m, fail(op, err)
	}
	old, err := a.packs()
	if err != nil {
		return m, fail(op, err)
	}
	m.PacksBefore, m.BytesBefore = len(old), sizeOf(old)
	if git != "" {
		err = a.repackByGit(ctx, git)
	} else {
		err = a.repack(ctx, old)
	}
	if err != nil {
		return m, fail(op, err)
	}
	now, err := a.packs()
	if err != nil {
		return m, fail(op, err)
	}
	m.PacksAfter, m.BytesAfter = len(now), sizeOf(now)
	return m, fail(op, a.store.Refresh())
}

// maintainLock keeps two maintenances apart; snapshots have another lock.
func (a *Archive) maintainLock() (*held, error) {
	if !a.bare {
		return nil, katprep.Errorf(katprep.Invalid, "it is a clone with a working tree: use git gc")
	}
	path := filepath.Join(a.dir, "katprep", "maintain.lock")
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	ok, err := tryLock(f)
	if err == nil && !ok {
		err = katprep.Errorf(katprep.Locked, "another katprep is maintaining it").WithHint("wait until it has ended")
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return &held{f}, nil
}

// packs returns the pack files that nobody keeps.
func (a *Archive) packs() ([]string, error) {
	list, err := filepath.Glob(filepath.Join(a.dir, "objects", "pack", "pack-*.pack"))
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(list, func(p string) bool {
		_, err := os.Stat(p[:len(p)-len(".pack")] + ".keep")
		return err == nil
	}), nil
}

func sizeOf(files []string) (sum int64) {
	for _, f := range files {
		if st, err := os.Stat(f); err == nil {
			sum += st.Size()
		}
	}
	return sum
}

// repackByGit never prunes: objects that a running writer has made may have
// no reference yet.
func (a *Archive) repackByGit(ctx context.Context, git string) error {
	c := exec.CommandContext(ctx, git, "-C", a.dir, "-c", "core.fsync=committed,reference", "repack", "-a", "-d", "-q")
	c.Env = append(c.Environ(), "GIT_TERMINAL_PROMPT=0", "LC_ALL=C", "GIT_DIR="+mustAbs(a.dir))
	before, err := a.gitTemps()
	if err != nil {
		return err
	}
	out, err := c.CombinedOutput()
	if err == nil {
		return nil
	}
	if err := a.removeTemps(before); err != nil {
		return err
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	err = fmt.Errorf("git repack: %w: %s", err, oneLine(string(bytes.TrimSpace(out))))
	for _, full := range []string{"Out of diskspace", "No space left"} {
		if bytes.Contains(out, []byte(full)) {
			return katprep.Errorf(katprep.Internal, "%w", err).WithHint("%s", roomHint)
		}
	}
	return err
}

// gitTemps returns the unfinished packs in the archive. Git leaves them when
// the disk is full, and so keeps it full for two weeks.
func (a *Archive) gitTemps() ([]string, error) {
	dir := filepath.Join(a.dir, "objects", "pack")
	visible, err1 := filepath.Glob(filepath.Join(dir, "tmp_*"))
	hidden, err2 := filepath.Glob(filepath.Join(dir, ".tmp-*"))
	return append(visible, hidden...), errors.Join(err1, err2)
}

// removeTemps removes unfinished packs that were not there before.
func (a *Archive) removeTemps(before []string) error {
	now, err := a.gitTemps()
	if err != nil {
		return err
	}
	for _, f := range now {
		if slices.Contains(before, f) {
			continue
		}
		if err := os.Remove(f); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

func mustAbs(dir string) string {
	if abs, err := filepath.Abs(dir); err == nil {
		return abs
	}
	return dir
}

// An item is one object that a reference leads to.
type item struct {
	hash object.Hash
	path string // of files and folders: versions of one path are written together
	n    int    // in which it was found
}

// repack writes everything reachable into one pack and removes the old ones,
// once the new one was read back to the last object.
func (a *Archive) repack(ctx context.Context, old []string) error {
	items, err := a.reachable(ctx)
	if err != nil || len(items) == 0 {
		return err
	}
	slices.SortStableFunc(items, func(x, y item) int {
		return cmp.Or(cmp.Compare(x.path, y.path), cmp.Compare(x.n, y.n))
	})
	done, err := a.packItems(ctx, items)
	if err != nil {
		return err
	}
	defer done.Release()
	if err := pack.Holds(ctx, done.File(), len(items), func(i int) object.Hash { return items[i].hash }); err != nil {
		err = fmt.Errorf("the new pack %s is of no use, the old ones stay: %w", filepath.Base(done.File()), err)
		if !slices.Contains(old, done.File()) {
			err = errors.Join(err, a.removePacks([]string{done.File()}, ""))
		}
		return err
	}
	if err := a.store.Refresh(); err != nil {
		return err
	}
	return a.removePacks(old, done.File())
}

// packItems writes a pack, in which each item may be made of the one before
// if it is a version of the same path.
func (a *Archive) packItems(ctx context.Context, items []item) (*pack.Pack, error) {
	p, err := pack.NewMaintainer(a.dir)
	if err != nil {
		return nil, err
	}
	defer p.Abort()
	if err := a.addItems(ctx, p, items); err != nil {
		return nil, err
	}
	return p.Finish(ctx)
}

// addItems puts items that are sorted by path into a pack.
func (a *Archive) addItems(ctx context.Context, p *pack.Writer, items []item) error {
	var last *pack.Link
	for i, it := range items {
		kind, data, err := a.store.Read(ctx, it.hash)
		if err != nil {
			return err
		}
		if i == 0 || it.path == "" || it.path != items[i-1].path {
			last = nil
		}
		if last, err = p.AddAfter(ctx, kind, data, last); err != nil {
			return err
		}
	}
	return nil
}

// removePacks removes old packs, each with its index first: a reader that
// finds the index finds the pack.
func (a *Archive) removePacks(old []string, but string) error {
	for _, f := range old {
		if f == but {
			continue
		}
		base := f[:len(f)-len(".pack")]
		for _, ext := range []string{".idx", ".rev", ".bitmap", ".mtimes", ".pack"} {
			if err := os.Remove(base + ext); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
	}
	// A multi-pack index names packs that are gone.
	if err := os.Remove(filepath.Join(a.dir, "objects", "pack", "multi-pack-index")); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return pack.SyncDir(filepath.Join(a.dir, "objects", "pack"))
}

// reachable lists every object that a reference leads to, once.
func (a *Archive) reachable(ctx context.Context) ([]item, error) {
	list, err := a.refs.List("refs/")
	if err != nil {
		return nil, err
	}
	r := &reach{a: a, seen: map[object.Hash]bool{}, paths: map[string]string{}}
	for _, ref := range list {
		if err := r.ref(ctx, ref.Hash); err != nil {
			return nil, err
		}
	}
	return r.items, nil
}

type reach struct {
	a     *Archive
	seen  map[object.Hash]bool
	paths map[string]string // each once: most objects are versions of a few
	items []item
}

func (r *reach) add(h object.Hash, path string) bool {
	if r.seen[h] {
		return false
	}
	r.seen[h] = true
	if known, ok := r.paths[path]; ok {
		path = known
	} else {
		r.paths[path] = path
	}
	r.items = append(r.items, item{h, path, len(r.items)})
	return true
}

func (r *reach) ref(ctx context.Context, h object.Hash) error {
	kind, data, err := r.a.store.Read(ctx, h)
	if err != nil {
		return err
	}
	if kind == object.TagKind {
		r.add(h, "")
		t, ok := object.DecodeTag(data)
		if !ok {
			return katprep.Errorf(katprep.Invalid, "tag %s names no commit", h).WithHint("let git do it: git repack -a -d")
		}
		return r.ref(ctx, t.Target)
	}
	if kind != object.CommitKind {
		return katprep.Errorf(katprep.Invalid, "a reference names a %s", kind).WithHint("let git do it: git repack -a -d")
	}
	for v, err := range r.a.walk(ctx, h) {
		if err != nil {
			return err
		}
		if !r.add(v.hash, "") {
			continue
		}
		if err := r.tree(ctx, v.commit.Tree, "/"); err != nil {
			return err
		}
	}
	return nil
}

func (r *reach) tree(ctx context.Context, h object.Hash, path string) error {
	if !r.add(h, path) {
		return nil
	}
	data, err := r.a.read(ctx, h, object.TreeKind)
	if err != nil {
		return err
	}
	list, err := object.DecodeTree(data)
	if err != nil {
		return err
	}
	for _, e := range list {
		if !e.Dir {
			if !r.seen[e.Hash] {
				r.add(e.Hash, path+e.Name)
			}
		} else if err := r.tree(ctx, e.Hash, path+e.Name+"/"); err != nil {
			return err
		}
	}
	return nil
}
