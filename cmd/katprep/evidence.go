package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/internal/archive"
	"github.com/stdevel/katprep/internal/evidence"
	"github.com/stdevel/katprep/render"
	"github.com/stdevel/katprep/render/convert"
)

type evidenceCmd struct {
	Export evidenceExportCmd `cmd:"" help:"Write the evidence of a run for an auditor."`
}

type evidenceExportCmd struct {
	ID    string `arg:"" optional:"" name:"run" help:"Run."`
	RunID string `name:"run" placeholder:"RUN" help:"The same."`
	Out   string `short:"o" placeholder:"DIR|FILE.zip" help:"A new folder, or a zip file (default: evidence-RUN)."`
	NoPDF bool   `name:"no-pdf" help:"Leave the report as PDF out; it is made with Chromium if that is installed."`
}

// Help adds to the command's help.
func (evidenceExportCmd) Help() string {
	return `Writes one folder with the report, the data behind it, the signed history as a Git
bundle, its time stamps, the public keys, what katprep verified, checksums, and a
page that says how to check each of them with git, ssh-keygen, sha256sum and openssl
alone.

Exit code 3: the folder is whole, but a link of the archive's chain is broken; it
is named in verification.txt.

  katprep evidence export patch-2026-11 -o patch-2026-11.zip`
}

// Run exports.
func (c *evidenceExportCmd) Run(a *app) error {
	if c.ID == "" {
		c.ID = c.RunID
	}
	if c.ID == "" || c.RunID != "" && c.RunID != c.ID {
		return katprep.Errorf(katprep.Invalid, "which run?").WithHint("katprep evidence export RUN; the runs: katprep maintenance list")
	}
	out := firstOf(c.Out, "evidence-"+c.ID)
	arc, err := a.archive()
	if err != nil {
		return err
	}
	r, err := a.compare(pairFlags{Run: c.ID, Force: true}, true)
	if err != nil {
		return err
	}
	if err := (&reportCmd{}).describe(a, r, nil); err != nil {
		return err
	}
	o := evidence.Options{Run: katprep.RunID(c.ID), Before: r.Before.Commit, After: r.After.Commit, Version: version()}
	if o.StampCA, err = a.stampCA(); err != nil {
		return err
	}
	v, err := c.verify(a, arc)
	if err != nil {
		return err
	}
	o.Files = evidenceFiles(r, v)
	if strings.HasSuffix(out, ".zip") {
		err = c.zip(a, arc, out, r, o)
	} else {
		err = c.folder(a, arc, out, r, o)
	}
	if err != nil {
		return err
	}
	return c.say(a, out, v)
}

func (c *evidenceExportCmd) say(a *app, out string, v *archive.Verification) error {
	broken := ""
	if b := v.Broken(); b != nil {
		broken = b.String()
	}
	if a.term.JSON() {
		if err := a.emit("evidence", map[string]any{"run": c.ID, "out": out, "tip": v.Tip, "broken": broken}); err != nil {
			return err
		}
	} else {
		a.term.Note("the evidence of %s is in %s; its README.txt says how to check it", c.ID, out)
	}
	if broken != "" {
		return katprep.Errorf(katprep.Partial, "the evidence is exported, but the archive does not hold: %s", broken)
	}
	return nil
}

// verify verifies the archive against what was verified the last time.
func (c *evidenceExportCmd) verify(a *app, arc *archive.Archive) (*archive.Verification, error) {
	cmd := archiveVerifyCmd{}
	file, err := cmd.stateFile(a, arc)
	if err != nil {
		return nil, err
	}
	o, err := cmd.options(a, arc, file)
	if err != nil {
		return nil, err
	}
	a.term.Status("verifying the archive")
	defer a.term.Status("")
	v, err := arc.Verify(a.ctx, o)
	if err != nil {
		return nil, err
	}
	return v, a.verifyClaims(arc, v, "")
}

// evidenceFiles are the report and the verification.
func evidenceFiles(r *katprep.Report, v *archive.Verification) []evidence.File {
	report := func(name, about string, f render.Format) evidence.File {
		return evidence.File{Name: name, About: about, Write: func(w io.Writer) error { return render.Landscape(w, f, r, render.Options{}) }}
	}
	return []evidence.File{
		report("report.html", "what katprep says about the run, computed from the history", render.HTML),
		report("report.json", "the same for programs, with the run's plan and journal", render.JSON),
		{Name: "verification.txt", About: "what katprep found when it verified the history", Write: func(w io.Writer) error { return writeVerification(w, v) }},
		{Name: "verification.json", About: "the same for programs", Write: func(w io.Writer) error {
			e := json.NewEncoder(w)
			e.SetIndent("", "  ")
			e.SetEscapeHTML(false)
			return e.Encode(v)
		}},
	}
}

// stampCA reads the certificates of the time-stamp service, if configured.
func (a *app) stampCA() ([]byte, error) {
	cfg, err := a.config()
	if err != nil || cfg.Archive.Stamp.CAFile == "" {
		return nil, err
	}
	text, err := os.ReadFile(a.path(cfg.Archive.Stamp.CAFile))
	if err != nil {
		return nil, katprep.Errorf(katprep.Invalid, "certificates of the time-stamp service: %w", err)
	}
	return text, nil
}

// addPDF makes the report's PDF in a folder, or says in the README why there
// is none.
func (c *evidenceExportCmd) addPDF(a *app, tmp string, r *katprep.Report, o *evidence.Options) error {
	file := filepath.Join(tmp, "report.pdf")
	err := error(nil)
	if c.NoPDF {
		err = katprep.Errorf(katprep.NotFound, "it was not wanted")
	} else {
		a.term.Status("making the report as PDF")
		err = convert.Convert(a.ctx, "pdf", file, reportSource(r, render.Options{}))
		a.term.Status("")
	}
	switch {
	case context.Cause(a.ctx) != nil:
		return context.Cause(a.ctx)
	case err != nil:
		if !c.NoPDF {
			a.term.Warn("the report is not there as PDF: %v", err)
		}
		o.Missing = append(o.Missing, fmt.Sprintf("the report as PDF (%s); print report.html from a browser", oneLine(err.Error())))
		return nil
	}
	o.Files = append(o.Files, evidence.File{Name: "report.pdf", About: "the report for paper", Write: func(w io.Writer) error {
		f, err := os.Open(file)
		if err != nil {
			return err
		}
		defer f.Close()
		_, err = io.Copy(w, f)
		return err
	}})
	return nil
}

func (c *evidenceExportCmd) folder(a *app, arc *archive.Archive, dir string, r *katprep.Report, o evidence.Options) error {
	tmp, err := os.MkdirTemp("", "katprep-evidence-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp)
	if err := c.addPDF(a, tmp, r, &o); err != nil {
		return err
	}
	return evidence.Export(a.ctx, arc, dir, o)
}

func (c *evidenceExportCmd) zip(a *app, arc *archive.Archive, file string, r *katprep.Report, o evidence.Options) error {
	if _, err := os.Stat(file); err == nil {
		return katprep.Errorf(katprep.Conflict, "%s is there already", file).WithHint("choose another file")
	}
	tmp, err := os.MkdirTemp("", "katprep-evidence-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp)
	dir := filepath.Join(tmp, "evidence")
	if err := c.folder(a, arc, dir, r, o); err != nil {
		return err
	}
	return evidence.Zip(file, dir)
}
