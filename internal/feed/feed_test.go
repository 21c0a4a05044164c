package feed

import (
	"bytes"
	"compress/gzip"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stdevel/katprep"
)

var today = time.Date(2026, 11, 24, 0, 0, 0, 0, time.UTC)

const updateInfo = `<?xml version="1.0" encoding="UTF-8"?>
<updates>
<update from="a" status="final" type="security" version="1"><id>ALSA-2026:0001</id><title>Important: demo security update</title><issued date="2026-11-10 08:00:00"/><severity>Important</severity><description>text</description>
<references><reference href="https://e/1" id="ALSA-2026:0001" type="self"/><reference href="x" id="CVE-2026-9" type="cve"/></references>
<pkglist><collection><name>u</name><package name="demo" version="2.0" release="3.el9" epoch="1" arch="x86_64" src="d.src.rpm"><filename>f</filename><reboot_suggested>True</reboot_suggested></package>
<package name="demo" version="2.0" release="3.el8" epoch="1" arch="x86_64"/></collection></pkglist></update>
<update status="retracted" type="security"><id>ALSA-2026:0002</id><pkglist><collection><package name="demo" version="9" release="9.el9" epoch="0" arch="x86_64"/></collection></pkglist></update>
</updates>`

func load(t *testing.T, texts ...string) *Feed {
	t.Helper()
	f, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range texts {
		if err := f.Add(strings.NewReader(s)); err != nil {
			t.Fatal(err)
		}
	}
	return f
}

func debian(os katprep.OS, us []katprep.Update, ps ...katprep.Package) *katprep.State {
	return &katprep.State{Format: katprep.Deb, Facts: katprep.Facts{OS: os}, Packages: ps, Updates: us, Aspects: []katprep.Aspect{"packages", "updates"}, Status: katprep.Collected}
}

func TestDebianList(t *testing.T) {
	f, err := Load("testdata/list")
	if err != nil {
		t.Fatal(err)
	}
	s := debian(katprep.OS{ID: "debian", Version: "12"},
		[]katprep.Update{{Name: "libssl3", Arch: "amd64", From: "3.0.19-1~deb12u2", To: "3.0.22-1~deb12u2"}},
		katprep.Package{Name: "libssl3", EVR: "3.0.19-1~deb12u2", Arch: "amd64", Source: "openssl 3.0.19-1~deb12u2"},
		katprep.Package{Name: "gcc", EVR: "4:12.2.0-3", Arch: "amd64", Source: "gcc-defaults 1.203"},
		katprep.Package{Name: "perl", EVR: "5.32.1-4", Arch: "amd64"})
	details := f.Apply(s, today)
	if want := []katprep.HostErratum{{ID: "DSA-6000-2"}, {ID: "DSA-6001-1", Installable: true}}; !slices.Equal(s.Errata, want) {
		t.Errorf("errata %+v", s.Errata)
	}
	if u := s.Updates[0]; !slices.Equal(u.Errata, []string{"DSA-6001-1"}) || !slices.Equal(u.CVEs, []string{"CVE-2026-1001", "CVE-2026-1002"}) || !u.Security {
		t.Errorf("update %+v", u)
	}
	want := katprep.Erratum{ID: "DSA-6001-1", Title: "openssl - security update", Type: katprep.Security, Issued: "2026-11-21", URL: "https://security-tracker.debian.org/tracker/DSA-6001-1",
		CVEs: []string{"CVE-2026-1001", "CVE-2026-1002"}, Packages: []katprep.Package{{Name: "libssl3", EVR: "3.0.22-1~deb12u2", Arch: "amd64"}}}
	// A source version says nothing of gcc's own versions, so nothing is claimed to prove it.
	if len(details) != 2 || !reflect.DeepEqual(details[1], want) || len(details[0].Packages) != 0 {
		t.Errorf("details %+v", details)
	}
	if !s.Knows(katprep.AspectErrata) || !s.Knows(katprep.AspectApplicable) || len(s.Problems) > 0 {
		t.Errorf("aspects %v, problems %v", s.Aspects, s.Problems)
	}
	if e, ok := f.Erratum("DLA-5999-1"); !ok || len(e.Packages) != 1 || e.Packages[0].EVR != "5.32.1-4+deb11u5" {
		t.Errorf("%+v", e)
	}
}

func TestUSN(t *testing.T) {
	f, err := Load("testdata/USN-7000-1.json")
	if err != nil {
		t.Fatal(err)
	}
	s := debian(katprep.OS{ID: "ubuntu", Version: "22.04"}, nil,
		katprep.Package{Name: "libssl3", EVR: "3.0.2-0ubuntu1.10", Arch: "amd64", Source: "openssl 3.0.2-0ubuntu1.10"},
		katprep.Package{Name: "libssl-doc", EVR: "3.0.2-0ubuntu1.10", Arch: "all", Source: "openssl 3.0.2-0ubuntu1.10"})
	details := f.Apply(s, today)
	if len(details) != 1 || s.Errata[0] != (katprep.HostErratum{ID: "USN-7000-1"}) || !slices.Equal(details[0].CVEs, []string{"CVE-2026-1001", "CVE-2026-1002"}) ||
		details[0].Issued != "2026-10-01" || details[0].URL != "https://ubuntu.com/security/notices/USN-7000-1" || len(details[0].Packages) != 1 {
		t.Errorf("%+v, %+v", s.Errata, details)
	}
	if len(s.Problems) != 1 || !strings.Contains(s.Problems[0].Message, "ends on 2026-10-01") {
		t.Errorf("problems %+v", s.Problems)
	}
	done := debian(katprep.OS{ID: "ubuntu", Version: "22.04"}, nil, katprep.Package{Name: "libssl3", EVR: "3.0.2-0ubuntu1.18", Arch: "amd64", Source: "openssl 3.0.2-0ubuntu1.18"})
	if f.Apply(done, today); len(done.Errata) > 0 || !done.Knows(katprep.AspectErrata) {
		t.Errorf("a fixed host: %+v, %v", done.Errata, done.Aspects)
	}
	other := debian(katprep.OS{ID: "ubuntu", Version: "20.04"}, nil, katprep.Package{Name: "libssl3", EVR: "1", Arch: "amd64", Source: "openssl 1"})
	if f.Apply(other, today); len(other.Errata) > 0 || other.Knows(katprep.AspectErrata) {
		t.Errorf("a release that the feed does not speak of: %+v, %v", other.Errata, other.Aspects)
	}
}

func TestUpdateInfo(t *testing.T) {
	f := load(t, updateInfo)
	s := &katprep.State{Format: katprep.RPM, Facts: katprep.Facts{OS: katprep.OS{ID: "almalinux", Version: "9.4"}}, Aspects: []katprep.Aspect{"packages", "updates"},
		Packages: []katprep.Package{{Name: "demo", EVR: "1:1.0-1.el9", Arch: "x86_64"}}, Updates: []katprep.Update{{Name: "demo", Arch: "x86_64", To: "1:2.0-3.el9"}}}
	details := f.Apply(s, today)
	if len(details) != 1 || !details[0].RebootSuggested || !s.Errata[0].Installable || details[0].Packages[0].EVR != "1:2.0-3.el9" || !s.Knows(katprep.AspectErrata) || f.Len() != 1 {
		t.Errorf("%+v, %+v", s.Errata, details)
	}
	foreign := &katprep.State{Format: katprep.RPM, Aspects: []katprep.Aspect{"packages", "updates"}, Packages: []katprep.Package{{Name: "other", EVR: "1-1", Arch: "x86_64"}}}
	if f.Apply(foreign, today); foreign.Knows(katprep.AspectErrata) {
		t.Error("a feed that knows none of the packages claims that there is nothing to install")
	}
	broken := &katprep.State{Format: katprep.RPM, Aspects: []katprep.Aspect{"packages", "updates"}, Packages: s.Packages, Problems: []katprep.Problem{{Aspect: katprep.AspectErrata, Message: "x"}}}
	if f.Apply(broken, today); broken.Knows(katprep.AspectErrata) {
		t.Error("a gap was closed by a feed")
	}
}

func TestNoPackagesNoClaim(t *testing.T) {
	f := load(t, updateInfo)
	s := &katprep.State{Format: katprep.RPM}
	if d := f.Apply(s, today); d != nil || len(s.Aspects) > 0 {
		t.Errorf("%+v", s)
	}
}

func TestLoad(t *testing.T) {
	dir := t.TempDir()
	var z bytes.Buffer
	w := gzip.NewWriter(&z)
	w.Write([]byte(updateInfo))
	w.Close()
	list, _ := os.ReadFile("testdata/list")
	os.MkdirAll(filepath.Join(dir, "DSA"), 0o755)
	os.WriteFile(filepath.Join(dir, "DSA", "list"), list, 0o600)
	os.WriteFile(filepath.Join(dir, "abc-updateinfo.xml.gz"), z.Bytes(), 0o600)
	os.WriteFile(filepath.Join(dir, "README"), []byte("nothing"), 0o600)
	f, err := Load(dir, "testdata/USN-7000-1.json")
	if err != nil || f.Len() != 5 || f.Newest() != "2026-11-21" {
		t.Errorf("%v, %d, %s", err, f.Len(), f.Newest())
	}
	for name, text := range map[string]string{
		"empty": "", "blank": " \n", "html": "<html><body>proxy error</body></html>", "text": "hello", "half json": `{"id":"USN-1"`, "other json": `{"a":1}`,
		"half xml": "<updates><update><id>a</id>", "no list": "[1 Jan 2026] something\n", "array": `[{"id":"USN-1"},{`, "bad gzip": "\x1f\x8bxx",
	} {
		p := filepath.Join(dir, "bad")
		os.WriteFile(p, []byte(text), 0o600)
		if _, err := Load(p); katprep.KindOf(err) != katprep.Invalid || err == nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := Load(filepath.Join(dir, "missing")); katprep.KindOf(err) != katprep.Invalid {
		t.Errorf("missing: %v", err)
	}
}

func FuzzAdd(f *testing.F) {
	f.Add([]byte(updateInfo))
	usn, _ := os.ReadFile("testdata/USN-7000-1.json")
	list, _ := os.ReadFile("testdata/list")
	f.Add(usn)
	f.Add(list)
	f.Add([]byte(`[{"id":"DSA-1-1","affected":[{"package":{"ecosystem":"Debian:12","name":"a"},"ranges":[{"type":"ECOSYSTEM","events":[{"fixed":"1"}]}],"ecosystem_specific":{"binaries":"x"}}]}]`))
	f.Fuzz(func(t *testing.T, in []byte) {
		fd, _ := Load()
		_ = fd.Add(bytes.NewReader(in))
		s := debian(katprep.OS{ID: "debian", Version: "12"}, nil, katprep.Package{Name: "a", EVR: "0", Arch: "all"})
		for _, e := range fd.Apply(s, today) {
			if e.ID == "" || strings.ContainsAny(e.ID+e.Title, "\n\x00\x1b") {
				t.Errorf("unclean %+v", e)
			}
		}
	})
}
