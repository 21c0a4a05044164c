package vsphere_test

import (
	"fmt"
	"net/http"
	"sync/atomic"
	"testing"

	"github.com/stdevel/katprep/act"
	"github.com/stdevel/katprep/act/acttest"
)

// TestRequests snapshots a hundred VMs, eight at once. A task may be looked
// at once or twice more if the machine is slow.
func TestRequests(t *testing.T) {
	s, c, _ := sim(t, 100)
	var n atomic.Int64
	handler := s.Config.Handler
	s.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n.Add(1)
		handler.ServeHTTP(w, r)
	})
	var targets []act.Target
	for i := range 100 {
		targets = append(targets, act.Target{Name: fmt.Sprint("DC0_H0_VM", i)})
	}
	acttest.Requests(t, acttest.RequestsFixture{Snapshotter: c, Targets: targets, Most: 22, Count: func() int { return int(n.Load()) }})
}
