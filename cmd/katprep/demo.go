package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/internal/landscape"
)

type demoCmd struct {
	Dir   string `arg:"" optional:"" default:"katprep-demo" help:"Folder for the archive, the report and the site; it must be empty or not exist."`
	Hosts int    `default:"40" placeholder:"N" help:"Size of the simulated landscape."`
}

// Help adds to the command's help.
func (demoCmd) Help() string {
	return `Starts a simulated Foreman with Katello on this machine, takes its hosts through
a patch day with the same code as a real server, and leaves archive, report and
site in a folder. Nothing else is touched.`
}

// Run plays the patch day.
func (c *demoCmd) Run(a *app) error {
	dir, err := c.makeDir()
	if err != nil {
		return err
	}
	url, stop, err := serveDemo(a.ctx, c.Hosts)
	if err != nil {
		return err
	}
	defer stop()
	d, err := demoApp(a, dir, url)
	if err != nil {
		return err
	}
	defer d.close()
	if err := playDemo(d, url, dir); err != nil && katprep.KindOf(err) != katprep.Partial {
		return err
	}
	fmt.Fprintf(a.term.Out(), "\nThe archive: git -C %s log\nThe report:  %s\nThe site:    %s\n",
		filepath.Join(dir, "archive.git"), filepath.Join(dir, "report", "summary.html"), filepath.Join(dir, "site", "index.html"))
	return nil
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

// serveDemo starts the landscape on loopback; it knows one host that fails
// and one that cannot be read.
func serveDemo(ctx context.Context, hosts int) (url string, stop func(), err error) {
	ln, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, fmt.Errorf("start the simulated landscape: %w", err)
	}
	srv := &http.Server{
		Handler:           landscape.New(landscape.Options{Hosts: hosts, Start: time.Now(), Speed: 300}),
		ReadHeaderTimeout: 10 * time.Second,
	}
	go srv.Serve(ln)
	return "http://" + ln.Addr().String(), func() { srv.Close() }, nil
}

// demoApp is an app with the demo's own configuration and credential.
func demoApp(a *app, dir, url string) (*app, error) {
	path := filepath.Join(dir, "katprep.yml")
	text := fmt.Sprintf(`# Written by "katprep demo". The simulated server is gone when the demo ends;
# archive, report and site stay.
archive: {path: archive.git}
sources:
  - {name: demo, type: foreman, url: %q, credential: demo}
`, url)
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		return nil, fmt.Errorf("write the demo's configuration: %w", err)
	}
	env := map[string]string{"KATPREP_CREDENTIAL_DEMO_USER": "admin", "KATPREP_CREDENTIAL_DEMO_PASSWORD": "changeme"}
	for k, v := range a.env {
		if _, ok := env[k]; !ok {
			env[k] = v
		}
	}
	c := *a.cli
	c.Config, c.Archive = path, ""
	return newApp(a.ctx, &c, a.term, a.std, env), nil
}

const demoRun = "demo-patch-day"

func playDemo(d *app, url, dir string) error {
	if err := (initCmd{NoConfig: true}).Run(d); err != nil {
		return err
	}
	if err := softly((&snapshotCmd{Before: demoRun}).Run(d)); err != nil {
		return err
	}
	if err := demoPatch(d, url); err != nil {
		return err
	}
	if err := softly((&snapshotCmd{After: demoRun}).Run(d)); err != nil {
		return err
	}
	pair := pairFlags{Run: demoRun}
	if err := softly((&reportCmd{pairFlags: pair, Out: filepath.Join(dir, "report"), Format: []string{"html", "markdown", "json", "csv"}}).Run(d)); err != nil {
		return err
	}
	return (&siteBuildCmd{Out: filepath.Join(dir, "site")}).Run(d)
}

// softly lets the demo go on when hosts are unknown: that is part of the show.
func softly(err error) error {
	if katprep.KindOf(err) == katprep.Partial {
		return nil
	}
	return err
}

// demoPatch installs all errata by one job and reboots what needs it.
func demoPatch(d *app, url string) error {
	for _, job := range []map[string]any{
		{"feature": "katello_errata_install_by_search", "search_query": "name ~ .", "targeting_type": "static_query", "inputs": map[string]string{"Errata search query": ""}},
		{"feature": "katello_service_restart", "search_query": "trace_status = reboot_needed", "targeting_type": "static_query", "inputs": map[string]string{"helper": "reboot"}},
	} {
		if err := demoJob(d.ctx, url, job); err != nil {
			return err
		}
		select {
		case <-time.After(2 * time.Second):
		case <-d.ctx.Done():
			return d.ctx.Err()
		}
	}
	return nil
}

func demoJob(ctx context.Context, url string, job map[string]any) error {
	body, err := json.Marshal(map[string]any{"job_invocation": job})
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url+"/api/job_invocations", bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	req.SetBasicAuth("admin", "changeme")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, 1<<16))
	if err == nil && resp.StatusCode != http.StatusCreated {
		err = errors.New(string(answer))
	}
	return err
}
