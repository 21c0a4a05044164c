package archive

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stdevel/katprep"
)

func TestSecretsStayOut(t *testing.T) {
	a, path := create(t)
	ctx := t.Context()
	h := host("s", "1", "h1.example.com")
	h.Parameters = []katprep.Parameter{{Name: "root_password", Value: "hunter2"}, {Name: "owner", Value: "ann"}}
	h.Facts.Extra = map[string]string{"proxy": "http://u:hunter2@proxy/"}
	c := shot(t, a, katprep.Snapshot{}, h)
	if _, err := a.PutJournal(ctx, "p1", katprep.StageExecute, []katprep.Entry{{Seq: 1, Message: "password=hunter2"}}); err != nil {
		t.Fatal(err)
	}
	if h.Parameters[0].Value != "hunter2" {
		t.Error("the caller's state was changed")
	}
	for _, file := range []string{"hosts/example.com/h1.json", "runs/p1/journal.jsonl"} {
		if text := git(t, path, "show", "main:"+file); strings.Contains(text, "hunter2") || !strings.Contains(text, "(masked)") {
			t.Errorf("%s:\n%s", file, text)
		}
	}
	if s, err := a.State(ctx, c, "h1.example.com"); err != nil || !s[0].Parameters[1].Masked || s[0].Parameters[0].Value != "ann" {
		t.Errorf("%+v, %v", s, err)
	}
	if leaks := all(t, a.Scan(ctx)); len(leaks) != 0 {
		t.Errorf("leaks %v", leaks)
	}
	// What somebody else wrote is found, also when it was removed again.
	work := t.TempDir()
	git(t, work, "clone", "-q", path, ".")
	file := filepath.Join(work, "hosts/example.com/h1.json")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	leaky := strings.Replace(string(text), `"value":"(masked)","masked":true`, `"value":"hunter2"`, 1)
	if err := os.WriteFile(file, []byte(leaky), 0o600); err != nil {
		t.Fatal(err)
	}
	git(t, work, "commit", "-q", "-a", "-m", "leak")
	git(t, work, "revert", "--no-edit", "HEAD")
	git(t, work, "push", "-q")
	leaks := all(t, a.Scan(ctx))
	if len(leaks) != 1 || leaks[0].Field != "parameter root_password" || leaks[0].Path != "hosts/example.com/h1.json" {
		t.Errorf("leaks %+v", leaks)
	}
}
