package render

import (
	"time"

	"github.com/stdevel/katprep"
)

func day(d, h, m int) time.Time { return time.Date(2026, 11, d, h, m, 0, 0, time.UTC) }

func text(s string) *string { return &s }

// sample is a report with every ending, presence and package kind once.
func sample() *katprep.Report {
	source := katprep.Source{Name: "satellite", Type: "foreman", URL: "https://satellite.example.com", Product: "Satellite 6.16.0", User: "svc-katprep"}
	ref := func(c katprep.CommitID, d int, ph katprep.Phase) katprep.SnapshotRef {
		return katprep.SnapshotRef{Commit: c, Snapshot: katprep.Snapshot{Format: 1, Started: day(d, 20, 0), Finished: day(d, 20, 4), Run: "2026-11-prod-a", Phase: ph, Sources: []katprep.Source{source}}}
	}
	errata := []katprep.Erratum{
		{ID: "RHBA-2026:0009", Title: "tzdata bug fix", Type: katprep.Bugfix, Issued: "2026-11-02"},
		{ID: "RHSA-2026:0001", Title: "openssl security update", Type: katprep.Security, Severity: katprep.Critical, Issued: "2026-11-03", CVEs: []string{"CVE-2026-1001", "CVE-2026-1002"},
			Description: "A flaw was found in openssl.\n\nAn attacker can stop a server.", Solution: "Update, then restart services."},
		{ID: "RHSA-2026:0002", Title: "kernel security update", Type: katprep.Security, Severity: katprep.Important, Issued: "2026-11-05", CVEs: []string{"CVE-2026-2001"}, RebootSuggested: true},
		{ID: "RHSA-2026:0003", Title: "curl security update", Type: katprep.Security, Severity: katprep.Moderate, Issued: "2026-11-06"},
		{ID: "RHSA-2026:0004", Title: "php:8.1 security update", Type: katprep.Security, Severity: katprep.Low, Issued: "2026-11-07"},
		{ID: "RHSA-2026:0005", Title: "glibc security update", Type: katprep.Security, Severity: katprep.Important, Issued: "2026-11-13"},
	}
	change := func(i int, e katprep.Ending, why string) katprep.ErratumChange {
		return katprep.ErratumChange{ID: errata[i].ID, Ending: e, Type: errata[i].Type, Severity: errata[i].Severity, Issued: errata[i].Issued, Title: errata[i].Title, CVEs: errata[i].CVEs, Installable: true, Reason: why}
	}
	installed := change(1, katprep.Installed, "")
	installed.Proof = []katprep.Proof{{Package: katprep.PackageKey{Name: "openssl", Arch: "x86_64"}, Before: "1:3.0.7-24.el9", Fixed: "1:3.0.7-27.el9", After: "1:3.0.7-27.el9"}}
	known := []katprep.Aspect{katprep.AspectErrata, katprep.AspectPackages, katprep.AspectUpdates}
	web := katprep.HostChange{
		Host: katprep.Host{HostID: katprep.HostID{Source: "satellite", ID: "17"}, Name: "web01.example.com"}, Presence: katprep.InBoth, Before: katprep.Collected, After: katprep.Collected, Known: known,
		Facts:  katprep.Facts{OS: katprep.OS{ID: "rhel", Version: "9.4", Name: "Red Hat Enterprise Linux 9.4 (Plow)"}, Owner: "Web team", IP: "192.0.2.17", Organization: "ACME", Location: "Berlin", HostGroup: "base/web", Environment: "Production"},
		Errata: []katprep.ErratumChange{installed, change(2, katprep.RebootPending, "running kernel is older"), change(4, katprep.NoLonger, "package removed"), change(3, katprep.Pending, ""), change(5, katprep.New, "")},
		Updates: []katprep.UpdateChange{
			{Update: katprep.Update{Name: "tzdata", From: "2026a-1.el9", To: "2026b-1.el9"}, Ending: katprep.Installed, After: "2026b-1.el9"},
			{Update: katprep.Update{Name: "curl", From: "7.76.1-26.el9", To: "7.76.1-29.el9"}, Ending: katprep.Pending, After: "7.76.1-26.el9"},
		},
		Packages: []katprep.PackageChange{
			{PackageKey: katprep.PackageKey{Name: "kernel-core", Arch: "x86_64"}, Kind: katprep.Changed, Before: []katprep.EVR{"5.14.0-427.el9"}, After: []katprep.EVR{"5.14.0-427.el9", "5.14.0-503.el9"}, Errata: []string{"RHSA-2026:0002"}},
			{PackageKey: katprep.PackageKey{Name: "libfoo", Arch: "x86_64"}, Kind: katprep.Downgraded, Before: []katprep.EVR{"2.0-1.el9"}, After: []katprep.EVR{"1.9-4.el9"}},
			{PackageKey: katprep.PackageKey{Name: "newcomer", Arch: "noarch"}, Kind: katprep.Added, After: []katprep.EVR{"1.0-1.el9"}},
			{PackageKey: katprep.PackageKey{Name: "openssl", Arch: "x86_64"}, Kind: katprep.Upgraded, Before: []katprep.EVR{"1:3.0.7-24.el9"}, After: []katprep.EVR{"1:3.0.7-27.el9"}, Errata: []string{"RHSA-2026:0001"}},
			{PackageKey: katprep.PackageKey{Name: "php", Arch: "x86_64"}, Kind: katprep.Removed, Before: []katprep.EVR{"8.1.27-1.el9"}},
		},
		Parameters: []katprep.ParameterChange{{Name: "katprep_virt", Before: text("vc1"), After: text("vc2")}, {Name: "rack", After: text("B7")}},
		Fields:     []katprep.FieldChange{{Field: "content_view", Before: "rhel9-2026-10", After: "rhel9-2026-11"}},
		Kernel:     katprep.KernelChange{Before: "5.14.0-427.el9.x86_64", After: "5.14.0-427.el9.x86_64"},
		Boot:       katprep.BootChange{Before: katprep.Boot{ID: "a", Time: day(1, 3, 0)}, After: katprep.Boot{ID: "a", Time: day(1, 3, 0)}, Rebooted: katprep.No},
		Reboot:     katprep.Reboot{Need: katprep.Needed, Reasons: []string{"kernel 5.14.0-503.el9"}},
		Processes:  []katprep.Process{{Name: "nginx", Unit: "nginx.service"}},
	}
	unknown := change(1, katprep.Unknown, "not collected afterwards")
	db := katprep.HostChange{Host: katprep.Host{HostID: katprep.HostID{Source: "satellite", ID: "3"}, Name: "db01.example.com"}, Presence: katprep.NotCollected, Before: katprep.Collected, After: katprep.Failed,
		Problems: []katprep.Problem{{Message: "connection refused"}}, Errata: []katprep.ErratumChange{unknown}, Boot: katprep.BootChange{Rebooted: katprep.NotKnown}}
	bare := func(id, name string, p katprep.Presence) katprep.HostChange {
		h := katprep.HostChange{Host: katprep.Host{HostID: katprep.HostID{Source: "satellite", ID: id}, Name: name}, Presence: p, Boot: katprep.BootChange{Rebooted: katprep.No}}
		if p != katprep.OnlyAfter {
			h.Before = katprep.Collected
		}
		if p != katprep.OnlyBefore {
			h.After, h.Known = katprep.Collected, known
		}
		return h
	}
	return &katprep.Report{
		Title: "November patch day", Meta: map[string]string{"Change": "CHG-4711"}, Version: "1.0.0",
		Before: ref("1111111111111111111111111111111111111111", 11, katprep.Before),
		After:  ref("2222222222222222222222222222222222222222", 12, katprep.After),
		Totals: katprep.Totals{Hosts: 5, Unchanged: 1, Changed: 1, Unknown: 1, Added: 1, Removed: 1,
			Errata:  map[katprep.Ending]int{katprep.Installed: 1, katprep.RebootPending: 1, katprep.NoLonger: 1, katprep.Pending: 1, katprep.Unknown: 1, katprep.New: 1},
			Updates: map[katprep.Ending]int{katprep.Installed: 1, katprep.Pending: 1}},
		Run:    record(web.Host, db.Host),
		Hosts:  []katprep.HostChange{bare("5", "app01.example.com", katprep.OnlyAfter), db, bare("4", "idle.example.com", katprep.InBoth), bare("6", "old.example.com", katprep.OnlyBefore), web},
		Errata: errata,
		VMSnapshots: []katprep.VMSnapshot{
			{Host: db.Host, Run: "2026-10-prod-a", System: "vcenter", Created: day(1, 20, 0), Age: 264, Limit: 72, Old: true},
			{Host: web.Host, Run: "2026-10-prod-a", System: "vcenter", Ref: "snapshot-17", Created: day(1, 20, 0), Certain: true, Age: 264, Limit: 72, Old: true},
			{Host: web.Host, Run: "2026-11-prod-a", System: "vcenter", Ref: "snapshot-21", Created: day(11, 21, 0), Certain: true, Age: 23, Limit: 72},
		},
	}
}

// record is a run in which a step of db failed and one of web has no outcome.
func record(web, db katprep.Host) *katprep.RunRecord {
	plan := func(h katprep.Host) katprep.HostPlan {
		return katprep.HostPlan{Host: h, Steps: []katprep.PlannedStep{{ID: "patch", Stage: katprep.StageExecute, Kind: katprep.StepPatch, System: "satellite", Say: "install 1 erratum"}, {ID: "reboot", Stage: katprep.StageExecute, Kind: katprep.StepReboot, Say: "reboot if needed"}}}
	}
	at := func(s int) time.Time { return time.Date(2026, 11, 11, 21, 0, s, 0, time.UTC) }
	return &katprep.RunRecord{
		Plan:     katprep.Plan{Run: "2026-11-prod-a", Title: "Production A", By: "alice", Created: at(0), Hosts: []katprep.HostPlan{plan(db), plan(web)}},
		Approval: &katprep.Decision{By: "carol", At: at(1), Verdict: "approved", Comment: "CHG-4711"},
		Journal: []katprep.Entry{
			{Seq: 1, At: at(2), Host: web.Name, HostID: web.HostID, Step: "patch", Stage: katprep.StageExecute, Event: katprep.EventSent, System: "satellite", Ref: "task 1"},
			{Seq: 2, At: at(3), Host: web.Name, HostID: web.HostID, Step: "patch", Stage: katprep.StageExecute, Event: katprep.EventDone, System: "satellite", Ref: "task 1", Message: "done by the task"},
			{Seq: 3, At: at(4), Host: db.Name, HostID: db.HostID, Step: "patch", Stage: katprep.StageExecute, Event: katprep.EventFailed, System: "satellite", Ref: "task 2", Message: "connection refused"},
			{Seq: 4, At: at(5), Host: web.Name, HostID: web.HostID, Step: "revert.vm", Stage: katprep.StageRevert, Event: katprep.EventIntent, System: "vc1"},
		},
	}
}

// evil holds what a hostile server may put into any text.
var evil = []string{
	`<script>alert(1)</script>`, `"><img src=x onerror=alert(1)>`, `</style><script>alert(1)</script>`, `</td></tr></table><h1>owned</h1>`,
	"a | b | c", "line one\nline two\n\n# heading\n\n| x | y |\n|---|---|\n| 1 | 2 |", "```\ncode\n```", "# heading", "- item", "1. item", "> quote", "    code",
	"[click](javascript:alert(1))", "![x](http://evil.example/x.png)", "http://evil.example/", "www.evil.example", "mail@evil.example", "<http://evil.example>", "[x]: http://evil.example", "[^1]: note",
	"{{.Secret}}", "{{define \"host.md.tmpl\"}}{{end}}", "{% raw %}", "${jndi:ldap://evil}", "*bold* __bold__ ~~gone~~ `code`", "***", "---", "===", "\\", "|", "a\\", "&lt;script&gt;", "&#60;b&#62;",
	"=cmd|' /C calc'!A0", "+1+1", "-1-1", "@SUM(A1)", "\t=1", "\r\n=1", "user\u202egnp.exe", "a\u2066b\u2069", "zero\u200bwidth", "null\x00byte", "\x1b[31mred", "bad\xffutf8", "\u2028=1", "<!-- comment", "--> x", "]]>", "1) item", "+ item", "~~~", "<details>", "<svg onload=alert(1)>", "'; DROP TABLE",
}

// poisoned is a report with s in every text that other systems supply.
func poisoned(s string) *katprep.Report {
	r := sample()
	for i := range r.Errata {
		e := &r.Errata[i]
		e.ID, e.Title, e.Summary, e.Description, e.Solution, e.CVEs = s, s, s, s, s, []string{s}
		e.Issued, e.Type, e.Severity = katprep.Date(s), katprep.ErratumType(s), katprep.Severity(s)
	}
	for i := range r.Hosts {
		poisonHost(&r.Hosts[i], s)
	}
	for _, ref := range []*katprep.SnapshotRef{&r.Before, &r.After} {
		src := &ref.Snapshot.Sources[0]
		src.Name, src.Product, src.URL, src.Type, src.User, src.Problem = s, s, s, s, s, s
	}
	r.Meta = map[string]string{s: s}
	poisonRun(r.Run, r.Hosts[0].Host, s)
	return r
}

func poisonHost(h *katprep.HostChange, s string) {
	h.Name, h.ID, h.Source = s, s, s
	h.Problems = []katprep.Problem{{Message: s, Aspect: katprep.Aspect(s)}}
	h.Facts = katprep.Facts{OS: katprep.OS{Name: s}, Owner: s, IP: s, Organization: s, Location: s, HostGroup: s, Environment: s}
	for i := range h.Errata {
		e := &h.Errata[i]
		e.ID, e.Title, e.Reason, e.CVEs = s, s, s, []string{s}
		e.Issued, e.Type, e.Severity = katprep.Date(s), katprep.ErratumType(s), katprep.Severity(s)
		for j := range e.Proof {
			e.Proof[j] = katprep.Proof{Package: katprep.PackageKey{Name: s, Arch: s}, Before: katprep.EVR(s), Fixed: katprep.EVR(s), After: katprep.EVR(s + "1")}
		}
	}
	for i := range h.Updates {
		u := &h.Updates[i]
		u.Name, u.From, u.To, u.After = s, katprep.EVR(s), katprep.EVR(s), katprep.EVR("2"+s)
	}
	for i := range h.Packages {
		p := &h.Packages[i]
		p.Name, p.Before, p.After, p.Errata = s, []katprep.EVR{katprep.EVR("1-" + s)}, []katprep.EVR{katprep.EVR("2-" + s)}, []string{s}
	}
	h.Parameters = []katprep.ParameterChange{{Name: s, Before: &s, After: &s}}
	h.Fields = []katprep.FieldChange{{Field: s, Before: s, After: s}}
	h.Kernel = katprep.KernelChange{Before: s, After: s + "x"}
	h.Reboot.Reasons = []string{s}
	h.Processes = []katprep.Process{{Name: s, Unit: s}}
	h.Boot.Proof = s
}

func poisonRun(r *katprep.RunRecord, h katprep.Host, s string) {
	r.Plan.Title, r.Plan.By, r.Plan.Run = s, s, katprep.RunID(s)
	r.Approval.By, r.Approval.Verdict, r.Approval.Comment = s, s, s
	for i := range r.Plan.Hosts {
		r.Plan.Hosts[i].Host = h
		for j := range r.Plan.Hosts[i].Steps {
			st := &r.Plan.Hosts[i].Steps[j]
			st.System, st.Say = s, s
		}
	}
	for i := range r.Journal {
		e := &r.Journal[i]
		e.Host, e.HostID, e.System, e.Ref, e.Message = s, h.HostID, s, s, s
	}
}
