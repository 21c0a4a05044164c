package creds

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/stdevel/katprep"
	"github.com/zalando/go-keyring"
)

// keyringService is the name under which credentials are in the keyring.
const keyringService = "katprep"

// keyringTime bounds an answer: the keyring may ask a person to unlock it.
const keyringTime = time.Minute

// keyringStore is what is needed of a keyring.
type keyringStore interface {
	get(name string) (string, error)
	set(name, secret string) error
}

// systemKeyring is the Secret Service, Keychain or Credential Manager.
type systemKeyring struct{}

func (systemKeyring) get(name string) (string, error) { return keyring.Get(keyringService, name) }
func (systemKeyring) set(name, secret string) error {
	return keyring.Set(keyringService, name, secret)
}

type keyringEntry struct {
	User     string `json:"user"`
	Password string `json:"password"`
}

func (f *Finder) fromKeyring(ctx context.Context, r Request) (Login, error) {
	if !f.o.Keyring {
		return Login{}, nil
	}
	text, err := withTimeout(ctx, func() (string, error) { return f.keyring.get(r.Name) })
	if errors.Is(err, keyring.ErrNotFound) {
		return Login{}, nil
	}
	if err != nil {
		return Login{}, katprep.Errorf(katprep.Unlock, "cannot be read: %w", err).
			WithHint("unlock the keyring, or set credentials.keyring to false")
	}
	var e keyringEntry
	if json.Unmarshal([]byte(text), &e) != nil {
		return Login{Password: NewSecret(text)}, nil // somebody else's tool stored the password alone
	}
	return Login{User: e.User, Password: NewSecret(e.Password)}, nil
}

// SetKeyring stores a credential in the keyring.
func (f *Finder) SetKeyring(ctx context.Context, name string, l Login) error {
	b, err := json.Marshal(keyringEntry{l.User, l.Password.Reveal()})
	if err != nil {
		return err
	}
	_, err = withTimeout(ctx, func() (struct{}, error) { return struct{}{}, f.keyring.set(name, string(b)) })
	if err != nil {
		return katprep.Errorf(katprep.Unlock, "store credential %s in the keyring: %w", name, err)
	}
	return nil
}

// withTimeout waits for f, which cannot be cancelled, no longer than that.
func withTimeout[T any](ctx context.Context, f func() (T, error)) (T, error) {
	type result struct {
		v   T
		err error
	}
	ctx, cancel := context.WithTimeout(ctx, keyringTime)
	defer cancel()
	ch := make(chan result, 1)
	go func() {
		v, err := f()
		ch <- result{v, err}
	}()
	select {
	case r := <-ch:
		return r.v, r.err
	case <-ctx.Done():
		var zero T
		return zero, ctx.Err()
	}
}
