//go:build unix

package direct

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/collect"
	"github.com/stdevel/katprep/collect/collecttest"
	"github.com/stdevel/katprep/internal/feed"
	"github.com/stdevel/katprep/internal/inventory"
	"github.com/stdevel/katprep/internal/lab"
	"github.com/stdevel/katprep/internal/probe"
	"github.com/stdevel/katprep/internal/sshx"
)

// overSSH reaches lab hosts as an ordinary user who may use sudo.
func overSSH(t *testing.T, hosts ...*lab.Host) SSHOptions {
	t.Helper()
	var known string
	var keys []string
	var list []inventory.Host
	for _, h := range hosts {
		known += h.KnownLine()
		keys = append(keys, h.Key.File)
		list = append(list, inventory.Host{Host: sshx.Host{Name: h.Name, Address: h.Host, Port: h.Port}, Group: "lab/" + h.Name[:3], Groups: []string{"lab"}})
	}
	file := filepath.Join(t.TempDir(), "known_hosts")
	if err := os.WriteFile(file, []byte(known), 0o600); err != nil {
		t.Fatal(err)
	}
	d := sshx.New(sshx.Options{User: lab.User, Identity: keys, KnownHosts: []string{file}})
	return SSHOptions{Options: Options{Name: "dmz"}, Dialer: d, Hosts: list, Sudo: true}
}

// readSSH reads the only host of the options.
func readSSH(t *testing.T, o SSHOptions) (collect.Reading, error) {
	t.Helper()
	for target, err := range NewSSH(o).Targets(t.Context(), katprep.Selection{}) {
		if err != nil {
			t.Fatal(err)
		}
		return target.Read(t.Context())
	}
	t.Fatal("no target")
	return collect.Reading{}, nil
}

func TestRealRPMHost(t *testing.T) {
	t.Parallel()
	h := lab.BuildRPMRepo(t).NewHost(t, "rpm01.example.com")
	t.Run("contract", func(t *testing.T) {
		o := overSSH(t, h)
		collecttest.Run(t, collecttest.Case{
			New:   func(*testing.T) collect.Collector { return NewSSH(o) },
			Hosts: 1, Unknown: &katprep.Selection{Hosts: []string{"no-such-host.example"}},
		})
	})
	t.Run("state", func(t *testing.T) { testRPMState(t, h) })
	t.Run("text of the real dnf", func(t *testing.T) {
		list := probe.ParseUpdateInfoList(h.Run("dnf -q -C updateinfo list"))
		info := probe.ParseUpdateInfo(h.Run("dnf -q -C updateinfo info"))
		ups := probe.ParseCheckUpdate(h.Run("dnf -q -C check-update || [ $? = 100 ]"))
		if len(list) != 5 || len(info) != 5 || len(ups) != 5 || !slices.Equal(info["RHSA-2026:0001"].CVEs, []string{"CVE-2026-1001", "CVE-2026-1002"}) {
			t.Errorf("%d listed, %d described, %d updates: %+v", len(list), len(info), len(ups), info)
		}
	})
	t.Run("an ordinary user", func(t *testing.T) { testOrdinaryUser(t, h) })
	t.Run("bad days", func(t *testing.T) { testBadRPMDays(t, h) })
	t.Run("bad logins", func(t *testing.T) { testBadLogins(t, h) })
}

func testRPMState(t *testing.T, h *lab.Host) {
	r, err := readSSH(t, overSSH(t, h))
	if err != nil {
		t.Fatal(err)
	}
	s := r.State
	if s.Status != katprep.Collected || s.Facts.OS.ID != "rhel" || s.Facts.HostGroup != "lab/rpm" || s.Kernel != (katprep.Kernel{Running: lab.OldKernel, Installed: lab.OldKernel}) {
		t.Errorf("%s, facts %+v, kernel %+v, problems %+v", s.Status, s.Facts, s.Kernel, s.Problems)
	}
	for _, a := range []katprep.Aspect{"boot", "errata", "facts", "kernel", "packages", "reboot", "updates"} {
		if !s.Knows(a) {
			t.Errorf("%s is not known", a)
		}
	}
	var ids []string
	for _, e := range s.Errata {
		ids = append(ids, e.ID)
	}
	if want := []string{"RHBA-2026:0030", "RHEA-2026:0040", "RHSA-2026:0001", "RHSA-2026:0009", "RHSA-2026:0020"}; !slices.Equal(ids, want) {
		t.Errorf("errata %v, want %v", ids, want)
	}
	i := slices.IndexFunc(s.Updates, func(u katprep.Update) bool { return u.Name == "demo-openssl" })
	want := katprep.Update{Name: "demo-openssl", Arch: lab.Arch(), From: "3.0.7-24.el9", To: "3.0.7-27.el9_4", Origin: "lab-updates", Security: true,
		Errata: []string{"RHSA-2026:0001", "RHSA-2026:0009"}, CVEs: []string{"CVE-2026-1001", "CVE-2026-1002", "CVE-2026-1033"}}
	if i < 0 || !reflect.DeepEqual(s.Updates[i], want) || len(s.Updates) != 5 {
		t.Errorf("updates %+v", s.Updates)
	}
	if s.Reboot.Need != katprep.NotNeeded {
		t.Errorf("reboot %+v", s.Reboot)
	}
	j := slices.IndexFunc(r.Errata, func(e katprep.Erratum) bool { return e.ID == "RHSA-2026:0020" })
	kernel := katprep.Erratum{ID: "RHSA-2026:0020", Title: "Moderate: kernel security and bug fix update", Type: katprep.Security, Severity: katprep.Moderate,
		Issued: "2026-02-20", Updated: "2026-02-20", RebootSuggested: true, URL: "https://errata.example.com/RHSA-2026:0020", CVEs: []string{"CVE-2026-2001"}, Bugs: []string{"2200100"},
		Packages:    []katprep.Package{{Name: "kernel-core", EVR: "5.14.0-427.20.1.el9_4", Arch: lab.Arch()}},
		Description: "Moderate: kernel security and bug fix update\n\nA second paragraph.", Solution: "Apply."}
	if j < 0 || !reflect.DeepEqual(r.Errata[j], kernel) {
		t.Errorf("details %+v", r.Errata)
	}
}

func testOrdinaryUser(t *testing.T, h *lab.Host) {
	o := overSSH(t, h)
	o.Sudo = false
	r, err := readSSH(t, o)
	if err != nil {
		t.Fatal(err)
	}
	if !r.State.Knows(katprep.AspectErrata) || len(r.State.Errata) != 5 || r.State.Knows(katprep.AspectProcesses) {
		t.Errorf("%d errata, aspects %v, problems %+v", len(r.State.Errata), r.State.Aspects, r.State.Problems)
	}
	if out := h.Run("ls -A /tmp/.. /root /var/tmp | grep -i katprep || true"); out != "" {
		t.Errorf("something was left behind: %s", out)
	}
}

// testBadRPMDays breaks the host in ways that hosts break, and sees that the
// gap is named.
func testBadRPMDays(t *testing.T, h *lab.Host) {
	for _, c := range []struct {
		what, breaks, mends string
		lost                katprep.Aspect
		says                string
	}{
		{"broken repository", "printf '[gone]\\nname=gone\\nbaseurl=file:///nowhere\\nenabled=1\\ngpgcheck=0\\nskip_if_unavailable=1\\n' >/etc/yum.repos.d/gone.repo", "rm /etc/yum.repos.d/gone.repo", katprep.AspectErrata, "gone"},
		{"unreachable repository", "printf '[gone]\\nname=gone\\nbaseurl=file:///nowhere\\nenabled=1\\ngpgcheck=0\\n' >/etc/yum.repos.d/gone.repo", "rm /etc/yum.repos.d/gone.repo", katprep.AspectUpdates, "gone"},
		{"no cache", "mv /var/cache/dnf /var/cache/dnf.away", "rm -rf /var/cache/dnf; mv /var/cache/dnf.away /var/cache/dnf", katprep.AspectErrata, "lab-updates"},
		{"damaged database", "mv /var/lib/rpm /var/lib/rpm.away; mkdir /var/lib/rpm; echo rubbish >/var/lib/rpm/rpmdb.sqlite", "rm -rf /var/lib/rpm; mv /var/lib/rpm.away /var/lib/rpm", katprep.AspectPackages, "rpm"},
		{"no python", "mkdir -p /opt/hide; mount --bind /bin/false /usr/bin/python3; mount --bind /bin/false /usr/bin/dnf", "umount /usr/bin/dnf /usr/bin/python3", katprep.AspectErrata, ""},
	} {
		h.Run(c.breaks)
		r, err := readSSH(t, overSSH(t, h))
		h.Run(c.mends)
		if err != nil {
			t.Errorf("%s: %v", c.what, err)
			continue
		}
		said, _ := json.Marshal(r.State.Problems)
		if r.State.Status != katprep.Incomplete || r.State.Knows(c.lost) || !strings.Contains(string(said), c.says) {
			t.Errorf("%s: %s, %s known: %v, %s", c.what, r.State.Status, c.lost, r.State.Knows(c.lost), said)
		}
		if broken := collecttest.Check(&r.State, nil); len(broken) > 0 {
			t.Errorf("%s: %v", c.what, broken)
		}
	}
	// None of these is a reason for a gap.
	for _, c := range []struct{ what, breaks, mends string }{
		{"locked database", lockFile("/var/lib/rpm/.rpm.lock"), "kill $(cat /run/locker)"},
		{"noisy profile", "echo 'echo welcome; echo @@ end' >/tmp/.profile.lab; printf 'echo profile noise\\n' >>/etc/profile; sed -i 's|:/tmp:/bin/sh|:/tmp:/bin/bash|' /etc/passwd", "rm /tmp/.profile.lab"},
		{"read-only root", "mount -o remount,bind,ro /var; mount -o remount,bind,ro /root", "mount -o remount,bind,rw /var; mount -o remount,bind,rw /root"},
		{"other locale", "echo 'LANG=de_DE.UTF-8' >>/etc/environment; echo 'export LC_ALL=tr_TR.UTF-8' >>/etc/profile", ""},
	} {
		h.Run(c.breaks)
		r, err := readSSH(t, overSSH(t, h))
		h.Run(c.mends)
		if err != nil || r.State.Status != katprep.Collected || len(r.State.Errata) != 5 {
			t.Errorf("%s: %v, %s, %+v", c.what, err, r.State.Status, r.State.Problems)
		}
	}
}

// lockFile holds a lock until the process in /run/locker is killed.
func lockFile(file string) string {
	return "/usr/bin/python3 -c 'import fcntl,time; f=open(\"" + file + "\",\"a\"); fcntl.lockf(f,fcntl.LOCK_EX); print(1,flush=True); time.sleep(60)' >/run/locked 2>&1 & while [ ! -s /run/locked ]; do sleep 0.05; done; echo $! >/run/locker"
}

// testHanging lets a tool hang, and the host die while it is being read.
func testHanging(t *testing.T, h *lab.Host) {
	h.Run("printf '#!/bin/sh\\nsleep 600\\n' >/opt/hang; chmod 755 /opt/hang; mount --bind /opt/hang /usr/bin/rpm")
	o := overSSH(t, h)
	o.ToolLimit = time.Second
	r, err := readSSH(t, o)
	said, _ := json.Marshal(r.State.Problems)
	if err != nil || r.State.Knows(katprep.AspectPackages) || !strings.Contains(string(said), "rpm: timed out") {
		t.Errorf("a tool that hangs: %v, %s", err, said)
	}
	go func() {
		for range 200 {
			if out := h.Run("pgrep -f /opt/hang || true"); out != "" {
				break
			}
			time.Sleep(50 * time.Millisecond)
		}
		h.PowerOff()
	}()
	r, err = readSSH(t, overSSH(t, h))
	if err == nil && (r.State.Status != katprep.Incomplete || r.State.Knows(katprep.AspectPackages) || r.State.Knows(katprep.AspectErrata)) {
		t.Errorf("a host that dies: %s, %v, %+v", r.State.Status, r.State.Aspects, r.State.Problems)
	}
	if err != nil && katprep.KindOf(err) != katprep.Unreachable {
		t.Errorf("a host that dies: %v", err)
	}
}

func testBadLogins(t *testing.T, h *lab.Host) {
	o := overSSH(t, h)
	o.Hosts[0].User = "nobody-here"
	if _, err := readSSH(t, o); katprep.KindOf(err) != katprep.Denied {
		t.Errorf("unknown user: %v", err)
	}
	h.Run("mv /etc/sudoers.d/katprep /etc/katprep.sudoers")
	_, err := readSSH(t, overSSH(t, h))
	h.Run("mv /etc/katprep.sudoers /etc/sudoers.d/katprep")
	if katprep.KindOf(err) != katprep.Denied || !strings.Contains(katprep.HintOf(err), "NOPASSWD") {
		t.Errorf("sudo wants a password: %v (hint %q)", err, katprep.HintOf(err))
	}
	h.Run("echo 'katprep ALL=(root) NOPASSWD: /bin/sh -s' >/etc/sudoers.d/katprep")
	if _, err := readSSH(t, overSSH(t, h)); err != nil {
		t.Errorf("the documented sudo rule does not suffice: %v", err)
	}
	h.Run("sed -i 's|^\\(katprep:.*\\):/bin/[a-z]*$|\\1:/usr/sbin/nologin|' /etc/passwd")
	if _, err := readSSH(t, overSSH(t, h)); err == nil || !strings.Contains(err.Error(), "did not start") {
		t.Errorf("no shell: %v", err)
	}
	o = overSSH(t, h)
	o.Deadline = 1
	if _, err := readSSH(t, o); katprep.KindOf(err) != katprep.Unreachable || !strings.Contains(err.Error(), "not done within") {
		t.Errorf("deadline: %v", err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("stop it"))
	for target := range NewSSH(overSSH(t, h)).Targets(t.Context(), katprep.Selection{}) {
		if _, err := target.Read(ctx); err == nil || !strings.Contains(err.Error(), "stop it") {
			t.Errorf("cancelled: %v", err)
		}
	}
	h.Run("sed -i 's|^\\(katprep:.*\\):[^:]*$|\\1:/bin/sh|' /etc/passwd")
	testHanging(t, h)
	if _, err := readSSH(t, overSSH(t, h)); katprep.KindOf(err) != katprep.Unreachable {
		t.Errorf("switched off: %v", err)
	}
}

func TestRealSUSEHost(t *testing.T) {
	t.Parallel()
	h := lab.BuildRPMRepo(t).NewSUSEHost(t, "sle01.example.com")
	r, err := readSSH(t, overSSH(t, h))
	if err != nil {
		t.Fatal(err)
	}
	s := r.State
	if broken := collecttest.Check(&s, nil); len(broken) > 0 || s.Status != katprep.Collected || !s.Knows(katprep.AspectErrata) || !s.Knows(katprep.AspectUpdates) {
		t.Errorf("%v, %s, %v, %+v", broken, s.Status, s.Aspects, s.Problems)
	}
	if len(s.Errata) != 5 || len(s.Repositories) != 1 || s.Repositories[0].ID != "lab-updates" {
		t.Errorf("errata %+v, repositories %+v", s.Errata, s.Repositories)
	}
	i := slices.IndexFunc(s.Updates, func(u katprep.Update) bool { return u.Name == "demo-openssl" })
	want := katprep.Update{Name: "demo-openssl", Arch: lab.Arch(), From: "3.0.7-24.el9", To: "3.0.7-27.el9_4", Origin: "lab-updates", Security: true,
		Errata: []string{"RHSA-2026:0001", "RHSA-2026:0009"}, CVEs: []string{"CVE-2026-1001", "CVE-2026-1002", "CVE-2026-1033"}}
	if i < 0 || !reflect.DeepEqual(s.Updates[i], want) || len(s.Updates) != 5 {
		t.Errorf("updates %+v", s.Updates)
	}
	j := slices.IndexFunc(r.Errata, func(e katprep.Erratum) bool { return e.ID == "RHSA-2026:0020" })
	if j < 0 || !r.Errata[j].RebootSuggested || r.Errata[j].Issued != "2026-02-20" || r.Errata[j].Severity != katprep.Moderate ||
		!slices.ContainsFunc(r.Errata[j].Packages, func(p katprep.Package) bool { return p.NEVRA() == "kernel-core-5.14.0-427.20.1.el9_4."+lab.Arch() }) {
		t.Errorf("details %+v", r.Errata)
	}
	h.Run("rm -r /etc/zypp/repos.d/* /var/cache/zypp")
	if r, err = readSSH(t, overSSH(t, h)); err != nil || r.State.Knows(katprep.AspectErrata) || r.State.Status != katprep.Incomplete {
		t.Errorf("without repositories: %v, %s, %v", err, r.State.Status, r.State.Aspects)
	}
}

func TestRealDebianHost(t *testing.T) {
	t.Parallel()
	repo := lab.BuildDebRepo(t)
	h := repo.NewHost(t, "deb01.example.com")
	t.Run("contract of the local collector", func(t *testing.T) {
		o := Options{Root: h.Root, Command: append(h.Enter(), "/bin/sh", "-s")}
		collecttest.Run(t, collecttest.Case{
			New:   func(*testing.T) collect.Collector { return NewLocal(o, "") },
			Hosts: 1, Unknown: &katprep.Selection{Hosts: []string{"no-such-host.example"}},
		})
	})
	r, err := readSSH(t, overSSH(t, h))
	if err != nil {
		t.Fatal(err)
	}
	s := r.State
	if broken := collecttest.Check(&s, nil); len(broken) > 0 || s.Status != katprep.Collected || s.Knows(katprep.AspectErrata) {
		t.Errorf("%v, %s, %v", broken, s.Status, s.Aspects)
	}
	i := slices.IndexFunc(s.Updates, func(u katprep.Update) bool { return u.Name == "demo-ssl" })
	if len(s.Updates) != 3 || i < 0 || s.Updates[i].From != "3.0.11-1~deb12u1" || s.Updates[i].To != "3.0.11-1~deb12u3" || !s.Updates[i].Security {
		t.Errorf("updates %+v", s.Updates)
	}
	if s.Reboot.Need != katprep.NotNeeded || s.Kernel.Installed != lab.DebKernel {
		t.Errorf("reboot %+v, kernel %+v, problems %+v", s.Reboot, s.Kernel, s.Problems)
	}
	testDebianAdvisories(t, h)
	h.Run("apt-mark hold demo-tools >/dev/null; echo rubbish >/var/lib/apt/lists/lock2")
	if r, err = readSSH(t, overSSH(t, h)); err != nil || len(r.State.Updates) != 3 {
		t.Errorf("with a held package: %v, %+v", err, r.State.Updates)
	}
	if j := slices.IndexFunc(r.State.Packages, func(p katprep.Package) bool { return p.Name == "demo-tools" }); j < 0 || !r.State.Packages[j].Held {
		t.Error("the held package is not said to be held")
	}
	h.Run("echo '" + repo.Line("bookworm-extra") + "' >/etc/apt/sources.list.d/extra.list; apt-mark unhold demo-tools; apt-get -qq update")
	if r, err = readSSH(t, overSSH(t, h)); err != nil || len(r.State.Problems) == 0 || !strings.Contains(r.State.Problems[0].Message, "would remove packages: demo-web") || !r.State.Knows(katprep.AspectUpdates) {
		t.Errorf("an upgrade that removes a package: %v, %+v", err, r.State.Problems)
	}
	h.Run(lockFile("/var/lib/dpkg/lock-frontend"))
	if r, err = readSSH(t, overSSH(t, h)); err != nil || r.State.Status != katprep.Collected {
		t.Errorf("while dpkg is locked: %v, %+v", err, r.State.Problems)
	}
	h.Run("kill $(cat /run/locker)")
	h.Run("rm -rf /var/lib/apt/lists; mkdir -p /var/lib/apt/lists/partial")
	if r, err = readSSH(t, overSSH(t, h)); err != nil || r.State.Knows(katprep.AspectUpdates) || r.State.Status != katprep.Incomplete {
		t.Errorf("without lists: %v, %s, %v", err, r.State.Status, r.State.Aspects)
	}
	o := overSSH(t, h)
	o.Refresh = true
	if r, err = readSSH(t, o); err != nil || !r.State.Knows(katprep.AspectUpdates) {
		t.Errorf("after a refresh: %v, %+v", err, r.State.Problems)
	}
}

// testDebianAdvisories: CVEs from the changelogs of what was downloaded, and
// advisories from a feed.
func testDebianAdvisories(t *testing.T, h *lab.Host) {
	h.Run("cd /var/cache/apt/archives && apt-get -qq download demo-ssl libdemo1")
	o := overSSH(t, h)
	o.Changelogs = true
	var err error
	if o.Feed, err = feed.Load(); err != nil {
		t.Fatal(err)
	}
	list := "[20 Nov 2026] DSA-6001-1 src-demo-ssl - security update\n\t{CVE-2026-1001}\n\t[bookworm] - src-demo-ssl 3.0.11-1~deb12u2\n"
	if err := o.Feed.Add(strings.NewReader(list)); err != nil {
		t.Fatal(err)
	}
	r, err := readSSH(t, o)
	if err != nil {
		t.Fatal(err)
	}
	s := r.State
	i := slices.IndexFunc(s.Updates, func(u katprep.Update) bool { return u.Name == "demo-ssl" })
	if i < 0 || !slices.Equal(s.Updates[i].CVEs, []string{"CVE-2026-1001", "CVE-2026-1002", "CVE-2026-1033"}) || !slices.Equal(s.Updates[i].Errata, []string{"DSA-6001-1"}) {
		t.Errorf("updates %+v", s.Updates)
	}
	if len(s.Errata) != 1 || s.Errata[0] != (katprep.HostErratum{ID: "DSA-6001-1", Installable: true}) || !s.Knows(katprep.AspectErrata) || len(r.Errata) != 1 {
		t.Errorf("errata %+v, details %+v", s.Errata, r.Errata)
	}
	if broken := collecttest.Check(&s, map[string]katprep.Erratum{"DSA-6001-1": r.Errata[0]}); len(broken) > 0 {
		t.Error(broken)
	}
}

// TestHostsOfAnotherSource: the other source lists, SSH reads.
func TestHostsOfAnotherSource(t *testing.T) {
	other := &collecttest.Memory{Hosts: []collecttest.MemoryHost{
		{Host: katprep.Host{HostID: katprep.HostID{Source: "sat", ID: "1"}, Name: "b.example.com"}},
		{Host: katprep.Host{HostID: katprep.HostID{Source: "sat", ID: "2"}, Name: "-oProxyCommand=reboot"}},
		{Host: katprep.Host{HostID: katprep.HostID{Source: "sat", ID: "3"}, Name: "A.example.com"}},
	}}
	o := SSHOptions{Options: Options{Name: "dmz"}, From: other, Hosts: []inventory.Host{{Host: sshx.Host{Name: "a.example.com"}}}, Dialer: sshx.New(sshx.Options{User: "x"})}
	var names []string
	for target, err := range NewSSH(o).Targets(t.Context(), katprep.Selection{}) {
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, target.Host.Name)
		if strings.HasPrefix(target.Host.Name, "-") {
			if _, err := target.Read(t.Context()); katprep.KindOf(err) != katprep.Invalid {
				t.Errorf("an option as a host name: %v", err)
			}
		}
	}
	if want := []string{"a.example.com", "b.example.com", "-oProxyCommand=reboot"}; !slices.Equal(names, want) {
		t.Errorf("hosts %v", names)
	}
}

func TestNoHosts(t *testing.T) {
	if _, err := NewSSH(SSHOptions{}).Source(t.Context()); katprep.KindOf(err) != katprep.Invalid {
		t.Errorf("an empty list of hosts: %v", err)
	}
}
