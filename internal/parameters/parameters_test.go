package parameters_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/collect/foreman"
	"github.com/stdevel/katprep/internal/creds"
	"github.com/stdevel/katprep/internal/landscape"
	"github.com/stdevel/katprep/internal/parameters"
)

// memory is a Store in memory.
type memory struct {
	mu     sync.Mutex
	own    map[string][]parameters.Own
	fail   map[string]error // by host
	ignore bool             // accept writes and do nothing
	writes []string
	reads  int
}

func (m *memory) Own(_ context.Context, h katprep.Host) ([]parameters.Own, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.reads++
	return slices.Clone(m.own[h.Name]), m.fail[h.Name]
}

func (m *memory) write(h katprep.Host, what string, f func()) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.writes = append(m.writes, h.Name+" "+what); !m.ignore {
		f()
	}
	return nil
}

func (m *memory) Create(_ context.Context, h katprep.Host, name, value string) error {
	return m.write(h, "create "+name, func() {
		m.own[h.Name] = append(m.own[h.Name], parameters.Own{ID: int64(len(m.writes)), Name: name, Value: value})
	})
}

func (m *memory) Update(_ context.Context, h katprep.Host, p parameters.Own, value string) error {
	return m.write(h, "update "+p.Name, func() {
		for i := range m.own[h.Name] {
			if m.own[h.Name][i].Name == p.Name {
				m.own[h.Name][i].Value = value
			}
		}
	})
}

func (m *memory) Delete(_ context.Context, h katprep.Host, p parameters.Own) error {
	return m.write(h, "delete "+p.Name, func() {
		m.own[h.Name] = slices.DeleteFunc(m.own[h.Name], func(o parameters.Own) bool { return o.Name == p.Name })
	})
}

func host(name string, ps ...katprep.Parameter) katprep.State {
	return katprep.State{Host: katprep.Host{HostID: katprep.HostID{Source: "sat", ID: "1"}, Name: name}, Parameters: ps, Aspects: []katprep.Aspect{katprep.AspectParameters}}
}

func sequence(hosts ...katprep.State) iter.Seq2[katprep.State, error] {
	return func(yield func(katprep.State, error) bool) {
		for _, h := range hosts {
			if !yield(h, nil) {
				return
			}
		}
	}
}

func run(t *testing.T, s parameters.Store, dry bool, wishes parameters.Wishes, hosts ...katprep.State) []string {
	t.Helper()
	var lines []string
	for c, err := range parameters.Run(t.Context(), sequence(hosts...), wishes, s, parameters.Options{DryRun: dry}) {
		if err != nil {
			t.Fatal(err)
		}
		lines = append(lines, show(c))
	}
	return lines
}

func show(c parameters.Change) string {
	v := func(p *string) string {
		if p == nil {
			return "-"
		}
		return fmt.Sprintf("%q", *p)
	}
	line := fmt.Sprintf("%s %s %s %s→%s", c.Host.Name, c.Action, c.Name, v(c.Old), v(c.New))
	if c.Note != "" {
		line += " (" + c.Note + ")"
	}
	if c.Err != nil {
		line += " ERROR " + c.Err.Error()
	}
	return line
}

func TestWhatWishesMean(t *testing.T) {
	const name = "katprep_mon"
	own := func(v string) katprep.Parameter { return katprep.Parameter{Name: name, Value: v, Origin: "host"} }
	group := katprep.Parameter{Name: name, Value: "group", Origin: "hostgroup"}
	for _, x := range []struct {
		mode   parameters.Mode
		listed []katprep.Parameter
		own    string // in the store; "-" = none
		want   string
		reads  int
	}{
		{parameters.Set, nil, "-", `h create katprep_mon -→"new"`, 2},
		{parameters.Set, []katprep.Parameter{own("old")}, "old", `h update katprep_mon "old"→"new"`, 2},
		{parameters.Set, []katprep.Parameter{own("new")}, "new", `h unchanged katprep_mon "new"→"new"`, 0},
		{parameters.Set, []katprep.Parameter{group}, "-", `h create katprep_mon "group"→"new" (overrides the value from hostgroup)`, 2},
		{parameters.Set, []katprep.Parameter{{Name: name, Value: "new", Origin: "global"}}, "-", `h unchanged katprep_mon "new"→"new" (inherited from global)`, 0},
		// The list is old: somebody changed the parameter meanwhile.
		{parameters.Set, []katprep.Parameter{own("old")}, "new", `h unchanged katprep_mon "new"→"new"`, 1},
		{parameters.Set, []katprep.Parameter{own("old")}, "-", `h create katprep_mon -→"new"`, 2},
		{parameters.Set, nil, "other", `h update katprep_mon "other"→"new"`, 2},
		{parameters.Add, nil, "-", `h create katprep_mon -→"new"`, 2},
		{parameters.Add, []katprep.Parameter{own("old")}, "old", `h unchanged katprep_mon "old"→"old" (has a value already)`, 0},
		{parameters.Add, []katprep.Parameter{own("fixmepls")}, "fixmepls", `h update katprep_mon "fixmepls"→"new"`, 2},
		{parameters.Add, []katprep.Parameter{own("")}, "", `h update katprep_mon ""→"new"`, 2},
		{parameters.Add, []katprep.Parameter{group}, "-", `h unchanged katprep_mon "group"→"group" (inherits a value from hostgroup)`, 0},
		{parameters.Remove, []katprep.Parameter{own("old")}, "old", `h remove katprep_mon "old"→-`, 2},
		{parameters.Remove, nil, "-", `h unchanged katprep_mon -→- (not there)`, 0},
		{parameters.Remove, []katprep.Parameter{group}, "-", `h unchanged katprep_mon "group"→"group" (inherited from hostgroup: change it there)`, 0},
		{parameters.Remove, []katprep.Parameter{own("old")}, "-", `h unchanged katprep_mon -→- (not there)`, 1},
	} {
		wish := parameters.Everywhere([]parameters.Wish{{Name: name, Value: "new", Mode: x.mode}})
		make := func() *memory {
			m := &memory{own: map[string][]parameters.Own{"h": {{ID: 7, Name: "somebody_elses", Value: "stays"}}}}
			if x.own != "-" {
				m.own["h"] = append(m.own["h"], parameters.Own{ID: 8, Name: name, Value: x.own})
			}
			return m
		}
		m := make()
		got := run(t, m, false, wish, host("h", x.listed...))
		if len(got) != 1 || got[0] != x.want || m.reads != x.reads {
			t.Errorf("mode %d, listed %v, own %q:\n got %v with %d reads\nwant [%s] with %d", x.mode, x.listed, x.own, got, m.reads, x.want, x.reads)
		}
		if !slices.Contains(m.own["h"], parameters.Own{ID: 7, Name: "somebody_elses", Value: "stays"}) {
			t.Errorf("somebody else's parameter was touched: %v", m.own)
		}
		dry := make()
		if said := run(t, dry, true, wish, host("h", x.listed...)); !slices.Equal(said, got) || len(dry.writes) != 0 {
			t.Errorf("dry run says %v and writes %v; the real run said %v", said, dry.writes, got)
		}
		writes := len(m.writes)
		if run(t, m, false, wish, host("h", x.listed...)); len(m.writes) != writes {
			t.Errorf("not idempotent: %v", m.writes)
		}
	}
}

func TestOneHostFails(t *testing.T) {
	m := &memory{own: map[string][]parameters.Own{}, fail: map[string]error{"b": errors.New("500")}}
	got := run(t, m, false, parameters.Everywhere([]parameters.Wish{{Name: "katprep_mon", Value: "x", Mode: parameters.Set}}), host("a"), host("b"), host("c"))
	want := []string{`a create katprep_mon -→"x"`, `b unchanged katprep_mon -→- ERROR 500`, `c create katprep_mon -→"x"`}
	if !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
}

// A server that says yes and does nothing is found out.
func TestUnconfirmed(t *testing.T) {
	m := &memory{own: map[string][]parameters.Own{}, ignore: true}
	got := run(t, m, false, parameters.Everywhere([]parameters.Wish{{Name: "katprep_mon", Value: "x", Mode: parameters.Set}}), host("a"))
	if len(got) != 1 || !strings.Contains(got[0], "ERROR the server accepted it") {
		t.Errorf("%q", got)
	}
}

func TestListEndsEarly(t *testing.T) {
	broken := func(yield func(katprep.State, error) bool) {
		if yield(host("a"), nil) {
			yield(katprep.State{}, errors.New("connection lost"))
		}
	}
	m := &memory{own: map[string][]parameters.Own{}}
	n, failed := 0, false
	for _, err := range parameters.Run(t.Context(), broken, parameters.Everywhere([]parameters.Wish{{Name: "katprep_x", Value: "1", Mode: parameters.Set}}), m, parameters.Options{}) {
		if err != nil {
			failed = true
			continue
		}
		n++
	}
	if n != 1 || !failed || len(m.writes) != 1 {
		t.Errorf("%d changes, failed %v, writes %v", n, failed, m.writes)
	}
}

func TestValues(t *testing.T) {
	for value, want := range map[string]parameters.Answer{
		"1": parameters.Yes, "yes": parameters.Yes, " TRUE ": parameters.Yes, "on": parameters.Yes, "0": parameters.No, "No": parameters.No, "false": parameters.No,
		"": parameters.Unset, "fixmepls": parameters.Unset, "FIXMEPLS": parameters.Unset, " ": parameters.Unset, "maybe": parameters.Unclear, "2": parameters.Unclear,
	} {
		if got := parameters.Parse(value); got != want {
			t.Errorf("%q: %s, want %s", value, got, want)
		}
	}
	for _, x := range []struct {
		wish    parameters.Wish
		foreign bool
		ok      bool
	}{
		{parameters.Wish{Name: "katprep_virt_snapshot", Value: "1", Mode: parameters.Set}, false, true},
		{parameters.Wish{Name: "katprep_virt_snapshot", Value: "fixmepls", Mode: parameters.Set}, false, true},
		{parameters.Wish{Name: "katprep_virt_snapshot", Value: "maybe", Mode: parameters.Set}, false, false},
		{parameters.Wish{Name: "root_password", Value: "x", Mode: parameters.Set}, false, false},
		{parameters.Wish{Name: "root_password", Mode: parameters.Remove}, false, false},
		{parameters.Wish{Name: "other", Value: "x", Mode: parameters.Set}, true, true},
		{parameters.Wish{Name: "katprep_a b", Value: "x", Mode: parameters.Set}, false, false},
		{parameters.Wish{}, true, false},
	} {
		if err := parameters.Check(x.wish, x.foreign); (err == nil) != x.ok {
			t.Errorf("%+v, foreign %v: %v", x.wish, x.foreign, err)
		}
	}
	if parameters.Explain("katprep_virt_snapshot", "0") == "" || parameters.Explain("katprep_mon_type", "icinga") == "" || parameters.Explain("katprep_mon", "x") != "" {
		t.Error("explanations")
	}
}

// With a simulated Foreman: what the server shows afterwards is what was
// wished, nothing else changed, and a second run changes nothing.
func TestForeman(t *testing.T) {
	s := landscape.New(landscape.Options{Hosts: 80})
	s.SetGroupParameter("base", "katprep_mon", "icinga")
	names := s.Names()
	s.SetParameter(names[3], "katprep_mon", "icinga")
	s.SetParameter(names[4], "katprep_mon", "fixmepls")
	s.SetParameter(names[4], "somebody_elses", "stays")
	s.SetHostFault(names[5], landscape.HostFault{Unreadable: 500})
	srv := httptest.NewServer(s)
	t.Cleanup(srv.Close)
	c, err := foreman.New(foreman.Options{Name: "sat", URL: srv.URL, Login: creds.Login{User: "admin", Password: creds.NewSecret("changeme")}})
	if err != nil {
		t.Fatal(err)
	}
	server, err := c.Server(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	store := parameters.Foreman{Client: c.Client(), Server: server}
	wishes := parameters.Everywhere([]parameters.Wish{{Name: "katprep_mon", Value: "icinga", Mode: parameters.Set}, {Name: "katprep_owner", Value: "team \"ops\" ü", Mode: parameters.Set}})
	do := func(dry bool) (lines []string, changed, failed int) {
		for c, err := range parameters.Run(t.Context(), c.Hosts(t.Context(), katprep.Selection{}), wishes, store, parameters.Options{DryRun: dry}) {
			if err != nil {
				t.Fatal(err)
			}
			if c.Err != nil { // with the ID of the request
				failed++
				continue
			}
			lines = append(lines, show(c))
			changed += map[bool]int{true: 1}[c.Changes()]
		}
		return lines, changed, failed
	}
	said, _, _ := do(true)
	did, changed, failed := do(false)
	if !slices.Equal(said, did) {
		t.Errorf("the dry run said something else")
	}
	if changed != 80 || failed != 2 { // katprep_owner of 79 hosts, katprep_mon of one
		t.Errorf("%d changed, %d failed", changed, failed)
	}
	for _, name := range names {
		truth, _ := s.Truth(name)
		got := map[string]string{}
		for _, p := range truth.Parameters {
			got[p.Name] = p.Value
		}
		self := strings.HasPrefix(name, "foreman.")
		if want := map[bool]string{true: "", false: "team \"ops\" ü"}[self || name == names[5]]; got["katprep_owner"] != want {
			t.Errorf("%s: owner %q", name, got["katprep_owner"])
		}
		if v, own := got["katprep_mon"]; own && v != "icinga" || own != (name == names[3] || name == names[4]) {
			t.Errorf("%s: katprep_mon %q, own %v", name, v, own)
		}
	}
	if truth, _ := s.Truth(names[4]); !slices.ContainsFunc(truth.Parameters, func(p katprep.Parameter) bool { return p.Name == "somebody_elses" && p.Value == "stays" }) {
		t.Error("somebody else's parameter is gone")
	}
	if _, again, _ := do(false); again != 0 {
		t.Errorf("a second run changes %d", again)
	}
	if n := s.Stats().PasswordChecks; n != 1 {
		t.Errorf("%d password checks", n)
	}
}
