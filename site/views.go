package site

import (
	"fmt"
	"html/template"
	"io"
	"strings"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/render"
)

// views are the parsed templates.
type views struct{ t *template.Template }

func newViews() (*views, error) {
	t, err := render.Parts()
	if err != nil {
		return nil, err
	}
	t = t.Funcs(template.FuncMap{
		"root":    func(b base, href string) string { return b.Root + href },
		"erratum": func(id string) string { return "errata/" + idSlug(id) + ".html" },
		"cve":     func(id string) string { return "cves/" + idSlug(id) + ".html" },
		"web":     web,
		"counts":  func(n [len(katprep.Endings)]int) []render.Count { return countArray(n) },
		"days":    days,
		"dict":    dict,
	})
	if t, err = t.ParseFS(files, "templates/*.tmpl"); err != nil {
		return nil, err
	}
	return &views{t}, nil
}

// dict makes the data of a shared part of names and values.
func dict(pairs ...any) (map[string]any, error) {
	if len(pairs)%2 != 0 {
		return nil, fmt.Errorf("dict: a name without a value")
	}
	m := make(map[string]any, len(pairs)/2)
	for i := 0; i < len(pairs); i += 2 {
		m[fmt.Sprint(pairs[i])] = pairs[i+1]
	}
	return m, nil
}

func (v *views) execute(w io.Writer, view string, data any) error {
	return v.t.ExecuteTemplate(w, view, data)
}

// web returns an address only if it is one that a browser may be sent to.
func web(s string) string {
	if strings.HasPrefix(s, "https://") || strings.HasPrefix(s, "http://") {
		return s
	}
	return ""
}

func countArray(n [len(katprep.Endings)]int) []render.Count {
	var out []render.Count
	for i, c := range n {
		if c > 0 {
			out = append(out, render.Count{Ending: katprep.Endings[i], N: c})
		}
	}
	return out
}

func days(n int) string {
	switch {
	case n < 0:
		return "–"
	case n == 1:
		return "1 day"
	}
	return itoa(n) + " days"
}

// Accessors for the templates, which cannot see unexported fields.

// Dir is the folder of the pair's pages.
func (p *pair) Dir() string { return p.dir }

// Title is the pair's name.
func (p *pair) Title() string { return p.title() }

// Totals sums the pair up.
func (p *pair) Totals() totals { return p.totals }

// Complete reports whether there are two snapshots.
func (p *pair) Complete() bool { return p.complete() }

// Slug is the host's folder.
func (h *host) Slug() string { return h.slug }

// Latest reports whether the host is in the newest snapshot.
func (h *host) Latest() bool { return h.latest }

// Status is how much of the host the newest snapshot holds.
func (h *host) Status() katprep.Status { return h.status }

// Open is the number of installable errata.
func (h *host) Open() int { return int(h.open) }

// Changes is the number of pairs in which the host changed.
func (h *host) Changes() int { return len(h.events) }

// Key is the last part of the pair's path.
func (p *pair) Key() string { return p.key() }
