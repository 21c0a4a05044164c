package vsphere_test

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/vmware/govmomi"
	"github.com/vmware/govmomi/find"
	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/property"
	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/types"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/act"
	"github.com/stdevel/katprep/act/acttest"
	"github.com/stdevel/katprep/act/vsphere"
	"github.com/stdevel/katprep/internal/creds"
	"github.com/stdevel/katprep/internal/vm"
)

// sim starts govmomi's simulator. It keeps snapshot trees and power states,
// but no contents: what a revert does to disks cannot be seen here.
func sim(t testing.TB, vms int) (*simulator.Server, *vsphere.Client, *govmomi.Client) {
	t.Helper()
	_, s, c, other := simModel(t, vms)
	return s, c, other
}

func simModel(t testing.TB, vms int) (*simulator.Model, *simulator.Server, *vsphere.Client, *govmomi.Client) {
	t.Helper()
	t.Setenv("TMPDIR", t.TempDir())
	model := simulator.VPX()
	model.Host, model.Cluster, model.Machine = 1, 0, vms
	if err := model.Create(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(model.Remove)
	model.Service.TLS = new(tls.Config)
	s := model.Service.NewServer()
	t.Cleanup(s.Close)
	other, err := govmomi.NewClient(t.Context(), s.URL, true)
	if err != nil {
		t.Fatal(err)
	}
	c := open(t, s, vsphere.Options{Thumbprint: s.CertificateInfo().ThumbprintSHA256})
	return model, s, c, other
}

func open(t testing.TB, s *simulator.Server, o vsphere.Options) *vsphere.Client {
	t.Helper()
	u := *s.URL
	u.User = nil
	o.URL = u.String()
	if o.Login.User == "" {
		password, _ := s.URL.User.Password()
		o.Login = creds.Login{User: s.URL.User.Username(), Password: creds.NewSecret(password)}
	}
	o.MinFree = cmp.Or(o.MinFree, -1) // the simulator's datastores are this machine's disk
	o.Limits.Poll, o.Limits.Creations = 20*time.Millisecond, 8
	c, err := vsphere.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close(context.Background()) })
	return c
}

func target(name string) act.Target {
	return act.Target{Name: name, Marker: "katprep-run-1"}
}

func object1(t *testing.T, other *govmomi.Client, name string) *object.VirtualMachine {
	t.Helper()
	m, err := find.NewFinder(other.Client).VirtualMachine(t.Context(), "/DC0/vm/"+name)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func do(t *testing.T, task *object.Task, err error) {
	t.Helper()
	if err == nil {
		_, err = task.WaitForResult(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
}

func TestContract(t *testing.T) {
	_, c, other := sim(t, 3)
	acttest.Snapshotter(t, acttest.SnapshotterFixture{
		Snapshotter: c,
		Targets:     []act.Target{{Name: "DC0_H0_VM0"}, {Name: "DC0_H0_VM1"}},
		Unknown:     act.Target{Name: "nowhere"},
		Foreign: func(t *testing.T, tg act.Target, name string) (func() bool, func()) {
			m := object1(t, other, tg.Name)
			task, err := m.CreateSnapshot(t.Context(), name, "somebody else's", false, false)
			do(t, task, err)
			there := func() bool { _, err := m.FindSnapshot(t.Context(), name); return err == nil }
			return there, func() {
				task, err := m.RemoveSnapshot(t.Context(), name, false, nil)
				do(t, task, err)
			}
		},
		State: func(t *testing.T, tg act.Target) act.PowerState {
			s, err := c.PowerState(t.Context(), tg)
			if err != nil {
				t.Fatal(err)
			}
			return s
		},
	})
	acttest.Power(t, acttest.PowerFixture{Power: c, Target: act.Target{Name: "DC0_H0_VM2"}, Unknown: act.Target{Name: "nowhere"}})
}

func TestFindsVMs(t *testing.T) {
	_, c, other := sim(t, 2)
	m := object1(t, other, "DC0_H0_VM1")
	task, err := m.Reconfigure(t.Context(), types.VirtualMachineConfigSpec{ExtraConfig: []types.BaseOptionValue{
		&types.OptionValue{Key: "SET.guest.ipAddress", Value: "192.0.2.7"}}})
	do(t, task, err)
	objects, err := c.Objects(t.Context())
	if err != nil || len(objects) != 2 || objects[1].Name != "DC0_H0_VM1" || objects[1].UUID == "" {
		t.Fatalf("%+v, %v", objects, err)
	}
	for what, tg := range map[string]act.Target{
		"path":      {Name: "/DC0/vm/DC0_H0_VM1"},
		"UUID":      {UUID: strings.ToUpper(objects[1].UUID)},
		"IP":        {IP: "192.0.2.7"},
		"host name": {Host: katprep.Host{Name: "dc0_h0_vm1.example.com"}},
	} {
		tg.Marker = "katprep-run-1"
		if _, err := c.PowerState(t.Context(), tg); err != nil {
			t.Errorf("by %s: %v", what, err)
		}
	}
	if _, err := c.PowerState(t.Context(), act.Target{IP: "192.0.2.8", Host: katprep.Host{Name: "other"}}); katprep.KindOf(err) != katprep.NotFound {
		t.Errorf("unknown: %v", err)
	}
}

func TestQuiesceIsReadBack(t *testing.T) {
	_, c, _ := sim(t, 2)
	for i, o := range []act.SnapshotOptions{{Quiesce: act.QuiesceRequire}, {Quiesce: act.QuiesceTry, Memory: true}} {
		ref, err := c.CreateSnapshot(t.Context(), target(fmt.Sprint("DC0_H0_VM", i)), o)
		if err != nil {
			t.Fatal(err)
		}
		q, warning := ref.Data[act.DataQuiesced], ref.Data[act.DataWarning]
		if o.Memory != (q == "no") || o.Memory != (warning != "") {
			t.Errorf("%+v: quiesced %q, warning %q", o, q, warning)
		}
	}
	if err := c.CheckSnapshot(t.Context(), target("DC0_H0_VM0"), act.SnapshotOptions{Quiesce: act.QuiesceRequire, Memory: true}); katprep.KindOf(err) != katprep.Invalid {
		t.Errorf("memory and quiesce: %v", err)
	}
}

func TestIndependentDisksAreRefused(t *testing.T) {
	_, c, other := sim(t, 1)
	m := object1(t, other, "DC0_H0_VM0")
	if err := c.CheckSnapshot(t.Context(), target("DC0_H0_VM0"), act.SnapshotOptions{}); err != nil {
		t.Fatal(err)
	}
	devices, err := m.Device(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	disk := devices.SelectByType((*types.VirtualDisk)(nil))[0].(*types.VirtualDisk)
	disk.Backing.(*types.VirtualDiskFlatVer2BackingInfo).DiskMode = string(types.VirtualDiskModeIndependent_persistent)
	if err := m.EditDevice(t.Context(), disk); err != nil {
		t.Fatal(err)
	}
	if err := c.CheckSnapshot(t.Context(), target("DC0_H0_VM0"), act.SnapshotOptions{}); katprep.KindOf(err) != katprep.Conflict || !strings.Contains(err.Error(), "independent") {
		t.Errorf("independent disk: %v", err)
	}
}

func TestLeftoversAndPlaces(t *testing.T) {
	s, c, _ := sim(t, 3)
	full := open(t, s, vsphere.Options{Thumbprint: s.CertificateInfo().ThumbprintSHA256, MinFree: 100}) // no datastore is that empty
	if err := full.CheckSnapshot(t.Context(), target("DC0_H0_VM1"), act.SnapshotOptions{}); katprep.KindOf(err) != katprep.Conflict || !strings.Contains(err.Error(), "datastore LocalDS_0") {
		t.Errorf("full datastore: %v", err)
	}
	if _, err := full.CreateSnapshot(t.Context(), target("DC0_H0_VM1"), act.SnapshotOptions{}); katprep.KindOf(err) != katprep.Conflict {
		t.Errorf("a snapshot on a full datastore: %v", err)
	}
	if _, err := c.CreateSnapshot(t.Context(), target("DC0_H0_VM1"), act.SnapshotOptions{}); err != nil {
		t.Fatal(err)
	}
	left, err := c.Leftovers(t.Context())
	if err != nil || len(left) != 1 || left[0].VM != "DC0_H0_VM1" || left[0].Marker != "katprep-run-1" || time.Since(left[0].Created) > time.Hour {
		t.Errorf("%+v, %v", left, err)
	}
	if places, err := c.Places(t.Context(), target("DC0_H0_VM1")); err != nil || len(places) != 1 || places[0] != "LocalDS_0" {
		t.Errorf("%v, %v", places, err)
	}
}

func TestLoginAndCertificates(t *testing.T) {
	s, c, _ := sim(t, 1)
	id, err := c.Identify(t.Context())
	if err != nil || !strings.Contains(id.Product, "vCenter") || id.User == "" || len(id.Missing) > 0 || !id.CertExpires.After(time.Now()) {
		t.Errorf("%+v, %v", id, err)
	}
	s.URL.User = url.UserPassword("user", "pass")
	for what, c := range map[string]struct {
		o    vsphere.Options
		kind katprep.Kind
		hint string
	}{
		"untrusted":        {vsphere.Options{}, katprep.Unreachable, s.CertificateInfo().ThumbprintSHA256},
		"wrong thumbprint": {vsphere.Options{Thumbprint: strings.Repeat("AB:", 31) + "AB"}, katprep.Unreachable, s.CertificateInfo().ThumbprintSHA256},
		"no login":         {vsphere.Options{Insecure: true, Login: creds.Login{User: "nobody"}}, katprep.Denied, ""},
	} {
		_, err := open(t, s, c.o).Identify(t.Context())
		if katprep.KindOf(err) != c.kind || !strings.Contains(katprep.HintOf(err), c.hint) {
			t.Errorf("%s: kind %d, %v, hint %q", what, katprep.KindOf(err), err, katprep.HintOf(err))
		}
	}
}

func TestALostSessionIsRenewed(t *testing.T) {
	_, c, other := sim(t, 1)
	if _, err := c.Identify(t.Context()); err != nil {
		t.Fatal(err)
	}
	terminateOthers(t, other)
	if _, err := c.CreateSnapshot(t.Context(), target("DC0_H0_VM0"), act.SnapshotOptions{}); err != nil {
		t.Errorf("after the session was ended: %v", err)
	}
}

// TestASilentServerCostsItsDeadline connects to a server that accepts and
// never answers.
func TestASilentServerCostsItsDeadline(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c, err := vsphere.New(vsphere.Options{URL: "https://" + l.Addr().String() + "/sdk", Insecure: true, Limits: vm.Limits{Read: 200 * time.Millisecond}})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() {
		_, _, err := c.FindSnapshot(t.Context(), target("x"))
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

// sessions returns the keys of every session but the given one.
func sessions(t *testing.T, other *govmomi.Client) (keys []string) {
	t.Helper()
	mine, err := other.SessionManager.UserSession(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var sm mo.SessionManager
	if err := property.DefaultCollector(other.Client).RetrieveOne(t.Context(), *other.ServiceContent.SessionManager, []string{"sessionList"}, &sm); err != nil {
		t.Fatal(err)
	}
	for _, s := range sm.SessionList {
		if s.Key != mine.Key {
			keys = append(keys, s.Key)
		}
	}
	return keys
}

// terminateOthers ends every session but the given one.
func terminateOthers(t *testing.T, other *govmomi.Client) {
	t.Helper()
	keys := sessions(t, other)
	if len(keys) == 0 {
		t.Fatal("there is no other session")
	}
	if err := other.SessionManager.TerminateSession(t.Context(), keys); err != nil {
		t.Fatal(err)
	}
}
