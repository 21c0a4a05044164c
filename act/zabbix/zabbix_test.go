package zabbix_test

import (
	"context"
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
	"github.com/stdevel/katprep/act/zabbix"
	"github.com/stdevel/katprep/internal/creds"
	"github.com/stdevel/katprep/internal/monlab"
)

var lab monlab.Lab

func TestMain(m *testing.M) { os.Exit(monlab.Main(m, &lab)) }

func client(t *testing.T, url, user, password string) *zabbix.Client {
	t.Helper()
	c, err := zabbix.New(zabbix.Options{URL: url, Login: creds.Login{User: user, Password: creds.NewSecret(password)}, Patience: 100 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// landscape makes the hosts of the tests and returns their IDs.
func landscape(t *testing.T, z *monlab.Zabbix) map[string]string {
	t.Helper()
	ids := map[string]string{}
	var existing []map[string]string
	z.Call(t, "host.get", map[string]any{"output": []string{"hostid", "host"}, "filter": map[string]any{"host": []string{"web01.example.test", "odd - host_1"}}}, &existing)
	for _, h := range existing {
		ids[h["host"]] = h["hostid"]
	}
	if len(ids) > 0 {
		return ids
	}
	var group struct {
		IDs []string `json:"groupids"`
	}
	z.Call(t, "hostgroup.create", map[string]any{"name": "web"}, &group)
	for i, name := range []string{"web01.example.test", "odd - host_1"} {
		var made struct {
			IDs []string `json:"hostids"`
		}
		z.Call(t, "host.create", map[string]any{
			"host": name, "name": fmt.Sprintf("Host \"%d\"; ü", i), "groups": []map[string]string{{"groupid": group.IDs[0]}},
			"interfaces": []map[string]any{{"type": 1, "main": 1, "useip": 1, "ip": fmt.Sprintf("192.0.2.1%d", i), "dns": "", "port": "10050"}},
		}, &made)
		ids[name] = made.IDs[0]
	}
	for _, key := range []string{"http", "disk", "never"} {
		z.Call(t, "item.create", map[string]any{"hostid": ids["web01.example.test"], "name": key, "key_": key, "type": 2, "value_type": 3, "delay": "0"}, nil)
	}
	for expression, priority := range map[string]int{"http": 4, "disk": 2, "never": 4} {
		z.Call(t, "trigger.create", map[string]any{"description": expression + " fails", "expression": "last(/web01.example.test/" + expression + ")>0", "priority": priority}, nil)
	}
	return ids
}

// hasty restarts the server while a downtime is awaited: maintenance is
// applied at its start and then only once a minute.
type hasty struct {
	*zabbix.Client
	z *monlab.Zabbix
}

func (h hasty) hasten() (stop func()) {
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for {
			select {
			case <-done:
				return
			case <-time.After(200 * time.Millisecond):
				h.z.StopServer()
				if err := h.z.StartServer(); err != nil {
					return // the downtime will not be confirmed
				}
				select {
				case <-done:
				case <-time.After(3 * time.Second):
				}
			}
		}
	}()
	return func() { close(done); <-ended }
}

func (h hasty) Schedule(ctx context.Context, t act.Target, w katprep.Window, comment string) (act.Ref, error) {
	defer h.hasten()()
	return h.Client.Schedule(ctx, t, w, comment)
}

func (h hasty) ScheduleAll(ctx context.Context, ts []act.Target, w katprep.Window, comment string) []act.Result {
	defer h.hasten()()
	return h.Client.ScheduleAll(ctx, ts, w, comment)
}

func TestContract(t *testing.T) {
	z := lab.Zabbix(t)
	ids := landscape(t, z)
	c := client(t, z.URL, "Admin", "zabbix")
	acttest.Downtimer(t, acttest.DowntimerFixture{
		Downtimer: hasty{c, z},
		Targets:   []act.Target{{Name: "web01.example.test"}, {Name: "odd - host_1"}},
		Unknown:   act.Target{Name: "nope"},
		Grain:     time.Minute,
		Timeout:   2 * time.Minute,
		Foreign: func(t *testing.T, target act.Target) func() bool {
			now := time.Now().Unix()
			var made struct {
				IDs []string `json:"maintenanceids"`
			}
			z.Call(t, "maintenance.create", map[string]any{
				"name": "rack move katprep-contract-1", "active_since": now, "active_till": now + 3600, "hosts": []map[string]string{{"hostid": ids[target.Name]}},
				"timeperiods": []map[string]any{{"timeperiod_type": 0, "start_date": now, "period": 3600}},
			}, &made)
			t.Cleanup(func() { z.Call(t, "maintenance.delete", made.IDs, nil) })
			return func() bool {
				var list []any
				z.Call(t, "maintenance.get", map[string]any{"maintenanceids": made.IDs}, &list)
				return len(list) == 1
			}
		},
	})
	acttest.Inventory(t, acttest.InventoryFixture{Inventory: c, Want: []act.Object{
		{Name: "web01.example.test", Display: `Host "0"; ü`, IPs: []string{"192.0.2.10"}, Groups: []string{"web"}},
	}})
}

// TestSharedMaintenance: one that covers further hosts is never ours to end,
// whatever its name.
func TestSharedMaintenance(t *testing.T) {
	z := lab.Zabbix(t)
	ids := landscape(t, z)
	c := client(t, z.URL, "Admin", "zabbix")
	now := time.Now().Unix()
	var made struct {
		IDs []string `json:"maintenanceids"`
	}
	z.Call(t, "maintenance.create", map[string]any{
		"name": "katprep-run1 of two", "active_since": now, "active_till": now + 3600,
		"hosts":       []map[string]string{{"hostid": ids["web01.example.test"]}, {"hostid": ids["odd - host_1"]}},
		"timeperiods": []map[string]any{{"timeperiod_type": 0, "start_date": now, "period": 3600}},
	}, &made)
	defer z.Call(t, "maintenance.delete", made.IDs, nil)
	target := act.Target{Name: "web01.example.test", Marker: "katprep-run1"}
	if _, _, found, err := c.FindDowntime(t.Context(), target); found || err != nil {
		t.Errorf("found %v, %v", found, err)
	}
	if err := c.EndDowntime(t.Context(), target); err != nil {
		t.Error(err)
	}
	var list []any
	if z.Call(t, "maintenance.get", map[string]any{"maintenanceids": made.IDs}, &list); len(list) != 1 {
		t.Error("a maintenance of two hosts was removed")
	}
}

// TestOneOfManyIsRefused: the API does all or nothing, and a name that is taken
// by a maintenance of several hosts, which is not ours, is refused.
func TestOneOfManyIsRefused(t *testing.T) {
	z := lab.Zabbix(t)
	ids := landscape(t, z)
	now := time.Now().Unix()
	var made struct {
		IDs []string `json:"maintenanceids"`
	}
	z.Call(t, "maintenance.create", map[string]any{
		"name": "katprep-many odd - host_1", "active_since": now + 86400, "active_till": now + 90000,
		"hosts":       []map[string]string{{"hostid": ids["web01.example.test"]}, {"hostid": ids["odd - host_1"]}},
		"timeperiods": []map[string]any{{"timeperiod_type": 0, "start_date": now + 86400, "period": 3600}},
	}, &made)
	defer z.Call(t, "maintenance.delete", made.IDs, nil)
	c := client(t, z.URL, "Admin", "zabbix")
	ts := []act.Target{{Name: "web01.example.test", Marker: "katprep-many"}, {Name: "odd - host_1", Marker: "katprep-many"}}
	start := time.Now().Add(time.Hour).Truncate(time.Minute)
	rs := c.ScheduleAll(t.Context(), ts, katprep.Window{Start: start, End: start.Add(time.Hour)}, "x")
	if rs[0].Err != nil || rs[0].Ref.ID == "" || rs[1].Err == nil || !strings.Contains(rs[1].Err.Error(), "already exists") {
		t.Errorf("%+v; want the first one's success", rs)
	}
	for _, r := range c.EndAll(t.Context(), ts) {
		if r.Err != nil {
			t.Error(r.Err)
		}
	}
	var list []any
	if z.Call(t, "maintenance.get", map[string]any{"maintenanceids": made.IDs}, &list); len(list) != 1 {
		t.Error("the maintenance of both hosts is gone")
	}
}

// TestExpired: a maintenance that ended by itself stays in Zabbix' list, and
// is cleaned up like another one.
func TestExpired(t *testing.T) {
	z := lab.Zabbix(t)
	ids := landscape(t, z)
	c := client(t, z.URL, "Admin", "zabbix")
	target := act.Target{Name: "web01.example.test", Marker: "katprep-expired"}
	start := time.Now().Add(-2 * time.Hour).Unix()
	z.Call(t, "maintenance.create", map[string]any{
		"name": "katprep-expired web01.example.test", "active_since": start, "active_till": start + 3600, "hosts": []map[string]string{{"hostid": ids[target.Name]}},
		"timeperiods": []map[string]any{{"timeperiod_type": 0, "start_date": start, "period": 3600}},
	}, nil)
	if _, in, found, err := c.FindDowntime(t.Context(), target); !found || in || err != nil {
		t.Errorf("found %v, in effect %v, %v", found, in, err)
	}
	if err := c.EndDowntime(t.Context(), target); err != nil {
		t.Error(err)
	}
	if _, _, found, err := c.FindDowntime(t.Context(), target); found || err != nil {
		t.Errorf("afterwards: found %v, %v", found, err)
	}
}

func TestHealth(t *testing.T) {
	z := lab.Zabbix(t)
	landscape(t, z)
	c := client(t, z.URL+"/", "Admin", "zabbix")
	target := act.Target{Host: katprep.Host{Name: "other"}, IP: "192.0.2.10"}
	z.StopServer() // it ends what other tests had in maintenance when it starts
	if err := z.StartServer(); err != nil {
		t.Fatal(err)
	}
	// The frontend answers late while the server comes up: what counts is what
	// it says in the end.
	for end := time.Now().Add(150 * time.Second); ; time.Sleep(200 * time.Millisecond) {
		z.SendValue(t, "web01.example.test", "http", "1")
		z.SendValue(t, "web01.example.test", "disk", "1")
		h, err := c.Health(t.Context(), target)
		if time.Now().After(end) {
			t.Fatalf("Health = %+v, %v", h, err)
		}
		if err == nil && len(h.Services) == 3 && !h.Host.InDowntime && h.Services[0].Status == act.CheckWarning && h.Services[1].Status == act.CheckCritical {
			break
		}
	}
	acttest.HealthReader(t, acttest.HealthFixture{Reader: c, Target: target, Unknown: act.Target{Name: "nope"}, Want: act.Health{
		Host: act.CheckState{Status: act.CheckUnknown, Output: "no interface was polled"},
		Services: []act.CheckState{
			{Name: "disk fails", Status: act.CheckWarning}, {Name: "http fails", Status: act.CheckCritical}, {Name: "never fails", Status: act.CheckPending},
		},
	}})
}

func TestIdentifyAndRefusals(t *testing.T) {
	z := lab.Zabbix(t)
	landscape(t, z)
	id, err := client(t, z.URL, "Admin", "zabbix").Identify(t.Context())
	if err != nil || id.Product != "Zabbix" || !strings.HasPrefix(id.Version, "6.0.") || id.User != "Admin" || len(id.Missing) > 0 {
		t.Errorf("Identify = %+v, %v", id, err)
	}
	_, err = client(t, z.URL, "Admin", "hunter2").Identify(t.Context())
	if katprep.KindOf(err) != katprep.Denied || strings.Contains(fmt.Sprint(err), "hunter2") {
		t.Errorf("a wrong password: %v", err)
	}
	var token []struct {
		Token string `json:"token"`
	}
	var made struct {
		IDs []string `json:"tokenids"`
	}
	z.Call(t, "token.create", map[string]any{"name": "katprep", "userid": "1"}, &made)
	z.Call(t, "token.generate", made.IDs, &token)
	if id, err = client(t, z.URL, "token", token[0].Token).Identify(t.Context()); err != nil || len(id.Missing) > 0 {
		t.Errorf("with a token: %+v, %v", id, err)
	}
	_, err = client(t, z.URL, "", "bad").Identify(t.Context())
	if katprep.KindOf(err) != katprep.Denied {
		t.Errorf("with a wrong token: %v", err)
	}
	var user map[string][]string
	z.Call(t, "user.create", map[string]any{"username": "low", "passwd": "Pl4in-user-word", "roleid": "1", "usrgrps": []map[string]string{{"usrgrpid": "8"}}}, &user)
	if id, err = client(t, z.URL, "low", "Pl4in-user-word").Identify(t.Context()); err != nil || len(id.Missing) != 2 {
		t.Errorf("a plain user: %+v, %v (%v)", id, err, user)
	}
	short := katprep.Window{Start: time.Now(), End: time.Now().Add(time.Minute)}
	_, err = client(t, z.URL, "Admin", "zabbix").Schedule(t.Context(), act.Target{Name: "web01.example.test", Marker: "katprep-x"}, short, "x")
	if katprep.KindOf(err) != katprep.Invalid || err == nil {
		t.Errorf("a short maintenance: %v", err)
	}
}

// TestVersions holds how the versions want to be spoken to; the server is a
// fake, because only one version can be installed.
func TestVersions(t *testing.T) {
	for version, want := range map[string]string{
		"5.2.7": "user body selectGroups", "6.0.14": "username body selectGroups", "6.2.9": "username body selectHostGroups",
		"6.4.1": "username bearer selectHostGroups", "7.2.0": "username bearer selectHostGroups",
	} {
		f := &fake{version: version}
		srv := httptest.NewServer(f)
		c := client(t, srv.URL, "Admin", "zabbix")
		objects, err := c.Objects(t.Context())
		if err != nil || len(objects) != 1 || f.seen != want {
			t.Errorf("%s: %v, %v, spoken to as %q, want %q", version, objects, err, f.seen, want)
		}
		f.expire = true
		if _, err := c.Objects(t.Context()); err != nil || f.logins != 2 {
			t.Errorf("%s: after the end of the session: %v, %d logins", version, err, f.logins)
		}
		srv.Close()
	}
	for body, kind := range map[string]katprep.Kind{"<html>": katprep.Corrupt, `{"error":{"code":-1,"message":"m","data":"d"}}`: katprep.Internal} {
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, body) }))
		if _, err := client(t, srv.URL, "Admin", "x").Identify(t.Context()); katprep.KindOf(err) != kind || err == nil {
			t.Errorf("%s: %v", body, err)
		}
		srv.Close()
	}
}
