package act_test

import (
	"testing"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/act"
)

// TestCanaryHasWork: a part of the hosts that is to try the patches out is one
// of hosts that get any.
func TestCanaryHasWork(t *testing.T) {
	states := hosts(40)
	for i := range states {
		if i%10 != 3 {
			states[i].Errata = nil
		}
	}
	set := settings()
	set.Hooks = nil
	set.Waves = []act.WaveRule{{Wave: katprep.Wave{Name: "canary"}, Percent: 30}}
	p := plan(t, states, set)
	canaries := 0
	for _, h := range p.Hosts {
		if p.Waves[h.Wave].Name != "canary" {
			continue
		}
		canaries++
		if len(h.Steps) == 0 {
			t.Errorf("%s tries nothing out", h.Name)
		}
	}
	if canaries != 2 { // 30 % of the four with errata, rounded up
		t.Errorf("%d canaries", canaries)
	}
}
