package render

import (
	"time"

	"github.com/stdevel/katprep"
)

// A Step is a step of the run with how it ended, for templates.
type Step struct {
	Host    string // empty: the run itself
	ID      string
	Stage   katprep.Stage
	Outcome Word
	At      time.Time // zero: not begun
	System  string
	Ref     string // the other system's own reference
	Message string
}

// StepWord returns the word for how a step ended. Only what another system
// confirmed is done; no event at all is a step that was not begun.
func StepWord(e katprep.Event) Word {
	switch e {
	case katprep.EventDone:
		return Word{"✓", "done", "good"}
	case katprep.EventFailed:
		return Word{"✗", "failed", "bad"}
	case katprep.EventSkipped:
		return Word{"·", "skipped", "none"}
	case "":
		return Word{"○", "not begun", "open"}
	}
	return Word{"?", "not confirmed", "bad"} // sent, intended, unknown
}

// Steps returns the steps of the report's host: those of the plan in its
// order, then others of the journal. It is empty without a run or a host.
func (d *Data) Steps() []Step {
	if d.Run == nil || d.Host == nil {
		return nil
	}
	last, order := d.lastEntries()
	var out []Step
	planned := map[string]bool{}
	for i := range d.Run.Plan.Hosts {
		hp := &d.Run.Plan.Hosts[i]
		if hp.HostID != d.Host.HostID {
			continue
		}
		for _, s := range hp.Steps {
			planned[s.ID] = true
			e, ok := last[stepKey{hp.HostID, s.ID}]
			st := stepOf(e)
			st.Host, st.ID, st.Stage = hp.Name, s.ID, s.Stage
			if !ok || st.System == "" {
				st.System = s.System
			}
			if st.Message == "" {
				st.Message = s.Say
			}
			out = append(out, st)
		}
	}
	for _, k := range order {
		if k.host == d.Host.HostID && !planned[k.step] {
			out = append(out, stepOf(last[k]))
		}
	}
	return out
}

// Step returns the step of the report's host with the ID, such as "downtime" or
// "vm-snapshot"; one that is not there was not begun.
func (d *Data) Step(id string) Step {
	for _, s := range d.Steps() {
		if s.ID == id {
			return s
		}
	}
	return Step{ID: id, Outcome: StepWord("")}
}

// Done reports whether the system that did the step confirmed it.
func (s Step) Done() bool { return s.Outcome == StepWord(katprep.EventDone) }

// FailedSteps returns the steps that failed or of which nobody knows how they
// ended, of the report's host or of all.
func (d *Data) FailedSteps() []Step {
	if d.Run == nil {
		return nil
	}
	last, order := d.lastEntries()
	var out []Step
	for _, k := range order {
		if s := stepOf(last[k]); s.Outcome.Class == "bad" && (d.Host == nil || d.Host.HostID == k.host) {
			out = append(out, s)
		}
	}
	return out
}

// A StepTable is what the built-in templates show of a run's steps.
type StepTable struct {
	Title string
	Hosts bool // steps of several hosts
	Rows  []Step
}

// StepTable returns the steps of the report's host, or the steps of all hosts
// that failed or are not confirmed.
func (d *Data) StepTable() StepTable {
	if d.Host != nil {
		return StepTable{"Steps", false, d.Steps()}
	}
	return StepTable{"Failed and unconfirmed steps", true, d.FailedSteps()}
}

type stepKey struct {
	host katprep.HostID
	step string
}

// lastEntries returns the last word on each step, and the steps in the order
// in which they began.
func (d *Data) lastEntries() (map[stepKey]katprep.Entry, []stepKey) {
	last := map[stepKey]katprep.Entry{}
	var order []stepKey
	for _, e := range d.Run.Journal {
		if e.Step == "" || e.Event == katprep.EventNote {
			continue
		}
		k := stepKey{e.HostID, e.Step}
		if _, ok := last[k]; !ok {
			order = append(order, k)
		}
		last[k] = e
	}
	return last, order
}

func stepOf(e katprep.Entry) Step {
	return Step{Host: e.Host, ID: e.Step, Stage: e.Stage, Outcome: StepWord(e.Event), At: e.At, System: e.System, Ref: e.Ref, Message: e.Message}
}
