// Package libvirt makes VM snapshots and changes power states through a
// libvirt daemon: of QEMU/KVM guests, and of other drivers as far as they
// can. What a driver can is asked, not assumed.
package libvirt

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"time"

	lv "github.com/digitalocean/go-libvirt"
	"github.com/digitalocean/go-libvirt/socket/dialers"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/act"
	"github.com/stdevel/katprep/internal/sshx"
	"github.com/stdevel/katprep/internal/vm"
)

// Options say how a libvirt daemon is reached.
type Options struct {
	// URI is libvirt's own: "qemu:///system", "qemu+ssh://root@kvm1/system",
	// "qemu+tls://kvm1/system", "qemu+tcp://kvm1/system",
	// "xen+unix:///system?socket=/run/libvirt/libvirt-sock".
	URI        string
	CAFile     string       // for TLS; default as libvirt: /etc/pki/CA/cacert.pem
	CertFile   string       // client certificate; default /etc/pki/libvirt/clientcert.pem
	KeyFile    string       // its key; default /etc/pki/libvirt/private/clientkey.pem
	ServerName string       // in the server's certificate, if it is not the URI's host
	SSH        sshx.Options // for qemu+ssh
	// MinFree is how much of a storage pool must be free before a snapshot
	// is made, in percent; 0: 5, negative: not checked.
	MinFree int
	vm.Limits
}

// A Client is one libvirt daemon. It keeps one connection, which all calls
// share: daemons accept few, and more wait without a word. It implements
// act.Snapshotter, act.SnapshotChecker, act.Power, act.Inventory,
// act.Leftovers and act.Placer.
type Client struct {
	*vm.Keeper
	o    Options
	uri  *url.URL
	lock chan struct{} // holds conn; a channel, so that waiting ends with a context
	conn *conn
}

// A conn is one connection with what the daemon said of itself.
type conn struct {
	*lv.Libvirt
	net      net.Conn
	driver   string // "QEMU", "TEST", "Xen" …
	external bool   // external snapshots can be reverted
}

// New returns a client; nothing is sent yet.
func New(o Options) (*Client, error) {
	u, err := url.Parse(o.URI)
	if err != nil {
		return nil, katprep.Errorf(katprep.Invalid, "libvirt URI: %w", err)
	}
	if _, ok := u.User.Password(); ok {
		return nil, katprep.Errorf(katprep.Invalid, "libvirt URI: it must not hold a password")
	}
	c := &Client{o: o, uri: u, lock: make(chan struct{}, 1)}
	if c.o.MinFree == 0 {
		c.o.MinFree = 5
	}
	if err := c.checkURI(); err != nil {
		return nil, err
	}
	c.Keeper = vm.NewKeeper(&driver{c}, o.Limits)
	return c, nil
}

// connection returns the connection, a new one if the old one is lost.
func (c *Client) connection(ctx context.Context) (*conn, error) {
	select {
	case c.lock <- struct{}{}:
		defer func() { <-c.lock }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if c.conn != nil && c.conn.IsConnected() {
		return c.conn, nil
	}
	cn, err := c.open(ctx)
	if err != nil {
		c.conn = nil
		return nil, err
	}
	c.conn = cn
	return cn, nil
}

// open connects and asks the daemon what it is. The library knows no
// deadlines: a connection that does not answer in time is closed, which ends
// its calls.
func (c *Client) open(ctx context.Context) (*conn, error) {
	raw, err := c.dial(ctx)
	if err != nil {
		return nil, err
	}
	cn := &conn{Libvirt: lv.NewWithDialer(dialers.NewAlreadyConnected(raw)), net: raw}
	stop := context.AfterFunc(ctx, func() { raw.Close() })
	defer stop()
	err = cn.ConnectToURI(lv.ConnectURI(c.daemonURI()))
	if err == nil {
		cn.driver, err = cn.ConnectGetType()
	}
	if err == nil {
		var capabilities string
		if capabilities, err = cn.ConnectGetCapabilities(); err == nil {
			cn.external = canRevertExternal(capabilities)
		}
	}
	if err != nil || ctx.Err() != nil {
		raw.Close()
		return nil, c.explain(ctx, err)
	}
	return cn, nil
}

// call does one thing over the connection. When ctx ends first, the answer is
// not waited for; after a deadline the connection counts as dead.
func call[T any](ctx context.Context, c *Client, f func(cn *conn) (T, error)) (T, error) {
	type answer struct {
		value T
		err   error
	}
	var none T
	cn, err := c.connection(ctx)
	if err != nil {
		return none, err
	}
	answers := make(chan answer, 1)
	go func() {
		v, err := f(cn)
		answers <- answer{v, err}
	}()
	select {
	case a := <-answers:
		return a.value, c.explain(ctx, a.err)
	case <-ctx.Done():
		if errors.Is(ctx.Err(), context.DeadlineExceeded) {
			cn.net.Close()
		}
		return none, c.explain(ctx, ctx.Err())
	}
}

// do is call without a value.
func (c *Client) do(ctx context.Context, f func(cn *conn) error) error {
	_, err := call(ctx, c, func(cn *conn) (struct{}, error) { return struct{}{}, f(cn) })
	return err
}

// Close ends the connection.
func (c *Client) Close(ctx context.Context) error {
	select {
	case c.lock <- struct{}{}:
		defer func() { <-c.lock }()
	case <-ctx.Done():
		return ctx.Err()
	}
	if c.conn == nil {
		return nil
	}
	err := c.conn.net.Close()
	c.conn = nil
	return err
}

// Codes of libvirt's errors; the library names them, but has no type for
// single ones.
const (
	codeNoSupport   = 3
	codeFailed      = 9
	codeReadOnly    = 29
	codeAuth        = 39
	codeNoDomain    = 42
	codeAuthFailed  = 45
	codeInvalid     = 55
	codeUnsupported = 67
	codeNoSnapshot  = 72
	codeRisky       = 77
	codeAgent       = 86
)

// code returns libvirt's code of an error, 0 for others.
func code(err error) int {
	if e, ok := errors.AsType[lv.Error](err); ok {
		return int(e.Code)
	}
	return 0
}

// explain gives an error its kind, and a hint.
func (c *Client) explain(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*katprep.Error](err); ok {
		return err
	}
	if ctx.Err() != nil {
		return katprep.Errorf(katprep.Unreachable, "libvirt at %s: %w", c.place(), ctx.Err())
	}
	switch code(err) {
	case 0:
		return katprep.Errorf(katprep.Unreachable, "libvirt at %s: the connection ended: %w", c.place(), err)
	case codeNoSupport:
		return katprep.Errorf(katprep.Invalid, "this driver of libvirt cannot do that: %w", err)
	case codeReadOnly, codeAuthFailed:
		return katprep.Errorf(katprep.Denied, "%w", err)
	case codeAuth:
		return katprep.Errorf(katprep.Denied, "the daemon wants a SASL login, which is not supported: %w", err).WithHint("use qemu+ssh or qemu+tls")
	case codeNoDomain, codeNoSnapshot:
		return katprep.Errorf(katprep.NotFound, "%w", err)
	case codeFailed, codeInvalid, codeUnsupported:
		return katprep.Errorf(katprep.Conflict, "%w", err)
	}
	return err
}

// Identify keeps the contract of [act.System].
func (c *Client) Identify(ctx context.Context) (act.Identity, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	id, err := call(ctx, c, func(cn *conn) (act.Identity, error) {
		id := act.Identity{Product: "libvirt " + cn.driver}
		if c.uri.User != nil {
			id.User = c.uri.User.Username()
		}
		v, err := cn.ConnectGetLibVersion()
		if err != nil {
			return id, err
		}
		id.Version = fmt.Sprintf("%d.%d.%d", v/1_000_000, v/1000%1000, v%1000)
		if !snapshots(cn) {
			id.Missing = []string{"VM snapshots: the " + cn.driver + " driver of libvirt has none"}
		}
		return id, nil
	})
	if err != nil {
		return act.Identity{}, fmt.Errorf("identify: %w", err)
	}
	return id, nil
}

// snapshots reports whether the driver has any notion of snapshots. Only a VM
// can be asked; where there is none yet, the answer is yes.
func snapshots(cn *conn) bool {
	doms, _, err := cn.ConnectListAllDomains(1, 0)
	if err != nil || len(doms) == 0 {
		return true
	}
	_, _, err = cn.DomainListAllSnapshots(doms[len(doms)-1], 0, 0)
	return code(err) != codeNoSupport
}
