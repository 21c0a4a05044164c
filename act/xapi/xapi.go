// Package xapi makes VM snapshots and changes power states on XenServer and
// XCP-ng through their management API.
package xapi

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/act"
	"github.com/stdevel/katprep/internal/creds"
	"github.com/stdevel/katprep/internal/httpx"
	"github.com/stdevel/katprep/internal/vm"
)

// Options say how a pool is reached, through its master.
type Options struct {
	URL   string // "https://xen1.example.com"
	Login creds.Login
	HTTP  httpx.Options
	// MinFree is how much of a storage repository must be free before a
	// snapshot is made, in percent; 0: 5, negative: not checked.
	MinFree int
	vm.Limits
}

// A Client is one pool. It logs in when first needed and keeps the session.
// It implements act.Snapshotter, act.SnapshotChecker, act.Power,
// act.Inventory, act.Leftovers and act.Placer.
type Client struct {
	*vm.Keeper
	o    Options
	http *httpx.Client
	url  string
	host string
	poll time.Duration
	id   atomic.Int64
	// session holds the session's reference, "" if there is none; a channel,
	// so that waiting for a login ends with a context.
	session chan string
}

// New returns a client; nothing is sent yet.
func New(o Options) (*Client, error) {
	u, err := url.Parse(o.URL)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return nil, katprep.Errorf(katprep.Invalid, "XAPI URL %q is no URL", o.URL).WithHint("as in https://xen1.example.com")
	}
	if o.MinFree == 0 {
		o.MinFree = 5
	}
	h, err := httpx.New(o.HTTP)
	if err != nil {
		return nil, err
	}
	c := &Client{o: o, http: h, url: u.Scheme + "://" + u.Host + "/jsonrpc", host: u.Host, poll: cmp.Or(o.Limits.Poll, time.Second), session: make(chan string, 1)}
	c.session <- ""
	c.Keeper = vm.NewKeeper(&driver{c}, o.Limits)
	return c, nil
}

// A fault is an error as XAPI tells it: a code and what it is about.
type fault struct {
	code string
	data []string
}

// Error returns the code and its data.
func (f *fault) Error() string {
	if len(f.data) == 0 {
		return f.code
	}
	return f.code + " (" + strings.Join(f.data, ", ") + ")"
}

// raw sends one call.
func (c *Client) raw(ctx context.Context, into any, method string, params ...any) error {
	body, err := json.Marshal(map[string]any{"jsonrpc": "2.0", "method": method, "params": params, "id": c.id.Add(1)})
	if err != nil {
		return err
	}
	resp, err := c.http.Do(ctx, httpx.Request{Method: http.MethodPost, URL: c.url, Body: body, Repeat: repeatable(method),
		Header: http.Header{"Content-Type": {"application/json"}}})
	if err != nil {
		if ctx.Err() != nil {
			return katprep.Errorf(katprep.Unreachable, "%s: %w", c.host, ctx.Err())
		}
		return err
	}
	if resp.Status != http.StatusOK {
		return katprep.Errorf(katprep.Unreachable, "%s answers with status %d", c.host, resp.Status)
	}
	var answer struct {
		Result json.RawMessage `json:"result"`
		Error  *struct {
			Message string `json:"message"`
			Data    any    `json:"data"`
		} `json:"error"`
	}
	if err := json.Unmarshal(resp.Body, &answer); err != nil {
		return katprep.Errorf(katprep.Corrupt, "the answer of %s is not JSON-RPC: %w", c.host, err)
	}
	if answer.Error != nil {
		return &fault{answer.Error.Message, texts(answer.Error.Data)}
	}
	if into == nil {
		return nil
	}
	if err := json.Unmarshal(answer.Result, into); err != nil {
		return katprep.Errorf(katprep.Corrupt, "the result of %s has another form than expected: %w", method, err)
	}
	return nil
}

func texts(data any) (list []string) {
	values, ok := data.([]any)
	if !ok {
		return nil
	}
	for _, v := range values {
		list = append(list, fmt.Sprint(v))
	}
	return list
}

// repeatable reports whether a call only reads.
func repeatable(method string) bool {
	_, name, _ := strings.Cut(method, ".")
	return strings.HasPrefix(name, "get_")
}

// call sends a call in a session, and once more in a new one if the session
// had ended.
func (c *Client) call(ctx context.Context, into any, method string, params ...any) error {
	for attempt := 0; ; attempt++ {
		s, err := c.login(ctx)
		if err != nil {
			return err
		}
		err = c.raw(ctx, into, method, append([]any{s}, params...)...)
		f, isFault := errors.AsType[*fault](err)
		if !isFault {
			return err
		}
		if f.code == "SESSION_INVALID" && attempt == 0 {
			c.forget(s)
			continue
		}
		return c.explain(f)
	}
}

// login returns the session.
func (c *Client) login(ctx context.Context) (string, error) {
	select {
	case s := <-c.session:
		defer func() { c.session <- s }()
		if s != "" {
			return s, nil
		}
		var ref string
		err := c.raw(ctx, &ref, "session.login_with_password", c.o.Login.User, c.o.Login.Password.Reveal(), "1.0", "katprep")
		if f, ok := errors.AsType[*fault](err); ok {
			if f.code != "HOST_IS_SLAVE" {
				f.data = nil // the server puts what was sent into it
			}
			if f.code == "SESSION_AUTHENTICATION_FAILED" {
				return "", katprep.Errorf(katprep.Denied, "%s: user %q or the password is not accepted", c.host, c.o.Login.User)
			}
			return "", c.explain(f)
		}
		if err != nil {
			return "", err
		}
		s = ref
		return s, nil
	case <-ctx.Done():
		return "", ctx.Err()
	}
}

func (c *Client) forget(old string) {
	s := <-c.session
	if s == old {
		s = ""
	}
	c.session <- s
}

// Close logs out.
func (c *Client) Close(ctx context.Context) error {
	s := <-c.session
	c.session <- ""
	defer c.http.Close()
	if s == "" {
		return nil
	}
	return c.raw(ctx, nil, "session.logout", s)
}

// explain gives a fault its kind.
func (c *Client) explain(f *fault) error {
	switch f.code {
	case "HOST_IS_SLAVE":
		return katprep.Errorf(katprep.Invalid, "%s is not the master of its pool: %w", c.host, f).WithHint("set the URL to the master: https://%s", strings.Join(f.data, ""))
	case "HANDLE_INVALID", "UUID_INVALID":
		return katprep.Errorf(katprep.NotFound, "%w", f)
	case "RBAC_PERMISSION_DENIED", "SESSION_INVALID", "SESSION_NOT_REGISTERED":
		return katprep.Errorf(katprep.Denied, "%w", f).WithHint("the user needs the role vm-power-admin or pool-operator")
	case "HOST_OFFLINE", "HOST_NOT_LIVE", "CANNOT_CONTACT_HOST":
		return katprep.Errorf(katprep.Unreachable, "%w", f)
	}
	return katprep.Errorf(katprep.Conflict, "%w", f)
}

// task runs a call of class Async and waits for its end; it returns the
// reference that the task's result holds, if any.
func (c *Client) task(ctx context.Context, method string, params ...any) (string, error) {
	var task string
	if err := c.call(ctx, &task, "Async."+method, params...); err != nil {
		return "", err
	}
	defer c.call(context.WithoutCancel(ctx), nil, "task.destroy", task)
	for {
		var t struct {
			Status string   `json:"status"`
			Result string   `json:"result"`
			Error  []string `json:"error_info"`
		}
		if err := c.call(ctx, &t, "task.get_record", task); err != nil {
			return "", fmt.Errorf("task of %s: %w", method, err)
		}
		switch t.Status {
		case "success":
			return strings.TrimSuffix(strings.TrimPrefix(t.Result, "<value>"), "</value>"), nil
		case "failure", "cancelled":
			f := &fault{code: "task " + t.Status}
			if len(t.Error) > 0 {
				f = &fault{t.Error[0], t.Error[1:]}
			}
			return "", c.explain(f)
		}
		select {
		case <-ctx.Done():
			return "", katprep.Errorf(katprep.Unreachable, "the task of %s still runs: %w", method, ctx.Err())
		case <-time.After(c.poll):
		}
	}
}

// Identify keeps the contract of [act.System].
func (c *Client) Identify(ctx context.Context) (act.Identity, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	var hosts map[string]struct {
		Software map[string]string `json:"software_version"`
	}
	if err := c.call(ctx, &hosts, "host.get_all_records"); err != nil {
		return act.Identity{}, fmt.Errorf("identify: %w", err)
	}
	id := act.Identity{Product: "XAPI", User: c.o.Login.User, CertExpires: c.http.CertExpires()}
	id.ClockSkew, _ = c.http.ClockSkew()
	var versions []string
	for _, h := range hosts {
		id.Product = cmp.Or(h.Software["product_brand"], id.Product)
		versions = append(versions, h.Software["product_version"])
	}
	slices.Sort(versions)
	id.Version = strings.Join(slices.Compact(versions), ", ")
	return id, nil
}
