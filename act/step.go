package act

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/stdevel/katprep"
)

// An action is how one step is done.
type action struct {
	reads  bool // it changes nothing: no intent is written, no question asked after an error
	shared bool // it writes its intents itself, together with other hosts
	adopts bool // done again, it completes what an earlier attempt made: nobody is asked first
	limits []string
	// skip says why nothing is to be done. Nil: something is.
	skip func(ctx context.Context) (reason string, err error)
	// intent returns evidence from before the action. Nil: there is none.
	intent func(ctx context.Context, last StepState) (map[string]string, error)
	// find asks whether what the last attempt was for is so. Nil: nobody can
	// be asked, and doing it again does no harm.
	find func(ctx context.Context, last StepState) (res result, found bool, err error)
	do   func(ctx context.Context, intent map[string]string) (result, error)
}

// A result is what an action came to. An event other than Done means that
// the system said so, an error that nothing certain is known.
type result struct {
	event   katprep.Event
	ref     string
	message string
	data    map[string]string
}

// An outcome is a recorded result.
type outcome struct {
	event       katprep.Event
	message     string
	deferred    bool
	interrupted bool // by the end of ctx, which is nobody's failure
}

// step does one step of a host and records it.
func (r *runner) step(ctx context.Context, g *gatherer, h *katprep.HostPlan, i int) outcome {
	s := &h.Steps[i]
	a, err := r.action(g, h, i)
	if err != nil {
		return r.record(h, s, result{event: katprep.EventFailed, message: text(err)})
	}
	release, err := r.acquire(ctx, h, s, a.limits)
	if err != nil {
		return r.interrupted(h, s)
	}
	defer release()
	if st := r.p.step(h.HostID, s.ID); st.open() && a.find != nil && !a.reads && !a.adopts {
		res, found, err := r.ask(ctx, s, a, st)
		switch {
		case err != nil && ctx.Err() != nil:
			return r.interrupted(h, s)
		case err != nil && !r.Options.RetryUnknown:
			return r.record(h, s, result{event: katprep.EventUnknown, ref: st.Ref, message: "an earlier attempt was interrupted, and nobody can say what became of it: " + text(err)})
		case found:
			return r.record(h, s, r.late(res, s, "an earlier attempt was interrupted; it was found to have succeeded"))
		}
	}
	return r.attempt(ctx, h, s, a)
}

// late completes a result that was found afterwards.
func (r *runner) late(res result, s *katprep.PlannedStep, how string) result {
	if res.event == "" {
		res.event = katprep.EventDone
	}
	if res.message == "" {
		res.message = s.Say
	}
	res.data = maps.Clone(res.data)
	if res.data == nil {
		res.data = map[string]string{}
	}
	res.data["found"] = how
	return res
}

func (r *runner) attempt(ctx context.Context, h *katprep.HostPlan, s *katprep.PlannedStep, a action) outcome {
	if a.skip != nil {
		why, err := bounded(ctx, r.timeout(katprep.StepCheck), r.grace(), a.skip)
		switch {
		case err != nil && ctx.Err() != nil:
			return r.interrupted(h, s)
		case err != nil:
			return r.record(h, s, result{event: katprep.EventFailed, message: text(err)})
		case why != "":
			return r.record(h, s, result{event: katprep.EventSkipped, message: why})
		}
	}
	intent, err := r.intend(ctx, h, s, a)
	if err != nil && ctx.Err() != nil {
		return r.interrupted(h, s)
	}
	if err != nil {
		return r.record(h, s, result{event: katprep.EventFailed, message: text(err)})
	}
	res, err := bounded(ctx, r.timeoutOf(s), r.grace(), func(ctx context.Context) (result, error) { return a.do(ctx, intent) })
	if err != nil && a.shared && ctx.Err() != nil {
		// Whoever sends the job writes what is known; this may be at the same moment.
		return outcome{event: katprep.EventSkipped, message: interruption, deferred: true, interrupted: true}
	}
	if err != nil && a.reads && ctx.Err() != nil {
		return r.interrupted(h, s)
	}
	if err != nil {
		res = r.afterError(ctx, s, a, r.p.step(h.HostID, s.ID), res, err)
	}
	if res.event == "" {
		res.event = katprep.EventDone
	}
	if res.message == "" {
		res.message = s.Say
	}
	return r.record(h, s, res)
}

const (
	interruption = "interrupted"
	// DataInterrupted marks an entry of a step that the end of the run cut
	// off: its outcome may be unknown, but nothing failed.
	DataInterrupted = "interrupted"
)

// interrupted is for a step that was cut off before it changed anything. It
// is written down unless the journal says something better already: what
// became of an earlier attempt stays open, and what was confirmed stays so.
func (r *runner) interrupted(h *katprep.HostPlan, s *katprep.PlannedStep) outcome {
	out := outcome{event: katprep.EventSkipped, message: interruption, deferred: true, interrupted: true}
	if st := r.p.step(h.HostID, s.ID); st.Event != "" || s.Args["undo"] != "" {
		return out
	}
	e := entry(h, s, katprep.EventSkipped)
	e.Message, e.Data = interruption, map[string]string{dataDefer: "yes", DataInterrupted: "yes"}
	if err := r.write(e); err != nil {
		out.message = err.Error()
	}
	return out
}

// intend writes what is about to be done.
func (r *runner) intend(ctx context.Context, h *katprep.HostPlan, s *katprep.PlannedStep, a action) (map[string]string, error) {
	var data map[string]string
	if a.intent != nil {
		var err error
		last := r.p.step(h.HostID, s.ID)
		data, err = bounded(ctx, r.timeout(katprep.StepCheck), r.grace(), func(ctx context.Context) (map[string]string, error) { return a.intent(ctx, last) })
		if err != nil {
			return nil, err
		}
	}
	if a.reads || a.shared {
		return data, nil
	}
	e := entry(h, s, katprep.EventIntent)
	e.Message, e.Data = s.Say, data
	return data, r.write(e)
}

// afterError finds out what is certain after an action returned an error.
func (r *runner) afterError(ctx context.Context, s *katprep.PlannedStep, a action, st StepState, res result, err error) result {
	if res, certain := unasked(ctx, a, st, res, err); certain {
		return res
	}
	if a.adopts && !refused(err) {
		again, aerr := bounded(ctx, r.timeoutOf(s), r.grace(), func(ctx context.Context) (result, error) { return a.do(ctx, st.Intent) })
		if aerr == nil {
			return r.late(again, s, "asked again after the error: "+err.Error())
		}
	}
	res, _ = r.asked(ctx, s, a, st, res, err)
	return res
}

// unasked says what is certain after an error without asking anybody.
func unasked(ctx context.Context, a action, st StepState, res result, err error) (result, bool) {
	res.message = text(err)
	switch {
	case a.reads, a.shared && ctx.Err() == nil && !st.open():
		res.event = katprep.EventFailed
	case ctx.Err() != nil:
		res.event, res.message = katprep.EventUnknown, interruption+": "+err.Error()
		res.data = maps.Clone(res.data)
		if res.data == nil {
			res.data = map[string]string{}
		}
		res.data[DataInterrupted] = "yes"
	case errors.Is(err, ErrNotShown), a.find == nil && refused(err):
		res.event = katprep.EventFailed // the system has answered already
	case a.find == nil:
		res.event = katprep.EventUnknown
	default:
		return res, false
	}
	return res, true
}

// asked asks the system after an error; the second error is that it could
// not be asked.
func (r *runner) asked(ctx context.Context, s *katprep.PlannedStep, a action, st StepState, res result, err error) (result, error) {
	res.message = text(err)
	found, ok, ferr := r.ask(ctx, s, a, st)
	switch {
	case katprep.KindOf(ferr) == katprep.NotFound && katprep.KindOf(err) == katprep.NotFound:
		res.event = katprep.EventFailed // the system does not know the host
	case ferr != nil:
		res.event = katprep.EventUnknown
		res.message += "; asked afterwards: " + ferr.Error()
		return res, ferr
	case !ok:
		res.event = katprep.EventFailed
	default:
		return r.late(found, s, "it was found to have succeeded after the error: "+err.Error()), nil
	}
	return res, nil
}

// text is an error with the hint that helps.
func text(err error) string {
	if hint := katprep.HintOf(err); hint != "" {
		return err.Error() + " (" + hint + ")"
	}
	return err.Error()
}

// refused reports whether the error says that nothing was done.
func refused(err error) bool {
	switch katprep.KindOf(err) {
	case katprep.Invalid, katprep.NotFound, katprep.Denied:
		return true
	}
	return false
}

type answer struct {
	res   result
	found bool
}

func (r *runner) ask(ctx context.Context, s *katprep.PlannedStep, a action, st StepState) (result, bool, error) {
	limit := r.timeout(katprep.StepCheck)
	if s.Kind == katprep.StepPatch || s.Kind == katprep.StepHook {
		limit = r.timeoutOf(s) // it may still be under way
	}
	got, err := bounded(ctx, limit, r.grace(), func(ctx context.Context) (answer, error) {
		res, found, err := a.find(ctx, st)
		return answer{res, found}, err
	})
	return got.res, got.found, err
}

func entry(h *katprep.HostPlan, s *katprep.PlannedStep, ev katprep.Event) katprep.Entry {
	return katprep.Entry{Host: h.Name, HostID: h.HostID, Step: s.ID, Kind: s.Kind, Stage: s.Stage, System: s.System, Event: ev}
}

// record writes how a step ended. A result that cannot be written did not
// happen as far as the run knows: it is looked up when the run is resumed.
func (r *runner) record(h *katprep.HostPlan, s *katprep.PlannedStep, res result) outcome {
	e := entry(h, s, res.event)
	e.Ref, e.Message, e.Data = res.ref, res.message, res.data
	if err := r.write(e); err != nil {
		return outcome{event: katprep.EventUnknown, message: err.Error()}
	}
	return outcome{
		event: res.event, message: res.message,
		deferred: res.data[dataDefer] != "", interrupted: res.data[DataInterrupted] != "",
	}
}

// acquire waits for its turn at the systems that the step uses.
func (r *runner) acquire(ctx context.Context, h *katprep.HostPlan, s *katprep.PlannedStep, keys []string) (func(), error) {
	if len(keys) > 0 && r.limits.parts(s.System) {
		if sys, err := r.Systems.System(s.System); err == nil {
			if p, ok := sys.(Placer); ok {
				places, err := p.Places(ctx, r.target(h, s))
				if err != nil && ctx.Err() != nil {
					return nil, err
				}
				for _, place := range slices.Sorted(slices.Values(places)) {
					keys = append(keys, s.System+"/"+place)
				}
			}
		}
	}
	return r.limits.acquire(ctx, keys)
}

func (r *runner) target(h *katprep.HostPlan, s *katprep.PlannedStep) Target {
	return Target{Host: h.Host, Name: s.Target, IP: h.IP, IP6: h.IP6, MAC: h.MAC, UUID: h.UUID, Marker: NewMarker(r.Plan.Run)}
}

func (r *runner) timeout(k katprep.StepKind) time.Duration {
	if d := r.Options.Timeouts[k]; d > 0 {
		return d
	}
	return usualTimeouts[k]
}

// timeoutOf is a step's own limit if its arguments set one.
func (r *runner) timeoutOf(s *katprep.PlannedStep) time.Duration {
	limit := r.timeout(s.Kind)
	for _, arg := range []string{"timeout", "settle"} {
		if d, err := time.ParseDuration(s.Args[arg]); err == nil {
			limit = max(limit, d+time.Minute)
		}
	}
	if s.ID == "applicability" {
		limit = max(limit, 10*time.Minute)
	}
	return limit
}

func (r *runner) grace() time.Duration {
	if r.Options.Grace > 0 {
		return r.Options.Grace
	}
	return 3 * time.Second
}

// bounded calls f with a deadline. When ctx ends and f does not, f is left
// behind after a while: what it was for is then unknown.
func bounded[T any](ctx context.Context, limit, grace time.Duration, f func(context.Context) (T, error)) (T, error) {
	type ret struct {
		v   T
		err error
	}
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("no answer within %v", limit))
	defer cancel()
	ended := make(chan ret, 1)
	go func() {
		v, err := f(ctx)
		ended <- ret{v, err}
	}()
	select {
	case r := <-ended:
		return r.v, explain(ctx, r.err)
	case <-ctx.Done():
	}
	timer := time.NewTimer(grace)
	defer timer.Stop()
	select {
	case r := <-ended:
		return r.v, explain(ctx, r.err)
	case <-timer.C:
		var none T
		return none, explain(ctx, context.Cause(ctx))
	}
}

// explain says that the time was up where an error only says "deadline".
func explain(ctx context.Context, err error) error {
	if err != nil && errors.Is(err, context.DeadlineExceeded) && errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return katprep.Errorf(katprep.Unreachable, "%w", context.Cause(ctx))
	}
	return err
}
