package creds

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"

	"filippo.io/age"
	"filippo.io/age/agessh"
	"github.com/stdevel/katprep"
	"golang.org/x/crypto/ssh"
)

// readIdentity reads the private key that opens credential files: one of age
// or an SSH key, which may have a passphrase of its own.
func readIdentity(ctx context.Context, k Key) ([]age.Identity, error) {
	if k.Identity == "" {
		return nil, katprep.Errorf(katprep.Unlock, "the credential file is encrypted for a key, and no key is configured").
			WithHint("set credentials.identity to the file of the private key")
	}
	pem, err := readSecretFile(k.Identity)
	if err != nil {
		return nil, katprep.Errorf(katprep.Unlock, "private key: %w", err).WithHint("%s", katprep.HintOf(err))
	}
	defer clear(pem)
	if !bytes.HasPrefix(bytes.TrimSpace(pem), []byte("-----BEGIN")) {
		ids, err := age.ParseIdentities(bytes.NewReader(pem))
		if err != nil {
			return nil, katprep.Errorf(katprep.Unlock, "private key %s holds no usable age key", k.Identity)
		}
		return ids, nil
	}
	id, err := sshIdentity(ctx, pem, k)
	if err != nil {
		return nil, err
	}
	return []age.Identity{id}, nil
}

func sshIdentity(ctx context.Context, pem []byte, k Key) (age.Identity, error) {
	id, err := agessh.ParseIdentity(pem)
	if err == nil {
		return id, nil
	}
	var missing *ssh.PassphraseMissingError
	if !errors.As(err, &missing) || missing.PublicKey == nil {
		return nil, katprep.Errorf(katprep.Unlock, "private key %s: %w", k.Identity, err)
	}
	if k.Unlock == nil {
		return nil, katprep.Errorf(katprep.Unlock, "private key %s has a passphrase, and nobody is there to type it", k.Identity)
	}
	kept := bytes.Clone(pem) // the caller clears its own when it returns
	return agessh.NewEncryptedSSHIdentity(missing.PublicKey, kept, func() ([]byte, error) {
		p, err := k.Unlock(ctx, k.Identity)
		if err == nil && p.IsZero() {
			err = errors.New("no passphrase was given")
		}
		return []byte(p.Reveal()), err
	})
}

// parseRecipients reads public keys: age1… or a line of an SSH public key
// file.
func parseRecipients(list []string) ([]age.Recipient, error) {
	if len(list) == 0 {
		return nil, katprep.Errorf(katprep.Invalid, "no recipient was given")
	}
	var to []age.Recipient
	for _, text := range list {
		r, err := parseRecipient(strings.TrimSpace(text))
		if err != nil {
			return nil, katprep.Errorf(katprep.Invalid, "recipient %.60q: %w", text, err).
				WithHint("a recipient is a public key: age1…, ssh-ed25519 … or ssh-rsa …")
		}
		to = append(to, r)
	}
	return to, nil
}

func parseRecipient(text string) (age.Recipient, error) {
	switch {
	case strings.HasPrefix(text, "ssh-"):
		return agessh.ParseRecipient(text)
	case strings.HasPrefix(text, "age1pq1"):
		return age.ParseHybridRecipient(text)
	case strings.HasPrefix(text, "age1"):
		return age.ParseX25519Recipient(text)
	case strings.HasPrefix(text, "AGE-SECRET-KEY-"):
		return nil, fmt.Errorf("this is a private key")
	}
	return nil, fmt.Errorf("unknown kind of key")
}

// ReadRecipients reads a file of public keys, one a line; empty lines and
// those that begin with "#" are skipped. An SSH .pub file is one.
func ReadRecipients(text string) []string {
	var list []string
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			list = append(list, line)
		}
	}
	return list
}
