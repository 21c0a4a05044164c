package libvirt_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stdevel/katprep/act"
	"github.com/stdevel/katprep/internal/peers"
)

// TestGuest runs a small Linux with the real guest agent: contents come back
// with a revert, and the agent freezes, thaws and shuts down.
func TestGuest(t *testing.T) {
	if testing.Short() {
		t.Skip("boots a virtual machine")
	}
	if runtime.GOARCH != "amd64" {
		t.Skip("the guest is an amd64 one")
	}
	peers.Need(t, "qemu-system-x86_64", "qemu-img", "apt-get", "dpkg-deb", "mkfs.ext4", "ldd")
	d := start(t)
	d.defineGuest(t, "guest")
	c := d.open(t, "qemu")
	tg := target("guest")
	if err := c.PowerOn(t.Context(), tg); err != nil {
		t.Fatal(err)
	}
	d.awaitAgent(t, "guest")

	for what, by := range map[string]act.Target{"IPv4": {IP: "192.0.2.7"}, "IPv6": {IP6: "2001:db8:0::7"}, "MAC": {MAC: "52:54:00:AA:BB:07"}} {
		if s, err := c.PowerState(t.Context(), by); err != nil || s != act.PoweredOn {
			t.Errorf("found by %s: %s, %v", what, s, err)
		}
	}
	d.guestRun(t, "echo old > /data/file; sync")
	if err := c.CheckSnapshot(t.Context(), tg, act.SnapshotOptions{Quiesce: act.QuiesceRequire}); err != nil {
		t.Error(err)
	}
	ref, err := c.CreateSnapshot(t.Context(), tg, act.SnapshotOptions{Quiesce: act.QuiesceRequire, Description: "before the patch"})
	if err != nil || ref.Data[act.DataQuiesced] != "yes" || ref.Data[act.DataWarning] != "" {
		t.Fatalf("%+v, %v", ref, err)
	}
	d.guestRun(t, "echo new > /data/file; sync") // works only if the file systems were thawed
	if got := d.guestRun(t, "cat /data/file"); got != "new\n" {
		t.Fatalf("before the revert the file holds %q", got)
	}
	if _, err := c.RevertSnapshot(t.Context(), tg); err != nil {
		t.Fatal(err)
	}
	d.awaitAgent(t, "guest")
	if got := d.guestRun(t, "cat /data/file"); got != "old\n" {
		t.Errorf("after the revert the file holds %q, want the old content", got)
	}
	d.guestRun(t, "echo alive > /data/file; sync") // a frozen guest would hang here
	if err := c.RemoveSnapshot(t.Context(), tg); err != nil {
		t.Error(err)
	}
	if got := d.guestRun(t, "cat /data/file"); got != "alive\n" {
		t.Errorf("after the removal the file holds %q", got)
	}
	shut := d.openSlow(t)
	if err := shut.Shutdown(t.Context(), tg, false); err != nil {
		t.Errorf("the agent was asked to shut down: %v", err)
	}
}

// guestInit is the first process of the guest.
const guestInit = `#!/bin/busybox sh
/bin/busybox mkdir -p /sbin /proc /sys /dev /run /tmp /data
/bin/busybox --install -s /bin
export PATH=/bin:/sbin
mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t devtmpfs dev /dev
for m in /modules/*.ko; do insmod $m; done
while [ ! -b /dev/vda ]; do sleep 0.1; done
mount -t ext4 /dev/vda /data
ip link set lo up; ip addr add 192.0.2.7/32 dev lo; ip addr add 2001:db8::7/128 dev lo
mkdir -p /dev/virtio-ports
for p in /sys/class/virtio-ports/*; do ln -sf /dev/${p##*/} /dev/virtio-ports/$(cat $p/name); done
echo guest is ready > /dev/console
while true; do qemu-ga -m virtio-serial -p /dev/virtio-ports/org.qemu.guest_agent.0 -t /run -f /run/qga.pid; sleep 1; done
`

// guestShutdown is what the agent calls; it must return before it is done.
const guestShutdown = `#!/bin/sh
(sleep 1; sync; umount /data; poweroff -f) &
`

var guestModules = []string{"drivers/virtio/virtio_ring", "drivers/virtio/virtio", "drivers/virtio/virtio_pci_modern_dev", "drivers/virtio/virtio_pci_legacy_dev",
	"drivers/virtio/virtio_pci", "drivers/block/virtio_blk", "drivers/char/virtio_console", "lib/crc16", "crypto/crc32c_generic", "fs/mbcache", "fs/jbd2/jbd2", "fs/ext4/ext4"}

// defineGuest makes a Linux of a kernel, busybox and the guest agent, which
// are unpacked from their packages, not installed.
func (d *daemon) defineGuest(t *testing.T, name string) {
	t.Helper()
	tree := filepath.Join(d.dir, "guest")
	unpack(t, tree)
	kernels, err := filepath.Glob(filepath.Join(tree, "boot", "vmlinuz-*"))
	if err != nil || len(kernels) != 1 {
		t.Fatalf("kernels: %v, %v", kernels, err)
	}
	modules := filepath.Join(tree, "lib", "modules", strings.TrimPrefix(filepath.Base(kernels[0]), "vmlinuz-"), "kernel")
	initrd := filepath.Join(d.dir, "initrd")
	write(t, initrd, string(archive(t, tree, modules)))
	disk := filepath.Join(d.dir, "images", name+".qcow2")
	must(t, "truncate", "-s", "32M", disk+".raw")
	must(t, "mkfs.ext4", "-q", "-F", disk+".raw")
	must(t, "qemu-img", "convert", "-f", "raw", "-O", "qcow2", disk+".raw", disk)
	file := filepath.Join(d.dir, name+".xml")
	write(t, file, fmt.Sprintf(`<domain type='qemu'><name>%s</name><memory unit='MiB'>192</memory><vcpu>1</vcpu>
<os><type arch='x86_64' machine='pc'>hvm</type><kernel>%s</kernel><initrd>%s</initrd><cmdline>console=ttyS0 quiet panic=1</cmdline></os>
<features><acpi/></features><devices>
<disk type='file' device='disk'><driver name='qemu' type='qcow2'/><source file='%s'/><target dev='vda' bus='virtio'/></disk>
<channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0'/></channel>
<interface type='user'><mac address='52:54:00:aa:bb:07'/></interface>
<serial type='file'><source path='%s'/></serial>
<memballoon model='none'/></devices></domain>`, name, kernels[0], initrd, disk, d.console()))
	d.virsh(t, "qemu", "define", file)
}

func (d *daemon) console() string { return filepath.Join(d.dir, "log", "console") }

func must(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v: %s", name, err, out)
	}
	return string(out)
}

// unpack fetches the packages and unpacks them into one tree.
func unpack(t *testing.T, tree string) {
	t.Helper()
	depends := must(t, "apt-cache", "depends", "linux-image-cloud-amd64")
	kernel := regexp.MustCompile(`linux-image-[0-9]\S+`).FindString(depends)
	if kernel == "" {
		peers.Missing(t, "apt knows no linux-image-cloud-amd64")
	}
	dir := t.TempDir()
	cmd := exec.Command("apt-get", "-q", "download", kernel, "busybox-static", "qemu-guest-agent")
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		peers.Missing(t, fmt.Sprintf("the guest's packages cannot be fetched: %s", out))
	}
	debs, err := filepath.Glob(filepath.Join(dir, "*.deb"))
	if err != nil || len(debs) != 3 {
		t.Fatalf("packages: %v, %v", debs, err)
	}
	for _, deb := range debs {
		must(t, "dpkg-deb", "-x", deb, tree)
	}
}

// archive packs the guest's files as the kernel wants them: cpio, "newc".
func archive(t *testing.T, tree, modules string) []byte {
	t.Helper()
	var b bytes.Buffer
	made := map[string]bool{"": true}
	add := func(path string, mode int, data []byte) {
		fmt.Fprintf(&b, "070701%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%s\x00", b.Len()+1, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(path)+1, 0, path)
		b.Write(make([]byte, (4-b.Len()%4)%4))
		b.Write(data)
		b.Write(make([]byte, (4-b.Len()%4)%4))
	}
	var folder func(dir string)
	folder = func(dir string) {
		if dir = strings.TrimPrefix(dir, "."); made[dir] {
			return
		}
		folder(filepath.Dir(dir))
		made[dir] = true
		add(dir, 0o40755, nil)
	}
	put := func(path string, data []byte) {
		folder(filepath.Dir(path))
		add(path, 0o100755, data)
	}
	read := func(path string) []byte {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	put("init", []byte(guestInit))
	put("sbin/shutdown", []byte(guestShutdown))
	put("bin/busybox", read(filepath.Join(tree, "bin", "busybox")))
	agent := filepath.Join(tree, "usr", "sbin", "qemu-ga")
	put("sbin/qemu-ga", read(agent))
	libs := regexp.MustCompile(`(?m)(/\S+) \(0x`).FindAllStringSubmatch(must(t, "ldd", agent), -1)
	for _, l := range libs {
		put(strings.TrimPrefix(l[1], "/"), read(l[1]))
	}
	for i, m := range guestModules {
		if data, err := os.ReadFile(filepath.Join(modules, m+".ko")); err == nil { // others are built in
			put(fmt.Sprintf("modules/%02d-%s.ko", i, filepath.Base(m)), data)
		}
	}
	folder("var/run")
	folder("var/log")
	add("TRAILER!!!", 0, nil)
	return b.Bytes()
}

// agent sends a command to the guest's agent with virsh.
func (d *daemon) agent(command string, args any) (string, error) {
	q, err := json.Marshal(map[string]any{"execute": command, "arguments": args})
	if err != nil {
		return "", err
	}
	return d.tryVirsh("qemu", "qemu-agent-command", "guest", string(q), "--timeout", "20")
}

func (d *daemon) awaitAgent(t *testing.T, name string) {
	t.Helper()
	deadline := time.Now().Add(4 * time.Minute)
	for time.Now().Before(deadline) {
		if _, err := d.agent("guest-ping", map[string]any{}); err == nil {
			return
		}
		time.Sleep(300 * time.Millisecond)
	}
	log, _ := os.ReadFile(d.console())
	t.Fatalf("the agent of %s does not answer: %s", name, log)
}

// guestRun runs a shell command in the guest and returns its output.
func (d *daemon) guestRun(t *testing.T, command string) string {
	t.Helper()
	out, err := d.agent("guest-exec", map[string]any{"path": "/bin/sh", "arg": []string{"-c", command}, "capture-output": true})
	var begun struct {
		Return struct{ PID int }
	}
	if err != nil || json.Unmarshal([]byte(out), &begun) != nil {
		t.Fatalf("guest-exec: %v: %s", err, out)
	}
	for range 200 {
		out, err := d.agent("guest-exec-status", map[string]int{"pid": begun.Return.PID})
		var ended struct {
			Return struct {
				Exited   bool
				ExitCode int
				OutData  string `json:"out-data"`
			}
		}
		if err != nil || json.Unmarshal([]byte(out), &ended) != nil {
			t.Fatalf("guest-exec-status: %v: %s", err, out)
		}
		if r := ended.Return; r.Exited {
			text, err := base64.StdEncoding.DecodeString(r.OutData)
			if err != nil || r.ExitCode != 0 {
				t.Fatalf("%s: exit code %d, %v", command, r.ExitCode, err)
			}
			return string(text)
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Fatalf("%s does not end", command)
	return ""
}
