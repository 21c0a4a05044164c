package main

import (
	"cmp"
	"fmt"
	"iter"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/diff"
	"github.com/stdevel/katprep/internal/archive"
)

// pairFlags name two snapshots.
type pairFlags struct {
	Before string `arg:"" optional:"" help:"The earlier snapshot: commit, tag, date, latest~N (default: the last but one)."`
	After  string `arg:"" optional:"" help:"The later snapshot (default: the last)."`
	Run    string `placeholder:"RUN" help:"The before and after of a run."`
	Force  bool   `help:"Compare snapshots of different selections: hosts outside of one count as not selected."`
}

// revs returns the two snapshots as text to resolve.
func (p pairFlags) revs() (before, after string, err error) {
	if p.Run != "" {
		if p.Before != "" {
			return "", "", katprep.Errorf(katprep.Invalid, "either --run or two snapshots")
		}
		if !katprep.RunID(p.Run).Valid() {
			return "", "", katprep.Errorf(katprep.Invalid, "run %q: use letters, digits, '.', '_' and '-', at most 64", p.Run)
		}
		return "run/" + p.Run + "/before", "run/" + p.Run + "/after", nil
	}
	if p.Before != "" && p.After == "" {
		return p.Before, "latest", nil
	}
	return cmp.Or(p.Before, "latest~1"), cmp.Or(p.After, "latest"), nil
}

// compare computes the report of two snapshots. With whole, the hosts that
// did not change are in it too; without, only what changed is read.
func (a *app) compare(p pairFlags, whole bool) (*katprep.Report, error) {
	if _, _, err := p.revs(); err != nil {
		return nil, err
	}
	arc, err := a.archive()
	if err != nil {
		return nil, err
	}
	before, after, err := a.resolvePair(arc, p)
	if err != nil {
		return nil, err
	}
	return buildReport(a, arc, before, after, whole, p.Force)
}

func (a *app) resolvePair(arc *archive.Archive, p pairFlags) (before, after katprep.SnapshotRef, err error) {
	b, f, err := p.revs()
	if err != nil {
		return
	}
	if before, err = a.snapshotRef(arc, b); err != nil {
		return
	}
	after, err = a.snapshotRef(arc, f)
	return
}

func (a *app) snapshotRef(arc *archive.Archive, rev string) (katprep.SnapshotRef, error) {
	id, err := arc.Resolve(a.ctx, rev)
	if err != nil {
		return katprep.SnapshotRef{}, err
	}
	s, err := arc.Snapshot(a.ctx, id)
	if err != nil {
		return katprep.SnapshotRef{}, err
	}
	c, err := arc.Describe(a.ctx, id)
	return katprep.SnapshotRef{Commit: id, By: c.Author.Name, With: c.Committer.Name, Snapshot: s}, err
}

// sayIfSame warns of two names for one snapshot: commits that are none, like a
// sign-off, stand for the last one before them.
func (a *app) sayIfSame(r *katprep.Report) error {
	said, err := a.sameSnapshot(r)
	if err != nil || said == "" {
		return err
	}
	if a.term.JSON() {
		return a.emit("warning", map[string]any{"message": said})
	}
	a.term.Warn("%s", said)
	return nil
}

// sameSnapshot says so if a report compares a snapshot with itself, "" if not.
func (a *app) sameSnapshot(r *katprep.Report) (string, error) {
	when := r.Before.Snapshot.Finished
	if !when.Equal(r.After.Snapshot.Finished) {
		return "", nil
	}
	before, err := a.snapshotOf(r.Before.Commit)
	if err != nil {
		return "", err
	}
	after, err := a.snapshotOf(r.After.Commit)
	if err != nil || before != after {
		return "", err
	}
	return fmt.Sprintf("both names mean snapshot %s (%s)", before.Short(), when.UTC().Format("2006-01-02 15:04")), nil
}

// snapshotOf returns the commit that made the snapshot which a commit holds.
func (a *app) snapshotOf(c katprep.CommitID) (katprep.CommitID, error) {
	arc, err := a.archive()
	if err != nil {
		return c, err
	}
	for commit, err := range arc.Log(a.ctx, c) {
		if err != nil || commit.Kind == archive.KindSnapshot {
			return commit.ID, err
		}
	}
	return c, nil
}

// buildReport reads the archive into a report.
func buildReport(a *app, arc *archive.Archive, before, after katprep.SnapshotRef, whole, force bool) (*katprep.Report, error) {
	l, err := diff.New(before, after, a.errataLookup(arc, before.Commit, after.Commit), diff.Options{AllowDifferentSelection: force})
	if err != nil {
		return nil, err
	}
	c, err := arc.Compare(a.ctx, before.Commit, after.Commit)
	if err != nil {
		return nil, err
	}
	changed := map[katprep.HostID]bool{}
	for p, err := range c.Pairs(a.ctx) {
		if err != nil {
			return nil, err
		}
		l.Add(p.Before, p.After)
		for _, s := range []*katprep.State{p.Before, p.After} {
			if s != nil && whole {
				changed[s.HostID] = true
			}
		}
	}
	if !whole {
		l.Unchanged(c.Same)
	} else if err := addUnchanged(l, arc.States(a.ctx, after.Commit), changed); err != nil {
		return nil, err
	}
	r := l.Report()
	r.Version = version()
	return &r, nil
}

func addUnchanged(l *diff.Landscape, states iter.Seq2[katprep.State, error], changed map[katprep.HostID]bool) error {
	for s, err := range states {
		if err != nil {
			return err
		}
		if !changed[s.HostID] {
			l.Add(&s, &s)
		}
	}
	return nil
}

// errataLookup finds advisories in either snapshot and remembers them. An
// advisory that cannot be read counts as not known: nothing is proven by it.
func (a *app) errataLookup(arc *archive.Archive, commits ...katprep.CommitID) diff.Lookup {
	known := map[string]*katprep.Erratum{}
	return func(id string) (katprep.Erratum, bool) {
		if e, ok := known[id]; ok {
			if e == nil {
				return katprep.Erratum{}, false
			}
			return *e, true
		}
		known[id] = nil
		for i := len(commits) - 1; i >= 0; i-- {
			if e, err := arc.Erratum(a.ctx, commits[i], id); err == nil {
				known[id] = &e
				return e, true
			}
		}
		return katprep.Erratum{}, false
	}
}
