package main

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/internal/manpage"
)

// prose is what people wrote of the pages: examples, files, background. The
// grammar gives the rest.
//
//go:embed man/*.md
var prose embed.FS

type manCmd struct {
	Page string `arg:"" optional:"" default:"katprep" help:"A command, or katprep.yml, katprep-archive, katprep-template."`
	Out  string `short:"o" placeholder:"DIR" help:"Write all pages into this directory instead."`
}

// Run shows a page, or writes all of them.
func (c *manCmd) Run(a *app, k *kong.Kong) error {
	pages, err := manPages(k.Model)
	if err != nil {
		return err
	}
	if c.Out != "" {
		return writeManPages(a, c.Out, pages)
	}
	want := strings.TrimPrefix(c.Page, "katprep-")
	for _, p := range pages {
		if p.Name == c.Page || p.Name == "katprep-"+want {
			return showPage(a, p)
		}
	}
	var names []string
	for _, p := range pages {
		names = append(names, strings.TrimPrefix(p.Name, "katprep-"))
	}
	return katprep.Errorf(katprep.Invalid, "there is no page %q", c.Page).WithHint("pages are %s", strings.Join(names, ", "))
}

func writeManPages(a *app, dir string, pages []manpage.Page) error {
	for _, p := range pages {
		roff, err := p.Roff()
		if err != nil {
			return err
		}
		path := filepath.Join(dir, fmt.Sprintf("%s.%d", p.Name, p.Section))
		if err := writeFile(path, func(w io.Writer) error { _, err := w.Write(roff); return err }); err != nil {
			return err
		}
	}
	a.term.Note("wrote %d pages to %s", len(pages), dir)
	return nil
}

// showPage hands the page to man; without it, or in a pipe, the page is
// printed as text by whatever can, or as its source.
func showPage(a *app, p manpage.Page) error {
	roff, err := p.Roff()
	if err != nil {
		return err
	}
	for _, argv := range [][]string{{"man", "-l", "-"}, {"mandoc"}} {
		if _, err := exec.LookPath(argv[0]); err != nil {
			continue
		}
		cmd := exec.CommandContext(a.ctx, argv[0], argv[1:]...)
		cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(roff), a.std.out, a.std.err
		if f, ok := a.std.out.(*os.File); ok && !a.term.IsTerminal() {
			cmd.Stdout = f
		}
		return cmd.Run()
	}
	_, err = a.term.Out().Write(p.Markdown)
	return err
}

// manPages makes all pages of the grammar and the prose.
func manPages(model *kong.Application) ([]manpage.Page, error) {
	var pages []manpage.Page
	add := func(name string, section int, md string) {
		pages = append(pages, manpage.Page{
			Name: name, Section: section, Version: "katprep " + version(), Manual: "katprep manual", Markdown: []byte(md),
		})
	}
	main, err := mainPage(model)
	if err != nil {
		return nil, err
	}
	add("katprep", 1, main)
	for _, cmd := range commands(model.Node) {
		text, err := commandPage(cmd)
		if err != nil {
			return nil, err
		}
		add("katprep-"+cmd.Name, 1, text)
	}
	for _, name := range []string{"katprep.yml", "katprep-archive-format", "katprep-template"} {
		text, err := prose.ReadFile("man/" + name + ".5.md")
		if err != nil {
			return nil, err
		}
		add(name, 5, string(text))
	}
	return pages, nil
}

// commands are the visible subcommands of a node.
func commands(n *kong.Node) []*kong.Node {
	var cmds []*kong.Node
	for _, c := range n.Children {
		if c.Type == kong.CommandNode && !c.Hidden {
			cmds = append(cmds, c)
		}
	}
	return cmds
}

func mainPage(model *kong.Application) (string, error) {
	text, err := prose.ReadFile("man/katprep.1.md")
	if err != nil {
		return "", err
	}
	var cmds, flags strings.Builder
	var also []string
	for _, c := range commands(model.Node) {
		fmt.Fprintf(&cmds, "- **katprep %s**: %s\n", c.Name, c.Help)
		also = append(also, "**katprep-"+c.Name+"**(1)")
	}
	writeFlags(&flags, model.Flags)
	also = append(also, "**katprep.yml**(5)", "**katprep-archive-format**(5)", "**katprep-template**(5)")
	return strings.NewReplacer("{{commands}}", cmds.String(), "{{flags}}", flags.String(), "{{also}}", strings.Join(also, ", ")).Replace(string(text)), nil
}

// commandPage is the page of one command with its subcommands.
func commandPage(cmd *kong.Node) (string, error) {
	var b strings.Builder
	fmt.Fprintf(&b, "## NAME\n\nkatprep-%s - %s\n\n## SYNOPSIS\n\n", cmd.Name, lowerFirst(strings.TrimSuffix(cmd.Help, ".")))
	leaves := commands(cmd)
	if len(leaves) == 0 {
		leaves = []*kong.Node{cmd}
	}
	for _, l := range leaves {
		fmt.Fprintf(&b, "**katprep %s**\n\n", synopsis(l))
	}
	b.WriteString("## DESCRIPTION\n\n" + cmd.Help + "\n\n")
	if cmd.Detail != "" && len(commands(cmd)) == 0 {
		b.WriteString(detail(cmd.Detail))
	}
	for _, l := range commands(cmd) {
		fmt.Fprintf(&b, "### katprep %s\n\n%s\n\n%s", strings.TrimPrefix(l.FullPath(), "katprep "), l.Help, detail(l.Detail))
		writeArgs(&b, l)
	}
	if len(commands(cmd)) == 0 {
		b.WriteString("## OPTIONS\n\n")
		writeArgs(&b, cmd)
		b.WriteString("\nThe options of all commands are in **katprep**(1).\n\n")
	}
	own, err := prose.ReadFile("man/katprep-" + cmd.Name + ".1.md")
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	b.Write(own)
	b.WriteString("\n## EXIT STATUS\n\nSee **katprep**(1).\n\n## SEE ALSO\n\n**katprep**(1), **katprep.yml**(5)\n")
	return b.String(), nil
}

func lowerFirst(s string) string {
	if s == "" {
		return s
	}
	return strings.ToLower(s[:1]) + s[1:]
}

func synopsis(n *kong.Node) string {
	words := strings.TrimPrefix(n.FullPath(), "katprep ") + "** [*options*]"
	for _, p := range n.Positional {
		words += " " + strings.NewReplacer("<", "*", ">", "*", "[*", "[*").Replace(p.Summary())
	}
	return words + "**"
}

// detail turns a command's help, whose examples are indented by two blanks,
// into Markdown.
func detail(s string) string {
	if s == "" {
		return ""
	}
	var b strings.Builder
	code := false
	for line := range strings.Lines(s) {
		example := strings.HasPrefix(line, "  ")
		if example != code {
			b.WriteString("\n")
			code = example
		}
		if example {
			b.WriteString("  ") // four blanks make a code block
		}
		b.WriteString(line)
	}
	return b.String() + "\n\n"
}

func writeArgs(b *strings.Builder, n *kong.Node) {
	for _, p := range n.Positional {
		if p.Help != "" {
			fmt.Fprintf(b, "- *%s*: %s\n", strings.ToUpper(p.Name), p.Help)
		}
	}
	writeFlags(b, n.Flags)
	b.WriteString("\n")
}

func writeFlags(b *strings.Builder, flags []*kong.Flag) {
	flags = slices.Clone(flags)
	slices.SortStableFunc(flags, func(x, y *kong.Flag) int { return strings.Compare(x.Name, y.Name) })
	for _, f := range flags {
		if f.Hidden {
			continue
		}
		name := "**--" + f.Name + "**"
		if f.Short != 0 {
			name = "**-" + string(f.Short) + "**, " + name
		}
		if !f.IsBool() {
			name += "=*" + strings.NewReplacer("*", "", "|", "/").Replace(f.FormatPlaceHolder()) + "*"
		}
		fmt.Fprintf(b, "- %s: %s\n", name, f.Help)
	}
}
