package archive

import (
	"bytes"
	"time"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/internal/archive/canon"
	"github.com/stdevel/katprep/internal/archive/names"
	"github.com/stdevel/katprep/internal/archive/object"
)

// claims verifies what the files of runs say of themselves, in the commit that
// brings them: whose run, who, when, and which snapshot.
func (v *verifier) claims(h object.Hash, c *object.Commit, kind Kind, before, now object.Entry) {
	if before.Hash == now.Hash || now.Hash.IsZero() || kind != KindDecision && kind != KindPlan {
		return
	}
	run := katprep.RunID(trailers(c.Message)[trailerRun])
	if !run.Valid() {
		v.find(h, "runs", "the commit does not say which run it concerns")
		return
	}
	_, folder := splitDir(names.Run(string(run)))
	for _, file := range []string{planFile, approvalFile, signOffFile} {
		is, there, err1 := v.a.entry(v.ctx, now.Hash, folder, file)
		was, _, err2 := v.entryIn(before.Hash, folder, file)
		if err1 != nil || err2 != nil || !there || is.Hash == was.Hash {
			continue
		}
		data, err := v.a.read(v.ctx, is.Hash, object.BlobKind)
		if err != nil {
			continue // found as a file
		}
		path := "runs/" + folder + "/" + file
		if file == planFile {
			v.plan(h, c, run, path, data)
		} else {
			v.decision(h, c, run, path, data)
			if file == approvalFile {
				v.late(h, path, data, before.Hash, folder)
			}
		}
	}
}

func (v *verifier) entryIn(tree object.Hash, path ...string) (object.Entry, bool, error) {
	if tree.IsZero() {
		return object.Entry{}, false, nil
	}
	return v.a.entry(v.ctx, tree, path...)
}

// decision verifies that a decision is by who recorded it, and of that time.
func (v *verifier) decision(h object.Hash, c *object.Commit, run katprep.RunID, path string, data []byte) {
	var d katprep.Decision
	if canon.Decode(data, &d) != nil {
		return // found as a file
	}
	if d.Run != run {
		v.find(h, path, "it is a decision on run %s", d.Run)
	}
	if by := (object.Signature{Name: d.By}).Clean(); by != c.Author.Name {
		v.find(h, path, "it says that %s decided, but %s recorded it", d.By, c.Author.Name)
	}
	at := c.Committer.When
	switch {
	case d.At.Before(at.Add(-tolerance)):
		v.find(h, path, "it is backdated: it says %s, but was recorded at %s", d.At.UTC().Format(time.RFC3339), at.Format(time.RFC3339))
	case d.At.After(at.Add(tolerance)):
		v.find(h, path, "it says %s, but was recorded at %s already", d.At.UTC().Format(time.RFC3339), at.Format(time.RFC3339))
	}
}

// late finds an approval that says it is older than the start of its run, when
// the work was in the archive before it: dates can be written at will, the
// order of commits cannot.
func (v *verifier) late(h object.Hash, path string, data []byte, before object.Hash, folder string) {
	var d katprep.Decision
	journal, there, err := v.entryIn(before, folder, journalFile)
	if err != nil || !there || canon.Decode(data, &d) != nil {
		return
	}
	text, err := v.a.read(v.ctx, journal.Hash, object.BlobKind)
	if err != nil {
		return // found as a file
	}
	for line := range bytes.Lines(text) {
		var e katprep.Entry
		if canon.Decode(line, &e) != nil {
			return // found as a file
		}
		work := e.Stage == katprep.StagePrepare || e.Stage == katprep.StageExecute
		if !work || e.Event == katprep.EventNote || e.Event == katprep.EventSkipped {
			continue
		}
		if d.At.Before(e.At.Truncate(time.Second)) { // as precise as decisions are
			v.find(h, path, "it says %s, before the start of the run at %s, but was recorded after it by the order of commits: a clock was wrong, or it was dated back",
				d.At.UTC().Format(time.RFC3339), e.At.UTC().Format(time.RFC3339))
		}
		return
	}
}

// plan verifies that a plan begins with a snapshot of this history.
func (v *verifier) plan(h object.Hash, c *object.Commit, run katprep.RunID, path string, data []byte) {
	var p katprep.Plan
	if canon.Decode(data, &p) != nil {
		return // found as a file
	}
	if p.Run != run {
		v.find(h, path, "it is the plan of run %s", p.Run)
	}
	if !p.Created.IsZero() && p.Created.After(c.Committer.When.Add(tolerance)) {
		v.find(h, path, "it says %s, but was recorded at %s already", p.Created.UTC().Format(time.RFC3339), c.Committer.When.Format(time.RFC3339))
	}
	if p.Before == "" {
		return
	}
	b, ok := object.ParseHash(string(p.Before))
	if !ok {
		v.find(h, path, "the snapshot that it begins with is no commit: %q", string(p.Before))
		return
	}
	was := v.commit[b]
	if was == nil {
		if v.o.Since == "" && len(v.a.cuts()) == 0 {
			v.find(h, path, "the snapshot that it begins with, %s, is not in the history", p.Before.Short())
		}
		return
	}
	if Kind(trailers(was.Message)[trailerKind]) != KindSnapshot {
		v.find(h, path, "what it begins with, %s, is no snapshot", p.Before.Short())
	}
}

// untagged finds the snapshots of runs that have no tag: it was not made, or
// somebody removed it.
func (v *verifier) untagged() {
	for _, h := range v.order {
		if _, ok := v.snapshots[h]; !ok {
			continue
		}
		t := trailers(v.commit[h].Message)
		if t[trailerRun] == "" {
			continue
		}
		name := TagName(katprep.RunID(t[trailerRun]), katprep.Phase(t[trailerPhase]))
		if _, ok := v.out.Tags[name]; !ok {
			v.warn(h, name, "the snapshot of the run has no tag: it was not made, or removed")
		}
	}
}
