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
	var found []Line
	for i := 0; i < len(words); i++ {
		name := strings.TrimSuffix(path.Base(words[i].plain), ".py")
		c, ok := programs()[name]
		if !ok || words[i].operator {
			continue
		}
		end := i + 1
		for end < len(words) && !words[end].operator {
			end++
		}
		l := translate(c, words[i+1:end])
		l.Number = number
		l.Old = strings.TrimSpace(words[i].raw + " " + l.Old)
		found = append(found, l)
		i = end - 1
	}
	return found
}

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
