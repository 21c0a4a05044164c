package main

import (
	"github.com/stdevel/katprep/internal/archive"
)

// sayCopies tells how the copies of the archive stand: what the remotes of
// archive.push lack, and whether the last push failed. Nobody is asked.
func (a *app) sayCopies() {
	cfg, err := a.config()
	if err != nil || len(cfg.Archive.Push) == 0 {
		return
	}
	arc, err := a.archive()
	if err != nil {
		return // what is said came from this machine alone
	}
	for _, name := range cfg.Archive.Push {
		s, err := arc.PushState(a.ctx, archive.Remote{Name: name, Branch: cfg.Archive.Branch})
		switch {
		case err != nil:
			a.warn(err)
		case a.term.JSON():
			if err := a.emit("copy", s); err != nil {
				a.warn(err)
			}
		case s.Problem != "":
			a.term.Warn("remote %s lacks %s; the last push, at %s, failed: %s", name, plural(s.Unpushed, "commit", "commits"), s.Failed.Format("2006-01-02 15:04 UTC"), s.Problem)
			a.term.Warn("hint: katprep archive push %s", name)
		case s.Unpushed > 0:
			a.term.Warn("remote %s lacks %s; katprep archive push %s", name, plural(s.Unpushed, "commit", "commits"), name)
		default:
			a.term.Note("remote %s has all of the archive", name)
		}
	}
}
