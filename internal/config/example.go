package config

import (
	_ "embed"
	"strings"

	"go.yaml.in/yaml/v3"
)

//go:embed example.yml
var example string

// Example returns a complete commented configuration with the given path of
// the archive. Taking the '#' off a key turns it on.
func Example(archivePath string) string {
	quoted, err := yaml.Marshal(archivePath)
	if err != nil {
		return example
	}
	return strings.Replace(example, "{{archive}}", strings.TrimSpace(string(quoted)), 1)
}
