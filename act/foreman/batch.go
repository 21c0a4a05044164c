package foreman

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/act"
	"github.com/stdevel/katprep/internal/foremanapi"
)

const (
	batchMost = 500              // hosts in one job that only looks
	probeTime = 2 * time.Minute  // for one host
	batchTime = 15 * time.Minute // for a whole job
)

// probe marks jobs that only look. Each has a nonce, so that no old answer is
// ever taken for a new one.
const probe act.Marker = "katprep-probe"

func nonce() string {
	b := make([]byte, 8)
	_, _ = rand.Read(b) // never fails
	return hex.EncodeToString(b)
}

// batches join what many hosts are asked at the same time into one job.
type batches struct {
	mu   sync.Mutex
	open map[question]*batch
}

// A question is a command, a feature of the server that needs no input, or
// the demand to reboot on behalf of a run.
type question struct {
	purpose, command, feature string
	reboot                    act.Marker
}

// A batch is one job to come.
type batch struct {
	a        *Actor
	question question
	hosts    []host
	waiting  map[int64][]chan answer // by host
	left     int                     // askers that still wait
	cancel   context.CancelFunc
	mu       sync.Mutex // for waiting and left
}

type answer struct {
	job int64 // 0: none was made
	out string
	err error
}

// ask asks a host, together with what others ask of their hosts in this
// moment. An error of the answer means that it did not end well.
func (a *Actor) ask(ctx context.Context, h host, q question) answer {
	if err := ctx.Err(); err != nil {
		return answer{err: err}
	}
	b, ch := a.join(ctx, h, q)
	select {
	case r := <-ch:
		return r
	case <-ctx.Done():
		b.leave()
		return answer{err: context.Cause(ctx)}
	}
}

// join puts the host into the batch of its question, which is sent a moment
// after its first host came, or when it is full.
func (a *Actor) join(ctx context.Context, h host, q question) (*batch, chan answer) {
	a.batches.mu.Lock()
	defer a.batches.mu.Unlock()
	b := a.batches.open[q]
	if b == nil {
		b = &batch{a: a, question: q, waiting: map[int64][]chan answer{}}
		var run context.Context
		run, b.cancel = context.WithTimeout(context.WithoutCancel(ctx), batchTime)
		a.batches.open[q] = b
		time.AfterFunc(a.o.Gather, func() { b.begin(run) })
	}
	ch := make(chan answer, 1)
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.waiting[h.id] == nil {
		b.hosts = append(b.hosts, h)
	}
	b.waiting[h.id] = append(b.waiting[h.id], ch)
	b.left++
	if len(b.hosts) >= batchMost {
		delete(a.batches.open, q)
	}
	return b, ch
}

// leave is for an asker that waits no more; without any, the job is left to
// itself.
func (b *batch) leave() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.left--; b.left == 0 {
		b.cancel()
	}
}

// begin closes the batch for further hosts, sends its job and answers.
func (b *batch) begin(ctx context.Context) {
	defer b.cancel()
	b.a.batches.mu.Lock()
	if b.a.batches.open[b.question] == b {
		delete(b.a.batches.open, b.question)
	}
	b.a.batches.mu.Unlock()
	if err := b.run(ctx); err != nil {
		for _, h := range b.hosts {
			b.answer(h.id, answer{err: err})
		}
	}
}

func (b *batch) run(ctx context.Context) error {
	o, err := b.order(ctx)
	if err != nil {
		return err
	}
	j, err := b.a.send(ctx, o, b.hosts)
	if err != nil {
		return err
	}
	if b.question.reboot != "" {
		b.a.reboots.note(b.question.reboot, j)
	}
	open := slices.Clone(b.hosts)
	_, err = b.a.watch(ctx, j.ID.N, func(j *foremanapi.Job) bool {
		open = slices.DeleteFunc(open, func(h host) bool { return b.settle(ctx, j, h.id) })
		return len(open) == 0
	})
	return err
}

func (b *batch) order(ctx context.Context) (order, error) {
	o := order{purpose: b.question.purpose, marker: probe, nonce: nonce(), timeout: probeTime}
	switch {
	case b.question.reboot != "":
		t, err := b.a.rebootTemplate(ctx)
		o.marker, o.template, o.inputs = b.question.reboot, t.id, t.inputs
		return o, err
	case b.question.feature == "":
		id, err := b.a.commandTemplate(ctx)
		o.template, o.inputs = id, map[string]string{"command": b.question.command}
		return o, err
	}
	id, ok, err := b.a.feature(ctx, b.question.feature)
	if err == nil && !ok {
		err = katprep.Errorf(katprep.NotFound, "the server has no feature %s", b.question.feature)
	}
	o.template = id
	return o, err
}

// settle answers for a host whose part of the job has ended.
func (b *batch) settle(ctx context.Context, j *foremanapi.Job, id int64) bool {
	r := answer{job: j.ID.N}
	switch {
	case !targets(j, id):
		r.err = katprep.Errorf(katprep.Conflict, "job %d does not target the host", j.ID.N)
	case !j.Ended() && !ended(statusOf(j, id)):
		return false
	case b.question.command == "":
		r.err = b.a.outcome(ctx, j, id)
	default:
		r.out, r.err = b.a.written(ctx, j, id)
	}
	b.answer(id, r)
	return true
}

func (b *batch) answer(id int64, r answer) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, ch := range b.waiting[id] {
		ch <- r // has room for one
	}
	delete(b.waiting, id)
}

// written returns what a job that has ended on a host wrote there, or why it
// did not end well.
func (a *Actor) written(ctx context.Context, j *foremanapi.Job, id int64) (string, error) {
	if err := a.outcome(ctx, j, id); err != nil {
		return "", err
	}
	out, err := a.api.JobOutput(ctx, j.ID.N, id)
	if err != nil {
		return "", err
	}
	return strings.ReplaceAll(out.Text("stdout"), "\r\n", "\n"), nil
}
