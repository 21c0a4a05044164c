package diff

import (
	"strings"
	"unicode/utf8"

	"github.com/sergi/go-diff/diffmatchpatch"
)

// Op says in which of two texts a line is.
type Op string

// The operations.
const (
	Same   Op = " "
	Delete Op = "-"
	Insert Op = "+"
)

// A Line is one line of a text comparison, without its line break.
type Line struct {
	Op     Op
	Before int // line number in the first text, from 1; 0: not there
	After  int // the same in the second
	Spans  []Span
}

// A Span is a part of a line; Changed parts differ from the line that it
// replaces, or is replaced by.
type Span struct {
	Text    string
	Changed bool
}

// String returns the line without its marks.
func (l Line) String() string {
	var b strings.Builder
	for _, s := range l.Spans {
		b.WriteString(s.Text)
	}
	return b.String()
}

const (
	maxLines  = 100_000 // in both texts; more are not matched with each other
	maxInline = 2_000   // bytes of a line that is compared by characters
)

// Text compares two texts line by line, and the characters of lines that
// replace each other. Where two lines have little in common, the whole line
// counts as changed.
func Text(a, b string) []Line {
	linesA, linesB := splitLines(a), splitLines(b)
	var out []Line
	na, nb := 0, 0
	for _, c := range lineDiff(linesA, linesB) {
		for ; c.same > 0; c.same-- {
			out = append(out, Line{Op: Same, Before: na + 1, After: nb + 1, Spans: []Span{{Text: linesA[na]}}})
			na, nb = na+1, nb+1
		}
		out = append(out, replaced(linesA[na:na+c.gone], linesB[nb:nb+c.come], na, nb)...)
		na, nb = na+c.gone, nb+c.come
	}
	return out
}

// splitLines splits at "\n"; a last line without one is a line too.
func splitLines(s string) []string {
	if s == "" {
		return nil
	}
	return strings.Split(strings.TrimSuffix(s, "\n"), "\n")
}

// A chunk is some lines that are the same, then some that are replaced.
type chunk struct{ same, gone, come int }

// lineDiff finds which lines stay. Every different line becomes one
// character, so that the library compares lines.
func lineDiff(a, b []string) []chunk {
	var head, tail int
	for head < min(len(a), len(b)) && a[head] == b[head] {
		head++
	}
	a, b = a[head:], b[head:]
	for tail < min(len(a), len(b)) && a[len(a)-1-tail] == b[len(b)-1-tail] {
		tail++
	}
	a, b = a[:len(a)-tail], b[:len(b)-tail]
	chunks := []chunk{{same: head}}
	if len(a)+len(b) > maxLines {
		chunks = append(chunks, chunk{gone: len(a), come: len(b)})
	} else {
		chunks = append(chunks, matchLines(a, b)...)
	}
	return append(chunks, chunk{same: tail})
}

func matchLines(a, b []string) (chunks []chunk) {
	ids := map[string]rune{}
	diffs := differ().DiffMainRunes(lineRunes(a, ids), lineRunes(b, ids), false)
	var c chunk
	for _, d := range diffs {
		n := utf8.RuneCountInString(d.Text)
		switch d.Type {
		case diffmatchpatch.DiffEqual:
			if c != (chunk{}) {
				chunks = append(chunks, c)
			}
			c = chunk{same: n}
		case diffmatchpatch.DiffDelete:
			c.gone += n
		case diffmatchpatch.DiffInsert:
			c.come += n
		}
	}
	return append(chunks, c)
}

// differ is the library without its clock: the result depends on the texts
// alone.
func differ() *diffmatchpatch.DiffMatchPatch {
	d := diffmatchpatch.New()
	d.DiffTimeout = 0
	return d
}

const (
	surrogates     = 0xD800 // are no characters, and would be lost
	surrogateCount = 0x800
)

func lineRunes(lines []string, ids map[string]rune) []rune {
	runes := make([]rune, len(lines))
	for i, l := range lines {
		id, known := ids[l]
		if !known {
			id = rune(len(ids) + 1)
			if id >= surrogates {
				id += surrogateCount
			}
			ids[l] = id
		}
		runes[i] = id
	}
	return runes
}

// replaced shows some lines that gave way to others, each with its
// counterpart of the same position.
func replaced(gone, come []string, na, nb int) []Line {
	out := make([]Line, 0, len(gone)+len(come))
	news := make([]Line, 0, len(come))
	for i, s := range gone {
		l := Line{Op: Delete, Before: na + i + 1, Spans: []Span{{Text: s, Changed: true}}}
		if i < len(come) {
			n := Line{Op: Insert, After: nb + i + 1}
			l.Spans, n.Spans = inline(s, come[i])
			news = append(news, n)
		}
		out = append(out, l)
	}
	for i := len(gone); i < len(come); i++ {
		news = append(news, Line{Op: Insert, After: nb + i + 1, Spans: []Span{{Text: come[i], Changed: true}}})
	}
	return append(out, news...)
}

// inline marks what differs between two lines.
func inline(a, b string) (before, after []Span) {
	whole := func() ([]Span, []Span) { return []Span{{a, true}}, []Span{{b, true}} }
	if len(a) > maxInline || len(b) > maxInline || !utf8.ValidString(a) || !utf8.ValidString(b) {
		return whole()
	}
	d := differ()
	same := 0
	for _, x := range d.DiffCleanupSemantic(d.DiffMain(a, b, false)) {
		switch x.Type {
		case diffmatchpatch.DiffEqual:
			same += len(x.Text)
			before, after = append(before, Span{Text: x.Text}), append(after, Span{Text: x.Text})
		case diffmatchpatch.DiffDelete:
			before = append(before, Span{x.Text, true})
		case diffmatchpatch.DiffInsert:
			after = append(after, Span{x.Text, true})
		}
	}
	if same*4 < max(len(a), len(b)) {
		return whole()
	}
	return before, after
}
