package creds

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os/exec"
	"slices"
	"strings"
	"time"

	"github.com/stdevel/katprep"
)

// commandTime is how long a command may take: it may wait for a person who
// touches a key.
const commandTime = 2 * time.Minute

func (f *Finder) fromOwnCommand(ctx context.Context, r Request) (Login, error) {
	return f.run(ctx, f.o.Commands[r.Name], r.Name)
}

// fromCommand asks the command that serves all credentials. A command of a
// credential's own goes before it, and then it is not asked.
func (f *Finder) fromCommand(ctx context.Context, r Request) (Login, error) {
	if len(f.o.Commands[r.Name]) > 0 {
		return Login{}, nil
	}
	return f.run(ctx, f.o.Command, r.Name)
}

// run runs a command without any shell. Its output is a secret and never part
// of an error.
func (f *Finder) run(ctx context.Context, command []string, name string) (Login, error) {
	if len(command) == 0 {
		return Login{}, nil
	}
	args := slices.Clone(command)
	for i := range args {
		args[i] = strings.ReplaceAll(args[i], "{{name}}", name)
	}
	ctx, cancel := context.WithTimeout(ctx, commandTime)
	defer cancel()
	cmd := exec.CommandContext(ctx, args[0], args[1:]...) //nolint:gosec // the command is the user's configuration
	cmd.Env = f.childEnv()
	cmd.WaitDelay = 5 * time.Second
	out := &bounded{left: maxSecretFile}
	complaint := &bounded{left: 4096}
	cmd.Stdout, cmd.Stderr = out, complaint
	if err := cmd.Run(); err != nil {
		return Login{}, katprep.Errorf(katprep.Denied, "%s: %w%s", args[0], err, firstLine(complaint.String())).
			WithHint("run the command by hand; it must print the password and nothing else on its first line")
	}
	l := parsePass(out.String())
	if l.Password.IsZero() {
		return Login{}, katprep.Errorf(katprep.Denied, "%s printed no password", args[0])
	}
	return l, nil
}

// childEnv is the environment without the secrets that are none of the
// command's business.
func (f *Finder) childEnv() []string {
	var env []string
	for k, v := range f.o.Env {
		if !isSecretVariable(k) {
			env = append(env, k+"="+v)
		}
	}
	slices.Sort(env)
	return env
}

func isSecretVariable(name string) bool {
	if strings.HasPrefix(name, "KATPREP_CREDENTIAL_") || name == PassphraseVariable {
		return true
	}
	for _, k := range []Kind{Management, Monitoring, Virtualization} {
		for _, prefix := range oldPrefixes(k) {
			if name == prefix+"_PASSWORD" {
				return true
			}
		}
	}
	return false
}

func firstLine(s string) string {
	s, _, _ = strings.Cut(strings.TrimSpace(s), "\n")
	if s == "" {
		return ""
	}
	return fmt.Sprintf(": %.200q", s)
}

// bounded keeps so many bytes and drops the rest.
type bounded struct {
	bytes.Buffer
	left int
}

// Write never fails.
func (b *bounded) Write(p []byte) (int, error) {
	n := min(len(p), b.left)
	b.left -= n
	b.Buffer.Write(p[:n])
	return len(p), nil
}

// readBounded reads a file that must not be large.
func readBounded(r io.Reader, name string) ([]byte, error) {
	b, err := io.ReadAll(io.LimitReader(r, maxSecretFile+1))
	if err != nil {
		return nil, err
	}
	if len(b) > maxSecretFile {
		return nil, katprep.Errorf(katprep.Invalid, "%s is larger than any credential file", name)
	}
	return b, nil
}
