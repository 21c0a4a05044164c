package site

import (
	"context"
	"embed"
	"encoding/json"
	"io"
	"io/fs"
	"slices"
	"strings"

	"github.com/stdevel/katprep/render"
)

//go:embed assets templates controls.yaml
var files embed.FS

// search writes the index as a script, because a page from a disk may load
// nothing else: one line for each thing, with kind, title, path and more
// words, separated by tabs.
func (b *builder) search(context.Context) error {
	return b.file("assets/index.js", func(w io.Writer) error {
		if err := b.writeKnown(w); err != nil {
			return err
		}
		if _, err := io.WriteString(w, "window.KATPREP_INDEX=["); err != nil {
			return err
		}
		first := true
		err := b.entries(func(kind, title, href, extra string) error {
			line, err := json.Marshal(strings.Join([]string{kind, render.Line(title), href, render.Line(extra)}, "\t"))
			if err != nil {
				return err
			}
			if !first {
				line = append([]byte(",\n"), line...)
			}
			first = false
			_, err = w.Write(line)
			return err
		})
		if err != nil {
			return err
		}
		_, err = io.WriteString(w, "];\n")
		return err
	})
}

// writeKnown says what the site knows of, for searches that find nothing.
func (b *builder) writeKnown(w io.Writer) error {
	if len(b.m.snapshots) == 0 {
		return nil
	}
	known, err := json.Marshal(strings.Join(b.sources(), ", ") + " as of " + render.Time(b.now()))
	if err != nil {
		return err
	}
	_, err = io.WriteString(w, "window.KATPREP_KNOWN="+string(known)+";\n")
	return err
}

func (b *builder) entries(put func(kind, title, href, extra string) error) error {
	for _, p := range slices.Backward(b.m.pairs) {
		kind := "Snapshot"
		if p.Run != "" {
			kind = "Maintenance"
		} else if p.asked {
			kind = "Comparison"
		}
		if err := put(kind, p.title(), p.dir+"/index.html", string(p.Run)); err != nil {
			return err
		}
	}
	hosts := slices.Clone(b.m.hosts)
	slices.SortFunc(hosts, func(x, y *host) int { return compareHosts(x.Host, y.Host) })
	for _, h := range hosts {
		if err := put("Host", h.Name, h.path(), h.group); err != nil {
			return err
		}
	}
	for _, l := range []link{{"Compliance", "compliance.html"}, {"Overdue", "overdue.html"}, {"Exceptions", "exceptions.html"}, {"Trends", "trends.html"}, {"Evidence", "evidence.html"}, {"About", "about.html"}} {
		if err := put("Page", l.Text, l.Href, ""); err != nil {
			return err
		}
	}
	for _, name := range sortedKeys(b.m.packages) {
		if err := put("Package", name, b.m.packages[name].path(), ""); err != nil {
			return err
		}
	}
	cves := map[string]bool{}
	for _, id := range sortedKeys(b.m.errata) {
		e := b.m.errata[id]
		words := []string{cut(e.Title, 120)}
		for i, p := range e.Packages { // so that an erratum is found by what it fixes
			if i < 20 && !slices.Contains(words, p.Name) {
				words = append(words, p.Name)
			}
		}
		if err := put("Erratum", e.ID, "errata/"+idSlug(e.ID)+".html", strings.Join(words, " ")); err != nil {
			return err
		}
		for _, c := range e.CVEs {
			cves[c] = true
		}
	}
	for _, c := range sortedKeys(cves) {
		if err := put("CVE", c, "cves/"+idSlug(c)+".html", ""); err != nil {
			return err
		}
	}
	return nil
}

func cut(s string, n int) string {
	if r := []rune(s); len(r) > n {
		return string(r[:n]) + "…"
	}
	return s
}

// assets writes the style sheet and the script.
func (b *builder) assets(context.Context) error {
	css, err := fs.ReadFile(files, "assets/site.css")
	if err != nil {
		return err
	}
	js, err := fs.ReadFile(files, "assets/site.js")
	if err != nil {
		return err
	}
	for name, text := range map[string]string{
		marker: markerText, "assets/site.css": render.Style() + string(css), "assets/site.js": string(js), "robots.txt": "User-agent: *\nDisallow: /\n"} {
		if err := b.file(name, func(w io.Writer) error { _, err := io.WriteString(w, text); return err }); err != nil {
			return err
		}
	}
	return nil
}
