package proxmox_test

import (
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/act"
	"github.com/stdevel/katprep/act/acttest"
	"github.com/stdevel/katprep/act/proxmox"
	"github.com/stdevel/katprep/internal/creds"
	"github.com/stdevel/katprep/internal/httpx"
	"github.com/stdevel/katprep/internal/vm"
)

func open(t *testing.T, s *httptest.Server) *proxmox.Client {
	t.Helper()
	return openAt(t, s.URL)
}

func openAt(t *testing.T, url string) *proxmox.Client {
	t.Helper()
	c, err := proxmox.New(proxmox.Options{URL: url, Login: creds.Login{User: "katprep@pve!patch", Password: creds.NewSecret("secret")},
		HTTP: httpx.Options{Insecure: true, Retries: -1}, Limits: vm.Limits{Poll: 5 * time.Millisecond}})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func target(name string) act.Target { return act.Target{Name: name, Marker: "katprep-run.1"} }

func TestContract(t *testing.T) {
	f, s := newFake(t)
	c := open(t, s)
	acttest.Snapshotter(t, acttest.SnapshotterFixture{
		Snapshotter: c, Targets: []act.Target{{Name: "web01"}, {Name: "101"}}, Unknown: act.Target{Name: "nowhere"},
		Foreign: func(t *testing.T, tg act.Target, name string) (func() bool, func()) {
			m := f.vms[map[string]string{"web01": "100", "101": "101"}[tg.Name]]
			f.mu.Lock()
			defer f.mu.Unlock()
			m.add(name, "somebody else's")
			index := func() int { return slices.IndexFunc(m.snaps, func(s snap) bool { return s.name == name }) }
			return func() bool { f.mu.Lock(); defer f.mu.Unlock(); return index() >= 0 },
				func() { f.mu.Lock(); defer f.mu.Unlock(); m.drop(index()) }
		},
		State: func(t *testing.T, tg act.Target) act.PowerState {
			p, err := c.PowerState(t.Context(), tg)
			if err != nil {
				t.Fatal(err)
			}
			return p
		},
	})
	acttest.Power(t, acttest.PowerFixture{Power: c, Target: act.Target{Name: "web01"}, Unknown: act.Target{Name: "nowhere"}})
}

func TestFindsVMs(t *testing.T) {
	_, s := newFake(t)
	c := open(t, s)
	objects, err := c.Objects(t.Context())
	if err != nil || len(objects) != 4 {
		t.Fatalf("%+v, %v", objects, err)
	}
	for what, tg := range map[string]act.Target{
		"number": {Name: "100"}, "node and number": {Name: "pve1/100"}, "MAC": {MAC: "bc:24:11:00:01:00"}, "IP": {IP: "192.0.2.100"},
		"UUID": {UUID: "00000000-0000-4000-8000-000000000100"}, "host name": {Host: katprep.Host{Name: "WEB01.example.com"}}, "hostile name": {Name: "db 01 <&\"'>"},
	} {
		if p, err := c.PowerState(t.Context(), tg); err != nil || p != act.PoweredOn {
			t.Errorf("by %s: %s, %v", what, p, err)
		}
	}
	if _, err := c.PowerState(t.Context(), act.Target{Name: "twin"}); katprep.KindOf(err) != katprep.Conflict || !strings.Contains(katprep.HintOf(err), "pve2/103") {
		t.Errorf("two of one name: %v, %s", err, katprep.HintOf(err))
	}
	if places, err := c.Places(t.Context(), target("web01")); err != nil || len(places) != 1 || places[0] != "local-lvm" {
		t.Errorf("%v, %v", places, err)
	}
}

func TestNames(t *testing.T) {
	f, s := newFake(t)
	c := open(t, s)
	long := act.Marker("katprep-" + strings.Repeat("x", 60))
	for _, m := range []act.Marker{"katprep-run.1", long, long + "y"} {
		if _, err := c.CreateSnapshot(t.Context(), act.Target{Name: "web01", Marker: m}, act.SnapshotOptions{}); err != nil {
			t.Errorf("%s: %v", m, err)
		}
	}
	if n := len(f.vms["100"].snaps); n != 3 {
		t.Errorf("%d snapshots, want 3", n)
	}
	left, err := c.Leftovers(t.Context())
	if err != nil || len(left) != 3 || !slices.ContainsFunc(left, func(l act.Leftover) bool { return l.Marker == long && l.VM == "web01" }) {
		t.Errorf("%+v, %v", left, err)
	}
}

func TestQuiesce(t *testing.T) {
	for what, c := range map[string]struct {
		vm          string
		freezeFails bool
		o           act.SnapshotOptions
		kind        katprep.Kind // of the error; 0: none
		quiesced    string
		warning     bool
	}{
		"agent":                  {"web01", false, act.SnapshotOptions{Quiesce: act.QuiesceRequire}, 0, "yes", false},
		"agent cannot":           {"web01", true, act.SnapshotOptions{Quiesce: act.QuiesceTry}, 0, "no", true},
		"agent cannot, but must": {"web01", true, act.SnapshotOptions{Quiesce: act.QuiesceRequire}, katprep.Conflict, "", false},
		"no agent":               {"101", false, act.SnapshotOptions{Quiesce: act.QuiesceTry}, 0, "no", true},
		"no agent, but must":     {"101", false, act.SnapshotOptions{Quiesce: act.QuiesceRequire}, katprep.Conflict, "", false},
		"with memory":            {"web01", false, act.SnapshotOptions{Quiesce: act.QuiesceTry, Memory: true}, 0, "no", true},
		"memory and must":        {"web01", false, act.SnapshotOptions{Quiesce: act.QuiesceRequire, Memory: true}, katprep.Invalid, "", false},
	} {
		f, s := newFake(t)
		f.freezeFails = c.freezeFails
		cl := open(t, s)
		ref, err := cl.CreateSnapshot(t.Context(), target(c.vm), c.o)
		if c.kind != 0 {
			if katprep.KindOf(err) != c.kind || len(f.vms["100"].snaps)+len(f.vms["101"].snaps) > 0 {
				t.Errorf("%s: %v, %d snapshots", what, err, len(f.vms["100"].snaps))
			}
			continue
		}
		if err != nil || ref.Data[act.DataQuiesced] != c.quiesced || (ref.Data[act.DataWarning] != "") != c.warning {
			t.Errorf("%s: %+v, %v", what, ref, err)
		}
		if found, _, err := cl.FindSnapshot(t.Context(), target(c.vm)); err != nil || found.Data[act.DataQuiesced] != c.quiesced {
			t.Errorf("%s, found again: %+v, %v", what, found, err)
		}
	}
}

func TestRefusedBeforehand(t *testing.T) {
	f, s := newFake(t)
	c := open(t, s)
	if err := c.CheckSnapshot(t.Context(), target("web01"), act.SnapshotOptions{}); err != nil {
		t.Error(err)
	}
	f.free = 20
	if err := c.CheckSnapshot(t.Context(), target("web01"), act.SnapshotOptions{}); katprep.KindOf(err) != katprep.Conflict || !strings.Contains(err.Error(), "local-lvm") {
		t.Errorf("full storage: %v", err)
	}
	f.noFeature = true
	if _, err := c.CreateSnapshot(t.Context(), target("web01"), act.SnapshotOptions{}); katprep.KindOf(err) != katprep.Conflict || len(f.vms["100"].snaps) > 0 {
		t.Errorf("raw disk: %v", err)
	}
}

func TestFailures(t *testing.T) {
	f, s := newFake(t)
	c := open(t, s)
	f.taskFails = "command '/sbin/lvcreate' failed: no space left"
	if _, err := c.CreateSnapshot(t.Context(), target("web01"), act.SnapshotOptions{}); err == nil || !strings.Contains(err.Error(), "no space left") {
		t.Errorf("failed task: %v", err)
	}
	id, err := c.Identify(t.Context())
	if err != nil || id.Version != "8.4.1" || !slices.Equal(id.Missing, []string{"VM.Snapshot.Rollback"}) {
		t.Errorf("%+v, %v", id, err)
	}
	for status, kind := range map[int]katprep.Kind{401: katprep.Denied, 403: katprep.Denied, 595: katprep.Unreachable, 500: katprep.Conflict} {
		f.deny = status
		if _, err := c.Identify(t.Context()); katprep.KindOf(err) != kind || strings.Contains(err.Error(), "secret") {
			t.Errorf("status %d: kind %d, %v", status, katprep.KindOf(err), err)
		}
	}
	for _, u := range []string{"", "pve1", "ftp://pve1"} {
		if _, err := proxmox.New(proxmox.Options{URL: u}); katprep.KindOf(err) != katprep.Invalid {
			t.Errorf("%q: %v", u, err)
		}
	}
}
