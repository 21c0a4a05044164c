// Package thruk speaks to Thruk through its REST API, and by it to whatever
// core stands behind: Naemon, Nagios, Icinga 2, Shinken.
//
// Thruk hands commands on and says "submitted" even for hosts that do not
// exist, so that every downtime is looked for until the core lists it. IDs of
// downtimes are unique within a backend only and are never used without it.
package thruk

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
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

// Options say where Thruk is and who we are to it.
type Options struct {
	URL        string      // https://HOST/thruk or https://HOST/SITE/thruk, with or without /r
	Login      creds.Login // without a user, or as user "token", the password is an API key
	CAFile     string
	ServerName string
	Insecure   bool
	Timeout    time.Duration // for one request; 0: 30 s
	Patience   time.Duration // until a downtime must be listed; 0: 30 s
	Backend    string        // key of the one backend that is meant; "": all
}

// A Client is a connection to one Thruk. It is safe for concurrent use.
type Client struct {
	*downtime.Scheduler

	http    *httpx.Client
	base    string
	login   creds.Login
	backend string
}

// New returns a client; nothing is sent. Errors are of kind katprep.Invalid.
func New(o Options) (*Client, error) {
	u, err := url.Parse(o.URL)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, katprep.Errorf(katprep.Invalid, "Thruk: %q is no http or https URL", o.URL).WithHint("use https://HOST/thruk")
	}
	if o.Login.User == "token" {
		o.Login.User = ""
	}
	if o.Timeout == 0 {
		o.Timeout = 30 * time.Second
	}
	hc, err := httpx.New(httpx.Options{CAFile: o.CAFile, ServerName: o.ServerName, Insecure: o.Insecure, Timeout: o.Timeout, MaxBody: 256 << 20})
	if err != nil {
		return nil, err
	}
	path := strings.TrimSuffix(strings.TrimSuffix(u.Path, "/"), "/r")
	c := &Client{http: hc, base: u.Scheme + "://" + u.Host + path + "/r", login: o.Login, backend: o.Backend}
	c.Scheduler = downtime.New(c, downtime.Rules{System: "Thruk", Patience: o.Patience, ASCII: true, Skew: hc.ClockSkew})
	return c, nil
}

// get reads rows.
func (c *Client) get(ctx context.Context, path string, q url.Values, rows any) error {
	if c.backend != "" {
		q.Set("backend", c.backend)
	}
	return c.call(ctx, httpx.Request{Method: http.MethodGet, URL: c.base + path + "?" + q.Encode(), Repeat: true}, rows)
}

// command sends a command to one backend. Its fields become parts of a line
// that semicolons separate.
func (c *Client) command(ctx context.Context, path, backend string, form url.Values) error {
	for name, vs := range form {
		for _, v := range vs {
			if strings.ContainsFunc(v, func(r rune) bool { return r < ' ' || r == 0x7f }) || name != "comment_data" && strings.Contains(v, ";") {
				return katprep.Errorf(katprep.Invalid, "%q cannot be a field of a command", v)
			}
		}
	}
	h := http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}
	u := c.base + path + "?" + url.Values{"backend": {backend}}.Encode()
	return c.call(ctx, httpx.Request{Method: http.MethodPost, URL: u, Header: h, Body: []byte(form.Encode())}, nil)
}

func (c *Client) call(ctx context.Context, r httpx.Request, answer any) error {
	if r.Header == nil {
		r.Header = http.Header{}
	}
	r.Header.Set("Accept", "application/json")
	switch {
	case c.login.User != "":
		r.Header.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(c.login.User+":"+c.login.Password.Reveal())))
	case !c.login.Password.IsZero():
		r.Header.Set("X-Thruk-Auth-Key", c.login.Password.Reveal())
	}
	resp, err := c.http.Do(ctx, r)
	if err != nil {
		return fmt.Errorf("ask Thruk at %s: %w", c.base, err)
	}
	if err := c.refused(resp); err != nil {
		return err
	}
	if answer == nil {
		return nil
	}
	if err := json.Unmarshal(resp.Body, answer); err != nil {
		return katprep.Errorf(katprep.Corrupt, "%s does not answer like Thruk: %w", c.base, err).WithHint("use the URL that ends in /thruk")
	}
	return nil
}

func (c *Client) refused(resp *httpx.Response) error {
	var a struct {
		Failed      bool   `json:"failed"`
		Message     string `json:"message"`
		Description string `json:"description"`
	}
	_ = json.Unmarshal(resp.Body, &a) // a list, or no JSON: no words of failure
	if resp.Status == http.StatusOK && !a.Failed {
		return nil
	}
	text := strings.Join(strings.Fields(a.Message+" "+a.Description), " ")
	text = text[:min(len(text), 300)]
	switch {
	case resp.Status == http.StatusUnauthorized || resp.Status == http.StatusForbidden:
		return katprep.Errorf(katprep.Denied, "Thruk at %s refuses user, key or request: %s", c.base, text).
			WithHint("check the API key (and its user's roles) with: katprep auth list")
	case resp.Status >= 500 || strings.Contains(text, "failed to open socket") || strings.Contains(text, "failed to connect"):
		return katprep.Errorf(katprep.Unreachable, "a backend of Thruk at %s does not answer (%d): %s", c.base, resp.Status, text)
	}
	return katprep.Errorf(katprep.Internal, "Thruk at %s answers %d: %s", c.base, resp.Status, text)
}

// Identify is as act.System says.
func (c *Client) Identify(ctx context.Context) (act.Identity, error) {
	var about struct {
		Version string `json:"thruk_version"`
	}
	if err := c.get(ctx, "/thruk", url.Values{}, &about); err != nil {
		return act.Identity{}, err
	}
	var me struct {
		ID     string `json:"id"`
		Submit any    `json:"can_submit_commands"`
	}
	if err := c.get(ctx, "/thruk/whoami", url.Values{}, &me); err != nil {
		return act.Identity{}, err
	}
	id := act.Identity{Product: "Thruk", Version: about.Version, User: me.ID, CertExpires: c.http.CertExpires()}
	id.ClockSkew, _ = c.http.ClockSkew()
	if number(me.Submit) == 0 {
		id.Missing = append(id.Missing, "to submit commands (can_submit_commands)")
	}
	return id, nil
}
