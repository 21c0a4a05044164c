package vsphere_test

import (
	"strings"
	"testing"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/types"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/act"
)

// TestFaults lets the server refuse a snapshot.
func TestFaults(t *testing.T) {
	model, _, c, _ := simModel(t, 1)
	for what, test := range map[string]struct {
		fault types.BaseMethodFault
		times int // that it is refused; 0: always
		o     act.SnapshotOptions
		kind  katprep.Kind
		made  bool
		text  string // of the error or the warning
	}{
		"the guest cannot be frozen, tried":    {&types.FilesystemQuiesceFault{}, 1, act.SnapshotOptions{Quiesce: act.QuiesceTry}, 0, true, "crash-consistent only"},
		"the guest cannot be frozen, but must": {&types.FilesystemQuiesceFault{}, 0, act.SnapshotOptions{Quiesce: act.QuiesceRequire}, katprep.Conflict, false, "cannot be frozen"},
		"an application cannot, but must":      {&types.ApplicationQuiesceFault{}, 0, act.SnapshotOptions{Quiesce: act.QuiesceRequire}, katprep.Conflict, false, "cannot be frozen"},
		"no space":                             {&types.NoDiskSpace{Datastore: "LocalDS_0"}, 0, act.SnapshotOptions{}, katprep.Conflict, false, "a datastore is full"},
		"another task runs":                    {&types.TaskInProgress{}, 0, act.SnapshotOptions{}, katprep.Conflict, false, ""},
		"no permission":                        {&types.NoPermission{PrivilegeId: "VirtualMachine.State.CreateSnapshot"}, 0, act.SnapshotOptions{}, katprep.Denied, false, "lacks a permission"},
		"a session that ended":                 {&types.NotAuthenticated{}, 1, act.SnapshotOptions{}, 0, true, ""},
	} {
		model.Service.ClearFaultRules()
		model.Service.AddFaultRule(&simulator.FaultInjectionRule{MethodName: "CreateSnapshotEx_Task", ObjectType: "*", ObjectName: "*", Probability: 1,
			FaultType: simulator.FaultTypeCustom, Fault: test.fault, MaxCount: test.times, Message: "refused", Enabled: true})
		model.Service.AddFaultRule(&simulator.FaultInjectionRule{MethodName: "CreateSnapshot_Task", ObjectType: "*", ObjectName: "*", Probability: 1,
			FaultType: simulator.FaultTypeCustom, Fault: test.fault, MaxCount: test.times, Message: "refused", Enabled: true})
		tg := target("DC0_H0_VM0")
		ref, err := c.CreateSnapshot(t.Context(), tg, test.o)
		said := ref.Data[act.DataWarning]
		if err != nil {
			said = err.Error()
		}
		if (err == nil) != test.made || err != nil && katprep.KindOf(err) != test.kind || !strings.Contains(said, test.text) {
			t.Errorf("%s: %+v, kind %d, %v", what, ref, katprep.KindOf(err), err)
		}
		model.Service.ClearFaultRules()
		if _, found, err := c.FindSnapshot(t.Context(), tg); err != nil || found != test.made {
			t.Errorf("%s: found %v, %v", what, found, err)
		}
		if err := c.RemoveSnapshot(t.Context(), tg); err != nil {
			t.Error(err)
		}
	}
}

// TestConsolidation: a VM whose disks need consolidation after a removal is
// not said to be done with. The simulator cannot consolidate.
func TestConsolidation(t *testing.T) {
	model, _, c, _ := simModel(t, 1)
	tg := target("DC0_H0_VM0")
	if _, err := c.CreateSnapshot(t.Context(), tg, act.SnapshotOptions{}); err != nil {
		t.Fatal(err)
	}
	model.Map().Any("VirtualMachine").(*simulator.VirtualMachine).Runtime.ConsolidationNeeded = true
	err := c.RemoveSnapshot(t.Context(), tg)
	if katprep.KindOf(err) != katprep.Conflict || !strings.Contains(err.Error(), "disks need consolidation") || katprep.HintOf(err) == "" {
		t.Errorf("%v, hint %q", err, katprep.HintOf(err))
	}
	if _, found, err := c.FindSnapshot(t.Context(), tg); found || err != nil {
		t.Errorf("the snapshot itself is removed: found %v, %v", found, err)
	}
}
