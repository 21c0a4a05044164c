package acttest

import (
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/act"
)

// A RestartFixture is a hypervisor that can be stopped in the middle.
type RestartFixture struct {
	// Open returns a new client, as another process has it.
	Open   func(t *testing.T) act.Snapshotter
	Target act.Target // a running VM; the suite sets the marker
	// Kill ends the hypervisor's management, and every connection to it, at
	// once; Start starts it again with the same VMs.
	Kill, Start func(t *testing.T)
	// Ours counts the VM's snapshots that are named after the marker, asked
	// in another way than through the client.
	Ours func(t *testing.T, m act.Marker) int
	// Moments are how long after the beginning of an action the hypervisor
	// is killed.
	Moments []time.Duration
	// State returns the VM's power state; nil if it cannot be watched.
	State   func(t *testing.T) act.PowerState
	Timeout time.Duration // of each call; zero is 60 s
}

// Restarts tests that nothing is lost, and nothing is reported done that is
// not, when a hypervisor is restarted in the middle.
func Restarts(t *testing.T, f RestartFixture) {
	if f.Timeout == 0 {
		f.Timeout = time.Minute
	}
	f.Target = with(f.Target, markerA)
	f.run(t, "Down", f.down)
	f.run(t, "BetweenCreateAndVerify", f.beforeVerify)
	f.run(t, "BetweenCreateAndRemove", f.beforeRemove)
	for _, after := range f.Moments {
		f.run(t, "DuringCreate/"+after.String(), func(t *testing.T) { f.duringCreate(t, after) })
		f.run(t, "DuringRemove/"+after.String(), func(t *testing.T) { f.duringRemove(t, after) })
		f.run(t, "DuringRevert/"+after.String(), func(t *testing.T) { f.duringRevert(t, after) })
	}
}

// run runs a test that must leave the VM running.
func (f RestartFixture) run(t *testing.T, name string, test func(t *testing.T)) {
	t.Run(name, func(t *testing.T) {
		test(t)
		if f.State == nil {
			return
		}
		if s := f.State(t); s != act.PoweredOn {
			t.Errorf("the VM is left %s", s)
		}
	})
}

func (f RestartFixture) create(t *testing.T, s act.Snapshotter) act.Ref {
	t.Helper()
	ref, err := s.CreateSnapshot(bounded(t, f.Timeout), f.Target, act.SnapshotOptions{Description: "restarts"})
	if err != nil {
		t.Fatalf("CreateSnapshot: %v", err)
	}
	f.count(t, 1)
	return ref
}

func (f RestartFixture) remove(t *testing.T, s act.Snapshotter) {
	t.Helper()
	if err := s.RemoveSnapshot(bounded(t, f.Timeout), f.Target); err != nil {
		t.Fatalf("RemoveSnapshot: %v", err)
	}
	f.count(t, 0)
}

func (f RestartFixture) count(t *testing.T, want int) {
	t.Helper()
	if n := f.Ours(t, markerA); n != want {
		t.Fatalf("the hypervisor has %d snapshots of the marker, want %d", n, want)
	}
}

// find asks until the hypervisor knows; it may still be at work.
func (f RestartFixture) find(t *testing.T, s act.Snapshotter) (act.Ref, bool) {
	t.Helper()
	var err error
	for ctx := bounded(t, f.Timeout); ctx.Err() == nil; time.Sleep(20 * time.Millisecond) {
		var ref act.Ref
		var found bool
		if ref, found, err = s.FindSnapshot(ctx, f.Target); err == nil {
			return ref, found
		}
	}
	t.Fatalf("FindSnapshot after the restart: %v", err)
	return act.Ref{}, false
}

// down: while nobody answers, nothing is done and nothing is "not there".
func (f RestartFixture) down(t *testing.T) {
	s := f.Open(t)
	f.find(t, s) // it is connected
	f.Kill(t)
	ctx := bounded(t, f.Timeout)
	_, created := s.CreateSnapshot(ctx, f.Target, act.SnapshotOptions{})
	_, found, asked := s.FindSnapshot(ctx, f.Target)
	_, reverted := s.RevertSnapshot(ctx, f.Target)
	removed := s.RemoveSnapshot(ctx, f.Target)
	for what, err := range map[string]error{"CreateSnapshot": created, "FindSnapshot": asked, "RevertSnapshot": reverted, "RemoveSnapshot": removed} {
		if katprep.KindOf(err) != katprep.Unreachable || err == nil {
			t.Errorf("%s while it is down: error %v, want one of kind Unreachable", what, err)
		}
	}
	if found {
		t.Error("FindSnapshot found something while it was down")
	}
	f.Start(t)
	if _, found := f.find(t, s); found {
		t.Error("a snapshot is there that could not be made")
	}
}

func (f RestartFixture) beforeVerify(t *testing.T) {
	s := f.Open(t)
	made := f.create(t, s)
	f.Kill(t)
	f.Start(t)
	for what, s := range map[string]act.Snapshotter{"the same client": s, "a new client": f.Open(t)} {
		if ref, found := f.find(t, s); !found || ref.ID != made.ID {
			t.Errorf("%s finds %+v, %v; made was %+v", what, ref, found, made)
		}
	}
	if again := f.create(t, s); again.ID != made.ID {
		t.Errorf("made again: %+v instead of %+v", again, made)
	}
	f.remove(t, s)
}

func (f RestartFixture) beforeRemove(t *testing.T) {
	s := f.Open(t)
	f.create(t, s)
	f.Kill(t)
	f.Start(t)
	f.find(t, s) // waits until it is there again
	f.remove(t, s)
	if _, found := f.find(t, f.Open(t)); found {
		t.Error("the snapshot is still found")
	}
}

// killed does something and kills the hypervisor a moment later.
func (f RestartFixture) killed(t *testing.T, after time.Duration, do func() error) error {
	t.Helper()
	ended := make(chan error, 1)
	go func() { ended <- do() }()
	time.Sleep(after)
	f.Kill(t)
	f.Start(t)
	select {
	case err := <-ended:
		return err
	case <-time.After(f.Timeout):
		t.Fatal("the call does not end")
		return nil
	}
}

func (f RestartFixture) duringCreate(t *testing.T, after time.Duration) {
	s := f.Open(t)
	ctx := bounded(t, f.Timeout)
	err := f.killed(t, after, func() error {
		_, err := s.CreateSnapshot(ctx, f.Target, act.SnapshotOptions{})
		return err
	})
	s = f.Open(t)
	if _, found := f.find(t, s); !found && err == nil {
		t.Error("a snapshot was reported as made, and is not there")
	}
	f.create(t, s) // made or adopted, but never twice
	f.remove(t, s)
}

func (f RestartFixture) duringRemove(t *testing.T, after time.Duration) {
	s := f.Open(t)
	f.create(t, s)
	ctx := bounded(t, f.Timeout)
	err := f.killed(t, after, func() error { return s.RemoveSnapshot(ctx, f.Target) })
	s = f.Open(t)
	if _, found := f.find(t, s); found && err == nil {
		t.Error("a snapshot was reported as removed, and is there")
	}
	f.remove(t, s)
}

func (f RestartFixture) duringRevert(t *testing.T, after time.Duration) {
	s := f.Open(t)
	f.create(t, s)
	ctx := bounded(t, f.Timeout)
	err := f.killed(t, after, func() error {
		_, err := s.RevertSnapshot(ctx, f.Target)
		return err
	})
	switch katprep.KindOf(err) {
	case katprep.NotFound, katprep.Denied, katprep.Invalid:
		if err != nil {
			t.Errorf("a revert that was cut off reads as if nothing was done: %v", err)
		}
	}
	s = f.Open(t)
	if _, found := f.find(t, s); !found {
		t.Error("the snapshot is gone after the revert")
	}
	if _, err := s.RevertSnapshot(bounded(t, f.Timeout), f.Target); err != nil {
		t.Errorf("RevertSnapshot again: %v", err)
	}
	f.remove(t, s)
}

// A Relay passes TCP connections on, and can be cut: to its clients, a server
// behind it is then as if it were killed, though it may still do what it was
// asked before.
type Relay struct {
	l      net.Listener
	target string
	mu     sync.Mutex
	down   bool
	conns  map[net.Conn]bool
}

// NewRelay returns a relay to an address. It ends with the test.
func NewRelay(t testing.TB, target string) *Relay {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &Relay{l: l, target: target, conns: map[net.Conn]bool{}}
	go r.serve()
	t.Cleanup(func() { l.Close(); r.Cut() })
	return r
}

// Addr is where the relay listens.
func (r *Relay) Addr() string { return r.l.Addr().String() }

// Cut ends all connections and takes no new ones.
func (r *Relay) Cut() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.down = true
	for c := range r.conns {
		c.Close()
	}
	clear(r.conns)
}

// Join takes connections again.
func (r *Relay) Join() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.down = false
}

func (r *Relay) serve() {
	for {
		in, err := r.l.Accept()
		if err != nil {
			return
		}
		go r.pass(in)
	}
}

func (r *Relay) pass(in net.Conn) {
	defer in.Close()
	out, err := net.Dial("tcp", r.target)
	if err != nil {
		return
	}
	defer out.Close()
	r.mu.Lock()
	if r.down {
		r.mu.Unlock()
		return
	}
	r.conns[in], r.conns[out] = true, true
	r.mu.Unlock()
	done := make(chan struct{}, 2)
	for _, way := range [][2]net.Conn{{in, out}, {out, in}} {
		go func() { io.Copy(way[1], way[0]); done <- struct{}{} }()
	}
	<-done
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.conns, in)
	delete(r.conns, out)
}
