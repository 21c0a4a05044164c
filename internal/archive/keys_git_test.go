package archive

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/internal/archive/sign"
	"github.com/stdevel/katprep/internal/peers"
)

// A token is an SSH agent with a key of a FIDO token (sk-ssh-ed25519). The
// token itself cannot be had here: its part is played as PROTOCOL.u2f of
// OpenSSH says, and ssh-keygen judges what comes of it.
type token struct {
	agent.Agent
	pub     ssh.PublicKey
	private ed25519.PrivateKey
	counter uint32
	refuse  bool // nobody touches it
}

const skApplication = "ssh:"

func newToken(t *testing.T) *token {
	t.Helper()
	pub, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	key, err := ssh.ParsePublicKey(ssh.Marshal(struct {
		Name        string
		Key         []byte
		Application string
	}{ssh.KeyAlgoSKED25519, pub, skApplication}))
	if err != nil {
		t.Fatal(err)
	}
	return &token{pub: key, private: private}
}

func (k *token) List() ([]*agent.Key, error) {
	return []*agent.Key{{Format: k.pub.Type(), Blob: k.pub.Marshal(), Comment: "token"}}, nil
}

func (k *token) Sign(_ ssh.PublicKey, data []byte) (*ssh.Signature, error) {
	if k.refuse {
		return nil, errors.New("nobody touched the token")
	}
	k.counter++
	const touched = 1
	rest := binary.BigEndian.AppendUint32([]byte{touched}, k.counter)
	app, msg := sha256.Sum256([]byte(skApplication)), sha256.Sum256(data)
	signed := append(append(append([]byte(nil), app[:]...), rest...), msg[:]...)
	return &ssh.Signature{Format: k.pub.Type(), Blob: ed25519.Sign(k.private, signed), Rest: rest}, nil
}

// serveAgent serves an agent and returns its socket.
func serveAgent(t *testing.T, a agent.Agent) string {
	t.Helper()
	socket := filepath.Join(t.TempDir(), "a")
	ln, err := (&net.ListenConfig{}).Listen(t.Context(), "unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go func() { defer c.Close(); _ = agent.ServeAgent(a, c) }()
		}
	}()
	return socket
}

// TestSigningWithToken signs with a sk- key through the agent.
func TestSigningWithToken(t *testing.T) {
	peers.Need(t, "git", "ssh-keygen")
	k := newToken(t)
	file := filepath.Join(t.TempDir(), "key.pub")
	if err := os.WriteFile(file, ssh.MarshalAuthorizedKey(k.pub), 0o600); err != nil {
		t.Fatal(err)
	}
	_, path := create(t)
	a := signed(t, path, sign.Options{SSHKey: file, Agent: serveAgent(t, k)})
	c := shot(t, a, katprep.Snapshot{Run: "p1", Phase: katprep.Before})
	if err := a.Tag(t.Context(), "p1", katprep.Before, c); err != nil {
		t.Fatal(err)
	}
	gitAgrees(t, path, "run/p1/before")
	if v := verify(t, a, VerifyOptions{}); v.Broken() != nil || v.Signed != 1 || v.Anchor != ssh.FingerprintSHA256(k.pub) {
		t.Errorf("%+v", v)
	}
	k.refuse = true
	w, err := a.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer w.Abort()
	if _, err := w.Commit(t.Context(), katprep.Snapshot{}); err == nil || !strings.Contains(err.Error(), "sign the commit") {
		t.Errorf("nobody touched the token: %v", err)
	}
	if log := all(t, a.Log(t.Context(), "")); len(log) != 1 {
		t.Errorf("%d commits", len(log))
	}
}

// gitVerifies asks Git whether a commit is signed by a key that is allowed at
// the tip.
func gitVerifies(t *testing.T, path, commit string) bool {
	t.Helper()
	signers := filepath.Join(t.TempDir(), "signers")
	if err := os.WriteFile(signers, []byte(git(t, path, "show", "main:"+signersFile)), 0o600); err != nil {
		t.Fatal(err)
	}
	c := exec.CommandContext(t.Context(), "git", "-C", path, "-c", "gpg.ssh.allowedSignersFile="+signers, "verify-commit", commit)
	c.Env = append(os.Environ(), "LC_ALL=C")
	out, err := c.CombinedOutput()
	log := git(t, path, "-c", "gpg.ssh.allowedSignersFile="+signers, "log", "-1", "--format=%G?", commit)
	if good := strings.TrimSpace(log) == "G"; good != (err == nil) {
		t.Errorf("git log says %q, git verify-commit %v: %s", log, err, out)
	}
	return err == nil
}

// TestGitAgreesOnTime: a key that was rotated out is good for the past and for
// nothing after it, for Git as for us.
func TestGitAgreesOnTime(t *testing.T) {
	peers.Need(t, "git", "ssh-keygen")
	_, path := create(t)
	ctx := t.Context()
	old, next := sshKey(t, "-t", "ed25519"), sshKey(t, "-t", "ecdsa")
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	clock := func() time.Time { return now }
	a := signed(t, path, sign.Options{SSHKey: old})
	a.opts.Now = clock
	first := shot(t, a, katprep.Snapshot{})
	pub, err := os.ReadFile(next + ".pub")
	if err != nil {
		t.Fatal(err)
	}
	now = now.Add(time.Hour)
	if _, err := a.AddKey(ctx, pub, "ann@example.com"); err != nil {
		t.Fatal(err)
	}
	b := signed(t, path, sign.Options{SSHKey: next})
	b.opts.Now = clock
	keys, err := b.Keys(ctx)
	if err != nil {
		t.Fatal(err)
	}
	now = now.Add(time.Hour)
	if err := b.RetireKey(ctx, keys[0].Fingerprint); err != nil {
		t.Fatal(err)
	}
	now = now.Add(time.Hour)
	last := shot(t, b, katprep.Snapshot{}, host("s", "1", "h1"))
	for _, c := range []katprep.CommitID{first, last} {
		if !gitVerifies(t, path, string(c)) {
			t.Errorf("git does not accept %s", c)
		}
	}
	w, err := a.Begin(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Commit(ctx, katprep.Snapshot{}); katprep.KindOf(err) != katprep.Denied {
		t.Errorf("a retired key signed: %v", err)
	}
	w.Abort()
	// The retired key's owner uses Git instead, after its time.
	t.Setenv("GIT_COMMITTER_DATE", now.Add(time.Hour).Format(time.RFC3339))
	late := strings.TrimSpace(git(t, path, "-c", "gpg.format=ssh", "-c", "user.signingKey="+old, "commit-tree", "-S", "-p", string(last), "-m", "x", "main^{tree}"))
	git(t, path, "update-ref", "refs/heads/main", late)
	if gitVerifies(t, path, late) {
		t.Error("git accepts a key after its time")
	}
	now = now.Add(2 * time.Hour)
	if v := verify(t, b, VerifyOptions{}); v.Broken() == nil || !strings.Contains(v.Broken().Message, "not valid at that time") {
		t.Errorf("%v", v.Findings)
	}
}

// TestExpiredOpenPGP: a key whose own time is over signs nothing.
func TestExpiredOpenPGP(t *testing.T) {
	peers.Need(t, "gpg", "git")
	home := t.TempDir()
	os.Chmod(home, 0o700)
	t.Setenv("GNUPGHOME", home)
	t.Cleanup(func() { exec.Command("gpgconf", "--homedir", home, "--kill", "all").Run() })
	run(t, "gpg", "--batch", "--quiet", "--faked-system-time", "20250101T000000", "--passphrase", "", "--quick-generate-key", "Ann <ann@example.com>", "ed25519", "sign", "1y")
	key := filepath.Join(t.TempDir(), "key.asc")
	if err := os.WriteFile(key, []byte(run(t, "gpg", "--batch", "--armor", "--export-secret-keys")), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := sign.Open(sign.Options{OpenPGPKey: key}); katprep.KindOf(err) != katprep.Denied || !strings.Contains(err.Error(), "expired") {
		t.Errorf("an expired key is opened: %v", err)
	}
}
