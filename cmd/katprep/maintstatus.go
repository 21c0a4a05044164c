package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/act"
	"github.com/stdevel/katprep/internal/term"
)

type maintStatusCmd struct{ runFlags }

// Help adds to the command's help.
func (maintStatusCmd) Help() string {
	return `Says how far the hosts are, as the journal has it; it asks no other system.
On a terminal, long reasons are cut at its width: -v shows them whole.

  katprep maintenance status patch-2026-11
  katprep --output json maintenance status patch-2026-11`
}

// Run says how far the hosts of a run are.
func (c *maintStatusCmd) Run(a *app) error {
	rec, err := a.knownRun(katprep.RunID(c.RunID))
	if err != nil {
		return err
	}
	keep, err := c.filter(rec.Plan)
	if err != nil {
		return err
	}
	status, err := act.Status(rec)
	if err != nil {
		return err
	}
	snaps, err := a.openVMSnapshots(&rec)
	if err != nil {
		return err
	}
	tb := a.term.NewTable("HOST", "WAVE", "STATE", "STEP", "REASON", "LEFT")
	if !a.cli.Verbose {
		tb.Cut(4)
	}
	bad, old := 0, 0
	for i := range status {
		s := &status[i]
		if !keep(&rec.Plan.Hosts[i]) {
			continue
		}
		if s.State == act.HostFailed || s.State == act.HostUnknown {
			bad++
		}
		snap := snaps[s.HostID]
		if snap != nil && snap.Old {
			old++
		}
		if a.term.JSON() {
			if err := a.emit("host", hostStatus{s, snap}); err != nil {
				return err
			}
			continue
		}
		tb.Row(s.Name, s.Wave, term.Cell{Text: string(s.State), Style: stateStyle(s.State)}, s.Step, s.Reason, leftCell(s, snap))
	}
	if old > 0 {
		a.term.Warn("%s older than allowed and not known to be removed: katprep maintenance cleanup %s", plural(old, "VM snapshot is", "VM snapshots are"), c.RunID)
	}
	if err := tb.Write(a.term.Out()); err != nil {
		return err
	}
	a.sayCopies()
	if bad == 0 {
		return nil
	}
	return katprep.Errorf(katprep.Partial, "%s failed or unknown", plural(bad, "host is", "hosts are"))
}

// A hostStatus is a host's state with its VM snapshot, if one is left.
type hostStatus struct {
	*act.HostStatus
	VMSnapshot *katprep.VMSnapshot `json:"vm_snapshot,omitempty"`
}

// openVMSnapshots returns the VM snapshots that the run has left so far, by
// host.
func (a *app) openVMSnapshots(rec *katprep.RunRecord) (map[katprep.HostID]*katprep.VMSnapshot, error) {
	cfg, err := a.config()
	if err != nil {
		return nil, err
	}
	byHost := map[katprep.HostID]*katprep.VMSnapshot{}
	for _, s := range rec.VMSnapshots(time.Now(), cfg.Maintenance.SnapshotAge.Or(0)) {
		byHost[s.HostID] = &s
	}
	return byHost, nil
}

// leftCell names what is left on a host, and warns of a VM snapshot that is
// too old.
func leftCell(s *act.HostStatus, snap *katprep.VMSnapshot) term.Cell {
	text := strings.Join(s.Left, ", ")
	if snap == nil || !snap.Old {
		return term.Cell{Text: text}
	}
	return term.Cell{Text: text + fmt.Sprintf(" (! the VM snapshot is %d h old, limit %d h)", snap.Age, snap.Limit), Style: term.Yellow}
}

func stateStyle(s act.HostState) term.Style {
	switch s {
	case act.HostFailed, act.HostUnknown:
		return term.Red
	case act.HostVerified, act.HostCleaned:
		return term.Green
	}
	return ""
}

// knownRun reads a run from the archive and this machine, whichever knows
// more. Without an archive, this machine is enough.
func (a *app) knownRun(id katprep.RunID) (katprep.RunRecord, error) {
	cfg, err := a.config()
	if err != nil {
		return katprep.RunRecord{}, err
	}
	path, err := a.stateDir(cfg)
	if err != nil {
		return katprep.RunRecord{}, err
	}
	state, err := act.OpenStateDir(path)
	if err != nil {
		return katprep.RunRecord{}, err
	}
	arc, err := a.archive()
	var rec katprep.RunRecord
	if err == nil {
		rec, err = a.runRecord(arc, id)
	}
	if err != nil {
		plan, lerr := state.Plan(id)
		if lerr != nil {
			return rec, err // the archive's reason
		}
		a.term.Warn("the archive cannot be read, this is what this machine knows: %v", err)
		rec = katprep.RunRecord{Plan: plan}
	}
	rec.Journal, err = a.newestJournal(state, rec)
	return rec, err
}

type maintListCmd struct{}

// Run lists the runs.
func (c *maintListCmd) Run(a *app) error {
	arc, err := a.archive()
	if err != nil {
		return err
	}
	ids, err := arc.Runs(a.ctx)
	if err != nil {
		return err
	}
	tb := a.term.NewTable("RUN", "PLANNED", "BY", "HOSTS", "STATE", "TITLE")
	for _, id := range ids {
		rec, err := a.knownRun(id)
		if err != nil {
			if katprep.KindOf(err) == katprep.NotFound {
				continue // tags or decisions without a plan
			}
			return err
		}
		status, err := act.Status(rec)
		if err != nil {
			return err
		}
		counts := stateCounts(status)
		if a.term.JSON() {
			v := map[string]any{"run": id, "created": rec.Plan.Created, "by": rec.Plan.By, "title": rec.Plan.Title, "hosts": len(status), "states": counts}
			if err := a.emit("run", v); err != nil {
				return err
			}
			continue
		}
		tb.Row(id, rec.Plan.Created.Format("2006-01-02 15:04"), rec.Plan.By, len(status), countText(counts), rec.Plan.Title)
	}
	return tb.Write(a.term.Out())
}

func stateCounts(status []act.HostStatus) map[act.HostState]int {
	counts := map[act.HostState]int{}
	for i := range status {
		counts[status[i].State]++
	}
	return counts
}

func countText(counts map[act.HostState]int) string {
	var parts []string
	for st, n := range counts {
		parts = append(parts, fmt.Sprintf("%d %s", n, st))
	}
	slices.Sort(parts)
	return strings.Join(parts, ", ")
}

type maintCheckCmd struct{ runFlags }

// Run asks before the patch day.
func (c *maintCheckCmd) Run(a *app) error {
	rec, err := a.knownRun(katprep.RunID(c.RunID))
	if err != nil {
		return err
	}
	keep, err := c.filter(rec.Plan)
	if err != nil {
		return err
	}
	return a.obstacles(rec.Plan, rec.Journal, keep)
}

// obstacles prints what stands in the way of the plan's downtimes and VM
// snapshots, and is an error if anything does.
func (a *app) obstacles(p katprep.Plan, journal []katprep.Entry, keep func(*katprep.HostPlan) bool) error {
	cfg, err := a.config()
	if err != nil {
		return err
	}
	e := &act.Engine{
		Plan: p, Systems: a.systems(cfg), Journal: act.Recorded(journal), Options: act.Options{By: a.author().Name, Select: keep},
	}
	obstacles, err := e.Precheck(a.ctx)
	if err != nil {
		return err
	}
	tb := a.term.NewTable("HOST", "STEP", "SYSTEM", "REASON")
	for _, o := range obstacles {
		if a.term.JSON() {
			if err := a.emit("obstacle", o); err != nil {
				return err
			}
			continue
		}
		tb.Row(o.Name, o.Step, o.System, o.Reason)
	}
	if err := tb.Write(a.term.Out()); err != nil {
		return err
	}
	if len(obstacles) > 0 {
		return katprep.Errorf(katprep.Partial, "%s will not work", plural(len(obstacles), "step", "steps"))
	}
	a.term.Note("no obstacle was found for run %s", p.Run)
	return nil
}
