package act

import "github.com/stdevel/katprep"

// CheckPlan returns an error of kind katprep.Corrupt if a plan, wherever it
// was kept, cannot be what NewPlan made.
func CheckPlan(p katprep.Plan) error {
	bad := func(format string, args ...any) error {
		return katprep.Errorf(katprep.Corrupt, "the plan of run "+string(p.Run)+": "+format, args...)
	}
	if !p.Run.Valid() {
		return katprep.Errorf(katprep.Corrupt, "a plan for the run %q", p.Run)
	}
	if p.Format != PlanFormat {
		return katprep.Errorf(katprep.Invalid, "the plan of run %s has format %d, this program knows %d", p.Run, p.Format, PlanFormat)
	}
	seen := make(map[katprep.HostID]bool, len(p.Hosts))
	for i := range p.Hosts {
		h := &p.Hosts[i]
		if h.Wave < 0 || h.Wave >= len(p.Waves) {
			return bad("host %q is in wave %d of %d", h.Name, h.Wave, len(p.Waves))
		}
		if seen[h.HostID] {
			return bad("host %q is there twice", h.Name)
		}
		seen[h.HostID] = true
		steps := make(map[string]bool, len(h.Steps))
		for j := range h.Steps {
			if id := h.Steps[j].ID; id == "" || steps[id] {
				return bad("host %q has two steps %q", h.Name, id)
			}
			steps[h.Steps[j].ID] = true
		}
	}
	return nil
}
