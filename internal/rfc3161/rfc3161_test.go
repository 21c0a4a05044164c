package rfc3161_test

import (
	"crypto/sha256"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/internal/rfc3161"
	"github.com/stdevel/katprep/internal/rfc3161/tsa"
)

// TestStamp asks a real authority, and lets openssl agree.
func TestStamp(t *testing.T) {
	for _, hash := range []string{"sha256", "sha1"} {
		t.Run(hash, func(t *testing.T) {
			a := tsa.Start(t, hash)
			text := []byte("evidence")
			digest := sha256.Sum256(text)
			s := &rfc3161.Service{URL: a.URL, CAFile: a.CAFile}
			der, err := s.Stamp(t.Context(), digest)
			if err != nil {
				t.Fatal(err)
			}
			roots, err := rfc3161.Roots(a.CAFile)
			if err != nil {
				t.Fatal(err)
			}
			got, err := rfc3161.Check(der, digest, roots)
			if err != nil || !got.Trusted || got.Service != "CN=Example time stamps" || time.Since(got.Time).Abs() > time.Minute {
				t.Errorf("%+v, %v", got, err)
			}
			dir := t.TempDir()
			data, stamp := filepath.Join(dir, "data"), filepath.Join(dir, "stamp.tsr")
			if err := errors.Join(os.WriteFile(data, text, 0o600), os.WriteFile(stamp, der, 0o600)); err != nil {
				t.Fatal(err)
			}
			if out, err := exec.CommandContext(t.Context(), "openssl", "ts", "-verify", "-data", data, "-in", stamp, "-CAfile", a.CAFile).CombinedOutput(); err != nil {
				t.Errorf("openssl: %v\n%s", err, out)
			}
			bad(t, der, digest)
		})
	}
}

// bad checks a good stamp against what it is not.
func bad(t *testing.T, der []byte, digest [sha256.Size]byte) {
	t.Helper()
	if got, err := rfc3161.Check(der, digest, nil); err != nil || got.Trusted {
		t.Errorf("without roots: %+v, %v", got, err)
	}
	if _, err := rfc3161.Check(der, sha256.Sum256([]byte("x")), nil); !errors.Is(err, rfc3161.ErrOther) {
		t.Errorf("other data: %v", err)
	}
	roots, err := rfc3161.Roots(tsa.Start(t, "sha256").CAFile)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := rfc3161.Check(der, digest, roots); !errors.Is(err, rfc3161.ErrUntrusted) {
		t.Errorf("another root: %v", err)
	}
	for i := range der {
		flipped := append([]byte(nil), der...)
		flipped[i] ^= 1
		got, err := rfc3161.Check(flipped, digest, nil)
		good, _ := rfc3161.Check(der, digest, nil)
		if err == nil && got != good {
			t.Fatalf("bit flip at %d changes what is said: %+v", i, got)
		}
	}
}

func TestServicesThatFail(t *testing.T) {
	a := tsa.Start(t, "sha256")
	other := tsa.Start(t, "sha256")
	digest := sha256.Sum256(nil)
	old, err := (&rfc3161.Service{URL: a.URL}).Stamp(t.Context(), digest)
	if err != nil {
		t.Fatal(err)
	}
	serve := func(status int, body string) string {
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			w.Write([]byte(body))
		}))
		t.Cleanup(srv.Close)
		return srv.URL
	}
	for _, c := range []struct {
		what string
		s    rfc3161.Service
		kind katprep.Kind
	}{
		{"error", rfc3161.Service{URL: serve(500, "no")}, katprep.Unreachable},
		{"denied", rfc3161.Service{URL: serve(401, "no")}, katprep.Denied},
		{"an old answer", rfc3161.Service{URL: serve(200, string(old))}, katprep.Denied},
		{"junk", rfc3161.Service{URL: serve(200, "junk")}, katprep.Internal},
		{"rejected", rfc3161.Service{URL: serve(200, "\x30\x05\x30\x03\x02\x01\x02")}, katprep.Internal},
		{"another authority", rfc3161.Service{URL: a.URL, CAFile: other.CAFile}, katprep.Internal},
		{"no root", rfc3161.Service{URL: a.URL, CAFile: "/nowhere"}, katprep.Invalid},
		{"nobody there", rfc3161.Service{URL: "http://127.0.0.1:1"}, katprep.Unreachable},
		{"too slow", rfc3161.Service{URL: a.URL, Timeout: time.Nanosecond}, katprep.Internal},
	} {
		_, err := c.s.Stamp(t.Context(), digest)
		if err == nil || c.kind != katprep.Internal && katprep.KindOf(err) != c.kind {
			t.Errorf("%s: %v", c.what, err)
		}
	}
}

func FuzzCheck(f *testing.F) {
	f.Add([]byte("junk"))
	f.Add([]byte("\x30\x05\x30\x03\x02\x01\x00"))
	f.Add([]byte("\x30\x80\x30\x80\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02\xa0\x80"))
	f.Fuzz(func(t *testing.T, der []byte) {
		if s, err := rfc3161.Check(der, [sha256.Size]byte{}, nil); err == nil && s.Time.IsZero() {
			t.Fatal("a stamp without a time is good")
		}
	})
}
