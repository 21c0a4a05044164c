package migrate

import "strings"

// A word of a shell line.
type word struct {
	raw      string // as written, with its quotes
	plain    string // without them
	at, end  int    // where it stands in the line
	operator bool   // ends a command: | ; && > …
}

const operators = "|;&<>"

// split takes a shell line apart, as far as finding arguments needs it:
// quotes, backslashes, $(…) and `…`. Nothing is expanded.
func split(s string) []word {
	var words []word
	for i := 0; i < len(s); {
		switch c := s[i]; {
		case c == ' ' || c == '\t':
			i++
		case c == '#':
			return words
		case strings.IndexByte(operators, c) >= 0:
			at := i
			for i < len(s) && strings.IndexByte(operators, s[i]) >= 0 {
				i++
			}
			words = append(words, word{raw: s[at:i], plain: s[at:i], at: at, end: i, operator: true})
		default:
			w := readWord(s, i)
			// "2>" belongs to the operator, not to the command.
			if (w.raw == "1" || w.raw == "2") && w.end < len(s) && s[w.end] == '>' {
				w.operator = true
			}
			words = append(words, w)
			i = w.end
		}
	}
	return words
}

func readWord(s string, at int) word {
	var plain strings.Builder
	i := at
	for i < len(s) && strings.IndexByte(" \t"+operators, s[i]) < 0 {
		switch c := s[i]; {
		case c == '\\' && i+1 < len(s):
			plain.WriteByte(s[i+1])
			i += 2
		case c == '\'' || c == '"' || c == '`':
			end := closing(s, i+1, c)
			if c == '`' {
				plain.WriteString(s[i:min(end+1, len(s))])
			} else {
				plain.WriteString(s[i+1 : end])
			}
			i = min(end+1, len(s))
		case strings.HasPrefix(s[i:], "$("):
			end := parenthesis(s, i+1)
			plain.WriteString(s[i:end])
			i = end
		default:
			plain.WriteByte(c)
			i++
		}
	}
	return word{raw: s[at:i], plain: plain.String(), at: at, end: i}
}

// closing finds the quote that closes, or the end of the line.
func closing(s string, i int, quote byte) int {
	for ; i < len(s) && s[i] != quote; i++ {
		if s[i] == '\\' && quote != '\'' {
			i++
		}
	}
	return min(i, len(s))
}

// parenthesis returns the place after the one that closes s[i].
func parenthesis(s string, i int) int {
	for depth := 0; i < len(s); i++ {
		switch s[i] {
		case '(':
			depth++
		case ')':
			if depth--; depth == 0 {
				return i + 1
			}
		}
	}
	return len(s)
}

// quote writes a word for the shell; one with a variable keeps it.
func quote(s string) string {
	switch {
	case s == "":
		return "''"
	case strings.Contains(s, "$"):
		return `"` + strings.ReplaceAll(s, `"`, `\"`) + `"`
	case strings.ContainsAny(s, " \t'\"*?[]&|;<>()#~`\\{}!"):
		return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
	}
	return s
}

// safe is a raw word that the shell leaves as it is: patterns get quotes.
func safe(raw string) string {
	if plain := unquote(raw); plain == raw {
		return quote(raw)
	}
	return raw
}

// unquote is the plain text of a raw word.
func unquote(raw string) string { return readWord(strings.ReplaceAll(raw, "\t", " "), 0).plain }
