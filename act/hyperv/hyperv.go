// Package hyperv makes VM checkpoints and changes power states on Hyper-V
// hosts, with PowerShell over SSH.
//
// The scripts are constants. What they work on is data that they read from
// their standard input, never text that is pasted into them.
package hyperv

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf16"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/act"
	"github.com/stdevel/katprep/internal/sshx"
	"github.com/stdevel/katprep/internal/vm"
)

// Options say how a Hyper-V host is reached.
type Options struct {
	Host sshx.Host    // runs OpenSSH server and Hyper-V's PowerShell module
	SSH  sshx.Options // keys, known hosts, jump hosts
	// MinFree is how much of the volume with the VM must be free before a
	// checkpoint is made, in percent; 0: 5, negative: not checked.
	MinFree int
	vm.Limits
}

// A Client is one Hyper-V host over one connection. It implements
// act.Snapshotter, act.SnapshotChecker, act.Power, act.Inventory and
// act.Leftovers.
type Client struct {
	*vm.Keeper
	o    Options
	ssh  *sshx.Dialer
	conn chan *sshx.Client // one element, nil if not connected; a channel, so that waiting ends with a context
}

// New returns a client; nothing is sent yet.
func New(o Options) (*Client, error) {
	if err := sshx.CheckName(o.Host.Name); err != nil {
		return nil, err
	}
	if o.MinFree == 0 {
		o.MinFree = 5
	}
	c := &Client{o: o, ssh: sshx.New(o.SSH), conn: make(chan *sshx.Client, 1)}
	c.conn <- nil
	c.Keeper = vm.NewKeeper(&driver{c}, o.Limits)
	return c, nil
}

// Close ends the connection.
func (c *Client) Close(ctx context.Context) error {
	select {
	case old := <-c.conn:
		c.conn <- nil
		if old != nil {
			return old.Close()
		}
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// connection returns the connection, opened if there is none.
func (c *Client) connection(ctx context.Context) (*sshx.Client, error) {
	select {
	case conn := <-c.conn:
		defer func() { c.conn <- conn }()
		if conn != nil {
			return conn, nil
		}
		fresh, err := c.ssh.Dial(ctx, c.o.Host)
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
func (c *Client) drop(old *sshx.Client) {
	old.Close()
	conn := <-c.conn
	if conn == old {
		conn = nil
	}
	c.conn <- conn
}

// bootstrap reads a script and its arguments from standard input and answers
// with one line of JSON.
const bootstrap = `$ErrorActionPreference='Stop';$ProgressPreference='SilentlyContinue';` +
	`[Console]::OutputEncoding=New-Object Text.UTF8Encoding $false;` +
	`$q=[Console]::In.ReadToEnd()|ConvertFrom-Json;` +
	`try{$r=@(&([ScriptBlock]::Create($q.script)) $q.args);ConvertTo-Json -Compress -Depth 6 @{ok=$true;data=$r}}` +
	`catch{ConvertTo-Json -Compress @{ok=$false;error=[string]$_.Exception.Message;id=[string]$_.FullyQualifiedErrorId}}`

// command is what is run; nothing in it depends on a VM.
var command = "powershell -NoProfile -NonInteractive -EncodedCommand " + encode(bootstrap)

// encode writes a script as PowerShell wants it encoded: UTF-16 in base64.
func encode(script string) string {
	var b bytes.Buffer
	for _, u := range utf16.Encode([]rune(script)) {
		b.WriteByte(byte(u))
		b.WriteByte(byte(u >> 8))
	}
	return base64.StdEncoding.EncodeToString(b.Bytes())
}

// request is what a script is sent.
type request struct {
	Op     string `json:"op"` // name of the script, for logs on the other side
	Script string `json:"script"`
	Args   any    `json:"args"`
}

// ascii is JSON without any character that an encoding could change.
func ascii(v any) ([]byte, error) {
	data, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	for _, r := range string(data) {
		if r < 0x80 {
			b.WriteRune(r)
			continue
		}
		for _, u := range utf16.Encode([]rune{r}) {
			fmt.Fprintf(&b, `\u%04x`, u)
		}
	}
	return b.Bytes(), nil
}

// maxOutput bounds an answer.
const maxOutput = 32 << 20

// bounded keeps the first bytes and says whether there were more.
type bounded struct {
	bytes.Buffer
	over bool
}

// Write keeps what fits.
func (b *bounded) Write(p []byte) (int, error) {
	if room := maxOutput - b.Len(); len(p) > room {
		b.over = true
		b.Buffer.Write(p[:room])
		return len(p), nil
	}
	return b.Buffer.Write(p)
}

// run runs one of the scripts and decodes the list that it returns. One that
// only reads is tried again over a new connection.
func (c *Client) run(ctx context.Context, s script, args map[string]string, into any) error {
	for attempt := 0; ; attempt++ {
		err := c.once(ctx, s, args, into)
		if err == nil || !s.reads || attempt > 0 || ctx.Err() != nil || katprep.KindOf(err) != katprep.Unreachable {
			return err
		}
	}
}

func (c *Client) once(ctx context.Context, s script, args map[string]string, into any) error {
	stdin, err := ascii(request{s.name, s.text, args})
	if err != nil {
		return err
	}
	conn, err := c.connection(ctx)
	if err != nil {
		return err
	}
	var out, complaints bounded
	exit, err := conn.Run(ctx, command, bytes.NewReader(stdin), &out, &complaints)
	if err != nil {
		c.drop(conn)
		return err
	}
	var answer struct {
		OK    bool            `json:"ok"`
		Data  json.RawMessage `json:"data"`
		Error string          `json:"error"`
		ID    string          `json:"id"`
	}
	if err := json.Unmarshal(bytes.TrimPrefix(bytes.TrimSpace(out.Bytes()), []byte("\uFEFF")), &answer); err != nil || out.over {
		return katprep.Errorf(katprep.Corrupt, "PowerShell on %s gave no answer (exit code %d): %s", c.o.Host.Name, exit, firstLine(complaints.String())).
			WithHint("the host needs OpenSSH Server and Windows PowerShell")
	}
	if !answer.OK {
		return explain(answer.Error, answer.ID)
	}
	if into == nil {
		return nil
	}
	if err := json.Unmarshal(answer.Data, into); err != nil {
		return katprep.Errorf(katprep.Corrupt, "the answer of script %s has another form than expected: %w", s.name, err)
	}
	return nil
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(s), "\n")
	return strconv.Quote(line[:min(len(line), 200)])
}

// explain gives an error of PowerShell its kind, by its ID: the text is in
// the host's language.
func explain(text, id string) error {
	switch {
	case strings.Contains(id, "CommandNotFoundException"):
		return katprep.Errorf(katprep.Invalid, "%s", text).WithHint("install the Hyper-V module for Windows PowerShell")
	case strings.Contains(id, "ObjectNotFound"), strings.HasPrefix(id, "InvalidParameter,Microsoft.HyperV.PowerShell.Commands.GetVM"):
		return katprep.Errorf(katprep.NotFound, "%s", text)
	case strings.HasPrefix(id, "AccessDenied"), strings.Contains(id, "AuthorizationException"):
		return katprep.Errorf(katprep.Denied, "%s", text).WithHint("the user must be in the group Hyper-V Administrators")
	}
	return katprep.Errorf(katprep.Conflict, "%s", text)
}

// Identify keeps the contract of [act.System].
func (c *Client) Identify(ctx context.Context) (act.Identity, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	var rows []struct {
		Product string    `json:"product"`
		Version string    `json:"version"`
		User    string    `json:"user"`
		Now     time.Time `json:"now"`
	}
	begun := time.Now()
	if err := c.run(ctx, scriptIdentify, nil, &rows); err != nil {
		return act.Identity{}, fmt.Errorf("identify: %w", err)
	}
	if len(rows) != 1 {
		return act.Identity{}, katprep.Errorf(katprep.Corrupt, "identify: %d answers", len(rows))
	}
	id := act.Identity{Product: "Hyper-V on " + rows[0].Product, Version: rows[0].Version, User: rows[0].User}
	if rows[0].Now.Before(begun.Add(-time.Second)) {
		id.ClockSkew = rows[0].Now.Sub(begun).Truncate(time.Second)
	} else if now := time.Now(); rows[0].Now.After(now) {
		id.ClockSkew = rows[0].Now.Sub(now).Truncate(time.Second)
	}
	return id, nil
}
