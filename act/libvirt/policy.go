package libvirt

import (
	"strings"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/internal/vm"
)

// A kind is where libvirt keeps a snapshot.
type kind int

const (
	internal kind = iota // inside the qcow2 images, with memory if the VM runs
	external             // the disks go on in new files
)

// choose decides which kind of snapshot a VM gets, or says why none would be
// of use. The two kinds are never mixed in one VM: a revert to one would lose
// the other without a word.
func choose(d *domain, tree []vm.Snapshot, running, canRevert bool) (kind, error) {
	refuse := func(hint, format string, args ...any) (kind, error) {
		return 0, katprep.Errorf(katprep.Conflict, format, args...).WithHint("%s", hint)
	}
	hasInternal, hasExternal := kindsOf(tree)
	why := ""
	disks := 0
	for _, x := range d.Disks {
		if !x.counts() {
			continue
		}
		disks++
		if x.Shareable != nil {
			return refuse("take the shared disk out of the VM, or its host out of snapshots", "disk %s is shared with other VMs: it cannot be reverted alone", x.Target.Dev)
		}
		if x.Driver.Type != "qcow2" {
			why = "disk " + x.Target.Dev + " is " + x.Driver.Type + ", not qcow2"
		}
	}
	if d.Loader.Type == "pflash" && d.NVRAM.Format != "qcow2" {
		why = "the VM's UEFI variables are not in a qcow2 file"
	}
	switch {
	case disks == 0:
		return refuse("set katprep_virt_snapshot to 0", "the VM has no disk that a snapshot could hold")
	case running && len(d.HostDevs) > 0:
		return refuse("shut the VM down first, or set katprep_virt_snapshot to 0", "a device of the host is passed through: a running VM cannot be snapshot")
	case why == "" && !hasExternal:
		return internal, nil
	case why == "":
		why = "it has external snapshots already"
	}
	switch {
	case hasInternal:
		return refuse("remove the internal snapshots", "%s, and it has internal snapshots: the kinds must not be mixed", why)
	case !canRevert:
		return refuse("convert the disks to qcow2, or update libvirt to 9.9 or later", "%s, so a snapshot must be external, and this libvirt can make those, but not revert to them", why)
	}
	return external, nil
}

func kindsOf(tree []vm.Snapshot) (hasInternal, hasExternal bool) {
	for _, s := range tree {
		if x, ok := s.Native.(*snapshotXML); ok {
			i, e := x.kinds()
			hasInternal, hasExternal = hasInternal || i, hasExternal || e
		}
	}
	return hasInternal, hasExternal
}

// isQEMU reports whether the driver keeps snapshots in disk images; others
// (the test driver, ESX, VirtualBox) have their own ways and get plain ones.
func (cn *conn) isQEMU() bool { return strings.EqualFold(cn.driver, "qemu") }
