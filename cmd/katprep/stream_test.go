package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestEveryTypeOfTheStreamIsDocumented compares the calls of emit in the
// sources with the table in docs/cli.md, both ways.
func TestEveryTypeOfTheStreamIsDocumented(t *testing.T) {
	doc, err := os.ReadFile("../../docs/cli.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(doc), "## The JSON stream")
	documented := map[string]bool{}
	for _, row := range regexp.MustCompile("(?m)^\\| (`[^|]*`) \\|").FindAllStringSubmatch(table, -1) {
		for _, typ := range regexp.MustCompile("`([a-z]+)`").FindAllStringSubmatch(row[1], -1) {
			documented[typ[1]] = true
		}
	}
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	emitted := map[string]bool{}
	for _, f := range files {
		src, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(f, "_test.go") {
			continue
		}
		for _, call := range regexp.MustCompile(`\.emit\(("?)([^",]*)`).FindAllStringSubmatch(string(src), -1) {
			if call[1] == "" {
				t.Errorf("%s: emit(%s …): a type that is no literal cannot be checked", f, call[2])
			}
			emitted[call[2]] = true
		}
	}
	if len(emitted) < 20 {
		t.Errorf("only %d types were found", len(emitted))
	}
	for typ := range emitted {
		if !documented[typ] {
			t.Errorf("docs/cli.md does not document the type %q", typ)
		}
	}
	for typ := range documented {
		if !emitted[typ] {
			t.Errorf("docs/cli.md documents the type %q, which nothing writes", typ)
		}
	}
}
