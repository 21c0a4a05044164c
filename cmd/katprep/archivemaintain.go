package main

import (
	"os/exec"
)

type archiveMaintainCmd struct {
	OwnPacks bool `help:"Do it without Git's program, though it is there."`
}

// Help adds to the command's help.
func (archiveMaintainCmd) Help() string {
	return `Joins the packs of many snapshots into one, which is smaller and quicker to read.
Nothing is lost, and it may run beside a snapshot; once a week is good. Git's own
program is used if it is installed, for it packs tighter.

Never run "git gc --prune=now" in an archive while something is being written.`
}

// Run maintains and says what it gained.
func (c *archiveMaintainCmd) Run(a *app) error {
	arc, err := a.archive()
	if err != nil {
		return err
	}
	git := ""
	if path, err := exec.LookPath("git"); err == nil && !c.OwnPacks {
		git = path
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
