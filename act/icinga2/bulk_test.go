package icinga2_test

import (
	"fmt"
	"testing"

	"github.com/stdevel/katprep/act"
	"github.com/stdevel/katprep/act/icinga2"
	"github.com/stdevel/katprep/internal/monlab"
)

const manyServices = 10

var bulk monlab.Lab // its own server: other tests need not read ten thousand services

func many(tb testing.TB, n int) (*icinga2.Client, []act.Target) {
	tb.Helper()
	s := bulk.Icinga2(tb)
	s.AddHosts(tb, "bulk", n, manyServices)
	ts := make([]act.Target, n)
	for i := range ts {
		ts[i] = named(fmt.Sprintf("bulk%d", i))
	}
	return client(tb, s, "katprep"), ts
}

func scheduleAll(tb testing.TB, c *icinga2.Client, ts []act.Target) {
	tb.Helper()
	for i, r := range c.ScheduleAll(tb.Context(), ts, hours(2), "patching") {
		if r.Err != nil {
			tb.Fatal(r.Err)
		}
		if r.Ref.Data["services"] != fmt.Sprint(manyServices) || r.Ref.Data["host"] != ts[i].Name {
			tb.Fatalf("result %d is %+v", i, r.Ref)
		}
	}
}

// TestBulk schedules and confirms 2,200 downtimes in few requests; the
// benchmark does it for a thousand hosts.
func TestBulk(t *testing.T) {
	c, ts := many(t, 200)
	scheduleAll(t, c, ts)
	if n := c.Requests(); n > 8 { // hosts, services, before, 4 × 50 hosts, after
		t.Errorf("%d requests, want at most 8", n)
	}
	for _, r := range c.EndAll(t.Context(), ts) {
		if r.Err != nil {
			t.Fatal(r.Err)
		}
	}
}

func BenchmarkScheduleAll(b *testing.B) {
	c, ts := many(b, 1000)
	var requests int64
	for b.Loop() {
		before := c.Requests()
		scheduleAll(b, c, ts)
		requests = c.Requests() - before
		b.StopTimer()
		c.EndAll(b.Context(), ts)
		b.StartTimer()
	}
	b.ReportMetric(float64(requests), "requests/op")
	if requests > 50 {
		b.Errorf("%d requests, want at most 50", requests)
	}
}
