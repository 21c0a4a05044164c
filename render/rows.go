package render

import (
	"html/template"

	"github.com/stdevel/katprep"
)

// Rows of tables are most of a report. They are written by hand, because
// templates would take most of the time; every text goes through AppendText.

// AppendText writes untrusted text in one line as HTML, for elements and for
// attributes in double quotes.
func AppendText(b []byte, s string) []byte {
	s = Line(s)
	last := 0
	for i := range len(s) {
		var esc string
		switch s[i] {
		case '<':
			esc = "&lt;"
		case '>':
			esc = "&gt;"
		case '&':
			esc = "&amp;"
		case '"':
			esc = "&#34;"
		case '\'':
			esc = "&#39;"
		default:
			continue
		}
		b = append(append(b, s[last:i]...), esc...)
		last = i + 1
	}
	return append(b, s[last:]...)
}

// AppendWord writes a word of state.
func AppendWord(b []byte, w Word) []byte {
	b = append(append(append(b, `<span class="w `...), w.Class...), `"><b aria-hidden="true">`...)
	b = append(append(b, w.Shape...), `</b>`...)
	return append(AppendText(b, w.Text), `</span>`...)
}

// AppendChange writes "a → b" with the changed part of both marked.
func AppendChange(b []byte, before, after []katprep.EVR) []byte {
	x, y := markAll(before, after)
	b = appendSpans(append(b, `<span class="ver">`...), x, "del")
	if !equalEVRs(before, after) {
		b = append(b, ` <span class="arrow">→</span> `...)
		b = appendSpans(b, y, "ins")
	}
	return append(b, `</span>`...)
}

func equalEVRs(a, b []katprep.EVR) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

func appendSpans(b []byte, ss []Span, tag string) []byte {
	for _, s := range ss {
		if s.Changed {
			b = append(append(append(b, '<'), tag...), '>')
			b = AppendText(b, s.Text)
			b = append(append(append(b, "</"...), tag...), '>')
			continue
		}
		b = AppendText(b, s.Text)
	}
	return b
}

func appendOr(b []byte, s string) []byte {
	if s == "" {
		return append(b, "–"...)
	}
	return AppendText(b, s)
}

func errataRows(list []katprep.ErratumChange) template.HTML {
	b := make([]byte, 0, 700*len(list))
	for i := range list {
		e := &list[i]
		b = AppendText(append(b, `<tr><th scope="row"><span class="id">`...), e.ID)
		b = append(b, `</span>`...)
		if e.Title != "" {
			b = append(AppendText(append(b, `<span class="sub">`...), e.Title), `</span>`...)
		}
		for j, c := range e.CVEs {
			if j == 0 {
				b = append(b, `<span class="sub id">`...)
			} else {
				b = append(b, ", "...)
			}
			b = AppendText(b, c)
			if j == len(e.CVEs)-1 {
				b = append(b, `</span>`...)
			}
		}
		b = AppendWord(append(b, `</th><td>`...), EndingWord(e.Ending))
		b = append(b, `</td><td>`...)
		if e.Severity != "" {
			b = AppendWord(b, SeverityWord(e.Severity))
		} else {
			b = append(appendOr(append(b, `<span class="soft">`...), string(e.Type)), `</span>`...)
		}
		b = append(appendOr(append(b, `</td><td class="t">`...), string(e.Issued)), `</td><td>`...)
		for _, p := range e.Proof {
			b = appendProof(b, p)
		}
		b = append(AppendText(b, e.Reason), "</td></tr>\n"...)
	}
	return template.HTML(b)
}

func appendProof(b []byte, p katprep.Proof) []byte {
	b = AppendText(append(b, `<span class="sub"><span class="id">`...), p.Package.String())
	b = AppendChange(append(b, `</span> `...), one(p.Before), one(p.After))
	b = AppendText(append(b, ` <span class="soft">(fixed in <span class="ver">`...), string(p.Fixed))
	return append(b, `</span>)</span></span>`...)
}

func packageRows(list []katprep.PackageChange) template.HTML {
	b := make([]byte, 0, 400*len(list))
	for i := range list {
		p := &list[i]
		b = AppendText(append(b, `<tr><th scope="row"><span class="id">`...), p.PackageKey.String())
		b = AppendWord(append(b, `</span></th><td>`...), KindWord(p.Kind))
		b = AppendChange(append(b, `</td><td>`...), p.Before, p.After)
		b = append(b, `</td><td><span class="id">`...)
		for j, id := range p.Errata {
			if j > 0 {
				b = append(b, ", "...)
			}
			b = AppendText(b, id)
		}
		b = append(b, "</span></td></tr>\n"...)
	}
	return template.HTML(b)
}

// Advice returns what the advisories of the host say as HTML, each folded away.
func (d *Data) Advice() template.HTML {
	b := make([]byte, 0, 1024*len(d.Host.Errata))
	for i := range d.Host.Errata {
		e := d.erratum(d.Host.Errata[i].ID)
		if e == nil || e.Summary+e.Description+e.Solution == "" {
			continue
		}
		b = AppendText(append(b, "<details>\n<summary><span class=\"id\">"...), e.ID)
		b = AppendText(append(b, `</span> `...), e.Title)
		b = append(b, "</summary>\n<div class=\"text\">"...)
		for _, text := range []string{e.Summary, e.Description, e.Solution} {
			for _, p := range Paragraphs(text) {
				b = append(b, `<p>`...)
				for j, line := range p {
					if j > 0 {
						b = append(b, ' ')
					}
					b = AppendText(b, line)
				}
				b = append(b, "</p>\n"...)
			}
		}
		b = append(b, "</div>\n</details>\n"...)
	}
	return template.HTML(b)
}
