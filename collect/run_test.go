package collect_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/collect"
	"github.com/stdevel/katprep/collect/collecttest"
)

func host(id, name string) katprep.Host {
	return katprep.Host{HostID: katprep.HostID{ID: id}, Name: name}
}

// whole is a host that was read completely.
func whole(id, name string, errata ...katprep.Erratum) collecttest.MemoryHost {
	s := katprep.State{
		Status:  katprep.Collected,
		Aspects: []katprep.Aspect{katprep.AspectErrata, katprep.AspectFacts, katprep.AspectPackages, katprep.AspectReboot},
		Format:  katprep.RPM,
		Reboot:  katprep.Reboot{Need: katprep.NotNeeded},
	}
	for _, e := range errata {
		s.Errata = append(s.Errata, katprep.HostErratum{ID: e.ID, Installable: true})
	}
	return collecttest.MemoryHost{Host: host(id, name), Reading: collect.Reading{State: s, Errata: errata}}
}

func reading(id string, f func(ctx context.Context) (collect.Reading, error)) collecttest.MemoryHost {
	return collecttest.MemoryHost{Host: host(id, id+".example.com"), Read: f}
}

func source(name string, hosts ...collecttest.MemoryHost) collect.Source {
	return collect.Source{Name: name, Collector: &collecttest.Memory{Info: katprep.Source{Type: "memory"}, Hosts: hosts}}
}

func run(t *testing.T, sources []collect.Source, sel katprep.Selection, o collect.Options) (katprep.Snapshot, []katprep.State) {
	t.Helper()
	sink := &collecttest.Sink{T: t}
	snap, err := collect.Run(t.Context(), sources, sel, sink, o)
	if err != nil {
		t.Fatal(err)
	}
	c := snap.Counts
	if c.Hosts != c.Collected+c.Incomplete+c.Failed || c.Hosts != len(sink.States()) {
		t.Errorf("counts do not add up to %d states: %+v", len(sink.States()), c)
	}
	return snap, sink.States()
}

func TestMemoryKeepsTheContract(t *testing.T) {
	e := katprep.Erratum{ID: "RHSA-2026:0001", Type: katprep.Security}
	collecttest.Run(t, collecttest.Case{
		New: func(t *testing.T) collect.Collector {
			return source("", whole("1", "a.example.com", e), whole("2", "b.example.com")).Collector
		},
		Hosts:   2,
		Unknown: &katprep.Selection{Hosts: []string{"nowhere.example.com"}},
	})
}

func TestAFailingHostStopsNoOther(t *testing.T) {
	boom := reading("boom", func(context.Context) (collect.Reading, error) { panic("index out of range") })
	sad := reading("sad", func(context.Context) (collect.Reading, error) {
		return collect.Reading{}, errors.New("no route to host\nsecond line")
	})
	slow := reading("slow", func(ctx context.Context) (collect.Reading, error) { <-ctx.Done(); return collect.Reading{}, ctx.Err() })
	stuck := reading("stuck", func(context.Context) (collect.Reading, error) { select {} })
	vague := reading("vague", func(context.Context) (collect.Reading, error) { return collect.Reading{}, nil })
	none := collecttest.MemoryHost{Host: host("bare", "bare")}
	none.Reading.State.Status = katprep.Failed
	none.Reading.State.Packages = []katprep.Package{{Name: "must-go"}}
	snap, states := run(t, []collect.Source{source("s", boom, sad, slow, stuck, vague, none, whole("ok", "ok.example.com"))},
		katprep.Selection{}, collect.WithGrace(collect.Options{PerHost: 50 * time.Millisecond, Concurrency: 3}, 20*time.Millisecond))
	want := map[string]struct {
		status katprep.Status
		text   string
	}{
		"bare": {katprep.Failed, "did not say"}, "boom": {katprep.Failed, "index out of range"}, "sad": {katprep.Failed, "no route to host second line"},
		"slow": {katprep.Failed, "no answer within 50ms"}, "stuck": {katprep.Failed, "no answer within 50ms"},
		"vague": {katprep.Incomplete, "did not say"}, "ok": {katprep.Collected, ""},
	}
	if len(states) != len(want) {
		t.Fatalf("%d states, want %d", len(states), len(want))
	}
	for _, s := range states {
		w := want[s.ID]
		if s.Status != w.status || s.Source != "s" || !strings.Contains(fmt.Sprint(s.Problems), w.text) {
			t.Errorf("%s: %s %v, want %s %q", s.ID, s.Status, s.Problems, w.status, w.text)
		}
		if s.Status == katprep.Failed && (len(s.Aspects) > 0 || len(s.Packages) > 0) {
			t.Errorf("%s: a failed host knows something: %+v", s.ID, s)
		}
	}
	if len(snap.Gaps) != 6 || snap.Counts.Failed != 5 || snap.Counts.Incomplete != 1 || snap.Counts.Collected != 1 {
		t.Errorf("gaps %d, counts %+v", len(snap.Gaps), snap.Counts)
	}
}

func TestABrokenListIsRecorded(t *testing.T) {
	broken := &collecttest.Memory{Hosts: []collecttest.MemoryHost{whole("1", "a")}, ListErr: errors.New("page 2: 502")}
	down := &collecttest.Memory{SourceErr: katprep.Errorf(katprep.Unreachable, "connection refused")}
	sources := []collect.Source{{Name: "broken", Collector: broken}, {Name: "down", Collector: down},
		{Name: "panics", Collector: panicking{}}, source("fine", whole("2", "b"))}
	snap, states := run(t, sources, katprep.Selection{}, collect.Options{})
	if len(states) != 2 {
		t.Errorf("%d hosts, want 2", len(states))
	}
	want := []katprep.Source{{Name: "broken", Problem: "page 2: 502"}, {Name: "down", Problem: "connection refused"},
		{Name: "panics", Problem: "the collector broke down: no list"}, {Name: "fine", Type: "memory"}}
	if d := cmp.Diff(want, snap.Sources); d != "" {
		t.Error(d)
	}
}

type panicking struct{ collecttest.Memory }

func (panicking) Source(context.Context) (katprep.Source, error) { return katprep.Source{}, nil }

func (panicking) Targets(context.Context, katprep.Selection) iter.Seq2[collect.Target, error] {
	return func(func(collect.Target, error) bool) { panic("no list") }
}

func TestDoubleHosts(t *testing.T) {
	snap, states := run(t, []collect.Source{
		source("one", whole("1", "web.example.com"), whole("1", "web.example.com"), whole("2", "db.example.com"), collecttest.MemoryHost{}),
		source("two", whole("1", "WEB.example.com")),
	}, katprep.Selection{}, collect.Options{})
	if len(states) != 3 {
		t.Fatalf("%d hosts, want 3", len(states))
	}
	if p := snap.Sources[0].Problem; !strings.Contains(p, "web.example.com (1)") || !strings.Contains(p, "1 hosts without ID") {
		t.Errorf("problem of the source: %q", p)
	}
	want := []katprep.HostWarning{
		{Host: katprep.Host{HostID: katprep.HostID{Source: "two", ID: "1"}, Name: "WEB.example.com"}, Message: "has the same name as one/1"},
		{Host: katprep.Host{HostID: katprep.HostID{Source: "one", ID: "1"}, Name: "web.example.com"}, Message: "has the same name as two/1"},
	}
	if d := cmp.Diff(want, snap.Warnings); d != "" {
		t.Error(d)
	}
}

func TestCounts(t *testing.T) {
	critical := katprep.Erratum{ID: "A", Type: katprep.Security, Severity: katprep.Critical}
	bare := katprep.Erratum{ID: "A"}
	bug := katprep.Erratum{ID: "B", Type: katprep.Bugfix, Severity: katprep.Important}
	a, b := whole("1", "a", bare), whole("2", "b", critical, bug)
	b.Reading.State.Reboot.Need = katprep.Needed
	b.Reading.State.Updates = []katprep.Update{{Name: "x", To: "2"}, {Name: "y", To: "2"}}
	b.Reading.State.Errata = append(b.Reading.State.Errata, katprep.HostErratum{ID: "C"}) // applicable only
	broken := reading("3", func(context.Context) (collect.Reading, error) { return collect.Reading{}, errors.New("no") })
	snap, _ := run(t, []collect.Source{source("s", a, b, broken)}, katprep.Selection{}, collect.Options{})
	want := katprep.Counts{Hosts: 3, Collected: 2, Failed: 1, Errata: 2, HostErrata: 3, Applicable: 1,
		Pending: map[katprep.Severity]int{katprep.Critical: 2}, Updates: 2, RebootNeeded: 1, RebootUnknown: 1}
	if d := cmp.Diff(want, snap.Counts); d != "" {
		t.Error(d)
	}
}

func TestUnknownNamesOfOneSource(t *testing.T) {
	sel := katprep.Selection{Hosts: []string{"b*"}}
	snap, states := run(t, []collect.Source{source("one", whole("1", "a")), source("two", whole("2", "b1"))}, sel, collect.Options{})
	if len(states) != 1 || snap.Sources[0].Problem != "" {
		t.Errorf("%d hosts, sources %+v", len(states), snap.Sources)
	}
	snap, _ = run(t, []collect.Source{source("one", whole("1", "a"))}, sel, collect.Options{})
	if snap.Counts.Hosts != 0 || !strings.Contains(snap.Sources[0].Problem, `"b*"`) {
		t.Errorf("nobody knows b*, but the record says %+v", snap.Sources)
	}
}

func TestConcurrencyIsBounded(t *testing.T) {
	var now, most atomic.Int32
	var hosts []collecttest.MemoryHost
	for i := range 60 {
		hosts = append(hosts, reading(fmt.Sprint(i), func(context.Context) (collect.Reading, error) {
			n := now.Add(1)
			defer now.Add(-1)
			for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
			}
			time.Sleep(time.Millisecond)
			return collect.Reading{State: katprep.State{Status: katprep.Collected}}, nil
		}))
	}
	var events []collect.Event
	run(t, []collect.Source{source("s", hosts...)}, katprep.Selection{}, collect.Options{Concurrency: 3, Progress: func(e collect.Event) { events = append(events, e) }})
	if m := most.Load(); m > 3 || m < 1 {
		t.Errorf("%d hosts were read at once, want at most 3", m)
	}
	if len(events) != 60 || events[59].Done != 60 || events[59].Total != 60 {
		t.Errorf("%d events, the last %+v", len(events), events[len(events)-1])
	}
}

func TestRunEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("interrupted")
	wait := reading("wait", func(ctx context.Context) (collect.Reading, error) {
		cancel(why)
		<-ctx.Done()
		return collect.Reading{}, ctx.Err()
	})
	sink := &collecttest.Sink{T: t}
	_, err := collect.Run(ctx, []collect.Source{source("s", wait, wait), source("t", whole("1", "a"))}, katprep.Selection{}, sink, collect.Options{Concurrency: 1})
	if !errors.Is(err, why) {
		t.Errorf("error %v, want %v", err, why)
	}
	if n := len(sink.States()); n > 0 {
		t.Errorf("%d states were stored after the end", n)
	}
}

func TestASinkThatRefusesStopsTheRun(t *testing.T) {
	full := errors.New("no space left on device")
	var hosts []collecttest.MemoryHost
	for i := range 50 {
		hosts = append(hosts, whole(fmt.Sprint(i), fmt.Sprint("h", i)))
	}
	sink := &collecttest.Sink{T: t, Err: full, After: 5}
	_, err := collect.Run(t.Context(), []collect.Source{source("s", hosts...)}, katprep.Selection{}, sink, collect.Options{})
	if !errors.Is(err, full) {
		t.Errorf("error %v, want %v", err, full)
	}
	if n := len(sink.States()); n != 5 {
		t.Errorf("%d states stored, want 5", n)
	}
}

// TestBootInTheFuture: a boot that has not happened yet is doubtful, a clock
// that is a little ahead is not.
func TestBootInTheFuture(t *testing.T) {
	now := time.Date(2026, 11, 24, 23, 14, 0, 0, time.UTC)
	for boot, doubtful := range map[time.Time]bool{
		{}: false, now.Add(-time.Hour): false, now.Add(4 * time.Minute): false, now.Add(6 * time.Minute): true,
	} {
		h := whole("1", "a.example.com")
		h.Reading.State.Boot.Time = boot
		snap, states := run(t, []collect.Source{source("s", h)}, katprep.Selection{}, collect.Options{Now: func() time.Time { return now }})
		var want []katprep.Problem
		if doubtful {
			want = []katprep.Problem{{Aspect: katprep.AspectBoot, Warning: true, Message: "the boot time lies in the future: clocks differ"}}
		}
		if diff := cmp.Diff(want, states[0].Problems); diff != "" || snap.Counts.Collected != 1 {
			t.Errorf("boot at %v: %+v\n%s", boot, snap.Counts, diff)
		}
	}
}
