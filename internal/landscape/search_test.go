package landscape_test

import (
	"fmt"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stdevel/katprep/internal/landscape"
)

func TestSearch(t *testing.T) {
	s := landscape.New(landscape.Options{Hosts: 120})
	c := serve(t, s)
	s.SetParameter(s.Names()[0], "katprep_tier", 3)
	s.SetGroupParameter("base/db", "katprep_mon", "Icinga \"2\"")
	all := results(c.get("/api/hosts?per_page=all"))
	text := func(key, want string) func(h object) bool {
		return func(h object) bool { v, _ := h[key].(string); return v == want }
	}
	facet := func(key, want string) func(h object) bool {
		return func(h object) bool { return h["content_facet_attributes"].(object)[key].(object)["name"] == want }
	}
	both := func(a, b func(object) bool) func(object) bool { return func(h object) bool { return a(h) && b(h) } }
	not := func(a func(object) bool) func(object) bool { return func(h object) bool { return !a(h) } }
	name := all[7]["name"].(string)
	for query, want := range map[string]func(h object) bool{
		`location = "EU/Cologne"`:                   text("location_name", "Cologne"),
		`location = Cologne`:                        func(object) bool { return false }, // it is the title that counts
		`organization = Initech`:                    text("organization_name", "Initech"),
		`hostgroup = db`:                            text("hostgroup_name", "db"),
		`hostgroup_title = "base/web"`:              text("hostgroup_title", "base/web"),
		`lifecycle_environment = prod`:              facet("lifecycle_environment", "prod"),
		`content_view = cv-rhel8`:                   facet("content_view", "cv-rhel8"),
		`os_title = "RHEL 9.4" and hostgroup = web`: both(text("operatingsystem_name", "RHEL 9.4"), text("hostgroup_name", "web")),
		`not (os = Debian) hostgroup = app`:         both(not(text("operatingsystem_name", "Debian 12")), text("hostgroup_name", "app")),
		`os ^ (Debian, SLES) or hostgroup = db`: func(h object) bool {
			return text("operatingsystem_name", "Debian 12")(h) || text("hostgroup_name", "db")(h)
		},
		`name = ` + name: text("name", name),
		`name ^ (` + name + `, nobody.example.com)`: text("name", name),
		name: text("name", name),
		`name ~ app%.muc.example.com`: func(h object) bool {
			n := h["name"].(string)
			return strings.HasPrefix(n, "app") && strings.HasSuffix(n, ".muc.example.com")
		},
		`name !~ app`:                              func(h object) bool { return !strings.Contains(h["name"].(string), "app") },
		`ip = ` + all[3]["ip"].(string):            text("ip", all[3]["ip"].(string)),
		`id < 110`:                                 func(h object) bool { return h["id"].(float64) < 110 },
		`id >= 110`:                                func(h object) bool { return h["id"].(float64) >= 110 },
		`errata_status = security_needed`:          func(h object) bool { return h["errata_status"] == 3.0 },
		`trace_status = reboot_needed`:             func(h object) bool { return h["traces_status"] == 2.0 },
		`has owner`:                                func(h object) bool { return h["owner_name"] != nil },
		`null? owner`:                              func(h object) bool { return h["owner_name"] == nil },
		`owner = aschmidt`:                         text("owner_name", "Anna Schmidt"),
		`params.katprep_tier = 3`:                  text("name", s.Names()[0]),
		`params.katprep_mon = "Icinga \"2\""`:      text("hostgroup_title", "base/db"),
		`params_name = katprep_tier`:               text("name", s.Names()[0]),
		`facts.virt::is_guest = true`:              func(h object) bool { return h["reported_data"].(object)["virtual"] == true },
		`reported.virtual = false`:                 func(h object) bool { return h["reported_data"].(object)["virtual"] == false },
		`host_collection = dmz`:                    text("domain_name", "dmz.example.com"),
		`managed = true`:                           func(object) bool { return false },
		`location_id = 12 and organization_id = 3`: both(text("location_name", "Munich"), text("organization_name", "ACME")),
	} {
		got := c.get("/api/hosts?per_page=all&search=" + url.QueryEscape(query))
		found := map[any]bool{}
		for _, h := range results(got) {
			found[h["name"]] = true
		}
		n := 0
		for _, h := range all {
			if want(h) {
				n++
			}
			if want(h) != found[h["name"]] {
				t.Errorf("%s: %v found %v", query, h["name"], found[h["name"]])
			}
		}
		if got["subtotal"] != float64(n) || got["total"] != float64(len(all)) {
			t.Errorf("%s: subtotal %v of %v, want %d", query, got["subtotal"], got["total"], n)
		}
	}
	for _, bad := range []string{"colour = red", "name =", "(name = a", "name = a)", "and"} {
		if status, _ := c.do("GET", "/api/hosts?search="+url.QueryEscape(bad), nil); status != 400 && bad != "and" {
			t.Errorf("%q: %d", bad, status)
		}
	}
	o := c.get("/katello/api/host_collections?search=" + url.QueryEscape("colour = red"))
	if o["error"] == nil || len(results(o)) != 0 {
		t.Errorf("Katello answers a bad search with 200 and an error: %v", o)
	}
}

func TestScopes(t *testing.T) {
	s := landscape.New(landscape.Options{Hosts: 120})
	c := serve(t, s)
	count := func(path string) float64 { return c.get(path)["total"].(float64) }
	eu, cologne, koeln := count("/api/hosts?location_id=10"), count("/api/hosts?location_id=11"), count("/api/locations/13/hosts")
	if eu <= cologne || cologne <= koeln || koeln == 0 {
		t.Errorf("EU %v, Cologne %v, Köln Süd %v", eu, cologne, koeln)
	}
	if a, b := count("/api/organizations/3/hosts"), count("/api/organizations/4/hosts"); a+b != 121 {
		t.Errorf("organizations: %v and %v", a, b)
	}
	one := c.get("/api/hosts?order=id+DESC&per_page=1")
	if results(one)[0]["id"] != 219.0 {
		t.Errorf("highest ID: %v", results(one)[0]["id"])
	}
}

// The ways to install and restart that go by searches, and what they leave.
func TestBySearch(t *testing.T) {
	s := landscape.New(landscape.Options{Hosts: 80})
	c := serve(t, s)
	h := kernelHost(t, s)
	some := h.Installable[:1]
	c.job("katello_errata_install_by_search", "name = "+h.Name, object{"Errata search query": "errata_id ^ (" + some[0] + ")"})
	s.Advance(time.Minute)
	c.job("katello_upload_profile", "name = "+h.Name, nil)
	s.Advance(5 * time.Second)
	if now, _ := s.Truth(h.Name); len(now.Installable) >= len(h.Installable) || int(installable(c.host(h.Name))) != len(now.Installable) {
		t.Errorf("after one erratum and an upload: %d of %d, the server says %v", len(now.Installable), len(h.Installable), installable(c.host(h.Name)))
	}
	c.job("katello_packages_update_by_search", "name = "+h.Name, object{"Packages search query": "name ^ (kernel, openssh)"})
	s.Advance(3 * time.Minute)
	traces := results(c.get("/api/hosts/" + h.Name + "/traces"))
	reboot := false
	for _, tr := range traces {
		reboot = reboot || tr["reboot_required"] == true
	}
	if !reboot || c.host(h.Name)["traces_status"] != 2.0 {
		t.Errorf("traces: %v", traces)
	}
	j := c.job("katello_host_tracer_resolve", "name = "+h.Name, object{"Traces search query": ""})
	s.Advance(10 * time.Minute)
	if left := c.get("/api/hosts/" + h.Name + "/traces")["subtotal"]; left != 0.0 {
		t.Errorf("%v traces after they were resolved", left)
	}
	path := fmt.Sprintf("/api/job_invocations/%v", j["id"])
	if outs := c.get(path + "/outputs")["outputs"].([]any); len(outs) != 1 || outs[0].(object)["host_id"] != float64(h.ID) {
		t.Errorf("outputs: %v", outs)
	}
	raw := c.get(fmt.Sprintf("%s/hosts/%d/raw", path, h.ID))
	if out, _ := raw["output"].(string); !strings.Contains(out, "Shutdown scheduled") || !strings.Contains(out, "Exit status: 0") {
		t.Errorf("raw output: %v", raw)
	}
	inv := results(c.get(path + "/template_invocations"))
	if len(inv) != 1 || c.get("/foreman_tasks/api/tasks/" + inv[0]["run_host_job_task_id"].(string))["result"] != "success" {
		t.Errorf("template invocations: %v", inv)
	}
	if status, again := c.do("POST", path+"/rerun", object{"failed_only": 1}); status != 201 || again["total"] != 0.0 {
		t.Errorf("rerun of no failure: %d %v", status, again["total"])
	}
}

func FuzzSearch(f *testing.F) {
	s := landscape.New(landscape.Options{Hosts: 3})
	for _, q := range []string{`name = a`, `not (a or b) and has owner`, `name ^ (a, "b c")`, `params.x != "\""`, `((((`, `= = =`, `name ~ [`, "a\fb\u00a0c"} {
		f.Add(q)
	}
	f.Fuzz(func(t *testing.T, query string) {
		r := httptest.NewRequest("GET", "/api/hosts?search="+url.QueryEscape(query), nil)
		r.SetBasicAuth("admin", "changeme")
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		if w.Code != 200 && w.Code != 400 {
			t.Errorf("%q: %d %s", query, w.Code, w.Body)
		}
	})
}
