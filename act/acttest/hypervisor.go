package acttest

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/act"
)

// A Hypervisor is a hypervisor in memory. Its snapshots form a tree.
type Hypervisor struct{ *World }

// Identify says that it is in memory.
func (h Hypervisor) Identify(ctx context.Context) (act.Identity, error) {
	return act.Identity{Product: "in-memory hypervisor"}, ctx.Err()
}

func (m *machine) find(marker act.Marker) int {
	return slices.IndexFunc(m.snapshots, func(s *vmSnapshot) bool { return s.marker == marker })
}

func (m *machine) current() string {
	if n := len(m.snapshots); n > 0 {
		return m.snapshots[n-1].id
	}
	return ""
}

func (s *vmSnapshot) ref() act.Ref {
	quiesced := "no"
	if s.quiesce == act.QuiesceRequire || s.quiesce == act.QuiesceTry {
		quiesced = "yes"
	}
	return act.Ref{ID: s.id, Data: map[string]string{
		act.DataCreated:  s.created.UTC().Format(time.RFC3339),
		act.DataQuiesced: quiesced,
	}}
}

// CreateSnapshot keeps the contract of [act.Snapshotter].
func (h Hypervisor) CreateSnapshot(ctx context.Context, t act.Target, o act.SnapshotOptions) (ref act.Ref, err error) {
	if err := t.Marker.CheckName(); err != nil {
		return act.Ref{}, err
	}
	err = h.call(ctx, Call{"snapshot", hostName(t), string(t.Marker)}, func() (bool, error) {
		m, err := h.machine(t)
		if err != nil {
			return false, err
		}
		if i := m.find(t.Marker); i >= 0 {
			ref = m.snapshots[i].ref()
			return false, nil
		}
		name := string(t.Marker)
		for slices.ContainsFunc(m.snapshots, func(s *vmSnapshot) bool { return s.name == name }) {
			name += "-2"
		}
		s := h.snap(m, name)
		s.marker, s.quiesce = t.Marker, o.Quiesce
		ref = s.ref()
		return true, nil
	})
	return ref, err
}

func (h Hypervisor) snap(m *machine, name string) *vmSnapshot {
	s := &vmSnapshot{
		id: h.newID("snapshot"), name: name, parent: m.current(), created: time.Now(),
		power: m.power, pending: maps.Clone(m.pending),
	}
	m.snapshots = append(m.snapshots, s)
	return s
}

// SnapForeign makes somebody else's snapshot.
func (h Hypervisor) SnapForeign(t act.Target, name string) (there func() bool, remove func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	m := h.machines[hostName(t)]
	s := h.snap(m, name)
	there = func() bool {
		h.mu.Lock()
		defer h.mu.Unlock()
		return slices.Contains(m.snapshots, s)
	}
	remove = func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		m.drop(slices.Index(m.snapshots, s))
	}
	return there, remove
}

// drop removes a snapshot and gives its children to its parent.
func (m *machine) drop(i int) {
	if i < 0 {
		return
	}
	gone := m.snapshots[i]
	for _, s := range m.snapshots {
		if s.parent == gone.id {
			s.parent = gone.parent
		}
	}
	m.snapshots = slices.Delete(m.snapshots, i, i+1)
}

// FindSnapshot keeps the contract of [act.Snapshotter].
func (h Hypervisor) FindSnapshot(ctx context.Context, t act.Target) (ref act.Ref, found bool, err error) {
	err = h.call(ctx, Call{"find", hostName(t), string(t.Marker)}, func() (bool, error) {
		m, err := h.machine(t)
		if err != nil {
			return false, err
		}
		if i := m.find(t.Marker); i >= 0 {
			ref, found = m.snapshots[i].ref(), true
		}
		return false, nil
	})
	return ref, found && err == nil, err
}

// RemoveSnapshot keeps the contract of [act.Snapshotter].
func (h Hypervisor) RemoveSnapshot(ctx context.Context, t act.Target) error {
	if err := t.Marker.CheckName(); err != nil {
		return err
	}
	return h.call(ctx, Call{"remove", hostName(t), string(t.Marker)}, func() (bool, error) {
		m, err := h.machine(t)
		if err != nil {
			return false, err
		}
		i := m.find(t.Marker)
		m.drop(i)
		return i >= 0, nil
	})
}

// RevertSnapshot keeps the contract of [act.Snapshotter].
func (h Hypervisor) RevertSnapshot(ctx context.Context, t act.Target) (ref act.Ref, err error) {
	err = h.call(ctx, Call{"revert", hostName(t), string(t.Marker)}, func() (bool, error) {
		m, err := h.machine(t)
		if err != nil {
			return false, err
		}
		i := m.find(t.Marker)
		if i < 0 {
			return false, katprep.Errorf(katprep.NotFound, "no snapshot %q", t.Marker)
		}
		s := m.snapshots[i]
		m.pending, m.power = maps.Clone(s.pending), s.power
		m.boot++
		m.bootTime = time.Now().UTC().Truncate(time.Second)
		ref = s.ref()
		return true, nil
	})
	return ref, err
}

// Places keeps the contract of [act.Placer]: all VMs share one datastore.
func (h Hypervisor) Places(ctx context.Context, t act.Target) ([]string, error) {
	return []string{"datastore1"}, ctx.Err()
}

// PowerState keeps the contract of [act.Power].
func (h Hypervisor) PowerState(ctx context.Context, t act.Target) (s act.PowerState, err error) {
	err = h.call(ctx, Call{Op: "find", Host: hostName(t)}, func() (bool, error) {
		m, err := h.machine(t)
		if err == nil {
			s = m.power
		}
		return false, err
	})
	return s, err
}

// PowerOn keeps the contract of [act.Power].
func (h Hypervisor) PowerOn(ctx context.Context, t act.Target) error {
	return h.power(ctx, "power-on", t, func(m *machine) bool {
		changed := m.power != act.PoweredOn
		if changed {
			m.restart()
		}
		return changed
	})
}

// Shutdown keeps the contract of [act.Power].
func (h Hypervisor) Shutdown(ctx context.Context, t act.Target, force bool) error {
	return h.power(ctx, "shutdown", t, func(m *machine) bool {
		changed := m.power != act.PoweredOff
		m.power = act.PoweredOff
		return changed
	})
}

// Restart keeps the contract of [act.Power].
func (h Hypervisor) Restart(ctx context.Context, t act.Target, force bool) error {
	return h.power(ctx, "restart", t, func(m *machine) bool { m.restart(); return true })
}

func (m *machine) restart() {
	m.power = act.PoweredOn
	m.boot++
	m.bootTime = time.Now().UTC().Truncate(time.Second)
}

func (h Hypervisor) power(ctx context.Context, op string, t act.Target, change func(*machine) bool) error {
	return h.call(ctx, Call{Op: op, Host: hostName(t)}, func() (bool, error) {
		m, err := h.machine(t)
		if err != nil {
			return false, err
		}
		return change(m), nil
	})
}
