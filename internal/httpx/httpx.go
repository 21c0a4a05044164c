// Package httpx is the one way katprep talks HTTP: verified TLS with private
// authorities, deadlines on everything, a bound on requests in flight, bodies
// of bounded size, and repetition only of what may be repeated.
package httpx

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/stdevel/katprep"
)

// Options say how a client connects. The zero value is usable: the system's
// authorities, four requests at once, five minutes for each.
type Options struct {
	CAFile      string        // PEM bundle that is trusted besides the system's authorities
	ServerName  string        // name in the certificate, if it is not the URL's host
	Insecure    bool          // accept every certificate
	Concurrency int           // requests in flight at once; 0: 4
	Timeout     time.Duration // for one request with its answer; 0: 5 min
	Connect     time.Duration // for a TCP connection and for TLS; 0: 15 s
	Retries     int           // further attempts of a repeatable request; 0: 3, negative: none
	Pause       time.Duration // before the first further attempt, doubled each time; 0: 500 ms
	MaxBody     int64         // bytes of an answer; 0: 64 MiB
	UserAgent   string        // "" : "katprep"
	// Connection is put around the connections, for logins that belong to one
	// (NTLM); they are HTTP/1.1 then.
	Connection func(http.RoundTripper) http.RoundTripper
}

func (o Options) withDefaults() Options {
	o.Concurrency = orElse(o.Concurrency, 4)
	o.Timeout = orElse(o.Timeout, 5*time.Minute)
	o.Connect = orElse(o.Connect, 15*time.Second)
	o.Retries = orElse(o.Retries, 3)
	o.Pause = orElse(o.Pause, 500*time.Millisecond)
	o.MaxBody = orElse(o.MaxBody, 64<<20)
	o.UserAgent = orElse(o.UserAgent, "katprep")
	return o
}

func orElse[T comparable](v, d T) T {
	var zero T
	if v == zero {
		return d
	}
	return v
}

// A Client sends requests to one server. It is safe for concurrent use, keeps
// no cookies, and follows no redirect to another host.
type Client struct {
	o       Options
	http    *http.Client
	idle    func() // closes idle connections
	slots   chan struct{}
	expires atomic.Int64 // of the leaf certificate, Unix seconds
	skew    atomic.Int64 // server's clock minus ours, nanoseconds
	dated   atomic.Bool
	sent    atomic.Int64
	failing atomic.Int64 // requests in a row that a broken or overloaded server did not answer
}

// patience is how many requests in a row are repeated in vain before further
// ones are sent once only: a server that went down in the middle is not asked
// four times for each of ten thousand hosts.
const patience = 8

// New returns a client; its error (kind Invalid) concerns the CA file.
func New(o Options) (*Client, error) {
	o = o.withDefaults()
	conf, err := tlsConfig(o)
	if err != nil {
		return nil, err
	}
	dialer := &net.Dialer{Timeout: o.Connect, KeepAlive: 30 * time.Second}
	t := &http.Transport{
		Proxy:               http.ProxyFromEnvironment,
		DialContext:         dialer.DialContext,
		TLSClientConfig:     conf,
		TLSHandshakeTimeout: o.Connect,
		MaxIdleConnsPerHost: o.Concurrency,
		IdleConnTimeout:     90 * time.Second,
		ForceAttemptHTTP2:   o.Connection == nil,
	}
	var rt http.RoundTripper = t
	if o.Connection != nil {
		rt = o.Connection(t)
	}
	return &Client{
		o:     o,
		idle:  t.CloseIdleConnections,
		http:  &http.Client{Transport: rt, CheckRedirect: sameHost},
		slots: make(chan struct{}, o.Concurrency),
	}, nil
}

// sameHost keeps credentials from following a redirect elsewhere.
func sameHost(req *http.Request, via []*http.Request) error {
	if len(via) >= 5 {
		return errors.New("too many redirects")
	}
	if req.URL.Host != via[0].URL.Host || req.URL.Scheme != via[0].URL.Scheme {
		return errors.New("redirected to another server: " + req.URL.Scheme + "://" + req.URL.Host)
	}
	return nil
}

// CertExpires returns when the server's certificate ends, or zero if there
// was no answer over TLS yet.
func (c *Client) CertExpires() time.Time {
	if s := c.expires.Load(); s != 0 {
		return time.Unix(s, 0).UTC()
	}
	return time.Time{}
}

// ClockSkew returns the server's clock minus ours as the last answer told it
// (to the second); ok is false if no answer had a date.
func (c *Client) ClockSkew() (skew time.Duration, ok bool) {
	return time.Duration(c.skew.Load()), c.dated.Load()
}

// Sent returns how many requests were sent, repetitions included.
func (c *Client) Sent() int64 { return c.sent.Load() }

// Close drops idle connections.
func (c *Client) Close() { c.idle() }

// A Request is what is sent. Header is not changed.
type Request struct {
	Method string
	URL    string
	Header http.Header
	Body   []byte
	Repeat bool // the request changes nothing, so it may be sent again after a failure
}

// A Response is a whole answer of any status.
type Response struct {
	Status int
	Header http.Header
	Body   []byte
}

// Do sends the request and reads the whole answer. An answer of any status is
// no error, but a repeatable request is sent again, with growing pauses or
// the server's Retry-After, after 429, 502, 503, 504 and broken connections.
// Errors are of kind katprep.Unreachable, or the context's.
func (c *Client) Do(ctx context.Context, r Request) (*Response, error) {
	for attempt := 0; ; attempt++ {
		resp, err := c.once(ctx, r)
		if !worthRepeating(resp, err) {
			if err == nil {
				c.failing.Store(0)
			}
			return resp, err
		}
		if !r.Repeat || attempt >= c.o.Retries || c.failing.Load() >= patience {
			c.failing.Add(1)
			return resp, err
		}
		if e := sleep(ctx, pause(c.o.Pause, attempt, resp)); e != nil {
			return resp, errors.Join(err, e)
		}
	}
}

func (c *Client) once(ctx context.Context, r Request) (*Response, error) {
	select {
	case c.slots <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	defer func() { <-c.slots }()
	ctx, cancel := context.WithTimeout(ctx, c.o.Timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, r.Method, r.URL, bytes.NewReader(r.Body))
	if err != nil {
		return nil, katprep.Errorf(katprep.Invalid, "%w", err)
	}
	req.Header = r.Header.Clone()
	if req.Header == nil {
		req.Header = http.Header{}
	}
	req.Header.Set("User-Agent", c.o.UserAgent)
	c.sent.Add(1)
	begun := time.Now()
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, explain(err)
	}
	defer resp.Body.Close()
	c.note(resp, begun)
	body, err := readAll(resp.Body, resp.ContentLength, c.o.MaxBody)
	if err != nil {
		return nil, explain(err)
	}
	return &Response{Status: resp.StatusCode, Header: resp.Header, Body: body}, nil
}

func (c *Client) note(resp *http.Response, begun time.Time) {
	if resp.TLS != nil && len(resp.TLS.PeerCertificates) > 0 {
		c.expires.Store(resp.TLS.PeerCertificates[0].NotAfter.Unix())
	}
	if date, err := http.ParseTime(resp.Header.Get("Date")); err == nil {
		now := time.Now()
		skew := time.Duration(0)
		switch { // anything between asking and hearing is no skew
		case date.Add(time.Second).Before(begun):
			skew = date.Sub(begun).Truncate(time.Second)
		case date.After(now):
			skew = date.Sub(now).Truncate(time.Second)
		}
		c.skew.Store(int64(skew))
		c.dated.Store(true)
	}
}

func readAll(r io.Reader, size, limit int64) ([]byte, error) {
	var b bytes.Buffer
	if size > 0 && size <= limit {
		b.Grow(int(size) + bytes.MinRead)
	}
	n, err := b.ReadFrom(io.LimitReader(r, limit+1))
	if err != nil {
		return nil, err
	}
	if n > limit {
		return nil, katprep.Errorf(katprep.Corrupt, "answer is longer than %d MiB", limit>>20)
	}
	return b.Bytes(), nil
}

// TLS returns the TLS configuration of the options, for protocols that are
// not HTTP.
func TLS(o Options) (*tls.Config, error) { return tlsConfig(o) }
