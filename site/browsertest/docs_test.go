package browsertest

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// TestDocs holds that the documentation is as good as the site: valid HTML,
// nothing for axe to find, no wider than a phone, no requests, and found by the
// keyboard alone.
func TestDocs(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "docs")
	cmd := exec.Command("go", "run", "./cmd/katprep", "--quiet", "docs", "build", "-o", dir)
	cmd.Dir = filepath.Join("..", "..")
	if msg, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, msg)
	}
	npm, err := tools()
	need(t, "axe-core and html-validate from npm", err)
	axe, err := os.ReadFile(filepath.Join(npm, "node_modules", "axe-core", "axe.min.js"))
	if err != nil {
		t.Fatal(err)
	}
	pages, err := filepath.Glob(filepath.Join(dir, "*.html"))
	if err != nil || len(pages) < 20 {
		t.Fatalf("%d pages, %v", len(pages), err)
	}
	man := filepath.Join(dir, "man", "katprep-maintenance.1.html")
	pages = append(pages, man, filepath.Join(dir, "man", "katprep.yml.5.html"))

	b := open(t)
	for i, page := range pages {
		b.do(chromedp.EmulateViewport(320, 800), scheme([]string{"light", "dark"}[i/2%2]), chromedp.Navigate("file://"+page))
		b.eventually(`document.readyState === "complete" && document.getElementById("content")`)
		if over := eval[int](b, `document.documentElement.scrollWidth - innerWidth`); over > 0 {
			t.Errorf("%s is %d pixels too wide at 320", page, over)
		}
		if i%2 == 1 && page != man { // half of them, for the time it takes
			continue
		}
		eval[any](b, string(axe)+";0")
		report := eval[string](b, `axe.run(document, {resultTypes: ["violations"], preload: false}).then(r => JSON.stringify(r.violations.map(v => v.id + ": " + v.help + ": " + v.nodes.map(n => n.html).slice(0, 3).join(" "))))`)
		var violations []string
		if err := json.Unmarshal([]byte(report), &violations); err != nil {
			t.Fatal(err)
		}
		for _, v := range violations {
			t.Errorf("%s: %s", page, v)
		}
	}
	searchDocs(b)
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, r := range b.requests {
		if !strings.HasPrefix(r, "file://"+dir+"/") {
			t.Errorf("a page asks for %s", r)
		}
	}
	for _, p := range b.problems {
		t.Errorf("the browser says: %s", p)
	}
	config := filepath.Join(t.TempDir(), "config.json")
	if err := os.WriteFile(config, []byte(`{"extends": ["html-validate:standard"], "root": true}`), 0o600); err != nil {
		t.Fatal(err)
	}
	args := slices.Concat([]string{filepath.Join(npm, "node_modules", ".bin", "html-validate"), "--config", config, "--formatter", "text"}, pages)
	if msg, err := exec.Command("node", args...).CombinedOutput(); err != nil {
		t.Errorf("%v\n%.6000s", err, msg)
	}
}

// searchDocs goes from a manual page to what the search finds.
func searchDocs(b *browser) {
	b.t.Helper()
	b.do(chromedp.KeyEvent("/"))
	b.eventually(`document.activeElement.id === "search"`)
	eval[string](b, `document.getElementById("search").value = ""`)
	b.do(chromedp.KeyEvent("what installed means"))
	b.eventually(fmt.Sprintf(`document.querySelector("#results a")?.textContent.includes(%q)`, "What installed means"))
	b.do(chromedp.KeyEvent(kb.ArrowDown), chromedp.KeyEvent(kb.Enter))
	b.eventually(`location.pathname.endsWith("/explanation.html") && location.hash === "#what-installed-means"`)
}
