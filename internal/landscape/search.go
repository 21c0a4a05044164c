package landscape

import (
	"errors"
	"fmt"
	"path"
	"strconv"
	"strings"
	"unicode"
)

// A predicate says whether a host is found.
type predicate func(h *host) bool

// searchHosts filters hosts with the subset of scoped_search that makes
// sense here: comparisons, lists, and, or, not, parentheses, bare words.
func (s *Server) searchHosts(c *call, hosts []*host, query string) ([]*host, error) {
	if strings.TrimSpace(query) == "" {
		return hosts, nil
	}
	p := &searchParser{s: s, c: c, words: lexSearch(query)}
	match, err := p.or()
	if err != nil {
		return nil, err
	}
	if p.at < len(p.words) {
		return nil, errors.New("Unexpected " + p.words[p.at].text)
	}
	var found []*host
	for _, h := range hosts {
		if match(h) {
			found = append(found, h)
		}
	}
	return found, nil
}

// A token is a word, a quoted text or an operator.
type token struct {
	text   string
	quoted bool
}

func lexSearch(q string) []token {
	var list []token
	for i := 0; i < len(q); {
		switch ch := q[i]; {
		case ch == ' ' || ch == '\t' || ch == '\n':
			i++
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
			if n < 0 {
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

type searchParser struct {
	s     *Server
	c     *call
	words []token
	at    int
	depth int
}

func (p *searchParser) peek() token {
	if p.at < len(p.words) {
		return p.words[p.at]
	}
	return token{}
}

func (p *searchParser) accept(text string) bool {
	if t := p.peek(); !t.quoted && strings.EqualFold(t.text, text) && t.text != "" {
		p.at++
		return true
	}
	return false
}

func (p *searchParser) or() (predicate, error) {
	left, err := p.and()
	for err == nil && (p.accept("or") || p.accept("||") || p.accept("|")) {
		var right predicate
		if right, err = p.and(); err == nil {
			l := left
			left = func(h *host) bool { return l(h) || right(h) }
		}
	}
	return left, err
}

func (p *searchParser) and() (predicate, error) {
	left, err := p.not()
	for err == nil && p.at < len(p.words) {
		p.accept("and")
		if t := p.peek(); !t.quoted && (t.text == ")" || strings.EqualFold(t.text, "or")) {
			break
		}
		var right predicate
		if right, err = p.not(); err == nil {
			l := left
			left = func(h *host) bool { return l(h) && right(h) }
		}
	}
	return left, err
}

func (p *searchParser) not() (predicate, error) {
	if p.depth++; p.depth > 200 {
		return nil, errors.New("search is too deep")
	}
	defer func() { p.depth-- }()
	if p.accept("not") || p.accept("!") {
		inner, err := p.not()
		return func(h *host) bool { return !inner(h) }, err
	}
	if p.accept("(") {
		inner, err := p.or()
		if err == nil && !p.accept(")") {
			err = errors.New("Expected )")
		}
		return inner, err
	}
	return p.comparison()
}

func (p *searchParser) comparison() (predicate, error) {
	if p.at >= len(p.words) {
		return nil, errors.New("Unexpected end of search")
	}
	word := p.words[p.at]
	p.at++
	if !word.quoted && (strings.EqualFold(word.text, "has") || strings.EqualFold(word.text, "null?")) {
		get, err := p.s.field(p.c, p.peek().text)
		p.at++
		want := strings.EqualFold(word.text, "has")
		return func(h *host) bool { v := get(h); return (len(v) > 0 && v[0] != "") == want }, err
	}
	op := p.peek()
	if op.quoted || !strings.ContainsAny(op.text, "=!<>~^") {
		text := strings.ToLower(word.text)
		return func(h *host) bool {
			return strings.Contains(strings.ToLower(h.name), text) || strings.Contains(strings.ToLower(h.comment), text)
		}, nil
	}
	p.at++
	get, err := p.s.field(p.c, word.text)
	if err != nil {
		return nil, err
	}
	values := p.values(op.text)
	if len(values) == 0 {
		return nil, errors.New("Value expected after " + op.text)
	}
	return compare(get, op.text, values)
}

func (p *searchParser) values(op string) []string {
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

func compare(get func(*host) []string, op string, values []string) (predicate, error) {
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
		return nil, fmt.Errorf("Unknown operator '%s'", op)
	}
	any := func(h *host) bool {
		for _, v := range get(h) {
			for _, want := range values {
				if one(v, want) {
					return true
				}
			}
		}
		return false
	}
	if op[0] == '!' || op == "<>" {
		return func(h *host) bool { return !any(h) }, nil
	}
	return any, nil
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
