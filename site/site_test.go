package site_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/html"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/policy"
	"github.com/stdevel/katprep/site"
	"github.com/stdevel/katprep/site/sitetest"
)

func commit(n int) katprep.CommitID {
	return katprep.CommitID(fmt.Sprintf("%x", sha256.Sum256([]byte{byte(n)}))[:40])
}

func at(day, hour int) time.Time { return time.Date(2026, 11, day, hour, 0, 0, 0, time.UTC) }

var aspects = []katprep.Aspect{katprep.AspectErrata, katprep.AspectPackages, katprep.AspectBoot, katprep.AspectKernel, katprep.AspectReboot, katprep.AspectUpdates, katprep.AspectFacts, katprep.AspectParameters}

func state(id, name string, boot string, errata ...string) katprep.State {
	s := katprep.State{
		Host: katprep.Host{HostID: katprep.HostID{Source: "satellite", ID: id}, Name: name}, Status: katprep.Collected, Aspects: aspects, Format: katprep.RPM,
		Facts:      katprep.Facts{OS: katprep.OS{ID: "rhel", Version: "9.4", Name: "Red Hat Enterprise Linux 9.4 (Plow)"}, Owner: "Web team", IP: "192.0.2.17", Organization: "ACME", Location: "Berlin", HostGroup: "base/web"},
		Kernel:     katprep.Kernel{Running: "5.14.0-427.el9.x86_64", Installed: "5.14.0-427.el9.x86_64"},
		Boot:       katprep.Boot{ID: boot, Time: at(1, 3)},
		Reboot:     katprep.Reboot{Need: katprep.NotNeeded},
		Parameters: []katprep.Parameter{{Name: "criticality", Value: "High"}},
		Packages:   []katprep.Package{{Name: "bash", EVR: "5.1.8-9.el9", Arch: "x86_64"}, {Name: "openssl", EVR: "1:3.0.7-24.el9", Arch: "x86_64"}},
	}
	for _, e := range errata {
		s.Errata = append(s.Errata, katprep.HostErratum{ID: e, Installable: true})
	}
	return s
}

func failed(id, name, why string) katprep.State {
	return katprep.State{Host: katprep.Host{HostID: katprep.HostID{Source: "satellite", ID: id}, Name: name}, Status: katprep.Failed, Problems: []katprep.Problem{{Message: why}}}
}

func snapshot(day, hour int, run katprep.RunID, ph katprep.Phase) katprep.Snapshot {
	return katprep.Snapshot{Format: 1, Started: at(day, hour), Finished: at(day, hour).Add(4 * time.Minute), Run: run, Phase: ph, Version: "1.0.0",
		Sources: []katprep.Source{{Name: "satellite", Type: "foreman", URL: "https://satellite.example.com", Product: "Satellite 6.16.0", User: "svc-katprep"}}}
}

func plan() katprep.Plan {
	host := func(id, name string, wave int, errata ...string) katprep.HostPlan {
		return katprep.HostPlan{Host: katprep.Host{HostID: katprep.HostID{Source: "satellite", ID: id}, Name: name}, Wave: wave, Errata: errata, Notes: []string{"physical host: no VM snapshot"},
			Steps: []katprep.PlannedStep{{ID: "downtime", Kind: katprep.StepDowntime, System: "icinga"}, {ID: "patch", Kind: katprep.StepPatch, System: "satellite"}, {ID: "reboot", Kind: katprep.StepReboot}, {ID: "end", Kind: katprep.StepEndDown, System: "icinga"}}}
	}
	return katprep.Plan{Run: "2026-11-prod-a", Title: "November patch day, production A", Created: at(11, 9), By: "alice", Version: "1.0.0", Before: commit(2),
		Window: katprep.Window{Start: at(11, 20), End: at(11, 22)}, Waves: []katprep.Wave{{Name: "canary", Gate: katprep.GateHealth}, {Name: "rest"}}, Limits: katprep.Limits{OnFailure: katprep.FailStop},
		Hosts: []katprep.HostPlan{host("17", "web01.example.com", 0, "RHSA-2026:0001"), host("3", "db01.example.com", 1, "RHSA-2026:0002"), host("4", "idle.example.com", 1)}}
}

func journal() []katprep.Entry {
	web, db := katprep.HostID{Source: "satellite", ID: "17"}, katprep.HostID{Source: "satellite", ID: "3"}
	list := []katprep.Entry{
		{Host: "web01.example.com", HostID: web, Step: "downtime", Kind: katprep.StepDowntime, Stage: katprep.StagePrepare, Event: katprep.EventIntent, By: "bob", System: "icinga"},
		{Host: "web01.example.com", HostID: web, Step: "downtime", Kind: katprep.StepDowntime, Stage: katprep.StagePrepare, Event: katprep.EventDone, System: "icinga", Ref: "web01!katprep-1"},
		{Host: "web01.example.com", HostID: web, Step: "patch", Kind: katprep.StepPatch, Stage: katprep.StageExecute, Event: katprep.EventSent, System: "satellite", Ref: "task 4711"},
		{Host: "web01.example.com", HostID: web, Step: "patch", Kind: katprep.StepPatch, Stage: katprep.StageExecute, Event: katprep.EventDone, System: "satellite", Ref: "task 4711", Data: map[string]string{"result": "success", "took": "93s"}},
		{Host: "web01.example.com", HostID: web, Step: "reboot", Kind: katprep.StepReboot, Stage: katprep.StageExecute, Event: katprep.EventDone, Message: "boot ID changed"},
		{Host: "db01.example.com", HostID: db, Step: "patch", Kind: katprep.StepPatch, Stage: katprep.StageExecute, Event: katprep.EventFailed, System: "satellite", Ref: "task 4712", Message: "connection refused"},
		{Host: "db01.example.com", HostID: db, Step: "reboot", Kind: katprep.StepReboot, Stage: katprep.StageExecute, Event: katprep.EventUnknown, Message: "nobody answers"},
	}
	for i := range list {
		list[i].Seq, list[i].At = i+1, at(11, 20).Add(time.Duration(i*25)*time.Minute)
	}
	return list
}

// rules are the deadlines of the samples.
var rules = policy.Policy{Deadlines: map[katprep.Severity]time.Duration{katprep.Critical: 7 * 24 * time.Hour, katprep.Important: 7 * 24 * time.Hour}, Criticality: "criticality"}

// sample is an archive with a maintenance, a snapshot outside of one, a run
// without an after-snapshot, gaps of all kinds, a host that came and one that
// went.
func sample() *sitetest.Memory {
	m := &sitetest.Memory{
		Known: []katprep.Erratum{
			{ID: "RHSA-2026:0001", Title: "openssl security update", Type: katprep.Security, Severity: katprep.Critical, Issued: "2026-11-03", CVEs: []string{"CVE-2026-1001", "CVE-2026-1002"},
				Packages: []katprep.Package{{Name: "openssl", EVR: "1:3.0.7-27.el9", Arch: "x86_64"}}, Description: "A flaw was found in openssl.\n\nAn attacker can stop a server.", URL: "https://access.redhat.example/errata/RHSA-2026:0001"},
			{ID: "RHSA-2026:0002", Title: "kernel security update", Type: katprep.Security, Severity: katprep.Important, Issued: "2026-11-05", CVEs: []string{"CVE-2026-2001"}, RebootSuggested: true},
			{ID: "RHBA-2026:0009", Title: "tzdata bug fix", Type: katprep.Bugfix, Issued: "2026-11-02"},
		},
		Records: []katprep.RunRecord{
			{Plan: plan(), Journal: journal(), Approval: &katprep.Decision{By: "carol", At: at(11, 12), Verdict: "approved", Comment: "CHG-4711"}},
			{Plan: katprep.Plan{Run: "2026-11-prod-b", Title: "Production B", Created: at(13, 9), By: "alice"}},
		},
		Policy: []katprep.Exception{{ID: "EX-0", Errata: []string{"RHBA-2026:0009"}, Reason: "waits for a restart", Owner: "Web team", Expires: "2026-11-01"}, {ID: "EX-1", Hosts: []string{"db*"}, Errata: []string{"RHSA-2026:0002"}, Reason: "vendor supports this kernel only", Owner: "DB team", Approver: "carol", Expires: "2026-12-31"}},
	}
	patched := state("17", "web01.example.com", "b", "RHBA-2026:0009")
	patched.Packages[1].EVR = "1:3.0.7-27.el9"
	m.Add(commit(1), snapshot(10, 6, "", ""), state("17", "web01.example.com", "a", "RHBA-2026:0009", "RHSA-2026:0001"), state("4", "idle.example.com", "x"), failed("9", "dark.example.com", "timeout"), state("6", "old.example.com", "x"))
	m.Add(commit(2), snapshot(11, 20, "2026-11-prod-a", katprep.Before), state("17", "web01.example.com", "a", "RHBA-2026:0009", "RHSA-2026:0001"), state("3", "db01.example.com", "d", "RHSA-2026:0002"), state("4", "idle.example.com", "x"), failed("9", "dark.example.com", "timeout"), state("6", "old.example.com", "x"))
	m.Add(commit(3), snapshot(11, 23, "2026-11-prod-a", katprep.After), patched, failed("3", "db01.example.com", "connection refused"), state("4", "idle.example.com", "x"), failed("9", "dark.example.com", "timeout"), state("8", "new.example.com", "n"))
	m.Add(commit(4), snapshot(13, 20, "2026-11-prod-b", katprep.Before), patched, state("3", "db01.example.com", "d", "RHSA-2026:0002"), state("4", "idle.example.com", "x"), failed("9", "dark.example.com", "timeout"), state("8", "new.example.com", "n"))
	return m
}

// larger is the sample with one more snapshot.
func larger() *sitetest.Memory {
	m := sample()
	m.Add(commit(5), snapshot(14, 6, "2026-11-prod-b", katprep.After), state("17", "web01.example.com", "c"), state("3", "db01.example.com", "e"), failed("9", "dark.example.com", "timeout"))
	return m
}

func build(t testing.TB, src site.Source, o site.Options) string {
	t.Helper()
	out := filepath.Join(t.TempDir(), "public")
	if _, err := site.Build(t.Context(), src, out, o); err != nil {
		t.Fatal(err)
	}
	return out
}

// tree is the content of all files of a folder.
func tree(t testing.TB, dir string) map[string][32]byte {
	t.Helper()
	files := map[string][32]byte{}
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(p)
		rel, _ := filepath.Rel(dir, p)
		files[filepath.ToSlash(rel)] = sha256.Sum256(b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func read(t testing.TB, dir, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(name)))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// check walks every page: structure, links, and that nothing is asked of
// another machine or run from within the page.
func check(t testing.TB, dir string) {
	t.Helper()
	files := tree(t, dir)
	ids := map[string]map[string]bool{}
	type ref struct{ from, to string }
	var refs []ref
	for name := range files {
		if !strings.HasSuffix(name, ".html") {
			continue
		}
		doc, err := html.Parse(strings.NewReader(read(t, dir, name)))
		if err != nil {
			t.Fatal(err)
		}
		ids[name] = map[string]bool{}
		count := map[string]int{}
		for n := range doc.Descendants() {
			if n.Type != html.ElementNode {
				continue
			}
			if n.Namespace == "" {
				count[n.Data]++
			}
			for _, a := range n.Attr {
				switch {
				case a.Key == "id":
					if ids[name][a.Val] {
						t.Errorf("%s: id %q twice", name, a.Val)
					}
					ids[name][a.Val] = true
				case a.Key == "style" || strings.HasPrefix(a.Key, "on"):
					t.Errorf("%s: <%s %s=%q>", name, n.Data, a.Key, a.Val)
				case a.Key == "src" || a.Key == "href":
					u, err := url.Parse(a.Val)
					if err != nil {
						t.Errorf("%s: %s=%q: %v", name, a.Key, a.Val, err)
						continue
					}
					if u.Scheme != "" || u.Host != "" {
						if n.Data != "a" || u.Scheme != "https" && u.Scheme != "http" {
							t.Errorf("%s: <%s %s=%q> leads away", name, n.Data, a.Key, a.Val)
						}
						continue
					}
					to := name
					if u.Path != "" {
						to = path.Join(path.Dir(name), u.Path)
					}
					if _, ok := files[to]; !ok {
						t.Errorf("%s: %s leads to %s, which is not there", name, a.Val, to)
					}
					if u.Fragment != "" {
						refs = append(refs, ref{name, to + "#" + u.Fragment})
					}
				}
			}
			if (n.Data == "script" || n.Data == "style") && n.FirstChild != nil {
				t.Errorf("%s: inline <%s>", name, n.Data)
			}
		}
		if count["h1"] != 1 || count["main"] != 1 || count["title"] != 1 {
			t.Errorf("%s: %d h1, %d main, %d title", name, count["h1"], count["main"], count["title"])
		}
		if !strings.Contains(read(t, dir, name), "default-src &#39;none&#39;") && !strings.Contains(read(t, dir, name), "default-src 'none'") {
			t.Errorf("%s: no content security policy", name)
		}
	}
	for _, r := range refs {
		to, id, _ := strings.Cut(r.to, "#")
		if !ids[to][id] {
			t.Errorf("%s: no #%s in %s", r.from, id, to)
		}
	}
}

func TestBuild(t *testing.T) {
	out := build(t, sample(), site.Options{Version: "1.0.0"})
	check(t, out)
	index := read(t, out, "index.html")
	for _, want := range []string{"November patch day, production A", "Production B", "1 host could not be read in full", "dark.example.com"} {
		if !strings.Contains(index, want) {
			t.Errorf("the first page lacks %q", want)
		}
	}
	run := read(t, out, "maintenances/2026-11-prod-a/index.html")
	if !strings.Contains(run, "2 hosts of 6 could not be read in full") {
		t.Error("the maintenance does not count db01 and dark as unknown")
	}
	unknown, dark, web := strings.Index(run, `id="unknown"`), strings.Index(run, "dark.example.com"), strings.Index(run, "web01.example.com")
	if unknown < 0 || dark < unknown || web < dark {
		t.Errorf("unknown hosts are not first: %d %d %d", unknown, dark, web)
	}
	if pending := read(t, out, "maintenances/2026-11-prod-b/index.html"); !strings.Contains(pending, "no after-snapshot") || strings.Contains(pending, "installed</span>") {
		t.Error("a run without after-snapshot claims something")
	}
}

func TestEmptyArchive(t *testing.T) {
	out := build(t, &sitetest.Memory{}, site.Options{})
	check(t, out)
	if !strings.Contains(read(t, out, "index.html"), "no snapshot yet") {
		t.Error("the first page does not say that there is nothing")
	}
	one := &sitetest.Memory{}
	one.Add(commit(1), snapshot(10, 6, "", ""), state("1", "a", "b"))
	check(t, build(t, one, site.Options{}))
}

func TestPaging(t *testing.T) {
	m := &sitetest.Memory{}
	var before, after []katprep.State
	for i := range 23 {
		before = append(before, state(fmt.Sprint(i), fmt.Sprintf("h%02d", i), "a", "RHSA-1"))
		after = append(after, state(fmt.Sprint(i), fmt.Sprintf("h%02d", i), "b"))
	}
	m.Add(commit(1), snapshot(10, 6, "", ""), before...)
	m.Add(commit(2), snapshot(11, 6, "", ""), after...)
	out := build(t, m, site.Options{Rows: 10})
	check(t, out)
	dir := "snapshots/" + string(commit(2)[:16])
	for i, want := range []string{dir + "/index.html", dir + "/index~2.html", dir + "/index~3.html"} {
		if page := read(t, out, want); !strings.Contains(page, fmt.Sprintf("h%d0", i)) {
			t.Errorf("%s lacks its hosts", want)
		}
	}
}

func TestSameBytes(t *testing.T) {
	a := tree(t, build(t, sample(), site.Options{Version: "1"}))
	t.Setenv("TZ", "Pacific/Kiritimati")
	b := tree(t, build(t, sample(), site.Options{Version: "1"}))
	if d := cmp.Diff(a, b); d != "" {
		t.Error(d)
	}
}

func TestHostileNames(t *testing.T) {
	for _, name := range []string{"../../etc", "..", ".git", "CON", "con.example", "", " ", "a/b\\c", "<script>alert(1)</script>", "javascript:alert(1)", strings.Repeat("x", 300), "WEB", "web", "wéb\u202e", "index", "a\x00b", "\"><img src=x>", "%2e%2e"} {
		m := &sitetest.Memory{Known: []katprep.Erratum{{ID: name, Title: name, URL: name, CVEs: []string{name}, Severity: katprep.Severity(name), Issued: katprep.Date(name)}},
			Records: []katprep.RunRecord{{Plan: katprep.Plan{Run: katprep.RunID(name), Title: name, By: name}}}}
		m.Add(commit(1), snapshot(10, 6, "", ""), state("1", name, "a", name), state("2", name, "a"), failed("3", name, name))
		m.Add(commit(2), snapshot(11, 6, "", ""), state("1", name, "b"), state("2", name, "b"), failed("3", name, name))
		out := build(t, m, site.Options{Title: name + "x"})
		check(t, out)
		for f := range tree(t, out) {
			if strings.Contains(f, "..") || len(f) > 200 || !fs.ValidPath(f) {
				t.Errorf("%q makes the file %q", name, f)
			}
		}
	}
}

// broken fails after some hosts.
type broken struct{ *sitetest.Memory }

var errBroken = errors.New("the disk is on fire")

func (b broken) States(context.Context, katprep.CommitID) iter.Seq2[katprep.State, error] {
	return func(yield func(katprep.State, error) bool) { yield(katprep.State{}, errBroken) }
}

func TestFailureLeavesTheOldSite(t *testing.T) {
	out := build(t, sample(), site.Options{})
	want := tree(t, out)
	if _, err := site.Build(t.Context(), broken{sample()}, out, site.Options{}); !errors.Is(err, errBroken) {
		t.Fatalf("err = %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	if _, err := site.Build(ctx, sample(), out, site.Options{Progress: func(n int, _ string) {
		if n == 5 {
			cancel()
		}
	}}); !errors.Is(err, context.Canceled) {
		t.Fatalf("err = %v", err)
	}
	if d := cmp.Diff(want, tree(t, out)); d != "" {
		t.Error(d)
	}
	left, err := os.ReadDir(filepath.Dir(out))
	if err != nil || len(left) != 1 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestLeftoversOfAKilledBuild(t *testing.T) {
	parent := t.TempDir()
	left := filepath.Join(parent, ".public.katprep-build")
	if err := os.MkdirAll(filepath.Join(left, "hosts"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(left+".lock", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := site.Build(t.Context(), sample(), filepath.Join(parent, "public"), site.Options{}); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(left); !errors.Is(err, fs.ErrNotExist) {
		t.Error("the leftovers are still there")
	}
}

func TestForeignFolder(t *testing.T) {
	out := t.TempDir()
	if err := os.WriteFile(filepath.Join(out, "thesis.txt"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := site.Build(t.Context(), sample(), out, site.Options{}); katprep.KindOf(err) != katprep.Conflict {
		t.Errorf("err = %v", err)
	}
	if read(t, out, "thesis.txt") != "x" {
		t.Error("the folder was changed")
	}
}

func TestGovernance(t *testing.T) {
	out := build(t, sample(), site.Options{Version: "1.0.0", Policy: rules, CommitURL: "https://git.example.com/-/commit/"})
	check(t, out)
	for page, wants := range map[string][]string{
		// RHSA-2026:0001 was issued on the 3rd and proven on the 11th: a day
		// late. RHSA-2026:0002 of the 5th is open on db01 on the 13th.
		"index.html":      {"0\u00a0%", "n = 2", "1 overdue", "1 <small>of 1 maintenance</small>", "1 planned, not begun", "2 exceptions", "1 expired"},
		"overdue.html":    {"db01.example.com", "RHSA-2026:0002", "2026-11-12", "exception EX-1"},
		"compliance.html": {"high", "base/web", "1 security erratum is overdue"},
		"exceptions.html": {"expired", "holds", "vendor supports this kernel only", "nobody"},
		"evidence.html":   {"run/2026-11-prod-a/after", string(commit(3)), "https://git.example.com/-/commit/" + string(commit(3))},
		"about.html":      {"A.8.8", "6.3.3", "OPS.1.1.3"},
		"maintenances/2026-11-prod-a/index.html": {"approved before the start</span> by carol", "after the window closed", "connection refused", "not confirmed", "Planned, but not proven to be installed",
			"1 of the 3 hosts of the plan were not touched", "CHG-4711", "wave", "1 planned erratum is not proven to be installed", "2 steps failed or not confirmed"},
		"maintenances/2026-11-prod-a/checklist.html": {"failed", "not begun", "not confirmed", "done", "task 4711"},
		"maintenances/2026-11-prod-a/journal.html":   {"result: success", "nobody answers"},
		"errata/RHSA-2026_0001.html":                 {"late", "2026-11-10", "installed"},
		"cves/CVE-2026-1001.html":                    {"known to satellite as of 2026-11-13"},
	} {
		text := read(t, out, page)
		for _, w := range wants {
			if !strings.Contains(text, w) && !strings.Contains(strings.ToLower(text), w) {
				t.Errorf("%s lacks %q", page, w)
			}
		}
	}
	if text := read(t, out, "maintenances/2026-11-prod-b/index.html"); !strings.Contains(text, "none recorded") {
		t.Error("a run without approval does not say so")
	}
	if overdue := read(t, out, "data/overdue.csv"); !strings.Contains(overdue, "db01.example.com,RHSA-2026:0002,important,2026-11-05,2026-11-12,1,EX-1") {
		t.Errorf("overdue.csv: %s", overdue)
	}
}

// TestIncremental holds that building on top of an earlier site gives the
// same as building from nothing, and keeps what did not change.
func TestIncremental(t *testing.T) {
	m, o := sample(), site.Options{Version: "1.0.0", Policy: rules}
	out := build(t, m, o)
	again, err := site.Build(t.Context(), sample(), out, o)
	if err != nil {
		t.Fatal(err)
	}
	if again.Kept != again.Files {
		t.Errorf("nothing changed, but %d of %d files were written", again.Files-again.Kept, again.Files)
	}
	full := tree(t, build(t, m, o))
	if d := cmp.Diff(full, tree(t, out)); d != "" {
		t.Errorf("a second build differs:\n%s", d)
	}

	// One more snapshot, a sign-off, another policy, a corrected erratum.
	steps := []func(){
		func() {
			m.Add(commit(5), snapshot(14, 6, "2026-11-prod-b", katprep.After), state("17", "web01.example.com", "c"), state("3", "db01.example.com", "e"), failed("9", "dark.example.com", "timeout"))
		},
		func() { m.Records[0].SignOff = &katprep.Decision{By: "dave", At: at(15, 9), Verdict: "accepted"} },
		func() { o.Policy = policy.Policy{} },
		func() { m.Known[0].Title, m.Known[0].CVEs = "openssl: corrected", []string{"CVE-2026-1001"} },
		func() { m.Records[0].Plan.Title = "Renamed" },
		func() { o.Title = "Other" },
		func() { o.Build = "another program" },
	}
	for i, step := range steps {
		step()
		st, err := site.Build(t.Context(), m, out, o)
		if err != nil {
			t.Fatal(err)
		}
		if st.Kept == 0 {
			t.Errorf("step %d keeps nothing", i)
		}
		if d := cmp.Diff(tree(t, build(t, m, o)), tree(t, out)); d != "" {
			t.Errorf("step %d: incremental and full differ:\n%s", i, d)
		}
	}
}

func TestDamagedMemoryOfABuild(t *testing.T) {
	o := site.Options{Version: "1.0.0"}
	out := build(t, sample(), o)
	want := tree(t, out)
	dir := filepath.Join(out, ".katprep")
	files, err := os.ReadDir(dir)
	if err != nil || len(files) == 0 {
		t.Fatalf("no memory: %v", err)
	}
	for i, f := range files {
		p := filepath.Join(dir, f.Name())
		b, err := os.ReadFile(p)
		if err != nil {
			t.Fatal(err)
		}
		if i%2 == 0 {
			b = b[:len(b)/2]
		} else {
			b[len(b)-1] ^= 0xff
		}
		if err := os.WriteFile(p, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := site.Build(t.Context(), sample(), out, o); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, tree(t, out)); d != "" {
		t.Error(d)
	}
}
