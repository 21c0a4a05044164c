package archive

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/internal/archive/sign"
	"github.com/stdevel/katprep/internal/peers"
)

func verify(t testing.TB, a *Archive, o VerifyOptions) *Verification {
	t.Helper()
	v, err := a.Verify(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// maintained makes an archive with a whole run in it.
func maintained(t testing.TB, a *Archive) (before, after katprep.CommitID) {
	t.Helper()
	ctx := t.Context()
	at := time.Date(2026, 11, 24, 10, 0, 0, 0, time.UTC)
	before = shot(t, a, katprep.Snapshot{Run: "p1", Phase: katprep.Before}, host("s", "1", "h1.example.com", "a=1"), host("s", "2", "h2.example.com"))
	entry := katprep.Entry{Seq: 1, At: at, Host: "h1.example.com", Event: katprep.EventDone}
	_, err1 := a.PutPlan(ctx, katprep.Plan{Run: "p1", Before: before})
	_, err2 := a.PutJournal(ctx, "p1", katprep.StageExecute, []katprep.Entry{entry})
	entry.Seq = 2
	_, err3 := a.PutJournal(ctx, "p1", katprep.StageVerify, []katprep.Entry{entry})
	after = shot(t, a, katprep.Snapshot{Run: "p1", Phase: katprep.After}, host("s", "1", "h1.example.com", "a=2"), host("s", "2", "h2.example.com"))
	err4 := a.Tag(ctx, "p1", katprep.Before, before)
	err5 := a.Tag(ctx, "p1", katprep.After, after)
	for _, err := range []error{err1, err2, err3, err4, err5} {
		if err != nil {
			t.Fatal(err)
		}
	}
	return before, after
}

func TestVerifyWhole(t *testing.T) {
	a, path := create(t)
	if v := verify(t, a, VerifyOptions{}); v.Broken() != nil || v.Commits != 0 {
		t.Errorf("empty archive: %+v", v)
	}
	before, after := maintained(t, a)
	v := verify(t, a, VerifyOptions{})
	if v.Broken() != nil || len(v.Findings) != 0 || v.Commits != 5 || v.Snapshots != 2 || v.Unsigned != 5 || v.Tip != after || len(v.Tags) != 2 {
		t.Errorf("%+v", v)
	}
	if v := verify(t, a, VerifyOptions{Since: before, Head: before, Tags: v.Tags}); v.Broken() != nil || v.Commits != 4 {
		t.Errorf("since: %+v", v)
	}
	// A commit by hand that touches no evidence is only worth a note.
	work := t.TempDir()
	git(t, work, "clone", "-q", path, ".")
	if err := os.WriteFile(filepath.Join(work, "README"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	git(t, work, "add", ".")
	git(t, work, "commit", "-q", "-m", "by hand")
	git(t, work, "push", "-q")
	if v := verify(t, a, VerifyOptions{}); v.Broken() != nil || len(v.Findings) != 1 {
		t.Errorf("%+v", v)
	}
}

// TestVerifyTampered changes the archive in ways that a curious insider
// would: each is found and named.
func TestVerifyTampered(t *testing.T) {
	peers.Need(t, "git")
	edit := func(path, file string, change func(string) string) func(t *testing.T) {
		return func(t *testing.T) {
			work := t.TempDir()
			git(t, work, "clone", "-q", path, ".")
			full := filepath.Join(work, file)
			text, err := os.ReadFile(full)
			if err != nil {
				t.Fatal(err)
			}
			os.MkdirAll(filepath.Dir(full), 0o755)
			if err := os.WriteFile(full, []byte(change(string(text))), 0o600); err != nil {
				t.Fatal(err)
			}
			// As if katprep had made it: the last message again.
			git(t, work, "commit", "-q", "-a", "-C", "HEAD")
			git(t, work, "push", "-q")
		}
	}
	replace := func(old, by string) func(string) string {
		return func(s string) string {
			if !strings.Contains(s, old) {
				t.Fatalf("%q is not in %s", old, s)
			}
			return strings.Replace(s, old, by, 1)
		}
	}
	for _, c := range []struct {
		name, want string
		do         func(t *testing.T, path string, before, after katprep.CommitID)
	}{
		{"journal edited", "must not change it", func(t *testing.T, path string, _, _ katprep.CommitID) {
			edit(path, "runs/p1/journal.jsonl", replace(`"done"`, `"failed"`))(t)
		}},
		{"journal edited as a journal", "the journal was edited", func(t *testing.T, path string, _, _ katprep.CommitID) {
			work := t.TempDir()
			git(t, work, "clone", "-q", path, ".")
			file := filepath.Join(work, "runs/p1/journal.jsonl")
			text, _ := os.ReadFile(file)
			os.WriteFile(file, []byte(strings.Replace(string(text), `"done"`, `"failed"`, 1)), 0o600)
			git(t, work, "commit", "-q", "-a", "-m", "execute p1\n\nKatprep-Kind: journal\n")
			git(t, work, "push", "-q")
		}},
		{"host edited by hand", "changed by a commit that katprep did not make", func(t *testing.T, path string, _, _ katprep.CommitID) {
			work := t.TempDir()
			git(t, work, "clone", "-q", path, ".")
			git(t, work, "rm", "-q", "hosts/example.com/h2.json")
			git(t, work, "commit", "-q", "-m", "x")
			git(t, work, "push", "-q")
		}},
		{"host removed", "it says 2 hosts, but there are 1", func(t *testing.T, path string, _, _ katprep.CommitID) {
			work := t.TempDir()
			git(t, work, "clone", "-q", path, ".")
			git(t, work, "rm", "-q", "hosts/example.com/h2.json")
			git(t, work, "commit", "-q", "-C", "HEAD")
			git(t, work, "push", "-q")
		}},
		{"host in another's place", "belongs elsewhere", func(t *testing.T, path string, _, _ katprep.CommitID) {
			work := t.TempDir()
			git(t, work, "clone", "-q", path, ".")
			text, _ := os.ReadFile(filepath.Join(work, "hosts/example.com/h1.json"))
			os.WriteFile(filepath.Join(work, "hosts/example.com/h2.json"), text, 0o600)
			git(t, work, "commit", "-q", "-a", "-C", "HEAD")
			git(t, work, "push", "-q")
		}},
		{"host made up", "unknown field", func(t *testing.T, path string, _, _ katprep.CommitID) {
			edit(path, "hosts/example.com/h1.json", replace(`"status": "collected"`, `"status": "collected", "patched": true`))(t)
		}},
		{"status made up", "it says 2 collected hosts, but there are 1", func(t *testing.T, path string, _, _ katprep.CommitID) {
			edit(path, "hosts/example.com/h1.json", replace(`"collected"`, `"failed"`))(t)
		}},
		{"errata made up", "it says 1 installable errata of hosts, but there are 0", func(t *testing.T, path string, _, _ katprep.CommitID) {
			edit(path, "snapshot.json", replace(`"host_errata": 0`, `"host_errata": 1`))(t)
		}},
		{"errata taken away", "it says 0 installable errata of hosts, but there are 1", func(t *testing.T, path string, _, _ katprep.CommitID) {
			edit(path, "hosts/example.com/h1.json", replace(`"status": "collected",`, `"status": "collected", "errata": [{"id":"RHSA-2026:1","installable":true}],`))(t)
		}},
		{"reboots made up", "it says 0 hosts of which the need of a reboot is not known, but there are 2", func(t *testing.T, path string, _, _ katprep.CommitID) {
			edit(path, "snapshot.json", replace(`"reboot_unknown": 2`, `"reboot_unknown": 0`))(t)
		}},
		{"commit removed", "the history was rewritten", func(t *testing.T, path string, _, _ katprep.CommitID) {
			git(t, path, "update-ref", "refs/heads/main", "main~1")
		}},
		{"tag moved", "it was moved", func(t *testing.T, path string, before, _ katprep.CommitID) {
			git(t, path, "tag", "-f", "-a", "-m", "x", "run/p1/after", string(before))
		}},
		{"tag replaced", "moved since", func(t *testing.T, path string, _, after katprep.CommitID) {
			git(t, path, "tag", "-f", "-a", "-m", "x", "run/p1/after", string(after))
		}},
		{"tag removed", "removed since", func(t *testing.T, path string, _, _ katprep.CommitID) {
			git(t, path, "tag", "-d", "run/p1/after")
		}},
		{"light tag", "no annotated tag", func(t *testing.T, path string, _, after katprep.CommitID) {
			git(t, path, "tag", "-f", "run/p1/after", string(after))
		}},
		{"commit replaced", "the history was rewritten", func(t *testing.T, path string, _, _ katprep.CommitID) {
			// The last commit again, with another message.
			c := strings.TrimSpace(git(t, path, "commit-tree", "-p", "main~1", "-m", "another", "main^{tree}"))
			git(t, path, "update-ref", "refs/heads/main", c)
		}},
		{"history grown anew", "the history was rewritten", func(t *testing.T, path string, _, _ katprep.CommitID) {
			git(t, path, "update-ref", "refs/heads/main", strings.TrimSpace(git(t, path, "commit-tree", "-m", "x", "main^{tree}")))
		}},
		{"object replaced", "somebody replaced it", func(t *testing.T, path string, before, after katprep.CommitID) {
			git(t, path, "replace", string(before), string(after))
		}},
		{"grafts", "other parents", func(t *testing.T, path string, _, after katprep.CommitID) {
			if err := os.WriteFile(filepath.Join(path, "info/grafts"), []byte(string(after)+"\n"), 0o600); err != nil {
				t.Fatal(err)
			}
		}},
		{"loose object damaged", "damaged", func(t *testing.T, path string, _, after katprep.CommitID) {
			c := strings.TrimSpace(git(t, path, "commit-tree", "-p", string(after), "-m", "x", "main^{tree}"))
			git(t, path, "update-ref", "refs/heads/main", c)
			file := filepath.Join(path, "objects", c[:2], c[2:])
			raw, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			raw[len(raw)/2] ^= 4
			os.Chmod(file, 0o600)
			if err := os.WriteFile(file, raw, 0o600); err != nil {
				t.Fatal(err)
			}
		}},
		{"clock in the future", "dated in the future", func(t *testing.T, path string, _, _ katprep.CommitID) {
			c := strings.TrimSpace(git(t, path, "-c", "user.name=x", "commit-tree", "-p", "main", "-m", "x", "main^{tree}"))
			raw := git(t, path, "cat-file", "commit", c)
			i := strings.Index(raw, "committer ")
			line, rest, _ := strings.Cut(raw[i:], "\n")
			f := strings.Fields(line)
			f[len(f)-2] = "4000000000"
			file := filepath.Join(t.TempDir(), "c")
			os.WriteFile(file, []byte(raw[:i]+strings.Join(f, " ")+"\n"+rest), 0o600)
			git(t, path, "update-ref", "refs/heads/main", strings.TrimSpace(git(t, path, "hash-object", "-t", "commit", "-w", file)))
		}},
		{"object missing", "cannot be read", func(t *testing.T, path string, _, _ katprep.CommitID) {
			packs, _ := filepath.Glob(filepath.Join(path, "objects/pack/*.idx"))
			os.Remove(packs[0])
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			a, path := create(t)
			before, after := maintained(t, a)
			good := verify(t, a, VerifyOptions{})
			c.do(t, path, before, after)
			b := open(t, path)
			v := verify(t, b, VerifyOptions{Head: after, Tags: good.Tags})
			if v.Broken() == nil || !strings.Contains(fmt.Sprint(v.Findings), c.want) {
				t.Errorf("found %v", v.Findings)
			}
		})
	}
}

// TestVerifyBitFlips flips bits all over the packs and their indexes:
// verification names the damaged file.
func TestVerifyBitFlips(t *testing.T) {
	a, path := create(t)
	maintained(t, a)
	if _, err := a.Maintain(t.Context(), ""); err != nil { // with chains of deltas
		t.Fatal(err)
	}
	shot(t, a, katprep.Snapshot{}, host("s", "1", "h1.example.com", "a=3"))
	files, err := filepath.Glob(filepath.Join(path, "objects/pack/pack-*"))
	if err != nil || len(files) != 4 {
		t.Fatal(files, err)
	}
	for _, f := range files {
		whole, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		os.Chmod(f, 0o600)
		for i := 0; i < len(whole); i += 11 {
			broken := append([]byte(nil), whole...)
			broken[i] ^= 1 << (i % 8)
			if err := os.WriteFile(f, broken, 0o600); err != nil {
				t.Fatal(err)
			}
			if what := damageIn(t, path); !strings.Contains(what, filepath.Base(f)) {
				t.Fatalf("bit %d of byte %d of %s: %s", i%8, i, f, what)
			}
		}
		if err := os.WriteFile(f, whole, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if what := damageIn(t, path); what != "" {
		t.Errorf("whole again: %s", what)
	}
}

// damageIn returns what opening and verifying an archive say.
func damageIn(t *testing.T, path string) (what string) {
	t.Helper()
	a, err := Open(path, Options{})
	if err != nil {
		if katprep.KindOf(err) != katprep.Corrupt {
			t.Errorf("open: %v", err)
		}
		return err.Error()
	}
	defer a.Close()
	v := verify(t, a, VerifyOptions{})
	for _, f := range v.Findings {
		what += f.String() + "\n"
	}
	return what
}

func TestVerifySignatures(t *testing.T) {
	_, path := create(t)
	ctx := t.Context()
	first, second := sshKey(t, "-t", "ed25519"), sshKey(t, "-t", "ed25519")
	a := signed(t, path, sign.Options{SSHKey: first})
	maintained(t, a)
	pub, _ := os.ReadFile(second + ".pub")
	if _, err := a.AddKey(ctx, pub, "bob"); err != nil {
		t.Fatal(err)
	}
	b := signed(t, path, sign.Options{SSHKey: second})
	keys, err := b.Keys(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.RetireKey(ctx, keys[0].Fingerprint); err != nil {
		t.Fatal(err)
	}
	good := shot(t, b, katprep.Snapshot{})
	v := verify(t, b, VerifyOptions{Anchor: keys[0].Fingerprint})
	if v.Broken() != nil || v.Signed != v.Commits || v.Anchor != keys[0].Fingerprint {
		t.Fatalf("%+v", v)
	}
	if v := verify(t, b, VerifyOptions{Anchor: "SHA256:other"}); v.Broken() == nil {
		t.Error("another anchor is accepted")
	}
	for what, c := range map[string]struct {
		key, want string
	}{
		"unsigned": {"", "not signed"}, "unknown key": {sshKey(t, "-t", "ed25519"), "not allowed"}, "expired key": {first, "not valid at that time"},
	} {
		args := []string{"commit-tree", "-p", string(good), "-m", "x", "main^{tree}"}
		if c.key != "" {
			args = append([]string{"-c", "gpg.format=ssh", "-c", "user.signingKey=" + c.key}, append(args, "-S")...)
		}
		future := time.Now().Add(10 * time.Second).Format(time.RFC3339) // after the key's time
		t.Setenv("GIT_COMMITTER_DATE", future)
		git(t, path, "update-ref", "refs/heads/main", strings.TrimSpace(git(t, path, args...)))
		v := verify(t, b, VerifyOptions{})
		if v.Broken() == nil || !strings.Contains(v.Broken().Message, c.want) {
			t.Errorf("%s: %v", what, v.Findings)
		}
		git(t, path, "update-ref", "refs/heads/main", string(good))
	}
}

// TestVerifyTellsOfIncompleteLists: a snapshot whose list of hosts broke is
// whole as an archive, and not evidence of all hosts.
func TestVerifyTellsOfIncompleteLists(t *testing.T) {
	a, _ := create(t)
	c := shot(t, a, katprep.Snapshot{Sources: []katprep.Source{{Name: "sat", Problem: "page 3: timeout"}, {Name: "lab"}}}, host("sat", "1", "web01"))
	v := verify(t, a, VerifyOptions{})
	if v.Broken() != nil || len(v.Findings) != 1 {
		t.Fatalf("%+v", v.Findings)
	}
	if f := v.Findings[0]; !f.Warning || f.Commit != c || f.Path != "snapshot.json" || f.Message != "the list of source sat is not complete, hosts may be missing: page 3: timeout" {
		t.Errorf("%+v", f)
	}
}
