package creds

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/stdevel/katprep"
	"golang.org/x/term"
)

// A Prompter asks a person.
type Prompter interface {
	// Ask shows the question and returns the answer without its line end. A
	// secret is not shown while it is typed.
	Ask(ctx context.Context, question string, secret bool) (string, error)
}

// Terminal returns a Prompter on in, which asks on out, or nil if in is not a
// terminal: a pipe is never asked.
func Terminal(in io.Reader, out io.Writer) Prompter {
	file, ok := in.(*os.File)
	if !ok || !term.IsTerminal(int(file.Fd())) {
		return nil
	}
	return &terminal{file, out}
}

type terminal struct {
	in  *os.File
	out io.Writer
}

// Ask asks on the terminal. If ctx ends first the terminal shows again what
// is typed.
func (t *terminal) Ask(ctx context.Context, question string, secret bool) (string, error) {
	fmt.Fprint(t.out, question)
	fd := int(t.in.Fd())
	state, err := term.GetState(fd)
	if err != nil {
		return "", fmt.Errorf("terminal: %w", err)
	}
	type answer struct {
		text string
		err  error
	}
	ch := make(chan answer, 1)
	go func() {
		text, err := t.read(fd, secret)
		ch <- answer{text, err}
	}()
	select {
	case a := <-ch:
		if secret {
			fmt.Fprintln(t.out)
		}
		if errors.Is(a.err, io.EOF) {
			return "", katprep.Errorf(katprep.Denied, "no answer")
		}
		return a.text, a.err
	case <-ctx.Done():
		return "", errors.Join(ctx.Err(), term.Restore(fd, state))
	}
}

func (t *terminal) read(fd int, secret bool) (string, error) {
	if secret {
		b, err := term.ReadPassword(fd)
		return string(b), err
	}
	line, err := bufio.NewReader(t.in).ReadString('\n')
	if line != "" {
		err = nil
	}
	return strings.TrimRight(line, "\r\n"), err
}
