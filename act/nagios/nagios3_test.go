package nagios_test

import (
	"embed"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"text/template"
	"time"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/act"
	"github.com/stdevel/katprep/act/acttest"
	"github.com/stdevel/katprep/act/nagios"
	"github.com/stdevel/katprep/internal/creds"
)

//go:embed testdata/nagios3
var pages3 embed.FS

// A nagios3 is a fake Nagios 3, which cannot be installed any more: pages,
// messages and habits are those of its source.
type nagios3 struct {
	Version string // as the pages write it
	User    string
	Dead    bool

	layout string
	zone   *time.Location
	may    bool // send commands
	pages  *template.Template

	mu       sync.Mutex
	hosts    []host3
	down     []down3
	lastID   int
	commands int
}

type host3 struct {
	Name, Address, Class, Column, Background, State, Output string
	Acked, Down                                             bool
	Services                                                []service3
}

type service3 struct {
	Name, State, Background, Output string
	Acked, Down                     bool
}

type down3 struct {
	ID                             int
	Host, Service, Author, Comment string
	Start, End                     string
	start, end                     time.Time
}

func newNagios3(t *testing.T, version, layout string, zone *time.Location) (*nagios3, string) {
	t.Helper()
	pages, err := template.New("").Funcs(template.FuncMap{"query": url.QueryEscape}).ParseFS(pages3, "testdata/nagios3/*.tmpl")
	if err != nil {
		t.Fatal(err)
	}
	n := &nagios3{
		Version: version, User: "nagiosadmin", layout: layout, zone: zone, may: true, pages: pages,
		hosts: []host3{
			{Name: "web01", Address: "192.0.2.11", Class: "HOSTUP", Column: "Odd", Background: "Odd", State: "UP", Output: "PING OK - <1 ms", Services: []service3{
				{Name: "HTTP", State: "CRITICAL", Background: "BGCRITICALACK", Output: "Connection refused", Acked: true},
				{Name: `disk "/" & more`, State: "WARNING", Background: "BGWARNING", Output: "DISK WARNING - 15% free"},
				{Name: "backup", State: "PENDING", Background: "Even", Output: "Service check scheduled"},
			}},
			{Name: "db01", Address: "2001:db8::21", Class: "HOSTDOWN", Column: "HOSTDOWNACK", Background: "BGDOWNACK", State: "DOWN", Output: "no route", Acked: true, Services: []service3{
				{Name: "mysql", State: "UNKNOWN", Background: "BGUNKNOWN", Output: "(No output returned from plugin)"},
			}},
			{Name: "bare & new", Address: "bare.example.test", Class: "PENDING", Column: "Even", Background: "Even", State: "PENDING", Output: "Host check scheduled"},
		},
	}
	srv := httptest.NewServer(n)
	t.Cleanup(srv.Close)
	return n, srv.URL + "/nagios3"
}

func (n *nagios3) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.tick()
	page, cgi, _ := "", r.URL.Path[strings.LastIndexByte(r.URL.Path, '/')+1:], r.ParseForm()
	data := map[string]any{"Title": "Nagios", "Version": n.Version, "User": n.User, "Dead": n.Dead, "Hosts": n.hosts}
	switch {
	case cgi == "status.cgi" && r.Form.Get("style") == "hostdetail":
		page = "hosts"
	case cgi == "status.cgi":
		page = "services"
		if h := r.Form.Get("host"); h != "all" {
			data["Hosts"] = slices.DeleteFunc(slices.Clone(n.hosts), func(o host3) bool { return o.Name != h })
		}
	case cgi == "extinfo.cgi" && r.Form.Get("type") == "6":
		page = "downtimes"
		data["HostDowntimes"] = n.downtimes(true)
		data["ServiceDowntimes"] = n.downtimes(false)
	case cgi == "cmd.cgi" && r.Form.Get("cmd_mod") == "":
		page = "form"
		data["Host"] = r.Form.Get("host")
		data["Now"], data["Later"] = time.Now().In(n.zone).Format(n.layout), time.Now().Add(2*time.Hour).In(n.zone).Format(n.layout)
		if !n.may {
			page, data["Refusal"] = "answer", "Sorry, but you are not authorized to commit the specified command."
		}
	case cgi == "cmd.cgi":
		page, data["Refusal"] = "answer", n.command(r.Form)
	default: // there are no JSON CGIs
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", "text/html")
	if err := n.pages.ExecuteTemplate(w, page+".tmpl", data); err != nil {
		panic(err)
	}
}

func (n *nagios3) downtimes(ofHosts bool) []down3 {
	return slices.DeleteFunc(slices.Clone(n.down), func(d down3) bool { return (d.Service == "") != ofHosts })
}

// tick lets downtimes begin and end.
func (n *nagios3) tick() {
	now := time.Now()
	n.down = slices.DeleteFunc(n.down, func(d down3) bool { return !d.end.After(now) })
	in := func(host, service string) bool {
		return slices.ContainsFunc(n.down, func(d down3) bool { return d.Host == host && d.Service == service && !d.start.After(now) })
	}
	for i := range n.hosts {
		h := &n.hosts[i]
		h.Down = in(h.Name, "")
		for j := range h.Services {
			h.Services[j].Down = in(h.Name, h.Services[j].Name)
		}
	}
}

// command does what cmd.cgi and the core do, and returns the refusal.
func (n *nagios3) command(f url.Values) string {
	n.commands++
	typ := f.Get("cmd_typ")
	if typ == "78" || typ == "79" {
		n.down = slices.DeleteFunc(n.down, func(d down3) bool {
			return strconv.Itoa(d.ID) == f.Get("down_id") && (d.Service == "") == (typ == "78")
		})
		return ""
	}
	start, err1 := time.ParseInLocation(n.layout, f.Get("start_time"), n.zone)
	end, err2 := time.ParseInLocation(n.layout, f.Get("end_time"), n.zone)
	i := slices.IndexFunc(n.hosts, func(h host3) bool { return h.Name == f.Get("host") })
	switch {
	case !n.may || i < 0:
		return "Sorry, but you are not authorized to commit the specified command."
	case err1 != nil || err2 != nil || end.Before(start):
		return "Start or end time not valid"
	case f.Get("com_data") == "":
		return "Comment was not entered"
	case !end.After(time.Now()):
		return "" // the core drops it
	}
	comment := strings.NewReplacer(";", " ", "<", "", ">", "").Replace(f.Get("com_data"))
	add := func(service string) {
		n.lastID++
		n.down = append(n.down, down3{
			ID: n.lastID, Host: f.Get("host"), Service: service, Author: "Nagios Admin", Comment: comment, start: start, end: end,
			Start: start.In(n.zone).Format(n.layout), End: end.In(n.zone).Format(n.layout),
		})
	}
	if typ == "55" {
		add("")
		return ""
	}
	for _, s := range n.hosts[i].Services {
		add(s.Name)
	}
	return ""
}

func client3(t *testing.T, u string) *nagios.Client {
	t.Helper()
	c, err := nagios.New(nagios.Options{URL: u, Login: creds.Login{User: "nagiosadmin", Password: creds.NewSecret("x")}, Patience: 5 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestNagios3(t *testing.T) {
	t.Parallel()
	for format, layout := range map[string]string{
		"us": "01-02-2006 15:04:05", "euro": "02-01-2006 15:04:05", "iso8601": "2006-01-02 15:04:05", "strict-iso8601": "2006-01-02T15:04:05",
	} {
		t.Run(format, func(t *testing.T) {
			n, u := newNagios3(t, map[bool]string{true: "Nagios&reg; Core&trade; 3.5.1", false: "Nagios&reg; 3.0.6"}[format == "us"], layout, time.FixedZone("", 19800))
			c, err := nagios.New(nagios.Options{URL: u, Login: creds.Login{User: "nagiosadmin", Password: creds.NewSecret("x")}, Patience: 5 * time.Second, DateFormat: format})
			if err != nil {
				t.Fatal(err)
			}
			acttest.Downtimer(t, acttest.DowntimerFixture{
				Downtimer: c,
				Targets:   []act.Target{{Name: "web01"}, {Name: "bare & new"}},
				Unknown:   act.Target{Name: "nope"},
				Foreign: func(t *testing.T, target act.Target) func() bool {
					n.mu.Lock()
					defer n.mu.Unlock()
					n.lastID++
					id, now := n.lastID, time.Now()
					n.down = append(n.down, down3{
						ID: id, Host: target.Name, Author: "Nagios Admin", Comment: "rack move katprep-contract-1", start: now, end: now.Add(time.Hour),
						Start: now.In(n.zone).Format(layout), End: now.Add(time.Hour).In(n.zone).Format(layout),
					})
					return func() bool {
						n.mu.Lock()
						defer n.mu.Unlock()
						return slices.ContainsFunc(n.down, func(d down3) bool { return d.ID == id })
					}
				},
			})
		})
	}
}

func TestNagios3Reads(t *testing.T) {
	t.Parallel()
	n, u := newNagios3(t, "Nagios&reg; Core&trade; 3.5.1", "01-02-2006 15:04:05", time.UTC)
	c := client3(t, u)
	id, err := c.Identify(t.Context())
	if err != nil || id.Version != "3.5.1" || id.User != "nagiosadmin" || len(id.Missing) > 0 {
		t.Errorf("Identify = %+v, %v", id, err)
	}
	acttest.Inventory(t, acttest.InventoryFixture{Inventory: c, Want: []act.Object{
		{Name: "web01", IPs: []string{"192.0.2.11"}}, {Name: "db01", IPs: []string{"2001:db8::21"}}, {Name: "bare & new"},
	}})
	for host, want := range map[string]act.Health{
		"web01": {Host: act.CheckState{Status: act.CheckOK, Output: "PING OK - <1 ms"}, Services: []act.CheckState{
			{Name: "HTTP", Status: act.CheckCritical, Output: "Connection refused", Acknowledged: true},
			{Name: `disk "/" & more`, Status: act.CheckWarning, Output: "DISK WARNING - 15% free"}, {Name: "backup", Status: act.CheckPending},
		}},
		"db01":       {Host: act.CheckState{Status: act.CheckCritical, Acknowledged: true}, Services: []act.CheckState{{Name: "mysql", Status: act.CheckUnknown}}},
		"bare & new": {Host: act.CheckState{Status: act.CheckPending}},
	} {
		acttest.HealthReader(t, acttest.HealthFixture{Reader: c, Target: act.Target{Name: host}, Unknown: act.Target{Name: "nope"}, Want: want})
	}
	n.may = false
	_, err = c.Schedule(t.Context(), named("web01"), hours(1), "x")
	wantError(t, err, katprep.Denied, "may not send this command")
	if id, err := client3(t, u).Identify(t.Context()); err != nil || len(id.Missing) != 1 || !strings.Contains(id.Missing[0], "authorized_for_all_host_commands") {
		t.Errorf("without permission: %+v, %v", id, err)
	}
	n.may, n.Dead, n.commands = true, true, 0
	_, err = c.Schedule(t.Context(), named("web01"), hours(1), "x")
	wantError(t, err, katprep.Unreachable, "core does not run")
	if n.commands > 0 {
		t.Error("a command was sent that nobody reads")
	}
}
