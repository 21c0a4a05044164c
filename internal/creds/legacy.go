package creds

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/stdevel/katprep"
)

// A Container is the predecessor's credential file: JSON with clear host and
// user names, and passwords that are either clear or Fernet tokens. It is
// only ever read.
type Container struct {
	entries map[string]containerEntry
}

type containerEntry struct {
	Username string `json:"username"`
	Password string `json:"password"`
}

// ParseContainer reads the predecessor's container. Errors are of kind
// katprep.Invalid.
func ParseContainer(b []byte) (*Container, error) {
	var c Container
	if err := json.Unmarshal(b, &c.entries); err != nil || c.entries == nil {
		// The decoder's own text could quote a password.
		return nil, katprep.Errorf(katprep.Invalid, "not a credential container of katprep 0.x: not an object of hosts")
	}
	for host, e := range c.entries {
		if host == "" || e.Username == "" && e.Password == "" {
			return nil, katprep.Errorf(katprep.Invalid, "not a credential container of katprep 0.x: entry %.80q has neither user name nor password", host)
		}
	}
	return &c, nil
}

// Hosts returns the hosts that the container has credentials for, sorted.
func (c *Container) Hosts() []string { return slices.Sorted(maps.Keys(c.entries)) }

// Encrypted reports whether some password needs the container's password.
func (c *Container) Encrypted() bool {
	for _, e := range c.entries {
		if _, ok := token(e.Password); ok {
			return true
		}
	}
	return false
}

// Logins decrypts all entries with the container's password, which is not
// used for clear ones. Nothing is returned if one does not decrypt: a token
// must never end up as a password. Errors are of kind katprep.Unlock.
func (c *Container) Logins(password Secret) (map[string]Login, error) {
	logins := make(map[string]Login, len(c.entries))
	for _, host := range c.Hosts() {
		e := c.entries[host]
		secret := e.Password
		if tok, ok := token(e.Password); ok {
			plain, err := decryptToken(tok, password)
			if err != nil {
				return nil, katprep.Errorf(katprep.Unlock, "entry %.80q: %w", host, err)
			}
			secret = plain
		}
		logins[host] = Login{User: e.Username, Password: NewSecret(secret)}
	}
	return logins, nil
}

// token returns the Fernet token of an encrypted entry. Under Python 3 the
// predecessor wrote the token's representation: s/b'…'.
func token(password string) (string, bool) {
	tok, ok := strings.CutPrefix(password, "s/")
	if !ok {
		return "", false
	}
	for _, quote := range []string{"'", `"`} {
		if inner, ok := strings.CutPrefix(tok, "b"+quote); ok {
			tok = strings.TrimSuffix(inner, quote)
		}
	}
	return tok, strings.HasPrefix(tok, "gAAAA")
}

func decryptToken(tok string, password Secret) (string, error) {
	if password.IsZero() {
		return "", katprep.Errorf(katprep.Unlock, "is encrypted, and no password was given")
	}
	for _, key := range containerKeys(password.Reveal()) {
		if plain, ok := fernet(tok, key); ok {
			return plain, nil
		}
	}
	return "", katprep.Errorf(katprep.Unlock, "the container's password is wrong, or the entry is damaged")
}
