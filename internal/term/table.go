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
}

// A Cell is a text with a style ("" for none).
type Cell struct {
	Text  string
	Style Style
}

// NewTable returns a table with a heading.
func (t *Terminal) NewTable(head ...string) *Table {
	tb := &Table{t: t, head: head, width: make([]int, len(head))}
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

// Write prints the table; one without rows prints nothing.
func (tb *Table) Write(w io.Writer) error {
	if len(tb.rows) == 0 {
		return nil
	}
	var b strings.Builder
	for i, h := range tb.head {
		tb.cell(&b, i, Cell{h, Bold})
	}
	for _, r := range tb.rows {
		for i, c := range r {
			tb.cell(&b, i, c)
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func (tb *Table) cell(b *strings.Builder, i int, c Cell) {
	text := c.Text
	if c.Style != "" {
		text = tb.t.Styled(c.Style, c.Text)
	}
	b.WriteString(text)
	if i == len(tb.head)-1 {
		b.WriteByte('\n')
		return
	}
	b.WriteString(strings.Repeat(" ", tb.width[i]-utf8.RuneCountInString(c.Text)+2))
}

// Len returns the number of rows.
func (tb *Table) Len() int { return len(tb.rows) }
