package archive

import (
	"context"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/go-git/go-git/v5/config"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/internal/archive/canon"
	"github.com/stdevel/katprep/internal/archive/object"
)

// An archive can be cut: its oldest years are in bundles elsewhere, and Git's
// own file "shallow" names the commit that the history here begins with. No
// commit is changed by that: the boundary still names its parent, which is the
// last commit of the bundle. What was cut is recorded in the history before
// it is done, so that a shallow clone is not taken for a cut archive.

// retainedFile records which parts of the history are in bundles.
const retainedFile = "policy/retained.json"

// A Retained is a part of the history that was moved into a bundle.
type Retained struct {
	Bundle   string            `json:"bundle"`   // name of the file
	SHA256   string            `json:"sha256"`   // of the file, hexadecimal
	Size     int64             `json:"size"`     // of the file, bytes
	At       time.Time         `json:"at"`       // when it was written, UTC
	By       string            `json:"by"`       // who did it
	After    katprep.CommitID  `json:"after"`    // what the bundle continues; "" if it begins the history
	Last     katprep.CommitID  `json:"last"`     // its last commit
	Boundary katprep.CommitID  `json:"boundary"` // what continues it: the first commit that was kept
	From     time.Time         `json:"from"`     // date of its first snapshot, UTC
	To       time.Time         `json:"to"`       // date of its last snapshot, UTC
	Commits  int               `json:"commits"`
	Snaps    int               `json:"snapshots"`
	Anchor   string            `json:"anchor,omitempty"` // fingerprint of the key that the history begins with
	Tags     map[string]string `json:"tags,omitempty"`   // that went with it: name → tag object
}

type retainedDoc struct {
	Format   int        `json:"format"`
	Retained []Retained `json:"retained"`
}

// Retained returns what is recorded as being in bundles, the oldest first, and
// whether it is gone from here.
func (a *Archive) Retained(ctx context.Context) (list []Retained, cut bool, err error) {
	const op = "read what is in bundles"
	tip, err := a.tip()
	if err != nil || tip.IsZero() {
		return nil, false, fail(op, err)
	}
	list, err = a.retained(ctx, tip)
	return list, len(a.cuts()) > 0, fail(op, err)
}

func (a *Archive) retained(ctx context.Context, c object.Hash) ([]Retained, error) {
	var doc retainedDoc
	_, err := a.decode(ctx, c, retainedFile, &doc)
	return doc.Retained, err
}

// A cutState is what Git's file of the commits that end the history held, and
// when.
type cutState struct {
	commits map[object.Hash]bool
	changed time.Time // zero: there was no file
}

// cuts are the commits that end the history here. Another process may have cut
// it since it was opened.
func (a *Archive) cuts() map[object.Hash]bool {
	s := a.cut.Load()
	if now := a.refs.CutChanged(); s == nil || !now.Equal(s.changed) {
		if a.loadCut() != nil {
			return nil
		}
		s = a.cut.Load()
	}
	return s.commits
}

func (a *Archive) isCut(h object.Hash) bool { return a.cuts()[h] }

// loadCut reads Git's file of the commits that end the history.
func (a *Archive) loadCut() error {
	changed := a.refs.CutChanged()
	list, err := a.refs.Cut()
	if err != nil {
		return err
	}
	m := map[object.Hash]bool{}
	for _, name := range list {
		h, ok := object.ParseHash(name)
		if !ok {
			return katprep.Errorf(katprep.Corrupt, "its file \"shallow\" holds %q", name)
		}
		m[h] = true
	}
	a.cut.Store(&cutState{m, changed})
	return nil
}

// checkCut refuses a history that ends elsewhere than it is recorded: a
// shallow clone, or one that somebody cut.
func (a *Archive) checkCut(ctx context.Context) error {
	if len(a.cuts()) == 0 {
		return nil
	}
	tip, err := a.refs.Read(branch)
	if err != nil {
		return err
	}
	var list []Retained
	if !tip.IsZero() {
		if list, err = a.retained(ctx, tip); err != nil {
			return err
		}
	}
	if len(list) > 0 && len(a.cuts()) == 1 {
		if h, ok := object.ParseHash(string(list[len(list)-1].Boundary)); ok && a.isCut(h) {
			return nil
		}
	}
	return katprep.Errorf(katprep.Invalid, "it is a shallow clone, its history is cut off").WithHint("clone it again without --depth")
}

// parents returns a commit's parents, also those that were cut off.
func (a *Archive) parents(ctx context.Context, h object.Hash) ([]object.Hash, error) {
	data, err := a.read(ctx, h, object.CommitKind)
	if err != nil {
		return nil, err
	}
	c, err := object.DecodeCommit(data)
	if err != nil {
		return nil, err
	}
	return c.Parents, nil
}

// elsewhere adds to an error of kind NotFound that what is looked for may be
// in a bundle.
func (a *Archive) elsewhere(ctx context.Context, err error) error {
	if err == nil || katprep.KindOf(err) != katprep.NotFound || len(a.cuts()) == 0 {
		return err
	}
	list, _, rerr := a.Retained(ctx)
	if rerr != nil || len(list) == 0 {
		return err
	}
	last := list[len(list)-1]
	return katprep.Errorf(katprep.NotFound, "%w; what is older than %s is in %s", err, last.To.AddDate(0, 0, 1).Format(time.DateOnly), last.Bundle).
		WithHint("docs/howto-protect.md says how to read it: git clone --bare, git fetch")
}

// verifyRetained verifies what is recorded of bundles: records are added and
// never changed, each continues the one before, and the history here begins
// where the last one ends.
func (v *verifier) verifyRetained(tip object.Hash) error {
	list, err := v.a.retained(v.ctx, tip)
	if err != nil {
		v.find(tip, retainedFile, "%v", err)
		return nil
	}
	for i, r := range list {
		if !filepath.IsLocal(r.Bundle) || filepath.Base(r.Bundle) != r.Bundle {
			v.find(tip, retainedFile, "a bundle is named %q", r.Bundle)
		}
		if i > 0 && r.After != list[i-1].Last || i == 0 && r.After != "" {
			v.find(tip, retainedFile, "%s does not continue the bundle before", r.Bundle)
		}
		h, ok := object.ParseHash(string(r.Boundary))
		if !ok || v.commit[h] == nil {
			continue // itself in a later bundle, or older than Since
		}
		parents, err := v.a.parents(v.ctx, h)
		if err != nil || len(parents) != 1 || katprep.CommitID(parents[0].String()) != r.Last {
			v.find(h, retainedFile, "it does not continue %s, which ends with %s", r.Bundle, r.Last.Short())
		}
	}
	if n := len(list); n > 0 && len(v.a.cuts()) > 0 {
		last := list[n-1]
		v.out.Cut = &last
		for name, was := range v.o.Tags {
			if !v.tagged[name] && slices.ContainsFunc(list, func(r Retained) bool { return r.Tags[name] == was }) {
				v.tagged[name] = true
			}
		}
	}
	return nil
}

// retainedKept verifies that a commit only adds to the records.
func (v *verifier) retainedKept(h object.Hash, before, now object.Entry) {
	if before.Hash == now.Hash || before.Hash.IsZero() {
		return
	}
	_, name := splitDir(retainedFile)
	was, had, err1 := v.a.entry(v.ctx, before.Hash, name)
	is, has, err2 := v.a.entry(v.ctx, now.Hash, name)
	if err1 != nil || err2 != nil || !had || has && is.Hash == was.Hash {
		return
	}
	if !has {
		v.find(h, retainedFile, "what is in bundles was taken off the record")
		return
	}
	var old, cur retainedDoc
	for e, doc := range map[object.Hash]*retainedDoc{was.Hash: &old, is.Hash: &cur} {
		data, err := v.a.read(v.ctx, e, object.BlobKind)
		if err != nil || canon.Decode(data, doc) != nil {
			return // found as a file
		}
	}
	same := func(x, y Retained) bool {
		return x.Bundle == y.Bundle && x.SHA256 == y.SHA256 && x.Boundary == y.Boundary && x.Last == y.Last && x.After == y.After
	}
	if len(cur.Retained) < len(old.Retained) || !slices.EqualFunc(old.Retained, cur.Retained[:len(old.Retained)], same) {
		v.find(h, retainedFile, "the record of a bundle was changed")
	}
}

// cutTags returns the tags that are in bundles and not here; none if the
// history here is whole.
func (a *Archive) cutTags(ctx context.Context) (map[string]object.Hash, error) {
	list, cut, err := a.Retained(ctx)
	if err != nil || !cut {
		return nil, err
	}
	out := map[string]object.Hash{}
	for _, r := range list {
		for name, text := range r.Tags {
			if h, ok := object.ParseHash(text); ok {
				out["refs/tags/"+name] = h
			}
		}
	}
	return out, nil
}

// tagsToFetch says how to fetch the tags of runs: all, or those that are not
// in bundles, for they would bring the old history back.
func (c *connection) tagsToFetch() ([]config.RefSpec, error) {
	cut, err := c.a.cutTags(c.ctx)
	if err != nil {
		return nil, err
	}
	if cut == nil {
		return []config.RefSpec{"+refs/tags/run/*:refs/katprep/tags/run/*"}, nil
	}
	var specs []config.RefSpec
	for name := range c.refs {
		rest, ok := strings.CutPrefix(name, "refs/tags/")
		if ok && strings.HasPrefix(rest, "run/") && validTag(rest) && cut[name].IsZero() {
			specs = append(specs, config.RefSpec("+"+name+":refs/katprep/tags/"+rest))
		}
	}
	return specs, nil
}
