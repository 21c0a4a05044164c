package landscape_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stdevel/katprep/internal/landscape"
)

func TestScheduledJob(t *testing.T) {
	s := landscape.New(landscape.Options{Hosts: 5})
	c := serve(t, s)
	at := s.Now().Add(time.Hour).Format("2006-01-02 15:04:05 UTC")
	status, j := c.do("POST", "/api/job_invocations", object{"job_invocation": object{"feature": "katello_package_update", "search_query": "name ~ .",
		"targeting_type": "static_query", "description_format": "katprep %{package}!", "inputs": object{"package": "bash"}, "scheduling": object{"start_at": at}}})
	if status != 201 || j["status_label"] != "queued" || j["total"] != "N/A" || j["pending"] != "N/A" || j["description"] != "katprep bash!" {
		t.Fatalf("%d %v", status, j)
	}
	path := fmt.Sprintf("/api/job_invocations/%v", j["id"])
	s.Advance(time.Hour + 2*time.Second)
	if j := c.get(path); j["status_label"] != "running" || j["total"] != 6.0 {
		t.Errorf("at the time: %v %v", j["status_label"], j["total"])
	}
	if status, o := c.do("POST", path+"/cancel", object{}); status != 200 || o["cancelled"] != true {
		t.Errorf("cancel: %d %v", status, o)
	}
	s.Advance(time.Hour)
	if j := c.get(path); j["status_label"] != "cancelled" || j["succeeded"] != 0.0 {
		t.Errorf("cancelled job: %v, %v succeeded", j["status_label"], j["succeeded"])
	}
	found := c.get("/api/job_invocations?search=" + "description+%3D+%22katprep+bash%21%22")
	if found["subtotal"] != 1.0 {
		t.Errorf("search by description finds %v", found["subtotal"])
	}
}

func TestJobRefused(t *testing.T) {
	c := serve(t, landscape.New(landscape.Options{Hosts: 5}))
	for _, x := range []struct {
		job    object
		status int
		says   string
	}{
		{object{"feature": "katello_errata_install", "job_template_id": 189, "search_query": "name ~ ."}, 500, "Internal Server Error"},
		{object{"feature": "unheard_of", "search_query": "name ~ ."}, 404, "Template with id '' was not found"},
		{object{"feature": "katello_errata_install", "search_query": "name ~ .", "inputs": object{"erratum": "x"}}, 500, "Unknown input"},
		{object{"feature": "katello_errata_install", "search_query": "name ~ ."}, 500, "Validation failed"},
		{object{"feature": "katello_package_update", "search_query": "colour = red"}, 400, "not recognized"},
	} {
		if status, o := c.do("POST", "/api/job_invocations", object{"job_invocation": x.job}); status != x.status || !strings.Contains(message(o), x.says) {
			t.Errorf("%v: %d %v", x.job, status, o)
		}
	}
}

func TestAgentOfOldKatello(t *testing.T) {
	s := landscape.New(landscape.Options{Hosts: 60, Foreman: "3.7.0", Katello: "4.9.1"})
	c := serve(t, s)
	h := kernelHost(t, s)
	status, task := c.do("PUT", "/api/hosts/"+h.Name+"/errata/apply", object{"errata_ids": h.Installable})
	if status != 202 || task["label"] != "Actions::Katello::Host::Erratum::Install" {
		t.Fatalf("%d %v", status, task)
	}
	s.Advance(2 * time.Minute)
	if got := c.get("/foreman_tasks/api/tasks/" + task["id"].(string)); got["result"] != "success" {
		t.Errorf("task: %v %v", got["state"], got["result"])
	}
	if after, _ := s.Truth(h.Name); len(after.Installable) != 0 {
		t.Errorf("still there: %v", after.Installable)
	}
	newer := serve(t, landscape.New(landscape.Options{Hosts: 1}))
	if status, _ := newer.raw("PUT", "/api/hosts/1/errata/apply", object{}); status != 404 {
		t.Errorf("Katello 4.14 has the agent: %d", status)
	}
}

func TestPower(t *testing.T) {
	s := landscape.New(landscape.Options{Hosts: 60})
	c := serve(t, s)
	seen := map[bool]bool{}
	for _, name := range s.Names() {
		before, _ := s.Truth(name)
		if seen[before.Virtual] {
			continue
		}
		seen[before.Virtual] = true
		status, o := c.do("PUT", "/api/hosts/"+name+"/power", object{"power_action": "soft"})
		if !before.Virtual {
			if status != 422 || !strings.Contains(message(o), "not enabled") {
				t.Errorf("physical host: %d %v", status, o)
			}
			continue
		}
		if now, _ := s.Truth(name); status != 200 || !now.Down {
			t.Errorf("%d %v, down %v", status, o, now.Down)
		}
		s.Advance(2 * time.Minute)
		if now, _ := s.Truth(name); now.Down || now.Boot.ID == before.Boot.ID {
			t.Errorf("after two minutes: down %v, same boot %v", now.Down, now.Boot.ID == before.Boot.ID)
		}
	}
	if len(seen) != 2 {
		t.Errorf("hosts: %v", seen)
	}
}

func TestConfigReports(t *testing.T) {
	s := landscape.New(landscape.Options{Hosts: 2})
	c := serve(t, s)
	report := func(host, key string) object {
		return object{"config_report": object{"host": host, "reported_at": "2026-11-02 07:00:00 UTC", "status": object{key: 1}, "logs": []any{}}}
	}
	name := s.Names()[0]
	for _, x := range []struct {
		host, key string
		want      int
	}{{name, "applied", 201}, {name, "applied", 422}, {name, "unheard_of", 500}, {"new.example.com", "applied", 201}} {
		if status, o := c.do("POST", "/api/config_reports", report(x.host, x.key)); status != x.want {
			t.Errorf("%s %s: %d %v", x.host, x.key, status, o)
		}
	}
	if _, ok := s.Truth("new.example.com"); !ok {
		t.Error("the host of an unknown report was not created, as a real server would")
	}
	h := c.host("new.example.com")
	if _, has := h["content_facet_attributes"]; has || h["ip"] != nil {
		t.Errorf("a host that is not registered: %v", h)
	}
}

// A report as JSON comes encoded twice when it was scheduled.
func TestReportAsJSON(t *testing.T) {
	s := landscape.New(landscape.Options{Hosts: 20})
	c := serve(t, s)
	_, job := c.do("POST", "/api/report_templates/135-Host%20-%20Available%20Errata/schedule_report", object{"report_format": "json", "input_values": object{"Installability": "installable"}})
	s.Advance(5 * time.Second)
	_, b := c.raw("GET", job["data_url"].(string), nil)
	var text string
	var rows []map[string]string
	if err := json.Unmarshal(b, &text); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(text), &rows); err != nil || len(rows) == 0 || rows[0]["Erratum"] == "" {
		t.Errorf("%v: %d rows", err, len(rows))
	}
}

func TestRemovedPackageAndNewContent(t *testing.T) {
	s := landscape.New(landscape.Options{Hosts: 40})
	h := kernelHost(t, s)
	s.Remove(h.Name, "kernel")
	after, _ := s.Truth(h.Name)
	if len(after.Installable) >= len(h.Installable) || len(after.Packages) >= len(h.Packages) {
		t.Errorf("after the removal: %d of %d errata, %d of %d packages", len(after.Installable), len(h.Installable), len(after.Packages), len(h.Packages))
	}
	more := 0
	before := map[string]int{}
	for _, name := range s.Names() {
		truth, _ := s.Truth(name)
		before[name] = len(truth.Installable)
	}
	s.Publish("prod")
	for _, name := range s.Names() {
		truth, _ := s.Truth(name)
		more += len(truth.Installable) - before[name]
	}
	if more <= 0 {
		t.Error("new content brought no errata")
	}
}

func TestOldAnswers(t *testing.T) {
	s := landscape.New(landscape.Options{Hosts: 3, NoSelf: true, Foreman: "2.5.0", Katello: "4.1.0"})
	c := serve(t, s)
	status := c.get("/api/status")
	if _, has := status["satellite_version"]; has || status["version"] != "2.5.0" {
		t.Errorf("status: %v", status)
	}
	facet := results(c.get("/api/hosts"))[0]["content_facet_attributes"].(object)
	if facet["lifecycle_environment_name"] == nil || facet["content_view_environments"] != nil {
		t.Errorf("content facet of Katello 4.1: %v", facet)
	}
	if counts := facet["errata_counts"].(object); counts["applicable"] != nil {
		t.Errorf("errata counts of Katello 4.1: %v", counts)
	}
	newest := serve(t, landscape.New(landscape.Options{Hosts: 3, Katello: "4.15.0"}))
	if o := newest.get("/katello/api/errata?per_page=5"); o["per_page"] != 5.0 {
		t.Errorf("per_page of Katello 4.15: %T", o["per_page"])
	}
}
