package vm

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/act"
)

// PowerState keeps the contract of [act.Power].
func (k *Keeper) PowerState(ctx context.Context, t act.Target) (act.PowerState, error) {
	v, err := k.Find(ctx, t)
	if err != nil {
		return act.PowerUnknown, err
	}
	return k.power(ctx, v)
}

func (k *Keeper) power(ctx context.Context, v VM) (act.PowerState, error) {
	ctx, cancel := context.WithTimeout(ctx, k.l.Read)
	defer cancel()
	s, err := k.d.Power(ctx, v)
	if err != nil {
		return act.PowerUnknown, fmt.Errorf("power state of VM %q: %w", v.Name, err)
	}
	return s, nil
}

// PowerOn keeps the contract of [act.Power].
func (k *Keeper) PowerOn(ctx context.Context, t act.Target) error {
	v, err := k.Find(ctx, t)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, k.l.Task)
	defer cancel()
	return k.on(ctx, v)
}

func (k *Keeper) on(ctx context.Context, v VM) error {
	return k.change(ctx, v, On, act.PoweredOn)
}

// change asks for a power state unless it is there, and waits for it.
func (k *Keeper) change(ctx context.Context, v VM, a Action, want act.PowerState) error {
	s, err := k.power(ctx, v)
	if err != nil || s == want {
		return err
	}
	if err := k.d.Switch(ctx, v, a); err != nil {
		return fmt.Errorf("%s VM %q: %w", a, v.Name, err)
	}
	return k.until(ctx, fmt.Sprintf("VM %q to be %s", v.Name, want), func(ctx context.Context) (bool, error) {
		s, err := k.power(ctx, v)
		return s == want, err
	})
}

// Shutdown keeps the contract of [act.Power]. With force, a guest that does
// not shut down in time is switched off.
func (k *Keeper) Shutdown(ctx context.Context, t act.Target, force bool) error {
	v, err := k.Find(ctx, t)
	if err != nil {
		return err
	}
	return k.off(ctx, v, force)
}

func (k *Keeper) off(ctx context.Context, v VM, force bool) error {
	asked, cancel := context.WithTimeout(ctx, k.l.Graceful)
	defer cancel()
	err := k.change(asked, v, AskOff, act.PoweredOff)
	if err == nil || ctx.Err() != nil {
		return err
	}
	if !force {
		return katprep.Errorf(cmp.Or(katprep.KindOf(err), katprep.Unreachable), "the guest did not shut down: %w", err).
			WithHint("start the guest agent or tools, or allow a hard reset")
	}
	ctx, cancel = context.WithTimeout(ctx, k.l.Task)
	defer cancel()
	if hard := k.change(ctx, v, Off, act.PoweredOff); hard != nil {
		return errors.Join(err, hard)
	}
	return nil
}

// Restart keeps the contract of [act.Power]: the guest shuts down, is seen to
// be off, and is started. A reboot from within cannot be seen from outside.
func (k *Keeper) Restart(ctx context.Context, t act.Target, force bool) error {
	v, err := k.Find(ctx, t)
	if err != nil {
		return err
	}
	s, err := k.power(ctx, v)
	if err != nil {
		return err
	}
	if s != act.PoweredOn {
		return katprep.Errorf(katprep.Conflict, "VM %q does not run, so it cannot be restarted", v.Name)
	}
	if err := k.off(ctx, v, force); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, k.l.Task)
	defer cancel()
	return k.on(ctx, v)
}

// CheckSnapshot keeps the contract of [act.SnapshotChecker].
func (k *Keeper) CheckSnapshot(ctx context.Context, t act.Target, o act.SnapshotOptions) error {
	v, err := k.Find(ctx, t)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, k.l.Read)
	defer cancel()
	if _, err := k.d.Tree(ctx, v); err != nil {
		return fmt.Errorf("list the snapshots of VM %q: %w", v.Name, err)
	}
	power, err := k.d.Power(ctx, v)
	if err != nil {
		return fmt.Errorf("power state of VM %q: %w", v.Name, err)
	}
	if err := awake(power); err != nil {
		return fmt.Errorf("VM %q: %w", v.Name, err)
	}
	if c, ok := k.d.(Checker); ok {
		return c.Check(ctx, v, o)
	}
	return nil
}

// Objects keeps the contract of [act.Inventory].
func (k *Keeper) Objects(ctx context.Context) ([]act.Object, error) {
	list, _, err := k.VMs(ctx, true, true)
	if err != nil {
		return nil, err
	}
	unique := names(list)
	objects := make([]act.Object, 0, len(list))
	for _, v := range list {
		objects = append(objects, act.Object{Name: unique(v), Display: v.Name, IPs: v.IPs, MACs: v.MACs, UUID: v.UUID, Groups: v.Groups})
	}
	slices.SortFunc(objects, func(a, b act.Object) int { return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.UUID, b.UUID)) })
	return slices.CompactFunc(objects, func(a, b act.Object) bool { return a.Name == b.Name && a.UUID == b.UUID }), nil
}

// names returns what each VM is found by: its name, or more if others have
// that too.
func names(list []VM) func(VM) string {
	count := map[string]int{}
	for _, v := range list {
		count[v.Name]++
	}
	return func(v VM) string {
		if count[v.Name] > 1 {
			return cmp.Or(v.Path, v.ID)
		}
		return v.Name
	}
}

// Leftovers keeps the contract of [act.Leftovers].
func (k *Keeper) Leftovers(ctx context.Context) ([]act.Leftover, error) {
	list, _, err := k.VMs(ctx, true, false)
	if err != nil {
		return nil, err
	}
	forest, err := k.forest(ctx, list)
	if err != nil {
		return nil, err
	}
	unique := names(list)
	var left []act.Leftover
	for _, v := range list {
		for _, s := range forest[v.ID] {
			if s.Mark.Marker != "" {
				left = append(left, act.Leftover{VM: unique(v), Name: s.Name, Marker: s.Mark.Marker, Created: s.Created})
			}
		}
	}
	slices.SortFunc(left, func(a, b act.Leftover) int {
		return cmp.Or(cmp.Compare(a.VM, b.VM), a.Created.Compare(b.Created), cmp.Compare(a.Name, b.Name))
	})
	return left, nil
}

// forest returns the snapshots of all VMs.
func (k *Keeper) forest(ctx context.Context, list []VM) (map[string][]Snapshot, error) {
	ctx, cancel := context.WithTimeout(ctx, k.l.Task)
	defer cancel()
	if f, ok := k.d.(Forester); ok {
		return f.Forest(ctx)
	}
	trees := make([][]Snapshot, len(list))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(k.l.Creations)
	for i, v := range list {
		g.Go(func() (err error) {
			if trees[i], err = k.d.Tree(ctx, v); katprep.KindOf(err) == katprep.NotFound && err != nil {
				return nil // gone since it was listed
			}
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	forest := make(map[string][]Snapshot, len(list))
	for i, v := range list {
		forest[v.ID] = trees[i]
	}
	return forest, nil
}
