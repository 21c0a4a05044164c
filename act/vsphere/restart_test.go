package vsphere_test

import (
	"net/url"
	"testing"
	"time"

	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/types"

	"github.com/stdevel/katprep/act"
	"github.com/stdevel/katprep/act/acttest"
	"github.com/stdevel/katprep/act/vsphere"
)

// TestRestarts cuts every connection to the simulator and ends all sessions,
// as a restart of vCenter's services does. The simulator itself would forget
// its VMs.
func TestRestarts(t *testing.T) {
	s, _, other := sim(t, 1)
	relay := acttest.NewRelay(t, s.URL.Host)
	through := *s
	through.URL = &url.URL{Scheme: s.URL.Scheme, Host: relay.Addr(), Path: s.URL.Path, User: s.URL.User}
	m := object1(t, other, "DC0_H0_VM0")
	acttest.Restarts(t, acttest.RestartFixture{
		Open: func(t *testing.T) act.Snapshotter {
			return open(t, &through, vsphere.Options{Thumbprint: s.CertificateInfo().ThumbprintSHA256})
		},
		Target: act.Target{Name: "DC0_H0_VM0"},
		Kill:   func(*testing.T) { relay.Cut() },
		Start: func(t *testing.T) {
			if n := len(sessions(t, other)); n > 0 {
				terminateOthers(t, other)
			}
			relay.Join()
		},
		Ours: func(t *testing.T, marker act.Marker) int {
			var vm mo.VirtualMachine
			if err := m.Properties(t.Context(), m.Reference(), []string{"snapshot"}, &vm); err != nil {
				t.Fatal(err)
			}
			if vm.Snapshot == nil {
				return 0
			}
			return count(vm.Snapshot.RootSnapshotList, string(marker))
		},
		Moments: []time.Duration{time.Millisecond, 10 * time.Millisecond, 40 * time.Millisecond},
	})
}

// count counts the snapshots of a name at any depth.
func count(tree []types.VirtualMachineSnapshotTree, name string) (n int) {
	for _, s := range tree {
		if s.Name == name {
			n++
		}
		n += count(s.ChildSnapshotList, name)
	}
	return n
}
