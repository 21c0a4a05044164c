package thruk_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/act"
	"github.com/stdevel/katprep/act/acttest"
	"github.com/stdevel/katprep/act/thruk"
	"github.com/stdevel/katprep/internal/creds"
	"github.com/stdevel/katprep/internal/monlab"
)

func client(t *testing.T, url, key, backend string) *thruk.Client {
	t.Helper()
	c, err := thruk.New(thruk.Options{URL: url, Login: creds.Login{User: "token", Password: creds.NewSecret(key)}, Backend: backend, Patience: 2 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func hours(n time.Duration) katprep.Window {
	start := time.Now().Add(-time.Second).UTC().Truncate(time.Second)
	return katprep.Window{Start: start, End: start.Add(n * time.Hour)}
}

func TestContract(t *testing.T) {
	f, url := newFake(t)
	c := client(t, url, "s3cret_1", "")
	acttest.Downtimer(t, acttest.DowntimerFixture{
		Downtimer: c,
		Targets:   []act.Target{{Name: "web01.example.test"}, {Name: "we ird&host/#"}},
		Unknown:   act.Target{Name: "nope"},
		Foreign: func(_ *testing.T, target act.Target) func() bool {
			f.mu.Lock()
			defer f.mu.Unlock()
			id := f.insert("nm", target.Name, nil, "rack move", time.Now().Unix(), time.Now().Unix()+3600)
			return func() bool {
				f.mu.Lock()
				defer f.mu.Unlock()
				return slices.ContainsFunc(f.list, func(d map[string]any) bool { return d["id"] == id && d["peer_key"] == "nm" })
			}
		},
	})
	f.list = nil
	acttest.HealthReader(t, acttest.HealthFixture{Reader: c, Target: act.Target{Name: "db01.example.test"}, Unknown: act.Target{Name: "nope"}, Want: act.Health{
		Host: act.CheckState{Status: act.CheckOK, Output: "up"},
		Services: []act.CheckState{
			{Name: "backup", Status: act.CheckPending}, {Name: "disk /", Status: act.CheckOK}, {Name: "http", Status: act.CheckWarning},
			{Name: "ntp", Status: act.CheckCritical, Acknowledged: true}, {Name: "raid", Status: act.CheckUnknown, Acknowledged: true},
		},
	}})
	acttest.Inventory(t, acttest.InventoryFixture{Inventory: c, Want: []act.Object{{Name: "web01.example.test", IPs: []string{"192.0.2.1"}, Groups: []string{"web"}}}})
}

func TestSeveralBackends(t *testing.T) {
	f, url := newFake(t)
	f.twice = true
	target := act.Target{Name: "web01.example.test", Marker: "katprep-run1"}
	_, err := client(t, url, "s3cret_1", "").Schedule(t.Context(), target, hours(1), "x")
	if katprep.KindOf(err) != katprep.Conflict || err == nil {
		t.Errorf("a host of two backends: %v", err)
	}
	c := client(t, url+"/r/", "s3cret_1", "i2")
	if _, err := c.Schedule(t.Context(), target, hours(1), "x"); err != nil {
		t.Error(err)
	}
	if err := c.EndDowntime(t.Context(), target); err != nil || len(f.list) != 0 {
		t.Errorf("%v, %d left", err, len(f.list))
	}
}

func TestRefusals(t *testing.T) {
	_, url := newFake(t)
	_, err := client(t, url, "hunter2", "").Identify(t.Context())
	if katprep.KindOf(err) != katprep.Denied || strings.Contains(fmt.Sprint(err), "hunter2") {
		t.Errorf("a wrong key: %v", err)
	}
	id, err := client(t, url, "s3cret_1", "").Identify(t.Context())
	if err != nil || id.Product != "Thruk" || id.Version != "3.20.2" || id.User != "thrukadmin" || len(id.Missing) > 0 {
		t.Errorf("Identify = %+v, %v", id, err)
	}
	for _, o := range []thruk.Options{{}, {URL: "thruk.example.com"}} {
		if _, err := thruk.New(o); katprep.KindOf(err) != katprep.Invalid || err == nil {
			t.Errorf("New(%+v): %v", o, err)
		}
	}
}

// TestRecorded reads the answers of a real Thruk, where they are at hand.
func TestRecorded(t *testing.T) {
	dir := monlab.Recorded(t, "monitoring-samples/thruk")
	for file, test := range map[string]struct {
		kind katprep.Kind
		text string
	}{
		"06-hosts.json":               {0, ""},
		"nm-01-hosts.json":            {katprep.Internal, "possible typo in filter"},
		"02-badkey.json":              {katprep.Denied, "wrong authentication key"},
		"nm-20-backend-down.json":     {katprep.Unreachable, "failed to open socket"},
		"nm-21-backend-down-cmd.json": {katprep.Unreachable, "failed to open socket"},
		"10b-bad-filter.json":         {katprep.Internal, "possible typo in filter"},
	} {
		status, body := exchange(t, filepath.Join(dir, file))
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			_, _ = w.Write(body)
		}))
		objects, err := client(t, srv.URL, "x", "").Objects(t.Context())
		if test.text == "" && (err != nil || len(objects) < 5 || objects[0].Name != "app01.example.test" || objects[0].IPs[0] != "192.0.2.31") {
			t.Errorf("%s: %+v, %v", file, objects, err)
		}
		if test.text != "" && (err == nil || katprep.KindOf(err) != test.kind || !strings.Contains(err.Error(), test.text)) {
			t.Errorf("%s: %v", file, err)
		}
		srv.Close()
	}
}

func exchange(t *testing.T, file string) (status int, body []byte) {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var e struct {
		Response struct {
			Status int             `json:"status"`
			Body   json.RawMessage `json:"body"`
		} `json:"response"`
	}
	if err := json.Unmarshal(b, &e); err != nil {
		t.Fatal(err)
	}
	return e.Response.Status, e.Response.Body
}
