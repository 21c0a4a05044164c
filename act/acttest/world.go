package acttest

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/act"
)

// A World holds machines in memory, and the systems around them: a
// [Monitor], a [Hypervisor], a [Fleet]. It counts what really happened, can
// be slow, and can fail in every way that real systems do.
//
// The fields must be set before the world is used; Kill and Revive may be
// called at any time.
type World struct {
	// Latency is how long a call takes. Nil is no time at all.
	Latency func(Call) time.Duration
	// Fault says whether and how a call fails. Nil is never. It is called
	// twice for each call, before and after the effect.
	Fault func(c Call, after bool) error
	FleetKnobs

	mu       sync.Mutex
	dead     bool
	machines map[string]*machine
	effects  map[Call]int
	order    []Call
	busy     map[string]int
	peak     map[string]int
	next     int
}

// A Call is one request to one of the systems.
type Call struct {
	Op   string // "schedule", "end-downtime", "snapshot", "remove", "revert", "patch", "reboot", "script" … or "find" for all that only read
	Host string // empty for a job of many hosts
	Arg  string // the marker; of scripts the name; empty otherwise
}

type machine struct {
	downtimes map[act.Marker]downtime
	foreign   int // downtimes of others
	snapshots []*vmSnapshot
	power     act.PowerState
	boot      int
	bootTime  time.Time
	health    act.Health
	pending   map[string]bool // errata to be installed
}

type downtime struct {
	id string
	w  katprep.Window
}

type vmSnapshot struct {
	id      string
	name    string
	marker  act.Marker
	parent  string
	created time.Time
	quiesce act.Quiesce
	power   act.PowerState
	pending map[string]bool
}

// NewWorld returns a world of running machines whose checks are all OK.
func NewWorld(hosts ...string) *World {
	w := &World{machines: map[string]*machine{}, effects: map[Call]int{}, busy: map[string]int{}, peak: map[string]int{}}
	for _, h := range hosts {
		w.machines[h] = &machine{
			downtimes: map[act.Marker]downtime{},
			power:     act.PoweredOn,
			boot:      1,
			bootTime:  time.Now().Add(-24 * time.Hour).UTC().Truncate(time.Second),
			pending:   map[string]bool{},
			health: act.Health{
				Host:     act.CheckState{Status: act.CheckOK},
				Services: []act.CheckState{{Name: "disk", Status: act.CheckOK}, {Name: "ssh", Status: act.CheckOK}},
			},
		}
	}
	return w
}

// SetPending gives a host errata to be installed.
func (w *World) SetPending(host string, errata ...string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, id := range errata {
		w.machines[host].pending[id] = true
	}
}

// SetHealth replaces what monitoring shows of a host.
func (w *World) SetHealth(host string, hostCheck act.CheckStatus, services ...act.CheckState) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.machines[host].health = act.Health{Host: act.CheckState{Status: hostCheck}, Services: services}
}

// Kill makes every call fail without effect, as if the process that sent
// them had been killed: nothing happens any more on its behalf.
func (w *World) Kill() { w.setDead(true) }

// Revive ends Kill.
func (w *World) Revive() { w.setDead(false) }

func (w *World) setDead(dead bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.dead = dead
}

// Effects returns how often each call had an effect, reading calls left out.
func (w *World) Effects() map[Call]int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return maps.Clone(w.effects)
}

// Order returns the effects in the order they happened.
func (w *World) Order() []Call {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.order)
}

// Peak returns how many calls with the operation were under way at once.
func (w *World) Peak(op string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.peak[op]
}

// A Remainder is what is left of katprep's things, and what became of a
// machine.
type Remainder struct {
	Host      string
	Downtimes int
	Snapshots int
	Pending   int
	Boots     int // since the world began
	Power     act.PowerState
}

// Remainders describes all machines, sorted by name.
func (w *World) Remainders() []Remainder {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.settle()
	var rs []Remainder
	for name, m := range w.machines {
		r := Remainder{Host: name, Downtimes: len(m.downtimes), Pending: len(m.pending), Boots: m.boot - 1, Power: m.power}
		for _, s := range m.snapshots {
			if s.marker != "" {
				r.Snapshots++
			}
		}
		rs = append(rs, r)
	}
	slices.SortFunc(rs, func(a, b Remainder) int { return cmp.Compare(a.Host, b.Host) })
	return rs
}

// call runs effect as one call: it waits, fails if it is to fail, and counts
// the effect if there was one.
func (w *World) call(ctx context.Context, c Call, effect func() (changed bool, err error)) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	defer w.enter(c.Op)()
	if err := w.wait(ctx, c); err != nil {
		return err
	}
	if w.Fault != nil {
		if err := w.Fault(c, false); err != nil {
			return err
		}
	}
	if err := w.apply(c, effect); err != nil {
		return err
	}
	if w.Fault != nil {
		return w.Fault(c, true)
	}
	return nil
}

func (w *World) enter(op string) (leave func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.busy[op]++
	w.peak[op] = max(w.peak[op], w.busy[op])
	return func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.busy[op]--
	}
}

func (w *World) wait(ctx context.Context, c Call) error {
	if w.Latency == nil {
		return nil
	}
	d := w.Latency(c)
	if d <= 0 {
		return nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

func (w *World) apply(c Call, effect func() (bool, error)) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.dead {
		return katprep.Errorf(katprep.Unreachable, "the process is dead")
	}
	changed, err := effect()
	if changed {
		w.effects[c]++
		w.order = append(w.order, c)
	}
	return err
}

// machine returns the machine that a target names. The lock is held.
func (w *World) machine(t act.Target) (*machine, error) {
	name := cmp.Or(t.Name, t.Host.Name)
	m, ok := w.machines[name]
	if !ok {
		return nil, katprep.Errorf(katprep.NotFound, "no host %q", name)
	}
	return m, nil
}

func (w *World) newID(what string) string {
	w.next++
	return fmt.Sprintf("%s-%d", what, w.next)
}

func hostName(t act.Target) string { return cmp.Or(t.Name, t.Host.Name) }
