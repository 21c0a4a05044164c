package probe

import (
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stdevel/katprep"
)

// sections are a probe's output, by name; "name!N" gives an exit code.
type sections map[string]string

func (s sections) with(more sections) sections {
	m := maps.Clone(s)
	maps.Copy(m, more)
	return m
}

func (s sections) without(names ...string) sections {
	m := maps.Clone(s)
	for _, n := range names {
		delete(m, n)
	}
	return m
}

func (s sections) output() *Output {
	out := &Output{Sections: map[string]Section{}, Complete: true}
	for name, data := range s {
		name, code, failed := strings.Cut(name, "!")
		sec := Section{Data: data}
		if failed {
			sec.RC = map[string]int{"1": 1, "2": 2, "100": 100, "102": 102, "124": 124, "cut": -1}[code]
			sec.Errors = []string{"E: it broke"}
		}
		out.Sections[name] = sec
	}
	return out
}

var testNow = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

func state(t *testing.T, s sections) katprep.State {
	t.Helper()
	st, _ := State(katprep.Host{HostID: katprep.HostID{Source: "local", ID: "x"}, Name: "web01"}, s.output(), Rules{Now: testNow, Stale: 7 * 24 * time.Hour})
	return st
}

var debianHost = sections{
	"host":        "uid=0\nhostname=web01\nkernel=6.1.0-18-amd64\narch=x86_64\nboot_id=b1\nbtime=1795328648\nvirt=kvm\n",
	"os-release":  "ID=debian\nVERSION_ID=\"12\"\n",
	"family":      "deb\n",
	"dpkg":        "ii \tlinux-image-6.1.0-18-amd64\t6.1.76-1\tamd64\tlinux-signed-amd64\t6.1.76+1\nhi \tnginx\t1.22.1-9\tamd64\tnginx\t1.22.1-9\n",
	"apt-get":     "Inst nginx [1.22.1-9] (1.22.1-9+deb12u1 Debian-Security:12/oldstable-security [amd64])\n",
	"apt-lists":   "File: d_dists_s_InRelease\nDate: Mon, 23 Nov 2026 11:22:37 UTC\n",
	"apt-fetched": "1795507200\n", // 2026-11-24
	"stale":       "nginx\tnginx.service\n",
}

func TestDebian(t *testing.T) {
	s := state(t, debianHost)
	if s.Status != katprep.Collected || len(s.Problems) > 0 {
		t.Errorf("status %s, %+v", s.Status, s.Problems)
	}
	want := []katprep.Aspect{"boot", "facts", "kernel", "packages", "processes", "reboot", "updates"}
	if !slices.Equal(s.Aspects, want) {
		t.Errorf("aspects %v, want %v", s.Aspects, want)
	}
	if s.Kernel != (katprep.Kernel{Running: "6.1.0-18-amd64", Installed: "6.1.0-18-amd64"}) || s.Reboot.Need != katprep.NotNeeded {
		t.Errorf("kernel %+v, reboot %+v", s.Kernel, s.Reboot)
	}
	if len(s.Updates) != 1 || !s.Updates[0].Security || !s.Packages[1].Held || len(s.Errata) > 0 {
		t.Errorf("updates %+v, packages %+v", s.Updates, s.Packages)
	}
}

func TestDebianReboot(t *testing.T) {
	two := debianHost["dpkg"] + "ii \tlinux-image-6.1.0-9-amd64\t6.1.27-1\tamd64\tx\t1\nii \tlinux-image-6.1.0-20-amd64\t6.1.85-1\tamd64\tx\t1\nii \tlinux-image-6.9.0-1-cloud-amd64\t6.9-1\tamd64\tx\t1\n"
	for name, c := range map[string]struct {
		in   sections
		want katprep.Reboot
	}{
		"newer kernel of this flavour": {sections{"dpkg": two}, katprep.Reboot{Need: katprep.Needed, Reasons: []string{"kernel 6.1.0-20-amd64"}}},
		"flag":                         {sections{"reboot-required": "=required\nlibc6\ndbus\n"}, katprep.Reboot{Need: katprep.Needed, Reasons: []string{"dbus", "libc6"}}},
		"flag without packages":        {sections{"reboot-required": "=required\n"}, katprep.Reboot{Need: katprep.Needed, Reasons: []string{"/run/reboot-required"}}},
		"watched, none needed":         {sections{"dpkg": "ii \ta\t1\tall\ta\t1\n", "reboot-required": "=watched\n"}, katprep.Reboot{Need: katprep.NotNeeded}},
		"no kernel package, no flag":   {sections{"dpkg": "ii \ta\t1\tall\ta\t1\n"}, katprep.Reboot{}},
	} {
		s := state(t, debianHost.with(c.in))
		if !reflect.DeepEqual(s.Reboot, c.want) {
			t.Errorf("%s: %+v, want %+v", name, s.Reboot, c.want)
		}
		if s.Knows(katprep.AspectReboot) != (c.want.Need != katprep.NeedUnknown) || s.Status != katprep.Collected {
			t.Errorf("%s: aspects %v, status %s", name, s.Aspects, s.Status)
		}
	}
}

// TestGapsAreSaid breaks one tool after the other: what it would have said
// must not be claimed, and the reason must be there.
func TestGapsAreSaid(t *testing.T) {
	for name, c := range map[string]struct {
		in     sections
		lost   katprep.Aspect
		says   string
		status katprep.Status
	}{
		"apt fails":        {debianHost.without("apt-get").with(sections{"apt-get!100": ""}), katprep.AspectUpdates, "apt-get: E: it broke", katprep.Incomplete},
		"apt hangs":        {debianHost.without("apt-get").with(sections{"apt-get!124": "Inst x [1] (2 D:1/s [all])\n"}), katprep.AspectUpdates, "apt-get: timed out", katprep.Incomplete},
		"no package lists": {debianHost.without("apt-lists"), katprep.AspectUpdates, "no package lists", katprep.Incomplete},
		"dpkg locked":      {debianHost.without("dpkg").with(sections{"dpkg!2": ""}), katprep.AspectPackages, "it broke", katprep.Incomplete},
		"dpkg cut short":   {debianHost.without("dpkg").with(sections{"dpkg!cut": "ii \ta\t1\tall\ta\t1\n"}), katprep.AspectPackages, "ends early", katprep.Incomplete},
		"dpkg garbage":     {debianHost.with(sections{"dpkg": "ii \ta\t1\tall\ta\t1\n\xff\xfe\n"}), katprep.AspectPackages, "could not be read", katprep.Incomplete},
		"dpkg empty":       {debianHost.with(sections{"dpkg": ""}), katprep.AspectPackages, "no package", katprep.Incomplete},
		"no manager":       {debianHost.with(sections{"family": "\n"}), katprep.AspectPackages, "neither dpkg nor rpm", katprep.Incomplete},
		"denied":           {debianHost.with(sections{"stale": "=denied\n"}), katprep.AspectProcesses, "user ID 0", katprep.Collected},
		"no /proc":         {debianHost.with(sections{"host": "uid=0\nkernel=6.1.0-18-amd64\nboot_id=\n"}), katprep.AspectBoot, "neither boot ID", katprep.Incomplete},
		"rpm without dnf":  {redhatHost.without("dnf4"), katprep.AspectErrata, "neither dnf nor yum", katprep.Incomplete},
		"dnf fails":        {redhatHost.without("dnf4").with(sections{"dnf4!1": ""}), katprep.AspectUpdates, "it broke", katprep.Incomplete},
		"dnf garbage":      {redhatHost.with(sections{"dnf4": "{"}), katprep.AspectErrata, "read what dnf said", katprep.Incomplete},
		"repo missing":     {redhatHost.with(sections{"dnf4": `{"repos":[{"id":"a"}],"missing":["b"]}`}), katprep.AspectErrata, "repository b has no usable", katprep.Incomplete},
		"no repo":          {redhatHost.with(sections{"dnf4": `{}`}), katprep.AspectErrata, "no repository", katprep.Incomplete},
		"rpm locked":       {redhatHost.without("rpm").with(sections{"rpm!1": ""}), katprep.AspectReboot, "without the installed packages", katprep.Incomplete},
	} {
		s := state(t, c.in)
		if s.Knows(c.lost) {
			t.Errorf("%s: %s is claimed", name, c.lost)
		}
		said, _ := json.Marshal(s.Problems)
		if !strings.Contains(string(said), c.says) || s.Status != c.status {
			t.Errorf("%s: status %s, problems %s", name, s.Status, said)
		}
	}
}

func TestWarnings(t *testing.T) {
	for name, c := range map[string]struct {
		in   sections
		says string
	}{
		"old lists":     {debianHost.with(sections{"apt-fetched": "1794000000\n"}), "last refreshed on 2026-11-06"},
		"unknown lists": {debianHost.with(sections{"apt-fetched": ""}), "nobody knows when"},
		"removal":       {debianHost.with(sections{"apt-get": "Remv exim4 [1]\n"}), "would remove packages: exim4"},
		"kept back":     {debianHost.with(sections{"apt-get": "The following packages have been kept back:\n  nginx\n"}), "keeps updates back, which are not listed: nginx"},
		"no advisories": {redhatHost.with(sections{"dnf4": `{"repos":[{"id":"a","fetched":1795507200}]}`}), "no repository carries advisories"},
		"half":          {debianHost.with(sections{"dpkg": debianHost["dpkg"] + "iF \tbad\t1\tall\tbad\t1\n"}), "not fully installed: bad"},
		"old dnf cache": {redhatHost.with(sections{"dnf4": `{"repos":[{"id":"a","fetched":1794000000,"advisories":true}]}`}), "last refreshed on 2026-11-06"},
	} {
		s := state(t, c.in)
		if len(s.Problems) != 1 || !s.Problems[0].Warning || !strings.Contains(s.Problems[0].Message, c.says) || s.Status != katprep.Collected {
			t.Errorf("%s: %s, %+v", name, s.Status, s.Problems)
		}
	}
}

// TestNoAdvisoriesAtAll: an empty list from repositories that never had any
// advisory is no knowledge.
func TestNoAdvisoriesAtAll(t *testing.T) {
	for what, in := range map[string]sections{
		"dnf4": redhatHost.with(sections{"dnf4": `{"repos":[{"id":"a","fetched":1795507200}]}`}),
		"yum":  redhatHost.without("dnf4").with(sections{"dnf-list": "", "dnf-info": "", "dnf-updates": "", "dnf-fetched": "1795507200\n"}),
		"zypper": redhatHost.without("dnf4").with(sections{"family": "suse\n", "zypper-patches": "<stream></stream>", "zypper-updates": "<stream></stream>",
			"zypper-repos": `<stream><repo-list><repo alias="a" enabled="1"/></repo-list></stream>`, "zypper-fixes": "", "zypper-fetched": "1795507200 x\n"}),
	} {
		if s := state(t, in); s.Knows(katprep.AspectErrata) || !s.Knows(katprep.AspectUpdates) || s.Status != katprep.Collected {
			t.Errorf("%s: %v, %s, %+v", what, s.Aspects, s.Status, s.Problems)
		}
	}
}

func TestHalfAProbeIsIncomplete(t *testing.T) {
	out := debianHost.output()
	out.Complete = false
	s, _ := State(katprep.Host{}, out, Rules{Now: testNow, Stale: time.Hour * 999})
	if s.Status != katprep.Incomplete || s.Problems[len(s.Problems)-1].Message != "the probe ended early" {
		t.Errorf("%s %+v", s.Status, s.Problems)
	}
}

var redhatHost = sections{
	"host":       "uid=0\nhostname=db01\nkernel=5.14.0-427.13.1.el9_4.x86_64\narch=x86_64\nboot_id=b1\nbtime=1795328648\n",
	"os-release": "ID=\"rhel\"\nID_LIKE=\"fedora\"\nVERSION_ID=\"9.4\"\n",
	"family":     "rpm\n",
	"rpm": "kernel-core\t0\t5.14.0\t427.13.1.el9_4\tx86_64\t1790000000\tk.src.rpm\tV\n" +
		"demo-openssl\t0\t3.0.7\t24.el9\tx86_64\t1790000000\to.src.rpm\tV\n",
	"rpm-kernels": "kernel-core\t0\t5.14.0\t427.13.1.el9_4\tx86_64\t1790000000\tkernel-uname-r=5.14.0-427.13.1.el9_4.x86_64 \n",
	"dnf4": `{"repos":[{"id":"updates","revision":"1","made":1795500000,"fetched":1795507200,"advisories":true}],
"upgrades":[{"name":"demo-openssl","epoch":"0","version":"3.0.7","release":"27.el9_4","arch":"x86_64","repo":"updates"}],
"advisories":[
{"id":"RHSA-2026:0001","type":"security","severity":"Critical","cves":["CVE-2026-1001"],"packages":["demo-openssl-3.0.7-25.el9_4.x86_64"]},
{"id":"RHSA-2026:0009","type":"security","severity":"Important","cves":["CVE-2026-1033"],"packages":["demo-openssl-3.0.7-27.el9_4.x86_64"]}]}`,
	"stale": "",
}

func TestRedHat(t *testing.T) {
	s := state(t, redhatHost)
	if s.Status != katprep.Collected || len(s.Problems) > 0 || s.Format != katprep.RPM {
		t.Fatalf("status %s, %+v", s.Status, s.Problems)
	}
	want := []katprep.Aspect{"boot", "errata", "facts", "kernel", "packages", "processes", "reboot", "updates"}
	if !slices.Equal(s.Aspects, want) {
		t.Errorf("aspects %v, want %v", s.Aspects, want)
	}
	update := katprep.Update{Name: "demo-openssl", Arch: "x86_64", From: "3.0.7-24.el9", To: "3.0.7-27.el9_4", Origin: "updates", Security: true,
		Errata: []string{"RHSA-2026:0001", "RHSA-2026:0009"}, CVEs: []string{"CVE-2026-1001", "CVE-2026-1033"}}
	if len(s.Updates) != 1 || !reflect.DeepEqual(s.Updates[0], update) {
		t.Errorf("updates %+v", s.Updates)
	}
	if errata := []katprep.HostErratum{{ID: "RHSA-2026:0001", Installable: true}, {ID: "RHSA-2026:0009", Installable: true}}; !slices.Equal(s.Errata, errata) {
		t.Errorf("errata %+v", s.Errata)
	}
	if s.Reboot.Need != katprep.NotNeeded {
		t.Errorf("reboot %+v", s.Reboot)
	}
}

// TestInstalledKernelIsNotMissing is the trap: dnf lists the advisory of a
// kernel that is installed but does not run yet.
func TestInstalledKernelIsNotMissing(t *testing.T) {
	s := state(t, redhatHost.with(sections{
		"rpm":         redhatHost["rpm"] + "kernel-core\t0\t5.14.0\t427.20.1.el9_4\tx86_64\t1795400000\tk.src.rpm\tV\n",
		"rpm-kernels": redhatHost["rpm-kernels"] + "kernel-core\t0\t5.14.0\t427.20.1.el9_4\tx86_64\t1795400000\tkernel-uname-r=5.14.0-427.20.1.el9_4.x86_64 \n",
		"dnf4":        `{"repos":[{"id":"updates","fetched":1795507200,"advisories":true}],"advisories":[{"id":"RHSA-2026:0020","type":"security","installed":true,"packages":["kernel-core-5.14.0-427.20.1.el9_4.x86_64"]}]}`,
	}))
	if len(s.Errata) > 0 {
		t.Errorf("errata %+v", s.Errata)
	}
	want := katprep.Reboot{Need: katprep.Needed, Reasons: []string{"RHSA-2026:0020", "kernel 5.14.0-427.20.1.el9_4.x86_64", "kernel-core"}}
	if !reflect.DeepEqual(s.Reboot, want) || s.Kernel.Installed != "5.14.0-427.20.1.el9_4.x86_64" {
		t.Errorf("reboot %+v, kernel %+v", s.Reboot, s.Kernel)
	}
}

func TestCoreIsSorted(t *testing.T) {
	if !slices.IsSorted(core[:]) {
		t.Error("the list is searched by bisection")
	}
}

func TestFlavour(t *testing.T) {
	for in, want := range map[string]string{
		"6.1.0-18-amd64": "amd64", "6.1.0-18-cloud-amd64": "cloud-amd64", "6.5.0-0.deb12.4-amd64": "amd64", "5.15.0-91-generic": "generic",
		"5.14.0-427.13.1.el9_4.x86_64": "", "5.14.0-427.13.1.el9_4.x86_64+rt": "rt", "4.18.0-305.rt7.72.el8.x86_64": "rt",
		"5.15.0-100.96.32.el9uek.x86_64": "uek", "5.14.21-150500.55.7-default": "default", "": "",
	} {
		if got := flavour(in); got != want {
			t.Errorf("flavour(%q) = %q, want %q", in, got, want)
		}
	}
}
