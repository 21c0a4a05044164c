package acttest

import (
	"context"
	"maps"
	"slices"
	"sync/atomic"
	"time"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/act"
)

// A Monitor is a monitoring system in memory.
type Monitor struct{ *World }

// Identify says that it is in memory.
func (m Monitor) Identify(ctx context.Context) (act.Identity, error) {
	return act.Identity{Product: "in-memory monitoring"}, ctx.Err()
}

// Schedule keeps the contract of [act.Downtimer].
func (m Monitor) Schedule(ctx context.Context, t act.Target, w katprep.Window, comment string) (act.Ref, error) {
	if w.Start.IsZero() || !w.End.After(w.Start) || !w.End.After(time.Now()) {
		return act.Ref{}, katprep.Errorf(katprep.Invalid, "window %v to %v", w.Start, w.End)
	}
	var ref act.Ref
	err := m.call(ctx, Call{"schedule", hostName(t), string(t.Marker)}, func() (bool, error) {
		host, err := m.machine(t)
		if err != nil {
			return false, err
		}
		d, there := host.downtimes[t.Marker]
		changed := !there || d.w != w
		if !there {
			d.id = m.newID("downtime")
		}
		d.w = w
		host.downtimes[t.Marker] = d
		ref = d.ref()
		return changed, nil
	})
	return ref, err
}

func (d downtime) ref() act.Ref {
	return act.Ref{ID: d.id, Data: map[string]string{
		act.DataStart: d.w.Start.UTC().Format(time.RFC3339),
		act.DataEnd:   d.w.End.UTC().Format(time.RFC3339),
	}}
}

// FindDowntime keeps the contract of [act.Downtimer].
func (m Monitor) FindDowntime(ctx context.Context, t act.Target) (ref act.Ref, inEffect, found bool, err error) {
	err = m.call(ctx, Call{"find", hostName(t), string(t.Marker)}, func() (bool, error) {
		host, err := m.machine(t)
		if err != nil {
			return false, err
		}
		var d downtime
		d, found = host.downtimes[t.Marker]
		now := time.Now()
		found = found && d.w.End.After(now)
		inEffect = found && !d.w.Start.After(now)
		if found {
			ref = d.ref()
		}
		return false, nil
	})
	return ref, inEffect && err == nil, found && err == nil, err
}

// EndDowntime keeps the contract of [act.Downtimer].
func (m Monitor) EndDowntime(ctx context.Context, t act.Target) error {
	return m.call(ctx, Call{"end-downtime", hostName(t), string(t.Marker)}, func() (bool, error) {
		host, err := m.machine(t)
		if err != nil {
			return false, err
		}
		_, there := host.downtimes[t.Marker]
		delete(host.downtimes, t.Marker)
		return there, nil
	})
}

// A BulkMonitor is a Monitor that takes many hosts at once.
type BulkMonitor struct {
	Monitor
	Requests *atomic.Int64 // how many came for many hosts; nil: not counted
}

// ScheduleAll keeps the contract of [act.BulkDowntimer].
func (m BulkMonitor) ScheduleAll(ctx context.Context, ts []act.Target, w katprep.Window, comment string) []act.Result {
	return m.all(ts, func(t act.Target) (act.Ref, error) { return m.Schedule(ctx, t, w, comment) })
}

// EndAll keeps the contract of [act.BulkDowntimer].
func (m BulkMonitor) EndAll(ctx context.Context, ts []act.Target) []act.Result {
	return m.all(ts, func(t act.Target) (act.Ref, error) { return act.Ref{}, m.EndDowntime(ctx, t) })
}

func (m BulkMonitor) all(ts []act.Target, do func(act.Target) (act.Ref, error)) []act.Result {
	if m.Requests != nil {
		m.Requests.Add(1)
	}
	rs := make([]act.Result, len(ts))
	for i, t := range ts {
		rs[i].Ref, rs[i].Err = do(t)
	}
	return rs
}

// ScheduleForeign puts a host into somebody else's downtime and returns a
// function that says whether it is still there.
func (m Monitor) ScheduleForeign(t act.Target) (there func() bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	host := m.machines[hostName(t)]
	host.foreign++
	return func() bool {
		m.mu.Lock()
		defer m.mu.Unlock()
		return host.foreign > 0
	}
}

// Health keeps the contract of [act.HealthReader].
func (m Monitor) Health(ctx context.Context, t act.Target) (h act.Health, err error) {
	err = m.call(ctx, Call{Op: "find", Host: hostName(t)}, func() (bool, error) {
		host, err := m.machine(t)
		if err != nil {
			return false, err
		}
		h = host.health
		h.At, h.Services = time.Now().UTC(), slices.Clone(h.Services)
		if host.power != act.PoweredOn {
			h.Host.Status = act.CheckCritical
		}
		return false, nil
	})
	return h, err
}

// Objects keeps the contract of [act.Inventory].
func (w *World) Objects(ctx context.Context) (os []act.Object, err error) {
	err = w.call(ctx, Call{Op: "find"}, func() (bool, error) {
		for _, name := range slices.Sorted(maps.Keys(w.machines)) {
			os = append(os, act.Object{Name: name})
		}
		return false, nil
	})
	return os, err
}
