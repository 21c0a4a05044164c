package downtime_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/act"
	"github.com/stdevel/katprep/act/acttest"
	"github.com/stdevel/katprep/internal/downtime"
)

// A memory is a monitoring system in memory that shows what it is told only
// after some looks, as real ones do.
type memory struct {
	mu       sync.Mutex
	services map[string][]string
	entries  []downtime.Entry
	delay    int  // looks until something sent is shown
	lose     bool // accepts and forgets
	forget   int  // requests that are accepted and forgotten
	wrong    time.Duration
	late     int // looks until anything is in effect
	broken   int // looks that fail
	restart  int // looks that fail after each change
	sent     int
	next     int
}

func (m *memory) objects() []act.Object {
	var os []act.Object
	for name := range m.services {
		os = append(os, act.Object{Name: name})
	}
	return os
}

func (m *memory) Find(ctx context.Context, ts []act.Target) []downtime.Found {
	if err := ctx.Err(); err != nil {
		return slices.Repeat([]downtime.Found{{Err: err}}, len(ts))
	}
	return downtime.Match(ts, m.objects())
}

func (m *memory) Services(context.Context, []string) (map[string][]string, error) {
	return m.services, nil
}

func (m *memory) Entries(context.Context, []string) ([]downtime.Entry, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.broken > 0 {
		m.broken--
		return nil, katprep.Errorf(katprep.Unreachable, "restarting")
	}
	if m.delay > 0 {
		m.delay--
		return nil, nil
	}
	es := slices.Clone(m.entries)
	m.late--
	for i := range es {
		es[i].InEffect = m.late < 0 && !es[i].Start.After(time.Now()) && es[i].End.After(time.Now())
	}
	return es, nil
}

func (m *memory) Send(_ context.Context, rs []downtime.Request) []error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.sent += len(rs)
	m.broken += m.restart
	if m.forget -= len(rs); m.lose || m.forget >= 0 {
		return make([]error, len(rs))
	}
	for _, r := range rs {
		for _, svc := range append([]string{""}, r.Services...) {
			m.add(downtime.Entry{Host: r.Host, Service: svc, Comment: r.Comment, Start: r.Window.Start, End: r.Window.End.Add(m.wrong)})
		}
	}
	return make([]error, len(rs))
}

func (m *memory) add(e downtime.Entry) {
	m.next++
	e.ID = fmt.Sprint(m.next)
	m.entries = append(m.entries, e)
}

func (m *memory) Remove(_ context.Context, es []downtime.Entry) []error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.broken += m.restart
	for _, gone := range es {
		m.entries = slices.DeleteFunc(m.entries, func(e downtime.Entry) bool { return e.ID == gone.ID })
	}
	return make([]error, len(es))
}

type system struct{ *downtime.Scheduler }

func (system) Identify(ctx context.Context) (act.Identity, error) {
	return act.Identity{Product: "memory"}, ctx.Err()
}

func newMemory() *memory {
	return &memory{services: map[string][]string{"a": {"disk", "ssh"}, "b": {"ssh"}, "empty": nil}}
}

func rules() downtime.Rules {
	return downtime.Rules{System: "memory", Patience: 400 * time.Millisecond, Interval: 20 * time.Millisecond}
}

func TestContract(t *testing.T) {
	m := newMemory()
	acttest.Downtimer(t, acttest.DowntimerFixture{
		Downtimer: system{downtime.New(m, rules())},
		Targets:   []act.Target{{Name: "a"}, {Name: "b"}},
		Unknown:   act.Target{Name: "c"},
		Foreign: func(_ *testing.T, target act.Target) func() bool {
			m.mu.Lock()
			defer m.mu.Unlock()
			m.add(downtime.Entry{Host: target.Name, Comment: "rack move", Start: time.Now(), End: time.Now().Add(time.Hour)})
			return func() bool {
				return slices.ContainsFunc(m.entries, func(e downtime.Entry) bool { return e.Comment == "rack move" })
			}
		},
	})
}

var target = act.Target{Name: "a", Marker: "katprep-x"}

func hour() katprep.Window {
	now := time.Now().UTC().Truncate(time.Second)
	return katprep.Window{Start: now, End: now.Add(time.Hour)}
}

func TestUnconfirmedIsNoSuccess(t *testing.T) {
	for name, test := range map[string]struct {
		m    *memory
		want string
	}{
		"lost":        {&memory{lose: true}, `the host itself is not listed, service "disk" is not listed`},
		"other times": {&memory{wrong: time.Minute}, "the host itself is listed with other times"},
		"unreadable":  {&memory{broken: 1 << 30}, "restarting"},
	} {
		t.Run(name, func(t *testing.T) {
			test.m.services = newMemory().services
			_, err := downtime.New(test.m, rules()).Schedule(t.Context(), target, hour(), "x")
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("Schedule: error %v, want %q", err, test.want)
			}
			if katprep.KindOf(err) != katprep.Unreachable {
				t.Errorf("kind %v", katprep.KindOf(err))
			}
		})
	}
}

func TestMissingServiceIsNoSuccess(t *testing.T) {
	m := newMemory()
	m.lose = true
	m.add(downtime.Entry{Host: "a", Comment: "katprep-x y", Start: hour().Start, End: hour().End})
	_, err := downtime.New(m, rules()).Schedule(t.Context(), target, katprep.Window{Start: hour().Start, End: m.entries[0].End}, "y")
	if err == nil || !strings.Contains(err.Error(), `service "ssh" is not listed`) {
		t.Errorf("a host whose services are not covered: error %v", err)
	}
}

func TestSlowAndRestartingSystems(t *testing.T) {
	m := newMemory()
	m.delay, m.restart = 6, 3
	s := downtime.New(m, downtime.Rules{System: "memory", Interval: 10 * time.Millisecond})
	if _, err := s.Schedule(t.Context(), target, hour(), "x"); err != nil {
		t.Fatalf("Schedule: %v", err)
	}
	if err := s.EndDowntime(t.Context(), target); err != nil {
		t.Errorf("EndDowntime: %v", err)
	}
	if m.sent != 1 || len(m.entries) != 0 {
		t.Errorf("%d requests, %d entries left", m.sent, len(m.entries))
	}
}

// TestLostWithARestart: what a core was restarted over is sent again.
func TestLostWithARestart(t *testing.T) {
	m := newMemory()
	m.forget = 1
	if _, err := downtime.New(m, rules()).Schedule(t.Context(), target, hour(), "x"); err != nil {
		t.Fatal(err)
	}
	if m.sent != 2 || len(m.entries) != 3 {
		t.Errorf("%d requests, %d entries; want 2 and 3", m.sent, len(m.entries))
	}
}

// TestAppliedLate: a system that was restarted lists a downtime before it is
// in effect; it is looked at again.
func TestAppliedLate(t *testing.T) {
	m := newMemory()
	w := hour()
	m.add(downtime.Entry{Host: "a", Comment: "katprep-x y", Start: w.Start, End: w.End})
	m.late = 3
	if _, in, found, err := downtime.New(m, rules()).FindDowntime(t.Context(), target); !in || !found || err != nil {
		t.Errorf("in effect %v, found %v, %v", in, found, err)
	}
	m.late = 1 << 30
	if _, in, found, err := downtime.New(m, rules()).FindDowntime(t.Context(), target); in || !found || err != nil {
		t.Errorf("never applied: in effect %v, found %v, %v", in, found, err)
	}
}

func TestClockSkewIsNamed(t *testing.T) {
	m := newMemory()
	m.lose = true
	r := rules()
	r.Skew = func() (time.Duration, bool) { return -5 * time.Minute, true }
	_, err := downtime.New(m, r).Schedule(t.Context(), target, hour(), "x")
	if hint := katprep.HintOf(err); !strings.Contains(hint, "differs from ours by -5m0s") {
		t.Errorf("hint %q", hint)
	}
}

func TestSameObjectTwice(t *testing.T) {
	m := newMemory()
	rs := downtime.New(m, rules()).ScheduleAll(t.Context(), []act.Target{target, {Host: katprep.Host{Name: "A"}, Marker: target.Marker}}, hour(), "x")
	if rs[0].Err != nil || rs[1].Err != nil || rs[0].Ref.ID != rs[1].Ref.ID || m.sent != 1 {
		t.Errorf("results %+v after %d requests, want one shared downtime", rs, m.sent)
	}
}

func TestOwned(t *testing.T) {
	es := []downtime.Entry{
		{ID: "1", Host: "a", Comment: "katprep-1 x"},
		{ID: "2", Host: "a", Comment: "katprep-12 x"},
		{ID: "3", Host: "a", Comment: "about katprep-1"},
		{ID: "4", Host: "b", Comment: "katprep-1 x"},
		{ID: "5", Host: "c", Comment: "katprep-1 x", By: "1"},
		{ID: "6", Host: "d", Comment: "by somebody", By: "1"},
		{ID: "7", Host: "a", Service: "s", Comment: "katprep-1"},
	}
	ids := func(host string, m act.Marker) (s string) {
		for _, e := range downtime.Owned(es, host, m) {
			s += e.ID
		}
		return s
	}
	for _, test := range []struct {
		host   string
		marker act.Marker
		want   string
	}{{"a", "katprep-1", "175"}, {"a", "katprep-12", "2"}, {"b", "katprep-1", "4"}, {"a", "katprep-", ""}, {"a", "", ""}, {"", "katprep-1", ""}} {
		if got := ids(test.host, test.marker); got != test.want {
			t.Errorf("Owned(%q, %q) = %q, want %q", test.host, test.marker, got, test.want)
		}
	}
}

func TestMatch(t *testing.T) {
	objects := []act.Object{
		{Name: "web01", Display: "Web 01", IPs: []string{"192.0.2.1"}},
		{Name: "web01.example.com", IPs: []string{"192.0.2.2", "2001:db8:0::2"}},
		{Name: "twin1", IPs: []string{"192.0.2.9"}}, {Name: "twin2", IPs: []string{"192.0.2.9"}},
		{Name: "x", Display: "same"}, {Name: "y", Display: "same"},
	}
	host := func(n string) katprep.Host { return katprep.Host{Name: n} }
	for _, test := range []struct {
		t    act.Target
		want string
		kind katprep.Kind
	}{
		{act.Target{Name: "web01"}, "web01", 0},
		{act.Target{Name: "WEB01", IP: "192.0.2.1"}, "", katprep.NotFound}, // a given name is the name
		{act.Target{Host: host("web01.example.com"), IP: "192.0.2.1"}, "web01.example.com", 0},
		{act.Target{Host: host("WEB01.Example.com")}, "web01.example.com", 0},
		{act.Target{Host: host("web 01")}, "web01", 0},
		{act.Target{Host: host("other"), IP: "192.0.2.1"}, "web01", 0},
		{act.Target{Host: host("other"), IP6: "2001:DB8::2"}, "web01.example.com", 0},
		{act.Target{IP: "192.0.2.2"}, "web01.example.com", 0},
		{act.Target{IP: "192.0.2.9"}, "", katprep.Conflict},
		{act.Target{Host: host("same")}, "", katprep.Conflict},
		{act.Target{Host: host("nope"), IP: "0.0.0.0"}, "", katprep.NotFound},
		{act.Target{}, "", katprep.Invalid},
		{act.Target{IP: "not an address"}, "", katprep.Invalid},
	} {
		f := downtime.Match([]act.Target{test.t}, objects)[0]
		if f.Host != test.want || (f.Err != nil) != (test.want == "") || f.Err != nil && katprep.KindOf(f.Err) != test.kind {
			t.Errorf("Match(%+v) = %q, %v; want %q", test.t, f.Host, f.Err, test.want)
		}
	}
}

func TestCheckMarker(t *testing.T) {
	for _, m := range []act.Marker{"", "katprep-", "other", "katprep-a b", "katprep-a;b", "katprep-a<b", "katprep-a&b", "katprep-ü", "katprep-a\nb"} {
		if err := downtime.CheckMarker(m); katprep.KindOf(err) != katprep.Invalid || err == nil {
			t.Errorf("CheckMarker(%q) = %v", m, err)
		}
	}
	if err := downtime.CheckMarker(act.NewMarker("2026-11_a.b")); err != nil {
		t.Error(err)
	}
}

func FuzzComment(f *testing.F) {
	f.Add("Wartung für Müller; DEL_ALL\n[1] X", true)
	f.Add(strings.Repeat("ü", 400), false)
	f.Add("<script>\x00\u2028|\xff", false)
	f.Fuzz(func(t *testing.T, comment string, ascii bool) {
		got := downtime.Comment("katprep-r", comment, ascii)
		if !downtime.Carries(got, "katprep-r") {
			t.Fatalf("Comment(%q) = %q does not carry the marker", comment, got)
		}
		if len(got) > 250 || strings.ContainsAny(got, ";<>|\n\r\x00\u2028") {
			t.Fatalf("Comment(%q) = %q", comment, got)
		}
		for _, r := range got {
			if ascii && r > '~' {
				t.Fatalf("Comment(%q) = %q is not ASCII", comment, got)
			}
		}
	})
}
