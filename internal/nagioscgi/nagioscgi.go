// Package nagioscgi speaks to the CGIs of Nagios and its descendants: pages,
// commands, their cross-site protection, and the server's own way to write
// times.
package nagioscgi

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/internal/creds"
	"github.com/stdevel/katprep/internal/httpx"
)

// Options say where the CGIs are and who we are to them.
type Options struct {
	URL        string // of the CGIs, or of the web interface above "/cgi-bin"
	Login      creds.Login
	CAFile     string
	ServerName string
	Insecure   bool
	Timeout    time.Duration // for one request; 0: 20 s
}

// A Client asks for pages. It is safe for concurrent use.
type Client struct {
	http  *httpx.Client
	base  string // …/cgi-bin
	login creds.Login

	mu     sync.Mutex
	digest *challenge // what the server last asked for
	count  int
}

// New returns a client; nothing is sent. Errors are of kind katprep.Invalid.
func New(o Options) (*Client, error) {
	u, err := url.Parse(o.URL)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, katprep.Errorf(katprep.Invalid, "%q is no http or https URL", o.URL).WithHint("use https://HOST/nagios4 or the URL of its cgi-bin")
	}
	if o.Timeout == 0 {
		o.Timeout = 20 * time.Second
	}
	hc, err := httpx.New(httpx.Options{CAFile: o.CAFile, ServerName: o.ServerName, Insecure: o.Insecure, Timeout: o.Timeout})
	if err != nil {
		return nil, err
	}
	path := strings.TrimSuffix(u.Path, "/")
	if !strings.Contains(path+"/", "/cgi-bin/") {
		path += "/cgi-bin"
	}
	return &Client{http: hc, base: u.Scheme + "://" + u.Host + path, login: o.Login}, nil
}

// Base returns the URL of the CGIs.
func (c *Client) Base() string { return c.base }

// CertExpires returns when the server's certificate ends.
func (c *Client) CertExpires() time.Time { return c.http.CertExpires() }

// Skew returns the web server's clock minus ours, if it told.
func (c *Client) Skew() (time.Duration, bool) { return c.http.ClockSkew() }

// Get reads a page. A page that the server does not have is of kind
// katprep.NotFound.
func (c *Client) Get(ctx context.Context, cgi string, q url.Values) (*httpx.Response, error) {
	return c.do(ctx, httpx.Request{Method: http.MethodGet, URL: c.base + "/" + cgi + "?" + q.Encode(), Repeat: true})
}

// post sends a form, once.
func (c *Client) post(ctx context.Context, cgi string, form url.Values, h http.Header) (*httpx.Response, error) {
	h.Set("Content-Type", "application/x-www-form-urlencoded")
	return c.do(ctx, httpx.Request{Method: http.MethodPost, URL: c.base + "/" + cgi, Header: h, Body: []byte(form.Encode())})
}

func (c *Client) do(ctx context.Context, r httpx.Request) (*httpx.Response, error) {
	for again := true; ; again = false {
		c.authorize(&r)
		resp, err := c.http.Do(ctx, r)
		if err != nil {
			return nil, fmt.Errorf("ask the CGIs at %s: %w", c.base, err)
		}
		switch resp.Status {
		case http.StatusOK:
			return resp, nil
		case http.StatusUnauthorized:
			if again && c.challenged(resp.Header) {
				continue
			}
			return nil, katprep.Errorf(katprep.Denied, "the web server at %s refuses user %q or the password", c.base, c.login.User).
				WithHint("check the user's password with: katprep auth list")
		case http.StatusForbidden:
			return nil, katprep.Errorf(katprep.Denied, "the web server at %s forbids %s to user %q", c.base, cgiOf(r.URL), c.login.User)
		case http.StatusNotFound:
			return nil, katprep.Errorf(katprep.NotFound, "there is no %s at %s", cgiOf(r.URL), c.base).
				WithHint("set the URL to that of the CGIs, such as https://HOST/nagios4/cgi-bin")
		}
		return nil, katprep.Errorf(katprep.Unreachable, "the web server at %s answers %d for %s", c.base, resp.Status, cgiOf(r.URL))
	}
}

func cgiOf(raw string) string {
	raw, _, _ = strings.Cut(raw, "?")
	return raw[strings.LastIndexByte(raw, '/')+1:]
}
