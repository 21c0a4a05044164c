package main

import (
	"slices"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/act"
	"github.com/stdevel/katprep/internal/archive"
)

// mayTag says, before anything is collected, why a snapshot cannot be the
// run's: it has one already, its steps have begun, or they are being done.
func (a *app) mayTag(arc *archive.Archive, run katprep.RunID, ph katprep.Phase) error {
	tag := "run/" + string(run) + "/" + string(ph)
	switch id, err := arc.Resolve(a.ctx, tag); {
	case err == nil:
		return katprep.Errorf(katprep.Conflict, "run %s has its %s-snapshot already: %s", run, ph, id.Short()).
			WithHint("take a snapshot without --%s, or begin a run of another name", ph)
	case katprep.KindOf(err) != katprep.NotFound:
		return err
	}
	rec, err := arc.Run(a.ctx, run)
	if err != nil {
		if katprep.KindOf(err) == katprep.NotFound {
			return nil
		}
		return err
	}
	if ph == katprep.Before && slices.ContainsFunc(rec.Journal, func(e katprep.Entry) bool { return e.Event == katprep.EventIntent }) {
		return katprep.Errorf(katprep.Conflict, "run %s has begun: what is read now is not the state before it", run)
	}
	if ph == katprep.After {
		return a.notUnderWay(rec.Plan)
	}
	return nil
}

// notUnderWay refuses a run whose steps are being done on this machine.
func (a *app) notUnderWay(plan katprep.Plan) error {
	cfg, err := a.config()
	if err != nil {
		return err
	}
	dir, err := a.stateDir(cfg)
	if err != nil {
		return nil // no run was ever begun from here
	}
	state, err := act.OpenStateDir(dir)
	if err != nil {
		return nil
	}
	runs, err := state.Runs()
	if err != nil || !slices.Contains(runs, plan.Run) {
		return err
	}
	local, err := state.Begin(plan, nil)
	if katprep.KindOf(err) == katprep.Locked && err != nil {
		return katprep.Errorf(katprep.Locked, "run %s is under way: what is read now is not the state after it", plan.Run).
			WithHint("wait until it has ended: katprep maintenance status %s", plan.Run)
	}
	if err != nil {
		return nil // not in use, which is all that is asked here
	}
	return local.Close()
}
