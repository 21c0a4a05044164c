package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/render"
	"github.com/stdevel/katprep/render/convert"
	"github.com/stdevel/katprep/site"
)

type reportCmd struct {
	pairFlags
	Out      string   `short:"o" placeholder:"DIR" help:"Write a summary and one document per host into this directory (default: the summary to standard output)."`
	Format   []string `short:"f" default:"markdown" placeholder:"FORMAT" help:"Formats: ${formats}."`
	Template string   `short:"t" placeholder:"FILE" help:"Use this template for the host documents."`
	Meta     string   `placeholder:"FILE" help:"YAML file with words for the template."`
	Notes    string   `placeholder:"FILE" help:"Markdown file that is put before the findings."`
	Title    string   `placeholder:"TEXT" help:"Title of the report."`
	Host     []string `placeholder:"GLOB" help:"Documents for these hosts only."`
}

// Help adds to the command's help.
func (reportCmd) Help() string {
	return `Compares as "katprep diff" does, and writes it down for others.

  katprep report                                    the last two snapshots, to the screen
  katprep report --run patch-2026-11 -f html -o out/
  katprep report 2026-11-01 latest -f csv -f json -o out/`
}

// cycloneDX is a format of hosts' documents only: a summary has no packages.
const cycloneDX = "cyclonedx"

func formatNames() string {
	var names []string
	for _, f := range render.Formats() {
		names = append(names, string(f))
	}
	names = append(names, cycloneDX)
	return strings.Join(append(names, convert.Formats()...), ", ")
}

// Run writes the report.
func (c *reportCmd) Run(a *app) error {
	want, err := c.formats()
	if err != nil {
		return err
	}
	opts, meta, err := c.options(a)
	if err != nil {
		return err
	}
	keep, err := hostFilter(c.Host)
	if err != nil {
		return err
	}
	r, err := a.compare(c.pairFlags, true)
	if err != nil {
		return err
	}
	if err := a.sayIfSame(r); err != nil {
		return err
	}
	if err := c.describe(a, r, meta); err != nil {
		return err
	}
	if c.Out == "" {
		if len(want.render) != 1 || want.bills || len(want.convert) > 0 {
			return katprep.Errorf(katprep.Invalid, "several formats, and those that are no text, need a directory").WithHint("add -o DIR")
		}
		if err := a.reportToScreen(want.render[0], r, opts); err != nil {
			return err
		}
		return unknownError(r)
	}
	n, err := c.write(a, want, r, opts, keep)
	if err != nil {
		return err
	}
	a.term.Note("wrote %d documents to %s", n, c.Out)
	return unknownError(r)
}

// reportToScreen writes the summary to standard output, as a text in the
// stream if that is to be JSON.
func (a *app) reportToScreen(f render.Format, r *katprep.Report, o render.Options) error {
	if !a.term.JSON() {
		return render.Landscape(a.term.Out(), f, r, o)
	}
	var text strings.Builder
	if err := render.Landscape(&text, f, r, o); err != nil {
		return err
	}
	return a.emit("document", map[string]any{"format": f, "text": text.String()})
}

// document writes a document and tells of it in the stream. The host is nil
// for one of the whole landscape.
func (a *app) document(path, format string, h *katprep.Host, write func(io.Writer) error) error {
	if err := writeFile(path, write); err != nil || !a.term.JSON() {
		return err
	}
	return a.emit("document", map[string]any{"format": format, "path": path, "host": h})
}

// reportKinds is what was asked for.
type reportKinds struct {
	render  []render.Format
	convert []string // made by other programs, one document for the report
	bills   bool     // of materials, one for each host
}

func (c *reportCmd) formats() (w reportKinds, err error) {
	for _, name := range c.Format {
		switch f, err := render.ParseFormat(name); {
		case name == cycloneDX:
			w.bills = true
		case err == nil && !slices.Contains(w.render, f):
			w.render = append(w.render, f)
		case err == nil:
		case convert.Known(name) && !slices.Contains(w.convert, name):
			w.convert = append(w.convert, name)
		case !convert.Known(name):
			return w, katprep.Errorf(katprep.Invalid, "unknown report format %q", name).WithHint("formats are %s", formatNames())
		}
	}
	return w, nil
}

// write makes all documents that were asked for.
func (c *reportCmd) write(a *app, want reportKinds, r *katprep.Report, o render.Options, keep func(string) bool) (int, error) {
	n, err := writeReport(a, c.Out, want.render, r, o, keep)
	if err != nil {
		return n, err
	}
	for _, f := range want.convert {
		if err := os.MkdirAll(c.Out, 0o755); err != nil {
			return n, err
		}
		a.term.Status("making the report as %s", f)
		if err := convert.Convert(a.ctx, f, filepath.Join(c.Out, "report"+convert.Ext(f)), reportSource(r, o)); err != nil {
			return n, err
		}
		n++
		if a.term.JSON() {
			if err := a.emit("document", map[string]any{"format": f, "path": filepath.Join(c.Out, "report"+convert.Ext(f)), "host": nil}); err != nil {
				return n, err
			}
		}
	}
	if !want.bills {
		return n, nil
	}
	bills, err := writeBills(a, c.Out, r, keep)
	return n + bills, err
}

// reportSource gives the report to other programs.
func reportSource(r *katprep.Report, o render.Options) convert.Source {
	in := func(f render.Format) func() ([]byte, error) {
		return func() ([]byte, error) {
			var b bytes.Buffer
			err := render.Landscape(&b, f, r, render.Options{Notes: o.Notes})
			return b.Bytes(), err
		}
	}
	return convert.Source{Markdown: in(render.Markdown), HTML: in(render.HTML)}
}

// writeBills writes a bill of materials for each host of the later snapshot
// whose packages are known.
func writeBills(a *app, dir string, r *katprep.Report, keep func(string) bool) (n int, err error) {
	arc, err := a.archive()
	if err != nil {
		return 0, err
	}
	names := documentNames{}
	for s, err := range arc.States(a.ctx, r.After.Commit) {
		if err != nil {
			return n, err
		}
		if !keep(s.Name) {
			continue
		}
		if !s.Knows(katprep.AspectPackages) {
			a.term.Warn("%s: no bill of materials: its packages were not collected", s.Name)
			continue
		}
		path := filepath.Join(dir, "hosts", names.next(s.Host)+".cdx.json")
		if err := a.document(path, cycloneDX, &s.Host, func(w io.Writer) error { return render.CycloneDX(w, &s, r.After) }); err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}

// options reads what the user adds to a report.
func (c *reportCmd) options(a *app) (o render.Options, meta map[string]string, err error) {
	if c.Template != "" {
		path, err := templatePath(a, c.Template)
		if err != nil {
			return o, nil, err
		}
		if o.Template, err = render.LoadTemplate(path); err != nil {
			return o, nil, err
		}
	}
	if c.Meta != "" {
		if meta, err = render.LoadMeta(c.Meta); err != nil {
			return
		}
	}
	if c.Notes != "" {
		b, err := os.ReadFile(c.Notes)
		if err != nil {
			return o, nil, katprep.Errorf(katprep.Invalid, "read notes: %w", err)
		}
		o.Notes = string(b)
	}
	return
}

// describe gives the report its title, the user's words and the run's record.
func (c *reportCmd) describe(a *app, r *katprep.Report, meta map[string]string) error {
	cfg, err := a.config()
	if err != nil {
		return err
	}
	r.Title = firstOf(c.Title, cfg.Report.Title, "Patch report")
	r.Meta = meta
	if r.Meta == nil {
		r.Meta = cfg.Report.Meta
	}
	if err := attachRun(a, r); err != nil {
		return err
	}
	arc, err := a.archive()
	if err != nil {
		return err
	}
	r.VMSnapshots, err = arc.VMSnapshots(a.ctx, r.After.Snapshot.Finished)
	return err
}

// attachRun adds the run's plan and journal if the archive has them.
func attachRun(a *app, r *katprep.Report) error {
	run := r.After.Snapshot.Run
	if run == "" {
		return nil
	}
	arc, err := a.archive()
	if err != nil {
		return err
	}
	rec, err := arc.Run(a.ctx, run)
	if katprep.KindOf(err) == katprep.NotFound && err != nil {
		return nil
	}
	if err != nil {
		return err
	}
	// A plan may have been made from a snapshot that has no tag of the run.
	if r.Before.Snapshot.Run == run || rec.Plan.Before == r.Before.Commit {
		r.Run = &rec
		r.Remarks, r.Named, err = site.Remarks(a.ctx, newSiteSource(arc), &rec, &r.After)
	}
	return err
}

func firstOf(words ...string) string {
	for _, w := range words {
		if w != "" {
			return w
		}
	}
	return ""
}

// writeReport writes the summary and the hosts' documents into a directory.
func writeReport(a *app, dir string, formats []render.Format, r *katprep.Report, o render.Options, keep func(string) bool) (int, error) {
	n := 0
	for _, f := range formats {
		names := documentNames{}
		err := a.document(filepath.Join(dir, "summary"+f.Ext()), string(f), nil, func(w io.Writer) error {
			return render.Landscape(w, f, r, render.Options{Notes: o.Notes})
		})
		if err != nil {
			return n, err
		}
		n++
		ext := f.Ext()
		if o.Template != nil { // its own kind of document, once
			if ext = o.Template.Ext; f != formats[0] {
				continue
			}
		}
		for i := range r.Hosts {
			h := &r.Hosts[i]
			if !keep(h.Name) {
				continue
			}
			if err := a.ctx.Err(); err != nil {
				return n, err
			}
			path := filepath.Join(dir, "hosts", names.next(h.Host)+ext)
			if err := a.document(path, string(f), &h.Host, func(w io.Writer) error { return render.Host(w, f, r, h, o) }); err != nil {
				return n, err
			}
			n++
		}
	}
	return n, nil
}

// writeFile writes a file whole or not at all.
func writeFile(path string, write func(io.Writer) error) (err error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".katprep-*")
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	defer func() {
		if err != nil {
			os.Remove(f.Name())
		}
	}()
	err = write(f)
	if err = errors.Join(err, f.Chmod(0o644), f.Close()); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return os.Rename(f.Name(), path)
}
