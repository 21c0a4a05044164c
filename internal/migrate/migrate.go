// Package migrate translates what admins wrote for katprep 0.x: command lines
// in cron files and scripts, and pandoc's templates. What has no translation
// is named, never dropped in silence.
package migrate

import (
	"bufio"
	"fmt"
	"io"
	"iter"
	"path"
	"regexp"
	"slices"
	"strings"
)

// A Line is one command of katprep 0.x and what stands for it now.
type Line struct {
	Number int      // of the file's line where it begins, from 1
	Old    string   // as it was written, continued lines joined, without passwords
	New    []string // commands that take its place; may be none
	Config []string // what belongs into katprep.yml instead
	Notes  []string // what has no translation, and what changes its meaning
}

// Lines yields the lines of a cron file or script that call katprep 0.x.
func Lines(r io.Reader) iter.Seq2[Line, error] {
	return func(yield func(Line, error) bool) {
		sc := bufio.NewScanner(r)
		sc.Buffer(nil, 1<<20)
		joined, first := "", 0
		for n := 1; sc.Scan(); n++ {
			if joined == "" {
				first = n
			}
			text := sc.Text()
			if strings.HasSuffix(text, `\`) {
				joined += strings.TrimSuffix(text, `\`) + " "
				continue
			}
			for _, l := range commands(joined+text, first) {
				if !yield(l, nil) {
					return
				}
			}
			joined = ""
		}
		if err := sc.Err(); err != nil {
			yield(Line{}, fmt.Errorf("read the old commands: %w", err))
			return
		}
		for _, l := range commands(joined, first) {
			if !yield(l, nil) {
				return
			}
		}
	}
}

// commands finds the calls in one line; several may be joined with "&&".
func commands(text string, number int) []Line {
	if strings.HasPrefix(strings.TrimSpace(text), "#") {
		return nil
	}
	words := split(text)
	found := calls(words, number)
	if len(found) == 0 && mentions(words) {
		l := Line{Number: number, Old: strings.TrimSpace(hideLogins(text))}
		l.Notes = []string{"an old command is called here in a way that is not translated: write it as a line of its own and try again"}
		found = []Line{l}
	}
	return withLogins(found, words, number)
}

func calls(words []word, number int) (found []Line) {
	for i := 0; i < len(words); i++ {
		c, ok := programs()[programName(words[i].plain)]
		switch {
		case words[i].operator:
		case ok:
			end := i + 1
			for end < len(words) && !words[end].operator {
				end++
			}
			l := translate(c, words[i+1:end])
			l.Number = number
			l.Old = strings.TrimSpace(words[i].raw + " " + l.Old)
			found = append(found, l)
			i = end - 1
		case strings.ContainsAny(words[i].plain, " \t") && words[i].plain != words[i].raw: // sh -c "…"
			found = append(found, calls(split(words[i].plain), number)...)
		}
	}
	return found
}

// modules are the old commands as they are called with Python.
var modules = regexp.MustCompile(`(?:^|/)katprep[./](?:cli[./])?(snapshot|maintenance|report|parameters|populate|authconfig)(?:\.py)?$`)

// programName is the old command that a word calls: by its name, as a file, or
// as a module of Python.
func programName(word string) string {
	if m := modules.FindStringSubmatch(word); m != nil {
		return "katprep_" + m[1]
	}
	return strings.TrimSuffix(path.Base(word), ".py")
}

var mention = regexp.MustCompile(`\bkatprep_(snapshot|maintenance|report|parameters|populate|authconfig)\b`)

// mentions reports whether an old command is called in a way that calls does
// not see, as in $(…).
func mentions(words []word) bool {
	return slices.ContainsFunc(words, func(w word) bool {
		return mention.MatchString(w.plain) && strings.ContainsAny(w.plain, "$`")
	})
}

// login is the environment in which the old commands found credentials.
var login = regexp.MustCompile(`^(?:export\s+)?((?:FOREMAN|SATELLITE|MONITORING|VIRTUALIZATION)_(?:LOGIN|PASSWORD))=`)

// withLogins notes credentials in the environment, at the commands of the line
// or, without any, as a line of its own.
func withLogins(found []Line, words []word, number int) []Line {
	var names []string
	for _, w := range words {
		if m := login.FindStringSubmatch(w.plain); m != nil {
			names = append(names, m[1])
		}
	}
	if len(names) == 0 {
		return found
	}
	note := strings.Join(names, ", ") + ": still read where one system of that kind is configured; a password in a crontab or script is better kept with katprep auth add NAME"
	if len(found) == 0 {
		return []Line{{Number: number, Old: strings.Join(names, "=… ") + "=…", Notes: []string{note}}}
	}
	for i := range found {
		found[i].Notes = append(found[i].Notes, note)
	}
	return found
}

var loginValue = regexp.MustCompile(`((?:LOGIN|PASSWORD)=|\s-[pP][ =]?|\s--(?:auth-)?password[ =])[^\s)"'` + "`" + `]+`)

// hideLogins takes what may be the value of a credential out of a line that is
// shown.
func hideLogins(text string) string { return loginValue.ReplaceAllString(text, "${1}…") }

// translate reads the arguments as katprep 0.x did.
func translate(p program, args []word) Line {
	t := &translation{options: map[string]string{}}
	for rest := args; len(rest) > 0; {
		rest = t.argument(p, rest)
	}
	p.finish(t)
	return Line{Old: t.shown(args), New: t.commands, Config: t.config, Notes: t.notes}
}

// argument takes the next argument, with its value.
func (t *translation) argument(p program, args []word) []word {
	w := args[0]
	args = args[1:]
	if !strings.HasPrefix(w.plain, "-") || w.plain == "-" {
		t.words = append(t.words, w)
		return args
	}
	name, value, joined := strings.Cut(w.plain, "=")
	raw := quote(value)
	if !strings.HasPrefix(name, "--") && len(name) > 2 {
		// "-pVALUE", or "-nq".
		name, raw, joined = w.plain[:2], quote(w.plain[2:]), true
		if o, ok := p.options[name]; ok && !o.value {
			args = append([]word{{plain: "-" + w.plain[2:], raw: "-" + w.plain[2:]}}, args...)
			joined = false
		}
	}
	o, ok := p.options[name]
	if !ok {
		t.note("%s: katprep 0.x had no such option", w.plain)
		return args
	}
	if o.value && !joined {
		if len(args) == 0 {
			t.note("%s: its value is missing", name)
			return args
		}
		raw, args = args[0].raw, args[1:]
	}
	if o.secret {
		t.secrets = append(t.secrets, raw)
	}
	o.apply(t, raw)
	return args
}

// shown are the arguments as they were written, without passwords.
func (t *translation) shown(args []word) string {
	words := make([]string, len(args))
	for i, w := range args {
		words[i] = w.raw
		for _, s := range t.secrets {
			if hidden, found := strings.CutSuffix(w.raw, s); found && s != "" && (hidden == "" || strings.HasPrefix(hidden, "-")) {
				words[i] = hidden + "…"
			} else if plain := unquote(s); strings.HasPrefix(w.plain, "-") && strings.HasSuffix(w.plain, plain) {
				words[i] = strings.TrimSuffix(w.plain, plain) + "…"
			}
		}
	}
	return strings.Join(words, " ")
}
