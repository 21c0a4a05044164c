package main

import (
	"slices"
	"time"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/act"
	"github.com/stdevel/katprep/internal/config"
	"github.com/stdevel/katprep/internal/term"
)

type leftoversCmd struct {
	OlderThan  string   `placeholder:"DURATION" help:"Only VM snapshots at least this old, such as 72h or 3d (default: all)."`
	Hypervisor []string `placeholder:"NAME" help:"Only on these hypervisors."`
	Remove     bool     `help:"Remove them. Whatever was to be taken back to them cannot be any more."`
	Yes        bool     `help:"Do not ask."`
}

// Help adds to the command's help.
func (leftoversCmd) Help() string {
	return `Only VM snapshots with katprep's mark are listed, and no others are removed.

  katprep maintenance leftovers
  katprep maintenance leftovers --older-than 7d --remove`
}

// A leftover is one forgotten VM snapshot, with where it is.
type leftover struct {
	Hypervisor string     `json:"hypervisor"`
	VM         string     `json:"vm"`
	Name       string     `json:"name"`
	Marker     act.Marker `json:"marker"`
	Created    time.Time  `json:"created,omitzero"`
	Old        bool       `json:"old"`     // older than the configured limit
	Removed    bool       `json:"removed"` // confirmed by the hypervisor
	Problem    string     `json:"problem,omitempty"`
}

// Run lists what is left, and removes it.
func (c *leftoversCmd) Run(a *app) error {
	cfg, err := a.config()
	if err != nil {
		return err
	}
	age, err := c.age()
	if err != nil {
		return err
	}
	if len(cfg.Hypervisors) == 0 {
		return katprep.Errorf(katprep.Invalid, "no hypervisor is configured").WithHint("see hypervisors in the configuration")
	}
	found, failed := c.find(a, cfg, time.Now(), age)
	if c.Remove && len(found) > 0 {
		c.list(a, found)
		if !c.Yes && !a.yes("Remove these VM snapshots?") {
			return katprep.Errorf(katprep.Invalid, "nothing was removed").WithHint("confirm with --yes")
		}
		failed += removeLeftovers(a, cfg, found)
	}
	if err := c.say(a, found); err != nil {
		return err
	}
	if failed > 0 {
		return katprep.Errorf(katprep.Partial, "%d hypervisors or VM snapshots could not be looked at or removed", failed)
	}
	return nil
}

func (c *leftoversCmd) age() (time.Duration, error) {
	if c.OlderThan == "" {
		return 0, nil
	}
	d, err := config.ParseDuration(c.OlderThan)
	if err != nil {
		return 0, katprep.Errorf(katprep.Invalid, "--older-than: %w", err)
	}
	return d.Std(), nil
}

// find asks the hypervisors; one that cannot be asked does not stop the
// others.
func (c *leftoversCmd) find(a *app, cfg *config.Config, now time.Time, age time.Duration) (found []*leftover, failed int) {
	systems := a.systems(cfg)
	limit := cfg.Maintenance.SnapshotAge.Or(katprep.VMSnapshotMaxAge)
	for _, h := range systems.Hypervisors() {
		if len(c.Hypervisor) > 0 && !slices.Contains(c.Hypervisor, h.Name) {
			continue
		}
		a.term.Status("asking %s", h.Name)
		left, err := leftoversOf(a, systems, h.Name)
		a.term.Status("")
		if err != nil {
			failed++
			a.term.Warn("%s: %v", h.Name, err)
			continue
		}
		for _, l := range left {
			old := now.Sub(l.Created)
			if !l.Created.IsZero() && old < age {
				continue
			}
			found = append(found, &leftover{Hypervisor: h.Name, VM: l.VM, Name: l.Name, Marker: l.Marker, Created: l.Created.UTC(), Old: old > limit})
		}
	}
	return found, failed
}

func leftoversOf(a *app, systems act.Systems, name string) ([]act.Leftover, error) {
	opened, err := systems.System(name)
	if err != nil {
		return nil, err
	}
	l, ok := opened.(act.Leftovers)
	if !ok {
		return nil, katprep.Errorf(katprep.Invalid, "it cannot be asked for its VM snapshots")
	}
	return l.Leftovers(a.ctx)
}

// removeLeftovers removes one after the other and notes what became of each.
func removeLeftovers(a *app, cfg *config.Config, found []*leftover) (failed int) {
	systems := a.systems(cfg)
	for _, l := range found {
		a.term.Status("removing %s of %s", l.Name, l.VM)
		if err := removeLeftover(a, systems, l); err != nil {
			failed++
			l.Problem = err.Error()
			a.term.Warn("%s of %s: %v", l.Name, l.VM, err)
			continue
		}
		l.Removed = true
	}
	a.term.Status("")
	return failed
}

func removeLeftover(a *app, systems act.Systems, l *leftover) error {
	opened, err := systems.System(l.Hypervisor)
	if err != nil {
		return err
	}
	s, ok := opened.(act.Snapshotter)
	if !ok {
		return katprep.Errorf(katprep.Invalid, "it makes no VM snapshots")
	}
	return s.RemoveSnapshot(a.ctx, act.Target{Name: l.VM, Marker: l.Marker})
}

// list shows people what they are asked about.
func (c *leftoversCmd) list(a *app, found []*leftover) {
	if !a.term.JSON() && !c.Yes {
		_ = leftoverTable(a, found).Write(a.term.Out())
	}
}

// say prints the result.
func (c *leftoversCmd) say(a *app, found []*leftover) error {
	if a.term.JSON() {
		for _, l := range found {
			if err := a.emit("leftover", l); err != nil {
				return err
			}
		}
		return nil
	}
	if len(found) == 0 {
		a.term.Note("no VM snapshot of katprep is left")
		return nil
	}
	return leftoverTable(a, found).Write(a.term.Out())
}

func leftoverTable(a *app, found []*leftover) *term.Table {
	tb := a.term.NewTable("HYPERVISOR", "VM", "SNAPSHOT", "CREATED", "")
	for _, l := range found {
		created, note := "unknown", term.Cell{}
		if !l.Created.IsZero() {
			created = l.Created.Format("2006-01-02 15:04")
		}
		switch {
		case l.Removed:
			note = term.Cell{Text: "✓ removed", Style: term.Green}
		case l.Problem != "":
			note = term.Cell{Text: "✗ not removed", Style: term.Red}
		case l.Old:
			note = term.Cell{Text: "! older than the limit", Style: term.Yellow}
		}
		tb.Row(l.Hypervisor, l.VM, l.Name, created, note)
	}
	return tb
}
