// Package term is the one way to the screen: data goes to standard output,
// everything else to standard error; a terminal gets colours and one status
// line, a pipe gets neither.
package term

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	xterm "golang.org/x/term"
)

// Options say what the terminal may do.
type Options struct {
	Out, Err io.Writer
	Color    string // "auto", "always" or "never"
	NoColor  bool   // the environment says NO_COLOR
	Quiet    bool   // errors and data only
	JSON     bool   // the caller writes JSON: no status, no notes
}

// A Terminal writes data, messages and a status line. Its methods may be
// called from any goroutine.
type Terminal struct {
	mu     sync.Mutex
	out    io.Writer
	err    io.Writer
	outTTY bool
	errTTY bool
	color  bool
	quiet  bool
	json   bool
	status string
	drawn  time.Time
}

// fd is what an os.File has.
type fd interface{ Fd() uintptr }

func isTTY(w io.Writer) bool {
	f, ok := w.(fd)
	return ok && xterm.IsTerminal(int(f.Fd()))
}

// New returns a terminal over two writers.
func New(o Options) *Terminal {
	t := &Terminal{out: o.Out, err: o.Err, quiet: o.Quiet, json: o.JSON}
	t.outTTY, t.errTTY = isTTY(o.Out), isTTY(o.Err)
	switch o.Color {
	case "always":
		t.color = true
	case "never":
	default:
		t.color = t.outTTY && !o.NoColor
	}
	return t
}

// Out is where data goes. A status line is cleared before each write.
func (t *Terminal) Out() io.Writer { return dataWriter{t} }

type dataWriter struct{ t *Terminal }

func (w dataWriter) Write(p []byte) (int, error) {
	w.t.mu.Lock()
	defer w.t.mu.Unlock()
	if w.t.outTTY {
		w.t.clear()
	}
	return w.t.out.Write(p)
}

// JSON reports whether the output is one JSON stream.
func (t *Terminal) JSON() bool { return t.json }

// IsTerminal reports whether data goes to a terminal.
func (t *Terminal) IsTerminal() bool { return t.outTTY }

// Width is the width of the terminal in columns, or 0 for a pipe.
func (t *Terminal) Width() int {
	f, ok := t.out.(fd)
	if !ok || !t.outTTY {
		return 0
	}
	w, _, err := xterm.GetSize(int(f.Fd()))
	if err != nil {
		return 80
	}
	return w
}

// Note says something that is neither data nor an error.
func (t *Terminal) Note(format string, args ...any) {
	if !t.quiet && !t.json {
		t.message("katprep: " + fmt.Sprintf(format, args...))
	}
}

// Warn says what a person must know; quiet does not silence it.
func (t *Terminal) Warn(format string, args ...any) {
	if !t.json {
		t.message("katprep: warning: " + fmt.Sprintf(format, args...))
	}
}

// Error says what failed, and what helps.
func (t *Terminal) Error(err error, hint string) {
	t.message("katprep: " + err.Error())
	if hint != "" {
		t.message("hint: " + hint)
	}
}

func (t *Terminal) message(s string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.clear()
	fmt.Fprintln(t.err, CleanLines(s))
}

// Status shows one line in place on a terminal, at most ten times a second;
// elsewhere it does nothing. An empty line removes it.
func (t *Terminal) Status(format string, args ...any) {
	if !t.errTTY || t.quiet || t.json {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	line := ""
	if format != "" {
		if time.Since(t.drawn) < 100*time.Millisecond {
			return
		}
		line = Clean(fmt.Sprintf(format, args...))
	}
	t.clear()
	if line == "" {
		return
	}
	if f, ok := t.err.(fd); ok {
		if w, _, err := xterm.GetSize(int(f.Fd())); err == nil && len([]rune(line)) >= w && w > 1 {
			line = string([]rune(line)[:w-1])
		}
	}
	fmt.Fprint(t.err, line)
	t.status, t.drawn = line, time.Now()
}

func (t *Terminal) clear() {
	if t.status != "" {
		fmt.Fprint(t.err, "\r\x1b[K")
		t.status = ""
	}
}

// Clean makes untrusted text safe for one line on a screen: control and
// bidirectional characters become '�', line breaks and tabs become blanks.
func Clean(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '\n' || r == '\t' {
			return ' '
		}
		return cleanRune(r)
	}, s)
}

// CleanLines is Clean for text of several lines.
func CleanLines(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '\n' || r == '\t' {
			return r
		}
		return cleanRune(r)
	}, s)
}

func cleanRune(r rune) rune {
	switch {
	case r < 0x20, r >= 0x7f && r < 0xa0, r == 0x2028, r == 0x2029,
		r >= 0x202a && r <= 0x202e, r >= 0x2066 && r <= 0x2069, r == 0x200e, r == 0x200f, r == 0x061c:
		return '�'
	}
	return r
}
