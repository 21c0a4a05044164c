package main

import (
	"os"
	"path/filepath"
	"time"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/internal/archive"
)

type archiveRetainCmd struct {
	Before string `required:"" placeholder:"DATE" help:"Snapshots before this day (UTC) go into the bundle."`
	To     string `required:"" placeholder:"DIR" help:"Folder for the bundle, its manifest, checksums and signature."`
}

// Help adds to the command's help.
func (archiveRetainCmd) Help() string {
	return `Moves old snapshots into a Git bundle, and cuts them off here. The archive is
verified first, and the bundle read back before anything goes. No commit changes:
the first one that stays names the last one of the bundle, so the chain continues,
and tags, signatures and time stamps stay good. What went where is recorded in
policy/retained.json. A maintenance is never parted.

Copies that remotes hold keep all of the history. Keep the bundle at least as
long as the evidence is needed.

  katprep archive retain --before 2026-01-01 --to /srv/evidence/years
  katprep archive verify --bundles /srv/evidence/years`
}

// Run moves, and keeps what was verified for the next time.
func (c *archiveRetainCmd) Run(a *app) error {
	before, err := time.Parse(time.DateOnly, c.Before)
	if err != nil {
		return katprep.Errorf(katprep.Invalid, "--before %q is no date", c.Before).WithHint("write it as 2026-01-01")
	}
	arc, err := a.archive()
	if err != nil {
		return err
	}
	verify := archiveVerifyCmd{}
	file, err := verify.stateFile(a, arc)
	if err != nil {
		return err
	}
	o, err := verify.options(a, arc, file)
	if err != nil {
		return err
	}
	a.term.Status("verifying the archive, and writing the bundle")
	r, err := arc.Retain(a.ctx, archive.RetainOptions{Before: before, Dir: c.To, Verify: o})
	a.term.Status("")
	if err != nil {
		return err
	}
	v, err := arc.Verify(a.ctx, archive.VerifyOptions{StampRoots: o.StampRoots})
	if err != nil {
		return err
	}
	if b := v.Broken(); b != nil {
		return katprep.Errorf(katprep.Corrupt, "the archive does not hold after the cut: %s", b).WithHint("the history before is in %s", filepath.Join(c.To, r.Bundle))
	}
	if err := writeVerified(file, verifiedOf(v)); err != nil {
		return err
	}
	a.pushConfigured()
	if a.term.JSON() {
		return a.emit("retained", r)
	}
	a.term.Note("%s (%s to %s) are in %s now", plural(r.Snaps, "snapshot", "snapshots"),
		r.From.Format(time.DateOnly), r.To.Format(time.DateOnly), filepath.Join(c.To, r.Bundle))
	a.term.Note("keep it, with the files beside it, where this machine cannot change it")
	return nil
}

// sayOlder tells, at the end of a list, where older history is.
func (a *app) sayOlder(arc *archive.Archive) {
	list, cut, err := arc.Retained(a.ctx)
	switch {
	case err != nil:
		a.warn(err)
	case !cut:
	case a.term.JSON():
		for _, r := range list {
			if err := a.emit("older", r); err != nil {
				a.warn(err)
			}
		}
	default:
		for _, r := range list {
			a.term.Note("older: %s, %s to %s, in %s", plural(r.Snaps, "snapshot", "snapshots"), r.From.Format(time.DateOnly), r.To.Format(time.DateOnly), r.Bundle)
		}
	}
}

// joined opens the archive together with the bundles of its older history. The
// function removes what that needs.
func (a *app) joined(arc *archive.Archive, dir string) (*archive.Archive, func(), error) {
	tmp, err := os.MkdirTemp("", "katprep-joined-")
	if err != nil {
		return nil, nil, err
	}
	all, err := arc.Join(a.ctx, dir, filepath.Join(tmp, "archive.git"))
	if err != nil {
		os.RemoveAll(tmp)
		return nil, nil, err
	}
	return all, func() {
		all.Close()
		os.RemoveAll(tmp)
	}, nil
}
