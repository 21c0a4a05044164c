package acttest

import (
	"sync"
	"testing"

	"github.com/stdevel/katprep/act"
)

// A RequestsFixture is a hypervisor whose requests are counted.
type RequestsFixture struct {
	Snapshotter act.Snapshotter
	Targets     []act.Target // VMs without snapshots; the suite sets the marker
	Count       func() int   // requests so far
	Most        int          // requests for one VM's snapshot, found and removed again
}

// Requests tests that the number of requests for a VM does not grow with the
// number of VMs: eight at once are snapshot, found and removed.
func Requests(t *testing.T, f RequestsFixture) {
	begun := f.Count()
	if _, found, err := f.Snapshotter.FindSnapshot(bounded(t, 0), with(f.Targets[0], markerA)); err != nil || found {
		t.Fatalf("FindSnapshot: %v, %v", found, err)
	}
	once := f.Count() - begun // the login and the list of VMs
	few := f.many(t, f.Targets[:len(f.Targets)/10])
	all := f.many(t, f.Targets)
	t.Logf("%d requests once, then for each VM %d.%d of a few and %d.%d of %d", once, few/10, few%10, all/10, all%10, len(f.Targets))
	if all > 10*f.Most || few > 10*f.Most {
		t.Errorf("%d requests for 10 VMs of a few, %d of many; want at most %d", few, all, 10*f.Most)
	}
}

// many does it for the targets and returns the requests for ten VMs.
func (f RequestsFixture) many(t *testing.T, targets []act.Target) int {
	t.Helper()
	begun := f.Count()
	ctx := bounded(t, 0)
	slots := make(chan struct{}, 8)
	var wg sync.WaitGroup
	for _, target := range targets {
		target = with(target, markerA)
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			if _, err := f.Snapshotter.CreateSnapshot(ctx, target, act.SnapshotOptions{}); err != nil {
				t.Errorf("CreateSnapshot: %v", err)
			}
			if _, found, err := f.Snapshotter.FindSnapshot(ctx, target); err != nil || !found {
				t.Errorf("FindSnapshot: %v, %v", found, err)
			}
			if err := f.Snapshotter.RemoveSnapshot(ctx, target); err != nil {
				t.Errorf("RemoveSnapshot: %v", err)
			}
		})
	}
	wg.Wait()
	return (f.Count() - begun) * 10 / len(targets)
}
