package archive

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/internal/archive/canon"
	"github.com/stdevel/katprep/internal/archive/object"
	"github.com/stdevel/katprep/internal/archive/pack"
	"github.com/stdevel/katprep/internal/archive/refs"
)

// RetainOptions say what is moved where.
type RetainOptions struct {
	Before time.Time     // snapshots that are older go into the bundle
	Dir    string        // folder for the bundle, its manifest and signature
	Verify VerifyOptions // what is known of the archive from outside; it is verified first
}

// Retain moves old snapshots into a Git bundle with a signed manifest, and
// cuts them off here. No commit is changed: the first one that is kept names
// the last one of the bundle as its parent, and what was moved is recorded in
// the history before it is removed. Runs are not parted: of a run whose
// snapshot after is kept, so is the one before.
//
// The archive is verified first, and the bundle read back before anything
// goes. A crash leaves the archive whole, or cut; the same call finishes it.
func (a *Archive) Retain(ctx context.Context, o RetainOptions) (r Retained, err error) {
	const op = "move old history into a bundle"
	lock, err := a.maintainLock()
	if err != nil {
		return r, fail(op, err)
	}
	defer lock.Close()
	r, err = a.begun(ctx, o.Dir)
	if err == nil && r.Bundle == "" {
		r, err = a.retain(ctx, o)
	}
	if err == nil {
		err = a.cutOff(ctx, r)
	}
	return r, fail(op, err)
}

// begun returns what was recorded by a call that did not get further; empty if
// there is none.
func (a *Archive) begun(ctx context.Context, dir string) (r Retained, err error) {
	tip, err := a.tip()
	if err != nil {
		return r, err
	}
	if tip.IsZero() {
		return r, notFound("the archive holds no snapshot yet")
	}
	list, err := a.retained(ctx, tip)
	if err != nil || len(list) == 0 {
		return r, err
	}
	last := list[len(list)-1]
	h, err := hashOf(last.Boundary)
	if err != nil || a.isCut(h) {
		return r, err
	}
	sum, err := fileSum(filepath.Join(dir, last.Bundle))
	if err != nil || sum != last.SHA256 {
		return r, katprep.Errorf(katprep.Conflict, "%s is recorded, but not in %s as it was written, and its history is here still", last.Bundle, dir).
			WithHint("name the folder that has it")
	}
	return last, nil
}

// retain writes the bundle and its manifest, and records them.
func (a *Archive) retain(ctx context.Context, o RetainOptions) (r Retained, err error) {
	v, err := a.Verify(ctx, o.Verify)
	if err != nil {
		return r, err
	}
	if b := v.Broken(); b != nil {
		return r, katprep.Errorf(katprep.Corrupt, "the archive does not hold: %s", b).WithHint("see all with: katprep archive verify")
	}
	boundary, err := a.boundary(ctx, o.Before)
	if err != nil {
		return r, err
	}
	w := &retainer{a: a, dir: o.Dir, manifest: manifest{Format: katprep.ArchiveFormat}}
	if r, err = w.plan(ctx, boundary); err != nil {
		return r, err
	}
	r.Anchor = v.Anchor
	if v.Cut != nil {
		r.Anchor = v.Cut.Anchor
	}
	if err := w.write(ctx, &r); err != nil {
		return r, err
	}
	m := message{subject: fmt.Sprintf("history until %s is in %s: %s", r.To.Format(time.DateOnly), r.Bundle, count(r.Snaps, "snapshot", "snapshots"))}
	_, err = a.put(ctx, m, KindPolicy, retainedFile, func(old []byte) ([]byte, error) {
		doc := retainedDoc{Format: katprep.ArchiveFormat}
		if old != nil {
			if err := canon.Decode(old, &doc); err != nil {
				return nil, err
			}
		}
		doc.Retained = append(doc.Retained, r)
		return canon.Encode(doc)
	})
	return r, err
}

// A candidate is a commit that the history here could begin with.
type candidate struct {
	hash  object.Hash
	place int // from the tip
}

// boundary finds the first commit that is kept: a snapshot with one parent
// that changes no keys, so that it is judged by its own as by its parent's.
func (a *Archive) boundary(ctx context.Context, before time.Time) (object.Hash, error) {
	tip, err := a.tip()
	if err != nil {
		return tip, err
	}
	places := map[object.Hash]int{}
	var all []candidate
	latest := -1 // place of the last snapshot that is older
	for h, n := tip, 0; ; n++ {
		c, err := a.commit(ctx, h)
		if err != nil {
			return h, err
		}
		places[h] = n
		snapshot := describe(h, c).Kind == KindSnapshot
		if snapshot && latest < 0 && c.Author.When.Before(before) {
			latest = n
		}
		if len(c.Parents) == 0 {
			break
		}
		if snapshot && len(c.Parents) == 1 {
			same, err := a.samePolicy(ctx, c.Tree, c.Parents[0])
			if err != nil {
				return h, err
			}
			if same {
				all = append(all, candidate{h, n})
			}
		}
		h = c.Parents[0]
	}
	if latest < 0 {
		return tip, katprep.Errorf(katprep.NotFound, "there is no snapshot before %s", before.UTC().Format(time.RFC3339))
	}
	return a.keepRuns(ctx, all, places, latest)
}

// keepRuns takes the oldest candidate that is newer than a place, or an older
// one if a run would be parted.
func (a *Archive) keepRuns(ctx context.Context, all []candidate, places map[object.Hash]int, latest int) (object.Hash, error) {
	none := katprep.Errorf(katprep.NotFound, "no snapshot is old enough: runs are not parted, and the newest snapshot stays").WithHint("choose a later date")
	at := -1
	for i, c := range all {
		if c.place < latest {
			at = i
		}
	}
	if at < 0 {
		return object.Hash{}, none
	}
	runs, err := a.runPlaces(ctx, places)
	if err != nil {
		return object.Hash{}, err
	}
	for parted := true; parted; {
		parted = false
		for _, p := range runs {
			for p[1] <= all[at].place && all[at].place < p[0] { // after is kept, before is not
				if at++; at == len(all) {
					return object.Hash{}, none
				}
				parted = true
			}
		}
	}
	return all[at].hash, nil
}

// runPlaces returns where the snapshots before and after each run are.
func (a *Archive) runPlaces(ctx context.Context, places map[object.Hash]int) ([][2]int, error) {
	list, err := a.refs.List("refs/tags/run/")
	if err != nil {
		return nil, err
	}
	var out [][2]int
	for _, ref := range list {
		name, ok := strings.CutSuffix(strings.TrimPrefix(ref.Name, "refs/tags/"), "/"+string(katprep.Before))
		if !ok {
			continue
		}
		before, ok1, err1 := a.tagged(ctx, name+"/"+string(katprep.Before))
		after, ok2, err2 := a.tagged(ctx, name+"/"+string(katprep.After))
		if err := errors.Join(err1, err2); err != nil {
			return nil, err
		}
		b, ok3 := places[before]
		f, ok4 := places[after]
		if ok1 && ok2 && ok3 && ok4 {
			out = append(out, [2]int{b, f})
		}
	}
	return out, nil
}

func (a *Archive) samePolicy(ctx context.Context, tree, parent object.Hash) (bool, error) {
	was, err := a.tree(ctx, parent)
	if err != nil {
		return false, err
	}
	x, _, err1 := a.entry(ctx, tree, "policy")
	y, _, err2 := a.entry(ctx, was, "policy")
	return x.Hash == y.Hash, errors.Join(err1, err2)
}

// A manifest describes a bundle to who has nothing but it.
type manifest struct {
	Format   int      `json:"format"`
	Retained Retained `json:"retained"`
	Commits  []string `json:"commits"` // "hash date kind", the oldest first
}

type retainer struct {
	a        *Archive
	dir      string
	last     object.Hash // of the bundle
	manifest manifest
}

// plan works out what goes, and refuses if something that is kept needs it.
func (w *retainer) plan(ctx context.Context, boundary object.Hash) (r Retained, err error) {
	parents, err := w.a.parents(ctx, boundary)
	if err != nil {
		return r, err
	}
	w.last = parents[0]
	r = Retained{
		At: w.a.opts.Now().UTC().Truncate(time.Second), By: w.a.opts.Author.Name,
		Last: idOf(w.last), Boundary: idOf(boundary),
	}
	old := map[object.Hash]bool{}
	for v, err := range w.a.walk(ctx, w.last) {
		if err != nil {
			return r, err
		}
		old[v.hash] = true
		c := describe(v.hash, v.commit)
		w.manifest.Commits = append(w.manifest.Commits, fmt.Sprintf("%s %s %s", v.hash, c.When.Format(time.RFC3339), cmp.Or(string(c.Kind), "foreign")))
		r.Commits++
		if c.Kind == KindSnapshot {
			r.Snaps++
			if r.To.IsZero() || c.When.After(r.To) {
				r.To = c.When
			}
			if r.From.IsZero() || c.When.Before(r.From) {
				r.From = c.When
			}
		}
	}
	slices.Reverse(w.manifest.Commits)
	if err := w.free(ctx, boundary, old); err != nil {
		return r, err
	}
	tip, err := w.a.tip()
	if err != nil {
		return r, err
	}
	list, err := w.a.retained(ctx, tip)
	if n := len(list); err == nil && n > 0 {
		r.After = list[n-1].Last
	}
	r.Bundle = fmt.Sprintf("katprep-%s-%s-%s.bundle", r.From.Format(time.DateOnly), r.To.Format(time.DateOnly), r.Last.Short())
	return r, err
}

// free makes sure that nothing but the boundary leads to the old commits.
func (w *retainer) free(ctx context.Context, boundary object.Hash, old map[object.Hash]bool) error {
	tip, err := w.a.tip()
	if err != nil {
		return err
	}
	for v, err := range w.a.walk(ctx, tip) {
		if err != nil {
			return err
		}
		for _, p := range v.commit.Parents {
			if old[p] && v.hash != boundary && !old[v.hash] {
				return katprep.Errorf(katprep.Conflict, "commit %s joins what would be cut off with what is kept", idOf(v.hash).Short()).
					WithHint("choose an earlier date")
			}
		}
	}
	list, err := w.a.refs.List("refs/")
	if err != nil {
		return err
	}
	for _, ref := range list {
		at := ref.Hash
		if name, ok := strings.CutPrefix(ref.Name, "refs/tags/"); ok {
			if target, ok, err := w.a.tagged(ctx, name); err == nil && ok {
				at = target
			}
		}
		switch {
		case strings.HasPrefix(ref.Name, "refs/tags/run/"), !old[at]:
		case strings.HasPrefix(ref.Name, "refs/remotes/"):
			return katprep.Errorf(katprep.Conflict, "the remote of %s does not have the newer history yet", ref.Name).WithHint("push first: katprep archive push")
		default:
			return katprep.Errorf(katprep.Conflict, "%s names a commit that would be cut off", ref.Name).WithHint("git update-ref -d %s", ref.Name)
		}
	}
	return nil
}

// write makes the bundle, reads it back, and describes it.
func (w *retainer) write(ctx context.Context, r *Retained) error {
	if err := os.MkdirAll(w.dir, 0o755); err != nil {
		return err
	}
	tmp, err := os.MkdirTemp(w.dir, ".katprep-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp)
	file := filepath.Join(w.dir, r.Bundle)
	f, err := os.CreateTemp(tmp, "bundle-*")
	if err != nil {
		return err
	}
	sum := sha256.New()
	b, err := w.a.bundle(ctx, io.MultiWriter(f, sum), w.last, r.After, tmp)
	if err = errors.Join(err, f.Chmod(0o444), f.Sync(), f.Close()); err != nil {
		return err
	}
	st, err := os.Stat(f.Name())
	if err != nil {
		return err
	}
	r.SHA256, r.Size = hex.EncodeToString(sum.Sum(nil)), st.Size()
	// The objects were read back from the pack; the file must be what was meant.
	if is, err := fileSum(f.Name()); err != nil || is != r.SHA256 {
		return errors.Join(katprep.Errorf(katprep.Corrupt, "the bundle is not on the disk as it was written"), err)
	}
	r.Tags = map[string]string{}
	for name, h := range b.tags {
		r.Tags[name] = h.String()
	}
	if err := os.Rename(f.Name(), file); err != nil {
		return err
	}
	return w.describe(ctx, *r)
}

// describe writes the manifest, the checksums of all, and their signature.
func (w *retainer) describe(ctx context.Context, r Retained) error {
	w.manifest.Retained = r
	text, err := canon.Encode(w.manifest)
	if err != nil {
		return err
	}
	base := strings.TrimSuffix(r.Bundle, ".bundle")
	sums := fmt.Sprintf("%s  %s\n%x  %s\n", r.SHA256, r.Bundle, sha256.Sum256(text), base+".json")
	files := map[string][]byte{base + ".json": text}
	log, _, err := w.a.oldLog(ctx, w.last)
	if err != nil {
		return err
	}
	if len(log) > 0 {
		files[base+".reflog"] = log
		sums += fmt.Sprintf("%x  %s\n", sha256.Sum256(log), base+".reflog")
	}
	files[base+".sha256"] = []byte(sums)
	armor, err := w.a.Sign(ctx, []byte(sums))
	if err != nil {
		return err
	}
	if armor != "" {
		files[base+".sha256.sig"] = []byte(armor)
	}
	for name, text := range files {
		if err := writeSynced(filepath.Join(w.dir, name), text); err != nil {
			return err
		}
	}
	return pack.SyncDir(w.dir)
}

// oldLog parts the reflog into the lines that name commits up to last, and
// the others.
func (a *Archive) oldLog(ctx context.Context, last object.Hash) (old, rest []byte, err error) {
	raw, err := a.refs.Log(branch)
	if err != nil || len(raw) == 0 {
		return nil, nil, err
	}
	gone := map[string]bool{}
	for v, err := range a.walk(ctx, last) {
		if err != nil {
			return nil, nil, err
		}
		gone[v.hash.String()] = true
	}
	for line := range bytes.Lines(raw) {
		words := strings.SplitN(string(line), " ", 3)
		if len(words) == 3 && (gone[words[0]] || gone[words[1]]) {
			old = append(old, line...)
		} else {
			rest = append(rest, line...)
		}
	}
	return old, rest, nil
}

// cutOff removes from here what a bundle holds and the history records. Each
// step may have been done before a crash.
func (a *Archive) cutOff(ctx context.Context, r Retained) error {
	last, err := hashOf(r.Last)
	if err != nil {
		return err
	}
	lock, err := a.lock(ctx)
	if err != nil {
		return err
	}
	defer lock.Close()
	_, rest, err := a.oldLog(ctx, last)
	if err != nil {
		return err
	}
	tags, err := a.tagsInBundles(ctx)
	if err != nil {
		return err
	}
	if err := a.refs.Delete(ctx, tags, max(a.opts.LockWait, refWait)); err != nil {
		return err
	}
	if rest != nil {
		if err := a.refs.ReplaceLog(branch, rest); err != nil {
			return err
		}
	}
	// Git's caches of the history know nothing of the cut.
	for _, name := range []string{"commit-graph", "commit-graphs"} {
		if err := os.RemoveAll(filepath.Join(a.dir, "objects", "info", name)); err != nil {
			return err
		}
	}
	if err := a.refs.SetCut(string(r.Boundary)); err != nil {
		return err
	}
	if err := a.loadCut(); err != nil {
		return err
	}
	old, err := a.packs()
	if err != nil {
		return err
	}
	if err := errors.Join(a.repack(ctx, old), a.store.Refresh()); err != nil {
		return fmt.Errorf("the history is cut, and the next archive maintain frees its space: %w", err)
	}
	return nil
}

// tagsInBundles returns all tags that went into bundles: in a whole copy of an
// archive that was cut more than once, they are all still there.
func (a *Archive) tagsInBundles(ctx context.Context) ([]refs.Ref, error) {
	tip, err := a.tip()
	if err != nil {
		return nil, err
	}
	list, err := a.retained(ctx, tip)
	if err != nil {
		return nil, err
	}
	var tags []refs.Ref
	for _, r := range list {
		for name, text := range r.Tags {
			h, ok := object.ParseHash(text)
			if !ok || !validTag(name) {
				return nil, katprep.Errorf(katprep.Corrupt, "%s: tag %q", retainedFile, name)
			}
			tags = append(tags, refs.Ref{Name: "refs/tags/" + name, Hash: h})
		}
	}
	return tags, nil
}

func fileSum(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	d := sha256.New()
	_, err = io.Copy(d, f)
	return hex.EncodeToString(d.Sum(nil)), err
}
