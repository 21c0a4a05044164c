package vsphere

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/vmware/govmomi/fault"
	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/property"
	"github.com/vmware/govmomi/view"
	"github.com/vmware/govmomi/vim25"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/types"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/act"
	"github.com/stdevel/katprep/internal/vm"
)

// driver implements [vm.Driver].
type driver struct{ c *Client }

func moref(v vm.VM) types.ManagedObjectReference {
	return types.ManagedObjectReference{Type: "VirtualMachine", Value: v.ID}
}

// listed are the only properties that a list reads: all of them take twenty
// times as long.
var listed = []string{"name", "parent", "config.template", "config.uuid", "guest.ipAddress", "guest.net"}

// List implements [vm.Driver]: one view, whatever the number of VMs.
func (d *driver) List(ctx context.Context, _ bool) (list []vm.VM, err error) {
	var vms []mo.VirtualMachine
	var folders map[types.ManagedObjectReference]mo.ManagedEntity
	err = d.c.do(ctx, func(vc *vim25.Client) (err error) {
		if vms, err = retrieve[mo.VirtualMachine](ctx, vc, []string{"VirtualMachine"}, listed); err != nil {
			return err
		}
		folders, err = entities(ctx, vc)
		return err
	})
	if err != nil {
		return nil, err
	}
	for i := range vms {
		if m := &vms[i]; m.Config == nil || !m.Config.Template {
			list = append(list, describe(m, folders))
		}
	}
	return list, nil
}

// retrieve reads properties of all objects of some kinds through one view.
func retrieve[T any](ctx context.Context, vc *vim25.Client, kinds, props []string) (objects []T, err error) {
	v, err := view.NewManager(vc).CreateContainerView(ctx, vc.ServiceContent.RootFolder, kinds, true)
	if err != nil {
		return nil, err
	}
	defer v.Destroy(context.WithoutCancel(ctx))
	err = v.Retrieve(ctx, kinds, props, &objects)
	return objects, err
}

func entities(ctx context.Context, vc *vim25.Client) (map[types.ManagedObjectReference]mo.ManagedEntity, error) {
	m := map[types.ManagedObjectReference]mo.ManagedEntity{}
	for _, kind := range []string{"Folder", "Datacenter"} {
		es, err := retrieve[mo.ManagedEntity](ctx, vc, []string{kind}, []string{"name", "parent"})
		if err != nil {
			return nil, err
		}
		for _, e := range es {
			m[e.Self] = e
		}
	}
	return m, nil
}

func describe(m *mo.VirtualMachine, folders map[types.ManagedObjectReference]mo.ManagedEntity) vm.VM {
	v := vm.VM{ID: m.Self.Value, Name: m.Name}
	if m.Config != nil {
		v.UUID = m.Config.Uuid
	}
	if m.Guest != nil {
		if m.Guest.IpAddress != "" {
			v.IPs = append(v.IPs, m.Guest.IpAddress)
		}
		for _, n := range m.Guest.Net {
			v.IPs = append(v.IPs, n.IpAddress...)
			if n.MacAddress != "" {
				v.MACs = append(v.MACs, n.MacAddress)
			}
		}
	}
	slices.Sort(v.IPs)
	v.IPs = slices.Compact(v.IPs)
	var path []string
	for p := m.Parent; p != nil; {
		f, ok := folders[*p]
		if !ok {
			break // the root folder has no name in paths
		}
		path = append(path, f.Name)
		p = f.Parent
	}
	if len(path) > 0 {
		slices.Reverse(path)
		v.Groups = []string{strings.Join(path, "/")}
		v.Path = "/" + strings.Join(path, "/") + "/" + m.Name
	}
	return v
}

// read reads properties of one VM.
func (d *driver) read(ctx context.Context, v vm.VM, props ...string) (m mo.VirtualMachine, err error) {
	err = d.c.do(ctx, func(vc *vim25.Client) error {
		return property.DefaultCollector(vc).RetrieveOne(ctx, moref(v), props, &m)
	})
	return m, err
}

// Tree implements [vm.Driver].
func (d *driver) Tree(ctx context.Context, v vm.VM) ([]vm.Snapshot, error) {
	m, err := d.read(ctx, v, "snapshot")
	if err != nil {
		return nil, err
	}
	return tree(m.Snapshot), nil
}

func tree(info *types.VirtualMachineSnapshotInfo) (list []vm.Snapshot) {
	var walk func(nodes []types.VirtualMachineSnapshotTree, parent string)
	walk = func(nodes []types.VirtualMachineSnapshotTree, parent string) {
		for _, n := range nodes {
			list = append(list, vm.Snapshot{ID: n.Snapshot.Value, Name: n.Name, Parent: parent, Created: n.CreateTime,
				Quiesced: n.Quiesced, Mark: vm.ParseMark(n.Description)})
			walk(n.ChildSnapshotList, n.Snapshot.Value)
		}
	}
	if info != nil {
		walk(info.RootSnapshotList, "")
	}
	return list
}

// Forest implements [vm.Forester].
func (d *driver) Forest(ctx context.Context) (map[string][]vm.Snapshot, error) {
	var vms []mo.VirtualMachine
	err := d.c.do(ctx, func(vc *vim25.Client) (err error) {
		vms, err = retrieve[mo.VirtualMachine](ctx, vc, []string{"VirtualMachine"}, []string{"snapshot"})
		return err
	})
	forest := make(map[string][]vm.Snapshot, len(vms))
	for i := range vms {
		forest[vms[i].Self.Value] = tree(vms[i].Snapshot)
	}
	return forest, err
}

// task starts a task and waits for it. Only the start is repeated with a new
// session: a task that runs must not be started twice.
func (d *driver) task(ctx context.Context, start func(vc *vim25.Client) (*object.Task, error)) error {
	var ref types.ManagedObjectReference
	err := d.c.do(ctx, func(vc *vim25.Client) error {
		t, err := start(vc)
		if err == nil {
			ref = t.Reference()
		}
		return err
	})
	if err != nil {
		return err
	}
	return d.c.do(ctx, func(vc *vim25.Client) error {
		// WaitForResult has a collector of its own; WaitForResultEx shares
		// one, and parallel waiters block each other for ever.
		_, err := object.NewTask(vc, ref).WaitForResult(ctx)
		return err
	})
}

// Create implements [vm.Driver].
func (d *driver) Create(ctx context.Context, v vm.VM, w vm.Wanted) error {
	quiesce := w.Quiesce && !w.Memory // vSphere does one or the other
	err := d.task(ctx, func(vc *vim25.Client) (*object.Task, error) {
		return object.NewVirtualMachine(vc, moref(v)).CreateSnapshot(ctx, w.Name, w.Description, w.Memory, quiesce)
	})
	if err != nil && quiesce && quiesceFault(err) {
		return fmt.Errorf("%w: %w", vm.ErrQuiesce, err)
	}
	return err
}

func quiesceFault(err error) bool {
	for _, f := range []types.BaseMethodFault{&types.ApplicationQuiesceFault{}, &types.FilesystemQuiesceFault{}, &types.ToolsUnavailable{}} {
		if fault.Is(err, f) {
			return true
		}
	}
	return false
}

// Remove implements [vm.Driver]. Disks are consolidated if the hypervisor
// says that they need it.
func (d *driver) Remove(ctx context.Context, v vm.VM, s vm.Snapshot) error {
	err := d.task(ctx, func(vc *vim25.Client) (*object.Task, error) {
		consolidate := true
		res, err := methods.RemoveSnapshot_Task(ctx, vc, &types.RemoveSnapshot_Task{
			This:           types.ManagedObjectReference{Type: "VirtualMachineSnapshot", Value: s.ID},
			RemoveChildren: false, Consolidate: &consolidate})
		if err != nil {
			return nil, err
		}
		return object.NewTask(vc, res.Returnval), nil
	})
	if err != nil && katprep.KindOf(err) != katprep.NotFound {
		return err
	}
	m, err := d.read(ctx, v, "runtime.consolidationNeeded")
	if err != nil {
		return err
	}
	if !m.Runtime.ConsolidationNeeded {
		return nil
	}
	err = d.task(ctx, func(vc *vim25.Client) (*object.Task, error) {
		res, err := methods.ConsolidateVMDisks_Task(ctx, vc, &types.ConsolidateVMDisks_Task{This: moref(v)})
		if err != nil {
			return nil, err
		}
		return object.NewTask(vc, res.Returnval), nil
	})
	if err != nil {
		return katprep.Errorf(katprep.Conflict, "the snapshot is removed, but the VM's disks need consolidation: %w", err).
			WithHint("consolidate the disks in vCenter; a backup may hold one of them")
	}
	return nil
}

// Revert implements [vm.Driver].
func (d *driver) Revert(ctx context.Context, v vm.VM, s vm.Snapshot) error {
	err := d.task(ctx, func(vc *vim25.Client) (*object.Task, error) {
		res, err := methods.RevertToSnapshot_Task(ctx, vc, &types.RevertToSnapshot_Task{
			This: types.ManagedObjectReference{Type: "VirtualMachineSnapshot", Value: s.ID}})
		if err != nil {
			return nil, err
		}
		return object.NewTask(vc, res.Returnval), nil
	})
	if err != nil {
		return err
	}
	m, err := d.read(ctx, v, "snapshot")
	if err != nil {
		return katprep.Errorf(katprep.Unreachable, "the task ended well, but the VM cannot be looked at: %w", err)
	}
	if m.Snapshot == nil || m.Snapshot.CurrentSnapshot == nil || m.Snapshot.CurrentSnapshot.Value != s.ID {
		return katprep.Errorf(katprep.Conflict, "the task ended, but the VM's current snapshot is another one")
	}
	return nil
}

// Power implements [vm.Driver].
func (d *driver) Power(ctx context.Context, v vm.VM) (act.PowerState, error) {
	m, err := d.read(ctx, v, "runtime.powerState")
	if err != nil {
		return act.PowerUnknown, err
	}
	switch m.Runtime.PowerState {
	case types.VirtualMachinePowerStatePoweredOn:
		return act.PoweredOn, nil
	case types.VirtualMachinePowerStatePoweredOff:
		return act.PoweredOff, nil
	case types.VirtualMachinePowerStateSuspended:
		return act.Suspended, nil
	}
	return act.PowerUnknown, nil
}

// Switch implements [vm.Driver].
func (d *driver) Switch(ctx context.Context, v vm.VM, a vm.Action) error {
	switch a {
	case vm.On:
		return d.task(ctx, func(vc *vim25.Client) (*object.Task, error) {
			return object.NewVirtualMachine(vc, moref(v)).PowerOn(ctx)
		})
	case vm.Off:
		return d.task(ctx, func(vc *vim25.Client) (*object.Task, error) {
			return object.NewVirtualMachine(vc, moref(v)).PowerOff(ctx)
		})
	}
	return d.c.do(ctx, func(vc *vim25.Client) error { return object.NewVirtualMachine(vc, moref(v)).ShutdownGuest(ctx) })
}

// Check implements [vm.Checker].
func (d *driver) Check(ctx context.Context, v vm.VM, o act.SnapshotOptions) error {
	if o.Memory && o.Quiesce == act.QuiesceRequire {
		return katprep.Errorf(katprep.Invalid, "vSphere makes a snapshot with memory or a quiesced one, not both").
			WithHint("set memory: false, or quiesce: try")
	}
	m, err := d.read(ctx, v, "config.hardware.device", "capability.snapshotOperationsSupported", "datastore")
	if err != nil {
		return err
	}
	if m.Config != nil {
		if err := checkDevices(m.Config.Hardware.Device); err != nil {
			return fmt.Errorf("VM %q: %w", v.Name, err)
		}
	}
	stores, err := d.datastores(ctx, m.Datastore)
	if err != nil {
		return err
	}
	for _, s := range stores {
		if d.c.o.MinFree > 0 && s.Capacity > 0 && s.FreeSpace < s.Capacity/100*int64(d.c.o.MinFree) {
			return katprep.Errorf(katprep.Conflict, "datastore %s has %d of %d GiB free, less than %d %%", s.Name, s.FreeSpace>>30, s.Capacity>>30, d.c.o.MinFree).
				WithHint("make room: a snapshot that fills a datastore stops every VM on it")
		}
	}
	return nil
}

// checkDevices finds what vSphere cannot snapshot, or would leave out.
func checkDevices(devices []types.BaseVirtualDevice) error {
	for _, dev := range devices {
		name := fmt.Sprintf("device %d", dev.GetVirtualDevice().Key)
		if info := dev.GetVirtualDevice().DeviceInfo; info != nil {
			name = cmp.Or(info.GetDescription().Label, name)
		}
		switch x := dev.(type) {
		case *types.VirtualDisk:
			if why := diskProblem(x); why != "" {
				return katprep.Errorf(katprep.Conflict, "%s is %s", name, why)
			}
		case types.BaseVirtualSCSIController:
			if s := x.GetVirtualSCSIController().SharedBus; s != "" && s != types.VirtualSCSISharingNoSharing {
				return katprep.Errorf(katprep.Conflict, "%s shares its bus with other VMs: no snapshot is possible", name)
			}
		}
	}
	return nil
}

func diskProblem(disk *types.VirtualDisk) string {
	mode := ""
	switch b := disk.Backing.(type) {
	case *types.VirtualDiskFlatVer2BackingInfo:
		mode = b.DiskMode
	case *types.VirtualDiskSeSparseBackingInfo:
		mode = b.DiskMode
	case *types.VirtualDiskRawDiskMappingVer1BackingInfo:
		if mode = b.DiskMode; b.CompatibilityMode == string(types.VirtualDiskCompatibilityModePhysicalMode) {
			return "a raw device in physical mode: no snapshot is possible"
		}
	}
	if strings.HasPrefix(mode, "independent") {
		return "independent: a snapshot leaves it out, so a revert would be half"
	}
	return ""
}

func (d *driver) datastores(ctx context.Context, refs []types.ManagedObjectReference) (list []types.DatastoreSummary, err error) {
	if len(refs) == 0 {
		return nil, nil
	}
	var stores []mo.Datastore
	err = d.c.do(ctx, func(vc *vim25.Client) error {
		return property.DefaultCollector(vc).Retrieve(ctx, refs, []string{"summary"}, &stores)
	})
	for _, s := range stores {
		list = append(list, s.Summary)
	}
	slices.SortFunc(list, func(a, b types.DatastoreSummary) int { return cmp.Compare(a.Name, b.Name) })
	return list, err
}

// Places keeps the contract of [act.Placer]: the datastores of the VM.
func (c *Client) Places(ctx context.Context, t act.Target) ([]string, error) {
	v, err := c.Find(ctx, t)
	if err != nil {
		return nil, err
	}
	d := c.driver()
	m, err := d.read(ctx, v, "datastore")
	if err != nil {
		return nil, err
	}
	stores, err := d.datastores(ctx, m.Datastore)
	var names []string
	for _, s := range stores {
		names = append(names, s.Name)
	}
	return names, err
}
