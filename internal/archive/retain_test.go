package archive

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/internal/archive/sign"
	"github.com/stdevel/katprep/internal/peers"
	"github.com/stdevel/katprep/internal/rfc3161"
	"github.com/stdevel/katprep/internal/rfc3161/tsa"
)

// years makes a signed archive with a run in each month of three years.
func years(t *testing.T) (a *Archive, path string) {
	t.Helper()
	peers.Need(t, "git", "ssh-keygen", "sha256sum")
	_, path = create(t)
	a = signed(t, path, sign.Options{SSHKey: sshKey(t, "-t", "ed25519")})
	now := time.Date(2024, 1, 10, 12, 0, 0, 0, time.UTC)
	a.opts.Now = func() time.Time { now = now.Add(time.Minute); return now }
	ctx := t.Context()
	n := 0
	take := func(s katprep.Snapshot) katprep.CommitID {
		n++
		s.Finished = now
		return shot(t, a, s, host("s", "1", "h1.example.com", fmt.Sprintf("a=%d", n)), host("s", "2", "h2.example.com"))
	}
	for year := 2024; year <= 2026; year++ {
		for _, month := range []time.Month{1, 4, 7, 10} {
			now = time.Date(year, month, 10, 12, 0, 0, 0, time.UTC)
			run := katprep.RunID(fmt.Sprintf("p%d-%02d", year, month))
			before := take(katprep.Snapshot{Run: run, Phase: katprep.Before})
			_, err1 := a.PutPlan(ctx, katprep.Plan{Run: run, Before: before})
			now = now.AddDate(0, 0, 1)
			after := take(katprep.Snapshot{Run: run, Phase: katprep.After})
			for _, err := range []error{err1, a.Tag(ctx, run, katprep.Before, before), a.Tag(ctx, run, katprep.After, after)} {
				if err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	a.opts.Now = time.Now
	return a, path
}

func day(t *testing.T, s string) time.Time {
	t.Helper()
	d, err := time.Parse(time.DateOnly, s)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// TestRetain moves two years into two bundles, and checks with Git's own
// programs that nothing is lost and nothing was changed.
func TestRetain(t *testing.T) {
	a, path := years(t)
	ctx := t.Context()
	service := tsa.Start(t, "sha256")
	if _, err := a.Stamp(ctx, &rfc3161.Service{URL: service.URL}, false); err != nil {
		t.Fatal(err)
	}
	known := verify(t, a, VerifyOptions{})
	whole := git(t, path, "log", "--format=%H %s", "main")
	dir := t.TempDir()
	other := open(t, path)
	first, err := a.Retain(ctx, RetainOptions{Before: day(t, "2025-01-01"), Dir: dir, Verify: VerifyOptions{Head: known.Tip, Tags: known.Tags}})
	if err != nil {
		t.Fatal(err)
	}
	if first.Snaps != 8 || first.Commits != 12 || first.After != "" || len(first.Tags) != 8 || first.Anchor != known.Anchor || first.From.Year() != 2024 || first.To.Format(time.DateOnly) != "2024-10-11" {
		t.Errorf("%+v", first)
	}
	fsck(t, path)
	if out := git(t, path, "log", "--format=%H %s", "main~1"); !strings.HasPrefix(whole, out) || strings.Count(out, "\n") != 24 {
		t.Errorf("git log says\n%s", out)
	}
	if log := all(t, other.Log(ctx, "")); len(log) != 25 {
		t.Errorf("who had opened it before sees %d commits", len(log))
	}
	later := open(t, path)
	later.opts.Now = time.Now
	v := verify(t, later, VerifyOptions{Head: known.Tip, Tags: known.Tags, Anchor: known.Anchor, Stamps: known.Stamps.Head})
	if v.Broken() != nil || v.Snapshots != 16 || v.Cut == nil || v.Cut.SHA256 != first.SHA256 || v.Unsigned != 0 {
		t.Errorf("%+v", v)
	}
	cutReaders(t, path, first)
	second, err := a.Retain(ctx, RetainOptions{Before: day(t, "2026-01-01"), Dir: dir})
	if err != nil || second.After != first.Last || second.Snaps != 8 {
		t.Fatalf("%+v, %v", second, err)
	}
	fsck(t, path)
	retainedByStrangers(t, path, dir, known, first, second)
	whole2 := filepath.Join(t.TempDir(), "joined")
	joined, err := a.Join(ctx, dir, whole2)
	if err != nil {
		t.Fatal(err)
	}
	defer joined.Close()
	old := katprep.CommitID(strings.Fields(whole[strings.LastIndex(strings.TrimRight(whole, "\n"), "\n")+1:])[0])
	if v := verify(t, joined, VerifyOptions{Head: old, Tags: known.Tags, Anchor: known.Anchor}); v.Broken() != nil || v.Snapshots != 24 || v.Cut != nil || v.Commits != 38 {
		t.Errorf("joined: %+v", v)
	}
	// A whole copy of an archive that was cut twice can be cut, too.
	if _, err := open(t, whole2).Retain(ctx, RetainOptions{Dir: dir}); err != nil {
		t.Error(err)
	}
	fsck(t, whole2)
	if v := verify(t, a, VerifyOptions{Head: old}); v.Broken() == nil || !strings.Contains(v.Broken().Message, "verify together with the bundles") {
		t.Errorf("what is only in a bundle: %+v", v.Findings)
	}
	if _, err := a.Retain(ctx, RetainOptions{Before: day(t, "2026-01-01"), Dir: dir}); katprep.KindOf(err) != katprep.NotFound {
		t.Errorf("again: %v", err)
	}
	file := filepath.Join(dir, first.Bundle)
	if err := errors.Join(os.Remove(file), os.WriteFile(file, []byte("x"), 0o600)); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Join(ctx, dir, filepath.Join(t.TempDir(), "bad")); katprep.KindOf(err) != katprep.Corrupt || !strings.Contains(err.Error(), "not the bundle that was recorded") {
		t.Errorf("another bundle: %v", err)
	}
}

// cutReaders: what reads an archive goes on, and says where older history is.
func cutReaders(t *testing.T, path string, r Retained) {
	t.Helper()
	a := open(t, path)
	ctx := t.Context()
	if log := all(t, a.Log(ctx, "")); len(log) != 25 {
		t.Errorf("the log has %d commits", len(log))
	}
	if h := all(t, a.History(ctx, "", "h1.example.com")); len(h) != 16 {
		t.Errorf("the history of a host has %d versions", len(h))
	}
	for _, rev := range []string{"2024-06-01", "run/p2024-01/before", string(r.Last)} {
		if _, err := a.Resolve(ctx, rev); katprep.KindOf(err) != katprep.NotFound || !strings.Contains(err.Error(), "what is older than 2024-10-12 is in "+r.Bundle) {
			t.Errorf("%s: %v", rev, err)
		}
	}
	c, err := a.Resolve(ctx, "run/p2025-01/before")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.Compare(ctx, c, must(a.Resolve(ctx, "latest"))); err != nil {
		t.Error(err)
	}
	if rec, err := a.Run(ctx, "p2024-01"); err != nil || rec.Plan.Run != "p2024-01" {
		t.Errorf("the plan of an old run: %+v, %v", rec, err)
	}
	if _, err := a.Maintain(ctx, ""); err != nil {
		t.Error(err)
	}
	if _, err := a.Maintain(ctx, "git"); err != nil {
		t.Error(err)
	}
	clone := t.TempDir()
	git(t, clone, "clone", "-q", path, ".")
	if b, err := Open(clone, Options{}); err != nil {
		t.Errorf("a clone of a cut archive: %v", err)
	} else {
		b.Close()
	}
	short := t.TempDir()
	git(t, short, "clone", "-q", "--depth", "2", "file://"+path, ".")
	if _, err := Open(short, Options{}); err == nil || !strings.Contains(err.Error(), "shallow clone") {
		t.Errorf("a shallow clone of a cut archive: %v", err)
	}
}

// retainedByStrangers joins live archive and bundles with git, ssh-keygen and
// sha256sum alone.
func retainedByStrangers(t *testing.T, path, dir string, known *Verification, parts ...Retained) {
	t.Helper()
	git(t, dir, "-c", "init.defaultBranch=main", "clone", "-q", "--mirror", parts[0].Bundle, "full.git")
	git(t, dir, "-C", "full.git", "bundle", "verify", "../"+parts[1].Bundle)
	git(t, dir, "-C", "full.git", "fetch", "-q", "../"+parts[1].Bundle, "refs/*:refs/*")
	git(t, path, "bundle", "create", "-q", filepath.Join(dir, "live.bundle"), "--all")
	git(t, dir, "-C", "full.git", "fetch", "-q", "../live.bundle", "refs/*:refs/*")
	full := filepath.Join(dir, "full.git")
	fsck(t, full)
	if n := strings.Count(git(t, full, "log", "--format=%H", "main"), "\n"); n != 38 {
		t.Errorf("the joined history has %d commits", n)
	}
	signers := filepath.Join(dir, "signers")
	if err := os.WriteFile(signers, []byte(git(t, full, "show", "main:"+signersFile)), 0o600); err != nil {
		t.Fatal(err)
	}
	git(t, full, "-c", "gpg.ssh.allowedSignersFile="+signers, "verify-commit", string(known.Tip), string(parts[0].Last), string(parts[1].Boundary))
	git(t, full, "-c", "gpg.ssh.allowedSignersFile="+signers, "verify-tag", "run/p2024-01/before", "run/p2025-01/after", "run/p2026-01/after")
	for _, p := range parts {
		base := strings.TrimSuffix(p.Bundle, ".bundle")
		run(t, "sh", "-c", "cd "+dir+" && sha256sum --quiet -c "+base+".sha256 && ssh-keygen -Y verify -f signers -I ann@example.com -n git -s "+base+".sha256.sig <"+base+".sha256")
		if out := git(t, full, "cat-file", "commit", string(p.Boundary)); !strings.Contains(out, "parent "+string(p.Last)) {
			t.Errorf("the boundary says\n%s", out)
		}
		if out := git(t, full, "show", "main:"+retainedFile); !strings.Contains(out, p.SHA256) {
			t.Errorf("the record says\n%s", out)
		}
	}
}

// TestRetainKeepsRunsWhole: a cut between before and after moves.
func TestRetainKeepsRunsWhole(t *testing.T) {
	a, _ := years(t)
	r, err := a.Retain(t.Context(), RetainOptions{Before: day(t, "2025-04-11"), Dir: t.TempDir()})
	if err != nil || r.Snaps != 10 {
		t.Fatalf("%+v, %v", r, err)
	}
	if _, err := a.Resolve(t.Context(), "run/p2025-04/before"); err != nil {
		t.Error(err)
	}
}

// TestRetainRefuses whatever would lose something.
func TestRetainRefuses(t *testing.T) {
	a, path := years(t)
	ctx, dir := t.Context(), t.TempDir()
	old := strings.TrimSpace(git(t, path, "rev-parse", "run/p2024-04/after^{commit}"))
	try := func(what, want string) {
		t.Helper()
		before := git(t, path, "for-each-ref")
		if _, err := open(t, path).Retain(ctx, RetainOptions{Before: day(t, "2025-01-01"), Dir: dir}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", what, err)
		}
		if git(t, path, "for-each-ref") != before || strings.Count(git(t, path, "log", "--format=%H", "main"), "\n") != 36 {
			t.Errorf("%s: the archive was changed", what)
		}
	}
	for ref, want := range map[string]string{"refs/remotes/origin/main": "does not have the newer history", "refs/heads/other": "would be cut off", "refs/tags/mine": "would be cut off"} {
		git(t, path, "update-ref", ref, old)
		try(ref, want)
		git(t, path, "update-ref", "-d", ref)
	}
	git(t, path, "tag", "-f", "-m", "x", "run/p2026-01/after", old)
	try("broken", "does not hold")
	if _, err := a.Retain(ctx, RetainOptions{Before: day(t, "2020-01-01"), Dir: dir}); katprep.KindOf(err) != katprep.Corrupt {
		t.Errorf("too early: %v", err)
	}
}

// TestRetainGoesOn after a crash between the record and the cut.
func TestRetainGoesOn(t *testing.T) {
	a, path := years(t)
	dir := t.TempDir()
	r, err := a.Retain(t.Context(), RetainOptions{Before: day(t, "2025-01-01"), Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	// As if it had not been cut: everything is back, but the record.
	joined := filepath.Join(t.TempDir(), "joined")
	b, err := a.Join(t.Context(), dir, joined)
	if err != nil {
		t.Fatal(err)
	}
	b.Close()
	if _, err := open(t, joined).Retain(t.Context(), RetainOptions{Dir: t.TempDir()}); katprep.KindOf(err) != katprep.Conflict {
		t.Errorf("without the bundle: %v", err)
	}
	again, err := open(t, joined).Retain(t.Context(), RetainOptions{Dir: dir})
	if err != nil || again.SHA256 != r.SHA256 {
		t.Fatalf("%+v, %v", again, err)
	}
	if git(t, joined, "log", "--format=%H", "main") != git(t, path, "log", "--format=%H", "main") {
		t.Error("the second call did something else")
	}
	fsck(t, joined)
}

// TestCutPushes: an archive that is cut still feeds its remote, which keeps
// all.
func TestCutPushes(t *testing.T) {
	a, path := years(t)
	ctx := t.Context()
	remote := filepath.Join(t.TempDir(), "r.git")
	git(t, ".", "init", "-q", "-b", "main", "--bare", remote)
	r := Remote{Name: "origin", URL: remote}
	if _, err := a.Push(ctx, r); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Retain(ctx, RetainOptions{Before: day(t, "2026-01-01"), Dir: t.TempDir()}); err != nil {
		t.Fatal(err)
	}
	c := shot(t, a, katprep.Snapshot{Run: "new", Phase: katprep.Before}, host("s", "1", "h1.example.com", "a=99"))
	if err := a.Tag(ctx, "new", katprep.Before, c); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Push(ctx, r); err != nil {
		t.Fatal(err)
	}
	fsck(t, remote)
	empty := filepath.Join(t.TempDir(), "e.git")
	git(t, ".", "init", "-q", "--bare", empty)
	if _, err := a.Push(ctx, Remote{Name: "empty", URL: empty}); katprep.KindOf(err) != katprep.Conflict || !strings.Contains(err.Error(), "in bundles") {
		t.Errorf("push to an empty remote: %v", err)
	}
	if n := strings.Count(git(t, remote, "log", "--format=%H", "main"), "\n"); n != 38 {
		t.Errorf("the remote has %d commits", n)
	}
	if n, err := a.Unpushed(ctx, r); err != nil || n != 0 {
		t.Errorf("%d unpushed, %v", n, err)
	}
	// Pulling does not bring the old years back.
	git(t, remote, "update-ref", "refs/heads/main", strings.TrimSpace(git(t, remote, "commit-tree", "-m", "by hand", "-p", "main", "main^{tree}")))
	if _, err := a.Pull(ctx, r); err != nil {
		t.Fatal(err)
	}
	if tags := git(t, path, "tag"); strings.Contains(tags, "p2024") {
		t.Errorf("the old tags are back:\n%s", tags)
	}
	fsck(t, path)
}
