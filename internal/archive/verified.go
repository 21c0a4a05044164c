package archive

import (
	"context"
	"time"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/internal/archive/canon"
)

// verificationFile holds what the last recorded verification found.
const verificationFile = "policy/verification.json"

// A Verified is a verification that somebody put on record: what was found up
// to Tip, when, and on whose account. It is evidence that somebody looked, and
// no replacement for looking again.
type Verified struct {
	Format    int              `json:"format"`
	At        time.Time        `json:"at"` // UTC, seconds
	By        string           `json:"by"`
	Version   string           `json:"katprep"`
	Tip       katprep.CommitID `json:"tip"`
	Since     katprep.CommitID `json:"since,omitempty"` // it and all before it were taken as verified
	Commits   int              `json:"commits"`
	Snapshots int              `json:"snapshots"`
	Files     int              `json:"files"`
	Signed    int              `json:"signed"`
	Unsigned  int              `json:"unsigned"`
	Anchor    string           `json:"anchor,omitempty"`
	Findings  []Finding        `json:"findings,omitempty"`
}

// PutVerified puts a verification on record, whatever it found.
func (a *Archive) PutVerified(ctx context.Context, v *Verification, since katprep.CommitID, version string) (katprep.CommitID, error) {
	const op = "record the verification"
	rec := Verified{
		Format: katprep.ArchiveFormat, At: a.opts.Now().UTC().Truncate(time.Second), By: a.opts.Author.Name, Version: version, Tip: v.Tip, Since: since,
		Commits: v.Commits, Snapshots: v.Snapshots, Files: v.Files, Signed: v.Signed, Unsigned: v.Unsigned, Anchor: v.Anchor, Findings: v.Findings,
	}
	text, err := canon.Encode(rec)
	if err != nil {
		return "", katprep.Errorf(katprep.Invalid, "%s: %w", op, err)
	}
	word := "nothing is broken"
	if b := v.Broken(); b != nil {
		word = "broken"
	}
	m := message{subject: "verified up to " + v.Tip.Short() + ": " + word}
	m.add(trailerVersion, version)
	c, err := a.put(ctx, m, KindPolicy, verificationFile, func([]byte) ([]byte, error) { return text, nil })
	return c, fail(op, err)
}

// Verified returns the last verification on record, nil if there is none.
func (a *Archive) Verified(ctx context.Context) (*Verified, error) {
	const op = "read the last verification"
	tip, err := a.tip()
	if err != nil || tip.IsZero() {
		return nil, fail(op, err)
	}
	var v Verified
	found, err := a.decode(ctx, tip, verificationFile, &v)
	if err != nil || !found {
		return nil, fail(op, err)
	}
	return &v, nil
}
