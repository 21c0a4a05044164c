package libvirt

import (
	"encoding/xml"
	"strings"
	"testing"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/internal/vm"
)

// TestPolicy decides which kind of snapshot VMs get, from their definitions as
// libvirt writes them, and refuses the others with the true reason.
func TestPolicy(t *testing.T) {
	const qcow2 = `<disk type="file" device="disk"><driver name="qemu" type="qcow2"/><source file="/a"/><target dev="vda"/></disk>`
	raw := strings.Replace(strings.Replace(qcow2, `"qcow2"`, `"raw"`, 1), "vda", "vdb", 1)
	shared := strings.Replace(qcow2, "<target", "<shareable/><target", 1)
	cdrom := `<disk type="file" device="cdrom"><driver name="qemu" type="raw"/><target dev="sda"/><readonly/></disk>`
	lun := `<disk type="block" device="lun"><driver name="qemu" type="raw"/><source dev="/dev/sdb"/><target dev="sdb"/></disk>`
	hostdev := `<hostdev mode="subsystem" type="pci"/>`
	pflash := `<os><loader type="pflash">/ovmf</loader><nvram>/vars</nvram></os>`
	const (
		none = iota
		hasInternal
		hasExternal
		hasBoth
	)
	for what, c := range map[string]struct {
		devices, os string
		snapshots   int
		running     bool
		canRevert   bool // to external snapshots
		kind        kind
		refused     string
	}{
		"qcow2":                              {qcow2 + cdrom, "", none, true, false, internal, ""},
		"qcow2 with internal ones":           {qcow2, "", hasInternal, true, true, internal, ""},
		"qcow2 with external ones":           {qcow2, "", hasExternal, true, true, external, ""},
		"qcow2 with external ones, old":      {qcow2, "", hasExternal, true, false, 0, "can make those, but not revert to them"},
		"raw":                                {qcow2 + raw, "", none, true, true, external, ""},
		"raw, old":                           {qcow2 + raw, "", none, true, false, 0, "disk vdb is raw, not qcow2, so a snapshot must be external, and this libvirt can make those, but not revert to them"},
		"raw with internal ones":             {raw, "", hasInternal, true, true, 0, "must not be mixed"},
		"both kinds already":                 {qcow2, "", hasBoth, false, true, 0, "must not be mixed"},
		"a LUN of the host, old":             {qcow2 + lun, "", none, false, false, 0, "disk sdb is raw"},
		"shared":                             {shared, "", none, false, true, 0, "shared with other VMs"},
		"no disk":                            {cdrom, "", none, true, true, 0, "no disk"},
		"passed-through device, running":     {qcow2 + hostdev, "", none, true, true, 0, "passed through"},
		"passed-through device, off":         {qcow2 + hostdev, "", none, false, true, internal, ""},
		"UEFI with variables in a raw file":  {qcow2, pflash, none, true, false, 0, "UEFI variables"},
		"UEFI with variables in qcow2":       {qcow2, strings.Replace(pflash, "<nvram", `<nvram format="qcow2"`, 1), none, true, false, internal, ""},
		"UEFI with variables in a raw file+": {qcow2, pflash, none, true, true, external, ""},
	} {
		d := &domain{}
		if err := xml.Unmarshal([]byte(`<domain>`+c.os+`<devices>`+c.devices+`</devices></domain>`), d); err != nil {
			t.Fatal(err)
		}
		var tree []vm.Snapshot
		for bit, kind := range map[int]string{hasInternal: "internal", hasExternal: "external"} {
			if c.snapshots&bit == 0 {
				continue
			}
			s := &snapshotXML{}
			if err := xml.Unmarshal([]byte(`<domainsnapshot><memory snapshot="no"/><disks><disk name="vda" snapshot="`+kind+`"/></disks></domainsnapshot>`), s); err != nil {
				t.Fatal(err)
			}
			tree = append(tree, vm.Snapshot{Native: s})
		}
		k, err := choose(d, tree, c.running, c.canRevert)
		switch {
		case c.refused == "" && (err != nil || k != c.kind):
			t.Errorf("%s: kind %d, %v; want kind %d", what, k, err, c.kind)
		case c.refused != "" && (katprep.KindOf(err) != katprep.Conflict || !strings.Contains(err.Error(), c.refused) || katprep.HintOf(err) == ""):
			t.Errorf("%s: %v, want it refused with %q and a hint", what, err, c.refused)
		}
	}
}
