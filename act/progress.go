package act

import (
	"iter"
	"sync"
	"time"

	"github.com/stdevel/katprep"
)

// A StepState is what the journal says last of a step.
type StepState struct {
	Event    katprep.Event // empty: nothing was begun
	Attempts int
	Began    time.Time         // the last intent
	At       time.Time         // the last entry
	Ref      string            // in the words of the system that did it
	Message  string            // of the last entry
	Intent   map[string]string // evidence from before the action
	Data     map[string]string // evidence of the outcome

	cause       string // why the last attempt that was begun failed
	began, last int    // the places of the last intent and entry among all
}

// open reports whether nobody knows yet what became of the last attempt.
func (s *StepState) open() bool {
	return s.Event == katprep.EventIntent || s.Event == katprep.EventSent || s.Event == katprep.EventUnknown
}

// dataDefer marks a skipped step that is to be done another time.
const dataDefer = "deferred"

// settled reports whether the step needs nothing more.
func (s *StepState) settled() bool {
	return s.Event == katprep.EventDone || s.Event == katprep.EventSkipped && s.Data[dataDefer] == ""
}

func (s *StepState) apply(e *katprep.Entry, place int) {
	s.judge(e)
	s.At, s.Message, s.last = e.At, e.Message, place
	switch e.Event {
	case katprep.EventIntent:
		s.Attempts++
		s.began = place
		s.Event, s.Began, s.Intent, s.Data, s.Ref = e.Event, e.At, e.Data, nil, ""
	case katprep.EventSent:
		s.Event, s.Ref = e.Event, e.Ref
	case katprep.EventDone, katprep.EventFailed, katprep.EventUnknown, katprep.EventSkipped:
		s.Event, s.Data = e.Event, e.Data
		if e.Ref != "" {
			s.Ref = e.Ref
		}
		s.trim(e)
	}
}

// judge keeps why an attempt failed, until the next one is begun: a failure
// to begin it, like a missing credential, says nothing of that.
func (s *StepState) judge(e *katprep.Entry) {
	switch {
	case e.Event != katprep.EventFailed:
		s.cause = ""
	case s.open(): // it was begun
		s.cause = e.Message
	}
}

// reason is why a step is as it is.
func (s *StepState) reason() string {
	if s.cause == "" || s.cause == s.Message {
		return s.Message
	}
	return s.cause + "; not begun again at " + s.At.UTC().Format("2006-01-02 15:04 UTC") + ": " + s.Message
}

// trim forgets evidence that no later step needs; the journal has it.
func (s *StepState) trim(e *katprep.Entry) {
	if e.Event != katprep.EventDone {
		return
	}
	s.Message = ""
	if e.Kind != katprep.StepReboot {
		s.Intent = nil
	}
	switch {
	case e.Kind == katprep.StepDowntime, e.Kind == katprep.StepPatch, e.Step == "health.before":
	default:
		s.Data = nil
	}
}

// progress is a run's journal, folded: by host and step. Its methods may be
// called from any goroutine.
type progress struct {
	mu     sync.Mutex
	hosts  map[katprep.HostID]map[string]*StepState
	gates  map[string]StepState // of waves
	places int
	jobs   int    // markers of patch jobs used so far
	plan   string // digest of the plan that was begun
}

const (
	gateStep   = "gate"
	stageStep  = "stage"
	dataPlan   = "plan"   // digest of the plan, in the note that begins a stage
	dataMarker = "marker" // of a job or script, in an intent
)

func fold(es iter.Seq2[katprep.Entry, error]) (*progress, error) {
	p := &progress{hosts: map[katprep.HostID]map[string]*StepState{}, gates: map[string]StepState{}}
	for e, err := range es {
		if err != nil {
			return nil, err
		}
		p.apply(&e)
		if e.Kind == katprep.StepPatch && e.Event == katprep.EventIntent {
			p.jobs = max(p.jobs, jobNumber(Marker(e.Data[dataMarker])))
		}
	}
	return p, nil
}

func (p *progress) apply(e *katprep.Entry) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if e.Host == "" {
		p.applyRun(e)
		return
	}
	steps := p.hosts[e.HostID]
	if steps == nil {
		steps = map[string]*StepState{}
		p.hosts[e.HostID] = steps
	}
	if e.Event == katprep.EventNote {
		return
	}
	s := steps[e.Step]
	if s == nil {
		s = &StepState{}
		steps[e.Step] = s
	}
	p.places++
	s.apply(e, p.places)
}

func (p *progress) applyRun(e *katprep.Entry) {
	switch {
	case e.Step == stageStep && e.Data[dataPlan] != "":
		p.plan = e.Data[dataPlan]
	case len(e.Step) > len(gateStep) && e.Step[:len(gateStep)] == gateStep:
		p.gates[e.Step] = StepState{Event: e.Event, At: e.At, Message: e.Message}
	}
}

// step returns what is known of a step; the zero value is nothing.
func (p *progress) step(h katprep.HostID, id string) StepState {
	p.mu.Lock()
	defer p.mu.Unlock()
	if s := p.hosts[h][id]; s != nil {
		return *s
	}
	return StepState{}
}

func (p *progress) gate(id string) StepState {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.gates[id]
}

func (p *progress) nextJob() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.jobs++
	return p.jobs
}
