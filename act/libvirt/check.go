package libvirt

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	lv "github.com/digitalocean/go-libvirt"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/act"
	"github.com/stdevel/katprep/internal/vm"
)

// Check implements [vm.Checker].
func (d *driver) Check(ctx context.Context, v vm.VM, o act.SnapshotOptions) error {
	power, err := d.Power(ctx, v)
	if err != nil {
		return err
	}
	_, qemu, err := d.plan(ctx, v, power == act.PoweredOn)
	if err != nil {
		return fmt.Errorf("VM %q: %w", v.Name, err)
	}
	if qemu && o.Quiesce == act.QuiesceRequire && power == act.PoweredOn {
		x, err := handle(v)
		if err != nil {
			return err
		}
		def, err := d.domain(ctx, x)
		if err != nil {
			return err
		}
		if !def.agent() {
			return katprep.Errorf(katprep.Conflict, "VM %q: its guest agent is not connected, so it cannot be quiesced", v.Name).
				WithHint("install and start qemu-guest-agent in the guest, or set quiesce to try")
		}
	}
	pools, err := d.pools(ctx, v)
	for _, p := range pools {
		if m := d.c.o.MinFree; m > 0 && p.capacity > 0 && p.available < p.capacity/100*uint64(m) {
			return katprep.Errorf(katprep.Conflict, "storage pool %s has %d of %d GiB free, less than %d %%", p.name, p.available>>30, p.capacity>>30, m).
				WithHint("make room: a full pool stops every VM in it")
		}
	}
	return err
}

type pool struct {
	name                string
	capacity, available uint64
}

// pools returns the storage pools that hold the VM's disks. A disk outside
// of all pools is not seen.
func (d *driver) pools(ctx context.Context, v vm.VM) ([]pool, error) {
	x, err := handle(v)
	if err != nil {
		return nil, err
	}
	def, err := d.domain(ctx, x)
	if err != nil {
		return nil, err
	}
	return call(ctx, d.c, func(cn *conn) (list []pool, err error) {
		for _, x := range def.Disks {
			path := cmp.Or(x.Source.File, x.Source.Dev)
			if !x.counts() || path == "" {
				continue
			}
			p, ok, err := poolOf(cn, path)
			if err != nil {
				return nil, err
			}
			if ok && !slices.Contains(list, p) {
				list = append(list, p)
			}
		}
		slices.SortFunc(list, func(a, b pool) int { return cmp.Compare(a.name, b.name) })
		return list, nil
	})
}

func poolOf(cn *conn, path string) (pool, bool, error) {
	vol, err := cn.StorageVolLookupByPath(path)
	var p lv.StoragePool
	if err == nil {
		p, err = cn.StoragePoolLookupByVolume(vol)
	}
	if code(err) != 0 {
		return pool{}, false, nil // in no pool, or no storage driver
	}
	if err != nil {
		return pool{}, false, err
	}
	_, capacity, _, available, err := cn.StoragePoolGetInfo(p)
	if code(err) != 0 {
		return pool{}, false, nil
	}
	return pool{p.Name, capacity, available}, true, err
}

// Places keeps the contract of [act.Placer]: the storage pools of the VM.
func (c *Client) Places(ctx context.Context, t act.Target) ([]string, error) {
	v, err := c.Find(ctx, t)
	if err != nil {
		return nil, err
	}
	pools, err := (&driver{c}).pools(ctx, v)
	var names []string
	for _, p := range pools {
		names = append(names, p.name)
	}
	return names, err
}
