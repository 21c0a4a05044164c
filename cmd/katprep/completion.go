package main

import (
	"fmt"
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

// scripts hand the words typed so far to "katprep complete".
var scripts = map[string]string{
	"bash": `_katprep() {
	local IFS=$'\n'
	COMPREPLY=($(katprep complete -- "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null))
	[ ${#COMPREPLY[@]} -gt 0 ] || compopt -o default
}
complete -F _katprep katprep
`,
	"zsh": `#compdef katprep
_katprep() {
	local -a candidates
	candidates=("${(@f)$(katprep complete -- "${words[@]:1:$((CURRENT-1))}" 2>/dev/null)}")
	[[ -n "${candidates[*]}" ]] && compadd -a candidates || _files
}
compdef _katprep katprep
`,
	"fish": `function __katprep
	set -l words (commandline -opc) (commandline -ct)
	katprep complete -- $words[2..-1] 2>/dev/null
end
complete -c katprep -a '(__katprep)'
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
	for _, cand := range candidates(a, k.Model, words[:len(words)-1], last) {
		if strings.HasPrefix(cand, last) && !strings.ContainsAny(cand, "\n\r\x1b") {
			fmt.Fprintln(a.term.Out(), cand)
		}
	}
	return nil
}

// candidates finds what may follow the words.
func candidates(a *app, model *kong.Application, before []string, last string) []string {
	node, flags, args := model.Node, slices.Clone(model.Flags), 0
	var wants *kong.Flag // the flag whose value is being typed
	for _, w := range before {
		if wants != nil {
			wants = nil
			continue
		}
		if strings.HasPrefix(w, "-") {
			wants = valueFlag(flags, w)
			continue
		}
		if next := commandNamed(node, w); next != nil {
			node = next
			flags = append(flags, next.Flags...)
			continue
		}
		args++
	}
	switch {
	case wants != nil:
		return values(a, wants.Name, wants.Enum)
	case strings.HasPrefix(last, "-"):
		var names []string
		for _, f := range flags {
			if !f.Hidden {
				names = append(names, "--"+f.Name)
			}
		}
		slices.Sort(names)
		return slices.Compact(names)
	}
	var names []string
	for _, c := range commands(node) {
		names = append(names, c.Name)
	}
	if args < len(node.Positional) {
		p := node.Positional[args]
		names = append(names, values(a, p.Name, p.Enum)...)
	}
	return names
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

// values are what may stand for a flag or argument of that name.
func values(a *app, name, enum string) []string {
	if enum != "" {
		return strings.Split(enum, ",")
	}
	switch name {
	case "host", "exclude":
		return hostNames(a)
	case "run":
		return runNames(a)
	case "at", "rev", "before", "after":
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
