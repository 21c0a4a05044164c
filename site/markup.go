package site

import (
	"html/template"
	"strconv"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/render"
)

// A markup writes HTML of which there is much: the rows of tables, where
// templates would take most of the time. lit takes constants of this
// program; everything else goes through text, which escapes.
type markup struct {
	b    []byte
	root string
}

// markupOf begins n rows of about so many bytes each, so that the memory for
// them need not grow in steps.
func markupOf(root string, n, bytes int) *markup {
	return &markup{root: root, b: make([]byte, 0, n*bytes)}
}

func (m *markup) html() template.HTML { return template.HTML(m.b) } //nolint:gosec // lit and text made it

func (m *markup) lit(s string) *markup {
	m.b = append(m.b, s...)
	return m
}

// text writes untrusted text in one line, for elements and for attributes in
// double quotes.
func (m *markup) text(s string) *markup {
	m.b = render.AppendText(m.b, short(s))
	return m
}

func (m *markup) int(n int) *markup {
	m.b = strconv.AppendInt(m.b, int64(n), 10)
	return m
}

// or writes text, or a dash if there is none.
func (m *markup) or(s string) *markup {
	if s == "" {
		return m.lit("–")
	}
	return m.text(s)
}

// link writes a link to a page of the site; href is made of slugs.
func (m *markup) link(href, class, s string) *markup {
	m.lit(`<a`)
	if class != "" {
		m.lit(` class="`).lit(class).lit(`"`)
	}
	return m.lit(` href="`).text(m.root + href).lit(`">`).text(s).lit(`</a>`)
}

func (m *markup) word(w render.Word) *markup {
	m.b = render.AppendWord(m.b, w)
	return m
}

// counts writes how often each ending occurs.
func (m *markup) counts(n [len(katprep.Endings)]int32) *markup {
	first := true
	for i, c := range n {
		if c == 0 {
			continue
		}
		if !first {
			m.lit(" · ")
		}
		first = false
		w := render.EndingWord(katprep.Endings[i])
		m.lit(`<span class="nb `).lit(w.Class).lit(`"><span aria-hidden="true">`).lit(w.Shape).lit(`</span> `).int(int(c)).lit(" ").lit(w.Text).lit(`</span>`)
	}
	if first {
		m.lit(`<span class="soft">–</span>`)
	}
	return m
}

// errata writes how errata ended, and that they are not known.
func (m *markup) errata(n [len(katprep.Endings)]int32, unknown bool) *markup {
	if !unknown {
		return m.counts(n)
	}
	if n != [len(katprep.Endings)]int32{} {
		m.counts(n).lit(" · ")
	}
	return m.lit(`<span class="nb bad">not known</span>`)
}

// known writes a cell with a number, or that nobody knows it.
func (m *markup) known(n int, known bool) *markup {
	if !known {
		return m.lit(`<td class="num bad">not known</td>`)
	}
	return m.number(n)
}

// severity writes the cell of a severity, with a key to sort by.
func (m *markup) severity(s katprep.Severity, t katprep.ErratumType) *markup {
	m.lit(`<td data-key="`).int(len(katprep.Severities) - render.SeverityRank(s)).lit(`">`)
	switch {
	case s != "":
		m.word(render.SeverityWord(s))
	default:
		m.lit(`<span class="soft">`).or(string(t)).lit(`</span>`)
	}
	return m.lit(`</td>`)
}

// number writes a cell with a number.
func (m *markup) number(n int) *markup {
	if n == 0 {
		return m.lit(`<td class="num zero">0</td>`)
	}
	return m.lit(`<td class="num">`).int(n).lit(`</td>`)
}

// change writes "a → b" with the changed part marked.
func (m *markup) change(before, after []katprep.EVR) *markup {
	m.b = render.AppendChange(m.b, before, after)
	return m
}

func (m *markup) erratum(id, title string) *markup {
	m.lit(`<th scope="row">`).link("errata/"+idSlug(id)+".html", "id", id)
	if title != "" {
		m.lit(`<span class="sub">`).text(title).lit(`</span>`)
	}
	return m
}

func (m *markup) cves(ids []string) *markup {
	for i, c := range ids {
		if i > 0 {
			m.lit(" ")
		}
		m.link("cves/"+idSlug(c)+".html", "id", c)
	}
	return m
}

func one(v katprep.EVR) []katprep.EVR {
	if v == "" {
		return nil
	}
	return []katprep.EVR{v}
}
