package legacy_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/collect"
	"github.com/stdevel/katprep/collect/collecttest"
	"github.com/stdevel/katprep/collect/legacy"
)

const katello = `{"web.example.com": {"errata": [
 {"id": 9, "errata_id": "RHSA-2021:0001", "title": "openssl", "issued": "2021-03-01", "updated": "2021-03-02", "severity": "Important",
  "type": "security", "cves": [{"cve_id": "CVE-2021-2", "href": "x"}, {"cve_id": "CVE-2021-1", "href": "y"}], "bugs": [{"bug_id": 5, "href": "z"}],
  "packages": ["openssl-1:1.1.1g-15.el8_3.x86_64", "openssl-1:1.1.1g-15.el8_3.src", "junk"], "reboot_suggested": true,
  "module_streams": [{"name": "nodejs", "stream": "16", "packages": ["nodejs-16.1-2.module_el8.noarch"]}], "installable": true},
 {"id": 10, "errata_id": "RHBA-2021:0002", "severity": null, "type": "bugfix", "installable": false, "cves": null}],
 "params": {"katprep_virt": "vc1", "katprep_virt_snapshot": 1, "katprep_password": "hunter2", "ip": "192.0.2.1", "name": "web.example.com",
  "environment_name": null, "organization_name": "ACME", "owner": "Admin User", "operatingsystem_name": "CentOS 8", "system_physical": true},
 "verification": {"virt_snapshot": true, "mon_status": "Ok"}},
 "bare.example.com": {"errata": {}, "params": {}, "verification": {}}}`

const uyuni = `{"1000010000": {"id": 1000010000, "hostname": "suse.example.com", "virtualization": "KVM/QEMU", "organization": "Demo",
 "params": {"katprep_owner": "admin"}, "ip": "192.0.2.2", "ipv6": "2001:db8::2", "owner": "", "reboot_suggested": "TODO",
 "errata": [{"id": 2075, "date": "8/27/21", "update_date": "12/1/21", "advisory_synopsis": "moderate: Security update for aws-cli",
  "advisory_type": "Security Advisory", "advisory_name": "openSUSE-2021-1206"}],
 "upgrades": [{"name": "bash", "arch": "x86_64", "from_version": "4.4", "from_release": "1", "from_epoch": "", "to_version": "4.4", "to_release": "2", "to_epoch": "", "to_package_id": 7}]}}`

const verified = `{"1000010000": {"cls": "host", "hostname": "suse.example.com", "params": {}, "organization": "Demo", "location": "Here", "management_id": 1000010000,
 "verifications": {"virt_snapshot": true}, "patches": [{"cls": "erratum", "id": 2075, "type": "Bug Fix Advisory", "name": "openSUSE-2021-1201",
 "summary": "Recommended update for dracut", "issued_at": "2021-08-26", "updated_at": "8/27/21", "reboot_suggested": false}],
 "upgrades": [{"cls": "upgrade", "package_name": "vim", "package_id": 3}]}}`

func file(t *testing.T, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

const name = "errata-snapshot-report-sat-20210324-1458.json"

func read(t *testing.T, content string) ([]katprep.State, map[string]katprep.Erratum) {
	t.Helper()
	f, err := legacy.Read(file(t, name, content))
	if err != nil {
		t.Fatal(err)
	}
	sink := &collecttest.Sink{T: t}
	if _, err := collect.Run(t.Context(), []collect.Source{{Name: "legacy", Collector: f}}, katprep.Selection{}, sink, collect.Options{}); err != nil {
		t.Fatal(err)
	}
	return sink.States(), sink.Errata()
}

func TestContract(t *testing.T) {
	for what, content := range map[string]string{"katello": katello, "uyuni": uyuni, "verified": verified} {
		t.Run(what, func(t *testing.T) {
			collecttest.Run(t, collecttest.Case{
				New: func(t *testing.T) collect.Collector {
					f, err := legacy.Read(file(t, name, content))
					if err != nil {
						t.Fatal(err)
					}
					return f
				},
				Unknown: &katprep.Selection{Hosts: []string{"other.example.com"}},
			})
		})
	}
}

func TestKatello(t *testing.T) {
	states, errata := read(t, katello)
	if len(states) != 2 {
		t.Fatalf("%d hosts", len(states))
	}
	bare, web := states[0], states[1]
	if bare.Status != katprep.Incomplete || bare.Knows(katprep.AspectErrata) {
		t.Errorf("a host without a list of errata: %+v", bare)
	}
	want := katprep.State{
		Host: katprep.Host{HostID: katprep.HostID{Source: "legacy", ID: "web.example.com"}, Name: "web.example.com"}, Status: katprep.Collected,
		Aspects: []katprep.Aspect{katprep.AspectErrata, katprep.AspectFacts, katprep.AspectParameters},
		Facts: katprep.Facts{OS: katprep.OS{Name: "CentOS 8"}, IP: "192.0.2.1", Organization: "ACME", Owner: "Admin User", Hardware: katprep.Physical,
			Extra: map[string]string{"verification.virt_snapshot": "true", "verification.mon_status": "Ok"}},
		Parameters: []katprep.Parameter{{Name: "katprep_password", Masked: true}, {Name: "katprep_virt", Value: "vc1"}, {Name: "katprep_virt_snapshot", Value: "1"}},
		Errata:     []katprep.HostErratum{{ID: "RHBA-2021:0002"}, {ID: "RHSA-2021:0001", Installable: true}},
	}
	if d := cmp.Diff(want, web); d != "" {
		t.Error(d)
	}
	wantErratum := katprep.Erratum{ID: "RHSA-2021:0001", Title: "openssl", Type: katprep.Security, Severity: katprep.Important, Issued: "2021-03-01", Updated: "2021-03-02",
		RebootSuggested: true, CVEs: []string{"CVE-2021-1", "CVE-2021-2"}, Bugs: []string{"5"}, Modules: []string{"nodejs:16"},
		Packages: []katprep.Package{{Name: "nodejs", EVR: "16.1-2.module_el8", Arch: "noarch"}, {Name: "openssl", EVR: "1:1.1.1g-15.el8_3", Arch: "x86_64"}}}
	if d := cmp.Diff(wantErratum, errata["RHSA-2021:0001"]); d != "" {
		t.Error(d)
	}
}

func TestUyuni(t *testing.T) {
	states, errata := read(t, uyuni)
	s := states[0]
	if s.Name != "suse.example.com" || s.ID != "1000010000" || s.Facts.Owner != "admin" || s.Facts.IP6 != "2001:db8::2" || s.Facts.Hardware != katprep.Virtual {
		t.Errorf("%+v", s)
	}
	if d := cmp.Diff([]katprep.Update{{Name: "bash", Arch: "x86_64", From: "4.4-1", To: "4.4-2"}}, s.Updates); d != "" {
		t.Error(d)
	}
	want := katprep.Erratum{ID: "openSUSE-2021-1206", Title: "moderate: Security update for aws-cli", Type: katprep.Security, Severity: katprep.Moderate, Issued: "2021-08-27", Updated: "2021-12-01"}
	if d := cmp.Diff(want, errata["openSUSE-2021-1206"]); d != "" {
		t.Error(d)
	}
	states, errata = read(t, verified)
	s = states[0]
	if s.Facts.Location != "Here" || s.Facts.Extra["verification.virt_snapshot"] != "true" || len(s.Updates) != 1 || s.Updates[0].Name != "vim" {
		t.Errorf("%+v", s)
	}
	want = katprep.Erratum{ID: "openSUSE-2021-1201", Title: "Recommended update for dracut", Summary: "Recommended update for dracut", Type: katprep.Bugfix, Issued: "2021-08-26", Updated: "2021-08-27"}
	if d := cmp.Diff(want, errata["openSUSE-2021-1201"]); d != "" {
		t.Error(d)
	}
}

func TestBadFiles(t *testing.T) {
	for what, c := range map[string]struct {
		content string
		kind    katprep.Kind
		text    string
	}{
		"empty":               {"", katprep.Corrupt, "is empty"},
		"blank":               {" \n", katprep.Corrupt, "is empty"},
		"list":                {"[1]", katprep.Invalid, "holds a list"},
		"text":                {"<html>", katprep.Invalid, "not JSON"},
		"half written":        {katello[:len(katello)/2], katprep.Corrupt, "ends in the middle"},
		"without the end":     {katello[:len(katello)-1], katprep.Corrupt, "ends in the middle"},
		"begun":               {"{", katprep.Corrupt, "ends in the middle"},
		"damaged":             {`{"a": {]}`, katprep.Corrupt, "damaged at byte"},
		"two in one":          {"{}{}", katprep.Corrupt, "something follows"},
		"written over itself": {"{}\n\"x\"", katprep.Corrupt, "something follows"},
	} {
		path := file(t, name, c.content)
		_, err := legacy.Read(path)
		if katprep.KindOf(err) != c.kind || !strings.Contains(fmt.Sprint(err), c.text) || !strings.Contains(fmt.Sprint(err), path) {
			t.Errorf("%s: kind %d, %v", what, katprep.KindOf(err), err)
		}
	}
	if _, err := legacy.Read(filepath.Join(t.TempDir(), name)); katprep.KindOf(err) != katprep.NotFound {
		t.Errorf("missing file: %v", err)
	}
}

func TestHostsThatCannotBeRead(t *testing.T) {
	states, _ := read(t, `{"a": null, "b": [1], "c": {"errata": [5], "params": {}}, "d": {"errata": [{"title": "nameless"}]}}`)
	for _, s := range states {
		want := katprep.Failed
		if s.ID == "d" {
			want = katprep.Collected
		}
		if s.Status != want || len(s.Problems) == 0 {
			t.Errorf("%s is %s: %v", s.ID, s.Status, s.Problems)
		}
	}
}

func TestDates(t *testing.T) {
	older := file(t, "errata-snapshot-report-a-b-20210324-1458.json", "{}")
	newer := file(t, "errata-snapshot-report-sat-20210910-1415.json", "{}")
	files, err := legacy.ReadAll([]string{newer, older})
	if err != nil {
		t.Fatal(err)
	}
	want := time.Date(2021, 3, 24, 14, 58, 0, 0, time.Local)
	if len(files) != 2 || files[0].Path != older || !files[0].Taken.Equal(want) || files[0].Taken.Location() != time.UTC {
		t.Errorf("%+v", files)
	}
	for _, bad := range []string{"report.json", "errata-snapshot-report-sat-20211399-1458.json", "errata-snapshot-report-sat-20210324.json"} {
		if _, err := legacy.ReadAll([]string{older, file(t, bad, "{}")}); katprep.KindOf(err) != katprep.Invalid || katprep.HintOf(err) == "" {
			t.Errorf("%s: %v", bad, err)
		}
	}
}

// TestRealReports reads reports that the old katprep wrote, where they are at
// hand.
func TestRealReports(t *testing.T) {
	dir := shared(t)
	paths, err := filepath.Glob(filepath.Join(dir, "legacy", "errata-snapshot-report-*.json"))
	if err != nil || len(paths) == 0 {
		t.Skip("no reports at hand")
	}
	files, err := legacy.ReadAll(paths)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		sink := &collecttest.Sink{T: t}
		snap, err := collect.Run(t.Context(), []collect.Source{{Name: "legacy", Collector: f}}, katprep.Selection{}, sink, collect.Options{})
		if err != nil || snap.Counts.Collected != 1 || snap.Counts.HostErrata == 0 {
			t.Errorf("%s: %+v, %v", f.Path, snap.Counts, err)
		}
		states := sink.States()
		for _, broken := range collecttest.Check(&states[0], sink.Errata()) {
			t.Errorf("%s: %s", f.Path, broken)
		}
	}
}

// shared finds the folder of recorded samples beside the project, or skips.
func shared(t *testing.T) string {
	t.Helper()
	if dir := os.Getenv("KATPREP_SHARED"); dir != "" {
		return dir
	}
	dir, err := os.Getwd()
	for err == nil {
		if _, err := os.Stat(filepath.Join(dir, "..", "shared", "legacy")); err == nil {
			return filepath.Join(dir, "..", "shared")
		}
		if filepath.Dir(dir) == dir {
			break
		}
		dir = filepath.Dir(dir)
	}
	t.Skip("no samples beside the project")
	return ""
}

func FuzzRead(f *testing.F) {
	f.Add([]byte(katello))
	f.Add([]byte(uyuni))
	f.Add([]byte(verified))
	f.Fuzz(func(t *testing.T, data []byte) {
		path := file(t, name, string(data))
		r, err := legacy.Read(path)
		if err != nil {
			return
		}
		sink := &collecttest.Sink{T: t}
		if _, err := collect.Run(t.Context(), []collect.Source{{Name: "l", Collector: r}}, katprep.Selection{}, sink, collect.Options{}); err != nil {
			t.Fatal(err)
		}
		for _, s := range sink.States() {
			if broken := collecttest.Check(&s, sink.Errata()); len(broken) > 0 {
				t.Errorf("%v", broken)
			}
		}
	})
}
