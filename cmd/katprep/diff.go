package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/internal/term"
	"github.com/stdevel/katprep/render"
)

type diffCmd struct {
	pairFlags
	Host   []string `placeholder:"GLOB" help:"Only these hosts."`
	All    bool     `help:"Hosts without any change as well."`
	Format string   `short:"f" placeholder:"FORMAT" help:"As one document on standard output: markdown, html, json, csv, junit, openmetrics."`
}

// Help adds to the command's help.
func (diffCmd) Help() string {
	return `Compares the last two snapshots, two that are named, or those of a run.

  katprep diff                                 the last two snapshots
  katprep diff 2026-11-01 latest
  katprep diff --run patch-2026-11 --host 'db*'
  katprep diff 2026-11-01 latest --format html >november.html

An erratum counts as installed only if installed versions reach the fixed ones;
a host that was not collected afterwards is unknown.`
}

// Run prints what changed.
func (c *diffCmd) Run(a *app) error {
	if c.Format != "" {
		return c.document(a)
	}
	r, err := a.compare(c.pairFlags, c.All || len(c.Host) > 0)
	if err != nil {
		return err
	}
	keep, err := hostFilter(c.Host)
	if err != nil {
		return err
	}
	if err := a.sayIfSame(r); err != nil {
		return err
	}
	if a.term.JSON() {
		return c.json(a, r, keep)
	}
	w := a.term.Out()
	for i := range r.Hosts {
		h := &r.Hosts[i]
		// A host that was asked for by name is shown, changed or not.
		if keep(h.Name) && (c.All || len(c.Host) > 0 || h.Changed()) {
			diffHost(a, w, h)
		}
	}
	if len(c.Host) > 0 {
		fmt.Fprintln(w, "all hosts of the two snapshots:")
	}
	diffTotals(w, r)
	return unknownError(r)
}

// document prints the comparison as a report.
func (c *diffCmd) document(a *app) error {
	f, err := render.ParseFormat(c.Format)
	if err != nil {
		return err
	}
	if len(c.Host) > 0 {
		return katprep.Errorf(katprep.Invalid, "a document is about all hosts").WithHint("documents for some of them: katprep report --host GLOB --out DIR")
	}
	r, err := a.compare(c.pairFlags, c.All)
	if err != nil {
		return err
	}
	cfg, err := a.config()
	if err != nil {
		return err
	}
	r.Title = firstOf(cfg.Report.Title, "Comparison of two snapshots")
	if said, err := a.sameSnapshot(r); err != nil {
		return err
	} else if said != "" {
		a.term.Warn("%s", said)
	}
	if err := attachRun(a, r); err != nil {
		return err
	}
	if err := render.Landscape(a.term.Out(), f, r, render.Options{}); err != nil {
		return err
	}
	return unknownError(r)
}

func (c *diffCmd) json(a *app, r *katprep.Report, keep func(string) bool) error {
	for i := range r.Hosts {
		if h := &r.Hosts[i]; keep(h.Name) && (c.All || h.Changed()) {
			if err := a.emit("host", h); err != nil {
				return err
			}
		}
	}
	if err := a.emit("totals", r.Totals); err != nil {
		return err
	}
	return unknownError(r)
}

// unknownError makes the exit code 3 when hosts are unknown.
func unknownError(r *katprep.Report) error {
	if r.Totals.Unknown == 0 {
		return removedError(r)
	}
	return katprep.Errorf(katprep.Partial, "%d of %s unknown: not collected in both snapshots", r.Totals.Unknown, plural(r.Totals.Hosts, "host is", "hosts are")).
		WithHint("katprep show --gaps --at %s", r.After.Commit.Short())
}

// removedError makes the exit code 3 when errata of removed hosts are unknown.
func removedError(r *katprep.Report) error {
	if r.Totals.Removed == 0 || r.Totals.Errata[katprep.Unknown] == 0 {
		return nil
	}
	return katprep.Errorf(katprep.Partial, "%s removed since: what became of %s on them is unknown",
		plural(r.Totals.Removed, "host was", "hosts were"), plural(r.Totals.Errata[katprep.Unknown], "erratum", "errata"))
}

// signs are the shapes of endings; the word always stands beside.
var signs = map[katprep.Ending]term.Cell{
	katprep.Installed:     {Text: "✓ installed", Style: term.Green},
	katprep.RebootPending: {Text: "↻ installed, reboot pending", Style: term.Yellow},
	katprep.NoLonger:      {Text: "∅ no longer applicable", Style: term.Dim},
	katprep.Pending:       {Text: "○ pending"},
	katprep.Unknown:       {Text: "? unknown", Style: term.Red},
	katprep.New:           {Text: "+ new", Style: term.Blue},
}

// presences are the words for hosts that are not in both snapshots.
var presences = map[katprep.Presence]string{
	katprep.OnlyBefore:   "removed: its source no longer knows it",
	katprep.OnlyAfter:    "added",
	katprep.NotSelected:  "not selected in both snapshots",
	katprep.NotCollected: "? unknown",
}

func diffHost(a *app, w io.Writer, h *katprep.HostChange) {
	head := a.term.Styled(term.Bold, h.Name)
	if p := presences[h.Presence]; p != "" {
		head += "  " + p
	} else if !h.Changed() {
		head += "  unchanged"
	}
	fmt.Fprintln(w, head)
	for _, p := range h.Problems {
		fmt.Fprintf(w, "  ! %s\n", term.Clean(p.Message))
	}
	if h.Boot.Rebooted == katprep.Yes {
		fmt.Fprintf(w, "  rebooted (%s)\n", h.Boot.Proof)
	}
	if h.Kernel.Before != h.Kernel.After && h.Kernel.After != "" {
		fmt.Fprintf(w, "  kernel %s → %s\n", orNone(h.Kernel.Before), term.Clean(h.Kernel.After))
	}
	for _, e := range h.Errata {
		sign := signs[e.Ending]
		line := fmt.Sprintf("  %s  %s", a.term.Styled(sign.Style, sign.Text), term.Clean(e.ID))
		if e.Severity != "" {
			line += " (" + term.Clean(string(e.Severity)) + ")"
		}
		if e.Reason != "" && e.Ending != katprep.Pending {
			line += ": " + term.Clean(e.Reason)
		}
		fmt.Fprintln(w, line)
	}
	diffPackages(w, h)
	for _, p := range h.Parameters {
		fmt.Fprintf(w, "  parameter %s: %s → %s\n", term.Clean(p.Name), orAbsent(p.Before), orAbsent(p.After))
	}
	for _, f := range h.Fields {
		fmt.Fprintf(w, "  %s: %s → %s\n", f.Field, orNone(f.Before), orNone(f.After))
	}
}

func diffPackages(w io.Writer, h *katprep.HostChange) {
	for _, p := range h.Packages {
		fmt.Fprintf(w, "  %-10s %s: %s → %s\n", p.Kind, term.Clean(p.String()), versions(p.Before), versions(p.After))
	}
	open := 0
	for _, u := range h.Updates {
		if u.Ending == katprep.Pending {
			open++
		}
	}
	if open > 0 {
		fmt.Fprintf(w, "  ○ %d package updates pending\n", open)
	}
}

func versions(evrs []katprep.EVR) string {
	if len(evrs) == 0 {
		return "∅"
	}
	words := make([]string, len(evrs))
	for i, e := range evrs {
		words[i] = term.Clean(string(e))
	}
	return strings.Join(words, ", ")
}

func orNone(s string) string {
	if s == "" {
		return "∅"
	}
	return term.Clean(s)
}

func orAbsent(s *string) string {
	if s == nil {
		return "∅"
	}
	return term.Clean(*s)
}

func diffTotals(w io.Writer, r *katprep.Report) {
	t := r.Totals
	fmt.Fprintf(w, "%s (%s) → %s (%s)\n", r.Before.Commit.Short(), r.Before.Snapshot.Finished.Format("2006-01-02 15:04"),
		r.After.Commit.Short(), r.After.Snapshot.Finished.Format("2006-01-02 15:04"))
	fmt.Fprintf(w, "%s: %d changed, %d unchanged, %d unknown, %d added, %d removed",
		plural(t.Hosts, "host", "hosts"), t.Changed, t.Unchanged, t.Unknown, t.Added, t.Removed)
	if t.NotSelected > 0 {
		fmt.Fprintf(w, ", %d not selected in both", t.NotSelected)
	}
	fmt.Fprintf(w, "; %d rebooted\n", t.Rebooted)
	var words []string
	for _, e := range katprep.Endings {
		if n := t.Errata[e]; n > 0 {
			words = append(words, fmt.Sprintf("%d %s", n, signs[e].Text[strings.IndexByte(signs[e].Text, ' ')+1:]))
		}
	}
	if len(words) > 0 {
		fmt.Fprintf(w, "errata: %s\n", strings.Join(words, ", "))
	}
	words = words[:0]
	for _, k := range []katprep.PackageKind{katprep.Upgraded, katprep.Added, katprep.Removed, katprep.Downgraded, katprep.Changed} {
		if n := t.Packages[k]; n > 0 {
			words = append(words, fmt.Sprintf("%d %s", n, k))
		}
	}
	if len(words) > 0 {
		fmt.Fprintf(w, "packages: %s\n", strings.Join(words, ", "))
	}
}
