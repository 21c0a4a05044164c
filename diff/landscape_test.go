package diff

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stdevel/katprep"
)

func ref(commit string, at time.Time) katprep.SnapshotRef {
	return katprep.SnapshotRef{Commit: katprep.CommitID(commit), Snapshot: katprep.Snapshot{Started: at, Finished: at,
		Sources: []katprep.Source{{Name: "s"}}}}
}

var (
	noon   = time.Date(2026, 11, 12, 12, 0, 0, 0, time.UTC)
	before = ref("aaaaaaaaaaaa", noon)
	after  = ref("bbbbbbbbbbbb", noon.Add(8*time.Hour))
)

func landscape(t *testing.T, b, a katprep.SnapshotRef, o Options, es ...katprep.Erratum) *Landscape {
	t.Helper()
	l, err := New(b, a, lookup(es...), o)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func named(id, name string) *katprep.State {
	return state(func(s *katprep.State) { s.ID, s.Name = id, name })
}

func TestWrongOrder(t *testing.T) {
	_, err := New(after, before, nil, Options{})
	if katprep.KindOf(err) != katprep.Invalid || katprep.HintOf(err) != "name the older snapshot first: katprep diff aaaaaaaaaa bbbbbbbbbb" {
		t.Errorf("%v, hint %q", err, katprep.HintOf(err))
	}
	if _, err := New(before, before, nil, Options{}); err != nil {
		t.Errorf("a snapshot can be compared with itself: %v", err)
	}
}

func TestDifferentSelections(t *testing.T) {
	b, a := before, after
	b.Snapshot.Selection = katprep.Selection{Hosts: []string{"db*", "WEB*"}}
	a.Snapshot.Selection = katprep.Selection{Hosts: []string{"web*", "db*"}}
	if _, err := New(b, a, nil, Options{}); err != nil {
		t.Errorf("the same selection in other words: %v", err)
	}
	a.Snapshot.Selection.Hosts = []string{"web*"}
	if _, err := New(b, a, nil, Options{}); katprep.KindOf(err) != katprep.Invalid || !strings.Contains(katprep.HintOf(err), "--force") {
		t.Errorf("%v, hint %q", err, katprep.HintOf(err))
	}
	l := landscape(t, b, a, Options{AllowDifferentSelection: true})
	l.Add(named("1", "db1"), nil)
	l.Add(nil, named("2", "web2"))
	for _, h := range l.Report().Hosts {
		if h.Presence != katprep.NotSelected {
			t.Errorf("%s is %s", h.Name, h.Presence)
		}
	}
}

func TestPresence(t *testing.T) {
	failed := named("3", "failed")
	failed.Status = katprep.Failed
	moved := named("6", "new-name")
	other := state(func(s *katprep.State) { s.HostID, s.Name = katprep.HostID{Source: "down", ID: "8"}, "unlisted" })
	unread := state(func(s *katprep.State) { s.HostID, s.Name = katprep.HostID{Source: "unread", ID: "9"}, "unread" })
	a := after
	a.Snapshot.Sources = append([]katprep.Source{{Name: "down", Problem: "502"}}, a.Snapshot.Sources...)
	l := landscape(t, before, a, Options{})
	l.Add(named("1", "same"), named("1", "same"))
	l.Add(named("2", "gone"), nil)
	l.Add(named("3", "failed"), failed)
	l.Add(nil, named("4", "added"))
	l.Add(named("5", "replaced"), named("5b", "replaced")) // the same path, another machine
	l.Add(nil, moved)
	l.Add(named("6", "old-name"), nil)
	l.Add(named("6", "old-name"), moved) // must not count twice
	l.Add(other, nil)
	l.Add(unread, nil)
	l.Add(nil, nil)
	r := l.Report()
	got := map[string]katprep.Presence{}
	for _, h := range r.Hosts {
		got[h.ID+" "+h.Name] = h.Presence
	}
	want := map[string]katprep.Presence{
		"1 same": katprep.InBoth, "2 gone": katprep.OnlyBefore, "3 failed": katprep.NotCollected, "4 added": katprep.OnlyAfter,
		"5 replaced": katprep.OnlyBefore, "5b replaced": katprep.OnlyAfter, "6 new-name": katprep.InBoth,
		"8 unlisted": katprep.NotCollected, "9 unread": katprep.NotCollected,
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	wantTotals := katprep.Totals{Hosts: 9, Unchanged: 1, Changed: 1, Unknown: 3, Added: 2, Removed: 2}
	r.Totals.Errata, r.Totals.Updates, r.Totals.Packages, r.Totals.Installed = nil, nil, nil, nil
	if d := cmp.Diff(wantTotals, r.Totals); d != "" {
		t.Error(d)
	}
	if !slices.IsSortedFunc(r.Hosts, func(a, b katprep.HostChange) int { return byName(a.Host, b.Host) }) {
		t.Error("hosts are not sorted")
	}
}

// world makes two random snapshots of one landscape, with gaps, updates and
// hosts that come and go. Values are few, so that they meet.
type world struct {
	before, after katprep.SnapshotRef
	pairs         [][2]*katprep.State
	errata        []katprep.Erratum
}

func makeWorld(r *rand.Rand) *world {
	w := &world{before: before, after: after}
	for i := range 12 {
		e := katprep.Erratum{ID: fmt.Sprintf("E%02d", i), Type: []katprep.ErratumType{katprep.Security, katprep.Bugfix}[r.IntN(2)],
			Severity: katprep.Severities[r.IntN(5)], RebootSuggested: r.IntN(4) == 0}
		for range r.IntN(3) {
			e.Packages = append(e.Packages, randomPackage(r))
		}
		w.errata = append(w.errata, e)
	}
	for i := range 20 {
		b := randomState(r, i)
		a := randomState(r, i)
		switch r.IntN(8) {
		case 0:
			a = b
		case 1:
			clone := *b
			a = &clone
		case 2:
			a = nil
		case 3:
			b = nil
		}
		w.pairs = append(w.pairs, [2]*katprep.State{b, a})
	}
	w.before.Snapshot.Counts, w.before.Snapshot.Gaps = w.counts(0)
	w.after.Snapshot.Counts, w.after.Snapshot.Gaps = w.counts(1)
	return w
}

func (w *world) counts(side int) (c katprep.Counts, gaps []katprep.Gap) {
	for _, p := range w.pairs {
		s := p[side]
		if s == nil {
			continue
		}
		for _, e := range s.Errata {
			if e.Installable {
				c.HostErrata++
			} else {
				c.Applicable++
			}
		}
		c.Updates += len(s.Updates)
		if s.Status != katprep.Collected {
			gaps = append(gaps, katprep.Gap{Host: s.Host, Status: s.Status, Problems: s.Problems})
		}
	}
	return c, gaps
}

func randomPackage(r *rand.Rand) katprep.Package {
	names := []string{"bash", "openssl", "kernel-core", "glibc"}
	return katprep.Package{Name: names[r.IntN(4)], Arch: "x86_64", EVR: katprep.EVR(fmt.Sprintf("1-%d.el%d", 1+r.IntN(4), 8+r.IntN(2)))}
}

func randomState(r *rand.Rand, i int) *katprep.State {
	s := state(func(s *katprep.State) { s.ID, s.Name = fmt.Sprint(i), fmt.Sprint("host", i) })
	s.Aspects = slices.DeleteFunc(slices.Clone(everything), func(katprep.Aspect) bool { return r.IntN(12) == 0 })
	switch r.IntN(10) {
	case 0:
		return &katprep.State{Host: s.Host, Status: katprep.Failed, Problems: []katprep.Problem{{Message: "no route"}}}
	case 1:
		s.Status, s.Problems = katprep.Incomplete, []katprep.Problem{{Message: "half"}}
	}
	for n := range 12 {
		if r.IntN(3) == 0 {
			s.Errata = append(s.Errata, katprep.HostErratum{ID: fmt.Sprintf("E%02d", n), Installable: r.IntN(4) > 0})
		}
	}
	for range r.IntN(6) {
		s.Packages = append(s.Packages, randomPackage(r))
	}
	slices.SortFunc(s.Packages, katprep.ComparePackages)
	s.Packages = slices.CompactFunc(s.Packages, func(a, b katprep.Package) bool { return katprep.ComparePackages(a, b) == 0 })
	for _, name := range []string{"bash", "kernel-core"} {
		if r.IntN(3) == 0 {
			p := randomPackage(r)
			s.Updates = append(s.Updates, katprep.Update{Name: name, Arch: "x86_64", To: p.EVR})
		}
	}
	for _, name := range []string{"a", "b"} {
		if r.IntN(2) == 0 {
			s.Parameters = append(s.Parameters, katprep.Parameter{Name: name, Value: fmt.Sprint(r.IntN(2))})
		}
	}
	s.Boot.ID = fmt.Sprint("boot", r.IntN(2))
	s.Kernel.Running = fmt.Sprintf("1-%d.el9.x86_64", 1+r.IntN(4))
	s.Facts.Owner = fmt.Sprint("owner", r.IntN(2))
	return s
}

// report compares; whole reads unchanged hosts too.
func (w *world) report(t *testing.T, whole bool, order []int) katprep.Report {
	t.Helper()
	l := landscape(t, w.before, w.after, Options{}, w.errata...)
	for _, i := range order {
		b, a := w.pairs[i][0], w.pairs[i][1]
		switch same := b != nil && a != nil && reflect.DeepEqual(b, a); {
		case same && whole:
			l.Add(a, a)
		case same:
			l.Unchanged(1)
		default:
			l.Add(b, a)
		}
	}
	return l.Report()
}

func ints(n int) []int {
	list := make([]int, n)
	for i := range list {
		list[i] = i
	}
	return list
}

func TestProperties(t *testing.T) {
	for seed := range uint64(400) {
		r := rand.New(rand.NewPCG(seed, 7))
		w := makeWorld(r)
		order := ints(len(w.pairs))
		whole, quick := w.report(t, true, order), w.report(t, false, order)
		if d := cmp.Diff(whole.Totals, quick.Totals); d != "" {
			t.Fatalf("seed %d: totals depend on whether unchanged hosts are read:\n%s", seed, d)
		}
		r.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
		if d := cmp.Diff(asJSON(t, whole), asJSON(t, w.report(t, true, order))); d != "" {
			t.Fatalf("seed %d: the order of hosts matters:\n%s", seed, d)
		}
		checkTotals(t, w, whole)
		for i := range whole.Hosts {
			checkHost(t, &whole.Hosts[i])
		}
		for _, p := range w.pairs {
			if p[0] != nil {
				checkSelf(t, p[0], w)
			}
			if p[0] != nil && p[1] != nil {
				checkSwap(t, p[0], p[1])
			}
		}
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

func asJSON(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// checkTotals: every host, erratum and update is counted once.
func checkTotals(t *testing.T, w *world, r katprep.Report) {
	t.Helper()
	c := r.Totals
	if c.Hosts != len(w.pairs) || c.Hosts != c.Unchanged+c.Changed+c.Unknown+c.Added+c.Removed+c.NotSelected {
		t.Errorf("totals do not add up to %d hosts: %+v", len(w.pairs), c)
	}
	pairs, sum := 0, 0
	for _, p := range w.pairs {
		ids := map[string]bool{}
		for _, s := range p {
			if s != nil {
				for _, e := range s.Errata {
					ids[e.ID] = true
				}
			}
		}
		pairs += len(ids)
	}
	for _, n := range c.Errata {
		sum += n
	}
	if pairs != sum {
		t.Errorf("%d errata of hosts are counted, there are %d", sum, pairs)
	}
}

// checkHost: claims are proven, and a host that is missing or failed
// afterwards is never patched.
func checkHost(t *testing.T, h *katprep.HostChange) {
	t.Helper()
	for _, e := range h.Errata {
		checkClaim(t, e)
		claimed := e.Ending == katprep.Installed || e.Ending == katprep.RebootPending
		if claimed && (h.After == "" || h.After == katprep.Failed || h.Before == "") {
			t.Errorf("%s: %s is %s, but the host was %q before and %q after", h.Name, e.ID, e.Ending, h.Before, h.After)
		}
	}
	for _, u := range h.Updates {
		if (u.Ending == katprep.Installed || u.Ending == katprep.RebootPending) && (h.After == "" || h.After == katprep.Failed) {
			t.Errorf("%s: update of %s is %s on a host that is %q", h.Name, u.Name, u.Ending, h.After)
		}
	}
}

// checkSelf: a host compared with itself, the same value or a copy of it, has
// no change.
func checkSelf(t *testing.T, s *katprep.State, w *world) {
	t.Helper()
	clone := *s
	same := Host(s, s, Context{Lookup: lookup(w.errata...)})
	copied := Host(s, &clone, Context{Lookup: lookup(w.errata...)})
	for _, h := range []katprep.HostChange{same, copied} {
		if len(h.Packages)+len(h.Parameters)+len(h.Fields) > 0 || h.Boot.Rebooted == katprep.Yes || h.Presence == katprep.InBoth && h.Changed() {
			t.Errorf("%s differs from itself: %+v", s.Name, h)
		}
		for _, e := range h.Errata {
			if e.Ending != katprep.Pending {
				t.Errorf("%s: %s is %s against itself", s.Name, e.ID, e.Ending)
			}
		}
	}
}

// checkSwap: what was added is removed the other way round.
func checkSwap(t *testing.T, b, a *katprep.State) {
	t.Helper()
	one, two := Host(b, a, Context{}), Host(a, b, Context{})
	opposite := map[katprep.PackageKind]katprep.PackageKind{katprep.Added: katprep.Removed, katprep.Removed: katprep.Added,
		katprep.Upgraded: katprep.Downgraded, katprep.Downgraded: katprep.Upgraded, katprep.Changed: katprep.Changed}
	for i := range two.Packages {
		p := &two.Packages[i]
		p.Kind, p.Before, p.After = opposite[p.Kind], p.After, p.Before
	}
	for i := range two.Parameters {
		p := &two.Parameters[i]
		p.Before, p.After = p.After, p.Before
	}
	for i := range two.Fields {
		f := &two.Fields[i]
		f.Before, f.After = f.After, f.Before
	}
	if d := cmp.Diff(one.Packages, two.Packages); d != "" {
		t.Errorf("packages swapped: %s", d)
	}
	if d := cmp.Diff(one.Parameters, two.Parameters); d != "" {
		t.Errorf("parameters swapped: %s", d)
	}
	if d := cmp.Diff(one.Fields, two.Fields); d != "" {
		t.Errorf("facts swapped: %s", d)
	}
	if one.Boot.Rebooted != two.Boot.Rebooted {
		t.Errorf("reboot %s, swapped %s", one.Boot.Rebooted, two.Boot.Rebooted)
	}
}

// FuzzHost feeds states as they may be read from an archive: nothing in them
// may break the comparison or make a claim without proof.
func FuzzHost(f *testing.F) {
	r := rand.New(rand.NewPCG(1, 1))
	for range 10 {
		w := makeWorld(r)
		p := w.pairs[0]
		b, _ := json.Marshal(p[0])
		a, _ := json.Marshal(p[1])
		e, _ := json.Marshal(w.errata[0])
		f.Add(b, a, e)
	}
	f.Fuzz(func(t *testing.T, b, a, e []byte) {
		var before, after *katprep.State
		var erratum katprep.Erratum
		if json.Unmarshal(b, &before) != nil || json.Unmarshal(a, &after) != nil || json.Unmarshal(e, &erratum) != nil || before == nil && after == nil {
			return
		}
		h := Host(before, after, Context{Lookup: func(string) (katprep.Erratum, bool) { return erratum, true }})
		checkHost(t, &h)
		if before != nil {
			clone := *before
			if self := Host(before, &clone, Context{}); len(self.Packages)+len(self.Parameters)+len(self.Fields) > 0 {
				t.Errorf("a host differs from itself: %+v", self)
			}
		}
	})
}

func BenchmarkHost(b *testing.B) {
	fill := func(release int) *katprep.State {
		return state(func(s *katprep.State) {
			for i := range 400 {
				s.Packages = append(s.Packages, pkg(fmt.Sprintf("package%03d-1.0-%d.el9.x86_64", i, release)))
			}
			for i := range 20 {
				s.Errata = append(s.Errata, installable(fmt.Sprintf("RHSA-2026:%04d", i))...)
			}
		})
	}
	before, after := fill(1), fill(2)
	after.Errata = nil
	find := func(id string) (katprep.Erratum, bool) { return erratum(id, "package001-1.0-2.el9.x86_64"), true }
	b.ReportAllocs()
	for b.Loop() {
		Host(before, after, Context{Lookup: find})
	}
}
