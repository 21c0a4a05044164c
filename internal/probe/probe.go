// Package probe asks a Linux host everything katprep wants to know in one go:
// a POSIX shell script that is read from standard input, needs nothing but
// what the distribution installed, changes nothing, and prints sections that
// the parsers of this package read.
//
// What comes back is untrusted: a line of data can never look like the
// border of a section, because the borders carry a random word.
package probe

import (
	"bufio"
	"crypto/rand"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
)

//go:embed probe.sh
var script string

//go:embed dnf4.py
var dnf4 string

// MaxOutput bounds what is read of one host, in bytes.
const MaxOutput = 64 << 20

// Options say what is asked.
type Options struct {
	Limit      time.Duration // for each single tool; 0 means two minutes
	Changelogs bool          // read the changelogs of downloaded Debian packages
	Refresh    bool          // let the package manager refresh its lists first: the one thing that is not only reading
	HostOnly   bool          // only identity, kernel and boot: no package manager, no processes
}

// NewMark returns a random word for the borders of one run's sections.
func NewMark() string { return "@@" + rand.Text() }

// Script returns the text to be given to "sh -s".
func Script(mark string, o Options) string {
	if o.Limit <= 0 {
		o.Limit = 2 * time.Minute
	}
	flag := map[bool]int{true: 1}
	head := fmt.Sprintf("KP_MARK=%s KP_LIMIT=%d KP_CHANGELOGS=%d KP_REFRESH=%d KP_HOST_ONLY=%d\n",
		mark, int(o.Limit.Seconds()), flag[o.Changelogs], flag[o.Refresh], flag[o.HostOnly])
	return head + strings.Replace(script, "@DNF4@", strings.TrimSpace(dnf4), 1)
}

// A Section is what one tool printed.
type Section struct {
	Data   string
	RC     int      // exit code; -1 if the section has no end
	Errors []string // the last lines of its standard error
}

// Failure says in one line why the tool failed, or "" if it did not.
func (s Section) Failure() string {
	switch {
	case s.RC == 0:
		return ""
	case s.RC == 124 || s.RC == 137:
		return "timed out"
	case len(s.Errors) > 0:
		return s.Errors[len(s.Errors)-1]
	}
	return "exit code " + strconv.Itoa(s.RC)
}

// An Output is everything a probe printed.
type Output struct {
	Sections map[string]Section
	Complete bool   // the end marker was seen
	Why      string // why it was not, if the caller knows
}

// Has reports whether the probe ran the named section.
func (o *Output) Has(name string) bool {
	_, ok := o.Sections[name]
	return ok
}

// Data returns a section's output, or "".
func (o *Output) Data(name string) string { return o.Sections[name].Data }

// ErrNotStarted says that not even the first section arrived: what ran was
// not the probe.
var ErrNotStarted = errors.New("the probe did not start")

// Read reads a probe's output. Whatever precedes the first section (banners,
// what a shell profile prints) is ignored. An output that ends early is
// returned as far as it came, with Complete false.
func Read(r io.Reader, mark string) (*Output, error) {
	p := reader{mark: mark + " ", out: &Output{Sections: map[string]Section{}}}
	in := bufio.NewReaderSize(io.LimitReader(r, MaxOutput), 64<<10)
	for !p.out.Complete {
		line, err := in.ReadString('\n')
		if line != "" {
			p.line(line)
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			p.close(-1)
			return p.out, err
		}
	}
	p.close(-1)
	if !p.started {
		return p.out, ErrNotStarted
	}
	return p.out, nil
}

type reader struct {
	mark    string
	name    string // of the open section
	last    string // of the section closed last: complaints follow its end
	data    strings.Builder
	started bool
	out     *Output
}

func (p *reader) line(line string) {
	word, ok := strings.CutPrefix(line, p.mark)
	if !ok {
		if p.name != "" {
			p.data.WriteString(line)
		}
		return
	}
	word = strings.TrimSpace(word)
	p.started = true
	switch verb, arg, _ := strings.Cut(word, " "); {
	case word == "end":
		p.close(-1)
		p.out.Complete = true
	case verb == "rc" && arg != "":
		rc, err := strconv.Atoi(arg)
		if err != nil {
			rc = -1
		}
		p.close(rc)
	case verb == "err":
		s := p.out.Sections[p.last]
		s.Errors = append(s.Errors, Clean(arg))
		p.out.Sections[p.last] = s
	default:
		p.close(-1)
		p.name = word
	}
}

func (p *reader) close(rc int) {
	if p.name == "" {
		return
	}
	// The border begins on a line of its own; that line break is not data.
	data := strings.TrimSuffix(p.data.String(), "\n")
	p.out.Sections[p.name] = Section{Data: strings.ToValidUTF8(data, "\uFFFD"), RC: rc}
	p.last, p.name = p.name, ""
	p.data.Reset()
}

// Clean makes one line of a foreign program's text fit for a message: valid
// UTF-8, no control characters, bounded.
func Clean(s string) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 {
			return ' '
		}
		return r
	}, s)
	s = strings.TrimSpace(s)
	if len(s) > 400 {
		s = strings.ToValidUTF8(s[:400], "") + "…"
	}
	return s
}

// lines yields the non-empty lines of a section.
func lines(data string) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		for line := range strings.Lines(data) {
			line = strings.TrimRight(line, "\r\n")
			if line != "" && !yield(line) {
				return
			}
		}
	}
}
