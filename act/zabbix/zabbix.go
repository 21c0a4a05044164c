// Package zabbix speaks to Zabbix (5.4 and newer) through its JSON-RPC API: a
// downtime is a maintenance period of one host, health is its triggers.
//
// Zabbix keeps times in whole minutes and applies maintenance once a minute.
package zabbix

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
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

// Options say where Zabbix is and who we are to it.
type Options struct {
	URL        string      // of the frontend, with or without /api_jsonrpc.php
	Login      creds.Login // without a user, or as user "token", the password is an API token
	CAFile     string
	ServerName string
	Insecure   bool
	Timeout    time.Duration // for one request; 0: 30 s
	Patience   time.Duration // until a maintenance must be in effect; 0: 2.5 min
}

// A Client is a connection to one Zabbix. It is safe for concurrent use.
type Client struct {
	*downtime.Scheduler

	http  *httpx.Client
	url   string
	login creds.Login

	mu      sync.Mutex
	version string
	session *session
	tried   time.Time // when signing in was last begun
	silent  error     // how it failed, if nobody answered
}

// A session is a login. It is kept as long as the server accepts it.
type session struct {
	token creds.Secret
	user  string
	role  int // 1: user, 2: admin, 3: super admin; 0: not known
}

// New returns a client; nothing is sent. Errors are of kind katprep.Invalid.
func New(o Options) (*Client, error) {
	u, err := url.Parse(o.URL)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, katprep.Errorf(katprep.Invalid, "Zabbix: %q is no http or https URL", o.URL).WithHint("use https://HOST/zabbix")
	}
	if o.Login.User == "token" {
		o.Login.User = ""
	}
	if o.Timeout == 0 {
		o.Timeout = 30 * time.Second
	}
	if o.Patience == 0 {
		o.Patience = 150 * time.Second
	}
	hc, err := httpx.New(httpx.Options{CAFile: o.CAFile, ServerName: o.ServerName, Insecure: o.Insecure, Timeout: o.Timeout})
	if err != nil {
		return nil, err
	}
	path := strings.TrimSuffix(u.Path, "/")
	if !strings.HasSuffix(path, ".php") {
		path += "/api_jsonrpc.php"
	}
	c := &Client{http: hc, url: u.Scheme + "://" + u.Host + path, login: o.Login}
	c.Scheduler = downtime.New(c, downtime.Rules{
		System: "Zabbix", Patience: o.Patience, Interval: 2 * time.Second, Grain: time.Minute, Skew: hc.ClockSkew,
	})
	return c, nil
}

// A fault is an error of the API, whose HTTP status is always 200.
type fault struct {
	Code    int    `json:"code"`
	Message string `json:"message"`
	Data    string `json:"data"`
}

func (f *fault) Error() string { return strings.TrimSpace(f.Message + " " + f.Data) }

// raw calls a method with a token (none: "").
func (c *Client) raw(ctx context.Context, method string, params any, token creds.Secret, result any) error {
	body := map[string]any{"jsonrpc": "2.0", "method": method, "params": params, "id": 1}
	h := http.Header{"Content-Type": {"application/json-rpc"}}
	if !token.IsZero() {
		if c.atLeast(6, 4) {
			h.Set("Authorization", "Bearer "+token.Reveal())
		} else {
			body["auth"] = token.Reveal()
		}
	}
	b, err := json.Marshal(body)
	if err != nil {
		return katprep.Errorf(katprep.Internal, "encode request: %w", err)
	}
	read := strings.HasSuffix(method, ".get") || method == "apiinfo.version"
	resp, err := c.http.Do(ctx, httpx.Request{Method: http.MethodPost, URL: c.url, Header: h, Body: b, Repeat: read})
	if err != nil {
		return fmt.Errorf("ask Zabbix at %s: %w", c.url, err)
	}
	if resp.Status != http.StatusOK {
		return katprep.Errorf(katprep.Unreachable, "Zabbix at %s answers %d", c.url, resp.Status).WithHint("use the URL of the frontend, such as https://HOST/zabbix")
	}
	var answer struct {
		Result json.RawMessage `json:"result"`
		Error  *fault          `json:"error"`
	}
	if err := json.Unmarshal(resp.Body, &answer); err != nil {
		return katprep.Errorf(katprep.Corrupt, "%s does not answer like Zabbix", c.url).WithHint("use the URL of the frontend, such as https://HOST/zabbix")
	}
	if answer.Error != nil {
		return answer.Error
	}
	if result == nil {
		return nil
	}
	if err := json.Unmarshal(answer.Result, result); err != nil {
		return katprep.Errorf(katprep.Corrupt, "Zabbix at %s: %s: %w", c.url, method, err)
	}
	return nil
}

// call calls a method as our user, and logs in again if the session ended.
func (c *Client) call(ctx context.Context, method string, params, result any) error {
	for again := true; ; again = false {
		s, err := c.signIn(ctx)
		if err != nil {
			return err
		}
		err = c.raw(ctx, method, params, s.token, result)
		f, isFault := errors.AsType[*fault](err)
		if !isFault {
			return err
		}
		text := strings.ToLower(f.Data)
		expired := strings.Contains(text, "re-login") || strings.Contains(text, "not authori")
		if expired && again && c.login.User != "" {
			c.mu.Lock()
			c.session = nil
			c.mu.Unlock()
			continue
		}
		kind := katprep.Internal
		if expired || strings.Contains(text, "permission") {
			kind = katprep.Denied
		}
		return katprep.Errorf(kind, "Zabbix at %s: %s: %w", c.url, method, f)
	}
}

// signIn returns the session, making one if there is none. The version is
// asked first, because it decides how to log in.
func (c *Client) signIn(ctx context.Context) (*session, error) {
	asked := time.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.session == nil && c.silent != nil && c.tried.After(asked) {
		return nil, c.silent // it was tried in vain while we waited: many hosts ask at once
	}
	c.tried = time.Now()
	s, err := c.open(ctx)
	if c.silent = nil; katprep.KindOf(err) == katprep.Unreachable && ctx.Err() == nil {
		c.silent = err
	}
	return s, err
}

// open is signIn with the lock held.
func (c *Client) open(ctx context.Context) (*session, error) {
	if c.version == "" {
		if err := c.raw(ctx, "apiinfo.version", []any{}, creds.Secret{}, &c.version); err != nil {
			return nil, err
		}
	}
	if c.session != nil {
		return c.session, nil
	}
	if c.login.User == "" {
		c.session = &session{token: c.login.Password}
		return c.session, nil
	}
	key := "username"
	if !c.atLeast(5, 4) {
		key = "user"
	}
	var me struct {
		ID   string `json:"sessionid"`
		User string `json:"username"`
		Type any    `json:"type"`
	}
	err := c.raw(ctx, "user.login", map[string]any{key: c.login.User, "password": c.login.Password.Reveal(), "userData": true}, creds.Secret{}, &me)
	if f, ok := errors.AsType[*fault](err); ok {
		return nil, katprep.Errorf(katprep.Denied, "Zabbix at %s refuses user %q: %w", c.url, c.login.User, f).
			WithHint("check the user's password with: katprep auth list")
	}
	if err != nil {
		return nil, err
	}
	c.session = &session{token: creds.NewSecret(me.ID), user: c.login.User, role: int(number(me.Type))}
	return c.session, nil
}

// atLeast reports whether the version is known to be that or newer.
func (c *Client) atLeast(major, minor int) bool {
	v := strings.SplitN(c.version, ".", 3)
	if len(v) < 2 {
		return false
	}
	a, _ := strconv.Atoi(v[0])
	b, _ := strconv.Atoi(v[1])
	return a > major || a == major && b >= minor
}

// number reads what the API gives as a number or, mostly, as text.
func number(v any) int64 {
	switch v := v.(type) {
	case float64:
		return int64(v)
	case string:
		n, _ := strconv.ParseInt(v, 10, 64)
		return n
	}
	return 0
}

// Identify is as act.System says.
func (c *Client) Identify(ctx context.Context) (act.Identity, error) {
	var hosts []any
	if err := c.call(ctx, "host.get", map[string]any{"output": []string{"hostid"}, "limit": 1}, &hosts); err != nil {
		return act.Identity{}, err
	}
	s, err := c.signIn(ctx)
	if err != nil {
		return act.Identity{}, err
	}
	id := act.Identity{Product: "Zabbix", Version: c.version, User: s.user, CertExpires: c.http.CertExpires()}
	id.ClockSkew, _ = c.http.ClockSkew()
	if len(hosts) == 0 {
		id.Missing = append(id.Missing, "to see hosts (permission of a user group on host groups)")
	}
	if s.role == 1 {
		id.Missing = append(id.Missing, "to make maintenance periods (role Admin)")
	}
	return id, nil
}
