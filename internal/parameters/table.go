package parameters

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/stdevel/katprep"
	"go.yaml.in/yaml/v3"
)

// A Row is one parameter of one host in a file.
type Row struct {
	Host, Name, Value, From string
	Line                    int // where it was read, for messages
}

// head is the first line of a CSV file; reading needs the first three, in any
// order.
var head = [...]string{"host", "parameter", "value", "from"}

// WriteCSV writes rows for a spreadsheet or for ReadCSV. A text that a
// spreadsheet would take for a formula gets a "'" in front, which ReadCSV
// takes away again.
func WriteCSV(w io.Writer, rows []Row) error {
	c := csv.NewWriter(w)
	if err := c.Write(head[:]); err != nil {
		return err
	}
	for _, r := range rows {
		if err := c.Write([]string{guard(r.Host), guard(r.Name), guard(r.Value), guard(r.From)}); err != nil {
			return err
		}
	}
	c.Flush()
	return c.Error()
}

// ReadCSV reads what WriteCSV wrote, or a person did in the same columns. A
// column "from" and others are not looked at; ";" may separate instead of ",".
func ReadCSV(r io.Reader) ([]Row, error) {
	text, err := readText(r)
	if err != nil {
		return nil, err
	}
	c := csv.NewReader(strings.NewReader(text))
	c.FieldsPerRecord = -1
	if first, _, _ := strings.Cut(text, "\n"); !strings.Contains(first, ",") && strings.Contains(first, ";") {
		c.Comma = ';'
	}
	column, err := columns(c)
	if err != nil {
		return nil, err
	}
	var rows []Row
	for {
		record, err := c.Read()
		if errors.Is(err, io.EOF) {
			return rows, nil
		}
		if err != nil {
			return nil, katprep.Errorf(katprep.Invalid, "%w", err)
		}
		line, _ := c.FieldPos(0)
		if len(record) <= max(column[0], column[1], column[2]) {
			return nil, katprep.Errorf(katprep.Invalid, "line %d has only %d columns", line, len(record))
		}
		rows = append(rows, Row{Host: unguard(record[column[0]]), Name: unguard(record[column[1]]), Value: unguard(record[column[2]]), Line: line})
	}
}

// columns finds host, parameter and value in the first line.
func columns(c *csv.Reader) (at [3]int, err error) {
	first, err := c.Read()
	if err != nil {
		return at, katprep.Errorf(katprep.Invalid, "there is no first line with host, parameter and value")
	}
	for i := range at {
		at[i] = slices.IndexFunc(first, func(s string) bool { return strings.EqualFold(strings.TrimSpace(s), head[i]) })
		if at[i] < 0 {
			return at, katprep.Errorf(katprep.Invalid, "line 1 has no column %q", head[i]).WithHint("the first line names the columns: host,parameter,value")
		}
	}
	return at, nil
}

const maxTable = 64 << 20

func readText(r io.Reader) (string, error) {
	b, err := io.ReadAll(io.LimitReader(r, maxTable+1))
	if err != nil {
		return "", err
	}
	if len(b) > maxTable {
		return "", katprep.Errorf(katprep.Invalid, "more than %d MB", maxTable>>20)
	}
	return strings.TrimPrefix(string(b), "\ufeff"), nil
}

// risky begins texts that a spreadsheet runs, and those that guard changed.
const risky = "=+-@\t\r'"

func guard(s string) string {
	if s != "" && strings.ContainsRune(risky, rune(s[0])) {
		return "'" + s
	}
	return s
}

func unguard(s string) string {
	if len(s) > 1 && s[0] == '\'' && strings.ContainsRune(risky, rune(s[1])) {
		return s[1:]
	}
	return s
}

// WriteYAML writes rows as host: {parameter: value}, for ReadYAML.
func WriteYAML(w io.Writer, rows []Row) error {
	doc := &yaml.Node{Kind: yaml.MappingNode}
	var host *yaml.Node
	last := ""
	for _, r := range rows {
		if host == nil || r.Host != last {
			host, last = &yaml.Node{Kind: yaml.MappingNode}, r.Host
			doc.Content = append(doc.Content, text(r.Host), host)
		}
		host.Content = append(host.Content, text(r.Name), text(r.Value))
	}
	e := yaml.NewEncoder(w)
	e.SetIndent(2)
	return errors.Join(e.Encode(doc), e.Close())
}

func text(s string) *yaml.Node {
	n := &yaml.Node{}
	n.SetString(s)
	n.Tag = "!!str"
	return n
}

// ReadYAML reads host: {parameter: value}. Values are taken as they are
// written: 0, no and true stay what they are.
func ReadYAML(r io.Reader) ([]Row, error) {
	src, err := readText(r)
	if err != nil {
		return nil, err
	}
	var doc yaml.Node
	if err := yaml.Unmarshal([]byte(src), &doc); err != nil {
		return nil, katprep.Errorf(katprep.Invalid, "%w", err)
	}
	if len(doc.Content) == 0 {
		return nil, nil
	}
	var rows []Row
	err = eachPair(doc.Content[0], "hosts", func(host, params *yaml.Node) error {
		return eachPair(params, "parameters of "+host.Value, func(name, value *yaml.Node) error {
			if value.Kind != yaml.ScalarNode || value.Tag == "!!null" {
				return katprep.Errorf(katprep.Invalid, "line %d: the value of %s is not a text", value.Line, name.Value).
					WithHint("katprep parameters remove takes parameters away")
			}
			rows = append(rows, Row{Host: host.Value, Name: name.Value, Value: value.Value, Line: name.Line})
			return nil
		})
	})
	return rows, err
}

func eachPair(n *yaml.Node, what string, f func(key, value *yaml.Node) error) error {
	if n.Kind != yaml.MappingNode {
		return katprep.Errorf(katprep.Invalid, "line %d: %s: not a mapping", n.Line, what)
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Kind != yaml.ScalarNode {
			return katprep.Errorf(katprep.Invalid, "line %d: %s: a name is not a text", n.Content[i].Line, what)
		}
		if err := f(n.Content[i], n.Content[i+1]); err != nil {
			return err
		}
	}
	return nil
}

// FromRows makes wishes of a file's rows, all checked. Hosts returns the
// hosts that are in it, in its order.
func FromRows(rows []Row, foreign bool) (w Wishes, hosts []string, err error) {
	byHost := map[string][]Wish{}
	for _, r := range rows {
		key := strings.ToLower(r.Host)
		wish := Wish{Name: r.Name, Value: r.Value, Mode: Set}
		if err := Check(wish, foreign); err != nil {
			return nil, nil, fmt.Errorf("line %d: %w", r.Line, err)
		}
		if r.Host == "" {
			return nil, nil, katprep.Errorf(katprep.Invalid, "line %d: the host is missing", r.Line)
		}
		if slices.ContainsFunc(byHost[key], func(o Wish) bool { return o.Name == r.Name }) {
			return nil, nil, katprep.Errorf(katprep.Invalid, "line %d: %s of %s is there twice", r.Line, r.Name, r.Host)
		}
		if len(byHost[key]) == 0 {
			hosts = append(hosts, r.Host)
		}
		byHost[key] = append(byHost[key], wish)
	}
	return func(h katprep.State) []Wish { return byHost[strings.ToLower(h.Name)] }, hosts, nil
}
