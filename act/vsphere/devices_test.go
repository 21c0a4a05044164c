package vsphere

import (
	"strings"
	"testing"

	"github.com/vmware/govmomi/vim25/types"

	"github.com/stdevel/katprep"
)

func TestDevices(t *testing.T) {
	disk := func(b types.BaseVirtualDeviceBackingInfo) types.BaseVirtualDevice {
		return &types.VirtualDisk{VirtualDevice: types.VirtualDevice{Key: 2000, Backing: b, DeviceInfo: &types.Description{Label: "Hard disk 1"}}}
	}
	rdm := func(mode, compat string) types.BaseVirtualDevice {
		return disk(&types.VirtualDiskRawDiskMappingVer1BackingInfo{DiskMode: mode, CompatibilityMode: compat})
	}
	bus := func(s types.VirtualSCSISharing) types.BaseVirtualDevice {
		return &types.ParaVirtualSCSIController{VirtualSCSIController: types.VirtualSCSIController{SharedBus: s}}
	}
	for what, c := range map[string]struct {
		device types.BaseVirtualDevice
		want   string // of the refusal
	}{
		"flat":                    {disk(&types.VirtualDiskFlatVer2BackingInfo{DiskMode: "persistent"}), ""},
		"independent":             {disk(&types.VirtualDiskFlatVer2BackingInfo{DiskMode: "independent_persistent"}), "Hard disk 1 is independent"},
		"independent, sparse":     {disk(&types.VirtualDiskSeSparseBackingInfo{DiskMode: "independent_nonpersistent"}), "independent"},
		"raw, virtual mode":       {rdm("persistent", "virtualMode"), ""},
		"raw, physical mode":      {rdm("persistent", "physicalMode"), "raw device in physical mode"},
		"raw, independent":        {rdm("independent_persistent", "virtualMode"), "independent"},
		"controller":              {bus(types.VirtualSCSISharingNoSharing), ""},
		"controller of a cluster": {bus(types.VirtualSCSISharingPhysicalSharing), "shares its bus"},
		"CD":                      {&types.VirtualCdrom{}, ""},
	} {
		err := checkDevices([]types.BaseVirtualDevice{c.device})
		if (err != nil) != (c.want != "") || err != nil && (katprep.KindOf(err) != katprep.Conflict || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %v, want %q", what, err, c.want)
		}
	}
}
