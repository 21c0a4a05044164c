package site

import (
	"context"
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

func allows(d *katprep.Decision) bool { return d.Verdict == "approved" || d.Verdict == "accepted" }

// journals returns the first and the last commit of a run's journal that is
// about work on hosts; -1 if there is none.
func (c *chain) journals(run katprep.RunID) (first, last int) {
	first, last = -1, -1
	for i := range c.links {
		l := &c.links[i]
		if l.Run != run || l.Kind != "journal" || l.Stage != katprep.StagePrepare && l.Stage != katprep.StageExecute && l.Stage != katprep.StageVerify && l.Stage != katprep.StageRevert {
			continue
		}
		if last = i; first < 0 {
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
	if !allows(r.Approval) {
		d.State = approvalRejected
	}
	d.Good = d.State == approvalInTime
	return d
}

func (b *builder) approvalByCommits(run katprep.RunID, start time.Time, d *decided) {
	first, _ := b.chain.journals(run)
	var force, last *Link // in force at the start, and of what is shown
	for i := range b.chain.links {
		l := &b.chain.links[i]
		if l.Run != run || l.Approval == nil {
			continue
		}
		late := first >= 0 && i > first || !start.IsZero() && (l.At.After(start) || l.Approval.At.After(start))
		if !late {
			force = l
		}
		if *l.Approval == *d.Decision {
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
	b.recordedBy(d, last)
	switch {
	case force != nil && force != last:
		d.Notes = append(d.Notes, "In force at the start: “"+render.Line(force.Approval.Verdict)+"” by "+orNobody(force.Approval.By)+", recorded on "+render.Seconds(force.At)+" (commit "+force.Commit.Short()+").")
	case force == nil && !start.IsZero() && !d.At.After(start):
		d.Notes = append(d.Notes, "It says "+render.Seconds(d.At)+", before the first step on "+render.Seconds(start)+"; but it was recorded on "+render.Seconds(last.At)+" (commit "+last.Commit.Short()+"), after the start.")
	}
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
		if l := &b.chain.links[i]; l.Run == p.Run && l.SignOff != nil && *l.SignOff == *d.Decision {
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
	if _, last := b.chain.journals(p.Run); at < last {
		d.Good = false
		d.Notes = append(d.Notes, "The work went on after it: commit "+b.chain.links[last].Commit.Short()+" of "+render.Seconds(b.chain.links[last].At)+".")
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
// decisions on a run; nothing if there is nothing to say. after is the
// after-snapshot, nil if there is none.
func Remarks(ctx context.Context, src Chain, rec *katprep.RunRecord, after *katprep.SnapshotRef) ([]string, error) {
	b := &builder{chain: newChain(), m: newModel()}
	b.m.noted[rec.Plan.Run] = noted{began: began(rec)}
	if err := b.chain.load(ctx, src); err != nil {
		return nil, err
	}
	var out []string
	switch d := b.approvalOf(rec); {
	case d.State == approvalLate:
		out = append(append(out, "No approval was in force before the start."), d.Notes...)
	case d.Decision != nil:
		out = append(out, d.Notes...)
	}
	if d := b.signOffOf(&pair{Run: rec.Plan.Run, Record: rec, After: after}); d.Decision != nil && !d.Good && !d.Rejected() {
		out = append(append(out, "The sign-off is not of this result."), d.Notes...)
	}
	return out, nil
}
