package probe

import (
	"reflect"
	"slices"
	"testing"

	"github.com/stdevel/katprep"
)

// As dnf 4.14 prints it.
const (
	dnfList = `RHSA-2026:0001 Critical/Sec.  demo-openssl-3.0.7-25.el9_4.x86_64
CVE-2026-1001  Critical/Sec.  demo-openssl-3.0.7-25.el9_4.x86_64
RHSA-2026:0001 Critical/Sec.  demo-doc-3.0.7-25.el9_4.noarch
RHEA-2026:0040 enhancement    demo-web-2.1-1.el9_4.noarch
`
	dnfInfo = `===============================================================================
  Critical: demo-openssl security update
===============================================================================
  Update ID: RHSA-2026:0001
       Type: security
    Updated: 2026-01-10 08:00:00
       Bugs: 2200001 - bug 2200001
           : 2200002 - bug: with a colon
       CVEs: CVE-2026-1001
           : CVE-2026-1002
Description: Critical: demo-openssl security update
           : 
           : Longer text.
   Severity: Critical

===============================================================================
  Moderate: kernel update
===============================================================================
  Update ID: RHSA-2026:0020
       Type: security
    Updated: 2026-02-20 08:00:00
   Severity: Moderate
`
	dnfCheck = `
demo-openssl.x86_64          1:3.0.7-27.el9_4          lab-updates
demo-web.noarch              2.1-1.el9_4               lab-updates
Obsoleting Packages
new.noarch                   1-1                       lab-updates
    old.noarch               1-1                       @System
`
)

func TestParseUpdateInfo(t *testing.T) {
	list := ParseUpdateInfoList(dnfList)
	want := []Advisory{
		{Erratum: katprep.Erratum{ID: "RHEA-2026:0040", Type: katprep.Enhancement, Packages: []katprep.Package{{Name: "demo-web", EVR: "2.1-1.el9_4", Arch: "noarch"}}},
			Packages: []string{"demo-web-2.1-1.el9_4.noarch"}},
		{Erratum: katprep.Erratum{ID: "RHSA-2026:0001", Type: katprep.Security, Severity: katprep.Critical, Packages: []katprep.Package{
			{Name: "demo-doc", EVR: "3.0.7-25.el9_4", Arch: "noarch"}, {Name: "demo-openssl", EVR: "3.0.7-25.el9_4", Arch: "x86_64"}}},
			Packages: []string{"demo-doc-3.0.7-25.el9_4.noarch", "demo-openssl-3.0.7-25.el9_4.x86_64"}},
	}
	if !reflect.DeepEqual(list, want) {
		t.Errorf("list %+v", list)
	}
	info := ParseUpdateInfo(dnfInfo)
	e := katprep.Erratum{ID: "RHSA-2026:0001", Title: "Critical: demo-openssl security update", Type: katprep.Security, Severity: katprep.Critical, Updated: "2026-01-10",
		CVEs: []string{"CVE-2026-1001", "CVE-2026-1002"}, Bugs: []string{"2200001", "2200002"}, Description: "Critical: demo-openssl security update\n\nLonger text."}
	if len(info) != 2 || !reflect.DeepEqual(info["RHSA-2026:0001"], e) || info["RHSA-2026:0020"].Title != "Moderate: kernel update" {
		t.Errorf("info %+v", info)
	}
	joined := withDetails(list, info)
	if got := joined[1]; got.Title != e.Title || len(got.Erratum.Packages) != 2 || len(got.Packages) != 2 {
		t.Errorf("joined %+v", got)
	}
}

func TestParseCheckUpdate(t *testing.T) {
	want := []katprep.Update{{Name: "demo-openssl", Arch: "x86_64", To: "1:3.0.7-27.el9_4", Origin: "lab-updates"}, {Name: "demo-web", Arch: "noarch", To: "2.1-1.el9_4", Origin: "lab-updates"}}
	if got := ParseCheckUpdate(dnfCheck); !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v", got)
	}
}

// The shapes of dnf5 come from its source; no dnf5 was here to record.
func TestParseDNF5(t *testing.T) {
	list, err := ParseDNF5List(`[{"name":"FEDORA-2026-1","type":"security","severity":"Important","nevra":"curl-8.6.0-10.fc40.x86_64","buildtime":1726104873},
{"name":"FEDORA-2026-1","type":"security","severity":"Important","nevra":"libcurl-8.6.0-10.fc40.x86_64","buildtime":1726104873},{"name":"CVE-2026-1","type":"security","severity":"security","nevra":"x-1-1.noarch"}]`)
	if err != nil || len(list) != 1 || list[0].Severity != katprep.Important || len(list[0].Packages) != 2 || len(list[0].Erratum.Packages) != 2 {
		t.Errorf("list %+v, %v", list, err)
	}
	info, err := ParseDNF5Info(`[{"Name":"FEDORA-2026-1","Title":"curl","Severity":"Important","Type":"security","Status":"final","Vendor":"f","Issued":1726104873,"Description":"text","Message":"","Rights":"",
"references":[{"Title":"t","Id":"CVE-2026-1","Type":"cve","Url":"u"},{"Title":"t","Id":"77","Type":"bugzilla","Url":"u"}],"collections":{"packages":["only-the-last-1-1.noarch"],"modules":[]}}]`)
	e := info["FEDORA-2026-1"]
	if err != nil || e.Issued != "2024-09-12" || !slices.Equal(e.CVEs, []string{"CVE-2026-1"}) || !slices.Equal(e.Bugs, []string{"77"}) || e.Severity != "" || len(e.Packages) != 0 {
		t.Errorf("info %+v, %v", e, err)
	}
	text := ParseDNF5Text("Name          Type     Severity  Package                   Issued\nFEDORA-2026-1 security Important curl-8.6.0-10.fc40.x86_64 2024-09-12 01:34:33\nFEDORA-2026-2 bugfix   None      a-1-1.fc40.noarch         2024-09-13 01:34:33\n")
	if len(text) != 2 || text[0].Issued != "2024-09-12" || text[1].Severity != "" || text[1].Type != katprep.Bugfix {
		t.Errorf("text %+v", text)
	}
	repos := ParseDNF5Repos("Repo ID              : updates\nName                 : Updates\n  Revision           : 1726104873\n\nRepo ID : fedora\n")
	if len(repos) != 2 || repos[1].ID != "updates" || repos[1].Refreshed.Unix() != 1726104873 {
		t.Errorf("repositories %+v", repos)
	}
	for _, f := range []func(string) error{
		func(s string) error { _, err := ParseDNF5List(s); return err }, func(s string) error { _, err := ParseDNF5Info(s); return err },
	} {
		if f("Unknown argument --json") == nil {
			t.Error("text was taken for JSON")
		}
	}
}

func TestDNF5Host(t *testing.T) {
	host := redhatHost.without("dnf4").with(sections{
		"dnf5-list!2": "", "dnf5-info!2": "", "dnf5-info-text": "Name : RHSA-2026:0001\nTitle : Critical: demo\nIssued : 2026-01-10\n",
		"dnf5-text":   "RHSA-2026:0001 security Critical demo-openssl-3.0.7-25.el9_4.x86_64 2026-01-10 08:00:00\n",
		"dnf-fetched": "1795507200\n", "dnf-any": "RHSA-2026:0001\n",
		"dnf-updates!100": "demo-openssl.x86_64 3.0.7-27.el9_4 updates\n",
	})
	s := state(t, host)
	if s.Status != katprep.Collected || !s.Knows(katprep.AspectErrata) || len(s.Errata) != 1 || len(s.Updates) != 1 || s.Updates[0].From != "3.0.7-24.el9" || !s.Updates[0].Security {
		t.Errorf("%s, %+v, %+v, %+v", s.Status, s.Problems, s.Errata, s.Updates)
	}
	s = state(t, host.without("dnf5-text").with(sections{"dnf5-text!1": ""}))
	if s.Status != katprep.Incomplete || s.Knows(katprep.AspectErrata) || s.Knows(katprep.AspectUpdates) {
		t.Errorf("dnf5 fails: %s, %v", s.Status, s.Aspects)
	}
}

func TestYumHost(t *testing.T) {
	host := redhatHost.without("dnf4").with(sections{"dnf-list": dnfList, "dnf-info": dnfInfo, "dnf-updates!100": dnfCheck, "dnf-fetched": "1795507200\n", "dnf-any": dnfList})
	s := state(t, host)
	if s.Status != katprep.Collected || len(s.Errata) != 2 || len(s.Updates) != 2 {
		t.Errorf("%s, %+v, %+v, %+v", s.Status, s.Problems, s.Errata, s.Updates)
	}
	if s = state(t, host.without("dnf-updates!100").with(sections{"dnf-updates!1": ""})); s.Knows(katprep.AspectUpdates) || s.Knows(katprep.AspectErrata) {
		t.Errorf("check-update fails: %v", s.Aspects)
	}
}

func TestParseZypper(t *testing.T) {
	patches := `<?xml version='1.0'?>
<stream>
<message type="warning">something</message>
<update-status version="0.6">
<update-list>
<update kind="patch" name="SUSE-1" edition="1" arch="noarch" status="needed" category="security" severity="important" restart="true" interactive="reboot"><summary>kernel</summary><description>a
b</description><source url="u" alias="updates"/><issue-date time_t="1771574400" text="x"/><issue-list><issue type="self" id="SUSE-1"/><issue type="cve" id="CVE-2026-1"/><issue type="bugzilla" id="7"/></issue-list></update>
<update kind="patch" name="SUSE-2" status="applied" category="recommended" severity="low"/>
<update kind="patch" name="SUSE-3" status="optional" category="optional" severity=""/>
</update-list></update-status></stream>`
	got, err := ParseZypperPatches(patches)
	want := katprep.Erratum{ID: "SUSE-1", Title: "kernel", Type: katprep.Security, Severity: katprep.Important, Issued: "2026-02-20", RebootSuggested: true, CVEs: []string{"CVE-2026-1"}, Bugs: []string{"7"}, Description: "a\nb"}
	if err != nil || len(got) != 2 || !reflect.DeepEqual(got[0].Erratum, want) || got[1].Type != katprep.Enhancement {
		t.Errorf("%+v, %v", got, err)
	}
	fixes := ParseZypperFixes("Information for patch SUSE-1:\nName        : SUSE-1\nConflicts   : [2]\n    kernel-default.x86_64 < 5.14.21-1\n    srcpackage:kernel < 5.14.21-1\n    kernel-default.noarch < 5.14.21-1\n\nName        : SUSE-3\n    web.noarch < 2:1-1\n")
	if !reflect.DeepEqual(fixes, map[string][]string{"SUSE-1": {"kernel-default-5.14.21-1.x86_64", "kernel-default-5.14.21-1.noarch"}, "SUSE-3": {"web-2:1-1.noarch"}}) {
		t.Errorf("fixes %v", fixes)
	}
	us, err := ParseZypperUpdates(`<stream><update-status><update-list><update kind="package" name="a" edition="2-1" edition-old="1-1" arch="noarch"><source alias="up"/></update></update-list></update-status></stream>`)
	if err != nil || !reflect.DeepEqual(us, []katprep.Update{{Name: "a", Arch: "noarch", From: "1-1", To: "2-1", Origin: "up"}}) {
		t.Errorf("%+v, %v", us, err)
	}
	if _, err := ParseZypperPatches("<stream>"); err == nil {
		t.Error("half a document was accepted")
	}
}

func FuzzTextParsers(f *testing.F) {
	f.Add(dnfList)
	f.Add(dnfInfo)
	f.Add(dnfCheck)
	f.Add(`[{"name":"a","nevra":"a-1-1.x"}]`)
	f.Add(`<stream><update-status><update-list><update kind="patch" name="a" status="needed"/></update-list></update-status></stream>`)
	f.Add("Name : a\n  b.c < 1\nRepo ID : x\nRevision : 1\n")
	f.Fuzz(func(t *testing.T, in string) {
		advs := ParseUpdateInfoList(in)
		advs = append(advs, ParseDNF5Text(in)...)
		if l, err := ParseDNF5List(in); err == nil {
			advs = append(advs, l...)
		}
		if l, err := ParseZypperPatches(in); err == nil {
			advs = append(advs, l...)
		}
		for _, a := range withDetails(advs, ParseUpdateInfo(in)) {
			if a.ID == "" || a.ID != Clean(a.ID) || a.Title != Clean(a.Title) {
				t.Errorf("unclean %+v", a)
			}
		}
		for _, u := range ParseCheckUpdate(in) {
			if u.Name == "" || u.To == "" {
				t.Errorf("update %+v", u)
			}
		}
		_, _ = ParseDNF5Info(in)
		_, _ = ParseZypperUpdates(in)
		_, _ = ParseZypperRepos(in)
		ParseZypperFixes(in)
		ParseDNF5Repos(in)
		ParseChangelogs(in)
	})
}

func TestChangelogs(t *testing.T) {
	in := `=deb libssl3 3.0.22-1~deb12u2
openssl (3.0.22-1~deb12u2) bookworm-security; urgency=medium
  * Fix CVE-2026-1001 and CVE-2026-1002 (Closes: #1)
openssl (3.0.20-1~deb12u1) bookworm; urgency=medium
    - CVE-2026-1001, CVE-2025-0001
openssl (3.0.19-1~deb12u2) bookworm; urgency=medium
    - CVE-2020-0001 is old
=deb stale 9
stale (9) x; urgency=low
  CVE-2026-9999
`
	host := debianHost.with(sections{
		"dpkg":       "ii \tlibssl3\t3.0.19-1~deb12u2\tamd64\topenssl\t3.0.19-1~deb12u2\nii \topenssl\t3.0.19-1~deb12u2\tamd64\topenssl\t3.0.19-1~deb12u2\nii \tstale\t7\tall\tstale\t7\n",
		"apt-get":    "Inst libssl3 [3.0.19-1~deb12u2] (3.0.22-1~deb12u2 D:1/s [amd64])\nInst openssl [3.0.19-1~deb12u2] (3.0.22-1~deb12u2 D:1/s [amd64])\nInst stale [7] (10 D:1/s [all])\n",
		"changelogs": in,
	})
	s := state(t, host)
	want := []string{"CVE-2025-0001", "CVE-2026-1001", "CVE-2026-1002"}
	if !slices.Equal(s.Updates[0].CVEs, want) || !slices.Equal(s.Updates[1].CVEs, want) || len(s.Updates[2].CVEs) > 0 {
		t.Errorf("updates %+v", s.Updates)
	}
	if s.Knows(katprep.AspectErrata) || len(s.Errata) > 0 {
		t.Error("CVEs are no advisories")
	}
}
