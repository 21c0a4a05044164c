package landscape

import (
	"path"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// A predicate says whether something is found.
type predicate[T any] func(v T) bool

// A getter returns the values of a search field of something.
type getter[T any] func(v T) []string

// A searchable says what can be searched in a list.
type searchable[T any] struct {
	field func(name string) (getter[T], error)
	text  getter[T] // what bare words are looked for in
}

// searchHosts filters hosts by a query.
func (s *Server) searchHosts(hosts []*host, query string) ([]*host, error) {
	return filter(hosts, query, searchable[*host]{s.field, func(h *host) []string { return []string{h.name, h.comment} }})
}

// filter understands the subset of scoped_search that makes sense here:
// comparisons, lists, and, or, not, parentheses, bare words.
func filter[T any](list []T, query string, by searchable[T]) ([]T, error) {
	if strings.TrimSpace(query) == "" {
		return list, nil
	}
	p := &searchParser[T]{by: by, words: lexSearch(query)}
	match, err := p.or()
	if err != nil {
		return nil, err
	}
	if p.at < len(p.words) {
		return nil, queryError("Unexpected " + p.words[p.at].text)
	}
	var found []T
	for _, v := range list {
		if match(v) {
			found = append(found, v)
		}
	}
	return found, nil
}

// fieldsOf makes a searchable of plain fields; bare words match any of them.
func fieldsOf[T any](fields map[string]func(v T) string) searchable[T] {
	return searchable[T]{
		field: func(name string) (getter[T], error) {
			f, ok := fields[strings.ToLower(name)]
			if !ok {
				return nil, noField(name)
			}
			return func(v T) []string { return one(f(v)) }, nil
		},
		text: func(v T) (all []string) {
			for _, f := range fields {
				all = append(all, f(v))
			}
			return all
		},
	}
}

// A queryError is what the server says of a search, word for word.
type queryError string

func (e queryError) Error() string { return string(e) }

func noField(name string) error {
	return queryError("Field '" + name + "' not recognized for searching!")
}

// A token is a word, a quoted text or an operator.
type token struct {
	text   string
	quoted bool
}

func lexSearch(q string) []token {
	var list []token
	for i := 0; i < len(q); {
		r, size := utf8.DecodeRuneInString(q[i:])
		switch ch := q[i]; {
		case unicode.IsSpace(r):
			i += size
		case ch == '"':
			text, n := lexQuoted(q[i:])
			list = append(list, token{text, true})
			i += n
		case strings.ContainsRune("(),", rune(ch)):
			list = append(list, token{string(ch), false})
			i++
		case strings.ContainsRune("=!<>~^", rune(ch)):
			n := 1
			if i+1 < len(q) && (q[i+1] == '=' || ch == '!' && strings.ContainsRune("~^", rune(q[i+1])) || ch == '<' && q[i+1] == '>') {
				n = 2
			}
			list = append(list, token{q[i : i+n], false})
			i += n
		default:
			n := strings.IndexFunc(q[i:], func(r rune) bool { return unicode.IsSpace(r) || strings.ContainsRune(`"(),=!<>~^`, r) })
			if n <= 0 {
				n = len(q) - i
			}
			list = append(list, token{q[i : i+n], false})
			i += n
		}
	}
	return list
}

func lexQuoted(q string) (string, int) {
	var b strings.Builder
	for i := 1; i < len(q); i++ {
		switch {
		case q[i] == '\\' && i+1 < len(q):
			i++
			b.WriteByte(q[i])
		case q[i] == '"':
			return b.String(), i + 1
		default:
			b.WriteByte(q[i])
		}
	}
	return b.String(), len(q)
}

type searchParser[T any] struct {
	by    searchable[T]
	words []token
	at    int
	depth int
}

func (p *searchParser[T]) peek() token {
	if p.at < len(p.words) {
		return p.words[p.at]
	}
	return token{}
}

func (p *searchParser[T]) accept(text string) bool {
	if t := p.peek(); !t.quoted && strings.EqualFold(t.text, text) && t.text != "" {
		p.at++
		return true
	}
	return false
}

func (p *searchParser[T]) or() (predicate[T], error) {
	left, err := p.and()
	for err == nil && (p.accept("or") || p.accept("||") || p.accept("|")) {
		var right predicate[T]
		if right, err = p.and(); err == nil {
			l := left
			left = func(v T) bool { return l(v) || right(v) }
		}
	}
	return left, err
}

func (p *searchParser[T]) and() (predicate[T], error) {
	left, err := p.not()
	for err == nil && p.at < len(p.words) {
		p.accept("and")
		if t := p.peek(); !t.quoted && (t.text == ")" || strings.EqualFold(t.text, "or")) {
			break
		}
		var right predicate[T]
		if right, err = p.not(); err == nil {
			l := left
			left = func(v T) bool { return l(v) && right(v) }
		}
	}
	return left, err
}

func (p *searchParser[T]) not() (predicate[T], error) {
	if p.depth++; p.depth > 200 {
		return nil, queryError("search is too deep")
	}
	defer func() { p.depth-- }()
	if p.accept("not") || p.accept("!") {
		inner, err := p.not()
		return func(v T) bool { return !inner(v) }, err
	}
	if p.accept("(") {
		inner, err := p.or()
		if err == nil && !p.accept(")") {
			err = queryError("Expected )")
		}
		return inner, err
	}
	return p.comparison()
}

func (p *searchParser[T]) comparison() (predicate[T], error) {
	if p.at >= len(p.words) {
		return nil, queryError("Unexpected end of search")
	}
	word := p.words[p.at]
	p.at++
	if !word.quoted && (strings.EqualFold(word.text, "has") || strings.EqualFold(word.text, "null?")) {
		get, err := p.by.field(p.peek().text)
		p.at++
		want := strings.EqualFold(word.text, "has")
		return func(v T) bool { vs := get(v); return (len(vs) > 0 && vs[0] != "") == want }, err
	}
	op := p.peek()
	if op.quoted || !strings.ContainsAny(op.text, "=!<>~^") {
		text := strings.ToLower(word.text)
		return func(v T) bool {
			return slices.ContainsFunc(p.by.text(v), func(s string) bool { return strings.Contains(strings.ToLower(s), text) })
		}, nil
	}
	p.at++
	get, err := p.by.field(word.text)
	if err != nil {
		return nil, err
	}
	values := p.values(op.text)
	if len(values) == 0 || p.at > len(p.words) {
		return nil, queryError("Value expected after " + op.text)
	}
	return compare(get, op.text, values)
}

func (p *searchParser[T]) values(op string) []string {
	if op != "^" && op != "!^" {
		v := p.peek()
		p.at++
		return []string{v.text}
	}
	var list []string
	p.accept("(")
	for p.at < len(p.words) && !p.accept(")") {
		if !p.accept(",") {
			list = append(list, p.words[p.at].text)
			p.at++
		}
	}
	return list
}

func compare[T any](get getter[T], op string, values []string) (predicate[T], error) {
	var one func(v, want string) bool
	switch op {
	case "=", "^", "!=", "!^", "<>":
		one = strings.EqualFold
	case "~", "!~":
		one = like
	case "<", "<=", ">", ">=":
		one = func(v, want string) bool {
			a, err1 := strconv.ParseFloat(v, 64)
			b, err2 := strconv.ParseFloat(want, 64)
			if err1 != nil || err2 != nil {
				return false
			}
			return op[0] == '<' && a < b || op[0] == '>' && a > b || len(op) == 2 && a == b
		}
	default:
		return nil, queryError("Unknown operator '" + op + "'")
	}
	some := func(v T) bool {
		return slices.ContainsFunc(get(v), func(is string) bool {
			return slices.ContainsFunc(values, func(want string) bool { return one(is, want) })
		})
	}
	if op[0] == '!' || op == "<>" {
		return func(v T) bool { return !some(v) }, nil
	}
	return some, nil
}

// like is SQL's LIKE as scoped_search uses it: * and % stand for any text,
// and without them the text may be anywhere.
func like(v, want string) bool {
	v, want = strings.ToLower(v), strings.ToLower(want)
	if !strings.ContainsAny(want, "*%") {
		return strings.Contains(v, want)
	}
	ok, _ := path.Match(strings.ReplaceAll(want, "%", "*"), strings.ReplaceAll(v, "/", "\x00"))
	return ok
}
