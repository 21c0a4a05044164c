package sign

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
)

func signer(t testing.TB) *Signer {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	s, err := ssh.NewSignerFromKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return sshSigner(s, "ann@example.com")
}

func TestCheck(t *testing.T) {
	s, other := signer(t), signer(t)
	at := time.Date(2026, 11, 24, 10, 0, 0, 0, time.UTC)
	k := s.key
	k.From, k.Until = at.Add(-time.Hour), at.Add(time.Hour)
	ring, err := Parse([]byte("# keys\n\n"+k.Line()+"\n"), nil)
	if err != nil || len(ring.Keys()) != 1 || ring.Keys()[0] != k {
		t.Fatalf("%+v, %v; want %+v", ring.Keys(), err, k)
	}
	payload := []byte("tree 1\n")
	armor, err := s.Sign(context.Background(), payload)
	if err != nil {
		t.Fatal(err)
	}
	foreign, err := other.Sign(context.Background(), payload)
	if err != nil {
		t.Fatal(err)
	}
	for what, c := range map[string]struct {
		payload, armor string
		at             time.Time
		want           error
	}{
		"good": {"tree 1\n", armor, at, nil}, "other text": {"tree 2\n", armor, at, ErrBad}, "none": {"tree 1\n", "", at, ErrUnsigned},
		"foreign": {"tree 1\n", foreign, at, ErrUnknown}, "too early": {"tree 1\n", armor, at.Add(-2 * time.Hour), ErrExpired},
		"too late": {"tree 1\n", armor, at.Add(time.Hour), ErrExpired}, "garbage": {"tree 1\n", "-----BEGIN SSH SIGNATURE-----\nx", at, ErrBad},
		"no signature at all": {"tree 1\n", "hello", at, ErrBad},
	} {
		if _, err := ring.Check([]byte(c.payload), c.armor, c.at); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func TestParse(t *testing.T) {
	key := signer(t).key.Text
	for line, want := range map[string]bool{
		"ann " + key:                       true,
		`"ann smith" ` + key + " comment":  true,
		`ann namespaces="git,file" ` + key: true,
		`ann valid-after="20260101",valid-before="202701010000Z" ` + key: true,
		`ann cert-authority ` + key:                                      false,
		`ann valid-after="soon" ` + key:                                  false,
		"ann":                                                            false,
		`"ann ` + key:                                                    false,
		"ann ssh-ed25519 AAAA":                                           false,
	} {
		if _, err := Parse([]byte(line), nil); (err == nil) != want {
			t.Errorf("%s: %v", line, err)
		}
	}
	ring, err := Parse([]byte(`ann namespaces="file" `+key), nil)
	if err != nil || !ring.Empty() {
		t.Errorf("a key for files only: %+v, %v", ring, err)
	}
}

// FuzzParse holds that nothing panics, and that what is read and written is
// read the same again.
func FuzzParse(f *testing.F) {
	key := signer(f).key
	f.Add(key.Line(), "-----BEGIN PGP PUBLIC KEY BLOCK-----", "-----BEGIN PGP SIGNATURE-----")
	f.Fuzz(func(t *testing.T, signers, keys, armor string) {
		ring, err := Parse([]byte(signers), []byte(keys))
		if err != nil {
			return
		}
		_, _ = ring.Check([]byte("x"), armor, time.Unix(0, 0))
		for _, k := range ring.Keys() {
			if k.Kind != SSH {
				continue
			}
			again, err := Parse([]byte(k.Line()), nil)
			if err != nil || len(again.Keys()) != 1 || again.Keys()[0].Fingerprint != k.Fingerprint || strings.Contains(k.Line(), "\n") {
				t.Fatalf("%q: %v", k.Line(), err)
			}
		}
	})
}
