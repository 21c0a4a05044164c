package act_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/act"
	"github.com/stdevel/katprep/act/acttest"
)

// state returns one host with the parameters.
func state(parameters ...string) katprep.State {
	s := hosts(1)[0]
	s.Aspects = append(s.Aspects, katprep.AspectParameters)
	for _, p := range parameters {
		name, value, _ := strings.Cut(p, "=")
		s.Parameters = append(s.Parameters, katprep.Parameter{Name: name, Value: value})
	}
	return s
}

func step(p katprep.Plan, id string) *katprep.PlannedStep {
	for i := range p.Hosts[0].Steps {
		if p.Hosts[0].Steps[i].ID == id {
			return &p.Hosts[0].Steps[i]
		}
	}
	return nil
}

var twoMonitors = []act.PlanSystem{{Name: "icinga", URL: "https://mon.example.com:5665"}, {Name: "nagios", URL: "https://mon.example.com/nagios"}}
var twoHypervisors = []act.PlanSystem{{Name: "vcenter", URL: "https://vcenter.example.com"}, {Name: "kvm", URL: "qemu+ssh://root@kvm1.example.com/system"}}

func TestParametersDecide(t *testing.T) {
	for _, test := range []struct {
		name       string
		parameters []string
		hardware   katprep.Hardware
		monitor    string // system of the downtime; empty: none
		hypervisor string
		target     string // of both, if named
		wrong      string // in the error
	}{
		{"nothing said, several systems", nil, "", "", "", "", ""},
		{"monitor by name", []string{"katprep_mon=nagios", "katprep_mon_name=web-alias"}, "", "nagios", "", "web-alias", ""},
		{"monitor by URL", []string{"katprep_mon=https://mon.example.com:5665"}, "", "icinga", "", "", ""},
		{"monitor by URL of the predecessor", []string{"katprep_mon=https://MON.example.com:5665/v1"}, "", "icinga", "", "", ""},
		{"other monitor on the same host", []string{"katprep_mon=https://mon.example.com/nagios"}, "", "nagios", "", "", ""},
		{"no monitoring", []string{"katprep_mon=none"}, "", "", "", "", ""},
		{"placeholder is unset", []string{"katprep_mon=fixmepls", "katprep_virt_snapshot=fixmepls"}, "", "", "", "", ""},
		{"unknown monitor", []string{"katprep_mon=https://old.example.com"}, "", "", "", "", "no such system is configured"},
		{"VM snapshot", []string{"katprep_virt_snapshot=1", "katprep_virt=vcenter", "katprep_virt_name=vm-web"}, "", "", "vcenter", "vm-web", ""},
		{"VM snapshot by URI", []string{"katprep_virt_snapshot=true", "katprep_virt=qemu+ssh://root@kvm1.example.com/system"}, "", "", "kvm", "", ""},
		{"0 is no", []string{"katprep_virt_snapshot=0", "katprep_virt=vcenter"}, "", "", "", "", ""},
		{"false is no", []string{"katprep_virt_snapshot=false", "katprep_virt=vcenter"}, "", "", "", "", ""},
		{"wanted, nobody knows where", []string{"katprep_virt_snapshot=1"}, "", "", "", "", "not known on which hypervisor"},
		{"physical", []string{"katprep_virt_snapshot=1", "katprep_virt=vcenter"}, katprep.Physical, "", "", "", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			set := settings()
			set.VMSnapshot, set.Hooks = act.SnapshotByParameter, nil
			set.Monitors, set.Hypervisors = twoMonitors, twoHypervisors
			s := state(test.parameters...)
			if test.hardware != "" {
				s.Facts.Hardware = test.hardware
			}
			p, err := act.NewPlan(request([]katprep.State{s}, set))
			if test.wrong != "" {
				if katprep.KindOf(err) != katprep.Invalid && !strings.Contains(errText(err), test.wrong) || err == nil {
					t.Errorf("error %v, want %q", err, test.wrong)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			for id, want := range map[string]string{"downtime": test.monitor, "vm-snapshot": test.hypervisor} {
				st := step(p, id)
				switch {
				case want == "" && st != nil:
					t.Errorf("planned %+v", st)
				case want == "":
					if !slices.ContainsFunc(p.Hosts[0].Notes, func(n string) bool {
						return strings.HasPrefix(n, map[string]string{"downtime": "no downtime", "vm-snapshot": "no VM snapshot"}[id])
					}) {
						t.Errorf("no word on the missing %s in %q", id, p.Hosts[0].Notes)
					}
				case st == nil || st.System != want || st.Target != test.target:
					t.Errorf("%s: %+v, want system %q, target %q", id, st, want, test.target)
				}
			}
		})
	}
}

func errText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func TestContentOfThePlan(t *testing.T) {
	base := state()
	base.Errata = []katprep.HostErratum{{ID: "RHBA-2026:2", Installable: true}, {ID: "RHSA-2026:1", Installable: true}, {ID: "RHSA-2026:3"}}
	base.Updates = []katprep.Update{
		{Name: "bash", To: "5-2", Errata: []string{"RHSA-2026:1"}},
		{Name: "kernel", To: "6-2", Security: true},
		{Name: "zsh", To: "5-2"},
	}
	base.Aspects = []katprep.Aspect{katprep.AspectErrata, katprep.AspectUpdates}
	deb := base
	deb.Errata, deb.Aspects = nil, []katprep.Aspect{katprep.AspectUpdates}
	for _, test := range []struct {
		name     string
		state    katprep.State
		change   func(*act.Settings)
		errata   []string
		packages []string
	}{
		{"installable errata", base, func(*act.Settings) {}, []string{"RHBA-2026:2", "RHSA-2026:1"}, nil},
		{"security", base, func(s *act.Settings) { s.Security = true }, []string{"RHSA-2026:1"}, nil},
		{"only one", base, func(s *act.Settings) { s.Only = []string{"RHSA-2026:1"} }, []string{"RHSA-2026:1"}, nil},
		{"all but one", base, func(s *act.Settings) { s.Except = []string{"RHSA-2026:1"} }, []string{"RHBA-2026:2"}, nil},
		{"updates too", base, func(s *act.Settings) { s.Updates = true }, []string{"RHBA-2026:2", "RHSA-2026:1"}, []string{"kernel", "zsh"}},
		{"updates, some excluded", base, func(s *act.Settings) { s.Updates, s.Exclude = true, []string{"kern*"} }, []string{"RHBA-2026:2", "RHSA-2026:1"}, []string{"zsh"}},
		{"no errata known: security updates", deb, func(*act.Settings) {}, nil, []string{"kernel"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			set := settings()
			test.change(&set)
			r := request([]katprep.State{test.state}, set)
			r.Erratum = func(id string) (katprep.Erratum, bool) {
				return katprep.Erratum{ID: id, Type: map[bool]katprep.ErratumType{true: katprep.Security, false: katprep.Bugfix}[strings.HasPrefix(id, "RHSA")]}, true
			}
			p, err := act.NewPlan(r)
			if err != nil {
				t.Fatal(err)
			}
			if got := p.Hosts[0].Errata; !slices.Equal(got, test.errata) {
				t.Errorf("errata %q, want %q", got, test.errata)
			}
			if got := strings.Fields(step(p, "patch").Args["packages"]); !slices.Equal(got, test.packages) {
				t.Errorf("packages %q, want %q", got, test.packages)
			}
		})
	}
}

func TestHostsWithoutSteps(t *testing.T) {
	failed := state()
	failed.Status = katprep.Failed
	foreign := state()
	foreign.Source = "import"
	current := state()
	current.Errata = nil
	for name, s := range map[string]katprep.State{"not collected": failed, "cannot patch": foreign, "nothing to install": current} {
		p, err := act.NewPlan(request([]katprep.State{s}, settings()))
		if err != nil || len(p.Hosts) != 1 || len(p.Hosts[0].Steps) != 0 || !strings.Contains(strings.Join(p.Hosts[0].Notes, " "), name) {
			t.Errorf("%s: %+v, %v; want the host without steps and the reason", name, p.Hosts, err)
		}
	}
}

// TestIdleHosts: a host without steps is not called fine for what nobody
// knows of it.
func TestIdleHosts(t *testing.T) {
	errata, updates := katprep.AspectErrata, katprep.AspectUpdates
	two := []katprep.Update{{Name: "bash", To: "5-2"}, {Name: "zsh", To: "5-2"}}
	for _, test := range []struct {
		name    string
		aspects []katprep.Aspect
		updates []katprep.Update
		need    katprep.Need
		policy  act.RebootPolicy
		want    string
	}{
		{"all known", []katprep.Aspect{errata, updates}, nil, katprep.NotNeeded, act.RebootIfNeeded, "nothing to install, no reboot is due"},
		{"reboot unknown", []katprep.Aspect{errata, updates}, nil, "", act.RebootIfNeeded, "nothing to install, whether a reboot is due is not known"},
		{"updates not asked for", []katprep.Aspect{errata, updates}, two, katprep.NotNeeded, act.RebootIfNeeded, "nothing to install, 2 package updates pending, not asked for, no reboot is due"},
		{"errata unknown", []katprep.Aspect{updates}, two, "", act.RebootIfNeeded, "errata are not known, 2 package updates pending, not asked for, whether a reboot is due is not known"},
		{"errata unknown, up to date", []katprep.Aspect{updates}, nil, katprep.NotNeeded, act.RebootIfNeeded, "errata are not known, no package update is pending, no reboot is due"},
		{"nothing known", nil, nil, "", act.RebootIfNeeded, "errata are not known, package updates are not known, whether a reboot is due is not known"},
		{"reboot due, never", []katprep.Aspect{errata}, nil, katprep.Needed, act.RebootNever, "nothing to install, a reboot is due, and the plan says never"},
	} {
		s := state()
		s.Errata, s.Aspects, s.Updates, s.Reboot.Need = nil, test.aspects, test.updates, test.need
		set := settings()
		set.Reboot = test.policy
		p := plan(t, []katprep.State{s}, set)
		if h := p.Hosts[0]; len(h.Steps) != 0 || len(h.Notes) != 1 || h.Notes[0] != test.want {
			t.Errorf("%s: %d steps, notes %q; want %q", test.name, len(h.Steps), h.Notes, test.want)
		}
	}
}

// TestDebianHost: without errata, updates that were asked for are installed
// by package, and the steps around them are those of any host.
func TestDebianHost(t *testing.T) {
	s := state()
	s.Errata, s.Aspects, s.Format = nil, []katprep.Aspect{katprep.AspectUpdates}, katprep.Deb
	s.Updates = []katprep.Update{{Name: "bash", To: "5.2-2"}, {Name: "openssl", To: "3.0-2"}}
	set := settings()
	set.Updates = true
	p := plan(t, []katprep.State{s}, set)
	for _, id := range []string{"downtime", "vm-snapshot", "patch", "reboot", "check.patch", "remove-vm-snapshot", "end-downtime"} {
		if step(p, id) == nil {
			t.Errorf("no step %s", id)
		}
	}
	if st := step(p, "patch"); st != nil && (st.Args["packages"] != "bash openssl" || !strings.Contains(st.Say, "2 package updates")) {
		t.Errorf("%+v", st)
	}
}

func TestReboots(t *testing.T) {
	due := state()
	due.Reboot.Need = katprep.Needed
	due.Errata = nil
	for _, test := range []struct {
		policy act.RebootPolicy
		state  katprep.State
		step   bool
		why    string
	}{
		{act.RebootNever, state(), false, ""},
		{act.RebootAlways, state(), true, ""},
		{act.RebootIfNeeded, state(), true, ""},
		{act.RebootIfNeeded, due, true, "a reboot that was due before"},
		{act.RebootNever, due, false, ""},
	} {
		set := settings()
		set.Reboot = test.policy
		p := plan(t, []katprep.State{test.state}, set)
		st := step(p, "reboot")
		if (st != nil) != test.step || st != nil && st.Args["reasons"] != test.why {
			t.Errorf("%s: %+v", test.policy, st)
		}
	}
}

func TestRebootIsDecidedAfterPatching(t *testing.T) {
	p := plan(t, hosts(1), settings()) // nothing suggests a reboot
	for _, need := range []katprep.Need{katprep.Needed, katprep.NotNeeded, katprep.NeedUnknown} {
		w, j := world(p), &acttest.Journal{}
		e := engine(p, w, j)
		e.Systems = acttest.Systems{
			"monitor": acttest.Monitor{World: w}, "hypervisor": acttest.Hypervisor{World: w}, "controller": acttest.Fleet{World: w},
			"source": needer{acttest.Fleet{World: w}, need},
		}
		if s := run(t, e, allStages...); s.Failures() != 0 {
			t.Errorf("%+v", s)
		}
		if got := did(w, "reboot", web0) == 1; got != (need == katprep.Needed) {
			t.Errorf("the host says %q, rebooted: %v", need, got)
		}
	}
}

func TestWaves(t *testing.T) {
	set := settings()
	set.Waves = []act.WaveRule{
		{Wave: katprep.Wave{Name: "named"}, Hosts: []string{"web0003.*", "WEB0004.*"}},
		{Wave: katprep.Wave{Name: "group"}, HostGroups: []string{"group1"}},
		{Wave: katprep.Wave{Name: "nobody"}, Parameters: []string{"tier=gold"}},
		{Wave: katprep.Wave{Name: "tenth"}, Percent: 10},
	}
	p := plan(t, hosts(100), set)
	members := map[string][]string{}
	for i, h := range p.Hosts {
		members[p.Waves[h.Wave].Name] = append(members[p.Waves[h.Wave].Name], h.Name)
		if i > 0 && p.Hosts[i-1].Wave > h.Wave {
			t.Error("hosts are not in the order of the waves")
		}
	}
	sizes := map[string]int{}
	for w, hs := range members {
		sizes[w] = len(hs)
	}
	want := map[string]int{"named": 2, "group": 32, "tenth": 10, "rest": 56}
	for w, n := range want {
		if sizes[w] != n {
			t.Errorf("waves %v, want %v", sizes, want)
			break
		}
	}
	if len(p.Waves) != 4 {
		t.Errorf("%+v: a wave without hosts is no wave", p.Waves)
	}
	again := plan(t, hosts(100), set)
	a, _ := json.Marshal(p)
	b, _ := json.Marshal(again)
	if string(a) != string(b) {
		t.Error("the same request gave two plans")
	}
}

func TestBadSettings(t *testing.T) {
	for name, change := range map[string]func(*act.PlanRequest){
		"run":          func(r *act.PlanRequest) { r.Run = "../x" },
		"no hosts":     func(r *act.PlanRequest) { r.States = nil },
		"concurrency":  func(r *act.PlanRequest) { r.Settings.Concurrency = 0 },
		"reboot":       func(r *act.PlanRequest) { r.Settings.Reboot = "sometimes" },
		"on_failure":   func(r *act.PlanRequest) { r.Settings.OnFailure = "pray" },
		"vm_snapshot":  func(r *act.PlanRequest) { r.Settings.VMSnapshot = "maybe" },
		"window":       func(r *act.PlanRequest) { n := time.Now(); r.Settings.Window = katprep.Window{Start: n, End: n} },
		"downtime":     func(r *act.PlanRequest) { r.Settings.Downtime = time.Second },
		"wave":         func(r *act.PlanRequest) { r.Settings.Waves = []act.WaveRule{{Percent: 101}} },
		"hook stage":   func(r *act.PlanRequest) { r.Settings.Hooks[0].Stage = "patch" },
		"hook script":  func(r *act.PlanRequest) { r.Settings.Hooks[0].Text = "" },
		"hook secrets": func(r *act.PlanRequest) { r.Settings.Hooks[0].Env = map[string]string{"DB_PASSWORD": "x"} },
	} {
		r := request(hosts(1), settings())
		change(&r)
		if _, err := act.NewPlan(r); err == nil || katprep.KindOf(err) != katprep.Invalid && katprep.KindOf(err) != katprep.NotFound {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

func TestPreviewShowsTheStepsOfTheRun(t *testing.T) {
	p := plan(t, hosts(3), settings())
	w, j := world(p), &acttest.Journal{}
	for _, stage := range allStages {
		previews, err := engine(p, w, j).Preview(t.Context(), stage)
		if err != nil {
			t.Fatal(err)
		}
		began := len(j.All())
		if w2 := len(w.Effects()); stage == katprep.StagePrepare && (w2 != 0 || began != 0) {
			t.Fatal("the preview did something")
		}
		run(t, engine(p, w, j), stage)
		for _, pv := range previews {
			var want, got []string
			for _, s := range pv.Steps {
				want = append(want, s.ID)
			}
			for _, e := range j.All()[began:] {
				if e.HostID == pv.Host.HostID && (e.Event == katprep.EventDone || e.Event == katprep.EventSkipped) {
					got = append(got, e.Step)
				}
			}
			if !slices.Equal(got, want) || len(want) == 0 {
				t.Errorf("%s of %s:\npreview %q\nrun     %q", stage, pv.Host.Name, want, got)
			}
		}
	}
}

func TestDrift(t *testing.T) {
	p := plan(t, hosts(4), settings())
	w, j := world(p), &acttest.Journal{}
	byID := func(states []katprep.State) map[katprep.HostID]katprep.State {
		m := map[katprep.HostID]katprep.State{}
		for _, s := range states {
			m[s.HostID] = s
		}
		return m
	}
	before, now := byID(hosts(4)), hosts(4)
	now[1].Errata = append(now[1].Errata, katprep.HostErratum{ID: "RHSA-2026:9999", Installable: true})
	now[3].Aspects = nil // not known this time: no news
	now[3].Errata = nil
	later := byID(now)
	delete(later, now[2].HostID)
	got, err := act.Drifted(katprep.RunRecord{Plan: p, Journal: j.All()}, before, later, true)
	if err != nil || len(got) != 2 || !slices.Equal(got[0].New, []string{"RHSA-2026:9999"}) || !got[1].Gone || got[1].Name != web2 {
		t.Fatalf("%v, %v", got, err)
	}
	if !strings.Contains(got[0].String(), "new: RHSA-2026:9999") || !strings.Contains(got[1].String(), "no longer there") {
		t.Errorf("%q", got)
	}
	if got, _ := act.Drifted(katprep.RunRecord{Plan: p}, before, later, false); len(got) != 1 {
		t.Errorf("%v: a host outside of the later look is not gone", got)
	}
	run(t, engine(p, w, j), katprep.StagePrepare, katprep.StageExecute)
	if got, _ := act.Drifted(katprep.RunRecord{Plan: p, Journal: j.All()}, before, later, true); len(got) != 0 {
		t.Errorf("%v: these hosts were patched by the run", got)
	}
}

func TestForgedPlans(t *testing.T) {
	for name, change := range map[string]func(*katprep.Plan){
		"run":           func(p *katprep.Plan) { p.Run = "../../x" },
		"format":        func(p *katprep.Plan) { p.Format = 99 },
		"wave":          func(p *katprep.Plan) { p.Hosts[0].Wave = 7 },
		"negative wave": func(p *katprep.Plan) { p.Hosts[0].Wave = -1 },
		"host twice":    func(p *katprep.Plan) { p.Hosts[1].HostID = p.Hosts[0].HostID },
		"step twice":    func(p *katprep.Plan) { p.Hosts[0].Steps[1].ID = p.Hosts[0].Steps[0].ID },
	} {
		p := plan(t, hosts(2), settings())
		w := world(p)
		change(&p)
		if _, err := engine(p, w, &acttest.Journal{}).Run(t.Context(), allStages...); err == nil || len(w.Effects()) > 0 {
			t.Errorf("%s: error %v, %d effects", name, err, len(w.Effects()))
		}
		if _, err := act.Status(katprep.RunRecord{Plan: p}); err == nil {
			t.Errorf("%s: Status has no error", name)
		}
	}
	// Steps that nobody knows fail their host and nothing else.
	p := plan(t, hosts(2), settings())
	p.Hosts[0].Steps[0].Kind = "format-disk"
	w := world(p)
	if s := run(t, engine(p, w, &acttest.Journal{}), allStages...); s.Failures() != 1 || did(w, "patch", web1) != 1 {
		t.Errorf("%+v", s)
	}
}

func FuzzStatus(f *testing.F) {
	set := settings()
	set.Hooks, set.VMSnapshot = nil, act.SnapshotNever
	p := plan(f, hosts(1), set)
	w, j := world(p), &acttest.Journal{}
	if _, err := engine(p, w, j).Run(f.Context(), allStages[:1]...); err != nil {
		f.Fatal(err)
	}
	seed, err := json.Marshal(katprep.RunRecord{Plan: p, Journal: j.All()})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(seed)
	f.Fuzz(func(t *testing.T, data []byte) {
		var rec katprep.RunRecord
		if json.Unmarshal(data, &rec) != nil {
			t.Skip()
		}
		if status, err := act.Status(rec); err == nil && len(status) != len(rec.Plan.Hosts) {
			t.Errorf("%d states of %d hosts", len(status), len(rec.Plan.Hosts))
		}
	})
}
