package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/stdevel/katprep/internal/landscape"
	"github.com/stdevel/katprep/internal/monlab"
	"github.com/stdevel/katprep/internal/rfc3161/tsa"
)

// TestMain registers the commands of the scripts: katprep as it is built, and
// landscape, a simulated Foreman with Katello.
func TestMain(m *testing.M) {
	testscript.Main(inLab{m}, map[string]func(){
		"katprep":   main,
		"landscape": serveLandscape,
		"fetch":     fetch,
		"vcenter":   serveVCenter,
	})
}

// inLab stops the monitoring systems that tests started.
type inLab struct{ *testing.M }

// Run runs the tests.
func (m inLab) Run() int { return monlab.Main(m.M, &monitors) }

// TestScripts runs testdata/script/*.txtar: the command line as a user types
// it, offline, in an empty HOME.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(e *testscript.Env) error {
			e.Setenv("HOME", e.WorkDir)
			e.Setenv("KATPREP_ETC", filepath.Join(e.WorkDir, "etc")) // the system's own stays as it is
			e.Setenv("NO_COLOR", "1")
			e.Setenv("GIT_CONFIG_NOSYSTEM", "1")
			return nil
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"waitfile": waitFile,
			"tsa":      stampService(t),
		},
	})
}

// waitFile waits until a file exists: "waitfile url".
func waitFile(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: waitfile FILE")
	}
	for range 600 {
		if b, err := os.ReadFile(ts.MkAbs(args[0])); err == nil && len(b) > 0 {
			ts.Setenv("URL", string(b))
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	ts.Fatalf("%s did not appear", args[0])
}

// stampService runs a time-stamp authority: "tsa" starts it, and "tsa down"
// and "tsa up" make it fail and answer again.
func stampService(t *testing.T) func(ts *testscript.TestScript, neg bool, args []string) {
	var running sync.Map // by script
	return func(ts *testscript.TestScript, _ bool, args []string) {
		if len(args) == 0 {
			service := tsa.Start(t, "sha256")
			running.Store(ts, service)
			ts.Setenv("TSA", service.URL)
			ts.Setenv("TSA_CA", service.CAFile)
			return
		}
		service, ok := running.Load(ts)
		if !ok {
			ts.Fatalf("tsa is not started")
		}
		service.(*tsa.Authority).SetDown(args[0] == "down")
	}
}

// serveLandscape is "landscape URLFILE [HOSTS [SPEED]]": it serves until it is
// killed. With a speed its time passes, that many times as fast.
func serveLandscape() {
	hosts := 10
	if len(os.Args) > 2 {
		hosts, _ = strconv.Atoi(os.Args[2])
	}
	speed := 0.0
	if len(os.Args) > 3 {
		speed, _ = strconv.ParseFloat(os.Args[3], 64)
	}
	ln, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	tmp := os.Args[1] + ".tmp"
	if err := os.WriteFile(tmp, []byte("http://"+ln.Addr().String()), 0o644); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	if err := os.Rename(tmp, os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	srv := &http.Server{Handler: landscape.New(landscape.Options{Hosts: hosts, Speed: speed}), ReadHeaderTimeout: time.Minute}
	srv.Serve(ln)
}

// fetch is "fetch URL": what the landscape says, as its admin sees it.
func fetch() {
	req, err := http.NewRequestWithContext(context.Background(), http.MethodGet, os.Args[1], nil)
	if err == nil {
		req.SetBasicAuth("admin", "changeme")
		var resp *http.Response
		if resp, err = http.DefaultClient.Do(req); err == nil {
			defer resp.Body.Close()
			_, err = io.Copy(os.Stdout, resp.Body)
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
