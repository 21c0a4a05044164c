package main

import (
	"context"
	"iter"
	"strings"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/internal/archive"
	"github.com/stdevel/katprep/site"
)

// siteSource lets the site read the archive.
type siteSource struct{ arc *archive.Archive }

var (
	_ site.Source    = siteSource{}
	_ site.Chain     = siteSource{}
	_ site.Unchanger = siteSource{}
	_ site.Recorder  = siteSource{}
)

func newSiteSource(arc *archive.Archive) siteSource { return siteSource{arc} }

// Snapshots implements site.Source.
func (s siteSource) Snapshots(ctx context.Context) iter.Seq2[katprep.SnapshotRef, error] {
	return func(yield func(katprep.SnapshotRef, error) bool) {
		head, err := s.arc.Resolve(ctx, "latest")
		if katprep.KindOf(err) == katprep.NotFound && err != nil {
			return
		}
		if err != nil {
			yield(katprep.SnapshotRef{}, err)
			return
		}
		for c, err := range s.arc.Log(ctx, head) {
			if err != nil {
				yield(katprep.SnapshotRef{}, err)
				return
			}
			if c.Kind != archive.KindSnapshot {
				continue
			}
			snap, err := s.arc.Snapshot(ctx, c.ID)
			if !yield(katprep.SnapshotRef{Commit: c.ID, Snapshot: snap}, err) || err != nil {
				return
			}
		}
	}
}

// Compare implements site.Source.
func (s siteSource) Compare(ctx context.Context, before, after katprep.CommitID) (int, iter.Seq2[site.Pair, error], error) {
	c, err := s.arc.Compare(ctx, before, after)
	if err != nil {
		return 0, nil, err
	}
	return c.Same, func(yield func(site.Pair, error) bool) {
		for p, err := range c.Pairs(ctx) {
			if !yield(site.Pair{Before: p.Before, After: p.After}, err) {
				return
			}
		}
	}, nil
}

// Unchanged implements site.Unchanger.
func (s siteSource) Unchanged(ctx context.Context, before, after katprep.CommitID) iter.Seq2[katprep.State, error] {
	return func(yield func(katprep.State, error) bool) {
		c, err := s.arc.Compare(ctx, before, after)
		if err != nil {
			yield(katprep.State{}, err)
			return
		}
		c.Unchanged(ctx)(yield)
	}
}

// States implements site.Source.
func (s siteSource) States(ctx context.Context, c katprep.CommitID) iter.Seq2[katprep.State, error] {
	return s.arc.States(ctx, c)
}

// Errata implements site.Source.
func (s siteSource) Errata(ctx context.Context, c katprep.CommitID) iter.Seq2[katprep.Erratum, error] {
	return s.arc.Errata(ctx, c)
}

// Runs implements site.Source.
func (s siteSource) Runs(ctx context.Context) iter.Seq2[katprep.RunRecord, error] {
	return func(yield func(katprep.RunRecord, error) bool) {
		ids, err := s.arc.Runs(ctx)
		if err != nil {
			yield(katprep.RunRecord{}, err)
			return
		}
		for _, id := range ids {
			rec, err := s.arc.Run(ctx, id)
			if !yield(rec, err) || err != nil {
				return
			}
		}
	}
}

// Run implements site.Recorder.
func (s siteSource) Run(ctx context.Context, id katprep.RunID) (katprep.RunRecord, error) {
	return s.arc.Run(ctx, id)
}

// Exceptions implements site.Source.
func (s siteSource) Exceptions(ctx context.Context) ([]katprep.Exception, error) {
	return s.arc.Exceptions(ctx)
}

// Tagged returns the commit that a run's tag names: of several snapshots of a
// phase, the tagged one is the run's, here as in every report.
func (s siteSource) Tagged(ctx context.Context, run katprep.RunID, ph katprep.Phase) (katprep.CommitID, bool, error) {
	id, err := s.arc.Resolve(ctx, "run/"+string(run)+"/"+string(ph))
	if err != nil {
		if katprep.KindOf(err) == katprep.NotFound {
			err = nil
		}
		return "", false, err
	}
	return id, true, nil
}

// Links implements site.Chain.
func (s siteSource) Links(ctx context.Context) iter.Seq2[site.Link, error] {
	return func(yield func(site.Link, error) bool) {
		for l, err := range s.arc.Chain(ctx) {
			out := site.Link{
				Commit: l.ID, At: l.Written, By: l.Author.Name, RecordedBy: recordedBy(l.Commit), Kind: string(l.Kind), Run: l.Run(), Stage: l.Stage(), Subject: l.Subject,
				Signature: siteSignature(l.Signature), Approval: l.Approval, SignOff: l.SignOff, Exceptions: l.Exceptions, HasPolicy: l.HasPolicy,
			}
			if !yield(out, err) || err != nil {
				return
			}
		}
	}
}

// recordedBy is who recorded a commit in its author's name: the program says
// so of its user, and git names whoever called it. Empty if that is the author.
func recordedBy(c archive.Commit) string {
	name := c.Committer.Name
	if strings.HasPrefix(name, "katprep ") {
		_, name, _ = strings.Cut(name, " run by ")
	}
	if name == c.Author.Name {
		return ""
	}
	return name
}

// siteSignature is a signature in the words of package site.
func siteSignature(s archive.Signature) site.Signature {
	return site.Signature{State: site.SignatureState(s.State), By: s.By, Key: s.Key, Problem: s.Problem}
}

// TagSignature implements site.Chain.
func (s siteSource) TagSignature(ctx context.Context, run katprep.RunID, ph katprep.Phase) (site.Signature, bool, error) {
	sig, ok, err := s.arc.TagSignature(ctx, run, ph)
	return siteSignature(sig), ok, err
}

// Verified implements site.Chain.
func (s siteSource) Verified(ctx context.Context) (*site.Verification, error) {
	v, err := s.arc.Verified(ctx)
	if err != nil || v == nil {
		return nil, err
	}
	out := &site.Verification{At: v.At, By: v.By, Tip: v.Tip, Since: v.Since, Commits: v.Commits, Signed: v.Signed, Unsigned: v.Unsigned}
	for _, f := range v.Findings {
		if f.Warning {
			out.Warnings++
		} else {
			out.Broken = append(out.Broken, f.String())
		}
	}
	return out, nil
}

// HostPath implements site.Filer.
func (siteSource) HostPath(h katprep.Host) string { return archive.HostPath(h) }
