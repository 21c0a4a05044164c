// Package winrm runs commands on Windows hosts through WS-Management (WinRM)
// over HTTPS. It logs in with NTLM, or with Basic where the host offers only
// that.
package winrm

import (
	"context"
	"encoding/base64"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/Azure/go-ntlmssp"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/internal/creds"
	"github.com/stdevel/katprep/internal/httpx"
)

// Options say how a host is reached.
type Options struct {
	URL   string // "https://hv1.example.com:5986"; the path is /wsman if there is none
	Login creds.Login
	// HTTP says how the connections are made. Concurrency is how many
	// commands run at once.
	HTTP httpx.Options
}

// A Client is one host. It is safe for concurrent use.
type Client struct {
	o   Options
	url string
	// clients are free: NTLM logs a connection in, so each has one and is
	// used for one command at a time.
	clients chan *httpx.Client
	one     *httpx.Client // the first of them
}

// New returns a client; nothing is sent yet.
func New(o Options) (*Client, error) {
	u, err := url.Parse(o.URL)
	if err != nil || u.Host == "" || u.Scheme != "https" || u.User != nil {
		return nil, katprep.Errorf(katprep.Invalid, "the WinRM URL must be https, name a host and hold no password").WithHint("as in https://hv1.example.com:5986")
	}
	if u.Port() == "" {
		u.Host += ":5986"
	}
	if u.Path == "" || u.Path == "/" {
		u.Path = "/wsman"
	}
	n := o.HTTP.Concurrency
	if n <= 0 {
		n = 4
	}
	c := &Client{o: o, url: u.String(), clients: make(chan *httpx.Client, n)}
	o.HTTP.Concurrency = 1
	o.HTTP.Connection = func(t http.RoundTripper) http.RoundTripper {
		return ntlmssp.Negotiator{RoundTripper: t, AllowBasicAuth: true}
	}
	for range n {
		h, err := httpx.New(o.HTTP)
		if err != nil {
			return nil, err
		}
		if c.one == nil {
			c.one = h
		}
		c.clients <- h
	}
	return c, nil
}

// CertExpires is when the host's certificate expires; zero if it is not known.
func (c *Client) CertExpires() time.Time { return c.one.CertExpires() }

// Close drops idle connections.
func (c *Client) Close() error {
	for range cap(c.clients) {
		h := <-c.clients
		h.Close()
		defer func() { c.clients <- h }()
	}
	return nil
}

// cleanup is how long the host may take to forget a command.
const cleanup = 10 * time.Second

// Run runs a command with the input and returns its exit code. When ctx ends,
// the command is ended too.
func (c *Client) Run(ctx context.Context, command string, stdin []byte, stdout, stderr io.Writer) (exit int, err error) {
	var h *httpx.Client
	select {
	case h = <-c.clients:
		defer func() { c.clients <- h }()
	case <-ctx.Done():
		return 0, ctx.Err()
	}
	s := &shell{c: c, h: h}
	if err := s.open(ctx); err != nil {
		return 0, err
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanup)
		defer cancel()
		s.close(ctx)
	}()
	if err := s.start(ctx, command); err != nil {
		return 0, err
	}
	if err := s.send(ctx, stdin); err != nil {
		return 0, err
	}
	for {
		done, exit, err := s.receive(ctx, stdout, stderr)
		if err != nil || done {
			return exit, err
		}
	}
}

// A shell is what a host runs commands in.
type shell struct {
	c       *Client
	h       *httpx.Client
	id      string
	command string // the ID of the command that was started
}

func (s *shell) open(ctx context.Context) error {
	body, err := s.call(ctx, message{action: actionCreate, options: []option{{"WINRS_NOPROFILE", "TRUE"}, {"WINRS_CODEPAGE", "65001"}},
		body: `<rsp:Shell><rsp:InputStreams>stdin</rsp:InputStreams><rsp:OutputStreams>stdout stderr</rsp:OutputStreams></rsp:Shell>`})
	if err != nil {
		return err
	}
	if s.id = body.ShellID; s.id == "" {
		for _, sel := range body.Selectors {
			if sel.Name == "ShellId" {
				s.id = sel.Value
			}
		}
	}
	if s.id == "" {
		return katprep.Errorf(katprep.Corrupt, "the host opened no shell")
	}
	return nil
}

// start begins the command. Its input is a pipe, which ends: a console does
// not.
func (s *shell) start(ctx context.Context, command string) error {
	body, err := s.call(ctx, message{action: actionCommand, shell: s.id, options: []option{{"WINRS_CONSOLEMODE_STDIN", "FALSE"}, {"WINRS_SKIP_CMD_SHELL", "FALSE"}},
		body: `<rsp:CommandLine><rsp:Command>` + escape(command) + `</rsp:Command></rsp:CommandLine>`})
	if err != nil {
		return err
	}
	if s.command = body.CommandID; s.command == "" {
		return katprep.Errorf(katprep.Corrupt, "the host began no command")
	}
	return nil
}

// maxInput keeps a message below the size that hosts accept.
const maxInput = 96 << 10

func (s *shell) send(ctx context.Context, stdin []byte) error {
	if len(stdin) > maxInput {
		return katprep.Errorf(katprep.Internal, "%d bytes of input are more than one message holds", len(stdin))
	}
	_, err := s.call(ctx, message{action: actionSend, shell: s.id,
		body: `<rsp:Send><rsp:Stream Name="stdin" CommandId="` + escape(s.command) + `" End="true">` + base64.StdEncoding.EncodeToString(stdin) + `</rsp:Stream></rsp:Send>`})
	return err
}

// receive takes what the command has written so far.
func (s *shell) receive(ctx context.Context, stdout, stderr io.Writer) (done bool, exit int, err error) {
	body, err := s.call(ctx, message{action: actionReceive, shell: s.id,
		body: `<rsp:Receive><rsp:DesiredStream CommandId="` + escape(s.command) + `">stdout stderr</rsp:DesiredStream></rsp:Receive>`})
	if f, ok := asFault(err); ok && f.code == codeTimeout {
		return false, 0, nil // nothing was written in the meantime
	}
	if err != nil {
		return false, 0, err
	}
	for _, st := range body.Streams {
		data, err := base64.StdEncoding.DecodeString(st.Text)
		if err != nil {
			return false, 0, katprep.Errorf(katprep.Corrupt, "output of a command: %w", err)
		}
		to := stdout
		if st.Name == "stderr" {
			to = stderr
		}
		if _, err := to.Write(data); err != nil {
			return false, 0, err
		}
	}
	return body.State.State == stateDone, body.State.Exit, nil
}

// close ends the command and the shell; what cannot be reached any more ends
// by itself.
func (s *shell) close(ctx context.Context) {
	if s.command != "" {
		_, _ = s.call(ctx, message{action: actionSignal, shell: s.id,
			body: `<rsp:Signal CommandId="` + escape(s.command) + `"><rsp:Code>` + codeTerminate + `</rsp:Code></rsp:Signal>`})
	}
	_, _ = s.call(ctx, message{action: actionDelete, shell: s.id})
}
