package archive

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/internal/archive/object"
	"github.com/stdevel/katprep/internal/archive/pack"
)

// Bundle writes the history up to a commit, and the tags of runs in it, as a
// Git bundle: one file that "git clone" takes. The same history gives the same
// bytes.
func (a *Archive) Bundle(ctx context.Context, w io.Writer, c katprep.CommitID) error {
	op := "bundle " + c.Short()
	tip, err := hashOf(c)
	if err != nil {
		return fail(op, err)
	}
	tmp, err := os.MkdirTemp("", "katprep-bundle-")
	if err != nil {
		return fail(op, err)
	}
	defer os.RemoveAll(tmp)
	_, err = a.bundle(ctx, w, tip, "", tmp)
	return fail(op, err)
}

// bundle writes a bundle of what is here of a commit's history. after names
// the commit that it continues and that whoever takes it must have; "" for
// none. It returns the bundle's objects.
func (a *Archive) bundle(ctx context.Context, w io.Writer, tip object.Hash, after katprep.CommitID, tmp string) (*bundler, error) {
	if err := os.MkdirAll(filepath.Join(tmp, "objects", "pack"), 0o700); err != nil {
		return nil, err
	}
	b := &bundler{a: a, reach: reach{a: a, seen: map[object.Hash]bool{}, paths: map[string]string{}}, tags: map[string]object.Hash{}}
	head := "# v2 git bundle\n"
	if after != "" {
		head += fmt.Sprintf("-%s \n", after)
	}
	head += fmt.Sprintf("%s HEAD\n%s %s\n", tip, tip, branch)
	names, err := b.gather(ctx, tip)
	if err != nil {
		return nil, err
	}
	done, err := b.pack(ctx, tmp)
	if err != nil {
		return nil, err
	}
	if _, err := io.WriteString(w, head+names+"\n"); err != nil {
		return nil, err
	}
	f, err := os.Open(done.File())
	if err != nil {
		return nil, err
	}
	_, err = io.Copy(w, f)
	return b, errors.Join(err, f.Close())
}

// A bundler finds the objects of a bundle and packs them.
type bundler struct {
	a     *Archive
	reach reach
	tags  map[string]object.Hash // name → tag object
}

// gather finds what leads from the tip, from the tags of runs that name its
// commits, and from the time stamps. It returns the lines of the bundle's head
// for the latter two.
func (b *bundler) gather(ctx context.Context, tip object.Hash) (string, error) {
	if err := b.reach.ref(ctx, tip); err != nil {
		return "", err
	}
	tags, err := b.a.refs.List("refs/tags/run/")
	if err != nil {
		return "", err
	}
	head := ""
	for _, ref := range tags {
		name := strings.TrimPrefix(ref.Name, "refs/tags/")
		at, ok, err := b.a.tagged(ctx, name)
		if err != nil {
			return "", err
		}
		if !ok || !b.reach.seen[at] {
			continue
		}
		b.reach.add(ref.Hash, "")
		b.tags[name] = ref.Hash
		head += fmt.Sprintf("%s %s\n", ref.Hash, ref.Name)
	}
	stamps, err := b.a.refs.Read(stampsRef)
	if err != nil || stamps.IsZero() {
		return head, err
	}
	return fmt.Sprintf("%s %s\n%s", stamps, stampsRef, head), b.reach.ref(ctx, stamps)
}

// pack writes the objects: the versions of a path one after the other, each
// made of the one before, as Maintain does.
func (b *bundler) pack(ctx context.Context, dir string) (*pack.Pack, error) {
	p, err := pack.NewSteadyWriter(dir)
	if err != nil {
		return nil, err
	}
	defer p.Abort()
	items := b.reach.items
	slices.SortStableFunc(items, func(x, y item) int {
		return cmp.Or(cmp.Compare(x.path, y.path), cmp.Compare(x.n, y.n))
	})
	if err := b.a.addItems(ctx, p, items); err != nil {
		return nil, err
	}
	done, err := p.Finish(ctx)
	if err != nil {
		return nil, err
	}
	return done, pack.Holds(ctx, done.File(), len(items), func(i int) object.Hash { return items[i].hash })
}

// File returns a file of a commit's tree as it is, such as
// "runs/patch-1/journal.jsonl". The error is of kind NotFound if there is none.
func (a *Archive) File(ctx context.Context, c katprep.CommitID, path string) ([]byte, error) {
	op := fmt.Sprintf("read %s of %s", path, c.Short())
	h, err := hashOf(c)
	if err != nil {
		return nil, fail(op, err)
	}
	data, found, err := a.file(ctx, h, strings.Split(path, "/")...)
	if err != nil {
		return nil, fail(op, err)
	}
	if !found {
		return nil, katprep.Errorf(katprep.NotFound, "%s: there is no such file", op)
	}
	return data, nil
}

// RunFiles returns the files of a run as they are at the tip, by name.
func (a *Archive) RunFiles(ctx context.Context, run katprep.RunID) (map[string][]byte, error) {
	op := fmt.Sprintf("read the files of run %q", string(run))
	tip, err := a.tip()
	if err != nil || tip.IsZero() {
		return nil, fail(op, err)
	}
	out := map[string][]byte{}
	for _, name := range []string{planFile, journalFile, approvalFile, signOffFile} {
		path, err := runPath(run, name)
		if err != nil {
			return nil, fail(op, err)
		}
		data, found, err := a.file(ctx, tip, strings.Split(path, "/")...)
		if err != nil {
			return nil, fail(op, err)
		}
		if found {
			out[name] = data
		}
	}
	return out, nil
}

// SigningFiles returns policy/allowed_signers and policy/openpgp.asc as they
// are at the tip; nil for one that is not there.
func (a *Archive) SigningFiles(ctx context.Context) (allowedSigners, openpgp []byte, err error) {
	const op = "read the signing keys"
	tip, err := a.tip()
	if err != nil || tip.IsZero() {
		return nil, nil, fail(op, err)
	}
	if allowedSigners, _, err = a.file(ctx, tip, strings.Split(signersFile, "/")...); err != nil {
		return nil, nil, fail(op, err)
	}
	openpgp, _, err = a.file(ctx, tip, strings.Split(openpgpFile, "/")...)
	return allowedSigners, openpgp, fail(op, err)
}

// Sign signs a text with the archive's key, "" if none is configured.
func (a *Archive) Sign(ctx context.Context, text []byte) (armor string, err error) {
	if a.opts.Sign == nil {
		return "", nil
	}
	armor, err = a.opts.Sign.Sign(ctx, text)
	return armor, fail("sign", err)
}
