package sign

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/armor"
	pgperrors "github.com/ProtonMail/go-crypto/openpgp/errors"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
	"github.com/hiddeco/sshsig"
	"golang.org/x/crypto/ssh"
)

// A KeyKind tells SSH from OpenPGP keys.
type KeyKind string

// The kinds of key.
const (
	SSH     KeyKind = "ssh"
	OpenPGP KeyKind = "openpgp"
)

// A Key is the public part of a key that may sign.
type Key struct {
	Kind        KeyKind   `json:"kind"`
	Principal   string    `json:"principal"`      // whose it is, untrusted text
	Fingerprint string    `json:"fingerprint"`    // "SHA256:…" or 40 hexadecimal digits
	From        time.Time `json:"from,omitzero"`  // valid from, UTC
	Until       time.Time `json:"until,omitzero"` // valid before, UTC
	Text        string    `json:"public_key"`     // as in authorized_keys, or armored
}

func sshKey(pub ssh.PublicKey, comment string) Key {
	return Key{Kind: SSH, Principal: comment, Fingerprint: ssh.FingerprintSHA256(pub),
		Text: strings.TrimSpace(string(ssh.MarshalAuthorizedKey(pub)))}
}

func pgpKey(e *openpgp.Entity) (Key, error) {
	var b strings.Builder
	w, err := armor.Encode(&b, openpgp.PublicKeyType, nil)
	if err != nil {
		return Key{}, err
	}
	if err := errors.Join(e.Serialize(w), w.Close()); err != nil {
		return Key{}, err
	}
	k := Key{Kind: OpenPGP, Fingerprint: fingerprint(e), Text: strings.TrimRight(b.String(), "\n") + "\n"}
	if id := e.PrimaryIdentity(); id != nil {
		k.Principal = id.Name
	}
	return k, nil
}

// What Check finds wrong with a signature.
var (
	ErrUnsigned = errors.New("not signed")
	ErrBad      = errors.New("bad signature")
	ErrUnknown  = errors.New("signed by a key that is not allowed")
	ErrExpired  = errors.New("signed by a key that was not valid at that time")
)

// A Keyring holds the keys that may sign.
type Keyring struct {
	keys []Key
	pub  map[string]ssh.PublicKey // by fingerprint
	pgp  openpgp.EntityList
}

// Parse reads a keyring: an allowed_signers file as of ssh-keygen(1), and an
// armored OpenPGP keyring. Both may be empty.
func Parse(allowedSigners, armored []byte) (*Keyring, error) {
	k := &Keyring{pub: map[string]ssh.PublicKey{}}
	n := 0
	for line := range strings.Lines(string(allowedSigners)) {
		n++
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		if err := k.addLine(line); err != nil {
			return nil, fmt.Errorf("allowed_signers, line %d: %w", n, err)
		}
	}
	for rest := bytes.TrimSpace(armored); len(rest) > 0; {
		block, tail := nextArmor(rest)
		list, err := openpgp.ReadArmoredKeyRing(bytes.NewReader(block))
		if err != nil {
			return nil, fmt.Errorf("OpenPGP keys: %w", err)
		}
		for _, e := range list {
			key, err := pgpKey(e)
			if err != nil {
				return nil, err
			}
			k.keys = append(k.keys, key)
			k.pgp = append(k.pgp, e)
		}
		rest = tail
	}
	return k, nil
}

// nextArmor parts the first armored block from the rest.
func nextArmor(b []byte) (block, rest []byte) {
	const end = "-----END PGP PUBLIC KEY BLOCK-----"
	i := bytes.Index(b, []byte(end))
	if i < 0 {
		return b, nil
	}
	return b[:i+len(end)], bytes.TrimSpace(b[i+len(end):])
}

func (k *Keyring) addLine(line string) error {
	principal, rest, err := principals(line)
	if err != nil {
		return err
	}
	pub, _, options, _, err := ssh.ParseAuthorizedKey([]byte(rest))
	if err != nil {
		return err
	}
	key := sshKey(pub, principal)
	git := true
	for _, o := range options {
		name, value, _ := strings.Cut(o, "=")
		value = strings.Trim(value, `"`)
		switch strings.ToLower(name) {
		case "valid-after":
			key.From, err = parseTime(value)
		case "valid-before":
			key.Until, err = parseTime(value)
		case "namespaces":
			git = strings.Contains(","+value+",", ","+namespace+",")
		default:
			err = fmt.Errorf("option %q is not supported", name)
		}
		if err != nil {
			return err
		}
	}
	if git {
		k.keys = append(k.keys, key)
		k.pub[key.Fingerprint] = pub
	}
	return nil
}

// principals takes the first word of a line, which may be quoted.
func principals(line string) (who, rest string, err error) {
	if strings.HasPrefix(line, `"`) {
		who, rest, ok := strings.Cut(line[1:], `"`)
		if !ok {
			return "", "", errors.New("a quote is not closed")
		}
		return who, strings.TrimSpace(rest), nil
	}
	who, rest, ok := strings.Cut(line, " ")
	if !ok {
		return "", "", errors.New("there is no key")
	}
	return who, strings.TrimSpace(rest), nil
}

// parseTime reads the times of ssh-keygen(1). Those without a Z are local
// times there, which would mean something else on each machine: they are
// read as UTC.
func parseTime(s string) (time.Time, error) {
	s = strings.TrimSuffix(s, "Z")
	for _, form := range []string{"20060102", "200601021504", "20060102150405"} {
		if len(s) == len(form) {
			return time.Parse(form, s)
		}
	}
	return time.Time{}, fmt.Errorf("time %q", s)
}

const timeForm = "20060102150405Z"

// Line returns an SSH key as a line of allowed_signers, without newline.
func (k Key) Line() string {
	var b strings.Builder
	who := strings.Map(func(r rune) rune {
		if r <= ' ' || r == '"' || r == ',' || r == '*' || r == '?' || r == '!' || r == '#' || r >= 0x7f {
			return -1
		}
		return r
	}, k.Principal)
	if who == "" {
		who = "katprep"
	}
	fmt.Fprintf(&b, `%s namespaces="git"`, who)
	if !k.From.IsZero() {
		fmt.Fprintf(&b, `,valid-after="%s"`, k.From.UTC().Format(timeForm))
	}
	if !k.Until.IsZero() {
		fmt.Fprintf(&b, `,valid-before="%s"`, k.Until.UTC().Format(timeForm))
	}
	return b.String() + " " + k.Text
}

// Keys returns the keys of the ring, in the order of the files.
func (k *Keyring) Keys() []Key { return k.keys }

// Empty reports whether nobody may sign.
func (k *Keyring) Empty() bool { return len(k.keys) == 0 }

// Check returns the key of the ring that made a signature which was good at
// a time. Otherwise the error is one of the Err values, and the key the one
// that signed, as far as it is known.
func (k *Keyring) Check(payload []byte, armor string, at time.Time) (Key, error) {
	switch {
	case strings.TrimSpace(armor) == "":
		return Key{}, ErrUnsigned
	case strings.HasPrefix(armor, "-----BEGIN SSH SIGNATURE-----"):
		return k.checkSSH(payload, armor, at)
	}
	return k.checkPGP(payload, armor, at)
}

func (k *Keyring) checkSSH(payload []byte, armor string, at time.Time) (Key, error) {
	sig, err := sshsig.Unarmor([]byte(armor))
	if err != nil {
		return Key{}, fmt.Errorf("%w: %w", ErrBad, err)
	}
	by := sshKey(sig.PublicKey, "")
	if err := sshsig.Verify(bytes.NewReader(payload), sig, sig.PublicKey, sig.HashAlgorithm, namespace); err != nil {
		return by, fmt.Errorf("%w: %w", ErrBad, err)
	}
	err = fmt.Errorf("%w: %s", ErrUnknown, by.Fingerprint)
	for _, key := range k.keys {
		if key.Kind != SSH || key.Fingerprint != by.Fingerprint {
			continue
		}
		if !key.From.IsZero() && at.Before(key.From) || !key.Until.IsZero() && !at.Before(key.Until) {
			by, err = key, fmt.Errorf("%w: %s", ErrExpired, key.Fingerprint)
			continue
		}
		return key, nil
	}
	return by, err
}

func (k *Keyring) checkPGP(payload []byte, armored string, at time.Time) (Key, error) {
	// A second signature may take a moment after the commit's own time.
	config := &packet.Config{Time: func() time.Time { return at.Add(time.Minute) }}
	e, err := openpgp.CheckArmoredDetachedSignature(k.pgp, bytes.NewReader(payload), strings.NewReader(armored), config)
	var by Key
	if e != nil {
		by = k.byFingerprint(fingerprint(e))
	}
	switch {
	case err == nil:
		return by, nil
	case errors.Is(err, pgperrors.ErrUnknownIssuer):
		return by, fmt.Errorf("%w: %w", ErrUnknown, err)
	case errors.Is(err, pgperrors.ErrKeyExpired), errors.Is(err, pgperrors.ErrSignatureExpired), errors.Is(err, pgperrors.ErrKeyRevoked):
		return by, fmt.Errorf("%w: %w", ErrExpired, err)
	}
	return by, fmt.Errorf("%w: %w", ErrBad, err)
}

func (k *Keyring) byFingerprint(f string) Key {
	for _, key := range k.keys {
		if key.Fingerprint == f {
			return key
		}
	}
	return Key{Kind: OpenPGP, Fingerprint: f}
}
