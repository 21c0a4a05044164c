//go:build unix

package direct

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/act"
	"github.com/stdevel/katprep/act/acttest"
	"github.com/stdevel/katprep/internal/inventory"
	"github.com/stdevel/katprep/internal/lab"
	"github.com/stdevel/katprep/internal/sshx"
)

// overSSH acts on lab hosts as an ordinary user with sudo.
func overSSH(t *testing.T, hosts ...*lab.Host) Options {
	t.Helper()
	o := Options{Sudo: true, Poll: 100 * time.Millisecond, Connect: 20 * time.Second, RebootTime: time.Minute}
	var known string
	var keys []string
	for _, h := range hosts {
		known += h.KnownLine()
		keys = append(keys, h.Key.File)
		o.Hosts = append(o.Hosts, inventory.Host{Host: sshx.Host{Name: h.Name, Address: h.Host, Port: h.Port}})
	}
	file := filepath.Join(t.TempDir(), "known_hosts")
	if err := os.WriteFile(file, []byte(known), 0o600); err != nil {
		t.Fatal(err)
	}
	o.Dialer = sshx.New(sshx.Options{User: lab.User, Identity: keys, KnownHosts: []string{file}, Timeout: 5 * time.Second})
	return o
}

func target(h *lab.Host) act.Target {
	return act.Target{Host: katprep.Host{HostID: katprep.HostID{Source: "dmz", ID: h.Name}, Name: h.Name}, Marker: "katprep-test-1"}
}

var unknown = act.Target{Host: katprep.Host{HostID: katprep.HostID{Source: "dmz", ID: "nowhere"}, Name: "nowhere.example.com"}, Marker: "katprep-test-1"}

// patch runs one request on one host.
func patch(t *testing.T, o Options, h *lab.Host, r act.PatchRequest) act.Result {
	t.Helper()
	return New(o).Patch(t.Context(), []act.Target{target(h)}, r, func(act.Job) {})[0]
}

func installed(t *testing.T, h *lab.Host, want string) bool {
	t.Helper()
	return strings.Contains(h.Run("rpm -qa 2>/dev/null; dpkg-query -W -f '${Package}-${Version}\\n'"), want)
}

func TestRPMHosts(t *testing.T) {
	t.Parallel()
	repo := lab.BuildRPMRepo(t)
	one, two := repo.NewHost(t, "rpm01.example.com"), repo.NewHost(t, "rpm02.example.com")
	o := overSSH(t, one, two)
	byName := map[string]*lab.Host{one.Name: one, two.Name: two}
	t.Run("contract", func(t *testing.T) {
		acttest.Patcher(t, acttest.PatcherFixture{
			Patcher: New(o), Targets: []act.Target{target(one), target(two)}, Unknown: unknown,
			Request: act.PatchRequest{Errata: []string{"RHSA-2026:0001"}},
			Installed: func(t *testing.T, target act.Target) bool {
				return installed(t, byName[target.Host.Name], "demo-openssl-3.0.7-25.el9_4")
			},
		})
		if installed(t, one, "demo-openssl-3.0.7-27") {
			t.Error("one advisory was asked for, and more was installed")
		}
	})
	t.Run("everything but the kernel", func(t *testing.T) {
		r := patch(t, o, one, act.PatchRequest{All: true, Exclude: []string{"kernel*"}, Marker: "katprep-test-2"})
		if r.Err != nil || r.Ref.Data["remaining"] != "" || r.Ref.Data[act.DataReboot] != "no" {
			t.Errorf("%v, %v", r.Err, r.Ref.Data)
		}
		if !installed(t, one, "demo-openssl-3.0.7-27.el9_4") || !installed(t, one, "demo-tools-1.1-1.el9") || installed(t, one, "kernel-core-5.14.0-427.20.1") {
			t.Error(one.Run("rpm -qa"))
		}
	})
	t.Run("download, then security only", func(t *testing.T) {
		r := patch(t, o, two, act.PatchRequest{All: true, Security: true, Download: true, Marker: "katprep-test-3"})
		if r.Err != nil || installed(t, two, "demo-openssl-3.0.7-27.el9_4") {
			t.Errorf("download: %v", r.Err)
		}
		if out := two.Run("find /var/cache/dnf -name 'demo-openssl-3.0.7-27*.rpm'"); out == "" && !strings.Contains(r.Ref.Data["output"], "demo-openssl") {
			t.Errorf("nothing was downloaded: %s", r.Ref.Data["output"])
		}
		r = patch(t, o, two, act.PatchRequest{All: true, Security: true, Marker: "katprep-test-3"})
		if r.Err != nil || r.Ref.Data[act.DataReboot] != "yes" {
			t.Errorf("%v, %v", r.Err, r.Ref.Data)
		}
		if !installed(t, two, "kernel-core-5.14.0-427.20.1") || installed(t, two, "demo-tools-1.1-1") {
			t.Error(two.Run("rpm -qa"))
		}
	})
	t.Run("a failing transaction", func(t *testing.T) {
		two.Run("mount -o remount,bind,ro /opt")
		r := patch(t, o, two, act.PatchRequest{Packages: []string{"demo-tools"}, Marker: "katprep-test-4"})
		two.Run("mount -o remount,bind,rw /opt")
		if r.Err == nil || !strings.Contains(r.Err.Error(), "exit code 1") {
			t.Errorf("%v, %v", r.Err, r.Ref.Data)
		}
	})
	t.Run("a package that is pending after all", func(t *testing.T) {
		two.Run("echo 'exclude=demo-tools' >>/etc/dnf/dnf.conf")
		r := patch(t, o, two, act.PatchRequest{Packages: []string{"demo-web"}, Errata: []string{"RHBA-2026:0030"}, Marker: "katprep-test-5"})
		if r.Err != nil {
			t.Errorf("%v, %v", r.Err, r.Ref.Data)
		}
	})
	t.Run("a broken connection does not end the job", func(t *testing.T) { testBrokenConnection(t, o, one) })
	t.Run("without root", func(t *testing.T) {
		plain := o
		plain.Sudo = false
		if r := patch(t, plain, one, act.PatchRequest{All: true, Marker: "katprep-test-6"}); katprep.KindOf(r.Err) != katprep.Denied {
			t.Errorf("patch: %v", r.Err)
		}
		if _, err := New(plain).Reboot(t.Context(), target(one), katprep.Boot{}); katprep.KindOf(err) != katprep.Denied {
			t.Errorf("reboot: %v", err)
		}
	})
}

func TestSUSEHost(t *testing.T) {
	t.Parallel()
	h := lab.BuildRPMRepo(t).NewSUSEHost(t, "sle01.example.com")
	o := overSSH(t, h)
	r := patch(t, o, h, act.PatchRequest{Errata: []string{"RHSA-2026:0001"}, Marker: "katprep-test-1"})
	if r.Err != nil || !installed(t, h, "demo-openssl-3.0.7-2") {
		t.Errorf("one patch: %v, %v", r.Err, r.Ref.Data)
	}
	if r = patch(t, o, h, act.PatchRequest{Errata: []string{"RHSA-2026:9999"}, Marker: "katprep-test-2"}); r.Err == nil || !strings.Contains(r.Err.Error(), "104") {
		t.Errorf("a patch nobody knows: %v", r.Err)
	}
	if r = patch(t, o, h, act.PatchRequest{All: true, Exclude: []string{"demo-t*"}, Marker: "katprep-test-3"}); r.Err != nil || installed(t, h, "demo-tools-1.1") || !installed(t, h, "libdemo-1.0-2") {
		t.Errorf("all but one: %v, %v", r.Err, r.Ref.Data)
	}
	if !installed(t, h, "kernel-core-5.14.0-427.20.1") || r.Ref.Data[act.DataReboot] != "yes" {
		t.Errorf("the kernel: %v, %v", r.Ref.Data, h.Run("rpm -qa"))
	}
}

// testBrokenConnection cuts all connections while a job runs, as a firewall
// would.
func testBrokenConnection(t *testing.T, o Options, h *lab.Host) {
	d := New(o)
	cut := make(chan struct{})
	go func() {
		defer close(cut)
		for range 200 {
			if _, err := os.Stat(filepath.Join(h.Root, "var/lib/katprep/katprep-test-cut/pid")); err == nil {
				break
			}
			time.Sleep(50 * time.Millisecond)
		}
		h.SSHD.Down()
		h.SSHD.Up(h.Enter())
	}()
	s := act.Script{Name: "long", Marker: "katprep-test-cut", Text: "sleep 3\necho survived\n", Timeout: 30 * time.Second}
	out, err := d.Run(t.Context(), target(h), s)
	<-cut
	if err != nil || out.Exit != 0 || !strings.Contains(out.Output, "survived") {
		t.Errorf("%+v, %v", out, err)
	}
}

func TestDebianHost(t *testing.T) {
	t.Parallel()
	repo := lab.BuildDebRepo(t)
	h := repo.NewHost(t, "deb01.example.com")
	o := overSSH(t, h)
	t.Run("hooks", func(t *testing.T) {
		acttest.Hook(t, acttest.HookFixture{Hook: New(o), Target: target(h), Scratch: lab.Dir(t)})
	})
	t.Run("hook as a user", func(t *testing.T) {
		s := act.Script{Name: "who", Marker: "katprep-test-who", Text: "id -un; echo $X; cat", User: lab.User, Env: map[string]string{"X": "y"}, Stdin: []byte("in"), Timeout: 10 * time.Second}
		if out, err := New(o).Run(t.Context(), target(h), s); err != nil || out.Output != lab.User+"\ny\nin" {
			t.Errorf("%+v, %v", out, err)
		}
		if left := h.Run("cd /var/lib/katprep/katprep-test-who && ls"); strings.Contains(left, "env") || strings.Contains(left, "stdin") {
			t.Errorf("the environment or the input was left behind: %q", left)
		}
		s.User, s.Marker = "no;such", "katprep-test-who2"
		if _, err := New(o).Run(t.Context(), target(h), s); katprep.KindOf(err) != katprep.Invalid {
			t.Errorf("a bad user: %v", err)
		}
	})
	t.Run("advisories", func(t *testing.T) {
		r := patch(t, o, h, act.PatchRequest{Errata: []string{"DSA-1-1"}, Marker: "katprep-test-1"})
		if katprep.KindOf(r.Err) != katprep.NotFound {
			t.Errorf("an advisory nobody knows: %v", r.Err)
		}
		withFeed := o
		withFeed.Fixes = func(id string) (katprep.Erratum, bool) {
			return katprep.Erratum{ID: id, Packages: []katprep.Package{{Name: "src-libdemo", EVR: "1.0-1+deb12u1"}}}, true
		}
		if r := patch(t, withFeed, h, act.PatchRequest{Errata: []string{"DSA-1-1"}, Marker: "katprep-test-1"}); r.Err != nil || !installed(t, h, "libdemo1-1.0-1+deb12u1") || installed(t, h, "demo-ssl-3.0.11-1~deb12u3") {
			t.Errorf("%v, %v", r.Err, r.Ref.Data)
		}
	})
	t.Run("download only", func(t *testing.T) {
		r := patch(t, o, h, act.PatchRequest{All: true, Download: true, Marker: "katprep-test-2"})
		if r.Err != nil || installed(t, h, "demo-ssl-3.0.11-1~deb12u3") {
			t.Errorf("%v, %v", r.Err, r.Ref.Data)
		}
	})
	t.Run("held", func(t *testing.T) {
		h.Run("apt-mark hold demo-tools")
		r := patch(t, o, h, act.PatchRequest{Packages: []string{"demo-tools"}, Marker: "katprep-test-3"})
		if r.Err == nil {
			t.Errorf("a held package is said to be upgraded: %v", r.Ref.Data)
		}
		h.Run("apt-mark unhold demo-tools; apt-mark auto demo-ssl")
	})
	t.Run("security only", func(t *testing.T) {
		r := patch(t, o, h, act.PatchRequest{All: true, Security: true, Marker: "katprep-test-4"})
		if r.Err != nil || !installed(t, h, "demo-ssl-3.0.11-1~deb12u3") || installed(t, h, "demo-tools-1.1-1") {
			t.Errorf("%v, %v", r.Err, r.Ref.Data)
		}
		if out := h.Run("apt-mark showauto"); !strings.Contains(out, "demo-ssl") {
			t.Errorf("an automatic package was made a manual one: %q", out)
		}
	})
	t.Run("all but one", func(t *testing.T) {
		r := patch(t, o, h, act.PatchRequest{All: true, Exclude: []string{"demo-t*"}, Marker: "katprep-test-5"})
		if r.Err != nil || installed(t, h, "demo-tools-1.1-1") {
			t.Errorf("%v, %v", r.Err, r.Ref.Data)
		}
	})
	t.Run("an upgrade that removes another package", func(t *testing.T) {
		h.Run("echo '" + repo.Line("bookworm-extra") + "' >/etc/apt/sources.list.d/extra.list")
		if r := patch(t, o, h, act.PatchRequest{All: true, Marker: "katprep-test-6"}); r.Err != nil || !strings.Contains(r.Ref.Data["remaining"], "demo-tools") {
			t.Errorf("all: %v, %v", r.Err, r.Ref.Data)
		}
		if r := patch(t, o, h, act.PatchRequest{Packages: []string{"demo-tools"}, Marker: "katprep-test-7"}); r.Err == nil || !strings.Contains(r.Err.Error(), "apt-get failed") {
			t.Errorf("by name: %v, %v", r.Err, r.Ref.Data)
		}
		if !installed(t, h, "demo-web-2.0-1") {
			t.Error("a package was removed")
		}
		h.Run("rm /etc/apt/sources.list.d/extra.list; apt-get -qq update")
	})
	t.Run("waits for the lock", func(t *testing.T) {
		h.Run("/usr/bin/python3 -c 'import fcntl,time; f=open(\"/var/lib/dpkg/lock-frontend\",\"a\"); fcntl.lockf(f,fcntl.LOCK_EX); print(1,flush=True); time.sleep(3)' >/run/locked 2>&1 & while [ ! -s /run/locked ]; do sleep 0.05; done")
		if r := patch(t, o, h, act.PatchRequest{Packages: []string{"demo-tools"}, Marker: "katprep-test-8"}); r.Err != nil || !installed(t, h, "demo-tools-1.1-1") {
			t.Errorf("%v, %v", r.Err, r.Ref.Data)
		}
	})
	t.Run("full disk", func(t *testing.T) {
		h.Run("mkdir -p /var/lib/katprep; mount -t tmpfs -o size=4k,nr_inodes=3 tmpfs /var/lib/katprep")
		r := patch(t, o, h, act.PatchRequest{All: true, Marker: "katprep-test-9"})
		h.Run("umount -l /var/lib/katprep")
		if katprep.KindOf(r.Err) != katprep.Denied {
			t.Errorf("%v", r.Err)
		}
	})
	t.Run("reboot", func(t *testing.T) {
		acttest.Rebooter(t, acttest.RebooterFixture{Rebooter: New(o), Target: target(h), Unknown: unknown})
		if b, _ := os.ReadFile(filepath.Join(h.Root, "reboots")); strings.Count(string(b), "\n") != 1 {
			t.Errorf("reboots: %q, want one", b)
		}
	})
	t.Run("a host that does not come back", func(t *testing.T) {
		short := o
		short.RebootTime = 3 * time.Second
		h.OnBoot(func() { h.PowerOff() })
		if _, err := New(short).Reboot(t.Context(), target(h), katprep.Boot{}); katprep.KindOf(err) != katprep.Unreachable || !strings.Contains(err.Error(), "not back within") {
			t.Errorf("%v", err)
		}
	})
}

func TestLocalShell(t *testing.T) {
	o := Options{Local: katprep.Host{Name: "here"}, Poll: 50 * time.Millisecond}
	if os.Geteuid() != 0 {
		t.Setenv("HOME", t.TempDir())
	}
	m := act.Marker("katprep-localtest-" + filepath.Base(t.TempDir()) + "-" + time.Now().Format("150405.000000"))
	t.Cleanup(func() {
		for _, base := range []string{"/var/lib/katprep", os.Getenv("HOME") + "/.katprep"} {
			os.RemoveAll(filepath.Join(base, string(m)))
			os.Remove(base) // only if nothing else is in it
		}
	})
	here := act.Target{Host: katprep.Host{Name: "here"}, Marker: m}
	out, err := New(o).Run(t.Context(), here, act.Script{Name: "x", Marker: m, Text: "echo hi; exit 5", Timeout: time.Minute})
	if err != nil || out.Exit != 5 || out.Output != "hi\n" {
		t.Errorf("%+v, %v", out, err)
	}
	if b, err := New(o).BootOf(t.Context(), here); err != nil || b.ID == "" {
		t.Errorf("%+v, %v", b, err)
	}
}
