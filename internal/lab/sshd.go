//go:build unix

package lab

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/stdevel/katprep/internal/peers"
)

// SSHDOptions say how an sshd behaves.
type SSHDOptions struct {
	Listen   string   // address; "" means 127.0.0.1
	HostKind string   // kind of the host key; "" means ed25519
	Wrap     []string // command that starts sshd, before its own arguments
	Lines    []string // further configuration
}

// An SSHD is a real sshd: one process for each connection, as inetd does it,
// so that no port is guessed and nothing is left running.
type SSHD struct {
	Host       string
	Port       int
	Key        Key    // logs in
	HostKey    Key    // of the server
	KnownHosts string // a file that knows this server only
	Log        string // sshd's log file

	wrap   []string
	config string
	l      net.Listener
	mu     sync.Mutex
	down   bool
	conns  map[net.Conn]*exec.Cmd
	wg     sync.WaitGroup
}

// StartSSHD starts an sshd on a free port and stops it with the test.
func StartSSHD(t testing.TB, o SSHDOptions) *SSHD {
	t.Helper()
	peers.Need(t, "sshd")
	dir := Dir(t)
	s := &SSHD{
		Key: NewKey(t, filepath.Join(dir, "id_ed25519"), "ed25519", ""), HostKey: NewKey(t, filepath.Join(dir, "host_key"), o.HostKind, ""),
		KnownHosts: filepath.Join(dir, "known_hosts"), Log: filepath.Join(dir, "sshd.log"),
		config: filepath.Join(dir, "sshd_config"), wrap: o.Wrap, conns: map[net.Conn]*exec.Cmd{},
	}
	if o.Listen == "" {
		o.Listen = "127.0.0.1"
	}
	if os.Geteuid() == 0 {
		fatal(t, os.MkdirAll("/run/sshd", 0o755)) // sshd's privilege separation wants it
	}
	write(t, filepath.Join(dir, "authorized_keys"), s.Key.Authorized(), 0o644)
	lines := append([]string{
		"HostKey " + s.HostKey.File, "AuthorizedKeysFile " + filepath.Join(dir, "authorized_keys"),
		"StrictModes no", "UsePAM no", "UseDNS no", "PasswordAuthentication no", "KbdInteractiveAuthentication no",
		"PermitRootLogin prohibit-password", "PrintMotd no", "LogLevel VERBOSE",
	}, o.Lines...)
	write(t, s.config, strings.Join(lines, "\n")+"\n", 0o644)

	var err error
	s.l, err = net.Listen("tcp", net.JoinHostPort(o.Listen, "0"))
	fatal(t, err)
	host, port, _ := net.SplitHostPort(s.l.Addr().String())
	s.Host = host
	s.Port, _ = strconv.Atoi(port)
	write(t, s.KnownHosts, s.KnownLine(), 0o600)
	s.wg.Go(s.serve)
	t.Cleanup(s.stop)
	return s
}

// KnownLine returns the server's line of a known_hosts file.
func (s *SSHD) KnownLine() string {
	return fmt.Sprintf("[%s]:%d %s", s.Host, s.Port, s.HostKey.Authorized())
}

func (s *SSHD) serve() {
	for {
		conn, err := s.l.Accept()
		if err != nil {
			return
		}
		s.wg.Go(func() { s.session(conn) })
	}
}

func (s *SSHD) session(conn net.Conn) {
	defer conn.Close()
	f, err := conn.(*net.TCPConn).File()
	if err != nil {
		return
	}
	defer f.Close()
	s.mu.Lock()
	if s.down {
		s.mu.Unlock()
		return
	}
	sshd, _ := exec.LookPath("sshd")
	args := append(append([]string{}, s.wrap...), sshd, "-i", "-f", s.config, "-E", s.Log)
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Stdin, cmd.Stdout = f, f
	if err := cmd.Start(); err != nil {
		s.mu.Unlock()
		return
	}
	s.conns[conn] = cmd
	s.mu.Unlock()
	f.Close()
	conn.Close() // the child has its own
	_ = cmd.Wait()
	s.mu.Lock()
	delete(s.conns, conn)
	s.mu.Unlock()
}

// Down ends all connections and takes no new ones until Up.
func (s *SSHD) Down() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.down = true
	for _, cmd := range s.conns {
		_ = cmd.Process.Kill()
	}
}

// Up takes connections again, through another wrap.
func (s *SSHD) Up(wrap []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.down, s.wrap = false, wrap
}

func (s *SSHD) stop() {
	s.Down()
	s.l.Close()
	s.wg.Wait()
}
