// Package livestatus speaks Livestatus, the query language that Naemon,
// Nagios with MK Livestatus, Checkmk, Shinken and Icinga 2 share: downtimes of
// hosts with their services, health, and the list of hosts.
//
// The language has lines, so text with line breaks would be a further line;
// and whoever reaches the socket may do everything. No value with a control
// character is ever sent.
package livestatus

import (
	"context"
	"crypto/tls"
	"errors"
	"io/fs"
	"net"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/act"
	"github.com/stdevel/katprep/internal/creds"
	"github.com/stdevel/katprep/internal/downtime"
	"github.com/stdevel/katprep/internal/httpx"
)

var (
	_ act.Downtimer     = (*Client)(nil)
	_ act.BulkDowntimer = (*Client)(nil)
	_ act.HealthReader  = (*Client)(nil)
	_ act.Inventory     = (*Client)(nil)
)

// Options say where the socket is.
type Options struct {
	URL        string        // unix:///path, tcp://HOST:PORT or tls://HOST:PORT
	Login      creds.Login   // the protocol has none; User is the author of downtimes, "": katprep
	CAFile     string        // of tls
	ServerName string        // of tls
	Insecure   bool          // of tls
	Timeout    time.Duration // for one query; 0: 15 s
	Patience   time.Duration // until a downtime must be listed; 0: 20 s
}

// A Client asks one Livestatus socket. It is safe for concurrent use.
type Client struct {
	*downtime.Scheduler

	network, addr string
	tls           *tls.Config
	author        string
	timeout       time.Duration

	mu      sync.Mutex
	version string
}

// New returns a client; nothing is sent. Errors are of kind katprep.Invalid.
func New(o Options) (*Client, error) {
	u, err := url.Parse(o.URL)
	if err != nil {
		return nil, katprep.Errorf(katprep.Invalid, "livestatus: %w", err)
	}
	c := &Client{network: "tcp", addr: u.Host, author: o.Login.User, timeout: o.Timeout}
	switch {
	case u.Scheme == "unix" && u.Host == "" && u.Path != "":
		c.network, c.addr = "unix", u.Path
	case u.Scheme == "tcp" && u.Port() != "":
	case u.Scheme == "tls" && u.Port() != "":
		if c.tls, err = httpx.TLS(httpx.Options{CAFile: o.CAFile, ServerName: o.ServerName, Insecure: o.Insecure}); err != nil {
			return nil, err
		}
		if c.tls.ServerName == "" {
			c.tls.ServerName = u.Hostname()
		}
	default:
		return nil, katprep.Errorf(katprep.Invalid, "%q names no Livestatus socket", o.URL).WithHint("use unix:///path, tcp://HOST:PORT or tls://HOST:PORT")
	}
	if c.author == "" {
		c.author = "katprep"
	}
	if !safe(c.author) || strings.Contains(c.author, ";") {
		return nil, katprep.Errorf(katprep.Invalid, "livestatus: author %q", c.author)
	}
	if c.timeout == 0 {
		c.timeout = 15 * time.Second
	}
	if o.Patience == 0 {
		o.Patience = 20 * time.Second
	}
	c.Scheduler = downtime.New(c, downtime.Rules{System: "monitoring", Patience: o.Patience, ASCII: true})
	return c, nil
}

// dial connects; everything on the connection ends with the deadline.
func (c *Client) dial(ctx context.Context) (net.Conn, error) {
	deadline := time.Now().Add(c.timeout)
	if d, ok := ctx.Deadline(); ok && d.Before(deadline) {
		deadline = d
	}
	conn, err := (&net.Dialer{Deadline: deadline}).DialContext(ctx, c.network, c.addr)
	if err != nil {
		return nil, c.unreachable(ctx, err)
	}
	if err := conn.SetDeadline(deadline); err != nil {
		conn.Close()
		return nil, c.unreachable(ctx, err)
	}
	if c.tls == nil {
		return conn, nil
	}
	t := tls.Client(conn, c.tls)
	if err := t.HandshakeContext(ctx); err != nil {
		conn.Close()
		return nil, c.unreachable(ctx, err)
	}
	return t, nil
}

func (c *Client) unreachable(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if errors.Is(err, fs.ErrPermission) {
		return katprep.Errorf(katprep.Denied, "livestatus at %s: %w", c.addr, err).WithHint("katprep's user must be in the group of the socket")
	}
	return katprep.Errorf(katprep.Unreachable, "livestatus at %s: %w", c.addr, err)
}

// Identify is as act.System says. The protocol knows neither users nor
// permissions.
func (c *Client) Identify(ctx context.Context) (act.Identity, error) {
	v, err := c.program(ctx)
	if err != nil {
		return act.Identity{}, err
	}
	return act.Identity{Product: product(v), Version: v}, nil
}

// program asks for the core's version once.
func (c *Client) program(ctx context.Context) (string, error) {
	c.mu.Lock()
	v := c.version
	c.mu.Unlock()
	if v != "" {
		return v, nil
	}
	rows, err := c.query(ctx, query{table: "status", columns: []string{"program_version"}})
	if err != nil {
		return "", err
	}
	if len(rows) != 1 || text(rows[0][0]) == "" {
		return "", katprep.Errorf(katprep.Unreachable, "livestatus at %s does not say its version: the core may not run", c.addr)
	}
	v = text(rows[0][0])
	c.mu.Lock()
	c.version = v
	c.mu.Unlock()
	return v, nil
}

// product names a core by its version: only Icinga 2 says r2 or v2.
func product(version string) string {
	low := strings.ToLower(version)
	for _, name := range []string{"Naemon", "Shinken", "Checkmk"} {
		if strings.Contains(low, strings.ToLower(name)) {
			return name
		}
	}
	if isIcinga2(version) {
		return "Icinga 2"
	}
	return "Nagios"
}

func isIcinga2(version string) bool {
	return strings.HasPrefix(version, "r2.") || strings.HasPrefix(version, "v2.")
}
