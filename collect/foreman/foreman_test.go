package foreman_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/collect"
	"github.com/stdevel/katprep/collect/collecttest"
	"github.com/stdevel/katprep/collect/foreman"
	"github.com/stdevel/katprep/internal/creds"
)

// A fake answers given paths with given bodies of the recorded shapes; a real
// Foreman cannot run here. "%" at the start of a body means a status.
type fake struct {
	mu     sync.Mutex
	bodies map[string]string
	asked  map[string]int
}

func newFake(t *testing.T, hosts string, more map[string]string) (*fake, foreman.Options) {
	t.Helper()
	f := &fake{asked: map[string]int{}, bodies: map[string]string{
		"GET /api/status":                         `{"result":"ok","status":200,"version":"3.12.0.1","api_version":2,"satellite_version":"6.16.0"}`,
		"GET /api/plugins":                        `{"total":2,"subtotal":2,"page":1,"per_page":1000,"results":[{"name":"katello","version":"4.14.0.1"},{"name":"foreman-tasks","version":"9.2.0"}]}`,
		"GET /api/hosts":                          hosts,
		"GET /api/hosts/1/parameters":             `{"total":0,"subtotal":0,"results":[]}`,
		"GET /api/fact_values":                    `{"total":0,"subtotal":0,"results":{}}`,
		"POST /api/hosts/bulk/installable_errata": `{"total":"0","subtotal":"0","error":null,"results":[]}`,
	}}
	for k, v := range more {
		f.bodies[k] = v
	}
	srv := httptest.NewServer(f)
	t.Cleanup(srv.Close)
	return f, foreman.Options{Name: "satellite", URL: srv.URL, Login: creds.Login{User: "admin", Password: creds.NewSecret("changeme")}, Pause: 1, Retries: 1}
}

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	key := r.Method + " " + r.URL.Path
	f.asked[key]++
	body, ok := f.bodies[key]
	if !ok {
		body = "%404 " + `{"error":{"message":"Resource not found"}}`
	}
	if rest, isStatus := strings.CutPrefix(body, "%"); isStatus {
		var code int
		_, _ = fmt.Sscan(rest, &code)
		w.WriteHeader(code)
		body = rest[4:]
	}
	_, _ = io.WriteString(w, body)
}

// list makes an answer of host records.
func list(hosts ...string) string {
	return fmt.Sprintf(`{"total":%d,"subtotal":%d,"page":1,"per_page":250,"search":null,"sort":{"by":null,"order":null},"results":[%s]}`, len(hosts), len(hosts), strings.Join(hosts, ","))
}

// web is a host with everything; a test changes some fields.
func web(changes map[string]any) string {
	h := map[string]any{
		"id": 1, "name": "web01.example.com", "ip": "192.0.2.1", "mac": "52:54:00:00:00:01", "operatingsystem_name": "RedHat 9.4",
		"architecture_name": "x86_64", "owner_name": "Jane Doe", "owner_type": "User", "organization_id": 3, "organization_name": "ACME",
		"location_id": 4, "location_name": "Cologne", "hostgroup_title": "base/web", "traces_status": 0, "errata_status": 3,
		"content_facet_attributes": map[string]any{"id": 5, "errata_counts": map[string]any{"security": 1, "bugfix": 1, "enhancement": 0, "total": 2},
			"content_view": map[string]any{"id": 3, "name": "rhel9"}, "lifecycle_environment": map[string]any{"id": 5, "name": "Production"}},
		"reported_data":  map[string]any{"boot_time": "2026-11-01 04:05:06 UTC", "kernel_version": "5.14.0-427.el9.x86_64"},
		"all_parameters": []any{},
	}
	for k, v := range changes {
		h[k] = v
	}
	b, err := json.Marshal(h)
	if err != nil {
		panic(err)
	}
	return string(b)
}

const bulkTwo = `{"total":"2","subtotal":"2","page":"1","per_page":"100","error":null,"search":null,"results":[
 {"id":8,"errata_id":"RHSA-2026:0001","title":"Important: openssl","issued":"2026-10-01","updated":"2026-10-02 00:00:00 UTC","severity":"Important","type":"security",
  "description":"Users were unable to authenticate: 401","summary":"<b>x</b>","solution":"","reboot_suggested":true,"cves":[{"cve_id":"CVE-2026-1","href":"x"}],"bugs":[{"bug_id":"17","href":"x"}],
  "packages":["openssl-1:3.0.7-28.el9.x86_64"],"module_streams":[{"name":"nodejs","stream":"18","packages":["nodejs-1:18.20.4-1.module.x86_64"]}],
  "applicable_hosts":[{"name":"web01.example.com","id":1}],"affected_hosts_count":1},
 {"id":9,"errata_id":"RHBA-2026:0002","title":"bash","issued":null,"updated":null,"severity":"None","type":"bugfix","packages":null,"applicable_hosts":[{"name":"web01.example.com","id":1}]}]}`

// read collects through the runner and returns what reached the sink.
func read(t *testing.T, o foreman.Options, sel katprep.Selection) (map[string]katprep.State, map[string]katprep.Erratum, katprep.Snapshot) {
	t.Helper()
	sink := &recorder{states: map[string]katprep.State{}, errata: map[string]katprep.Erratum{}}
	snap, err := collect.Run(t.Context(), []collect.Source{{Name: "satellite", Collector: open(t, o)}}, sel, sink, collect.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range sink.states {
		for _, broken := range collecttest.Check(&s, sink.errata) {
			t.Errorf("%s: %s", s.Name, broken)
		}
	}
	return sink.states, sink.errata, snap
}

func TestHostInFull(t *testing.T) {
	_, o := newFake(t, list(web(map[string]any{
		"all_parameters": []any{
			map[string]any{"name": "katprep_mon", "value": "https://icinga", "parameter_type": "string", "associated_type": "host", "hidden_value?": false},
			map[string]any{"name": "tier", "value": 3, "parameter_type": "integer", "associated_type": "host group"},
			map[string]any{"name": "root_pass", "value": "s3cr3t", "priority": 0},
			map[string]any{"name": "hidden", "value": "*****", "priority": 20, "hidden_value?": true},
			map[string]any{"name": "nothing", "value": nil, "priority": 60},
		},
		"traces_status": 2, "compute_resource_name": "vcenter",
	})), map[string]string{
		"POST /api/hosts/bulk/installable_errata": bulkTwo,
		"GET /api/hosts/1/packages":               `{"total":2,"subtotal":2,"results":[{"id":1,"name":"openssl","nvrea":"1:openssl-3.0.7-24.el9.x86_64","nvra":"openssl-3.0.7-24.el9.x86_64","upgradable_versions":["openssl-1:3.0.7-28.el9.x86_64"]},{"id":2,"name":"bash","nvrea":"bash-5.1.8-9.el9.x86_64","upgradable_versions":null}]}`,
		"GET /api/hosts/1/traces":                 `{"total":2,"subtotal":2,"results":[{"id":10,"application":"chronyd","helper":"systemctl restart chronyd","app_type":"daemon","reboot_required":false},{"id":11,"application":"kernel","helper":"You will have to reboot","app_type":"static","reboot_required":true},{"id":12,"application":"bash","app_type":"session","helper":null}]}`,
	})
	o.Packages, o.Traces = true, true
	states, errata, snap := read(t, o, katprep.Selection{})
	s := states["web01.example.com"]
	want := katprep.State{
		Host: katprep.Host{HostID: katprep.HostID{Source: "satellite", ID: "1"}, Name: "web01.example.com"}, Status: katprep.Collected,
		Aspects: []katprep.Aspect{katprep.AspectBoot, katprep.AspectErrata, katprep.AspectFacts, katprep.AspectKernel, katprep.AspectPackages,
			katprep.AspectParameters, katprep.AspectProcesses, katprep.AspectReboot, katprep.AspectUpdates},
		Facts: katprep.Facts{OS: katprep.OS{ID: "rhel", Version: "9.4", Name: "RedHat 9.4"}, Arch: "x86_64", IP: "192.0.2.1", MAC: "52:54:00:00:00:01",
			Hardware: katprep.Virtual, Owner: "Jane Doe", OwnerType: "User", Organization: "ACME", Location: "Cologne", HostGroup: "base/web",
			Environment: "Production", ContentView: "rhel9"},
		Format: katprep.RPM, Kernel: katprep.Kernel{Running: "5.14.0-427.el9.x86_64"},
		Boot:   katprep.Boot{Time: time.Date(2026, 11, 1, 4, 5, 6, 0, time.UTC)},
		Reboot: katprep.Reboot{Need: katprep.Needed, Reasons: []string{"kernel"}},
		Parameters: []katprep.Parameter{
			{Name: "hidden", Origin: "location", Masked: true},
			{Name: "katprep_mon", Value: "https://icinga", Origin: "host"},
			{Name: "nothing", Origin: "hostgroup"},
			{Name: "root_pass", Origin: "global", Masked: true},
			{Name: "tier", Value: "3", Type: "integer", Origin: "hostgroup"},
		},
		Errata:    []katprep.HostErratum{{ID: "RHBA-2026:0002", Installable: true}, {ID: "RHSA-2026:0001", Installable: true}},
		Updates:   []katprep.Update{{Name: "openssl", Arch: "x86_64", From: "1:3.0.7-24.el9", To: "1:3.0.7-28.el9"}},
		Processes: []katprep.Process{{Name: "chronyd", Unit: "chronyd.service"}, {Name: "kernel"}},
		Packages:  []katprep.Package{{Name: "bash", EVR: "5.1.8-9.el9", Arch: "x86_64"}, {Name: "openssl", EVR: "1:3.0.7-24.el9", Arch: "x86_64"}},
	}
	same(t, s, want)
	same(t, errata["RHSA-2026:0001"], katprep.Erratum{ID: "RHSA-2026:0001", Title: "Important: openssl", Type: katprep.Security, Severity: katprep.Important,
		Issued: "2026-10-01", Updated: "2026-10-02", RebootSuggested: true, CVEs: []string{"CVE-2026-1"}, Bugs: []string{"17"},
		Packages: []katprep.Package{{Name: "nodejs", EVR: "1:18.20.4-1.module", Arch: "x86_64"}, {Name: "openssl", EVR: "1:3.0.7-28.el9", Arch: "x86_64"}},
		Modules:  []string{"nodejs:18"}, Summary: "<b>x</b>", Description: "Users were unable to authenticate: 401"})
	src := snap.Sources[0]
	if src.Product != "Satellite 6.16.0" || src.User != "admin" || src.Problem != "" {
		t.Errorf("source is %+v", src)
	}
	if b, _ := json.Marshal(states); strings.Contains(string(b), "s3cr3t") {
		t.Error("a secret parameter is in the state")
	}
}

func same(t *testing.T, got, want any) {
	t.Helper()
	g, _ := json.MarshalIndent(got, "", " ")
	w, _ := json.MarshalIndent(want, "", " ")
	if string(g) != string(w) {
		t.Errorf("got\n%s\nwant\n%s", g, w)
	}
}

// problem returns why an aspect of a host is not known.
func problem(s katprep.State, a katprep.Aspect) string {
	for _, p := range s.Problems {
		if p.Aspect == a && !p.Warning {
			return p.Message
		}
	}
	return ""
}

func TestWhatIsNotKnown(t *testing.T) {
	content := func(counts any) map[string]any {
		return map[string]any{"content_facet_attributes": map[string]any{"id": 5, "errata_counts": counts}}
	}
	none := map[string]any{"security": 0, "bugfix": 0, "enhancement": 0, "total": 0}
	for _, tc := range []struct {
		name    string
		host    map[string]any
		more    map[string]string
		change  func(o *foreman.Options)
		unknown map[katprep.Aspect]string // and what the reason says; "" : unknown without being a problem
		errata  []string
	}{
		{name: "no content facet", host: map[string]any{"content_facet_attributes": nil},
			unknown: map[katprep.Aspect]string{katprep.AspectErrata: "not registered"}},
		{name: "nothing pending", host: content(none)},
		{name: "counts say more than the list", more: map[string]string{"GET /api/hosts/1/errata": `{"total":1,"subtotal":1,"error":null,"results":[{"id":1,"errata_id":"RHBA-1","type":"bugfix","installable":true}]}`},
			errata: []string{"RHBA-1"}},
		{name: "counts say more, and the host cannot be asked", more: map[string]string{"GET /api/hosts/1/errata": `%500 {"error":{"message":"Internal Server Error"}}`},
			unknown: map[katprep.Aspect]string{katprep.AspectErrata: "Internal Server Error"}},
		{name: "counts are null", host: content(nil), more: map[string]string{"GET /api/hosts/1/errata": `{"total":"0","subtotal":"0","error":null,"results":[]}`}},
		{name: "Katello could not compute them", host: map[string]any{"content_facet_attributes": map[string]any{"id": 5, "errata_counts": none}, "errata_status": 1, "errata_status_label": "Could not calculate errata status"},
			unknown: map[katprep.Aspect]string{katprep.AspectErrata: "Could not calculate errata status"}},
		{name: "bulk forbidden, host by host", more: map[string]string{
			"POST /api/hosts/bulk/installable_errata": `%403 {"error":{"message":"No hosts matched search, or action unauthorized for selected hosts."}}`,
			"GET /api/hosts/1/errata":                 `{"total":1,"subtotal":1,"error":null,"results":[{"id":1,"errata_id":"RHSA-1","type":"security"}]}`},
			errata: []string{"RHSA-1"}},
		{name: "both forbidden: names the permission", more: map[string]string{
			"POST /api/hosts/bulk/installable_errata": `%403 {"error":{"message":"Access denied","details":"Missing one of the required permissions: edit_hosts","missing_permissions":["edit_hosts"]}}`,
			"GET /api/hosts/1/errata":                 `%403 {"error":{"message":"Access denied","details":"Missing one of the required permissions: view_hosts","missing_permissions":["view_hosts"]}}`},
			unknown: map[katprep.Aspect]string{katprep.AspectErrata: "view_hosts"}},
		{name: "no Katello", host: map[string]any{"content_facet_attributes": nil}, more: map[string]string{"GET /api/plugins": `{"total":0,"subtotal":0,"results":[]}`},
			unknown: map[katprep.Aspect]string{katprep.AspectErrata: "plugin katello is not installed"}},
		{name: "no view_params", host: content(none), more: map[string]string{"GET /api/hosts/1/parameters": `%403 {"error":{"message":"Access denied","details":"Missing one of the required permissions: view_params","missing_permissions":["view_params"]}}`},
			unknown: map[katprep.Aspect]string{katprep.AspectParameters: "view_params"}},
		{name: "parameters absent", host: map[string]any{"content_facet_attributes": map[string]any{"errata_counts": none}, "all_parameters": nil},
			unknown: map[katprep.Aspect]string{katprep.AspectParameters: "holds none"}},
		{name: "no tracer", host: map[string]any{"content_facet_attributes": map[string]any{"errata_counts": none}, "traces_status": nil},
			unknown: map[katprep.Aspect]string{katprep.AspectReboot: ""}},
		{name: "tracer says unknown", host: map[string]any{"content_facet_attributes": map[string]any{"errata_counts": none}, "traces_status": -1},
			unknown: map[katprep.Aspect]string{katprep.AspectReboot: ""}},
		{name: "no facts", host: map[string]any{"content_facet_attributes": map[string]any{"errata_counts": none}, "reported_data": nil},
			unknown: map[katprep.Aspect]string{katprep.AspectKernel: "", katprep.AspectBoot: ""}},
		{name: "no package profile", host: content(none), more: map[string]string{"GET /api/hosts/1/packages": `{"total":0,"subtotal":0,"results":[]}`},
			change:  func(o *foreman.Options) { o.Packages = true },
			unknown: map[katprep.Aspect]string{katprep.AspectPackages: "not uploaded its package profile"}},
		{name: "package without version", host: content(none), more: map[string]string{"GET /api/hosts/1/packages": `{"total":1,"subtotal":1,"results":[{"id":1,"nvrea":"nonsense"}]}`},
			change:  func(o *foreman.Options) { o.Packages = true },
			unknown: map[katprep.Aspect]string{katprep.AspectPackages: `"nonsense"`}},
		{name: "package list truncated", host: content(none), more: map[string]string{"GET /api/hosts/1/packages": `{"total":1,"subtotal":1,"results":[{"id":1,"nvr`},
			change:  func(o *foreman.Options) { o.Packages = true },
			unknown: map[katprep.Aspect]string{katprep.AspectPackages: "not what was expected"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, o := newFake(t, list(web(tc.host)), tc.more)
			if tc.change != nil {
				tc.change(&o)
			}
			states, _, _ := read(t, o, katprep.Selection{})
			s := states["web01.example.com"]
			incomplete := false
			for a, why := range tc.unknown {
				if s.Knows(a) || !strings.Contains(problem(s, a), why) {
					t.Errorf("%s: known %v, problem %q", a, s.Knows(a), problem(s, a))
				}
				incomplete = incomplete || why != ""
			}
			if _, no := tc.unknown[katprep.AspectErrata]; !no && !s.Knows(katprep.AspectErrata) {
				t.Errorf("errata are not known: %v", s.Problems)
			}
			if (s.Status == katprep.Incomplete) != incomplete {
				t.Errorf("status is %s: %v", s.Status, s.Problems)
			}
			var ids []string
			for _, e := range s.Errata {
				ids = append(ids, e.ID)
			}
			if !slices.Equal(ids, tc.errata) {
				t.Errorf("errata are %v", ids)
			}
		})
	}
}

func TestNullAnywhere(t *testing.T) {
	full := map[string]any{}
	if err := json.Unmarshal([]byte(web(nil)), &full); err != nil {
		t.Fatal(err)
	}
	for _, odd := range []any{nil, "", 17, true, []any{}, map[string]any{}, []any{nil, 1, "x"}} {
		for field := range full {
			if field == "id" || field == "name" {
				continue
			}
			_, o := newFake(t, list(web(map[string]any{field: odd})), map[string]string{"GET /api/hosts/1/errata": `{"total":2,"subtotal":2,"results":[{"errata_id":"A"},{"errata_id":"B"}]}`})
			states, _, snap := read(t, o, katprep.Selection{})
			if len(states) != 1 || snap.Sources[0].Problem != "" {
				t.Errorf("%s = %v: %d states, %q", field, odd, len(states), snap.Sources[0].Problem)
			}
		}
	}
}

func TestHostWithoutIdentityIsAGap(t *testing.T) {
	_, o := newFake(t, list(web(map[string]any{"id": 7, "name": nil}), web(nil), `"not even an object"`), map[string]string{
		"GET /api/hosts/7/parameters": `{"results":[]}`, "POST /api/hosts/bulk/installable_errata": bulkTwo})
	states, _, snap := read(t, o, katprep.Selection{})
	if s := states["web01.example.com"]; s.Status != katprep.Collected {
		t.Errorf("the good host is %s", s.Status)
	}
	if snap.Counts.Failed != 1 || snap.Sources[0].Problem == "" {
		t.Errorf("counts %+v, problem %q", snap.Counts, snap.Sources[0].Problem)
	}
}

// TestTheManagementServerItself: it is left out unless it is named, whether
// its record, its setting or its URL tells it.
func TestTheManagementServerItself(t *testing.T) {
	none := map[string]any{"errata_counts": map[string]any{"total": 0}}
	server := web(map[string]any{"id": 1, "name": "satellite.example.com", "content_facet_attributes": none})
	marked := web(map[string]any{"id": 1, "name": "satellite.example.com", "content_facet_attributes": none, "infrastructure_facet": map[string]any{"foreman_instance": true}})
	other := web(map[string]any{"id": 2, "name": "web02.example.com", "content_facet_attributes": none})
	setting := map[string]string{"GET /api/settings": `{"total":181,"subtotal":1,"results":[{"id":"foreman_url","name":"foreman_url","value":"https://satellite.example.com"}]}`}
	for name, tc := range map[string]struct {
		host string
		more map[string]string
		sel  katprep.Selection
		want int
	}{
		"marked":               {marked, nil, katprep.Selection{}, 1},
		"by its setting":       {server, setting, katprep.Selection{}, 1},
		"unknown":              {server, nil, katprep.Selection{}, 2},
		"named":                {marked, setting, katprep.Selection{Hosts: []string{"SATELLITE.example.com", "web02.example.com"}}, 2},
		"matched by a pattern": {marked, nil, katprep.Selection{Hosts: []string{"*"}}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			_, o := newFake(t, list(tc.host, other), tc.more)
			if got, _, _ := read(t, o, tc.sel); len(got) != tc.want {
				t.Errorf("%d hosts", len(got))
			}
		})
	}
}

func TestRefusedLoginIsTriedOnce(t *testing.T) {
	f, o := newFake(t, list(), map[string]string{"GET /api/status": `%401 {"error":{"message":"Unable to authenticate user admin"}}`})
	_, _, snap := read(t, o, katprep.Selection{})
	if !strings.Contains(snap.Sources[0].Problem, "Unable to authenticate user admin") || f.asked["GET /api/status"] != 1 || len(f.asked) != 1 {
		t.Errorf("problem %q after %v", snap.Sources[0].Problem, f.asked)
	}
}

func TestMaintenanceInTheMiddle(t *testing.T) {
	f, o := newFake(t, "", nil)
	o.PerPage = 1
	page := 0
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/api/hosts" {
			if page++; page > 2 {
				w.WriteHeader(http.StatusServiceUnavailable)
				_, _ = io.WriteString(w, `{"message":"Maintenance"}`)
				return
			}
			h := web(map[string]any{"id": page, "name": fmt.Sprintf("web%d.example.com", page)})
			_, _ = io.WriteString(w, strings.Replace(list(h), `"subtotal":1`, `"subtotal":9`, 1))
			return
		}
		f.ServeHTTP(w, r)
	}))
	defer srv.Close()
	o.URL, o.Concurrency = srv.URL, 1
	states, _, snap := read(t, o, katprep.Selection{})
	if len(states) != 2 || !strings.Contains(snap.Sources[0].Problem, "Maintenance") {
		t.Errorf("%d states, problem %q", len(states), snap.Sources[0].Problem)
	}
}

func TestStaleHostWarns(t *testing.T) {
	_, o := newFake(t, list(web(map[string]any{"subscription_facet_attributes": map[string]any{"last_checkin": "2026-01-02 10:46:18 -0400"}})),
		map[string]string{"POST /api/hosts/bulk/installable_errata": bulkTwo})
	o.Now = func() time.Time { return time.Date(2026, 11, 24, 0, 0, 0, 0, time.UTC) }
	states, _, _ := read(t, o, katprep.Selection{})
	s := states["web01.example.com"]
	if s.Status != katprep.Collected || len(s.Problems) != 1 || !strings.Contains(s.Problems[0].Message, "2026-01-02") {
		t.Errorf("%s %v", s.Status, s.Problems)
	}
}

func TestBadOptions(t *testing.T) {
	for _, o := range []foreman.Options{{URL: "nonsense"}, {URL: "https://x", ErrataSource: "magic"}, {URL: "https://x", CAFile: "/nonexistent"}} {
		if _, err := foreman.New(o); katprep.KindOf(err) != katprep.Invalid || katprep.HintOf(err) == "" {
			t.Errorf("%+v: %v", o, err)
		}
	}
}
