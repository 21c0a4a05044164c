package act

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/stdevel/katprep"
)

// maxJob is how many hosts share one job.
const maxJob = 1000

// A gatherer lets hosts that need the same share one patch job. A job is
// sent when no further host of those under way can join, or some time after
// the first one did.
type gatherer struct {
	ctx    context.Context
	r      *runner
	mu     sync.Mutex
	coming map[katprep.HostID]bool // that may still join
	groups map[string]*group

	cancels sync.WaitGroup // jobs being watched, to be cancelled at an interrupt
}

// A group is what becomes one job.
type group struct {
	patcher Patcher
	request PatchRequest
	members []*member
	timer   *time.Timer
}

type member struct {
	h      *katprep.HostPlan
	s      *katprep.PlannedStep
	target Target
	answer chan patched
}

type patched struct {
	res result
	err error
}

func newGatherer(ctx context.Context, r *runner) *gatherer {
	return &gatherer{ctx: ctx, r: r, coming: map[katprep.HostID]bool{}, groups: map[string]*group{}}
}

// expect says that the host may join.
func (g *gatherer) expect(stage katprep.Stage, h *katprep.HostPlan) {
	if stage != katprep.StageExecute || !g.r.pending(h, "patch") {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.coming[h.HostID] = true
}

// leave says that the host will not join any more.
func (g *gatherer) leave(h *katprep.HostPlan) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.coming, h.HostID)
	g.sendIfComplete()
}

// join waits for a job that has the host among its targets.
func (g *gatherer) join(ctx context.Context, p Patcher, req PatchRequest, m *member) (result, error) {
	m.answer = make(chan patched, 1)
	g.mu.Lock()
	delete(g.coming, m.h.HostID)
	key := m.s.System + " " + requestKey(req)
	gr := g.groups[key]
	if gr == nil {
		gr = &group{patcher: p, request: req}
		wait := g.r.Options.Gather
		if wait <= 0 {
			wait = 10 * time.Second
		}
		gr.timer = time.AfterFunc(wait, func() {
			g.mu.Lock()
			defer g.mu.Unlock()
			g.send(key, gr)
		})
		g.groups[key] = gr
	}
	gr.members = append(gr.members, m)
	if len(gr.members) >= maxJob {
		g.send(key, gr)
	}
	g.sendIfComplete()
	g.mu.Unlock()
	select {
	case a := <-m.answer:
		return a.res, a.err
	case <-ctx.Done():
		return result{}, context.Cause(ctx)
	}
}

func requestKey(req PatchRequest) string {
	data, err := json.Marshal(req)
	if err != nil {
		panic(err) // strings and booleans always encode
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// sendIfComplete sends all jobs when nobody can join. The lock is held.
func (g *gatherer) sendIfComplete() {
	if len(g.coming) > 0 {
		return
	}
	for key, gr := range g.groups {
		g.send(key, gr)
	}
}

// send begins a group's job once. The lock is held.
func (g *gatherer) send(key string, gr *group) {
	if g.groups[key] != gr {
		return
	}
	delete(g.groups, key)
	gr.timer.Stop()
	go g.run(gr)
}

// run sends one job and gives each member its answer.
func (g *gatherer) run(gr *group) {
	slices.SortFunc(gr.members, func(a, b *member) int { return compareHosts(*a.h, *b.h) })
	gr.request.Marker = JobMarker(g.r.Plan.Run, g.r.p.nextJob())
	if err := g.intend(gr); err != nil {
		gr.answerAll(err)
		return
	}
	reached := &reach{g: g, gr: gr}
	ctx, cancel := context.WithTimeout(g.ctx, g.r.timeout(katprep.StepPatch))
	defer cancel()
	ended := make(chan struct{})
	defer close(ended)
	g.watch(gr, reached, ended)
	targets := make([]Target, len(gr.members))
	for i, m := range gr.members {
		m.target.Marker = gr.request.Marker
		targets[i] = m.target
	}
	results := gr.patcher.Patch(ctx, targets, gr.request, reached.sent)
	for i, m := range gr.members {
		if i >= len(results) {
			m.answer <- patched{err: katprep.Errorf(katprep.Internal, "%s gave no result for the host", m.s.System)}
			continue
		}
		m.answer <- reached.judge(m, results[i])
	}
}

func (gr *group) answerAll(err error) {
	for _, m := range gr.members {
		m.answer <- patched{err: err}
	}
}

// intend writes the intents of all members at once.
func (g *gatherer) intend(gr *group) error {
	if err := g.ctx.Err(); err != nil {
		return context.Cause(g.ctx)
	}
	es := make([]katprep.Entry, len(gr.members))
	for i, m := range gr.members {
		es[i] = entry(m.h, m.s, katprep.EventIntent)
		es[i].Message = m.s.Say
		es[i].Data = map[string]string{
			dataMarker: string(gr.request.Marker), "hosts": strconv.Itoa(len(gr.members)), "errata": strconv.Itoa(len(gr.request.Errata)),
		}
	}
	return g.r.write(es...)
}

// reach keeps which hosts the jobs really targeted.
type reach struct {
	g    *gatherer
	gr   *group
	mu   sync.Mutex
	jobs []Job
}

// sent writes that a job was accepted, for the hosts it really targets.
func (re *reach) sent(j Job) {
	re.mu.Lock()
	re.jobs = append(re.jobs, j)
	re.mu.Unlock()
	var es []katprep.Entry
	for _, m := range re.gr.members {
		if slices.Contains(j.Hosts, m.h.HostID) {
			e := entry(m.h, m.s, katprep.EventSent)
			e.Ref, e.Message = j.ID, "job "+j.ID+" was accepted for "+count(len(j.Hosts), "host", "hosts")
			es = append(es, e)
		}
	}
	_ = re.g.r.write(es...) // the error is kept by write, and ends the run
}

func (re *reach) job(h katprep.HostID) (Job, bool) {
	re.mu.Lock()
	defer re.mu.Unlock()
	for _, j := range re.jobs {
		if slices.Contains(j.Hosts, h) {
			return j, true
		}
	}
	return Job{}, false
}

// any returns any job that was accepted.
func (re *reach) any() (Job, bool) {
	re.mu.Lock()
	defer re.mu.Unlock()
	if len(re.jobs) == 0 {
		return Job{}, false
	}
	return re.jobs[0], true
}

// judge compares a host's result with what the jobs targeted.
func (re *reach) judge(m *member, res Result) patched {
	j, reached := re.job(m.h.HostID)
	out := patched{res: done(res.Ref), err: res.Err}
	if !reached {
		if out.err != nil && re.g.ctx.Err() != nil {
			return out // its job was still to be sent, or nobody knows
		}
		if other, sent := re.any(); sent {
			return patched{res: result{
				event: katprep.EventFailed, ref: other.ID,
				message: "job " + other.ID + " was accepted and does not target this host" + reason(res.Err),
			}}
		}
		if out.err == nil && out.res.ref == "" {
			out.res.event, out.res.message = katprep.EventFailed, m.s.System+" reports success and names no job that reached this host"
		}
		return out
	}
	if out.res.ref == "" {
		out.res.ref = j.ID
	}
	return failedJob(re.g.ctx, out)
}

func reason(err error) string {
	if err == nil {
		return ""
	}
	return ": " + err.Error()
}

// failedJob turns the error of a job that ended into a result.
func failedJob(ctx context.Context, p patched) patched {
	if p.err == nil || ctx.Err() != nil || katprep.KindOf(p.err) == katprep.Unreachable ||
		errors.Is(p.err, context.DeadlineExceeded) || errors.Is(p.err, context.Canceled) {
		return p
	}
	p.res.event, p.res.message, p.err = katprep.EventFailed, text(p.err), nil
	return p
}

// watch stops what was sent if the user wants that at an interrupt.
func (g *gatherer) watch(gr *group, re *reach, ended <-chan struct{}) {
	c, ok := gr.patcher.(PatchCanceler)
	if !ok || !g.r.Options.CancelOnInterrupt {
		return
	}
	g.cancels.Go(func() {
		select {
		case <-ended:
			if g.ctx.Err() != nil { // both at once
				g.cancelJobs(c, gr, re)
			}
		case <-g.ctx.Done():
			g.cancelJobs(c, gr, re)
		}
	})
}

// cancelled waits for the cancellations of an interrupted run, for a while.
func (g *gatherer) cancelled() {
	if g.ctx.Err() == nil || !g.r.Options.CancelOnInterrupt {
		return
	}
	over := make(chan struct{})
	go func() {
		g.cancels.Wait()
		close(over)
	}()
	timer := time.NewTimer(g.r.grace())
	defer timer.Stop()
	select {
	case <-over:
	case <-timer.C:
	}
}

// cancelJobs stops the jobs that were accepted, and notes it.
func (g *gatherer) cancelJobs(c PatchCanceler, gr *group, re *reach) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(g.ctx), g.r.grace())
	defer cancel()
	re.mu.Lock()
	jobs := slices.Clone(re.jobs)
	re.mu.Unlock()
	for _, j := range jobs {
		note := katprep.Entry{Stage: katprep.StageExecute, Kind: katprep.StepPatch, Event: katprep.EventNote, Ref: j.ID, Message: "job " + j.ID + " was cancelled at the interrupt"}
		if err := c.CancelPatch(ctx, gr.members[0].target, j); err != nil {
			note.Message = "job " + j.ID + " could not be cancelled at the interrupt: " + err.Error()
		}
		_ = g.r.write(note)
	}
}

func (r *runner) patchAction(g *gatherer, h *katprep.HostPlan, s *katprep.PlannedStep) (action, error) {
	p, err := system[Patcher](r, s)
	if err != nil {
		return action{}, err
	}
	req := PatchRequest{Errata: h.Errata, Packages: strings.Fields(s.Args["packages"]), Exclude: strings.Fields(s.Args["exclude"])}
	t := r.target(h, s)
	return action{
		shared: true,
		find: func(ctx context.Context, last StepState) (result, bool, error) {
			t := t
			t.Marker = Marker(last.Intent[dataMarker])
			job, found, err := p.FindPatch(ctx, t)
			if err != nil || !found {
				return result{}, false, err
			}
			if len(job.Hosts) > 0 && !slices.Contains(job.Hosts, h.HostID) {
				return result{event: katprep.EventFailed, ref: job.ID, message: "job " + job.ID + " was accepted and does not target this host"}, true, nil
			}
			g.leave(h) // the others need not wait for this one
			if last.Event == katprep.EventIntent {
				e := entry(h, s, katprep.EventSent)
				e.Ref, e.Message = job.ID, "job "+job.ID+" was found to have been accepted"
				if err := r.write(e); err != nil {
					return result{}, false, err
				}
			}
			ref, err := p.AwaitPatch(ctx, t, job)
			out := failedJob(ctx, patched{done(ref), err})
			if out.res.ref == "" {
				out.res.ref = job.ID
			}
			return out.res, out.err == nil, out.err
		},
		do: func(ctx context.Context, _ map[string]string) (result, error) {
			return g.join(ctx, p, req, &member{h: h, s: s, target: t})
		},
	}, nil
}
