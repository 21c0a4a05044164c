package direct

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/internal/probe"
)

// identity returns the machine's identity: its machine ID, or its name if it
// has none, as containers often do.
func (l *Local) identity(ctx context.Context) (katprep.Host, error) {
	name, err := hostname(ctx)
	if err != nil {
		return katprep.Host{}, katprep.Errorf(katprep.Internal, "read this machine's name: %w", err)
	}
	id := l.machineID()
	if id == "" {
		id = name
	}
	return katprep.Host{HostID: katprep.HostID{Source: l.o.Name, ID: id}, Name: name}, nil
}

// machineID returns the machine ID, or "" if there is no usable one.
func (l *Local) machineID() string {
	for _, f := range []string{"etc/machine-id", "var/lib/dbus/machine-id"} {
		b, err := os.ReadFile(filepath.Join(l.o.Root, f))
		if id := strings.TrimSpace(string(b)); err == nil && isHex(id) && len(id) == 32 {
			return id
		}
	}
	return ""
}

// hostname returns the fully qualified name if the resolver knows it, else
// the plain one.
func hostname(ctx context.Context) (string, error) {
	name, err := os.Hostname()
	if err != nil {
		return "", err
	}
	name = probe.Clean(name)
	if strings.Contains(name, ".") {
		return name, nil
	}
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, "hostname", "-f").Output()
	if full := strings.TrimSpace(string(out)); err == nil && strings.HasPrefix(full, name+".") && !strings.HasSuffix(full, ".localdomain") {
		return probe.Clean(full), nil
	}
	return name, nil
}

func isHex(s string) bool { return strings.Trim(s, "0123456789abcdef") == "" }

// probe runs the probe here.
func (l *Local) probe(ctx context.Context) (*probe.Output, error) {
	mark := probe.NewMark()
	cmd := exec.CommandContext(ctx, l.o.Command[0], l.o.Command[1:]...)
	cmd.Stdin = strings.NewReader(l.o.script(mark))
	ownGroup(cmd)
	pr, pw := io.Pipe()
	var complaints tail
	cmd.Stdout, cmd.Stderr = pw, &complaints
	if err := cmd.Start(); err != nil {
		return ended(ctx, &probe.Output{}, fmt.Errorf("start %s: %w", l.o.Command[0], err), "")
	}
	done := make(chan error, 1)
	go func() {
		err := cmd.Wait()
		pw.Close()
		done <- err
	}()
	out, err := probe.Read(pr, mark)
	pr.CloseWithError(io.ErrClosedPipe)
	return ended(ctx, out, errors.Join(err, <-done), complaints.String())
}

// ended judges how a probe ended. A probe that began gives an Output, whole
// or not; an error means that nothing is known.
func ended(ctx context.Context, out *probe.Output, err error, complaints string) (*probe.Output, error) {
	if out.Complete {
		return out, nil
	}
	if complaints != "" {
		err = errors.Join(errors.New(probe.Clean(complaints)), err)
	}
	if ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	if len(out.Sections) > 0 {
		out.Why = probe.Clean(strings.ReplaceAll(fmt.Sprint(err), "\n", ": "))
		return out, nil
	}
	return nil, katprep.Errorf(katprep.Unreachable, "read the host: %w", err)
}

// tail keeps the end of what is written to it.
type tail struct{ b []byte }

func (t *tail) Write(p []byte) (int, error) {
	t.b = append(t.b, p...)
	if n := len(t.b) - 2000; n > 0 {
		t.b = append(t.b[:0], t.b[n:]...)
	}
	return len(p), nil
}

func (t *tail) String() string { return strings.TrimSpace(string(t.b)) }
