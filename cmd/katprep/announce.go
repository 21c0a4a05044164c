package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/collect"
	"github.com/stdevel/katprep/collect/foreman"
	"github.com/stdevel/katprep/internal/announce"
	"github.com/stdevel/katprep/internal/config"
	"github.com/stdevel/katprep/internal/term"
	"github.com/stdevel/katprep/site"
)

type maintAnnounceCmd struct {
	runFlags
	Way    string `enum:"comment,parameter,report,configured" default:"configured" placeholder:"WAY" help:"Where: comment, parameter or report (default: as configured)."`
	DryRun bool   `short:"n" help:"Say what would be written, and write nothing. Foreman is asked."`
}

// Help adds to the command's help.
func (maintAnnounceCmd) Help() string {
	return `Says on each host's page in Foreman what the run did with it. It takes the
run's after-snapshot: before it, nobody knows what was installed. Said again,
nothing changes.

  katprep snapshot --after patch-2026-11
  katprep maintenance announce patch-2026-11 --way comment`
}

// Run announces.
func (c *maintAnnounceCmd) Run(a *app) error {
	cfg, err := a.config()
	if err != nil {
		return err
	}
	way := announce.Way(c.Way)
	if c.Way == "configured" {
		way = announce.Way(cfg.Maintenance.Announce)
	}
	if way == "" || way == announce.None {
		return katprep.Errorf(katprep.Invalid, "nowhere to announce").WithHint("--way comment, or maintenance.announce in the configuration")
	}
	failed, err := a.announce(katprep.RunID(c.RunID), way, c.DryRun, &c.runFlags)
	if err == nil && failed > 0 {
		err = katprep.Errorf(katprep.Partial, "%s could not be announced", plural(failed, "host", "hosts")).WithHint("the archive holds what happened all the same; run the command again when the cause is gone")
	}
	return err
}

// announceAfter announces a run that has just got its after-snapshot, if the
// configuration says so. What goes wrong is told and changes nothing else.
func (a *app) announceAfter(run katprep.RunID) {
	cfg, err := a.config()
	if err != nil || cfg.Maintenance.Announce == "" || cfg.Maintenance.Announce == string(announce.None) {
		return
	}
	arc, err := a.archive()
	if err == nil {
		_, err = a.runRecord(arc, run)
	}
	if katprep.KindOf(err) == katprep.NotFound && err != nil {
		return // snapshots only: nothing was done that could be told
	}
	failed := 0
	if err == nil {
		failed, err = a.announce(run, announce.Way(cfg.Maintenance.Announce), false, &runFlags{})
	}
	if err != nil {
		a.term.Warn("the run is not announced in Foreman: %v", err)
	}
	if failed > 0 {
		a.term.Warn("%s could not be announced in Foreman; see: katprep maintenance announce %s", plural(failed, "host", "hosts"), run)
	}
}

// announce tells every Foreman of its hosts, and says how many failed.
func (a *app) announce(run katprep.RunID, way announce.Way, dry bool, flags *runFlags) (failed int, err error) {
	cfg, err := a.config()
	if err != nil {
		return 0, err
	}
	r, err := a.compare(pairFlags{Run: string(run)}, true)
	if err != nil {
		return 0, afterMissing(run, err)
	}
	if err := attachRun(a, r); err != nil {
		return 0, err
	}
	if r.Run == nil || r.Run.Plan.Run == "" {
		return 0, katprep.Errorf(katprep.NotFound, "run %s has no plan: there is nothing to announce", run)
	}
	keep, err := flags.filter(r.Run.Plan)
	if err != nil {
		return 0, err
	}
	chosen := map[katprep.HostID]bool{}
	for i := range r.Run.Plan.Hosts {
		chosen[r.Run.Plan.Hosts[i].HostID] = keep(&r.Run.Plan.Hosts[i])
	}
	sources, err := a.sources(nil)
	if err != nil {
		return 0, err
	}
	foremen := 0
	var broken error
	for _, s := range sources {
		c, ok := s.Collector.(*foreman.Collector)
		if !ok {
			continue
		}
		foremen++
		n, err := a.announceOn(s, c, r, way, dry, link(cfg), chosen)
		failed += n
		broken = errors.Join(broken, err)
	}
	if foremen == 0 {
		return 0, katprep.Errorf(katprep.Invalid, "no source of type foreman is configured: there is nowhere to announce")
	}
	return failed, broken
}

// afterMissing says what to do for a run that is not complete.
func afterMissing(run katprep.RunID, err error) error {
	if katprep.KindOf(err) == katprep.NotFound {
		return katprep.Errorf(katprep.NotFound, "run %s cannot be announced: %w", run, err).
			WithHint("nobody knows what was installed before: katprep snapshot --after %s", run)
	}
	return err
}

// link makes addresses of hosts' pages, if it is known where the site is.
func link(cfg *config.Config) func(katprep.Host) string {
	base := strings.TrimRight(cfg.Site.URL, "/")
	if base == "" {
		return nil
	}
	return func(h katprep.Host) string { return base + "/" + site.HostPath(h) }
}

// announceOn tells one Foreman.
func (a *app) announceOn(s collect.Source, c *foreman.Collector, r *katprep.Report, way announce.Way, dry bool,
	link func(katprep.Host) string, chosen map[katprep.HostID]bool) (failed int, err error) {
	items, err := announce.Items(r, s.Name, link)
	if err != nil {
		return 0, err
	}
	var kept []announce.Item
	for i := range items {
		if chosen[items[i].Host.HostID] {
			kept = append(kept, items[i])
		}
	}
	if len(kept) == 0 {
		return 0, nil
	}
	server, err := c.Server(a.ctx)
	if err != nil {
		return len(kept), err
	}
	a.term.Status("telling %s of %s", s.Name, plural(len(kept), "host", "hosts"))
	results := announce.Foreman{Client: c.Client(), Server: server, DryRun: dry}.Tell(a.ctx, way, kept, 4)
	a.term.Status("")
	return a.sayAnnounced(s.Name, way, dry, results)
}

// sayAnnounced says how the announcements came out.
func (a *app) sayAnnounced(source string, way announce.Way, dry bool, results []announce.Result) (failed int, err error) {
	counts := map[announce.Outcome]int{}
	for _, r := range results {
		counts[r.Outcome]++
		name, why := term.Clean(r.Item.Host.Name), r.Reason
		if r.Err != nil {
			why = r.Err.Error()
		}
		if a.term.JSON() {
			v := map[string]any{"host": r.Item.Host, "way": way, "outcome": r.Outcome, "dry_run": dry, "text": r.Item.Line(), "reason": term.Clean(why)}
			if err := a.emit("announcement", v); err != nil {
				return 0, err
			}
			continue
		}
		switch {
		case r.Err != nil || r.Outcome == announce.Skipped:
			a.term.Warn("%s: not announced: %s", name, why)
		case dry || a.cli.Verbose:
			fmt.Fprintf(a.term.Out(), "%s: %s\n", name, r.Item.Line())
		}
	}
	verb := "announced"
	if dry {
		verb = "would be announced"
	}
	a.term.Note("%s: %d %s (%s), %d are already, %d left alone, %d failed", source, counts[announce.Told], verb, way,
		counts[announce.Already], counts[announce.Skipped], counts[announce.Failed])
	return counts[announce.Failed], nil
}

// checkAnnouncing adds what announcing on a Foreman's pages needs to a check.
func checkAnnouncing(ctx context.Context, cfg *config.Config, c collect.Collector, ck collect.Check, err error) (collect.Check, error) {
	f, ok := c.(*foreman.Collector)
	way := announce.Way(cfg.Maintenance.Announce)
	if err != nil || !ok || way == "" || way == announce.None {
		return ck, err
	}
	missing, untried, err := announce.Rights(ctx, f.Client(), way)
	ck.Missing, ck.Untried = append(ck.Missing, missing...), append(ck.Untried, untried...)
	return ck, err
}
