package nagioscgi

import (
	"crypto/md5" // #nosec G501 -- what digest authentication is made of
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/stdevel/katprep/internal/httpx"
)

// A challenge is what a server asks for by digest authentication (RFC 7616),
// which is how Debian protects Nagios.
type challenge struct {
	realm, nonce, opaque, algorithm string
	qop                             bool
}

// challenged remembers a digest challenge; false means that there is none.
func (c *Client) challenged(h http.Header) bool {
	for _, line := range h.Values("WWW-Authenticate") {
		scheme, rest, _ := strings.Cut(line, " ")
		if !strings.EqualFold(scheme, "Digest") {
			continue
		}
		p := params(rest)
		ch := &challenge{realm: p["realm"], nonce: p["nonce"], opaque: p["opaque"], algorithm: p["algorithm"]}
		for q := range strings.SplitSeq(p["qop"], ",") {
			ch.qop = ch.qop || strings.TrimSpace(q) == "auth"
		}
		if _, ok := hashes[strings.ToUpper(ch.algorithm)]; !ok || ch.nonce == "" {
			continue
		}
		c.mu.Lock()
		c.digest, c.count = ch, 0
		c.mu.Unlock()
		return true
	}
	return false
}

// params reads name=value and name="value" pairs.
func params(s string) map[string]string {
	m := map[string]string{}
	for s != "" {
		name, rest, ok := strings.Cut(s, "=")
		if !ok {
			break
		}
		name = strings.ToLower(strings.Trim(name, " ,\t"))
		var value string
		if strings.HasPrefix(rest, `"`) {
			value, rest, _ = strings.Cut(rest[1:], `"`)
		} else {
			value, rest, _ = strings.Cut(rest, ",")
		}
		m[name], s = value, rest
	}
	return m
}

var hashes = map[string]func(string) string{
	"":        md5hex,
	"MD5":     md5hex,
	"SHA-256": func(s string) string { sum := sha256.Sum256([]byte(s)); return hex.EncodeToString(sum[:]) },
}

func md5hex(s string) string {
	sum := md5.Sum([]byte(s)) // #nosec G401
	return hex.EncodeToString(sum[:])
}

// authorize sets the header that the server wants: basic until it has asked
// for a digest.
func (c *Client) authorize(r *httpx.Request) {
	if c.login.User == "" {
		return
	}
	if r.Header == nil {
		r.Header = http.Header{}
	}
	c.mu.Lock()
	ch := c.digest
	c.count++
	n := c.count
	c.mu.Unlock()
	if ch == nil {
		r.Header.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(c.login.User+":"+c.login.Password.Reveal())))
		return
	}
	u, err := url.Parse(r.URL)
	if err != nil {
		return
	}
	r.Header.Set("Authorization", ch.answer(c.login.User, c.login.Password.Reveal(), r.Method, u.RequestURI(), n, rand.Text()))
}

func (ch *challenge) answer(user, password, method, uri string, n int, cnonce string) string {
	h := hashes[strings.ToUpper(ch.algorithm)]
	ha1, ha2 := h(user+":"+ch.realm+":"+password), h(method+":"+uri)
	var b strings.Builder
	fmt.Fprintf(&b, `Digest username="%s", realm="%s", nonce="%s", uri="%s"`, quote(user), quote(ch.realm), quote(ch.nonce), quote(uri))
	if ch.algorithm != "" {
		fmt.Fprintf(&b, `, algorithm=%s`, strings.ToUpper(ch.algorithm))
	}
	if ch.opaque != "" {
		fmt.Fprintf(&b, `, opaque="%s"`, quote(ch.opaque))
	}
	if !ch.qop {
		fmt.Fprintf(&b, `, response="%s"`, h(ha1+":"+ch.nonce+":"+ha2))
		return b.String()
	}
	nc := fmt.Sprintf("%08x", n)
	fmt.Fprintf(&b, `, qop=auth, nc=%s, cnonce="%s", response="%s"`, nc, cnonce, h(strings.Join([]string{ha1, ch.nonce, nc, cnonce, "auth", ha2}, ":")))
	return b.String()
}

func quote(s string) string {
	return strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\r", "", "\n", "").Replace(s)
}
