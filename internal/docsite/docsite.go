// Package docsite turns Markdown files into a folder of HTML that works from a
// disk: no scripts, no fonts or images from elsewhere. A link that leads
// nowhere is an error.
package docsite

import (
	"bytes"
	"fmt"
	"html/template"
	"maps"
	"net/url"
	"path"
	"slices"
	"strings"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/parser"
	"github.com/yuin/goldmark/text"
	"github.com/yuin/goldmark/util"
)

// A Page is one Markdown file.
type Page struct {
	Path     string // of the HTML, without extension: "tutorial", "man/katprep.1"
	Group    string // heading in the navigation
	Title    string // in the navigation; empty: the page's first heading
	Markdown []byte
}

// Build renders the pages, in the order of the navigation. The result maps
// paths to contents: the same pages give the same bytes.
func Build(title, style string, pages []Page) (map[string][]byte, error) {
	s := &site{title: title, md: goldmark.New(goldmark.WithExtensions(extension.GFM), goldmark.WithParserOptions(parser.WithAutoHeadingID()))}
	for _, p := range pages {
		s.parse(p)
	}
	index, err := s.index()
	if err != nil {
		return nil, err
	}
	files := map[string][]byte{"style.css": []byte(style + layoutStyle), "search.js": searchScript, "index.js": index}
	for i := range s.pages {
		html, err := s.render(&s.pages[i])
		if err != nil {
			return nil, fmt.Errorf("%s: %w", s.pages[i].Path, err)
		}
		files[s.pages[i].Path+".html"] = html
	}
	if err := s.checkLinks(files); err != nil {
		return nil, err
	}
	return files, nil
}

type site struct {
	title string
	md    goldmark.Markdown
	pages []parsed
}

type parsed struct {
	Page
	doc      ast.Node
	ids      map[string]bool // of its headings
	links    []string        // its relative links
	sections []section       // what its headings of the second level are above, and what is before
}

func (s *site) parse(p Page) {
	doc := s.md.Parser().Parse(text.NewReader(p.Markdown))
	q := parsed{Page: p, doc: doc, ids: map[string]bool{}}
	ast.Walk(doc, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		switch n := n.(type) {
		case *ast.Heading:
			if id, ok := n.AttributeString("id"); ok && entering {
				q.ids[string(id.([]byte))] = true
			}
			if q.Title == "" {
				q.Title = plainText(n, p.Markdown)
			}
		case *ast.Link:
			if entering {
				q.relink(n)
			}
		}
		return ast.WalkContinue, nil
	})
	q.cut()
	s.pages = append(s.pages, q)
}

func plainText(n ast.Node, src []byte) string {
	var b strings.Builder
	ast.Walk(n, func(c ast.Node, entering bool) (ast.WalkStatus, error) {
		if t, ok := c.(*ast.Text); ok && entering {
			b.Write(t.Segment.Value(src))
			if t.SoftLineBreak() {
				b.WriteByte(' ')
			}
		}
		return ast.WalkContinue, nil
	})
	return b.String()
}

// relink makes links to Markdown files lead to their HTML, and notes them.
func (q *parsed) relink(l *ast.Link) {
	u, err := url.Parse(string(l.Destination))
	if err != nil || u.Scheme != "" || u.Host != "" {
		return
	}
	if base, found := strings.CutSuffix(u.Path, ".md"); found {
		u.Path = base + ".html"
	}
	l.Destination = []byte(u.String())
	q.links = append(q.links, u.String())
}

func (s *site) checkLinks(files map[string][]byte) error {
	ids := map[string]map[string]bool{}
	for _, q := range s.pages {
		ids[q.Path+".html"] = q.ids
	}
	for _, q := range s.pages {
		for _, link := range q.links {
			u, err := url.Parse(link)
			if err != nil {
				return fmt.Errorf("%s: link %q: %w", q.Path, link, err)
			}
			target := q.Path + ".html"
			if u.Path != "" {
				target = path.Join(path.Dir(q.Path), u.Path)
			}
			if files[target] == nil || u.Fragment != "" && !ids[target][u.Fragment] {
				return fmt.Errorf("%s: link %q leads nowhere", q.Path, link)
			}
		}
	}
	return nil
}

// view is what the layout sees.
type view struct {
	Title, Site, Root string
	Groups            []group
	Sections          []section // of this page
	Body              template.HTML
}

type group struct {
	Name  string
	Items []item
}

type item struct {
	Title, Href string
	Here        bool
}

// boxes gives what may be wider than a page a box that scrolls, by the keyboard
// too, and headings that are empty the element of a cell. Raw HTML of pages is
// dropped, so these are the renderer's.
var boxes = strings.NewReplacer("<pre>", `<pre tabindex="0">`, "<table>", `<div class="table" tabindex="0"><table>`, "</table>", "</table></div>", "<th></th>", "<td></td>")

func (s *site) render(q *parsed) ([]byte, error) {
	var body bytes.Buffer
	if err := s.md.Renderer().Render(&body, q.Markdown, q.doc); err != nil {
		return nil, err
	}
	v := view{Title: q.Title, Site: s.title, Root: strings.Repeat("../", strings.Count(q.Path, "/")), Body: template.HTML(boxes.Replace(body.String()))}
	if len(q.sections) > 3 {
		v.Sections = q.sections[1:]
	}
	for i := range s.pages {
		p := &s.pages[i]
		it := item{p.Title, v.Root + string(util.URLEscape([]byte(p.Path), false)) + ".html", p == q}
		if n := len(v.Groups); n == 0 || v.Groups[n-1].Name != p.Group {
			v.Groups = append(v.Groups, group{Name: p.Group})
		}
		g := &v.Groups[len(v.Groups)-1]
		g.Items = append(g.Items, it)
	}
	var out bytes.Buffer
	err := layout.Execute(&out, v)
	return out.Bytes(), err
}

// Paths are the files of a built site, sorted.
func Paths(files map[string][]byte) []string { return slices.Sorted(maps.Keys(files)) }
