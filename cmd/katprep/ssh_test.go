//go:build unix

package main

import (
	"bytes"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stdevel/katprep/internal/lab"
	"github.com/stdevel/katprep/internal/sshx"
)

// TestSSH trusts a real sshd's key and takes a snapshot through it.
func TestSSH(t *testing.T) {
	s := lab.StartSSHD(t, lab.SSHDOptions{})
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	conf := filepath.Join(dir, "katprep.yml")
	text := fmt.Sprintf("archive: {path: archive.git}\nsources:\n  - {name: dmz, type: ssh, hosts: [\"%s:%d\"], user: %s, identity_file: %s, known_hosts: known_hosts}\n", s.Host, s.Port, me.Username, s.Key.File)
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	katprep := func(args ...string) (string, int) {
		var out bytes.Buffer
		code := run(t.Context(), append([]string{"--config", conf}, args...), streams{strings.NewReader(""), &out, &out}, []string{"HOME=" + dir, "NO_COLOR=1", "USER=" + me.Username})
		return out.String(), code
	}
	print := sshx.Fingerprint(s.HostKey.Signer.PublicKey())
	for _, c := range []struct {
		args []string
		code int
		says string
	}{
		{[]string{"init", "--no-config"}, 0, ""},
		{[]string{"snapshot"}, 3, "katprep ssh trust " + s.Host},
		{[]string{"ssh", "trust", "-oProxyCommand=x"}, 2, ""},
		{[]string{"ssh", "trust", s.Host}, 2, print},
		{[]string{"ssh", "trust", s.Host, "--fingerprint", "SHA256:wrong"}, 1, "none of its keys"},
		{[]string{"ssh", "trust", s.Host, "--fingerprint", print}, 0, "added to " + filepath.Join(dir, "known_hosts")},
		{[]string{"ssh", "trust", s.Host}, 0, "known already"},
		{[]string{"snapshot"}, 0, "1 host,"},
		{[]string{"show", s.Host}, 0, "packages      "},
	} {
		out, code := katprep(c.args...)
		if code != c.code || !strings.Contains(out, c.says) {
			t.Errorf("katprep %v: code %d, want %d with %q:\n%s", c.args, code, c.code, c.says, out)
		}
	}
}
