package archive

import (
	"context"
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/internal/archive/object"
	"github.com/stdevel/katprep/internal/archive/pack"
	"github.com/stdevel/katprep/internal/archive/refs"
)

// stampsRef holds the time stamps as Git notes of the commits: "git notes
// --ref=rfc3161/main show COMMIT" prints one as it came from the service.
const stampsRef = stampsPrefix + "main"

const stampsPrefix = "refs/notes/rfc3161/"

// A Stamper gets time stamps of SHA-256 digests: answers of RFC 3161 in DER.
type Stamper interface {
	Stamp(ctx context.Context, digest [sha256.Size]byte) ([]byte, error)
}

// StampDigest returns what is stamped of a commit: the SHA-256 of its bytes as
// "git cat-file commit" prints them, with its signature.
func (a *Archive) StampDigest(ctx context.Context, c katprep.CommitID) ([sha256.Size]byte, error) {
	h, err := hashOf(c)
	if err != nil {
		return [sha256.Size]byte{}, err
	}
	return a.digest(ctx, h)
}

func (a *Archive) digest(ctx context.Context, h object.Hash) ([sha256.Size]byte, error) {
	data, err := a.read(ctx, h, object.CommitKind)
	return sha256.Sum256(data), err
}

// Stamp has the last commit stamped, and with it all before: a commit names
// its parents. With all, every commit that has no stamp of its own gets one.
// It returns the commits that were stamped, the oldest first. Stamps that were
// got before an error are kept.
func (a *Archive) Stamp(ctx context.Context, s Stamper, all bool) ([]katprep.CommitID, error) {
	const op = "stamp the archive"
	open, err := a.unstamped(ctx, all)
	if err != nil {
		return nil, fail(op, err)
	}
	got := map[object.Hash][]byte{}
	var done []katprep.CommitID
	for _, h := range open {
		digest, derr := a.digest(ctx, h)
		if err = derr; err != nil {
			break
		}
		if got[h], err = s.Stamp(ctx, digest); err != nil {
			delete(got, h)
			break
		}
		done = append(done, katprep.CommitID(h.String()))
	}
	if len(got) > 0 {
		if werr := a.addStamps(context.WithoutCancel(ctx), got, object.Hash{}); werr != nil {
			return nil, fail(op, werr)
		}
	}
	return done, fail(op, err)
}

// unstamped lists the commits that are to be stamped, the oldest first.
func (a *Archive) unstamped(ctx context.Context, all bool) ([]object.Hash, error) {
	tip, err := a.tip()
	if err != nil || tip.IsZero() {
		return nil, err
	}
	have, err := a.stamps(ctx)
	if err != nil {
		return nil, err
	}
	var open []object.Hash
	for v, err := range a.walk(ctx, tip) {
		if err != nil {
			return nil, err
		}
		if _, ok := have[v.hash]; !ok {
			open = append(open, v.hash)
		}
		if !all {
			break
		}
	}
	slices.Reverse(open)
	return open, nil
}

// Stamps returns the time stamps that the archive holds, by commit.
func (a *Archive) Stamps(ctx context.Context) (map[katprep.CommitID][]byte, error) {
	const op = "read the time stamps"
	have, err := a.stamps(ctx)
	if err != nil {
		return nil, fail(op, err)
	}
	out := make(map[katprep.CommitID][]byte, len(have))
	for h, blob := range have {
		if out[katprep.CommitID(h.String())], err = a.read(ctx, blob, object.BlobKind); err != nil {
			return nil, fail(op, err)
		}
	}
	return out, nil
}

// stamps returns the files with the stamps, by commit.
func (a *Archive) stamps(ctx context.Context) (map[object.Hash]object.Hash, error) {
	out := map[object.Hash]object.Hash{}
	tip, err := a.refs.Read(stampsRef)
	if err != nil || tip.IsZero() {
		return out, err
	}
	tree, err := a.tree(ctx, tip)
	if err != nil {
		return nil, err
	}
	return out, a.notes(ctx, tree, "", out)
}

// notes reads a tree of Git notes: the digits of a commit's name may be cut
// into folders anywhere.
func (a *Archive) notes(ctx context.Context, tree object.Hash, prefix string, out map[object.Hash]object.Hash) error {
	list, err := a.list(ctx, tree)
	if err != nil {
		return err
	}
	for _, e := range list {
		name := prefix + e.Name
		if e.Dir && len(name) < 2*object.Size {
			if err := a.notes(ctx, e.Hash, name, out); err != nil {
				return err
			}
		} else if h, ok := object.ParseHash(name); ok && !e.Dir {
			out[h] = e.Hash
		}
	}
	return nil
}

// addStamps commits stamps to their own reference. other is a commit of a
// remote whose stamps are among them, zero if there is none.
func (a *Archive) addStamps(ctx context.Context, got map[object.Hash][]byte, other object.Hash) error {
	lock, err := a.lock(ctx)
	if err != nil {
		return err
	}
	defer lock.Close()
	return a.addStampsLocked(ctx, got, other)
}

func (a *Archive) addStampsLocked(ctx context.Context, got map[object.Hash][]byte, other object.Hash) error {
	old, err := a.refs.Read(stampsRef)
	if err != nil {
		return err
	}
	have, err := a.stamps(ctx)
	if err != nil {
		return err
	}
	p, err := pack.NewWriter(a.dir)
	if err != nil {
		return err
	}
	defer p.Abort()
	c, err := a.stampCommit(ctx, p, [2]object.Hash{old, other}, have, got)
	if err != nil || c.IsZero() {
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
		Name: stampsRef, Old: old, New: c, By: a.opts.Committer.signature(a.opts.Now()), Why: "katprep: time stamps",
	}, max(a.opts.LockWait, refWait))
}

// stampCommit writes the commit that adds the stamps which are not there yet;
// zero if all are.
func (a *Archive) stampCommit(ctx context.Context, p *pack.Writer, parents [2]object.Hash, have map[object.Hash]object.Hash, got map[object.Hash][]byte) (h object.Hash, err error) {
	var tree object.Hash
	if !parents[0].IsZero() {
		if tree, err = a.tree(ctx, parents[0]); err != nil {
			return h, err
		}
	}
	n := 0
	for _, c := range sortedHashes(got) {
		if _, ok := have[c]; ok {
			continue
		}
		n++
		name := c.String()
		if tree, err = a.editIn(ctx, p, tree, name[:2]+"/"+name[2:], func([]byte) ([]byte, error) { return got[c], nil }); err != nil {
			return h, err
		}
	}
	if n == 0 && parents[1].IsZero() {
		return h, nil
	}
	m := message{subject: "time stamps of " + count(n, "commit", "commits")}
	now := a.opts.Now()
	c := &object.Commit{Tree: tree, Author: a.opts.Author.signature(now), Committer: a.opts.Committer.signature(now), Message: m.String()}
	for _, parent := range parents {
		if !parent.IsZero() {
			c.Parents = append(c.Parents, parent)
		}
	}
	if a.opts.Sign != nil {
		if c.Armor, err = a.opts.Sign.Sign(ctx, c.Payload()); err != nil {
			return h, fmt.Errorf("sign the time stamps: %w", err)
		}
	}
	return p.AddNow(ctx, object.CommitKind, c.Encode(), object.Hash{})
}

func sortedHashes[V any](m map[object.Hash]V) []object.Hash {
	out := make([]object.Hash, 0, len(m))
	for h := range m {
		out = append(out, h)
	}
	slices.SortFunc(out, func(x, y object.Hash) int { return strings.Compare(string(x[:]), string(y[:])) })
	return out
}

// StampOf returns the stamp that covers a commit: its own, or that of the
// nearest commit after it. ok is false if there is none.
func (a *Archive) StampOf(ctx context.Context, c katprep.CommitID) (at katprep.CommitID, der []byte, ok bool, err error) {
	op := "find the time stamp of " + c.Short()
	want, err := hashOf(c)
	if err != nil {
		return "", nil, false, fail(op, err)
	}
	have, err := a.stamps(ctx)
	if err != nil || len(have) == 0 {
		return "", nil, false, fail(op, err)
	}
	tip, err := a.tip()
	if err != nil {
		return "", nil, false, fail(op, err)
	}
	var nearest object.Hash
	for v, err := range a.walk(ctx, tip) {
		if err != nil {
			return "", nil, false, fail(op, err)
		}
		if _, stamped := have[v.hash]; stamped {
			nearest = v.hash
		}
		if v.hash == want {
			break
		}
	}
	if nearest.IsZero() {
		return "", nil, false, nil
	}
	der, err = a.read(ctx, have[nearest], object.BlobKind)
	return idOf(nearest), der, err == nil, fail(op, err)
}
