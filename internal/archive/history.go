package archive

import (
	"context"
	"fmt"
	"iter"
	"slices"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/internal/archive/names"
	"github.com/stdevel/katprep/internal/archive/object"
)

// A Version is one change of a host's file.
type Version struct {
	Commit Commit
	Path   string
	State  *katprep.State // nil: the snapshot does not have the host
}

// History yields the commits that changed a host's file, or in which it
// vanished, the newest first. It follows first parents: what a merge brought
// in changed with the merge. An empty from means the tip.
func (a *Archive) History(ctx context.Context, from katprep.CommitID, name string) iter.Seq2[Version, error] {
	op := fmt.Sprintf("read the history of host %q", name)
	return func(yield func(Version, error) bool) {
		h, err := a.start(from)
		if err == nil && !h.IsZero() {
			err = a.history(ctx, h, name, yield)
		}
		if err != nil {
			yield(Version{}, fail(op, err))
		}
	}
}

// A trail follows the files of one host from commit to commit.
type trail struct {
	a      *Archive
	name   string
	stem   string    // of the names of its files
	domain [2]string // path of the folder
	hosts  object.Hash
	folder object.Hash
	files  []object.Entry
}

// at returns the host's files in a commit; what has the same hash as the last
// time is not read again.
func (t *trail) at(ctx context.Context, c *object.Commit) ([]object.Entry, error) {
	top, ok, err := t.a.entry(ctx, c.Tree, t.domain[0])
	if err != nil || !ok {
		t.hosts, t.folder, t.files = object.Hash{}, object.Hash{}, nil
		return nil, err
	}
	if top.Hash == t.hosts {
		return t.files, nil
	}
	t.hosts = top.Hash
	dir, _, err := t.a.entry(ctx, top.Hash, t.domain[1])
	if err != nil || dir.Hash == t.folder {
		return t.files, err
	}
	t.folder, t.files = dir.Hash, nil
	if dir.Hash.IsZero() {
		return nil, nil
	}
	data, err := t.a.read(ctx, dir.Hash, object.TreeKind)
	if err != nil {
		return nil, err
	}
	for e, err := range object.Prefixed(data, t.stem) {
		if err != nil {
			return nil, err
		}
		if names.IsHost(e.Name, t.name) {
			t.files = append(t.files, e)
		}
	}
	return t.files, nil
}

func (a *Archive) history(ctx context.Context, from object.Hash, name string, yield func(Version, error) bool) error {
	t := &trail{a: a, name: name, stem: names.Stem(name)}
	t.domain[0], t.domain[1] = splitDir(names.HostDir(name))
	c, err := a.commit(ctx, from)
	if err != nil {
		return err
	}
	files, err := t.at(ctx, c)
	if err != nil {
		return err
	}
	for h := from; ; {
		var before []object.Entry
		var parent *object.Commit
		if len(c.Parents) > 0 {
			if parent, err = a.commit(ctx, c.Parents[0]); err != nil {
				return err
			}
			if before, err = t.at(ctx, parent); err != nil {
				return err
			}
		}
		if more, err := a.versions(ctx, name, describe(h, c), before, files, yield); err != nil || !more || parent == nil {
			return err
		}
		h, c, files = c.Parents[0], parent, before
	}
}

// versions yields what one commit changed of the host's files.
func (a *Archive) versions(ctx context.Context, name string, c Commit, before, after []object.Entry, yield func(Version, error) bool) (more bool, err error) {
	dir := names.HostDir(name) + "/"
	for _, e := range after {
		if slices.Contains(before, e) {
			continue
		}
		s, err := a.state(ctx, e.Hash, dir+e.Name)
		if err != nil {
			return false, err
		}
		if !yield(Version{c, dir + e.Name, s}, nil) {
			return false, nil
		}
	}
	for _, e := range before {
		gone := !slices.ContainsFunc(after, func(o object.Entry) bool { return o.Name == e.Name })
		if gone && !yield(Version{Commit: c, Path: dir + e.Name}, nil) {
			return false, nil
		}
	}
	return true, nil
}
