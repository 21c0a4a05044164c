package term

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// A Table aligns columns of text. Cells are cleaned; a cell may have a style.
type Table struct {
	t     *Terminal
	head  []string
	rows  [][]Cell
	width []int
	cut   int // the column that Cut named, or -1
}

// A Cell is a text with a style ("" for none).
type Cell struct {
	Text  string
	Style Style
}

// NewTable returns a table with a heading.
func (t *Terminal) NewTable(head ...string) *Table {
	tb := &Table{t: t, head: head, width: make([]int, len(head)), cut: -1}
	for i, h := range head {
		tb.width[i] = utf8.RuneCountInString(h)
	}
	return tb
}

// Row adds a row; a value is a Cell or anything that fmt can print.
func (tb *Table) Row(values ...any) {
	row := make([]Cell, len(tb.head))
	for i := range row {
		if i >= len(values) {
			break
		}
		c, ok := values[i].(Cell)
		if !ok {
			c = Cell{Text: fmt.Sprint(values[i])}
		}
		c.Text = Clean(c.Text)
		row[i] = c
		tb.width[i] = max(tb.width[i], utf8.RuneCountInString(c.Text))
	}
	tb.rows = append(tb.rows, row)
}

// Cut names a column, from 0, that is cut where the lines would be longer than
// the terminal; in a file or pipe, and without a call of it, all is whole.
func (tb *Table) Cut(column int) { tb.cut = column }

// leastCut is how much of a cut column stays on a narrow terminal.
const leastCut = 20

// fit cuts the column to lines of so many columns; 0 is any number.
func (tb *Table) fit(columns int) {
	if columns <= 0 || tb.cut < 0 {
		return
	}
	line := 2 * (len(tb.width) - 1)
	for _, w := range tb.width {
		line += w
	}
	limit := max(tb.width[tb.cut]-(line-columns), leastCut)
	if limit >= tb.width[tb.cut] {
		return
	}
	tb.width[tb.cut] = limit
	for _, r := range tb.rows {
		c := &r[tb.cut]
		if utf8.RuneCountInString(c.Text) > limit {
			c.Text = string([]rune(c.Text)[:limit-1]) + "…"
		}
	}
}

// Write prints the table; one without rows prints nothing.
func (tb *Table) Write(w io.Writer) error {
	if len(tb.rows) == 0 {
		return nil
	}
	tb.fit(tb.t.Width())
	var b strings.Builder
	head := make([]Cell, len(tb.head))
	for i, h := range tb.head {
		head[i] = Cell{h, Bold}
	}
	tb.line(&b, head)
	for _, r := range tb.rows {
		tb.line(&b, r)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// line writes a row, without blanks for the empty cells at its end.
func (tb *Table) line(b *strings.Builder, row []Cell) {
	n := len(row)
	for n > 0 && row[n-1].Text == "" {
		n--
	}
	for i, c := range row[:n] {
		text := c.Text
		if c.Style != "" {
			text = tb.t.Styled(c.Style, c.Text)
		}
		b.WriteString(text)
		if i < n-1 {
			b.WriteString(strings.Repeat(" ", tb.width[i]-utf8.RuneCountInString(c.Text)+2))
		}
	}
	b.WriteByte('\n')
}

// Len returns the number of rows.
func (tb *Table) Len() int { return len(tb.rows) }
