// Package foreman_test holds the job templates for Foreman to what Foreman
// does with them, as far as that can be tried without one.
package foreman_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stdevel/katprep/internal/peers"
)

// renderer renders the template as Foreman does (ERB with "-" trimming) with
// the inputs of the environment. It refuses what Foreman's safe mode would:
// methods beyond those that it allows for strings, and anything but input().
// It reads the head, too.
const renderer = `
require "erb"; require "yaml"; require "ripper"
text = File.read(ARGV[0])
head = YAML.safe_load(text[/\A<%#\n(.*?)%>/m, 1])
raise "no job template" unless head["kind"] == "job_template" && head["model"] == "JobTemplate" && head["name"]
names = head["template_inputs"].map { |i| i.fetch("name") }
allowed = %w(input to_s delete empty? length)
code = text.scan(/<%(?!#)=?(.*?)-?%>/m).map { |m| m[0] }.join("\n")
walk = lambda do |n|
  next unless n.is_a?(Array)
  if [:call, :fcall, :vcall, :command, :command_call].include?(n[0])
    n.each { |x| raise "method #{x[1]} is not allowed" if x.is_a?(Array) && x[0] == :@ident && !allowed.include?(x[1]) }
  end
  raise "#{n[0]} is not allowed" if [:xstring_literal, :gvar, :@gvar, :class, :def, :@backtick].include?(n[0])
  n.each { |x| walk.call(x) }
end
tree = Ripper.sexp(code) or raise "not Ruby"
walk.call(tree)
self.class.send(:define_method, :input) { |n| raise "no input #{n}" unless names.include?(n); ENV["IN_" + n] }
puts ERB.new(text, trim_mode: "-").result(binding)
`

// TestSnapshotTemplate renders the template with inputs, runs the script with
// a katprep that tells its arguments, and sees that nothing else is run.
func TestSnapshotTemplate(t *testing.T) {
	peers.Need(t, "ruby")
	dir := t.TempDir()
	for name, script := range map[string]string{
		"katprep": "#!/bin/sh\nprintf '[%s]' \"$@\"\n",
		"runuser": "#!/bin/sh\nshift 3\nexec \"$@\"\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(script), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	const begin = "[--config][/etc/katprep/katprep.yml][snapshot]"
	const inject = "x'; touch EVIL; echo '"
	for _, x := range []struct {
		phase, run, hosts, group string
		want                     string // of standard output; "" if it must refuse
	}{
		{"none", "", "", "", begin},
		{"before", "patch-2026.11_a", "", "", begin + "[--before=patch-2026.11_a]"},
		{"after", "p", "web*,db01.example.com", "base/my web", begin + "[--after=p][--host=web*,db01.example.com][--group=base/my web]"},
		{"after", "", "", "", ""},
		{"none", "p", "", "", ""},
		{"sometimes", "p", "", "", ""},
		{"after", inject, "", "", ""},
		{"after", "p\ntouch EVIL", "", "", ""},
		{"none", "", inject, "", ""},
		{"none", "", "$(touch EVIL)", "", ""},
		{"none", "", "", "`touch EVIL`", ""},
		{inject, "p", "", "", ""},
		{"after", strings.Repeat("a", 65), "", "", ""},
	} {
		out, code := runTemplate(t, dir, x.phase, x.run, x.hosts, x.group)
		if out != x.want || (x.want == "") != (code == 2) {
			t.Errorf("%+v: %q, exit %d", x, out, code)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "EVIL")); !errors.Is(err, os.ErrNotExist) {
		t.Error("an input was run")
	}
}

// TestRendererRefuses: the checks of the test itself catch what Foreman's safe
// mode would refuse.
func TestRendererRefuses(t *testing.T) {
	peers.Need(t, "ruby")
	b, err := os.ReadFile("katprep_snapshot.erb")
	if err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{"run.send(:x)", "system('id')", "`id`", "File.read('/etc/passwd')", "input('nosuch')"} {
		file := filepath.Join(t.TempDir(), "x.erb")
		if err := os.WriteFile(file, append(b, []byte("<% "+bad+" %>")...), 0o644); err != nil {
			t.Fatal(err)
		}
		if out, err := exec.CommandContext(t.Context(), "ruby", "-e", renderer, file).CombinedOutput(); err == nil || !strings.Contains(string(out), "not allowed") && !strings.Contains(string(out), "no input") {
			t.Errorf("%s: %v %s", bad, err, out)
		}
	}
}

func runTemplate(t *testing.T, dir, phase, run, hosts, group string) (out string, code int) {
	t.Helper()
	abs, err := filepath.Abs("katprep_snapshot.erb")
	if err != nil {
		t.Fatal(err)
	}
	render := exec.CommandContext(t.Context(), "ruby", "-e", renderer, abs)
	render.Env = append(os.Environ(), "IN_phase="+phase, "IN_run="+run, "IN_hosts="+hosts, "IN_group="+group)
	script, err := render.Output()
	if err != nil {
		var ee *exec.ExitError
		if errors.As(err, &ee) {
			t.Fatalf("render: %s", ee.Stderr)
		}
		t.Fatal(err)
	}
	if !strings.HasPrefix(strings.TrimLeft(string(script), "\n"), "#!/bin/sh\n") {
		t.Fatalf("script %q", script)
	}
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), "sh")
	cmd.Stdin = strings.NewReader(string(script))
	cmd.Dir = dir
	cmd.Env = []string{"PATH=" + dir + ":" + os.Getenv("PATH")}
	b, err := cmd.Output()
	var ee *exec.ExitError
	if errors.As(err, &ee) {
		return string(b), ee.ExitCode()
	} else if err != nil {
		t.Fatal(err)
	}
	return string(b), 0
}
