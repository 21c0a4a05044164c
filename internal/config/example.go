package config

import (
	_ "embed"
	"strings"

	"go.yaml.in/yaml/v3"
)

//go:embed example.yml
var example string

// Example returns a complete commented configuration with the given path of
// the archive, and the host name of the Foreman that is known, if any. Taking
// the '#' off a key turns it on.
func Example(archivePath, foreman string) string {
	quoted, err := yaml.Marshal(archivePath)
	if err != nil {
		return example
	}
	text := example
	if foreman != "" {
		text = strings.ReplaceAll(text, "https://satellite.example.com", "https://"+foreman)
	}
	return strings.Replace(text, "{{archive}}", strings.TrimSpace(string(quoted)), 1)
}
