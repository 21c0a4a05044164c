package act_test

import (
	"testing"
	"time"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/act"
	"github.com/stdevel/katprep/act/acttest"
)

// TestConfiguredTimeout: a patch job that takes longer than it may is not
// known to have ended, and is found again by its marker later.
func TestConfiguredTimeout(t *testing.T) {
	set := settings()
	set.Hooks, set.Reboot = nil, act.RebootNever
	p := plan(t, hosts(1), set)
	w := world(p)
	w.JobTime = time.Hour
	j := &acttest.Journal{}
	e := engine(p, w, j)
	e.Options.Timeouts = map[katprep.StepKind]time.Duration{katprep.StepPatch: 50 * time.Millisecond}
	sum, err := e.Run(t.Context(), katprep.StagePrepare, katprep.StageExecute)
	if err != nil {
		t.Fatal(err)
	}
	if h := sum.Hosts[0]; h.State != act.HostUnknown || h.Step != "patch" {
		t.Errorf("state %s at %s: %s", h.State, h.Step, h.Reason)
	}
}
