package direct

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/internal/inventory"
	"github.com/stdevel/katprep/internal/probe"
	"github.com/stdevel/katprep/internal/sshx"
)

// A shell runs scripts on one host as the user who may act there.
type shell interface {
	// run feeds a script to a shell, writes what it prints to out, and
	// returns when it ended. An error means that nobody knows.
	run(ctx context.Context, script string, out, complaints io.Writer) error
	Close() error
}

// open connects to a host.
func (d *Direct) open(ctx context.Context, h inventory.Host) (shell, error) {
	if d.o.Dialer == nil {
		return local{d.o.Sh}, nil
	}
	c, err := d.o.Dialer.Dial(ctx, h.Host)
	if err != nil {
		return nil, err
	}
	sudo := d.o.Sudo
	if h.Become != nil {
		sudo = *h.Become
	}
	return remote{c, sudo}, nil
}

type remote struct {
	*sshx.Client
	sudo bool
}

func (r remote) run(ctx context.Context, script string, out, complaints io.Writer) error {
	command := "/bin/sh -s"
	if r.sudo {
		command = "sudo -n /bin/sh -s"
	}
	_, err := r.Run(ctx, command, strings.NewReader(script), out, complaints)
	return err
}

type local struct{ sh []string }

func (local) Close() error { return nil }

func (l local) run(ctx context.Context, script string, out, complaints io.Writer) error {
	cmd := exec.CommandContext(ctx, l.sh[0], l.sh[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(script), out, complaints
	ownGroup(cmd)
	err := cmd.Run()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) && ctx.Err() == nil {
		return nil // the script's own markers say how it went
	}
	return err
}

// ask runs a script that answers in marked sections.
func ask(ctx context.Context, sh shell, mark, script string) (*probe.Output, error) {
	pr, pw := io.Pipe()
	var complaints limited
	done := make(chan error, 1)
	go func() {
		err := sh.run(ctx, script, pw, &complaints)
		pw.Close()
		done <- err
	}()
	out, err := probe.Read(pr, mark)
	pr.CloseWithError(io.ErrClosedPipe)
	ran := <-done
	switch {
	case out.Complete:
		return out, nil
	case ctx.Err() != nil:
		return nil, katprep.Errorf(katprep.Unreachable, "wait for an answer: %w", context.Cause(ctx))
	case errors.Is(err, probe.ErrNotStarted) && ran == nil && len(complaints.b) > 0:
		return nil, katprep.Errorf(katprep.Denied, "start a shell: %s", probe.Clean(string(complaints.b))).
			WithHint("the user needs a shell, and with sudo the rule NAME ALL=(root) NOPASSWD: /bin/sh -s")
	}
	return nil, katprep.Errorf(katprep.Unreachable, "the answer ends early: %w", errors.Join(err, ran))
}

// limited keeps the first bytes of what is written to it.
type limited struct{ b []byte }

func (l *limited) Write(p []byte) (int, error) {
	if room := 1000 - len(l.b); room > 0 {
		l.b = append(l.b, p[:min(room, len(p))]...)
	}
	return len(p), nil
}

// quote makes one word of any text for a POSIX shell.
func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

// files writes a shell function that writes files into $d.
func files(list [][2]string) string {
	var b strings.Builder
	b.WriteString("job_files() {\n")
	for _, f := range list {
		fmt.Fprintf(&b, "printf '%%s' %s >\"$d/%s\" || return 1\n", quote(f[1]), f[0])
	}
	b.WriteString("}\n")
	return b.String()
}
