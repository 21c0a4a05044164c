package proxmox_test

import (
	"fmt"
	"testing"

	"github.com/stdevel/katprep/act"
	"github.com/stdevel/katprep/act/acttest"
)

func TestRequests(t *testing.T) {
	f, s := newFake(t)
	var targets []act.Target
	for i := 300; i < 400; i++ {
		f.vms[fmt.Sprint(i)] = &machine{name: fmt.Sprint("vm", i), node: "pve1", running: true}
		targets = append(targets, act.Target{Name: fmt.Sprint("vm", i)})
	}
	acttest.Requests(t, acttest.RequestsFixture{Snapshotter: open(t, s), Targets: targets, Most: 15, Count: func() int {
		f.mu.Lock()
		defer f.mu.Unlock()
		return f.requests
	}})
}
