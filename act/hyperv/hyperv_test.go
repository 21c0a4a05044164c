package hyperv

import (
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/act"
	"github.com/stdevel/katprep/act/acttest"
	"github.com/stdevel/katprep/internal/lab"
	"github.com/stdevel/katprep/internal/peers"
	"github.com/stdevel/katprep/internal/sshx"
	"github.com/stdevel/katprep/internal/vm"
)

const hostile = `db'; Remove-VM * -Force; "$(calc)" ü`

// start returns a client that speaks to the stub through a real sshd.
func start(t *testing.T) (*Client, *world) {
	t.Helper()
	w, d := host(t)
	return open(t, d), w
}

// host starts the sshd of a Hyper-V host.
func host(t *testing.T) (*world, *lab.SSHD) {
	t.Helper()
	peers.Need(t, "bash")
	dir := lab.Dir(t)
	w := newWorld()
	if err := os.WriteFile(filepath.Join(dir, "powershell"), fmt.Appendf(nil, wrapper, w.serve(t)), 0o755); err != nil {
		t.Fatal(err)
	}
	// HOME keeps the login shell from reading the user's own start-up files.
	return w, lab.StartSSHD(t, lab.SSHDOptions{Lines: []string{"SetEnv PATH=" + dir + ":/usr/bin:/bin HOME=" + dir}})
}

func open(t *testing.T, d *lab.SSHD) *Client {
	t.Helper()
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	c, err := New(Options{Host: sshx.Host{Name: d.Host, Port: d.Port, User: me.Username, Identity: []string{d.Key.File}},
		SSH: sshx.Options{KnownHosts: []string{d.KnownHosts}}, Limits: vm.Limits{Poll: 20 * time.Millisecond, Fresh: time.Hour}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close(t.Context()) })
	return c
}

// TestRestarts ends every SSH session, as a restart of the host does.
func TestRestarts(t *testing.T) {
	w, d := host(t)
	acttest.Restarts(t, acttest.RestartFixture{
		Open:   func(t *testing.T) act.Snapshotter { return open(t, d) },
		Target: act.Target{Name: "web01"},
		Kill:   func(*testing.T) { d.Down() },
		Start:  func(*testing.T) { d.Up(nil) },
		Ours: func(_ *testing.T, m act.Marker) (n int) {
			w.with(func() {
				for _, c := range w.VMs[0].Checkpoints {
					if strings.HasPrefix(c.Name, string(m)) {
						n++
					}
				}
			})
			return n
		},
		Moments: []time.Duration{20 * time.Millisecond},
	})
}

func newWorld() *world {
	return &world{VMs: []*machine{
		{ID: "11111111-0000-4000-8000-000000000001", Name: "web01", UUID: "AAAAAAAA-0000-4000-8000-000000000001", State: "Running", Type: "Production", MACs: []string{"00155D010203"}, IPs: []string{"192.0.2.1"}},
		{ID: "11111111-0000-4000-8000-000000000002", Name: hostile, State: "Running", Type: "Production"},
		{ID: "11111111-0000-4000-8000-000000000003", Name: "iscsi", State: "Off", Type: "Standard", Passthrough: 1},
	}}
}

// foreign makes a checkpoint as somebody else would.
func (w *world) foreign(t *testing.T, tg act.Target, name string) (there func() bool, remove func()) {
	m := w.VMs[slices.IndexFunc(w.VMs, func(m *machine) bool { return m.Name == tg.Name })]
	var id string
	w.with(func() { id = w.add(m, name, "Standard") })
	index := func() int {
		return slices.IndexFunc(m.Checkpoints, func(c checkpoint) bool { return c.ID == id })
	}
	return func() (there bool) { w.with(func() { there = index() >= 0 }); return there },
		func() { w.with(func() { m.drop(index()) }) }
}

func target(name string) act.Target { return act.Target{Name: name, Marker: "katprep-run-1"} }

func TestContract(t *testing.T) {
	c, w := start(t)
	acttest.Snapshotter(t, acttest.SnapshotterFixture{
		Snapshotter: c, Targets: []act.Target{{Name: "web01"}, {Name: hostile}}, Unknown: act.Target{Name: "nowhere"},
		Foreign: w.foreign,
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

func TestRequests(t *testing.T) {
	c, w := start(t)
	var targets []act.Target
	for i := range 10 {
		name := fmt.Sprint("vm", i)
		w.VMs = append(w.VMs, &machine{ID: fmt.Sprintf("22222222-0000-4000-8000-%012d", i), Name: name, State: "Running", Type: "Production"})
		targets = append(targets, act.Target{Name: name})
	}
	acttest.Requests(t, acttest.RequestsFixture{Snapshotter: c, Targets: targets, Most: 9, Count: func() (n int) {
		w.with(func() { n = w.calls })
		return n
	}})
}

func TestFindsVMs(t *testing.T) {
	c, w := start(t)
	for what, tg := range map[string]act.Target{"MAC": {MAC: "00:15:5d:01:02:03"}, "IP": {IP: "192.0.2.1"}, "UUID": {UUID: "aaaaaaaa-0000-4000-8000-000000000001"},
		"hostile name": {Name: hostile}, "host": {Host: katprep.Host{Name: "web01.example.com"}}} {
		if p, err := c.PowerState(t.Context(), tg); err != nil || p != act.PoweredOn {
			t.Errorf("by %s: %s, %v", what, p, err)
		}
	}
	id, err := c.Identify(t.Context())
	if err != nil || !strings.Contains(id.Product, "Server 2022") || id.User != `WIN\katprep` {
		t.Errorf("%+v, %v", id, err)
	}
	if want := strings.TrimPrefix(command, "powershell "); w.args != want {
		t.Errorf("PowerShell was started with %q, want %q", w.args, want)
	}
}

func TestQuiesce(t *testing.T) {
	c, w := start(t)
	ref, err := c.CreateSnapshot(t.Context(), target("web01"), act.SnapshotOptions{Quiesce: act.QuiesceRequire})
	if err != nil || ref.Data[act.DataQuiesced] != "yes" {
		t.Errorf("%+v, %v", ref, err)
	}
	w.with(func() { w.NoVSS = true })
	if _, err := c.CreateSnapshot(t.Context(), target(hostile), act.SnapshotOptions{Quiesce: act.QuiesceRequire}); katprep.KindOf(err) != katprep.Conflict {
		t.Errorf("required: %v", err)
	}
	ref, err = c.CreateSnapshot(t.Context(), target(hostile), act.SnapshotOptions{Quiesce: act.QuiesceTry})
	if err != nil || ref.Data[act.DataQuiesced] != "no" || ref.Data[act.DataWarning] == "" {
		t.Errorf("tried: %+v, %v", ref, err)
	}
	if left, err := c.Leftovers(t.Context()); err != nil || len(left) != 2 || left[0].Marker != "katprep-run-1" {
		t.Errorf("%+v, %v", left, err)
	}
}

func TestFailures(t *testing.T) {
	c, w := start(t)
	if err := c.CheckSnapshot(t.Context(), target("iscsi"), act.SnapshotOptions{}); katprep.KindOf(err) != katprep.Conflict || !strings.Contains(err.Error(), "physical disk") {
		t.Errorf("pass-through: %v", err)
	}
	w.with(func() { w.Full = true })
	if _, err := c.CreateSnapshot(t.Context(), target("web01"), act.SnapshotOptions{}); katprep.KindOf(err) != katprep.Conflict {
		t.Errorf("full: %v", err)
	}
	w.with(func() { w.Denied = true })
	if _, err := c.Identify(t.Context()); katprep.KindOf(err) != katprep.Denied || katprep.HintOf(err) == "" {
		t.Errorf("denied: %v", err)
	}
	w.with(func() { w.Garbage = true })
	if _, err := c.Identify(t.Context()); katprep.KindOf(err) != katprep.Corrupt || !strings.Contains(err.Error(), "gave no answer") {
		t.Errorf("no PowerShell: %v", err)
	}
	if _, err := New(Options{Host: sshx.Host{Name: "-oProxyCommand=x"}}); katprep.KindOf(err) != katprep.Invalid {
		t.Errorf("host name: %v", err)
	}
}

func TestASCII(t *testing.T) {
	b, err := ascii(map[string]string{"n": "ü😀'\"\n"})
	if err != nil || string(b) != `{"n":"\u00fc\ud83d\ude00'\"\n"}` {
		t.Errorf("%s, %v", b, err)
	}
}
