package main

import (
	"bytes"
	"fmt"
	"io"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
	"github.com/stdevel/katprep/docs"
	"github.com/stdevel/katprep/internal/docsite"
	"github.com/stdevel/katprep/render"
)

type docsCmd struct {
	Build docsBuildCmd `cmd:"" help:"Write the documentation as a folder of HTML."`
}

type docsBuildCmd struct {
	Out string `short:"o" placeholder:"DIR" default:"katprep-docs" help:"Folder (default: katprep-docs)."`
}

// docGroups are the parts of the documentation and their pages; what is in
// none of them is reference.
var docGroups = []struct {
	name  string
	pages []string
}{
	{"Tutorial", []string{"index", "tutorial"}},
	{"How to", []string{"howto-move", "howto-monitoring", "howto-hypervisors", "howto-hooks", "howto-templates", "howto-publish", "howto-protect", "howto-audit"}},
	{"Explanation", []string{"explanation", "comparison", "architecture", "benchmarks", "dependencies"}},
}

// Run writes the documentation.
func (c *docsBuildCmd) Run(a *app, k *kong.Kong) error {
	pages, err := docPages(k.Model)
	if err != nil {
		return err
	}
	files, err := docsite.Build("katprep", render.Style(), pages)
	if err != nil {
		return fmt.Errorf("build the documentation: %w", err)
	}
	for _, name := range docsite.Paths(files) {
		path := filepath.Join(c.Out, filepath.FromSlash(name))
		if err := writeFile(path, func(w io.Writer) error { _, err := w.Write(files[name]); return err }); err != nil {
			return err
		}
	}
	a.term.Note("wrote %d pages to %s", len(pages), filepath.Join(c.Out, "index.html"))
	return nil
}

// manReference is how pages refer to pages of ours.
var manReference = regexp.MustCompile(`\*\*(katprep[a-z.-]*)\*\*\((\d)\)`)

// docPages are the Markdown files by their groups, and the manual pages.
func docPages(model *kong.Application) ([]docsite.Page, error) {
	entries, err := docs.Files.ReadDir(".")
	if err != nil {
		return nil, err
	}
	var rest []string
	for _, e := range entries {
		rest = append(rest, strings.TrimSuffix(e.Name(), ".md"))
	}
	var pages []docsite.Page
	add := func(group, name string) error {
		text, err := docs.Files.ReadFile(name + ".md")
		text = bytes.ReplaceAll(text, []byte("](../cmd/katprep/man/"), []byte("](man/"))
		pages = append(pages, docsite.Page{Path: name, Group: group, Markdown: text})
		return err
	}
	for _, g := range docGroups {
		for _, name := range g.pages {
			rest = slices.DeleteFunc(rest, func(n string) bool { return n == name })
			if err := add(g.name, name); err != nil {
				return nil, err
			}
		}
	}
	for _, name := range rest {
		if err := add("Reference", name); err != nil {
			return nil, err
		}
	}
	man, err := manPages(model, "")
	if err != nil {
		return nil, err
	}
	for _, p := range man {
		title := fmt.Sprintf("%s(%d)", p.Name, p.Section)
		text := bytes.Join([][]byte{[]byte("# " + title), manReference.ReplaceAll(p.Markdown, []byte("[**$1**($2)]($1.$2.md)"))}, []byte("\n\n"))
		pages = append(pages, docsite.Page{Path: fmt.Sprintf("man/%s.%d", p.Name, p.Section), Group: "Manual pages", Title: title, Markdown: text})
	}
	return pages, nil
}
