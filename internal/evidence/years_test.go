package evidence

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stdevel/katprep/internal/archive"
	"github.com/stdevel/katprep/internal/archive/sign"
	"github.com/stdevel/katprep/internal/rfc3161"
	"github.com/stdevel/katprep/internal/rfc3161/tsa"
)

// TestStampedStranger checks time stamps as the README says: with openssl.
func TestStampedStranger(t *testing.T) {
	a, o := maintained(t, sign.Options{SSHKey: sshKey(t)})
	service := tsa.Start(t, "sha256")
	if _, err := a.Stamp(t.Context(), &rfc3161.Service{URL: service.URL}, false); err != nil {
		t.Fatal(err)
	}
	var err error
	if o.StampCA, err = os.ReadFile(service.CAFile); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "out")
	if err := Export(t.Context(), a, dir, o); err != nil {
		t.Fatal(err)
	}
	said := follow(t, dir)
	if strings.Count(said, "Verification: OK") != 2 || !strings.Contains(said, "Time stamp: ") {
		t.Errorf("the commands said\n%s", said)
	}
	// Without the service's certificates, the README says what to do with them.
	o.StampCA = nil
	dir = filepath.Join(t.TempDir(), "out")
	if err := Export(t.Context(), a, dir, o); err != nil {
		t.Fatal(err)
	}
	follow(t, dir)
	if text, err := os.ReadFile(filepath.Join(dir, "README.txt")); err != nil || !strings.Contains(string(text), "-CAfile FILE") {
		t.Errorf("%v\n%s", err, text)
	}
}

// TestCutStranger hands over an archive whose older years are in a bundle.
func TestCutStranger(t *testing.T) {
	a, o := maintained(t, sign.Options{SSHKey: sshKey(t)})
	b, o2 := maintainedIn(t, a, "Patch-2", time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC))
	r, err := b.Retain(t.Context(), archive.RetainOptions{Before: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "out")
	if err := Export(t.Context(), b, dir, o2); err != nil {
		t.Fatal(err)
	}
	said := follow(t, dir)
	if n := strings.Count(said, "Good \"git\" signature for ann@example.com"); n < 5 {
		t.Errorf("%d good signatures in\n%s", n, said)
	}
	if text, err := os.ReadFile(filepath.Join(dir, "README.txt")); err != nil || !strings.Contains(string(text), r.Bundle) {
		t.Errorf("the README does not name the bundle: %v\n%s", err, text)
	}
	if err := Export(t.Context(), b, filepath.Join(t.TempDir(), "old"), o); err == nil {
		t.Error("a run that is in a bundle was exported")
	}
}
