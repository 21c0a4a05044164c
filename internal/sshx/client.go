package sshx

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"

	"github.com/stdevel/katprep"
	"golang.org/x/crypto/ssh"
)

// A Client is a connection to one host.
type Client struct {
	c    *ssh.Client
	name string
	jump *Client
	once sync.Once
	done chan struct{}
}

func newClient(c *ssh.Client, name string) *Client {
	cl := &Client{c: c, name: name, done: make(chan struct{})}
	go cl.keepAlive()
	return cl
}

// Close ends the connection, the jump hosts' included.
func (c *Client) Close() error {
	var err error
	c.once.Do(func() {
		close(c.done)
		err = c.c.Close()
		if c.jump != nil {
			c.jump.Close()
		}
	})
	return err
}

// The other side must answer within this time while a command runs.
const (
	aliveEvery  = 15 * time.Second
	aliveWithin = 45 * time.Second
)

// keepAlive ends the connection to a host that is gone without a word.
func (c *Client) keepAlive() {
	tick := time.NewTicker(aliveEvery)
	defer tick.Stop()
	for {
		select {
		case <-c.done:
			return
		case <-tick.C:
		}
		answered := make(chan error, 1)
		go func() {
			_, _, err := c.c.SendRequest("keepalive@openssh.com", true, nil)
			answered <- err
		}()
		select {
		case <-c.done:
			return
		case err := <-answered:
			if err == nil {
				continue
			}
		case <-time.After(aliveWithin):
		}
		c.Close()
		return
	}
}

// Run runs a command through the user's login shell; stdin may be nil. It
// returns the command's exit code; an error means that nobody knows how it
// ended, or that it was not started. When ctx ends, the command is killed as
// far as the server does that, and the connection with it.
func (c *Client) Run(ctx context.Context, command string, stdin io.Reader, stdout, stderr io.Writer) (int, error) {
	s, err := c.c.NewSession()
	if err != nil {
		return -1, katprep.Errorf(katprep.Unreachable, "open a session on %s: %w", c.name, cause(ctx, err))
	}
	defer s.Close()
	stop := context.AfterFunc(ctx, func() {
		_ = s.Signal(ssh.SIGTERM)
		c.Close()
	})
	defer stop()
	s.Stdin, s.Stdout, s.Stderr = stdin, stdout, stderr
	err = s.Run(command)
	var exit *ssh.ExitError
	switch {
	case ctx.Err() != nil:
		return -1, katprep.Errorf(katprep.Unreachable, "run a command on %s: %w", c.name, context.Cause(ctx))
	case err == nil:
		return 0, nil
	case errors.As(err, &exit) && exit.Signal() != "":
		return 128, nil
	case errors.As(err, &exit):
		return exit.ExitStatus(), nil
	}
	return -1, katprep.Errorf(katprep.Unreachable, "run a command on %s: the connection ended: %w", c.name, err)
}

// ServerVersion returns the identification of the server's software.
func (c *Client) ServerVersion() string { return string(c.c.ServerVersion()) }

func isEOF(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
}
