package hook_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/act"
	"github.com/stdevel/katprep/act/acttest"
	"github.com/stdevel/katprep/act/hook"
)

var target = act.Target{Host: katprep.Host{HostID: katprep.HostID{Source: "s", ID: "1"}, Name: "web1.example.com"}}

func TestRunnerKeepsTheContract(t *testing.T) {
	acttest.Hook(t, acttest.HookFixture{Hook: &hook.Runner{Dir: t.TempDir()}, Target: target, Scratch: t.TempDir()})
}

// The process that starts a script is killed; another one finds the outcome.
func TestFindScriptAfterKill(t *testing.T) {
	if os.Getenv("KATPREP_TEST_HOOK_DIR") != "" {
		child(t)
		return
	}
	dir := t.TempDir()
	gate := filepath.Join(t.TempDir(), "gate")
	cmd := exec.Command(os.Args[0], "-test.run=^TestFindScriptAfterKill$")
	cmd.Env = append(os.Environ(), "KATPREP_TEST_HOOK_DIR="+dir, "KATPREP_TEST_GATE="+gate)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	poll(t, func() bool { _, err := os.Stat(gate + ".started"); return err == nil })
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	r := &hook.Runner{Dir: dir}
	_, ended, found, err := r.FindScript(t.Context(), target, "katprep-kill-s1.1")
	if err != nil || !found || ended {
		t.Fatalf("while it runs: ended %v, found %v, error %v", ended, found, err)
	}
	if err := os.WriteFile(gate, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	var o act.ScriptOutcome
	poll(t, func() bool {
		o, ended, found, err = r.FindScript(t.Context(), target, "katprep-kill-s1.1")
		return ended
	})
	if err != nil || !found || o.Exit != 6 {
		t.Errorf("afterwards: %+v, found %v, error %v; want exit code 6", o, found, err)
	}
}

func child(t *testing.T) {
	r := &hook.Runner{Dir: os.Getenv("KATPREP_TEST_HOOK_DIR")}
	_, err := r.Run(t.Context(), target, act.Script{
		Name: "slow", Marker: "katprep-kill-s1.1",
		Text: "touch \"$GATE.started\"; until test -e \"$GATE\"; do sleep 0.05; done; exit 6\n",
		Env:  map[string]string{"GATE": os.Getenv("KATPREP_TEST_GATE")},
	})
	t.Log(err)
}

func poll(t *testing.T, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !ok(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("it did not come to that")
		}
	}
}

func TestStartedScriptIsNotStartedAgain(t *testing.T) {
	r := &hook.Runner{Dir: t.TempDir()}
	s := act.Script{Name: "once", Marker: "katprep-x-s1.1", Text: "exit 0"}
	if _, err := r.Run(t.Context(), target, s); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Run(t.Context(), target, s); katprep.KindOf(err) != katprep.Conflict {
		t.Errorf("the second run: error %v, want one of kind Conflict", err)
	}
}

// Whoever looks for a script that has not begun keeps it from beginning.
func TestLookingPreventsTheStart(t *testing.T) {
	dir := t.TempDir()
	r := &hook.Runner{Dir: dir}
	s := act.Script{Name: "x", Marker: "katprep-x-s1.1", Text: "exit 0"}
	if _, err := r.Run(t.Context(), target, s); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 {
		t.Fatalf("%v, %v", entries, err)
	}
	made := filepath.Join(dir, entries[0].Name())
	for _, f := range []string{"go", "pid", "rc"} { // as if killed before the wrapper began
		if err := os.RemoveAll(filepath.Join(made, f)); err != nil {
			t.Fatal(err)
		}
	}
	if _, _, found, err := r.FindScript(t.Context(), target, s.Marker); found || err != nil {
		t.Errorf("found %v, error %v", found, err)
	}
	if _, err := os.Stat(filepath.Join(made, "go")); err != nil {
		t.Errorf("the wrapper could still begin: %v", err)
	}
}

// The reason that hooks exist: /usr is mounted read-only, and must be
// writable while packages are installed.
func TestRemountAndBack(t *testing.T) {
	dir, r := t.TempDir(), &hook.Runner{Dir: t.TempDir()}
	usr := filepath.Join(dir, "usr")
	if err := os.Mkdir(usr, 0o555); err != nil {
		t.Fatal(err)
	}
	for i, text := range []string{"chmod u+w \"$USR\"", "touch \"$USR/new\"", "chmod u-w \"$USR\""} {
		o, err := r.Run(t.Context(), target, act.Script{
			Name: "remount", Marker: act.ScriptMarker("remount", i, 1), Text: text, Env: map[string]string{"USR": usr},
		})
		if err != nil || o.Exit != 0 {
			t.Fatalf("%s: %+v, %v", text, o, err)
		}
	}
	if info, err := os.Stat(usr); err != nil || info.Mode().Perm() != 0o555 {
		t.Errorf("usr is %v, %v", info.Mode(), err)
	}
}

func TestMask(t *testing.T) {
	r := &hook.Runner{Dir: t.TempDir(), Mask: func(s string) string { return strings.ReplaceAll(s, "hunter2", "redacted") }}
	o, err := r.Run(t.Context(), target, act.Script{Marker: "katprep-x-s1.1", Text: "echo hunter2"})
	if err != nil || strings.Contains(o.Output, "hunter2") || !strings.Contains(o.Output, "redacted") {
		t.Errorf("%+v, %v", o, err)
	}
}

// An interrupt kills the script with its children, and says how it ended.
func TestInterrupt(t *testing.T) {
	r := &hook.Runner{Dir: t.TempDir()}
	started := filepath.Join(t.TempDir(), "started")
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		for ctx.Err() == nil {
			if _, err := os.Stat(started); err == nil {
				cancel()
			}
			time.Sleep(5 * time.Millisecond)
		}
	}()
	o, err := r.Run(ctx, target, act.Script{
		Marker: "katprep-x-s1.1", Text: "touch \"$F\"; sleep 300 & sleep 300", Env: map[string]string{"F": started},
	})
	if err != nil || o.Exit == 0 || o.TimedOut || o.Took > time.Minute {
		t.Errorf("%+v, %v; want a script that was killed", o, err)
	}
}
