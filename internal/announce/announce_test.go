package announce

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/internal/creds"
	"github.com/stdevel/katprep/internal/foremanapi"
	"github.com/stdevel/katprep/internal/landscape"
)

var at = time.Date(2026, 11, 12, 22, 10, 5, 0, time.UTC)

// bench is a simulated Foreman and a client.
type bench struct {
	t   *testing.T
	s   *landscape.Server
	url string
	f   Foreman
}

func newBench(t *testing.T, o landscape.Options) *bench {
	t.Helper()
	o.Hosts = 6
	b := &bench{t: t, s: landscape.New(o)}
	srv := httptest.NewServer(b.s)
	t.Cleanup(srv.Close)
	b.url = srv.URL
	b.f = b.as("admin")
	return b
}

func (b *bench) as(user string) Foreman {
	b.t.Helper()
	c, err := foremanapi.New(foremanapi.Options{URL: b.url, Login: creds.Login{User: user, Password: creds.NewSecret("changeme")}})
	if err != nil {
		b.t.Fatal(err)
	}
	server, err := c.Server(b.t.Context())
	if err != nil {
		b.t.Fatal(err)
	}
	return Foreman{Client: c, Server: server}
}

// item is what is said of the n-th host.
func (b *bench) item(n int) Item {
	b.t.Helper()
	hosts, err := b.f.Client.HostNames(b.t.Context(), b.f.Server, "", 100)
	if err != nil {
		b.t.Fatal(err)
	}
	h := katprep.Host{HostID: katprep.HostID{Source: "sat", ID: strconv.FormatInt(hosts[n].ID, 10)}, Name: hosts[n].Name}
	return Item{Host: h, Run: "patch-1", At: at, Text: "cleaned; errata: 2 installed", Link: "https://site.example.com/hosts/x.html", Installed: 2, Seconds: 12}
}

func (b *bench) tell(way Way, it Item) Result {
	b.t.Helper()
	return b.f.Tell(b.t.Context(), way, []Item{it}, 2)[0]
}

// ask is a request of somebody else.
func (b *bench) ask(method, path, body string) string {
	b.t.Helper()
	req, err := http.NewRequestWithContext(b.t.Context(), method, b.url+path, strings.NewReader(body))
	if err != nil {
		b.t.Fatal(err)
	}
	req.SetBasicAuth("admin", "changeme")
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		b.t.Fatal(err)
	}
	defer resp.Body.Close()
	out, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode >= 300 {
		b.t.Fatalf("%s %s: %d %s %v", method, path, resp.StatusCode, out, err)
	}
	return string(out)
}

func (b *bench) comment(it Item) string {
	var h struct{ Comment string }
	if err := json.Unmarshal([]byte(b.ask("GET", "/api/hosts/"+it.Host.ID, "")), &h); err != nil {
		b.t.Fatal(err)
	}
	return h.Comment
}

func expect(t *testing.T, r Result, want Outcome) {
	t.Helper()
	if r.Outcome != want || (want == Failed) != (r.Err != nil) || (want == Skipped) != (r.Reason != "") {
		t.Fatalf("outcome %s, want %s; reason %q, error %v", r.Outcome, want, r.Reason, r.Err)
	}
}

// TestComment keeps what others wrote, byte for byte, has one line, and is
// said twice without writing twice.
func TestComment(t *testing.T) {
	b := newBench(t, landscape.Options{})
	it := b.item(1)
	b.ask("PUT", "/api/hosts/"+it.Host.ID, `{"host":{"comment":"Rack 7\r\n[katprep run] ask Anna first\r\n"}}`)
	expect(t, b.tell(Comment, it), Told)
	want := "Rack 7\r\n[katprep run] ask Anna first\r\n[katprep run] 2026-11-12 22:10 UTC patch-1: cleaned; errata: 2 installed https://site.example.com/hosts/x.html"
	if got := b.comment(it); got != want {
		t.Fatalf("comment %q", got)
	}
	writes := b.s.Stats().ByRoute["PUT /api/hosts/{host}"]
	expect(t, b.tell(Comment, it), Already)
	if n := b.s.Stats().ByRoute["PUT /api/hosts/{host}"]; n != writes {
		t.Error("the same was written again")
	}
	next := it
	next.Run, next.At = "patch-2", at.AddDate(0, 1, 0)
	expect(t, b.tell(Comment, next), Told)
	if got := b.comment(it); strings.Contains(got, "patch-1") || strings.Count(got, mark+"2026") != 1 || !strings.HasPrefix(got, "Rack 7\r\n[katprep run] ask Anna first\r\n") {
		t.Fatalf("comment %q", got)
	}
	expect(t, b.tell(Comment, it), Skipped) // the older one does not hide the newer one
}

// TestSnapshotsDoNotSeeIt: what katprep wrote is no change of the host.
func TestSnapshotsDoNotSeeIt(t *testing.T) {
	for _, comment := range []string{"", "Rack 7", "Rack 7\r\n", "[katprep run] ask Anna first\nb\n"} {
		for _, line := range []string{"2026-11-12 22:10 UTC p: x", "2026-12-12 22:10 UTC q: y"} {
			said, _ := withLine(comment, line, at.AddDate(1, 0, 0))
			if was, is := foremanapi.WithoutAnnouncement(comment), foremanapi.WithoutAnnouncement(said); was != is {
				t.Errorf("%q is read as %q, before it was %q", said, is, was)
			}
		}
	}
}

// TestRequests: what docs/foreman.md says of the load.
func TestRequests(t *testing.T) {
	b := newBench(t, landscape.Options{})
	for i, x := range []struct {
		way         Way
		first, then int
	}{{Comment, 3, 1}, {Parameter, 6, 2}, {Report, 3, 2}} {
		it := b.item(i + 1)
		for _, want := range []int{x.first, x.then} {
			before := b.s.Stats().Requests
			b.tell(x.way, it)
			if n := b.s.Stats().Requests - before; n != want {
				t.Errorf("%s: %d requests, want %d", x.way, n, want)
			}
		}
	}
}

func TestWithLine(t *testing.T) {
	const old = mark + "2026-10-01 10:00 UTC patch-0: x"
	for _, x := range []struct{ comment, want string }{
		{"", mark + "L"},
		{"a", "a\n" + mark + "L"},
		{old, mark + "L"},
		{old + "\nb", mark + "L\nb"},
		{"a\r\n" + old + "\r\nb", "a\r\n" + mark + "L\r\nb"},
		{"see " + old, "see " + old + "\n" + mark + "L"},
		{mark + "2026-10-01", mark + "2026-10-01\n" + mark + "L"},
	} {
		if got, newer := withLine(x.comment, "L", at); got != x.want || newer {
			t.Errorf("%q: %q, want %q", x.comment, got, x.want)
		}
	}
}

// TestReport: uploaded once; a healthy host has no failure; where another
// program reports, nothing is uploaded; no host is created.
func TestReport(t *testing.T) {
	b := newBench(t, landscape.Options{})
	it, bad, foreign := b.item(1), b.item(2), b.item(3)
	expect(t, b.tell(Report, it), Told)
	expect(t, b.tell(Report, it), Already)
	bad.Failed, bad.Details = true, []Detail{{"err", "step patch: failed"}}
	expect(t, b.tell(Report, bad), Told)
	b.ask("POST", "/api/config_reports", `{"config_report":{"host":"`+foreign.Host.Name+`","reported_at":"2026-11-01 10:00:00 UTC","status":{},"metrics":{},
		"logs":[{"log":{"sources":{"source":"Puppet"},"messages":{"message":"ok"},"level":"notice"}}]}}`)
	expect(t, b.tell(Report, foreign), Skipped)
	var list struct {
		Results []struct {
			Host   string `json:"host_name"`
			Status map[string]int
		}
	}
	if err := json.Unmarshal([]byte(b.ask("GET", "/api/config_reports", "")), &list); err != nil {
		t.Fatal(err)
	}
	if len(list.Results) != 3 {
		t.Fatalf("reports %+v", list.Results)
	}
	for _, r := range list.Results[:2] {
		if failed := r.Status["failed"]; failed != map[bool]int{r.Host == bad.Host.Name: 1}[true] || len(r.Status) != 6 || r.Status["applied"] != 2 {
			t.Errorf("%s: %v", r.Host, r.Status)
		}
	}
	older := it
	older.At = at.AddDate(0, -1, 0)
	expect(t, b.tell(Report, older), Skipped)
	gone := it
	gone.Host.ID, gone.Host.Name = "999999", "gone.example.com"
	expect(t, b.tell(Report, gone), Failed)
	if slices.Contains(b.s.Names(), "gone.example.com") {
		t.Error("a host was created")
	}
}

// TestLostAnswer: the server has the report although its answer got lost.
func TestLostAnswer(t *testing.T) {
	b := newBench(t, landscape.Options{Faults: []landscape.Fault{{Method: "POST", Path: "/api/config_reports", Times: 1, Drop: true}}})
	it := b.item(1)
	expect(t, b.tell(Report, it), Failed) // nothing that acts is repeated by itself
	expect(t, b.tell(Report, it), Already)
	if n := strings.Count(b.ask("GET", "/api/config_reports", ""), `"reported_at"`); n != 1 {
		t.Errorf("%d reports", n)
	}
}

func TestParameter(t *testing.T) {
	b := newBench(t, landscape.Options{})
	it, taken := b.item(1), b.item(2)
	b.s.SetParameter(it.Host.Name, "somebody_elses", "stays")
	b.s.SetParameter(taken.Host.Name, ParamText, "never, ask Anna")
	expect(t, b.tell(Parameter, it), Told)
	expect(t, b.tell(Parameter, it), Already)
	expect(t, b.tell(Parameter, taken), Failed)
	it.Link = ""
	it.At = at.AddDate(0, 1, 0)
	expect(t, b.tell(Parameter, it), Told)
	own, err := b.f.Client.HostParameters(t.Context(), mustID(t, it))
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, p := range own {
		got[string(p.Name)] = valueOf(p)
	}
	if got["somebody_elses"] != "stays" || got[ParamText] != "2026-12-12 22:10 UTC patch-1: cleaned; errata: 2 installed" || got[ParamLink] != "" {
		t.Errorf("parameters %v", got)
	}
}

func mustID(t *testing.T, it Item) int64 {
	t.Helper()
	id, err := strconv.ParseInt(it.Host.ID, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// TestDryRunAndRights: a dry run writes nothing; a lacking permission is
// named, for each host.
func TestDryRunAndRights(t *testing.T) {
	b := newBench(t, landscape.Options{Users: []landscape.User{
		{Login: "admin", Password: "changeme", Admin: true},
		{Login: "reader", Password: "changeme", Permissions: []string{"view_hosts", "view_params", "view_config_reports"}},
	}})
	it := b.item(1)
	before := b.comment(it)
	b.f.DryRun = true
	for _, way := range []Way{Comment, Parameter, Report} {
		expect(t, b.tell(way, it), Told)
	}
	b.f = b.as("reader")
	for way, lacks := range map[Way]string{Comment: "edit_hosts", Parameter: "create_params", Report: "upload_config_reports"} {
		r := b.tell(way, it)
		expect(t, r, Failed)
		if !strings.Contains(r.Err.Error()+katprep.HintOf(r.Err), lacks) {
			t.Errorf("%s: %v", way, r.Err)
		}
	}
	for way, want := range map[Way]string{Comment: "edit_hosts (for announce: comment)", Parameter: "", Report: ""} {
		missing, untried, err := Rights(t.Context(), b.f.Client, way)
		if got := strings.Join(missing, " "); err != nil || got != want || (way == Comment) != (len(untried) == 0) {
			t.Errorf("%s: missing %q, not tried %v, %v", way, got, untried, err)
		}
	}
	if after := b.comment(it); after != before || strings.Contains(b.ask("GET", "/api/config_reports", ""), "reported_at") {
		t.Error("something was written")
	}
}

// TestItems words what the archive says.
func TestItems(t *testing.T) {
	id := func(n string) katprep.Host {
		return katprep.Host{HostID: katprep.HostID{Source: "sat", ID: n}, Name: "h" + n + ".example.com"}
	}
	step := katprep.PlannedStep{ID: "patch", Stage: katprep.StageExecute, Kind: katprep.StepPatch, System: "sat", Target: "x", Say: "install"}
	plan := katprep.Plan{Format: 1, Run: "patch-1", Waves: []katprep.Wave{{Name: "all"}}, Hosts: []katprep.HostPlan{
		{Host: id("1"), Steps: []katprep.PlannedStep{step}}, {Host: id("2"), Steps: []katprep.PlannedStep{step}}, {Host: id("3")},
		{Host: id("4"), Steps: []katprep.PlannedStep{step}},
	}}
	entry := func(seq int, n string, e katprep.Event, msg string) katprep.Entry {
		return katprep.Entry{Seq: seq, At: at.Add(time.Duration(seq) * time.Second), Host: "h" + n + ".example.com", HostID: id(n).HostID, Step: "patch", Kind: katprep.StepPatch, Stage: katprep.StageExecute, Event: e, Message: msg}
	}
	rec := katprep.RunRecord{Plan: plan, Journal: []katprep.Entry{
		entry(1, "1", katprep.EventIntent, ""), entry(2, "1", katprep.EventDone, ""), entry(3, "2", katprep.EventIntent, ""),
		entry(4, "2", katprep.EventFailed, "E: \x1b[31mdpkg <%= `id` %> was\ninterrupted"), entry(5, "4", katprep.EventIntent, ""), entry(6, "4", katprep.EventDone, ""),
	}}
	var errata []katprep.ErratumChange
	for i := range 150 {
		errata = append(errata, katprep.ErratumChange{ID: "RHSA-2026:" + strconv.Itoa(i), Ending: katprep.Installed})
	}
	r := &katprep.Report{Run: &rec, After: katprep.SnapshotRef{Snapshot: katprep.Snapshot{Finished: at.Add(time.Millisecond)}}, Hosts: []katprep.HostChange{
		{Host: id("1"), Presence: katprep.InBoth, Known: []katprep.Aspect{katprep.AspectErrata}, Errata: append(errata, katprep.ErratumChange{ID: "RHBA-1", Ending: katprep.RebootPending}), Boot: katprep.BootChange{Rebooted: katprep.Yes}},
		{Host: id("2"), Presence: katprep.NotCollected, Errata: []katprep.ErratumChange{{ID: "RHBA-2", Ending: katprep.Unknown}}, Boot: katprep.BootChange{Rebooted: katprep.NotKnown}},
	}}
	items, err := Items(r, "sat", nil)
	if err != nil || len(items) != 3 {
		t.Fatalf("%d items, %v", len(items), err)
	}
	for i, want := range []string{
		"executed; errata: 150 installed, 1 installed with a reboot pending; rebooted",
		"failed at patch; not or not wholly read after the run; errata: 1 unknown; errata not known; not known whether it was rebooted",
		"executed; not in the snapshot after the run",
	} {
		if items[i].Text != want || items[i].Failed != (i == 1) || !items[i].At.Equal(at) {
			t.Errorf("%s: %+v", items[i].Host.Name, items[i])
		}
	}
	if n := len(items[0].Details); n != maxDetails || items[0].Installed != 151 || items[0].Details[n-1].Text != "and 52 more" {
		t.Errorf("%d details, %d installed", n, items[0].Installed)
	}
	if d := items[1].Details[0]; d.Level != "err" || strings.ContainsAny(d.Text, "\x1b\n") || strings.Contains(d.Text, "<%") {
		t.Errorf("detail %q", d.Text)
	}
	if _, err := Items(&katprep.Report{}, "sat", nil); katprep.KindOf(err) != katprep.NotFound {
		t.Errorf("without a run: %v", err)
	}
}

func FuzzClip(f *testing.F) {
	f.Add("ä<%= 1 %>\x00\n", 10)
	f.Fuzz(func(t *testing.T, s string, limit int) {
		limit = 4 + min(max(limit, 0), 1000)
		got := clip(s, limit)
		if len(got) > limit || !utf8.ValidString(got) || strings.Contains(got, "<%") || strings.ContainsAny(got, "\n\r\x00\x1b") {
			t.Errorf("clip(%q, %d) = %q", s, limit, got)
		}
	})
}

// FuzzWithLine: whatever is in a comment, what is not katprep's stays, and
// saying the same again changes nothing.
func FuzzWithLine(f *testing.F) {
	f.Add("a\r\n" + mark + "2026-10-01 10:00 UTC p: x\nb")
	it := Item{Run: "patch-1", At: at, Text: "x"}
	f.Fuzz(func(t *testing.T, comment string) {
		once, newer := withLine(comment, it.Line(), at)
		if newer {
			return
		}
		if twice, _ := withLine(once, it.Line(), at); twice != once || !strings.Contains(once, mark+it.Line()) {
			t.Errorf("%q: %q, then %q", comment, once, twice)
		}
		for l := range strings.Lines(comment) {
			if !strings.HasPrefix(l, mark) && !strings.Contains(once, strings.TrimSuffix(l, "\n")) {
				t.Errorf("%q lost %q", comment, l)
			}
		}
	})
}
