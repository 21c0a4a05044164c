package site

import (
	"context"
	"reflect"
	"slices"
	"time"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/policy"
	"github.com/stdevel/katprep/render"
)

// approval says whether a run was allowed before it began.
type approval int

const (
	approvalNone approval = iota
	approvalLate
	approvalRejected
	approvalEarly // of before its plan: nobody knows of what
	approvalInTime
)

// A decided is a decision on a run, and what the archive says of when it was
// recorded.
type decided struct {
	*katprep.Decision           // the last one; nil if there is none
	State             approval  // of an approval
	Good              bool      // as it should be
	Link              *Link     // the commit that brought it; nil if not known
	Signature         Signature // of that commit
	Notes             []string  // what a reader must know, in sentences
	dated             bool      // earlier than the order of commits says
}

// drift is how much clocks may differ before a reader is told.
const drift = 5 * time.Minute

// began is when the first step that touches hosts was sent; zero if none was.
func began(r *katprep.RunRecord) time.Time {
	for i := range r.Journal {
		e := &r.Journal[i]
		if (e.Stage == katprep.StagePrepare || e.Stage == katprep.StageExecute) && e.Event != katprep.EventNote && e.Event != katprep.EventSkipped {
			return e.At
		}
	}
	return time.Time{}
}

// worked is when the last step that changes hosts was begun, or ended; zero if
// none was. It is as precise as decisions and snapshots are.
func worked(r *katprep.RunRecord) time.Time {
	for _, e := range slices.Backward(r.Journal) {
		change := e.Stage == katprep.StagePrepare || e.Stage == katprep.StageExecute || e.Stage == katprep.StageRevert
		if change && e.Event != katprep.EventNote && e.Event != katprep.EventSkipped {
			return e.At.Truncate(time.Second)
		}
	}
	return time.Time{}
}

func allows(d *katprep.Decision) bool { return d.Verdict == "approved" || d.Verdict == "accepted" }

// sameDecision compares what two decisions say: one is read from the record,
// the other from the commit that brought it.
func sameDecision(a, b *katprep.Decision) bool {
	if a.Run != b.Run || a.By != b.By || !a.At.Equal(b.At) || a.Verdict != b.Verdict || a.Comment != b.Comment {
		return false
	}
	if a.Claim == nil || b.Claim == nil {
		return a.Claim == b.Claim
	}
	return reflect.DeepEqual(*a.Claim, *b.Claim)
}

// journals returns the last commit of a run's journal that is about work on
// hosts, and the first one that can hold the start: a commit brings the journal
// of all stages since the one before it, under the name of the last; what was
// written before the start holds only notes. -1 if there is none.
func (c *chain) journals(run katprep.RunID, start time.Time) (first, last int) {
	first, last = -1, -1
	start = start.Truncate(time.Second) // as precise as commits are
	for i := range c.links {
		l := &c.links[i]
		if l.Run != run || l.Kind != "journal" {
			continue
		}
		work := l.Stage == katprep.StagePrepare || l.Stage == katprep.StageExecute || l.Stage == katprep.StageVerify || l.Stage == katprep.StageRevert
		if work {
			last = i
		}
		if first < 0 && (work && start.IsZero() || !start.IsZero() && !l.At.Before(start)) {
			first = i
		}
	}
	return first, last
}

// approvalOf judges an approval by the order of commits first, and by dates
// where both are there: what was recorded after the first stage, or says so
// itself, was no condition of the start.
func (b *builder) approvalOf(r *katprep.RunRecord) decided {
	if r == nil || r.Approval == nil {
		return decided{State: approvalNone}
	}
	d := decided{Decision: r.Approval, State: approvalLate}
	start := b.m.noted[r.Plan.Run].began
	if !b.chain.known {
		if start.IsZero() || !d.At.After(start) {
			d.State = approvalInTime
		}
		d.Notes = append(d.Notes, "Judged by the date in it alone: nothing is known of the commit that brought it.")
	} else {
		b.approvalByCommits(r.Plan.Run, start, &d)
	}
	d.ofPlan(&r.Plan)
	if !allows(r.Approval) {
		d.State = approvalRejected
	}
	d.Good = d.State == approvalInTime
	return d
}

func (b *builder) approvalByCommits(run katprep.RunID, start time.Time, d *decided) {
	first, _ := b.chain.journals(run, start)
	planned := -1
	var force, last *Link // in force at the start, and of what is recorded last
	for i := range b.chain.links {
		l := &b.chain.links[i]
		if l.Run == run && l.Kind == "plan" && planned < 0 {
			planned = i
		}
		if l.Run != run || l.Approval == nil {
			continue
		}
		late := first >= 0 && i > first || !start.IsZero() && (l.At.After(start) || l.Approval.At.After(start))
		if !late {
			force = l
		}
		if sameDecision(l.Approval, d.Decision) {
			last = l
		}
	}
	if force != nil && allows(force.Approval) {
		d.State = approvalInTime
	}
	if last == nil {
		d.State = approvalLate
		d.Notes = append(d.Notes, "No commit of its own brought it into the archive: when it was recorded is not known.")
		return
	}
	if d.State == approvalInTime && force != last && allows(d.Decision) {
		again := d.Decision
		d.Decision = force.Approval
		b.recordedBy(d, force)
		d.Notes = append(d.Notes, "Approved again after the start, "+render.Seconds(again.At)+", by "+orNobody(again.By)+said(again)+" (commit "+last.Commit.Short()+").")
	} else {
		b.recordedBy(d, last)
		b.notInForce(d, force, last, start)
	}
	if d.State == approvalInTime && b.chain.index[d.Link.Commit] < planned {
		d.State = approvalEarly
		d.Notes = append(d.Notes, "It was recorded before the plan was: commit "+b.chain.links[planned].Commit.Short()+".")
	}
}

// notInForce says why what was recorded last is not what held at the start.
func (b *builder) notInForce(d *decided, force, last *Link, start time.Time) {
	switch {
	case force != nil && force != last:
		d.Notes = append(d.Notes, inForce(force))
	case force == nil && d.At.Before(start.Truncate(time.Second)):
		d.dated = true
		when := "recorded on " + render.Seconds(last.At) + " (commit " + last.Commit.Short() + "), after the start."
		if !last.At.After(start) {
			when = "recorded after the start, by the order of commits (commit " + last.Commit.Short() + "): a clock was wrong, or it was dated back."
		}
		d.Notes = append(d.Notes, "It says "+render.Seconds(d.At)+", before the first step on "+render.Seconds(start)+"; but it was "+when)
	}
}

func inForce(l *Link) string {
	return "In force at the start: “" + render.Line(l.Approval.Verdict) + "” by " + orNobody(l.Approval.By) + said(l.Approval) + ", recorded on " + render.Seconds(l.At) + " (commit " + l.Commit.Short() + ")."
}

// said is the comment of a decision, in quotes.
func said(d *katprep.Decision) string {
	if d.Comment == "" {
		return ""
	}
	return " “" + render.Line(d.Comment) + "”"
}

// ofPlan flags an approval that says that it is older than its plan.
func (d *decided) ofPlan(p *katprep.Plan) {
	if p.Created.IsZero() || !d.At.Before(p.Created.Add(-drift)) {
		return
	}
	if d.State == approvalInTime {
		d.State = approvalEarly
	}
	d.Notes = append(d.Notes, "It is dated "+render.Seconds(d.At)+", before its plan of "+render.Seconds(p.Created)+".")
}

// datedBack ends a sentence on a late approval that says it is older.
func (d *decided) datedBack() string {
	if !d.dated {
		return ""
	}
	return ": one was recorded after the start, by the order of commits, and is dated earlier"
}

// Text says what an approval is worth.
func (d *decided) Text() string {
	word := render.Line(d.Verdict)
	switch {
	case d.State == approvalInTime:
		return word + " before the start"
	case d.State == approvalEarly:
		return word + ", but before the plan"
	case d.State == approvalLate && d.dated:
		return word + " after the start (by the order of commits; it is dated earlier)"
	case d.State == approvalLate:
		return word + " after the start"
	}
	return word
}

// recordedBy notes the commit of a decision, and that its date is another.
func (b *builder) recordedBy(d *decided, l *Link) {
	d.Link, d.Signature = l, b.chain.signature(l.Commit)
	if diff := l.At.Sub(d.At); diff > drift || diff < -drift {
		d.Notes = append(d.Notes, "The date in it is "+render.Seconds(d.At)+", its commit was written on "+render.Seconds(l.At)+".")
	}
}

// signOffOf judges a sign-off: it is about a result only if the result was
// there.
func (b *builder) signOffOf(p *pair) decided {
	if p.Record == nil || p.Record.SignOff == nil {
		return decided{}
	}
	d := decided{Decision: p.Record.SignOff, Good: allows(p.Record.SignOff)}
	if p.After == nil {
		d.Good = false
		d.Notes = append(d.Notes, "There is no after-snapshot: what was accepted is not known.")
	} else if d.At.Before(p.After.Snapshot.Started) {
		d.Good = false
		d.Notes = append(d.Notes, "It is of "+render.Seconds(d.At)+", before the after-snapshot on "+render.Seconds(p.After.Snapshot.Started)+".")
	}
	if !b.chain.known {
		return d
	}
	at := -1
	for i := range b.chain.links {
		if l := &b.chain.links[i]; l.Run == p.Run && l.SignOff != nil && sameDecision(l.SignOff, d.Decision) {
			at = i
		}
	}
	if at < 0 {
		d.Good = false
		d.Notes = append(d.Notes, "No commit of its own brought it into the archive: when it was recorded is not known.")
		return d
	}
	b.recordedBy(&d, &b.chain.links[at])
	if p.After != nil && at < b.chain.index[p.After.Commit] {
		d.Good = false
		d.Notes = append(d.Notes, "It was recorded before the after-snapshot was.")
	}
	worked := b.m.noted[p.Run].worked
	switch _, last := b.chain.journals(p.Run, time.Time{}); {
	case at < last:
		d.Good = false
		d.Notes = append(d.Notes, "The work went on after it: commit "+b.chain.links[last].Commit.Short()+" of "+render.Seconds(b.chain.links[last].At)+".")
	case worked.After(d.At):
		d.Good = false
		d.Notes = append(d.Notes, "The work went on after it, until "+render.Seconds(worked)+".")
	}
	return d
}

// recorded is when an exception came into the archive; by its own date if the
// commits are not known.
func (b *builder) recorded(x *katprep.Exception) time.Time {
	if at, ok := b.since[x]; ok {
		return at
	}
	return b.recordedOf(x)
}

func (b *builder) recordedOf(x *katprep.Exception) time.Time {
	if i, ok := b.chain.recorded[exceptionKey(x)]; ok {
		return b.chain.links[i].At
	}
	return x.Created
}

// excuses says which exception covered an erratum when a pair ended, and what
// is wrong with it: one that was recorded later, or had expired, excuses
// nothing. held are the exceptions that held then.
func (b *builder) excuses(p *pair, held []katprep.Exception, host string, e *katprep.Erratum) (x *katprep.Exception, why string) {
	if x := policy.Find(held, host, e); x != nil {
		return x, ""
	}
	x = policy.Find(b.exceptions, host, e)
	switch {
	case x == nil:
		return nil, ""
	case !b.inTime(x, p):
		return x, "recorded on " + render.Time(b.recorded(x)) + ", after this maintenance"
	}
	return x, "had expired on " + render.Line(string(x.Expires))
}

// held returns the exceptions that held when a pair ended, without those that
// had expired.
func (b *builder) held(p *pair) []katprep.Exception {
	return slices.DeleteFunc(slices.Clone(b.exceptionsAt(p)), func(x katprep.Exception) bool { return policy.Expired(&x, p.After.Snapshot.Finished) })
}

// exceptionsAt returns the exceptions that held when a pair ended, also those
// that were taken back since.
func (b *builder) exceptionsAt(p *pair) []katprep.Exception {
	if end, ok := b.chain.index[p.After.Commit]; ok {
		for i := end; i >= 0; i-- {
			if l := &b.chain.links[i]; l.HasPolicy {
				return l.Exceptions
			}
		}
		return nil
	}
	var out []katprep.Exception
	for i := range b.exceptions {
		if x := &b.exceptions[i]; b.inTime(x, p) {
			out = append(out, *x)
		}
	}
	return out
}

// inTime reports whether an exception was recorded before the after-snapshot.
func (b *builder) inTime(x *katprep.Exception, p *pair) bool {
	if i, ok := b.chain.recorded[exceptionKey(x)]; ok {
		return i < b.chain.index[p.After.Commit]
	}
	return !x.Created.After(p.After.Snapshot.Finished)
}

// Remarks says in sentences what the order of commits says against the
// decisions on a run, and which of them were recorded in another's name, as a
// pipeline does; nothing if there is nothing to say. after is the
// after-snapshot, nil if there is none.
func Remarks(ctx context.Context, src Chain, rec *katprep.RunRecord, after *katprep.SnapshotRef) (out, named []string, err error) {
	b := &builder{chain: newChain(), m: newModel()}
	b.m.noted[rec.Plan.Run] = noted{began: began(rec), worked: worked(rec)}
	if err := b.chain.load(ctx, src); err != nil {
		return nil, nil, err
	}
	named = append(inTheName("approval", b.approvalOf(rec).Link), inTheName("sign-off", b.signOffOf(&pair{Run: rec.Plan.Run, Record: rec, After: after}).Link)...)
	switch d := b.approvalOf(rec); {
	case d.State == approvalLate:
		out = append(append(out, "No approval was in force before the start."), d.Notes...)
	case d.State == approvalEarly:
		out = append(append(out, "The approval is older than its plan."), d.Notes...)
	case d.State == approvalInTime && d.Link != nil && !sameDecision(d.Decision, rec.Approval):
		out = append(append(out, inForce(d.Link)), d.Notes...)
	case d.Decision != nil:
		out = append(out, d.Notes...)
	}
	if d := b.signOffOf(&pair{Run: rec.Plan.Run, Record: rec, After: after}); d.Decision != nil && !d.Good && !d.Rejected() {
		out = append(append(out, "The sign-off is not of this result."), d.Notes...)
	}
	return append(out, afterwards(worked(rec), after)...), named, nil
}

// inTheName says that another recorded a decision than who is said to have
// made it.
func inTheName(what string, l *Link) []string {
	if l == nil || l.RecordedBy == "" {
		return nil
	}
	return []string{"The " + what + " was recorded in the name of " + orNobody(l.By) + ", by " + orNobody(l.RecordedBy) + " (commit " + l.Commit.Short() + ")."}
}

// afterwards says that work was done after the after-snapshot.
func afterwards(worked time.Time, after *katprep.SnapshotRef) []string {
	if after == nil || !worked.After(after.Snapshot.Started) {
		return nil
	}
	return []string{"The work went on after the after-snapshot (until " + render.Seconds(worked) + "): its effect is in no snapshot of this run."}
}
