package collecttest

import (
	"context"
	"encoding/json"
	"net/url"
	"slices"
	"testing"
	"time"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/collect"
)

// A Case is a collector to be tested, on a source that is up, does not
// change, and knows at least one host.
type Case struct {
	New   func(t *testing.T) collect.Collector // a fresh one each time
	Hosts int                                  // hosts it must list; 0: any number
	// Unknown is a selection that names something the source does not know;
	// nil if the source cannot tell.
	Unknown *katprep.Selection
	// Volatile says that two readings of one host may differ: a live machine.
	Volatile bool
}

// Run runs the contract suite of [collect.Collector].
func Run(t *testing.T, c Case) {
	t.Run("source", func(t *testing.T) { testSource(t, c) })
	t.Run("list", func(t *testing.T) { testList(t, c) })
	t.Run("list can be left", func(t *testing.T) { testLeave(t, c) })
	t.Run("states", func(t *testing.T) { testStates(t, c) })
	t.Run("same again", func(t *testing.T) { testAgain(t, c) })
	t.Run("one host", func(t *testing.T) { testOneHost(t, c) })
	t.Run("unknown name", func(t *testing.T) { testUnknown(t, c) })
	t.Run("cancelled", func(t *testing.T) { testCancelled(t, c) })
}

func testSource(t *testing.T, c Case) {
	s, err := c.New(t).Source(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if s.Type == "" {
		t.Error("the source does not say its type")
	}
	if u, err := url.Parse(s.URL); err != nil || u.User != nil {
		t.Errorf("URL %q: must parse and hold no credentials (%v)", s.URL, err)
	}
	if s.Problem != "" {
		t.Errorf("a source that is up has the problem %q", s.Problem)
	}
}

// list returns the identities that a collector lists.
func list(t *testing.T, col collect.Collector, sel katprep.Selection) []katprep.Host {
	t.Helper()
	var hosts []katprep.Host
	for target, err := range col.Targets(t.Context(), sel) {
		if err != nil {
			t.Fatal(err)
		}
		if target.Read == nil {
			t.Fatalf("%s cannot be read", target.Host.Name)
		}
		hosts = append(hosts, target.Host)
	}
	return hosts
}

func opened(t *testing.T, c Case) collect.Collector {
	t.Helper()
	col := c.New(t)
	if _, err := col.Source(t.Context()); err != nil {
		t.Fatal(err)
	}
	return col
}

func testList(t *testing.T, c Case) {
	hosts := list(t, opened(t, c), katprep.Selection{})
	if len(hosts) == 0 || c.Hosts > 0 && len(hosts) != c.Hosts {
		t.Fatalf("%d hosts, want %d", len(hosts), max(c.Hosts, 1))
	}
	seen := map[string]bool{}
	for _, h := range hosts {
		if h.ID == "" || h.Name == "" {
			t.Errorf("a host without ID or name: %+v", h)
		}
		if seen[h.ID] {
			t.Errorf("%s (%s) is listed twice", h.Name, h.ID)
		}
		seen[h.ID] = true
	}
	if again := list(t, opened(t, c), katprep.Selection{}); !slices.Equal(hosts, again) {
		t.Errorf("a second list differs:\n%v\n%v", hosts, again)
	}
}

func testLeave(t *testing.T, c Case) {
	n := 0
	for range opened(t, c).Targets(t.Context(), katprep.Selection{}) {
		n++
		break // a collector that goes on after this panics
	}
	if n != 1 {
		t.Errorf("%d targets", n)
	}
}

// runAll reads everything in parallel, so that the race detector has
// something to see.
func runAll(t *testing.T, c Case, sel katprep.Selection) (katprep.Snapshot, *Sink) {
	t.Helper()
	sink := &Sink{T: t}
	snap, err := collect.Run(t.Context(), []collect.Source{{Name: "contract", Collector: c.New(t)}}, sel, sink, collect.Options{Concurrency: 4})
	if err != nil {
		t.Fatal(err)
	}
	if p := snap.Sources[0].Problem; p != "" {
		t.Errorf("source problem: %s", p)
	}
	return snap, sink
}

func testStates(t *testing.T, c Case) {
	_, sink := runAll(t, c, katprep.Selection{})
	states, errata := sink.States(), sink.Errata()
	if len(states) == 0 {
		t.Fatal("no states")
	}
	for _, s := range states {
		for _, broken := range Check(&s, errata) {
			t.Errorf("%s: %s", s.Name, broken)
		}
	}
}

func testAgain(t *testing.T, c Case) {
	if c.Volatile {
		t.Skip("the source is alive")
	}
	_, one := runAll(t, c, katprep.Selection{})
	_, two := runAll(t, c, katprep.Selection{})
	a, b := one.States(), two.States()
	for i := range a {
		x, err := json.Marshal(a[i])
		if err != nil {
			t.Fatal(err)
		}
		if y, _ := json.Marshal(b[i]); string(x) != string(y) {
			t.Errorf("an unchanged host differs:\n%s\n%s", x, y)
		}
	}
}

func testOneHost(t *testing.T, c Case) {
	all := list(t, opened(t, c), katprep.Selection{})
	want := all[len(all)-1]
	snap, sink := runAll(t, c, katprep.Selection{Hosts: []string{want.Name}})
	if snap.Counts.Hosts == 0 {
		t.Fatalf("selecting %s gives no host", want.Name)
	}
	for _, s := range sink.States() {
		if s.Name != want.Name {
			t.Errorf("selecting %s gives %s", want.Name, s.Name)
		}
	}
}

func testUnknown(t *testing.T, c Case) {
	if c.Unknown == nil {
		t.Skip("the source cannot tell")
	}
	for target, err := range opened(t, c).Targets(t.Context(), *c.Unknown) {
		if err == nil {
			t.Fatalf("%s was listed", target.Host.Name)
		}
		if katprep.KindOf(err) != katprep.NotFound {
			t.Errorf("kind %d, want not found: %v", katprep.KindOf(err), err)
		}
		return
	}
	t.Error("an unknown name gives an empty list without error")
}

func testCancelled(t *testing.T, c Case) {
	col := opened(t, c)
	var target collect.Target
	for first, err := range col.Targets(t.Context(), katprep.Selection{}) {
		if err != nil {
			t.Fatal(err)
		}
		target = first
		break
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	done := make(chan error, 1)
	go func() {
		rd, err := target.Read(ctx)
		if err == nil && rd.State.Status == katprep.Collected && !c.Volatile {
			// What was in memory already may be returned; it must be right.
			if broken := Check(&rd.State, nil); len(broken) > 0 {
				t.Errorf("after cancellation: %v", broken)
			}
		}
		done <- err
	}()
	select {
	case <-done:
	case <-time.After(20 * time.Second):
		t.Error("Read does not end with its context")
	}
}
