package xapi

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/act"
	"github.com/stdevel/katprep/internal/vm"
)

// driver implements [vm.Driver]. A VM's ID is its UUID; its Native reference
// is looked up, because references change when a pool is restored.
type driver struct{ c *Client }

// A record is a VM, a snapshot or a template: XAPI keeps them in one table.
type record struct {
	UUID       string            `json:"uuid"`
	Name       string            `json:"name_label"`
	Template   bool              `json:"is_a_template"`
	Snapshot   bool              `json:"is_a_snapshot"`
	Control    bool              `json:"is_control_domain"`
	Power      string            `json:"power_state"`
	Of         string            `json:"snapshot_of"`
	Time       string            `json:"snapshot_time"`
	Parent     string            `json:"parent"`
	Snapshots  []string          `json:"snapshots"`
	VBDs       []string          `json:"VBDs"`
	Suspend    string            `json:"suspend_VDI"`
	Metrics    string            `json:"guest_metrics"`
	Tags       []string          `json:"tags"`
	Operations []string          `json:"allowed_operations"`
	Now        map[string]string `json:"current_operations"` // by task
}

// null is XAPI's reference to nothing.
const null = "OpaqueRef:NULL"

func (d *driver) all(ctx context.Context) (map[string]record, error) {
	var all map[string]record
	err := d.c.call(ctx, &all, "VM.get_all_records")
	return all, err
}

// List implements [vm.Driver]: three calls, whatever the number of VMs.
func (d *driver) List(ctx context.Context, addresses bool) ([]vm.VM, error) {
	all, err := d.all(ctx)
	if err != nil {
		return nil, err
	}
	var macs, ips map[string][]string
	if addresses {
		if macs, ips, err = d.addresses(ctx); err != nil {
			return nil, err
		}
	}
	var list []vm.VM
	for ref, r := range all {
		if r.Template || r.Snapshot || r.Control {
			continue
		}
		slices.Sort(r.Tags)
		list = append(list, vm.VM{ID: r.UUID, Name: r.Name, UUID: r.UUID, MACs: macs[ref], IPs: ips[r.Metrics], Groups: r.Tags})
	}
	slices.SortFunc(list, func(a, b vm.VM) int { return cmp.Compare(a.ID, b.ID) })
	return list, nil
}

// addresses returns MACs by VM and IP addresses by guest metrics.
func (d *driver) addresses(ctx context.Context) (macs, ips map[string][]string, err error) {
	var vifs map[string]struct {
		VM  string `json:"VM"`
		MAC string `json:"MAC"`
	}
	if err := d.c.call(ctx, &vifs, "VIF.get_all_records"); err != nil {
		return nil, nil, err
	}
	var metrics map[string]struct {
		Networks map[string]string `json:"networks"` // "0/ip", "0/ipv6/0"
	}
	if err := d.c.call(ctx, &metrics, "VM_guest_metrics.get_all_records"); err != nil {
		return nil, nil, err
	}
	macs, ips = map[string][]string{}, map[string][]string{}
	for _, v := range vifs {
		macs[v.VM] = append(macs[v.VM], v.MAC)
	}
	for ref, m := range metrics {
		for _, ip := range m.Networks {
			ips[ref] = append(ips[ref], ip)
		}
		slices.Sort(ips[ref])
		ips[ref] = slices.Compact(ips[ref])
	}
	for ref := range macs {
		slices.Sort(macs[ref])
	}
	return macs, ips, nil
}

// get returns a VM's reference and record.
func (d *driver) get(ctx context.Context, v vm.VM) (ref string, r record, err error) {
	if err = d.c.call(ctx, &ref, "VM.get_by_uuid", v.ID); err != nil {
		return "", r, err
	}
	err = d.c.call(ctx, &r, "VM.get_record", ref)
	return ref, r, err
}

// Tree implements [vm.Driver].
func (d *driver) Tree(ctx context.Context, v vm.VM) ([]vm.Snapshot, error) {
	_, r, err := d.get(ctx, v)
	if err != nil {
		return nil, err
	}
	var tree []vm.Snapshot
	for _, ref := range r.Snapshots {
		var s record
		if err := d.c.call(ctx, &s, "VM.get_record", ref); err != nil {
			if katprep.KindOf(err) == katprep.NotFound {
				continue // gone since it was listed
			}
			return nil, err
		}
		snap := s.snapshot(ref)
		snap.Unfinished = len(s.Now) > 0 || r.snapshotting()
		tree = append(tree, snap)
	}
	return tree, nil
}

// snapshotting reports whether a snapshot of the VM is being made: its record
// may be there before its disks are.
func (r *record) snapshotting() bool {
	for _, op := range r.Now {
		if op == "snapshot" || op == "checkpoint" {
			return true
		}
	}
	return false
}

func (r *record) snapshot(ref string) vm.Snapshot {
	s := vm.Snapshot{ID: r.UUID, Name: r.Name, Parent: r.Parent, Mark: vm.ParseMarkedName(r.Name), Native: ref}
	for _, layout := range []string{"20060102T15:04:05Z", time.RFC3339} {
		if t, err := time.Parse(layout, r.Time); err == nil {
			s.Created = t.UTC()
		}
	}
	return s
}

// Forest implements [vm.Forester]: one call.
func (d *driver) Forest(ctx context.Context) (map[string][]vm.Snapshot, error) {
	all, err := d.all(ctx)
	if err != nil {
		return nil, err
	}
	forest := map[string][]vm.Snapshot{}
	for ref, r := range all {
		if owner, ok := all[r.Of]; r.Snapshot && ok {
			forest[owner.UUID] = append(forest[owner.UUID], r.snapshot(ref))
		}
	}
	return forest, nil
}

// Create implements [vm.Driver]. The mark is a part of the name, which a
// snapshot has from the start: whatever ends this program or XAPI in between,
// it is known to be ours.
func (d *driver) Create(ctx context.Context, v vm.VM, w vm.Wanted) error {
	if w.Quiesce {
		return fmt.Errorf("%w: XenServer and XCP-ng have no quiesced snapshots any more", vm.ErrQuiesce)
	}
	ref, _, err := d.get(ctx, v)
	if err != nil {
		return err
	}
	method := "VM.snapshot"
	if w.Memory {
		method = "VM.checkpoint"
	}
	snap, err := d.c.task(ctx, method, ref, vm.MarkedName(w.Mark))
	if err != nil {
		return err
	}
	// The description is for people; without it the snapshot is as good.
	_ = d.c.call(ctx, nil, "VM.set_name_description", snap, w.Description)
	return nil
}

// Remove implements [vm.Driver].
func (d *driver) Remove(ctx context.Context, _ vm.VM, s vm.Snapshot) error {
	ref, _ := s.Native.(string)
	return d.destroy(ctx, ref)
}

// destroy removes a snapshot with its disks, which XAPI leaves behind.
func (d *driver) destroy(ctx context.Context, ref string) error {
	var r record
	if err := d.c.call(ctx, &r, "VM.get_record", ref); err != nil {
		if katprep.KindOf(err) == katprep.NotFound {
			return nil
		}
		return err
	}
	if !r.Snapshot {
		return katprep.Errorf(katprep.Internal, "%s is no snapshot", ref) // never destroy a VM
	}
	disks, err := d.disks(ctx, r)
	if err != nil {
		return err
	}
	if r.Suspend != "" && r.Suspend != null {
		disks = append(disks, r.Suspend)
	}
	if _, err := d.c.task(ctx, "VM.destroy", ref); err != nil {
		return err
	}
	for _, vdi := range disks {
		if _, err := d.c.task(ctx, "VDI.destroy", vdi); err != nil && katprep.KindOf(err) != katprep.NotFound {
			return fmt.Errorf("the snapshot is removed, but its disk %s is not: %w", vdi, err)
		}
	}
	return nil
}

// disks returns the disk images of a VM or snapshot, CD drives left out.
func (d *driver) disks(ctx context.Context, r record) (vdis []string, err error) {
	for _, ref := range r.VBDs {
		var vbd struct {
			Type string `json:"type"`
			VDI  string `json:"VDI"`
		}
		if err := d.c.call(ctx, &vbd, "VBD.get_record", ref); err != nil {
			return nil, err
		}
		if vbd.Type == "Disk" && vbd.VDI != null && vbd.VDI != "" {
			vdis = append(vdis, vbd.VDI)
		}
	}
	return vdis, nil
}

// Revert implements [vm.Driver].
func (d *driver) Revert(ctx context.Context, _ vm.VM, s vm.Snapshot) error {
	_, err := d.c.task(ctx, "VM.revert", s.Native)
	return err
}

// Power implements [vm.Driver].
func (d *driver) Power(ctx context.Context, v vm.VM) (act.PowerState, error) {
	_, r, err := d.get(ctx, v)
	if err != nil {
		return act.PowerUnknown, err
	}
	switch r.Power {
	case "Running":
		return act.PoweredOn, nil
	case "Halted":
		return act.PoweredOff, nil
	case "Suspended", "Paused":
		return act.Suspended, nil
	}
	return act.PowerUnknown, nil
}

// Switch implements [vm.Driver].
func (d *driver) Switch(ctx context.Context, v vm.VM, a vm.Action) error {
	ref, r, err := d.get(ctx, v)
	if err != nil {
		return err
	}
	switch {
	case a == vm.On && r.Power == "Suspended":
		_, err = d.c.task(ctx, "VM.resume", ref, false, false)
	case a == vm.On && r.Power == "Paused":
		_, err = d.c.task(ctx, "VM.unpause", ref)
	case a == vm.On:
		_, err = d.c.task(ctx, "VM.start", ref, false, false)
	case a == vm.Off:
		_, err = d.c.task(ctx, "VM.hard_shutdown", ref)
	default:
		_, err = d.c.task(ctx, "VM.clean_shutdown", ref)
	}
	return err
}

// Check implements [vm.Checker].
func (d *driver) Check(ctx context.Context, v vm.VM, o act.SnapshotOptions) error {
	if o.Quiesce == act.QuiesceRequire {
		return katprep.Errorf(katprep.Invalid, "XenServer and XCP-ng have no quiesced snapshots any more").WithHint("set quiesce to no or try")
	}
	_, r, err := d.get(ctx, v)
	if err != nil {
		return err
	}
	if o.Memory && r.Power == "Running" && !slices.Contains(r.Operations, "checkpoint") {
		return katprep.Errorf(katprep.Conflict, "VM %q cannot be snapshot with memory now", v.Name).WithHint("install the guest tools, or set memory: false")
	}
	repos, err := d.repositories(ctx, r)
	if err != nil {
		return err
	}
	for _, s := range repos {
		if m := d.c.o.MinFree; m > 0 && s.size() > 0 && s.size()-s.used() < s.size()/100*int64(m) {
			return katprep.Errorf(katprep.Conflict, "storage repository %s has %d of %d GiB free, less than %d %%", s.Name, (s.size()-s.used())>>30, s.size()>>30, m).
				WithHint("make room: a full repository stops every VM on it")
		}
	}
	return nil
}

// A repository is a storage repository; XAPI writes 64-bit numbers as text
// or as numbers.
type repository struct {
	Name string `json:"name_label"`
	Size any    `json:"physical_size"`
	Used any    `json:"physical_utilisation"`
}

func (r repository) size() int64 { return number(r.Size) }

func (r repository) used() int64 { return number(r.Used) }

func number(x any) int64 {
	switch x := x.(type) {
	case float64:
		return int64(x)
	case string:
		n, err := strconv.ParseInt(x, 10, 64)
		if err == nil {
			return n
		}
	}
	return 0
}

// repositories returns where the VM's disks are, sorted by name.
func (d *driver) repositories(ctx context.Context, r record) (list []repository, err error) {
	disks, err := d.disks(ctx, r)
	if err != nil {
		return nil, err
	}
	seen := map[string]bool{}
	for _, vdi := range disks {
		var sr string
		if err := d.c.call(ctx, &sr, "VDI.get_SR", vdi); err != nil {
			return nil, err
		}
		if seen[sr] {
			continue
		}
		seen[sr] = true
		var repo repository
		if err := d.c.call(ctx, &repo, "SR.get_record", sr); err != nil {
			return nil, err
		}
		list = append(list, repo)
	}
	slices.SortFunc(list, func(a, b repository) int { return cmp.Compare(a.Name, b.Name) })
	return list, nil
}

// Places keeps the contract of [act.Placer]: the storage repositories.
func (c *Client) Places(ctx context.Context, t act.Target) ([]string, error) {
	v, err := c.Find(ctx, t)
	if err != nil {
		return nil, err
	}
	d := &driver{c}
	_, r, err := d.get(ctx, v)
	if err != nil {
		return nil, err
	}
	repos, err := d.repositories(ctx, r)
	var names []string
	for _, s := range repos {
		names = append(names, s.Name)
	}
	return names, err
}
