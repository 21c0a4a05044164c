package inventory

import (
	"errors"
	"fmt"
	"maps"
	"strconv"
	"strings"
)

// ini reads Ansible's INI form.
func (t *tree) ini(text string) error {
	section, kind := "ungrouped", ""
	n := 0
	for line := range strings.Lines(text) {
		n++
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' || line[0] == ';' {
			continue
		}
		if line[0] == '[' {
			if name, k, ok := header(line); ok {
				section, kind = name, k
				t.groupNamed(section)
				continue
			}
		}
		if err := t.iniLine(section, kind, line); err != nil {
			return fmt.Errorf("line %d: %w", n, err)
		}
	}
	return nil
}

// header reads "[group]" or "[group:kind]"; a host pattern may begin with a
// bracket too.
func header(line string) (name, kind string, ok bool) {
	inside, rest, closed := strings.Cut(line[1:], "]")
	if rest = strings.TrimSpace(rest); !closed || rest != "" && rest[0] != '#' && rest[0] != ';' {
		return "", "", false
	}
	name, kind, _ = strings.Cut(inside, ":")
	name = strings.TrimSpace(name)
	switch kind {
	case "", "children", "vars":
		return name, kind, name != ""
	}
	return "", "", false
}

func (t *tree) iniLine(section, kind, line string) error {
	switch kind {
	case "vars":
		k, v, ok := strings.Cut(line, "=")
		if !ok {
			return fmt.Errorf("%.60q is no variable", line)
		}
		t.groupNamed(section).vars[strings.TrimSpace(k)] = unquote(strings.TrimSpace(v))
		return nil
	case "children":
		name, _, _ := strings.Cut(line, "#")
		name = strings.TrimSpace(name)
		if strings.ContainsAny(name, " \t") {
			return fmt.Errorf("%.60q is no group", name)
		}
		t.groupNamed(name)
		t.groupNamed(section).children[name] = true
		return nil
	}
	words, err := fields(line)
	if err != nil {
		return err
	}
	v := vars{}
	for _, w := range words[1:] {
		k, value, ok := strings.Cut(w, "=")
		if !ok {
			return fmt.Errorf("%.60q is no variable", w)
		}
		v[k] = value
	}
	pattern, port := splitPort(words[0])
	if port != "" {
		own := vars{"ansible_port": port}
		maps.Copy(own, v)
		v = own
	}
	return t.add(section, pattern, v)
}

// splitPort splits "host:2222" but no range and no IPv6 address.
func splitPort(s string) (host, port string) {
	if strings.HasPrefix(s, "[") && strings.Contains(s, "]") && strings.Count(s, ":") > 2 {
		host, port, _ = strings.Cut(s[1:], "]")
		return host, strings.TrimPrefix(port, ":")
	}
	i := strings.LastIndexByte(s, ':')
	if i < 0 || strings.LastIndexByte(s, ']') > i || strings.Count(s[strings.LastIndexByte(s, ']')+1:], ":") > 1 {
		return s, ""
	}
	return s[:i], s[i+1:]
}

func unquote(s string) string {
	if len(s) >= 2 && (s[0] == '"' || s[0] == '\'') && s[len(s)-1] == s[0] {
		return s[1 : len(s)-1]
	}
	return s
}

// fields splits a line as a shell would: quotes, backslashes, and a comment
// after " #".
func fields(line string) ([]string, error) {
	var words []string
	var w strings.Builder
	quote, inWord := byte(0), false
	for i := 0; i < len(line); i++ {
		c := line[i]
		switch {
		case quote != 0 && c == quote:
			quote = 0
		case c == '\\' && quote != '\'' && i+1 < len(line):
			i++
			w.WriteByte(line[i])
			inWord = true
		case quote != 0:
			w.WriteByte(c)
		case c == '"' || c == '\'':
			quote, inWord = c, true
		case c == ' ' || c == '\t':
			if inWord {
				words = append(words, w.String())
				w.Reset()
			}
			inWord = false
		case c == '#' && !inWord:
			return words, emptyLine(words)
		default:
			w.WriteByte(c)
			inWord = true
		}
	}
	if quote != 0 {
		return nil, errors.New("a quote is not closed")
	}
	if inWord {
		words = append(words, w.String())
	}
	return words, nil
}

func emptyLine(words []string) error {
	if len(words) == 0 {
		return errors.New("there is no host before the comment")
	}
	return nil
}

// expand gives the names that a pattern with ranges stands for:
// "web[01:20].example.com", "db-[a:f]".
func expand(pattern string) ([]string, error) {
	before, rest, ok := strings.Cut(pattern, "[")
	if !ok {
		return []string{pattern}, nil
	}
	inside, after, ok := strings.Cut(rest, "]")
	if !ok {
		return nil, fmt.Errorf("%.60q: a bracket is not closed", pattern)
	}
	middle, err := span(inside)
	if err != nil {
		return nil, fmt.Errorf("%.60q: %w", pattern, err)
	}
	ends, err := expand(after)
	if err != nil {
		return nil, err
	}
	if len(middle)*len(ends) > MaxHosts {
		return nil, fmt.Errorf("%.60q: more than %d hosts", pattern, MaxHosts)
	}
	var names []string
	for _, m := range middle {
		for _, e := range ends {
			names = append(names, before+m+e)
		}
	}
	return names, nil
}

// span expands "01:20", "1:10:2" and "a:f".
func span(s string) ([]string, error) {
	parts := strings.Split(s, ":")
	if len(parts) < 2 || len(parts) > 3 {
		return nil, fmt.Errorf("[%.40s] is no range", s)
	}
	step := 1
	if len(parts) == 3 {
		n, err := strconv.Atoi(parts[2])
		if err != nil || n < 1 {
			return nil, fmt.Errorf("[%.40s]: the step is no positive number", s)
		}
		step = n
	}
	if parts[0] == "" {
		parts[0] = "0"
	}
	from, errA := strconv.Atoi(parts[0])
	to, errB := strconv.Atoi(parts[1])
	switch {
	case errA == nil && errB == nil && from >= 0 && to >= from && (to-from)/step < MaxHosts:
		width := 0
		if parts[0][0] == '0' && len(parts[0]) > 1 {
			width = len(parts[0])
		}
		return numbers(from, to, step, width), nil
	case len(parts[0]) == 1 && len(parts[1]) == 1 && errA != nil && parts[0] <= parts[1]:
		var names []string
		for c := int(parts[0][0]); c <= int(parts[1][0]); c += step {
			names = append(names, string(rune(c)))
		}
		return names, nil
	}
	return nil, fmt.Errorf("[%.40s] is no range", s)
}

func numbers(from, to, step, width int) []string {
	if width > 20 {
		width = 20
	}
	var names []string
	for n := from; n <= to; n += step {
		names = append(names, fmt.Sprintf("%0*d", width, n))
	}
	return names
}
