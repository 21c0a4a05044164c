// Package alertmanager speaks to Prometheus Alertmanager (API v2): a downtime
// is a silence of all alerts of a host, health is what is firing.
//
// Alertmanager knows alerts, not hosts. A host is a value of a label, with or
// without a port; whether a silent host is well or not watched at all, nobody
// here can say, so that its own state is always unknown.
package alertmanager

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
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

// Options say where Alertmanager is and who we are to it.
type Options struct {
	URL        string // http://HOST:9093, or below a proxy's path
	Login      creds.Login
	CAFile     string
	ServerName string
	Insecure   bool
	Timeout    time.Duration // for one request; 0: 30 s
	Patience   time.Duration // until a silence must be shown; 0: 30 s
	Labels     []string      // that hold the host; nil: "instance"
}

// A Client is a connection to one Alertmanager. It is safe for concurrent
// use.
type Client struct {
	*downtime.Scheduler

	http   *httpx.Client
	base   string
	login  creds.Login
	labels []string
}

var labelName = regexp.MustCompile(`^[a-zA-Z_][a-zA-Z0-9_]*$`)

// New returns a client; nothing is sent. Errors are of kind katprep.Invalid.
func New(o Options) (*Client, error) {
	u, err := url.Parse(o.URL)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, katprep.Errorf(katprep.Invalid, "Alertmanager: %q is no http or https URL", o.URL).WithHint("use http://HOST:9093")
	}
	if len(o.Labels) == 0 {
		o.Labels = []string{"instance"}
	}
	for _, l := range o.Labels {
		if !labelName.MatchString(l) {
			return nil, katprep.Errorf(katprep.Invalid, "Alertmanager: %q is no name of a label", l)
		}
	}
	if o.Timeout == 0 {
		o.Timeout = 30 * time.Second
	}
	hc, err := httpx.New(httpx.Options{CAFile: o.CAFile, ServerName: o.ServerName, Insecure: o.Insecure, Timeout: o.Timeout})
	if err != nil {
		return nil, err
	}
	path := strings.TrimSuffix(strings.TrimSuffix(u.Path, "/"), "/api/v2")
	c := &Client{http: hc, base: u.Scheme + "://" + u.Host + path + "/api/v2", login: o.Login, labels: o.Labels}
	c.Scheduler = downtime.New(c, downtime.Rules{
		System: "Alertmanager", Patience: o.Patience, LateStart: true, Skew: hc.ClockSkew,
		Warning: "Alertmanager does not know its hosts: nobody checked that the host has alerts under this name",
	})
	return c, nil
}

// call sends a request with a JSON body (nil: none) and reads a JSON answer
// (nil: any).
func (c *Client) call(ctx context.Context, method, path string, body, answer any) error {
	r := httpx.Request{Method: method, URL: c.base + path, Header: http.Header{"Accept": {"application/json"}}, Repeat: method != http.MethodPost}
	if body != nil {
		var err error
		if r.Body, err = json.Marshal(body); err != nil {
			return katprep.Errorf(katprep.Internal, "encode request: %w", err)
		}
		r.Header.Set("Content-Type", "application/json")
	}
	if c.login.User != "" {
		r.Header.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(c.login.User+":"+c.login.Password.Reveal())))
	}
	resp, err := c.http.Do(ctx, r)
	if err != nil {
		return fmt.Errorf("ask Alertmanager at %s: %w", c.base, err)
	}
	if err := c.refused(resp); err != nil {
		return err
	}
	if answer == nil {
		return nil
	}
	if err := json.Unmarshal(resp.Body, answer); err != nil {
		return katprep.Errorf(katprep.Corrupt, "Alertmanager at %s: %w", c.base, err)
	}
	return nil
}

func (c *Client) refused(resp *httpx.Response) error {
	text := strings.TrimSpace(string(resp.Body))
	text = text[:min(len(text), 300)]
	switch {
	case resp.Status == http.StatusOK:
		return nil
	case resp.Status == http.StatusUnauthorized || resp.Status == http.StatusForbidden:
		return katprep.Errorf(katprep.Denied, "Alertmanager at %s refuses user %q or the password", c.base, c.login.User).
			WithHint("check the user's password with: katprep auth list")
	case resp.Status == http.StatusNotFound || strings.Contains(text, "silence not found"): // 500 before 0.26
		return katprep.Errorf(katprep.NotFound, "Alertmanager at %s: %s", c.base, text)
	case resp.Status >= 500:
		return katprep.Errorf(katprep.Unreachable, "Alertmanager at %s answers %d: %s", c.base, resp.Status, text)
	}
	return katprep.Errorf(katprep.Internal, "Alertmanager at %s answers %d: %s", c.base, resp.Status, text)
}

// Identify is as act.System says.
func (c *Client) Identify(ctx context.Context) (act.Identity, error) {
	var status struct {
		Version struct {
			Version string `json:"version"`
		} `json:"versionInfo"`
	}
	if err := c.call(ctx, http.MethodGet, "/status", nil, &status); err != nil {
		return act.Identity{}, err
	}
	if status.Version.Version == "" {
		return act.Identity{}, katprep.Errorf(katprep.Corrupt, "%s does not answer like an Alertmanager", c.base)
	}
	id := act.Identity{Product: "Alertmanager", Version: status.Version.Version, User: c.login.User, CertExpires: c.http.CertExpires()}
	id.ClockSkew, _ = c.http.ClockSkew()
	return id, nil
}
