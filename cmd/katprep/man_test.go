package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
	"github.com/stdevel/katprep/internal/config"
	"github.com/stdevel/katprep/internal/manpage"
	"github.com/stdevel/katprep/internal/peers"
)

// grammar is the command line as run builds it.
func grammar(t *testing.T) *kong.Application {
	t.Helper()
	var c cli
	p, err := kong.New(&c, kong.Name("katprep"), kong.Description(description), kong.ExplicitGroups(groups), kong.Vars{"formats": formatNames()})
	if err != nil {
		t.Fatal(err)
	}
	return p.Model
}

func allPages(t *testing.T) map[string]manpage.Page {
	t.Helper()
	pages, err := manPages(grammar(t), "2026-11-24")
	if err != nil {
		t.Fatal(err)
	}
	byName := map[string]manpage.Page{}
	for _, p := range pages {
		if _, twice := byName[p.Name]; twice {
			p.Name += ".5" // there are a command and a file format of that name
		}
		byName[p.Name] = p
	}
	return byName
}

// TestEveryOptionIsDocumented fails for a command, option or argument without
// a help text, and for one that its page does not name.
func TestEveryOptionIsDocumented(t *testing.T) {
	pages, seen := allPages(t), 0
	var walk func(n *kong.Node, page string)
	walk = func(n *kong.Node, page string) {
		text := string(pages[page].Markdown)
		if text == "" || n.Help == "" {
			t.Errorf("%s: no page or no help", n.FullPath())
		}
		for _, f := range n.Flags {
			if f.Hidden {
				continue
			}
			if seen++; f.Help == "" || !strings.Contains(text, "**--"+f.Name+"**") {
				t.Errorf("%s --%s: no help, or not in %s", n.FullPath(), f.Name, page)
			}
		}
		for _, p := range n.Positional {
			if seen++; p.Help == "" || !strings.Contains(text, "- *"+p.Name+"*: "+p.Help) {
				t.Errorf("%s <%s>: no help, or not in %s", n.FullPath(), p.Name, page)
			}
		}
		for _, c := range commands(n) {
			if n.Type == kong.ApplicationNode {
				page = "katprep-" + c.Name
			} else if !strings.Contains(text, "### "+c.FullPath()+"\n") && len(commands(c)) == 0 {
				t.Errorf("%s is not in %s", c.FullPath(), page)
			}
			walk(c, page)
		}
	}
	walk(grammar(t).Node, "katprep")
	if seen < 100 {
		t.Errorf("only %d options were looked at", seen)
	}
}

// TestEveryKeyIsDocumented looks for the keys of the configuration's types.
func TestEveryKeyIsDocumented(t *testing.T) {
	sections := regexp.MustCompile(`(?m)^## `).Split(string(allPages(t)["katprep.yml"].Markdown), -1)
	section := func(key string) string {
		for _, s := range sections {
			if title, _, _ := strings.Cut(s, "\n"); slices.Contains(strings.Fields(title), strings.ToUpper(key)) {
				return s
			}
		}
		t.Errorf("there is no section on %s", key)
		return ""
	}
	keys := 0
	var check func(typ reflect.Type, text, path string)
	check = func(typ reflect.Type, text, path string) {
		for typ.Kind() == reflect.Slice || typ.Kind() == reflect.Map || typ.Kind() == reflect.Pointer {
			typ = typ.Elem()
		}
		if typ.Kind() != reflect.Struct {
			return
		}
		for i := range typ.NumField() {
			key := typ.Field(i).Tag.Get("yaml")
			if keys++; !strings.Contains(text, "**"+key+"**") {
				t.Errorf("katprep.yml.5 says nothing of %s.%s", path, key)
			}
			check(typ.Field(i).Type, text, path+"."+key)
		}
	}
	root := reflect.TypeFor[config.Config]()
	for i := range root.NumField() {
		key := root.Field(i).Tag.Get("yaml")
		check(root.Field(i).Type, section(key), key)
	}
	if keys < 60 {
		t.Errorf("only %d keys were looked at", keys)
	}
}

// TestPagesAreClean has both formatters read every page.
func TestPagesAreClean(t *testing.T) {
	peers.Need(t, "mandoc", "groff")
	dir := t.TempDir()
	var files []string
	for _, p := range allPages(t) {
		roff, err := p.Roff()
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(roff, []byte("**")) {
			t.Errorf("%s shows marks of Markdown:\n%s", p.Name, roff)
		}
		file := filepath.Join(dir, p.Name+"."+string(rune('0'+p.Section)))
		if err := os.WriteFile(file, roff, 0o644); err != nil {
			t.Fatal(err)
		}
		files = append(files, file)
	}
	for _, tool := range [][]string{{"mandoc", "-Tlint", "-Wwarning"}, {"groff", "-man", "-ww", "-Tutf8", "-z"}} {
		out, err := exec.Command(tool[0], append(tool[1:], files...)...).CombinedOutput()
		if err != nil || len(out) > 0 {
			t.Errorf("%s: %v\n%s", tool[0], err, out)
		}
	}
}

// TestPagesAreWhole: whoever reads one on a server without a browser finds there
// what the documentation says elsewhere.
func TestPagesAreWhole(t *testing.T) {
	for name, p := range allPages(t) {
		want := []string{"NAME", "DESCRIPTION", "EXAMPLES", "SEE ALSO"}
		if p.Section == 1 {
			want = append(want, "SYNOPSIS", "OPTIONS", "EXIT STATUS", "FILES")
		}
		for _, title := range want {
			_, section, found := strings.Cut(string(p.Markdown), "\n## "+title+"\n")
			if title == "NAME" {
				_, section, found = strings.Cut(string(p.Markdown), "## NAME\n")
			}
			section, _, _ = strings.Cut(section, "\n## ")
			if !found || strings.TrimSpace(section) == "" {
				t.Errorf("%s has no %s", name, title)
			}
		}
	}
}

// TestPagesNameRealPages looks at what the pages refer to.
func TestPagesNameRealPages(t *testing.T) {
	ours := map[string]bool{}
	for _, p := range allPages(t) {
		ours[strings.TrimSuffix(p.Name, ".5")+"("+string(rune('0'+p.Section))+")"] = true
	}
	seen := 0
	for name, p := range allPages(t) {
		for _, m := range regexp.MustCompile(`\*\*(katprep[a-z.-]*)\*\*(\(\d\))`).FindAllStringSubmatch(string(p.Markdown), -1) {
			if seen++; !ours[m[1]+m[2]] {
				t.Errorf("%s refers to %s%s, which is not there", name, m[1], m[2])
			}
		}
	}
	if seen < 50 {
		t.Errorf("only %d references were looked at", seen)
	}
}

func TestPagesAreReproducible(t *testing.T) {
	one, two := allPages(t), allPages(t)
	for name, p := range one {
		a, _ := p.Roff()
		b, _ := two[name].Roff()
		if len(a) == 0 || !bytes.Equal(a, b) {
			t.Errorf("%s differs when it is made again", name)
		}
	}
}
