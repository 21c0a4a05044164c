package render

import (
	"bytes"
	"errors"
	"fmt"
	htmltemplate "html/template"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	texttemplate "text/template"
	"text/template/parse"

	"github.com/stdevel/katprep"
)

const (
	maxTemplate = 1 << 20   // bytes of a template or metadata file
	maxOutput   = 64 << 20  // bytes that a user's template may write
	maxValue    = 1 << 20   // bytes of one value that a function makes
	maxSteps    = 5_000_000 // turns of loops: 10,000 hosts with 500 rows each
)

// A Template is a user's own template with the metadata of its front matter.
// It can write text and nothing else: no function reads files, runs programs
// or asks other systems, and its output and its running time are bounded.
type Template struct {
	Format Format            // Markdown or HTML; "" for other text, in which nothing is escaped
	Ext    string            // extension of the documents it makes: ".md", ".html", ".tex" …
	Meta   map[string]string // of the front matter

	name string
	src  string
	max  int // steps
}

// LoadTemplate reads a template file. What it makes follows from its name
// ("patch.md.tmpl", "patch.html", "patch.tex.tmpl"): HTML is escaped by
// context, Markdown so that values stay plain text, anything else not at all.
// Errors name file and line.
func LoadTemplate(path string) (*Template, error) {
	b, err := readBounded(path)
	if err != nil {
		return nil, err
	}
	return ParseTemplate(path, string(b))
}

// ParseTemplate is LoadTemplate for a text that is in memory.
func ParseTemplate(path, text string) (*Template, error) {
	t := &Template{name: path, max: maxSteps}
	t.Ext = strings.ToLower(filepath.Ext(strings.TrimSuffix(strings.TrimSuffix(filepath.Base(path), ".tmpl"), ".gotmpl")))
	switch t.Ext {
	case ".md", ".markdown":
		t.Format = Markdown
	case ".html", ".htm", ".xhtml":
		t.Format = HTML
	}
	var err error
	if t.Meta, t.src, err = frontMatter(path, text); err != nil {
		return nil, err
	}
	if _, err := t.compile(); err != nil {
		return nil, err
	}
	return t, nil
}

// An executor is a template of either kind.
type executor interface{ Execute(io.Writer, any) error }

// compile parses anew for each execution, so that every one counts its own
// steps.
func (t *Template) compile() (executor, error) {
	fm := funcs(t.Format)
	fm["_step"] = (&steps{max: t.max}).step
	if t.Format == HTML {
		h, err := htmltemplate.New("T").Option("missingkey=error").Funcs(fm).Parse(t.src)
		if err != nil {
			return nil, t.explain(err)
		}
		for _, d := range h.Templates() {
			harden(d.Tree, false)
		}
		return h, nil
	}
	x, err := texttemplate.New("T").Option("missingkey=error").Funcs(fm).Parse(t.src)
	if err != nil {
		return nil, t.explain(err)
	}
	for _, d := range x.Templates() {
		harden(d.Tree, t.Format == Markdown)
	}
	return x, nil
}

func (t *Template) execute(w io.Writer, d *Data, limit int64) error {
	x, err := t.compile()
	if err != nil {
		return err
	}
	if limit <= 0 {
		limit = maxOutput
	}
	lw := &limitWriter{w: w, left: limit}
	if err := x.Execute(lw, d); err != nil {
		if lw.err != nil && !errors.Is(lw.err, errTooLong) {
			return lw.err // the writer's own, such as a full disk
		}
		return t.explain(err)
	}
	return nil
}

// steps counts what a template does.
type steps struct{ n, max int }

var errTooLong = errors.New("the output is too long")

func (s *steps) step() (bool, error) {
	if s.n++; s.n > s.max {
		return false, errors.New("the template loops for too long")
	}
	return false, nil
}

type limitWriter struct {
	w    io.Writer
	left int64
	err  error
}

func (l *limitWriter) Write(p []byte) (int, error) {
	if int64(len(p)) > l.left {
		l.err = errTooLong
		return 0, l.err
	}
	n, err := l.w.Write(p)
	l.left -= int64(n)
	l.err = err
	return n, err
}

// harden makes every loop and every template count its steps and, if escape
// is set, pipes every value that is written through the Markdown escaper.
func harden(t *parse.Tree, escape bool) {
	if t == nil || t.Root == nil {
		return
	}
	t.Root.Nodes = append(snippet("{{if _step}}{{end}}"), t.Root.Nodes...)
	hardenList(t.Root, escape)
}

func hardenList(l *parse.ListNode, escape bool) {
	if l == nil {
		return
	}
	for _, n := range l.Nodes {
		switch n := n.(type) {
		case *parse.ActionNode:
			if escape && len(n.Pipe.Decl) == 0 {
				n.Pipe.Cmds = append(n.Pipe.Cmds, snippet("{{_md}}")[0].(*parse.ActionNode).Pipe.Cmds...)
			}
		case *parse.IfNode:
			hardenList(n.List, escape)
			hardenList(n.ElseList, escape)
		case *parse.WithNode:
			hardenList(n.List, escape)
			hardenList(n.ElseList, escape)
		case *parse.RangeNode:
			hardenList(n.List, escape)
			hardenList(n.ElseList, escape)
			n.List.Nodes = append(snippet("{{if _step}}{{end}}"), n.List.Nodes...)
		}
	}
}

func snippet(s string) []parse.Node {
	known := map[string]any{"_step": func() bool { return false }, "_md": escapeValue}
	trees, err := parse.Parse("snippet", s, "", "", known)
	if err != nil || trees["snippet"] == nil {
		return nil // cannot happen: the snippets are constants
	}
	return trees["snippet"].Root.Nodes
}

var at = regexp.MustCompile(`(?s)^(?:html/)?(?:template: ?)?T:(\d+):(?:(\d+):)? ?(.*)$`)

// explain puts file, line and field into words; the standard library has all
// three in its texts.
func (t *Template) explain(err error) error {
	m := at.FindStringSubmatch(err.Error())
	if m == nil {
		return katprep.Errorf(katprep.Invalid, "template %s: %s", t.name, strings.ReplaceAll(err.Error(), `"T"`, "the template"))
	}
	why := regexp.MustCompile(`^executing "[^"]*" `).ReplaceAllString(m[3], "")
	if f := regexp.MustCompile(`at <([^>]*)>: can't evaluate field (\w+) in type \S+`).FindStringSubmatch(why); f != nil {
		why = fmt.Sprintf("no field %s in %s", f[2], f[1])
	}
	e := katprep.Errorf(katprep.Invalid, "template %s: line %s: %s", t.name, m[1], why)
	if strings.HasPrefix(why, "no field") {
		e = e.WithHint("docs/templates.md lists the fields")
	}
	return e
}

func readBounded(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		kind := katprep.Invalid
		if errors.Is(err, os.ErrNotExist) {
			kind = katprep.NotFound
		}
		return nil, katprep.Errorf(kind, "read template: %w", err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxTemplate+1))
	if err != nil {
		return nil, katprep.Errorf(katprep.Invalid, "read template: %w", err)
	}
	if len(b) > maxTemplate {
		return nil, katprep.Errorf(katprep.Invalid, "read template %s: longer than %d bytes", path, maxTemplate)
	}
	return bytes.ReplaceAll(b, []byte("\r\n"), []byte("\n")), nil
}
