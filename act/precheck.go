package act

import (
	"context"
	"errors"
	"strings"
	"sync"

	"github.com/stdevel/katprep"
)

// An Obstacle is why a step of a host will not work.
type Obstacle struct {
	katprep.Host
	Step   string `json:"step"`
	System string `json:"system"`
	Reason string `json:"reason"`
}

// Precheck asks monitoring systems and hypervisors before a patch day whether
// the selected hosts' downtimes and VM snapshots will work: whether the host
// is known there, whether our user lacks a permission, and whether its VM can be snapshot as planned. It changes
// nothing. The obstacles are in the order of the plan.
func (e *Engine) Precheck(ctx context.Context) ([]Obstacle, error) {
	r, err := e.begin(ctx)
	if err != nil {
		return nil, err
	}
	found := make([][]Obstacle, len(e.Plan.Hosts))
	slots := make(chan struct{}, max(e.Plan.Limits.Concurrency, 1))
	var all sync.WaitGroup
	for i := range e.Plan.Hosts {
		h := &e.Plan.Hosts[i]
		if e.Options.Select != nil && !e.Options.Select(h) {
			continue
		}
		select {
		case slots <- struct{}{}:
		case <-ctx.Done():
			all.Wait()
			return nil, context.Cause(ctx)
		}
		all.Go(func() {
			defer func() { <-slots }()
			found[i] = r.precheck(ctx, h)
		})
	}
	all.Wait()
	var list []Obstacle
	for _, os := range found {
		list = append(list, os...)
	}
	return list, context.Cause(ctx)
}

func (r *runner) precheck(ctx context.Context, h *katprep.HostPlan) []Obstacle {
	var os []Obstacle
	for i := range h.Steps {
		s := &h.Steps[i]
		if s.ID != "health.before" && s.ID != "vm-snapshot" {
			continue
		}
		_, err := bounded(ctx, r.timeout(katprep.StepCheck), r.grace(), func(ctx context.Context) (struct{}, error) {
			return struct{}{}, r.obstacle(ctx, h, s)
		})
		if err != nil {
			os = append(os, Obstacle{Host: h.Host, Step: s.ID, System: s.System, Reason: err.Error()})
		}
	}
	return os
}

// obstacle asks the step's system.
func (r *runner) obstacle(ctx context.Context, h *katprep.HostPlan, s *katprep.PlannedStep) error {
	t := r.target(h, s)
	release, err := r.acquire(ctx, h, s, []string{s.System})
	if err != nil {
		return err
	}
	defer release()
	if s.ID == "health.before" {
		m, err := system[HealthReader](r, s)
		if err != nil {
			return err
		}
		_, herr := m.Health(ctx, t)
		d, err := system[Downtimer](r, s)
		if err == nil {
			_, _, _, err = d.FindDowntime(ctx, t)
		}
		if herr == nil && err == nil {
			err = r.permits.ask(ctx, s.System, d)
		}
		return errors.Join(herr, err)
	}
	v, err := system[Snapshotter](r, s)
	if err != nil {
		return err
	}
	if c, ok := v.(SnapshotChecker); ok {
		return c.CheckSnapshot(ctx, t, r.snapshotOptions(s))
	}
	_, _, err = v.FindSnapshot(ctx, t)
	return err
}

// permits keep which permissions we lack in systems; each is asked once.
type permits struct {
	mu sync.Mutex
	by map[string]error
}

// ask returns an error that names what our user may not do in the system.
func (p *permits) ask(ctx context.Context, name string, sys System) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err, known := p.by[name]; known {
		return err
	}
	id, err := sys.Identify(ctx)
	if err != nil {
		return err
	}
	if len(id.Missing) > 0 {
		err = katprep.Errorf(katprep.Denied, "user %q lacks permissions in %s: %s", id.User, name, strings.Join(id.Missing, ", "))
	}
	if p.by == nil {
		p.by = map[string]error{}
	}
	p.by[name] = err
	return err
}
