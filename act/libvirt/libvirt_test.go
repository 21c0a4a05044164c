package libvirt_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/act"
	"github.com/stdevel/katprep/act/acttest"
	"github.com/stdevel/katprep/act/libvirt"
	"github.com/stdevel/katprep/internal/peers"
	"github.com/stdevel/katprep/internal/vm"
)

func target(name string) act.Target { return act.Target{Name: name, Marker: "katprep-run-1"} }

// foreign makes snapshots with virsh.
func foreign(d *daemon, driver string) func(t *testing.T, tg act.Target, name string) (func() bool, func()) {
	return func(t *testing.T, tg act.Target, name string) (func() bool, func()) {
		d.virsh(t, driver, "snapshot-create-as", tg.Name, name, "--description", "somebody else's")
		there := func() bool {
			_, err := d.tryVirsh(driver, "snapshot-info", tg.Name, name)
			return err == nil
		}
		return there, func() { d.virsh(t, driver, "snapshot-delete", tg.Name, name) }
	}
}

func powerOf(c *libvirt.Client) func(t *testing.T, tg act.Target) act.PowerState {
	return func(t *testing.T, tg act.Target) act.PowerState {
		s, err := c.PowerState(t.Context(), tg)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
}

// TestDriverOfTests uses libvirt's own test driver, which knows trees and
// power states, through a real daemon.
func TestDriverOfTests(t *testing.T) {
	d := start(t)
	c := d.open(t, "test")
	d.hold(t, c)
	for _, name := range []string{"one", "two"} {
		file := filepath.Join(d.dir, name+".xml")
		write(t, file, `<domain type='test'><name>`+name+`</name><memory>8192</memory><os><type>hvm</type></os></domain>`)
		d.virsh(t, "test", "define", file)
		d.virsh(t, "test", "start", name)
	}
	acttest.Snapshotter(t, acttest.SnapshotterFixture{
		Snapshotter: c, Targets: []act.Target{{Name: "one"}, {Name: "two"}}, Unknown: act.Target{Name: "nowhere"},
		Foreign: foreign(d, "test"), State: powerOf(c),
	})
	acttest.Power(t, acttest.PowerFixture{Power: c, Target: act.Target{Name: "one"}, Unknown: act.Target{Name: "nowhere"}})
	id, err := c.Identify(t.Context())
	if err != nil || id.Product != "libvirt TEST" || id.Version == "" || len(id.Missing) > 0 {
		t.Errorf("%+v, %v", id, err)
	}
}

// TestQEMU uses guests of the real QEMU driver.
func TestQEMU(t *testing.T) {
	peers.Need(t, "qemu-system-x86_64", "qemu-img")
	d := start(t)
	d.define(t, "one", "qcow2", "qcow2")
	d.define(t, "two", "qcow2")
	d.define(t, "raw", "raw")
	d.define(t, "mixed", "qcow2")
	d.define(t, "bare")
	d.virsh(t, "qemu", "start", "one")
	d.virsh(t, "qemu", "start", "two")
	c := d.open(t, "qemu")
	t.Run("contract", func(t *testing.T) {
		acttest.Snapshotter(t, acttest.SnapshotterFixture{
			Snapshotter: c, Targets: []act.Target{{Name: "one"}, {Name: "two"}}, Unknown: act.Target{Name: "nowhere"},
			Foreign: foreign(d, "qemu"), State: powerOf(c),
		})
		acttest.Power(t, acttest.PowerFixture{Power: c, Target: act.Target{Name: "one"}, Unknown: act.Target{Name: "nowhere"}, Deaf: true})
	})
	external := strings.Contains(d.virsh(t, "qemu", "capabilities"), "<externalSnapshot/>")
	t.Run("external", func(t *testing.T) {
		if !external {
			t.Skip("this libvirt cannot revert to external snapshots")
		}
		externalLife(t, d, c)
	})
	t.Run("refused beforehand", func(t *testing.T) {
		refused := map[string]string{"raw": "is raw, not qcow2", "bare": "no disk", "two": ""}
		if external {
			refused["raw"] = ""
		}
		for name, want := range refused {
			err := c.CheckSnapshot(t.Context(), target(name), act.SnapshotOptions{})
			if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want) || katprep.HintOf(err) == "") {
				t.Errorf("%s: %v, want %q", name, err, want)
			}
		}
		if err := c.CheckSnapshot(t.Context(), target("two"), act.SnapshotOptions{Quiesce: act.QuiesceRequire}); katprep.KindOf(err) != katprep.Conflict || !strings.Contains(err.Error(), "guest agent") {
			t.Errorf("quiesce without agent: %v", err)
		}
		d.virsh(t, "qemu", "start", "mixed")
		d.virsh(t, "qemu", "snapshot-create-as", "mixed", "theirs", "--disk-only")
		if err := c.CheckSnapshot(t.Context(), target("mixed"), act.SnapshotOptions{}); !external && (err == nil || !strings.Contains(err.Error(), "external")) {
			t.Errorf("beside an external snapshot: %v", err)
		}
	})
	t.Run("quiesce as far as can be", func(t *testing.T) {
		if _, err := c.CreateSnapshot(t.Context(), target("two"), act.SnapshotOptions{Quiesce: act.QuiesceRequire}); katprep.KindOf(err) != katprep.Conflict {
			t.Errorf("required: %v", err)
		}
		ref, err := c.CreateSnapshot(t.Context(), target("two"), act.SnapshotOptions{Quiesce: act.QuiesceTry})
		if err != nil || ref.Data[act.DataQuiesced] != "no" || !strings.Contains(ref.Data[act.DataWarning], "crash-consistent") {
			t.Errorf("tried: %+v, %v", ref, err)
		}
		if left, err := c.Leftovers(t.Context()); err != nil || len(left) != 1 || left[0].VM != "two" || left[0].Marker != "katprep-run-1" {
			t.Errorf("leftovers: %+v, %v", left, err)
		}
	})
	t.Run("a VM that was off stays off", func(t *testing.T) {
		d.define(t, "off", "qcow2")
		if _, err := c.CreateSnapshot(t.Context(), target("off"), act.SnapshotOptions{Quiesce: act.QuiesceTry}); err != nil {
			t.Fatal(err)
		}
		if _, err := c.RevertSnapshot(t.Context(), target("off")); err != nil || powerOf(c)(t, target("off")) != act.PoweredOff {
			t.Errorf("%v, %s", err, powerOf(c)(t, target("off")))
		}
	})
	t.Run("found by address", func(t *testing.T) {
		objects, err := c.Objects(t.Context())
		if err != nil || len(objects) != 6 || objects[0].Name != "bare" || objects[0].UUID == "" {
			t.Fatalf("%+v, %v", objects, err)
		}
		if s, err := c.PowerState(t.Context(), act.Target{UUID: objects[0].UUID}); err != nil || s != act.PoweredOff {
			t.Errorf("by UUID: %s, %v", s, err)
		}
	})
}

// externalLife makes, reverts to and removes external snapshots, of a VM that
// runs and of one that is off.
func externalLife(t *testing.T, d *daemon, c *libvirt.Client) {
	for _, power := range []act.PowerState{act.PoweredOff, act.PoweredOn} {
		if power == act.PoweredOn {
			d.virsh(t, "qemu", "start", "raw")
		}
		ref, err := c.CreateSnapshot(t.Context(), target("raw"), act.SnapshotOptions{})
		if err != nil || ref.ID == "" {
			t.Fatalf("%s: %+v, %v", power, ref, err)
		}
		if _, err := c.RevertSnapshot(t.Context(), target("raw")); err != nil {
			t.Fatalf("%s: revert: %v", power, err)
		}
		if got := powerOf(c)(t, target("raw")); got != power {
			t.Errorf("it was %s, and is %s after the revert", power, got)
		}
		if err := c.RemoveSnapshot(t.Context(), target("raw")); err != nil {
			t.Fatalf("%s: remove: %v", power, err)
		}
	}
	d.tryVirsh("qemu", "destroy", "raw")
}

// TestDeadlines: a daemon that is stopped, one that never answers, and one
// that lets no more clients in cost the deadline and no more.
func TestDeadlines(t *testing.T) {
	within := func(t *testing.T, c *libvirt.Client) {
		t.Helper()
		done := make(chan error, 1)
		go func() {
			_, _, err := c.FindSnapshot(t.Context(), target("test"))
			done <- err
		}()
		select {
		case err := <-done:
			if katprep.KindOf(err) != katprep.Unreachable || !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("kind %d: %v", katprep.KindOf(err), err)
			}
		case <-time.After(20 * time.Second):
			t.Fatal("the call hangs")
		}
	}
	short := func(t *testing.T, uri string) *libvirt.Client {
		c, err := libvirt.New(libvirt.Options{URI: uri, Limits: vm.Limits{Read: 300 * time.Millisecond}})
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	t.Run("silent", func(t *testing.T) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		within(t, short(t, "qemu+tcp://"+l.Addr().String()+"/system"))
	})
	d := start(t)
	t.Run("full", func(t *testing.T) {
		for range 5 {
			conn, err := net.Dial("unix", d.socket())
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
		}
		within(t, short(t, d.uri("test")))
	})
	t.Run("stopped", func(t *testing.T) {
		c := short(t, d.uri("test"))
		if _, err := c.PowerState(t.Context(), target("test")); err != nil {
			t.Fatal(err)
		}
		pid := d.pid(t)
		if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
			t.Fatal(err)
		}
		within(t, c)
		if err := syscall.Kill(pid, syscall.SIGCONT); err != nil {
			t.Fatal(err)
		}
		if _, err := c.PowerState(t.Context(), target("test")); err != nil {
			t.Errorf("after it went on: %v", err)
		}
	})
}

func TestURIs(t *testing.T) {
	for _, uri := range []string{"", "qemu", "qemu+ssh:///system", "qemu+ext://h/system", "qemu+ssh://root:secret@h/system", "://"} {
		if _, err := libvirt.New(libvirt.Options{URI: uri}); katprep.KindOf(err) != katprep.Invalid || strings.Contains(fmt.Sprint(err), "secret") {
			t.Errorf("%q: %v", uri, err)
		}
	}
	if _, err := libvirt.New(libvirt.Options{URI: "qemu+ssh://root@kvm1:2222/system"}); err != nil {
		t.Error(err)
	}
}

// TestManyVMs reads two hundred VMs of the test driver over one connection and
// snapshots a hundred of them, eight at once, with a constant number of calls
// for each.
func TestManyVMs(t *testing.T) {
	d := start(t)
	d.hold(t, d.open(t, "test"))
	d.many(t, 200)
	var calls atomic.Int64
	c := d.clientAt(t, strings.Replace(d.uri("test"), d.socket(), d.counting(t, &calls), 1), time.Minute)
	var targets []act.Target
	for i := range 100 {
		targets = append(targets, act.Target{Name: fmt.Sprint("vm", i)})
	}
	acttest.Requests(t, acttest.RequestsFixture{Snapshotter: c, Targets: targets, Most: 18, Count: func() int { return int(calls.Load()) }})
	for i := range 40 {
		if _, err := c.CreateSnapshot(t.Context(), target(fmt.Sprint("vm", i)), act.SnapshotOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	if left, err := c.Leftovers(t.Context()); err != nil || len(left) != 40 {
		t.Errorf("%d leftovers, %v", len(left), err)
	}
}

// counting is a socket that passes everything on to the daemon, and counts
// the calls: each begins with its length.
func (d *daemon) counting(t *testing.T, calls *atomic.Int64) string {
	t.Helper()
	socket := filepath.Join(d.dir, "counted")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	pass := func(in net.Conn) {
		out, err := net.Dial("unix", d.socket())
		if err != nil {
			return
		}
		go func() { io.Copy(in, out); in.Close() }()
		defer out.Close()
		for {
			var length [4]byte
			if _, err := io.ReadFull(in, length[:]); err != nil {
				return
			}
			calls.Add(1)
			out.Write(length[:])
			if _, err := io.CopyN(out, in, int64(binary.BigEndian.Uint32(length[:]))-4); err != nil {
				return
			}
		}
	}
	go func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			go pass(in)
		}
	}()
	return socket
}
