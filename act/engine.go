package act

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/stdevel/katprep"
)

// Systems gives the engine the systems that a plan names: monitoring systems
// and hypervisors by their names, what patches a source's hosts by the
// source's name, and [Controller].
type Systems interface {
	// System returns what implements one or more interfaces of this package.
	// It is called often and from any goroutine.
	System(name string) (any, error)
}

// An Engine takes the hosts of a plan through stages. What it does is in the
// journal before and after it does it, so that a run that was killed at any
// point is resumed by running the same stage again.
type Engine struct {
	Plan    katprep.Plan
	Systems Systems
	Journal Journal
	Options Options
}

// Options are how a person wants a stage to be run.
type Options struct {
	By     string                          // who runs it, for the record
	Select func(h *katprep.HostPlan) bool  // nil: all hosts
	Now    func() time.Time                // the wall clock; nil: time.Now
	Notify func(katprep.Entry)             // told of each entry once it is safe; nil: nobody
	Commit func(stage katprep.Stage) error // copies the journal into the archive at the end of each stage; nil: nowhere
	// Confirm asks a person whether the next wave may begin. Nil is nobody:
	// the run pauses, and goes on when it is run again.
	Confirm func(ctx context.Context, done katprep.Wave, s Summary) (bool, error)

	VerifyAgain       bool // verify: look again at hosts that are verified
	Unverified        bool // cleanup: also hosts that are not verified
	RetryUnknown      bool // do again what nobody can say the outcome of
	CancelOnInterrupt bool // stop patch jobs when ctx ends

	Timeouts map[katprep.StepKind]time.Duration // of each action; zero is a usual one
	Grace    time.Duration                      // for actions to end when ctx does; 0: 3 s
	Gather   time.Duration                      // how long the first host waits for others to share its patch job; 0: 10 s
	Poll     time.Duration                      // between looks at services and scripts; 0: 10 s
}

var usualTimeouts = map[katprep.StepKind]time.Duration{
	katprep.StepHook:       15 * time.Minute,
	katprep.StepDowntime:   2 * time.Minute,
	katprep.StepVMSnapshot: 30 * time.Minute,
	katprep.StepPatch:      3 * time.Hour,
	katprep.StepReboot:     30 * time.Minute,
	katprep.StepCheck:      2 * time.Minute,
	katprep.StepRevert:     time.Hour,
	katprep.StepEndDown:    2 * time.Minute,
	katprep.StepRemoveVM:   2 * time.Hour,
}

// A Summary says how a call of Run ended.
type Summary struct {
	Hosts       []HostResult // in the order of the plan
	Stopped     string       // why not all hosts were begun; empty: they were
	Paused      string       // the wave after which the run waits for a person
	Uncommitted error        // why the archive lacks the journal
}

// A HostResult is what one call of Run did with a host.
type HostResult struct {
	katprep.Host
	Stage  katprep.Stage
	State  HostState // as by Status, or HostPlanned if it was not begun
	Step   string    // that it stopped at
	Reason string    // why
	Doubts []string  // steps that the host went on without, as in HostStatus; they make it not bad
}

// Bad reports whether somebody must look at the host.
func (r *HostResult) Bad() bool {
	switch r.State {
	case HostFailed, HostUnknown, HostDeferred:
		return true
	}
	return r.Reason != "" && r.State != HostNothing
}

// Failures counts the hosts that somebody must look at.
func (s *Summary) Failures() int {
	n := 0
	for i := range s.Hosts {
		if s.Hosts[i].Bad() {
			n++
		}
	}
	return n
}

// runner is one call of Run.
type runner struct {
	*Engine
	p       *progress
	limits  *limits
	permits permits
	digest  string
	started time.Time // wall
	mono    time.Time // of the monotonic clock

	mu       sync.Mutex
	results  map[katprep.HostID]*HostResult
	failures map[katprep.HostID]bool
	out      map[katprep.HostID]bool // that go no further in this call
	stop     string
	jumped   bool
	broken   error // the journal cannot be written
	cancel   context.CancelCauseFunc
}

// Run takes the selected hosts through the stages, wave by wave. Its error
// is nil whatever became of single hosts; it is set if the run could not be
// begun or recorded, or ctx ended. The Summary is complete in each case.
func (e *Engine) Run(ctx context.Context, stages ...katprep.Stage) (Summary, error) {
	r, err := e.begin(ctx)
	if err != nil {
		return Summary{}, err
	}
	ctx, r.cancel = context.WithCancelCause(ctx)
	defer r.cancel(nil)
	s := Summary{}
	for i := range e.Plan.Waves {
		if err := r.wave(ctx, i, stages, &s); err != nil || s.Paused != "" || r.stopped() != "" {
			return r.finish(stages, s, err)
		}
	}
	return r.finish(stages, s, context.Cause(ctx))
}

func (e *Engine) begin(ctx context.Context) (*runner, error) {
	if err := CheckPlan(e.Plan); err != nil {
		return nil, err
	}
	p, err := fold(e.Journal.Entries())
	if err != nil {
		return nil, err
	}
	digest, err := planDigest(e.Plan)
	if err != nil {
		return nil, err
	}
	if p.plan != "" && p.plan != digest {
		return nil, katprep.Errorf(katprep.Conflict, "the plan of run %s is not the one that was begun", e.Plan.Run).
			WithHint("nothing but the frozen plan is executed: plan another run")
	}
	r := &runner{
		Engine: e, p: p, digest: digest, limits: newLimits(e.Plan.Limits.PerSystem),
		results: map[katprep.HostID]*HostResult{}, failures: map[katprep.HostID]bool{}, out: map[katprep.HostID]bool{},
	}
	r.started, r.mono = r.now(), time.Now()
	return r, ctx.Err()
}

// planDigest identifies a plan. It goes host by host: a plan may be large.
func planDigest(p katprep.Plan) (string, error) {
	sum := sha256.New()
	hosts := p.Hosts
	p.Hosts = nil
	head, err := json.Marshal(p)
	if err != nil {
		return "", err
	}
	sum.Write(head)
	for i := range hosts {
		h, err := json.Marshal(&hosts[i])
		if err != nil {
			return "", err
		}
		sum.Write(h)
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

func (r *runner) now() time.Time {
	if r.Options.Now != nil {
		return r.Options.Now()
	}
	return time.Now()
}

// write appends entries and tells whoever listens. An error ends the run:
// what cannot be recorded is not done.
func (r *runner) write(es ...katprep.Entry) error {
	now := r.now().UTC().Truncate(time.Millisecond)
	for i := range es {
		es[i].By = r.Options.By
		if es[i].At.IsZero() {
			es[i].At = now
		}
	}
	if err := r.Journal.Append(es...); err != nil {
		r.mu.Lock()
		r.broken = errors.Join(r.broken, err)
		r.mu.Unlock()
		r.cancel(err)
		return err
	}
	for i := range es {
		r.p.apply(&es[i])
		if r.Options.Notify != nil {
			r.Options.Notify(es[i])
		}
	}
	return nil
}

func (r *runner) stopped() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.stop
}

func (r *runner) halt(why string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.stop == "" {
		r.stop = why
	}
}

// wave takes one wave through the stages. Its gate comes before its
// clean-up: as long as a person decides, there is a way back.
func (r *runner) wave(ctx context.Context, i int, stages []katprep.Stage, s *Summary) error {
	gated := i < len(r.Plan.Waves)-1 && slices.Contains(stages, katprep.StageExecute)
	open := func() (bool, error) {
		if !gated {
			return true, nil
		}
		gated = false
		err := r.gate(ctx, i, s)
		return err == nil && s.Paused == "" && r.stopped() == "", err
	}
	for _, stage := range stages {
		if stage == katprep.StageCleanup {
			if ok, err := open(); !ok {
				return err
			}
		}
		if err := r.stage(ctx, i, stage); err != nil || r.stopped() != "" {
			return err
		}
	}
	_, err := open()
	return err
}

func (r *runner) hosts(wave int) []*katprep.HostPlan {
	var hs []*katprep.HostPlan
	for i := range r.Plan.Hosts {
		if h := &r.Plan.Hosts[i]; h.Wave == wave && (r.Options.Select == nil || r.Options.Select(h)) {
			hs = append(hs, h)
		}
	}
	return hs
}

// stage takes the hosts of a wave through one stage.
func (r *runner) stage(ctx context.Context, wave int, stage katprep.Stage) error {
	hosts := r.hosts(wave)
	if len(hosts) == 0 {
		return nil
	}
	name := r.Plan.Waves[wave].Name
	note := katprep.Entry{Stage: stage, Step: stageStep, Event: katprep.EventNote}
	begin, end := note, note
	begin.Message = fmt.Sprintf("%s begins for wave %q, %s", stage, name, count(len(hosts), "host", "hosts"))
	begin.Data = map[string]string{dataPlan: r.digest, "wave": name}
	if err := r.write(begin); err != nil {
		return err
	}
	r.hostsAtOnce(ctx, wave, stage, hosts)
	if err := context.Cause(ctx); err != nil {
		end.Message = fmt.Sprintf("%s for wave %q was interrupted", stage, name)
		return errors.Join(err, r.write(end))
	}
	failed := r.failed(hosts)
	end.Message = fmt.Sprintf("%s ends for wave %q, %d of %s failed", stage, name, failed, count(len(hosts), "host", "hosts"))
	end.Data = map[string]string{"wave": name, "hosts": strconv.Itoa(len(hosts)), "failed": strconv.Itoa(failed)}
	return r.write(end)
}

func (r *runner) failed(hosts []*katprep.HostPlan) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := 0
	for _, h := range hosts {
		if r.failures[h.HostID] {
			n++
		}
	}
	return n
}

// hostsAtOnce runs hosts, as many at once as the limits say, in their order.
// Before a step that they do together, they wait for each other.
func (r *runner) hostsAtOnce(ctx context.Context, wave int, stage katprep.Stage, hosts []*katprep.HostPlan) {
	n := r.Plan.Limits.Concurrency
	if w := r.Plan.Waves[wave].Concurrency; w > 0 {
		n = min(n, w)
	}
	g := newGatherer(ctx, r)
	ws := make([]*walk, len(hosts))
	for i, h := range hosts {
		ws[i] = &walk{h: h, stage: stage, hooks: true, bulk: len(hosts) > 1}
	}
	for len(ws) > 0 {
		r.walksAtOnce(ctx, g, n, ws)
		ws = slices.DeleteFunc(ws, func(w *walk) bool { return !w.waits })
		r.together(ctx, g, ws)
	}
	g.cancelled()
}

func (r *runner) walksAtOnce(ctx context.Context, g *gatherer, n int, ws []*walk) {
	slots := make(chan struct{}, max(n, 1))
	var all sync.WaitGroup
	for _, w := range ws {
		slots <- struct{}{} // when ctx ends, those under way soon do
		if !r.enters(ctx, w) {
			<-slots
			continue
		}
		g.expect(w.stage, w.h)
		all.Go(func() {
			defer func() { <-slots }()
			r.host(ctx, g, w)
		})
	}
	all.Wait()
}

// enters reports whether the host still begins, or goes on, after what became
// of others meanwhile. One that has begun at least undoes its hooks.
func (r *runner) enters(ctx context.Context, w *walk) bool {
	why := r.stopped()
	switch {
	case w.begun:
		w.halt(why)
		return true
	case ctx.Err() != nil:
		r.refuse(w.h, w.stage, "", "interrupted before it began")
		return false
	case why != "" || r.isOut(w.h):
		r.refuse(w.h, w.stage, "", why)
		return false
	}
	return true
}

// isOut reports whether the host did not get to the end of an earlier stage
// of this call.
func (r *runner) isOut(h *katprep.HostPlan) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.out[h.HostID]
}

// refuse records why a host goes no further in this call, unless it is
// recorded already.
func (r *runner) refuse(h *katprep.HostPlan, stage katprep.Stage, step, why string) {
	if r.isOut(h) {
		return
	}
	r.result(h, stage, step, why)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.out[h.HostID] = true
}

// gate decides whether the wave after i may begin.
func (r *runner) gate(ctx context.Context, i int, s *Summary) error {
	w := r.Plan.Waves[i]
	id := gateStep + "." + strconv.Itoa(i)
	passed := r.p.gate(id)
	hosts := r.hosts(i)
	if w.Gate == katprep.GateNone || passed.Event == katprep.EventDone || len(hosts) == 0 {
		return nil
	}
	if !slices.ContainsFunc(hosts, func(h *katprep.HostPlan) bool { return r.p.begun(h, katprep.StageExecute) || len(h.Steps) == 0 }) {
		r.halt("no host of wave " + w.Name + " was executed, and the next one waits for it")
		return nil
	}
	e := katprep.Entry{Stage: katprep.StageExecute, Step: id, Data: map[string]string{"wave": w.Name, "gate": string(w.Gate)}}
	switch w.Gate {
	case katprep.GateHealth:
		return r.healthGate(ctx, i, e)
	case katprep.GateConfirm:
		if r.Options.Confirm != nil {
			return r.confirmGate(ctx, w, e)
		}
	}
	if passed.Event == katprep.EventSent {
		e.Event, e.Message = katprep.EventDone, "the run was taken up again after wave "+w.Name
		return r.write(e)
	}
	s.Paused = w.Name
	e.Event, e.Message = katprep.EventSent, "the run waits for a person after wave "+w.Name
	return r.write(e)
}

func (r *runner) healthGate(ctx context.Context, i int, e katprep.Entry) error {
	if err := r.stage(ctx, i, katprep.StageVerify); err != nil {
		return err
	}
	verified := 0
	for _, h := range r.hosts(i) {
		verified += b2i(len(h.Steps) > 0)
		if len(h.Steps) > 0 && !r.p.complete(h, katprep.StageVerify) {
			e.Event, e.Message = katprep.EventFailed, "host "+h.Name+" is not verified"
			r.halt("wave " + e.Data["wave"] + " is not healthy: " + e.Message)
			return r.write(e)
		}
	}
	e.Event, e.Message = katprep.EventDone, "every host of wave "+e.Data["wave"]+" that had something to do is verified: "+strconv.Itoa(verified)
	if verified == 0 {
		e.Message = "no host of wave " + e.Data["wave"] + " had anything to do: it proves nothing of the next one"
	}
	return r.write(e)
}

func (r *runner) confirmGate(ctx context.Context, w katprep.Wave, e katprep.Entry) error {
	ok, err := r.Options.Confirm(ctx, w, r.summary())
	if err != nil {
		return err
	}
	e.Event, e.Message = katprep.EventDone, "a person lets the next wave begin after wave "+w.Name
	if !ok {
		e.Event, e.Message = katprep.EventFailed, "a person stopped the run after wave "+w.Name
		r.halt(e.Message)
	}
	return r.write(e)
}

func (r *runner) summary() Summary {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := Summary{Stopped: r.stop}
	for i := range r.Plan.Hosts {
		if res := r.results[r.Plan.Hosts[i].HostID]; res != nil {
			s.Hosts = append(s.Hosts, *res)
		}
	}
	return s
}

// finish makes the summary and copies the journal into the archive, however
// the run ended.
func (r *runner) finish(stages []katprep.Stage, s Summary, err error) (Summary, error) {
	for i := range r.Plan.Waves {
		for _, h := range r.hosts(i) {
			r.mu.Lock()
			_, known := r.results[h.HostID]
			r.mu.Unlock()
			if !known {
				why := r.stopped()
				if s.Paused != "" {
					why = "" // it waits its turn
				}
				r.result(h, stages[0], "", why)
			}
		}
	}
	full := r.summary()
	full.Paused = s.Paused
	if r.Options.Commit != nil && len(stages) > 0 {
		full.Uncommitted = r.Options.Commit(stages[len(stages)-1])
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.broken != nil {
		err = r.broken
	}
	return full, err
}

// result records how far the host came in this call. stopped is why it did
// not come further, if that is no failure of a step.
func (r *runner) result(h *katprep.HostPlan, stage katprep.Stage, step, stopped string) {
	st := r.p.status(&r.Plan, h)
	res := HostResult{Host: h.Host, Stage: stage, State: st.State, Step: st.Step, Reason: st.Reason, Doubts: st.Doubts}
	if stopped != "" && st.State != HostNothing {
		res.Step, res.Reason = step, stopped
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.results[h.HostID] = &res
}

// countFailure notes a failed host and what the plan makes of it.
func (r *runner) countFailure(h *katprep.HostPlan, reason string) {
	r.mu.Lock()
	r.failures[h.HostID] = true
	n := len(r.failures)
	r.mu.Unlock()
	l := r.Plan.Limits
	switch {
	case l.OnFailure == katprep.FailStop:
		r.halt("host " + h.Name + " failed: " + reason)
	case l.MaxFailures > 0 && n >= l.MaxFailures:
		r.halt(fmt.Sprintf("%s failed: the limit is reached", count(n, "host", "hosts")))
	}
}
