package archive

import (
	"context"
	"fmt"
	"iter"
	"maps"
	"slices"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/internal/archive/canon"
	"github.com/stdevel/katprep/internal/archive/names"
	"github.com/stdevel/katprep/internal/archive/object"
	"github.com/stdevel/katprep/internal/archive/pack"
)

// A heldErratum is what a Writer knows of one erratum: hashes, no text.
type heldErratum struct {
	merged object.Hash   // blob with everything put so far, and the parent's
	seen   []object.Hash // of what was put, as it came: the same comes again with each host
}

// maxSeen bounds heldErratum.seen: a source gives one text, and there are few
// sources.
const maxSeen = 8

// PutErratum stores an erratum. What is put or archived of the same ID is
// merged; the order does not matter.
func (w *Writer) PutErratum(ctx context.Context, e katprep.Erratum) error {
	if w.pack == nil {
		return errClosed
	}
	op := fmt.Sprintf("store erratum %q", e.ID)
	text, err := canon.Encode(e.Merge(katprep.Erratum{ID: e.ID}))
	if err != nil {
		return katprep.Errorf(katprep.Invalid, "%s: %w", op, err)
	}
	given := object.Sum(object.BlobKind, text)
	path := names.Erratum(e.ID)
	held := w.errata[path]
	if held == nil {
		held = &heldErratum{}
		w.errata[path] = held
	}
	if slices.Contains(held.seen, given) {
		return nil
	}
	if held.merged, err = w.mergeErratum(ctx, w.pack, path, held.merged, text); err != nil {
		return fail(op, err)
	}
	if len(held.seen) < maxSeen {
		held.seen = append(held.seen, given)
	}
	return nil
}

// mergeErratum adds an erratum's text to the blob before, or to the parent's
// if that is zero, and returns the blob with both.
func (w *Writer) mergeErratum(ctx context.Context, p *pack.Writer, path string, before object.Hash, text []byte) (object.Hash, error) {
	if before.IsZero() {
		_, rest := splitDir(path)
		folder, name := splitDir(rest)
		if !w.base.IsZero() {
			e, ok, err := w.a.entry(ctx, w.base, folder, name)
			if err != nil {
				return before, err
			}
			if ok && !e.Dir {
				before = e.Hash
			}
		}
	}
	return w.join(ctx, p, path, before, text)
}

// join returns the blob with what the blob before (may be zero) and the text
// say.
func (w *Writer) join(ctx context.Context, p *pack.Writer, path string, before object.Hash, text []byte) (object.Hash, error) {
	if before.IsZero() {
		return p.AddNow(ctx, object.BlobKind, text, object.Hash{})
	}
	if object.Sum(object.BlobKind, text) == before {
		return before, nil
	}
	old, err := w.blob(ctx, p, before)
	if err != nil {
		return before, err
	}
	var a, b katprep.Erratum
	if err := canon.Decode(old, &a); err != nil {
		return before, katprep.Errorf(katprep.Corrupt, "%s: %w", path, err)
	}
	if err := canon.Decode(text, &b); err != nil {
		return before, err
	}
	both, err := canon.Encode(a.Merge(b))
	if err != nil {
		return before, err
	}
	if object.Sum(object.BlobKind, both) == before {
		return before, nil
	}
	return p.AddNow(ctx, object.BlobKind, both, object.Hash{})
}

// blob reads a blob of the pack that is being written, or of the archive.
func (w *Writer) blob(ctx context.Context, p *pack.Writer, h object.Hash) ([]byte, error) {
	data, found, err := p.Read(ctx, h)
	if err != nil || found {
		return data, err
	}
	return w.a.read(ctx, h, object.BlobKind)
}

// errataTree writes the errata of the snapshot on top of the parent's.
func (w *Writer) errataTree(ctx context.Context, p *pack.Writer, before object.Hash) (object.Hash, error) {
	if before != w.base {
		if err := w.rebase(ctx, p, before); err != nil {
			return before, err
		}
	}
	if len(w.errata) == 0 {
		return before, nil
	}
	list, err := w.a.files(ctx, "errata", before)
	if err != nil {
		return before, err
	}
	all := make(map[string]object.Hash, len(list)+len(w.errata))
	for _, f := range list {
		all[f.path] = f.hash
	}
	same := true
	for path, held := range w.errata {
		same = same && all[path] == held.merged
		all[path] = held.merged
	}
	if same {
		return before, nil
	}
	return writeFolders(ctx, p, all)
}

// rebase joins the errata with those of another parent: somebody committed
// since Begin.
func (w *Writer) rebase(ctx context.Context, p *pack.Writer, onto object.Hash) error {
	list, err := w.a.files(ctx, "errata", onto)
	if err != nil {
		return err
	}
	theirs := make(map[string]object.Hash, len(list))
	for _, f := range list {
		theirs[f.path] = f.hash
	}
	for _, path := range slices.Sorted(maps.Keys(w.errata)) {
		held := w.errata[path]
		if theirs[path] == held.merged {
			continue
		}
		text, err := w.blob(ctx, p, held.merged)
		if err != nil {
			return err
		}
		if held.merged, err = w.join(ctx, p, path, theirs[path], text); err != nil {
			return err
		}
	}
	w.base = onto
	return nil
}

// Erratum returns an erratum that the archive knew at a commit.
func (a *Archive) Erratum(ctx context.Context, c katprep.CommitID, id string) (e katprep.Erratum, err error) {
	op := fmt.Sprintf("read erratum %q of %s", id, c.Short())
	h, err := hashOf(c)
	if err != nil {
		return e, fail(op, err)
	}
	top, rest := splitDir(names.Erratum(id))
	folder, name := splitDir(rest)
	data, found, err := a.file(ctx, h, top, folder, name)
	if err != nil {
		return e, fail(op, err)
	}
	if !found {
		return e, katprep.Errorf(katprep.NotFound, "%s: the archive does not know it", op)
	}
	if err := canon.Decode(data, &e); err != nil {
		return e, katprep.Errorf(katprep.Corrupt, "%s: %w", op, err)
	}
	return e, nil
}

// Errata yields all errata that the archive knew at a commit, sorted by path.
func (a *Archive) Errata(ctx context.Context, c katprep.CommitID) iter.Seq2[katprep.Erratum, error] {
	op := "read errata of " + c.Short()
	return func(yield func(katprep.Erratum, error) bool) {
		list, err := a.errataFiles(ctx, c)
		if err != nil {
			yield(katprep.Erratum{}, fail(op, err))
			return
		}
		for _, f := range list {
			var e katprep.Erratum
			data, err := a.read(ctx, f.hash, object.BlobKind)
			if err == nil {
				err = canon.Decode(data, &e)
			}
			if err != nil {
				yield(katprep.Erratum{}, fail(op+": "+f.path, err))
				return
			}
			if !yield(e, nil) {
				return
			}
		}
	}
}

func (a *Archive) errataFiles(ctx context.Context, c katprep.CommitID) ([]located, error) {
	h, err := hashOf(c)
	if err != nil {
		return nil, err
	}
	dir, err := a.folder(ctx, h, "errata")
	if err != nil {
		return nil, err
	}
	return a.files(ctx, "errata", dir)
}
