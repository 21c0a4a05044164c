package main

import (
	"fmt"
	"maps"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stdevel/katprep/docs"
	"github.com/stdevel/katprep/internal/docsite"
	"github.com/stdevel/katprep/internal/landscape"
	"github.com/stdevel/katprep/internal/peers"
)

// TestDocumentationSite builds all pages, which fails for a link that leads
// nowhere.
func TestDocumentationSite(t *testing.T) {
	pages, err := docPages(grammar(t))
	if err != nil {
		t.Fatal(err)
	}
	files, err := docsite.Build("katprep", "", pages)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"index.html", "tutorial.html", "explanation.html", "man/katprep-snapshot.1.html", "man/katprep.yml.5.html"} {
		if len(files[want]) == 0 {
			t.Errorf("there is no %s", want)
		}
	}
}

// TestDocumentedCommands runs the console blocks of the documentation as they
// are printed, those of one page in one shell and one empty home, and compares
// what they print: "…" stands for any text, on a line of its own for any
// lines. Blocks that need what a test has not say "not-run", and what a block
// takes for granted is in a comment of the page. Their server is a simulated
// Foreman.
func TestDocumentedCommands(t *testing.T) {
	if testing.Short() {
		t.Skip("plays whole patch days")
	}
	peers.Need(t, "git", "ssh-keygen")
	entries, err := docs.Files.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	ran := 0
	for _, e := range entries {
		text, err := docs.Files.ReadFile(e.Name())
		if err != nil {
			t.Fatal(err)
		}
		steps := consoleSteps(string(text))
		if len(steps) == 0 {
			continue
		}
		ran++
		t.Run(e.Name(), func(t *testing.T) {
			t.Parallel()
			runSteps(t, steps)
		})
	}
	if ran < 5 {
		t.Errorf("only %d pages have commands", ran)
	}
	t.Run("manual", func(t *testing.T) {
		t.Parallel()
		runSteps(t, manualSteps(t))
	})
}

// manualSteps are the examples of all manual pages, after what they take for
// granted: a configuration, a run that is over and one that is planned.
func manualSteps(t *testing.T) []consoleStep {
	t.Helper()
	steps := []consoleStep{{command: `export KATPREP_CREDENTIAL_SATELLITE_USER=admin KATPREP_CREDENTIAL_SATELLITE_PASSWORD=changeme
cat >katprep.yml <<'END'
archive: {path: archive.git}
sources: [{name: satellite, type: foreman, url: "https://satellite.example.com"}]
END
{
	katprep init && katprep snapshot --before patch-2026-10 && katprep maintenance plan patch-2026-10 --host 'app01*' --reboot never &&
	katprep maintenance run patch-2026-10 && katprep snapshot --after patch-2026-10 && katprep snapshot --before patch-2026-11 &&
	katprep maintenance plan patch-2026-11 --vm-snapshot never
} >prepared 2>&1 || cat prepared
`}}
	pages := allPages(t)
	for _, name := range slices.Sorted(maps.Keys(pages)) {
		steps = append(steps, consoleSteps(string(pages[name].Markdown))...)
	}
	if len(steps) < 25 {
		t.Errorf("only %d examples", len(steps))
	}
	return steps
}

// A consoleStep is a command and what it prints.
type consoleStep struct{ command, want string }

func consoleSteps(md string) []consoleStep {
	var steps []consoleStep
	for _, block := range regexp.MustCompile("(?ms)^(?:```|<!-- )console\n(.*?)^(?:```|-->)").FindAllStringSubmatch(md, -1) {
		for line := range strings.Lines(block[1]) {
			if command, ok := strings.CutPrefix(line, "$ "); ok && !shownByDemo(steps, line) {
				steps = append(steps, consoleStep{command: command})
				continue
			}
			s := &steps[len(steps)-1]
			if more, ok := strings.CutPrefix(line, "> "); ok {
				s.command += more
			} else if line == ">\n" {
				s.command += "\n"
			} else {
				s.want += line
			}
		}
	}
	return steps
}

// shownByDemo says whether a line with a prompt is what the demo prints: its
// part ends with the name of the site.
func shownByDemo(steps []consoleStep, line string) bool {
	if len(steps) == 0 {
		return false
	}
	s := steps[len(steps)-1]
	return s.command == "katprep demo\n" && !strings.Contains(s.want, "The site:")
}

func runSteps(t *testing.T, steps []consoleStep) {
	server := httptest.NewServer(landscape.New(landscape.Options{Hosts: 8, Speed: 1000, Start: time.Now()}))
	t.Cleanup(server.Close)
	var script strings.Builder
	for i, s := range steps {
		command := strings.ReplaceAll(s.command, "https://satellite.example.com", server.URL)
		if strings.Contains(s.command, "katprep migrate") || strings.Contains(s.command, "old.cron") {
			command = s.command
		}
		fmt.Fprintf(&script, "printf '\\036%d\\n'\n{\n%s} 2>&1\nprintf '\\037%%d' $?\n", i, command)
	}
	home := t.TempDir()
	cmd := exec.CommandContext(t.Context(), "sh", "-s")
	cmd.Dir, cmd.Stdin = home, strings.NewReader(script.String())
	cmd.Env = []string{"HOME=" + home, "KATPREP_ETC=" + home + "/etc", "PATH=" + os.Getenv("PATH"), "NO_COLOR=1", "GIT_CONFIG_NOSYSTEM=1", "LC_ALL=C.UTF-8", "TMPDIR=" + os.TempDir()}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	parts := strings.Split(string(out), "\x1e")[1:]
	if len(parts) != len(steps) {
		t.Fatalf("%d of %d commands ran\n%s", len(parts), len(steps), out)
	}
	for i, p := range parts {
		got, code, _ := strings.Cut(p[strings.IndexByte(p, '\n')+1:], "\x1f")
		if code != "0" {
			t.Errorf("$ %sexit code %s\n%s", steps[i].command, code, got)
		}
		if !matches(steps[i].want, got) {
			t.Errorf("$ %sprints\n%s\nbut is documented as\n%s", steps[i].command, got, steps[i].want)
		}
	}
}

func matches(want, got string) bool {
	pattern := regexp.QuoteMeta(want)
	pattern = regexp.MustCompile(`(?m)^…\n`).ReplaceAllString(pattern, `(?:.*\n)*?`)
	pattern = strings.ReplaceAll(pattern, "…", `.*`)
	return regexp.MustCompile(`^` + pattern + `$`).MatchString(got)
}

func TestMatches(t *testing.T) {
	for _, c := range []struct {
		want, got string
		is        bool
	}{
		{"a\n", "a\n", true}, {"a\n", "a\nb\n", false}, {"a\n…\nd\n", "a\nb\nc\nd\n", true}, {"a …x\n", "a b x\n", true},
		{"a…\n", "a\nb\n", false}, {"…\n", "", true}, {"", "a\n", false},
	} {
		if matches(c.want, c.got) != c.is {
			t.Errorf("%q against %q", c.want, c.got)
		}
	}
	steps := consoleSteps("```console\n$ cat <<E\n> x\n> E\nx\n$ b\n```\n```console not-run\n$ c\n```\n")
	if len(steps) != 2 || steps[0].command != "cat <<E\nx\nE\n" || steps[0].want != "x\n" {
		t.Errorf("%+v", steps)
	}
}

// TestPackagingNamesRealThings looks for the files that docs name.
func TestPackagingNamesRealThings(t *testing.T) {
	for _, name := range []string{"ci/gitlab-ci.yml", "ci/github-actions.yml", "systemd/katprep-snapshot.timer"} {
		if _, err := os.Stat(filepath.Join("..", "..", "packaging", name)); err != nil {
			t.Error(err)
		}
	}
}
