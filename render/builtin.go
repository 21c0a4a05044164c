package render

import (
	"embed"
	htmltemplate "html/template"
	"io"
	"strings"
	"sync"
	texttemplate "text/template"
)

//go:embed builtin
var files embed.FS

// Style returns the style sheet that all of katprep's pages share.
func Style() string {
	b, err := files.ReadFile("builtin/style.css")
	if err != nil {
		return "" // cannot happen: the file is built in
	}
	return string(b)
}

// The built-in templates are parsed once; a test executes each.
var (
	htmlTemplates = sync.OnceValues(func() (*htmltemplate.Template, error) {
		fm := funcs(HTML)
		fm["style"] = func() htmltemplate.CSS { return htmltemplate.CSS(Style()) }
		fm["styleHash"] = styleHash
		return htmltemplate.New("").Option("missingkey=error").Funcs(fm).ParseFS(files, "builtin/*.html.tmpl")
	})
	mdTemplates = sync.OnceValues(func() (*texttemplate.Template, error) {
		t, err := texttemplate.New("").Option("missingkey=error").Funcs(funcs(Markdown)).Funcs(
			texttemplate.FuncMap{"_step": func() bool { return false }}).ParseFS(files, "builtin/*.md.tmpl")
		if err != nil {
			return nil, err
		}
		for _, d := range t.Templates() {
			harden(d.Tree, true)
		}
		return t, nil
	})
)

func builtin(w io.Writer, kind string, d *Data) error {
	name := "landscape." + kind + ".tmpl"
	if d.Host != nil {
		name = "host." + kind + ".tmpl"
	}
	if kind == "md" {
		t, err := mdTemplates()
		if err != nil {
			return err
		}
		var b strings.Builder
		if err := t.ExecuteTemplate(&b, name, d); err != nil {
			return err
		}
		_, err = io.WriteString(w, squeeze(b.String()))
		return err
	}
	t, err := htmlTemplates()
	if err != nil {
		return err
	}
	return t.ExecuteTemplate(w, name, d)
}

// squeeze leaves one empty line where a template left several.
func squeeze(s string) string {
	for strings.Contains(s, "\n\n\n") {
		s = strings.ReplaceAll(s, "\n\n\n", "\n\n")
	}
	return strings.TrimLeft(s, "\n")
}

// Parts returns a new set of the HTML templates and functions that reports
// are made of, for pages that show the same things.
func Parts() (*htmltemplate.Template, error) {
	fm := funcs(HTML)
	fm["style"] = func() htmltemplate.CSS { return htmltemplate.CSS(Style()) }
	fm["styleHash"] = styleHash
	return htmltemplate.New("").Option("missingkey=error").Funcs(fm).ParseFS(files, "builtin/parts.html.tmpl")
}
