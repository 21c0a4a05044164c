package archive

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/internal/peers"
)

// A clock that gives each commit its own second.
func clock(start string) func() time.Time {
	t, err := time.Parse(time.RFC3339, start)
	if err != nil {
		panic(err)
	}
	return func() time.Time {
		t = t.Add(time.Second)
		return t
	}
}

var ann = Person{Name: "Ann Admin", Email: "ann@example.com"}

func create(t testing.TB) (*Archive, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "archive.git")
	if err := Init(path); err != nil {
		t.Fatal(err)
	}
	return open(t, path), path
}

func open(t testing.TB, path string) *Archive {
	t.Helper()
	a, err := Open(path, Options{Author: ann, Now: clock("2026-11-24T10:00:00Z")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close() })
	return a
}

func host(source, id, name string, packages ...string) katprep.State {
	s := katprep.State{
		Host:    katprep.Host{HostID: katprep.HostID{Source: source, ID: id}, Name: name},
		Status:  katprep.Collected,
		Aspects: []katprep.Aspect{katprep.AspectErrata, katprep.AspectPackages},
		Format:  katprep.RPM,
	}
	for _, p := range packages {
		n, evr, _ := strings.Cut(p, "=")
		s.Packages = append(s.Packages, katprep.Package{Name: n, EVR: katprep.EVR(evr), Arch: "x86_64"})
	}
	return s
}

func shot(t testing.TB, a *Archive, s katprep.Snapshot, hosts ...katprep.State) katprep.CommitID {
	t.Helper()
	ctx := t.Context()
	w, err := a.Begin(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Abort()
	var sum tally
	for _, h := range hosts {
		sum.add(factOf(&h), 1)
		if err := w.Put(ctx, h); err != nil {
			t.Fatal(err)
		}
		s.Counts.Hosts++
		s.Counts.Collected++
	}
	s.Counts.RebootUnknown = sum.rebootUnknown
	c, err := w.Commit(ctx, s)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func git(t testing.TB, dir string, args ...string) string {
	t.Helper()
	peers.Need(t, "git")
	c := exec.CommandContext(context.WithoutCancel(t.Context()), "git", append([]string{"-C", dir}, args...)...)
	date := "GIT_COMMITTER_DATE=2026-11-24T10:02:00Z"
	c.Env = append(append([]string{date}, os.Environ()...), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null", "LC_ALL=C", "TZ=UTC",
		"GIT_AUTHOR_NAME=Git", "GIT_AUTHOR_EMAIL=git@example.com", "GIT_COMMITTER_NAME=Git", "GIT_COMMITTER_EMAIL=git@example.com")
	out, err := c.CombinedOutput()
	if err != nil {
		t.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// fsck fails the test unless Git finds nothing to complain of.
func fsck(t testing.TB, path string) {
	t.Helper()
	out := git(t, path, "fsck", "--strict", "--full", "--no-dangling", "--no-progress")
	if strings.TrimSpace(out) != "" {
		t.Fatalf("git fsck: %s", out)
	}
}

func all[T any](t testing.TB, seq iter.Seq2[T, error]) []T {
	t.Helper()
	var out []T
	for v, err := range seq {
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, v)
	}
	return out
}

func TestSnapshotsAsGitSeesThem(t *testing.T) {
	a, path := create(t)
	one := shot(t, a, katprep.Snapshot{Run: "patch-2026-11", Phase: katprep.Before, Version: "1.0",
		Sources: []katprep.Source{{Name: "sat", Type: "foreman"}}, Counts: katprep.Counts{Errata: 3, HostErrata: 5}},
		host("sat", "1", "web01.example.com", "bash=5.1-1"), host("sat", "2", "db", "bash=5.1-1"))
	two := shot(t, a, katprep.Snapshot{}, host("sat", "1", "web01.example.com", "bash=5.1-2"), host("sat", "2", "db", "bash=5.1-1"))
	fsck(t, path)

	if got := git(t, path, "log", "--format=%H %an <%ae>|%cn <%ce>|%s|%(trailers:key=Katprep-Hosts,valueonly,separator=%x2c)"); got !=
		string(two)+" Ann Admin <ann@example.com>|katprep <katprep@localhost>|snapshot: 2 hosts, 0 errata pending|2\n"+
			string(one)+" Ann Admin <ann@example.com>|katprep <katprep@localhost>|snapshot before patch-2026-11: 2 hosts, 5 errata pending (3 different)|2\n" {
		t.Errorf("git log says\n%s", got)
	}
	if got := git(t, path, "ls-tree", "-r", "--name-only", "main"); got != "hosts/_/db.json\nhosts/example.com/web01.json\nsnapshot.json\n" {
		t.Errorf("git ls-tree says\n%s", got)
	}
	diff := git(t, path, "log", "-p", "-1", "--format=", "--", "hosts/example.com/web01.json")
	if !strings.Contains(diff, "-    {\"name\":\"bash\",\"evr\":\"5.1-1\",\"arch\":\"x86_64\"}\n+    {\"name\":\"bash\",\"evr\":\"5.1-2\",\"arch\":\"x86_64\"}\n") {
		t.Errorf("git log -p says\n%s", diff)
	}
	if n := strings.Count(git(t, path, "rev-list", "--objects", string(two), "^"+string(one)), "\n"); n != 6 {
		t.Errorf("the second snapshot has %d objects, want commit, 3 trees, snapshot.json and one host", n)
	}
}

// TestSubjects: what is not known is in the one line that everybody reads.
func TestSubjects(t *testing.T) {
	for _, test := range []struct {
		snap     katprep.Snapshot
		subject  string
		trailers string
	}{
		{katprep.Snapshot{Counts: katprep.Counts{Errata: 1, HostErrata: 1}}, "snapshot: 2 hosts, 1 erratum pending (1 different)", ""},
		{katprep.Snapshot{Counts: katprep.Counts{Updates: 7, ErrataUnknown: 2}}, "snapshot: 2 hosts, 7 package updates pending, errata unknown on 2", ""},
		{katprep.Snapshot{Counts: katprep.Counts{Errata: 3, HostErrata: 5, Updates: 7, ErrataUnknown: 1}},
			"snapshot: 2 hosts, 5 errata pending (3 different), 7 package updates pending, errata unknown on 1", ""},
		{katprep.Snapshot{Sources: []katprep.Source{{Name: "sat", Problem: "page 3: timeout"}, {Name: "lab"}, {Name: "dr", Problem: "refused"}}},
			"snapshot: 2 hosts, 0 errata pending, list of sat, dr incomplete", "Katprep-Problems: sat, dr\n"},
		{katprep.Snapshot{Counts: katprep.Counts{Hosts: 1, Incomplete: 1}}, "snapshot: 3 hosts, 0 errata pending, 1 incomplete", "Katprep-Incomplete: 1\n"},
	} {
		a, path := create(t)
		shot(t, a, test.snap, host("sat", "1", "web01"), host("sat", "2", "db"))
		if got := strings.TrimSpace(git(t, path, "log", "-1", "--format=%s")); got != test.subject {
			t.Errorf("subject %q, want %q", got, test.subject)
		}
		got := git(t, path, "log", "-1", "--format=%(trailers)")
		if !strings.Contains(got, test.trailers) || test.trailers == "" && (strings.Contains(got, "Problems") || strings.Contains(got, "Incomplete")) {
			t.Errorf("%s: trailers\n%s\nwant %q", test.subject, got, test.trailers)
		}
	}
}

func TestReading(t *testing.T) {
	a, _ := create(t)
	ctx := t.Context()
	want := host("sat", "1", "web01.example.com", "a=1", "b=2")
	one := shot(t, a, katprep.Snapshot{Version: "1"}, want, host("sat", "2", "db.example.com", "a=1"), host("sat", "3", "gone.example.org"))
	two := shot(t, a, katprep.Snapshot{Version: "2"}, host("sat", "1", "web01.example.com", "a=1", "b=3"),
		host("sat", "2", "db.example.com", "a=1"), host("sat", "4", "new"))

	s, err := a.Snapshot(ctx, one)
	if err != nil || s.Version != "1" || s.Counts.Hosts != 3 || s.Format != katprep.ArchiveFormat {
		t.Errorf("snapshot %+v, %v", s, err)
	}
	got, err := a.State(ctx, one, "web01.example.com")
	if err != nil || len(got) != 1 || !reflect.DeepEqual(got[0], want) {
		t.Errorf("state %+v, %v", got, err)
	}
	if _, err := a.State(ctx, one, "nobody"); katprep.KindOf(err) != katprep.NotFound {
		t.Errorf("unknown host: %v", err)
	}
	var found []string
	for _, s := range all(t, a.States(ctx, two)) {
		found = append(found, s.Name)
	}
	if !slices.Equal(found, []string{"new", "db.example.com", "web01.example.com"}) {
		t.Errorf("states %v", found)
	}

	c, err := a.Compare(ctx, one, two)
	if err != nil || c.Same != 1 {
		t.Fatalf("comparison %+v, %v", c, err)
	}
	found = nil
	for _, p := range all(t, c.Pairs(ctx)) {
		found = append(found, fmt.Sprint(p.Path, " ", p.Before != nil, p.After != nil))
	}
	if want := []string{"hosts/example.com/web01.json true true", "hosts/_/new.json false true", "hosts/example.org/gone.json true false"}; !slices.Equal(found, want) {
		t.Errorf("pairs %q", found)
	}
	log := all(t, a.Log(ctx, ""))
	if len(log) != 2 || log[0].ID != two || log[1].ID != one || log[0].Kind != KindSnapshot || log[0].Author != ann || log[0].Signed {
		t.Errorf("log %+v", log)
	}
}

func TestHistory(t *testing.T) {
	a, _ := create(t)
	web := func(v string) katprep.State { return host("sat", "1", "web01.example.com", "a="+v) }
	db := host("sat", "2", "db.example.com")
	c := []katprep.CommitID{
		shot(t, a, katprep.Snapshot{}, db),
		shot(t, a, katprep.Snapshot{}, db, web("1")),
		shot(t, a, katprep.Snapshot{}, db, web("1")),
		shot(t, a, katprep.Snapshot{}, db, web("2")),
		shot(t, a, katprep.Snapshot{}, db),
		shot(t, a, katprep.Snapshot{}, web("2")),
	}
	var got []string
	for _, v := range all(t, a.History(t.Context(), "", "web01.example.com")) {
		evr := "gone"
		if v.State != nil {
			evr = string(v.State.Packages[0].EVR)
		}
		got = append(got, fmt.Sprintf("%d %s", slices.Index(c, v.Commit.ID), evr))
	}
	if !slices.Equal(got, []string{"5 2", "4 gone", "3 2", "1 1"}) {
		t.Errorf("history %q", got)
	}
}

func TestTwins(t *testing.T) {
	a, path := create(t)
	ctx := t.Context()
	one := shot(t, a, katprep.Snapshot{}, host("sat", "1", "web01.example.com", "a=1"), host("dmz", "x", "web01.example.com", "a=2"),
		host("dmz", "y", "web01.example.com", "a=3"), host("sat", "9", "WEB01.example.com", "a=4"))
	// The first source lost the host: the other moves to the plain path.
	two := shot(t, a, katprep.Snapshot{}, host("dmz", "x", "web01.example.com", "a=2"))
	fsck(t, path)
	got, err := a.State(ctx, one, "web01.example.com")
	if err != nil || len(got) != 3 {
		t.Fatalf("%d states, %v", len(got), err)
	}
	c, err := a.Compare(ctx, one, two)
	if err != nil {
		t.Fatal(err)
	}
	var pairs []string
	for _, p := range all(t, c.Pairs(ctx)) {
		id := func(s *katprep.State) string {
			if s == nil {
				return "-"
			}
			return s.HostID.String()
		}
		pairs = append(pairs, id(p.Before)+" "+id(p.After))
	}
	slices.Sort(pairs)
	if !slices.Equal(pairs, []string{"dmz/x dmz/x", "dmz/y -", "sat/1 -", "sat/9 -"}) {
		t.Errorf("pairs %q", pairs)
	}
	w, err := a.Begin(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Abort()
	if err := errors.Join(w.Put(ctx, host("sat", "1", "a")), w.Put(ctx, host("sat", "1", "a"))); katprep.KindOf(err) != katprep.Invalid && err == nil {
		t.Errorf("one host twice: %v", err)
	}
}

func TestResolve(t *testing.T) {
	a, path := create(t)
	ctx := t.Context()
	if _, err := a.Resolve(ctx, "latest"); katprep.KindOf(err) != katprep.NotFound || katprep.HintOf(err) == "" {
		t.Errorf("empty archive: %v", err)
	}
	day := func(s string) katprep.Snapshot {
		at, err := time.Parse(time.RFC3339, s)
		if err != nil {
			t.Fatal(err)
		}
		return katprep.Snapshot{Finished: at}
	}
	one := shot(t, a, day("2026-11-10T08:00:00Z"))
	two := shot(t, a, day("2026-11-12T08:00:00Z"))
	old := shot(t, a, day("2020-01-01T08:00:00Z")) // imported
	if _, err := a.PutExceptions(ctx, nil); err != nil {
		t.Fatal(err)
	}
	if err := a.Tag(ctx, "p1", katprep.Before, two); err != nil {
		t.Fatal(err)
	}
	git(t, path, "tag", "light", string(one))
	for rev, want := range map[string]katprep.CommitID{
		"latest": old, "latest~0": old, "latest~": two, "latest~2": one, string(one): one, string(two)[:12]: two,
		"2026-11-12": two, "2026-11-11": one, "2026-11-12T07:59:59Z": one, "2026-11-12T08:00:00Z": two,
		"2026-11-12T10:00:00+02:00": two, "2021-01-01": old, "run/p1/before": two, "run/p1/before~1": one, "light": one,
		strings.ToUpper(string(two)[:8]): two,
	} {
		if got, err := a.Resolve(ctx, rev); got != want || err != nil {
			t.Errorf("%s: %s, %v; want %s", rev, got, err, want)
		}
	}
	for rev, want := range map[string]katprep.Kind{
		"latest~3": katprep.NotFound, "2019-01-01": katprep.NotFound, "run/p1/after": katprep.NotFound, "latest~x": katprep.Invalid,
		"nothing": katprep.NotFound, "": katprep.NotFound, "../../HEAD": katprep.NotFound, "abc": katprep.NotFound,
		"0000000000000000000000000000000000000000": katprep.NotFound,
	} {
		if got, err := a.Resolve(ctx, rev); err == nil || katprep.KindOf(err) != want {
			t.Errorf("%s: %s, %v", rev, got, err)
		}
	}
	if tip, err := a.Resolve(ctx, "main"); err != nil || tip == old {
		t.Errorf("main is %s, %v", tip, err)
	}
}
