package archive

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"strings"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/internal/archive/object"
)

// A Comparison is what differs between the hosts of two snapshots, found
// without reading any host.
type Comparison struct {
	Same int // hosts whose files are equal, byte for byte

	a     *Archive
	op    string
	dirs  [2]object.Hash // before and after
	diffs []difference   // sorted by path
}

// A difference is a path whose file is not the same in both; a zero hash
// means that there is none.
type difference struct {
	path          string
	before, after object.Hash
}

// A Pair is a host that differs. Before or After is nil if the snapshot does
// not have it.
type Pair struct {
	Path          string
	Before, After *katprep.State
}

// Compare compares the hosts of two snapshots. It reads the folders that
// differ; Pairs reads the hosts that do.
func (a *Archive) Compare(ctx context.Context, before, after katprep.CommitID) (*Comparison, error) {
	c := &Comparison{a: a, op: fmt.Sprintf("compare %s with %s", before.Short(), after.Short())}
	for i, id := range []katprep.CommitID{before, after} {
		h, err := hashOf(id)
		if err != nil {
			return nil, fail(c.op, err)
		}
		if c.dirs[i], err = a.folder(ctx, h, "hosts"); err != nil {
			return nil, fail(c.op, err)
		}
	}
	err := c.domains(ctx, func(d difference) { c.diffs = append(c.diffs, d) }, func(string, object.Entry) { c.Same++ })
	if err != nil {
		return nil, fail(c.op, err)
	}
	slices.SortFunc(c.diffs, func(x, y difference) int { return strings.Compare(x.path, y.path) })
	return c, nil
}

// domains calls differ for each path that differs, in the order of the
// folders, and same for each host that does not, with its folder.
func (c *Comparison) domains(ctx context.Context, differ func(difference), same func(dir string, e object.Entry)) error {
	pairs, err := c.pairs(ctx, c.dirs[0], c.dirs[1], true)
	if err != nil {
		return err
	}
	for _, d := range pairs {
		if d.before == d.after {
			list, err := c.a.list(ctx, d.before)
			if err != nil {
				return err
			}
			for _, e := range list {
				same(d.path, e)
			}
			continue
		}
		hosts, err := c.pairs(ctx, d.before, d.after, false)
		if err != nil {
			return err
		}
		for _, h := range hosts {
			if h.before == h.after {
				same(d.path, object.Entry{Name: h.path, Hash: h.before})
				continue
			}
			h.path = "hosts/" + d.path + "/" + h.path
			differ(h)
		}
	}
	return nil
}

// Unchanged reads the hosts that do not differ and yields them sorted by
// path. Those that do are not read.
func (c *Comparison) Unchanged(ctx context.Context) iter.Seq2[katprep.State, error] {
	return func(yield func(katprep.State, error) bool) {
		var list []located
		err := c.domains(ctx, func(difference) {}, func(dir string, e object.Entry) {
			list = append(list, located{"hosts/" + dir + "/" + e.Name, e.Hash})
		})
		if err != nil {
			yield(katprep.State{}, fail(c.op, err))
			return
		}
		slices.SortFunc(list, func(x, y located) int { return strings.Compare(x.path, y.path) })
		for s, err := range c.a.bulk(ctx, list) {
			if err != nil {
				yield(katprep.State{}, fail(c.op, err))
				return
			}
			if !yield(*s, nil) {
				return
			}
		}
	}
}

// pairs joins the entries of two folders by name.
func (c *Comparison) pairs(ctx context.Context, before, after object.Hash, dirs bool) ([]difference, error) {
	olds, err := c.a.list(ctx, before)
	if err != nil {
		return nil, err
	}
	news := olds
	if after != before {
		if news, err = c.a.list(ctx, after); err != nil {
			return nil, err
		}
	}
	at := make(map[string]int, len(olds))
	out := make([]difference, 0, len(olds))
	for _, e := range olds {
		if e.Dir == dirs {
			at[e.Name] = len(out)
			out = append(out, difference{path: e.Name, before: e.Hash})
		}
	}
	for _, e := range news {
		if e.Dir != dirs {
			continue
		}
		if i, ok := at[e.Name]; ok {
			out[i].after = e.Hash
		} else {
			out = append(out, difference{path: e.Name, after: e.Hash})
		}
	}
	return out, nil
}

// Pairs yields the hosts that differ, as pairs of one host: whatever its
// name or path was, it is the same host if its source and ID are. First come
// those that have their path in both snapshots, sorted by path, then the
// others, sorted by path.
func (c *Comparison) Pairs(ctx context.Context) iter.Seq2[Pair, error] {
	return func(yield func(Pair, error) bool) {
		var left single
		for p, err := range c.samePath(ctx) {
			if err != nil {
				yield(Pair{}, fail(c.op, err))
				return
			}
			if p.Before != nil && p.After != nil && p.Before.HostID == p.After.HostID {
				if !yield(p, nil) {
					return
				}
				continue
			}
			left.add(p)
		}
		for p, err := range left.join(ctx, c.a, c.byPath()) {
			if !yield(p, fail(c.op, err)) || err != nil {
				return
			}
		}
	}
}

func (c *Comparison) byPath() map[string]difference {
	out := make(map[string]difference, len(c.diffs))
	for _, d := range c.diffs {
		out[d.path] = d
	}
	return out
}

// samePath yields the differences as they are on paths.
func (c *Comparison) samePath(ctx context.Context) iter.Seq2[Pair, error] {
	return func(yield func(Pair, error) bool) {
		for part := range slices.Chunk(c.diffs, batch/2) {
			var list []located
			for _, d := range part {
				for _, h := range []object.Hash{d.before, d.after} {
					if !h.IsZero() {
						list = append(list, located{d.path, h})
					}
				}
			}
			read := c.a.readBatch(ctx, list)
			for _, d := range part {
				p := Pair{Path: d.path}
				var err error
				if !d.before.IsZero() {
					p.Before, err = read[0].state, read[0].err
					read = read[1:]
				}
				if !d.after.IsZero() {
					if err == nil {
						err = read[0].err
					}
					p.After = read[0].state
					read = read[1:]
				}
				if !yield(p, err) || err != nil {
					return
				}
			}
		}
	}
}

// single collects the hosts that have no partner on their path.
type single struct {
	before, after []lone
}

type lone struct {
	id   katprep.HostID
	path string
}

func (s *single) add(p Pair) {
	if p.Before != nil {
		s.before = append(s.before, lone{p.Before.HostID, p.Path})
	}
	if p.After != nil {
		s.after = append(s.after, lone{p.After.HostID, p.Path})
	}
}

// join yields them as pairs of one host, and what remains alone.
func (s *single) join(ctx context.Context, a *Archive, at map[string]difference) iter.Seq2[Pair, error] {
	partner := make(map[katprep.HostID]string, len(s.after))
	for _, l := range s.after {
		partner[l.id] = l.path
	}
	type found struct{ path, before, after string }
	var all []found
	for _, l := range s.before {
		path, ok := partner[l.id]
		if !ok {
			all = append(all, found{l.path, l.path, ""})
			continue
		}
		delete(partner, l.id)
		all = append(all, found{path, l.path, path})
	}
	for _, l := range s.after {
		if _, ok := partner[l.id]; ok {
			all = append(all, found{l.path, "", l.path})
		}
	}
	slices.SortStableFunc(all, func(x, y found) int { return strings.Compare(x.path, y.path) })
	return func(yield func(Pair, error) bool) {
		for _, f := range all {
			p := Pair{Path: f.path}
			var err error
			if f.before != "" {
				p.Before, err = a.state(ctx, at[f.before].before, f.before)
			}
			if err == nil && f.after != "" {
				p.After, err = a.state(ctx, at[f.after].after, f.after)
			}
			if !yield(p, err) || err != nil {
				return
			}
		}
	}
}
