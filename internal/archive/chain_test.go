package archive

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/internal/archive/sign"
)

// links returns the chain, the oldest link first.
func links(t *testing.T, a *Archive) []Link {
	t.Helper()
	var out []Link
	for l, err := range a.Chain(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		out = append([]Link{l}, out...)
	}
	return out
}

// TestChain: who signed what, and which commit brought which decision, in the
// order of recording and not of dates.
func TestChain(t *testing.T) {
	_, path := create(t)
	ctx := t.Context()
	plain, err := Open(path, Options{Author: Person{"alice", "alice@example.com"}})
	if err != nil {
		t.Fatal(err)
	}
	defer plain.Close()
	shot(t, plain, katprep.Snapshot{})
	key, stranger := sshKey(t, "-t", "ed25519"), sshKey(t, "-t", "ed25519")
	a := signed(t, path, sign.Options{SSHKey: key})
	maintained(t, a)
	long := time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC) // a lie
	run := katprep.RunID("r1")
	for _, step := range []func() error{
		func() error { _, err := a.PutPlan(ctx, katprep.Plan{Run: run}); return err },
		func() error {
			_, err := a.PutJournal(ctx, run, katprep.StagePrepare, []katprep.Entry{{Seq: 1, Stage: katprep.StagePrepare}})
			return err
		},
		func() error {
			_, err := a.PutApproval(ctx, katprep.Decision{Run: run, By: "eve", At: long, Verdict: "approved"})
			return err
		},
		func() error {
			_, err := a.PutSignOff(ctx, katprep.Decision{Run: run, By: "eve", Verdict: "accepted"})
			return err
		},
		func() error {
			_, err := a.PutExceptions(ctx, []katprep.Exception{{ID: "EX-1", Created: long}})
			return err
		},
	} {
		if err := step(); err != nil {
			t.Fatal(err)
		}
	}
	got := links(t, a)
	last := got[len(got)-4:]
	if last[0].Kind != KindJournal || last[1].Approval == nil || last[1].SignOff != nil || last[1].Approval.By != "eve" || last[2].SignOff == nil || last[2].Approval != nil {
		t.Errorf("decisions: %+v", last)
	}
	if !last[3].HasPolicy || len(last[3].Exceptions) != 1 || last[2].HasPolicy {
		t.Errorf("exceptions: %+v", last[3])
	}
	keys, err := a.Keys(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if got[0].Signature.State != SignatureMissing {
		t.Errorf("first: %+v", got[0].Signature)
	}
	for _, l := range got[1:] {
		if l.Signature.State != SignatureGood || l.Signature.Key != keys[0].Fingerprint || l.Signature.By == "" {
			t.Errorf("%s: %+v", l.Subject, l.Signature)
		}
	}
	tip := string(got[len(got)-1].ID)
	sha := strings.TrimSpace(git(t, path, "-c", "gpg.format=ssh", "-c", "user.signingKey="+stranger, "commit-tree", "-S", "-p", tip, "-m", "x", "main^{tree}"))
	git(t, path, "update-ref", "refs/heads/main", sha)
	got = links(t, a)
	if s := got[len(got)-1].Signature; s.State != SignatureBad || !strings.Contains(s.Problem, "not allowed") {
		t.Errorf("stranger: %+v", s)
	}
}

// TestSignatureWithoutKeys: what is signed, and cannot be checked, is no good
// signature.
func TestSignatureWithoutKeys(t *testing.T) {
	a, path := create(t)
	c := shot(t, a, katprep.Snapshot{})
	key := sshKey(t, "-t", "ed25519")
	sha := strings.TrimSpace(git(t, path, "-c", "gpg.format=ssh", "-c", "user.signingKey="+key, "commit-tree", "-S", "-p", string(c), "-m", "x", "main^{tree}"))
	git(t, path, "update-ref", "refs/heads/main", sha)
	got := links(t, a)
	if s := got[len(got)-1].Signature; s.State != SignatureUnchecked {
		t.Errorf("%+v", s)
	}
}

func TestTagSignatures(t *testing.T) {
	_, path := create(t)
	a := signed(t, path, sign.Options{SSHKey: sshKey(t, "-t", "ed25519")})
	maintained(t, a)
	var run katprep.RunID
	for _, l := range links(t, a) {
		if r := l.Trailers[trailerRun]; r != "" {
			run = katprep.RunID(r)
		}
	}
	s, ok, err := a.TagSignature(t.Context(), run, katprep.After)
	if err != nil || !ok || s.State != SignatureGood {
		t.Errorf("%s: %+v, %v, %v", run, s, ok, err)
	}
	if _, ok, err := a.TagSignature(t.Context(), "none", katprep.After); ok || err != nil {
		t.Errorf("%v, %v", ok, err)
	}
	if _, ok, err := a.TagSignature(t.Context(), "../../heads/main", katprep.After); ok || err != nil {
		t.Errorf("%v, %v", ok, err)
	}
}

func TestVerificationOnRecord(t *testing.T) {
	a, path := create(t)
	shot(t, a, katprep.Snapshot{}, host("sat", "1", "web01"))
	if v, err := a.Verified(t.Context()); v != nil || err != nil {
		t.Fatalf("%+v, %v", v, err)
	}
	found := verify(t, a, VerifyOptions{})
	if _, err := a.PutVerified(t.Context(), found, "", "1.0.0"); err != nil {
		t.Fatal(err)
	}
	v, err := a.Verified(t.Context())
	if err != nil || v == nil || v.Tip != found.Tip || v.Commits != found.Commits || v.At.IsZero() {
		t.Fatalf("%+v, %v", v, err)
	}
	if again := verify(t, a, VerifyOptions{}); again.Broken() != nil {
		t.Errorf("%v", again.Findings)
	}
	if _, err := os.Stat(path); err != nil {
		t.Fatal(err)
	}
}
