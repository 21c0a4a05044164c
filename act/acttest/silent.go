package acttest

import (
	"context"
	"errors"
	"net"
	"testing"
	"time"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/act"
)

// Silent tests that a hypervisor that accepts connections and never answers
// costs its deadline and no more. open returns a client of the address that
// gives a question a second or less.
func Silent(t *testing.T, open func(t *testing.T, addr string) act.Snapshotter) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() }) // the kernel accepts; nobody reads
	s := open(t, l.Addr().String())
	ended := make(chan error, 1)
	go func() {
		_, _, err := s.FindSnapshot(t.Context(), act.Target{Name: "x", Marker: markerA})
		ended <- err
	}()
	select {
	case err := <-ended:
		if katprep.KindOf(err) != katprep.Unreachable || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a silent hypervisor: kind %d, %v; want its deadline", katprep.KindOf(err), err)
		}
	case <-time.After(30 * time.Second):
		t.Fatal("the call hangs")
	}
}
