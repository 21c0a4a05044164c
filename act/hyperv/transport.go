package hyperv

import (
	"bytes"
	"context"
	"io"
	"time"

	"github.com/stdevel/katprep/internal/sshx"
	"github.com/stdevel/katprep/internal/winrm"
)

// overSSH runs commands over one connection to OpenSSH Server.
type overSSH struct {
	host sshx.Host
	ssh  *sshx.Dialer
	conn chan *sshx.Client // one element, nil if not connected; a channel, so that waiting ends with a context
}

func newOverSSH(h sshx.Host, o sshx.Options) *overSSH {
	t := &overSSH{host: h, ssh: sshx.New(o), conn: make(chan *sshx.Client, 1)}
	t.conn <- nil
	return t
}

func (t *overSSH) run(ctx context.Context, command string, stdin []byte, stdout, stderr io.Writer) (int, error) {
	conn, err := t.connection(ctx)
	if err != nil {
		return 0, err
	}
	exit, err := conn.Run(ctx, command, bytes.NewReader(stdin), stdout, stderr)
	if err != nil {
		t.drop(conn)
	}
	return exit, err
}

func (t *overSSH) close(ctx context.Context) error {
	select {
	case old := <-t.conn:
		t.conn <- nil
		if old != nil {
			return old.Close()
		}
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// connection returns the connection, opened if there is none.
func (t *overSSH) connection(ctx context.Context) (*sshx.Client, error) {
	select {
	case conn := <-t.conn:
		defer func() { t.conn <- conn }()
		if conn != nil {
			return conn, nil
		}
		fresh, err := t.ssh.Dial(ctx, t.host)
		if err != nil {
			return nil, err
		}
		conn = fresh
		return conn, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// drop forgets a connection that broke.
func (t *overSSH) drop(old *sshx.Client) {
	old.Close()
	conn := <-t.conn
	if conn == old {
		conn = nil
	}
	t.conn <- conn
}

// overWinRM runs commands in shells of WinRM.
type overWinRM struct{ c *winrm.Client }

func (t overWinRM) run(ctx context.Context, command string, stdin []byte, stdout, stderr io.Writer) (int, error) {
	return t.c.Run(ctx, command, stdin, stdout, stderr)
}

func (t overWinRM) close(context.Context) error { return t.c.Close() }

func (t overWinRM) certExpires() time.Time { return t.c.CertExpires() }
