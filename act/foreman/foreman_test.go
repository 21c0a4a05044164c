package foreman_test

import (
	"context"
	"net/http/httptest"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/act"
	"github.com/stdevel/katprep/act/acttest"
	"github.com/stdevel/katprep/act/foreman"
	"github.com/stdevel/katprep/internal/creds"
	"github.com/stdevel/katprep/internal/landscape"
)

// serve starts a simulated Foreman (a fake, made from recorded answers and
// documented behaviour), in which every request lets some time pass.
func serve(t *testing.T, o landscape.Options) (*landscape.Server, *foreman.Actor) {
	t.Helper()
	o.NoSelf = true
	if o.Tick == 0 {
		o.Tick = 5 * time.Second
	}
	l := landscape.New(o)
	return l, dial(t, l, func(*foreman.Options) {})
}

// rpmHosts returns n hosts of one family that have errata in common.
func rpmHosts(t *testing.T, l *landscape.Server, n int) (ts []act.Target, errata []string) {
	t.Helper()
	family := ""
	for _, name := range l.Names() {
		h, _ := l.Truth(name)
		if !strings.HasPrefix(h.Family, "rhel") || len(h.Installable) == 0 || family != "" && h.Family != family {
			continue
		}
		common := slices.DeleteFunc(slices.Clone(h.Installable), func(id string) bool { return family != "" && !slices.Contains(errata, id) })
		if len(common) == 0 {
			continue
		}
		family, errata = h.Family, common
		ts = append(ts, target(h))
		if len(ts) == n {
			return ts, errata
		}
	}
	t.Fatalf("the landscape has only %d such hosts", len(ts))
	return nil, nil
}

func target(h landscape.Truth) act.Target {
	return act.Target{Host: katprep.Host{HostID: katprep.HostID{Source: "satellite", ID: itoa(h.ID)}, Name: h.Name}, Marker: "katprep-test-1"}
}

var unknown = act.Target{Host: katprep.Host{HostID: katprep.HostID{Source: "satellite", ID: "99999"}, Name: "nobody.example.com"}, Marker: "katprep-test-1"}

func TestPatcherContract(t *testing.T) {
	l, a := serve(t, landscape.Options{Hosts: 60})
	ts, errata := rpmHosts(t, l, 2)
	acttest.Patcher(t, acttest.PatcherFixture{
		Patcher: a, Targets: ts, Unknown: unknown, Request: act.PatchRequest{Errata: errata[:1]},
		Installed: func(t *testing.T, target act.Target) bool {
			h, ok := l.Truth(target.Host.Name)
			if !ok {
				t.Fatalf("no host %s", target.Host.Name)
			}
			return !slices.Contains(h.Applicable, errata[0])
		},
	})
}

func TestRebooterContract(t *testing.T) {
	l, a := serve(t, landscape.Options{Hosts: 10})
	ts, _ := rpmHosts(t, l, 1)
	acttest.Rebooter(t, acttest.RebooterFixture{Rebooter: a, Target: ts[0], Unknown: unknown})
}

// TestHookContract runs the wrapped scripts in a real shell, as remote
// execution does on a host.
func TestHookContract(t *testing.T) {
	scratch := t.TempDir()
	l, a := serve(t, landscape.Options{Hosts: 10, Command: func(_, command string) (string, int, bool) {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		cmd := exec.CommandContext(ctx, "/bin/sh", "-c", command)
		cmd.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "TMPDIR=" + scratch}
		out, _ := cmd.Output()
		return string(out), cmd.ProcessState.ExitCode(), true
	}})
	ts, _ := rpmHosts(t, l, 1)
	acttest.Hook(t, acttest.HookFixture{Hook: a, Target: ts[0], Scratch: scratch})
}

func itoa(n int) string { return strconv.Itoa(n) }

// dial makes another actor for a landscape.
func dial(t *testing.T, l *landscape.Server, change func(*foreman.Options)) *foreman.Actor {
	t.Helper()
	srv := httptest.NewServer(l)
	t.Cleanup(srv.Close)
	o := foreman.Options{
		Name: "satellite", URL: srv.URL, Login: creds.Login{User: "admin", Password: creds.NewSecret("changeme")},
		Pause: 1, Poll: time.Millisecond, Gather: time.Millisecond, BootDelay: time.Millisecond, BootWait: 20 * time.Second,
	}
	change(&o)
	a, err := foreman.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func agent(t *testing.T, l *landscape.Server) *foreman.Actor {
	t.Helper()
	return dial(t, l, func(o *foreman.Options) { o.Agent = true })
}

func impatient(t *testing.T, l *landscape.Server) *foreman.Actor {
	t.Helper()
	return dial(t, l, func(o *foreman.Options) { o.BootWait = 300 * time.Millisecond })
}
