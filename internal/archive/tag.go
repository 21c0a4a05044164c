package archive

import (
	"context"
	"fmt"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/internal/archive/names"
	"github.com/stdevel/katprep/internal/archive/object"
	"github.com/stdevel/katprep/internal/archive/pack"
	"github.com/stdevel/katprep/internal/archive/refs"
)

// TagName returns the tag of a run's snapshot: "run/<id>/before".
func TagName(run katprep.RunID, ph katprep.Phase) string {
	return "run/" + string(run) + "/" + string(ph)
}

// Tag gives a run's snapshot its name, as an annotated tag. A tag never
// moves: if it names another commit, that is an error of kind Conflict.
func (a *Archive) Tag(ctx context.Context, run katprep.RunID, ph katprep.Phase, c katprep.CommitID) error {
	name := TagName(run, ph)
	op := "tag " + name
	if !run.Valid() || ph != katprep.Before && ph != katprep.After {
		return katprep.Errorf(katprep.Invalid, "%s: not a run and a phase", op)
	}
	h, err := hashOf(c)
	if err != nil {
		return fail(op, err)
	}
	if _, err := a.commit(ctx, h); err != nil {
		return fail(op, err)
	}
	return fail(op, a.tag(ctx, name, h))
}

func (a *Archive) tag(ctx context.Context, name string, h object.Hash) error {
	lock, err := a.lock(ctx)
	if err != nil {
		return err
	}
	defer lock.Close()
	switch there, ok, err := a.tagged(ctx, name); {
	case err != nil:
		return err
	case ok && there == h:
		return nil
	case ok:
		return katprep.Errorf(katprep.Conflict, "it names %s already, and tags do not move", katprep.CommitID(there.String()).Short())
	}
	t := &object.Tag{Target: h, Name: name, Tagger: a.opts.Committer.signature(a.opts.Now()), Message: name + "\n"}
	if err := a.maySign(ctx, h, a.opts.Now()); err != nil {
		return err
	}
	if a.opts.Sign != nil {
		if t.Armor, err = a.opts.Sign.Sign(ctx, t.Payload()); err != nil {
			return fmt.Errorf("sign the tag: %w", err)
		}
	}
	p, err := pack.NewWriter(a.dir)
	if err != nil {
		return err
	}
	defer p.Abort()
	obj, err := p.AddNow(ctx, object.TagKind, t.Encode(), object.Hash{})
	if err != nil {
		return err
	}
	done, err := p.Finish(ctx)
	if err != nil {
		return err
	}
	defer done.Release()
	if err := a.store.Refresh(); err != nil {
		return err
	}
	return a.refs.Apply(ctx, refs.Update{
		Name: "refs/tags/" + name, New: obj,
		By: a.opts.Committer.signature(a.opts.Now()), Why: "katprep: tag",
	}, max(a.opts.LockWait, refWait))
}

// RunPath returns the folder of a run within the archive: "runs/<id>".
func RunPath(run katprep.RunID) string { return names.Run(string(run)) }
