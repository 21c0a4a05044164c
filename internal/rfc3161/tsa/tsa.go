// Package tsa is a time-stamp authority for tests: "openssl ts -reply" behind
// HTTP, with a root and a certificate of its own.
package tsa

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stdevel/katprep/internal/peers"
)

// An Authority is a running one.
type Authority struct {
	URL    string
	CAFile string // its root certificate
	Dir    string

	mu   sync.Mutex // openssl keeps the serial number in a file
	sent int
	down bool
}

const config = `[req]
distinguished_name = dn
prompt = no
[dn]
CN = %[2]s
[ca]
basicConstraints = critical,CA:TRUE
keyUsage = critical,keyCertSign
[tsa]
basicConstraints = critical,CA:FALSE
keyUsage = critical,digitalSignature
extendedKeyUsage = critical,timeStamping
[t]
dir = %[1]s
serial = $dir/serial
signer_cert = $dir/tsa.pem
signer_key = $dir/tsa.key
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256
accuracy = secs:1
ess_cert_id_alg = %[3]s
`

// Start runs an authority until the test ends. hash is what its certificate is
// named by in stamps: "sha256", or "sha1" as older ones do.
func Start(t testing.TB, hash string) *Authority {
	t.Helper()
	peers.Need(t, "openssl")
	a := &Authority{Dir: t.TempDir()}
	a.CAFile = a.file("ca.pem")
	a.write(t, "serial", "01\n")
	a.write(t, "ca.cnf", fmt.Sprintf(config, a.Dir, "Example root", hash))
	a.write(t, "tsa.cnf", fmt.Sprintf(config, a.Dir, "Example time stamps", hash))
	a.openssl(t, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-config", a.file("ca.cnf"), "-extensions", "ca", "-keyout", a.file("ca.key"), "-out", a.CAFile, "-days", "30")
	a.openssl(t, "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-config", a.file("tsa.cnf"), "-keyout", a.file("tsa.key"), "-out", a.file("tsa.csr"))
	a.openssl(t, "x509", "-req", "-in", a.file("tsa.csr"), "-CA", a.CAFile, "-CAkey", a.file("ca.key"), "-CAcreateserial", "-days", "30",
		"-extfile", a.file("tsa.cnf"), "-extensions", "tsa", "-out", a.file("tsa.pem"))
	srv := httptest.NewServer(http.HandlerFunc(a.serve))
	t.Cleanup(srv.Close)
	a.URL = srv.URL
	return a
}

// SetDown makes the authority refuse to answer, or answer again.
func (a *Authority) SetDown(down bool) {
	a.mu.Lock()
	a.down = down
	a.mu.Unlock()
}

// Sent counts the stamps that were asked for.
func (a *Authority) Sent() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.sent
}

func (a *Authority) file(name string) string { return filepath.Join(a.Dir, name) }

func (a *Authority) write(t testing.TB, name, text string) {
	t.Helper()
	if err := os.WriteFile(a.file(name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func (a *Authority) openssl(t testing.TB, args ...string) {
	t.Helper()
	if out, err := exec.CommandContext(t.Context(), "openssl", args...).CombinedOutput(); err != nil {
		t.Fatalf("openssl %v: %v\n%s", args, err, out)
	}
}

func (a *Authority) serve(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.sent++
	query, err := io.ReadAll(r.Body)
	if err != nil || a.down || r.Header.Get("Content-Type") != "application/timestamp-query" {
		http.Error(w, "not now", http.StatusInternalServerError)
		return
	}
	if err := os.WriteFile(a.file("query"), query, 0o600); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	c := exec.CommandContext(r.Context(), "openssl", "ts", "-reply", "-queryfile", a.file("query"), "-config", a.file("tsa.cnf"), "-section", "t", "-out", a.file("reply"))
	if out, err := c.CombinedOutput(); err != nil {
		http.Error(w, string(out), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/timestamp-reply")
	http.ServeFile(w, r, a.file("reply"))
}
