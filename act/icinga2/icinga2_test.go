package icinga2_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/act"
	"github.com/stdevel/katprep/act/acttest"
	"github.com/stdevel/katprep/act/icinga2"
	"github.com/stdevel/katprep/internal/creds"
	"github.com/stdevel/katprep/internal/monlab"
)

var lab monlab.Lab

func TestMain(m *testing.M) { os.Exit(monlab.Main(m, &lab, &bulk)) }

const oddHost = `we ird&host; "x" %41`

func login(user string) creds.Login {
	return creds.Login{User: user, Password: creds.NewSecret(user + "-secret")}
}

func client(t testing.TB, s *monlab.Icinga2, user string) *icinga2.Client {
	t.Helper()
	c, err := icinga2.New(icinga2.Options{URL: s.URL, Login: login(user), CAFile: s.CAFile, Timeout: 20 * time.Second})
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
			"type": "Host", "host": target.Name, "author": "katprep", "comment": "rack move katprep-contract-1",
			"start_time": now, "end_time": now + 3600, "all_services": true,
		})
		t.Cleanup(func() { s.Call(t, "/v1/actions/remove-downtime", map[string]any{"downtime": rs[0]["name"]}) })
		return func() bool {
			for _, d := range s.Call(t, "/v1/objects/downtimes", nil) {
				if a := d["attrs"].(map[string]any); a["host_name"] == target.Name && a["service_name"] != "" && strings.HasPrefix(a["comment"].(string), "rack move") {
					return true
				}
			}
			return false
		}
	}
}

func TestContract(t *testing.T) {
	s := lab.Icinga2(t)
	c := client(t, s, "katprep")
	fixture := acttest.DowntimerFixture{
		Downtimer: c,
		Targets:   []act.Target{{Name: "web01.example.test"}, {Name: oddHost}},
		Unknown:   act.Target{Name: `web01" || true || "`},
		Foreign:   foreign(s),
	}
	t.Run("Names", func(t *testing.T) { acttest.Downtimer(t, fixture) })
	fixture.Targets = []act.Target{{Name: "wärter/öl+#?"}, {Name: "pending01.example.test"}}
	t.Run("OddNames", func(t *testing.T) { acttest.Downtimer(t, fixture) })
	acttest.Inventory(t, acttest.InventoryFixture{Inventory: c, Want: []act.Object{
		{Name: "web01.example.test", Display: "Web 01", IPs: []string{"192.0.2.11", "2001:db8::11"}, Groups: []string{"web"}},
		{Name: oddHost}, {Name: "v6only.example.test", IPs: []string{"2001:db8::66"}},
	}})
}

func TestHealth(t *testing.T) {
	s := lab.Icinga2(t)
	c := client(t, s, "katprep")
	for _, name := range []string{"web01.example.test", "web02.example.test", "db01.example.test", "down01.example.test"} {
		waitChecked(t, c, name)
	}
	s.Call(t, "/v1/actions/acknowledge-problem", map[string]any{"type": "Service", "service": "db01.example.test!mysql", "author": "dba", "comment": "known"})
	for _, test := range []struct {
		host string
		want act.Health
	}{
		{"web01.example.test", act.Health{Host: act.CheckState{Status: act.CheckOK, Output: "fake host OK"}, Services: []act.CheckState{
			{Name: "disk /", Status: act.CheckWarning, Output: "DISK WARNING - 15% free"}, {Name: "http", Status: act.CheckOK},
		}}},
		{"web02.example.test", act.Health{Host: act.CheckState{Status: act.CheckOK}, Services: []act.CheckState{{Name: "ntp", Status: act.CheckUnknown}}}},
		{"db01.example.test", act.Health{Host: act.CheckState{Status: act.CheckOK}, Services: []act.CheckState{
			{Name: "mysql", Status: act.CheckCritical, Acknowledged: true}, {Name: "backup", Status: act.CheckPending},
		}}},
		{"down01.example.test", act.Health{Host: act.CheckState{Status: act.CheckCritical, Output: "fake host DOWN"}}},
		{"pending01.example.test", act.Health{Host: act.CheckState{Status: act.CheckPending}}},
	} {
		t.Run(test.host, func(t *testing.T) {
			acttest.HealthReader(t, acttest.HealthFixture{Reader: c, Target: act.Target{Name: test.host}, Unknown: act.Target{Name: "nope"}, Want: test.want})
		})
	}
}

// waitChecked waits until only the passive service is pending.
func waitChecked(t *testing.T, c *icinga2.Client, host string) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		h, err := c.Health(t.Context(), act.Target{Name: host})
		if err != nil {
			t.Fatal(err)
		}
		pending := slices.ContainsFunc(h.Services, func(s act.CheckState) bool { return s.Status == act.CheckPending && s.Name != "backup" })
		if !pending && h.Host.Status != act.CheckPending {
			return
		}
	}
	t.Fatalf("%s is still pending", host)
}

func TestHealthInDowntime(t *testing.T) {
	s := lab.Icinga2(t)
	c := client(t, s, "katprep")
	if _, err := c.Schedule(t.Context(), named("web02.example.test"), hours(1), "patching"); err != nil {
		t.Fatal(err)
	}
	defer c.EndDowntime(t.Context(), named("web02.example.test"))
	h, err := c.Health(t.Context(), named("web02.example.test"))
	if err != nil || !h.Host.InDowntime || len(h.Services) != 2 || !h.Services[0].InDowntime || !h.Services[1].InDowntime {
		t.Errorf("Health in a downtime = %+v, %v", h, err)
	}
}

func TestFind(t *testing.T) {
	c := client(t, lab.Icinga2(t), "katprep")
	for _, test := range []struct {
		t    act.Target
		want string
		kind katprep.Kind
	}{
		{act.Target{Host: katprep.Host{Name: "WEB01.example.test"}}, "web01.example.test", 0},
		{act.Target{Host: katprep.Host{Name: "x"}, IP: "192.0.2.12"}, "web02.example.test", 0},
		{act.Target{Host: katprep.Host{Name: "x"}, IP6: "2001:DB8:0::66"}, "v6only.example.test", 0},
		{act.Target{Host: katprep.Host{Name: "x"}, IP: "192.0.2.50"}, "", katprep.Conflict},
		{act.Target{}, "", katprep.Invalid},
	} {
		f := c.Find(t.Context(), []act.Target{test.t})[0]
		if f.Host != test.want || test.want == "" && katprep.KindOf(f.Err) != test.kind {
			t.Errorf("Find(%+v) = %q, %v", test.t, f.Host, f.Err)
		}
	}
}

func TestRestartLosesNothing(t *testing.T) {
	s := lab.Icinga2(t)
	c := client(t, s, "katprep")
	target, w := named("web01.example.test"), hours(1)
	first, err := c.Schedule(t.Context(), target, w, "patching")
	if err != nil {
		t.Fatal(err)
	}
	s.Stop()
	started := make(chan error)
	go func() { started <- s.Start() }()
	again, err := c.Schedule(t.Context(), target, w, "patching") // begins while nobody listens
	if e := <-started; e != nil {
		t.Fatal(e)
	}
	if err != nil || again.ID != first.ID {
		t.Errorf("Schedule over a restart = %q, %v; want %q", again.ID, err, first.ID)
	}
	if err := c.EndDowntime(t.Context(), target); err != nil {
		t.Error(err)
	}
}

// TestExpired: a downtime that ended by itself is no trouble for clean-up.
func TestExpired(t *testing.T) {
	c := client(t, lab.Icinga2(t), "katprep")
	target := named("web02.example.test")
	w := katprep.Window{Start: time.Now().Add(-time.Second), End: time.Now().Add(2 * time.Second)}
	if _, err := c.Schedule(t.Context(), target, w, "short"); err != nil {
		t.Fatal(err)
	}
	for in, end := true, time.Now().Add(20*time.Second); in; time.Sleep(100 * time.Millisecond) {
		var err error
		if _, in, _, err = c.FindDowntime(t.Context(), target); err != nil || time.Now().After(end) {
			t.Fatal("the downtime does not end", err)
		}
	}
	if err := c.EndDowntime(t.Context(), target); err != nil {
		t.Error(err)
	}
	if _, _, found, err := c.FindDowntime(t.Context(), target); found || err != nil {
		t.Errorf("found %v, %v", found, err)
	}
}

func TestChildren(t *testing.T) {
	s := lab.Icinga2(t)
	c, err := icinga2.New(icinga2.Options{URL: s.URL + "/v1/", Login: login("katprep"), CAFile: s.CAFile, Children: true})
	if err != nil {
		t.Fatal(err)
	}
	child := client(t, s, "katprep")
	if _, err := c.Schedule(t.Context(), named("db01.example.test"), hours(1), "patching"); err != nil {
		t.Fatal(err)
	}
	if _, in, found, err := child.FindDowntime(t.Context(), named("app01.example.test")); err != nil || !found || !in {
		t.Errorf("the dependent host: found %v, in effect %v, %v", found, in, err)
	}
	if err := c.EndDowntime(t.Context(), named("db01.example.test")); err != nil {
		t.Fatal(err)
	}
	if _, _, found, err := child.FindDowntime(t.Context(), named("app01.example.test")); err != nil || found {
		t.Errorf("the dependent host afterwards: found %v, %v", found, err)
	}
}

func TestIdentify(t *testing.T) {
	s := lab.Icinga2(t)
	for user, missing := range map[string]string{
		"katprep": "", "root": "", "limited": "",
		"readonly": "actions/schedule-downtime actions/remove-downtime",
		"blind":    "objects/query/Host objects/query/Service objects/query/Downtime actions/schedule-downtime actions/remove-downtime",
	} {
		id, err := client(t, s, user).Identify(t.Context())
		if err != nil || id.Product != "Icinga 2" || !strings.HasPrefix(id.Version, "2.") || id.User != user || id.CertExpires.IsZero() || id.ClockSkew != 0 {
			t.Errorf("Identify as %s = %+v, %v", user, id, err)
		}
		if got := strings.Join(id.Missing, " "); got != missing {
			t.Errorf("missing for %s: %q, want %q", user, got, missing)
		}
	}
}

func TestRefusals(t *testing.T) {
	s := lab.Icinga2(t)
	target := named("web01.example.test")
	_, err := client(t, s, "readonly").Schedule(t.Context(), target, hours(1), "x")
	wantError(t, err, katprep.Denied, "lacks the permission actions/schedule-downtime")
	_, err = client(t, s, "blind").Schedule(t.Context(), target, hours(1), "x")
	wantError(t, err, katprep.Denied, "objects/query/")
	_, err = client(t, s, "limited").Schedule(t.Context(), named("db01.example.test"), hours(1), "x")
	wantError(t, err, katprep.NotFound, "may not see it")
	c, err := icinga2.New(icinga2.Options{URL: s.URL, Login: creds.Login{User: "katprep", Password: creds.NewSecret("hunter2")}, CAFile: s.CAFile})
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.Identify(t.Context())
	wantError(t, err, katprep.Denied, "refuses user")
	if strings.Contains(fmt.Sprint(err), "hunter2") {
		t.Error("the error shows the password")
	}
	root := client(t, s, "katprep")
	if _, err := root.Schedule(t.Context(), target, hours(1), "x"); err != nil {
		t.Fatal(err)
	}
	wantError(t, client(t, s, "noschedule").EndDowntime(t.Context(), target), 0, "")
	if _, err := root.Schedule(t.Context(), target, hours(1), "x"); err != nil {
		t.Fatal(err)
	}
	wantError(t, client(t, s, "readonly").EndDowntime(t.Context(), target), katprep.Denied, "actions/remove-downtime")
	wantError(t, root.EndDowntime(t.Context(), target), 0, "")
}

func wantError(t *testing.T, err error, kind katprep.Kind, text string) {
	t.Helper()
	if text == "" {
		if err != nil {
			t.Errorf("error %v", err)
		}
		return
	}
	if err == nil || katprep.KindOf(err) != kind || !strings.Contains(err.Error(), text) {
		t.Errorf("error %v (kind %d), want %q (kind %d)", err, katprep.KindOf(err), text, kind)
	}
}

func TestTLS(t *testing.T) {
	s := lab.Icinga2(t)
	byAddress := strings.Replace(s.URL, "localhost", "127.0.0.1", 1)
	for name, test := range map[string]struct {
		o  icinga2.Options
		ok bool
	}{
		"unknown authority": {icinga2.Options{URL: s.URL}, false},
		"address":           {icinga2.Options{URL: byAddress, CAFile: s.CAFile}, false},
		"server name":       {icinga2.Options{URL: byAddress, CAFile: s.CAFile, ServerName: "localhost"}, true},
		"insecure":          {icinga2.Options{URL: byAddress, Insecure: true}, true},
	} {
		test.o.Login = login("katprep")
		c, err := icinga2.New(test.o)
		if err != nil {
			t.Fatal(err)
		}
		if _, err = c.Identify(t.Context()); (err == nil) != test.ok || err != nil && katprep.KindOf(err) != katprep.Unreachable {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, u := range []string{"", "http://x:5665", "mon.example.com:5665", "https://"} {
		if _, err := icinga2.New(icinga2.Options{URL: u}); katprep.KindOf(err) != katprep.Invalid || err == nil {
			t.Errorf("New(%q): %v", u, err)
		}
	}
}

// TestStuckServer: a server that accepts and never answers must not hang us.
// It is a fake, because a real one cannot be made to do so at will.
func TestStuckServer(t *testing.T) {
	stuck := make(chan struct{})
	srv := httptest.NewTLSServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-stuck:
		case <-r.Context().Done():
		}
	}))
	defer srv.Close()
	defer close(stuck)
	c, err := icinga2.New(icinga2.Options{URL: srv.URL, Insecure: true, Timeout: 100 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.Schedule(t.Context(), named("a"), hours(1), "x")
	wantError(t, err, katprep.Unreachable, "no answer in time")
}

// TestAnswers holds answers of other versions and broken ones; they are fakes
// made from the API's documentation.
func TestAnswers(t *testing.T) {
	for name, test := range map[string]struct {
		code int
		body string
		kind katprep.Kind
		text string
	}{
		"403 of 2.14":   {403, `{"error":403,"status":"Missing permission: objects/query/host"}`, katprep.Denied, "lacks the permission objects/query/host"},
		"no JSON":       {200, "<html>", katprep.Corrupt, "no JSON"},
		"other JSON":    {200, `{"results":{}}`, katprep.Corrupt, "results"},
		"internal":      {500, `{"results":[{"code":500,"status":"boom"}]}`, katprep.Internal, "boom"},
		"bad attribute": {400, `{"error":400,"status":"Invalid field specified"}`, katprep.Internal, "Invalid field specified"},
	} {
		t.Run(name, func(t *testing.T) {
			srv := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(test.code)
				fmt.Fprint(w, test.body)
			}))
			defer srv.Close()
			c, err := icinga2.New(icinga2.Options{URL: srv.URL, Insecure: true})
			if err != nil {
				t.Fatal(err)
			}
			_, err = c.Objects(t.Context())
			wantError(t, err, test.kind, test.text)
		})
	}
}

// TestClock: a server whose clock is wrong is a fake; nobody sets a real one.
func TestClock(t *testing.T) {
	srv := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/v1" {
			fmt.Fprint(w, `{"results":[{"user":"u","version":"r2.15.0-1","permissions":["*"]}]}`)
			return
		}
		ahead := time.Now().Add(5 * time.Minute).Unix()
		fmt.Fprintf(w, `{"results":[{"name":"CIB","status":{"uptime":100.5}},{"name":"IcingaApplication","status":{"icingaapplication":{"app":{"program_start":%d.5}}}}]}`, ahead-101)
	}))
	defer srv.Close()
	c, err := icinga2.New(icinga2.Options{URL: srv.URL, Insecure: true})
	if err != nil {
		t.Fatal(err)
	}
	id, err := c.Identify(t.Context())
	if err != nil || id.ClockSkew.Round(10*time.Second) != 5*time.Minute || id.Version != "2.15.0-1" {
		t.Errorf("Identify = %+v, %v", id, err)
	}
}
