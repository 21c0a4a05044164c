package act

import (
	"context"

	"github.com/stdevel/katprep"
)

// A Preview is what Run would do next with one host in one stage.
type Preview struct {
	Host   *katprep.HostPlan
	Stage  katprep.Stage
	Steps  []*katprep.PlannedStep // the very ones that Run does, in order
	Reason string                 // why the host may not enter the stage
}

// Preview says what Run would do with the selected hosts, by the plan and
// the journal alone: no system is asked, and nothing is written. Steps whose
// need shows only then (a reboot) are listed.
func (e *Engine) Preview(ctx context.Context, stages ...katprep.Stage) ([]Preview, error) {
	r, err := e.begin(ctx)
	if err != nil {
		return nil, err
	}
	var all []Preview
	for wave := range e.Plan.Waves {
		for _, stage := range stages {
			for _, h := range r.hosts(wave) {
				if pv := r.preview(stage, h, stage == stages[0]); len(pv.Steps) > 0 || pv.Reason != "" {
					all = append(all, pv)
				}
			}
		}
	}
	return all, nil
}

// preview looks at one host. Of several stages, only the first one's
// conditions can be judged now.
func (r *runner) preview(stage katprep.Stage, h *katprep.HostPlan, judge bool) Preview {
	pv := Preview{Host: h, Stage: stage}
	if len(h.Steps) == 0 {
		return pv
	}
	if judge {
		if _, pv.Reason = r.admit(stage, h); pv.Reason != "" {
			return pv
		}
	}
	for i := range h.Steps {
		s := &h.Steps[i]
		if s.Stage != stage {
			continue
		}
		if s.Args["undo"] != "" && r.hookDue(h, s.Args["undo"]) || r.due(h, i) {
			pv.Steps = append(pv.Steps, s)
		}
	}
	return pv
}

// hookDue reports whether the hook would be run, so that it would be undone.
func (r *runner) hookDue(h *katprep.HostPlan, id string) bool {
	for i := range h.Steps {
		if h.Steps[i].ID == id {
			return r.due(h, i)
		}
	}
	return false
}
