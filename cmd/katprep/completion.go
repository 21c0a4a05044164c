package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
	"github.com/stdevel/katprep"
)

type completionCmd struct {
	Shell string `arg:"" enum:"bash,zsh,fish" help:"bash, zsh or fish."`
}

// Help adds to the command's help.
func (completionCmd) Help() string {
	return `Prints a script for the shell, which asks katprep itself for commands, options, and
names of hosts, runs and snapshots in the archive.

  katprep completion bash >/etc/bash_completion.d/katprep
  katprep completion zsh >/usr/local/share/zsh/site-functions/_katprep
  katprep completion fish >~/.config/fish/completions/katprep.fish`
}

// scripts hand the words typed so far to "katprep complete". Bash takes "="
// for a word of its own; zsh calls the file itself the first time.
var scripts = map[string]string{
	"bash": `_katprep() {
	mapfile -t COMPREPLY < <(katprep complete -- "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
	[ ${#COMPREPLY[@]} -gt 0 ] || compopt -o default 2>/dev/null
}
complete -F _katprep katprep
`,
	"zsh": `#compdef katprep
_katprep() {
	local -a candidates
	candidates=("${(@f)$(katprep complete -- "${words[@]:1:$((CURRENT-1))}" 2>/dev/null)}")
	if [[ -n "${candidates[*]}" ]]; then
		compadd -a candidates
	else
		_files
	fi
}
if [[ "${funcstack[1]}" = _katprep ]]; then
	_katprep "$@"
else
	compdef _katprep katprep
fi
`,
	"fish": `function __katprep
	set -l words (commandline -opc) (commandline -ct)
	set -l found (katprep complete -- $words[2..-1] 2>/dev/null)
	if test (count $found) -gt 0
		string join \n -- $found
	else
		__fish_complete_path (commandline -ct)
	end
end
complete -c katprep -f -a '(__katprep)'
`,
}

// Run prints the script.
func (c *completionCmd) Run(a *app) error {
	_, err := fmt.Fprint(a.term.Out(), scripts[c.Shell])
	return err
}

// completeCmd answers the scripts: the candidates for the last of the words.
type completeCmd struct {
	Words []string `arg:"" optional:"" passthrough:""`
}

// Run prints one candidate a line. What cannot be found out completes nothing.
func (c *completeCmd) Run(a *app, k *kong.Kong) error {
	words := c.Words
	if len(words) > 0 && words[0] == "--" {
		words = words[1:]
	}
	if len(words) == 0 {
		words = []string{""}
	}
	last := words[len(words)-1]
	l := readLine(k.Model, words[:len(words)-1])
	l.obey(a.cli)
	if last == "=" && l.wants != nil {
		last = ""
	}
	for _, cand := range l.candidates(a, last) {
		if strings.HasPrefix(cand, last) && !strings.ContainsAny(cand, "\n\r\x1b") {
			fmt.Fprintln(a.term.Out(), cand)
		}
	}
	return nil
}

// A typedLine is what the words before the last one mean.
type typedLine struct {
	root  *kong.Node
	node  *kong.Node
	flags []*kong.Flag
	args  int
	wants *kong.Flag        // the option whose value is being typed
	given map[string]string // options and their values
}

func readLine(model *kong.Application, words []string) *typedLine {
	l := &typedLine{root: model.Node, node: model.Node, flags: slices.Clone(model.Flags), given: map[string]string{}}
	for _, w := range words {
		l.word(w)
	}
	return l
}

func (l *typedLine) word(w string) {
	switch next := commandNamed(l.node, w); {
	case l.wants != nil && w == "=":
	case l.wants != nil:
		l.given[l.wants.Name] = w
		l.wants = nil
	case strings.HasPrefix(w, "-"):
		name, value, joined := strings.Cut(w, "=")
		if l.wants = valueFlag(l.flags, name); joined && l.wants != nil {
			l.word(value)
		}
	case next != nil:
		l.node = next
		l.flags = append(l.flags, next.Flags...)
	default:
		l.args++
	}
}

// obey takes the archive and configuration that the line names.
func (l *typedLine) obey(c *cli) {
	c.Archive = firstOf(l.given["archive"], c.Archive)
	c.Config = firstOf(l.given["config"], c.Config)
}

// candidates finds what may follow the words.
func (l *typedLine) candidates(a *app, last string) []string {
	if l.wants != nil {
		return flagValues(a, l.wants)
	}
	if strings.HasPrefix(last, "-") {
		return l.options(a, last)
	}
	var names []string
	for _, c := range commands(l.node) {
		names = append(names, c.Name)
	}
	if l.node.FullPath() == "katprep man" && l.args == 0 {
		for _, c := range commands(l.root) {
			names = append(names, c.Name)
		}
		return append(names, "archive-format", "katprep.yml", "template")
	}
	if n := len(l.node.Positional); n > 0 && (l.args < n || l.node.Positional[n-1].IsCumulative()) {
		p := l.node.Positional[min(l.args, n-1)]
		names = append(names, values(a, p.Name, p.Enum)...)
	}
	return names
}

// options are the names of options, or "--option=" with its values.
func (l *typedLine) options(a *app, last string) []string {
	var names []string
	if name, _, joined := strings.Cut(last, "="); joined {
		if f := valueFlag(l.flags, name); f != nil {
			for _, v := range flagValues(a, f) {
				names = append(names, name+"="+v)
			}
		}
		return names
	}
	for _, f := range l.flags {
		if !f.Hidden {
			names = append(names, "--"+f.Name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// valueFlag returns the flag if the next word is its value.
func valueFlag(flags []*kong.Flag, word string) *kong.Flag {
	for _, f := range flags {
		if (word == "--"+f.Name || f.Short != 0 && word == "-"+string(f.Short)) && !f.IsBool() {
			return f
		}
	}
	return nil
}

func commandNamed(n *kong.Node, name string) *kong.Node {
	for _, c := range commands(n) {
		if c.Name == name {
			return c
		}
	}
	return nil
}

// flagValues are the values of an option: the --before of a snapshot names a
// run, where the argument of a comparison names a snapshot.
func flagValues(a *app, f *kong.Flag) []string {
	if f.Name == "before" || f.Name == "after" {
		return runNames(a)
	}
	return values(a, f.Name, f.Enum)
}

// values are what may stand for a flag or argument of that name.
func values(a *app, name, enum string) []string {
	if enum != "" {
		return strings.Split(enum, ",")
	}
	switch name {
	case "shell":
		return slices.Sorted(maps.Keys(scripts))
	case "host", "exclude":
		return hostNames(a)
	case "run", "replan":
		return runNames(a)
	case "at", "rev", "before", "after", "snapshot":
		names := []string{"latest", "latest~1"}
		for _, r := range runNames(a) {
			names = append(names, "run/"+r+"/before", "run/"+r+"/after")
		}
		return names
	case "format":
		return strings.Split(formatNames(), ", ")
	}
	return nil
}

func hostNames(a *app) []string {
	arc, err := a.archive()
	if err != nil {
		return nil
	}
	head, err := arc.Resolve(a.ctx, "latest")
	if err != nil {
		return nil
	}
	var names []string
	for s, err := range arc.States(a.ctx, head) {
		if err != nil {
			return nil
		}
		names = append(names, s.Name)
	}
	return names
}

func runNames(a *app) []string {
	arc, err := a.archive()
	if err != nil {
		return nil
	}
	runs, err := arc.Runs(a.ctx)
	if err != nil {
		return nil
	}
	return ids(runs)
}

func ids(runs []katprep.RunID) []string {
	names := make([]string, len(runs))
	for i, r := range runs {
		names[i] = string(r)
	}
	return names
}
