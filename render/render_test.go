package render

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"encoding/xml"
	"errors"
	"flag"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	cdx "github.com/CycloneDX/cyclonedx-go"
	"github.com/google/go-cmp/cmp"
	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	east "github.com/yuin/goldmark/extension/ast"
	gtext "github.com/yuin/goldmark/text"
	"golang.org/x/net/html"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/internal/peers"
)

var update = flag.Bool("update", false, "write the golden files anew")

func landscape(t testing.TB, f Format, r *katprep.Report, o Options) string {
	t.Helper()
	var b bytes.Buffer
	if err := Landscape(&b, f, r, o); err != nil {
		t.Fatalf("landscape as %s: %v", f, err)
	}
	return b.String()
}

func host(t testing.TB, f Format, r *katprep.Report, h *katprep.HostChange, o Options) string {
	t.Helper()
	var b bytes.Buffer
	if err := Host(&b, f, r, h, o); err != nil {
		t.Fatalf("host as %s: %v", f, err)
	}
	return b.String()
}

func TestGolden(t *testing.T) {
	for _, f := range Formats() {
		r := sample()
		o := Options{Notes: "Approved by **CAB**.\n\n<script>alert(1)</script>\n"}
		for name, got := range map[string]string{
			"landscape": landscape(t, f, r, o),
			"host":      host(t, f, r, &r.Hosts[4], o),
			"gap":       host(t, f, r, &r.Hosts[1], o),
		} {
			path := filepath.Join("testdata", name+f.Ext())
			if *update {
				if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(string(want), got); d != "" {
				t.Errorf("%s differs (go test -update writes it anew):\n%s", path, d)
			}
		}
	}
}

func TestUnknownIsLoudAndFirst(t *testing.T) {
	for _, f := range []Format{Markdown, HTML} {
		got := landscape(t, f, sample(), Options{})
		db, web := strings.Index(got, "db01"), strings.Index(got, "web01")
		if db < 0 || web < 0 || db > web {
			t.Errorf("%s: the unknown host is at %d, the patched one at %d", f, db, web)
		}
		if !strings.Contains(got, "1 of 5 hosts could not be read in full") {
			t.Errorf("%s: the verdict does not tell of the unknown host", f)
		}
	}
	d := newData(sample(), nil, Options{})
	for _, h := range d.KnownHosts() {
		if h.Name == "db01.example.com" {
			t.Error("the unknown host is among the known ones")
		}
	}
}

func TestIncompleteIsAGap(t *testing.T) {
	h := katprep.HostChange{Presence: katprep.InBoth, Before: katprep.Collected, After: katprep.Incomplete}
	if !Gap(&h) {
		t.Error("an incomplete host is no gap")
	}
	h.After = katprep.Collected
	if Gap(&h) {
		t.Error("a collected host is a gap")
	}
}

// nodes lists the tags of a page and what their attributes hold.
func nodes(t *testing.T, page string) map[string]int {
	t.Helper()
	z, n := html.NewTokenizer(strings.NewReader(page)), map[string]int{}
	for {
		switch z.Next() {
		case html.ErrorToken:
			if !errors.Is(z.Err(), io.EOF) {
				t.Fatal(z.Err())
			}
			return n
		case html.StartTagToken, html.SelfClosingTagToken:
			tok := z.Token()
			n[tok.Data]++
			for _, a := range tok.Attr {
				n["attr "+a.Key]++
			}
		}
	}
}

// TestHostileHTML holds that no text changes the structure of a page: with
// hostile texts it has exactly the elements and attributes of a harmless one.
func TestHostileHTML(t *testing.T) {
	harmless := poisoned("harmless")
	wantL, wantH := nodes(t, landscape(t, HTML, harmless, Options{})), nodes(t, host(t, HTML, harmless, &harmless.Hosts[4], Options{}))
	for _, s := range evil {
		r := poisoned(s)
		l, h := landscape(t, HTML, r, Options{}), host(t, HTML, r, &r.Hosts[4], Options{})
		// Paragraphs and the marks of changed versions follow from the text.
		for name, pair := range map[string][2]map[string]int{"landscape": {wantL, nodes(t, l)}, "host": {wantH, nodes(t, h)}} {
			for _, tag := range []string{"p", "ins", "del", "details", "summary"} {
				delete(pair[0], tag)
				delete(pair[1], tag)
			}
			if d := cmp.Diff(pair[0], pair[1]); d != "" && !blank(s) {
				t.Errorf("%s with %q:\n%s", name, s, d)
			}
		}
		for _, r := range "\u202e\u2066\u200b\x00\x1b" {
			if strings.ContainsRune(l+h, r) {
				t.Errorf("with %q: %U is in the page", s, r)
			}
		}
	}
}

// blank reports whether a text has nothing to show.
func blank(s string) bool { return Line(s) == "" }

// shape is the structure of a Markdown document: the kinds of its nodes and
// where links go.
func shape(md string) map[string]int {
	src := []byte(md)
	doc := goldmark.New(goldmark.WithExtensions(extension.GFM, extension.Footnote)).Parser().Parse(gtext.NewReader(src))
	n := map[string]int{}
	_ = ast.Walk(doc, func(node ast.Node, entering bool) (ast.WalkStatus, error) {
		switch node.Kind() {
		case ast.KindText, ast.KindString, ast.KindParagraph, ast.KindBlockquote, ast.KindEmphasis, ast.KindTextBlock:
			return ast.WalkContinue, nil
		}
		if entering {
			n[node.Kind().String()]++
		}
		if row, ok := node.(*east.TableRow); ok && entering {
			n["cells"] += row.ChildCount()
		}
		return ast.WalkContinue, nil
	})
	return n
}

func TestHostileMarkdown(t *testing.T) {
	harmless := poisoned("harmless")
	wantL, wantH := shape(landscape(t, Markdown, harmless, Options{})), shape(host(t, Markdown, harmless, &harmless.Hosts[4], Options{}))
	for _, s := range evil {
		r := poisoned(s)
		l, h := landscape(t, Markdown, r, Options{}), host(t, Markdown, r, &r.Hosts[4], Options{})
		if d := cmp.Diff(wantL, shape(l)); d != "" {
			t.Errorf("landscape with %q:\n%s", s, d)
		}
		if d := cmp.Diff(wantH, shape(h)); d != "" {
			t.Errorf("host with %q:\n%s", s, d)
		}
		for _, c := range "\u202e\u2066\u200b\x00\x1b" {
			if strings.ContainsRune(l+h, c) {
				t.Errorf("with %q: %U is in the document", s, c)
			}
		}
	}
}

// plainText is what a reader sees of Markdown.
func plainText(t testing.TB, md string) string {
	t.Helper()
	var b bytes.Buffer
	if err := goldmark.New(goldmark.WithExtensions(extension.GFM)).Convert([]byte(md), &b); err != nil {
		t.Fatal(err)
	}
	doc, err := html.Parse(&b)
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	var walk func(*html.Node)
	walk = func(n *html.Node) {
		if n.Type == html.TextNode {
			out.WriteString(n.Data)
		}
		for c := n.FirstChild; c != nil; c = c.NextSibling {
			walk(c)
		}
	}
	walk(doc)
	return strings.TrimSpace(out.String())
}

func FuzzEscapeMarkdown(f *testing.F) {
	for _, s := range evil {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		md := EscapeMarkdown(s)
		if got, want := plainText(t, md), Line(s); got != want {
			t.Errorf("%q escaped as %q reads %q, want %q", s, md, got, want)
		}
		if got := plainText(t, "| a |\n|---|\n| "+md+" |\n"); got != strings.TrimSpace("a\n\n\n\n\n"+Line(s)) && !strings.Contains(got, Line(s)) {
			t.Errorf("%q in a table reads %q", s, got)
		}
		want := map[string]int{"Document": 1}
		if Line(s) == "" {
			return
		}
		if d := cmp.Diff(want, shape(md)); d != "" {
			t.Errorf("%q escaped as %q is more than text:\n%s", s, md, d)
		}
	})
}

func FuzzClean(f *testing.F) {
	for _, s := range evil {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		c := Clean(s)
		if Clean(c) != c {
			t.Errorf("Clean is not idempotent for %q", s)
		}
		if strings.ContainsAny(c, "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f\x00\x1b\r\t\u2028") {
			t.Errorf("%q becomes %q", s, c)
		}
		if l := Line(s); strings.ContainsAny(l, "\n") || Line(l) != l {
			t.Errorf("%q on a line becomes %q", s, l)
		}
	})
}

func TestHostileCSV(t *testing.T) {
	for _, s := range evil {
		r := poisoned(s)
		rows, err := csv.NewReader(strings.NewReader(landscape(t, CSV, r, Options{}))).ReadAll()
		if err != nil {
			t.Fatalf("with %q: %v", s, err)
		}
		if len(rows) != 19 { // header, 5 hosts, 6 errata, 2 updates, 5 packages
			t.Errorf("with %q: %d rows", s, len(rows))
		}
		for _, row := range rows[1:] {
			for _, f := range row {
				if trimmed := strings.TrimLeft(f, " \t\r\n\u2028\ufffd\u200b"); trimmed != "" && strings.ContainsRune("=+-@", rune(trimmed[0])) {
					t.Errorf("with %q: the field %q is a formula", s, f)
				}
			}
		}
	}
}

func TestJSONIsTheReport(t *testing.T) {
	var back katprep.Report
	if err := json.Unmarshal([]byte(landscape(t, JSON, sample(), Options{})), &back); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(*sample(), back); d != "" {
		t.Error(d)
	}
	if got := landscape(t, JSON, poisoned("</script>"), Options{}); strings.Contains(got, "</script>") {
		t.Error("a text ends a script element")
	}
}

// TestHostileXMLAndMetrics parses what hostile texts become.
func TestHostileXMLAndMetrics(t *testing.T) {
	sample := regexp.MustCompile(`^[a-z_]+(\{[a-z]+="([^"\\\n]|\\[\\"n])*"(,[a-z]+="([^"\\\n]|\\[\\"n])*")*\})? -?\d+$`)
	for _, s := range evil {
		r := poisoned(s)
		var back junitSuites
		if err := xml.Unmarshal([]byte(landscape(t, JUnit, r, Options{})), &back); err != nil {
			t.Errorf("with %q: %v", s, err)
		}
		if back.Tests != 13 || len(back.Suites) != 5 || back.Errors < 2 {
			t.Errorf("with %q: %d tests, %d suites, %d errors", s, back.Tests, len(back.Suites), back.Errors)
		}
		lines := strings.Split(strings.TrimSuffix(landscape(t, Metrics, r, Options{}), "\n"), "\n")
		if lines[len(lines)-1] != "# EOF" {
			t.Error("no end mark")
		}
		for _, l := range lines {
			if !strings.HasPrefix(l, "# ") && !sample.MatchString(l) {
				t.Errorf("with %q: the line %q is no sample", s, l)
			}
		}
	}
}

func TestPromtool(t *testing.T) {
	peers.Need(t, "promtool")
	cmd := exec.Command("promtool", "check", "metrics")
	cmd.Stdin = strings.NewReader(strings.TrimSuffix(landscape(t, Metrics, sample(), Options{}), "# EOF\n"))
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
}

// TestJUnitIsRed holds that a pipeline is green only if everything is proven.
func TestJUnitIsRed(t *testing.T) {
	for e, want := range map[katprep.Ending]string{katprep.Installed: "", katprep.Pending: "failure", katprep.RebootPending: "failure", katprep.Unknown: "error", katprep.NoLonger: "skipped", katprep.New: "skipped", "surprise": "error"} {
		h := &katprep.HostChange{Before: katprep.Collected, After: katprep.Collected, Known: []katprep.Aspect{katprep.AspectErrata}, Presence: katprep.InBoth, Errata: []katprep.ErratumChange{{ID: "RHSA-1", Ending: e}}}
		got := host(t, JUnit, &katprep.Report{}, h, Options{})
		for _, tag := range []string{"failure", "error", "skipped"} {
			if strings.Contains(got, "<"+tag+" ") != (tag == want) {
				t.Errorf("%s: %s", e, got)
			}
		}
	}
}

func TestCycloneDX(t *testing.T) {
	s := &katprep.State{Host: katprep.Host{HostID: katprep.HostID{Source: "satellite", ID: "17"}, Name: "web01"}, Status: katprep.Collected, Aspects: []katprep.Aspect{katprep.AspectPackages}, Format: katprep.RPM, Facts: katprep.Facts{OS: katprep.OS{ID: "rhel", Version: "9.4"}},
		Packages: []katprep.Package{{Name: "libstdc++", EVR: "11.4.1-3.el9", Arch: "x86_64"}, {Name: "openssl", EVR: "1:3.0.7-27.el9", Arch: "x86_64", Vendor: "Red Hat, Inc."}}}
	ref := katprep.SnapshotRef{Commit: "1111111111111111111111111111111111111111", Snapshot: katprep.Snapshot{Finished: day(12, 20, 0)}}
	var a, b bytes.Buffer
	if err := CycloneDX(&a, s, ref); err != nil {
		t.Fatal(err)
	}
	if err := CycloneDX(&b, s, ref); err != nil || a.String() != b.String() {
		t.Error("two bills of one state differ", err)
	}
	bom := new(cdx.BOM)
	if err := cdx.NewBOMDecoder(&a, cdx.BOMFileFormatJSON).Decode(bom); err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{"pkg:rpm/rhel/libstdc++@11.4.1-3.el9?arch=x86_64&distro=rhel-9.4", "pkg:rpm/rhel/openssl@3.0.7-27.el9?arch=x86_64&distro=rhel-9.4&epoch=1"} {
		if got := (*bom.Components)[i].PackageURL; got != want {
			t.Errorf("purl %s, want %s", got, want)
		}
	}
	s.Aspects = nil
	if err := CycloneDX(io.Discard, s, ref); katprep.KindOf(err) != katprep.Partial {
		t.Errorf("packages that were not collected: %v", err)
	}
}

func TestMark(t *testing.T) {
	show := func(ss []Span) string {
		var b strings.Builder
		for _, s := range ss {
			if s.Changed {
				b.WriteString("[" + s.Text + "]")
			} else {
				b.WriteString(s.Text)
			}
		}
		return b.String()
	}
	for _, c := range [][4]string{
		{"3.0.7-24.el9", "3.0.7-27.el9", "3.0.7-[24].el9", "3.0.7-[27].el9"},
		{"1.2", "1.10", "1.[2]", "1.[10]"},
		{"1.0", "1.0.1", "1.0", "1.0[.1]"},
		{"1.0~rc1-2", "1.0-2", "1.0[~rc1]-2", "1.0-2"},
		{"1.0", "1.0", "1.0", "1.0"},
		{"7", "8", "[7]", "[8]"},
		{"", "8", "", "8"},
		{"1:2", "", "1:2", ""},
	} {
		a, b := Mark(katprep.EVR(c[0]), katprep.EVR(c[1]))
		if show(a) != c[2] || show(b) != c[3] {
			t.Errorf("Mark(%q, %q) = %s, %s; want %s, %s", c[0], c[1], show(a), show(b), c[2], c[3])
		}
	}
}

func TestParseFormat(t *testing.T) {
	for in, want := range map[string]Format{"md": Markdown, "markdown": Markdown, ".MD": Markdown, "html": HTML, "Json": JSON, "csv": CSV} {
		if got, err := ParseFormat(in); err != nil || got != want {
			t.Errorf("ParseFormat(%q) = %q, %v", in, got, err)
		}
	}
	if _, err := ParseFormat("docx"); katprep.KindOf(err) != katprep.Invalid || katprep.HintOf(err) == "" {
		t.Errorf("ParseFormat(docx): %v", err)
	}
}

func BenchmarkHostHTML(b *testing.B) {
	r := sample()
	for b.Loop() {
		host(b, HTML, r, &r.Hosts[4], Options{})
	}
}
