package hyperv

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/act"
	"github.com/stdevel/katprep/internal/vm"
)

// driver implements [vm.Driver].
type driver struct{ c *Client }

// List implements [vm.Driver].
func (d *driver) List(ctx context.Context, _ bool) ([]vm.VM, error) {
	var rows []struct {
		ID, Name, UUID string
		IPs, MACs      []string
	}
	if err := d.c.run(ctx, scriptList, nil, &rows); err != nil {
		return nil, err
	}
	list := make([]vm.VM, 0, len(rows))
	for _, r := range rows {
		v := vm.VM{ID: r.ID, Name: r.Name, UUID: r.UUID, IPs: r.IPs}
		for _, m := range r.MACs {
			v.MACs = append(v.MACs, colons(m))
		}
		slices.Sort(v.IPs)
		list = append(list, v)
	}
	return list, nil
}

// colons writes "00155D010203" as others do.
func colons(mac string) string {
	if len(mac) != 12 {
		return mac
	}
	var parts []string
	for i := 0; i < len(mac); i += 2 {
		parts = append(parts, mac[i:i+2])
	}
	return strings.ToLower(strings.Join(parts, ":"))
}

// Tree implements [vm.Driver].
func (d *driver) Tree(ctx context.Context, v vm.VM) ([]vm.Snapshot, error) {
	var rows []struct {
		ID, Name, Parent string
		Created          time.Time
	}
	if err := d.c.run(ctx, scriptTree, args(v), &rows); err != nil {
		return nil, err
	}
	tree := make([]vm.Snapshot, 0, len(rows))
	for _, r := range rows {
		s := vm.Snapshot{ID: r.ID, Name: r.Name, Parent: r.Parent, Created: r.Created.UTC(), Mark: vm.ParseMarkedName(r.Name)}
		s.Quiesced = s.Mark.Quiesced // made so that it fails rather than be anything else
		tree = append(tree, s)
	}
	return tree, nil
}

// args are a script's arguments: the VM, and pairs of a name and a value.
func args(v vm.VM, more ...string) map[string]string {
	m := map[string]string{"vm": v.ID}
	for i := 0; i+1 < len(more); i += 2 {
		m[more[i]] = more[i+1]
	}
	return m
}

// Create implements [vm.Driver]. A checkpoint has no description, so the mark
// is a part of its name. "Production" falls back to a standard
// checkpoint without a word, "ProductionOnly" does not.
func (d *driver) Create(ctx context.Context, v vm.VM, w vm.Wanted) error {
	kind := ""
	switch {
	case w.Quiesce && w.Memory:
		return fmt.Errorf("%w: a checkpoint with memory is not quiesced", vm.ErrQuiesce)
	case w.Quiesce:
		kind = "ProductionOnly"
	case w.Memory:
		kind = "Standard"
	}
	err := d.c.run(ctx, scriptCreate, args(v, "name", vm.MarkedName(w.Mark), "type", kind), nil)
	if w.Quiesce && katprep.KindOf(err) == katprep.Conflict && err != nil {
		return fmt.Errorf("%w: %w", vm.ErrQuiesce, err)
	}
	return err
}

// Remove implements [vm.Driver].
func (d *driver) Remove(ctx context.Context, v vm.VM, s vm.Snapshot) error {
	return d.c.run(ctx, scriptRemove, args(v, "snapshot", s.ID), nil)
}

// Revert implements [vm.Driver].
func (d *driver) Revert(ctx context.Context, v vm.VM, s vm.Snapshot) error {
	return d.c.run(ctx, scriptRevert, args(v, "snapshot", s.ID), nil)
}

// Power implements [vm.Driver].
func (d *driver) Power(ctx context.Context, v vm.VM) (act.PowerState, error) {
	var rows []struct{ State string }
	if err := d.c.run(ctx, scriptPower, args(v), &rows); err != nil {
		return act.PowerUnknown, err
	}
	if len(rows) != 1 {
		return act.PowerUnknown, nil
	}
	switch rows[0].State {
	case "Running", "Stopping", "Starting", "Reset":
		return act.PoweredOn, nil
	case "Off", "OffCritical":
		return act.PoweredOff, nil
	case "Saved", "Paused", "Saving", "Pausing", "FastSaved":
		return act.Suspended, nil
	}
	return act.PowerUnknown, nil
}

// Switch implements [vm.Driver].
func (d *driver) Switch(ctx context.Context, v vm.VM, a vm.Action) error {
	word := map[vm.Action]string{vm.On: "on", vm.Off: "off", vm.AskOff: "ask"}[a]
	return d.c.run(ctx, scriptSwitch, args(v, "action", word), nil)
}

// Check implements [vm.Checker].
func (d *driver) Check(ctx context.Context, v vm.VM, o act.SnapshotOptions) error {
	if o.Memory && o.Quiesce == act.QuiesceRequire {
		return katprep.Errorf(katprep.Invalid, "Hyper-V makes a checkpoint with memory or a quiesced one, not both").
			WithHint("set memory: false, or quiesce: try")
	}
	var rows []struct {
		Type, Volume                     string
		Passthrough, Shared, Free, Total int64
	}
	if err := d.c.run(ctx, scriptCheck, args(v), &rows); err != nil {
		return err
	}
	if len(rows) != 1 {
		return katprep.Errorf(katprep.Corrupt, "check VM %q: %d answers", v.Name, len(rows))
	}
	r := rows[0]
	switch {
	case r.Type == "Disabled":
		return katprep.Errorf(katprep.Conflict, "checkpoints of VM %q are disabled", v.Name).WithHint("enable them in the VM's settings")
	case r.Passthrough > 0:
		return katprep.Errorf(katprep.Conflict, "VM %q has a physical disk passed through: a checkpoint leaves it out", v.Name)
	case r.Shared > 0:
		return katprep.Errorf(katprep.Conflict, "VM %q shares a disk with other VMs: it has no checkpoints", v.Name)
	case d.c.o.MinFree > 0 && r.Total > 0 && r.Free < r.Total/100*int64(d.c.o.MinFree):
		return katprep.Errorf(katprep.Conflict, "volume %s has %d of %d GiB free, less than %d %%", r.Volume, r.Free>>30, r.Total>>30, d.c.o.MinFree).
			WithHint("make room: a full volume pauses every VM on it")
	}
	return nil
}
