package act

import (
	"slices"
	"strings"

	"github.com/stdevel/katprep"
)

// HostState says how far a host is.
type HostState string

// The states.
const (
	HostNothing   HostState = "nothing"   // the plan has no step for it
	HostPlanned   HostState = "planned"   // nothing was begun
	HostPreparing HostState = "preparing" // prepare was begun
	HostPrepared  HostState = "prepared"  //
	HostExecuting HostState = "executing" // execute was begun
	HostExecuted  HostState = "executed"  // patched, and rebooted if due
	HostVerified  HostState = "verified"  //
	HostCleaned   HostState = "cleaned"   // nothing of ours is left
	HostFailed    HostState = "failed"    // a step failed
	HostUnknown   HostState = "unknown"   // nobody knows what became of a step
	HostDeferred  HostState = "deferred"  // a step is to be done another time
	HostReverted  HostState = "reverted"  // back at its VM snapshot
)

// A HostStatus is how far a host is, as the journal says.
type HostStatus struct {
	katprep.Host
	Wave   string    `json:"wave"`
	State  HostState `json:"state"`
	Step   string    `json:"step,omitempty"`   // that it stopped at
	Reason string    `json:"reason,omitempty"` // why
	Ref    string    `json:"ref,omitempty"`    // the other system's reference of that step
	Left   []string  `json:"left,omitempty"`   // what of ours may still be there: "downtime", "vm-snapshot", hooks
	Clean  bool      `json:"clean"`            // the clean-up is complete, whatever happened before
	Doubts []string  `json:"doubts,omitempty"` // steps that the host went on without, and why; the Reason if there is no other
}

// Status says how far a run is. It asks nobody but the journal.
func Status(rec katprep.RunRecord) ([]HostStatus, error) {
	if err := CheckPlan(rec.Plan); err != nil {
		return nil, err
	}
	p, err := fold(func(yield func(katprep.Entry, error) bool) {
		for _, e := range rec.Journal {
			if !yield(e, nil) {
				return
			}
		}
	})
	if err != nil {
		return nil, err
	}
	var all []HostStatus
	for i := range rec.Plan.Hosts {
		st := p.status(&rec.Plan, &rec.Plan.Hosts[i])
		if st.Reason == "" {
			st.Reason = strings.Join(st.Doubts, "; ")
		}
		all = append(all, st)
	}
	return all, nil
}

func (p *progress) status(plan *katprep.Plan, h *katprep.HostPlan) HostStatus {
	st := HostStatus{Host: h.Host, State: HostPlanned, Left: p.left(h), Wave: plan.Waves[h.Wave].Name}
	st.Clean = p.begun(h, katprep.StageCleanup) && p.complete(h, katprep.StageCleanup) && len(st.Left) == 0
	if len(h.Steps) == 0 {
		st.State = HostNothing
		st.Reason = firstOf(h.Notes)
		return st
	}
	if p.step(h.HostID, "revert").Event == katprep.EventDone {
		st.State = HostReverted
		if p.complete(h, katprep.StageCleanup) {
			st.State = HostCleaned
		}
		return st
	}
	for _, stage := range []katprep.Stage{katprep.StagePrepare, katprep.StageExecute, katprep.StageVerify, katprep.StageCleanup} {
		if p.begun(h, stage) {
			st.State = map[katprep.Stage][2]HostState{
				katprep.StagePrepare: {HostPreparing, HostPrepared},
				katprep.StageExecute: {HostExecuting, HostExecuted},
				katprep.StageVerify:  {HostExecuted, HostVerified},
				katprep.StageCleanup: {HostVerified, HostCleaned},
			}[stage][b2i(p.complete(h, stage))]
		} else if p.vacuous(h, stage) && p.beyond(h, stage) {
			continue
		}
	}
	p.stuck(h, &st)
	st.Doubts = p.doubts(h)
	return st
}

// doubts are the soft steps that did not succeed although the host went on.
func (p *progress) doubts(h *katprep.HostPlan) []string {
	var all []string
	for i := range h.Steps {
		s := &h.Steps[i]
		if s.Args["undo"] != "" || !soft(s) {
			continue
		}
		st := p.step(h.HostID, s.ID)
		how := ""
		switch {
		case st.Event == katprep.EventFailed:
			how = "failed"
		case st.open():
			how = "not known"
		case st.Event == katprep.EventSkipped && !st.settled():
			how = "not done"
		case st.Event == "" && p.beyond(h, s.Stage):
			how = "never done"
		default:
			continue
		}
		if why := st.reason(); why != "" {
			how += ": " + why
		}
		if s.ID == "applicability" {
			how += "; installed errata are not confirmed"
		}
		all = append(all, s.ID+": "+how)
	}
	return all
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

func firstOf(s []string) string {
	if len(s) == 0 {
		return ""
	}
	return s[0]
}

// stuck puts the first failed or unknown step into the status.
func (p *progress) stuck(h *katprep.HostPlan, st *HostStatus) {
	for i := range h.Steps {
		s := p.step(h.HostID, h.Steps[i].ID)
		state, bad := map[katprep.Event]HostState{
			katprep.EventFailed: HostFailed, katprep.EventUnknown: HostUnknown,
			katprep.EventIntent: HostUnknown, katprep.EventSent: HostUnknown,
		}[s.Event]
		if s.Event == katprep.EventSkipped && s.Data[dataDefer] != "" {
			state, bad = HostDeferred, true
		}
		if bad && !soft(&h.Steps[i]) {
			st.State, st.Step, st.Reason, st.Ref = state, h.Steps[i].ID, s.reason(), s.Ref
			return
		}
	}
}

// soft reports whether a host goes on when the step fails.
func soft(s *katprep.PlannedStep) bool { return s.Args["on_failure"] == "continue" }

func (p *progress) begun(h *katprep.HostPlan, stage katprep.Stage) bool {
	return slices.ContainsFunc(h.Steps, func(s katprep.PlannedStep) bool {
		st := p.step(h.HostID, s.ID)
		cut := st.Event == katprep.EventSkipped && st.Data[DataInterrupted] != "" // before it did anything
		return s.Stage == stage && st.Event != "" && !cut
	})
}

func (p *progress) vacuous(h *katprep.HostPlan, stage katprep.Stage) bool {
	return !slices.ContainsFunc(h.Steps, func(s katprep.PlannedStep) bool { return s.Stage == stage })
}

// beyond reports whether a later stage than this one was begun.
func (p *progress) beyond(h *katprep.HostPlan, stage katprep.Stage) bool {
	order := []katprep.Stage{katprep.StagePrepare, katprep.StageExecute, katprep.StageVerify, katprep.StageCleanup}
	for _, later := range order[slices.Index(order, stage)+1:] {
		if p.begun(h, later) {
			return true
		}
	}
	return false
}

// complete reports whether every step of the stage is settled that must be.
func (p *progress) complete(h *katprep.HostPlan, stage katprep.Stage) bool {
	return p.missing(h, stage) == ""
}

// missing names the first step of the stage that is not settled.
func (p *progress) missing(h *katprep.HostPlan, stage katprep.Stage) string {
	for i := range h.Steps {
		s := &h.Steps[i]
		if s.Stage == stage && !p.settled(h, s) {
			return s.ID
		}
	}
	return ""
}

// undoDue reports whether a hook was begun, and not taken back since, that
// the step takes back.
func (p *progress) undoDue(h *katprep.HostPlan, s *katprep.PlannedStep) bool {
	hook, undo := p.step(h.HostID, s.Args["undo"]), p.step(h.HostID, s.ID)
	return hook.Attempts > 0 && !(undo.settled() && undo.last > hook.began)
}

// settled reports whether the step needs nothing more.
func (p *progress) settled(h *katprep.HostPlan, s *katprep.PlannedStep) bool {
	if s.Args["undo"] != "" {
		return !p.undoDue(h, s)
	}
	st := p.step(h.HostID, s.ID)
	return st.settled() || soft(s) && st.Event == katprep.EventFailed
}

// left names what a run may have left on a host or in other systems.
func (p *progress) left(h *katprep.HostPlan) []string {
	var left []string
	for made, gone := range map[string]string{"downtime": "end-downtime", "vm-snapshot": "remove-vm-snapshot"} {
		if s := p.step(h.HostID, gone); p.step(h.HostID, made).Attempts > 0 && s.Event != katprep.EventDone {
			left = append(left, made)
		}
	}
	for i := range h.Steps {
		if s := &h.Steps[i]; s.Args["undo"] != "" && p.undoDue(h, s) {
			left = append(left, s.ID)
		}
	}
	slices.Sort(left)
	return left
}
