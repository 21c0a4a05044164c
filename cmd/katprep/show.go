package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/internal/archive"
	"github.com/stdevel/katprep/internal/term"
)

type showCmd struct {
	Host    string `arg:"" optional:"" help:"The host's name."`
	At      string `default:"latest" placeholder:"REV" help:"In which snapshot."`
	History bool   `help:"List the snapshots in which the host changed."`
	Gaps    bool   `help:"List the hosts that were not or not wholly collected."`
}

// Help adds to the command's help.
func (showCmd) Help() string {
	return `Shows a host as it is in the latest snapshot, or in another one.

  katprep show web01.example.com
  katprep show web01.example.com --history
  katprep show --gaps --at run/patch-2026-11/after`
}

// Run shows a host, its history, or the gaps.
func (c *showCmd) Run(a *app) error {
	if (c.Host == "") != c.Gaps {
		at := ""
		if c.At != "latest" {
			at = " --at " + term.Clean(c.At)
		}
		return katprep.Errorf(katprep.Invalid, "name either a host or --gaps").
			WithHint("katprep show HOST%s; katprep show --gaps%s; for snapshots: katprep log", at, at)
	}
	arc, err := a.archive()
	if err != nil {
		return err
	}
	at, err := arc.Resolve(a.ctx, c.At)
	if err != nil {
		return err
	}
	switch {
	case c.Gaps:
		return showGaps(a, arc, at)
	case c.History:
		return showHistory(a, arc, at, c.Host)
	}
	states, err := arc.State(a.ctx, at, c.Host)
	if err != nil {
		return err
	}
	for i := range states {
		if a.term.JSON() {
			err = a.emit("state", &states[i])
		} else {
			err = showState(a, arc, at, &states[i])
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func showGaps(a *app, arc *archive.Archive, at katprep.CommitID) error {
	s, err := arc.Snapshot(a.ctx, at)
	if err != nil {
		return err
	}
	tb := a.term.NewTable("HOST", "SOURCE", "STATUS", "WHY")
	for _, src := range s.Sources {
		if src.Problem == "" {
			continue
		}
		if a.term.JSON() {
			if err := a.emit("source", src); err != nil {
				return err
			}
			continue
		}
		tb.Row("(the list of hosts)", src.Name, term.Cell{Text: "incomplete", Style: term.Yellow}, src.Problem)
	}
	for _, g := range s.Gaps {
		if a.term.JSON() {
			if err := a.emit("gap", g); err != nil {
				return err
			}
			continue
		}
		tb.Row(g.Name, g.Source, term.Cell{Text: string(g.Status), Style: term.Yellow}, problemText(g.Problems))
	}
	return tb.Write(a.term.Out())
}

func showHistory(a *app, arc *archive.Archive, at katprep.CommitID, host string) error {
	tb := a.term.NewTable("COMMIT", "WHEN (UTC)", "STATUS", "ERRATA", "UPDATES", "PACKAGES", "KERNEL")
	n := 0
	for v, err := range arc.History(a.ctx, at, host) {
		if err != nil {
			return err
		}
		n++
		if a.term.JSON() {
			if err := a.emit("version", map[string]any{"commit": v.Commit.ID, "when": v.Commit.When, "state": v.State}); err != nil {
				return err
			}
			continue
		}
		when := v.Commit.When.UTC().Format("2006-01-02 15:04")
		if v.State == nil {
			tb.Row(v.Commit.ID.Short(), when, "not in it")
			continue
		}
		s := v.State
		tb.Row(v.Commit.ID.Short(), when, s.Status, known(s, katprep.AspectErrata, len(s.Errata)),
			known(s, katprep.AspectUpdates, len(s.Updates)), known(s, katprep.AspectPackages, len(s.Packages)), s.Kernel.Running)
	}
	if n == 0 {
		return katprep.Errorf(katprep.NotFound, "no snapshot up to %s holds a host %q", at.Short(), term.Clean(host)).WithHint("katprep log")
	}
	err := tb.Write(a.term.Out())
	a.sayOlder(arc)
	return err
}

// known shows a number only if it was collected.
func known(s *katprep.State, aspect katprep.Aspect, n int) string {
	if !s.Knows(aspect) {
		return "unknown"
	}
	return fmt.Sprint(n)
}

// showState prints a host for people.
func showState(a *app, arc *archive.Archive, at katprep.CommitID, s *katprep.State) error {
	w := a.term.Out()
	fmt.Fprintf(w, "%s  %s\n", a.term.Styled(term.Bold, s.Name), s.Status)
	field := func(name, value string) {
		if value != "" {
			fmt.Fprintf(w, "  %-13s %s\n", name, term.Clean(value))
		}
	}
	field("source", s.HostID.String())
	field("system", strings.TrimSpace(s.Facts.OS.Name+" "+s.Facts.Arch))
	field("hardware", string(s.Facts.Hardware))
	field("address", strings.TrimSpace(s.Facts.IP+" "+s.Facts.IP6))
	field("owner", s.Facts.Owner)
	field("organization", s.Facts.Organization)
	field("location", s.Facts.Location)
	field("host group", s.Facts.HostGroup)
	field("environment", s.Facts.Environment)
	field("kernel", kernelText(s))
	if !s.Boot.Time.IsZero() {
		field("booted", s.Boot.Time.UTC().Format(time.RFC3339))
	}
	field("reboot", rebootText(s))
	field("errata", known(s, katprep.AspectErrata, len(s.Errata)))
	field("updates", known(s, katprep.AspectUpdates, len(s.Updates)))
	field("packages", known(s, katprep.AspectPackages, len(s.Packages)))
	for _, p := range s.Problems {
		field("problem", strings.TrimPrefix(string(p.Aspect)+": ", ": ")+p.Message)
	}
	for _, p := range s.Processes {
		field("old files in", strings.TrimSpace(p.Name+" "+p.Unit))
	}
	return showPending(a, w, arc, at, s)
}

func kernelText(s *katprep.State) string {
	k := s.Kernel
	if k.Installed != "" && k.Installed != k.Running {
		return k.Running + " (installed: " + k.Installed + ")"
	}
	return k.Running
}

func rebootText(s *katprep.State) string {
	switch s.Reboot.Need {
	case katprep.Needed:
		return "needed: " + strings.Join(s.Reboot.Reasons, ", ")
	case katprep.NotNeeded:
		return "not needed"
	}
	return "unknown"
}

// showPending lists what waits to be installed.
func showPending(a *app, w io.Writer, arc *archive.Archive, at katprep.CommitID, s *katprep.State) error {
	errata := a.term.NewTable("ERRATUM", "SEVERITY", "ISSUED", "TITLE")
	for _, he := range s.Errata {
		e, err := arc.Erratum(a.ctx, at, he.ID)
		if err != nil && katprep.KindOf(err) != katprep.NotFound {
			return err
		}
		errata.Row(he.ID, string(e.Severity), string(e.Issued), e.Title)
	}
	updates := a.term.NewTable("UPDATE", "FROM", "TO", "ORIGIN")
	for _, u := range s.Updates {
		updates.Row(u.Name, u.From, u.To, u.Origin)
	}
	for _, tb := range []*term.Table{errata, updates} {
		if tb.Len() > 0 {
			fmt.Fprintln(w)
		}
		if err := tb.Write(w); err != nil {
			return err
		}
	}
	return nil
}
