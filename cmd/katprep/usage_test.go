package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
)

// TestUsageErrorsOfEveryCommand gives each command what it does not take, after
// every argument that it does take: a mistake in a command line is never an
// internal error.
func TestUsageErrorsOfEveryCommand(t *testing.T) {
	parser, err := kong.New(&cli{}, kong.ExplicitGroups(groups), kong.Vars{"formats": formatNames()})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	tried := 0
	for _, leaf := range parser.Model.Leaves(false) {
		words, takesAll, ok := filledCommand(leaf, file)
		if !ok {
			continue
		}
		tried++
		for i := range len(words) + 1 {
			wrongUsage(t, slices.Insert(slices.Clone(words), i, "--nonsense"), "unknown flag --nonsense")
			wrongUsage(t, append(slices.Clone(words[:i]), "--quiet", "--nonsense"), "unknown flag --nonsense")
		}
		if !takesAll {
			wrongUsage(t, append(slices.Clone(words), "surplus"), "unexpected argument surplus")
			wrongUsage(t, append(slices.Clone(words), "--quiet", "surplus"), "unexpected argument surplus")
		}
	}
	if tried < 40 {
		t.Errorf("%d commands were tried: the grammar was not walked", tried)
	}
}

// filledCommand is a command with all its arguments, and whether it takes any
// number of them; not ok are commands that take flags of others as arguments.
func filledCommand(leaf *kong.Node, file string) (words []string, takesAll, ok bool) {
	words = commandWords(leaf)
	for _, p := range leaf.Positional {
		if p.Passthrough {
			return nil, false, false
		}
		word := file
		if p.Enum != "" {
			word = p.EnumSlice()[0]
		}
		words = append(words, word)
		takesAll = takesAll || p.IsCumulative()
	}
	return words, takesAll, true
}

// commandWords are the words of a command, without its arguments.
func commandWords(n *kong.Node) []string {
	if n == nil || n.Type != kong.CommandNode {
		return nil
	}
	return append(commandWords(n.Parent), n.Name)
}

// wrongUsage wants a usage error on standard error, and as a row.
func wrongUsage(t *testing.T, args []string, want string) {
	t.Helper()
	var out, errs bytes.Buffer
	code := run(context.Background(), args, streams{strings.NewReader(""), &out, &errs}, []string{"KATPREP_OUTPUT=json"})
	said := errs.String()
	if code != exitUsage || !strings.Contains(said, want) || !strings.Contains(said, "hint: katprep ") {
		t.Errorf("katprep %s: exit code %d, %s", strings.Join(args, " "), code, said)
	}
	var row struct {
		Type, Message, Hint string
		Code                int
	}
	if err := json.Unmarshal(out.Bytes(), &row); err != nil || row.Type != "error" || row.Code != exitUsage || row.Message != want || row.Hint == "" {
		t.Errorf("katprep %s: JSON %q, %v", strings.Join(args, " "), out.String(), err)
	}
}
