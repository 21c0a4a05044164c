package libvirt

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"os"
	"strconv"
	"strings"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/internal/sshx"
)

const defaultSocket = "/var/run/libvirt/libvirt-sock"

// scheme splits "qemu+ssh" into the driver and the transport.
func (c *Client) scheme() (driver, transport string) {
	driver, transport, _ = strings.Cut(c.uri.Scheme, "+")
	if transport == "" {
		transport = "unix"
		if c.uri.Host != "" {
			transport = "tls" // as libvirt itself
		}
	}
	return driver, transport
}

func (c *Client) checkURI() error {
	driver, transport := c.scheme()
	bad := func(why string) error {
		return katprep.Errorf(katprep.Invalid, "libvirt URI %q: %s", c.uri.Redacted(), why).
			WithHint("as in qemu:///system, qemu+ssh://root@kvm1/system or qemu+tls://kvm1/system")
	}
	switch {
	case driver == "":
		return bad("it names no driver")
	case transport != "unix" && c.uri.Host == "":
		return bad("it names no host")
	}
	switch transport {
	case "unix", "tcp", "tls", "ssh", "libssh", "libssh2":
		return nil
	}
	return bad("transport " + transport + " is not supported")
}

// daemonURI is what the daemon is told: the URI without the transport.
func (c *Client) daemonURI() string {
	driver, _ := c.scheme()
	return driver + "://" + c.uri.Path
}

// place names the daemon in messages.
func (c *Client) place() string { return cmp.Or(c.uri.Host, c.socket()) }

func (c *Client) socket() string { return cmp.Or(c.uri.Query().Get("socket"), defaultSocket) }

// dial opens the byte stream to the daemon.
func (c *Client) dial(ctx context.Context) (net.Conn, error) {
	_, transport := c.scheme()
	switch transport {
	case "unix":
		return c.connect(ctx, "unix", c.socket())
	case "tcp":
		return c.connect(ctx, "tcp", c.hostPort("16509"))
	case "tls":
		return c.dialTLS(ctx)
	}
	return c.dialSSH(ctx)
}

func (c *Client) hostPort(port string) string {
	return net.JoinHostPort(c.uri.Hostname(), cmp.Or(c.uri.Port(), port))
}

func (c *Client) connect(ctx context.Context, network, addr string) (net.Conn, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, network, addr)
	if err == nil {
		return conn, nil
	}
	e := katprep.Errorf(katprep.Unreachable, "connect to libvirt: %w", err)
	if os.IsPermission(err) {
		e.Kind = katprep.Denied
	}
	if network == "unix" {
		e = e.WithHint("is the daemon running? hosts with modular daemons need ?socket=/run/libvirt/virtqemud-sock")
	}
	return nil, e
}

// dialTLS connects with a client certificate. After the handshake the daemon
// sends one byte that says whether it accepts it.
func (c *Client) dialTLS(ctx context.Context) (net.Conn, error) {
	conf, err := c.tlsConfig()
	if err != nil {
		return nil, err
	}
	raw, err := c.connect(ctx, "tcp", c.hostPort("16514"))
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { raw.Close() })
	defer stop()
	conn := tls.Client(raw, conf)
	if err := conn.HandshakeContext(ctx); err != nil {
		raw.Close()
		return nil, katprep.Errorf(katprep.Unreachable, "connect to libvirt at %s: %w", c.place(), err)
	}
	var verdict [1]byte
	if _, err := io.ReadFull(conn, verdict[:]); err != nil || verdict[0] != 1 {
		raw.Close()
		return nil, katprep.Errorf(katprep.Denied, "libvirt at %s does not accept the client certificate", c.place())
	}
	return conn, nil
}

func (c *Client) tlsConfig() (*tls.Config, error) {
	dir := c.uri.Query().Get("pkipath")
	file := func(set, base, standard string) string {
		if dir != "" {
			standard = dir + "/" + base
		}
		return cmp.Or(set, standard)
	}
	ca := file(c.o.CAFile, "cacert.pem", "/etc/pki/CA/cacert.pem")
	pem, err := os.ReadFile(ca)
	if err != nil {
		return nil, katprep.Errorf(katprep.Invalid, "read CA file: %w", err).WithHint("set ca_file to the daemon's authority")
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, katprep.Errorf(katprep.Invalid, "CA file %s holds no PEM certificate", ca)
	}
	cert, err := tls.LoadX509KeyPair(file(c.o.CertFile, "clientcert.pem", "/etc/pki/libvirt/clientcert.pem"),
		file(c.o.KeyFile, "clientkey.pem", "/etc/pki/libvirt/private/clientkey.pem"))
	if err != nil {
		return nil, katprep.Errorf(katprep.Invalid, "read client certificate: %w", err)
	}
	return &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: pool, Certificates: []tls.Certificate{cert}, ServerName: cmp.Or(c.o.ServerName, c.uri.Hostname())}, nil
}

// sshConn is a stream over an SSH connection that ends with it.
type sshConn struct {
	net.Conn
	client *sshx.Client
}

// Close ends the stream and the connection.
func (s sshConn) Close() error {
	s.Conn.Close()
	return s.client.Close()
}

func (c *Client) dialSSH(ctx context.Context) (net.Conn, error) {
	h := sshx.Host{Name: c.uri.Hostname()}
	if c.uri.User != nil {
		h.User = c.uri.User.Username()
	}
	h.Port, _ = strconv.Atoi(c.uri.Port())
	o := c.o.SSH
	if f := c.uri.Query().Get("known_hosts"); f != "" {
		o.KnownHosts = []string{f}
	}
	if f := c.uri.Query().Get("keyfile"); f != "" {
		h.Identity = []string{f}
	}
	client, err := sshx.New(o).Dial(ctx, h)
	if err != nil {
		return nil, err
	}
	conn, err := client.DialUnix(ctx, c.socket())
	if err != nil {
		client.Close()
		return nil, err
	}
	return sshConn{conn, client}, nil
}
