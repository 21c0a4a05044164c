package direct

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/collect"
	"github.com/stdevel/katprep/internal/peers"
)

// readLocal reads this machine with the options.
func readLocal(t *testing.T, o Options) collect.Reading {
	t.Helper()
	l := NewLocal(o, "tester")
	for target, err := range l.Targets(t.Context(), katprep.Selection{}) {
		if err != nil {
			t.Fatal(err)
		}
		r, err := target.Read(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if r.State.Host != target.Host {
			t.Errorf("read %v, the target was %v", r.State.Host, target.Host)
		}
		return r
	}
	t.Fatal("no target")
	return collect.Reading{}
}

func TestThisDebianMachine(t *testing.T) {
	t.Parallel()
	peers.Need(t, "dpkg-query", "apt-get")
	s := readLocal(t, Options{}).State
	out, err := exec.Command("dpkg-query", "-W", "-f", "${db:Status-Abbrev} ${Package} ${Version}\n").Output()
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for line := range strings.Lines(string(out)) {
		if f := strings.Fields(line); f[0][1] == 'i' {
			want = append(want, f[1]+" "+f[2])
		}
	}
	var got []string
	for _, p := range s.Packages {
		got = append(got, p.Name+" "+string(p.EVR))
	}
	slices.Sort(want)
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("packages differ from dpkg-query: %d, want %d", len(got), len(want))
	}
	if !slices.IsSortedFunc(s.Packages, katprep.ComparePackages) {
		t.Error("packages are not sorted")
	}
	boot, _ := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if s.Boot.ID != strings.TrimSpace(string(boot)) || s.Boot.Time.IsZero() || s.Boot.Time.After(time.Now()) {
		t.Errorf("boot = %+v", s.Boot)
	}
	kernel, _ := os.ReadFile("/proc/sys/kernel/osrelease")
	if s.Kernel.Running != strings.TrimSpace(string(kernel)) || s.Format != katprep.Deb || s.Facts.OS.ID == "" {
		t.Errorf("kernel %+v, format %q, os %+v", s.Kernel, s.Format, s.Facts.OS)
	}
	for _, a := range []katprep.Aspect{katprep.AspectPackages, katprep.AspectKernel, katprep.AspectBoot, katprep.AspectFacts} {
		if !s.Knows(a) {
			t.Errorf("aspect %s is not known: %+v", a, s.Problems)
		}
	}
	if s.Knows(katprep.AspectErrata) || len(s.Errata) > 0 {
		t.Error("errata claimed, but APT knows none")
	}
}

func TestTwoReadingsAreTheSameBytes(t *testing.T) {
	t.Parallel()
	o := Options{}
	if os.Geteuid() == 0 {
		peers.Need(t, "setpriv")
		o.Command = []string{"setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "/bin/sh", "-s"}
	}
	r := readLocal(t, o)
	a, _ := json.Marshal(r.State)
	b, _ := json.Marshal(readLocal(t, o).State)
	if string(a) != string(b) {
		t.Errorf("two readings differ:\n%.300s\n%.300s", a, b)
	}
	// An ordinary user does not see other users' processes, and says so.
	if r.State.Knows(katprep.AspectProcesses) || !strings.Contains(string(a), "only what was seen is listed") {
		t.Errorf("aspects %v, problems %v", r.State.Aspects, r.State.Problems)
	}
	if !r.State.Knows(katprep.AspectPackages) || !r.State.Knows(katprep.AspectBoot) {
		t.Errorf("aspects %v, problems %v", r.State.Aspects, r.State.Problems)
	}
}

func TestSelectionNamesAnUnknownHost(t *testing.T) {
	l := NewLocal(Options{}, "")
	var last error
	for _, err := range l.Targets(t.Context(), katprep.Selection{Hosts: []string{"no-such-host.example", "*"}}) {
		last = err
	}
	if katprep.KindOf(last) != katprep.NotFound || !strings.Contains(last.Error(), "no-such-host.example") {
		t.Errorf("error %v", last)
	}
}

// TestDeadlineEndsTheProbe lets a host hang before and after it began to
// answer.
func TestDeadlineEndsTheProbe(t *testing.T) {
	ctx, cancel := context.WithTimeoutCause(t.Context(), 500*time.Millisecond, errors.New("took too long"))
	defer cancel()
	l := NewLocal(Options{Command: []string{"/bin/sh", "-c", "sleep 600"}}, "")
	for target := range l.Targets(t.Context(), katprep.Selection{}) {
		if _, err := target.Read(ctx); err == nil || !strings.Contains(err.Error(), "took too long") {
			t.Errorf("error %v", err)
		}
	}
}

func TestDeadlineAfterTheFirstAnswer(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeoutCause(t.Context(), 5*time.Second, errors.New("took too long"))
	defer cancel()
	hang := `read -r first; mark=${first#KP_MARK=}; echo "${mark%% *} host"; echo uid=0; sleep 600`
	l := NewLocal(Options{Command: []string{"/bin/sh", "-c", hang}}, "")
	for target := range l.Targets(t.Context(), katprep.Selection{}) {
		r, err := target.Read(ctx)
		if err != nil {
			t.Fatal(err)
		}
		last := r.State.Problems[len(r.State.Problems)-1].Message
		if r.State.Status != katprep.Incomplete || last != "the probe ended early: took too long" || len(r.State.Aspects) > 0 {
			t.Errorf("%s, %q, %v", r.State.Status, last, r.State.Aspects)
		}
	}
}

// TestBadShells are hosts on which the probe cannot run.
func TestBadShells(t *testing.T) {
	for name, c := range map[string]struct{ command, says string }{
		"no shell":    {"echo This account is currently not available.; exit 1", "did not start"},
		"complaint":   {"echo permission denied >&2; exit 126", "permission denied"},
		"dies midway": {"head -c 5000 >/dev/null; exit 3", "did not start"},
	} {
		l := NewLocal(Options{Command: []string{"/bin/sh", "-c", c.command}}, "")
		for target := range l.Targets(t.Context(), katprep.Selection{}) {
			if _, err := target.Read(t.Context()); err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%s: error %v", name, err)
			}
		}
	}
}
