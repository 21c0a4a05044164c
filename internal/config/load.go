package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/stdevel/katprep"
	"go.yaml.in/yaml/v3"
)

// Load reads and checks a configuration file. Its errors are of kind
// katprep.Invalid and name the file and the line.
func Load(path string) (*Config, error) {
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, katprep.Errorf(katprep.Invalid, "configuration %s does not exist", path).WithHint("katprep init writes a commented one")
	}
	if err != nil {
		return nil, unreadable(path, err)
	}
	return Parse(path, data)
}

// unreadable says why a file that is there cannot be read, and what helps.
func unreadable(path string, err error) error {
	if info, serr := os.Stat(path); serr == nil && info.IsDir() {
		return katprep.Errorf(katprep.Invalid, "configuration %s is a directory", path).
			WithHint("name the file in it: --config %s", filepath.Join(path, "katprep.yml"))
	}
	if errors.Is(err, fs.ErrPermission) {
		return katprep.Errorf(katprep.Invalid, "configuration %s: permission denied", path).
			WithHint("the user that runs katprep must be allowed to read it; see: ls -ld %s", path)
	}
	return katprep.Errorf(katprep.Invalid, "read configuration: %w", err)
}

// Parse reads and checks a configuration; name is for messages.
func Parse(name string, data []byte) (*Config, error) {
	var c Config
	dec := yaml.NewDecoder(bytes.NewReader(data))
	dec.KnownFields(true)
	if err := dec.Decode(&c); err != nil && !errors.Is(err, io.EOF) {
		return nil, badFile(name, yamlProblems(err))
	}
	if err := dec.Decode(new(any)); err == nil {
		return nil, badFile(name, []string{"more than one YAML document"})
	}
	var root yaml.Node
	if err := yaml.Unmarshal(data, &root); err != nil {
		return nil, badFile(name, yamlProblems(err))
	}
	if problems := c.check(&root); len(problems) > 0 {
		return nil, badFile(name, problems)
	}
	return &c, nil
}

func badFile(name string, problems []string) error {
	return katprep.Errorf(katprep.Invalid, "configuration %s: %s", name, strings.Join(problems, "; ")).
		WithHint("every key is explained in: katprep man katprep.yml")
}

var goType = regexp.MustCompile(` in type [\w.]+`)

// yamlProblems turns the library's errors into words for people.
func yamlProblems(err error) []string {
	var te *yaml.TypeError
	if !errors.As(err, &te) {
		return []string{strings.TrimPrefix(err.Error(), "yaml: ")}
	}
	problems := make([]string, len(te.Errors))
	for i, e := range te.Errors {
		e = goType.ReplaceAllString(e, "")
		if line, rest, ok := strings.Cut(e, ": field "); ok {
			if field, ok := strings.CutSuffix(rest, " not found"); ok {
				e = fmt.Sprintf("%s: unknown key %q", line, field)
			}
		}
		problems[i] = e
	}
	return problems
}

// lineOf finds the line of a value by its path of keys and indexes, or of the
// nearest parent that is there.
func lineOf(n *yaml.Node, path ...any) int {
	for n.Kind == yaml.DocumentNode && len(n.Content) > 0 {
		n = n.Content[0]
	}
	line := n.Line
	for _, p := range path {
		next := child(n, p)
		if next == nil {
			break
		}
		n, line = next, next.Line
	}
	return line
}

func child(n *yaml.Node, p any) *yaml.Node {
	switch p := p.(type) {
	case int:
		if n.Kind == yaml.SequenceNode && p < len(n.Content) {
			return n.Content[p]
		}
	case string:
		for i := 0; n.Kind == yaml.MappingNode && i+1 < len(n.Content); i += 2 {
			if n.Content[i].Value == p {
				return n.Content[i+1]
			}
		}
	}
	return nil
}
