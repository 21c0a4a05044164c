package icinga2_test

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/act"
	"github.com/stdevel/katprep/act/acttest"
	"github.com/stdevel/katprep/act/icinga2"
	"github.com/stdevel/katprep/internal/monlab"
)

const manyServices = 10

var bulk monlab.Lab // its own server: other tests need not read ten thousand services

func many(tb testing.TB, n int) (*monlab.Icinga2, *icinga2.Client, []act.Target) {
	tb.Helper()
	s := bulk.Icinga2(tb)
	s.AddHosts(tb, "bulk", n, manyServices)
	ts := make([]act.Target, n)
	for i := range ts {
		ts[i] = named(fmt.Sprintf("bulk%d", i))
	}
	return s, client(tb, s, "katprep"), ts
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

func endAll(tb testing.TB, c *icinga2.Client, ts []act.Target) {
	tb.Helper()
	for _, r := range c.EndAll(tb.Context(), ts) {
		if r.Err != nil {
			tb.Fatal(r.Err)
		}
	}
}

// TestBulk schedules and confirms 770 downtimes in few requests, and then
// while the server is restarted; the benchmark does it for a thousand hosts.
func TestBulk(t *testing.T) {
	s, c, ts := many(t, 70)
	scheduleAll(t, c, ts)
	if n := c.Requests(); n > 6 { // hosts, services, before, 2 × 50 hosts, after
		t.Errorf("%d requests, want at most 6", n)
	}
	findAll(t, c, ts)
	endAll(t, c, ts)
	restarted := make(chan error, 1)
	go func() { restarted <- restartAmid(t, s) }()
	scheduleAll(t, c, ts)
	if err := <-restarted; err != nil {
		t.Fatal(err)
	}
	covered := map[any]bool{}
	for _, d := range s.Call(t, "/v1/objects/downtimes?attrs=host_name&attrs=service_name", nil) {
		a := d["attrs"].(map[string]any)
		covered[a["host_name"].(string)+"!"+a["service_name"].(string)] = true
	}
	if len(covered) != len(ts)*(manyServices+1) {
		t.Errorf("after the restart %d hosts and services are in a downtime", len(covered))
	}
	go func() { restarted <- restart(s) }()
	endAll(t, c, ts)
	if err := <-restarted; err != nil {
		t.Fatal(err)
	}
	if left := s.Call(t, "/v1/objects/downtimes", nil); len(left) > 0 {
		t.Errorf("%d downtimes are left", len(left))
	}
}

// findAll looks for the downtimes of all hosts at once, as an engine does that
// goes host by host: they share the expensive queries, and each gets its own.
func findAll(t *testing.T, c *icinga2.Client, ts []act.Target) {
	t.Helper()
	before := c.Requests()
	var all sync.WaitGroup
	for _, target := range ts {
		all.Go(func() {
			ref, in, found, err := c.FindDowntime(t.Context(), target)
			if err != nil || !found || !in || ref.Data["host"] != target.Name || ref.Data["services"] != fmt.Sprint(manyServices) {
				t.Errorf("%s: %+v, found %v, in effect %v, %v", target.Name, ref, found, in, err)
			}
		})
	}
	all.Wait()
	if n := int(c.Requests() - before); n > len(ts)+len(ts)/2 { // one by name each, and what they share
		t.Errorf("%d requests for %d hosts", n, len(ts))
	}
}

// restartAmid restarts the server as soon as it has some downtimes.
func restartAmid(t *testing.T, s *monlab.Icinga2) error {
	for {
		ds, err := s.Ask(t.Context(), "/v1/objects/downtimes?attrs=name", nil)
		if err != nil {
			return err
		}
		if len(ds) > 0 {
			return restart(s)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func restart(s *monlab.Icinga2) error {
	s.Stop()
	return s.Start()
}

// bare sends what has to be sent, as fast as a client can that looks at
// nothing and confirms nothing: the server's own share.
func bare(tb testing.TB, s *monlab.Icinga2, ts []act.Target) {
	tb.Helper()
	var g errgroup.Group
	g.SetLimit(2)
	start := time.Now().Unix()
	for part := range slices.Chunk(ts, 50) {
		var hosts []string
		for _, t := range part {
			hosts = append(hosts, t.Name)
		}
		g.Go(func() error {
			_, err := s.Ask(tb.Context(), "/v1/actions/schedule-downtime", map[string]any{
				"type": "Host", "hosts": hosts, "author": "katprep", "comment": string(ts[0].Marker) + " bare",
				"start_time": start, "end_time": start + 7200, "fixed": true, "all_services": true,
			})
			return err
		})
	}
	if err := g.Wait(); err != nil {
		tb.Fatal(err)
	}
}

// BenchmarkScheduleAll also says what the same requests take without
// anything of ours around them.
func BenchmarkScheduleAll(b *testing.B) {
	s, c, ts := many(b, 1000)
	var requests int64
	var ours, floor, server, serverFloor time.Duration
	for b.Loop() {
		before, cpu, began := c.Requests(), s.CPU(), time.Now()
		scheduleAll(b, c, ts)
		ours, server, requests = ours+time.Since(began), server+s.CPU()-cpu, c.Requests()-before
		b.StopTimer()
		endAll(b, c, ts)
		cpu, began = s.CPU(), time.Now()
		bare(b, s, ts)
		floor, serverFloor = floor+time.Since(began), serverFloor+s.CPU()-cpu
		endAll(b, c, ts)
		b.StartTimer()
	}
	n := float64(b.N)
	b.ReportMetric(float64(requests), "requests/op")
	b.ReportMetric(floor.Seconds()/n, "bare-s/op")
	b.ReportMetric(ours.Seconds()/floor.Seconds(), "ours/bare")
	b.ReportMetric(server.Seconds()/n, "server-cpu-s/op")
	b.ReportMetric(serverFloor.Seconds()/n, "server-cpu-s-bare/op")
	if requests > 50 {
		b.Errorf("%d requests, want at most 50", requests)
	}
}

// BenchmarkRun takes a thousand hosts through the stages of a run; only the
// monitoring is real.
func BenchmarkRun(b *testing.B) {
	s, c, ts := many(b, 1000)
	names := make([]string, len(ts))
	for i, t := range ts {
		names[i] = t.Name
	}
	for b.Loop() {
		e := runOf(b, c, &acttest.Journal{}, names)
		for _, stage := range []katprep.Stage{katprep.StagePrepare, katprep.StageExecute, katprep.StageVerify, katprep.StageCleanup} {
			requests, cpu, began := c.Requests(), s.CPU(), time.Now()
			if sum := runStage(b, e, stage); sum.Failures() != 0 {
				b.Fatalf("%s: %d failures", stage, sum.Failures())
			}
			b.ReportMetric(time.Since(began).Seconds(), string(stage)+"-s")
			b.ReportMetric((s.CPU() - cpu).Seconds(), string(stage)+"-server-cpu-s")
			b.ReportMetric(float64(c.Requests()-requests), string(stage)+"-requests")
		}
	}
}
