package publish_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/internal/peers"
	"github.com/stdevel/katprep/site/publish"
)

func site(t *testing.T, text string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "public")
	for name, body := range map[string]string{"index.html": text, "hosts/a b.html": "x", ".katprep-site": "mine", ".katprep/run": "mine"} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(body), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func git(t *testing.T, dir string, args ...string) string {
	t.Helper()
	cmd := exec.Command("git", args...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("git %v: %v: %s", args, err, out)
	}
	return string(out)
}

func TestGit(t *testing.T) {
	peers.Need(t, "git")
	repo := filepath.Join(t.TempDir(), "pages.git")
	git(t, "", "init", "--quiet", "--bare", repo)
	first, err := publish.Git(t.Context(), site(t, "one"), repo, "gh-pages", "first")
	if err != nil {
		t.Fatal(err)
	}
	dir := site(t, "two")
	second, err := publish.Git(t.Context(), dir, repo, "gh-pages", "second")
	if err != nil || second == first {
		t.Fatalf("second: %s, %v", second, err)
	}
	if again, err := publish.Git(t.Context(), dir, repo, "gh-pages", "third"); err != nil || again != second {
		t.Errorf("nothing changed, but %s is not %s: %v", again, second, err)
	}
	if got := git(t, repo, "show", "gh-pages:index.html"); got != "two" {
		t.Errorf("the branch holds %q", got)
	}
	files := git(t, repo, "ls-tree", "-r", "--name-only", "gh-pages")
	if strings.Contains(files, ".katprep") || !strings.Contains(files, "hosts/a b.html") {
		t.Errorf("files: %s", files)
	}
	if log := git(t, repo, "rev-list", "--count", "gh-pages"); strings.TrimSpace(log) != "2" {
		t.Errorf("%s commits", log)
	}
	git(t, repo, "fsck", "--strict")
}

func TestGitErrors(t *testing.T) {
	peers.Need(t, "git")
	if _, err := publish.Git(t.Context(), site(t, "x"), filepath.Join(t.TempDir(), "none"), "pages", "m"); katprep.KindOf(err) != katprep.Unreachable {
		t.Errorf("a repository that is not there: %v", err)
	}
	for _, repo := range []string{"--upload-pack=touch owned", "-x"} {
		if _, err := publish.Git(t.Context(), site(t, "x"), repo, "pages", "m"); katprep.KindOf(err) != katprep.Invalid {
			t.Errorf("%q: %v", repo, err)
		}
	}
}

func TestCommand(t *testing.T) {
	dir, out := site(t, "x"), filepath.Join(t.TempDir(), "there")
	if err := publish.Command(t.Context(), dir, []string{"--", "ln", "-s", "-T", "-f"}); err == nil {
		t.Error("a command that fails is no error")
	}
	if err := publish.Command(t.Context(), dir, []string{"cp", "-r", "-t", filepath.Dir(out)}); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(filepath.Join(filepath.Dir(out), "public", "index.html")); err != nil {
		t.Error(err)
	}
	if err := publish.Command(t.Context(), dir, nil); katprep.KindOf(err) != katprep.Invalid {
		t.Errorf("no command: %v", err)
	}
	if err := publish.Command(t.Context(), dir, []string{"no-such-program-here"}); katprep.KindOf(err) != katprep.NotFound {
		t.Errorf("no program: %v", err)
	}
}
