package alertmanager_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/act"
	"github.com/stdevel/katprep/act/acttest"
	"github.com/stdevel/katprep/act/alertmanager"
	"github.com/stdevel/katprep/internal/creds"
	"github.com/stdevel/katprep/internal/monlab"
)

var lab monlab.Lab

func TestMain(m *testing.M) { os.Exit(monlab.Main(m, &lab)) }

var login = creds.Login{User: "katprep", Password: creds.NewSecret("katprep-secret")}

func client(t *testing.T, a *monlab.Alertmanager, labels ...string) *alertmanager.Client {
	t.Helper()
	c, err := alertmanager.New(alertmanager.Options{URL: a.URL, Login: login, Labels: labels})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func hours(n time.Duration) katprep.Window {
	start := time.Now().Add(-time.Second).UTC().Truncate(time.Second)
	return katprep.Window{Start: start, End: start.Add(n * time.Hour)}
}

func named(name string) act.Target { return act.Target{Name: name, Marker: "katprep-run1"} }

// foreign silences a host as somebody else does.
func foreign(a *monlab.Alertmanager) func(*testing.T, act.Target) func() bool {
	return func(t *testing.T, target act.Target) func() bool {
		var made struct {
			ID string `json:"silenceID"`
		}
		a.Call(t, http.MethodPost, "/api/v2/silences", map[string]any{
			"matchers": []map[string]any{{"name": "instance", "value": strings.ReplaceAll(target.Name, ".", `\.`) + "(:[0-9]+)?", "isRegex": true, "isEqual": true}},
			"startsAt": time.Now(), "endsAt": time.Now().Add(time.Hour), "createdBy": "katprep", "comment": "rack move katprep-contract-1",
		}, &made)
		return func() bool {
			var s struct {
				Status struct {
					State string `json:"state"`
				} `json:"status"`
			}
			a.Call(t, http.MethodGet, "/api/v2/silence/"+made.ID, nil, &s)
			return s.Status.State == "active"
		}
	}
}

func TestContract(t *testing.T) {
	a := lab.Alertmanager(t)
	fixture := acttest.DowntimerFixture{
		Downtimer: client(t, a),
		Targets:   []act.Target{{Name: "web01.example.test"}, {Name: `.*|"a"{}\n`}},
		Foreign:   foreign(a),
	}
	t.Run("OneLabel", func(t *testing.T) { acttest.Downtimer(t, fixture) })
	fixture.Downtimer = client(t, a, "instance", "host")
	fixture.Targets = []act.Target{{Host: katprep.Host{Name: "db01.example.test"}, Name: "db01.example.test"}, {Name: "2001:db8::1"}}
	t.Run("TwoLabels", func(t *testing.T) { acttest.Downtimer(t, fixture) })
}

// fire posts alerts that end with the test.
func fire(t *testing.T, a *monlab.Alertmanager, labels ...map[string]string) {
	t.Helper()
	post := func(end time.Time) {
		var as []map[string]any
		for _, l := range labels {
			as = append(as, map[string]any{"labels": l, "annotations": map[string]string{"summary": "it is " + l["alertname"] + "\nmore"}, "startsAt": time.Now().Add(-time.Hour), "endsAt": end})
		}
		a.Call(t, http.MethodPost, "/api/v2/alerts", as, nil)
	}
	post(time.Now().Add(time.Hour))
	t.Cleanup(func() { post(time.Now()) })
}

func TestHealth(t *testing.T) {
	a := lab.Alertmanager(t)
	c := client(t, a)
	fire(t, a,
		map[string]string{"alertname": "DiskFull", "instance": "app01.example.test:9100", "severity": "critical", "mount": "/"},
		map[string]string{"alertname": "DiskFull", "instance": "app01.example.test:9100", "severity": "warning", "mount": "/var"},
		map[string]string{"alertname": "Load", "instance": "app01.example.test"},
		map[string]string{"alertname": "Load", "instance": "app01xexample.test", "severity": "critical"},
		map[string]string{"alertname": "Ping", "instance": "192.0.2.7:9100", "severity": "page"},
	)
	acttest.HealthReader(t, acttest.HealthFixture{Reader: c, Target: act.Target{Name: "app01.example.test"}, Want: act.Health{
		Host: act.CheckState{Status: act.CheckUnknown, Output: "3 alerts; Alertmanager knows no states of hosts"},
		Services: []act.CheckState{
			{Name: `DiskFull{mount="/"}`, Status: act.CheckCritical, Output: "it is DiskFull"},
			{Name: `DiskFull{mount="/var"}`, Status: act.CheckWarning}, {Name: "Load", Status: act.CheckWarning},
		},
	}})
	byAddress := act.Target{Host: katprep.Host{Name: "other.example.test"}, IP: "192.0.2.7"}
	acttest.HealthReader(t, acttest.HealthFixture{Reader: c, Target: byAddress, Want: act.Health{
		Host: act.CheckState{Status: act.CheckUnknown}, Services: []act.CheckState{{Name: "Ping", Status: act.CheckCritical}},
	}})
	acttest.Inventory(t, acttest.InventoryFixture{Inventory: c, Want: []act.Object{{Name: "192.0.2.7", IPs: []string{"192.0.2.7"}}, {Name: "app01.example.test"}}})
}

// TestSilenced: the alerts of the host are suppressed, those of others not.
func TestSilenced(t *testing.T) {
	a := lab.Alertmanager(t)
	c := client(t, a)
	fire(t, a, map[string]string{"alertname": "Up", "instance": "a.example.test:1"}, map[string]string{"alertname": "Up", "instance": "b.example.test:1"}, map[string]string{"alertname": "Up", "instance": "aXexample.test:1"})
	if _, err := c.Schedule(t.Context(), named("a.example.test"), hours(1), "patching"); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]bool{"a.example.test": true, "b.example.test": false, "aXexample.test": false} {
		suppressed := !want
		for end := time.Now().Add(10 * time.Second); suppressed != want && time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
			h, err := c.Health(t.Context(), named(name))
			if err != nil || len(h.Services) != 1 {
				t.Fatalf("Health = %+v, %v", h, err)
			}
			suppressed = h.Services[0].InDowntime
		}
		if suppressed != want {
			t.Errorf("%s: suppressed %v, want %v", name, suppressed, want)
		}
	}
	if err := c.EndDowntime(t.Context(), named("a.example.test")); err != nil {
		t.Error(err)
	}
}

func TestRestartAndRefusals(t *testing.T) {
	a := lab.Alertmanager(t)
	c := client(t, a)
	target, w := named("restart.example.test"), hours(1)
	first, err := c.Schedule(t.Context(), target, w, "patching")
	if err != nil || first.Data[act.DataWarning] == "" {
		t.Fatal(first, err)
	}
	a.Stop()
	started := make(chan error)
	go func() { started <- a.Start() }()
	again, err := c.Schedule(t.Context(), target, w, "patching")
	if e := <-started; e != nil {
		t.Fatal(e)
	}
	if err != nil || again.ID != first.ID {
		t.Errorf("over a restart: %q, %v; want %q", again.ID, err, first.ID)
	}
	if err := c.EndDowntime(t.Context(), target); err != nil {
		t.Error(err)
	}
	bad, err := alertmanager.New(alertmanager.Options{URL: a.URL + "/", Login: creds.Login{User: "katprep", Password: creds.NewSecret("hunter2")}})
	if err != nil {
		t.Fatal(err)
	}
	_, err = bad.Identify(t.Context())
	if katprep.KindOf(err) != katprep.Denied || strings.Contains(fmt.Sprint(err), "hunter2") {
		t.Errorf("a wrong password: %v", err)
	}
	for _, o := range []alertmanager.Options{{}, {URL: "am:9093"}, {URL: "http://x", Labels: []string{`instance="x",a`}}} {
		if _, err := alertmanager.New(o); katprep.KindOf(err) != katprep.Invalid || err == nil {
			t.Errorf("New(%+v): %v", o, err)
		}
	}
	if _, err := c.Schedule(t.Context(), act.Target{Marker: "katprep-x"}, w, "x"); katprep.KindOf(err) != katprep.Invalid || err == nil {
		t.Errorf("no host: %v", err)
	}
}

// TestAnswers holds answers of other programs; they are fakes.
func TestAnswers(t *testing.T) {
	for body, kind := range map[string]katprep.Kind{"<html>": katprep.Corrupt, "{}": katprep.Corrupt} {
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, body) }))
		c, err := alertmanager.New(alertmanager.Options{URL: srv.URL})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Identify(t.Context()); katprep.KindOf(err) != kind || err == nil {
			t.Errorf("%s: %v", body, err)
		}
		srv.Close()
	}
}
