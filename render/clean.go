package render

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Clean makes untrusted text showable: invalid UTF-8, control characters and
// the invisible characters that reorder or hide text become U+FFFD; line ends
// of all systems become \n, tabs a space. It does not escape for any format.
func Clean(s string) string {
	if plain(s) {
		return s
	}
	s = strings.NewReplacer("\r\n", "\n", "\r", "\n", "\u2028", "\n", "\u2029", "\n", "\u0085", "\n", "\v", "\n", "\f", "\n", "\t", " ").Replace(s)
	return strings.Map(func(r rune) rune {
		if r != '\n' && (unicode.IsControl(r) || hides(r)) {
			return utf8.RuneError
		}
		return r
	}, strings.ToValidUTF8(s, string(utf8.RuneError)))
}

// plain reports whether s is printable ASCII, which most of a report is.
func plain(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}

// hides reports whether r is invisible and changes how others read: bidi
// controls, zero width characters, tags, and the other format characters.
func hides(r rune) bool {
	return unicode.Is(unicode.Cf, r) || r == '\u115f' || r == '\u1160' || r == '\u3164' || r == '\uffa0'
}

// Line is Clean on one line: white space of every kind becomes one space.
func Line(s string) string {
	if tidy(s) {
		return s
	}
	return strings.Join(strings.Fields(Clean(s)), " ")
}

// tidy reports whether s is a line already: printable ASCII with single
// spaces inside only.
func tidy(s string) bool {
	space := true
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' || space && s[i] == ' ' {
			return false
		}
		space = s[i] == ' '
	}
	return s == "" || !space
}

// Paragraphs splits a text at its blank lines; lines keep no outer space.
func Paragraphs(s string) [][]string {
	var out [][]string
	var cur []string
	for line := range strings.SplitSeq(Clean(s)+"\n\n", "\n") {
		if line = Line(strings.TrimSpace(line)); line != "" {
			cur = append(cur, line)
		} else if cur != nil {
			out, cur = append(out, cur), nil
		}
	}
	return out
}

// mdText is text that is Markdown already.
type mdText string

// EscapeMarkdown writes s so that Markdown (CommonMark, GFM, and pandoc's)
// reads it as plain text in one line, wherever it stands: in a paragraph, at
// the start of a line or in a cell of a table.
func EscapeMarkdown(s string) string { return escapeMarkdown(Line(s), true) }

// escapeMarkdown escapes a cleaned line; start says whether it can stand at
// the start of a line.
func escapeMarkdown(s string, start bool) string {
	var b strings.Builder
	for i, r := range s {
		if special(s, i, r) || start && opens(s, i, r) {
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	return b.String()
}

// special reports whether r at i means something anywhere in a line.
func special(s string, i int, r rune) bool {
	switch r {
	case '\\', '`', '*', '{', '}', '[', ']', '<', '>', '&', '|', '~', '$', '^', '@', '!':
		return true
	case '_':
		return !(i > 0 && alnum(s[i-1]) && i+1 < len(s) && alnum(s[i+1]))
	case ':':
		return i == 0 || strings.HasPrefix(s[i:], "://") || i > 5 && strings.EqualFold(s[i-6:i], "mailto") || i > 3 && strings.EqualFold(s[i-4:i], "xmpp")
	case '.':
		return i > 2 && strings.EqualFold(s[i-3:i], "www")
	}
	return false
}

// opens reports whether r at i makes what follows a list, a heading or a rule
// if s stands at the start of a line.
func opens(s string, i int, r rune) bool {
	last := i+1 == len(s) || s[i+1] == ' '
	switch r {
	case '.', ')':
		return last && leadingNumber(s[:i])
	case '+':
		return i == 0 && last
	case '-':
		return i == 0 && (last || s[i+1] == '-')
	case '#', '=', '%', '"', '\'', '(':
		return i == 0
	}
	return false
}

func leadingNumber(s string) bool {
	return len(s) < 10 && strings.Trim(s, "0123456789") == ""
}

func alnum(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

// cell guards a CSV field against being read as a formula by spreadsheets.
func cell(s string) string {
	s = Clean(s)
	if t := strings.TrimLeft(s, " \n\ufffd"); t != "" && strings.ContainsRune("=+-@|%＝＋－＠", []rune(t)[0]) {
		return "'" + s
	}
	return s
}
