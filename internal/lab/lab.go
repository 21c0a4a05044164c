//go:build unix

package lab

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/pem"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/crypto/ssh"
)

// A Key is a key pair in a file.
type Key struct {
	File   string // private key; the public one is beside it with ".pub"
	Signer ssh.Signer
}

// Authorized returns the public key as a line of authorized_keys.
func (k Key) Authorized() string { return string(ssh.MarshalAuthorizedKey(k.Signer.PublicKey())) }

// NewKey makes a key pair of a kind ("ed25519", "ecdsa", "rsa"), protected by
// a passphrase unless that is "".
func NewKey(t testing.TB, file, kind, passphrase string) Key {
	t.Helper()
	var private any
	var err error
	switch kind {
	case "rsa":
		private, err = rsa.GenerateKey(rand.Reader, 2048)
	case "ecdsa":
		private, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	default:
		_, private, err = ed25519.GenerateKey(rand.Reader)
	}
	fatal(t, err)
	var block *pem.Block
	if passphrase == "" {
		block, err = ssh.MarshalPrivateKey(private, "test")
	} else {
		block, err = ssh.MarshalPrivateKeyWithPassphrase(private, "test", []byte(passphrase))
	}
	fatal(t, err)
	signer, err := ssh.NewSignerFromKey(private)
	fatal(t, err)
	write(t, file, string(pem.EncodeToMemory(block)), 0o600)
	write(t, file+".pub", string(ssh.MarshalAuthorizedKey(signer.PublicKey())), 0o644)
	return Key{File: file, Signer: signer}
}

// NewCert signs a user's key by a CA, for a login name.
func NewCert(t testing.TB, file string, ca, key Key, principal string) {
	t.Helper()
	c := &ssh.Certificate{Key: key.Signer.PublicKey(), CertType: ssh.UserCert, ValidPrincipals: []string{principal}, ValidBefore: ssh.CertTimeInfinity}
	fatal(t, c.SignCert(rand.Reader, ca.Signer))
	write(t, file, string(ssh.MarshalAuthorizedKey(c)), 0o644)
}

func fatal(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func write(t testing.TB, file, text string, mode os.FileMode) {
	t.Helper()
	fatal(t, os.MkdirAll(filepath.Dir(file), 0o755))
	fatal(t, os.WriteFile(file, []byte(text), mode))
	fatal(t, os.Chmod(file, mode))
}
