package convert_test

import (
	"archive/zip"
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/internal/peers"
	"github.com/stdevel/katprep/render"
	"github.com/stdevel/katprep/render/convert"
)

// report has a text that pandoc's Markdown would take for markup, a citation,
// mathematics, raw TeX and a truncated path.
func report() *katprep.Report {
	nasty := `2*3*4 C:\temp\new @user $x$ <b>bold</b> 1.0~rc1 \input{/etc/passwd} ![x](/etc/passwd)`
	return &katprep.Report{Title: "November", Version: "1", Hosts: []katprep.HostChange{{Host: katprep.Host{Name: "web01.example.com"}, Presence: katprep.InBoth, Before: katprep.Collected, After: katprep.Collected,
		Errata: []katprep.ErratumChange{{ID: "RHSA-2026:0001", Title: nasty, Ending: katprep.Installed}}}}}
}

func source(r *katprep.Report) convert.Source {
	in := func(f render.Format) func() ([]byte, error) {
		return func() ([]byte, error) {
			var b bytes.Buffer
			err := render.Landscape(&b, f, r, render.Options{})
			return b.Bytes(), err
		}
	}
	return convert.Source{Markdown: in(render.Markdown), HTML: in(render.HTML)}
}

func TestPandoc(t *testing.T) {
	peers.Need(t, "pandoc")
	dir := t.TempDir()
	for _, f := range []string{"docx", "odt", "epub", "latex", "plain", "rst"} {
		path := filepath.Join(dir, "report"+convert.Ext(f))
		if err := convert.Convert(t.Context(), f, path, source(report())); err != nil {
			t.Errorf("%s: %v", f, err)
			continue
		}
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		text := string(b)
		if f == "docx" {
			text = member(t, b, "word/document.xml")
		}
		if f == "plain" || f == "docx" {
			for _, want := range []string{"web01.example.com", `C:\temp\new`, "@user", "$x$", "1.0~rc1", "2*3*4"} {
				if !strings.Contains(strings.Join(strings.Fields(text), " "), want) {
					t.Errorf("%s lacks %q", f, want)
				}
			}
		}
		if strings.Contains(text, "root:") || f == "latex" && strings.Contains(text, `\input{/etc`) {
			t.Errorf("%s: a text of the report was obeyed", f)
		}
	}
	left, err := filepath.Glob(filepath.Join(dir, ".katprep-*"))
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func member(t *testing.T, b []byte, name string) string {
	t.Helper()
	z, err := zip.NewReader(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	f, err := z.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	text, err := io.ReadAll(f)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestPDF(t *testing.T) {
	peers.Need(t, "chromium")
	path := filepath.Join(t.TempDir(), "report.pdf")
	if err := convert.Convert(t.Context(), "pdf", path, source(report())); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.HasPrefix(b, []byte("%PDF-")) || !bytes.Contains(b, []byte("/MarkInfo")) {
		t.Error("it is not a tagged PDF")
	}
}

func TestErrors(t *testing.T) {
	path := filepath.Join(t.TempDir(), "report.docx")
	if err := convert.Convert(t.Context(), "wordstar", path, convert.Source{}); katprep.KindOf(err) != katprep.Invalid || katprep.HintOf(err) == "" {
		t.Errorf("an unknown format: %v", err)
	}
	t.Setenv("PATH", t.TempDir())
	for _, f := range []string{"docx", "pdf"} {
		if err := convert.Convert(t.Context(), f, path, source(report())); katprep.KindOf(err) != katprep.NotFound {
			t.Errorf("%s without its program: %v", f, err)
		}
	}
	bin := t.TempDir()
	if err := os.WriteFile(filepath.Join(bin, "pandoc"), []byte("#!/bin/sh\necho 'unknown something' >&2\nexit 3\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", bin)
	err := convert.Convert(t.Context(), "docx", path, source(report()))
	if err == nil || !strings.Contains(err.Error(), "unknown something") || !strings.Contains(err.Error(), "exit status 3") {
		t.Errorf("a failing program: %v", err)
	}
	if _, err := os.Stat(path); err == nil {
		t.Error("there is a document of a failed run")
	}
}
