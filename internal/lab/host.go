//go:build unix

package lab

import (
	"crypto/rand"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stdevel/katprep/internal/peers"
)

// User is an ordinary user of every lab host; it may become root with sudo.
const User = "katprep"

// A Host is a machine of its own as far as package managers and the probe can
// tell: a mount, UTS and time namespace with its own /etc, /var, /opt, /run,
// /boot, host name, boot ID and boot time, behind a real sshd. Its reboot
// commands end the namespace and start it again.
type Host struct {
	*SSHD
	Name string
	Root string // folder with what the host sees as /etc, /var …

	t      testing.TB
	mu     sync.Mutex
	holder *exec.Cmd
	ns     string   // its mount namespace
	held   *os.File // keeps the kernel from giving ns to the next namespace
	off    bool     // to stay off after the next end
	ended  chan struct{}
	closed bool
	onBoot func()
}

// newHost prepares the folders of a host and boots it. setup runs in its
// namespace before the first login is possible.
func newHost(t testing.TB, name string, osRelease string, prepare func(h *Host), setup string) *Host {
	t.Helper()
	needNamespaces(t)
	h := &Host{Name: name, Root: Dir(t), t: t, ended: make(chan struct{}, 1)}
	for _, d := range []string{"var/tmp", "var/log", "var/lib", "var/cache", "var/spool", "opt", "boot", "root", "doc", "bin"} {
		fatal(t, os.MkdirAll(filepath.Join(h.Root, d), 0o755))
	}
	fatal(t, os.Chmod(filepath.Join(h.Root, "var/tmp"), 0o777|os.ModeSticky))
	fatal(t, os.Symlink("/run", filepath.Join(h.Root, "var/run")))
	if out, err := exec.Command("cp", "-a", "/etc", h.Root+"/").CombinedOutput(); err != nil {
		t.Fatalf("copy /etc: %v\n%s", err, out)
	}
	h.account()
	h.write("etc/hosts", "127.0.0.1 localhost "+name+"\n")
	os.Remove(h.path("etc/os-release")) // a link into /usr
	h.write("etc/os-release", osRelease)
	os.Remove(h.path("etc/machine-id"))
	h.write("etc/machine-id", strings.ToLower(fmt.Sprintf("%x", []byte(rand.Text())[:16]))+"\n")
	h.programs()
	prepare(h)
	t.Cleanup(h.shutdown)
	h.boot(10 * 24 * time.Hour)
	h.Run(setup)
	h.killAll()
	<-h.ended
	h.boot(0) // what is installed now is older than this boot
	h.SSHD = StartSSHD(t, SSHDOptions{Wrap: h.Enter()})
	go h.restart()
	return h
}

func (h *Host) path(p string) string { return filepath.Join(h.Root, p) }

func (h *Host) write(p, text string) { h.t.Helper(); write(h.t, h.path(p), text, 0o644) }

// account adds the ordinary user.
func (h *Host) account() {
	for file, line := range map[string]string{
		"etc/passwd": User + ":x:4242:4242::/tmp:/bin/sh", "etc/group": User + ":x:4242:", "etc/shadow": User + ":*:19000:0:99999:7:::",
	} {
		b, err := os.ReadFile(h.path(file))
		fatal(h.t, err)
		fatal(h.t, os.WriteFile(h.path(file), append(b, line+"\n"...), 0o640))
	}
	fatal(h.t, os.Chmod(h.path("etc/passwd"), 0o644))
	fatal(h.t, os.Chmod(h.path("etc/group"), 0o644))
	write(h.t, h.path("etc/sudoers.d/katprep"), User+" ALL=(ALL) NOPASSWD: ALL\n", 0o440)
}

// programs stand in front of what would reach the real machine, and of uname,
// whose kernel no namespace can change.
func (h *Host) programs() {
	real, err := exec.LookPath("uname")
	fatal(h.t, err)
	if out, err := exec.Command("cp", real, h.path("bin/uname.real")).CombinedOutput(); err != nil {
		h.t.Fatalf("copy uname: %v %s", err, out)
	}
	write(h.t, h.path("bin/uname"), "#!/bin/sh\n[ \"$*\" = -r ] && exec cat "+h.path("kernel")+"\nexec "+h.path("bin/uname.real")+" \"$@\"\n", 0o755)
	write(h.t, h.path("bin/power"), "#!/bin/sh\n[ \"$1\" = --lab ] && { echo lab; exit; }\n"+
		"case \"$0 $*\" in *reboot*|*\" -r \"*) echo \"$0 $*\" >>"+h.path("reboots")+"; kill -9 $(cat "+h.path("holder")+") ;; *) exit 1 ;; esac\n", 0o755)
}

const bootScript = `set -e
R=$1 NAME=$2
mount --make-rprivate /
real_uname=$(command -v uname)
for d in etc var opt boot root; do mkdir -p /$d; mount --bind $R/$d /$d; done
mount --bind $R/doc /usr/share/doc
mount -t tmpfs tmpfs /run
mkdir -p /run/sshd /run/lock
mount --bind $R/boot_id /proc/sys/kernel/random/boot_id
mount --bind $R/bin/uname $(readlink -f $real_uname)
for p in systemctl reboot shutdown; do
	for d in /usr/sbin /usr/bin /sbin /bin; do
		[ -e $d/$p ] && [ "$($d/$p --lab 2>/dev/null)" != lab ] && mount --bind $R/bin/power $(readlink -f $d/$p)
	done
	:
done
for p in systemctl reboot shutdown; do
	mkdir -p $R/local
	cp $R/bin/power $R/local/$p
done
mount --bind $R/local /usr/local/bin
for p in systemctl reboot shutdown; do [ "$($p --lab)" = lab ]; done
hostname $NAME
echo $$ >$R/holder.new
mv $R/holder.new $R/holder
exec sleep infinity
`

// boot starts the namespace as if the host had been up for a while.
func (h *Host) boot(uptime time.Duration) {
	h.write("boot_id", bootID()+"\n")
	os.Remove(h.path("holder"))
	up, err := os.ReadFile("/proc/uptime")
	fatal(h.t, err)
	real, _ := strconv.ParseFloat(strings.Fields(string(up))[0], 64)
	offset := strconv.Itoa(int(uptime.Seconds() - real))
	cmd := exec.Command("unshare", "--mount", "--uts", "--time", "--boottime", offset, "--fork", "--kill-child", "/bin/sh", "-c", bootScript, "lab", h.Root, h.Name)
	var said strings.Builder
	cmd.Stdout, cmd.Stderr = &said, &said
	cmd.SysProcAttr = dieWithTest()
	started := make(chan error)
	go func() {
		// The signal that ends the host with the test comes when the thread
		// ends that started it: keep that for as long as the host lives.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait()
			h.ended <- struct{}{}
		}
	}()
	fatal(h.t, <-started)
	h.holder = cmd
	for range 1000 {
		if _, err := os.Stat(h.path("holder")); err == nil {
			h.hold("/proc/" + h.pid() + "/ns/mnt")
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	h.t.Fatalf("lab host %s does not start:\n%s", h.Name, said.String())
}

// hold remembers the namespace, and lets go of that of the boot before. Its
// number is the next one's as soon as nobody holds it: killAll would end a host
// of another test.
func (h *Host) hold(file string) {
	f, err := os.Open(file)
	fatal(h.t, err)
	ns, err := os.Readlink("/proc/self/fd/" + strconv.Itoa(int(f.Fd())))
	fatal(h.t, err)
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.held != nil {
		_ = h.held.Close()
	}
	h.ns, h.held = ns, f
}

func bootID() string {
	b := make([]byte, 16)
	_, _ = rand.Read(b)
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

func (h *Host) pid() string {
	b, err := os.ReadFile(h.path("holder"))
	fatal(h.t, err)
	return strings.TrimSpace(string(b))
}

// Enter is the command that runs another inside.
func (h *Host) Enter() []string {
	return []string{"nsenter", "--target", h.pid(), "--mount", "--uts", "--time", "--"}
}

// Run runs a script on the host as root, without SSH, and returns its output.
func (h *Host) Run(script string) string {
	h.t.Helper()
	args := append(h.Enter(), "/bin/sh", "-ec", script)
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Env = []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "LC_ALL=C", "DEBIAN_FRONTEND=noninteractive"}
	out, err := cmd.CombinedOutput()
	if err != nil {
		h.t.Fatalf("on %s: %v\n%s\n%s", h.Name, err, script, out)
	}
	return string(out)
}

// OnBoot sets what happens between the end of one boot and the next.
func (h *Host) OnBoot(f func()) { h.mu.Lock(); h.onBoot = f; h.mu.Unlock() }

// SetKernel says which kernel runs, as uname -r prints it.
func (h *Host) SetKernel(release string) { h.write("kernel", release+"\n") }

// PowerOff ends the host until the test is over.
func (h *Host) PowerOff() {
	h.mu.Lock()
	h.off = true
	h.mu.Unlock()
	h.SSHD.Down()
	h.killAll()
}

// restart boots the host again whenever it ends.
func (h *Host) restart() {
	for range h.ended {
		h.mu.Lock()
		off, f := h.off || h.closed, h.onBoot
		h.mu.Unlock()
		if off {
			return
		}
		h.SSHD.Down()
		h.killAll()
		if f != nil {
			f()
		}
		h.mu.Lock()
		off = h.off
		h.mu.Unlock()
		if off {
			return
		}
		h.boot(0)
		h.SSHD.Up(h.Enter())
	}
}

// killAll ends every process of the host's namespace.
func (h *Host) killAll() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.held == nil {
		return
	}
	procs, _ := filepath.Glob("/proc/[0-9]*/ns/mnt")
	for _, p := range procs {
		if ns, err := os.Readlink(p); err == nil && ns == h.ns {
			if pid, err := strconv.Atoi(strings.Split(p, "/")[2]); err == nil {
				_ = syscall.Kill(pid, syscall.SIGKILL)
			}
		}
	}
}

func (h *Host) shutdown() {
	h.mu.Lock()
	h.closed = true
	h.mu.Unlock()
	h.killAll()
	_ = h.holder.Process.Kill()
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.held != nil {
		_ = h.held.Close()
		h.held = nil
	}
}

// needNamespaces skips the test where a host cannot be made.
func needNamespaces(t testing.TB) {
	t.Helper()
	peers.NeedRoot(t)
	peers.Need(t, "unshare", "nsenter", "mount", "sshd")
	if out, err := exec.Command("unshare", "--mount", "--uts", "--time", "--boottime", "1", "--fork", "true").CombinedOutput(); err != nil {
		peers.Missing(t, "mount, UTS and time namespaces are not allowed here: "+strings.TrimSpace(string(out)))
	}
}

// Dir returns a fresh folder that other users may look into.
func Dir(t testing.TB) string {
	t.Helper()
	d := t.TempDir()
	for _, p := range []string{filepath.Dir(d), d} {
		fatal(t, os.Chmod(p, 0o755))
	}
	return d
}
