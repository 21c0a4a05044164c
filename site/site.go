// Package site turns an archive into a static site: plain files that work
// from a disk and from any web server, without scripts too, and that ask no
// other machine for anything.
//
// Building streams: hosts are read one after the other, and what is kept of
// each is a few bytes for every change. The same archive gives the same
// bytes. A new site replaces the old one as a whole or not at all.
package site

import (
	"context"
	"iter"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/policy"
)

// A Source is what a site needs to know of an archive.
type Source interface {
	// Snapshots yields all snapshots, the newest first.
	Snapshots(ctx context.Context) iter.Seq2[katprep.SnapshotRef, error]
	// Compare yields the hosts that differ between two snapshots, each once,
	// in a stable order, and says how many do not differ.
	Compare(ctx context.Context, before, after katprep.CommitID) (same int, pairs iter.Seq2[Pair, error], err error)
	// States yields the states of all hosts of a snapshot in a stable order.
	States(ctx context.Context, c katprep.CommitID) iter.Seq2[katprep.State, error]
	// Errata yields all errata that the archive knows at a snapshot.
	Errata(ctx context.Context, c katprep.CommitID) iter.Seq2[katprep.Erratum, error]
	// Runs yields what the archive holds of each run, in any order.
	Runs(ctx context.Context) iter.Seq2[katprep.RunRecord, error]
	// Exceptions returns the decisions not to install something.
	Exceptions(ctx context.Context) ([]katprep.Exception, error)
}

// A Tagger is a Source that knows which snapshots are tagged as a run's. Where
// several snapshots say that they are of a phase, the tag decides.
type Tagger interface {
	// Tagged returns the commit of a run's snapshot of a phase, and whether
	// there is one.
	Tagged(ctx context.Context, run katprep.RunID, ph katprep.Phase) (katprep.CommitID, bool, error)
}

// An Unchanger is a Source that need not read a host to know that it did not
// change.
type Unchanger interface {
	// Unchanged yields the states of the hosts that Compare counts as the
	// same, in a stable order.
	Unchanged(ctx context.Context, before, after katprep.CommitID) iter.Seq2[katprep.State, error]
}

// A Recorder is a Source that has what the archive holds of a run again when it
// is asked for: a build then holds it for one run at a time.
type Recorder interface {
	// Run returns what Runs yields of one run.
	Run(ctx context.Context, id katprep.RunID) (katprep.RunRecord, error)
}

// A Pair is a host before and after; nil means that it is not there.
type Pair struct {
	Before, After *katprep.State
}

// Options say how a site is built.
type Options struct {
	Title     string                      // of the site; "" is "Patch evidence"
	Version   string                      // of the program
	Build     string                      // tells programs of one version apart while they are being developed; no page shows it
	Policy    policy.Policy               // deadlines, and where criticality is found
	Controls  []Control                   // references to standards; nil: the built-in ones
	CommitURL string                      // prefix of links to commits, such as of a forge; may be empty
	Compare   []Comparison                // further pairs of snapshots to have pages
	Monthly   bool                        // also compare the first snapshots of months
	Keep      int                         // earlier sites to be kept in "<out>.versions"
	Full      bool                        // make every page anew, whatever an earlier build left
	Rows      int                         // rows of a table on one page; 0: 200
	Progress  func(done int, what string) // pages made so far, and the last one; may be nil
}

// Stats says what was built.
type Stats struct {
	Pages        int // HTML pages
	Files        int // all files
	Kept         int // of them, unchanged since the earlier build
	Bytes        int64
	Hosts        int
	Errata       int
	Comparisons  int
	Maintenances int
}

// Build builds the site into the folder out, which must be empty, missing, or
// hold an earlier site: anything else is an error of kind katprep.Conflict.
// On any error the folder is left as it was.
func Build(ctx context.Context, src Source, out string, o Options) (Stats, error) {
	if o.Title == "" {
		o.Title = "Patch evidence"
	}
	if o.Rows <= 0 {
		o.Rows = 200
	}
	t, err := openTree(out)
	if err != nil {
		return Stats{}, err
	}
	defer t.discard()
	if o.Keep > 0 {
		t.trades = false // the earlier site needs its folders
	}
	b := newBuilder(src, o, t)
	if err := b.build(ctx); err != nil {
		return Stats{}, err
	}
	if err := ctx.Err(); err != nil {
		return Stats{}, err
	}
	if err := t.publish(); err != nil {
		return b.stats, err
	}
	return b.stats, t.keepVersions(o.Keep, b.version())
}
