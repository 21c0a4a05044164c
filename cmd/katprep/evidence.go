package main

import (
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/internal/evidence"
	"github.com/stdevel/katprep/render"
)

type evidenceCmd struct {
	Export evidenceExportCmd `cmd:"" help:"Write the evidence of a run for an auditor."`
}

type evidenceExportCmd struct {
	ID  string `arg:"" name:"run" help:"Run."`
	Out string `short:"o" placeholder:"DIR|FILE.zip" help:"A new folder, or a zip file (default: evidence-RUN)."`
}

// Help adds to the command's help.
func (evidenceExportCmd) Help() string {
	return `Writes one folder with the report, the data behind it, the signed history as a Git
bundle, the public keys, checksums, and a page that says how to check each of them
with git, ssh-keygen and sha256sum alone.

  katprep evidence export patch-2026-11 -o patch-2026-11.zip`
}

// Run exports.
func (c *evidenceExportCmd) Run(a *app) error {
	out := c.Out
	if out == "" {
		out = "evidence-" + c.ID
	}
	r, err := a.compare(pairFlags{Run: c.ID, Force: true}, true)
	if err != nil {
		return err
	}
	o := evidence.Options{
		Run: katprep.RunID(c.ID), Before: r.Before.Commit, After: r.After.Commit, Version: version(),
		Files: []evidence.File{reportFile(r, "report.html", render.HTML), reportFile(r, "report.json", render.JSON)},
	}
	if strings.HasSuffix(out, ".zip") {
		err = c.zip(a, out, o)
	} else {
		err = c.folder(a, out, o)
	}
	if err != nil {
		return err
	}
	a.term.Note("the evidence of %s is in %s; its README.txt says how to check it", c.ID, out)
	return nil
}

func reportFile(r *katprep.Report, name string, f render.Format) evidence.File {
	return evidence.File{Name: name, Write: func(w io.Writer) error { return render.Landscape(w, f, r, render.Options{}) }}
}

func (c *evidenceExportCmd) folder(a *app, dir string, o evidence.Options) error {
	arc, err := a.archive()
	if err != nil {
		return err
	}
	return evidence.Export(a.ctx, arc, dir, o)
}

func (c *evidenceExportCmd) zip(a *app, file string, o evidence.Options) error {
	if _, err := os.Stat(file); err == nil {
		return katprep.Errorf(katprep.Conflict, "%s is there already", file).WithHint("choose another file")
	}
	tmp, err := os.MkdirTemp("", "katprep-evidence-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp)
	dir := filepath.Join(tmp, "evidence")
	if err := c.folder(a, dir, o); err != nil {
		return err
	}
	return evidence.Zip(file, dir)
}
