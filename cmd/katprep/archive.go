package main

import (
	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/collect"
	"github.com/stdevel/katprep/collect/legacy"
	"github.com/stdevel/katprep/internal/archive"
)

type archiveCmd struct {
	Import   archiveImportCmd   `cmd:"" help:"Bring snapshots of the old katprep into the archive."`
	Verify   archiveVerifyCmd   `cmd:"" help:"Verify the whole archive, or what is new in it."`
	Push     archivePushCmd     `cmd:"" help:"Send the history to the configured remotes."`
	Pull     archivePullCmd     `cmd:"" help:"Bring what a remote is ahead into the archive."`
	Stamp    archiveStampCmd    `cmd:"" help:"Have a time-stamp service witness the history."`
	Scan     archiveScanCmd     `cmd:"" help:"Look for secrets in the history."`
	Maintain archiveMaintainCmd `cmd:"" help:"Join the packs of many snapshots into one."`
	Retain   archiveRetainCmd   `cmd:"" help:"Move old history into a bundle that continues the chain."`
	Keys     archiveKeysCmd     `cmd:"" help:"Keep the keys that may sign."`
}

type archiveImportCmd struct {
	File []string `arg:"" type:"existingfile" help:"Files named errata-snapshot-report-*.json."`
}

// Help adds to the command's help.
func (archiveImportCmd) Help() string {
	return `Each file becomes one snapshot with the date in its name, the oldest first.

  katprep archive import /var/lib/katprep/errata-snapshot-report-*.json`
}

// Run imports the files; all are read before the first is committed, so a
// file that is not whole imports nothing.
func (c *archiveImportCmd) Run(a *app) error {
	files, err := legacy.ReadAll(c.File)
	if err != nil {
		return err
	}
	arc, err := a.archiveForWriting()
	if err != nil {
		return err
	}
	have, err := imported(a, arc)
	if err != nil {
		return err
	}
	for _, f := range files {
		if have[f.Taken.Unix()] {
			a.term.Note("%s is in the archive already", f.Path)
			continue
		}
		if err := importFile(a, arc, f); err != nil {
			return err
		}
	}
	a.pushConfigured()
	return nil
}

// legacySource is the source of imported hosts.
const legacySource = "legacy"

// imported finds the times of imported snapshots.
func imported(a *app, arc *archive.Archive) (map[int64]bool, error) {
	times := map[int64]bool{}
	head, err := arc.Resolve(a.ctx, "latest")
	if err != nil {
		if katprep.KindOf(err) == katprep.NotFound {
			err = nil
		}
		return times, err
	}
	for commit, err := range arc.Log(a.ctx, head) {
		if err != nil {
			return nil, err
		}
		if commit.Kind != archive.KindSnapshot {
			continue
		}
		s, err := arc.Snapshot(a.ctx, commit.ID)
		if err != nil {
			return nil, err
		}
		if len(s.Sources) == 1 && s.Sources[0].Type == legacySource {
			times[s.Finished.Unix()] = true
		}
	}
	return times, nil
}

func importFile(a *app, arc *archive.Archive, f *legacy.File) error {
	w, err := arc.Begin(a.ctx)
	if err != nil {
		return err
	}
	defer w.Abort()
	snap, err := collect.Run(a.ctx, []collect.Source{{Name: legacySource, Collector: f}}, katprep.Selection{}, w, collect.Options{})
	if err != nil {
		return err
	}
	snap.Format, snap.Version = katprep.ArchiveFormat, version()
	snap.Started, snap.Finished = f.Taken, f.Taken
	id, err := w.Commit(a.ctx, snap)
	if err != nil {
		return err
	}
	a.term.Note("imported %s (%s) as %s: %s", f.Path, f.Taken.Format("2006-01-02 15:04"), id.Short(), snapshotLine(snap))
	return nil
}
