package archive

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/internal/archive/canon"
	"github.com/stdevel/katprep/internal/archive/mask"
	"github.com/stdevel/katprep/internal/archive/names"
	"github.com/stdevel/katprep/internal/archive/object"
)

// The files of a run, and of the decisions that concern all.
const (
	planFile       = "plan.json"
	journalFile    = "journal.jsonl"
	approvalFile   = "approval.json"
	signOffFile    = "signoff.json"
	exceptionsFile = "policy/exceptions.json"
)

func runPath(run katprep.RunID, file string) (string, error) {
	if !run.Valid() {
		return "", katprep.Errorf(katprep.Invalid, "%q cannot be the ID of a run", string(run)).
			WithHint("use letters, digits, '.', '_' and '-', at most 64 of them")
	}
	return names.Run(string(run)) + "/" + file, nil
}

// PutPlan stores the plan of a run. A plan is frozen: another one for the
// same run is an error of kind Conflict, the same one changes nothing.
func (a *Archive) PutPlan(ctx context.Context, p katprep.Plan) (katprep.CommitID, error) {
	op := fmt.Sprintf("store the plan of run %q", string(p.Run))
	path, err := runPath(p.Run, planFile)
	if err != nil {
		return "", fail(op, err)
	}
	p.Format = katprep.ArchiveFormat
	text, err := canon.Encode(p)
	if err != nil {
		return "", katprep.Errorf(katprep.Invalid, "%s: %w", op, err)
	}
	m := message{subject: fmt.Sprintf("plan %s: %s", p.Run, count(len(p.Hosts), "host", "hosts"))}
	m.add(trailerRun, string(p.Run))
	m.add(trailerVersion, p.Version)
	c, err := a.put(ctx, m, KindPlan, path, func(old []byte) ([]byte, error) {
		if old != nil && !bytes.Equal(old, text) {
			return nil, katprep.Errorf(katprep.Conflict, "the run has another plan already").
				WithHint("plans are frozen; choose another run ID")
		}
		return text, nil
	})
	return c, fail(op, err)
}

// PutJournal appends to the journal of a run: those of the entries whose
// number is higher than the last archived one. Entries that are archived
// already may be given again, but not changed: that is an error of kind
// Conflict. Numbers must rise.
func (a *Archive) PutJournal(ctx context.Context, run katprep.RunID, stage katprep.Stage, entries []katprep.Entry) (katprep.CommitID, error) {
	op := fmt.Sprintf("store the journal of run %q", string(run))
	path, err := runPath(run, journalFile)
	if err != nil {
		return "", fail(op, err)
	}
	m := message{subject: fmt.Sprintf("%s %s: %s", stage, run, outcome(entries))}
	m.add(trailerRun, string(run))
	m.add(trailerStage, string(stage))
	c, err := a.put(ctx, m, KindJournal, path, func(old []byte) ([]byte, error) {
		return appendJournal(a.opts.Mask, old, entries)
	})
	return c, fail(op, err)
}

// interrupted is the key of an entry's data by which the engine says that
// the end of the run, and no failure, cut the step off.
const interrupted = "interrupted"

// outcome sums entries up for a subject, by what they say last of each step.
func outcome(entries []katprep.Entry) string {
	type step struct {
		host, id string
		of       katprep.HostID
	}
	hosts, last := map[string]bool{}, map[step]*katprep.Entry{}
	for i := range entries {
		if e := &entries[i]; e.Host != "" {
			hosts[e.Host] = true
			if e.Event != katprep.EventNote {
				last[step{e.Host, e.Step, e.HostID}] = e
			}
		}
	}
	failed, cut := map[string]bool{}, map[string]bool{}
	for k, e := range last {
		switch {
		case e.Data[interrupted] != "":
			cut[k.host] = true
		case e.Event == katprep.EventFailed || e.Event == katprep.EventUnknown:
			failed[k.host] = true
		}
	}
	s := count(len(hosts), "host", "hosts") + ", " + count(len(entries), "entry", "entries")
	if len(failed) > 0 {
		s += fmt.Sprintf(", %d with failures", len(failed))
	}
	if len(cut) > 0 {
		s += fmt.Sprintf(", %d interrupted", len(cut))
	}
	return s
}

func appendJournal(rules *mask.Rules, old []byte, entries []katprep.Entry) ([]byte, error) {
	archived, err := journalLines(old)
	if err != nil {
		return nil, err
	}
	last := 0
	if n := len(archived); n > 0 {
		last = archived[n-1].seq
	}
	out := slices.Clone(old)
	for _, e := range entries {
		line, err := canon.EncodeLine(rules.Entry(e))
		if err != nil {
			return nil, katprep.Errorf(katprep.Invalid, "entry %d: %w", e.Seq, err)
		}
		if e.Seq > last {
			out, last = append(out, line...), e.Seq
			continue
		}
		i, ok := slices.BinarySearchFunc(archived, e.Seq, func(l journalLine, seq int) int { return l.seq - seq })
		if !ok || !bytes.Equal(archived[i].text, line) {
			return nil, katprep.Errorf(katprep.Conflict, "entry %d differs from the archived one", e.Seq)
		}
	}
	return out, nil
}

// A journalLine is one line of a journal with its newline.
type journalLine struct {
	seq  int
	text []byte
}

func journalLines(text []byte) ([]journalLine, error) {
	var out []journalLine
	for line := range bytes.Lines(text) {
		var e struct{ Seq int }
		if err := canon.Decode(line, &e); err != nil {
			return nil, katprep.Errorf(katprep.Corrupt, "line %d of the journal: %w", len(out)+1, err)
		}
		out = append(out, journalLine{e.Seq, line})
	}
	return out, nil
}

// PutApproval stores who allowed a run. The last one counts; all are in the
// history.
func (a *Archive) PutApproval(ctx context.Context, d katprep.Decision) (katprep.CommitID, error) {
	return a.putDecision(ctx, d, approvalFile)
}

// PutSignOff stores who accepted the result of a run. The last one counts;
// all are in the history.
func (a *Archive) PutSignOff(ctx context.Context, d katprep.Decision) (katprep.CommitID, error) {
	return a.putDecision(ctx, d, signOffFile)
}

func (a *Archive) putDecision(ctx context.Context, d katprep.Decision, file string) (katprep.CommitID, error) {
	op := fmt.Sprintf("store the decision on run %q", string(d.Run))
	path, err := runPath(d.Run, file)
	if err != nil {
		return "", fail(op, err)
	}
	text, err := canon.Encode(a.opts.Mask.Decision(d))
	if err != nil {
		return "", katprep.Errorf(katprep.Invalid, "%s: %w", op, err)
	}
	m := message{subject: fmt.Sprintf("run %s %s by %s", d.Run, d.Verdict, d.By)}
	m.add(trailerRun, string(d.Run))
	c, err := a.put(ctx, m, KindDecision, path, func([]byte) ([]byte, error) { return text, nil })
	return c, fail(op, err)
}

// exceptions is the file of decisions not to patch.
type exceptions struct {
	Format     int                 `json:"format"`
	Exceptions []katprep.Exception `json:"exceptions"`
}

// PutExceptions replaces the decisions not to patch.
func (a *Archive) PutExceptions(ctx context.Context, list []katprep.Exception) (katprep.CommitID, error) {
	const op = "store the exceptions"
	text, err := canon.Encode(exceptions{katprep.ArchiveFormat, a.opts.Mask.Exceptions(list)})
	if err != nil {
		return "", katprep.Errorf(katprep.Invalid, "%s: %w", op, err)
	}
	m := message{subject: "exceptions: " + strconv.Itoa(len(list))}
	c, err := a.put(ctx, m, KindPolicy, exceptionsFile, func([]byte) ([]byte, error) { return text, nil })
	return c, fail(op, err)
}

// Exceptions returns the decisions not to patch that are in force by the tip
// of the archive; none if there are none.
func (a *Archive) Exceptions(ctx context.Context) ([]katprep.Exception, error) {
	const op = "read the exceptions"
	tip, err := a.tip()
	if err != nil || tip.IsZero() {
		return nil, fail(op, err)
	}
	var doc exceptions
	if _, err := a.decode(ctx, tip, exceptionsFile, &doc); err != nil {
		return nil, fail(op, err)
	}
	return doc.Exceptions, nil
}

// decode reads a JSON file of a commit; found is false if there is none.
func (a *Archive) decode(ctx context.Context, c object.Hash, path string, v any) (found bool, err error) {
	data, found, err := a.file(ctx, c, strings.Split(path, "/")...)
	if err != nil || !found {
		return false, err
	}
	if err := canon.Decode(data, v); err != nil {
		return false, katprep.Errorf(katprep.Corrupt, "%s: %w", path, err)
	}
	return true, nil
}

// Runs returns the runs that the archive knows, sorted.
func (a *Archive) Runs(ctx context.Context) ([]katprep.RunID, error) {
	const op = "list the runs"
	tip, err := a.tip()
	if err != nil || tip.IsZero() {
		return nil, fail(op, err)
	}
	dir, err := a.folder(ctx, tip, "runs")
	if err != nil {
		return nil, fail(op, err)
	}
	entries, err := a.list(ctx, dir)
	if err != nil {
		return nil, fail(op, err)
	}
	var out []katprep.RunID
	for _, e := range entries {
		if id, ok := names.RunID(e.Name); ok && e.Dir {
			out = append(out, katprep.RunID(id))
		}
	}
	slices.Sort(out)
	return out, nil
}

// Run returns what the archive holds of a run, by its tip. The error is of
// kind NotFound if it holds nothing.
func (a *Archive) Run(ctx context.Context, id katprep.RunID) (r katprep.RunRecord, err error) {
	op := fmt.Sprintf("read run %q", string(id))
	path, err := runPath(id, "")
	if err != nil {
		return r, fail(op, err)
	}
	tip, err := a.tip()
	if err != nil {
		return r, fail(op, err)
	}
	found := false
	if !tip.IsZero() {
		found, err = a.run(ctx, tip, path, &r)
	}
	if err == nil && !found {
		err = katprep.Errorf(katprep.NotFound, "the archive does not know it").
			WithHint("see the runs with: katprep maintenance list")
	}
	return r, fail(op, err)
}

func (a *Archive) run(ctx context.Context, tip object.Hash, path string, r *katprep.RunRecord) (found bool, err error) {
	plan, err := a.decode(ctx, tip, path+planFile, &r.Plan)
	if err != nil {
		return false, err
	}
	for file, to := range map[string]**katprep.Decision{approvalFile: &r.Approval, signOffFile: &r.SignOff} {
		var d katprep.Decision
		ok, err := a.decode(ctx, tip, path+file, &d)
		if err != nil {
			return false, err
		}
		if ok {
			*to = &d
		}
	}
	text, journal, err := a.file(ctx, tip, strings.Split(path+journalFile, "/")...)
	if err != nil {
		return false, err
	}
	for line := range bytes.Lines(text) {
		var e katprep.Entry
		if err := canon.Decode(line, &e); err != nil {
			return false, katprep.Errorf(katprep.Corrupt, "%s, line %d: %w", path+journalFile, len(r.Journal)+1, err)
		}
		r.Journal = append(r.Journal, e)
	}
	return plan || journal || r.Approval != nil || r.SignOff != nil, nil
}
