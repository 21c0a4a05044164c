package acttest

import (
	"cmp"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stdevel/katprep/act"
)

// A HookFixture is something under test that runs POSIX shell scripts.
type HookFixture struct {
	Hook   act.Hook
	Target act.Target
	// Scratch is a directory that scripts and the test both see.
	Scratch string
	// Timeout bounds each call; zero is 60 s.
	Timeout time.Duration
}

// Hook tests that a backend keeps the contract of [act.Hook] and, if it
// offers it, of [act.ScriptFinder].
func Hook(t *testing.T, f HookFixture) {
	if f.Timeout == 0 {
		f.Timeout = time.Minute
	}
	tests := []struct {
		name string
		run  func(*testing.T, HookFixture)
	}{
		{"Exits", hookExits},
		{"Environment", hookEnvironment},
		{"Stdin", hookStdin},
		{"Hangs", hookHangs},
		{"Forks", hookForks},
		{"Floods", hookFloods},
		{"Find", hookFind},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) { test.run(t, f) })
	}
}

var scripts int

func script(text string) act.Script {
	scripts++
	return act.Script{
		Name: "contract", Marker: act.ScriptMarker("contract", scripts, 1), Text: text,
		Timeout: 20 * time.Second, Max: 1000,
	}
}

func runScript(t *testing.T, f HookFixture, s act.Script) act.ScriptOutcome {
	t.Helper()
	o, err := f.Hook.Run(bounded(t, f.Timeout), f.Target, s)
	if err != nil {
		t.Fatalf("Run: %v", err)
	}
	return o
}

func hookExits(t *testing.T, f HookFixture) {
	for _, test := range []struct {
		name, text string
		exit       int
		output     string
	}{
		{"success", "echo fine\n", 0, "fine"},
		{"failure", "echo bad >&2\nexit 3\n", 3, "bad"},
		{"skip", "exit 75\n", 75, ""},
		{"errors end it", "false\necho not reached\n", 1, ""},
		{"unset variables end it", "echo \"$KATPREP_NO_SUCH\" && echo not reached\n", -1, ""},
		{"own interpreter", "#!/bin/sh\nfalse\necho reached\n", 0, "reached"},
		{"quotes and lines", "printf '%s\\n' \"a'b\" 'c\"d' '$(id)'\n", 0, "a'b\nc\"d\n$(id)"},
		{"killed by itself", "kill -9 $$\n", -1, ""},
	} {
		o := runScript(t, f, script(test.text))
		if test.exit >= 0 && o.Exit != test.exit || test.exit < 0 && o.Exit == 0 || o.TimedOut {
			t.Errorf("%s: %+v, want exit code %d", test.name, o, test.exit)
		}
		if !strings.Contains(o.Output, test.output) || strings.Contains(o.Output, "not reached") {
			t.Errorf("%s: output %q, want %q", test.name, o.Output, test.output)
		}
	}
}

func hookEnvironment(t *testing.T, f HookFixture) {
	s := script("printf '%s|%s|%s' \"$KATPREP_HOST\" \"$ODD\" \"$LC_ALL\"\n")
	odd := "a 'b' \"c\" $(id) `id` \\ ; ü\nnext line"
	s.Env = map[string]string{"KATPREP_HOST": "web1.example.com", "ODD": odd}
	if o, want := runScript(t, f, s), "web1.example.com|"+odd+"|C"; !strings.Contains(o.Output, want) {
		t.Errorf("output %q, want %q", o.Output, want)
	}
	s = script("true\n")
	s.Env = map[string]string{"BAD;reboot": "x"}
	if o, err := f.Hook.Run(bounded(t, f.Timeout), f.Target, s); err == nil {
		t.Errorf("a variable named BAD;reboot = %+v, want an error", o)
	}
}

func hookStdin(t *testing.T, f HookFixture) {
	s := script("cat\n")
	s.Stdin = []byte(`{"run":"x","hosts":["a"]}` + "\n")
	o := runScript(t, f, s)
	if line := strings.TrimSpace(o.Output); !json.Valid([]byte(line)) || line != strings.TrimSpace(string(s.Stdin)) {
		t.Errorf("standard input arrived as %q", o.Output)
	}
	if o := runScript(t, f, script("cat; echo end\n")); strings.TrimSpace(o.Output) != "end" {
		t.Errorf("without standard input: output %q", o.Output)
	}
}

func hookHangs(t *testing.T, f HookFixture) {
	s := script("echo before; trap 'echo asked; exit 9' TERM; while :; do sleep 0.1; done\n")
	s.Timeout = time.Second
	o := runScript(t, f, s)
	if !o.TimedOut || !strings.Contains(o.Output, "before") || !strings.Contains(o.Output, "asked") {
		t.Errorf("%+v: want a script that was asked to end", o)
	}
}

// alive says whether a process that writes the time into a file still does.
func alive(t *testing.T, file string) bool {
	t.Helper()
	before, err := os.ReadFile(file)
	if err != nil {
		t.Fatalf("the script did not write: %v", err)
	}
	time.Sleep(700 * time.Millisecond)
	after, err := os.ReadFile(file)
	return err == nil && string(before) != string(after)
}

func hookForks(t *testing.T, f HookFixture) {
	file := filepath.Join(f.Scratch, "child")
	child := "(trap '' TERM; i=0; while :; do i=$((i+1)); echo $i >'" + file + "'; sleep 0.1; done) &\n"
	s := script(child + child + "wait\n")
	s.Timeout = time.Second
	if o := runScript(t, f, s); !o.TimedOut {
		t.Errorf("%+v: want a time-out", o)
	}
	if alive(t, file) {
		t.Error("a child of the script lives on")
	}
	started := time.Now()
	o := runScript(t, f, script("sleep 300 &\necho parent ends\n"))
	if o.Exit != 0 || time.Since(started) > 20*time.Second {
		t.Errorf("%+v after %v: a child with the output open held the hook", o, time.Since(started))
	}
}

func hookFloods(t *testing.T, f HookFixture) {
	s := script("echo first; head -c 50000000 /dev/zero | tr '\\0' x; echo; echo last\n")
	o := runScript(t, f, s)
	if o.Exit != 0 || len(o.Output) > 3000 || !strings.HasPrefix(o.Output, "first") || !strings.HasSuffix(strings.TrimSpace(o.Output), "last") {
		t.Errorf("exit %d, %d bytes of output: want both ends only", o.Exit, len(o.Output))
	}
}

func hookFind(t *testing.T, f HookFixture) {
	finder, ok := f.Hook.(act.ScriptFinder)
	if !ok {
		t.Skip("the backend cannot look for scripts")
	}
	s := script("exit 4\n")
	runScript(t, f, s)
	o, ended, found, err := finder.FindScript(bounded(t, f.Timeout), f.Target, s.Marker)
	if err != nil || !found || !ended || o.Exit != 4 {
		t.Errorf("FindScript = %+v, ended %v, found %v, error %v; want exit code 4", o, ended, found, err)
	}
	other := cmp.Or(s.Marker, markerA) + "1"
	if _, _, found, err := finder.FindScript(bounded(t, f.Timeout), f.Target, other); err != nil || found {
		t.Errorf("FindScript of a script that never was: found %v, error %v", found, err)
	}
}
