// Package foremanapi is a typed client of the HTTP API of Foreman with
// Katello (Red Hat Satellite 6, orcharhino): sessions, paging, every shape of
// error, and values that are text here and numbers there.
//
// It holds no policy: what the answers mean for a host's state is the
// business of collect/foreman, what to do of act/foreman.
package foremanapi

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/internal/creds"
	"github.com/stdevel/katprep/internal/httpx"
)

// Options say which server to talk to, and as whom.
type Options struct {
	URL   string // https://satellite.example.com, with a path if Foreman lives below one
	Login creds.Login
	HTTP  httpx.Options
}

// A Client talks to one Foreman. It is safe for concurrent use. It logs in
// once and goes on with the session; after the server refused the login it
// sends nothing more, so that no account gets locked.
type Client struct {
	base  *url.URL
	login creds.Login
	http  *httpx.Client

	mu       sync.Mutex // held while logging in
	jar      *cookiejar.Jar
	loggedIn bool
	opened   time.Time   // when an ended session was last opened anew
	always   atomic.Bool // the password goes with each request
	refused  error       // the 401 that ended it all
	status   Status

	server atomic.Pointer[Server] // once asked
}

// New returns a client; nothing is sent yet. Errors are of kind
// katprep.Invalid and concern the URL or the CA file.
func New(o Options) (*Client, error) {
	base, err := parseBase(o.URL)
	if err != nil {
		return nil, err
	}
	h, err := httpx.New(o.HTTP)
	if err != nil {
		return nil, err
	}
	jar, err := cookiejar.New(nil)
	if err != nil {
		return nil, fmt.Errorf("cookies: %w", err)
	}
	return &Client{base: base, login: o.Login, http: h, jar: jar}, nil
}

func parseBase(raw string) (*url.URL, error) {
	u, err := url.Parse(strings.TrimRight(raw, "/"))
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return nil, katprep.Errorf(katprep.Invalid, "URL %q of Foreman is not usable", raw).WithHint("write it as https://satellite.example.com")
	}
	if u.User != nil {
		return nil, katprep.Errorf(katprep.Invalid, "URL of Foreman at %s holds credentials", u.Host).WithHint("move them to the credentials and name them in the configuration")
	}
	u.Path = strings.TrimSuffix(u.Path, "/api")
	u.RawQuery, u.Fragment = "", ""
	return u, nil
}

// URL returns the server's address without credentials.
func (c *Client) URL() string { return c.base.String() }

// Host returns the server's name without port.
func (c *Client) Host() string { return c.base.Hostname() }

// User returns the login name.
func (c *Client) User() string { return c.login.User }

// CertExpires returns when the server's certificate ends; zero without TLS.
func (c *Client) CertExpires() time.Time { return c.http.CertExpires() }

// ClockSkew returns the server's clock minus ours, if an answer told it.
func (c *Client) ClockSkew() (time.Duration, bool) { return c.http.ClockSkew() }

// Requests returns how many requests were sent so far.
func (c *Client) Requests() int64 { return c.http.Sent() }

// request builds the HTTP request of a call. With auth, or without a session,
// the password goes along.
func (c *Client) request(e *Call, args []string, query url.Values, body []byte, auth bool) httpx.Request {
	u := *c.base
	u.RawPath = strings.TrimRight(u.EscapedPath(), "/") + e.expand(args)
	u.Path, _ = url.PathUnescape(u.RawPath) // expand escapes, so this cannot fail
	u.RawQuery = query.Encode()
	h := http.Header{"Accept": {"application/json;version=2,application/json"}}
	if body != nil || e.Method != http.MethodGet {
		h.Set("Content-Type", "application/json")
	}
	cookies := c.jar.Cookies(&u)
	if auth || len(cookies) == 0 || c.always.Load() {
		r := http.Request{Header: h}
		r.SetBasicAuth(c.login.User, c.login.Password.Reveal())
	} else {
		r := http.Request{Header: h}
		for _, ck := range cookies {
			r.AddCookie(ck)
		}
	}
	return httpx.Request{Method: e.Method, URL: u.String(), Header: h, Body: body, Repeat: e.Reads}
}

// raw sends a call and returns the body of its good answer.
func (c *Client) raw(ctx context.Context, e *Call, args []string, query url.Values, body any) ([]byte, error) {
	if err := e.accepts(c.server.Load(), query, body); err != nil {
		return nil, err
	}
	payload, err := encode(e, body)
	if err != nil {
		return nil, err
	}
	if err := c.Login(ctx); err != nil {
		return nil, err
	}
	path := e.expand(args)
	build := func() httpx.Request { return c.request(e, args, query, payload, false) }
	sent := time.Now()
	resp, err := c.http.Do(ctx, build())
	if err != nil {
		return nil, wrapCall(e, path, c.base.Host, err)
	}
	if resp.Status == http.StatusUnauthorized {
		if resp, err = c.again(ctx, sent, resp, e, path, build); err != nil {
			return nil, err
		}
	}
	if err := c.statusError(e, path, resp); err != nil {
		return nil, err
	}
	if e.Text {
		return resp.Body, nil
	}
	if err := looksJSON(resp); err != nil {
		return nil, c.notJSON(e, path, resp, err)
	}
	return resp.Body, nil
}

func encode(e *Call, body any) ([]byte, error) {
	if body == nil {
		return nil, nil
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(body); err != nil {
		return nil, fmt.Errorf("encode %s %s: %w", e.Method, e.Path, err)
	}
	return b.Bytes(), nil
}

// call sends a call and decodes its answer into out.
func (c *Client) call(ctx context.Context, e *Call, args []string, query url.Values, body, out any) error {
	b, err := c.raw(ctx, e, args, query, body)
	if err != nil || out == nil {
		return err
	}
	if err := json.Unmarshal(b, out); err != nil {
		return c.notExpected(e, args, err)
	}
	return nil
}

func (c *Client) notExpected(e *Call, args []string, err error) error {
	return katprep.Errorf(katprep.Corrupt, "%s %s on %s: answer is not what was expected: %w", e.Method, e.expand(args), c.base.Host, err)
}
