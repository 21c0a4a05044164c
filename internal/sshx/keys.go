package sshx

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"sync"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"
)

// keyring reads private keys, each file once.
type keyring struct {
	mu    sync.Mutex
	files map[string]keyFile
}

type keyFile struct {
	signers []ssh.Signer // the certified one first
	public  ssh.PublicKey
	err     error
}

// signers returns the keys to log in with: those of files first, then the
// agent's, none twice. A server lets a client try only a few.
func (k *keyring) signers(r route, agentSocket string) ([]ssh.Signer, error) {
	var list []ssh.Signer
	var named []ssh.PublicKey
	var errs []error
	for _, f := range slices.Compact(slices.Clone(r.identity)) {
		kf := k.file(f, r.certs)
		list = append(list, kf.signers...)
		if kf.public != nil {
			named = append(named, kf.public)
		}
		if kf.err != nil {
			errs = append(errs, kf.err)
		}
	}
	if agentSocket != "" && r.agent {
		held, err := agentSigners(agentSocket)
		if err != nil {
			errs = append(errs, err)
		}
		for _, s := range held {
			if !r.only || contains(named, s.PublicKey()) {
				list = append(list, s)
			}
		}
	}
	list = distinct(list)
	if len(list) == 0 {
		return nil, errors.Join(append([]error{errors.New("there is no usable key")}, errs...)...)
	}
	return list, nil
}

// file reads a key file; a file that is not there is no key and no error.
func (k *keyring) file(name string, certs []string) keyFile {
	k.mu.Lock()
	defer k.mu.Unlock()
	id := name + "\x00" + strings.Join(certs, "\x00")
	if kf, ok := k.files[id]; ok {
		return kf
	}
	kf := readKey(name, certs)
	if k.files == nil {
		k.files = map[string]keyFile{}
	}
	k.files[id] = kf
	return kf
}

func readKey(name string, certs []string) keyFile {
	b, err := os.ReadFile(name)
	if errors.Is(err, os.ErrNotExist) {
		return keyFile{public: readPublic(name + ".pub")}
	}
	if err != nil {
		return keyFile{err: fmt.Errorf("read key: %w", err)}
	}
	s, err := ssh.ParsePrivateKey(b)
	var locked *ssh.PassphraseMissingError
	if errors.As(err, &locked) {
		pub := locked.PublicKey
		if pub == nil {
			pub = readPublic(name + ".pub")
		}
		return keyFile{public: pub, err: fmt.Errorf("key %s has a passphrase (ssh-add)", name)}
	}
	if err != nil {
		return keyFile{err: fmt.Errorf("read key %s: %w", name, err)}
	}
	kf := keyFile{public: s.PublicKey()}
	for _, c := range append([]string{name + "-cert.pub"}, certs...) {
		if cert, ok := readPublic(c).(*ssh.Certificate); ok && sameKey(cert.Key, s.PublicKey()) {
			if cs, err := ssh.NewCertSigner(cert, s); err == nil {
				kf.signers = append(kf.signers, cs)
			}
		}
	}
	kf.signers = append(kf.signers, s)
	return kf
}

func readPublic(name string) ssh.PublicKey {
	b, err := os.ReadFile(name)
	if err != nil {
		return nil
	}
	pub, _, _, _, err := ssh.ParseAuthorizedKey(b)
	if err != nil {
		return nil
	}
	return pub
}

// agentSigners lists the agent's keys; each signature is a connection of its
// own, so that nothing stays open between hosts.
func agentSigners(socket string) ([]ssh.Signer, error) {
	conn, err := net.Dial("unix", socket)
	if err != nil {
		return nil, fmt.Errorf("ssh agent: %w", err)
	}
	defer conn.Close()
	keys, err := agent.NewClient(conn).List()
	if err != nil {
		return nil, fmt.Errorf("ssh agent: %w", err)
	}
	var list []ssh.Signer
	for _, key := range keys {
		pub, err := ssh.ParsePublicKey(key.Blob)
		if err == nil {
			list = append(list, agentSigner{socket, pub})
		}
	}
	return list, nil
}

type agentSigner struct {
	socket string
	pub    ssh.PublicKey
}

func (s agentSigner) PublicKey() ssh.PublicKey { return s.pub }

func (s agentSigner) Sign(rand io.Reader, data []byte) (*ssh.Signature, error) {
	return s.SignWithAlgorithm(rand, data, "")
}

// SignWithAlgorithm asks the agent for a signature; RSA keys sign in the way
// that the server wants.
func (s agentSigner) SignWithAlgorithm(_ io.Reader, data []byte, algorithm string) (*ssh.Signature, error) {
	conn, err := net.Dial("unix", s.socket)
	if err != nil {
		return nil, fmt.Errorf("ssh agent: %w", err)
	}
	defer conn.Close()
	var flags agent.SignatureFlags
	switch algorithm {
	case ssh.KeyAlgoRSASHA256, ssh.CertAlgoRSASHA256v01:
		flags = agent.SignatureFlagRsaSha256
	case ssh.KeyAlgoRSASHA512, ssh.CertAlgoRSASHA512v01:
		flags = agent.SignatureFlagRsaSha512
	}
	return agent.NewClient(conn).SignWithFlags(s.pub, data, flags)
}

func distinct(list []ssh.Signer) []ssh.Signer {
	var out []ssh.Signer
	for _, s := range list {
		if !slices.ContainsFunc(out, func(o ssh.Signer) bool { return sameKey(o.PublicKey(), s.PublicKey()) }) {
			out = append(out, s)
		}
	}
	return out
}

func contains(list []ssh.PublicKey, k ssh.PublicKey) bool {
	if c, ok := k.(*ssh.Certificate); ok {
		k = c.Key
	}
	return slices.ContainsFunc(list, func(o ssh.PublicKey) bool { return sameKey(o, k) })
}

func sameKey(a, b ssh.PublicKey) bool { return bytes.Equal(a.Marshal(), b.Marshal()) }
