package vm

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/act"
)

// Limits bound what a keeper asks of a hypervisor. Zero values are defaults.
type Limits struct {
	Creations int           // snapshots made or reverted at once; default 4
	Removals  int           // removed at once, which costs the hypervisor more; default half of Creations
	Read      time.Duration // deadline of a question; default 1 min
	Task      time.Duration // deadline of a snapshot action; default 30 min
	Graceful  time.Duration // how long a guest may take to shut down; default 5 min
	Poll      time.Duration // between two looks; default 2 s
	Fresh     time.Duration // how long the list of VMs is believed; default 1 min
}

func (l Limits) withDefaults() Limits {
	l.Creations = cmp.Or(l.Creations, 4)
	l.Removals = cmp.Or(l.Removals, max(1, l.Creations/2))
	l.Read = cmp.Or(l.Read, time.Minute)
	l.Task = cmp.Or(l.Task, 30*time.Minute)
	l.Graceful = cmp.Or(l.Graceful, 5*time.Minute)
	l.Poll = cmp.Or(l.Poll, 2*time.Second)
	l.Fresh = cmp.Or(l.Fresh, time.Minute)
	return l
}

// A Keeper keeps the contracts of act's hypervisor interfaces over a driver.
// It is safe for concurrent use.
type Keeper struct {
	d         Driver
	l         Limits
	creations chan struct{}
	removals  chan struct{}

	list chan *listing // one element, the last list; taken while asking
}

// NewKeeper returns a keeper over a driver.
func NewKeeper(d Driver, l Limits) *Keeper {
	l = l.withDefaults()
	k := &Keeper{d: d, l: l, creations: make(chan struct{}, l.Creations), removals: make(chan struct{}, l.Removals), list: make(chan *listing, 1)}
	k.list <- &listing{}
	return k
}

// A listing is what the hypervisor said when it was asked for its VMs.
type listing struct {
	vms       []VM
	at        time.Time
	addresses bool
}

// slot waits for one of a bounded number of actions.
func slot(ctx context.Context, slots chan struct{}) (release func(), err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	select {
	case slots <- struct{}{}:
		return func() { <-slots }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// VMs returns the list of VMs, asked again if it is older than allowed or
// lacks the addresses.
func (k *Keeper) VMs(ctx context.Context, fresh, addresses bool) (list []VM, asked bool, err error) {
	var l *listing
	select {
	case l = <-k.list:
		defer func() { k.list <- l }()
	case <-ctx.Done():
		return nil, false, ctx.Err()
	}
	if err := ctx.Err(); err != nil {
		return nil, false, err
	}
	if !fresh && (l.addresses || !addresses) && time.Since(l.at) < k.l.Fresh {
		return l.vms, false, nil
	}
	ctx, cancel := context.WithTimeout(ctx, k.l.Read)
	defer cancel()
	list, err = k.d.List(ctx, addresses)
	if err != nil {
		return nil, true, fmt.Errorf("list VMs: %w", err)
	}
	l = &listing{list, time.Now(), addresses}
	return list, true, nil
}

// Find returns the VM of a target. Before it says that there is none, or
// several, it asks the hypervisor again.
func (k *Keeper) Find(ctx context.Context, t act.Target) (VM, error) {
	addresses := t.Name == "" // what else is searched may be known only then
	list, asked, err := k.VMs(ctx, false, addresses)
	if err != nil {
		return VM{}, err
	}
	v, err := Find(list, t)
	if err == nil || asked {
		return v, err
	}
	if list, _, err = k.VMs(ctx, true, addresses); err != nil {
		return VM{}, err
	}
	return Find(list, t)
}

// name is what the target's snapshot is called.
func (k *Keeper) name(m act.Marker) string {
	if n, ok := k.d.(Namer); ok {
		return n.SnapshotName(m)
	}
	return string(m)
}

// own returns the snapshots that carry the marker, and the names of the others.
func (k *Keeper) own(ctx context.Context, v VM, m act.Marker) (ours []Snapshot, taken map[string]bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, k.l.Read)
	defer cancel()
	tree, err := k.d.Tree(ctx, v)
	if err != nil {
		return nil, nil, fmt.Errorf("list the snapshots of VM %q: %w", v.Name, err)
	}
	taken = map[string]bool{}
	for _, s := range tree {
		if s.Mark.Marker == m && m != "" {
			ours = append(ours, s)
		} else {
			taken[s.Name] = true
		}
	}
	return ours, taken, nil
}

// begin checks a target's marker and finds its VM.
func (k *Keeper) begin(ctx context.Context, t act.Target) (VM, error) {
	if err := t.Marker.CheckName(); err != nil {
		return VM{}, err
	}
	return k.Find(ctx, t)
}

// FindSnapshot keeps the contract of [act.Snapshotter].
func (k *Keeper) FindSnapshot(ctx context.Context, t act.Target) (act.Ref, bool, error) {
	v, err := k.begin(ctx, t)
	if err != nil {
		return act.Ref{}, false, err
	}
	ours, _, err := k.own(ctx, v, t.Marker)
	if err != nil || len(ours) == 0 {
		return act.Ref{}, false, err
	}
	if err := finished(v, ours[0]); err != nil {
		return act.Ref{}, false, err
	}
	return ref(v, ours[0]), true, nil
}

// finished is an error if nobody knows yet what becomes of a snapshot.
func finished(v VM, s Snapshot) error {
	if !s.Unfinished {
		return nil
	}
	return katprep.Errorf(katprep.Conflict, "the hypervisor has not finished snapshot %q of VM %q", s.Name, v.Name).
		WithHint("wait for its task; if there is none, remove the snapshot")
}

// ownFinished is own, when nothing of the marker is being made any more: what
// was being made may have vanished then.
func (k *Keeper) ownFinished(ctx context.Context, v VM, m act.Marker) (ours []Snapshot, taken map[string]bool, err error) {
	err = k.until(ctx, fmt.Sprintf("snapshot %q of VM %q to be finished", m, v.Name), func(ctx context.Context) (bool, error) {
		var err error
		ours, taken, err = k.own(ctx, v, m)
		return !slices.ContainsFunc(ours, func(s Snapshot) bool { return s.Unfinished }), err
	})
	return ours, taken, err
}

func ref(v VM, s Snapshot) act.Ref {
	r := act.Ref{ID: s.ID, Data: map[string]string{act.DataQuiesced: yes(s.Quiesced), "vm": v.Name, "vm_id": v.ID, "snapshot": s.Name}}
	if !s.Created.IsZero() {
		r.Data[act.DataCreated] = s.Created.UTC().Format(time.RFC3339)
	}
	return r
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

// CreateSnapshot keeps the contract of [act.Snapshotter].
func (k *Keeper) CreateSnapshot(ctx context.Context, t act.Target, o act.SnapshotOptions) (act.Ref, error) {
	ctx, cancel := context.WithTimeout(ctx, k.l.Task)
	defer cancel()
	v, err := k.begin(ctx, t)
	if err != nil {
		return act.Ref{}, err
	}
	release, err := slot(ctx, k.creations)
	if err != nil {
		return act.Ref{}, err
	}
	defer release()
	ours, taken, err := k.ownFinished(ctx, v, t.Marker)
	switch {
	case err != nil:
		return act.Ref{}, err
	case len(ours) > 0:
		return ref(v, ours[0]), nil // made by an earlier attempt
	}
	warning, err := k.create(ctx, v, t.Marker, o, taken)
	if err != nil {
		return act.Ref{}, fmt.Errorf("snapshot VM %q: %w", v.Name, err)
	}
	return k.confirm(ctx, v, t.Marker, o, warning)
}

// create makes the snapshot, without quiescing if that cannot be and need not
// be, and returns what a person must know.
func (k *Keeper) create(ctx context.Context, v VM, m act.Marker, o act.SnapshotOptions, taken map[string]bool) (warning string, err error) {
	if c, ok := k.d.(Checker); ok {
		if err := c.Check(ctx, v, o); err != nil {
			return "", err
		}
	}
	power, err := k.d.Power(ctx, v)
	if err != nil {
		return "", err
	}
	if err := awake(power); err != nil {
		return "", err
	}
	mark := Mark{Marker: m, Running: power == act.PoweredOn}
	mark.Quiesced = mark.Running && o.Quiesce != act.QuiesceNo && o.Quiesce != ""
	warning, err = k.named(ctx, v, mark, o, taken)
	if errors.Is(err, ErrQuiesce) && o.Quiesce == act.QuiesceTry {
		why := "crash-consistent only: " + err.Error()
		mark.Quiesced = false
		warning, err = k.named(ctx, v, mark, o, taken)
		warning = join(why, warning)
	}
	if errors.Is(err, ErrQuiesce) {
		err = katprep.Errorf(katprep.Conflict, "%w", err).WithHint("start the guest agent or tools, or set quiesce to try")
	}
	if mark.Running && err != nil && ctx.Err() == nil && katprep.KindOf(err) == katprep.Unreachable {
		err = errors.Join(err, k.wake(ctx, v))
	}
	return warning, err
}

func join(a, b string) string {
	if a == "" || b == "" {
		return a + b
	}
	return a + "; " + b
}

// mostNames is how many names are tried for one snapshot.
const mostNames = 9

// named makes a snapshot under the first name that nobody else's has: the
// mark tells whose it is, not the name.
func (k *Keeper) named(ctx context.Context, v VM, mark Mark, o act.SnapshotOptions, taken map[string]bool) (warning string, err error) {
	for i := range mostNames {
		m := mark.Marker
		if i > 0 {
			m += act.Marker("-" + strconv.Itoa(i+1))
		}
		name := k.name(m)
		if taken[name] {
			continue
		}
		err := k.d.Create(ctx, v, k.wanted(name, mark, o))
		if !errors.Is(err, ErrTaken) {
			return warning, err
		}
		warning = join(warning, err.Error())
	}
	return "", katprep.Errorf(katprep.Conflict, "others have %d snapshots that are named after %q", mostNames, mark.Marker).
		WithHint("rename or remove them, or give the run another ID")
}

// awake is an error if a VM is paused.
func awake(power act.PowerState) error {
	if power != act.Suspended {
		return nil
	}
	return katprep.Errorf(katprep.Conflict, "it is paused or suspended, and could not be patched").
		WithHint("resume it; a snapshot that was cut off may have left it so")
}

func (k *Keeper) wanted(name string, m Mark, o act.SnapshotOptions) Wanted {
	return Wanted{Name: name, Description: Describe(m, o.Description), Mark: m,
		Memory: o.Memory && m.Running, Quiesce: m.Quiesced, Running: m.Running}
}

// wakeLooks is how often a VM is looked at after its hypervisor is back: it
// may be seen to run before it is seen to be paused.
const wakeLooks = 5

// wake resumes a VM that ran, if a hypervisor that was stopped while it made
// a snapshot left it paused: libvirt does.
func (k *Keeper) wake(ctx context.Context, v VM) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), k.l.Read)
	defer cancel()
	for looks := 0; looks < wakeLooks; {
		s, err := k.d.Power(ctx, v)
		switch {
		case err == nil && s == act.Suspended:
			err = k.change(ctx, v, On, act.PoweredOn)
			if err == nil {
				return nil
			}
		case err == nil:
			looks++
		case katprep.KindOf(err) != katprep.Unreachable:
			return fmt.Errorf("VM %q may be left paused: %w", v.Name, err)
		}
		select {
		case <-ctx.Done():
			return katprep.Errorf(katprep.Unreachable, "VM %q may be left paused: nobody answers", v.Name)
		case <-time.After(k.l.Poll):
		}
	}
	return nil
}

// confirm asks for the snapshot that was made, and whether it really is as
// wanted.
func (k *Keeper) confirm(ctx context.Context, v VM, m act.Marker, o act.SnapshotOptions, warning string) (act.Ref, error) {
	ours, _, err := k.ownFinished(ctx, v, m)
	if err != nil {
		return act.Ref{}, err
	}
	if len(ours) == 0 {
		return act.Ref{}, katprep.Errorf(katprep.Internal, "snapshot VM %q: the hypervisor reported success, but does not list the snapshot", v.Name)
	}
	s := ours[0]
	running := s.Mark.Running
	if running && o.Quiesce == act.QuiesceRequire && !s.Quiesced {
		if err := k.remove(ctx, v, s, m); err != nil {
			return act.Ref{}, fmt.Errorf("the snapshot of VM %q is not quiesced as required, and cannot be removed: %w", v.Name, err)
		}
		return act.Ref{}, katprep.Errorf(katprep.Conflict, "the hypervisor did not quiesce VM %q; the snapshot was removed", v.Name).
			WithHint("start the guest agent or tools, or set quiesce to try")
	}
	if running && o.Quiesce == act.QuiesceTry && !s.Quiesced && warning == "" {
		warning = "crash-consistent only: the hypervisor did not quiesce the guest"
	}
	r := ref(v, s)
	if warning != "" {
		r.Data[act.DataWarning] = warning
	}
	return r, nil
}

// RemoveSnapshot keeps the contract of [act.Snapshotter].
func (k *Keeper) RemoveSnapshot(ctx context.Context, t act.Target) error {
	ctx, cancel := context.WithTimeout(ctx, k.l.Task)
	defer cancel()
	v, err := k.begin(ctx, t)
	if err != nil {
		return err
	}
	release, err := slot(ctx, k.removals)
	if err != nil {
		return err
	}
	defer release()
	ours, _, err := k.own(ctx, v, t.Marker)
	if err != nil {
		return err
	}
	for _, s := range ours {
		if err := k.remove(ctx, v, s, t.Marker); err != nil {
			return err
		}
	}
	return nil
}

// remove removes one snapshot and asks whether it is gone, and whether every
// other one is still there.
func (k *Keeper) remove(ctx context.Context, v VM, s Snapshot, m act.Marker) error {
	if err := k.d.Remove(ctx, v, s); err != nil {
		return fmt.Errorf("remove snapshot %q of VM %q: %w", s.Name, v.Name, err)
	}
	return k.until(ctx, fmt.Sprintf("snapshot %q of VM %q to be gone", s.Name, v.Name), func(ctx context.Context) (bool, error) {
		left, _, err := k.own(ctx, v, m)
		gone := !slices.ContainsFunc(left, func(l Snapshot) bool { return l.ID == s.ID })
		return gone, err
	})
}

// RevertSnapshot keeps the contract of [act.Snapshotter].
func (k *Keeper) RevertSnapshot(ctx context.Context, t act.Target) (act.Ref, error) {
	ctx, cancel := context.WithTimeout(ctx, k.l.Task)
	defer cancel()
	v, err := k.begin(ctx, t)
	if err != nil {
		return act.Ref{}, err
	}
	release, err := slot(ctx, k.creations)
	if err != nil {
		return act.Ref{}, err
	}
	defer release()
	ours, _, err := k.own(ctx, v, t.Marker)
	if err != nil {
		return act.Ref{}, err
	}
	if len(ours) == 0 {
		return act.Ref{}, katprep.Errorf(katprep.NotFound, "VM %q has no snapshot %q", v.Name, t.Marker)
	}
	if err := finished(v, ours[0]); err != nil {
		return act.Ref{}, err
	}
	was, err := k.d.Power(ctx, v)
	if err != nil {
		return act.Ref{}, err
	}
	if err := k.d.Revert(ctx, v, ours[0]); err != nil {
		return act.Ref{}, fmt.Errorf("revert VM %q to snapshot %q: %w", v.Name, ours[0].Name, err)
	}
	if ours[0].Mark.Running || was == act.PoweredOn {
		if err := k.on(ctx, v); err != nil {
			// Whatever kind err has, it must not read as if nothing was done.
			return act.Ref{}, katprep.Errorf(katprep.Unreachable, "VM %q is reverted, but does not run: %w", v.Name, err)
		}
	}
	return ref(v, ours[0]), nil
}

// until asks again and again until the answer is yes or ctx ends.
func (k *Keeper) until(ctx context.Context, what string, ask func(context.Context) (bool, error)) error {
	for pause := k.l.Poll / 8; ; pause = min(2*pause, k.l.Poll) {
		ok, err := ask(ctx)
		if err != nil || ok {
			return err
		}
		select {
		case <-ctx.Done():
			return katprep.Errorf(katprep.Unreachable, "wait for %s: %w", what, ctx.Err())
		case <-time.After(pause):
		}
	}
}
