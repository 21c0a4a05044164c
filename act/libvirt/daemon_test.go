package libvirt_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stdevel/katprep/act/libvirt"
	"github.com/stdevel/katprep/internal/peers"
	"github.com/stdevel/katprep/internal/vm"
)

// A daemon is a real libvirtd of the test's own. It lives in private
// namespaces: it sees nothing of a libvirt on this machine, and ending its
// first process ends everything that it started.
type daemon struct {
	dir   string
	cmd   *exec.Cmd
	ended chan struct{}
}

// initScript is the first process in the namespaces. It reaps what libvirtd
// leaves: a dead guest that nobody waits for looks alive. The QEMU driver
// wants a user that its package's scripts make; they are not run here.
const initScript = `set -eu
mount --make-rprivate /
if [ -n "$ROOT" ]; then
  mkdir -p "$ROOT$BASE"
  for m in /dev /proc /sys; do mount --rbind "$m" "$ROOT$m"; done
  mount --bind "$BASE" "$ROOT$BASE"
fi
for d in lib cache log; do mkdir -p "$ROOT/var/$d/libvirt"; mount --bind "$BASE/$d" "$ROOT/var/$d/libvirt"; done
mkdir -p "$ROOT/etc/libvirt"; mount --bind "$BASE/etc" "$ROOT/etc/libvirt"
cp "$ROOT/etc/passwd" "$BASE/passwd"; cp "$ROOT/etc/group" "$BASE/group"
grep -q ^libvirt-qemu: "$BASE/passwd" || echo 'libvirt-qemu:x:64055:64055::/:/bin/false' >> "$BASE/passwd"
grep -q ^libvirt-qemu: "$BASE/group" || echo 'libvirt-qemu:x:64055:' >> "$BASE/group"
grep -q ^kvm: "$BASE/group" || echo 'kvm:x:64056:' >> "$BASE/group"
mount --bind "$BASE/passwd" "$ROOT/etc/passwd"; mount --bind "$BASE/group" "$ROOT/etc/group"
mount --bind "$BASE/run" "$ROOT/run"
while true; do
  rm -f "$BASE/libvirtd.pid"
  chroot "$ROOT/" libvirtd -f "$BASE/libvirtd.conf" -p "$BASE/libvirtd.pid" $ARGS &
  wait $! || true
  [ -e "$BASE/kills" ] || exit 1 # it ended by itself
  while [ -e "$BASE/killed" ]; do sleep 0.02; done
done
`

// otherRoot is a Debian tree whose libvirt and QEMU are used instead of this
// machine's, to test against another version: debootstrap one and install
// libvirt-daemon, libvirt-daemon-driver-qemu and qemu-system-x86 in it.
func otherRoot() string { return os.Getenv("KATPREP_LIBVIRT_ROOT") }

func start(t *testing.T) *daemon {
	t.Helper()
	return startWith(t, "listen_tls = 0\n")
}

// startWith starts a daemon with further settings and arguments.
func startWith(t *testing.T, settings string, args ...string) *daemon {
	t.Helper()
	peers.Need(t, "libvirtd", "unshare", "virsh")
	peers.NeedRoot(t)
	dir, err := os.MkdirTemp("", "lv") // the path of a socket is short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	for _, d := range []string{"lib", "cache", "log", "etc", "run", "images"} {
		if err := os.Mkdir(filepath.Join(dir, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	write(t, filepath.Join(dir, "libvirtd.conf"), settings+`listen_tcp = 0
auth_unix_rw = "none"
auth_unix_ro = "none"
unix_sock_rw_perms = "0700"
max_clients = 5
max_anonymous_clients = 5
`)
	write(t, filepath.Join(dir, "etc", "qemu.conf"), `user = "root"
group = "root"
dynamic_ownership = 0
remember_owner = 0
security_driver = "none"
namespaces = []
cgroup_controllers = []
stdio_handler = "file"
`)
	d := &daemon{dir: dir, cmd: exec.Command("unshare", "-m", "-p", "--fork", "--kill-child", "--mount-proc", "bash", "-c", initScript)}
	log, err := os.Create(filepath.Join(dir, "init.log"))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	d.cmd.Env = append(os.Environ(), "BASE="+dir, "ROOT="+otherRoot(), "ARGS="+strings.Join(args, " "), "LC_ALL=C")
	d.cmd.Stdout, d.cmd.Stderr = log, log
	if err := d.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	d.ended = make(chan struct{})
	go func() { d.cmd.Wait(); close(d.ended) }()
	t.Cleanup(func() { d.cmd.Process.Kill(); <-d.ended })
	d.await(t)
	return d
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func (d *daemon) socket() string { return filepath.Join(d.dir, "run", "libvirt", "libvirt-sock") }

func (d *daemon) uri(driver string) string {
	path := "/system"
	if driver == "test" {
		path = "/default"
	}
	return driver + "+unix://" + path + "?socket=" + d.socket()
}

func (d *daemon) await(t *testing.T) {
	t.Helper()
	for range 600 {
		select {
		case <-d.ended:
			log, _ := os.ReadFile(filepath.Join(d.dir, "init.log"))
			t.Fatalf("libvirtd ended: %s", log)
		default:
		}
		if exec.Command("virsh", "-q", "-c", d.uri("test"), "version").Run() == nil {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	log, _ := os.ReadFile(filepath.Join(d.dir, "init.log"))
	t.Fatalf("libvirtd does not start: %s", log)
}

// virsh runs libvirt's own client, as somebody else would.
func (d *daemon) virsh(t *testing.T, driver string, args ...string) string {
	t.Helper()
	out, err := d.tryVirsh(driver, args...)
	if err != nil {
		t.Fatalf("virsh %v: %v: %s", args, err, out)
	}
	return out
}

func (d *daemon) tryVirsh(driver string, args ...string) (string, error) {
	cmd := exec.Command("virsh", append([]string{"-q", "-c", d.uri(driver)}, args...)...)
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	out, err := cmd.CombinedOutput()
	return strings.TrimSpace(string(out)), err
}

// open returns a client that gives guests without an operating system little
// time to shut down.
func (d *daemon) open(t *testing.T, driver string) *libvirt.Client {
	t.Helper()
	return d.client(t, driver, 300*time.Millisecond)
}

// openSlow returns a client that gives a real guest its time.
func (d *daemon) openSlow(t *testing.T) *libvirt.Client {
	t.Helper()
	return d.client(t, "qemu", 2*time.Minute)
}

func (d *daemon) client(t *testing.T, driver string, graceful time.Duration) *libvirt.Client {
	t.Helper()
	return d.clientAt(t, d.uri(driver), graceful)
}

func (d *daemon) clientAt(t *testing.T, uri string, graceful time.Duration) *libvirt.Client {
	t.Helper()
	c, err := libvirt.New(libvirt.Options{URI: uri, Limits: vm.Limits{Poll: 100 * time.Millisecond, Graceful: graceful, Read: time.Minute}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close(context.Background()) })
	return c
}

// hold connects: the test driver forgets everything with its last client.
func (d *daemon) hold(t *testing.T, c *libvirt.Client) {
	t.Helper()
	if _, err := c.Identify(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// define makes a VM. Without an operating system it stays in its firmware,
// which is all that snapshots and power need.
func (d *daemon) define(t *testing.T, name string, disks ...string) {
	t.Helper()
	for i, format := range disks {
		path := d.disk(name, i, format)
		if out, err := exec.Command("qemu-img", "create", "-q", "-f", format, path, "8M").CombinedOutput(); err != nil {
			t.Fatalf("qemu-img: %v: %s", err, out)
		}
	}
	d.defineDisks(t, name, disks...)
}

func (d *daemon) disk(name string, i int, format string) string {
	return filepath.Join(d.dir, "images", fmt.Sprintf("%s-%d.%s", name, i, format))
}

// defineDisks is define for disks that are there.
func (d *daemon) defineDisks(t *testing.T, name string, disks ...string) {
	t.Helper()
	kind := "qemu"
	if f, err := os.OpenFile("/dev/kvm", os.O_RDWR, 0); err == nil {
		f.Close()
		kind = "kvm"
	}
	var b strings.Builder
	fmt.Fprintf(&b, `<domain type='%s'><name>%s</name><memory unit='MiB'>32</memory><vcpu>1</vcpu>
<os><type arch='x86_64' machine='pc'>hvm</type></os><features><acpi/></features><devices>`, kind, name)
	for i, format := range disks {
		fmt.Fprintf(&b, `<disk type='file' device='disk'><driver name='qemu' type='%s'/><source file='%s'/><target dev='vd%c' bus='virtio'/></disk>`, format, d.disk(name, i, format), 'a'+i)
	}
	b.WriteString(`<memballoon model='none'/></devices></domain>`)
	file := filepath.Join(d.dir, name+".xml")
	write(t, file, b.String())
	d.virsh(t, "qemu", "define", file)
}

// inside runs a command where libvirtd is: in its own mounts.
func (d *daemon) inside(t *testing.T, command ...string) {
	t.Helper()
	args := append([]string{"-m", "-t", strconv.Itoa(d.pid(t))}, command...)
	if out, err := exec.Command("nsenter", args...).CombinedOutput(); err != nil {
		t.Fatalf("nsenter %v: %v: %s", args, err, out)
	}
}

// kill ends libvirtd at once; its guests go on.
func (d *daemon) kill(t *testing.T) {
	t.Helper()
	write(t, filepath.Join(d.dir, "kills"), "")  // for good: it may be killed
	write(t, filepath.Join(d.dir, "killed"), "") // until again
	pid := d.pid(t)
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	for syscall.Kill(pid, 0) == nil {
		time.Sleep(5 * time.Millisecond)
	}
}

// again starts libvirtd after kill.
func (d *daemon) again(t *testing.T) {
	t.Helper()
	if err := os.Remove(filepath.Join(d.dir, "killed")); err != nil {
		t.Fatal(err)
	}
	d.await(t)
}

// pid returns libvirtd's process ID outside of its namespace.
func (d *daemon) pid(t *testing.T) int {
	t.Helper()
	procs, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range procs {
		line, err := os.ReadFile(p)
		if err == nil && strings.HasPrefix(string(line), "libvirtd\x00") && strings.Contains(string(line), d.dir) {
			pid, err := strconv.Atoi(filepath.Base(filepath.Dir(p)))
			if err != nil {
				t.Fatal(err)
			}
			return pid
		}
	}
	t.Fatal("libvirtd is gone")
	return 0
}

// many defines VMs of the test driver in one process.
func (d *daemon) many(t *testing.T, n int) {
	t.Helper()
	var script strings.Builder
	for i := range n {
		file := filepath.Join(d.dir, fmt.Sprintf("vm%d.xml", i))
		write(t, file, fmt.Sprintf(`<domain type='test'><name>vm%d</name><memory>8192</memory><os><type>hvm</type></os></domain>`, i))
		fmt.Fprintf(&script, "define %s\n", file)
	}
	cmd := exec.Command("virsh", "-q", "-c", d.uri("test"))
	cmd.Stdin = strings.NewReader(script.String())
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("virsh: %v: %s", err, out)
	}
}
