package libvirt_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"os/user"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/act"
	"github.com/stdevel/katprep/act/libvirt"
	"github.com/stdevel/katprep/internal/lab"
	"github.com/stdevel/katprep/internal/sshx"
	"github.com/stdevel/katprep/internal/vm"
)

// connects opens the URI and asks for a VM of the test driver.
func connects(t *testing.T, o libvirt.Options) error {
	t.Helper()
	o.Limits = vm.Limits{Read: 20 * time.Second}
	c, err := libvirt.New(o)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(t.Context())
	s, err := c.PowerState(t.Context(), act.Target{Name: "test"})
	if err == nil && s != act.PoweredOn {
		t.Errorf("%s: the VM is %q", o.URI, s)
	}
	return err
}

// TestOverSSH goes through a real sshd to the daemon's socket.
func TestOverSSH(t *testing.T) {
	d := start(t)
	s := lab.StartSSHD(t, lab.SSHDOptions{})
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	uri := fmt.Sprintf("test+ssh://%s@%s:%d/default?socket=%s&keyfile=%s", me.Username, s.Host, s.Port, d.socket(), s.Key.File)
	if err := connects(t, libvirt.Options{URI: uri + "&known_hosts=" + s.KnownHosts}); err != nil {
		t.Error(err)
	}
	other := filepath.Join(t.TempDir(), "known_hosts")
	write(t, other, "")
	if err := connects(t, libvirt.Options{URI: uri, SSH: sshx.Options{KnownHosts: []string{other}}}); katprep.KindOf(err) != katprep.Denied {
		t.Errorf("unknown host key: %v", err)
	}
	changed := lab.StartSSHD(t, lab.SSHDOptions{})
	_, key, _ := strings.Cut(changed.KnownLine(), " ")
	write(t, other, fmt.Sprintf("[%s]:%d %s", s.Host, s.Port, key))
	if err := connects(t, libvirt.Options{URI: uri, SSH: sshx.Options{KnownHosts: []string{other}}}); katprep.KindOf(err) != katprep.Denied {
		t.Errorf("changed host key: %v", err)
	}
	gone := strings.Replace(uri, d.socket(), d.socket()+"-none", 1)
	if err := connects(t, libvirt.Options{URI: gone + "&known_hosts=" + s.KnownHosts}); katprep.KindOf(err) != katprep.Unreachable {
		t.Errorf("no socket: %v", err)
	}
}

// TestOverTLS needs a client certificate that the daemon accepts.
func TestOverTLS(t *testing.T) {
	if otherRoot() != "" {
		t.Skip("the other tree does not see the certificates")
	}
	port := freePort(t)
	pki, stranger := t.TempDir(), t.TempDir()
	certificates(t, pki)
	certificates(t, stranger)
	startWith(t, fmt.Sprintf("listen_tls = 1\nlisten_addr = \"127.0.0.1\"\ntls_port = \"%d\"\nauth_tls = \"none\"\nkey_file = %q\ncert_file = %q\nca_file = %q\n",
		port, pki+"/serverkey.pem", pki+"/servercert.pem", pki+"/cacert.pem"), "-l")
	uri := fmt.Sprintf("test+tls://127.0.0.1:%d/default?pkipath=", port)
	if err := connects(t, libvirt.Options{URI: uri + pki}); err != nil {
		t.Error(err)
	}
	if err := connects(t, libvirt.Options{URI: uri + stranger}); katprep.KindOf(err) != katprep.Unreachable {
		t.Errorf("a server of another authority: %v", err)
	}
	if err := connects(t, libvirt.Options{URI: uri + stranger, CAFile: pki + "/cacert.pem"}); katprep.KindOf(err) != katprep.Denied {
		t.Errorf("a client of another authority: %v", err)
	}
}

func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// certificates makes an authority, and a server and a client of it, under the
// names that libvirt looks for.
func certificates(t *testing.T, dir string) {
	t.Helper()
	ca := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test CA"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	caKey := certificate(t, dir, "ca", ca, ca, nil)
	for i, name := range []string{"server", "client"} {
		usage := []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}[i]
		certificate(t, dir, name, &x509.Certificate{SerialNumber: big.NewInt(int64(2 + i)), Subject: pkix.Name{CommonName: name}, NotBefore: ca.NotBefore, NotAfter: ca.NotAfter,
			BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment, ExtKeyUsage: []x509.ExtKeyUsage{usage}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}, ca, caKey)
	}
}

func certificate(t *testing.T, dir, name string, c, parent *x509.Certificate, signer *ecdsa.PrivateKey) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if signer == nil {
		signer = key
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, &key.PublicKey, signer)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for file, block := range map[string]*pem.Block{"cert.pem": {Type: "CERTIFICATE", Bytes: der}, "key.pem": {Type: "PRIVATE KEY", Bytes: keyDER}} {
		if err := os.WriteFile(filepath.Join(dir, name+file), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return key
}
