package main

import (
	"os/exec"

	"github.com/stdevel/katprep"
)

type archiveMaintainCmd struct {
	Git bool `help:"Let Git's own program do it: git repack -a -d."`
}

// Help adds to the command's help.
func (archiveMaintainCmd) Help() string {
	return `Joins the packs of many snapshots into one, which is smaller and quicker to read.
Nothing is lost, and it may run beside a snapshot; once a week is good. The old packs
go when every object was read back from the new one. The --git flag leaves the work
to Git, which packs less tightly.

Never run "git gc --prune=now" in an archive while something is being written.`
}

// Run maintains and says what it gained.
func (c *archiveMaintainCmd) Run(a *app) error {
	arc, err := a.archive()
	if err != nil {
		return err
	}
	git := ""
	if c.Git {
		if git, err = exec.LookPath("git"); err != nil {
			return katprep.Errorf(katprep.NotFound, "maintain the archive: %w", err).WithHint("leave --git out: katprep can do it alone")
		}
	}
	m, err := arc.Maintain(a.ctx, git)
	if err != nil {
		return err
	}
	if a.term.JSON() {
		return a.emit("maintained", m)
	}
	const kib = 1024
	a.term.Note("packs: %d before, %d now; size: %d KiB before, %d KiB now", m.PacksBefore, m.PacksAfter, m.BytesBefore/kib, m.BytesAfter/kib)
	return nil
}
