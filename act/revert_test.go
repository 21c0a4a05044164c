package act_test

import (
	"strings"
	"testing"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/act"
	"github.com/stdevel/katprep/act/acttest"
)

// TestLostRevert: a host that may have gone back to its VM snapshot is not
// patched, and not called verified, until somebody reverts it again.
func TestLostRevert(t *testing.T) {
	p := plan(t, hosts(2), settings())
	w, j := world(p), &acttest.Journal{}
	run(t, engine(p, w, j), katprep.StagePrepare, katprep.StageExecute)
	only := func() *act.Engine {
		e := engine(p, w, j)
		e.Options.Select = func(h *katprep.HostPlan) bool { return h.Name == web0 }
		return e
	}
	w.Fault = failFor("revert", web0, true, katprep.Errorf(katprep.Unreachable, "connection reset by peer"))
	if r := resultOf(t, run(t, only(), katprep.StageRevert), web0); r.State != act.HostUnknown {
		t.Errorf("the outcome was lost: %+v", r)
	}
	w.Fault = nil
	patched := did(w, "patch", web0)
	for _, stage := range []katprep.Stage{katprep.StageExecute, katprep.StageVerify} {
		r := resultOf(t, run(t, only(), stage), web0)
		if stage == katprep.StageVerify && (r.State != act.HostUnknown || !strings.Contains(r.Reason, "taken back")) {
			t.Errorf("%s: %+v", stage, r)
		}
		if r.State == act.HostVerified || did(w, "patch", web0) != patched {
			t.Errorf("%s: a host of unknown state goes on: %+v", stage, r)
		}
	}
	if r := resultOf(t, run(t, only(), katprep.StageRevert), web0); r.State != act.HostReverted || did(w, "revert", web0) != 2 {
		t.Errorf("reverted again: %+v, %d reverts", r, did(w, "revert", web0))
	}
}

// TestRevertOfADeletedSnapshot: somebody deleted the VM snapshot. Nothing is
// reverted, and the host is said to be failed, not reverted.
func TestRevertOfADeletedSnapshot(t *testing.T) {
	p := plan(t, hosts(1), settings())
	w, j := world(p), &acttest.Journal{}
	run(t, engine(p, w, j), katprep.StagePrepare, katprep.StageExecute)
	h := acttest.Hypervisor{World: w}
	if err := h.RemoveSnapshot(t.Context(), act.Target{Host: p.Hosts[0].Host, Marker: act.NewMarker(p.Run)}); err != nil {
		t.Fatal(err)
	}
	r := resultOf(t, run(t, engine(p, w, j), katprep.StageRevert), web0)
	if r.State != act.HostFailed || did(w, "revert", web0) != 0 || !strings.Contains(r.Reason, "no snapshot") {
		t.Errorf("%+v", r)
	}
}
