package main

import (
	"bytes"
	"embed"
	"fmt"
	"io"
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
	Page []string `arg:"" optional:"" help:"A command, or katprep.yml, archive-format, template; without it, the program."`
	Out  string   `short:"o" placeholder:"DIR" help:"Write all pages into this directory instead."`
}

// Help adds to the command's help.
func (manCmd) Help() string {
	return `Shows a page without its being installed.

  katprep man                     the program
  katprep man snapshot            a command
  katprep man katprep.yml         the configuration
  katprep man -o /usr/local/share/man/man1`
}

// Run shows a page, or writes all of them.
func (c *manCmd) Run(a *app, k *kong.Kong) error {
	pages, err := manPages(k.Model, releaseDate())
	if err != nil {
		return err
	}
	if c.Out != "" {
		return writeManPages(a, c.Out, pages)
	}
	if p, ok := pageNamed(pages, c.Page); ok {
		return showPage(a, p)
	}
	return noSuchPage(pages, strings.Join(c.Page, " "))
}

// pageNamed finds a page by its whole name, or by the name without "katprep-";
// words of subcommands are in the page of the first one. As with man, a number
// before it is a section.
func pageNamed(pages []manpage.Page, words []string) (manpage.Page, bool) {
	name, section := "katprep", 0
	if len(words) > 1 && (words[0] == "1" || words[0] == "5") {
		section, words = int(words[0][0]-'0'), words[1:]
	}
	if len(words) > 0 {
		name = words[0]
	}
	if name == "archive-format" {
		name, section = "archive", 5
	}
	for _, p := range pages {
		if (p.Name == name || p.Name == "katprep-"+name) && (section == 0 || section == p.Section) {
			return p, true
		}
	}
	return manpage.Page{}, false
}

func noSuchPage(pages []manpage.Page, name string) error {
	var names []string
	for _, p := range pages {
		if n := strings.TrimPrefix(p.Name, "katprep-"); !slices.Contains(names, n) {
			names = append(names, n)
		}
	}
	names = append(names, "archive-format")
	return katprep.Errorf(katprep.Invalid, "there is no page %q", name).WithHint("pages are %s", strings.Join(names, ", "))
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
		cmd.Stdin, cmd.Stdout = bytes.NewReader(roff), a.std.out
		if err := cmd.Run(); err == nil || a.ctx.Err() != nil {
			return err
		} // a man without -l, or a stub of one: the next can do it
	}
	_, err = a.term.Out().Write(p.Markdown)
	return err
}

// manPages makes all pages of the grammar and the prose, as of a day.
func manPages(model *kong.Application, date string) ([]manpage.Page, error) {
	var pages []manpage.Page
	add := func(name string, section int, md string) {
		pages = append(pages, manpage.Page{
			Name: name, Section: section, Date: date, Version: "katprep " + version(), Manual: "katprep manual", Markdown: []byte(md),
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
	for _, name := range []string{"katprep.yml", "katprep-archive", "katprep-template"} {
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
	also = append(also, "**katprep.yml**(5)", "**katprep-archive**(5)", "**katprep-template**(5)")
	return strings.NewReplacer("{{commands}}", cmds.String(), "{{flags}}", flags.String(), "{{also}}", strings.Join(also, ", ")).Replace(string(text)), nil
}

// leaves are the commands that can be run under a node, the node itself if
// there are none.
func leaves(n *kong.Node) []*kong.Node {
	cmds := commands(n)
	if len(cmds) == 0 {
		return []*kong.Node{n}
	}
	var all []*kong.Node
	for _, c := range cmds {
		all = append(all, leaves(c)...)
	}
	return all
}

// commandPage is the page of one command with its subcommands: what the grammar
// says of it, and what people wrote.
func commandPage(cmd *kong.Node) (string, error) {
	own, err := proseOf("katprep-" + cmd.Name)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	fmt.Fprintf(&b, "## NAME\n\nkatprep-%s - %s\n\n## SYNOPSIS\n\n", cmd.Name, lowerFirst(strings.TrimSuffix(cmd.Help, ".")))
	for _, l := range leaves(cmd) {
		b.WriteString(synopsis(l) + "\n\n")
	}
	b.WriteString("## DESCRIPTION\n\n" + cmd.Help + "\n\n" + detail(cmd.Detail) + own["DESCRIPTION"])
	if len(commands(cmd)) > 0 {
		writeSubcommands(&b, cmd)
	}
	b.WriteString("## OPTIONS\n\n")
	writeArgs(&b, cmd)
	b.WriteString("The options of all commands are in **katprep**(1).\n\n")
	fmt.Fprintf(&b, "## EXIT STATUS\n\n%sAll codes are in **katprep**(1).\n\n", own["EXIT STATUS"])
	for _, title := range []string{"FILES", "EXAMPLES"} {
		fmt.Fprintf(&b, "## %s\n\n%s", title, own[title])
	}
	fmt.Fprintf(&b, "## SEE ALSO\n\n**katprep**(1), %s", own["SEE ALSO"])
	return b.String(), nil
}

// proseOf are the sections that people wrote of a page, by their titles.
func proseOf(page string) (map[string]string, error) {
	text, err := prose.ReadFile("man/" + page + ".1.md")
	if err != nil {
		return nil, fmt.Errorf("page %s: %w", page, err)
	}
	sections := map[string]string{}
	for s := range strings.SplitSeq("\n"+string(text), "\n## ") {
		if title, body, ok := strings.Cut(s, "\n"); ok && title != "" {
			sections[title] = strings.TrimSpace(body) + "\n\n"
		}
	}
	return sections, nil
}

func writeSubcommands(b *strings.Builder, cmd *kong.Node) {
	b.WriteString("## COMMANDS\n\n")
	for _, l := range leaves(cmd) {
		fmt.Fprintf(b, "### %s\n\n%s\n\n%s", l.FullPath(), l.Help, detail(l.Detail))
		writeArgs(b, l)
	}
}

func lowerFirst(s string) string {
	if s == "" {
		return s
	}
	return strings.ToLower(s[:1]) + s[1:]
}

// synopsis is how a command is called: "[<host>]" becomes "[*host*]".
func synopsis(n *kong.Node) string {
	words := "**" + n.FullPath() + "** [*options*]"
	for _, p := range n.Positional {
		words += " " + strings.NewReplacer("<", "*", ">", "*").Replace(p.Summary())
	}
	return words
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
		fmt.Fprintf(b, "- *%s*: %s\n", p.Name, p.Help)
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
