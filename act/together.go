package act

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/stdevel/katprep"
)

// Downtimes begin and end for many hosts in few requests where the
// monitoring system can do that. The hosts of a stage wait for each other
// before such a step; each has its own entries in the journal, and what
// fails for one of them is its own failure.

// maxTogether is how many hosts go into one request of the engine.
const maxTogether = 1000

// perHost is how much longer a request may take for each further host.
const perHost = time.Second

// shared reports whether hosts can do the step together.
func (r *runner) shared(s *katprep.PlannedStep) bool {
	if s.Kind != katprep.StepDowntime && s.Kind != katprep.StepEndDown {
		return false
	}
	sys, err := r.Systems.System(s.System)
	_, ok := sys.(BulkDowntimer)
	return err == nil && ok
}

// A party is the hosts that do one step together.
type party struct {
	system string
	kind   katprep.StepKind
	intent map[string]string // the window of a downtime
	guests []*guest
}

// A guest is a host in a party.
type guest struct {
	w      *walk
	s      *katprep.PlannedStep
	a      action
	t      Target
	intent map[string]string
}

// together does the steps that the hosts wait before.
func (r *runner) together(ctx context.Context, g *gatherer, ws []*walk) {
	var guests []*guest
	for _, w := range ws {
		if r.enters(ctx, w); ctx.Err() != nil || w.stop != "" && !goesOn(w.stage, &w.h.Steps[w.next], w.hooks) {
			continue // it notices itself
		}
		if gu := r.invite(ctx, g, w); gu != nil {
			guests = append(guests, gu)
		}
	}
	var all sync.WaitGroup
	for _, ps := range parties(guests) {
		all.Go(func() {
			for _, p := range ps {
				r.celebrate(ctx, p)
			}
		})
	}
	all.Wait()
}

// invite prepares a host's step, or does without it.
func (r *runner) invite(ctx context.Context, g *gatherer, w *walk) *guest {
	s := &w.h.Steps[w.next]
	gu := &guest{w: w, s: s, t: r.target(w.h, s)}
	var err error
	if gu.a, err = r.action(g, w.h, w.next); err != nil {
		r.pass(gu, r.record(w.h, s, result{event: katprep.EventFailed, message: text(err)}))
		return nil
	}
	if gu.a.skip != nil {
		if why, err := gu.a.skip(ctx); err == nil && why != "" {
			r.pass(gu, r.record(w.h, s, result{event: katprep.EventSkipped, message: why}))
			return nil
		}
	}
	if gu.a.intent != nil {
		gu.intent, _ = gu.a.intent(ctx, r.p.step(w.h.HostID, s.ID)) // of a downtime: it asks nobody
	}
	return gu
}

// pass takes a host beyond its step.
func (r *runner) pass(gu *guest, out outcome) {
	r.took(gu.w, gu.s, out)
	gu.w.next++
}

// parties groups hosts that want the same, by system. Their order is kept.
func parties(guests []*guest) map[string][]*party {
	by := map[string][]*party{}
	for _, gu := range guests {
		ps := by[gu.s.System]
		i := slices.IndexFunc(ps, func(p *party) bool {
			return p.kind == gu.s.Kind && p.intent[DataStart] == gu.intent[DataStart] && p.intent[DataEnd] == gu.intent[DataEnd] && len(p.guests) < maxTogether
		})
		if i < 0 {
			i = len(ps)
			by[gu.s.System] = append(ps, &party{system: gu.s.System, kind: gu.s.Kind, intent: gu.intent})
		}
		p := by[gu.s.System][i]
		p.guests = append(p.guests, gu)
	}
	return by
}

// celebrate does the step of one party and records what became of each host.
func (r *runner) celebrate(ctx context.Context, p *party) {
	release, err := r.limits.acquire(ctx, []string{p.system})
	if err != nil {
		return // each host notices that the run was interrupted
	}
	defer release()
	es := make([]katprep.Entry, len(p.guests))
	for i, gu := range p.guests {
		es[i] = entry(gu.w.h, gu.s, katprep.EventIntent)
		es[i].Message, es[i].Data = gu.s.Say, gu.intent
	}
	if err := r.write(es...); err != nil {
		r.abandon(p, err)
		return
	}
	results := r.request(ctx, p, p.guests)
	if again := p.doubtful(results); p.kind == katprep.StepDowntime && len(again) > 0 && ctx.Err() == nil {
		guests := make([]*guest, len(again))
		for i, n := range again {
			guests[i] = p.guests[n]
		}
		for i, res := range r.request(ctx, p, guests) { // what is there is adopted
			results[again[i]] = res
		}
	}
	r.settle(ctx, p, results)
}

// doubtful are the hosts of which an error says nothing certain.
func (p *party) doubtful(results []Result) []int {
	var is []int
	for i, res := range results {
		if res.Err != nil && !errors.Is(res.Err, ErrNotShown) && !refused(res.Err) {
			is = append(is, i)
		}
	}
	return is
}

// request asks the system once and gives each host a result.
func (r *runner) request(ctx context.Context, p *party, guests []*guest) []Result {
	limit := r.timeout(p.kind) + time.Duration(len(guests))*perHost
	results, err := bounded(ctx, limit, r.grace(), func(ctx context.Context) ([]Result, error) { return r.bulk(ctx, p, guests) })
	if err == nil {
		err = katprep.Errorf(katprep.Internal, "%s gave no result for the host", p.system)
	}
	for len(results) < len(guests) {
		results = append(results, Result{Err: err})
	}
	return results
}

// abandon is for hosts whose intents cannot be written: nothing was begun.
func (r *runner) abandon(p *party, err error) {
	for _, gu := range p.guests {
		r.pass(gu, outcome{event: katprep.EventUnknown, message: err.Error()})
	}
}

func (r *runner) bulk(ctx context.Context, p *party, guests []*guest) ([]Result, error) {
	sys, err := r.Systems.System(p.system)
	if err != nil {
		return nil, err
	}
	ts := make([]Target, len(guests))
	for i, gu := range guests {
		ts[i] = gu.t
	}
	b := sys.(BulkDowntimer) // shared has looked
	if p.kind == katprep.StepEndDown {
		return b.EndAll(ctx, ts), nil
	}
	w, err := windowOf(p.intent)
	if err != nil {
		return nil, err
	}
	return b.ScheduleAll(ctx, ts, w, r.downtimeComment()), nil
}

// settle records the results: those that are certain at once, then the
// others, for which the system is asked host by host. If it cannot be asked
// about one, the rest are not known either.
func (r *runner) settle(ctx context.Context, p *party, results []Result) {
	var sure []*guest
	var known []result
	var doubtful []int
	for i, gu := range p.guests {
		res := downtimeDone(results[i].Ref, gu.intent, results[i].Err)
		if results[i].Err != nil {
			doubtful = append(doubtful, i)
			continue
		}
		if p.kind == katprep.StepEndDown {
			res = result{ref: r.p.step(gu.w.h.HostID, "downtime").Ref}
		}
		res.event, res.message = katprep.EventDone, gu.s.Say
		sure, known = append(sure, gu), append(known, withHosts(res, len(p.guests)))
	}
	r.recordAll(sure, known)
	var mute error
	for _, i := range doubtful {
		gu, err := p.guests[i], results[i].Err
		st := r.p.step(gu.w.h.HostID, gu.s.ID)
		res, certain := unasked(ctx, gu.a, st, result{}, err)
		switch {
		case certain:
		case mute != nil:
			res.event = katprep.EventUnknown
			res.message += "; asked afterwards about another host: " + mute.Error()
		default:
			var ferr error
			if res, ferr = r.asked(ctx, gu.s, gu.a, st, result{}, err); katprep.KindOf(ferr) == katprep.Unreachable {
				mute = ferr
			}
		}
		r.pass(gu, r.record(gu.w.h, gu.s, res))
	}
}

// withHosts adds how many hosts shared the request.
func withHosts(res result, n int) result {
	data := map[string]string{"hosts": strconv.Itoa(n)}
	for k, v := range res.data {
		data[k] = v
	}
	res.data = data
	return res
}

// recordAll is record for many hosts with one write.
func (r *runner) recordAll(gs []*guest, results []result) {
	es := make([]katprep.Entry, len(gs))
	for i, gu := range gs {
		es[i] = entry(gu.w.h, gu.s, results[i].event)
		es[i].Ref, es[i].Message, es[i].Data = results[i].ref, results[i].message, results[i].data
	}
	if len(es) == 0 {
		return
	}
	err := r.write(es...)
	for i, gu := range gs {
		out := outcome{event: results[i].event, message: results[i].message}
		if err != nil {
			out = outcome{event: katprep.EventUnknown, message: err.Error()}
		}
		r.pass(gu, out)
	}
}
