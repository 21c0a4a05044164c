package hyperv

import (
	"encoding/json"
	"fmt"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/act"
	"github.com/stdevel/katprep/act/acttest"
	"github.com/stdevel/katprep/internal/creds"
	"github.com/stdevel/katprep/internal/httpx"
	"github.com/stdevel/katprep/internal/sshx"
	"github.com/stdevel/katprep/internal/vm"
	"github.com/stdevel/katprep/internal/winrm"
	"github.com/stdevel/katprep/internal/winrm/winrmtest"
)

// overWinRMTo returns a client that speaks to the stub through WinRM.
func overWinRMTo(t *testing.T, w *world, password string) *Client {
	t.Helper()
	s := winrmtest.Start(t, &winrmtest.Host{User: `katprep`, Password: "s3cret", Run: func(command string, stdin []byte) (string, string, int) {
		var q struct {
			Op, Script string
			Args       map[string]string
		}
		if err := json.Unmarshal(stdin, &q); err != nil {
			return "", err.Error(), 1
		}
		return w.reply(strings.TrimPrefix(command, "powershell "), q.Op, q.Script, q.Args), "", 0
	}})
	c, err := New(Options{WinRM: winrm.Options{URL: s.URL, Login: creds.Login{User: `WIN\katprep`, Password: creds.NewSecret(password)}, HTTP: httpx.Options{Insecure: true}},
		Limits: vm.Limits{Poll: 20 * time.Millisecond, Fresh: time.Hour}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close(t.Context()) })
	return c
}

// TestOverWinRM keeps the same contract as over SSH.
func TestOverWinRM(t *testing.T) {
	w := newWorld()
	c := overWinRMTo(t, w, "s3cret")
	acttest.Snapshotter(t, acttest.SnapshotterFixture{
		Snapshotter: c, Targets: []act.Target{{Name: "web01"}, {Name: hostile}}, Unknown: act.Target{Name: "nowhere"}, Foreign: w.foreign,
	})
	acttest.Power(t, acttest.PowerFixture{Power: c, Target: act.Target{Name: "web01"}, Unknown: act.Target{Name: "nowhere"}})
	if id, err := c.Identify(t.Context()); err != nil || id.User != `WIN\katprep` || id.CertExpires.IsZero() || w.args != strings.TrimPrefix(command, "powershell ") {
		t.Errorf("%+v, %v, %q", id, err, w.args)
	}
	if _, err := overWinRMTo(t, w, "hunter2").Identify(t.Context()); katprep.KindOf(err) != katprep.Denied {
		t.Errorf("wrong password: %v", err)
	}
}

// TestSilent: a silent SSH server and a silent WinRM cost their deadline.
func TestSilent(t *testing.T) {
	for what, o := range map[string]func(host string, port int) Options{
		"SSH": func(host string, port int) Options {
			return Options{Host: sshx.Host{Name: host, Port: port, User: "x"}}
		},
		"WinRM": func(host string, port int) Options {
			return Options{WinRM: winrm.Options{URL: fmt.Sprintf("https://%s:%d", host, port), HTTP: httpx.Options{Insecure: true}}}
		},
	} {
		t.Run(what, func(t *testing.T) {
			acttest.Silent(t, func(t *testing.T, addr string) act.Snapshotter {
				host, text, _ := net.SplitHostPort(addr)
				port, _ := strconv.Atoi(text)
				options := o(host, port)
				options.Limits.Read = 200 * time.Millisecond
				c, err := New(options)
				if err != nil {
					t.Fatal(err)
				}
				return c
			})
		})
	}
}

// TestFullVolume: a volume with too little room is said beforehand.
func TestFullVolume(t *testing.T) {
	w := newWorld()
	w.free = 40
	c := overWinRMTo(t, w, "s3cret")
	if err := c.CheckSnapshot(t.Context(), target("web01"), act.SnapshotOptions{}); katprep.KindOf(err) != katprep.Conflict || !strings.Contains(err.Error(), `D:\`) {
		t.Errorf("full volume: %v", err)
	}
	w.VMs[0].Type = "Disabled"
	if err := c.CheckSnapshot(t.Context(), target("web01"), act.SnapshotOptions{}); katprep.KindOf(err) != katprep.Conflict || !strings.Contains(err.Error(), "disabled") {
		t.Errorf("disabled: %v", err)
	}
}
