package act

import (
	"context"
	"maps"
	"time"

	"github.com/stdevel/katprep"
)

// system finds what implements T for a step.
func system[T any](r *runner, s *katprep.PlannedStep) (T, error) {
	var none T
	sys, err := r.Systems.System(s.System)
	if err != nil {
		return none, katprep.Errorf(katprep.KindOf(err), "reach %s: %w", s.System, err)
	}
	t, ok := sys.(T)
	if !ok {
		return none, katprep.Errorf(katprep.Invalid, "%s (%T) cannot do a step of kind %s", s.System, sys, s.Kind)
	}
	return t, nil
}

// action says how a step is done.
func (r *runner) action(g *gatherer, h *katprep.HostPlan, i int) (action, error) {
	s := &h.Steps[i]
	t := r.target(h, s)
	switch s.Kind {
	case katprep.StepHook:
		return r.hookAction(h, i)
	case katprep.StepDowntime:
		return r.downtimeAction(s, t)
	case katprep.StepVMSnapshot:
		return r.snapshotAction(s, t)
	case katprep.StepPatch:
		return r.patchAction(g, h, s)
	case katprep.StepReboot:
		return r.rebootAction(h, s, t)
	case katprep.StepCheck:
		return r.checkAction(h, s, t)
	case katprep.StepRevert:
		return r.revertAction(s, t)
	case katprep.StepEndDown:
		return r.endDowntimeAction(h, s, t)
	case katprep.StepRemoveVM:
		return r.removeAction(h, s, t)
	}
	return action{}, katprep.Errorf(katprep.Invalid, "the plan has a step of kind %q, which is not known", s.Kind)
}

func done(ref Ref) result { return result{ref: ref.ID, data: ref.Data} }

func (r *runner) downtimeAction(s *katprep.PlannedStep, t Target) (action, error) {
	d, err := system[Downtimer](r, s)
	if err != nil {
		return action{}, err
	}
	length, err := time.ParseDuration(s.Args["length"])
	if err != nil {
		return action{}, katprep.Errorf(katprep.Invalid, "the plan's downtime: %w", err)
	}
	return action{
		limits: []string{s.System},
		adopts: true,
		intent: func(_ context.Context, last StepState) (map[string]string, error) {
			return r.downtimeIntent(length, last), nil
		},
		find: func(ctx context.Context, _ StepState) (result, bool, error) {
			ref, _, found, err := d.FindDowntime(ctx, t)
			if err == nil && found { // of which services is not known
				err = katprep.Errorf(katprep.Conflict, "%s has downtime %s of this run, and it is not confirmed", s.System, ref.ID)
			}
			return done(ref), false, err
		},
		do: func(ctx context.Context, intent map[string]string) (result, error) {
			w, err := windowOf(intent)
			if err != nil {
				return result{}, err
			}
			ref, err := d.Schedule(ctx, t, w, r.downtimeComment())
			return downtimeDone(ref, intent, err), err
		},
	}, nil
}

// downtimeIntent is the window of a downtime. What an earlier attempt may
// have made is wanted again, unless too little of it is left.
func (r *runner) downtimeIntent(length time.Duration, last StepState) map[string]string {
	if w, err := windowOf(last.Intent); err == nil && last.open() && w.End.After(r.now().Add(length/2)) {
		return map[string]string{DataStart: last.Intent[DataStart], DataEnd: last.Intent[DataEnd]}
	}
	start := r.now().UTC().Truncate(time.Second)
	if r.Plan.Window.Start.After(start) {
		start = r.Plan.Window.Start.UTC()
	}
	return map[string]string{
		DataStart: start.Format(time.RFC3339), DataEnd: start.Add(length).Format(time.RFC3339),
	}
}

func windowOf(intent map[string]string) (katprep.Window, error) {
	start, serr := time.Parse(time.RFC3339, intent[DataStart])
	end, eerr := time.Parse(time.RFC3339, intent[DataEnd])
	if serr != nil || eerr != nil {
		return katprep.Window{}, katprep.Errorf(katprep.Internal, "downtime from %q to %q", intent[DataStart], intent[DataEnd])
	}
	return katprep.Window{Start: start, End: end}, nil
}

func (r *runner) downtimeComment() string {
	comment := "katprep run " + string(r.Plan.Run)
	if r.Plan.Title != "" {
		comment += ": " + r.Plan.Title
	}
	return comment
}

func downtimeDone(ref Ref, intent map[string]string, err error) result {
	res := done(ref)
	if err == nil && res.data[DataEnd] == "" {
		res.data = maps.Clone(intent)
		maps.Copy(res.data, ref.Data)
	}
	return res
}

func (r *runner) snapshotAction(s *katprep.PlannedStep, t Target) (action, error) {
	v, err := system[Snapshotter](r, s)
	if err != nil {
		return action{}, err
	}
	o := r.snapshotOptions(s)
	return action{
		limits: []string{s.System},
		find: func(ctx context.Context, _ StepState) (result, bool, error) {
			ref, found, err := v.FindSnapshot(ctx, t)
			return done(ref), found, err
		},
		do: func(ctx context.Context, _ map[string]string) (result, error) {
			ref, err := v.CreateSnapshot(ctx, t, o)
			return done(ref), err
		},
	}, nil
}

func (r *runner) snapshotOptions(s *katprep.PlannedStep) SnapshotOptions {
	return SnapshotOptions{
		Description: "katprep run " + string(r.Plan.Run) + " before patching, by " + r.Options.By,
		Memory:      s.Args["memory"] == "true", Quiesce: Quiesce(s.Args["quiesce"]),
	}
}

func (r *runner) revertAction(s *katprep.PlannedStep, t Target) (action, error) {
	v, err := system[Snapshotter](r, s)
	if err != nil {
		return action{}, err
	}
	return action{
		limits: []string{s.System},
		do: func(ctx context.Context, _ map[string]string) (result, error) {
			ref, err := v.RevertSnapshot(ctx, t)
			return done(ref), err
		},
	}, nil
}

func (r *runner) endDowntimeAction(h *katprep.HostPlan, s *katprep.PlannedStep, t Target) (action, error) {
	d, err := system[Downtimer](r, s)
	if err != nil {
		return action{}, err
	}
	return action{
		limits: []string{s.System},
		skip:   r.neverMade(h, "downtime"),
		find: func(ctx context.Context, _ StepState) (result, bool, error) {
			_, _, found, err := d.FindDowntime(ctx, t)
			return result{ref: r.p.step(h.HostID, "downtime").Ref}, !found, err
		},
		do: func(ctx context.Context, _ map[string]string) (result, error) {
			return result{ref: r.p.step(h.HostID, "downtime").Ref}, d.EndDowntime(ctx, t)
		},
	}, nil
}

func (r *runner) removeAction(h *katprep.HostPlan, s *katprep.PlannedStep, t Target) (action, error) {
	v, err := system[Snapshotter](r, s)
	if err != nil {
		return action{}, err
	}
	return action{
		limits: []string{s.System},
		skip:   r.neverMade(h, "vm-snapshot"),
		find: func(ctx context.Context, _ StepState) (result, bool, error) {
			_, found, err := v.FindSnapshot(ctx, t)
			return result{ref: r.p.step(h.HostID, "vm-snapshot").Ref}, !found, err
		},
		do: func(ctx context.Context, _ map[string]string) (result, error) {
			return result{ref: r.p.step(h.HostID, "vm-snapshot").Ref}, v.RemoveSnapshot(ctx, t)
		},
	}, nil
}

// neverMade skips the removal of what the run never tried to make: nothing
// found there would be no proof of a removal.
func (r *runner) neverMade(h *katprep.HostPlan, step string) func(context.Context) (string, error) {
	return func(context.Context) (string, error) {
		if r.p.step(h.HostID, step).Attempts == 0 {
			return "the run made no " + step + " for this host", nil
		}
		return "", nil
	}
}

func (r *runner) rebootAction(h *katprep.HostPlan, s *katprep.PlannedStep, t Target) (action, error) {
	b, err := system[Rebooter](r, s)
	if err != nil {
		return action{}, err
	}
	return action{
		limits: []string{s.System},
		skip: func(ctx context.Context) (string, error) {
			if st := r.p.step(h.HostID, s.ID); st.Attempts > 0 {
				return "", nil // it was decided before
			}
			return r.needless(ctx, b, h, s, t)
		},
		intent: func(ctx context.Context, last StepState) (map[string]string, error) {
			if last.open() && last.Intent[DataOldID]+last.Intent[DataOldTime] != "" {
				return last.Intent, nil // the boot that must end stays the same
			}
			boot, err := b.BootOf(ctx, t)
			return bootData(boot), err
		},
		do: func(ctx context.Context, intent map[string]string) (result, error) {
			ref, err := b.Reboot(ctx, t, bootFrom(intent))
			res := done(ref)
			res.data = maps.Clone(intent)
			maps.Copy(res.data, ref.Data)
			return res, err
		},
	}, nil
}

func bootData(b katprep.Boot) map[string]string {
	data := map[string]string{DataOldID: b.ID}
	if !b.Time.IsZero() {
		data[DataOldTime] = b.Time.UTC().Format(time.RFC3339)
	}
	return data
}

func bootFrom(data map[string]string) katprep.Boot {
	b := katprep.Boot{ID: data[DataOldID]}
	if t, err := time.Parse(time.RFC3339, data[DataOldTime]); err == nil {
		b.Time = t
	}
	return b
}

// needless says why the host need not be rebooted.
func (r *runner) needless(ctx context.Context, b Rebooter, h *katprep.HostPlan, s *katprep.PlannedStep, t Target) (string, error) {
	if s.Args["policy"] == string(RebootAlways) || s.Args["reasons"] != "" {
		return "", nil
	}
	switch r.p.step(h.HostID, "patch").Data[DataReboot] {
	case "yes":
		return "", nil
	case "no":
		return "the host says after patching that it needs no reboot", nil
	}
	asked, ok := b.(RebootNeeder)
	if !ok {
		return "nothing that was installed asks for a reboot, and the host could not be asked", nil
	}
	need, err := asked.RebootNeeded(ctx, t)
	switch {
	case err != nil:
		return "", katprep.Errorf(katprep.KindOf(err), "ask whether a reboot is needed: %w", err)
	case need.Need == katprep.Needed:
		return "", nil
	case need.Need == katprep.NotNeeded:
		return "the host needs no reboot", nil
	}
	return "nothing that was installed asks for a reboot, and the host does not know", nil
}
