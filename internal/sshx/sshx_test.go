//go:build unix

package sshx

import (
	"bytes"
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/internal/lab"
	"github.com/stdevel/katprep/internal/peers"
	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"
)

func me(t *testing.T) string {
	t.Helper()
	u, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	return u.Username
}

// options log in to one sshd without any configuration of the user's.
func options(t *testing.T, s *lab.SSHD) Options {
	return Options{User: me(t), Port: s.Port, Identity: []string{s.Key.File}, KnownHosts: []string{s.KnownHosts}, Timeout: 10 * time.Second}
}

func run(t *testing.T, o Options, h Host, command, stdin string) (string, int, error) {
	t.Helper()
	c, err := New(o).Dial(t.Context(), h)
	if err != nil {
		return "", 0, err
	}
	defer c.Close()
	var out, complaints bytes.Buffer
	rc, err := c.Run(t.Context(), command, strings.NewReader(stdin), &out, &complaints)
	return out.String(), rc, err
}

func TestRun(t *testing.T) {
	banner := filepath.Join(t.TempDir(), "banner")
	os.WriteFile(banner, []byte("Authorized use only!\n@@ end\n"), 0o644)
	s := lab.StartSSHD(t, lab.SSHDOptions{Lines: []string{"Banner " + banner}})
	out, rc, err := run(t, options(t, s), Host{Name: s.Host}, "cat; exit 7", "hello")
	if err != nil || out != "hello" || rc != 7 {
		t.Errorf("got %q, %d, %v", out, rc, err)
	}
}

func TestIPv6(t *testing.T) {
	if l, err := net.Listen("tcp", "[::1]:0"); err != nil {
		peers.Missing(t, "there is no IPv6 loopback")
	} else {
		l.Close()
	}
	s := lab.StartSSHD(t, lab.SSHDOptions{Listen: "::1"})
	if out, _, err := run(t, options(t, s), Host{Name: "::1"}, "echo six", ""); err != nil || out != "six\n" {
		t.Errorf("got %q, %v", out, err)
	}
}

// TestHostKeys: only the key that is known lets katprep in.
func TestHostKeys(t *testing.T) {
	s := lab.StartSSHD(t, lab.SSHDOptions{})
	dir := t.TempDir()
	other := lab.NewKey(t, filepath.Join(dir, "other"), "ed25519", "")
	rsa := lab.NewKey(t, filepath.Join(dir, "rsa"), "rsa", "")
	name := "[" + s.Host + "]:" + strconv.Itoa(s.Port) + " "
	for what, c := range map[string]struct{ known, says, hint string }{
		"unknown":      {"", "not in known_hosts", "katprep ssh trust"},
		"other host":   {"example.com " + s.HostKey.Authorized(), "not in known_hosts", "katprep ssh trust"},
		"changed":      {name + other.Authorized(), "not the one in known_hosts", "ssh-keygen -R"},
		"other kind":   {name + rsa.Authorized(), "kind that is not in known_hosts", "katprep ssh trust"},
		"revoked":      {"@revoked * " + s.HostKey.Authorized(), "revoked", ""},
		"no such file": {"-", "not in known_hosts", "katprep ssh trust"},
	} {
		o := options(t, s)
		o.KnownHosts = []string{filepath.Join(dir, "known")}
		os.Remove(o.KnownHosts[0])
		if c.known != "-" {
			os.WriteFile(o.KnownHosts[0], []byte(c.known), 0o600)
		}
		_, _, err := run(t, o, Host{Name: s.Host}, "true", "")
		if katprep.KindOf(err) != katprep.Denied || !strings.Contains(err.Error(), c.says) || !strings.Contains(katprep.HintOf(err), c.hint) {
			t.Errorf("%s: %v (hint %q)", what, err, katprep.HintOf(err))
		}
	}
}

func TestTwoKindsOfHostKey(t *testing.T) {
	dir := t.TempDir()
	rsa := lab.NewKey(t, filepath.Join(dir, "rsa"), "rsa", "")
	s := lab.StartSSHD(t, lab.SSHDOptions{Lines: []string{"HostKey " + rsa.File}})
	o := options(t, s)
	o.KnownHosts = []string{filepath.Join(dir, "known")}
	os.WriteFile(o.KnownHosts[0], []byte("["+s.Host+"]:"+strconv.Itoa(s.Port)+" "+rsa.Authorized()), 0o600)
	if _, _, err := run(t, o, Host{Name: s.Host}, "true", ""); err != nil {
		t.Errorf("a host known by its RSA key only: %v", err)
	}
}

func TestLogins(t *testing.T) {
	dir := t.TempDir()
	ca := lab.NewKey(t, filepath.Join(dir, "ca"), "ed25519", "")
	s := lab.StartSSHD(t, lab.SSHDOptions{Lines: []string{"TrustedUserCAKeys " + ca.File + ".pub"}})
	certified := lab.NewKey(t, filepath.Join(dir, "certified"), "rsa", "")
	lab.NewCert(t, certified.File+"-cert.pub", ca, certified, me(t))
	stranger := lab.NewKey(t, filepath.Join(dir, "stranger"), "ecdsa", "")
	locked := lab.NewKey(t, filepath.Join(dir, "locked"), "ed25519", "secret")
	os.WriteFile(filepath.Join(dir, "garbage"), []byte("no key"), 0o600)
	for what, c := range map[string]struct {
		files []string
		says  string // "" means that it works
	}{
		"key":            {[]string{s.Key.File}, ""},
		"certificate":    {[]string{certified.File}, ""},
		"second of four": {[]string{stranger.File, filepath.Join(dir, "missing"), filepath.Join(dir, "garbage"), s.Key.File}, ""},
		"stranger":       {[]string{stranger.File}, "unable to authenticate"},
		"passphrase":     {[]string{locked.File}, "has a passphrase"},
		"none":           {nil, "no usable key"},
	} {
		o := options(t, s)
		o.Identity = c.files
		_, _, err := run(t, o, Host{Name: s.Host}, "true", "")
		if c.says == "" && err != nil || c.says != "" && (katprep.KindOf(err) != katprep.Denied || !strings.Contains(err.Error(), c.says)) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func TestPasswordWanted(t *testing.T) {
	s := lab.StartSSHD(t, lab.SSHDOptions{Lines: []string{"PubkeyAuthentication no"}})
	if _, _, err := run(t, options(t, s), Host{Name: s.Host}, "true", ""); katprep.KindOf(err) != katprep.Denied || !strings.Contains(katprep.HintOf(err), "keys only") {
		t.Errorf("%v (hint %q)", err, katprep.HintOf(err))
	}
}

func TestAgent(t *testing.T) {
	s := lab.StartSSHD(t, lab.SSHDOptions{})
	socket := filepath.Join(t.TempDir(), "agent")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	keys := agent.NewKeyring()
	b, _ := os.ReadFile(s.Key.File)
	private, err := ssh.ParseRawPrivateKey(b)
	if err != nil {
		t.Fatal(err)
	}
	if err := keys.Add(agent.AddedKey{PrivateKey: private}); err != nil {
		t.Fatal(err)
	}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() { _ = agent.ServeAgent(keys, c) }()
		}
	}()
	o := options(t, s)
	o.Identity, o.Agent = nil, socket
	if _, _, err := run(t, o, Host{Name: s.Host}, "true", ""); err != nil {
		t.Errorf("with the agent: %v", err)
	}
	o.Agent = socket + ".gone"
	if _, _, err := run(t, o, Host{Name: s.Host}, "true", ""); err == nil || !strings.Contains(err.Error(), "ssh agent") {
		t.Errorf("without its agent: %v", err)
	}
}

func TestProxyJump(t *testing.T) {
	jump, target := lab.StartSSHD(t, lab.SSHDOptions{}), lab.StartSSHD(t, lab.SSHDOptions{})
	known := filepath.Join(t.TempDir(), "known")
	os.WriteFile(known, []byte(jump.KnownLine()+target.KnownLine()), 0o600)
	o := options(t, target)
	o.KnownHosts, o.Identity = []string{known}, []string{target.Key.File, jump.Key.File}
	o.Jump = me(t) + "@" + jump.Host + ":" + strconv.Itoa(jump.Port)
	if out, _, err := run(t, o, Host{Name: target.Host}, "echo through", ""); err != nil || out != "through\n" {
		t.Errorf("got %q, %v", out, err)
	}
	log, _ := os.ReadFile(jump.Log)
	if !strings.Contains(string(log), "Accepted publickey") {
		t.Errorf("the jump host saw no login:\n%s", log)
	}
	os.WriteFile(known, []byte(target.KnownLine()), 0o600)
	if _, _, err := run(t, o, Host{Name: target.Host}, "true", ""); katprep.KindOf(err) != katprep.Denied {
		t.Errorf("an unknown jump host was used: %v", err)
	}
}

// TestUserConfig reads ~/.ssh/config through the real ssh program.
func TestUserConfig(t *testing.T) {
	peers.Need(t, "ssh")
	s := lab.StartSSHD(t, lab.SSHDOptions{})
	conf := filepath.Join(t.TempDir(), "config")
	os.WriteFile(conf, []byte("Host web\n HostName "+s.Host+"\n Port "+strconv.Itoa(s.Port)+"\n User "+me(t)+"\n IdentityFile "+s.Key.File+
		"\n UserKnownHostsFile "+s.KnownHosts+"\nHost behind\n ProxyCommand nc %h %p\n"), 0o600)
	o := Options{SSH: FindSSH(), ConfigFile: conf, Timeout: 10 * time.Second}
	if out, _, err := run(t, o, Host{Name: "web"}, "echo configured", ""); err != nil || out != "configured\n" {
		t.Errorf("got %q, %v", out, err)
	}
	if _, _, err := run(t, o, Host{Name: "behind"}, "true", ""); katprep.KindOf(err) != katprep.Invalid || !strings.Contains(err.Error(), "ProxyCommand") {
		t.Errorf("ProxyCommand: %v", err)
	}
}

// TestConfigOfAllHosts: without anything for particular hosts, ssh is asked
// once; with it, for each.
func TestConfigOfAllHosts(t *testing.T) {
	home := t.TempDir()
	os.MkdirAll(filepath.Join(home, ".ssh"), 0o700)
	ssh := filepath.Join(home, "ssh")
	os.WriteFile(ssh, []byte("#!/bin/sh\nfor h; do :; done\necho asked >>"+home+"/asked\necho hostname $h\necho user u\necho port 2200\n"), 0o700)
	for what, c := range map[string]struct {
		config string
		asked  int
	}{
		"none": {"", 1}, "for all": {"Host *\n User=u\n# %h\n", 1}, "for one": {"Host b\n User u\n", 2}, "match": {"match all\n", 2}, "token": {"UserKnownHostsFile ~/%h\n", 2}, "include": {"Include x\n", 2},
	} {
		os.WriteFile(filepath.Join(home, ".ssh/config"), []byte(c.config), 0o600)
		os.Remove(home + "/asked")
		d := New(Options{SSH: ssh, Home: home})
		for _, name := range []string{"a", "b"} {
			r, err := d.resolve(t.Context(), Host{Name: name})
			if err != nil || r.host != name || r.user != "u" || r.port != 2200 {
				t.Errorf("%s: %+v, %v", what, r, err)
			}
		}
		if b, _ := os.ReadFile(home + "/asked"); strings.Count(string(b), "asked") != c.asked && !slices.ContainsFunc(systemFiles(), namesHosts) {
			t.Errorf("%s: asked %d times, want %d", what, strings.Count(string(b), "asked"), c.asked)
		}
	}
}

func systemFiles() []string {
	files, _ := filepath.Glob("/etc/ssh/ssh_config.d/*")
	return append(files, "/etc/ssh/ssh_config")
}

func TestUnreachable(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	o := Options{User: "x", Port: port, Timeout: 300 * time.Millisecond}
	if _, _, err := run(t, o, Host{Name: "127.0.0.1"}, "true", ""); katprep.KindOf(err) != katprep.Unreachable || !strings.Contains(err.Error(), "no connection within") {
		t.Errorf("silent server: %v", err)
	}
	l.Close()
	o.Timeout = 10 * time.Second
	if _, _, err := run(t, o, Host{Name: "127.0.0.1"}, "true", ""); katprep.KindOf(err) != katprep.Unreachable || !strings.Contains(err.Error(), "refused") {
		t.Errorf("nobody listens: %v", err)
	}
	if _, _, err := run(t, o, Host{Name: "no-such-host.invalid"}, "true", ""); katprep.KindOf(err) != katprep.Unreachable {
		t.Errorf("no address: %v", err)
	}
}

func TestDeadlineEndsACommand(t *testing.T) {
	s := lab.StartSSHD(t, lab.SSHDOptions{})
	c, err := New(options(t, s)).Dial(t.Context(), Host{Name: s.Host})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	ctx, cancel := context.WithTimeoutCause(t.Context(), 300*time.Millisecond, errors.New("too slow"))
	defer cancel()
	if _, err := c.Run(ctx, "sleep 600", nil, nil, nil); err == nil || !strings.Contains(err.Error(), "too slow") {
		t.Errorf("error %v", err)
	}
}

func TestTheOtherSideDies(t *testing.T) {
	s := lab.StartSSHD(t, lab.SSHDOptions{})
	c, err := New(options(t, s)).Dial(t.Context(), Host{Name: s.Host})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	kill := "kill -9 $PPID; sleep 600"
	if _, err := c.Run(t.Context(), kill, nil, nil, nil); katprep.KindOf(err) != katprep.Unreachable {
		t.Errorf("error %v", err)
	}
}

func TestTrust(t *testing.T) {
	rsaKey := lab.NewKey(t, filepath.Join(t.TempDir(), "rsa"), "rsa", "")
	s := lab.StartSSHD(t, lab.SSHDOptions{Lines: []string{"HostKey " + rsaKey.File}})
	o := options(t, s)
	o.KnownHosts = []string{filepath.Join(t.TempDir(), "ssh", "known")}
	hk, err := New(o).ScanHostKeys(t.Context(), Host{Name: s.Host})
	if err != nil || len(hk.Keys) != 2 || hk.Known || hk.Changed {
		t.Fatalf("scan: %+v, %v", hk, err)
	}
	if got, want := Fingerprint(hk.Keys[0]), Fingerprint(s.HostKey.Signer.PublicKey()); got != want {
		t.Errorf("fingerprint %s, want %s", got, want)
	}
	if _, err := os.Stat(o.KnownHosts[0]); err == nil {
		t.Error("scanning alone wrote a file")
	}
	if err := Trust(hk, hk.File); err != nil {
		t.Fatal(err)
	}
	if _, _, err := run(t, o, Host{Name: s.Host}, "true", ""); err != nil {
		t.Errorf("a trusted host: %v", err)
	}
	if peersHave("ssh-keygen") {
		if out, err := exec.Command("ssh-keygen", "-l", "-F", hk.Name, "-f", hk.File).CombinedOutput(); err != nil {
			t.Errorf("ssh-keygen does not find it: %v\n%s", err, out)
		}
	}
	if hk, err = New(o).ScanHostKeys(t.Context(), Host{Name: s.Host}); err != nil || !hk.Known {
		t.Errorf("scan again: %+v, %v", hk, err)
	}
	other := lab.NewKey(t, filepath.Join(t.TempDir(), "other"), "ed25519", "")
	os.WriteFile(o.KnownHosts[0], []byte(hk.Name+" "+other.Authorized()), 0o600)
	if hk, err = New(o).ScanHostKeys(t.Context(), Host{Name: s.Host}); err != nil || !hk.Changed {
		t.Errorf("changed: %+v, %v", hk, err)
	}
	if err := Trust(hk, hk.File); katprep.KindOf(err) != katprep.Conflict {
		t.Errorf("a changed key was trusted: %v", err)
	}
}

func peersHave(p string) bool { _, err := exec.LookPath(p); return err == nil }

func TestAppendLine(t *testing.T) {
	f := filepath.Join(t.TempDir(), "known")
	os.WriteFile(f, []byte("first"), 0o600)
	if err := appendLine(f, "second\n"); err != nil {
		t.Fatal(err)
	}
	if b, _ := os.ReadFile(f); string(b) != "first\nsecond\n" {
		t.Errorf("got %q", b)
	}
}
