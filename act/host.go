package act

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/stdevel/katprep"
)

// A walk is a host on its way through a stage.
type walk struct {
	h     *katprep.HostPlan
	stage katprep.Stage
	begun bool
	bulk  bool // it stops before a step that hosts do together
	waits bool // it has stopped there
	again bool // also steps that are settled
	next  int  // the index of the step to go on with

	hooks   bool   // none of them failed
	failure string // what failed
	stop    string // why the host does not get to the end of the stage otherwise
	step    string // where it failed or stopped
}

// halt lets a host that has begun go no further than it must.
func (w *walk) halt(why string) {
	if why != "" && w.failure == "" && w.stop == "" && w.next < len(w.h.Steps) {
		w.step, w.stop = w.h.Steps[w.next].ID, why
	}
}

// host takes one host through one stage, or to a step that hosts do together.
// Steps that are settled are left out, so that a stage that was interrupted
// goes on where it was.
func (r *runner) host(ctx context.Context, g *gatherer, w *walk) {
	h, stage := w.h, w.stage
	defer g.leave(h)
	if !w.begun {
		if len(h.Steps) == 0 {
			r.result(h, stage, "", "")
			return
		}
		if step, why := r.admit(stage, h); why != "" {
			r.refuse(h, stage, step, why)
			return
		}
		w.begun = true
		w.again = stage == katprep.StageVerify && r.Options.VerifyAgain && r.p.complete(h, stage) && !r.p.begun(h, katprep.StageCleanup)
	}
	if r.steps(ctx, g, w); w.waits {
		return
	}
	if w.failure != "" {
		r.countFailure(h, w.failure)
		if r.reverts(stage, h) {
			r.steps(ctx, g, &walk{h: h, stage: katprep.StageRevert, hooks: true})
		}
	}
	if w.failure != "" || w.stop != "" {
		r.refuse(h, stage, w.step, w.stop)
		return
	}
	r.result(h, stage, "", "")
}

// reverts reports whether a failed host goes back to its VM snapshot.
func (r *runner) reverts(stage katprep.Stage, h *katprep.HostPlan) bool {
	return r.Plan.Limits.OnFailure == katprep.FailRevert &&
		(stage == katprep.StageExecute || stage == katprep.StageVerify) &&
		r.p.step(h.HostID, "patch").Attempts > 0 && r.p.step(h.HostID, "vm-snapshot").Event == katprep.EventDone
}

// admit says why the host must not enter the stage, and which step is
// missing; nothing if it may.
func (r *runner) admit(stage katprep.Stage, h *katprep.HostPlan) (step, why string) {
	if r.p.complete(h, stage) {
		return "", "" // nothing of it is left to be done
	}
	revert := r.p.step(h.HostID, "revert")
	reverted := revert.Event == katprep.EventDone
	patched := r.p.step(h.HostID, "patch").Attempts > 0 || r.p.step(h.HostID, "reboot").Attempts > 0
	switch stage {
	case katprep.StagePrepare, katprep.StageExecute, katprep.StageVerify:
		if reverted {
			return "revert", "the host was taken back to its VM snapshot"
		}
		if revert.open() {
			return "revert", "nobody knows whether the host was taken back to its VM snapshot: the stage revert does it again"
		}
	}
	switch stage {
	case katprep.StageExecute:
		if step := r.p.missing(h, katprep.StagePrepare); step != "" {
			return step, "the host is not prepared: " + step + " is not confirmed"
		}
		if r.p.begun(h, katprep.StageCleanup) {
			return "", "the host was cleaned up already"
		}
	case katprep.StageVerify:
		if !r.p.begun(h, katprep.StageExecute) {
			return "", "the host was not executed yet"
		}
	case katprep.StageCleanup:
		if step := r.p.missing(h, katprep.StageVerify); step != "" && patched && !reverted && !r.Options.Unverified {
			return step, "the host is not verified: " + step + " is not confirmed"
		}
	case katprep.StageRevert:
		if r.p.step(h.HostID, "vm-snapshot").Event != katprep.EventDone {
			return "vm-snapshot", "there is no VM snapshot of this run to go back to"
		}
	}
	return "", ""
}

// steps does the steps of the stage from the walk's next one on.
func (r *runner) steps(ctx context.Context, g *gatherer, w *walk) {
	for w.waits = false; w.next < len(w.h.Steps); w.next++ {
		s := &w.h.Steps[w.next]
		if s.Stage != w.stage || !w.again && !r.due(w.h, w.next) || w.again && s.Args["undo"] != "" && !r.p.undoDue(w.h, s) {
			continue
		}
		if ctx.Err() != nil {
			w.step, w.stop = cmp.Or(w.step, s.ID), cmp.Or(w.stop, interruption)
			return
		}
		if (w.failure != "" || w.stop != "") && !goesOn(w.stage, s, w.hooks) {
			continue
		}
		if why := r.closed(w.stage); why != "" && !goesOn(w.stage, s, w.hooks) {
			w.step, w.stop = s.ID, why
			continue
		}
		if w.bulk && r.shared(s) {
			w.waits = true
			return
		}
		r.took(w, s, r.step(ctx, g, w.h, w.next))
	}
}

// took notes what a step means for those after it.
func (r *runner) took(w *walk, s *katprep.PlannedStep, out outcome) {
	switch {
	case (out.event == katprep.EventSkipped && out.deferred || out.interrupted) && w.stop == "":
		w.step, w.stop = cmp.Or(w.step, s.ID), out.message
	case out.interrupted:
	case out.event == katprep.EventFailed || out.event == katprep.EventUnknown:
		if !soft(s) && w.failure == "" {
			w.step, w.failure = s.ID, s.ID+": "+out.message
			w.hooks = w.hooks && s.Kind != katprep.StepHook
		}
		if s.Args["on_failure"] == "abort-run" {
			r.halt("hook " + s.Args["name"] + " of host " + w.h.Name + " failed: " + out.message)
		}
	}
}

// goesOn reports whether the step is done even though one before failed.
func goesOn(stage katprep.Stage, s *katprep.PlannedStep, hooks bool) bool {
	switch {
	case s.Args["always"] != "" || s.Args["undo"] != "":
		return true
	case stage == katprep.StageVerify:
		return s.Kind == katprep.StepCheck && hooks // each check is evidence of its own
	case stage == katprep.StageCleanup:
		return s.Kind != katprep.StepHook && hooks // the rest is to be removed nevertheless
	}
	return false
}

// due reports whether the step has to be done in this call.
func (r *runner) due(h *katprep.HostPlan, i int) bool {
	s := &h.Steps[i]
	switch {
	case s.Args["undo"] != "":
		return r.p.undoDue(h, s)
	case !r.p.settled(h, s):
		return true
	case s.ID == "ready":
		return r.pending(h, "patch") || r.pending(h, "reboot")
	case s.ID == "downtime" || s.ID == "vm-snapshot":
		return r.lost(h, s)
	case s.Kind == katprep.StepHook:
		return r.undone(h, i)
	}
	return false
}

// pending reports whether the plan has the step and it is not settled.
func (r *runner) pending(h *katprep.HostPlan, id string) bool {
	for i := range h.Steps {
		if h.Steps[i].ID == id {
			return !r.p.settled(h, &h.Steps[i])
		}
	}
	return false
}

// lost reports whether a downtime has run out, or a downtime or VM snapshot
// was found to be missing, while the host still needs it.
func (r *runner) lost(h *katprep.HostPlan, s *katprep.PlannedStep) bool {
	if !r.pending(h, "patch") && !r.pending(h, "reboot") {
		return false
	}
	st, ready := r.p.step(h.HostID, s.ID), r.p.step(h.HostID, "ready")
	if ready.Event == katprep.EventFailed && ready.Data["missing"] == s.ID && ready.last > st.last {
		return s.ID == "downtime" || r.p.step(h.HostID, "patch").Attempts == 0
	}
	end, err := time.Parse(time.RFC3339, st.Data[DataEnd])
	return s.ID == "downtime" && st.Event == katprep.EventDone && err == nil && !end.After(r.now())
}

// undone reports whether a hook was taken back although steps that need it
// are still to be done.
func (r *runner) undone(h *katprep.HostPlan, i int) bool {
	hook, needed := &h.Steps[i], false
	for j := i + 1; j < len(h.Steps) && h.Steps[j].Stage == hook.Stage; j++ {
		s := &h.Steps[j]
		if s.Args["undo"] == hook.ID {
			return needed && !r.p.undoDue(h, s)
		}
		needed = needed || s.Args["undo"] == "" && !r.p.settled(h, s)
	}
	return false
}

// clockSlack is how far wall clock and monotonic clock may differ.
const clockSlack = time.Minute

// closed says why nothing may start now, or nothing. If the wall clock was
// set in the meantime, both clocks must agree that it may.
func (r *runner) closed(stage katprep.Stage) string {
	if stage != katprep.StagePrepare && stage != katprep.StageExecute {
		return ""
	}
	wall, est := r.now(), r.started.Add(time.Since(r.mono))
	if d := wall.Sub(est); d > clockSlack || d < -clockSlack {
		r.jump(stage, d)
	}
	w := r.Plan.Window
	switch {
	case !w.End.IsZero() && (!wall.Before(w.End) || !est.Before(w.End)):
		return "the maintenance window ended at " + w.End.Format(time.RFC3339)
	case stage == katprep.StageExecute && (wall.Before(w.Start) || est.Before(w.Start)):
		return "the maintenance window begins at " + w.Start.Format(time.RFC3339)
	}
	return ""
}

// jump notes once that the clock was set.
func (r *runner) jump(stage katprep.Stage, d time.Duration) {
	r.mu.Lock()
	known := r.jumped
	r.jumped = true
	r.mu.Unlock()
	if !known {
		_ = r.write(katprep.Entry{ // the error is kept by write
			Stage: stage, Step: "clock", Event: katprep.EventNote,
			Message: fmt.Sprintf("the clock was set by about %v while the run was under way", d.Round(time.Second)),
		})
	}
}
