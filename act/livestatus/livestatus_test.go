package livestatus_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/act"
	"github.com/stdevel/katprep/act/acttest"
	"github.com/stdevel/katprep/act/livestatus"
	"github.com/stdevel/katprep/internal/monlab"
)

var lab monlab.Lab

func TestMain(m *testing.M) { os.Exit(monlab.Main(m, &lab)) }

func client(t *testing.T, url string) *livestatus.Client {
	t.Helper()
	c, err := livestatus.New(livestatus.Options{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func named(name string) act.Target { return act.Target{Name: name, Marker: "katprep-run1"} }

func hours(n time.Duration) katprep.Window {
	start := time.Now().Add(-time.Second).UTC().Truncate(time.Second)
	return katprep.Window{Start: start, End: start.Add(n * time.Hour)}
}

func foreign(s *monlab.Icinga2) func(*testing.T, act.Target) func() bool {
	return func(t *testing.T, target act.Target) func() bool {
		now := time.Now().Unix()
		rs := s.Call(t, "/v1/actions/schedule-downtime", map[string]any{
			"type": "Host", "host": target.Name, "author": "katprep", "comment": "rack move katprep-contract-1", "start_time": now, "end_time": now + 3600,
		})
		name := rs[0]["name"].(string)
		t.Cleanup(func() { s.Call(t, "/v1/actions/remove-downtime", map[string]any{"downtime": name}) })
		return func() bool {
			return len(s.Call(t, "/v1/objects/downtimes?downtimes="+strings.ReplaceAll(name, "!", "%21"), nil)) == 1
		}
	}
}

// TestIcinga2 runs against the listener of a real Icinga 2.
func TestIcinga2(t *testing.T) {
	s := lab.Icinga2(t)
	c := client(t, "unix://"+s.Socket)
	fixture := acttest.DowntimerFixture{
		Downtimer: c,
		Targets:   []act.Target{{Name: "web01.example.test"}, {Name: "wärter/öl+#?"}},
		Unknown:   act.Target{Name: "nope"},
		Foreign:   foreign(s),
	}
	t.Run("Unix", func(t *testing.T) { acttest.Downtimer(t, fixture) })
	fixture.Downtimer = client(t, "tcp://"+s.Livestatus)
	fixture.Targets = []act.Target{{Name: "pending01.example.test"}, {Name: "db01.example.test"}}
	t.Run("TCP", func(t *testing.T) { acttest.Downtimer(t, fixture) })
	acttest.Inventory(t, acttest.InventoryFixture{Inventory: c, Want: []act.Object{
		{Name: "web01.example.test", Display: "Web 01", IPs: []string{"192.0.2.11", "2001:db8::11"}, Groups: []string{"web"}},
		{Name: "v6only.example.test", IPs: []string{"2001:db8::66"}},
	}})
	id, err := c.Identify(t.Context())
	if err != nil || id.Product != "Icinga 2" || !strings.HasPrefix(id.Version, "r2.") {
		t.Errorf("Identify = %+v, %v", id, err)
	}
}

func TestHealth(t *testing.T) {
	s := lab.Icinga2(t)
	c := client(t, "unix://"+s.Socket)
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		h, err := c.Health(t.Context(), named("web01.example.test"))
		if err != nil || time.Now().After(end) {
			t.Fatal("web01 is not checked", err)
		}
		if len(h.Services) == 3 && h.Host.Status == act.CheckOK && h.Services[0].Status == act.CheckWarning && h.Services[1].Status == act.CheckOK {
			break
		}
	}
	acttest.HealthReader(t, acttest.HealthFixture{Reader: c, Target: act.Target{Name: "web01.example.test"}, Unknown: act.Target{Name: "nope"}, Want: act.Health{
		Host:     act.CheckState{Status: act.CheckOK, Output: "fake host OK"},
		Services: []act.CheckState{{Name: "disk /", Status: act.CheckWarning, Output: "DISK WARNING - 15% free"}, {Name: "http", Status: act.CheckOK}},
	}})
	acttest.HealthReader(t, acttest.HealthFixture{Reader: c, Target: act.Target{Name: "pending01.example.test"}, Unknown: act.Target{Name: "nope"}, Want: act.Health{
		Host: act.CheckState{Status: act.CheckPending},
	}})
}

// TestHostileNames: nothing that comes from outside becomes a line or a field.
func TestHostileNames(t *testing.T) {
	s := lab.Icinga2(t)
	c := client(t, "unix://"+s.Socket)
	for _, name := range []string{
		"web01.example.test\n\nCOMMAND [0] DEL_HOST_DOWNTIME;1", "a\nFilter: name ~ .*\nOr: 2", "a\rb", "a\x00b",
	} {
		_, err := c.Schedule(t.Context(), named(name), hours(1), "x")
		if katprep.KindOf(err) != katprep.Invalid || err == nil {
			t.Errorf("Schedule(%q): %v", name, err)
		}
		if _, err := c.Health(t.Context(), named(name)); katprep.KindOf(err) != katprep.Invalid || err == nil {
			t.Errorf("Health(%q): %v", name, err)
		}
	}
	_, err := c.Schedule(t.Context(), named(`we ird&host; "x" %41`), hours(1), "x") // it exists, and no command can name it
	if katprep.KindOf(err) != katprep.Invalid || err == nil {
		t.Errorf("a name with a semicolon: %v", err)
	}
	if _, err := livestatus.New(livestatus.Options{URL: "http://x:1"}); katprep.KindOf(err) != katprep.Invalid || err == nil {
		t.Errorf("New: %v", err)
	}
}

func TestBulk(t *testing.T) {
	s := lab.Icinga2(t)
	s.AddHosts(t, "bulk", 60, 3)
	c := client(t, "tcp://"+s.Livestatus)
	ts := make([]act.Target, 60)
	for i := range ts {
		ts[i] = named(fmt.Sprintf("bulk%d", i))
	}
	for i, r := range c.ScheduleAll(t.Context(), ts, hours(1), "patching") {
		if r.Err != nil || r.Ref.Data["services"] != "3" {
			t.Fatalf("%d: %+v", i, r)
		}
	}
	for _, r := range c.EndAll(t.Context(), ts) {
		if r.Err != nil {
			t.Fatal(r.Err)
		}
	}
}

// TestRestart: Icinga 2 numbers downtimes anew when it starts; ours is found
// by its marker, and somebody else's that has its number now stays.
func TestRestart(t *testing.T) {
	s := lab.Icinga2(t)
	c := client(t, "unix://"+s.Socket)
	target, w := named("web02.example.test"), hours(1)
	theirs := foreign(s)(t, target)
	first, err := c.Schedule(t.Context(), target, w, "patching")
	if err != nil {
		t.Fatal(err)
	}
	s.Stop()
	started := make(chan error, 1)
	go func() { started <- s.Start() }()
	again, err := c.Schedule(t.Context(), target, w, "patching") // begins while nobody listens
	if e := <-started; e != nil {
		t.Fatal(e)
	}
	if err != nil || again.Data["services"] != first.Data["services"] || strings.Contains(again.ID, ",") {
		t.Errorf("Schedule over a restart = %+v, %v; before it %+v", again, err, first)
	}
	if err := c.EndDowntime(t.Context(), target); err != nil {
		t.Error(err)
	}
	if _, _, found, err := c.FindDowntime(t.Context(), target); found || err != nil {
		t.Errorf("afterwards: found %v, %v", found, err)
	}
	if !theirs() {
		t.Error("somebody else's downtime is gone")
	}
}

// TestNaemon runs against a fake that answers as a recorded Naemon does.
func TestNaemon(t *testing.T) {
	n := newNaemon("a.example.test", "b.example.test")
	acttest.Downtimer(t, acttest.DowntimerFixture{
		Downtimer: client(t, n.listen(t, nil)),
		Targets:   []act.Target{{Name: "a.example.test"}, {Name: "b.example.test"}},
		Unknown:   act.Target{Name: "nope"},
		Foreign: func(_ *testing.T, target act.Target) func() bool {
			id := n.add(target.Name, "", "admin", "rack move", time.Now().Unix(), time.Now().Unix()+3600)
			return func() bool { return n.has(id) }
		},
	})
}

func TestTLS(t *testing.T) {
	dir := t.TempDir()
	cert, ca := certificate(t)
	file := filepath.Join(dir, "ca.pem")
	if err := os.WriteFile(file, ca, 0o600); err != nil {
		t.Fatal(err)
	}
	url := newNaemon("a.example.test").listen(t, &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12})
	for name, test := range map[string]struct {
		o  livestatus.Options
		ok bool
	}{
		"unknown authority": {livestatus.Options{}, false},
		"other name":        {livestatus.Options{CAFile: file}, false},
		"server name":       {livestatus.Options{CAFile: file, ServerName: "monitor.example.test"}, true},
		"insecure":          {livestatus.Options{Insecure: true}, true},
	} {
		test.o.URL = url
		c, err := livestatus.New(test.o)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Identify(t.Context()); (err == nil) != test.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestStuckServer: a core that accepts and never answers.
func TestStuckServer(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c, err := livestatus.New(livestatus.Options{URL: "tcp://" + l.Addr().String(), Timeout: 100 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Identify(t.Context()); katprep.KindOf(err) != katprep.Unreachable || err == nil {
		t.Errorf("a stuck server: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(20*time.Millisecond, cancel)
	slow, err := livestatus.New(livestatus.Options{URL: "tcp://" + l.Addr().String(), Timeout: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := slow.Identify(ctx); err == nil {
		t.Error("an ended context: no error")
	}
}
