package acttest

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/act"
)

// A SnapshotterFixture is a hypervisor under test. It must have at least two
// running VMs without snapshots that carry the markers of the suite.
type SnapshotterFixture struct {
	Snapshotter act.Snapshotter
	Targets     []act.Target // at least two VMs; the suite sets the markers
	Unknown     act.Target   // names a VM that the hypervisor does not have
	// Foreign makes a VM snapshot of the name as somebody else would, on top
	// of the VM's current snapshot, and returns functions that say whether
	// it is still there and that remove it.
	Foreign func(t *testing.T, target act.Target, name string) (there func() bool, remove func())
	// State returns the VM's power state; nil if RevertSnapshot's power
	// handling cannot be watched.
	State func(t *testing.T, target act.Target) act.PowerState
	// NoNesting says that the hypervisor keeps no tree of snapshots.
	NoNesting bool
	// Timeout bounds each call; zero is 60 s.
	Timeout time.Duration
}

// Snapshotter tests that a backend keeps the contract of [act.Snapshotter].
func Snapshotter(t *testing.T, f SnapshotterFixture) {
	if len(f.Targets) < 2 || f.Foreign == nil {
		t.Fatal("the fixture needs two VMs and snapshots of somebody else")
	}
	if f.Timeout == 0 {
		f.Timeout = time.Minute
	}
	tests := []struct {
		name string
		run  func(*testing.T, SnapshotterFixture)
	}{
		{"Identify", func(t *testing.T, f SnapshotterFixture) { identify(t, f.Snapshotter, f.Timeout) }},
		{"CreateFindRemove", snapshotLife},
		{"Adopt", snapshotAdopt},
		{"OtherMarkers", snapshotMarkers},
		{"OtherVMs", snapshotVMs},
		{"TakenName", snapshotTakenName},
		{"Deep", snapshotDeep},
		{"ChildrenStay", snapshotChildren},
		{"HostileDescription", snapshotDescription},
		{"HostileMarkers", snapshotHostile},
		{"RevertDeep", snapshotRevertDeep},
		{"Revert", snapshotRevert},
		{"RevertWithout", snapshotRevertWithout},
		{"UnknownVM", snapshotUnknown},
		{"Cancelled", snapshotCancelled},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			removeAll(t, f)
			test.run(t, f)
			removeAll(t, f)
		})
	}
}

func removeAll(t *testing.T, f SnapshotterFixture) {
	t.Helper()
	for _, target := range f.Targets {
		for _, m := range []act.Marker{markerB, markerA} {
			remove(t, f, with(target, m))
		}
	}
}

func remove(t *testing.T, f SnapshotterFixture, target act.Target) {
	t.Helper()
	if err := f.Snapshotter.RemoveSnapshot(bounded(t, f.Timeout), target); err != nil {
		t.Fatalf("RemoveSnapshot(%s): %v", target.Marker, err)
	}
}

func create(t *testing.T, f SnapshotterFixture, target act.Target) act.Ref {
	t.Helper()
	ref, err := f.Snapshotter.CreateSnapshot(bounded(t, f.Timeout), target, act.SnapshotOptions{Description: "contract", Quiesce: act.QuiesceNo})
	if err != nil {
		t.Fatalf("CreateSnapshot(%s): %v", target.Marker, err)
	}
	if ref.ID == "" {
		t.Fatalf("CreateSnapshot: the reference %+v has no ID", ref)
	}
	return ref
}

func wantSnapshot(t *testing.T, f SnapshotterFixture, target act.Target, want bool) act.Ref {
	t.Helper()
	ref, found, err := f.Snapshotter.FindSnapshot(bounded(t, f.Timeout), target)
	if err != nil {
		t.Fatalf("FindSnapshot(%s): %v", target.Marker, err)
	}
	if found != want {
		t.Fatalf("FindSnapshot(%s): found %v, want %v", target.Marker, found, want)
	}
	return ref
}

func snapshotLife(t *testing.T, f SnapshotterFixture) {
	target := with(f.Targets[0], markerA)
	wantSnapshot(t, f, target, false)
	ref := create(t, f, target)
	if found := wantSnapshot(t, f, target, true); found.ID != ref.ID {
		t.Errorf("CreateSnapshot returned %q, FindSnapshot %q", ref.ID, found.ID)
	}
	if q := ref.Data[act.DataQuiesced]; q != "no" {
		t.Errorf("Ref.Data[%q] = %q after a snapshot that is not quiesced, want no", act.DataQuiesced, q)
	}
	remove(t, f, target)
	wantSnapshot(t, f, target, false)
	remove(t, f, target) // none there is no error
}

func snapshotAdopt(t *testing.T, f SnapshotterFixture) {
	target := with(f.Targets[0], markerA)
	first := create(t, f, target)
	if second := create(t, f, target); second.ID != first.ID {
		t.Errorf("the second CreateSnapshot made %q beside %q", second.ID, first.ID)
	}
	remove(t, f, target)
	wantSnapshot(t, f, target, false)
}

func snapshotMarkers(t *testing.T, f SnapshotterFixture) {
	a, b := with(f.Targets[0], markerA), with(f.Targets[0], markerB)
	create(t, f, b)
	wantSnapshot(t, f, a, false)
	if f.NoNesting {
		remove(t, f, a)
	} else {
		create(t, f, a)
		remove(t, f, a)
	}
	wantSnapshot(t, f, a, false)
	wantSnapshot(t, f, b, true)
}

func snapshotVMs(t *testing.T, f SnapshotterFixture) {
	a, b := with(f.Targets[0], markerA), with(f.Targets[1], markerA)
	create(t, f, a)
	wantSnapshot(t, f, b, false)
	create(t, f, b)
	remove(t, f, a)
	wantSnapshot(t, f, a, false)
	wantSnapshot(t, f, b, true)
}

func snapshotTakenName(t *testing.T, f SnapshotterFixture) {
	target := with(f.Targets[0], markerA)
	there, removeIt := f.Foreign(t, f.Targets[0], string(markerA))
	defer removeIt()
	wantSnapshot(t, f, target, false)
	remove(t, f, target)
	if !there() {
		t.Fatal("RemoveSnapshot removed somebody else's snapshot of the same name")
	}
	if f.NoNesting {
		return
	}
	made := create(t, f, target)
	if found := wantSnapshot(t, f, target, true); found.ID != made.ID {
		t.Errorf("beside a snapshot of the same name, %q was made and %q is found", made.ID, found.ID)
	}
	remove(t, f, target)
	wantSnapshot(t, f, target, false)
	if !there() {
		t.Error("RemoveSnapshot removed somebody else's snapshot of the same name")
	}
}

func snapshotDeep(t *testing.T, f SnapshotterFixture) {
	if f.NoNesting {
		t.Skip("the hypervisor keeps no tree of snapshots")
	}
	target := with(f.Targets[0], markerA)
	there, removeIt := f.Foreign(t, f.Targets[0], "before-upgrade")
	defer removeIt()
	create(t, f, target)
	wantSnapshot(t, f, target, true)
	remove(t, f, target)
	wantSnapshot(t, f, target, false)
	if !there() {
		t.Error("RemoveSnapshot removed the parent of our snapshot")
	}
}

func snapshotChildren(t *testing.T, f SnapshotterFixture) {
	if f.NoNesting {
		t.Skip("the hypervisor keeps no tree of snapshots")
	}
	target := with(f.Targets[0], markerA)
	create(t, f, target)
	there, removeIt := f.Foreign(t, f.Targets[0], "after-our-own")
	defer removeIt()
	remove(t, f, target)
	wantSnapshot(t, f, target, false)
	if !there() {
		t.Error("RemoveSnapshot removed a child of our snapshot")
	}
}

func snapshotDescription(t *testing.T, f SnapshotterFixture) {
	target := with(f.Targets[0], markerA)
	o := act.SnapshotOptions{Description: "patches \"R'n'D\"; </description><name>x</name> & $(id) `id` ü\n" + strings.Repeat("long ", 50) + string(markerB)}
	if _, err := f.Snapshotter.CreateSnapshot(bounded(t, f.Timeout), target, o); err != nil {
		t.Fatalf("CreateSnapshot: %v", err)
	}
	wantSnapshot(t, f, target, true)
	wantSnapshot(t, f, with(target, markerB), false)
}

// snapshotHostile: names that some hypervisor would half create, or read as
// something else, are refused before anything is sent.
func snapshotHostile(t *testing.T, f SnapshotterFixture) {
	for _, m := range []act.Marker{"", "katprep-", "other-1", "katprep-<b>x</b>", "katprep-a&b", "katprep-'; Remove-VM *", `katprep-"x`, "katprep-$(id)", "katprep-`id`",
		"katprep-a/../b", "katprep-a b", "katprep-ü", "katprep-a\nb", act.Marker("katprep-" + strings.Repeat("x", 300))} {
		target := with(f.Targets[0], m)
		if _, err := f.Snapshotter.CreateSnapshot(bounded(t, f.Timeout), target, act.SnapshotOptions{}); katprep.KindOf(err) != katprep.Invalid || err == nil {
			t.Errorf("CreateSnapshot with the marker %.30q: error %v, want one of kind Invalid", m, err)
		}
		if err := f.Snapshotter.RemoveSnapshot(bounded(t, f.Timeout), target); katprep.KindOf(err) != katprep.Invalid || err == nil {
			t.Errorf("RemoveSnapshot with the marker %.30q: error %v, want one of kind Invalid", m, err)
		}
	}
}

// snapshotRevertDeep goes back to a snapshot that lies between others.
func snapshotRevertDeep(t *testing.T, f SnapshotterFixture) {
	if f.NoNesting {
		t.Skip("the hypervisor keeps no tree of snapshots")
	}
	target := with(f.Targets[0], markerA)
	before, removeBefore := f.Foreign(t, f.Targets[0], "before-our-own")
	defer removeBefore()
	create(t, f, target)
	after, removeAfter := f.Foreign(t, f.Targets[0], "after-our-own")
	defer removeAfter()
	if _, err := f.Snapshotter.RevertSnapshot(bounded(t, f.Timeout), target); err != nil {
		t.Fatalf("RevertSnapshot: %v", err)
	}
	wantSnapshot(t, f, target, true)
	if !before() || !after() {
		t.Errorf("RevertSnapshot removed somebody else's snapshots: the parent is there: %v, the child: %v", before(), after())
	}
	remove(t, f, target)
}

func snapshotRevert(t *testing.T, f SnapshotterFixture) {
	target := with(f.Targets[0], markerA)
	create(t, f, target)
	if _, err := f.Snapshotter.RevertSnapshot(bounded(t, f.Timeout), target); err != nil {
		t.Fatalf("RevertSnapshot: %v", err)
	}
	wantSnapshot(t, f, target, true)
	if f.State != nil {
		if s := f.State(t, f.Targets[0]); s != act.PoweredOn {
			t.Errorf("after the revert the VM is %q, want on as before", s)
		}
	}
}

func snapshotRevertWithout(t *testing.T, f SnapshotterFixture) {
	target := with(f.Targets[0], markerA)
	if _, err := f.Snapshotter.RevertSnapshot(bounded(t, f.Timeout), target); katprep.KindOf(err) != katprep.NotFound {
		t.Errorf("RevertSnapshot without a snapshot: error %v, want one of kind NotFound", err)
	}
}

func snapshotUnknown(t *testing.T, f SnapshotterFixture) {
	target := with(f.Unknown, markerA)
	if _, err := f.Snapshotter.CreateSnapshot(bounded(t, f.Timeout), target, act.SnapshotOptions{}); katprep.KindOf(err) != katprep.NotFound {
		t.Errorf("CreateSnapshot of an unknown VM: error %v, want one of kind NotFound", err)
	}
	_, found, err := f.Snapshotter.FindSnapshot(bounded(t, f.Timeout), target)
	if found || err != nil && katprep.KindOf(err) != katprep.NotFound {
		t.Errorf("FindSnapshot of an unknown VM: found %v, error %v", found, err)
	}
}

func snapshotCancelled(t *testing.T, f SnapshotterFixture) {
	ctx, cancel := context.WithCancel(bounded(t, f.Timeout))
	cancel()
	target := with(f.Targets[0], markerA)
	if _, err := f.Snapshotter.CreateSnapshot(ctx, target, act.SnapshotOptions{}); err == nil {
		t.Error("CreateSnapshot with an ended context: no error")
	}
	if _, _, err := f.Snapshotter.FindSnapshot(ctx, target); err == nil {
		t.Error("FindSnapshot with an ended context: no error, so it claims to have asked")
	}
}

// A PowerFixture is a hypervisor under test with one running VM.
type PowerFixture struct {
	Power   act.Power
	Target  act.Target
	Unknown act.Target // names a VM that the hypervisor does not have
	// Deaf says that the guest cannot be asked to shut down or restart (it
	// has no agent), so that only force works.
	Deaf    bool
	Timeout time.Duration // of each call; zero is 60 s
}

// Power tests that a backend keeps the contract of [act.Power]. The VM runs
// when it returns.
func Power(t *testing.T, f PowerFixture) {
	if f.Timeout == 0 {
		f.Timeout = time.Minute
	}
	want := func(t *testing.T, want act.PowerState) {
		t.Helper()
		if got, err := f.Power.PowerState(bounded(t, f.Timeout), f.Target); err != nil || got != want {
			t.Fatalf("PowerState = %q, error %v; want %q", got, err, want)
		}
	}
	do := func(t *testing.T, what string, err error) {
		t.Helper()
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
	}
	t.Run("Life", func(t *testing.T) {
		want(t, act.PoweredOn)
		do(t, "PowerOn of a running VM", f.Power.PowerOn(bounded(t, f.Timeout), f.Target))
		do(t, "Restart", f.Power.Restart(bounded(t, f.Timeout), f.Target, f.Deaf))
		want(t, act.PoweredOn)
		do(t, "Shutdown", f.Power.Shutdown(bounded(t, f.Timeout), f.Target, f.Deaf))
		want(t, act.PoweredOff)
		do(t, "Shutdown of a VM that is off", f.Power.Shutdown(bounded(t, f.Timeout), f.Target, f.Deaf))
		do(t, "PowerOn", f.Power.PowerOn(bounded(t, f.Timeout), f.Target))
		want(t, act.PoweredOn)
	})
	t.Run("UnknownVM", func(t *testing.T) {
		if s, err := f.Power.PowerState(bounded(t, f.Timeout), f.Unknown); katprep.KindOf(err) != katprep.NotFound {
			t.Errorf("PowerState of an unknown VM = %q, error %v; want one of kind NotFound", s, err)
		}
		if err := f.Power.PowerOn(bounded(t, f.Timeout), f.Unknown); katprep.KindOf(err) != katprep.NotFound {
			t.Errorf("PowerOn of an unknown VM: error %v, want one of kind NotFound", err)
		}
	})
}
