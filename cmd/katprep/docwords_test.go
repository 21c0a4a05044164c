package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stdevel/katprep/internal/config"
)

// documents are all texts for users, by their names.
func documents(t *testing.T) map[string]string {
	t.Helper()
	texts := map[string]string{}
	for _, pattern := range []string{"../../docs/*.md", "../../README.md", "../../packaging/ci/*.yml"} {
		files, err := filepath.Glob(pattern)
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: %d files, %v", pattern, len(files), err)
		}
		for _, f := range files {
			b, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			texts[filepath.Base(f)] = string(b)
		}
	}
	for name, p := range allPages(t) {
		texts[name+" (page)"] = string(p.Markdown)
	}
	return texts
}

// TestDocumentedConfigurations reads each block of YAML as a configuration.
func TestDocumentedConfigurations(t *testing.T) {
	n := 0
	for name, text := range documents(t) {
		for _, m := range regexp.MustCompile("(?ms)^```yaml\n(.*?)^```").FindAllStringSubmatch(text, -1) {
			n++
			if _, err := config.Parse(name, []byte(m[1])); err != nil {
				t.Errorf("%v\n%s", err, m[1])
			}
		}
	}
	if n < 10 {
		t.Errorf("only %d configurations", n)
	}
}

// TestDocumentedOptionsAreReal looks up the commands and options in the lines
// of code and in the sentences that begin with "katprep", also where nothing can
// run them in a test.
func TestDocumentedOptionsAreReal(t *testing.T) {
	model := grammar(t)
	call := regexp.MustCompile("(?:^|[\\s`(|&;])\\$? ?(?:\\./)?katprep( [a-z-][^`|&;<>\n]*)")
	option := regexp.MustCompile(`\s(--[a-z][a-z-]*)`)
	n := 0
	for name, text := range documents(t) {
		for line := range strings.Lines(text) {
			if strings.HasPrefix(strings.TrimSpace(line), "old ") || strings.Contains(line, "katprep (") {
				continue // of katprep 0.x, or what it prints
			}
			for _, m := range call.FindAllStringSubmatch(strings.ReplaceAll(line, "**", ""), -1) {
				words, _, _ := strings.Cut(m[1], " -- ")
				l := readLine(model, strings.Fields(words))
				if l.node == model.Node {
					continue // a sentence about katprep
				}
				known := map[string]bool{"--help": true}
				for _, f := range l.flags {
					known["--"+f.Name] = true
				}
				for _, o := range option.FindAllStringSubmatch(words, -1) {
					if n++; !known[o[1]] {
						t.Errorf("%s: %s has no option %s: %s", name, l.node.FullPath(), o[1], strings.TrimSpace(line))
					}
				}
			}
		}
	}
	if n < 80 {
		t.Errorf("only %d options were looked at", n)
	}
}
