// Package convert makes documents of other kinds out of reports with programs
// that a machine may have: pandoc for DOCX, ODT, EPUB, LaTeX and the rest,
// Chromium for PDF. One run makes the document of a whole report.
package convert

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/stdevel/katprep"
)

// limit bounds a run of another program.
const limit = 10 * time.Minute

// writers are pandoc's names of formats by what we call them.
var writers = map[string]string{
	"docx": "docx", "odt": "odt", "epub": "epub", "latex": "latex", "tex": "latex", "rst": "rst", "asciidoc": "asciidoc",
	"docbook": "docbook", "rtf": "rtf", "man": "man", "mediawiki": "mediawiki", "org": "org", "plain": "plain", "pptx": "pptx", "textile": "textile",
}

// Formats lists what can be asked for. Whether the programs are there shows
// when they are needed.
func Formats() []string {
	names := []string{"pdf"}
	for n := range writers {
		names = append(names, n)
	}
	slices.Sort(names)
	return names
}

// Known reports whether a format is one of these.
func Known(format string) bool { return format == "pdf" || writers[format] != "" }

// Ext is the extension of the format's files.
func Ext(format string) string {
	switch format {
	case "latex":
		return ".tex"
	case "plain":
		return ".txt"
	case "asciidoc":
		return ".adoc"
	case "docbook":
		return ".xml"
	}
	return "." + format
}

// A Source gives a report in the formats that conversions start from.
type Source struct {
	Markdown func() ([]byte, error) // of katprep's own kind: all foreign text is escaped
	HTML     func() ([]byte, error) // one page, without scripts
}

// Convert makes the document path in the format. A missing program is an error
// of kind katprep.NotFound; what a program said is part of the error. Either
// the document is whole or there is none.
func Convert(ctx context.Context, format, path string, src Source) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	dir, err := os.MkdirTemp(filepath.Dir(path), ".katprep-convert-")
	if err != nil {
		return katprep.Errorf(katprep.Invalid, "convert to %s: %w", format, err)
	}
	defer os.RemoveAll(dir)
	out := filepath.Join(dir, "out"+Ext(format))
	switch {
	case format == "pdf":
		err = pdf(ctx, dir, out, src)
	case writers[format] != "":
		err = pandoc(ctx, writers[format], out, src)
	default:
		return katprep.Errorf(katprep.Invalid, "unknown format %q", format).WithHint("formats are %s", strings.Join(Formats(), ", "))
	}
	if err != nil {
		return err
	}
	if fi, err := os.Stat(out); err != nil || fi.Size() == 0 {
		return katprep.Errorf(katprep.Internal, "convert to %s: the program made no document", format)
	}
	return os.Rename(out, path)
}

// pandoc runs in its sandbox: it reads nothing but the document and writes
// nothing but the result. Where distributions keep its data files outside of
// the program, it cannot read them there (exit status 97), and it runs again
// without: the report's foreign texts are escaped and name no files.
func pandoc(ctx context.Context, writer, out string, src Source) error {
	bin, err := exec.LookPath("pandoc")
	if err != nil {
		return katprep.Errorf(katprep.NotFound, "convert to %s: pandoc is not installed", writer).WithHint("install pandoc, or choose another format")
	}
	md, err := src.Markdown()
	if err != nil {
		return err
	}
	args := []string{"--sandbox", "--standalone", "--from", "gfm-raw_html", "--to", writer, "--metadata", "title= ", "--output", out, "-"}
	err = pandocOnce(ctx, bin, args, md)
	if ee, ok := errors.AsType[*exec.ExitError](err); ok && ee.ExitCode() == 97 {
		err = pandocOnce(ctx, bin, args[1:], md)
	}
	return err
}

func pandocOnce(ctx context.Context, bin string, args []string, md []byte) error {
	cmd := exec.CommandContext(ctx, bin, args...)
	cmd.Stdin = bytes.NewReader(md)
	return run(ctx, cmd, "pandoc")
}

// pdf prints the page with Chromium: tagged, with an outline.
func pdf(ctx context.Context, dir, out string, src Source) error {
	bin := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable"} {
		if p, err := exec.LookPath(name); err == nil {
			bin = p
			break
		}
	}
	if bin == "" {
		return katprep.Errorf(katprep.NotFound, "convert to pdf: no Chromium is installed").WithHint("install chromium, or print the HTML report from a browser")
	}
	html, err := src.HTML()
	if err != nil {
		return err
	}
	page := filepath.Join(dir, "page.html")
	if err := os.WriteFile(page, html, 0o600); err != nil {
		return katprep.Errorf(katprep.Invalid, "convert to pdf: %w", err)
	}
	args := []string{"--headless", "--disable-gpu", "--no-pdf-header-footer", "--generate-pdf-document-outline", "--disable-extensions", "--no-first-run",
		"--user-data-dir=" + filepath.Join(dir, "profile"), "--print-to-pdf=" + out}
	if os.Geteuid() == 0 {
		args = append(args, "--no-sandbox") // it does not start as root otherwise; the page has no scripts
	}
	return run(ctx, exec.CommandContext(ctx, bin, append(args, "file://"+page)...), "chromium")
}

// run runs a program and puts what it said into the error.
func run(ctx context.Context, cmd *exec.Cmd, name string) error {
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	cmd.WaitDelay = 5 * time.Second
	err := cmd.Run()
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		return katprep.Errorf(katprep.Internal, "%s was stopped: %w", name, context.Cause(ctx))
	}
	msg := strings.TrimSpace(said.String())
	if len(msg) > 2000 {
		msg = msg[:2000] + " …"
	}
	if msg == "" {
		return katprep.Errorf(katprep.Internal, "%s: %w", name, err)
	}
	return katprep.Errorf(katprep.Internal, "%s: %w: %w", name, err, errors.New(msg))
}
