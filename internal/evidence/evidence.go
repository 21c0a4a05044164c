// Package evidence hands a run over to an auditor: one folder with the
// report, the data, the signed history and the keys, which is checked with
// git, ssh-keygen and sha256sum alone.
package evidence

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/internal/archive"
)

// A File is one that the caller brings, such as the report.
type File struct {
	Name  string // path within the folder, with slashes
	About string // what it is, a line for the README
	Write func(w io.Writer) error
}

// Options say what is handed over.
type Options struct {
	Run     katprep.RunID
	Before  katprep.CommitID // the snapshots of the run
	After   katprep.CommitID
	Files   []File
	Version string   // of katprep
	StampCA []byte   // PEM: who issued the certificate of the time-stamp service; nil: not known
	Missing []string // what is not in the folder, and why, for the README
}

// Export fills a folder, which must be new or empty. The same archive and
// files give the same bytes, but for the signature of the checksums.
func Export(ctx context.Context, a *archive.Archive, dir string, o Options) error {
	op := "export the evidence of run " + string(o.Run)
	if list, err := os.ReadDir(dir); err == nil && len(list) > 0 {
		return katprep.Errorf(katprep.Conflict, "%s: the folder %s is not empty", op, dir).WithHint("choose a new one")
	} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s: %w", op, err)
	}
	e := &exporter{ctx: ctx, a: a, dir: dir, o: o}
	if err := e.all(); err != nil {
		return fmt.Errorf("%s: %w", op, err)
	}
	return nil
}

type exporter struct {
	ctx   context.Context
	a     *archive.Archive
	dir   string
	o     Options
	names []string
	pgp   bool // OpenPGP keys are there
	ssh   bool // SSH keys are there
	who   string

	stamps []stamp
	older  []archive.Retained // in bundles elsewhere
}

func (e *exporter) all() error {
	tip, err := e.a.Resolve(e.ctx, "main")
	if err != nil {
		return err
	}
	for _, c := range []katprep.CommitID{e.o.Before, e.o.After} {
		if _, err := e.a.Snapshot(e.ctx, c); err != nil {
			return err
		}
	}
	if err := e.keys(); err != nil {
		return err
	}
	files, err := e.a.RunFiles(e.ctx, e.o.Run)
	if err != nil {
		return err
	}
	for name, text := range files {
		if err := e.text("run/"+name, text); err != nil {
			return err
		}
	}
	for _, f := range e.o.Files {
		if err := e.write(f.Name, f.Write); err != nil {
			return err
		}
	}
	if err := e.addStamps(); err != nil {
		return err
	}
	if err := e.boundary(); err != nil {
		return err
	}
	if err := e.write("history.bundle", func(w io.Writer) error { return e.a.Bundle(e.ctx, w, tip) }); err != nil {
		return err
	}
	if err := e.text("README.txt", []byte(e.readme(tip))); err != nil {
		return err
	}
	return e.sums()
}

func (e *exporter) keys() error {
	signers, openpgp, err := e.a.SigningFiles(e.ctx)
	if err != nil {
		return err
	}
	if e.ssh = len(signers) > 0; e.ssh {
		for line := range strings.Lines(string(signers)) {
			if who, _, ok := strings.Cut(line, " "); ok && who[0] != '#' {
				e.who = who // the last one that was let in
			}
		}
		if err := e.text("keys/allowed_signers", signers); err != nil {
			return err
		}
	}
	if e.pgp = len(openpgp) > 0; e.pgp {
		return e.text("keys/openpgp.asc", openpgp)
	}
	return nil
}

func (e *exporter) text(name string, text []byte) error {
	return e.write(name, func(w io.Writer) error {
		_, err := w.Write(text)
		return err
	})
}

func (e *exporter) write(name string, fill func(w io.Writer) error) error {
	if !filepath.IsLocal(filepath.FromSlash(name)) {
		return katprep.Errorf(katprep.Invalid, "file name %q", name)
	}
	path := filepath.Join(e.dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	if err := fill(f); err != nil {
		return errors.Join(err, f.Close())
	}
	e.names = append(e.names, name)
	return f.Close()
}

// sums writes the checksums of all files, and their signature.
func (e *exporter) sums() error {
	slices.Sort(e.names)
	var b bytes.Buffer
	for _, name := range e.names {
		sum, err := sumOf(filepath.Join(e.dir, filepath.FromSlash(name)))
		if err != nil {
			return err
		}
		fmt.Fprintf(&b, "%x  %s\n", sum, name)
	}
	if err := e.text("SHA256SUMS", b.Bytes()); err != nil {
		return err
	}
	armor, err := e.a.Sign(e.ctx, b.Bytes())
	if err != nil || armor == "" {
		return err
	}
	return e.text("SHA256SUMS.sig", []byte(armor))
}

func sumOf(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	d := sha256.New()
	if _, err := io.Copy(d, f); err != nil {
		return nil, err
	}
	return d.Sum(nil), nil
}
