// Package hyperv makes VM checkpoints and changes power states on Hyper-V
// hosts, with PowerShell over SSH or WinRM.
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
	"io"
	"strconv"
	"strings"
	"time"
	"unicode/utf16"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/act"
	"github.com/stdevel/katprep/internal/sshx"
	"github.com/stdevel/katprep/internal/vm"
	"github.com/stdevel/katprep/internal/winrm"
)

// Options say how a Hyper-V host is reached.
type Options struct {
	Host sshx.Host    // runs OpenSSH server and Hyper-V's PowerShell module
	SSH  sshx.Options // keys, known hosts, jump hosts
	// WinRM, if it names a URL, is used instead of SSH.
	WinRM winrm.Options
	// MinFree is how much of the volume with the VM must be free before a
	// checkpoint is made, in percent; 0: 5, negative: not checked.
	MinFree int
	vm.Limits
}

// A transport runs a command on the host.
type transport interface {
	// run returns the command's exit code; an error means that nobody knows
	// what became of it.
	run(ctx context.Context, command string, stdin []byte, stdout, stderr io.Writer) (exit int, err error)
	close(ctx context.Context) error
}

// A Client is one Hyper-V host. It implements act.Snapshotter,
// act.SnapshotChecker, act.Power, act.Inventory and act.Leftovers.
type Client struct {
	*vm.Keeper
	o    Options
	name string // of the host, for messages
	hint string // what the host needs
	t    transport
}

// New returns a client; nothing is sent yet.
func New(o Options) (*Client, error) {
	if o.MinFree == 0 {
		o.MinFree = 5
	}
	c := &Client{o: o}
	if err := c.reach(); err != nil {
		return nil, err
	}
	c.Keeper = vm.NewKeeper(&driver{c}, o.Limits)
	return c, nil
}

// reach chooses the transport.
func (c *Client) reach() error {
	if c.o.WinRM.URL == "" {
		if err := sshx.CheckName(c.o.Host.Name); err != nil {
			return err
		}
		c.name, c.hint = c.o.Host.Name, "the host needs OpenSSH Server and Windows PowerShell"
		c.t = newOverSSH(c.o.Host, c.o.SSH)
		return nil
	}
	w, err := winrm.New(c.o.WinRM)
	if err != nil {
		return err
	}
	c.name, c.hint = c.o.WinRM.URL, "the host needs Windows PowerShell"
	c.t = overWinRM{w}
	return nil
}

// Close ends the connections.
func (c *Client) Close(ctx context.Context) error { return c.t.close(ctx) }

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
	var out, complaints bounded
	exit, err := c.t.run(ctx, command, stdin, &out, &complaints)
	if err != nil {
		return err
	}
	var answer struct {
		OK    bool            `json:"ok"`
		Data  json.RawMessage `json:"data"`
		Error string          `json:"error"`
		ID    string          `json:"id"`
	}
	if err := json.Unmarshal(bytes.TrimPrefix(bytes.TrimSpace(out.Bytes()), []byte("\uFEFF")), &answer); err != nil || out.over {
		return katprep.Errorf(katprep.Corrupt, "PowerShell on %s gave no answer (exit code %d): %s", c.name, exit, firstLine(complaints.String())).WithHint("%s", c.hint)
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
	if tls, ok := c.t.(interface{ certExpires() time.Time }); ok {
		id.CertExpires = tls.certExpires()
	}
	if rows[0].Now.Before(begun.Add(-time.Second)) {
		id.ClockSkew = rows[0].Now.Sub(begun).Truncate(time.Second)
	} else if now := time.Now(); rows[0].Now.After(now) {
		id.ClockSkew = rows[0].Now.Sub(now).Truncate(time.Second)
	}
	return id, nil
}
