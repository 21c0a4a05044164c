package sshx

import (
	"context"
	"net"

	"github.com/stdevel/katprep"
)

// DialUnix connects to a Unix socket of the host. The connection has no
// deadlines of its own; closing it ends what waits on it.
func (c *Client) DialUnix(ctx context.Context, path string) (net.Conn, error) {
	type answer struct {
		conn net.Conn
		err  error
	}
	answers := make(chan answer, 1)
	go func() {
		conn, err := c.c.Dial("unix", path)
		answers <- answer{conn, err}
	}()
	select {
	case a := <-answers:
		if a.err != nil {
			return nil, katprep.Errorf(katprep.Unreachable, "connect to socket %s on %s: %w", path, c.name, a.err)
		}
		return a.conn, nil
	case <-ctx.Done():
		c.Close()
		return nil, katprep.Errorf(katprep.Unreachable, "connect to socket %s on %s: %w", path, c.name, context.Cause(ctx))
	}
}
