package archive

import (
	"bytes"
	"context"
	"iter"
	"slices"
	"strconv"
	"strings"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/internal/archive/canon"
	"github.com/stdevel/katprep/internal/archive/mask"
	"github.com/stdevel/katprep/internal/archive/object"
)

// A Leak is a secret that the archive holds. The secret itself is not in it.
type Leak struct {
	Commit katprep.CommitID `json:"commit"` // the first that has it
	Path   string           `json:"path"`
	mask.Leak
}

// Scan looks through the whole history, the oldest commit first, for what
// would be masked today: written by older versions, or by somebody's hand.
func (a *Archive) Scan(ctx context.Context) iter.Seq2[Leak, error] {
	const op = "scan the archive"
	return func(yield func(Leak, error) bool) {
		tip, err := a.tip()
		if err != nil || tip.IsZero() {
			if err != nil {
				yield(Leak{}, fail(op, err))
			}
			return
		}
		var commits []visit
		for v, err := range a.walk(ctx, tip) {
			if err != nil {
				yield(Leak{}, fail(op, err))
				return
			}
			commits = append(commits, v)
		}
		s := &scanner{a: a, seen: map[object.Hash]bool{}}
		for _, v := range slices.Backward(commits) {
			leaks, err := s.commit(ctx, v)
			if err != nil {
				yield(Leak{}, fail(op, err))
				return
			}
			for _, l := range leaks {
				if !yield(l, nil) {
					return
				}
			}
		}
	}
}

type scanner struct {
	a    *Archive
	seen map[object.Hash]bool
	d    canon.Decoder
}

func (s *scanner) commit(ctx context.Context, v visit) ([]Leak, error) {
	var fresh []located
	for _, top := range []string{snapshotFile, "hosts", "runs", "policy"} {
		e, ok, err := s.a.entry(ctx, v.commit.Tree, top)
		if err != nil {
			return nil, err
		}
		if ok {
			if err := s.gather(ctx, top, e, &fresh); err != nil {
				return nil, err
			}
		}
	}
	var out []Leak
	for _, f := range fresh {
		data, err := s.a.read(ctx, f.hash, object.BlobKind)
		if err != nil {
			return nil, err
		}
		for _, l := range s.file(f.path, data) {
			out = append(out, Leak{Commit: katprep.CommitID(v.hash.String()), Path: f.path, Leak: l})
		}
	}
	return out, nil
}

func (s *scanner) gather(ctx context.Context, path string, e object.Entry, fresh *[]located) error {
	if s.seen[e.Hash] {
		return nil
	}
	s.seen[e.Hash] = true
	if !e.Dir {
		*fresh = append(*fresh, located{path, e.Hash})
		return nil
	}
	list, err := s.a.list(ctx, e.Hash)
	if err != nil {
		return err
	}
	for _, sub := range list {
		if err := s.gather(ctx, path+"/"+sub.Name, sub, fresh); err != nil {
			return err
		}
	}
	return nil
}

// file finds the leaks of a file. What is no file of ours is scanned as text.
func (s *scanner) file(path string, data []byte) []mask.Leak {
	rules := s.a.opts.Mask
	if strings.HasPrefix(path, "hosts/") {
		var state katprep.State
		if s.d.State(data, &state) == nil {
			return rules.Leaks(&state)
		}
	}
	var out []mask.Leak
	n := 0
	for line := range bytes.Lines(data) {
		n++
		if why := rules.Value(string(line)); why != "" {
			out = append(out, mask.Leak{Field: "line " + strconv.Itoa(n), Why: why})
		}
	}
	return out
}
