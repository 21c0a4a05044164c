// Package browsertest looks at the site with Chromium. It is a module of its
// own, so that the browser's driver is no dependency of katprep.
package browsertest

import (
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/performance"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

const (
	axeVersion      = "4.14.1"
	validateVersion = "10.0.0" // the newest that runs on Node 20
)

// need skips, or fails where services are required.
func need(t testing.TB, why string, err error) {
	t.Helper()
	if err == nil {
		return
	}
	if os.Getenv("KATPREP_REQUIRE_SERVICES") == "1" {
		t.Fatalf("%s: %v", why, err)
	}
	t.Skipf("%s: %v", why, err)
}

// sample builds the site of the tests of package site.
var sample = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "katprep-browsertest-")
	if err != nil {
		return "", err
	}
	out := filepath.Join(dir, "public")
	cmd := exec.Command("go", "test", "-count=1", "-run", "^TestDump$", "./site")
	cmd.Dir = filepath.Join("..", "..")
	cmd.Env = append(os.Environ(), "KATPREP_SITE_DUMP="+out)
	if msg, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the sample site: %w\n%s", err, msg)
	}
	return out, nil
})

// tools installs what npm has into the user's cache.
var tools = sync.OnceValues(func() (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(cache, "katprep-browsertest")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	cmd := exec.Command("npm", "install", "--silent", "--no-audit", "--no-fund", "--prefix", dir, "axe-core@"+axeVersion, "html-validate@"+validateVersion)
	if msg, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("npm install: %w\n%s", err, msg)
	}
	return dir, nil
})

func TestMain(m *testing.M) {
	code := m.Run()
	if dir, err := sample(); err == nil {
		os.RemoveAll(filepath.Dir(dir))
	}
	os.Exit(code)
}

// A browser is a tab, with everything that it complained of or asked for.
type browser struct {
	t        testing.TB
	ctx      context.Context
	mu       sync.Mutex
	problems []string
	requests []string
}

func open(t testing.TB) *browser {
	t.Helper()
	bin, err := exec.LookPath("chromium")
	need(t, "chromium", err)
	opts := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(bin), chromedp.NoSandbox, chromedp.Flag("allow-file-access-from-files", false))
	alloc, stop := chromedp.NewExecAllocator(t.Context(), opts...)
	t.Cleanup(stop)
	ctx, cancel := chromedp.NewContext(alloc)
	t.Cleanup(cancel)
	b := &browser{t: t, ctx: ctx}
	if err := chromedp.Listen(ctx, b.listen); err != nil {
		t.Fatal(err)
	}
	b.do(call(log.Enable, cdp.Empty{}), call(network.Enable, network.EnableParams{}), call(runtime.Enable, cdp.Empty{}))
	return b
}

func (b *browser) listen(ev any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch ev := ev.(type) {
	case *log.EventEntryAdded:
		b.problems = append(b.problems, ev.Entry.Text)
	case *runtime.EventExceptionThrown:
		b.problems = append(b.problems, ev.ExceptionDetails.Text)
	case *network.EventRequestWillBeSent:
		b.requests = append(b.requests, ev.Request.URL)
	}
}

func (b *browser) do(actions ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	if err := chromedp.Do(b.ctx, actions...); err != nil {
		b.t.Fatal(err)
	}
}

func eval[T any](b *browser, js string) T {
	b.t.Helper()
	v, err := chromedp.Run(b.ctx, chromedp.Evaluate[T](js, chromedp.EvalAwaitPromise))
	if err != nil {
		b.t.Fatalf("%s: %v", js, err)
	}
	return v
}

// eventually polls until the expression is true.
func (b *browser) eventually(js string) {
	b.t.Helper()
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		// A page that is just being left has no answer.
		if ok, err := chromedp.Run(b.ctx, chromedp.Evaluate[bool]("Boolean("+js+")")); err == nil && ok {
			return
		}
	}
	b.t.Fatalf("never true: %s", js)
}

func (b *browser) visit(page string) {
	b.t.Helper()
	out, err := sample()
	if err != nil {
		b.t.Fatal(err)
	}
	b.do(chromedp.Navigate("file://" + filepath.Join(out, page)))
	b.eventually(`document.readyState === "complete" && document.getElementById("main")`)
}

// pages lists one page of each kind.
func pages(t *testing.T) []string {
	t.Helper()
	out, err := sample()
	if err != nil {
		t.Fatal(err)
	}
	hosts, err := filepath.Glob(filepath.Join(out, "*", "*", "hosts", "web01*.html"))
	if err != nil || len(hosts) == 0 {
		t.Fatalf("no pages of hosts: %v", err)
	}
	more, err := filepath.Glob(filepath.Join(out, "hosts", "web01*.html"))
	if err != nil || len(more) == 0 {
		t.Fatalf("no page of a host: %v", err)
	}
	hosts = append(hosts, more...)
	list := []string{"index.html", "compliance.html", "overdue.html", "again.html", "trends.html", "exceptions.html", "evidence.html", "about.html",
		"maintenances/index.html", "maintenances/2026-11-prod-a/index.html", "maintenances/2026-11-prod-a/journal.html", "maintenances/2026-11-prod-a/checklist.html", "maintenances/2026-11-prod-b/index.html",
		"snapshots/index.html", "packages/index.html", "packages/openssl.html", "hosts/index.html", "errata/index.html", "errata/RHSA-2026_0001.html", "cves/index.html", "cves/CVE-2026-1001.html"}
	for _, h := range hosts {
		rel, err := filepath.Rel(out, h)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, rel)
	}
	return list
}

func scheme(name string) chromedp.Action[chromedp.Void] {
	return call(emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: name}}})
}

// call is a command of the protocol as a step.
func call[P, R any](c cdp.Command[P, R], params P) chromedp.Action[chromedp.Void] {
	return func(ctx context.Context, t *chromedp.Target) (chromedp.Void, error) {
		_, err := cdp.Call(ctx, t, c, params)
		return chromedp.Void{}, err
	}
}

// TestAxe holds that axe finds nothing on any kind of page, in both schemes.
func TestAxe(t *testing.T) {
	dir, err := tools()
	need(t, "axe-core from npm", err)
	axe, err := os.ReadFile(filepath.Join(dir, "node_modules", "axe-core", "axe.min.js"))
	if err != nil {
		t.Fatal(err)
	}
	b := open(t)
	for _, s := range []string{"light", "dark"} {
		b.do(scheme(s))
		for _, page := range pages(t) {
			b.visit(page)
			eval[any](b, string(axe)+";0")
			report := eval[string](b, `axe.run(document, {resultTypes: ["violations"]}).then(r => JSON.stringify(r.violations.map(v => v.id + ": " + v.help + ": " + v.nodes.map(n => n.html).slice(0, 3).join(" "))))`)
			var violations []string
			if err := json.Unmarshal([]byte(report), &violations); err != nil {
				t.Fatal(err)
			}
			for _, v := range violations {
				t.Errorf("%s in %s: %s", page, s, v)
			}
		}
	}
}

// TestAlone holds that pages ask for nothing but files of the site, and that
// the browser has nothing to complain of, the security policy included.
func TestAlone(t *testing.T) {
	b := open(t)
	out, _ := sample()
	for _, page := range pages(t) {
		b.visit(page)
	}
	b.do(chromedp.KeyEvent("/"))
	b.eventually(`window.KATPREP_INDEX`)
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.requests) == 0 {
		t.Fatal("no request was seen")
	}
	for _, r := range b.requests {
		if !strings.HasPrefix(r, "file://"+out+"/") {
			t.Errorf("a page asks for %s", r)
		}
	}
	for _, p := range b.problems {
		t.Errorf("the browser says: %s", p)
	}
}

// slash presses "/", which leads into the search. The driver sends the
// character besides the key, which no keyboard does after the key was handled.
func (b *browser) slash() {
	b.t.Helper()
	b.do(chromedp.KeyEvent("/"))
	b.eventually(`document.activeElement.id === "search"`)
	eval[string](b, `document.getElementById("search").value = ""`)
}

// TestKeyboard does the main tasks without a mouse.
func TestKeyboard(t *testing.T) {
	b := open(t)
	b.visit("index.html")
	b.do(chromedp.KeyEvent(kb.Tab))
	if got := eval[string](b, `document.activeElement.className`); got != "skip" {
		t.Errorf("the first stop is %q, not the skip link", got)
	}
	b.slash()
	b.do(chromedp.KeyEvent("web01"))
	b.eventually(`document.querySelector("#results [role=option]")`)
	b.do(chromedp.KeyEvent(kb.ArrowDown))
	b.eventually(`document.getElementById("search").getAttribute("aria-activedescendant") === "hit-0"`)
	b.do(chromedp.KeyEvent(kb.Enter))
	b.eventually(`location.pathname.includes("/hosts/web01") && document.querySelector("h1")?.textContent === "web01.example.com" && !document.getElementById("tools").hidden`)

	// What nobody knows of is not called harmless.
	b.slash()
	b.do(chromedp.KeyEvent("cve-1999-0001"))
	b.eventually(`document.getElementById("results").textContent.includes("No advisory for it is known to satellite as of 2026-11-13")`)

	b.visit("errata/index.html")
	b.do(chromedp.Focus("table[data-sort] th button"), chromedp.KeyEvent(kb.Enter))
	b.eventually(`document.querySelector("th[aria-sort=ascending]")`)
	first := eval[string](b, `document.querySelector("tbody tr th a").textContent`)
	b.do(chromedp.KeyEvent(" "))
	b.eventually(`document.querySelector("th[aria-sort=descending]")`)
	if again := eval[string](b, `document.querySelector("tbody tr th a").textContent`); again == first {
		t.Errorf("sorting both ways begins with %s", first)
	}
	b.do(chromedp.Focus("#theme"), chromedp.KeyEvent(kb.Enter))
	b.eventually(`document.documentElement.dataset.theme`)
}

// TestSmall holds that nothing but tables scrolls sideways on a phone, nor at
// 320 pixels, which is what 400 % zoom leaves.
func TestSmall(t *testing.T) {
	b := open(t)
	for _, width := range []int64{390, 320} {
		b.do(chromedp.EmulateViewport(width, 800))
		for _, page := range pages(t) {
			b.visit(page)
			if over := eval[int](b, `document.documentElement.scrollWidth - innerWidth`); over > 0 {
				t.Errorf("%s is %d pixels too wide at %d", page, over, width)
			}
		}
	}
}

// TestWithoutScript holds that pages are whole without scripts.
func TestWithoutScript(t *testing.T) {
	b := open(t)
	b.do(call(emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true}))
	b.visit("maintenances/2026-11-prod-a/index.html")
	text := eval[string](b, `document.querySelector("main").innerText`)
	for _, want := range []string{"web01.example.com", "RHSA-2026:0001", "unknown"} {
		if !strings.Contains(text, want) {
			t.Errorf("without scripts the page lacks %q", want)
		}
	}
	if eval[bool](b, `document.getElementById("tools").offsetParent !== null`) {
		t.Error("without scripts there is a search field that does nothing")
	}
}

// TestValid holds that every page is valid HTML.
func TestValid(t *testing.T) {
	dir, err := tools()
	need(t, "html-validate from npm", err)
	out, err := sample()
	if err != nil {
		t.Fatal(err)
	}
	config := filepath.Join(t.TempDir(), "config.json")
	// Style is ours; the standard is not.
	if err := os.WriteFile(config, []byte(`{"extends": ["html-validate:standard"], "root": true}`), 0o600); err != nil {
		t.Fatal(err)
	}
	var files []string
	err = filepath.WalkDir(out, func(p string, d fs.DirEntry, err error) error {
		if strings.HasSuffix(p, ".html") {
			files = append(files, p)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	args := slices.Concat([]string{filepath.Join(dir, "node_modules", ".bin", "html-validate"), "--config", config, "--formatter", "text"}, files)
	if msg, err := exec.Command("node", args...).CombinedOutput(); err != nil {
		t.Errorf("%v\n%.6000s", err, msg)
	}
}

// BenchmarkLarge says how long pages and searches of a large site take: set
// KATPREP_BENCH_SITE=10000x1 to build one. The views are of the largest pages
// and of one of each kind, from the call to the end of loading, the median of
// three visits each; the slowest one counts. What the page's process computes
// for it on its main thread is said too: other work on the machine does not
// change that much.
func BenchmarkLarge(b *testing.B) {
	if os.Getenv("KATPREP_BENCH_SITE") == "" {
		b.Skip("KATPREP_BENCH_SITE says no size")
	}
	br := open(b)
	br.do(call(performance.Enable, performance.EnableParams{TimeDomain: performance.EnableTimeDomainThreadTicks}))
	var view, paint, busy, search, index float64
	for b.Loop() {
		for _, page := range largest(b) {
			var loads, paints, works []float64
			for range 3 {
				br.visit(page)
				br.eventually(`performance.getEntriesByName("first-contentful-paint").length`)
				loads = append(loads, eval[float64](br, `performance.getEntriesByType("navigation")[0].loadEventEnd`))
				works = append(works, br.worked())
				paints = append(paints, eval[float64](br, `performance.getEntriesByName("first-contentful-paint")[0].startTime`))
			}
			slices.Sort(loads)
			slices.Sort(paints)
			slices.Sort(works)
			b.Logf("%6.0f ms to load, %6.0f ms to the first paint, %6.0f ms of work: %s", loads[1], paints[1], works[1], page)
			view, paint, busy = max(view, loads[1]), max(paint, paints[1]), max(busy, works[1])
		}
		index = eval[float64](br, `new Promise(done => { const t = performance.now(); document.getElementById("search").dispatchEvent(new Event("focus")); const i = setInterval(() => { if (window.KATPREP_INDEX) { clearInterval(i); done(performance.now() - t); } }, 1); })`)
		search = max(search, eval[float64](br, `(() => { const s = document.getElementById("search"), t = performance.now(); s.value = "host099 example"; s.dispatchEvent(new Event("input")); return performance.now() - t; })()`))
	}
	b.ReportMetric(view, "ms-slowest-view")
	b.ReportMetric(paint, "ms-slowest-paint")
	b.ReportMetric(busy, "ms-work-of-a-view")
	b.ReportMetric(index, "ms-index")
	b.ReportMetric(search, "ms-search")
}

// worked returns the milliseconds that the main thread of the page's process
// has computed since the page was called.
func (b *browser) worked() float64 {
	b.t.Helper()
	r, err := chromedp.Run(b.ctx, func(ctx context.Context, t *chromedp.Target) (performance.GetMetricsResult, error) {
		return cdp.Call(ctx, t, performance.GetMetrics, cdp.Empty{})
	})
	if err != nil {
		b.t.Fatal(err)
	}
	for _, m := range r.Metrics {
		if m.Name == "TaskDuration" {
			return 1000 * m.Value
		}
	}
	b.t.Fatal("the browser tells nothing of its work")
	return 0
}

// largest lists the largest page of each folder, not counting what is
// below it, and some more.
func largest(b *testing.B) []string {
	b.Helper()
	out, err := sample()
	if err != nil {
		b.Fatal(err)
	}
	size, in := map[string]int64{}, map[string]string{}
	err = filepath.WalkDir(out, func(p string, d fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(p, ".html") {
			return err
		}
		fi, err := d.Info()
		if err == nil && fi.Size() > size[filepath.Dir(p)] {
			size[filepath.Dir(p)], in[filepath.Dir(p)] = fi.Size(), p
		}
		return err
	})
	if err != nil {
		b.Fatal(err)
	}
	pages := []string{"index.html", "compliance.html", "overdue.html", "trends.html", "evidence.html", "about.html", "hosts/index.html", "maintenances/2026-01/index.html"}
	for _, p := range in {
		rel, err := filepath.Rel(out, p)
		if err != nil {
			b.Fatal(err)
		}
		pages = append(pages, filepath.ToSlash(rel))
	}
	slices.Sort(pages)
	return slices.Compact(pages)
}
