// Package proxmox makes VM snapshots and changes power states on Proxmox VE.
// Containers (LXC) are no VMs and are left out.
package proxmox

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/act"
	"github.com/stdevel/katprep/internal/creds"
	"github.com/stdevel/katprep/internal/httpx"
	"github.com/stdevel/katprep/internal/vm"
)

// Options say how a Proxmox VE cluster is reached, through any of its nodes.
type Options struct {
	URL   string      // "https://pve1.example.com:8006"
	Login creds.Login // an API token: user "katprep@pve!patch", password its secret
	HTTP  httpx.Options
	// MinFree is how much of a storage must be free before a snapshot is
	// made, in percent; 0: 5, negative: not checked.
	MinFree int
	vm.Limits
}

// A Client is one Proxmox VE cluster. It implements act.Snapshotter,
// act.SnapshotChecker, act.Power, act.Inventory, act.Leftovers and
// act.Placer.
type Client struct {
	*vm.Keeper
	o    Options
	http *httpx.Client
	base string
	poll time.Duration
}

// New returns a client; nothing is sent yet.
func New(o Options) (*Client, error) {
	u, err := url.Parse(o.URL)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return nil, katprep.Errorf(katprep.Invalid, "Proxmox URL %q is no URL", o.URL).WithHint("as in https://pve1.example.com:8006")
	}
	if o.MinFree == 0 {
		o.MinFree = 5
	}
	h, err := httpx.New(o.HTTP)
	if err != nil {
		return nil, err
	}
	c := &Client{o: o, http: h, base: u.Scheme + "://" + u.Host + "/api2/json", poll: cmp.Or(o.Limits.Poll, time.Second)}
	c.Keeper = vm.NewKeeper(&driver{c}, o.Limits)
	return c, nil
}

// Close drops idle connections; tokens have no session.
func (c *Client) Close(context.Context) error {
	c.http.Close()
	return nil
}

// path joins escaped segments.
func path(segments ...string) string {
	var b strings.Builder
	for _, s := range segments {
		b.WriteString("/" + url.PathEscape(s))
	}
	return b.String()
}

// get reads; it may be repeated.
func (c *Client) get(ctx context.Context, p string, into any) error {
	return c.call(ctx, http.MethodGet, p, nil, into)
}

// call sends a request and decodes the member data of the answer.
func (c *Client) call(ctx context.Context, method, p string, form url.Values, into any) error {
	r := httpx.Request{Method: method, URL: c.base + p, Repeat: method == http.MethodGet, Header: http.Header{}}
	r.Header.Set("Authorization", "PVEAPIToken="+c.o.Login.User+"="+c.o.Login.Password.Reveal())
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Body = []byte(form.Encode())
	}
	resp, err := c.http.Do(ctx, r)
	if err != nil {
		if ctx.Err() != nil {
			return katprep.Errorf(katprep.Unreachable, "%w", ctx.Err())
		}
		return err
	}
	var answer struct {
		Data    json.RawMessage   `json:"data"`
		Message string            `json:"message"`
		Errors  map[string]string `json:"errors"`
	}
	decoded := json.Unmarshal(resp.Body, &answer)
	if resp.Status/100 != 2 {
		return c.refused(resp.Status, strings.TrimSpace(answer.Message), answer.Errors)
	}
	if decoded != nil {
		return katprep.Errorf(katprep.Corrupt, "the answer is not JSON: %w", decoded).WithHint("is this really Proxmox VE?")
	}
	if into == nil {
		return nil
	}
	if err := json.Unmarshal(answer.Data, into); err != nil {
		return katprep.Errorf(katprep.Corrupt, "the answer has another form than expected: %w", err)
	}
	return nil
}

// refused gives an answer that is no success its kind.
func (c *Client) refused(status int, message string, fields map[string]string) error {
	for _, k := range sortedKeys(fields) {
		message = strings.TrimSpace(message + " " + k + ": " + strings.TrimSpace(fields[k]))
	}
	text := fmt.Sprintf("status %d", status)
	if message != "" {
		text += ": " + message
	}
	switch {
	case status == http.StatusUnauthorized:
		return katprep.Errorf(katprep.Denied, "the API token of %q is not accepted (%s)", c.o.Login.User, text).
			WithHint("the user is written user@realm!token, the password is the token's secret")
	case status == http.StatusForbidden:
		return katprep.Errorf(katprep.Denied, "%q lacks a privilege (%s)", c.o.Login.User, text).
			WithHint("grant VM.Audit, VM.Snapshot, VM.Snapshot.Rollback and VM.PowerMgmt to the token on /vms")
	case status == http.StatusNotFound, strings.Contains(message, "does not exist"):
		return katprep.Errorf(katprep.NotFound, "%s", text)
	case status == http.StatusBadRequest:
		return katprep.Errorf(katprep.Invalid, "%s", text)
	case status == 595, status == 596, status == 599, status == http.StatusBadGateway, status == http.StatusServiceUnavailable:
		return katprep.Errorf(katprep.Unreachable, "%s", text) // 595 to 599: a node of the cluster does not answer
	}
	return katprep.Errorf(katprep.Conflict, "%s", text)
}

// task starts a task and waits for its end, which alone says what became of
// it.
func (c *Client) task(ctx context.Context, method, node, p string, form url.Values) (upid string, err error) {
	if err := c.call(ctx, method, p, form, &upid); err != nil {
		return "", err
	}
	if !strings.HasPrefix(upid, "UPID:") {
		return "", katprep.Errorf(katprep.Corrupt, "no task was started: %q", upid)
	}
	for {
		var s struct {
			Status string `json:"status"`
			Exit   string `json:"exitstatus"`
		}
		if err := c.get(ctx, path("nodes", node, "tasks", upid, "status"), &s); err != nil {
			return upid, fmt.Errorf("task %s: %w", upid, err)
		}
		if s.Status == "stopped" {
			if s.Exit != "OK" && !strings.HasPrefix(s.Exit, "WARNINGS") {
				return upid, katprep.Errorf(katprep.Conflict, "task %s ended with: %s", upid, s.Exit)
			}
			return upid, nil
		}
		select {
		case <-ctx.Done():
			return upid, katprep.Errorf(katprep.Unreachable, "task %s still runs: %w", upid, ctx.Err())
		case <-time.After(c.poll):
		}
	}
}

var privileges = []string{"VM.Audit", "VM.PowerMgmt", "VM.Snapshot", "VM.Snapshot.Rollback"}

// Identify keeps the contract of [act.System].
func (c *Client) Identify(ctx context.Context) (act.Identity, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	var v struct {
		Version string `json:"version"`
	}
	if err := c.get(ctx, "/version", &v); err != nil {
		return act.Identity{}, fmt.Errorf("identify: %w", err)
	}
	var granted map[string]map[string]int
	if err := c.get(ctx, "/access/permissions", &granted); err != nil {
		return act.Identity{}, fmt.Errorf("identify: read permissions: %w", err)
	}
	id := act.Identity{Product: "Proxmox VE", Version: v.Version, User: c.o.Login.User, CertExpires: c.http.CertExpires()}
	id.ClockSkew, _ = c.http.ClockSkew()
	for _, p := range privileges {
		if !has(granted, p) {
			id.Missing = append(id.Missing, p)
		}
	}
	return id, nil
}

// has reports whether a privilege is granted on any path that may hold VMs.
func has(granted map[string]map[string]int, privilege string) bool {
	for where, ps := range granted {
		_, ok := ps[privilege]
		if ok && (where == "/" || strings.HasPrefix(where, "/vms") || strings.HasPrefix(where, "/pool")) {
			return true
		}
	}
	return false
}
