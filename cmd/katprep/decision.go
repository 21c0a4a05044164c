package main

import (
	"time"

	"github.com/stdevel/katprep"
)

type approveCmd struct {
	RunID   string `arg:"" name:"run" help:"The run."`
	Reject  bool   `help:"Record that it is not allowed."`
	Comment string `short:"m" placeholder:"TEXT" help:"Why, or the number of the change."`
}

// Run records who allowed a run, before it begins.
func (c *approveCmd) Run(a *app) error {
	verdict := "approved"
	if c.Reject {
		verdict = "rejected"
	}
	return a.decide(c.RunID, verdict, c.Comment, false)
}

type signOffCmd struct {
	RunID   string `arg:"" name:"run" help:"The run."`
	Reject  bool   `help:"Record that the result is not accepted."`
	Comment string `short:"m" placeholder:"TEXT" help:"Why, or what remains to be done."`
}

// Run records who accepted the result of a run.
func (c *signOffCmd) Run(a *app) error {
	verdict := "accepted"
	if c.Reject {
		verdict = "rejected"
	}
	return a.decide(c.RunID, verdict, c.Comment, true)
}

// decide stores a decision on a run that the archive has.
func (a *app) decide(id, verdict, comment string, after bool) error {
	arc, err := a.archive()
	if err != nil {
		return err
	}
	rec, err := arc.Run(a.ctx, katprep.RunID(id))
	if err != nil {
		return err
	}
	d := katprep.Decision{Run: rec.Plan.Run, By: a.author().Name, At: time.Now().UTC().Truncate(time.Second), Verdict: verdict, Comment: comment}
	store := arc.PutApproval
	if after {
		store = arc.PutSignOff
		if d.Claim, err = a.claim(rec.Plan.Run); err != nil {
			return err
		}
	} else if len(rec.Journal) > 0 {
		a.term.Warn("the run has begun already: the record will say so")
	}
	commit, err := store(a.ctx, d)
	if err != nil {
		return err
	}
	a.pushConfigured()
	if a.term.JSON() {
		return a.emit("decision", d)
	}
	a.term.Note("%s by %s, commit %s", verdict, d.By, commit.Short())
	return nil
}
