// Package vsphere makes VM snapshots and changes power states on VMware
// vCenter and ESXi.
package vsphere

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/vmware/govmomi"
	"github.com/vmware/govmomi/fault"
	"github.com/vmware/govmomi/session"
	"github.com/vmware/govmomi/task"
	"github.com/vmware/govmomi/vim25"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/act"
	"github.com/stdevel/katprep/internal/creds"
	"github.com/stdevel/katprep/internal/vm"
)

// Options say how a vCenter or ESXi host is reached.
type Options struct {
	URL        string // "vcenter.example.com" or "https://vcenter.example.com/sdk"
	Login      creds.Login
	CAFile     string // PEM bundle that is trusted
	ServerName string // in the certificate, if it is not the URL's host
	Thumbprint string // SHA-1 or SHA-256 of the certificate, which is then trusted without an authority
	Insecure   bool
	// MinFree is how much of a datastore must be free before a snapshot is
	// made, in percent; 0: 5, negative: not checked.
	MinFree int
	vm.Limits
}

// A Client is one vCenter or ESXi host. It logs in when first needed, keeps
// the session, and logs in again once if it was lost. It implements
// act.Snapshotter, act.SnapshotChecker, act.Power, act.Inventory,
// act.Leftovers and act.Placer.
type Client struct {
	*vm.Keeper
	o    Options
	url  *url.URL
	lock chan struct{} // holds the session; a channel, so that waiting ends with a context
	vc   *govmomi.Client

	expires atomic.Int64 // of the server's certificate, Unix seconds
}

// New returns a client; nothing is sent yet.
func New(o Options) (*Client, error) {
	u, err := soap.ParseURL(o.URL)
	if err != nil || u == nil || u.Host == "" {
		return nil, katprep.Errorf(katprep.Invalid, "vSphere URL %q is no URL", o.URL)
	}
	u.User = nil // credentials never come from, or end in, a URL
	if o.MinFree == 0 {
		o.MinFree = 5
	}
	c := &Client{o: o, url: u, lock: make(chan struct{}, 1)}
	c.Keeper = vm.NewKeeper(c.driver(), o.Limits)
	return c, nil
}

func (c *Client) driver() *driver { return &driver{c} }

// session returns a client that is logged in.
func (c *Client) session(ctx context.Context) (*govmomi.Client, error) {
	select {
	case c.lock <- struct{}{}:
		defer func() { <-c.lock }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if c.vc != nil {
		return c.vc, nil
	}
	vc, err := c.login(ctx)
	if err != nil {
		return nil, err
	}
	c.vc = vc
	return vc, nil
}

func (c *Client) login(ctx context.Context) (*govmomi.Client, error) {
	sc := soap.NewClient(c.url, c.o.Insecure)
	if c.o.CAFile != "" {
		if err := sc.SetRootCAs(c.o.CAFile); err != nil {
			return nil, katprep.Errorf(katprep.Invalid, "read CA file: %w", err)
		}
	}
	t := sc.DefaultTransport()
	t.DialTLSContext = nil // the library's own does not end with its context
	t.TLSHandshakeTimeout = 30 * time.Second
	t.TLSClientConfig.ServerName = c.o.ServerName
	accept := func(tls.ConnectionState) error { return nil } // beyond what TLS itself checks
	if c.o.Thumbprint != "" {
		t.TLSClientConfig.InsecureSkipVerify = true // #nosec G402 -- the pinned certificate is the check
		accept = pinned(c.o.Thumbprint)
	}
	t.TLSClientConfig.VerifyConnection = func(s tls.ConnectionState) error {
		if len(s.PeerCertificates) > 0 {
			c.expires.Store(s.PeerCertificates[0].NotAfter.Unix())
		}
		return accept(s)
	}
	vimc, err := vim25.NewClient(ctx, sc)
	if err != nil {
		return nil, c.explain(ctx, err)
	}
	vc := &govmomi.Client{Client: vimc, SessionManager: session.NewManager(vimc)}
	if err := vc.Login(ctx, url.UserPassword(c.o.Login.User, c.o.Login.Password.Reveal())); err != nil {
		return nil, c.explain(ctx, err)
	}
	return vc, nil
}

// errPin is that of a server with another certificate than the pinned one.
var errPin = errors.New("the server's certificate is not the one of the thumbprint")

// pinned accepts one certificate, by its SHA-1 or SHA-256.
func pinned(thumbprint string) func(tls.ConnectionState) error {
	bare := func(s string) string { return strings.ToLower(strings.ReplaceAll(s, ":", "")) }
	want := bare(thumbprint)
	return func(s tls.ConnectionState) error {
		if len(s.PeerCertificates) > 0 {
			cert := s.PeerCertificates[0]
			if want == bare(soap.ThumbprintSHA1(cert)) || want == bare(soap.ThumbprintSHA256(cert)) {
				return nil
			}
		}
		return errPin
	}
}

// drop forgets a session that is no longer valid.
func (c *Client) drop(old *govmomi.Client) {
	c.lock <- struct{}{}
	defer func() { <-c.lock }()
	if c.vc == old {
		c.vc = nil
	}
}

// do calls f with a session, and once more with a new one if the session had
// ended before the call.
func (c *Client) do(ctx context.Context, f func(vc *vim25.Client) error) error {
	for attempt := 0; ; attempt++ {
		vc, err := c.session(ctx)
		if err != nil {
			return err
		}
		err = f(vc.Client)
		if err != nil && attempt == 0 && fault.Is(err, &types.NotAuthenticated{}) {
			c.drop(vc)
			continue
		}
		return c.explain(ctx, err)
	}
}

// Close logs out.
func (c *Client) Close(ctx context.Context) error {
	select {
	case c.lock <- struct{}{}:
		defer func() { <-c.lock }()
	case <-ctx.Done():
		return ctx.Err()
	}
	if c.vc == nil {
		return nil
	}
	err := c.vc.Logout(ctx)
	c.vc = nil
	return err
}

// explain gives an error its kind, and a hint.
func (c *Client) explain(ctx context.Context, err error) error {
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return katprep.Errorf(katprep.Unreachable, "%s: %w", c.url.Host, ctx.Err())
	case errors.Is(err, errPin):
		return katprep.Errorf(katprep.Unreachable, "%s: %w", c.url.Host, errPin).
			WithHint("it is %s now: set thumbprint to that only if the certificate was renewed", c.seenThumbprint(ctx))
	case soap.IsCertificateUntrusted(err):
		return katprep.Errorf(katprep.Unreachable, "%s: %w", c.url.Host, err).
			WithHint("set ca_file, or thumbprint: %s if that is the server's", c.seenThumbprint(ctx))
	case fault.Is(err, &types.InvalidLogin{}):
		return katprep.Errorf(katprep.Denied, "%s: user %q or the password is not accepted", c.url.Host, c.o.Login.User)
	case fault.Is(err, &types.NoPermission{}):
		return katprep.Errorf(katprep.Denied, "%s: user %q lacks a permission: %w", c.url.Host, c.o.Login.User, err).
			WithHint("grant VirtualMachine.State.*Snapshot* and VirtualMachine.Interact.Power*")
	case fault.Is(err, &types.ManagedObjectNotFound{}):
		return katprep.Errorf(katprep.NotFound, "it is gone: %w", err)
	case isURLError(err):
		return katprep.Errorf(katprep.Unreachable, "%s: %w", c.url.Host, err)
	case fault.Is(err, &types.NoDiskSpace{}), fault.Is(err, &types.InsufficientStorageSpace{}):
		return katprep.Errorf(katprep.Conflict, "a datastore is full: %w", err).WithHint("make room: a full datastore stops every VM on it")
	case refused(err):
		return katprep.Errorf(katprep.Conflict, "%w", err)
	}
	return err
}

// refused reports whether the server said no, at once or at a task's end.
func refused(err error) bool {
	if _, ok := errors.AsType[task.Error](err); ok {
		return true
	}
	return soap.IsSoapFault(err) || soap.IsVimFault(err)
}

func isURLError(err error) bool {
	_, ok := errors.AsType[*url.Error](err)
	return ok
}

// seenThumbprint asks for the certificate only to show it: nothing is sent
// over that connection.
func (c *Client) seenThumbprint(ctx context.Context) string {
	host := c.url.Host
	if c.url.Port() == "" {
		host += ":443"
	}
	d := tls.Dialer{Config: &tls.Config{InsecureSkipVerify: true}} // #nosec G402 -- shown, not trusted
	conn, err := d.DialContext(ctx, "tcp", host)
	if err != nil {
		return "(unknown)"
	}
	defer conn.Close()
	certs := conn.(*tls.Conn).ConnectionState().PeerCertificates
	if len(certs) == 0 {
		return "(unknown)"
	}
	return soap.ThumbprintSHA256(certs[0])
}

// privileges are what katprep needs.
var privileges = []string{"VirtualMachine.State.CreateSnapshot", "VirtualMachine.State.RemoveSnapshot",
	"VirtualMachine.State.RevertToSnapshot", "VirtualMachine.Interact.PowerOn", "VirtualMachine.Interact.PowerOff"}

// Identify keeps the contract of [act.System].
func (c *Client) Identify(ctx context.Context) (act.Identity, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	id := act.Identity{}
	err := c.do(ctx, func(vc *vim25.Client) error {
		about := vc.ServiceContent.About
		id.Product, id.Version = about.FullName, about.Version
		s, err := session.NewManager(vc).UserSession(ctx)
		if err != nil {
			return err
		}
		if s != nil {
			id.User = s.UserName
			id.Missing = c.missing(ctx, vc, s.Key)
		}
		begun := time.Now()
		now, err := methods.GetCurrentTime(ctx, vc)
		if err == nil {
			id.ClockSkew = now.Sub(begun).Truncate(time.Second)
		}
		return err
	})
	if err != nil {
		return act.Identity{}, fmt.Errorf("identify: %w", err)
	}
	if at := c.expires.Load(); at != 0 {
		id.CertExpires = time.Unix(at, 0).UTC()
	}
	return id, nil
}

// missing lists the privileges that the session lacks at the root of the
// inventory. Servers that cannot tell are not asked again.
func (c *Client) missing(ctx context.Context, vc *vim25.Client, key string) (names []string) {
	if vc.ServiceContent.AuthorizationManager == nil {
		return nil
	}
	res, err := methods.HasPrivilegeOnEntity(ctx, vc, &types.HasPrivilegeOnEntity{
		This: *vc.ServiceContent.AuthorizationManager, Entity: vc.ServiceContent.RootFolder, SessionId: key, PrivId: privileges})
	if err != nil || len(res.Returnval) != len(privileges) {
		return nil
	}
	for i, has := range res.Returnval {
		if !has {
			names = append(names, privileges[i])
		}
	}
	return names
}
