package populate_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/act"
	"github.com/stdevel/katprep/collect/foreman"
	"github.com/stdevel/katprep/internal/creds"
	"github.com/stdevel/katprep/internal/landscape"
	"github.com/stdevel/katprep/internal/parameters"
	"github.com/stdevel/katprep/internal/populate"
)

// memory is an inventory in memory.
type memory struct {
	objects []act.Object
	err     error
}

func (m memory) Objects(context.Context) ([]act.Object, error) { return m.objects, m.err }

func monitor(name string, objects ...act.Object) populate.System {
	return populate.System{Name: name, URL: "https://" + name + ".example.com:5665", Kind: populate.Monitoring, Inventory: memory{objects: objects}}
}

func hypervisor(name string, objects ...act.Object) populate.System {
	return populate.System{Name: name, Kind: populate.Hypervisor, Inventory: memory{objects: objects}}
}

func host(name string, f katprep.Facts, ps ...string) katprep.State {
	s := katprep.State{Host: katprep.Host{HostID: katprep.HostID{Source: "sat", ID: name}, Name: name}, Facts: f, Aspects: []katprep.Aspect{katprep.AspectParameters}}
	for i := 0; i < len(ps); i += 2 {
		s.Parameters = append(s.Parameters, katprep.Parameter{Name: ps[i], Value: ps[i+1], Origin: "host"})
	}
	return s
}

const id1, id1Swapped, id2 = "4c4c4544-0043-3510-8052-b4c04f4d4d32", "44454c4c-4300-1035-8052-b4c04f4d4d32", "564d5a1c-0000-4000-8000-000000000002"

func TestMatching(t *testing.T) {
	full := katprep.Facts{IP: "192.0.2.10", IP6: "2001:db8::10", MAC: "52:54:00:AA:BB:01", UUID: id1}
	for _, x := range []struct {
		name    string
		facts   katprep.Facts
		objects []act.Object
		want    string
	}{
		{"by FQDN", katprep.Facts{}, []act.Object{{Name: "web01.example.com"}}, "matched web01.example.com by name"},
		{"case and dot", katprep.Facts{}, []act.Object{{Name: "WEB01.example.com."}}, "matched WEB01.example.com. by name"},
		{"by display name", katprep.Facts{}, []act.Object{{Name: "vm-17", Display: "web01.example.com"}}, "matched vm-17 by name"},
		{"by IPv4", full, []act.Object{{Name: "x", IPs: []string{"127.0.0.1", "::ffff:192.0.2.10"}}, {Name: "y", IPs: []string{"192.0.2.11"}}}, "matched x by IPv4"},
		{"by IPv6", full, []act.Object{{Name: "x", IPs: []string{"2001:DB8:0:0::10/64"}}}, "matched x by IPv6"},
		{"by MAC", full, []act.Object{{Name: "x", MACs: []string{"5254.00aa.bb01"}}}, "matched x by MAC"},
		{"by UUID", full, []act.Object{{Name: "x", UUID: strings.ToUpper(id1)}}, "matched x by UUID"},
		{"by UUID in the other byte order", full, []act.Object{{Name: "x", UUID: id1Swapped}}, "matched x by UUID"},
		{"by short name, if nothing else fits", full, []act.Object{{Name: "web01"}}, "matched web01 by short name"},
		{"everything agrees", full, []act.Object{{Name: "web01.example.com", UUID: id1, IPs: []string{"192.0.2.10"}, MACs: []string{full.MAC}}}, "matched web01.example.com by UUID, MAC, name, IPv4"},
		{"a shared address does not hide the name", full, []act.Object{{Name: "web01.example.com", IPs: []string{"192.0.2.10"}}, {Name: "vip", IPs: []string{"192.0.2.10"}}}, "matched web01.example.com by name, IPv4"},
		{"two with the address", full, []act.Object{{Name: "a", IPs: []string{"192.0.2.10"}}, {Name: "b", IPs: []string{"192.0.2.10"}}}, "ambiguous: several objects have its IPv4: a in sys, b in sys"},
		{"two with the short name", full, []act.Object{{Name: "web01"}, {Name: "web01.other.example.com"}}, "ambiguous: several objects have its short name: web01 in sys, web01.other.example.com in sys"},
		{"name says one, address another", full, []act.Object{{Name: "web01.example.com", IPs: []string{"192.0.2.99"}}, {Name: "b", IPs: []string{"192.0.2.10"}}}, "ambiguous: its name, IPv4 lead to different objects: web01.example.com in sys, b in sys"},
		{"nothing", full, []act.Object{{Name: "db01.example.com", IPs: []string{"192.0.2.20"}, UUID: id2}}, "unmatched"},
		{"what many machines have", katprep.Facts{IP: "127.0.0.1", MAC: "00:00:00:00:00:00", UUID: "00000000-0000-0000-0000-000000000000"},
			[]act.Object{{Name: "x", IPs: []string{"127.0.0.1"}, MACs: []string{"00:00:00:00:00:00"}, UUID: "00000000-0000-0000-0000-000000000000"}}, "unmatched"},
		{"empty texts match nothing", katprep.Facts{}, []act.Object{{Name: "x", IPs: []string{""}, MACs: []string{""}}}, "unmatched"},
	} {
		for _, s := range []populate.System{monitor("sys", x.objects...), hypervisor("sys", x.objects...)} {
			inv := populate.Load(t.Context(), []populate.System{s})
			got, _ := inv.Find([]katprep.State{host("web01.example.com", x.facts)})
			if len(got) != 1 || !strings.HasPrefix(tell(got[0]), x.want) {
				t.Errorf("%s, %s: %s", x.name, s.Kind, tell(got[0]))
			}
		}
	}
}

func tell(m populate.Match) string {
	if m.Status != populate.Matched {
		return string(m.Status) + ": " + m.Why
	}
	var by []string
	for _, k := range m.By {
		by = append(by, string(k))
	}
	return fmt.Sprintf("%s %s by %s", m.Status, m.Objects[0].Name, strings.Join(by, ", "))
}

func TestSeveralSystemsAndHosts(t *testing.T) {
	a, b := host("a.example.com", katprep.Facts{}), host("b.example.com", katprep.Facts{IP: "192.0.2.1"})
	metal := host("metal.example.com", katprep.Facts{Hardware: katprep.Physical})
	inv := populate.Load(t.Context(), []populate.System{
		monitor("one", act.Object{Name: "a.example.com"}, act.Object{Name: "forgotten"}),
		monitor("two", act.Object{Name: "a.example.com"}, act.Object{Name: "b.example.com"}),
		hypervisor("kvm", act.Object{Name: "a.example.com", IPs: []string{"192.0.2.1"}}, act.Object{Name: "metal.example.com"}),
	})
	matches, unclaimed := inv.Find([]katprep.State{a, b, metal})
	var got []string
	for _, m := range matches {
		got = append(got, m.Host.Name+" "+m.Kind.String()+" "+tell(m))
	}
	want := []string{
		"a.example.com monitoring ambiguous: several objects have its name: a.example.com in one, a.example.com in two",
		"a.example.com hypervisor ambiguous: a.example.com fits several hosts: a.example.com, b.example.com",
		"b.example.com monitoring matched b.example.com by name",
		"b.example.com hypervisor ambiguous: a.example.com fits several hosts: a.example.com, b.example.com",
		"metal.example.com monitoring unmatched: no object has its name, addresses or UUID",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s", strings.Join(got, "\n"))
	}
	if len(unclaimed) != 2 || unclaimed[0].Name != "forgotten" || unclaimed[1].Name != "metal.example.com" {
		t.Errorf("unclaimed: %+v", unclaimed)
	}
}

// A system that does not answer could know any host: nothing is concluded.
func TestSilentSystem(t *testing.T) {
	inv := populate.Load(t.Context(), []populate.System{
		monitor("one", act.Object{Name: "a"}),
		{Name: "two", Kind: populate.Monitoring, Inventory: memory{err: errors.New("connection refused")}},
		hypervisor("kvm", act.Object{Name: "a"}),
	})
	matches, _ := inv.Find([]katprep.State{host("a", katprep.Facts{})})
	if len(matches) != 2 || matches[0].Status != populate.Unknown || !strings.Contains(matches[0].Why, "two") || matches[1].Status != populate.Matched {
		t.Errorf("%+v", matches)
	}
	if w := inv.Wishes(matches, true)(*matches[0].Host); len(w) != 1 || w[0].Name != "katprep_virt" {
		t.Errorf("wishes: %+v", w)
	}
}

func TestWishes(t *testing.T) {
	inv := populate.Load(t.Context(), []populate.System{monitor("icinga", act.Object{Name: "web-1", IPs: []string{"192.0.2.1"}}, act.Object{Name: "b.example.com"})})
	for _, x := range []struct {
		name   string
		host   katprep.State
		update bool
		want   string
	}{
		{"new", host("a.example.com", katprep.Facts{IP: "192.0.2.1"}), false, "katprep_mon=icinga katprep_mon_name=web-1"},
		{"no name needed", host("b.example.com", katprep.Facts{}), false, "katprep_mon=icinga"},
		{"placeholders", host("a.example.com", katprep.Facts{IP: "192.0.2.1"}, "katprep_mon", "fixmepls", "katprep_mon_name", "fixmepls"), false, "katprep_mon=icinga katprep_mon_name=web-1"},
		{"all right", host("a.example.com", katprep.Facts{IP: "192.0.2.1"}, "katprep_mon", "icinga", "katprep_mon_name", "web-1"), true, ""},
		{"the predecessor's URL", host("a.example.com", katprep.Facts{IP: "192.0.2.1"}, "katprep_mon", "https://ICINGA.example.com:5665/"), false, "katprep_mon_name=web-1"},
		{"another system, left alone", host("a.example.com", katprep.Facts{IP: "192.0.2.1"}, "katprep_mon", "nagios"), false, ""},
		{"another system, updated", host("a.example.com", katprep.Facts{IP: "192.0.2.1"}, "katprep_mon", "nagios", "katprep_mon_name", "old"), true, "katprep_mon=icinga katprep_mon_name=web-1"},
		{"another name, updated to the host's", host("b.example.com", katprep.Facts{}, "katprep_mon", "icinga", "katprep_mon_name", "old"), true, "katprep_mon_name=b.example.com"},
		{"unmatched", host("c.example.com", katprep.Facts{}), true, ""},
	} {
		matches, _ := inv.Find([]katprep.State{x.host})
		var got []string
		for _, w := range inv.Wishes(matches, x.update)(x.host) {
			if (w.Mode == parameters.Set) != x.update {
				t.Errorf("%s: mode %d", x.name, w.Mode)
			}
			got = append(got, w.Name+"="+w.Value)
		}
		if strings.Join(got, " ") != x.want {
			t.Errorf("%s: %v, want %s", x.name, got, x.want)
		}
	}
	other := host("a.example.com", katprep.Facts{IP: "192.0.2.1"}, "katprep_mon", "nagios")
	if matches, _ := inv.Find([]katprep.State{other}); inv.Disagrees(matches[0]) != "katprep_mon says nagios" {
		t.Errorf("disagreement: %q", inv.Disagrees(matches[0]))
	}
}

// A simulated Foreman, with the same hosts in a monitoring system by address
// and on a hypervisor by UUID: all are found, and a second run changes nothing.
func TestForeman(t *testing.T) {
	land := landscape.New(landscape.Options{Hosts: 60, NoSelf: true})
	srv := httptest.NewServer(land)
	t.Cleanup(srv.Close)
	var watched, vms []act.Object
	virtual := 0
	for i, name := range land.Names() {
		truth, _ := land.Truth(name)
		watched = append(watched, act.Object{Name: fmt.Sprintf("host-%03d", i), IPs: []string{truth.IP}})
		if truth.Virtual {
			virtual++
			vms = append(vms, act.Object{Name: fmt.Sprintf("vm-%03d", i), UUID: truth.UUID, MACs: []string{truth.MAC}})
		}
	}
	c, err := foreman.New(foreman.Options{Name: "sat", URL: srv.URL, Login: creds.Login{User: "admin", Password: creds.NewSecret("changeme")}})
	if err != nil {
		t.Fatal(err)
	}
	server, err := c.Server(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	store := parameters.Foreman{Client: c.Client(), Server: server}
	run := func() (changed int) {
		inv := populate.Load(t.Context(), []populate.System{monitor("icinga", watched...), hypervisor("kvm", vms...)})
		hosts := collect(t, c.Hosts(t.Context(), katprep.Selection{}))
		matches, unclaimed := inv.Find(hosts)
		if len(unclaimed) != 0 {
			t.Errorf("unclaimed: %+v", unclaimed)
		}
		for _, m := range matches {
			if m.Status != populate.Matched {
				t.Errorf("%s: %s", m.Host.Name, tell(m))
			}
		}
		for ch, err := range parameters.Run(t.Context(), c.Hosts(t.Context(), katprep.Selection{}), inv.Wishes(matches, true), store, parameters.Options{}) {
			if err = errors.Join(err, ch.Err); err != nil {
				t.Fatal(err)
			}
			changed += map[bool]int{true: 1}[ch.Changes()]
		}
		return changed
	}
	if n := run(); n < 2*60+2*virtual-1 {
		t.Errorf("%d changes for %d hosts and %d VMs", n, 60, virtual)
	}
	if n := run(); n != 0 {
		t.Errorf("a second run changes %d", n)
	}
	truth, _ := land.Truth(land.Names()[7])
	if !slices.ContainsFunc(truth.Parameters, func(p katprep.Parameter) bool { return p.Name == "katprep_mon_name" && p.Value == "host-007" }) {
		t.Errorf("parameters: %+v", truth.Parameters)
	}
}

func collect(t *testing.T, seq iter.Seq2[katprep.State, error]) (list []katprep.State) {
	t.Helper()
	for h, err := range seq {
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, h)
	}
	return list
}

func BenchmarkFind(b *testing.B) {
	var hosts []katprep.State
	var watched, vms []act.Object
	for i := range 10_000 {
		ip, mac, id := fmt.Sprintf("10.%d.%d.%d", i>>14, i>>7&127, i&127+1), fmt.Sprintf("52:54:00:%02x:%02x:01", i>>8, i&255), fmt.Sprintf("00000000-0000-4000-8000-%012x", i)
		hosts = append(hosts, host(fmt.Sprintf("web%05d.example.com", i), katprep.Facts{IP: ip, MAC: mac, UUID: id}))
		watched = append(watched, act.Object{Name: fmt.Sprintf("web%05d", i), IPs: []string{ip}})
		vms = append(vms, act.Object{Name: fmt.Sprintf("vm-%d", i), MACs: []string{mac}, UUID: id})
	}
	inv := populate.Load(b.Context(), []populate.System{monitor("icinga", watched...), hypervisor("kvm", vms...)})
	for b.Loop() {
		if matches, _ := inv.Find(hosts); len(matches) != 20_000 || matches[0].Status != populate.Matched {
			b.Fatalf("%d matches, first %s", len(matches), tell(matches[0]))
		}
	}
}

// TestNamedByParameter: what somebody decided counts where nothing else fits,
// and never beyond the system that is named.
func TestNamedByParameter(t *testing.T) {
	vm := act.Object{Name: "vm-3-ldap"}
	for what, x := range map[string]struct {
		parameters []string
		want       string
		unclaimed  int
	}{
		"named":             {[]string{"katprep_virt_name", "vm-3-ldap"}, "matched vm-3-ldap by parameter", 0},
		"with its system":   {[]string{"katprep_virt_name", "vm-3-ldap", "katprep_virt", "sys"}, "matched vm-3-ldap by parameter", 0},
		"in another system": {[]string{"katprep_virt_name", "vm-3-ldap", "katprep_virt", "other"}, "unmatched", 1},
		"of another kind":   {[]string{"katprep_mon_name", "vm-3-ldap"}, "unmatched", 1},
		"one that is not":   {[]string{"katprep_virt_name", "vm-4"}, "unmatched", 1},
	} {
		inv := populate.Load(t.Context(), []populate.System{hypervisor("sys", vm)})
		got, unclaimed := inv.Find([]katprep.State{host("ldap01.example.com", katprep.Facts{}, x.parameters...)})
		if len(got) != 1 || !strings.HasPrefix(tell(got[0]), x.want) || len(unclaimed) != x.unclaimed {
			t.Errorf("%s: %s, %d unclaimed", what, tell(got[0]), len(unclaimed))
		}
	}
}
