package archive

import (
	"crypto/sha256"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/internal/archive/sign"
	"github.com/stdevel/katprep/internal/rfc3161"
	"github.com/stdevel/katprep/internal/rfc3161/tsa"
)

// TestStampsForStrangers stamps an archive, and checks each stamp with git and
// openssl alone.
func TestStampsForStrangers(t *testing.T) {
	_, path := create(t)
	a := signed(t, path, sign.Options{SSHKey: sshKey(t, "-t", "ed25519")})
	service := tsa.Start(t, "sha256")
	s := &rfc3161.Service{URL: service.URL, CAFile: service.CAFile}
	ctx := t.Context()
	if done, err := a.Stamp(ctx, s, true); err != nil || len(done) != 0 {
		t.Errorf("an empty archive: %v, %v", done, err)
	}
	_, after := maintained(t, a)
	done, err := a.Stamp(ctx, s, false)
	if err != nil || len(done) != 1 || done[0] != after {
		t.Fatalf("%v, %v", done, err)
	}
	if done, err := a.Stamp(ctx, s, false); err != nil || len(done) != 0 || service.Sent() != 1 {
		t.Errorf("again: %v, %v, %d requests", done, err, service.Sent())
	}
	if done, err := a.Stamp(ctx, s, true); err != nil || len(done) != 4 {
		t.Errorf("all: %v, %v", done, err)
	}
	roots, err := rfc3161.Roots(service.CAFile)
	if err != nil {
		t.Fatal(err)
	}
	v := verify(t, a, VerifyOptions{StampRoots: roots})
	if v.Broken() != nil || len(v.Findings) != 0 || v.Stamps == nil || v.Stamps.Count != 5 || !v.Stamps.Trusted || v.Stamps.Unstamped != 0 || v.Stamps.Delay > 60 {
		t.Errorf("%+v %+v", v, v.Stamps)
	}
	fsck(t, path)
	work := t.TempDir()
	git(t, work, "clone", "-q", "--mirror", path, ".")
	for _, c := range all(t, a.Log(ctx, "")) {
		git(t, work, "notes", "--ref=rfc3161/main", "list", string(c.ID))
		run(t, "sh", "-c", "cd "+work+" && git cat-file commit "+string(c.ID)+" >commit && git notes --ref=rfc3161/main show "+string(c.ID)+" >stamp.tsr && openssl ts -verify -data commit -in stamp.tsr -CAfile "+service.CAFile)
	}
	// Git's own maintenance keeps them, and so does ours.
	git(t, path, "repack", "-adq")
	if _, err := open(t, path).Maintain(ctx, ""); err != nil {
		t.Fatal(err)
	}
	if got, err := open(t, path).Stamps(ctx); err != nil || len(got) != 5 {
		t.Errorf("%d stamps, %v", len(got), err)
	}
}

// TestStampsWhenTheServiceIsDown: the history goes on, the next stamp covers it.
func TestStampsWhenTheServiceIsDown(t *testing.T) {
	a, _ := create(t)
	service := tsa.Start(t, "sha256")
	s := &rfc3161.Service{URL: service.URL}
	service.SetDown(true)
	first := shot(t, a, katprep.Snapshot{})
	if _, err := a.Stamp(t.Context(), s, false); katprep.KindOf(err) != katprep.Unreachable {
		t.Errorf("a service that is down: %v", err)
	}
	if v := verify(t, a, VerifyOptions{}); v.Broken() != nil || v.Stamps != nil || v.Tip != first {
		t.Errorf("%+v", v)
	}
	service.SetDown(false)
	shot(t, a, katprep.Snapshot{}, host("s", "1", "h1"))
	if _, err := a.Stamp(t.Context(), s, false); err != nil {
		t.Fatal(err)
	}
	shot(t, a, katprep.Snapshot{}, host("s", "2", "h2"))
	v := verify(t, a, VerifyOptions{})
	if v.Broken() != nil || v.Stamps.Count != 1 || v.Stamps.Unstamped != 1 || v.Stamps.Trusted || len(v.Findings) != 1 || !v.Findings[0].Warning {
		t.Errorf("%+v %+v", v, v.Stamps)
	}
}

func TestVerifyFindsBadStamps(t *testing.T) {
	service, other := tsa.Start(t, "sha256"), tsa.Start(t, "sha256")
	roots, err := rfc3161.Roots(service.CAFile)
	if err != nil {
		t.Fatal(err)
	}
	s := &rfc3161.Service{URL: service.URL}
	note := func(t *testing.T, path string, c katprep.CommitID, der []byte) {
		file := filepath.Join(t.TempDir(), "stamp")
		if err := os.WriteFile(file, der, 0o600); err != nil {
			t.Fatal(err)
		}
		blob := strings.TrimSpace(git(t, path, "hash-object", "-w", file))
		git(t, path, "-c", "user.name=x", "-c", "user.email=x@example.com", "notes", "--ref=rfc3161/main", "add", "-f", "-C", blob, string(c))
	}
	stamp := func(t *testing.T, s *rfc3161.Service, text string) []byte {
		der, err := s.Stamp(t.Context(), sha256.Sum256([]byte(text)))
		if err != nil {
			t.Fatal(err)
		}
		return der
	}
	for _, c := range []struct {
		name, want string
		do         func(t *testing.T, a *Archive, path string, c katprep.CommitID)
	}{
		{"of other data", "one of other data", func(t *testing.T, _ *Archive, path string, c katprep.CommitID) { note(t, path, c, stamp(t, s, "x")) }},
		{"junk", "no good time stamp", func(t *testing.T, _ *Archive, path string, c katprep.CommitID) { note(t, path, c, []byte("junk")) }},
		{"by another service", "not by the service that is trusted", func(t *testing.T, _ *Archive, path string, c katprep.CommitID) {
			note(t, path, c, stamp(t, &rfc3161.Service{URL: other.URL}, git(t, path, "cat-file", "commit", string(c))))
		}},
		{"removed", "removed since", func(t *testing.T, _ *Archive, path string, _ katprep.CommitID) {
			git(t, path, "update-ref", "-d", stampsRef)
		}},
		{"begun anew", "removed since", func(t *testing.T, _ *Archive, path string, c katprep.CommitID) {
			git(t, path, "update-ref", "-d", stampsRef)
			note(t, path, c, stamp(t, s, git(t, path, "cat-file", "commit", string(c))))
		}},
		{"clock ahead", "a clock was wrong", func(t *testing.T, a *Archive, path string, _ katprep.CommitID) {
			b := open(t, path)
			b.opts.Now = func() time.Time { return time.Now().Add(2 * time.Hour) }
			shot(t, b, katprep.Snapshot{}, host("s", "9", "h9"))
			if _, err := b.Stamp(t.Context(), s, false); err != nil {
				t.Fatal(err)
			}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			a, path := create(t)
			at := shot(t, a, katprep.Snapshot{})
			if _, err := a.Stamp(t.Context(), s, false); err != nil {
				t.Fatal(err)
			}
			good := verify(t, a, VerifyOptions{StampRoots: roots})
			c.do(t, a, path, at)
			v := verify(t, open(t, path), VerifyOptions{StampRoots: roots, Stamps: good.Stamps.Head})
			if len(v.Findings) == 0 || !strings.Contains(v.Findings[len(v.Findings)-1].Message, c.want) {
				t.Errorf("%v", v.Findings)
			}
		})
	}
}

// TestStampsTravel pushes and pulls stamps; those of two sides are joined.
func TestStampsTravel(t *testing.T) {
	service := tsa.Start(t, "sha256")
	s := &rfc3161.Service{URL: service.URL}
	a, path := create(t)
	ctx := t.Context()
	maintained(t, a)
	stamp := func(a *Archive, all bool) {
		t.Helper()
		if _, err := a.Stamp(ctx, s, all); err != nil {
			t.Fatal(err)
		}
	}
	stamp(a, false)
	remote := filepath.Join(t.TempDir(), "r.git")
	git(t, ".", "init", "-q", "-b", "dc1", "--bare", remote)
	r := Remote{Name: "origin", URL: remote, Branch: "dc1"}
	if _, err := a.Push(ctx, r); err != nil {
		t.Fatal(err)
	}
	if out := git(t, remote, "notes", "--ref=rfc3161/dc1", "list"); strings.Count(out, "\n") != 1 {
		t.Errorf("the remote has\n%s", out)
	}
	back := filepath.Join(t.TempDir(), "b.git")
	if err := Init(back); err != nil {
		t.Fatal(err)
	}
	b := open(t, back)
	if _, err := b.Pull(ctx, r); err != nil {
		t.Fatal(err)
	}
	stamp(b, true)
	if _, err := b.Push(ctx, r); err != nil {
		t.Fatal(err)
	}
	shot(t, a, katprep.Snapshot{}, host("s", "3", "h3"))
	stamp(a, false)
	if _, err := a.Push(ctx, r); katprep.KindOf(err) != katprep.Conflict || !strings.Contains(err.Error(), "time stamps") {
		t.Errorf("push beside other stamps: %v", err)
	}
	if git(t, remote, "rev-parse", "dc1") != git(t, path, "rev-parse", "main") {
		t.Error("the stamps kept the history back")
	}
	if _, err := a.Pull(ctx, r); err != nil {
		t.Fatal(err)
	}
	if got, err := a.Stamps(ctx); err != nil || len(got) != 6 {
		t.Errorf("%d stamps, %v", len(got), err)
	}
	if _, err := a.Push(ctx, r); err != nil {
		t.Fatal(err)
	}
	if v := verify(t, a, VerifyOptions{}); v.Broken() != nil || v.Stamps.Count != 6 {
		t.Errorf("%+v", v)
	}
	fsck(t, path)
	fsck(t, remote)
}
