package libvirt

import (
	"context"
	"encoding/hex"
	"encoding/xml"
	"fmt"
	"slices"
	"strings"
	"time"

	lv "github.com/digitalocean/go-libvirt"
	"golang.org/x/sync/errgroup"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/act"
	"github.com/stdevel/katprep/internal/vm"
)

// driver implements [vm.Driver].
type driver struct{ c *Client }

// parallel bounds the questions at once over the one connection.
const parallel = 8

// handle returns libvirt's handle of a VM; it stays valid over restarts.
func handle(v vm.VM) (d lv.Domain, err error) {
	raw, err := hex.DecodeString(strings.ReplaceAll(v.UUID, "-", ""))
	if err != nil || len(raw) != len(d.UUID) {
		return d, katprep.Errorf(katprep.Internal, "UUID %q of VM %q", v.UUID, v.Name)
	}
	d.Name, d.ID = v.Name, -1
	copy(d.UUID[:], raw)
	return d, nil
}

func uuidText(u lv.UUID) string {
	s := hex.EncodeToString(u[:])
	return s[:8] + "-" + s[8:12] + "-" + s[12:16] + "-" + s[16:20] + "-" + s[20:]
}

// List implements [vm.Driver].
func (d *driver) List(ctx context.Context, addresses bool) ([]vm.VM, error) {
	doms, err := call(ctx, d.c, func(cn *conn) ([]lv.Domain, error) {
		doms, _, err := cn.ConnectListAllDomains(1, 0)
		return doms, err
	})
	if err != nil {
		return nil, err
	}
	doms = slices.DeleteFunc(doms, func(x lv.Domain) bool { return x.Name == "Domain-0" }) // Xen's host itself
	list := make([]vm.VM, len(doms))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(parallel)
	for i, x := range doms {
		g.Go(func() (err error) {
			list[i], err = d.describe(ctx, x, addresses)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	return slices.DeleteFunc(list, func(v vm.VM) bool { return v.ID == "" }), nil
}

// describe reads one VM; one that vanished meanwhile is the zero value.
func (d *driver) describe(ctx context.Context, x lv.Domain, addresses bool) (vm.VM, error) {
	def, err := d.domain(ctx, x)
	if katprep.KindOf(err) == katprep.NotFound && err != nil {
		return vm.VM{}, nil
	}
	if err != nil {
		return vm.VM{}, err
	}
	v := vm.VM{ID: uuidText(x.UUID), Name: x.Name, UUID: uuidText(x.UUID)}
	for _, n := range def.Interfaces {
		if n.MAC.Address != "" {
			v.MACs = append(v.MACs, n.MAC.Address)
		}
	}
	if addresses {
		v.IPs, err = d.addresses(ctx, x, def)
	}
	return v, err
}

// domain reads a VM's definition.
func (d *driver) domain(ctx context.Context, x lv.Domain) (*domain, error) {
	return call(ctx, d.c, func(cn *conn) (*domain, error) {
		text, err := cn.DomainGetXMLDesc(x, 0)
		if err != nil {
			return nil, err
		}
		def := &domain{}
		if err := xml.Unmarshal([]byte(text), def); err != nil {
			return nil, katprep.Errorf(katprep.Corrupt, "definition of VM %q: %w", x.Name, err)
		}
		return def, nil
	})
}

// addresses asks the guest's agent if there is one, else the leases of
// libvirt's own networks. A guest that does not tell has no addresses.
func (d *driver) addresses(ctx context.Context, x lv.Domain, def *domain) ([]string, error) {
	source := lv.DomainInterfaceAddressesSrcLease
	if def.agent() {
		source = lv.DomainInterfaceAddressesSrcAgent
	}
	return call(ctx, d.c, func(cn *conn) (ips []string, err error) {
		ifaces, err := cn.DomainInterfaceAddresses(x, uint32(source), 0)
		if code(err) != 0 {
			return nil, nil // off, no agent, or no such thing in this driver
		}
		for _, i := range ifaces {
			for _, a := range i.Addrs {
				if a.Addr != "127.0.0.1" && a.Addr != "::1" {
					ips = append(ips, a.Addr)
				}
			}
		}
		slices.Sort(ips)
		return slices.Compact(ips), err
	})
}

// Tree implements [vm.Driver].
func (d *driver) Tree(ctx context.Context, v vm.VM) ([]vm.Snapshot, error) {
	x, err := handle(v)
	if err != nil {
		return nil, err
	}
	return call(ctx, d.c, func(cn *conn) ([]vm.Snapshot, error) {
		snaps, _, err := cn.DomainListAllSnapshots(x, 1, uint32(lv.DomainSnapshotListTopological))
		if err != nil {
			if code(err) == codeNoSupport {
				return nil, katprep.Errorf(katprep.Invalid, "the %s driver of libvirt has no VM snapshots", cn.driver).
					WithHint("set katprep_virt_snapshot to 0, or use the hypervisor's own interface (XAPI, Hyper-V)")
			}
			return nil, err
		}
		tree := make([]vm.Snapshot, 0, len(snaps))
		for _, s := range snaps {
			text, err := cn.DomainSnapshotGetXMLDesc(s, 0)
			if code(err) == codeNoSnapshot {
				continue // gone since it was listed
			}
			if err != nil {
				return nil, err
			}
			sx := &snapshotXML{}
			if err := xml.Unmarshal([]byte(text), sx); err != nil {
				return nil, katprep.Errorf(katprep.Corrupt, "snapshot %q: %w", s.Name, err)
			}
			tree = append(tree, sx.snapshot())
		}
		return tree, nil
	})
}

// plan decides how a snapshot would be made.
func (d *driver) plan(ctx context.Context, v vm.VM, running bool) (k kind, qemu bool, err error) {
	x, err := handle(v)
	if err != nil {
		return 0, false, err
	}
	def, err := d.domain(ctx, x)
	if err != nil {
		return 0, false, err
	}
	tree, err := d.Tree(ctx, v)
	if err != nil {
		return 0, false, err
	}
	cn, err := d.c.connection(ctx)
	if err != nil || !cn.isQEMU() {
		return internal, false, err
	}
	k, err = choose(def, tree, running, cn.external)
	return k, true, err
}

// Create implements [vm.Driver].
func (d *driver) Create(ctx context.Context, v vm.VM, w vm.Wanted) error {
	k, qemu, err := d.plan(ctx, v, w.Running)
	if err != nil {
		return err
	}
	text, err := request(w.Name, w.Description)
	if err != nil {
		return err
	}
	if k == internal {
		return d.createInternal(ctx, v, text, w.Quiesce, qemu)
	}
	flags := lv.DomainSnapshotCreateDiskOnly | lv.DomainSnapshotCreateAtomic
	if w.Quiesce {
		flags |= lv.DomainSnapshotCreateQuiesce
	}
	return d.make(ctx, v, text, flags)
}

func (d *driver) make(ctx context.Context, v vm.VM, text string, flags lv.DomainSnapshotCreateFlags) error {
	x, err := handle(v)
	if err != nil {
		return err
	}
	return d.c.do(ctx, func(cn *conn) error {
		_, err := cn.DomainSnapshotCreateXML(x, text, uint32(flags))
		switch {
		case code(err) == codeAgent:
			return fmt.Errorf("%w: %w", vm.ErrQuiesce, err)
		case code(err) == codeFailed && strings.Contains(err.Error(), "already exists in one or more devices"):
			// A daemon that is killed while it makes one leaves it there.
			return katprep.Errorf(katprep.Conflict, "%w: the VM's disk images hold a snapshot that libvirt does not know, left by an attempt that was cut off (qemu-img snapshot -l shows it)", vm.ErrTaken)
		}
		return err
	})
}

// createInternal freezes the guest around the snapshot if it is to be
// quiesced, and always thaws it again.
func (d *driver) createInternal(ctx context.Context, v vm.VM, text string, quiesce, qemu bool) error {
	if !quiesce {
		return d.make(ctx, v, text, 0)
	}
	if !qemu {
		return fmt.Errorf("%w: this driver cannot", vm.ErrQuiesce)
	}
	x, err := handle(v)
	if err != nil {
		return err
	}
	err = d.c.do(ctx, func(cn *conn) error { _, err := cn.DomainFsfreeze(x, nil, 0); return err })
	if err != nil {
		if code(err) != 0 {
			return fmt.Errorf("%w: %w", vm.ErrQuiesce, err)
		}
		return err
	}
	made := d.make(ctx, v, text, 0)
	if err := d.thaw(context.WithoutCancel(ctx), x); err != nil {
		return fmt.Errorf("the guest's file systems may still be frozen: %w", err)
	}
	return made
}

// thawWait is how long an agent may take to answer, after a revert too.
const thawWait = 30 * time.Second

// thaw tries until the agent answers.
func (d *driver) thaw(ctx context.Context, x lv.Domain) error {
	ctx, cancel := context.WithTimeout(ctx, thawWait)
	defer cancel()
	for {
		err := d.c.do(ctx, func(cn *conn) error { _, err := cn.DomainFsthaw(x, nil, 0); return err })
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(500 * time.Millisecond):
		}
	}
}

func (d *driver) find(cn *conn, v vm.VM, s vm.Snapshot) (lv.DomainSnapshot, error) {
	x, err := handle(v)
	if err != nil {
		return lv.DomainSnapshot{}, err
	}
	return cn.DomainSnapshotLookupByName(x, s.Name, 0)
}

// Remove implements [vm.Driver].
func (d *driver) Remove(ctx context.Context, v vm.VM, s vm.Snapshot) error {
	err := d.c.do(ctx, func(cn *conn) error {
		snap, err := d.find(cn, v, s)
		if err == nil {
			err = cn.DomainSnapshotDelete(snap, 0)
		}
		if code(err) == codeNoSnapshot {
			return nil
		}
		return err
	})
	if x, ok := s.Native.(*snapshotXML); ok && err != nil {
		if _, ext := x.kinds(); ext && code(err) != 0 {
			return katprep.Errorf(katprep.Conflict, "%w", err).
				WithHint("an external snapshot may need its VM running, or its children removed first")
		}
	}
	return err
}

// Revert implements [vm.Driver].
func (d *driver) Revert(ctx context.Context, v vm.VM, s vm.Snapshot) error {
	var flags lv.DomainSnapshotRevertFlags
	if x, ok := s.Native.(*snapshotXML); ok {
		if _, ext := x.kinds(); ext && s.Mark.Running {
			flags |= lv.DomainSnapshotRevertRunning // its memory is not in it, so it would stay off
		}
	}
	err := d.c.do(ctx, func(cn *conn) error {
		snap, err := d.find(cn, v, s)
		if err != nil {
			return err
		}
		err = cn.DomainRevertToSnapshot(snap, uint32(flags))
		if code(err) == codeRisky { // the VM's hardware was changed since: it must be restarted for that
			err = cn.DomainRevertToSnapshot(snap, uint32(flags|lv.DomainSnapshotRevertForce))
		}
		return err
	})
	if err != nil || !s.Mark.Quiesced {
		return err
	}
	if x, ok := s.Native.(*snapshotXML); ok && x.Memory.Kind != "internal" {
		return nil // booted afresh, so nothing is frozen
	}
	h, err := handle(v)
	if err != nil {
		return err
	}
	if err := d.thaw(ctx, h); err != nil {
		return fmt.Errorf("the VM is reverted, but its file systems may still be frozen: %w", err)
	}
	return nil
}

// Power implements [vm.Driver].
func (d *driver) Power(ctx context.Context, v vm.VM) (act.PowerState, error) {
	x, err := handle(v)
	if err != nil {
		return act.PowerUnknown, err
	}
	state, err := call(ctx, d.c, func(cn *conn) (lv.DomainState, error) {
		s, _, err := cn.DomainGetState(x, 0)
		return lv.DomainState(s), err
	})
	if err != nil {
		return act.PowerUnknown, err
	}
	switch state {
	case lv.DomainRunning, lv.DomainBlocked, lv.DomainShutdown:
		return act.PoweredOn, nil
	case lv.DomainShutoff, lv.DomainCrashed:
		return act.PoweredOff, nil
	case lv.DomainPaused, lv.DomainPmsuspended:
		return act.Suspended, nil
	}
	return act.PowerUnknown, nil
}

// Switch implements [vm.Driver].
func (d *driver) Switch(ctx context.Context, v vm.VM, a vm.Action) error {
	x, err := handle(v)
	if err != nil {
		return err
	}
	was, err := d.Power(ctx, v)
	if err != nil {
		return err
	}
	return d.c.do(ctx, func(cn *conn) error {
		switch {
		case a == vm.On && was == act.Suspended:
			return cn.DomainResume(x)
		case a == vm.On:
			return cn.DomainCreate(x)
		case a == vm.Off:
			return cn.DomainDestroy(x)
		}
		return cn.DomainShutdownFlags(x, 0)
	})
}
