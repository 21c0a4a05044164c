package site

import (
	"bytes"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/render"
)

// Bounds of what a page shows of one text: a description of a megabyte is no
// reason for a page, or for every row of a list, to have one.
const (
	longestLine = 2000  // bytes of a text in one line
	longestText = 16000 // bytes of a vendor's text
)

// short cuts a line that nobody would read to its end, and says so.
func short(s string) string {
	if len(s) <= longestLine {
		return s
	}
	return clip(s, longestLine) + " … (cut here; " + itoa(len(s)) + " bytes in the archive)"
}

// clip cuts between characters.
func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

// shownLine is the templates' way to untrusted text in one line.
func shownLine(v any) string {
	s, ok := v.(string)
	if !ok {
		s = fmt.Sprint(v)
	}
	return render.Line(short(s))
}

// A vendorText is what the vendor of an erratum says, as much as a page takes.
type vendorText struct {
	Paragraphs [][]string
	Cut        bool // the whole text is in a file
}

// saidBy cuts the texts of an erratum after a whole paragraph where possible.
func saidBy(e *katprep.Erratum) (v vendorText) {
	left := longestText
	for _, text := range []string{e.Summary, e.Description, e.Solution} {
		if len(text) > left {
			text, v.Cut = clip(text, left), true
		}
		left -= len(text)
		for _, p := range render.Paragraphs(text) {
			v.Paragraphs = append(v.Paragraphs, joinLines(p))
		}
	}
	return v
}

// joinLines joins the lines of a paragraph that were broken at the end of a
// line only: points of a list stay lines of their own.
func joinLines(lines []string) (out []string) {
	for i, l := range lines {
		point := strings.HasPrefix(l, "* ") || strings.HasPrefix(l, "- ") || strings.HasPrefix(l, "• ")
		if i == 0 || point {
			out = append(out, l)
		} else {
			out[len(out)-1] += " " + l
		}
	}
	return out
}

// wholeText writes everything that the vendor says into a file of plain text.
func wholeText(buf *bytes.Buffer, e *katprep.Erratum) error {
	for _, part := range []struct{ name, text string }{{"Title", e.Title}, {"Summary", e.Summary}, {"Description", e.Description}, {"Solution", e.Solution}} {
		if strings.TrimSpace(part.text) == "" {
			continue
		}
		fmt.Fprintf(buf, "%s\n\n", part.name)
		for _, p := range render.Paragraphs(part.text) {
			buf.WriteString(strings.Join(p, "\n") + "\n\n")
		}
	}
	return nil
}
