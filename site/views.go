package site

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"html/template"
	"io/fs"
	"strings"
	"sync"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/render"
)

// pagesFormat is part of what an earlier build is recognised by. It grows
// when code changes what pages look like; templates are recognised by
// themselves.
const pagesFormat = "6"

// views are the parsed templates.
type views struct {
	t      *template.Template
	hash   string   // of everything that pages are made of
	frames sync.Map // beginnings and ends of pages, made once
}

func newViews() (*views, error) {
	t, err := render.Parts()
	if err != nil {
		return nil, err
	}
	t = t.Funcs(template.FuncMap{
		"line":         shownLine,
		"changeErrata": changeErrata, "changePackages": changePackages, "pairRows": pairRows, "gapRows": gapRows,
		"advisoryRows": advisoryRows, "eventRows": eventRows, "hostRows": hostRows, "erratumHosts": erratumHosts,
		"erratumRows": erratumList, "openRows": openRows, "findingRows": findingRows, "packageLines": packageLines, "packageMoves": packageMoves, "packageHref": func(name string) string { return "packages/" + idSlug(name) + ".html" }, "cveLinks": cveLinks, "counts": countsHTML,
		"erratumHref": func(id string) string { return "errata/" + idSlug(id) + ".html" },
		"cve":         func(id string) string { return "cves/" + idSlug(id) + ".html" },
		"web":         web, "dict": dict, "n": plural, "selection": selectionText, "selected": selected,
	})
	if t, err = t.ParseFS(files, "templates/*.tmpl"); err != nil {
		return nil, err
	}
	sum := sha256.New()
	sum.Write([]byte(pagesFormat + render.Style()))
	err = fs.WalkDir(files, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := files.ReadFile(path)
		sum.Write(append([]byte(path), b...))
		return err
	})
	return &views{t: t, hash: hex.EncodeToString(sum.Sum(nil))}, err
}

func (v *views) execute(w *bytes.Buffer, view string, data any) error {
	return v.t.ExecuteTemplate(w, view, data)
}

// titleMark stands for the title while a frame is made.
const titleMark = "katprep-title-goes-here"

// Top begins the page: it differs from others in its title only, and where it
// is, so that it is made once for each folder depth and section.
func (b base) Top() (template.HTML, error) {
	title := b.Title
	if title != b.Site {
		title += " · " + b.Site
	}
	b.Title = titleMark
	frame, err := b.frame("top")
	if err != nil {
		return "", err
	}
	before, after, _ := strings.Cut(frame, titleMark)
	return template.HTML(before + string(render.AppendText(nil, title)) + after), nil
}

// Bottom ends the page.
func (b base) Bottom() (template.HTML, error) {
	b.Title, b.Root, b.Section = "", "", ""
	frame, err := b.frame("bottom")
	return template.HTML(frame), err
}

// frame makes a part that depends on the base alone, or remembers it.
func (b base) frame(view string) (string, error) {
	type place struct {
		view string
		base base
	}
	if f, ok := b.views.frames.Load(place{view, b}); ok {
		return f.(string), nil
	}
	var buf bytes.Buffer
	if err := b.views.execute(&buf, view, b); err != nil {
		return "", err
	}
	b.views.frames.Store(place{view, b}, buf.String())
	return buf.String(), nil
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

// plural writes "1 host is" or "3 hosts are".
func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return itoa(n) + " " + many
}

// web returns an address only if it is one that a browser may be sent to.
func web(s string) string {
	if strings.HasPrefix(s, "https://") || strings.HasPrefix(s, "http://") {
		return s
	}
	return ""
}

func countsHTML(n [len(katprep.Endings)]int) template.HTML {
	var c [len(katprep.Endings)]int32
	for i := range n {
		c[i] = int32(n[i])
	}
	return (&markup{}).counts(c).html()
}

func cveLinks(root string, ids []string) template.HTML {
	return (&markup{root: root}).cves(ids).html()
}

// findingRows writes what is overdue, or pending again.
func findingRows(root string, rows []finding) template.HTML {
	m := &markup{root: root}
	for i := range rows {
		f := &rows[i]
		m.lit(`<tr><th scope="row">`).link(f.Host.path(), "", f.Host.Name).lit(`</th><td>`).link("errata/"+idSlug(f.Erratum.ID)+".html", "id", f.Erratum.ID)
		m.lit(`<span class="sub">`).text(f.Erratum.Title).lit(`</span></td>`).severity(f.Erratum.Severity, f.Erratum.Type).lit(`<td>`).or(f.Host.crit).lit(`</td><td>`).or(f.Host.group).lit(`</td><td class="t">`).or(string(f.Erratum.Issued)).lit(`</td>`).number(f.Days).deadline(f.Deadline).lit("</tr>\n")
	}
	return m.html()
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

// Tag is the tag of a run's snapshot of a phase.
func (p *pair) Tag(ph string) string { return "run/" + string(p.Run) + "/" + ph }

// Open is the number of installable errata.
func (h *host) Open() int { return int(h.open) }

// UpdatesText is the number of pending package updates, or that nobody knows.
func (h *host) UpdatesText() string {
	if !h.updatesKnown {
		return "package updates are not known"
	}
	return plural(int(h.updates), "package update is pending", "package updates are pending")
}

// Criticality is how important the host is.
func (h *host) Criticality() string { return h.crit }

// Rejected reports whether the decision says no.
func (d decided) Rejected() bool { return d.Decision != nil && !allows(d.Decision) }
