package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/act"
	actforeman "github.com/stdevel/katprep/act/foreman"
	"github.com/stdevel/katprep/internal/landscape"
	"github.com/stdevel/katprep/internal/term"
)

type demoCmd struct {
	Dir   string `arg:"" optional:"" default:"katprep-demo" help:"Folder for the archive, the report and the site; it must be empty or not exist."`
	Hosts int    `default:"40" placeholder:"N" help:"Size of the simulated landscape."`
}

// Help adds to the command's help.
func (demoCmd) Help() string {
	return `Starts a simulated Foreman with Katello on this machine, takes its hosts through
a patch day with the commands that a real server would need, and leaves archive,
report and site in a folder. Nothing else is touched.`
}

// demoHurry is how much sooner the landscape's jobs, boots and delays end than
// real ones. Its clock is ours: what it says happened then.
const demoHurry = 60

// demoPace is how a demo hurries what would take minutes on real hosts.
type demoPace struct{}

func (demoPace) foreman(o *actforeman.Options) {
	o.Poll, o.Gather, o.BootDelay = 100*time.Millisecond, 100*time.Millisecond, 500*time.Millisecond
}

func (demoPace) engine(o *act.Options) {
	o.Gather, o.Poll = 300*time.Millisecond, 200*time.Millisecond
}

// demoLines are the commands of the patch day, as a user would type them.
var demoLines = [][]string{
	{"init", "--no-config"},
	{"snapshot", "--before", demoRun},
	{"maintenance", "plan", demoRun, "--title", "Patch day of the demo", "--vm-snapshot", "never"},
	{"approve", demoRun, "--comment", "Change 4711, window agreed with all owners"},
	{"maintenance", "run", demoRun, "--yes"},
	{"snapshot", "--after", demoRun},
	{"sign-off", demoRun, "--comment", "One host failed and one is unknown: both are followed up"},
	{"diff", "--run", demoRun, "--host", "db01*"},
	{"report", "--run", demoRun, "--format", "html", "--format", "markdown", "--format", "csv", "--out", "report"},
	{"site", "build", "--out", "site"},
}

const demoRun = "demo-patch-day"

// Run plays the patch day.
func (c *demoCmd) Run(a *app) error {
	dir, err := c.makeDir()
	if err != nil {
		return err
	}
	server := landscape.New(landscape.Options{
		Hosts: c.Hosts, Start: time.Now(), Speed: 1, Hurry: demoHurry,
	})
	url, stop, err := serveDemo(a.ctx, server)
	if err != nil {
		return err
	}
	defer stop()
	if err := writeDemoConfig(dir, url); err != nil {
		return err
	}
	for _, line := range demoLines {
		demoTrouble(server, line)
		fmt.Fprintf(a.term.Out(), "\n%s\n", a.term.Styled(term.Bold, "$ katprep "+shellWords(line)))
		if code := c.play(a, dir, line); code != 0 && code != exitPartial {
			return katprep.Errorf(katprep.Internal, "the demo's command failed with exit code %d: katprep %s", code, shellWords(line))
		}
		if err := a.ctx.Err(); err != nil {
			return err
		}
	}
	fmt.Fprintf(a.term.Out(), "\nThe archive: git -C %s log\nThe report:  %s\nThe site:    %s\n",
		filepath.Join(dir, "archive.git"), filepath.Join(dir, "report", "summary.html"), filepath.Join(dir, "site", "index.html"))
	return nil
}

// shellWords shows a command line as it would be typed.
func shellWords(words []string) string {
	quoted := make([]string, len(words))
	for i, w := range words {
		if quoted[i] = w; strings.ContainsAny(w, " *'\"") {
			quoted[i] = "'" + strings.ReplaceAll(w, "'", `'\''`) + "'"
		}
	}
	return strings.Join(quoted, " ")
}

func (c *demoCmd) makeDir() (string, error) {
	dir, err := filepath.Abs(c.Dir)
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", katprep.Errorf(katprep.Invalid, "make the demo's folder: %w", err).WithHint("katprep demo DIR")
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return "", err
	}
	if len(entries) > 0 {
		return "", katprep.Errorf(katprep.Invalid, "the folder %s is not empty", dir).WithHint("katprep demo ANOTHER-FOLDER, or remove it")
	}
	return dir, nil
}

// demoTrouble lets things go wrong that a report must not gloss over: the
// patches of one host fail, and another cannot be read afterwards.
func demoTrouble(server *landscape.Server, line []string) {
	var hosts []string // outside of the first wave
	for _, n := range server.Names() {
		if strings.HasPrefix(n, "app") || strings.HasPrefix(n, "sap") {
			hosts = append(hosts, n)
		}
	}
	if len(hosts) < 2 {
		return
	}
	switch {
	case line[0] == "maintenance" && line[1] == "run":
		server.SetHostFault(hosts[0], landscape.HostFault{JobFails: true})
	case line[0] == "snapshot" && line[1] == "--after":
		server.SetHostFault(hosts[len(hosts)-1], landscape.HostFault{Unreadable: http.StatusInternalServerError})
	}
}

// serveDemo serves the landscape on loopback.
func serveDemo(ctx context.Context, server *landscape.Server) (url string, stop func(), err error) {
	ln, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, fmt.Errorf("start the simulated landscape: %w", err)
	}
	srv := &http.Server{Handler: server, ReadHeaderTimeout: 10 * time.Second}
	go srv.Serve(ln)
	return "http://" + ln.Addr().String(), func() { srv.Close() }, nil
}

func writeDemoConfig(dir, url string) error {
	text := fmt.Sprintf(`# Written by "katprep demo". The simulated server is gone when the demo ends;
# archive, report and site stay.
archive: {path: archive.git}
sources:
  - {name: demo, type: foreman, url: %q, credential: demo}
maintenance:
  on_failure: continue
  state_dir: state
  waves:
    - {name: canary, host_groups: ["base/web"], percent: 30, gate: health}
policy:
  deadlines: {critical: 14d, important: 30d, moderate: 90d}
site: {title: Patch evidence of the demo}
`, url)
	if err := os.WriteFile(filepath.Join(dir, "katprep.yml"), []byte(text), 0o644); err != nil {
		return fmt.Errorf("write the demo's configuration: %w", err)
	}
	return nil
}

// play runs one command line as a user would, in the demo's folder.
func (c *demoCmd) play(a *app, dir string, line []string) int {
	args := []string{"--config", filepath.Join(dir, "katprep.yml"), "--color", a.cli.Color}
	for i, w := range line {
		if i > 0 && line[i-1] == "--out" {
			w = filepath.Join(dir, w)
		}
		args = append(args, w)
	}
	env := []string{"KATPREP_CREDENTIAL_DEMO_USER=admin", "KATPREP_CREDENTIAL_DEMO_PASSWORD=changeme"}
	for k, v := range a.env {
		if !strings.HasPrefix(k, "KATPREP_") {
			env = append(env, k+"="+v)
		}
	}
	std := a.std
	short := &headWriter{w: a.term.Out(), left: demoShown}
	std.out = short
	code := runWith(a.ctx, args, std, env, &demoPace{})
	if short.hidden > 0 {
		fmt.Fprintf(a.term.Out(), "… and %d more lines\n", short.hidden)
	}
	return code
}

// demoShown is how many lines of a command's output the demo shows.
const demoShown = 16

// headWriter passes the first lines on and counts the others.
type headWriter struct {
	w            io.Writer
	left, hidden int
}

func (h *headWriter) Write(p []byte) (int, error) {
	for line := range strings.Lines(string(p)) {
		if h.left > 0 {
			if _, err := io.WriteString(h.w, line); err != nil {
				return 0, err
			}
		}
		if !strings.HasSuffix(line, "\n") {
			continue
		}
		if h.left > 0 {
			h.left--
		} else {
			h.hidden++
		}
	}
	return len(p), nil
}
