// Package icinga2 speaks to Icinga 2 through its REST API: downtimes of hosts
// with their services, health, and the list of hosts.
//
// Hosts and downtimes are named, not filtered, wherever the API allows it;
// where a filter is needed, every value travels in filter_vars. All requests
// ask for diagnostics, because a missing permission looks like an unknown
// host otherwise.
package icinga2

import (
	"context"
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

// Options say where Icinga 2 is and who we are to it.
type Options struct {
	URL        string // https://HOST:5665, with or without /v1
	Login      creds.Login
	CAFile     string        // usually a copy of /var/lib/icinga2/certs/ca.crt
	ServerName string        // the node name, if the URL has another name or an address
	Insecure   bool          // accept every certificate
	Timeout    time.Duration // for one request; 0: 30 s
	Patience   time.Duration // until a downtime must be shown; 0: 30 s
	Children   bool          // downtimes of the hosts that depend on a host as well
}

// A Client is a connection to one Icinga 2. It is safe for concurrent use.
type Client struct {
	*downtime.Scheduler

	http     *httpx.Client
	base     string
	login    creds.Login
	children bool
	reads    reads
}

// New returns a client; nothing is sent. Errors are of kind katprep.Invalid.
func New(o Options) (*Client, error) {
	u, err := url.Parse(o.URL)
	if err != nil || u.Host == "" || u.Scheme != "https" {
		return nil, katprep.Errorf(katprep.Invalid, "Icinga 2: %q is no https URL", o.URL).WithHint("use https://HOST:5665")
	}
	if o.Timeout == 0 {
		o.Timeout = 30 * time.Second
	}
	hc, err := httpx.New(httpx.Options{CAFile: o.CAFile, ServerName: o.ServerName, Insecure: o.Insecure, Timeout: o.Timeout, MaxBody: 256 << 20})
	if err != nil {
		return nil, err
	}
	path := strings.TrimSuffix(strings.TrimSuffix(u.Path, "/"), "/v1")
	c := &Client{http: hc, base: u.Scheme + "://" + u.Host + path + "/v1", login: o.Login, children: o.Children}
	c.Scheduler = downtime.New(c, downtime.Rules{System: "Icinga 2", Patience: o.Patience, Skew: c.skew})
	return c, nil
}

// needed are the permissions without which katprep cannot work.
var needed = [...]string{
	"objects/query/Host", "objects/query/Service", "objects/query/Downtime",
	"actions/schedule-downtime", "actions/remove-downtime",
}

// Identify is as act.System says. The clock is only known to users with the
// permission status/query.
func (c *Client) Identify(ctx context.Context) (act.Identity, error) {
	var me []struct {
		User        string `json:"user"`
		Version     string `json:"version"`
		Permissions []any  `json:"permissions"`
	}
	if err := c.get(ctx, "", &me); err != nil {
		return act.Identity{}, err
	}
	if len(me) == 0 || me[0].Version == "" {
		return act.Identity{}, katprep.Errorf(katprep.Corrupt, "%s does not answer like an Icinga 2 API", c.base)
	}
	id := act.Identity{Product: "Icinga 2", Version: strings.TrimPrefix(me[0].Version, "r"), User: me[0].User, CertExpires: c.http.CertExpires()}
	have := permissions(me[0].Permissions)
	for _, p := range needed {
		if !allowed(have, p) {
			id.Missing = append(id.Missing, p)
		}
	}
	id.ClockSkew = c.clock(ctx)
	return id, nil
}

// permissions reads a list whose items are names, marked if they have a
// filter, or objects with a name and a filter.
func permissions(list []any) []string {
	var ps []string
	for _, p := range list {
		switch p := p.(type) {
		case string:
			ps = append(ps, strings.TrimSuffix(p, " (filtered)"))
		case map[string]any:
			if s, ok := p["permission"].(string); ok {
				ps = append(ps, s)
			}
		}
	}
	return ps
}

// allowed reports whether one of the patterns ('*' is any text) grants the
// permission.
func allowed(patterns []string, permission string) bool {
	for _, p := range patterns {
		if glob(strings.ToLower(p), strings.ToLower(permission)) {
			return true
		}
	}
	return false
}

func glob(pattern, s string) bool {
	head, rest, star := strings.Cut(pattern, "*")
	if !star {
		return pattern == s
	}
	if !strings.HasPrefix(s, head) {
		return false
	}
	for i := len(head); i <= len(s); i++ {
		if glob(rest, s[i:]) {
			return true
		}
	}
	return false
}

// skew asks the server's clock; it is needed only to explain failures.
func (c *Client) skew() (time.Duration, bool) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	d := c.clock(ctx)
	return d, d != 0
}

// clock returns the server's clock minus ours, or 0 if it is less than two
// seconds or cannot be asked. The API sends no Date header, but start and
// uptime add up.
func (c *Client) clock(ctx context.Context) time.Duration {
	var parts []struct {
		Status struct {
			Uptime float64 `json:"uptime"`
			App    struct {
				App struct {
					Start float64 `json:"program_start"`
				} `json:"app"`
			} `json:"icingaapplication"`
		} `json:"status"`
	}
	if c.get(ctx, "/status", &parts) != nil {
		return 0
	}
	var start, up float64
	for _, p := range parts {
		start, up = max(start, p.Status.App.App.Start), max(up, p.Status.Uptime)
	}
	if start == 0 || up == 0 {
		return 0
	}
	d := time.Until(instant(start + up)).Round(time.Second)
	if d.Abs() < 2*time.Second {
		return 0
	}
	return d
}

// instant makes a time of seconds since 1970.
func instant(s float64) time.Time {
	if s <= 0 || s > 1<<40 {
		return time.Time{}
	}
	return time.UnixMilli(int64(s * 1000)).UTC()
}

// Requests returns how many requests were sent so far, repetitions included.
func (c *Client) Requests() int64 { return c.http.Sent() }
