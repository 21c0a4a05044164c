package acttest

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/act"
)

// A DowntimerFixture is a monitoring system under test. It must know at
// least two hosts that are in no downtime with the markers of the suite.
type DowntimerFixture struct {
	Downtimer act.Downtimer
	Targets   []act.Target // at least two hosts; the suite sets the markers
	Unknown   act.Target   // names a host that the system does not have; zero where a system cannot tell
	// Foreign puts a host into a downtime of somebody else and returns a
	// function that says whether that downtime is still there.
	Foreign func(t *testing.T, target act.Target) (there func() bool)
	// Timeout bounds each call; zero is 30 s.
	Timeout time.Duration
	// Grain is what the system rounds times to; zero is a second.
	Grain time.Duration
}

const (
	markerA = act.Marker("katprep-contract-1")
	markerB = act.Marker("katprep-contract-12") // begins with the other one
)

// window returns a window that began a moment ago, in the system's grain.
func (f DowntimerFixture) window(from, length time.Duration) katprep.Window {
	grain := max(f.Grain, time.Second)
	start := time.Now().Add(from).UTC().Truncate(grain)
	return katprep.Window{Start: start, End: start.Add(length)}
}

func with(t act.Target, m act.Marker) act.Target {
	t.Marker = m
	return t
}

func bounded(t *testing.T, d time.Duration) context.Context {
	t.Helper()
	if d == 0 {
		d = 30 * time.Second
	}
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

// Downtimer tests that a backend keeps the contract of [act.Downtimer] and,
// if it offers it, of [act.BulkDowntimer].
func Downtimer(t *testing.T, f DowntimerFixture) {
	if len(f.Targets) < 2 {
		t.Fatal("the fixture needs two hosts")
	}
	tests := []struct {
		name string
		run  func(*testing.T, DowntimerFixture)
	}{
		{"Identify", func(t *testing.T, f DowntimerFixture) { identify(t, f.Downtimer, f.Timeout) }},
		{"ScheduleFindEnd", downtimeLife},
		{"Adopt", downtimeAdopt},
		{"ChangedWindow", downtimeChange},
		{"Future", downtimeFuture},
		{"BadWindows", downtimeBadWindows},
		{"OtherMarkers", downtimeMarkers},
		{"OtherHosts", downtimeHosts},
		{"Foreign", downtimeForeign},
		{"HostileComment", downtimeComment},
		{"UnknownHost", downtimeUnknown},
		{"Cancelled", downtimeCancelled},
		{"Bulk", downtimeBulk},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			endAll(t, f)
			test.run(t, f)
			endAll(t, f)
		})
	}
}

func identify(t *testing.T, s act.System, timeout time.Duration) {
	id, err := s.Identify(bounded(t, timeout))
	if err != nil {
		t.Fatalf("Identify: %v", err)
	}
	if id.Product == "" {
		t.Errorf("Identify = %+v: no product", id)
	}
}

// endAll removes what a test left, and so makes the next one independent.
func endAll(t *testing.T, f DowntimerFixture) {
	t.Helper()
	for _, target := range f.Targets {
		for _, m := range []act.Marker{markerA, markerB} {
			if err := f.Downtimer.EndDowntime(bounded(t, f.Timeout), with(target, m)); err != nil {
				t.Fatalf("EndDowntime(%s): %v", m, err)
			}
		}
	}
}

func schedule(t *testing.T, f DowntimerFixture, target act.Target, w katprep.Window) act.Ref {
	t.Helper()
	ref, err := f.Downtimer.Schedule(bounded(t, f.Timeout), target, w, "contract")
	if err != nil {
		t.Fatalf("Schedule: %v", err)
	}
	if ref.ID == "" {
		t.Fatalf("Schedule: the reference %+v has no ID", ref)
	}
	return ref
}

func wantDowntime(t *testing.T, f DowntimerFixture, target act.Target, found, inEffect bool) act.Ref {
	t.Helper()
	ref, effect, ok, err := f.Downtimer.FindDowntime(bounded(t, f.Timeout), target)
	if err != nil {
		t.Fatalf("FindDowntime(%s): %v", target.Marker, err)
	}
	if ok != found || ok && effect != inEffect {
		t.Fatalf("FindDowntime(%s): found %v, in effect %v; want %v, %v", target.Marker, ok, effect, found, inEffect)
	}
	return ref
}

func downtimeLife(t *testing.T, f DowntimerFixture) {
	target, w := with(f.Targets[0], markerA), f.window(-time.Second, time.Hour)
	wantDowntime(t, f, target, false, false)
	ref := schedule(t, f, target, w)
	found := wantDowntime(t, f, target, true, true)
	if !sameIDs(ref.ID, found.ID) {
		t.Errorf("Schedule returned %q, FindDowntime %q", ref.ID, found.ID)
	}
	for _, r := range []act.Ref{ref, found} {
		if got := refEnd(t, r); !got.Equal(w.End) {
			t.Errorf("the downtime ends at %v, want %v", got, w.End)
		}
	}
	if err := f.Downtimer.EndDowntime(bounded(t, f.Timeout), target); err != nil {
		t.Fatalf("EndDowntime: %v", err)
	}
	wantDowntime(t, f, target, false, false)
	if err := f.Downtimer.EndDowntime(bounded(t, f.Timeout), target); err != nil {
		t.Errorf("EndDowntime with none there: %v", err)
	}
}

func refEnd(t *testing.T, r act.Ref) time.Time {
	t.Helper()
	end, err := time.Parse(time.RFC3339, r.Data[act.DataEnd])
	if err != nil {
		t.Fatalf("Ref.Data[%q] = %q: want the end in RFC 3339", act.DataEnd, r.Data[act.DataEnd])
	}
	return end
}

func downtimeAdopt(t *testing.T, f DowntimerFixture) {
	target, w := with(f.Targets[0], markerA), f.window(-time.Second, time.Hour)
	first := schedule(t, f, target, w)
	second := schedule(t, f, target, w)
	if !sameIDs(first.ID, second.ID) {
		t.Errorf("the second Schedule made %q beside %q", second.ID, first.ID)
	}
}

// sameIDs compares comma-separated IDs as sets.
func sameIDs(a, b string) bool {
	split := func(s string) []string {
		ids := slices.Collect(splitComma(s))
		slices.Sort(ids)
		return ids
	}
	return slices.Equal(split(a), split(b))
}

func downtimeChange(t *testing.T, f DowntimerFixture) {
	target, w := with(f.Targets[0], markerA), f.window(-time.Second, time.Hour)
	schedule(t, f, target, w)
	for _, length := range []time.Duration{3 * time.Hour, 30 * time.Minute} {
		w.End = w.Start.Add(length)
		schedule(t, f, target, w)
		if got := refEnd(t, wantDowntime(t, f, target, true, true)); !got.Equal(w.End) {
			t.Errorf("after the change to %v the downtime ends at %v, want %v", length, got, w.End)
		}
	}
}

func downtimeFuture(t *testing.T, f DowntimerFixture) {
	target := with(f.Targets[0], markerA)
	schedule(t, f, target, f.window(2*time.Hour, time.Hour))
	wantDowntime(t, f, target, true, false)
}

func downtimeBadWindows(t *testing.T, f DowntimerFixture) {
	now, target := time.Now().UTC(), with(f.Targets[0], markerA)
	for name, w := range map[string]katprep.Window{
		"zero":     {},
		"no start": {End: now.Add(time.Hour)},
		"no end":   {Start: now},
		"past":     {Start: now.Add(-2 * time.Hour), End: now.Add(-time.Hour)},
		"inverted": {Start: now.Add(2 * time.Hour), End: now.Add(time.Hour)},
		"empty":    {Start: now.Add(time.Hour), End: now.Add(time.Hour)},
	} {
		_, err := f.Downtimer.Schedule(bounded(t, f.Timeout), target, w, "contract")
		if err == nil || katprep.KindOf(err) != katprep.Invalid {
			t.Errorf("%s: Schedule: error %v, want one of kind Invalid", name, err)
		}
		wantDowntime(t, f, target, false, false)
	}
}

func downtimeMarkers(t *testing.T, f DowntimerFixture) {
	a, b := with(f.Targets[0], markerA), with(f.Targets[0], markerB)
	schedule(t, f, b, f.window(-time.Second, time.Hour))
	wantDowntime(t, f, a, false, false)
	schedule(t, f, a, f.window(-time.Second, 2*time.Hour))
	if err := f.Downtimer.EndDowntime(bounded(t, f.Timeout), a); err != nil {
		t.Fatalf("EndDowntime: %v", err)
	}
	wantDowntime(t, f, a, false, false)
	wantDowntime(t, f, b, true, true)
}

func downtimeHosts(t *testing.T, f DowntimerFixture) {
	a, b := with(f.Targets[0], markerA), with(f.Targets[1], markerA)
	schedule(t, f, a, f.window(-time.Second, time.Hour))
	wantDowntime(t, f, b, false, false)
	schedule(t, f, b, f.window(-time.Second, time.Hour))
	if err := f.Downtimer.EndDowntime(bounded(t, f.Timeout), a); err != nil {
		t.Fatalf("EndDowntime: %v", err)
	}
	wantDowntime(t, f, a, false, false)
	wantDowntime(t, f, b, true, true)
}

func downtimeForeign(t *testing.T, f DowntimerFixture) {
	if f.Foreign == nil {
		t.Fatal("the fixture cannot make somebody else's downtime")
	}
	target := with(f.Targets[0], markerA)
	there := f.Foreign(t, f.Targets[0])
	wantDowntime(t, f, target, false, false)
	schedule(t, f, target, f.window(-time.Second, time.Hour))
	if err := f.Downtimer.EndDowntime(bounded(t, f.Timeout), target); err != nil {
		t.Fatalf("EndDowntime: %v", err)
	}
	if !there() {
		t.Error("EndDowntime removed somebody else's downtime")
	}
}

func downtimeComment(t *testing.T, f DowntimerFixture) {
	target := with(f.Targets[0], markerA)
	comment := "patches \"R'n'D\"; <b>|&\\ $(id) %41\n[1] DEL_ALL ü\x00\x1b[31m katprep-contract-12"
	if _, err := f.Downtimer.Schedule(bounded(t, f.Timeout), target, f.window(-time.Second, time.Hour), comment); err != nil {
		t.Fatalf("Schedule: %v", err)
	}
	wantDowntime(t, f, target, true, true)
	wantDowntime(t, f, with(target, markerB), false, false)
}

func downtimeUnknown(t *testing.T, f DowntimerFixture) {
	if f.Unknown == (act.Target{}) {
		t.Skip("the system does not know its hosts")
	}
	target := with(f.Unknown, markerA)
	if _, err := f.Downtimer.Schedule(bounded(t, f.Timeout), target, f.window(-time.Second, time.Hour), "contract"); katprep.KindOf(err) != katprep.NotFound {
		t.Errorf("Schedule of an unknown host: error %v, want one of kind NotFound", err)
	}
	_, _, found, err := f.Downtimer.FindDowntime(bounded(t, f.Timeout), target)
	if found || err != nil && katprep.KindOf(err) != katprep.NotFound {
		t.Errorf("FindDowntime of an unknown host: found %v, error %v", found, err)
	}
}

func downtimeCancelled(t *testing.T, f DowntimerFixture) {
	ctx, cancel := context.WithCancel(bounded(t, f.Timeout))
	cancel()
	target := with(f.Targets[0], markerA)
	if _, err := f.Downtimer.Schedule(ctx, target, f.window(-time.Second, time.Hour), "contract"); err == nil {
		t.Error("Schedule with an ended context: no error")
	}
	if _, _, _, err := f.Downtimer.FindDowntime(ctx, target); err == nil {
		t.Error("FindDowntime with an ended context: no error, so it claims to have asked")
	}
}

func downtimeBulk(t *testing.T, f DowntimerFixture) {
	bulk, ok := f.Downtimer.(act.BulkDowntimer)
	if !ok {
		t.Skip("the backend offers no bulk requests")
	}
	ts := []act.Target{with(f.Targets[0], markerA), with(f.Unknown, markerA), with(f.Targets[1], markerA)}
	results := bulk.ScheduleAll(bounded(t, f.Timeout), ts, f.window(-time.Second, time.Hour), "contract")
	if len(results) != len(ts) {
		t.Fatalf("ScheduleAll: %d results for %d hosts", len(results), len(ts))
	}
	if results[0].Err != nil || results[2].Err != nil || results[1].Err == nil {
		t.Fatalf("ScheduleAll: errors %v, %v, %v; want one for the unknown host only", results[0].Err, results[1].Err, results[2].Err)
	}
	known := []act.Target{ts[0], ts[2]}
	for _, target := range known {
		wantDowntime(t, f, target, true, true)
	}
	for i, r := range bulk.EndAll(bounded(t, f.Timeout), known) {
		if r.Err != nil {
			t.Errorf("EndAll: %v", r.Err)
		}
		wantDowntime(t, f, known[i], false, false)
	}
}
