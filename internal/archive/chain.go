package archive

import (
	"bytes"
	"context"
	"errors"
	"iter"
	"strings"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/internal/archive/canon"
	"github.com/stdevel/katprep/internal/archive/names"
	"github.com/stdevel/katprep/internal/archive/object"
	"github.com/stdevel/katprep/internal/archive/sign"
)

// A SignatureState says what is known of the signature of a commit or a tag.
type SignatureState string

// The states. Only the first is a claim.
const (
	SignatureGood      SignatureState = "good"        // of a key that was allowed then
	SignatureBad       SignatureState = "bad"         // does not fit, or of a key that was not allowed
	SignatureMissing   SignatureState = "missing"     // not signed
	SignatureUnchecked SignatureState = "not checked" // signed, but the archive holds no keys to check it by
)

// A Signature is what the archive itself can say of who signed.
type Signature struct {
	State   SignatureState
	By      string // whose key it is, by the list of allowed keys; untrusted text
	Key     string // fingerprint
	Problem string // why it is bad
}

// A Link is a commit of the chain of evidence: who signed it, and the
// decision that came with it.
type Link struct {
	Commit
	Signature  Signature
	Approval   *katprep.Decision
	SignOff    *katprep.Decision
	Exceptions []katprep.Exception // all that hold from here on, if HasPolicy
	HasPolicy  bool                // the commit changed the exceptions
}

// Run returns the run that the commit says it belongs to, "" if none.
func (l *Link) Run() katprep.RunID { return katprep.RunID(l.Trailers[trailerRun]) }

// Stage returns the stage whose journal the commit says it brought.
func (l *Link) Stage() katprep.Stage { return katprep.Stage(l.Trailers[trailerStage]) }

// Chain yields all commits of the archive, the newest first. As histories are
// never joined, each is the parent of the one before it: their order is the
// order in which things were recorded, whatever their dates say.
func (a *Archive) Chain(ctx context.Context) iter.Seq2[Link, error] {
	const op = "read the chain of commits"
	return func(yield func(Link, error) bool) {
		tip, err := a.tip()
		if err != nil {
			yield(Link{}, fail(op, err))
			return
		}
		if tip.IsZero() {
			return
		}
		r := rings{a: a, known: map[object.Hash]*sign.Keyring{}}
		for v, err := range a.walk(ctx, tip) {
			l := Link{}
			if err == nil {
				l, err = a.link(ctx, v, &r)
			}
			if err != nil {
				yield(Link{}, fail(op, err))
				return
			}
			if !yield(l, nil) {
				return
			}
		}
	}
}

func (a *Archive) link(ctx context.Context, v visit, r *rings) (l Link, err error) {
	l.Commit = describe(v.hash, v.commit)
	parent := object.Hash{}
	if len(v.commit.Parents) > 0 {
		parent = v.commit.Parents[0]
	}
	if l.Signature, err = a.signature(ctx, v.hash, v.commit, parent, r); err != nil {
		return l, err
	}
	switch l.Kind {
	case KindDecision:
		dir := RunPath(katprep.RunID(l.Trailers[trailerRun])) + "/"
		if err = a.brought(ctx, v.hash, parent, dir+approvalFile, &l.Approval); err == nil {
			err = a.brought(ctx, v.hash, parent, dir+signOffFile, &l.SignOff)
		}
	case KindPolicy:
		var doc *exceptions
		if err = a.brought(ctx, v.hash, parent, exceptionsFile, &doc); err == nil && doc != nil {
			l.Exceptions, l.HasPolicy = doc.Exceptions, true
		}
	}
	return l, err
}

// brought reads a file that a commit changed; the pointer stays nil if it did
// not.
func (a *Archive) brought(ctx context.Context, c, parent object.Hash, path string, to any) error {
	now, found, err := a.file(ctx, c, strings.Split(path, "/")...)
	if err != nil || !found {
		return err
	}
	if !parent.IsZero() {
		old, _, err := a.file(ctx, parent, strings.Split(path, "/")...)
		if err != nil || bytes.Equal(old, now) {
			return err
		}
	}
	if err := canon.Decode(now, to); err != nil {
		return katprep.Errorf(katprep.Corrupt, "%s: %w", path, err)
	}
	return nil
}

// signature checks a commit as Verify does: by the keys that its parent
// allows. The first signed commit brings its own key.
func (a *Archive) signature(ctx context.Context, h object.Hash, c *object.Commit, parent object.Hash, r *rings) (Signature, error) {
	if c.Armor == "" {
		return Signature{State: SignatureMissing}, nil
	}
	_, data, err := a.store.Read(ctx, h)
	if err != nil {
		return Signature{}, err
	}
	ring, err := r.at(ctx, parent)
	if err == nil && ring.Empty() {
		ring, err = r.at(ctx, h)
	}
	if err != nil {
		return Signature{}, err
	}
	payload, armor := object.SplitSigned(data)
	if ring.Empty() {
		return Signature{State: SignatureUnchecked}, nil
	}
	return signatureOf(ring.Check(payload, armor, c.Committer.When)), nil
}

func signatureOf(key sign.Key, err error) Signature {
	s := Signature{State: SignatureGood, By: key.Principal, Key: key.Fingerprint}
	if err != nil {
		s.State, s.Problem = SignatureBad, err.Error()
	}
	return s
}

// TagSignature says who signed the tag of a run's snapshot; ok is false if
// there is none.
func (a *Archive) TagSignature(ctx context.Context, run katprep.RunID, ph katprep.Phase) (s Signature, ok bool, err error) {
	name := TagName(run, ph)
	op := "check the tag " + name
	if !validTag(name) {
		return s, false, nil
	}
	h, err := a.refs.Read("refs/tags/" + name)
	if err != nil || h.IsZero() {
		return s, false, fail(op, err)
	}
	kind, data, err := a.store.Read(ctx, h)
	if err != nil {
		return s, false, fail(op, err)
	}
	t, annotated := object.DecodeTag(data)
	if kind != object.TagKind || !annotated || t.Armor == "" {
		return Signature{State: SignatureMissing}, true, nil
	}
	s, err = a.tagSignature(ctx, t)
	return s, true, fail(op, err)
}

// tagSignature checks a tag by the keys of its commit, and then by those of
// the tip: a tag may be made later than its commit, by a key that was let in
// meanwhile.
func (a *Archive) tagSignature(ctx context.Context, t *object.Tag) (s Signature, err error) {
	tip, err := a.tip()
	if err != nil {
		return s, err
	}
	s.State = SignatureUnchecked
	for _, c := range []object.Hash{t.Target, tip} {
		ring, err := a.keyring(ctx, c)
		if err != nil {
			return s, err
		}
		if ring.Empty() {
			continue
		}
		key, err := ring.Check(t.Payload(), t.Armor, t.Tagger.When)
		if s = signatureOf(key, err); !errors.Is(err, sign.ErrUnknown) {
			break
		}
	}
	return s, nil
}

// rings remembers keyrings by the folder that they are read from: most
// commits have that of their parent.
type rings struct {
	a     *Archive
	known map[object.Hash]*sign.Keyring
}

func (r *rings) at(ctx context.Context, c object.Hash) (*sign.Keyring, error) {
	if c.IsZero() {
		return r.a.keyring(ctx, c)
	}
	dir, err := r.a.folder(ctx, c, "policy")
	if err != nil {
		return nil, err
	}
	if ring := r.known[dir]; ring != nil {
		return ring, nil
	}
	ring, err := r.a.keyring(ctx, c)
	if err == nil {
		r.known[dir] = ring
	}
	return ring, err
}

// HostPath returns where a host's file is in the tree of a snapshot, if no
// other host of the snapshot has the same name.
func HostPath(h katprep.Host) string { return names.Host(h.Name) }
