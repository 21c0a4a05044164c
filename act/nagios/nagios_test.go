package nagios_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/act"
	"github.com/stdevel/katprep/act/acttest"
	"github.com/stdevel/katprep/act/nagios"
	"github.com/stdevel/katprep/internal/creds"
	"github.com/stdevel/katprep/internal/monlab"
)

var lab monlab.Lab

func TestMain(m *testing.M) { os.Exit(monlab.Main(m, &lab)) }

const oddHost = "we ird+host&x #[1]"

func client(t *testing.T, n *monlab.Nagios4, user string) *nagios.Client {
	t.Helper()
	c, err := nagios.New(nagios.Options{URL: n.URL, Login: creds.Login{User: user, Password: creds.NewSecret(user + "-secret")}})
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

// foreign schedules a downtime as an administrator does at the command file.
func foreign(n *monlab.Nagios4) func(*testing.T, act.Target) func() bool {
	return func(t *testing.T, target act.Target) func() bool {
		now := time.Now().Unix()
		n.Command(t, "SCHEDULE_HOST_DOWNTIME;%s;%d;%d;1;0;3600;admin;rack move katprep-contract-1", target.Name, now, now+3600)
		c := client(t, n, "nagiosadmin")
		there := func() bool {
			es, err := c.Entries(t.Context(), nil)
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range es {
				if e.Host == target.Name && strings.HasPrefix(e.Comment, "rack move") {
					return true
				}
			}
			return false
		}
		eventually(t, "the foreign downtime", there)
		return there
	}
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if ok() {
			return
		}
	}
	t.Fatalf("%s did not come", what)
}

func TestContract(t *testing.T) {
	t.Parallel()
	n := lab.Nagios4(t, monlab.Nagios4Options{})
	c := client(t, n, "nagiosadmin")
	acttest.Downtimer(t, acttest.DowntimerFixture{
		Downtimer: c,
		Targets:   []act.Target{{Name: "app01.example.test"}, {Name: oddHost}},
		Unknown:   act.Target{Name: "nope"},
		Foreign:   foreign(n),
	})
	acttest.Inventory(t, acttest.InventoryFixture{Inventory: c, Want: []act.Object{
		{Name: "web01.example.test", Display: "Web 01", IPs: []string{"192.0.2.11"}, Groups: []string{"web"}},
		{Name: oddHost}, {Name: "v6only.example.test", IPs: []string{"2001:db8::66"}},
	}})
}

func TestHealth(t *testing.T) {
	n := lab.Nagios4(t, monlab.Nagios4Options{})
	c := client(t, n, "nagiosadmin")
	checked := func(host string, is func(act.CheckState) bool) func() bool {
		return func() bool {
			h, err := c.Health(t.Context(), named(host))
			return err == nil && h.Host.Status != act.CheckPending && slices.ContainsFunc(h.Services, is)
		}
	}
	critical := func(s act.CheckState) bool { return s.Status == act.CheckCritical }
	eventually(t, "the first checks", checked("web02.example.test", func(s act.CheckState) bool { return s.Output == "UNKNOWN - no offset" }))
	eventually(t, "a critical service", checked("db01.example.test", critical))
	n.Command(t, "ACKNOWLEDGE_SVC_PROBLEM;db01.example.test;mysql;2;0;0;dba;known")
	eventually(t, "the acknowledgement", checked("db01.example.test", func(s act.CheckState) bool { return s.Acknowledged }))
	for _, test := range []struct {
		host string
		want act.Health
	}{
		{"web01.example.test", act.Health{Host: act.CheckState{Status: act.CheckOK, Output: "fake host OK"}, Services: []act.CheckState{
			{Name: "HTTP", Status: act.CheckOK}, {Name: "disk / & Error rate", Status: act.CheckWarning, Output: "DISK WARNING - 15% free"},
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

// withoutJSON hides the JSON CGIs of a server, as if it were a Nagios 3, which
// cannot be installed any more.
func withoutJSON(t *testing.T, n *monlab.Nagios4) *monlab.Nagios4 {
	t.Helper()
	u, err := url.Parse(n.URL)
	if err != nil {
		t.Fatal(err)
	}
	proxy := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: u.Scheme, Host: u.Host})
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "json.cgi") {
			http.NotFound(w, r)
			return
		}
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(srv.Close)
	return &monlab.Nagios4{URL: srv.URL + u.Path}
}

func TestPagesForPeople(t *testing.T) {
	c := client(t, withoutJSON(t, lab.Nagios4(t, monlab.Nagios4Options{})), "nagiosadmin")
	target := named(oddHost)
	ref, err := c.Schedule(t.Context(), target, hours(1), `<b>"patching" & more`)
	if err != nil || ref.Data["services"] != "1" {
		t.Fatalf("Schedule = %+v, %v", ref, err)
	}
	if _, in, found, err := c.FindDowntime(t.Context(), target); err != nil || !found || !in {
		t.Errorf("FindDowntime: found %v, in effect %v, %v", found, in, err)
	}
	if _, _, found, err := c.FindDowntime(t.Context(), act.Target{Name: oddHost, Marker: "katprep-run"}); err != nil || found {
		t.Errorf("another marker: found %v, %v", found, err)
	}
	again, err := c.Schedule(t.Context(), target, hours(1), "patching")
	if err != nil || strings.Contains(again.ID, ",") {
		t.Errorf("Schedule again = %+v, %v", again, err)
	}
	h, err := c.Health(t.Context(), target)
	if err != nil || !h.Host.InDowntime || len(h.Services) != 1 || !h.Services[0].InDowntime {
		t.Errorf("Health = %+v, %v", h, err)
	}
	if err := c.EndDowntime(t.Context(), target); err != nil {
		t.Error(err)
	}
	acttest.Inventory(t, acttest.InventoryFixture{Inventory: c, Want: []act.Object{
		{Name: "web01.example.test", IPs: []string{"192.0.2.11"}}, {Name: oddHost, IPs: []string{"192.0.2.200"}}, {Name: "pending01.example.test"},
	}})
	for host, want := range map[string]act.Health{
		"web01.example.test": {Host: act.CheckState{Status: act.CheckOK, Output: "fake host OK"}, Services: []act.CheckState{
			{Name: "HTTP", Status: act.CheckOK, Output: "HTTP OK"}, {Name: "disk / & Error rate", Status: act.CheckWarning, Output: "DISK WARNING - 15% free"},
		}},
		"db01.example.test": {Host: act.CheckState{Status: act.CheckOK}, Services: []act.CheckState{
			{Name: "mysql", Status: act.CheckCritical, Acknowledged: true}, {Name: "backup", Status: act.CheckPending},
		}},
		"down01.example.test":    {Host: act.CheckState{Status: act.CheckCritical, Output: "fake host DOWN"}},
		"pending01.example.test": {Host: act.CheckState{Status: act.CheckPending}},
	} {
		acttest.HealthReader(t, acttest.HealthFixture{Reader: c, Target: act.Target{Name: host}, Unknown: act.Target{Name: "nope"}, Want: want})
	}
	id, err := c.Identify(t.Context())
	if err != nil || id.Version == "" || id.User != "nagiosadmin" || len(id.Missing) > 0 {
		t.Errorf("Identify = %+v, %v", id, err)
	}
}

// TestNames: a name is set through one kind of CGIs, and found and ended
// through the other.
func TestNames(t *testing.T) {
	n := lab.Nagios4(t, monlab.Nagios4Options{})
	target := named(`bang! 'q' "d"`)
	ref, err := client(t, n, "nagiosadmin").Schedule(t.Context(), target, hours(1), "it's \"quoted\"; & done!")
	if err != nil || ref.Data["services"] != "1" {
		t.Fatalf("Schedule = %+v, %v", ref, err)
	}
	pages := client(t, withoutJSON(t, n), "nagiosadmin")
	if found, in, ok, err := pages.FindDowntime(t.Context(), target); err != nil || !ok || !in || found.ID != ref.ID {
		t.Errorf("FindDowntime = %+v, found %v, in effect %v, %v; want %s", found, ok, in, err, ref.ID)
	}
	if err := pages.EndDowntime(t.Context(), target); err != nil {
		t.Error(err)
	}
}

// TestDateFormats: what a server writes 11-12-2026 another one reads as
// December, and says that it was successful.
func TestDateFormats(t *testing.T) {
	t.Parallel()
	for _, o := range []monlab.Nagios4Options{
		{DateFormat: "euro", TZ: "America/New_York", Digest: true},
		{DateFormat: "strict-iso8601", TZ: "Asia/Kathmandu"},
		{DateFormat: "iso8601"},
	} {
		t.Run(o.DateFormat, func(t *testing.T) {
			n := lab.Nagios4(t, o)
			c := client(t, n, "nagiosadmin")
			w := hours(2)
			ref, err := c.Schedule(t.Context(), named("web01.example.test"), w, "patching")
			if err != nil || ref.Data[act.DataStart] != w.Start.Format(time.RFC3339) || ref.Data["services"] != "3" || ref.Data["author"] != "nagiosadmin" {
				t.Fatalf("Schedule = %+v, %v", ref, err)
			}
			if err := c.EndDowntime(t.Context(), named("web01.example.test")); err != nil {
				t.Error(err)
			}
			n.Stop()
		})
	}
}

func TestChildren(t *testing.T) {
	n := lab.Nagios4(t, monlab.Nagios4Options{})
	c, err := nagios.New(nagios.Options{URL: n.URL + "/cgi-bin", Login: creds.Login{User: "nagiosadmin", Password: creds.NewSecret("nagiosadmin-secret")}, Children: true})
	if err != nil {
		t.Fatal(err)
	}
	child := client(t, n, "nagiosadmin")
	if _, err := c.Schedule(t.Context(), named("db01.example.test"), hours(1), "patching"); err != nil {
		t.Fatal(err)
	}
	if _, _, found, err := child.FindDowntime(t.Context(), named("app01.example.test")); err != nil || !found {
		t.Errorf("the host below: found %v, %v", found, err)
	}
	if err := c.EndDowntime(t.Context(), named("db01.example.test")); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the end below", func() bool {
		_, _, found, err := child.FindDowntime(t.Context(), named("app01.example.test"))
		return err == nil && !found
	})
}

func TestPermissions(t *testing.T) {
	n := lab.Nagios4(t, monlab.Nagios4Options{})
	for user, missing := range map[string]string{"nagiosadmin": "", "webteam": "", "readonly": "to send commands", "stranger": "to see hosts"} {
		id, err := client(t, n, user).Identify(t.Context())
		if err != nil || id.Product != "Nagios Core" || id.Version == "" || id.User != user {
			t.Errorf("Identify as %s = %+v, %v", user, id, err)
		}
		if got := strings.Join(id.Missing, " "); (got == "") != (missing == "") || !strings.Contains(got, missing) {
			t.Errorf("missing for %s: %q, want %q", user, got, missing)
		}
	}
	_, err := client(t, n, "readonly").Schedule(t.Context(), named("web01.example.test"), hours(1), "x")
	wantError(t, err, katprep.Denied, "may not send this command")
	_, err = client(t, n, "webteam").Schedule(t.Context(), named("web02.example.test"), hours(1), "x")
	wantError(t, err, katprep.Denied, "may not send this command")
	_, err = client(t, n, "nobody").Identify(t.Context())
	wantError(t, err, katprep.Denied, "refuses user")
}

func wantError(t *testing.T, err error, kind katprep.Kind, text string) {
	t.Helper()
	if err == nil || katprep.KindOf(err) != kind || !strings.Contains(err.Error(), text) {
		t.Errorf("error %v (kind %d), want %q (kind %d)", err, katprep.KindOf(err), text, kind)
	}
}

// TestCore stops and kills the core under its living CGIs.
func TestCore(t *testing.T) {
	n := lab.Nagios4(t, monlab.Nagios4Options{})
	target, w := named("web01.example.test"), hours(1)
	c := client(t, n, "nagiosadmin")
	first, err := c.Schedule(t.Context(), target, w, "patching")
	if err != nil {
		t.Fatal(err)
	}
	n.StopCore()
	_, err = c.Schedule(t.Context(), named("web02.example.test"), w, "patching")
	wantError(t, err, katprep.Unreachable, "core of Nagios does not run")
	if err := n.StartCore(); err != nil {
		t.Fatal(err)
	}
	again, err := c.Schedule(t.Context(), target, w, "patching")
	if err != nil || again.ID != first.ID {
		t.Errorf("after a restart: %q, %v, want %q", again.ID, err, first.ID)
	}
	if _, in, found, err := c.FindDowntime(t.Context(), target); err != nil || !found || !in {
		t.Errorf("after a restart: found %v, in effect %v, %v", found, in, err)
	}
	n.KillCore(t)
	amid := named("db01.example.test")
	patient, err := nagios.New(nagios.Options{URL: n.URL, Login: creds.Login{User: "nagiosadmin", Password: creds.NewSecret("nagiosadmin-secret")}, Patience: 8 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() {
		_, err := patient.Schedule(t.Context(), amid, w, "patching")
		done <- err
	}()
	n.Swallow(t, 2) // accepted, and lost: one for the host, one for its services
	n.ReviveCore(t)
	if err := <-done; err != nil {
		t.Errorf("a restart between the commands and their confirmation: %v", err)
	}
	if err := c.EndDowntime(t.Context(), amid); err != nil {
		t.Error(err)
	}
	n.KillCore(t)
	quick, err := nagios.New(nagios.Options{URL: n.URL, Login: creds.Login{User: "nagiosadmin", Password: creds.NewSecret("nagiosadmin-secret")}, Timeout: 500 * time.Millisecond, Patience: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	_, err = quick.Schedule(t.Context(), named("web02.example.test"), w, "patching")
	wantError(t, err, katprep.Unreachable, "")
	n.ReviveCore(t)
	eventually(t, "the end", func() bool { return c.EndDowntime(t.Context(), target) == nil })
}

// TestPages holds pages of other servers; they are fakes made after recorded
// ones.
func TestPages(t *testing.T) {
	for name, test := range map[string]struct {
		page string
		kind katprep.Kind
		text string
	}{
		"old status":  {`{"result":{"query_time":1795330400000,"last_data_update":1795330000000},"data":{"programstatus":{"version":"4.4.6"}}}`, katprep.Unreachable, "6m40s old"},
		"HTML":        {"<html>Nagios 3</html>", katprep.Corrupt, "answers no JSON"},
		"refused":     {`{"result":{"type_code":5,"type_text":"Option Value Invalid","message":"bad"},"data":{}}`, katprep.Internal, "bad"},
		"nothing":     {"\n", katprep.Unreachable, "does not run"},
		"wrong shape": {`{"result":{"type_code":0},"data":[]}`, katprep.Corrupt, "statusjson.cgi"},
	} {
		t.Run(name, func(t *testing.T) {
			srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, test.page) }))
			defer srv.Close()
			c, err := nagios.New(nagios.Options{URL: srv.URL + "/nagios"})
			if err != nil {
				t.Fatal(err)
			}
			_, err = c.Identify(t.Context())
			wantError(t, err, test.kind, test.text)
		})
	}
	for _, o := range []nagios.Options{{}, {URL: "ftp://x"}, {URL: "http://x", DateFormat: "german"}} {
		if _, err := nagios.New(o); katprep.KindOf(err) != katprep.Invalid || err == nil {
			t.Errorf("New(%+v): %v", o, err)
		}
	}
}
