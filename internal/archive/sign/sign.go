// Package sign makes and checks the signatures of commits and tags, the way
// Git does with ssh-keygen and gpg: with an SSH key from a file or an agent,
// or with an OpenPGP key.
package sign

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/hiddeco/sshsig"
	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"

	"github.com/stdevel/katprep"
)

// namespace is what Git signs in.
const namespace = "git"

// Options name the key that signs; one of them.
type Options struct {
	SSHKey     string // private key file, or public key file of a key in the agent
	OpenPGPKey string // armored private key file

	Agent      string                               // socket of the SSH agent, as in SSH_AUTH_SOCK
	Passphrase func(keyFile string) ([]byte, error) // asked for protected keys; nil: there is nobody to ask
}

// A Signer signs with one key.
type Signer struct {
	key  Key
	sign func(ctx context.Context, payload []byte) (string, error)
}

// Sign returns the armored signature of a payload.
func (s *Signer) Sign(ctx context.Context, payload []byte) (string, error) {
	if err := ctx.Err(); err != nil {
		return "", err
	}
	return s.sign(ctx, payload)
}

// Key returns the public part of the key.
func (s *Signer) Key() (Key, error) { return s.key, nil }

// A Deferred signer opens its key when it is needed: reading an archive needs
// none.
type Deferred struct {
	open func() (*Signer, error)
}

// Defer returns a signer that opens its key at its first use.
func Defer(o Options) *Deferred {
	return &Deferred{sync.OnceValues(func() (*Signer, error) { return Open(o) })}
}

// Key opens the key and returns its public part.
func (d *Deferred) Key() (Key, error) {
	s, err := d.open()
	if err != nil {
		return Key{}, err
	}
	return s.Key()
}

// Sign opens the key and signs.
func (d *Deferred) Sign(ctx context.Context, payload []byte) (string, error) {
	s, err := d.open()
	if err != nil {
		return "", err
	}
	return s.Sign(ctx, payload)
}

// Open finds the key. Whatever is wrong with it is an error: nothing is left
// unsigned because a key was not there.
func Open(o Options) (*Signer, error) {
	switch {
	case o.OpenPGPKey != "":
		return openPGP(o)
	case o.SSHKey != "":
		return openSSH(o)
	}
	return nil, katprep.Errorf(katprep.Invalid, "no key is named for signing")
}

func readKey(path string) ([]byte, error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, katprep.Errorf(katprep.NotFound, "signing key: %w", err).
			WithHint("make one with: ssh-keygen -t ed25519 -f %s; or take the key out of archive.sign in the configuration", path)
	}
	if err != nil {
		return nil, katprep.Errorf(katprep.Denied, "signing key: %w", err)
	}
	return text, nil
}

func openSSH(o Options) (*Signer, error) {
	text, err := readKey(o.SSHKey)
	if err != nil {
		return nil, err
	}
	if pub, comment, _, _, err := ssh.ParseAuthorizedKey(text); err == nil {
		return fromAgent(o, pub, comment)
	}
	if err := private(o.SSHKey); err != nil {
		return nil, err
	}
	s, err := ssh.ParsePrivateKey(text)
	if _, locked := errors.AsType[*ssh.PassphraseMissingError](err); locked {
		s, err = unlockSSH(o, text)
	}
	if err != nil {
		if katprep.KindOf(err) == katprep.Unlock {
			return nil, err
		}
		return nil, katprep.Errorf(katprep.Invalid, "signing key %s: %w", o.SSHKey, err)
	}
	return sshSigner(s, ""), nil
}

// private refuses a private key that others can read.
func private(path string) error {
	st, err := os.Stat(path)
	if err != nil {
		return err
	}
	if st.Mode().Perm()&0o077 != 0 && os.PathSeparator == '/' {
		return katprep.Errorf(katprep.Denied, "signing key %s can be read by others (mode %04o)", path, st.Mode().Perm()).
			WithHint("chmod 600 %s", path)
	}
	return nil
}

func unlockSSH(o Options, text []byte) (ssh.Signer, error) {
	pass, err := passphrase(o, o.SSHKey)
	if err != nil {
		return nil, err
	}
	s, err := ssh.ParsePrivateKeyWithPassphrase(text, pass)
	if err != nil {
		return nil, katprep.Errorf(katprep.Unlock, "signing key %s: %w", o.SSHKey, err)
	}
	return s, nil
}

func passphrase(o Options, path string) ([]byte, error) {
	locked := katprep.Errorf(katprep.Unlock, "signing key %s needs a passphrase", path).
		WithHint("load it into the SSH agent, and name its public key file (%s.pub) in the configuration", path)
	if o.Passphrase == nil {
		return nil, locked
	}
	pass, err := o.Passphrase(path)
	if err != nil {
		locked.Err = fmt.Errorf("%w: %w", locked.Err, err)
		return nil, locked
	}
	return pass, nil
}

// fromAgent signs with a key that the agent holds. It is asked for each
// signature, so that it may ask its user.
func fromAgent(o Options, pub ssh.PublicKey, comment string) (*Signer, error) {
	hint := "start the agent and add the key with: ssh-add"
	if o.Agent == "" {
		return nil, katprep.Errorf(katprep.NotFound, "signing key %s is a public key, and there is no SSH agent", o.SSHKey).WithHint("%s", hint)
	}
	find := func(ctx context.Context) (ssh.Signer, io.Closer, error) {
		conn, err := (&net.Dialer{}).DialContext(ctx, "unix", o.Agent)
		if err != nil {
			return nil, nil, katprep.Errorf(katprep.Unreachable, "SSH agent: %w", err).WithHint("%s", hint)
		}
		list, err := agent.NewClient(conn).Signers()
		if err != nil {
			return nil, nil, errors.Join(katprep.Errorf(katprep.Unreachable, "SSH agent: %w", err), conn.Close())
		}
		for _, s := range list {
			if bytes.Equal(s.PublicKey().Marshal(), pub.Marshal()) {
				return s, conn, nil
			}
		}
		return nil, nil, errors.Join(katprep.Errorf(katprep.NotFound, "the SSH agent does not hold the signing key %s", ssh.FingerprintSHA256(pub)).
			WithHint("add it with: ssh-add"), conn.Close())
	}
	_, conn, err := find(context.Background())
	if err != nil {
		return nil, err
	}
	conn.Close()
	return &Signer{key: sshKey(pub, comment), sign: func(ctx context.Context, payload []byte) (string, error) {
		s, conn, err := find(ctx)
		if err != nil {
			return "", err
		}
		defer conn.Close()
		return signSSH(s, payload)
	}}, nil
}

func sshSigner(s ssh.Signer, comment string) *Signer {
	return &Signer{key: sshKey(s.PublicKey(), comment), sign: func(_ context.Context, payload []byte) (string, error) {
		return signSSH(s, payload)
	}}
}

func signSSH(s ssh.Signer, payload []byte) (string, error) {
	sig, err := sshsig.SignWithRand(bytes.NewReader(payload), rand.Reader, s, sshsig.HashSHA512, namespace)
	if err != nil {
		return "", err
	}
	return string(sshsig.Armor(sig)), nil
}

func openPGP(o Options) (*Signer, error) {
	text, err := readKey(o.OpenPGPKey)
	if err != nil {
		return nil, err
	}
	if err := private(o.OpenPGPKey); err != nil {
		return nil, err
	}
	list, err := openpgp.ReadArmoredKeyRing(bytes.NewReader(text))
	if err != nil || len(list) != 1 || list[0].PrivateKey == nil {
		return nil, katprep.Errorf(katprep.Invalid, "signing key %s is not one armored OpenPGP private key", o.OpenPGPKey).
			WithHint("write it with: gpg --armor --export-secret-keys ID")
	}
	e := list[0]
	if e.PrivateKey.Encrypted {
		pass, err := passphrase(o, o.OpenPGPKey)
		if err != nil {
			return nil, err
		}
		if err := e.DecryptPrivateKeys(pass); err != nil {
			return nil, katprep.Errorf(katprep.Unlock, "signing key %s: %w", o.OpenPGPKey, err)
		}
	}
	if _, ok := e.SigningKey(time.Now()); !ok {
		return nil, katprep.Errorf(katprep.Denied, "signing key %s (%s) has expired, was revoked, or is not one for signing", o.OpenPGPKey, fingerprint(e)).
			WithHint("prolong it with: gpg --quick-set-expire; or let a new one in: katprep archive keys add FILE")
	}
	key, err := pgpKey(e)
	if err != nil {
		return nil, err
	}
	return &Signer{key: key, sign: func(_ context.Context, payload []byte) (string, error) {
		var b strings.Builder
		if err := openpgp.ArmoredDetachSign(&b, e, bytes.NewReader(payload), nil); err != nil {
			return "", err
		}
		return strings.TrimRight(b.String(), "\n") + "\n", nil
	}}, nil
}

// fingerprint returns an OpenPGP key's as gpg shows it.
func fingerprint(e *openpgp.Entity) string {
	return strings.ToUpper(hex.EncodeToString(e.PrimaryKey.Fingerprint))
}
