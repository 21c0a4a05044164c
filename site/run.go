package site

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/render"
)

// A runView is what the archive's record of a run comes to.
type runView struct {
	Plan       *katprep.Plan
	Record     *katprep.RunRecord
	Approval   decided
	SignOff    decided
	Began      time.Time
	Stages     []stageRow
	Kinds      []kindRow
	Failures   []failure
	Deviations []string
	Missing    []missing // planned, and not proven to be installed
	Hosts      int
	Touched    int
	checks     []checkRow
	untouched  []string // hosts that had something to do
}

// A failure is a step that failed, or of which nobody knows how it ended.
type failure struct {
	katprep.Entry
	Href string
}

type stageRow struct {
	Stage        katprep.Stage
	From, To     time.Time
	Steps        int
	Done         int
	Failed       int
	Skipped      int
	Unknown      int
	Interrupted  int // intents of which no outcome is known
	Participants string
}

type missing struct {
	Host      string
	Href      string
	Erratum   string
	Word      render.Word
	Severity  render.Word
	Exception *katprep.Exception // that covers it; nil if there is none
	Why       string             // the exception excuses nothing
	ending    katprep.Ending
}

// A checkRow is the checklist of one host, a cell for each kind of step.
type checkRow struct {
	Name  string
	Href  string
	Wave  string
	Cells []checkCell
	Notes []string
	bad   int
}

type checkCell struct {
	Word render.Word
	At   time.Time
	Ref  string
	Say  string
}

const notPlanned = "not planned"

// checkKinds are the columns of the checklist.
var checkKinds = [...]katprep.StepKind{katprep.StepVMSnapshot, katprep.StepDowntime, katprep.StepHook, katprep.StepPatch, katprep.StepReboot, katprep.StepCheck, katprep.StepRevert, katprep.StepEndDown, katprep.StepRemoveVM}

func (b *builder) runView(p *pair) *runView {
	if p.Record == nil {
		return nil
	}
	v := &runView{Plan: &p.Record.Plan, Record: p.Record, Approval: b.approvalOf(p.Record), SignOff: b.signOffOf(p), Began: began(p.Record), Hosts: len(p.Record.Plan.Hosts)}
	v.Stages = stages(p.Record.Journal)
	touched := map[katprep.HostID]bool{}
	open := unfinished(p.Record.Journal)
	for i, e := range p.Record.Journal {
		if e.Event == katprep.EventFailed || e.Event == katprep.EventUnknown || open[i] {
			f := failure{Entry: e}
			if e.HostID != (katprep.HostID{}) {
				f.Href = b.hostHref(katprep.Host{HostID: e.HostID, Name: e.Host})
			}
			v.Failures = append(v.Failures, f)
		}
		if e.Host != "" && e.Event != katprep.EventSkipped && e.Event != katprep.EventNote {
			touched[e.HostID] = true
		}
	}
	v.Touched = len(touched)
	v.untouched = untouched(v.Plan, p.Record.Journal, touched)
	v.checks = b.checklist(p)
	v.Kinds = kindSums(v.checks)
	v.Deviations = append(deviations(p, v), b.forgotten(p.Record)...)
	return v
}

// judged is what pages say that neither snapshots nor the record tell: it
// comes from the order of commits.
func (v *runView) judged() any {
	if v == nil {
		return nil
	}
	return []any{v.Approval, v.SignOff, v.Missing, v.Deviations}
}

// unfinished finds the entries of steps that were begun, and of which nothing
// is known since.
func unfinished(journal []katprep.Entry) map[int]bool {
	last := map[string]int{}
	for i, e := range journal {
		if e.Step != "" && e.Event != katprep.EventNote {
			last[e.HostID.String()+"\x00"+e.Step] = i
		}
	}
	open := map[int]bool{}
	for _, i := range last {
		if ev := journal[i].Event; ev == katprep.EventIntent || ev == katprep.EventSent {
			open[i] = true
		}
	}
	return open
}

// A hostFailure is a failed or unconfirmed step of a host, on its page.
type hostFailure struct {
	failure
	Pair *pair
}

// failuresOf lists the failed and unconfirmed steps of all runs by host, the
// newest run first.
func (b *builder) failuresOf() map[katprep.HostID][]hostFailure {
	out := map[katprep.HostID][]hostFailure{}
	for _, p := range slices.Backward(b.m.pairs) {
		if p.run == nil {
			continue
		}
		for _, f := range p.run.Failures {
			out[f.HostID] = append(out[f.HostID], hostFailure{f, p})
		}
	}
	return out
}

// stages sums the journal up by stage, in the order in which they began.
func stages(journal []katprep.Entry) []stageRow {
	var out []stageRow
	last := map[string]katprep.Event{}
	people := map[katprep.Stage][]string{}
	for _, e := range journal {
		i := slices.IndexFunc(out, func(r stageRow) bool { return r.Stage == e.Stage })
		if i < 0 {
			i = len(out)
			out = append(out, stageRow{Stage: e.Stage, From: e.At})
		}
		out[i].To = e.At
		if e.By != "" && !slices.Contains(people[e.Stage], e.By) {
			people[e.Stage] = append(people[e.Stage], render.Line(e.By))
		}
		if e.Step != "" && e.Event != katprep.EventNote {
			last[string(e.Stage)+"\x00"+e.HostID.String()+"\x00"+e.Step] = e.Event
		}
	}
	for i := range out {
		r := &out[i]
		r.Participants = strings.Join(people[r.Stage], ", ")
		for k, ev := range last {
			if !strings.HasPrefix(k, string(r.Stage)+"\x00") {
				continue
			}
			r.Steps++
			switch ev {
			case katprep.EventDone:
				r.Done++
			case katprep.EventSkipped:
				r.Skipped++
			case katprep.EventFailed:
				r.Failed++
			case katprep.EventUnknown:
				r.Unknown++
			case katprep.EventIntent, katprep.EventSent:
				r.Interrupted++
			}
		}
	}
	return slices.DeleteFunc(out, func(r stageRow) bool { return r.Steps == 0 })
}

// checklist says of each host of the plan how its steps ended, failures
// first.
func (b *builder) checklist(p *pair) []checkRow {
	last := map[string]katprep.Entry{}
	for _, e := range p.Record.Journal {
		if e.Step != "" && e.Event != katprep.EventNote {
			last[e.HostID.String()+"\x00"+e.Step] = e
		}
	}
	var out []checkRow
	for i := range p.Record.Plan.Hosts {
		hp := &p.Record.Plan.Hosts[i]
		r := checkRow{Name: hp.Name, Notes: hp.Notes, Href: b.hostHref(hp.Host)}
		if hp.Wave >= 0 && hp.Wave < len(p.Record.Plan.Waves) {
			r.Wave = p.Record.Plan.Waves[hp.Wave].Name
		}
		for _, kind := range checkKinds {
			c := checkCell{Word: render.Word{Shape: "–", Text: notPlanned, Class: "none"}}
			for _, s := range hp.Steps {
				if s.Kind == kind {
					c = worse(c, cellOf(last[hp.HostID.String()+"\x00"+s.ID], s))
				}
			}
			if c.Word.Class == "bad" {
				r.bad++
			}
			r.Cells = append(r.Cells, c)
		}
		out = append(out, r)
	}
	slices.SortStableFunc(out, func(x, y checkRow) int {
		return cmp.Or(min(y.bad, 1)-min(x.bad, 1), strings.Compare(x.Wave, y.Wave), strings.Compare(x.Name, y.Name))
	})
	return out
}

// hostHref is the page of a host. A host that was planned has one, whether or
// not a snapshot knows it.
func (b *builder) hostHref(h katprep.Host) string {
	return b.m.hosts[b.m.hostIndex(h)].path()
}

// cellOf says how a step ended. Only what another system confirmed is done.
func cellOf(e katprep.Entry, s katprep.PlannedStep) checkCell {
	c := checkCell{At: e.At, Ref: e.Ref, Say: cmp.Or(e.Message, s.Say)}
	switch e.Event {
	case katprep.EventDone:
		c.Word = render.Word{Shape: "✓", Text: "done", Class: "good"}
	case katprep.EventFailed:
		c.Word = render.Word{Shape: "✗", Text: "failed", Class: "bad"}
	case katprep.EventSkipped:
		c.Word = render.Word{Shape: "·", Text: "skipped", Class: "none"}
	case "":
		c.Word = render.Word{Shape: "○", Text: "not begun", Class: "open"}
	default: // sent, intended, unknown: nobody confirmed it
		c.Word = render.Word{Shape: "?", Text: "not confirmed", Class: "bad"}
	}
	return c
}

// worse keeps the cell that a reader must see, if a host has several steps of
// a kind.
func worse(a, b checkCell) checkCell {
	rank := map[string]int{notPlanned: -1, "skipped": 0, "done": 1, "not begun": 2, "not confirmed": 3, "failed": 4}
	if rank[b.Word.Text] > rank[a.Word.Text] {
		return b
	}
	return a
}

// missingOf lists the errata of the plan that no snapshot proves installed.
func (b *builder) missingOf(p *pair, list []summary) []missing {
	if p.Record == nil {
		return nil
	}
	found := map[katprep.HostID]*summary{}
	for i := range list {
		found[list[i].Host.HostID] = &list[i]
	}
	var out []missing
	held := b.held(p)
	for i := range p.Record.Plan.Hosts {
		hp := &p.Record.Plan.Hosts[i]
		for _, id := range hp.Errata {
			e := endingOf(found[hp.HostID], id)
			if e == katprep.Installed || e == katprep.RebootPending {
				continue
			}
			m := missing{Host: hp.Name, Href: b.hostHref(hp.Host), Erratum: id, Word: render.EndingWord(e), Severity: render.SeverityWord(known(b.m.erratum(id).Severity)), ending: e}
			m.Exception, m.Why = b.excuses(p, held, hp.Name, b.m.erratum(id))
			out = append(out, m)
		}
	}
	return out
}

// endingOf is what became of an erratum on a host. A host that did not change
// still has what it had.
func endingOf(s *summary, id string) katprep.Ending {
	if s == nil {
		return katprep.Pending
	}
	for _, o := range s.Errata {
		if o.ID == id {
			return katprep.Endings[o.Ending]
		}
	}
	return katprep.Unknown
}

type journalPage struct {
	base
	Pair  *pair
	Rows  []katprep.Entry
	Pager pager
}

type checklistPage struct {
	base
	Pair  *pair
	Kinds []string
	Rows  []checkRow
	Pager pager
}

// runPages writes the journal and the checklist of a run.
func (b *builder) runPages(_ context.Context, p *pair, v *runView) error {
	if v == nil {
		return nil
	}
	if err := b.runTables(p, v); err != nil {
		return err
	}
	journal := p.Record.Journal
	err := b.paged(p.dir+"/journal.html", len(journal), func(name string, from, to int, pg pager) error {
		return b.page(name, "journal", journalPage{b.base(name, "maintenances", "Journal of "+p.title(), false), p, journal[from:to], pg})
	})
	if err != nil {
		return err
	}
	kinds, used := []string{}, []int{}
	for i, k := range checkKinds {
		if slices.ContainsFunc(v.checks, func(r checkRow) bool { return r.Cells[i].Word.Text != notPlanned }) {
			kinds, used = append(kinds, strings.ReplaceAll(string(k), "-", " ")), append(used, i)
		}
	}
	for i := range v.checks {
		var cells []checkCell
		for _, j := range used {
			cells = append(cells, v.checks[i].Cells[j])
		}
		v.checks[i].Cells = cells
	}
	return b.paged(p.dir+"/checklist.html", len(v.checks), func(name string, from, to int, pg pager) error {
		return b.page(name, "checklist", checklistPage{b.base(name, "maintenances", "Checklist of "+p.title(), false), p, kinds, v.checks[from:to], pg})
	})
}
