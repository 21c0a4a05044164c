//go:build unix

package site_test

import (
	"bytes"
	"encoding/json"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"
	"golang.org/x/sys/unix"

	"github.com/stdevel/katprep/internal/peers"
	"github.com/stdevel/katprep/site"
)

// BenchmarkHugo lets Hugo make the same pages and says how many times longer
// it takes than we do: once from data, as its users would (the rows of the
// tables of hosts, changes and errata are front matter, and its templates
// make the table), and once from finished content, which it only puts a frame
// around. In both cases what we find out by comparing states is given to it.
// The benchmark fails if Hugo's pages have other rows than ours, or if their
// size differs by more than a tenth.
func BenchmarkHugo(b *testing.B) {
	peers.Need(b, "hugo")
	hosts, maintenances := size(b)
	dir := b.TempDir()
	out := filepath.Join(dir, "public")
	var ours, oursCPU, data, dataCPU, copied, copiedCPU time.Duration
	var pages int
	for i := 0; b.Loop(); i++ {
		start, cpu := time.Now(), cpuTime()
		st, err := site.Build(b.Context(), newMonths(hosts, maintenances), out, site.Options{Version: "1", Policy: rules, Full: true})
		if err != nil {
			b.Fatal(err)
		}
		ours, oursCPU, pages = ours+time.Since(start), oursCPU+cpuTime()-cpu, st.Pages
		if i == 0 {
			for _, how := range []string{"data", "copied"} {
				if n := hugoSource(b, out, filepath.Join(dir, how), how == "data"); n != pages {
					b.Fatalf("%d pages for Hugo, %d of ours", n, pages)
				}
			}
		}
		wall, cpu := hugo(b, filepath.Join(dir, "data"))
		data, dataCPU = data+wall, dataCPU+cpu
		wall, cpu = hugo(b, filepath.Join(dir, "copied"))
		copied, copiedCPU = copied+wall, copiedCPU+cpu
	}
	b.ReportMetric(100*alike(b, out, filepath.Join(dir, "data", "public")), "%-of-our-bytes")
	b.ReportMetric(float64(pages), "pages")
	b.ReportMetric(float64(pages)*float64(b.N)/ours.Seconds(), "our-pages/s")
	b.ReportMetric(data.Seconds()/ours.Seconds(), "x-our-time")
	b.ReportMetric(dataCPU.Seconds()/oursCPU.Seconds(), "x-our-cpu")
	b.ReportMetric(copied.Seconds()/ours.Seconds(), "x-our-time-copying")
	b.ReportMetric(copiedCPU.Seconds()/oursCPU.Seconds(), "x-our-cpu-copying")
}

// hugo builds the site of a source from nothing.
func hugo(b *testing.B, src string) (wall, cpu time.Duration) {
	b.Helper()
	if err := os.RemoveAll(filepath.Join(src, "public")); err != nil {
		b.Fatal(err)
	}
	start, before := time.Now(), cpuOf(unix.RUSAGE_CHILDREN)
	if msg, err := exec.Command("hugo", "--quiet", "--source", src).CombinedOutput(); err != nil {
		b.Fatalf("%v: %s", err, msg)
	}
	return time.Since(start), cpuOf(unix.RUSAGE_CHILDREN) - before
}

// alike holds that Hugo's pages have the rows of ours, and returns the size
// of them all in terms of ours.
func alike(b *testing.B, ours, theirs string) float64 {
	b.Helper()
	var n, m int
	each(b, ours, func(rel string, text []byte) {
		other, err := os.ReadFile(filepath.Join(theirs, rel))
		if err != nil {
			b.Fatal(err)
		}
		if x, y := bytes.Count(text, []byte("<tr")), bytes.Count(other, []byte("<tr")); x != y {
			b.Fatalf("%s: %d rows, and %d of Hugo", rel, x, y)
		}
		n, m = n+len(text), m+len(other)
	})
	share := float64(m) / float64(n)
	if share < 0.9 || share > 1.1 {
		b.Fatalf("Hugo's pages have %.2f of our bytes", share)
	}
	return share
}

// each calls f with every page of a site.
func each(b *testing.B, dir string, f func(rel string, text []byte)) {
	b.Helper()
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(p, ".html") {
			return err
		}
		text, err := os.ReadFile(p)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(dir, p)
		f(filepath.ToSlash(rel), text)
		return err
	})
	if err != nil {
		b.Fatal(err)
	}
}

// hugoSource makes a source for Hugo of a built site.
func hugoSource(b *testing.B, built, src string, data bool) (n int) {
	b.Helper()
	put := func(name, text string) {
		path := filepath.Join(src, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			b.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			b.Fatal(err)
		}
	}
	put("config.toml", "baseURL = \"/\"\ntitle = \"x\"\ndisableKinds = [\"taxonomy\", \"term\", \"RSS\", \"sitemap\", \"section\", \"home\", \"404\"]\nuglyURLs = true\n")
	top, bottom := frame(b, built)
	for _, l := range []string{"change", "host", "erratum", "single"} {
		text, err := os.ReadFile(filepath.Join("testdata", "hugo", l+".html"))
		if err != nil {
			b.Fatal(err)
		}
		put("layouts/_default/"+l+".html", strings.NewReplacer("TOP", top, "BOTTOM\n", bottom).Replace(string(text)))
	}
	each(b, built, func(rel string, text []byte) {
		_, main, _ := strings.Cut(string(text), "<main id=\"main\">\n")
		main, _, _ = strings.Cut(main, "</main>")
		_, title, _ := strings.Cut(string(text), "<title>")
		title, _, _ = strings.Cut(title, "</title>")
		front := map[string]any{"title": title, "url": "/" + rel, "root": strings.Repeat("../", strings.Count(rel, "/"))}
		if data && hugoData(rel, main, front) {
			main = ""
		}
		raw, err := json.Marshal(front)
		if err != nil {
			b.Fatal(err)
		}
		// A file called index would make the others its attachments.
		put("content/p/page-"+strings.ReplaceAll(strings.TrimSuffix(rel, ".html"), "/", "--")+".html", string(raw)+"\n"+main)
		n++
	})
	return n
}

// frame makes of one of our pages what stands around the content of all.
func frame(b *testing.B, built string) (top, bottom string) {
	b.Helper()
	text := read(b, built, "hosts/index.html")
	top, rest, _ := strings.Cut(text, "<main id=\"main\">\n")
	_, bottom, _ = strings.Cut(rest, "</main>")
	before, title, _ := strings.Cut(top, "<title>")
	_, after, _ := strings.Cut(title, "</title>")
	top = before + "<title>{{ .Title }}</title>" + after
	return strings.ReplaceAll(top, "../", "{{ .Params.root }}") + "<main id=\"main\">\n", "</main>" + bottom
}

// hugoData makes front matter of the main part of a page, if it is of one of
// the kinds of which there are many.
func hugoData(rel, main string, front map[string]any) bool {
	doc, err := html.Parse(strings.NewReader(main))
	if err != nil {
		return false
	}
	parts := strings.Split(rel, "/")
	switch {
	case len(parts) == 4 && parts[2] == "hosts":
		front["layout"] = "change"
		front["intro"], _, _ = strings.Cut(main, "<h2 id=\"errata\">")
		front["errata"], front["packages"] = changedErrata(rowsOf(doc, "Errata")), changedPackages(rowsOf(doc, "Packages"))
		return !strings.Contains(main, "<h2 id=\"updates\">") && !strings.Contains(main, "<h2 id=\"unplanned\">")
	case parts[0] == "hosts" && !strings.HasPrefix(parts[1], "index"):
		front["layout"] = "host"
		front["intro"], _, _ = strings.Cut(main, "<h2 id=\"timeline\">")
		front["events"] = events(rowsOf(doc, "Timeline"))
		front["installed"] = installed(doc)
		return true
	case parts[0] == "errata" && !strings.HasPrefix(parts[1], "index"):
		at := strings.LastIndex(main, "<tbody>")
		end := strings.LastIndex(main, "</tbody>\n")
		if at < 0 || end < at {
			return false
		}
		front["layout"], front["intro"], front["outro"] = "erratum", main[:at], main[end+len("</tbody>\n"):]
		front["hosts"] = erratumHosts(rowsOf(doc, "Hosts"))
		return true
	}
	return false
}

// A part is an element as data: a link, or a word of state.
type part struct {
	Href  string `json:"href,omitempty"`
	Class string `json:"class,omitempty"`
	Shape string `json:"shape,omitempty"`
	Text  string `json:"text"`
}

type span struct {
	Text    string `json:"text"`
	Changed bool   `json:"changed"`
}

func attr(n *html.Node, key string) string {
	for _, a := range n.Attr {
		if a.Key == key {
			return a.Val
		}
	}
	return ""
}

func has(n *html.Node, tag, class string) bool {
	return n.Type == html.ElementNode && n.Data == tag && (class == "" || slices.Contains(strings.Fields(attr(n, "class")), class))
}

// all lists the elements below n.
func all(n *html.Node, tag, class string) (out []*html.Node) {
	for d := range n.Descendants() {
		if has(d, tag, class) {
			out = append(out, d)
		}
	}
	return out
}

func textOf(n *html.Node) string {
	var s strings.Builder
	for d := range n.Descendants() {
		if d.Type == html.TextNode {
			s.WriteString(d.Data)
		}
	}
	return s.String()
}

// rowsOf lists the cells of the rows of the table with a label.
func rowsOf(doc *html.Node, label string) (rows [][]*html.Node) {
	for _, div := range all(doc, "div", "table") {
		if attr(div, "aria-label") != label {
			continue
		}
		for _, body := range all(div, "tbody", "") {
			for _, tr := range all(body, "tr", "") {
				var cells []*html.Node
				for c := range tr.ChildNodes() {
					cells = append(cells, c)
				}
				rows = append(rows, cells)
			}
		}
	}
	return rows
}

func links(n *html.Node) (out []part) {
	for _, a := range all(n, "a", "") {
		out = append(out, part{Href: attr(a, "href"), Text: textOf(a)})
	}
	return out
}

// words lists words of state: a class, a shape and a text.
func words(n *html.Node, class string) (out []part) {
	for _, w := range all(n, "span", class) {
		shape := w.FirstChild
		out = append(out, part{Class: strings.TrimPrefix(attr(w, "class"), class+" "), Shape: textOf(shape), Text: strings.TrimSpace(strings.TrimPrefix(textOf(w), textOf(shape)))})
	}
	return append(out, part{})
}

// versions takes "a → b" apart.
func versions(n *html.Node) (before, after []span) {
	for _, v := range all(n, "span", "ver")[:1] {
		list := &before
		for c := range v.ChildNodes() {
			if has(c, "span", "arrow") {
				list = &after
				continue
			}
			text := textOf(c)
			if c.Type == html.TextNode {
				text = strings.TrimSpace(c.Data)
			}
			if text != "" {
				*list = append(*list, span{text, c.Type == html.ElementNode})
			}
		}
	}
	return before, after
}

func changedErrata(rows [][]*html.Node) (out []map[string]any) {
	for _, c := range rows {
		l := links(c[0])
		subs := all(c[0], "span", "sub")
		r := map[string]any{"href": l[0].Href, "id": l[0].Text, "cves": l[1:], "status": words(c[1], "w")[0], "key": attr(c[2], "data-key"), "severity": words(c[2], "w")[0], "issued": textOf(c[3]), "reason": ""}
		if len(subs) > 0 {
			r["title"] = textOf(subs[0])
		}
		var proofs []map[string]any
		for _, s := range all(c[4], "span", "sub") {
			before, after := versions(s)
			vers := all(s, "span", "ver")
			proofs = append(proofs, map[string]any{"package": textOf(all(s, "span", "id")[0]), "before": before, "after": after, "fixed": textOf(vers[len(vers)-1])})
		}
		if r["proofs"] = proofs; proofs == nil {
			r["reason"] = textOf(c[4])
		}
		out = append(out, r)
	}
	return out
}

func changedPackages(rows [][]*html.Node) (out []map[string]any) {
	for _, c := range rows {
		before, after := versions(c[2])
		out = append(out, map[string]any{"package": textOf(c[0]), "kind": words(c[1], "w")[0], "before": before, "after": after, "errata": links(c[3])})
	}
	return out
}

func events(rows [][]*html.Node) (out []map[string]any) {
	for _, c := range rows {
		counts := words(c[3], "nb")
		n, _ := strconv.Atoi(textOf(c[4]))
		r := map[string]any{"when": textOf(c[0]), "pair": links(c[1])[0], "state": words(c[2], "w")[0], "counts": counts[:len(counts)-1], "packages": n, "reboot": words(c[5], "w")[0]}
		if l := links(c[2]); len(l) > 0 {
			r["href"] = l[0].Href
		}
		out = append(out, r)
	}
	return out
}

func installed(doc *html.Node) []string {
	for _, pre := range all(doc, "pre", "") {
		return strings.Split(strings.TrimSpace(textOf(pre)), "\n")
	}
	return nil
}

func erratumHosts(rows [][]*html.Node) (out []map[string]any) {
	for _, c := range rows {
		r := map[string]any{"host": links(c[0])[0], "state": words(c[1], "w")[0], "known": textOf(c[2]), "pair": append(links(c[3]), part{})[0], "deadline": words(c[4], "w")[0]}
		for _, t := range all(c[3], "span", "t") {
			r["when"] = textOf(t)
		}
		for _, t := range all(c[4], "span", "t") {
			r["due"] = textOf(t)
		}
		out = append(out, r)
	}
	return out
}
