package site

import (
	"context"
	"encoding/json"
	"iter"
	"strings"
	"time"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/render"
)

// A Chain is a Source that knows the commits of its archive: their order, who
// signed them, and which one brought which decision. The order in which
// commits follow each other is what cannot be made up afterwards; the dates
// in decisions are what their authors wrote.
type Chain interface {
	// Links yields all commits, the newest first.
	Links(ctx context.Context) iter.Seq2[Link, error]
	// TagSignature says who signed the tag of a run's snapshot; ok is false if
	// there is no such tag.
	TagSignature(ctx context.Context, run katprep.RunID, ph katprep.Phase) (s Signature, ok bool, err error)
	// Verified returns the last verification on record; nil if there is none.
	Verified(ctx context.Context) (*Verification, error)
}

// A Filer is a Source that knows where a host's file is in its archive.
type Filer interface {
	// HostPath returns the path within a snapshot; it is safe in commands.
	HostPath(h katprep.Host) string
}

// hostFile is where the archive has a host, or "" if nobody knows.
func (b *builder) hostFile(h katprep.Host) string {
	if f, ok := b.src.(Filer); ok {
		return f.HostPath(h)
	}
	return ""
}

// A SignatureState says what is known of a signature.
type SignatureState string

// The states. Only the first is a claim.
const (
	SignatureGood      SignatureState = "good"        // of a key that was allowed then
	SignatureBad       SignatureState = "bad"         // does not fit, or of a key that was not allowed
	SignatureMissing   SignatureState = "missing"     // not signed
	SignatureUnchecked SignatureState = "not checked" // nobody checked it; the zero value is the same
)

// A Signature is who signed a commit or tag. All texts are untrusted.
type Signature struct {
	State   SignatureState
	By      string // whose key it is, by the archive's list of keys
	Key     string // fingerprint
	Problem string // why it is bad, or not checked
}

// A Link is a commit of the chain of evidence.
type Link struct {
	Commit     katprep.CommitID
	At         time.Time // when it was written, by the clock of what wrote it
	By         string    // author, untrusted
	RecordedBy string    // who wrote it in the author's name, untrusted; "" if the author did
	Kind       string    // "snapshot", "plan", "journal", "decision", "policy"
	Run        katprep.RunID
	Stage      katprep.Stage // of a journal
	Subject    string        // untrusted
	Signature  Signature
	Approval   *katprep.Decision   // that it brought
	SignOff    *katprep.Decision   // that it brought
	Exceptions []katprep.Exception // all that hold from here on, if HasPolicy
	HasPolicy  bool
}

// A Verification is what somebody who verified the archive found.
type Verification struct {
	At               time.Time
	By               string
	Tip              katprep.CommitID
	Since            katprep.CommitID // it and all before it were not looked at; may be empty
	Commits          int
	Signed, Unsigned int
	Broken           []string // links that do not hold
	Warnings         int
}

// A chain is what a build keeps of the links, the oldest first.
type chain struct {
	known    bool
	links    []Link
	index    map[katprep.CommitID]int
	recorded map[string]int // by exception: the link that first had it
	began    int            // the first signed link; len(links) if there is none
	tags     map[string]Signature
	verified *Verification
}

// loadChain reads the links, if the source knows them.
func (b *builder) loadChain(ctx context.Context) error {
	c := newChain()
	b.chain = c
	defer b.provenance()
	src, ok := b.src.(Chain)
	if !ok {
		return nil
	}
	if err := c.load(ctx, src); err != nil {
		return err
	}
	for _, p := range b.m.pairs {
		for _, ph := range []katprep.Phase{katprep.Before, katprep.After} {
			if !p.Run.Valid() {
				continue
			}
			s, ok, err := src.TagSignature(ctx, p.Run, ph)
			if err != nil {
				return err
			}
			if ok {
				c.tags[p.Tag(string(ph))] = s
			}
		}
	}
	var err error
	c.verified, err = src.Verified(ctx)
	return err
}

func newChain() *chain {
	return &chain{index: map[katprep.CommitID]int{}, recorded: map[string]int{}, tags: map[string]Signature{}}
}

// load reads all links.
func (c *chain) load(ctx context.Context, src Chain) error {
	c.known = true
	var newest []Link
	for l, err := range src.Links(ctx) {
		if err != nil {
			return err
		}
		newest = append(newest, l)
	}
	n := len(newest)
	c.links, c.began = make([]Link, n), n
	for i := range newest {
		c.links[n-1-i] = newest[i]
	}
	for i := range c.links {
		c.read(i)
	}
	return nil
}

// provenance notes at each pair who signed its snapshots and tags.
func (b *builder) provenance() {
	for _, p := range b.m.pairs {
		for _, side := range []struct {
			ref *katprep.SnapshotRef
			ph  katprep.Phase
			to  *provenance
		}{{p.Before, katprep.Before, &p.from}, {p.After, katprep.After, &p.to}} {
			if side.ref == nil {
				continue
			}
			side.to.Signature = b.chain.signature(side.ref.Commit)
			if b.o.CommitURL != "" {
				side.to.URL = b.o.CommitURL + string(side.ref.Commit)
			}
			s, ok := b.chain.tag(p, side.ph)
			if !b.chain.known && p.Run.Valid() && side.ref.Snapshot.Run == p.Run && side.ref.Snapshot.Phase == side.ph {
				s, ok = side.to.Signature, true // the tag that katprep gives it
			}
			if ok {
				side.to.Tag, side.to.TagSignature = p.Tag(string(side.ph)), s
			}
		}
	}
}

// A provenance is who vouches for a snapshot.
type provenance struct {
	Signature    Signature
	URL          string // of the commit, at a forge
	Tag          string // "" if there is none
	TagSignature Signature
}

// From is the provenance of the before-snapshot.
func (p *pair) From() provenance { return p.from }

// To is the provenance of the after-snapshot.
func (p *pair) To() provenance { return p.to }

func (c *chain) read(i int) {
	l := &c.links[i]
	c.index[l.Commit] = i
	if s := l.Signature.State; c.began == len(c.links) && (s == SignatureGood || s == SignatureBad) {
		c.began = i
	}
	for j := range l.Exceptions {
		k := exceptionKey(&l.Exceptions[j])
		if _, ok := c.recorded[k]; !ok {
			c.recorded[k] = i
		}
	}
}

// exceptionKey is an exception as it was decided: another reason, or a later
// end, is another decision.
func exceptionKey(x *katprep.Exception) string {
	raw, _ := json.Marshal(x) // strings and a time: cannot fail
	return string(raw)
}

// signature says who signed a commit of the archive. A commit without a
// signature, after others had one, is a hole in the chain.
func (c *chain) signature(id katprep.CommitID) Signature {
	if !c.known {
		return Signature{State: SignatureUnchecked, Problem: "the site was built from something that knows no commits"}
	}
	i, ok := c.index[id]
	if !ok {
		return Signature{State: SignatureBad, Problem: "the commit is not in the history"}
	}
	s := c.links[i].Signature
	if s.State == SignatureMissing && i > c.began {
		return Signature{State: SignatureBad, Problem: "not signed, though earlier commits are"}
	}
	return s
}

// Text says it in words, never nothing.
func (s Signature) Text() string {
	switch s.State {
	case SignatureGood:
		return "signed by " + orNobody(s.By) + ", key " + render.Line(s.Key)
	case SignatureBad:
		return "signature not valid: " + render.Line(s.Problem)
	case SignatureMissing:
		return "not signed"
	}
	if s.Problem != "" {
		return "signature not checked: " + render.Line(s.Problem)
	}
	return "signature not checked: the archive holds no allowed_signers"
}

// Word is the state as shape, word and colour.
func (s Signature) Word() render.Word {
	switch s.State {
	case SignatureGood:
		return render.Word{Shape: "✓", Text: "signed", Class: "good"}
	case SignatureBad:
		return render.Word{Shape: "✗", Text: "not valid", Class: "bad"}
	case SignatureMissing:
		return render.Word{Shape: "–", Text: "not signed", Class: "none"}
	}
	return render.Word{Shape: "?", Text: "not checked", Class: "wait"}
}

// Detail is what the word leaves out.
func (s Signature) Detail() string {
	switch s.State {
	case SignatureGood:
		return "by " + orNobody(s.By) + ", key " + render.Line(s.Key)
	case SignatureMissing:
		return ""
	}
	_, why, _ := strings.Cut(s.Text(), ": ")
	return why
}

func orNobody(s string) string {
	if s = render.Line(s); s == "" {
		return "nobody named"
	}
	return s
}

// tag says who signed the tag of a pair's snapshot; ok is false if there is
// none.
func (c *chain) tag(p *pair, ph katprep.Phase) (Signature, bool) {
	s, ok := c.tags[p.Tag(string(ph))]
	return s, ok
}
