package libvirt_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/act"
	"github.com/stdevel/katprep/act/libvirt"
	"github.com/stdevel/katprep/internal/peers"
	"github.com/stdevel/katprep/internal/vm"
)

// TestFullPool fills a real storage pool: it is said beforehand, and where
// that is not asked for, the failed snapshot leaves nothing behind and the
// guest goes on.
func TestFullPool(t *testing.T) {
	peers.Need(t, "qemu-system-x86_64", "qemu-img", "mount")
	if otherRoot() != "" {
		t.Skip("the other tree may have no storage driver")
	}
	d := start(t)
	images := filepath.Join(d.dir, "images")
	d.inside(t, "mount", "-t", "tmpfs", "-o", "size=4m", "none", images)
	d.inside(t, "qemu-img", "create", "-q", "-f", "qcow2", filepath.Join(images, "one-0.qcow2"), "8M")
	d.defineDisks(t, "one", "qcow2")
	d.virsh(t, "qemu", "pool-create-as", "small", "dir", "--target", images)
	d.virsh(t, "qemu", "start", "one")

	tg := target("one")
	if err := d.open(t, "qemu").CheckSnapshot(t.Context(), tg, act.SnapshotOptions{}); err != nil {
		t.Errorf("with room: %v", err)
	}
	if places, err := d.open(t, "qemu").Places(t.Context(), tg); err != nil || len(places) != 1 || places[0] != "small" {
		t.Errorf("places: %v, %v", places, err)
	}
	d.inside(t, "sh", "-c", "cat /dev/zero > "+filepath.Join(images, "filler")+" || true")
	d.virsh(t, "qemu", "pool-refresh", "small")
	err := d.open(t, "qemu").CheckSnapshot(t.Context(), tg, act.SnapshotOptions{})
	if katprep.KindOf(err) != katprep.Conflict || !strings.Contains(err.Error(), "storage pool small") || katprep.HintOf(err) == "" {
		t.Errorf("full: %v", err)
	}
	c, err := libvirt.New(libvirt.Options{URI: d.uri("qemu"), MinFree: -1, Limits: vm.Limits{Poll: 100 * time.Millisecond}})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(t.Context())
	if _, err := c.CreateSnapshot(t.Context(), tg, act.SnapshotOptions{}); err == nil || katprep.KindOf(err) == katprep.NotFound {
		t.Errorf("made in a full pool: %v", err)
	}
	if _, found, err := c.FindSnapshot(t.Context(), tg); found || err != nil {
		t.Errorf("after it failed: found %v, %v", found, err)
	}
	if s := powerOf(c)(t, tg); s != act.PoweredOn {
		t.Errorf("after it failed the guest is %s", s)
	}
	if _, err := os.Stat(filepath.Join(images, "filler")); err == nil {
		t.Error("the full file system is that of the machine, not of the test")
	}
}
