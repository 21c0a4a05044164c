package libvirt_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stdevel/katprep/act"
	"github.com/stdevel/katprep/act/acttest"
	"github.com/stdevel/katprep/internal/peers"
)

// TestRestarts kills a real libvirtd between and during the calls. The guest
// goes on, and so does what QEMU was told to do.
func TestRestarts(t *testing.T) {
	peers.Need(t, "qemu-system-x86_64", "qemu-img")
	d := start(t)
	d.define(t, "one", "qcow2")
	d.virsh(t, "qemu", "start", "one")
	acttest.Restarts(t, acttest.RestartFixture{
		Open:   func(t *testing.T) act.Snapshotter { return d.open(t, "qemu") },
		Target: act.Target{Name: "one"},
		Kill:   d.kill,
		Start:  d.again,
		Ours: func(t *testing.T, m act.Marker) (n int) {
			for name := range strings.FieldsSeq(d.virsh(t, "qemu", "snapshot-list", "one", "--name")) {
				if strings.HasPrefix(name, string(m)) {
					n++
				}
			}
			return n
		},
		State:   func(t *testing.T) act.PowerState { return powerOf(d.open(t, "qemu"))(t, act.Target{Name: "one"}) },
		Moments: []time.Duration{15 * time.Millisecond, 60 * time.Millisecond},
	})
}
