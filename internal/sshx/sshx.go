// Package sshx runs commands on hosts over SSH: one connection, host keys
// always verified, keys from files, certificates and the agent, jump hosts,
// and the user's own ssh configuration where an ssh program can read it.
//
// Host keys come from known_hosts files only. Nothing here adds one by
// itself; see [Dialer.ScanHostKeys] and [Trust] for the explicit way.
package sshx

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"github.com/skeema/knownhosts"
	"github.com/stdevel/katprep"
	"golang.org/x/crypto/ssh"
)

// Options are what all connections share.
type Options struct {
	User       string        // "" leaves it to the ssh configuration, then to LocalUser
	Port       int           // 0 leaves it to the ssh configuration, then 22
	Identity   []string      // private key files, tried before all others
	KnownHosts []string      // instead of the user's and the system's files
	Jump       string        // "[user@]host[:port][,…]"; "" leaves it to the ssh configuration, "none" forbids
	LocalUser  string        // who runs the program
	Home       string        // the user's home directory; "" means that there is none
	Agent      string        // path of the agent's socket; "" means none
	SSH        string        // the ssh program that reads the configuration; "" means none
	ConfigFile string        // instead of ~/.ssh/config
	Timeout    time.Duration // to connect and log in; 0: 20 seconds
}

// A Host is one host to connect to. Empty fields leave it to the Options.
type Host struct {
	Name     string // as the user calls it; the key of the ssh configuration
	Address  string // where it is, if not Name
	User     string
	Port     int
	Identity []string
	Jump     string
}

// A Dialer connects to hosts. It is safe for concurrent use.
type Dialer struct {
	o    Options
	keys keyring

	mu      sync.Mutex
	hosts   map[string]*knownhosts.HostKeyDB // by the names of the files
	configs map[string]sshConfig             // by user and port, if they are the same for all hosts

	once sync.Once
	same bool
}

// New returns a Dialer.
func New(o Options) *Dialer {
	if o.Timeout <= 0 {
		o.Timeout = 20 * time.Second
	}
	return &Dialer{o: o, hosts: map[string]*knownhosts.HostKeyDB{}, configs: map[string]sshConfig{}}
}

// Dial connects and logs in. The kinds of error are Invalid (a name that is
// none), Denied (host key or login), and Unreachable.
func (d *Dialer) Dial(ctx context.Context, h Host) (*Client, error) {
	r, err := d.resolve(ctx, h)
	if err != nil {
		return nil, err
	}
	return d.dial(ctx, r, 0)
}

// dial connects through the jump hosts that the route names.
func (d *Dialer) dial(ctx context.Context, r route, depth int) (*Client, error) {
	if depth > 8 {
		return nil, katprep.Errorf(katprep.Invalid, "connect to %s: more than 8 jump hosts", r.name)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, d.o.Timeout, fmt.Errorf("no connection within %s", d.o.Timeout))
	defer cancel()
	conn, jump, err := d.transport(ctx, r, depth)
	if err != nil {
		return nil, err
	}
	config, err := d.clientConfig(r)
	if err == nil {
		var c *Client
		if c, err = handshake(ctx, conn, r, config); err == nil {
			c.jump = jump
			return c, nil
		}
	}
	conn.Close()
	if jump != nil {
		jump.Close()
	}
	return nil, err
}

// transport opens the byte stream to a host, directly or through the last of
// its jump hosts.
func (d *Dialer) transport(ctx context.Context, r route, depth int) (net.Conn, *Client, error) {
	if len(r.jumps) == 0 {
		conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", r.addr())
		if err != nil {
			return nil, nil, katprep.Errorf(katprep.Unreachable, "connect to %s: %w", r.name, cause(ctx, err))
		}
		return conn, nil, nil
	}
	last := r.jumps[len(r.jumps)-1]
	if len(r.jumps) > 1 {
		last.jumps = r.jumps[:len(r.jumps)-1]
	}
	jump, err := d.dial(ctx, last, depth+1)
	if err != nil {
		return nil, nil, err
	}
	conn, err := jump.c.DialContext(ctx, "tcp", r.addr())
	if err != nil {
		jump.Close()
		return nil, nil, katprep.Errorf(katprep.Unreachable, "connect to %s through %s: %w", r.name, last.name, cause(ctx, err))
	}
	return conn, jump, nil
}

// handshake proves who the other side is and logs in.
func handshake(ctx context.Context, conn net.Conn, r route, config *ssh.ClientConfig) (*Client, error) {
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	c, chans, reqs, err := ssh.NewClientConn(conn, r.checkedAs(), config)
	if err != nil {
		return nil, loginError(ctx, r, err)
	}
	if !stop() {
		c.Close()
		return nil, katprep.Errorf(katprep.Unreachable, "connect to %s: %w", r.name, context.Cause(ctx))
	}
	return newClient(ssh.NewClient(c, chans, reqs), r.name), nil
}

// loginError says what a failed handshake means for a person.
func loginError(ctx context.Context, r route, err error) error {
	switch {
	case ctx.Err() != nil:
		return katprep.Errorf(katprep.Unreachable, "connect to %s: %w", r.name, context.Cause(ctx))
	case knownhosts.IsHostKeyChanged(err):
		return katprep.Errorf(katprep.Denied, "connect to %s: its host key is not the one in known_hosts: it was reinstalled, or somebody is in between", r.name).
			WithHint("if you know why it changed: ssh-keygen -R '%s', then katprep ssh trust %s", r.checkedName(), r.name)
	case knownhosts.IsHostUnknown(err):
		return katprep.Errorf(katprep.Denied, "connect to %s: its host key is not in known_hosts (katprep ssh trust %s)", r.name, r.name).
			WithHint("katprep ssh trust %s", r.name)
	}
	var nego *ssh.AlgorithmNegotiationError
	if errors.As(err, &nego) {
		return katprep.Errorf(katprep.Denied, "connect to %s: no algorithm in common, or a host key of a kind that is not in known_hosts: %w", r.name, err).
			WithHint("katprep ssh trust %s", r.name)
	}
	var netErr net.Error
	if errors.As(err, &netErr) || isEOF(err) {
		return katprep.Errorf(katprep.Unreachable, "connect to %s: the connection ended during the login: %w", r.name, err)
	}
	return katprep.Errorf(katprep.Denied, "log in to %s as %s: %w", r.name, r.user, err).
		WithHint("katprep uses keys only: ssh-copy-id %s@%s, or ssh-add if the key has a passphrase", r.user, r.name)
}

func cause(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// clientConfig is what the handshake with one host uses.
func (d *Dialer) clientConfig(r route) (*ssh.ClientConfig, error) {
	db, err := d.knownHosts(r)
	if err != nil {
		return nil, err
	}
	return &ssh.ClientConfig{
		User:            r.user,
		Auth:            []ssh.AuthMethod{ssh.PublicKeysCallback(func() ([]ssh.Signer, error) { return d.keys.signers(r, d.o.Agent) })},
		HostKeyCallback: db.HostKeyCallback(),
		// A host may be known by one kind of key only: ask for that kind.
		HostKeyAlgorithms: db.HostKeyAlgorithms(r.checkedAs()),
		ClientVersion:     "SSH-2.0-katprep",
	}, nil
}

// knownHosts reads the known_hosts files of a route, once.
func (d *Dialer) knownHosts(r route) (*knownhosts.HostKeyDB, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	id := fmt.Sprintf("%q", r.knownHosts)
	if db := d.hosts[id]; db != nil {
		return db, nil
	}
	var files []string
	for _, f := range r.knownHosts {
		if _, err := os.Stat(f); err == nil {
			files = append(files, f)
		}
	}
	db, err := knownhosts.NewDB(files...)
	if err != nil {
		return nil, katprep.Errorf(katprep.Invalid, "read known_hosts: %w", err)
	}
	d.hosts[id] = db
	return db, nil
}

// expand replaces a leading ~ by the home directory.
func expand(p, home string) string {
	if len(p) > 1 && p[0] == '~' && p[1] == '/' && home != "" {
		return filepath.Join(home, p[2:])
	}
	return p
}

// A route is a host with everything decided.
type route struct {
	name       string
	host       string // address
	port       int
	user       string
	alias      string // HostKeyAlias
	identity   []string
	certs      []string
	only       bool // IdentitiesOnly
	agent      bool
	knownHosts []string
	jumps      []route
}

func (r route) addr() string { return net.JoinHostPort(r.host, strconv.Itoa(r.port)) }

// checkedAs is the address whose host key is looked up.
func (r route) checkedAs() string {
	if r.alias != "" {
		return net.JoinHostPort(r.alias, "22") // as OpenSSH does: an alias has no port
	}
	return r.addr()
}

func (r route) checkedName() string { return knownhosts.Normalize(r.checkedAs()) }
