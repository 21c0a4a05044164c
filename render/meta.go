package render

import (
	"bytes"
	"errors"
	"io"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/stdevel/katprep"
)

// LoadMeta reads a YAML file of the user's own words: one mapping of names to
// plain values, which templates see as .Meta. Lists, nested mappings, names
// given twice and a second document are errors with their line.
func LoadMeta(path string) (map[string]string, error) {
	b, err := readBounded(path)
	if err != nil {
		return nil, err
	}
	return parseMeta(path, b, 0)
}

// frontMatter cuts a leading "---" block off a template and keeps the line
// numbers of the rest.
func frontMatter(path, text string) (map[string]string, string, error) {
	rest, ok := strings.CutPrefix(text, "---\n")
	if !ok {
		return map[string]string{}, text, nil
	}
	block, body, ok := strings.Cut("\n"+rest, "\n---\n")
	if !ok {
		return nil, "", katprep.Errorf(katprep.Invalid, "template %s: line 1: the front matter has no end", path).
			WithHint("end it with a line of three dashes")
	}
	meta, err := parseMeta(path, []byte(strings.TrimPrefix(block, "\n")), 1)
	if err != nil {
		return nil, "", err
	}
	return meta, "{{/*" + strings.Repeat("\n", strings.Count(block, "\n")+2) + "*/}}" + body, nil
}

func parseMeta(path string, b []byte, skipped int) (map[string]string, error) {
	d := yaml.NewDecoder(bytes.NewReader(b))
	var doc yaml.Node
	if err := d.Decode(&doc); errors.Is(err, io.EOF) {
		return map[string]string{}, nil
	} else if err != nil {
		return nil, katprep.Errorf(katprep.Invalid, "metadata %s: %w", path, err)
	}
	bad := func(n *yaml.Node, format string, args ...any) error {
		return katprep.Errorf(katprep.Invalid, "metadata %s: line %d: "+format, append([]any{path, n.Line + skipped}, args...)...)
	}
	root := doc.Content[0]
	if root.Kind == yaml.ScalarNode && root.Tag == "!!null" {
		return map[string]string{}, nil
	}
	if root.Kind != yaml.MappingNode {
		return nil, bad(root, "not a mapping of names to values")
	}
	meta := map[string]string{}
	for i := 0; i+1 < len(root.Content); i += 2 {
		k, v := root.Content[i], root.Content[i+1]
		if k.Kind != yaml.ScalarNode || v.Kind != yaml.ScalarNode {
			return nil, bad(v, "%q is not a plain value", k.Value)
		}
		if _, twice := meta[k.Value]; twice {
			return nil, bad(k, "%q is given twice", k.Value)
		}
		meta[k.Value] = v.Value
	}
	var more yaml.Node
	if err := d.Decode(&more); !errors.Is(err, io.EOF) {
		return nil, bad(&more, "more than one document")
	}
	return meta, nil
}
