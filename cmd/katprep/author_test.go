package main

import (
	"bytes"
	"maps"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stdevel/katprep/internal/peers"
	"github.com/stdevel/katprep/internal/term"
)

// TestWhoDidIt holds who is the author of a commit, as Git shows it: --as, the
// CI system's person, Git's variables, who called sudo.
func TestWhoDidIt(t *testing.T) {
	peers.Need(t, "git")
	for _, c := range []struct {
		what string
		as   string
		env  map[string]string
		want string
	}{
		{"--as", "Ann Admin <ann@example.com>", map[string]string{"GITLAB_USER_NAME": "Bob"}, "Ann Admin <ann@example.com>"},
		{"GitLab", "", map[string]string{"GITLAB_USER_NAME": "Bob Builder", "GITLAB_USER_EMAIL": "bob@example.com", "GIT_AUTHOR_NAME": "x"}, "Bob Builder <bob@example.com>"},
		{"GitHub", "", map[string]string{"GITHUB_ACTOR": "octo"}, "octo <octo@" + hostname() + ">"},
		{"Jenkins", "", map[string]string{"BUILD_USER": "Jo Jenkins", "BUILD_USER_EMAIL": "jo@example.com"}, "Jo Jenkins <jo@example.com>"},
		{"Azure", "", map[string]string{"BUILD_REQUESTEDFOR": "Al", "BUILD_REQUESTEDFOREMAIL": "al@example.com"}, "Al <al@example.com>"},
		{"Git", "", map[string]string{"GIT_AUTHOR_NAME": "Cid", "GIT_AUTHOR_EMAIL": "cid@example.com", "SUDO_USER": "x"}, "Cid <cid@example.com>"},
		{"sudo", "", map[string]string{"SUDO_USER": "dora"}, "dora <dora@" + hostname() + ">"},
		{"hostile", "Eve\n<evil>\x00", nil, "Eve <evil>"},
	} {
		t.Run(c.what, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "a.git")
			env := map[string]string{"KATPREP_ETC": t.TempDir()}
			maps.Copy(env, c.env)
			said := &bytes.Buffer{}
			a := newApp(t.Context(), &cli{As: c.as, Archive: path}, term.New(term.Options{Out: said, Err: said}), streams{strings.NewReader(""), said, said}, env)
			t.Cleanup(a.close)
			if got := commitOnce(t, a, path); got[0] != c.want {
				t.Errorf("the author is %q, want %q", got[0], c.want)
			} else if by := got[1]; !strings.HasPrefix(by, "katprep") || strings.Contains(by, "run by") != (c.as != "") {
				t.Errorf("the committer is %q", by)
			}
		})
	}
}

// commitOnce lets an app make one commit, and returns its author and committer.
func commitOnce(t *testing.T, a *app, path string) [2]string {
	t.Helper()
	if err := (&initCmd{NoConfig: true}).Run(a); err != nil {
		t.Fatal(err)
	}
	arc, err := a.archive()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := arc.PutExceptions(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), "git", "-C", path, "log", "-1", "--format=%an <%ae>%n%cn", "main").Output()
	if err != nil {
		t.Fatal(err)
	}
	author, committer, _ := strings.Cut(strings.TrimSpace(string(out)), "\n")
	return [2]string{author, committer}
}
