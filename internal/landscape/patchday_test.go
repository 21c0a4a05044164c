package landscape_test

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/internal/landscape"
	"github.com/stdevel/katprep/internal/vers"
)

// kernelHost finds a host with an installable kernel erratum and a tracer.
func kernelHost(t *testing.T, s *landscape.Server) landscape.Truth {
	t.Helper()
	for _, name := range s.Names() {
		h, ok := s.Truth(name)
		if !ok {
			t.Fatalf("no truth about %s", name)
		}
		for _, id := range h.Installable {
			if e, _ := s.Erratum(id); len(e.Packages) > 0 && e.Packages[0].Name == "kernel" && len(h.Installable) > 2 {
				return h
			}
		}
	}
	t.Fatal("no host needs a kernel")
	return landscape.Truth{}
}

func (c *client) job(feature, query string, inputs object) object {
	c.t.Helper()
	status, j := c.do("POST", "/api/job_invocations", object{"job_invocation": object{
		"feature": feature, "targeting_type": "static_query", "search_query": query, "inputs": inputs}})
	if status != 201 {
		c.t.Fatalf("job %s: %d %v", feature, status, j)
	}
	return j
}

func (c *client) templateJob(name, query string, inputs object) object {
	c.t.Helper()
	found := results(c.get("/api/job_templates?search=" + url.QueryEscape(fmt.Sprintf("name = %q", name))))
	if len(found) != 1 {
		c.t.Fatalf("template %s: %v", name, found)
	}
	status, j := c.do("POST", "/api/job_invocations", object{"job_invocation": object{
		"job_template_id": found[0]["id"], "targeting_type": "static_query", "search_query": query, "inputs": inputs}})
	if status != 201 {
		c.t.Fatalf("job %s: %d %v", name, status, j)
	}
	return j
}

func (c *client) host(name string) object { return c.get("/api/hosts/" + name) }

func installable(h object) float64 {
	return h["content_facet_attributes"].(object)["errata_counts"].(object)["total"].(float64)
}

func TestPatchDay(t *testing.T) {
	s := landscape.New(landscape.Options{Hosts: 40})
	c := serve(t, s)
	before := kernelHost(t, s)
	if got := installable(c.host(before.Name)); int(got) != len(before.Installable) {
		t.Fatalf("server says %v installable errata, truth %d", got, len(before.Installable))
	}
	j := c.job("katello_errata_install", "name ^ ("+before.Name+")", object{"errata": strings.Join(before.Installable, ",")})
	if hosts := j["targeting"].(object)["hosts"].([]any); len(hosts) != 1 || j["status_label"] != "running" {
		t.Fatalf("job: %v", j)
	}
	s.Advance(time.Minute - time.Second)

	after, _ := s.Truth(before.Name)
	if len(after.Installable) != 0 {
		t.Errorf("still installable: %v", after.Installable)
	}
	checkFixed(t, s, before, after)
	if !after.NeedsReboot || after.Kernel.Running != before.Kernel.Running || after.Kernel.Installed == before.Kernel.Installed {
		t.Errorf("kernel before %+v, after %+v, needs reboot %v", before.Kernel, after.Kernel, after.NeedsReboot)
	}
	if got := installable(c.host(before.Name)); got == 0 {
		t.Error("errata vanished at once: applicability must lag behind")
	}
	s.Advance(2 * time.Minute)
	h := c.host(before.Name)
	if installable(h) != 0 || h["traces_status"] != 2.0 || h["execution_status"] != 0.0 {
		t.Errorf("after the delay: %v errata, traces %v, execution %v", installable(h), h["traces_status"], h["execution_status"])
	}
	rebootByJob(t, s, c, after)
}

// checkFixed proves that each erratum's fixed versions are installed.
func checkFixed(t *testing.T, s *landscape.Server, before, after landscape.Truth) {
	t.Helper()
	newest := map[string]katprep.EVR{}
	for _, p := range after.Packages {
		if vers.RPM(string(p.EVR), string(newest[p.Name])) > 0 {
			newest[p.Name] = p.EVR
		}
	}
	for _, id := range before.Installable {
		e, ok := s.Erratum(id)
		if !ok {
			t.Fatalf("no erratum %s", id)
		}
		for _, p := range e.Packages {
			if vers.RPM(string(newest[p.Name]), string(p.EVR)) < 0 {
				t.Errorf("%s: %s is %s, fixed in %s", id, p.Name, newest[p.Name], p.EVR)
			}
		}
	}
}

func rebootByJob(t *testing.T, s *landscape.Server, c *client, before landscape.Truth) {
	t.Helper()
	j := c.templateJob("Power Action - Script Default", "name = "+before.Name, object{"action": "restart"})
	s.Advance(10 * time.Second)
	path := fmt.Sprintf("/api/job_invocations/%v?host_status=true", j["id"])
	if got := c.get(path); got["status_label"] != "succeeded" {
		t.Errorf("reboot job: %v", got["status_label"])
	}
	if now, _ := s.Truth(before.Name); now.Boots != before.Boots {
		t.Error("rebooted before shutdown -r +1 was due")
	}
	s.Advance(time.Minute)
	failing := c.templateJob("Run Command - Script Default", "name = "+before.Name, object{"command": "uptime -s"})
	s.Advance(20 * time.Second)
	if got := c.get(fmt.Sprintf("/api/job_invocations/%v", failing["id"])); got["status_label"] != "failed" {
		t.Errorf("job on a host that is down: %v", got["status_label"])
	}
	s.Advance(3 * time.Minute)
	after, _ := s.Truth(before.Name)
	if after.Boot.ID == before.Boot.ID || !after.Boot.Time.After(before.Boot.Time) || after.NeedsReboot || after.Kernel.Running != before.Kernel.Installed {
		t.Errorf("after the reboot: %+v %+v", after.Boot, after.Kernel)
	}
	h := c.host(before.Name)
	if h["traces_status"] != 0.0 || h["reported_data"].(object)["kernel_version"] != after.Kernel.Running {
		t.Errorf("server after the reboot: traces %v, %v", h["traces_status"], h["reported_data"])
	}
	probe := c.templateJob("Run Command - Script Default", "name = "+before.Name, object{"command": "cat /proc/sys/kernel/random/boot_id; uname -r"})
	s.Advance(10 * time.Second)
	out := c.get(fmt.Sprintf("/api/job_invocations/%v/hosts/%d", probe["id"], after.ID))
	text := fmt.Sprint(out["output"])
	if out["complete"] != true || !strings.Contains(text, after.Boot.ID) || !strings.Contains(text, after.Kernel.Running) {
		t.Errorf("probe: %v", out)
	}
}

func TestBulkErrataEqualsHosts(t *testing.T) {
	s := landscape.New(landscape.Options{Hosts: 150})
	c := serve(t, s)
	byHost := map[string][]string{}
	for page := 1; ; page++ {
		status, o := c.do("POST", "/api/hosts/bulk/installable_errata", object{"organization_id": 3, "included": object{"search": ""}, "page": page, "per_page": 7})
		if status != 200 {
			t.Fatal(o)
		}
		if _, isNumber := o["per_page"].(float64); !isNumber {
			t.Fatalf("per_page of a JSON body is echoed as %T", o["per_page"])
		}
		if len(results(o)) == 0 {
			break
		}
		for _, e := range results(o) {
			for _, h := range e["applicable_hosts"].([]any) {
				name := h.(object)["name"].(string)
				byHost[name] = append(byHost[name], e["errata_id"].(string))
			}
		}
	}
	csvHosts := csvErrata(t, c)
	seen := 0
	for _, h := range results(c.get("/api/hosts?per_page=all&organization_id=3")) {
		name := h["name"].(string)
		truth, _ := s.Truth(name)
		slices.Sort(byHost[name])
		slices.Sort(csvHosts[name])
		if !slices.Equal(truth.Installable, byHost[name]) || !slices.Equal(truth.Installable, csvHosts[name]) {
			t.Errorf("%s: bulk %v, report %v, truth %v", name, byHost[name], csvHosts[name], truth.Installable)
		}
		seen += len(truth.Installable)
	}
	if seen == 0 {
		t.Error("nothing compared")
	}
}

func csvErrata(t *testing.T, c *client) map[string][]string {
	t.Helper()
	status, job := c.do("POST", "/api/report_templates/135/schedule_report?organization_id=3", object{"input_values": object{"Installability": "installable"}, "report_format": "csv"})
	if status != 200 {
		t.Fatal(job)
	}
	if status, _ := c.raw("GET", job["data_url"].(string), nil); status != 204 {
		t.Errorf("report at once: %d", status)
	}
	_, b := c.raw("POST", "/api/report_templates/135/generate?organization_id=3", object{"input_values": object{"Installability": "installable"}, "report_format": "csv"})
	rows, err := csv.NewReader(strings.NewReader(string(b))).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	m := map[string][]string{}
	for _, row := range rows[1:] {
		m[row[0]] = append(m[row[0]], row[3])
	}
	return m
}

func TestJobsThatGoWrong(t *testing.T) {
	names := landscape.New(landscape.Options{Hosts: 8}).Names()[:5]
	s := landscape.New(landscape.Options{Hosts: 8, Hostile: map[string]landscape.HostFault{
		names[0]: {JobFails: true, Output: "<script>"}, names[1]: {NotTargeted: true}, names[2]: {Unreachable: true}, names[3]: {NoBoot: true},
	}})
	c := serve(t, s)
	query := "name ^ (" + strings.Join(names, ", ") + ")"
	j := c.job("katello_package_update", query, object{"package": ""})
	s.Advance(2 * time.Minute)
	got := map[string]string{}
	for _, h := range c.get(fmt.Sprintf("/api/job_invocations/%v?host_status=true", j["id"]))["targeting"].(object)["hosts"].([]any) {
		got[h.(object)["name"].(string)] = h.(object)["job_status"].(string)
	}
	want := map[string]string{names[0]: "error", names[2]: "error", names[3]: "success", names[4]: "success"}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got %v, want %v", got, want)
	}
	sub := c.get("/foreman_tasks/api/tasks?search=" + url.QueryEscape(fmt.Sprintf("parent_task_id = %v", j["task"].(object)["id"])))
	if sub["subtotal"] != 4.0 {
		t.Errorf("%v sub tasks", sub["subtotal"])
	}
	if task := c.get(fmt.Sprintf("/foreman_tasks/api/tasks/%v", j["task"].(object)["id"])); task["result"] != "warning" || task["state"] != "stopped" {
		t.Errorf("task %v %v", task["state"], task["result"])
	}
	c.job("katello_service_restart", "name = "+names[3], object{"helper": "reboot"})
	s.Advance(time.Hour)
	if truth, _ := s.Truth(names[3]); !truth.Down {
		t.Error("the host came back")
	}
	s.PauseNextJob(1)
	paused := c.job("katello_package_update", "name = "+names[4], nil)
	s.Advance(time.Hour)
	if task := c.get(fmt.Sprintf("/foreman_tasks/api/tasks/%v", paused["task"].(object)["id"])); task["state"] != "paused" || task["result"] != "error" {
		t.Errorf("paused task: %v %v", task["state"], task["result"])
	}
	if none := c.job("katello_package_update", "name = nobody", nil); none["total"] != 0.0 || none["status_label"] != "succeeded" {
		t.Errorf("job without hosts: %v of %v", none["status_label"], none["total"])
	}
}

func TestSameSeedSameLandscape(t *testing.T) {
	dump := func(seed uint64) string {
		s := landscape.New(landscape.Options{Seed: seed, Hosts: 30})
		c := serve(t, s)
		_, hosts := c.raw("GET", "/api/hosts?per_page=all&include[]=all_parameters", nil)
		_, errata := c.raw("GET", "/katello/api/errata?full_result=true", nil)
		truth, err := json.Marshal([]any{s.Names()})
		if err != nil {
			t.Fatal(err)
		}
		return string(hosts) + string(errata) + string(truth)
	}
	if first, second := dump(7), dump(7); first != second {
		t.Error("same seed, other landscape")
	}
	if dump(7) == dump(8) {
		t.Error("other seed, same landscape")
	}
}

// TestHurry: what takes its time takes less of it, and the clock stays as it
// is: no boot lies in the future.
func TestHurry(t *testing.T) {
	s := landscape.New(landscape.Options{Hosts: 40, Hurry: 60})
	c := serve(t, s)
	begin := s.Now()
	h := kernelHost(t, s)
	c.job("katello_errata_install", "name = "+h.Name, object{"errata": strings.Join(h.Installable, ",")})
	s.Advance(time.Second) // a real one has 60
	if after, _ := s.Truth(h.Name); len(after.Installable) > 0 {
		t.Errorf("still to be installed: %v", after.Installable)
	}
	s.Reboot(h.Name)
	s.Advance(time.Second)
	if after, _ := s.Truth(h.Name); !after.Down {
		t.Error("the host is up before its 90/60 s have passed")
	}
	s.Advance(time.Second)
	after, _ := s.Truth(h.Name)
	if boot := after.Boot.Time; after.Down || !boot.After(begin) || boot.After(s.Now()) {
		t.Errorf("down is %v, boot at %v; now it is %v", after.Down, boot, s.Now())
	}
	if n := installable(c.host(h.Name)); n != 0 || s.Now().Sub(begin) != 3*time.Second {
		t.Errorf("%v errata to be installed, %v after the beginning", n, s.Now().Sub(begin))
	}
}
