package docsite

import (
	"bytes"
	"strings"
	"testing"
)

func TestBuild(t *testing.T) {
	pages := []Page{
		{Path: "index", Group: "Start", Markdown: []byte("# Home <b>\n\nSee [the man](man/x.1.md#options) and [elsewhere](https://example.com/a.md).\n\n<script>alert(1)</script>\n")},
		{Path: "man/x.1", Group: "Man", Title: "x(1)", Markdown: []byte("# X\n\n## OPTIONS\n\n[home](../index.md)\n")},
	}
	files, err := Build("katprep", "body{}", pages)
	if err != nil {
		t.Fatal(err)
	}
	index, man := string(files["index.html"]), string(files["man/x.1.html"])
	for _, want := range []string{`href="man/x.1.html#options"`, `href="https://example.com/a.md"`, `<a href="index.html" aria-current="page">`, "x(1)"} {
		if !strings.Contains(index, want) {
			t.Errorf("no %s in\n%s", want, index)
		}
	}
	if strings.Contains(index, "alert(1)</script") {
		t.Error("HTML of a page is passed through")
	}
	if !strings.Contains(man, `href="../style.css"`) || !strings.Contains(man, `href="../index.html"`) {
		t.Errorf("links upwards are wrong:\n%s", man)
	}
	again, _ := Build("katprep", "body{}", pages)
	for name, b := range files {
		if !bytes.Equal(b, again[name]) {
			t.Errorf("%s differs when it is made again", name)
		}
	}
}

func TestSectionsAreFound(t *testing.T) {
	files, err := Build("katprep", "", []Page{{Path: "a", Markdown: []byte("# One\n\nbefore\nit\n\n## Two `x`\n\n- item\n\n| h | |\n|---|---|\n| c | d |\n\n```\n$ run <it>\n```\n\n### Below\n\n## Three\n\n## Four\n")}})
	if err != nil {
		t.Fatal(err)
	}
	index, page := string(files["index.js"]), string(files["a.html"])
	for _, want := range []string{`"One\tOne\ta.html\tbefore it"`, `"One\tTwo x\ta.html#two-x\titem h c d $ run \u003cit\u003e Below"`, `"One\tFour\ta.html#four\t"`} {
		if !strings.Contains(index, want) {
			t.Errorf("no %s in\n%s", want, index)
		}
	}
	for _, want := range []string{`<a href="#two-x">Two x</a>`, `<div class="table" tabindex="0"><table>`, "<td></td>\n</tr>\n</thead>"} {
		if !strings.Contains(page, want) {
			t.Errorf("no %s in\n%s", want, page)
		}
	}
}

func TestBrokenLinks(t *testing.T) {
	for _, md := range []string{"[x](nosuch.md)", "[x](#nosuch)", "[x](index.md#nosuch)", "[x](../up.md)"} {
		if _, err := Build("t", "", []Page{{Path: "index", Markdown: []byte("# A\n\n" + md)}}); err == nil {
			t.Errorf("%s was accepted", md)
		}
	}
}
