package landscape_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stdevel/katprep/internal/landscape"
)

func TestLoginSessionLockout(t *testing.T) {
	s := landscape.New(landscape.Options{Hosts: 3, Users: []landscape.User{
		{Login: "admin", Password: "changeme", Admin: true}, {Login: "bot", Tokens: []string{"token"}, Admin: true}, {Login: "old", Password: "x", Disabled: true},
	}})
	c := serve(t, s)
	for range 3 {
		c.get("/api/status")
	}
	if n := s.Stats().PasswordChecks; n != 1 {
		t.Errorf("three requests with a cookie: %d password checks", n)
	}
	other := func(user string) (int, object) {
		d := *c
		d.user, d.http = user, http.DefaultClient
		return d.do("GET", "/api/status", nil)
	}
	if status, _ := other("bot:token"); status != 200 {
		t.Errorf("token: %d", status)
	}
	if status, o := other("old:x"); status != 401 || !strings.Contains(message(o), "disabled") {
		t.Errorf("disabled user: %d %v", status, o)
	}
	for range 30 {
		if status, o := other("admin:wrong"); status != 401 || message(o) != "Unable to authenticate user admin" {
			t.Fatalf("wrong password: %d %v", status, o)
		}
	}
	if status, o := other("admin:changeme"); status != 401 || !strings.HasPrefix(message(o), "Too many tries") {
		t.Errorf("after 30 failures: %d %v", status, o)
	}
	s.Advance(6 * time.Minute)
	if status, _ := other("admin:changeme"); status != 200 {
		t.Errorf("six minutes later: %d", status)
	}
}

func message(o object) string {
	e, _ := o["error"].(object)
	m, _ := e["message"].(string)
	return m
}

func TestPermissionsAndErrors(t *testing.T) {
	s := landscape.New(landscape.Options{Hosts: 20, Users: []landscape.User{{Login: "admin", Password: "changeme", Permissions: []string{"view_hosts"}, Organizations: []string{"ACME"}}}})
	c := serve(t, s)
	for _, x := range []struct {
		method, path string
		body         any
		status       int
		says         string
	}{
		{"POST", "/api/hosts/bulk/installable_errata", object{"included": object{"search": ""}}, 403, "No hosts matched search, or action unauthorized"},
		{"POST", "/api/hosts/bulk/installable_errata", object{}, 400, "No hosts have been specified"},
		{"POST", "/api/job_invocations", object{}, 403, "create_job_invocations"},
		{"GET", "/api/hosts?search=" + url.QueryEscape("colour = red"), nil, 400, "Field 'colour' not recognized for searching!"},
		{"GET", "/api/hosts/4711", nil, 404, "Resource host not found by id '4711'"},
		{"GET", "/api/hosts?organization_id=99", nil, 404, "Organization with id 99 not found"},
		{"GET", "/api/hosts?organization_id=4", nil, 404, "Organization with id 4 not found"},
		{"GET", "/katello/api/errata?per_page=all", nil, 500, "Internal Server Error"},
		{"GET", "/api/hosts/" + s.Names()[0] + "/parameters", nil, 403, "view_params"},
		{"GET", "/api/nothing", nil, 404, "doesn't exist"},
	} {
		if status, b := c.raw(x.method, x.path, x.body); status != x.status || !strings.Contains(string(b), x.says) {
			t.Errorf("%s %s: %d %s", x.method, x.path, status, b)
		}
	}
	for _, h := range results(c.get("/api/hosts?per_page=all&include[]=parameters")) {
		if ps, ok := h["parameters"].([]any); !ok || len(ps) != 0 {
			t.Errorf("%v: parameters %v without view_params", h["name"], h["parameters"])
		}
	}
}

func TestParameterCalls(t *testing.T) {
	s := landscape.New(landscape.Options{Hosts: 5})
	c := serve(t, s)
	path := "/api/hosts/" + s.Names()[0] + "/parameters"
	if status, o := c.do("POST", path, object{"parameter": object{"name": "katprep_x", "value": "1", "parameter_type": "string"}}); status != 201 || o["value"] != "1" {
		t.Fatalf("create: %d %v", status, o)
	}
	if status, _ := c.do("POST", path, object{"parameter": object{"name": "katprep_x", "value": "2"}}); status != 422 {
		t.Errorf("create twice: %d", status)
	}
	if status, _ := c.do("POST", path, object{"parameter": object{"name": "a b", "value": "2"}}); status != 422 {
		t.Errorf("space in a name: %d", status)
	}
	if status, o := c.do("PUT", path+"/katprep_x", object{"parameter": object{"value": "3"}}); status != 200 || o["value"] != "3" {
		t.Errorf("update: %d %v", status, o)
	}
	s.SetGlobalParameter("katprep_mon", "https://mon.example.com")
	list := c.get("/api/hosts?per_page=1&include[]=all_parameters")
	if b, _ := json.Marshal(list); !strings.Contains(string(b), `"associated_type":"global"`) {
		t.Errorf("inherited parameter is missing: %s", b)
	}
	if found := c.get("/api/hosts?search=" + url.QueryEscape("params.katprep_x = 3")); found["subtotal"] != 1.0 {
		t.Errorf("search by parameter finds %v", found["subtotal"])
	}
	if status, _ := c.do("DELETE", path+"/katprep_x", nil); status != 200 {
		t.Errorf("delete: %d", status)
	}
	if status, _ := c.do("GET", path+"/katprep_x", nil); status != 404 {
		t.Errorf("deleted parameter: %d", status)
	}
}

func TestFaults(t *testing.T) {
	s := landscape.New(landscape.Options{Hosts: 60})
	c := serve(t, s)
	s.Inject(landscape.Fault{Path: "/api/hosts", Nth: 2, Status: 503, RetryAfter: 7})
	s.Inject(landscape.Fault{Path: "/api/hosts", Nth: 3, Truncate: 40})
	s.Inject(landscape.Fault{Path: "/api/hosts", Nth: 4, Drop: true})
	s.Inject(landscape.Fault{Path: "/api/hosts", Nth: 5, After: func() { s.RemoveHost(s.Names()[0]) }})
	if o := c.get("/api/hosts"); o["subtotal"] != 61.0 {
		t.Errorf("first: %v", o["subtotal"])
	}
	if status, b := c.raw("GET", "/api/hosts", nil); status != 503 || !strings.Contains(string(b), "<html>") {
		t.Errorf("second: %d %s", status, b)
	}
	if status, b := c.raw("GET", "/api/hosts", nil); status != 200 || len(b) != 40 {
		t.Errorf("third: %d, %d bytes", status, len(b))
	}
	req, err := http.NewRequestWithContext(t.Context(), "GET", c.url+"/api/hosts", nil)
	if err != nil {
		t.Fatal(err)
	}
	if resp, err := c.http.Do(req); err == nil {
		_, err = io.ReadAll(resp.Body)
		resp.Body.Close()
		if err == nil {
			t.Error("fourth: the answer was complete")
		}
	}
	if o := c.get("/api/hosts"); o["subtotal"] != 60.0 {
		t.Errorf("fifth, a host vanished: %v", o["subtotal"])
	}
}

// Ten thousand hosts with 400 packages must fit into little memory.
func TestMemory(t *testing.T) {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	s := landscape.New(landscape.Options{Hosts: 10_000, Packages: 400, Errata: 20})
	runtime.GC()
	runtime.ReadMemStats(&after)
	used := (int64(after.HeapAlloc) - int64(before.HeapAlloc)) >> 20
	t.Logf("%d hosts in %d MB", len(s.Names()), used)
	if used > 32 {
		t.Errorf("%d MB", used)
	}
}

func BenchmarkHostPage(b *testing.B) {
	s := landscape.New(landscape.Options{Hosts: 10_000, Packages: 400, Errata: 20})
	c := serve(b, s)
	for b.Loop() {
		c.raw("GET", "/api/hosts?per_page=250&page=7&include[]=parameters", nil)
	}
}

func BenchmarkHostPackages(b *testing.B) {
	s := landscape.New(landscape.Options{Hosts: 10_000, Packages: 400, Errata: 20})
	c := serve(b, s)
	for b.Loop() {
		c.raw("GET", "/api/hosts/app100.cgn.example.com/packages?full_result=true", nil)
	}
}

func BenchmarkBulkErrata(b *testing.B) {
	s := landscape.New(landscape.Options{Hosts: 10_000, Packages: 400, Errata: 20})
	c := serve(b, s)
	for b.Loop() {
		c.raw("POST", "/api/hosts/bulk/installable_errata", object{"included": object{"search": ""}, "per_page": 100, "organization_id": 3})
	}
}
