package vm

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/act"
)

func TestFind(t *testing.T) {
	list := []VM{
		{ID: "vm-1", Name: "web01", Path: "/DC/a/web01", UUID: "44454c4c-3000-1059-8035-b4c04f4d3232", IPs: []string{"192.0.2.1", "2001:db8::1"}, MACs: []string{"52:54:00:00:00:01"}},
		{ID: "vm-2", Name: "twin", Path: "/DC/a/twin"},
		{ID: "vm-3", Name: "twin", Path: "/DC/b/twin", IPs: []string{"192.0.2.3"}},
		{ID: "vm-4", Name: "192.0.2.1"},
		{ID: "vm-5", Name: "DB01"},
		{ID: "vm-6", Name: "shared", IPs: []string{"192.0.2.3"}},
	}
	host := func(name string) katprep.Host { return katprep.Host{Name: name} }
	for what, c := range map[string]struct {
		t    act.Target
		id   string
		kind katprep.Kind
	}{
		"name":                    {act.Target{Name: "web01"}, "vm-1", 0},
		"path":                    {act.Target{Name: "/DC/b/twin"}, "vm-3", 0},
		"ID":                      {act.Target{Name: "vm-2"}, "vm-2", 0},
		"UUID as name":            {act.Target{Name: "44454C4C-3000-1059-8035-B4C04F4D3232"}, "vm-1", 0},
		"name in other case":      {act.Target{Name: "db01"}, "vm-5", 0},
		"two of a name":           {act.Target{Name: "twin"}, "", katprep.Conflict},
		"no such name":            {act.Target{Name: "other", IP: "192.0.2.1"}, "", katprep.NotFound},
		"UUID in the other order": {act.Target{UUID: "4c4c4544-0030-5910-8035-b4c04f4d3232"}, "vm-1", 0},
		"UUID before name":        {act.Target{UUID: "44454c4c-3000-1059-8035-b4c04f4d3232", Host: host("twin")}, "vm-1", 0},
		"zero UUID is none":       {act.Target{UUID: "00000000-0000-0000-0000-000000000000", Host: host("web01")}, "vm-1", 0},
		"MAC":                     {act.Target{MAC: "52:54:00:00:00:01"}, "vm-1", 0},
		"IPv6 in other words":     {act.Target{IP6: "2001:DB8:0:0::1"}, "vm-1", 0},
		"two of an address":       {act.Target{IP: "192.0.2.3"}, "", katprep.Conflict},
		"address is no name":      {act.Target{IP: "192.0.2.1"}, "vm-1", 0},
		"host":                    {act.Target{Host: host("web01")}, "vm-1", 0},
		"host with domain":        {act.Target{Host: host("db01.example.com")}, "vm-5", 0},
		"unknown host":            {act.Target{Host: host("x.example.com")}, "", katprep.NotFound},
		"nothing":                 {act.Target{}, "", katprep.NotFound},
	} {
		v, err := Find(list, c.t)
		if v.ID != c.id || (err != nil) != (c.id == "") || err != nil && katprep.KindOf(err) != c.kind {
			t.Errorf("%s: %q, %v", what, v.ID, err)
		}
	}
}

func TestMark(t *testing.T) {
	for _, m := range []Mark{{Marker: "katprep-a"}, {Marker: "katprep-a", Running: true}, {Marker: "katprep-a", Running: true, Quiesced: true}} {
		for _, text := range []string{"", "Patch day\nkatprep: katprep-b", strings.Repeat("ü", 1000), "\x00\xff"} {
			d := Describe(m, text)
			if got := ParseMark(d); got != m {
				t.Errorf("%q: %+v, want %+v", d, got, m)
			}
			if got := ParseMark(d + "\n"); got != m {
				t.Errorf("with a line break: %+v, want %+v", got, m)
			}
		}
	}
	for _, foreign := range []string{"", "katprep-a", "katprep: ", "katprep: other", "katprep: katprep-", "x\nkatprep: katprep-a", "katprep: katprep-a b", "Katprep: katprep-a"} {
		if got := ParseMark(foreign); got != (Mark{}) {
			t.Errorf("%q is taken for %+v", foreign, got)
		}
	}
}

func TestMarkedName(t *testing.T) {
	for _, m := range []Mark{{Marker: "katprep-a"}, {Marker: "katprep-a", Running: true}, {Marker: "katprep-a", Running: true, Quiesced: true}} {
		if got := ParseMarkedName(MarkedName(m)); got != m {
			t.Errorf("%q: %+v, want %+v", MarkedName(m), got, m)
		}
	}
	for _, foreign := range []string{"", "katprep-a", "katprep-a [katprep", "x katprep-a [katprep]", "katprep- [katprep]", "katprep-a b [katprep]", "katprep-a [katprep, quiesced]", "katprep-a [katprep]\n"} {
		if got := ParseMarkedName(foreign); got != (Mark{}) {
			t.Errorf("%q is taken for %+v", foreign, got)
		}
	}
}

func FuzzMark(f *testing.F) {
	f.Add("katprep-run-1", "text", true, true)
	f.Add("katprep-x (running)", "\n\r", false, false)
	f.Fuzz(func(t *testing.T, marker, text string, running, quiesced bool) {
		ParseMark(text) // must not panic, whatever it is
		ParseMarkedName(text)
		m := Mark{act.Marker(marker), running, running && quiesced}
		if m.Marker.Check() != nil {
			return
		}
		d := Describe(m, text)
		if got := ParseMark(d); got != m {
			t.Errorf("%q: %+v, want %+v", d, got, m)
		}
		if got := ParseMarkedName(MarkedName(m)); got != m {
			t.Errorf("%q: %+v, want %+v", MarkedName(m), got, m)
		}
		if n := strings.Count(d, "\n"); n > 1 {
			t.Errorf("%q has %d line breaks", d, n)
		}
	})
}

// A liar is a driver that does not do what it says.
type liar struct {
	mu        sync.Mutex
	tree      []Snapshot
	power     act.PowerState
	lists     int
	busy      int
	most      int
	noCreate  bool // says that it made a snapshot, and did not
	noQuiesce bool // makes it without quiescing
	noRemove  bool
	noOff     bool   // the guest does not listen
	hidden    string // a name that is taken, though the tree does not show it
	cutOff    bool   // loses the connection while it makes a snapshot, and leaves the VM paused
	removed   int
}

func (l *liar) List(context.Context, bool) ([]VM, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lists++
	return []VM{{ID: "1", Name: "a"}}, nil
}

func (l *liar) Tree(context.Context, VM) ([]Snapshot, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.tree), nil
}

func (l *liar) Create(_ context.Context, _ VM, w Wanted) error {
	l.mu.Lock()
	l.busy++
	l.most = max(l.most, l.busy)
	l.mu.Unlock()
	time.Sleep(time.Millisecond)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.busy--
	if w.Name == l.hidden {
		return ErrTaken
	}
	if l.cutOff {
		l.power = act.Suspended
		return katprep.Errorf(katprep.Unreachable, "the connection ended")
	}
	if !l.noCreate {
		l.tree = append(l.tree, Snapshot{ID: w.Name, Name: w.Name, Mark: w.Mark, Quiesced: w.Quiesce && !l.noQuiesce})
	}
	return nil
}

func (l *liar) Remove(_ context.Context, _ VM, s Snapshot) error {
	l.mu.Lock()
	l.busy++
	l.most = max(l.most, l.busy)
	l.mu.Unlock()
	time.Sleep(time.Millisecond)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.busy--
	l.removed++
	if !l.noRemove {
		l.tree = slices.DeleteFunc(l.tree, func(x Snapshot) bool { return x.ID == s.ID })
	}
	return nil
}

func (l *liar) Revert(context.Context, VM, Snapshot) error {
	l.power = act.PoweredOff
	return nil
}

func (l *liar) Power(context.Context, VM) (act.PowerState, error) { return l.power, nil }

func (l *liar) Switch(_ context.Context, _ VM, a Action) error {
	switch {
	case a == On:
		l.power = act.PoweredOn
	case a == Off || !l.noOff:
		l.power = act.PoweredOff
	}
	return nil
}

func keeper(l *liar) *Keeper {
	if l.power == "" {
		l.power = act.PoweredOn
	}
	return NewKeeper(l, Limits{Poll: time.Millisecond, Task: 200 * time.Millisecond, Graceful: 50 * time.Millisecond})
}

var target = act.Target{Name: "a", Marker: "katprep-run-1"}

func TestSuccessIsNotBelieved(t *testing.T) {
	if _, err := keeper(&liar{noCreate: true}).CreateSnapshot(t.Context(), target, act.SnapshotOptions{}); err == nil {
		t.Error("a snapshot that is not there was reported as made")
	}
	k := keeper(&liar{noRemove: true})
	if _, err := k.CreateSnapshot(t.Context(), target, act.SnapshotOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := k.RemoveSnapshot(t.Context(), target); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a snapshot that is still there was reported as removed: %v", err)
	}
}

// TestUnfinishedSnapshots: what is still being made is waited for by whoever
// wants it, and is nothing to go back to.
func TestUnfinishedSnapshots(t *testing.T) {
	unfinished := func() *liar {
		return &liar{tree: []Snapshot{{ID: "x", Name: "katprep-run-1", Mark: Mark{Marker: "katprep-run-1"}, Unfinished: true}}}
	}
	l := unfinished()
	k := keeper(l)
	if _, found, err := k.FindSnapshot(t.Context(), target); found || katprep.KindOf(err) != katprep.Conflict || katprep.HintOf(err) == "" {
		t.Errorf("find: %v, %v", found, err)
	}
	if _, err := k.RevertSnapshot(t.Context(), target); katprep.KindOf(err) != katprep.Conflict {
		t.Errorf("revert: %v", err)
	}
	if _, err := k.CreateSnapshot(t.Context(), target, act.SnapshotOptions{}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("create, and it is never finished: %v", err)
	}
	for what, end := range map[string]func(l *liar){"finished": func(l *liar) { l.tree[0].Unfinished = false }, "failed": func(l *liar) { l.tree = nil }} {
		l := unfinished()
		time.AfterFunc(20*time.Millisecond, func() { l.mu.Lock(); defer l.mu.Unlock(); end(l) })
		ref, err := keeper(l).CreateSnapshot(t.Context(), target, act.SnapshotOptions{})
		if err != nil || (ref.ID == "x") != (what == "finished") || len(l.tree) != 1 {
			t.Errorf("%s: %+v, %v, %d snapshots", what, ref, err, len(l.tree))
		}
	}
	if err := keeper(l).RemoveSnapshot(t.Context(), target); err != nil || len(l.tree) > 0 {
		t.Errorf("remove: %v", err)
	}
}

func TestQuiescingIsReadBack(t *testing.T) {
	l := &liar{noQuiesce: true}
	if _, err := keeper(l).CreateSnapshot(t.Context(), target, act.SnapshotOptions{Quiesce: act.QuiesceRequire}); katprep.KindOf(err) != katprep.Conflict || l.removed != 1 || len(l.tree) > 0 {
		t.Errorf("required: %v, %d removed", err, l.removed)
	}
	ref, err := keeper(l).CreateSnapshot(t.Context(), target, act.SnapshotOptions{Quiesce: act.QuiesceTry})
	if err != nil || ref.Data[act.DataQuiesced] != "no" || ref.Data[act.DataWarning] == "" {
		t.Errorf("tried: %+v, %v", ref, err)
	}
}

func TestPowerAfterRevert(t *testing.T) {
	for _, was := range []act.PowerState{act.PoweredOn, act.PoweredOff} {
		l := &liar{power: was}
		k := keeper(l)
		if _, err := k.CreateSnapshot(t.Context(), target, act.SnapshotOptions{}); err != nil {
			t.Fatal(err)
		}
		l.power = act.PoweredOff // the patch broke it
		if _, err := k.RevertSnapshot(t.Context(), target); err != nil || l.power != was {
			t.Errorf("it was %s before the snapshot, and is %s: %v", was, l.power, err)
		}
	}
}

// TestTakenNames: a name that somebody else's snapshot has, or one that only
// shows when it is tried, costs another name.
func TestTakenNames(t *testing.T) {
	l := &liar{tree: []Snapshot{{ID: "theirs", Name: "katprep-run-1"}}, hidden: "katprep-run-1-2"}
	ref, err := keeper(l).CreateSnapshot(t.Context(), target, act.SnapshotOptions{})
	if err != nil || ref.Data["snapshot"] != "katprep-run-1-3" || !strings.Contains(ref.Data[act.DataWarning], "taken") {
		t.Errorf("%+v, %v", ref, err)
	}
	l = &liar{}
	for _, n := range []string{"", "-2", "-3", "-4", "-5", "-6", "-7", "-8", "-9"} {
		l.tree = append(l.tree, Snapshot{ID: n, Name: "katprep-run-1" + n})
	}
	if _, err := keeper(l).CreateSnapshot(t.Context(), target, act.SnapshotOptions{}); katprep.KindOf(err) != katprep.Conflict || katprep.HintOf(err) == "" {
		t.Errorf("all are taken: %v", err)
	}
}

// TestAPausedVM: what a cut-off snapshot left paused runs again, and what was
// paused before is not touched.
func TestAPausedVM(t *testing.T) {
	l := &liar{cutOff: true}
	if _, err := keeper(l).CreateSnapshot(t.Context(), target, act.SnapshotOptions{}); katprep.KindOf(err) != katprep.Unreachable || l.power != act.PoweredOn {
		t.Errorf("cut off: %v, and the VM is %s", err, l.power)
	}
	l = &liar{power: act.Suspended}
	if _, err := keeper(l).CreateSnapshot(t.Context(), target, act.SnapshotOptions{}); katprep.KindOf(err) != katprep.Conflict || katprep.HintOf(err) == "" || l.power != act.Suspended || len(l.tree) > 0 {
		t.Errorf("paused before: %v, and the VM is %s", err, l.power)
	}
	if err := keeper(l).CheckSnapshot(t.Context(), target, act.SnapshotOptions{}); katprep.KindOf(err) != katprep.Conflict || katprep.HintOf(err) == "" {
		t.Errorf("said beforehand: %v", err)
	}
}

func TestDeafGuests(t *testing.T) {
	l := &liar{noOff: true}
	k := keeper(l)
	if err := k.Shutdown(t.Context(), target, false); err == nil || katprep.HintOf(err) == "" || l.power != act.PoweredOn {
		t.Errorf("not forced: %v, %s", err, l.power)
	}
	if err := k.Restart(t.Context(), target, true); err != nil || l.power != act.PoweredOn {
		t.Errorf("forced: %v, %s", err, l.power)
	}
	if err := k.Shutdown(t.Context(), target, true); err != nil || l.power != act.PoweredOff {
		t.Errorf("forced: %v, %s", err, l.power)
	}
	if err := k.Restart(t.Context(), target, true); katprep.KindOf(err) != katprep.Conflict {
		t.Errorf("restart of a VM that is off: %v", err)
	}
}

func TestBounds(t *testing.T) {
	l := &liar{}
	k := keeper(l)
	var wg sync.WaitGroup
	for i := range 30 {
		wg.Go(func() {
			tg := act.Target{Name: "a", Marker: act.Marker("katprep-" + strings.Repeat("x", i+1))}
			if _, err := k.CreateSnapshot(t.Context(), tg, act.SnapshotOptions{}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if l.most > 4 || l.lists != 1 {
		t.Errorf("%d snapshots at once, %d lists of VMs", l.most, l.lists)
	}
	l.most = 0
	for i := range 30 {
		wg.Go(func() {
			tg := act.Target{Name: "a", Marker: act.Marker("katprep-" + strings.Repeat("x", i+1))}
			if err := k.RemoveSnapshot(t.Context(), tg); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if l.most > 2 || len(l.tree) > 0 {
		t.Errorf("%d removed at once, want half as many as are made; %d are left", l.most, len(l.tree))
	}
	if _, err := k.CreateSnapshot(t.Context(), act.Target{Name: "a", Marker: "other"}, act.SnapshotOptions{}); katprep.KindOf(err) != katprep.Invalid {
		t.Errorf("a marker that is none: %v", err)
	}
}
