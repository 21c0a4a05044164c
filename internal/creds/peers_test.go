package creds

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"
	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/internal/peers"
)

func runs(t *testing.T, stdin string, name string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Stdin = strings.NewReader(stdin)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v: %s", name, err, stderr.String())
	}
	return string(out)
}

// Files for recipients open with each one's private key, and the real age
// program reads them too.
func TestRecipientsWithRealKeys(t *testing.T) {
	peers.Need(t, "age", "age-keygen", "ssh-keygen")
	dir := t.TempDir()
	key := func(name string) string { return filepath.Join(dir, name) }
	runs(t, "", "age-keygen", "-o", key("age"))
	runs(t, "", "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key("ed25519"))
	runs(t, "", "ssh-keygen", "-q", "-t", "rsa", "-b", "2048", "-N", "", "-f", key("rsa"))
	runs(t, "", "ssh-keygen", "-q", "-t", "ed25519", "-N", "open sesame", "-f", key("locked"))
	runs(t, "", "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key("stranger"))
	var to []string
	for _, pub := range []string{"ed25519.pub", "rsa.pub", "locked.pub"} {
		b, err := os.ReadFile(key(pub))
		if err != nil {
			t.Fatal(err)
		}
		to = append(to, ReadRecipients("# comment\n\n"+string(b))...)
	}
	to = append(to, strings.TrimSpace(runs(t, "", "age-keygen", "-y", key("age"))))
	f := NewFile(key("credentials.age"))
	f.Set("satellite", Login{User: "u", Password: NewSecret("s3cret")})
	if err := f.ProtectFor(to); err != nil {
		t.Fatal(err)
	}
	if err := f.Save(); err != nil {
		t.Fatal(err)
	}
	asked := 0
	unlock := func(context.Context, string) (Secret, error) { asked++; return NewSecret("open sesame"), nil }
	for _, name := range []string{"age", "ed25519", "rsa", "locked"} {
		got, err := OpenFile(t.Context(), f.Path(), Key{Identity: key(name), Unlock: unlock})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if l, _ := got.Get("satellite"); l.Password.Reveal() != "s3cret" || len(got.Recipients()) != 4 {
			t.Errorf("%s: %+v for %v", name, l, got.Recipients())
		}
	}
	if asked != 1 {
		t.Errorf("asked for a key's passphrase %d times", asked)
	}
	for _, id := range []string{"", key("stranger"), key("nowhere")} {
		if _, err := OpenFile(t.Context(), f.Path(), Key{Identity: id}); katprep.KindOf(err) != katprep.Unlock {
			t.Errorf("key %q: %v", id, err)
		}
	}
	if out := runs(t, "", "age", "-d", "-i", key("age"), f.Path()); !strings.Contains(out, "s3cret") {
		t.Errorf("age -d: %s", out)
	}
	if err := f.ProtectFor([]string{"AGE-SECRET-KEY-1X"}); katprep.KindOf(err) != katprep.Invalid {
		t.Errorf("private key as recipient: %v", err)
	}
}

// Tokens of the real Fernet implementation, with the predecessor's keys of
// both Pythons.
func TestFernetPeer(t *testing.T) {
	peers.Need(t, "python3")
	if exec.CommandContext(t.Context(), "python3", "-c", "import cryptography.fernet").Run() != nil {
		peers.Missing(t, "python3-cryptography is not installed")
	}
	const script = `
import base64, json, sys
from cryptography.fernet import Fernet
out = []
for password in ["test123", "", "+sign", "-", "x"*40, "0abc", "pässword-with-ümlauts", "ж"*20]:
    for secret in ["", "s", "sixteen byte txt", "ünïcode €"*9]:
        raw = password.encode()
        keys = [raw.zfill(32)[-32:], password.zfill(32)[-32:].encode()]
        for key in keys:
            if len(key) == 32 and password:
                tok = Fernet(base64.b64encode(key)).encrypt(secret.encode())
                out.append([password, secret, "s/" + tok.decode()])
                out.append([password, secret, "s/{0}".format(tok)])
print(json.dumps(out))`
	for _, c := range decodeTriples(t, runs(t, "", "python3", "-c", script)) {
		password, secret, stored := c[0], c[1], c[2]
		box := &Container{entries: map[string]containerEntry{"h": {"u", stored}}}
		if !box.Encrypted() {
			t.Fatalf("%q is not seen as encrypted", stored)
		}
		got, err := box.Logins(NewSecret(password))
		if err != nil || got["h"].Password.Reveal() != secret {
			t.Errorf("password %q, secret %q: %v", password, secret, err)
		}
		if _, err := box.Logins(NewSecret(password + "!")); err == nil {
			t.Errorf("password %q: a wrong one fits", password)
		}
	}
}

// The keyring is a real Secret Service on a message bus of the test's own.
func TestKeyringPeer(t *testing.T) {
	peers.Need(t, "dbus-daemon", "gnome-keyring-daemon", "secret-tool")
	home := t.TempDir()
	t.Setenv("HOME", home)
	t.Setenv("XDG_RUNTIME_DIR", home)
	t.Setenv("XDG_DATA_HOME", filepath.Join(home, "data"))
	bus := exec.CommandContext(t.Context(), "dbus-daemon", "--session", "--nofork", "--print-address", "--address=unix:path="+filepath.Join(home, "bus"))
	address := start(t, bus)
	t.Setenv("DBUS_SESSION_BUS_ADDRESS", strings.TrimSpace(address))
	daemon := exec.CommandContext(t.Context(), "gnome-keyring-daemon", "--foreground", "--unlock", "--components=secrets")
	daemon.Stdin = strings.NewReader("keyring password")
	if err := daemon.Start(); err != nil {
		t.Fatal(err)
	}
	stopLater(t, daemon)
	waitForName(t, "org.freedesktop.secrets")

	f := New(Options{Keyring: true})
	want := Login{User: "ring-user", Password: NewSecret("s3cret")}
	if err := f.SetKeyring(t.Context(), "satellite", want); err != nil {
		t.Fatal(err)
	}
	l, origin, err := f.Find(t.Context(), Request{Name: "satellite"})
	if err != nil || l != want || origin != "keyring" {
		t.Errorf("%+v from %s: %v", l, origin, err)
	}
	if _, _, err := f.Find(t.Context(), Request{Name: "nobody"}); katprep.KindOf(err) != katprep.NotFound {
		t.Errorf("not there: %v", err)
	}
	runs(t, "bare", "secret-tool", "store", "--label=x", "service", keyringService, "username", "foreign")
	f.o.Prompt = &answers{list: []string{"me"}}
	if l, _, err := f.Find(t.Context(), Request{Name: "foreign"}); err != nil || l.Password.Reveal() != "bare" || l.User != "me" {
		t.Errorf("stored by another tool: %+v, %v", l, err)
	}
}

// start starts a program, waits for its first line and stops it at the end.
func start(t *testing.T, cmd *exec.Cmd) string {
	t.Helper()
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	stopLater(t, cmd)
	line := make([]byte, 4096)
	n, err := out.Read(line)
	if err != nil {
		t.Fatalf("%s: %v", cmd.Path, err)
	}
	return string(line[:n])
}

func stopLater(t *testing.T, cmd *exec.Cmd) {
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
}

// waitForName waits until somebody owns a name on the message bus.
func waitForName(t *testing.T, name string) {
	t.Helper()
	conn, err := dbus.ConnectSessionBus(dbus.WithContext(t.Context()))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	for range 500 {
		var owned bool
		if err := conn.BusObject().Call("org.freedesktop.DBus.NameHasOwner", 0, name).Store(&owned); err != nil {
			t.Fatal(err)
		}
		if owned {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Fatalf("nobody owns %s", name)
}
