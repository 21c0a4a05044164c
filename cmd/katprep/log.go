package main

import (
	"fmt"
	"time"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/internal/archive"
	"github.com/stdevel/katprep/internal/term"
)

type logCmd struct {
	Max int    `short:"n" default:"20" placeholder:"N" help:"How many; 0 for all."`
	Rev string `arg:"" optional:"" default:"latest" help:"Where to begin."`
}

// logEntry is a snapshot in the JSON stream.
type logEntry struct {
	Commit  katprep.CommitID `json:"commit"`
	When    time.Time        `json:"when"`
	Author  string           `json:"author"`
	Subject string           `json:"subject"`
	Signed  bool             `json:"signed"`
	Run     katprep.RunID    `json:"run,omitempty"`
	Phase   katprep.Phase    `json:"phase,omitempty"`
	Counts  katprep.Counts   `json:"counts"`
}

// Run lists snapshots, the newest first.
func (c *logCmd) Run(a *app) error {
	arc, err := a.archive()
	if err != nil {
		return err
	}
	from, err := arc.Resolve(a.ctx, c.Rev)
	if err != nil {
		return err
	}
	tb := a.term.NewTable("COMMIT", "WHEN (UTC)", "HOSTS", "ERRATA", "UPDATES", "REBOOT", "GAPS", "RUN")
	n := 0
	for commit, err := range arc.Log(a.ctx, from) {
		if err != nil {
			return err
		}
		if commit.Kind != archive.KindSnapshot {
			continue
		}
		if n++; c.Max > 0 && n > c.Max {
			return tb.Write(a.term.Out())
		}
		if err := c.entry(a, tb, arc, commit); err != nil {
			return err
		}
	}
	err = tb.Write(a.term.Out())
	a.sayOlder(arc)
	return err
}

func (c *logCmd) entry(a *app, tb *term.Table, arc *archive.Archive, commit archive.Commit) error {
	s, err := arc.Snapshot(a.ctx, commit.ID)
	if err != nil {
		return err
	}
	if a.term.JSON() {
		return a.emit("snapshot", logEntry{
			Commit: commit.ID, When: s.Finished, Author: commit.Author.Name, Subject: commit.Subject,
			Signed: commit.Signed, Run: s.Run, Phase: s.Phase, Counts: s.Counts,
		})
	}
	gaps := term.Cell{Text: fmt.Sprint(s.Counts.Incomplete + s.Counts.Failed)}
	for _, src := range s.Sources {
		if src.Problem != "" {
			gaps.Text += ", and hosts of " + src.Name
		}
	}
	if gaps.Text != "0" {
		gaps.Style = term.Yellow
	}
	run := string(s.Run)
	if s.Phase != "" {
		run = string(s.Phase) + " " + run
	}
	errata := fmt.Sprint(s.Counts.HostErrata)
	if s.Counts.ErrataUnknown >= s.Counts.Hosts-s.Counts.Failed {
		errata = "?"
	}
	tb.Row(commit.ID.Short(), s.Finished.Format("2006-01-02 15:04"), s.Counts.Hosts, errata, s.Counts.Updates, rebootCount(s.Counts), gaps, run)
	return nil
}

// rebootCount never shows 0 for hosts of which nobody knows.
func rebootCount(c katprep.Counts) string {
	unknown := c.RebootUnknown - c.Failed
	switch {
	case unknown <= 0:
		return fmt.Sprint(c.RebootNeeded)
	case c.RebootNeeded == 0 && unknown >= c.Hosts-c.Failed:
		return "?"
	}
	return fmt.Sprintf("%d + %d?", c.RebootNeeded, unknown)
}
