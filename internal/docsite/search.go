package docsite

import (
	_ "embed"
	"encoding/json"
	"strings"

	"github.com/yuin/goldmark/ast"
)

//go:embed search.js
var searchScript []byte

// A section is a heading of the second level with what is below it, or what is
// above the first one, which has no ID.
type section struct{ ID, Title, text string }

// cut divides a page into its sections.
func (q *parsed) cut() {
	here := section{Title: q.Title}
	for n := q.doc.FirstChild(); n != nil; n = n.NextSibling() {
		h, ok := n.(*ast.Heading)
		if ok && h.Level == 2 {
			q.sections = append(q.sections, here)
			here = section{Title: plainText(h, q.Markdown)}
			if id, ok := h.AttributeString("id"); ok {
				here.ID = string(id.([]byte))
			}
			continue
		}
		if !ok || h.Level > 1 {
			here.text += " " + blockText(n, q.Markdown)
		}
	}
	q.sections = append(q.sections, here)
}

// blockText is what a block says, code included.
func blockText(n ast.Node, src []byte) string {
	if n.Type() == ast.TypeBlock && (n.Kind() == ast.KindCodeBlock || n.Kind() == ast.KindFencedCodeBlock) {
		return string(n.Lines().Value(src))
	}
	if n.Type() != ast.TypeBlock || !n.HasChildren() || n.FirstChild().Type() == ast.TypeInline {
		return plainText(n, src)
	}
	var b strings.Builder
	for c := n.FirstChild(); c != nil; c = c.NextSibling() {
		b.WriteString(blockText(c, src) + " ")
	}
	return b.String()
}

// index is all sections for the search, as a script: a page from a disk may
// load nothing else. A line is title, heading, address and text.
func (s *site) index() ([]byte, error) {
	var lines []string
	for _, q := range s.pages {
		for _, sec := range q.sections {
			href := q.Path + ".html"
			if sec.ID != "" {
				href += "#" + sec.ID
			}
			text := strings.Join(strings.Fields(sec.text), " ")
			lines = append(lines, strings.Join([]string{q.Title, sec.Title, href, text}, "\t"))
		}
	}
	b, err := json.Marshal(lines)
	return []byte("window.KATPREP_DOCS = " + string(b) + ";\n"), err
}
