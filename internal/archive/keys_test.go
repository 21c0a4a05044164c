package archive

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/internal/archive/sign"
	"github.com/stdevel/katprep/internal/peers"
)

// sshKey makes a key with ssh-keygen and returns its private file.
func sshKey(t testing.TB, args ...string) string {
	t.Helper()
	peers.Need(t, "ssh-keygen")
	path := filepath.Join(t.TempDir(), "key")
	run(t, "ssh-keygen", append([]string{"-q", "-N", "", "-f", path}, args...)...)
	return path
}

func run(t testing.TB, name string, args ...string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

// signed opens an archive with a key for signing.
func signed(t testing.TB, path string, o sign.Options) *Archive {
	t.Helper()
	s, err := sign.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	a, err := Open(path, Options{Author: ann, Sign: s})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close() })
	return a
}

// gitAgrees lets Git verify the tip and a tag with the keys in the archive.
func gitAgrees(t *testing.T, path, tag string, config ...string) {
	t.Helper()
	signers := filepath.Join(t.TempDir(), "allowed_signers")
	text := git(t, path, "show", "main:policy/")
	if strings.Contains(text, "allowed_signers") {
		if err := os.WriteFile(signers, []byte(git(t, path, "show", "main:"+signersFile)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	args := append([]string{"-c", "gpg.ssh.allowedSignersFile=" + signers}, config...)
	for _, check := range [][]string{{"verify-commit", "-v", "main"}, {"verify-tag", "-v", tag}, {"log", "--show-signature", "-1", "main"}} {
		if out := git(t, path, append(append([]string(nil), args...), check...)...); !strings.Contains(strings.ToLower(out), "good") {
			t.Errorf("git %v: %s", check, out)
		}
	}
}

func TestSigningWithSSH(t *testing.T) {
	for _, kind := range [][]string{{"-t", "ed25519"}, {"-t", "rsa", "-b", "2048"}, {"-t", "ecdsa"}} {
		t.Run(kind[1], func(t *testing.T) {
			_, path := create(t)
			a := signed(t, path, sign.Options{SSHKey: sshKey(t, kind...)})
			c := shot(t, a, katprep.Snapshot{Run: "p1", Phase: katprep.Before}, host("s", "1", "h1"))
			if err := a.Tag(t.Context(), "p1", katprep.Before, c); err != nil {
				t.Fatal(err)
			}
			gitAgrees(t, path, "run/p1/before")
			if log := all(t, a.Log(t.Context(), "")); !log[0].Signed {
				t.Error("the log says it is not signed")
			}
			fsck(t, path)
		})
	}
}

func TestSigningWithAgent(t *testing.T) {
	key := sshKey(t, "-t", "ed25519")
	ring := agent.NewKeyring()
	text, err := os.ReadFile(key)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := ssh.ParseRawPrivateKey(text)
	if err != nil {
		t.Fatal(err)
	}
	if err := ring.Add(agent.AddedKey{PrivateKey: raw}); err != nil {
		t.Fatal(err)
	}
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
			go func() { defer c.Close(); _ = agent.ServeAgent(ring, c) }()
		}
	}()
	_, path := create(t)
	o := sign.Options{SSHKey: key + ".pub", Agent: socket}
	a := signed(t, path, o)
	c := shot(t, a, katprep.Snapshot{})
	if err := a.Tag(t.Context(), "p1", katprep.Before, c); err != nil {
		t.Fatal(err)
	}
	gitAgrees(t, path, "run/p1/before")
	if err := ring.RemoveAll(); err != nil {
		t.Fatal(err)
	}
	if _, err := sign.Open(o); katprep.KindOf(err) != katprep.NotFound {
		t.Errorf("agent without the key: %v", err)
	}
	// The key went away while the archive is open: an error, not an unsigned commit.
	w, err := a.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer w.Abort()
	if _, err := w.Commit(t.Context(), katprep.Snapshot{}); err == nil || !strings.Contains(err.Error(), "sign") {
		t.Errorf("commit without the key: %v", err)
	}
	if log := all(t, a.Log(t.Context(), "")); len(log) != 1 {
		t.Errorf("%d commits", len(log))
	}
}

func TestSigningWithOpenPGP(t *testing.T) {
	peers.Need(t, "gpg")
	home := t.TempDir()
	os.Chmod(home, 0o700)
	t.Setenv("GNUPGHOME", home)
	t.Cleanup(func() { exec.Command("gpgconf", "--homedir", home, "--kill", "all").Run() })
	run(t, "gpg", "--batch", "--quiet", "--passphrase", "", "--quick-generate-key", "Ann <ann@example.com>", "ed25519", "sign", "1y")
	key := filepath.Join(t.TempDir(), "key.asc")
	if err := os.WriteFile(key, []byte(run(t, "gpg", "--batch", "--armor", "--export-secret-keys")), 0o600); err != nil {
		t.Fatal(err)
	}
	_, path := create(t)
	a := signed(t, path, sign.Options{OpenPGPKey: key})
	c := shot(t, a, katprep.Snapshot{})
	if err := a.Tag(t.Context(), "p1", katprep.Before, c); err != nil {
		t.Fatal(err)
	}
	shot(t, a, katprep.Snapshot{})
	gitAgrees(t, path, "run/p1/before")
	keys, err := a.Keys(t.Context())
	if err != nil || len(keys) != 1 || keys[0].Kind != sign.OpenPGP || !strings.Contains(run(t, "gpg", "--fingerprint", "--with-colons"), keys[0].Fingerprint) {
		t.Errorf("keys %+v, %v", keys, err)
	}
}

// TestKeysChange rotates keys: the past stays good, nobody lets himself in.
func TestKeysChange(t *testing.T) {
	_, path := create(t)
	ctx := t.Context()
	old, next := sshKey(t, "-t", "ed25519"), sshKey(t, "-t", "ed25519")
	a, b := signed(t, path, sign.Options{SSHKey: old}), signed(t, path, sign.Options{SSHKey: next})
	shot(t, a, katprep.Snapshot{})
	if _, err := snapshotOnce(t, path); katprep.KindOf(err) != katprep.Denied {
		t.Errorf("unsigned commit: %v", err)
	}
	w, err := b.Begin(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Commit(ctx, katprep.Snapshot{}); katprep.KindOf(err) != katprep.Denied {
		t.Errorf("commit with a foreign key: %v", err)
	}
	pub, err := os.ReadFile(next + ".pub")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.AddKey(ctx, pub, "mallory"); katprep.KindOf(err) != katprep.Denied {
		t.Errorf("a key let itself in: %v", err)
	}
	keys, err := a.Keys(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err := a.RetireKey(ctx, keys[0].Fingerprint); katprep.KindOf(err) != katprep.Invalid {
		t.Errorf("the last key: %v", err)
	}
	if _, err := a.AddKey(ctx, pub, "bob@example.com"); err != nil {
		t.Fatal(err)
	}
	shot(t, b, katprep.Snapshot{})
	if err := b.RetireKey(ctx, keys[0].Fingerprint); err != nil {
		t.Fatal(err)
	}
	shot(t, b, katprep.Snapshot{})
	if err := b.Tag(ctx, "p1", katprep.Before, must(b.Resolve(ctx, "latest"))); err != nil {
		t.Fatal(err)
	}
	gitAgrees(t, path, "run/p1/before")
	signers := filepath.Join(t.TempDir(), "allowed_signers")
	if err := os.WriteFile(signers, []byte(git(t, path, "show", "main:"+signersFile)), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range all(t, a.Log(ctx, "")) { // also those of the retired key
		git(t, path, "-c", "gpg.ssh.allowedSignersFile="+signers, "verify-commit", string(c.ID))
	}
}

func TestKeyFilesThatDoNotWork(t *testing.T) {
	key := sshKey(t, "-t", "ed25519")
	locked := sshKey(t, "-t", "ed25519")
	run(t, "ssh-keygen", "-q", "-p", "-N", "secret", "-f", locked)
	open := sshKey(t, "-t", "ed25519")
	os.Chmod(open, 0o644)
	junk := filepath.Join(t.TempDir(), "junk")
	if err := os.WriteFile(junk, []byte("junk"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		o    sign.Options
		want katprep.Kind
	}{
		{sign.Options{}, katprep.Invalid}, {sign.Options{SSHKey: junk + "x"}, katprep.NotFound}, {sign.Options{SSHKey: junk}, katprep.Invalid},
		{sign.Options{OpenPGPKey: junk}, katprep.Invalid}, {sign.Options{SSHKey: key + ".pub"}, katprep.NotFound}, {sign.Options{SSHKey: locked}, katprep.Unlock},
		{sign.Options{SSHKey: locked, Passphrase: func(string) ([]byte, error) { return []byte("wrong"), nil }}, katprep.Unlock},
		{sign.Options{SSHKey: open}, katprep.Denied},
		{sign.Options{SSHKey: key + ".pub", Agent: junk}, katprep.Unreachable},
	} {
		if _, err := sign.Open(c.o); err == nil || katprep.KindOf(err) != c.want {
			t.Errorf("%+v: %v", c.o, err)
		}
	}
	if _, err := sign.Open(sign.Options{SSHKey: locked, Passphrase: func(string) ([]byte, error) { return []byte("secret"), nil }}); err != nil {
		t.Error(err)
	}
}
