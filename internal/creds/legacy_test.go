package creds

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stdevel/katprep"
)

func decodeTriples(t *testing.T, text string) (list [][3]string) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), &list); err != nil || len(list) == 0 {
		t.Fatalf("%v: %.200s", err, text)
	}
	return list
}

// legacyDir finds the predecessor's files, which are no part of the project.
func legacyDir(t *testing.T) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	candidates := []string{filepath.Join(os.Getenv("KATPREP_SHARED"), "legacy")}
	for ; dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
		candidates = append(candidates, filepath.Join(dir, "..", "shared", "legacy"))
	}
	for _, c := range candidates {
		if _, err := os.Stat(filepath.Join(c, "container-py2.auth")); err == nil {
			return c
		}
	}
	t.Skip("no files of the predecessor: set KATPREP_SHARED")
	return ""
}

func TestContainersOfThePredecessor(t *testing.T) {
	dir := legacyDir(t)
	for _, name := range []string{"container-py2.auth", "container-py2-unencrypted.auth"} {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		c, err := ParseContainer(b)
		if err != nil {
			t.Fatal(err)
		}
		logins, err := c.Logins(NewSecret("test123"))
		if err != nil || logins["hostname"] != (Login{User: "username", Password: NewSecret("password")}) {
			t.Errorf("%s: %+v, %v", name, logins, err)
		}
		if c.Encrypted() != (name == "container-py2.auth") {
			t.Errorf("%s: encrypted = %v", name, c.Encrypted())
		}
	}
}

// A password of the predecessor derives its key without any salt.
func TestContainerKeys(t *testing.T) {
	for password, want := range map[string][]string{
		"test123":               {"0000000000000000000000000test123"},
		"+sign":                 {"+000000000000000000000000000sign"},
		strings.Repeat("x", 40): {strings.Repeat("x", 32)},
		"pä":                    {"00000000000000000000000000000pä"}, // by character it has 33 bytes
	} {
		keys := containerKeys(password)
		if len(keys) != len(want) || string(keys[0]) != want[0] {
			t.Errorf("%q: %q, want %q", password, keys, want)
		}
	}
}

// seal encrypts as the predecessor did, with a fixed time and IV.
func seal(password, secret string) string {
	key := containerKeys(password)[0]
	n := aes.BlockSize - len(secret)%aes.BlockSize
	plain := append([]byte(secret), bytes.Repeat([]byte{byte(n)}, n)...)
	b := append([]byte{0x80}, make([]byte, 8+aes.BlockSize)...)
	block, err := aes.NewCipher(key[16:])
	if err != nil {
		panic(err)
	}
	sealed := make([]byte, len(plain))
	cipher.NewCBCEncrypter(block, b[9:]).CryptBlocks(sealed, plain)
	b = append(b, sealed...)
	mac := hmac.New(sha256.New, key[:16])
	mac.Write(b)
	return "s/" + base64.URLEncoding.EncodeToString(mac.Sum(b))
}

func TestContainerRefused(t *testing.T) {
	for _, text := range []string{"", "[]", "null", `{"a":1}`, `{"a":{}}`, `{"":{"username":"u","password":"p"}}`, `{"a":{"username":"u","password":"s3cret"}`} {
		if _, err := ParseContainer([]byte(text)); katprep.KindOf(err) != katprep.Invalid || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%q: %v", text, err)
		}
	}
	mixed := `{"a":{"username":"u","password":"clear"},"b":{"username":"u","password":"` + seal("test123", "password") + `"}}`
	c, err := ParseContainer([]byte(mixed))
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range []string{"", "wrong"} {
		if l, err := c.Logins(NewSecret(p)); katprep.KindOf(err) != katprep.Unlock || l != nil {
			t.Errorf("password %q: %v, %v", p, l, err)
		}
	}
	if l, err := c.Logins(NewSecret("test123")); err != nil || l["a"].Password.Reveal() != "clear" || l["b"].Password.Reveal() != "password" {
		t.Errorf("mixed container: %v", err)
	}
}

func FuzzContainer(f *testing.F) {
	f.Add([]byte(`{"hostname": {"username": "username", "password": "`+seal("test123", "password")+`"}}`), "test123")
	f.Add([]byte(`{"h":{"username":"u","password":"s/b'gAAAA'"}}`), "")
	f.Fuzz(func(t *testing.T, b []byte, password string) {
		c, err := ParseContainer(b)
		if err != nil {
			return
		}
		logins, err := c.Logins(NewSecret(password))
		if (err == nil) != (len(logins) == len(c.Hosts())) {
			t.Errorf("%d of %d logins with %v", len(logins), len(c.Hosts()), err)
		}
		for host, l := range logins {
			stored := c.entries[host].Password
			if _, sealed := token(stored); sealed && l.Password.Reveal() == stored {
				t.Errorf("a token came out as password: %q", stored)
			}
		}
	})
}
