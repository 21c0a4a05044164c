// Package manpage writes manual pages in the man(7) macros, which groff and
// mandoc both read, from Markdown. The same input gives the same bytes: there
// is no date but the one that is passed in.
package manpage

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	east "github.com/yuin/goldmark/extension/ast"
	"github.com/yuin/goldmark/text"
)

// A Page is one manual page.
type Page struct {
	Name     string // "katprep-snapshot"
	Section  int
	Date     string // of the release, may be ""
	Version  string // "katprep 1.0"
	Manual   string // "katprep manual"
	Markdown []byte // the page from its first "## NAME" on
}

// Roff returns the page's source.
func (p Page) Roff() ([]byte, error) {
	var b bytes.Buffer
	fmt.Fprintf(&b, ".TH %s %d %s %s %s\n", quote(strings.ToUpper(p.Name)), p.Section, `"`+strings.ReplaceAll(p.Date, `"`, "")+`"`, quote(p.Version), quote(p.Manual))
	b.WriteString(".nh\n.ad l\n")
	md := goldmark.New(goldmark.WithExtensions(extension.Table))
	doc := md.Parser().Parse(text.NewReader(p.Markdown))
	w := &writer{b: &b, src: p.Markdown}
	for n := doc.FirstChild(); n != nil; n = n.NextSibling() {
		if err := w.block(n); err != nil {
			return nil, fmt.Errorf("page %s: %w", p.Name, err)
		}
	}
	return b.Bytes(), nil
}

// quote makes a macro argument.
func quote(s string) string { return `"` + strings.ReplaceAll(escape(s), `"`, `\(dq`) + `"` }

// escape protects what roff would read as its own.
func escape(s string) string {
	return strings.NewReplacer(`\`, `\e`, "-", `\-`, "'", `\(aq`, "`", `\(ga`, "^", `\(ha`, "~", `\(ti`,
		"→", `\(->`, "…", "...", "–", `\(en`, "—", `\(em`, "✓", "+", "✗", "x", "≤", `\(<=`, "≥", `\(>=`, "×", `\(mu`).Replace(s)
}

type writer struct {
	b   *bytes.Buffer
	src []byte
}

// line writes text that must not be taken for a request.
func (w *writer) line(s string) {
	for l := range strings.Lines(s) {
		l = strings.TrimRight(l, "\n ")
		if strings.HasPrefix(l, ".") || strings.HasPrefix(l, "'") {
			l = `\&` + l
		}
		w.b.WriteString(l + "\n")
	}
}

func (w *writer) block(n ast.Node) error {
	switch n := n.(type) {
	case *ast.Heading:
		title := strings.ToUpper(w.inline(n))
		if n.Level > 2 {
			fmt.Fprintf(w.b, ".SS %s\n", w.inline(n))
			return nil
		}
		fmt.Fprintf(w.b, ".SH %s\n", title)
	case *ast.Paragraph:
		if !afterHeading(n) {
			w.b.WriteString(".PP\n")
		}
		w.line(w.inline(n))
	case *ast.CodeBlock, *ast.FencedCodeBlock:
		w.code(n)
	case *ast.List:
		return w.list(n)
	case *east.Table:
		w.table(n)
	default:
		return fmt.Errorf("a %s has no place in a manual page", n.Kind())
	}
	return nil
}

func afterHeading(n ast.Node) bool {
	p := n.PreviousSibling()
	return p != nil && p.Kind() == ast.KindHeading
}

func (w *writer) code(n ast.Node) {
	if !afterHeading(n) {
		w.b.WriteString(".PP\n")
	}
	w.b.WriteString(".RS 4\n.nf\n")
	for i := range n.Lines().Len() {
		seg := n.Lines().At(i)
		line := escape(strings.TrimRight(string(seg.Value(w.src)), "\n"))
		if line == "" {
			w.b.WriteString("\\&\n")
			continue
		}
		w.line(line)
	}
	w.b.WriteString(".fi\n.RE\n")
}

// list writes "- **term**: text" as tagged paragraphs and others as bullets.
func (w *writer) list(l *ast.List) error {
	for item := l.FirstChild(); item != nil; item = item.NextSibling() {
		for c := item.FirstChild(); c != nil; c = c.NextSibling() {
			if c.Kind() != ast.KindTextBlock && c.Kind() != ast.KindParagraph {
				return fmt.Errorf("a %s within a list", c.Kind())
			}
			body := w.inline(c)
			if tag, rest, ok := strings.Cut(body, `\fR: `); ok && strings.HasPrefix(tag, `\f`) {
				fmt.Fprintf(w.b, ".TP\n%s\\fR\n", tag)
				w.line(rest)
				continue
			}
			w.b.WriteString(".IP \\(bu 2\n")
			w.line(body)
		}
	}
	return nil
}

// table writes each row as a tagged paragraph: the first cell is the tag.
func (w *writer) table(t *east.Table) {
	for row := t.FirstChild(); row != nil; row = row.NextSibling() {
		if row.Kind() == east.KindTableHeader {
			continue
		}
		var cells []string
		for c := row.FirstChild(); c != nil; c = c.NextSibling() {
			cells = append(cells, w.inline(c))
		}
		if len(cells) == 0 {
			continue
		}
		w.b.WriteString(".TP\n")
		w.line(cells[0])
		w.line(strings.Join(cells[1:], "; "))
	}
}

// inline returns a node's text with roff's font changes.
func (w *writer) inline(n ast.Node) string {
	var b strings.Builder
	for c := n.FirstChild(); c != nil; c = c.NextSibling() {
		switch c := c.(type) {
		case *ast.Text:
			b.WriteString(escape(string(c.Segment.Value(w.src))))
			if c.SoftLineBreak() || c.HardLineBreak() {
				b.WriteString("\n")
			}
		case *ast.String:
			b.WriteString(escape(string(c.Value)))
		case *ast.CodeSpan:
			b.WriteString(`\fB` + w.inline(c) + `\fR`)
		case *ast.Emphasis:
			font := `\fI`
			if c.Level > 1 {
				font = `\fB`
			}
			b.WriteString(font + w.inline(c) + `\fR`)
		case *ast.AutoLink:
			b.WriteString(escape(string(c.URL(w.src))))
		case *ast.Link:
			b.WriteString(w.inline(c) + " <" + escape(string(c.Destination)) + ">")
		default:
			b.WriteString(w.inline(c))
		}
	}
	return b.String()
}
