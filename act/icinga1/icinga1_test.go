package icinga1_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/act"
	"github.com/stdevel/katprep/act/acttest"
	"github.com/stdevel/katprep/act/icinga1"
	"github.com/stdevel/katprep/internal/creds"
	"github.com/stdevel/katprep/internal/monlab"
)

func client(t *testing.T, url string) *icinga1.Client {
	t.Helper()
	c, err := icinga1.New(icinga1.Options{URL: url, Login: creds.Login{User: "nagiosadmin", Password: creds.NewSecret("hunter2")}, Patience: 2 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

const layout = "02-01-2006 15:04:05" // euro

// A fake answers as a recorded Icinga 1.14 with date_format euro in another
// zone: no program of it can be installed any more.
type fake struct {
	mu    sync.Mutex
	zone  *time.Location
	hosts []string
	list  []map[string]any
	next  int
	age   int
}

func newFake(t *testing.T) (*fake, string) {
	t.Helper()
	zone, err := time.LoadLocation("America/New_York")
	if err != nil {
		t.Fatal(err)
	}
	f := &fake{zone: zone, hosts: []string{"web01.example.test", "we ird+host&x"}}
	srv := httptest.NewServer(f)
	t.Cleanup(srv.Close)
	return f, srv.URL + "/icinga"
}

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, _, ok := r.BasicAuth(); !ok {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	if r.Method == http.MethodPost {
		fmt.Fprint(w, f.command(r))
		return
	}
	page := map[string]any{"icinga_status": map[string]any{
		"status_data_age": f.age, "reading_status_data_ok": true, "program_version": "1.14.2", "timezone": "America/New_York", "date_format": "euro",
	}}
	switch name := strings.TrimPrefix(r.URL.Path, "/icinga/cgi-bin/"); name + r.FormValue("type") {
	case "config.cgihosts":
		var hosts []map[string]any
		for _, h := range f.hosts {
			hosts = append(hosts, map[string]any{"host_name": h, "host_display_name": h, "address": "192.0.2.11", "address6": h})
		}
		page["config"] = map[string]any{"hosts": hosts}
	case "config.cgihostgroups":
		page["config"] = map[string]any{"hostgroups": []map[string]any{{"group_name": "web", "hostgroup_members": f.hosts[:1]}}}
	case "extinfo.cgi1":
		page["extinfo"] = map[string]any{"host_info": map[string]any{"status": "UP", "has_been_checked": true, "status_information": "fine"}}
	case "extinfo.cgi6":
		page["extinfo"] = f.downtimes()
	case "status.cgi":
		page["status"] = map[string]any{"service_status": f.services(r.FormValue("host"))}
	default:
		w.WriteHeader(http.StatusNotFound)
	}
	_ = json.NewEncoder(w).Encode(page)
}

var services = []string{"HTTP", "disk /", "backup"}

func (f *fake) services(host string) (rows []map[string]any) {
	for _, h := range f.hosts {
		for i, s := range services {
			if host == "all" || host == h {
				rows = append(rows, map[string]any{"host_name": h, "service_description": s, "status": []string{"OK", "WARNING", "PENDING"}[i], "has_been_acknowledged": i == 1})
			}
		}
	}
	return rows
}

func (f *fake) downtimes() map[string]any {
	now := time.Now()
	lists := map[string]any{}
	for kind, ofHost := range map[string]bool{"host_downtimes": true, "service_downtimes": false} {
		rows := []map[string]any{}
		for _, d := range f.list {
			if (d["service_description"] == nil) == ofHost {
				start, _ := time.ParseInLocation(layout, d["start_time"].(string), f.zone)
				d["is_in_effect"] = !start.After(now)
				rows = append(rows, d)
			}
		}
		lists[kind] = rows
	}
	return lists
}

func (f *fake) command(r *http.Request) string {
	if !strings.HasSuffix(r.Referer(), "/icinga/cgi-bin/cmd.cgi") {
		return "<td class='errorMessage'>Error: This appears to be a CSRF attack! The command wasn't issued via Classic-UI itself!</td>"
	}
	const done = "Your command requests were successfully submitted to Icinga for processing."
	switch typ := r.FormValue("cmd_typ"); typ {
	case "55", "86":
		if !slices.Contains(f.hosts, r.FormValue("host")) {
			return "<div class='commitFailed'>Not Authorized</div>"
		}
		f.insert(r.FormValue("host"), nil, r.FormValue("com_data"), r.FormValue("start_time"), r.FormValue("end_time"))
		for _, s := range services {
			if typ == "86" {
				f.insert(r.FormValue("host"), s, r.FormValue("com_data"), r.FormValue("start_time"), r.FormValue("end_time"))
			}
		}
	case "78", "79":
		id, _ := strconv.Atoi(r.FormValue("down_id"))
		f.list = slices.DeleteFunc(f.list, func(d map[string]any) bool {
			return d["downtime_id"] == id && (d["service_description"] == nil) == (typ == "78")
		})
	}
	return done
}

func (f *fake) insert(host string, service any, comment, start, end string) int {
	f.next++
	f.list = append(f.list, map[string]any{
		"downtime_id": f.next, "host_name": host, "service_description": service, "author": "nagiosadmin", "comment": comment, "start_time": start, "end_time": end,
	})
	return f.next
}

func TestContract(t *testing.T) {
	f, url := newFake(t)
	c := client(t, url)
	acttest.Downtimer(t, acttest.DowntimerFixture{
		Downtimer: c,
		Targets:   []act.Target{{Name: "web01.example.test"}, {Name: "we ird+host&x"}},
		Unknown:   act.Target{Name: "nope"},
		Foreign: func(_ *testing.T, target act.Target) func() bool {
			f.mu.Lock()
			defer f.mu.Unlock()
			now := time.Now().In(f.zone)
			id := f.insert(target.Name, nil, "rack move", now.Format(layout), now.Add(time.Hour).Format(layout))
			return func() bool {
				f.mu.Lock()
				defer f.mu.Unlock()
				return slices.ContainsFunc(f.list, func(d map[string]any) bool { return d["downtime_id"] == id })
			}
		},
	})
	acttest.HealthReader(t, acttest.HealthFixture{Reader: c, Target: act.Target{Name: "we ird+host&x"}, Unknown: act.Target{Name: "nope"}, Want: act.Health{
		Host:     act.CheckState{Status: act.CheckOK, Output: "fine"},
		Services: []act.CheckState{{Name: "HTTP", Status: act.CheckOK}, {Name: "backup", Status: act.CheckPending}, {Name: "disk /", Status: act.CheckWarning, Acknowledged: true}},
	}})
	f.age = 600
	_, err := c.Identify(t.Context())
	if katprep.KindOf(err) != katprep.Unreachable || !strings.Contains(fmt.Sprint(err), "10m0s old") {
		t.Errorf("a dead core: %v", err)
	}
}

// TestRecorded reads the pages of a real Icinga 1.14.2, where they are at
// hand.
func TestRecorded(t *testing.T) {
	dir := monlab.Recorded(t, "monitoring-samples/icinga1")
	pages := map[string]string{
		"config.cgi?hosts": "05-config-hosts", "config.cgi?hostgroups": "06-hostgroups", "extinfo.cgi?6": "20-downtimes",
		"extinfo.cgi?1": "03-extinfo-host", "status.cgi?": "01-status-host",
	}
	command := "11-sched"
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name := command
		if r.Method == http.MethodGet {
			name = pages[filepath.Base(r.URL.Path)+"?"+r.FormValue("type")]
		}
		_, _ = w.Write(body(t, filepath.Join(dir, name+".json")))
	}))
	defer srv.Close()
	c := client(t, srv.URL+"/icinga/cgi-bin/")
	es, err := c.Entries(t.Context(), nil)
	if err != nil || len(es) < 5 || es[0].Comment != "patching1" || es[0].Start.Format(time.RFC3339) != "2026-11-22T07:12:26Z" || !es[0].InEffect {
		t.Errorf("Entries = %+v, %v", es, err)
	}
	id, err := c.Identify(t.Context())
	if err != nil || id.Version != "1.14.2" || len(id.Missing) > 0 {
		t.Errorf("Identify = %+v, %v", id, err)
	}
	h, err := c.Health(t.Context(), act.Target{Name: "web01.example.test"})
	if err != nil || h.Host.Status != act.CheckOK || len(h.Services) != 3 || h.Services[2].Status != act.CheckWarning {
		t.Errorf("Health = %+v, %v", h, err)
	}
	acttest.Inventory(t, acttest.InventoryFixture{Inventory: c, Want: []act.Object{{Name: "web01.example.test", IPs: []string{"192.0.2.11"}, Groups: []string{"all", "web"}}}})
	for file, want := range map[string]string{"11-sched": "", "30-del-id": "", "10-csrf-error": "CSRF attack", "14-unknown": "Not Authorized", "18-readonly": "Not Authorized"} {
		command = file
		err := c.Remove(t.Context(), es[:1])[0]
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", file, err)
		}
	}
	pages["extinfo.cgi?1"] = "04-unknown"
	if _, err := c.Health(t.Context(), act.Target{Name: "web01.example.test"}); katprep.KindOf(err) != katprep.NotFound || err == nil {
		t.Errorf("Health of a host that is gone: %v", err)
	}
}

func body(t *testing.T, file string) []byte {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Error(err)
		return nil
	}
	var e struct {
		Response struct {
			Body json.RawMessage `json:"body"`
		} `json:"response"`
	}
	if err := json.Unmarshal(b, &e); err != nil {
		t.Error(err)
	}
	var s string
	if json.Unmarshal(e.Response.Body, &s) == nil {
		return []byte(s)
	}
	return e.Response.Body
}
