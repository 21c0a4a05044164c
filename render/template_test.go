package render

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stdevel/katprep"
)

func load(t *testing.T, name, text string) *Template {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	tm, err := LoadTemplate(path)
	if err != nil {
		t.Fatal(err)
	}
	return tm
}

func TestTemplate(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"a.md.tmpl":   {"---\nteam: Unix\nnote: a|b\n---\n{{.Title}} {{.Meta.team}} {{.Meta.note}} {{range .Hosts}}{{.Name}};{{end}}", `<x> Unix a\|b web\|1;`},
		"a.html.tmpl": {"<p title=\"{{.Title}}\">{{range .Hosts}}{{.Name}}{{end}}</p>", `<p title="&lt;x&gt;">web|1</p>`},
		"a.txt":       {"{{.Title}} {{range .Hosts}}{{.Name}}{{end}}", `<x> web|1`},
		"b.md":        {"{{with $h := index .Hosts 0}}{{$h.Name}}{{end}}{{raw \"**x**\"}}{{$a := .Title}}{{$a}}", `web\|1**x**\<x\>`},
	} {
		t.Run(name, func(t *testing.T) {
			r := &katprep.Report{Title: "<x>", Hosts: []katprep.HostChange{{Host: katprep.Host{Name: "web|1"}}}}
			want := c.want
			if name == "a.md.tmpl" {
				want = strings.ReplaceAll(want, "<x>", `\<x\>`)
			}
			if got := landscape(t, "", r, Options{Template: load(t, name, c.text)}); got != want {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
}

func TestTemplateErrors(t *testing.T) {
	for name, c := range map[string]struct {
		file, text string
		want       []string
	}{
		"syntax":         {"a.md", "one\ntwo {{if}}\n", []string{"a.md", "line 2"}},
		"function":       {"a.md", "one\n\n{{readFile \"/etc/passwd\"}}", []string{"a.md", "line 3", "readFile"}},
		"exec":           {"a.md", "{{exec \"id\"}}", []string{"line 1", "exec"}},
		"env":            {"a.html", "{{env \"HOME\"}}", []string{"line 1", "env"}},
		"yaml nested":    {"a.md", "---\na: 1\nb: {c: 1}\n---\n", []string{"line 3", `"b"`}},
		"yaml list":      {"a.md", "---\n- a\n---\n", []string{"line 2", "mapping"}},
		"yaml twice":     {"a.md", "---\na: 1\na: 2\n---\n", []string{"a.md", "line"}},
		"yaml unclosed":  {"a.md", "---\na: 1\n", []string{"front matter"}},
		"html unclosed":  {"b.html", "<p>\n{{define \"x\"}}{{end}}{{template \"y\"}}", []string{"b.html"}},
		"field":          {"a.md", "---\na: 1\n---\nx\n{{range .Hosts}}\n{{.Nmae}}{{end}}", []string{"a.md", "line 6", "Nmae"}},
		"field in html":  {"a.html", "x\n{{.Titel}}", []string{"a.html", "line 2", "Titel"}},
		"metadata":       {"a.md", "{{.Meta.team}}", []string{"line 1", "team"}},
		"html in script": {"a.html", "<script>\nvar x = `{{.Title}}`{{.Nope}}</script>", []string{"a.html"}},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), c.file)
			if err := os.WriteFile(path, []byte(c.text), 0o600); err != nil {
				t.Fatal(err)
			}
			tm, err := LoadTemplate(path)
			if err == nil {
				err = Landscape(new(strings.Builder), Markdown, sample(), Options{Template: tm})
			}
			if err == nil {
				t.Fatal("no error")
			}
			if katprep.KindOf(err) != katprep.Invalid {
				t.Errorf("kind of %v", err)
			}
			for _, w := range c.want {
				if !strings.Contains(err.Error(), w) {
					t.Errorf("%q does not name %q", err, w)
				}
			}
		})
	}
}

// TestTemplateIsBounded runs templates that would never end, or fill memory.
func TestTemplateIsBounded(t *testing.T) {
	for name, text := range map[string]string{
		"output":    "{{range 1000000000}}xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx{{end}}",
		"silence":   "{{range 1000000000000}}{{end}}",
		"recursion": "{{define \"a\"}}{{template \"a\" .}}{{end}}{{template \"a\" .}}",
		"branches":  "{{define \"a\"}}{{range 1000}}{{range 1000}}{{range 1000}}{{end}}{{end}}{{end}}{{end}}{{template \"a\" .}}",
		"doubling":  "{{$s := \"xxxxxxxxxxxxxxxx\"}}{{range 64}}{{$s = print $s $s}}{{end}}",
		"escaping":  `{{$s := "\\\\"}}{{range 64}}{{$s = js $s}}{{end}}`,
		"width":     `{{$s := "x"}}{{range 64}}{{$s = printf "%s%s%s" $s $s $s}}{{end}}`,
		"join":      `{{range $h := .Hosts}}{{$s := "x"}}{{range 64}}{{$s = urlquery $s "%%%%%%" $s}}{{end}}{{end}}`,
	} {
		for _, file := range []string{"a.md", "a.txt", "a.html"} {
			if strings.HasSuffix(file, "html") && strings.Contains(text, "js ") {
				continue // html/template forbids it
			}
			t.Run(name+" "+file, func(t *testing.T) {
				tm, err := ParseTemplate(file, text)
				if err != nil {
					t.Fatal(err)
				}
				tm.max = 100_000
				if err := Landscape(new(strings.Builder), Markdown, sample(), Options{Template: tm, MaxBytes: 1 << 20}); err == nil {
					t.Fatal("it ended without an error")
				}
			})
		}
	}
}

func TestLoadMeta(t *testing.T) {
	path := filepath.Join(t.TempDir(), "meta.yml")
	for text, want := range map[string]map[string]string{
		"":                          {},
		"# only a comment\n":        {},
		"a: 1\nb: two\nc: \"x: y\"": {"a": "1", "b": "two", "c": "x: y"},
	} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := LoadMeta(path)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Error(d)
		}
	}
	if _, err := LoadMeta(filepath.Join(t.TempDir(), "none")); katprep.KindOf(err) != katprep.NotFound {
		t.Errorf("a missing file: %v", err)
	}
}
