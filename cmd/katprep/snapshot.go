package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/collect"
	"github.com/stdevel/katprep/collect/all"
)

type snapshotCmd struct {
	Before      string        `placeholder:"RUN" xor:"phase" help:"This is the state before the run: tag it so."`
	After       string        `placeholder:"RUN" xor:"phase" help:"This is the state after the run: tag it so."`
	Concurrency int           `placeholder:"N" help:"Hosts that are read at once (default: as the sources say)."`
	Timeout     time.Duration `placeholder:"DURATION" help:"Deadline for one host (default: as the sources say)."`
	AllowEmpty  bool          `help:"Commit a snapshot that has no host."`
	selectFlags
}

// Help adds to the command's help.
func (snapshotCmd) Help() string {
	return `Reads every selected host and commits what was found. A host that cannot be read
is in the snapshot as a gap, with the reason; the exit code is then 3.

  katprep snapshot                             this machine, or all configured sources
  katprep snapshot --before patch-2026-11 --group 'prod/*'`
}

// phase returns the run and phase of the snapshot, if it has any.
func (c *snapshotCmd) phase() (katprep.RunID, katprep.Phase, error) {
	run, ph := katprep.RunID(c.Before), katprep.Before
	if c.After != "" {
		run, ph = katprep.RunID(c.After), katprep.After
	}
	if run == "" {
		return "", "", nil
	}
	if !run.Valid() {
		return "", "", katprep.Errorf(katprep.Invalid, "run %q: use letters, digits, '.', '_' and '-', at most 64", string(run))
	}
	return run, ph, nil
}

// Run collects and commits.
func (c *snapshotCmd) Run(a *app) error {
	run, ph, err := c.phase()
	if err != nil {
		return err
	}
	snap, id, err := a.takeSnapshot(takeOptions{
		run: run, phase: ph, sel: c.selection(), allowEmpty: c.AllowEmpty,
		collect: collect.Options{Concurrency: c.Concurrency, PerHost: c.Timeout},
	})
	if err != nil {
		return err
	}
	a.pushConfigured()
	err = a.sayTaken(snap, id)
	if ph == katprep.After {
		a.announceAfter(run)
	}
	return err
}

// takeOptions say which snapshot is wanted.
type takeOptions struct {
	run        katprep.RunID
	phase      katprep.Phase
	sel        katprep.Selection
	allowEmpty bool
	collect    collect.Options
}

// takeSnapshot collects the selected hosts into one commit and tags it.
func (a *app) takeSnapshot(o takeOptions) (katprep.Snapshot, katprep.CommitID, error) {
	none := katprep.Snapshot{}
	sources, err := a.sources(o.sel.Sources)
	if err != nil {
		return none, "", err
	}
	arc, err := a.archiveForWriting()
	if err != nil {
		return none, "", err
	}
	if o.run != "" {
		if err := a.mayTag(arc, o.run, o.phase); err != nil {
			return none, "", err
		}
	}
	w, err := arc.Begin(a.ctx)
	if err != nil {
		return none, "", err
	}
	defer w.Abort()
	o.collect.Progress = a.progress()
	snap, err := collect.Run(a.ctx, sources, o.sel, w, o.collect)
	a.term.Status("")
	if err != nil {
		return none, "", err
	}
	if snap.Counts.Hosts == 0 {
		if err := emptySnapshot(snap, o.allowEmpty); err != nil {
			return none, "", err
		}
	}
	snap.Format, snap.Version = katprep.ArchiveFormat, version()
	snap.Run, snap.Phase = o.run, o.phase
	id, err := w.Commit(a.ctx, snap)
	if err != nil {
		return none, "", err
	}
	if o.run != "" {
		if err := arc.Tag(a.ctx, o.run, o.phase, id); err != nil {
			return snap, id, fmt.Errorf("the snapshot is committed as %s, but not tagged: %w", id.Short(), err)
		}
	}
	return snap, id, nil
}

// emptySnapshot says why there is nothing to commit. That no source has a
// selected host can be recorded, that one could not be asked never.
func emptySnapshot(s katprep.Snapshot, allow bool) error {
	var why []string
	for _, src := range s.Sources {
		if src.Problem != "" {
			why = append(why, src.Name+": "+src.Problem)
		}
	}
	switch {
	case len(why) > 0:
		return katprep.Errorf(katprep.Unreachable, "nothing was read and nothing is committed: %s", strings.Join(why, "; ")).
			WithHint("check the selection, and the systems with: katprep config check --connect")
	case allow:
		return nil
	}
	return katprep.Errorf(katprep.NotFound, "no host is selected, nothing is committed").
		WithHint("widen the selection, or --allow-empty to record that there is none")
}

// sources opens the configured sources, or those named.
func (a *app) sources(names []string) ([]collect.Source, error) {
	cfg, err := a.config()
	if err != nil {
		return nil, err
	}
	return all.Open(cfg, all.Options{Names: names, Login: a.sourceLogin(cfg), User: a.author().Name, Path: a.path, Warn: a.term.Warn, SSH: a.sshOptions()})
}

// progress shows what the runner does.
func (a *app) progress() func(collect.Event) {
	return func(e collect.Event) {
		if e.Total > 0 {
			a.term.Status("%s: %d of %d hosts, %d gaps", e.Source, e.Done, e.Total, e.Gaps)
			return
		}
		a.term.Status("%s: %d hosts, %d gaps", e.Source, e.Done, e.Gaps)
	}
}

// sayTaken says what the snapshot holds; gaps make the exit code 3.
func (a *app) sayTaken(s katprep.Snapshot, id katprep.CommitID) error {
	if a.term.JSON() {
		if err := a.emit("snapshot", katprep.SnapshotRef{Commit: id, Snapshot: s}); err != nil {
			return err
		}
		return gapError(s)
	}
	fmt.Fprintf(a.term.Out(), "%s  %s\n", id.Short(), snapshotLine(s))
	for i, g := range s.Gaps {
		if i == 20 {
			a.term.Note("and %d more; see: katprep show --gaps %s", len(s.Gaps)-i, id.Short())
			break
		}
		a.term.Warn("%s is %s: %s", g.Name, g.Status, problemText(g.Problems))
	}
	for i, w := range s.Warnings {
		if i == 20 {
			a.term.Warn("and %d more hosts of which something is doubtful", len(s.Warnings)-i)
			break
		}
		a.term.Warn("%s (%s): %s", w.Name, w.HostID, w.Message)
	}
	return gapError(s)
}

// snapshotLine sums a snapshot up in one line. Hosts of which no errata are
// known (Debian without a feed) are not counted as having none.
func snapshotLine(s katprep.Snapshot) string {
	c := s.Counts
	line := plural(c.Hosts, "host", "hosts")
	if c.Hosts > 0 && c.Failed == c.Hosts {
		return line + ", nothing is known of any"
	}
	if c.ErrataUnknown < c.Hosts-c.Failed {
		line += fmt.Sprintf(", %s pending (%d different)", plural(c.HostErrata, "erratum", "errata"), c.Errata)
	}
	if c.Updates > 0 || c.ErrataUnknown >= c.Hosts-c.Failed {
		line += fmt.Sprintf(", %s pending", plural(c.Updates, "package update", "package updates"))
	}
	switch unknown := c.RebootUnknown - c.Failed; {
	case unknown <= 0:
		line += fmt.Sprintf(", %d to be rebooted", c.RebootNeeded)
	case c.RebootNeeded > 0 || unknown < c.Hosts-c.Failed:
		line += fmt.Sprintf(", %d to be rebooted (not known of %d)", c.RebootNeeded, unknown)
	default:
		line += ", need of a reboot not known"
	}
	if c.ErrataUnknown > 0 {
		line += fmt.Sprintf(", errata unknown on %d", c.ErrataUnknown)
	}
	if n := c.Incomplete + c.Failed; n > 0 {
		line += fmt.Sprintf(", %d not or not wholly collected", n)
	}
	return line
}

func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

func problemText(ps []katprep.Problem) string {
	var words []string
	for _, p := range ps {
		if p.Warning {
			continue
		}
		if p.Aspect != "" {
			words = append(words, string(p.Aspect)+": "+p.Message)
			continue
		}
		words = append(words, p.Message)
	}
	return strings.Join(words, "; ")
}

func gapError(s katprep.Snapshot) error {
	n := s.Counts.Incomplete + s.Counts.Failed
	for _, src := range s.Sources {
		if src.Problem != "" {
			return katprep.Errorf(katprep.Partial, "the list of hosts of %s is not complete: %s", src.Name, src.Problem)
		}
	}
	if n == 0 {
		return nil
	}
	return katprep.Errorf(katprep.Partial, "%d of %s not or not wholly collected: unknown, never patched", n, plural(s.Counts.Hosts, "host was", "hosts were"))
}
