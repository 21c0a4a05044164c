package probe

import (
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/stdevel/katprep"
)

func TestParseHost(t *testing.T) {
	h := ParseHost("uid=0\nhostname=web01\nkernel=6.1.0-18-amd64\narch=x86_64\nmachine_id=3d12\nuuid=4C4C-AB\nboot_id=3e24\nbtime=1795328648\ncontainer=none\nvirt=kvm\nbroken\n")
	want := Host{UID: "0", Hostname: "web01", Kernel: "6.1.0-18-amd64", Arch: "x86_64", MachineID: "3d12", UUID: "4c4c-ab",
		Hardware: katprep.Virtual, Boot: katprep.Boot{ID: "3e24", Time: time.Date(2026, 11, 22, 6, 24, 8, 0, time.UTC)}}
	if h != want {
		t.Errorf("got %+v", h)
	}
	for in, hw := range map[string]katprep.Hardware{
		"container=lxc\nvirt=kvm": katprep.Container, "container=none\nvirt=none": katprep.Physical, "": katprep.HardwareUnknown, "btime=-5": "",
	} {
		if h := ParseHost(in); h.Hardware != hw || !h.Boot.Time.IsZero() {
			t.Errorf("%q: %+v", in, h)
		}
	}
}

func TestParseOSRelease(t *testing.T) {
	for in, want := range map[string]katprep.OS{
		"ID=debian\nVERSION_ID=\"12\"\nPRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\n": {ID: "debian", Version: "12", Name: "Debian GNU/Linux 12 (bookworm)"},
		"# c\nNAME='Demo $x'\nVERSION=\"9 \\\"x\\\"\"\nID=\"rhel\"\n":                    {ID: "rhel", Name: "Demo $x 9 \"x\""},
		"": {}, "ID=\"": {ID: `"`},
	} {
		if got := ParseOSRelease(in); got != want {
			t.Errorf("%q: %+v", in, got)
		}
	}
}

func TestParseNet(t *testing.T) {
	in := `192.0.2.1 via 10.0.0.1 dev eth0 src 10.0.0.5 uid 0 \    cache
1: lo: <LOOPBACK,UP,LOWER_UP> mtu 65536 qdisc noqueue state UNKNOWN mode DEFAULT group default qlen 1000\    link/loopback 00:00:00:00:00:00 brd 00:00:00:00:00:00
2: eth1@if5: <BROADCAST> mtu 1500 qdisc fq state UP mode DEFAULT group default qlen 1000\    link/ether 02:00:00:00:00:99 brd ff:ff:ff:ff:ff:ff
3: eth0@if6: <BROADCAST> mtu 1500 qdisc fq state UP mode DEFAULT group default qlen 1000\    link/ether 02:00:00:00:00:01 brd ff:ff:ff:ff:ff:ff
2: eth1    inet 172.16.0.1/16 scope global eth1\       valid_lft forever preferred_lft forever
3: eth0    inet 10.0.0.5/24 brd 10.0.0.255 scope global eth0\       valid_lft forever preferred_lft forever
3: eth0    inet6 2001:db8::dead/64 scope global temporary dynamic \       valid_lft 1sec preferred_lft 1sec
3: eth0    inet6 2001:db8::5/64 scope global \       valid_lft forever preferred_lft forever
`
	if got, want := ParseNet(in), (Net{IP: "10.0.0.5", IP6: "2001:db8::5", MAC: "02:00:00:00:00:01"}); got != want {
		t.Errorf("got %+v", got)
	}
	if got := ParseNet("3: eth9    inet6 2001:db8::5/64 scope global \\ x\n"); got != (Net{IP6: "2001:db8::5"}) {
		t.Errorf("IPv6 only: %+v", got)
	}
}

func TestParseStale(t *testing.T) {
	ps, denied := ParseStale("sshd\tssh.service\nbash\t\nsshd\tssh.service\n=denied\n")
	if want := []katprep.Process{{Name: "bash"}, {Name: "sshd", Unit: "ssh.service"}}; !slices.Equal(ps, want) || !denied {
		t.Errorf("got %v, %v", ps, denied)
	}
}

func TestParseDpkg(t *testing.T) {
	in := "ii \tadduser\t3.134\tall\tadduser\t3.134\n" +
		"hi \tlibssl3\t3.0.19-1~deb12u2\tamd64\topenssl\t3.0.19-1~deb12u2\n" +
		"rc \tgone\t1\tall\tgone\t1\n" +
		"iF \thalf\t2.0\tall\thalf\t2.0\n" +
		"iHR\tworse\t2.0\tall\tworse\t2.0\n" +
		"un \tnever\t\t\t\t\n" +
		"ii \tbash\t5.2.15-2+b8\tamd64\tbash\t5.2.15-2\n" +
		"nonsense\n"
	ps, broken, bad := ParseDpkg(in)
	want := []katprep.Package{
		{Name: "adduser", EVR: "3.134", Arch: "all"},
		{Name: "bash", EVR: "5.2.15-2+b8", Arch: "amd64", Source: "bash 5.2.15-2"},
		{Name: "half", EVR: "2.0", Arch: "all"},
		{Name: "libssl3", EVR: "3.0.19-1~deb12u2", Arch: "amd64", Source: "openssl 3.0.19-1~deb12u2", Held: true},
	}
	if !reflect.DeepEqual(ps, want) || !slices.Equal(broken, []string{"half", "worse"}) || bad != 1 {
		t.Errorf("got %+v, %v, %d", ps, broken, bad)
	}
	if n, v := SourceOf(want[1]); n != "bash" || v != "5.2.15-2" {
		t.Errorf("source %s %s", n, v)
	}
}

func TestParseApt(t *testing.T) {
	in := `NOTE: This is only a simulation!
The following packages have been kept back:
  linux-generic snapd
The following upgrades have been deferred due to phasing:
  landscape-common
The following packages will be upgraded:
  perl
Remv oldlib [1.0-1]
Inst perl [5.36.0-7+deb12u2] (5.36.0-7+deb12u4 Debian-Security:12/oldstable-security [amd64]) []
Inst libgcrypt20 [1.10.1-3] (1.10.1-3+deb12u1 Debian:12.15/oldstable, Debian-Security:12/oldstable-security [amd64]) []
Inst libc6:i386 [2.36-9] (2.36-9+deb12u1 Debian:12.15/oldstable [i386]) [libpam:amd64 on x:amd64]
Inst brand-new (1.0 Debian:12.15/oldstable [all])
Inst curl [7.81.0-1ubuntu1.14] (7.81.0-1ubuntu1.15 Ubuntu:22.04/jammy-updates, Ubuntu:22.04/jammy-security [amd64])
Inst tzdata [1] (2 My Security:1/stable [all])
Conf perl (5.36.0-7+deb12u4 Debian-Security:12/oldstable-security [amd64])
`
	got := ParseApt(in)
	want := []katprep.Update{
		{Name: "curl", Arch: "amd64", From: "7.81.0-1ubuntu1.14", To: "7.81.0-1ubuntu1.15", Origin: "Ubuntu:22.04/jammy-updates, Ubuntu:22.04/jammy-security", Security: true},
		{Name: "libc6", Arch: "i386", From: "2.36-9", To: "2.36-9+deb12u1", Origin: "Debian:12.15/oldstable"},
		{Name: "libgcrypt20", Arch: "amd64", From: "1.10.1-3", To: "1.10.1-3+deb12u1", Origin: "Debian:12.15/oldstable, Debian-Security:12/oldstable-security", Security: true},
		{Name: "perl", Arch: "amd64", From: "5.36.0-7+deb12u2", To: "5.36.0-7+deb12u4", Origin: "Debian-Security:12/oldstable-security", Security: true},
		{Name: "tzdata", Arch: "all", From: "1", To: "2", Origin: "My Security:1/stable"},
	}
	if !reflect.DeepEqual(got.Updates, want) || !slices.Equal(got.Removed, []string{"oldlib"}) || !slices.Equal(got.Kept, []string{"landscape-common", "linux-generic", "snapd"}) {
		t.Errorf("got %+v", got)
	}
}

func TestParseAptLists(t *testing.T) {
	in := "File: deb.example.org_debian-security_dists_bookworm-security_InRelease\nOrigin: Debian\nVersion: 12\nDate: Sat, 21 Nov 2026 08:15:43 UTC\n" +
		"File: ftp.example_dists_x_Release\nDate: never\n"
	want := []katprep.Repository{
		{ID: "deb.example.org/debian-security bookworm-security", Revision: "12", Refreshed: time.Date(2026, 11, 21, 8, 15, 43, 0, time.UTC)},
		{ID: "ftp.example x"},
	}
	if got := ParseAptLists(in); !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v", got)
	}
	if got := ParseFetched("100\n300 /x\nbad\n200\n"); got.Unix() != 300 {
		t.Errorf("fetched %v", got)
	}
}

func TestParseRebootRequired(t *testing.T) {
	got := ParseRebootRequired("=watched\n=required\nlinux-image-6.1.0-19-amd64\nlibc6\n")
	want := RebootRequired{Watched: true, Required: true, Packages: []string{"libc6", "linux-image-6.1.0-19-amd64"}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v", got)
	}
}

func TestDebKernels(t *testing.T) {
	ps := []katprep.Package{{Name: "linux-image-amd64", EVR: "6.1.1"}, {Name: "linux-image-6.1.0-18-amd64", EVR: "6.1.76-1"},
		{Name: "linux-image-unsigned-5.15.0-91-generic", EVR: "5.15.0-91.101"}, {Name: "linux-image-6.1.0-18-amd64-dbg", EVR: "6.1.76-1"}}
	got := DebKernels(ps)
	want := []InstalledKernel{{Release: "6.1.0-18-amd64", EVR: "6.1.76-1", Package: "linux-image-6.1.0-18-amd64"},
		{Release: "5.15.0-91-generic", EVR: "5.15.0-91.101", Package: "linux-image-unsigned-5.15.0-91-generic"}}
	if !slices.Equal(got, want) {
		t.Errorf("got %+v", got)
	}
}

func TestParseRPM(t *testing.T) {
	in := "libdemo\t0\t1.0\t1.el9\tx86_64\t1795330141\tlibdemo-1.0-1.el9.src.rpm\tExample Corp\n" +
		"bind\t32\t9.16\t1\tx86_64\t1795330141\tbind-9.16-1.src.rpm\t(none)\n" +
		"gpg-pubkey\t0\tfd431d51\t4ae0493b\t(none)\t1795330141\t(none)\t(none)\n" +
		"odd\t0\t1\t1\tnoarch\tx\todd.src.rpm\tV\xffendor \twith tab\nshort\t1\n"
	ps, bad := ParseRPM(in)
	at := time.Unix(1795330141, 0).UTC()
	want := []katprep.Package{
		{Name: "bind", EVR: "32:9.16-1", Arch: "x86_64", Installed: at, Source: "bind-9.16-1.src.rpm"},
		{Name: "libdemo", EVR: "1.0-1.el9", Arch: "x86_64", Installed: at, Source: "libdemo-1.0-1.el9.src.rpm", Vendor: "Example Corp"},
		{Name: "odd", EVR: "1-1", Arch: "noarch", Source: "odd.src.rpm", Vendor: "V\uFFFDendor  with tab"},
	}
	if !reflect.DeepEqual(ps, want) || bad != 1 {
		t.Errorf("got %+v, %d", ps, bad)
	}
}

func TestParseRPMKernels(t *testing.T) {
	in := "kernel\t0\t5.14.0\t427.13.1.el9_4\tx86_64\t100\tkernel=5.14.0-427.13.1.el9_4 kernel-x86_64= \n" +
		"kernel-core\t0\t5.14.0\t427.13.1.el9_4\tx86_64\t100\tkernel-core=5.14.0 kernel-uname-r=5.14.0-427.13.1.el9_4.x86_64 \n" +
		"kernel-default\t0\t5.14.21\t150500.55.7.1\tx86_64\t200\tkernel-uname-r=5.14.21-150500.55.7-default \n"
	got := ParseRPMKernels(in)
	want := []InstalledKernel{
		{Release: "5.14.0-427.13.1.el9_4.x86_64", EVR: "5.14.0-427.13.1.el9_4", Package: "kernel-core", Installed: time.Unix(100, 0).UTC()},
		{Release: "5.14.21-150500.55.7-default", EVR: "5.14.21-150500.55.7.1", Package: "kernel-default", Installed: time.Unix(200, 0).UTC()},
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %+v", got)
	}
}

func TestParseDNF4(t *testing.T) {
	in := `{"dnf":"4.14.0","missing":["old"],"problem":null,"repos":[{"id":"updates","revision":"17","made":1771660800,"fetched":1771760800,"advisories":true},{"id":"base","revision":"1","made":1,"fetched":1771660900}],
"upgrades":[{"name":"demo","epoch":"1","version":"2","release":"3","arch":"noarch","repo":"updates"}],
"advisories":[{"id":"RHSA-2026:0001","type":"security","severity":"Critical","title":"Critical: demo","summary":"Critical: demo","description":"a\n\nb","issued":"2026-01-10 08:00:00","updated":"2026-01-11T08:00:00","cves":["CVE-2026-2","CVE-2026-1","RHSA-2026:0001"],"bugs":["7"],"packages":["demo-1:2-3.noarch"],"fixes":["demo-1:2-3.noarch","demo-doc-1:2-3.noarch"],"reboot_suggested":true,"installed":true,"url":"https://e/1"},{"id":"","packages":null}]}`
	c, err := ParseDNF4(in)
	if err != nil {
		t.Fatal(err)
	}
	want := Content{
		Repositories: []katprep.Repository{{ID: "base", Revision: "1", Refreshed: time.Unix(1, 0).UTC()}, {ID: "updates", Revision: "17", Refreshed: time.Unix(1771660800, 0).UTC()}},
		Fetched:      time.Unix(1771660900, 0).UTC(), Missing: []string{"old"},
		Updates: []katprep.Update{{Name: "demo", Arch: "noarch", To: "1:2-3", Origin: "updates"}},
		Advisories: []Advisory{{Installed: true, Packages: []string{"demo-1:2-3.noarch"}, Erratum: katprep.Erratum{
			ID: "RHSA-2026:0001", Title: "Critical: demo", Type: katprep.Security, Severity: katprep.Critical, Issued: "2026-01-10", Updated: "2026-01-11",
			RebootSuggested: true, URL: "https://e/1", CVEs: []string{"CVE-2026-1", "CVE-2026-2"}, Bugs: []string{"7"}, Description: "a\n\nb",
			Packages: []katprep.Package{{Name: "demo", EVR: "1:2-3", Arch: "noarch"}, {Name: "demo-doc", EVR: "1:2-3", Arch: "noarch"}},
		}}},
	}
	if !reflect.DeepEqual(c, want) {
		t.Errorf("got  %+v\nwant %+v", c, want)
	}
	if _, err := ParseDNF4("Traceback"); err == nil {
		t.Error("no error for text that is no JSON")
	}
}

func TestDate(t *testing.T) {
	for in, want := range map[string]katprep.Date{"2026-01-10 08:00:00": "2026-01-10", "2026-01-10": "2026-01-10", "1768032000": "2026-01-10", "2026-13-10": "", "": "", "soon": ""} {
		if got := Date(in); got != want {
			t.Errorf("Date(%q) = %q, want %q", in, got, want)
		}
	}
}

// FuzzParsers gives every parser of one text whatever comes: none may panic,
// and what they return is valid, harmless text.
func FuzzParsers(f *testing.F) {
	f.Add("ii \ta\t1\tall\ta\t1\nuid=0\nInst a [1] (2 D:1/s [all])\nFile: a_dists_b\nDate: x\n1: a: link/ether b\n1: a inet 1.2.3.4/8 src")
	f.Add(`{"repos":[{"id":"a"}],"upgrades":[{}],"advisories":[{"id":"a","packages":["a-1-1.x"],"cves":["CVE-1"]}]}`)
	f.Add("a\t1\t2\t3\t4\t5\tkernel-uname-r=\t8\n=required\n=denied\n")
	f.Fuzz(func(t *testing.T, in string) {
		ps, _, _ := ParseDpkg(in)
		rs, _ := ParseRPM(in)
		for _, p := range append(ps, rs...) {
			if p.Name != Clean(p.Name) || string(p.EVR) != Clean(string(p.EVR)) || p.Vendor != Clean(p.Vendor) {
				t.Errorf("unclean package %+v", p)
			}
		}
		for _, u := range ParseApt(in).Updates {
			if u.From == "" || u.To == "" || u.Name != Clean(u.Name) || u.Origin != Clean(u.Origin) {
				t.Errorf("unclean update %+v", u)
			}
		}
		ParseHost(in)
		ParseOSRelease(in)
		ParseNet(in)
		ParseStale(in)
		ParseAptLists(in)
		ParseFetched(in)
		ParseRebootRequired(in)
		ParseRPMKernels(in)
		DebKernels(ps)
		_, _ = ParseDNF4(in)
	})
}
