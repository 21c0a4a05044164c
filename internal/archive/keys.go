package archive

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/internal/archive/object"
	"github.com/stdevel/katprep/internal/archive/pack"
	"github.com/stdevel/katprep/internal/archive/sign"
)

// The keys that may sign are kept in the archive itself: so a commit is
// checked by the keys of its time, and a new key is let in by a commit that an
// old one signed.
const (
	signersFile = "policy/allowed_signers"
	openpgpFile = "policy/openpgp.asc"
)

// keyring returns the keys that a commit's tree allows; none for the zero
// hash.
func (a *Archive) keyring(ctx context.Context, c object.Hash) (*sign.Keyring, error) {
	var texts [2][]byte
	if !c.IsZero() {
		for i, path := range []string{signersFile, openpgpFile} {
			text, _, err := a.file(ctx, c, strings.Split(path, "/")...)
			if err != nil {
				return nil, err
			}
			texts[i] = text
		}
	}
	ring, err := sign.Parse(texts[0], texts[1])
	if err != nil {
		return nil, katprep.Errorf(katprep.Corrupt, "policy of %s: %w", katprep.CommitID(c.String()).Short(), err)
	}
	return ring, nil
}

// A keyed signer tells its key.
type keyed interface{ Key() (sign.Key, error) }

// maySign fails if a commit on top of parent would not be signed by a key
// that the archive allows.
func (a *Archive) maySign(ctx context.Context, parent object.Hash, now time.Time) error {
	ring, err := a.keyring(ctx, parent)
	if err != nil || ring.Empty() {
		return err
	}
	s, ok := a.opts.Sign.(keyed)
	if !ok {
		return katprep.Errorf(katprep.Denied, "the archive is signed, and no key for signing is configured").
			WithHint("set archive.sign in the configuration; the keys that may sign: katprep archive keys list")
	}
	key, err := s.Key()
	if err != nil {
		return err
	}
	for _, k := range ring.Keys() {
		if k.Fingerprint == key.Fingerprint && (k.From.IsZero() || !now.Before(k.From)) && (k.Until.IsZero() || now.Before(k.Until)) {
			return nil
		}
	}
	return katprep.Errorf(katprep.Denied, "the signing key %s is not one that the archive allows now", key.Fingerprint).
		WithHint("somebody whose key is allowed can let it in: katprep archive keys add FILE")
}

// enrol adds the key of the first signed commit to the commit itself: it is
// the anchor of all that follow. Later ones must be allowed already.
func (a *Archive) enrol(ctx context.Context, p *pack.Writer, parent, tree object.Hash, now time.Time) (object.Hash, error) {
	if err := a.maySign(ctx, parent, now); err != nil {
		return tree, err
	}
	s, ok := a.opts.Sign.(keyed)
	if !ok {
		return tree, nil
	}
	ring, err := a.keyring(ctx, parent)
	if err != nil || !ring.Empty() {
		return tree, err
	}
	key, err := s.Key()
	if err != nil {
		return tree, err
	}
	path, text := a.keyText(key, now)
	return a.editIn(ctx, p, tree, path, func(old []byte) ([]byte, error) { return append(old, text...), nil })
}

// keyText returns what is added to which file for a key.
func (a *Archive) keyText(k sign.Key, now time.Time) (path, text string) {
	if k.Kind == sign.OpenPGP {
		return openpgpFile, k.Text
	}
	k.Principal, k.From = a.opts.Author.Email, now
	return signersFile, k.Line() + "\n"
}

// Keys returns the keys that may sign by the tip of the archive, also those
// whose time has passed.
func (a *Archive) Keys(ctx context.Context) ([]sign.Key, error) {
	const op = "read the signing keys"
	tip, err := a.tip()
	if err != nil {
		return nil, fail(op, err)
	}
	ring, err := a.keyring(ctx, tip)
	if err != nil {
		return nil, fail(op, err)
	}
	return ring.Keys(), nil
}

// AddKey lets another key sign from now on. The text is a public key: one
// line as in authorized_keys, or armored OpenPGP. principal says whose it is.
func (a *Archive) AddKey(ctx context.Context, text []byte, principal string) (sign.Key, error) {
	const op = "add a signing key"
	k, err := parseKey(text)
	if err != nil {
		return k, fail(op, err)
	}
	path := openpgpFile
	add := k.Text
	if k.Kind == sign.SSH {
		k.Principal, k.From = principal, a.opts.Now().UTC().Truncate(time.Second)
		path, add = signersFile, k.Line()+"\n"
	}
	m := message{subject: fmt.Sprintf("let %s sign: %s", k.Principal, k.Fingerprint)}
	_, err = a.put(ctx, m, KindPolicy, path, func(old []byte) ([]byte, error) {
		ring, err := ringOf(path, old)
		if err != nil {
			return nil, err
		}
		for _, have := range ring.Keys() {
			if have.Fingerprint == k.Fingerprint && have.Until.IsZero() {
				return nil, errNothing
			}
		}
		return append(old[:len(old):len(old)], add...), nil
	})
	return k, fail(op, err)
}

func parseKey(text []byte) (sign.Key, error) {
	s := strings.TrimSpace(string(text))
	var ring *sign.Keyring
	var err error
	if strings.HasPrefix(s, "-----BEGIN PGP PUBLIC KEY") {
		ring, err = sign.Parse(nil, []byte(s))
	} else {
		ring, err = sign.Parse([]byte("katprep "+s+"\n"), nil)
	}
	if err != nil {
		return sign.Key{}, katprep.Errorf(katprep.Invalid, "not a public key: %w", err)
	}
	if len(ring.Keys()) != 1 {
		return sign.Key{}, katprep.Errorf(katprep.Invalid, "%d public keys, want one", len(ring.Keys()))
	}
	return ring.Keys()[0], nil
}

func ringOf(path string, text []byte) (*sign.Keyring, error) {
	if path == openpgpFile {
		return sign.Parse(nil, text)
	}
	return sign.Parse(text, nil)
}

// RetireKey ends the time of a key. What it signed until now stays good. The
// last key cannot be retired: nobody could sign then.
func (a *Archive) RetireKey(ctx context.Context, fingerprint string) error {
	op := "retire the signing key " + fingerprint
	keys, err := a.Keys(ctx)
	if err != nil {
		return fail(op, err)
	}
	now := a.opts.Now().UTC().Truncate(time.Second)
	var gone *sign.Key
	left := 0
	for i, k := range keys {
		switch {
		case !k.Until.IsZero() && !now.Before(k.Until):
		case k.Fingerprint == fingerprint:
			gone = &keys[i]
		default:
			left++
		}
	}
	if gone == nil {
		return katprep.Errorf(katprep.NotFound, "%s: no such key may sign", op).WithHint("see the keys with: katprep archive keys list")
	}
	if left == 0 {
		return katprep.Errorf(katprep.Invalid, "%s: it is the last one", op).WithHint("add its successor first: katprep archive keys add FILE")
	}
	path := signersFile
	if gone.Kind == sign.OpenPGP {
		path = openpgpFile
	}
	m := message{subject: "retire " + gone.Fingerprint}
	_, err = a.put(ctx, m, KindPolicy, path, func(old []byte) ([]byte, error) { return retire(path, old, *gone, now) })
	return fail(op, err)
}

// retire rewrites a file of keys without the time after now of one of them.
func retire(path string, old []byte, gone sign.Key, now time.Time) ([]byte, error) {
	ring, err := ringOf(path, old)
	if err != nil {
		return nil, err
	}
	var b strings.Builder
	for _, k := range ring.Keys() {
		if k.Fingerprint == gone.Fingerprint && k.From.Equal(gone.From) {
			if k.Kind == sign.OpenPGP {
				continue // its own commits are checked by the keys of their time
			}
			// The commit that retires a key may still be signed by it.
			k.Until = now.Add(time.Second)
		}
		if k.Kind == sign.SSH {
			b.WriteString(k.Line() + "\n")
		} else {
			b.WriteString(k.Text)
		}
	}
	if b.Len() == 0 {
		return nil, errors.New("no key would be left in the file")
	}
	return []byte(b.String()), nil
}
