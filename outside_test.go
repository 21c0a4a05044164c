package katprep_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// outside is a program of somebody else that uses the public packages.
const outside = `package outside

import (
	"context"
	"io"
	"time"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/act"
	icinga "github.com/stdevel/katprep/act/icinga2"
	"github.com/stdevel/katprep/collect"
	"github.com/stdevel/katprep/collect/direct"
	"github.com/stdevel/katprep/collect/foreman"
	"github.com/stdevel/katprep/diff"
	"github.com/stdevel/katprep/policy"
	"github.com/stdevel/katprep/render"
	"github.com/stdevel/katprep/site"
)

// Sink keeps states in memory.
type Sink struct{ States []katprep.State }

func (s *Sink) Put(_ context.Context, st katprep.State) error { s.States = append(s.States, st); return nil }
func (s *Sink) PutErratum(context.Context, katprep.Erratum) error { return nil }

// Collect reads this machine and a Foreman.
func Collect(ctx context.Context, url, user, password string) (*Sink, error) {
	f, err := foreman.New(foreman.Options{URL: url, Login: katprep.Login{User: user, Password: katprep.NewSecret(password)}})
	if err != nil {
		return nil, err
	}
	s := &Sink{}
	_, err = collect.Run(ctx, []collect.Source{{Name: "here", Collector: direct.NewLocal(direct.Options{}, "me")}, {Name: "satellite", Collector: f}},
		katprep.Selection{Hosts: []string{"web*"}}, s, collect.Options{Concurrency: 4})
	return s, err
}

// Report compares and writes.
func Report(w io.Writer, before, after *Sink) error {
	l, err := diff.New(katprep.SnapshotRef{}, katprep.SnapshotRef{}, func(string) (katprep.Erratum, bool) { return katprep.Erratum{}, false }, diff.Options{})
	if err != nil {
		return err
	}
	for i := range before.States {
		l.Add(&before.States[i], &after.States[i])
	}
	r := l.Report()
	return render.Landscape(w, render.Markdown, &r, render.Options{})
}

// Downtime sets one.
func Downtime(ctx context.Context, url string, l katprep.Login, host katprep.Host) error {
	c, err := icinga.New(icinga.Options{URL: url, Login: l})
	if err != nil {
		return err
	}
	var d act.Downtimer = c
	now := time.Now()
	_, err = d.Schedule(ctx, act.Target{Host: host, Name: host.Name, Marker: act.NewMarker("patch-1")}, katprep.Window{Start: now, End: now.Add(time.Hour)}, "patching")
	return err
}

// Site builds a site of a source of one's own.
func Site(ctx context.Context, src site.Source, out string) (site.Stats, error) {
	p := policy.Policy{Deadlines: map[katprep.Severity]time.Duration{katprep.Critical: 7 * 24 * time.Hour}}
	return site.Build(ctx, src, out, site.Options{Policy: p})
}
`

// TestUsableFromOutside compiles a module of its own against this one: what it
// needs can be named without internal packages.
func TestUsableFromOutside(t *testing.T) {
	here, err := filepath.Abs(".")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	mod, err := os.ReadFile("go.mod")
	if err != nil {
		t.Fatal(err)
	}
	_, requires, _ := strings.Cut(string(mod), "require (") // the same versions, so that no network is needed
	goVersion := "1.26"
	for line := range strings.Lines(string(mod)) {
		if v, ok := strings.CutPrefix(line, "go "); ok {
			goVersion = strings.TrimSpace(v)
		}
	}
	sum, err := os.ReadFile("go.sum")
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"go.mod": "module example.com/outside\n\ngo " + goVersion + "\n\nrequire github.com/stdevel/katprep v0.0.0\n\nreplace github.com/stdevel/katprep => " + here +
			"\n\nrequire (" + requires,
		"go.sum":     string(sum),
		"outside.go": outside,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.CommandContext(t.Context(), "go", "build", "-mod=mod", "./...")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOFLAGS=", "GOPROXY=off", "GOWORK=off")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}
