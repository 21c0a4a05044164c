package xapi_test

import (
	"fmt"
	"testing"

	"github.com/stdevel/katprep/act"
	"github.com/stdevel/katprep/act/acttest"
)

func TestRequests(t *testing.T) {
	f, c := newFake(t)
	var targets []act.Target
	for i := 300; i < 400; i++ {
		f.vms[fmt.Sprint("OpaqueRef:vm", i)] = f.record(fmt.Sprint("vm", i), i)
		targets = append(targets, act.Target{Name: fmt.Sprint("vm", i)})
	}
	acttest.Requests(t, acttest.RequestsFixture{Snapshotter: c, Targets: targets, Most: 39, Count: func() int {
		f.mu.Lock()
		defer f.mu.Unlock()
		return f.requests
	}})
}
