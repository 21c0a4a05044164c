package main

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/internal/landscape"
)

// renameBench runs katprep on a simulated Foreman.
type renameBench struct {
	t   *testing.T
	s   *landscape.Server
	dir string
	env []string
}

func newRenameBench(t *testing.T) *renameBench {
	t.Helper()
	b := &renameBench{t: t, s: landscape.New(landscape.Options{Hosts: 12, NoSelf: true, Speed: 2000}), dir: t.TempDir()}
	srv := httptest.NewServer(b.s)
	t.Cleanup(srv.Close)
	b.env = []string{"HOME=" + b.dir, "KATPREP_ETC=" + b.dir, "KATPREP_CREDENTIAL_SAT_USER=admin", "KATPREP_CREDENTIAL_SAT_PASSWORD=changeme",
		"KATPREP_CONFIG=" + filepath.Join(b.dir, "k.yml")}
	text := "archive: {path: " + filepath.Join(b.dir, "a.git") + "}\nsources: [{name: sat, type: foreman, url: \"" + srv.URL + "\"}]\n" +
		"maintenance: {state_dir: " + filepath.Join(b.dir, "state") + ", vm_snapshot: never}\n"
	if err := os.WriteFile(filepath.Join(b.dir, "k.yml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	b.do(0, "init", "--no-config")
	return b
}

func (b *renameBench) do(code int, args ...string) (out, errs string) {
	b.t.Helper()
	var o, e bytes.Buffer
	if got := run(context.Background(), args, streams{strings.NewReader(""), &o, &e}, b.env); got != code {
		b.t.Fatalf("katprep %v: exit code %d, want %d\n%s%s", args, got, code, o.String(), e.String())
	}
	return o.String(), e.String()
}

func (b *renameBench) report(code int) map[string]katprep.HostChange {
	b.t.Helper()
	out, _ := b.do(code, "report", "latest~1", "latest", "-f", "json")
	var r katprep.Report
	if err := json.Unmarshal([]byte(out), &r); err != nil {
		b.t.Fatal(err)
	}
	hosts := map[string]katprep.HostChange{}
	for _, h := range r.Hosts {
		hosts[h.Name] = h
	}
	return hosts
}

// victim is a host with errata.
func (b *renameBench) victim() string {
	b.t.Helper()
	for _, name := range b.s.Names() {
		out, _ := b.do(0, "show", name)
		if strings.Contains(out, "RHSA-") {
			return name
		}
	}
	b.t.Fatal("no host has errata")
	return ""
}

func installed(h katprep.HostChange) (n int) {
	for _, e := range h.Errata {
		if e.Ending == katprep.Installed || e.Ending == katprep.RebootPending {
			n++
		}
	}
	return n
}

// TestRenamedHost: a renamed host is the same one by its ID; nothing was
// installed by a new name.
func TestRenamedHost(t *testing.T) {
	b := newRenameBench(t)
	b.do(0, "snapshot", "--host", "*")
	old := b.victim()
	b.s.RenameHost(old, "renamed.example.com")
	b.do(0, "snapshot", "--host", "*")
	hosts := b.report(0)
	h, ok := hosts["renamed.example.com"]
	if _, there := hosts[old]; there || !ok || h.Presence != katprep.InBoth {
		t.Fatalf("after a rename: %v %+v", there, h.Presence)
	}
	if installed(h) != 0 || len(h.Errata) == 0 {
		t.Errorf("%d errata, %d installed", len(h.Errata), installed(h))
	}
	out, _ := b.do(0, "diff", "latest~1", "latest")
	if !strings.Contains(out, "renamed.example.com") || !strings.Contains(out, old) {
		t.Errorf("nothing says that %s was renamed:\n%s", old, out)
	}
}

// TestReregisteredHost: with another ID it is another host. The old one is
// gone and the new one is new; neither was patched.
func TestReregisteredHost(t *testing.T) {
	b := newRenameBench(t)
	b.do(0, "snapshot", "--host", "*")
	old := b.victim()
	b.s.Reregister(old, "again.example.com")
	b.do(0, "snapshot", "--host", "*")
	hosts := b.report(3) // what became of the old host's errata is unknown
	if p := hosts[old].Presence; p != katprep.OnlyBefore {
		t.Errorf("the old host is %q", p)
	}
	if p := hosts["again.example.com"].Presence; p != katprep.OnlyAfter {
		t.Errorf("the new host is %q", p)
	}
	for _, name := range []string{old, "again.example.com"} {
		if n := installed(hosts[name]); n != 0 {
			t.Errorf("%s: %d errata count as installed", name, n)
		}
	}
}

// TestRenamedDuringRun: a plan's host that has another name when its patches
// are due is not patched, and not called so.
func TestRenamedDuringRun(t *testing.T) {
	codes := map[string]int{"renamed": 0, "reregistered": 3, "name is another's now": 3}
	for how, rename := range map[string]func(s *landscape.Server, name string){
		"renamed":      func(s *landscape.Server, name string) { s.RenameHost(name, "renamed.example.com") },
		"reregistered": func(s *landscape.Server, name string) { s.Reregister(name, "renamed.example.com") },
		"name is another's now": func(s *landscape.Server, name string) {
			s.RenameHost(name, "renamed.example.com")
			s.Reregister(s.Names()[0], name)
		},
	} {
		t.Run(how, func(t *testing.T) {
			b := newRenameBench(t)
			b.do(0, "snapshot", "--before", "p", "--host", "*")
			old := b.victim()
			b.do(0, "maintenance", "plan", "p", "--host", old, "--reboot", "never")
			rename(b.s, old)
			out, errs := b.do(3, "maintenance", "run", "p")
			if !strings.Contains(out, "1 host: 1 failed") && !strings.Contains(out, "1 host: 1 unknown") {
				t.Errorf("the run says:\n%s%s", out, errs)
			}
			b.do(0, "snapshot", "--after", "p", "--host", "*")
			for name, h := range b.report(codes[how]) {
				if n := installed(h); n != 0 {
					t.Errorf("%s: %d errata count as installed", name, n)
				}
			}
		})
	}
}
