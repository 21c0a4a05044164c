package main

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"strings"
	"time"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/act"
	"github.com/stdevel/katprep/collect"
	"github.com/stdevel/katprep/internal/archive"
	"github.com/stdevel/katprep/internal/config"
	"github.com/stdevel/katprep/internal/term"
)

type maintPlanCmd struct {
	RunID    string `arg:"" name:"run" help:"Name of the new run, e.g. patch-2026-11."`
	Snapshot string `placeholder:"REV" help:"Plan from this snapshot (default: the run's before-snapshot, or the latest)."`
	Title    string `placeholder:"TEXT" help:"What the run is for."`
	DryRun   bool   `short:"n" help:"Show the plan and do not keep it."`
	Check    bool   `help:"Ask monitoring and hypervisors whether downtimes and VM snapshots will work; a plan with an obstacle is not kept."`
	Replan   string `placeholder:"RUN" help:"Plan anew, under a new name, what this run was to do. It must not have begun."`

	Erratum        []string      `placeholder:"ID" group:"What is done" help:"Only these errata."`
	ExceptErratum  []string      `placeholder:"ID" group:"What is done" help:"Not these errata."`
	Security       bool          `group:"What is done" help:"Only security errata and updates."`
	Updates        *bool         `negatable:"" group:"What is done" help:"Package updates that no erratum brings, too."`
	ExcludePackage []string      `placeholder:"GLOB" group:"What is done" help:"Packages that are not touched."`
	Reboot         string        `placeholder:"WHEN" group:"What is done" help:"Reboot if-needed, always or never."`
	VMSnapshot     string        `name:"vm-snapshot" placeholder:"WHICH" group:"What is done" help:"VM snapshots by-parameter, always or never."`
	Downtime       time.Duration `placeholder:"DURATION" group:"What is done" help:"Length of the downtimes."`
	NoDowntime     bool          `group:"What is done" help:"Set no downtimes."`
	OnFailure      string        `placeholder:"POLICY" group:"How it is done" help:"When a host fails: stop, continue or revert."`
	MaxFailures    int           `placeholder:"N" group:"How it is done" help:"Failed hosts that stop the run."`
	Concurrency    int           `placeholder:"N" group:"How it is done" help:"Hosts at once."`
	Start          string        `placeholder:"TIME" group:"How it is done" help:"Nothing is executed before, e.g. 2026-11-12T22:00."`
	End            string        `placeholder:"TIME" group:"How it is done" help:"Nothing starts afterwards."`
	selectFlags
}

// Help adds to the command's help.
func (maintPlanCmd) Help() string {
	return `Needs nothing but the archive, unless --check asks the other systems as well.
The plan is kept there, and a run does what it says and nothing else.

  katprep maintenance plan patch-2026-11 --group 'prod/*' --security
  katprep maintenance plan patch-2026-11 --start 2026-11-12T22:00 --end 2026-11-13T04:00`
}

// Run plans.
func (c *maintPlanCmd) Run(a *app) error {
	arc, err := a.archive()
	if err != nil {
		return err
	}
	if c.Replan != "" {
		if err := c.replan(a, arc); err != nil {
			return err
		}
	}
	p, err := c.plan(a, arc)
	if err != nil {
		return err
	}
	if err := a.sayPlan(p); err != nil {
		return err
	}
	if c.Check {
		if err := a.obstacles(p, nil, nil); err != nil {
			return err
		}
	}
	if c.DryRun {
		return nil
	}
	commit, err := arc.PutPlan(a.ctx, p)
	if err != nil {
		return err
	}
	a.term.Note("the plan of %s is kept as %s; next: katprep maintenance run %s", p.Run, commit.Short(), p.Run)
	return nil
}

// replan takes the selection of a run that did not begin.
func (c *maintPlanCmd) replan(a *app, arc *archive.Archive) error {
	rec, err := a.runRecord(arc, katprep.RunID(c.Replan))
	if err != nil {
		return err
	}
	for _, e := range rec.Journal {
		if e.Event == katprep.EventIntent {
			return katprep.Errorf(katprep.Conflict, "run %s has begun: it cannot be planned anew", c.Replan).
				WithHint("katprep maintenance cleanup %s, then plan another run", c.Replan)
		}
	}
	if c.selectFlags.empty() {
		c.selectFlags = selectionFlags(rec.Plan.Selection)
	}
	if c.Title == "" {
		c.Title = rec.Plan.Title
	}
	return nil
}

func (f *selectFlags) empty() bool {
	return len(f.Host)+len(f.Group)+len(f.Org)+len(f.Location)+len(f.Env)+len(f.OS)+len(f.View)+len(f.Collection)+
		len(f.Param)+len(f.Source)+len(f.Exclude) == 0 && f.Search == ""
}

func selectionFlags(s katprep.Selection) selectFlags {
	return selectFlags{
		Host: s.Hosts, Group: s.HostGroups, Org: s.Organizations, Location: s.Locations, Env: s.Environments, OS: s.OS,
		View: s.ContentViews, Collection: s.Collections, Param: s.Parameters, Source: s.Sources, Search: s.Search, Exclude: s.Exclude,
	}
}

func (c *maintPlanCmd) plan(a *app, arc *archive.Archive) (katprep.Plan, error) {
	cfg, err := a.config()
	if err != nil {
		return katprep.Plan{}, err
	}
	set, err := c.settings(a, cfg)
	if err != nil {
		return katprep.Plan{}, err
	}
	if c.Search != "" {
		return katprep.Plan{}, katprep.Errorf(katprep.Invalid, "--search is the source's own language, and a plan asks no source").
			WithHint("katprep snapshot --before %s --search …, then plan from that", c.RunID)
	}
	before, err := c.before(a, arc)
	if err != nil {
		return katprep.Plan{}, err
	}
	states, err := selectedStates(a, arc, before, c.selection())
	if err != nil {
		return katprep.Plan{}, err
	}
	return act.NewPlan(act.PlanRequest{
		Run: katprep.RunID(c.RunID), Title: c.Title, By: a.author().Name, Created: time.Now(), Version: version(),
		Before: before, Selection: c.selection(), Settings: set, States: states, Erratum: a.errataLookup(arc, before),
	})
}

// before is the snapshot to plan from.
func (c *maintPlanCmd) before(a *app, arc *archive.Archive) (katprep.CommitID, error) {
	if c.Snapshot != "" {
		return arc.Resolve(a.ctx, c.Snapshot)
	}
	if !katprep.RunID(c.RunID).Valid() {
		return "", katprep.Errorf(katprep.Invalid, "run %q: use letters, digits, '.', '_' and '-', at most 64", c.RunID)
	}
	id, err := arc.Resolve(a.ctx, "run/"+c.RunID+"/before")
	if err == nil || katprep.KindOf(err) != katprep.NotFound {
		return id, err
	}
	id, err = arc.Resolve(a.ctx, "latest")
	if err != nil && katprep.KindOf(err) == katprep.NotFound {
		return "", katprep.Errorf(katprep.NotFound, "the archive has no snapshot yet").
			WithHint("a plan needs one: katprep snapshot --before %s", c.RunID)
	}
	return id, err
}

// selectedStates reads what a plan needs of the selected hosts.
func selectedStates(a *app, arc *archive.Archive, commit katprep.CommitID, sel katprep.Selection) ([]katprep.State, error) {
	var states []katprep.State
	for s, err := range arc.States(a.ctx, commit) {
		if err != nil {
			return nil, err
		}
		if collect.Match(sel, s) {
			s.Packages, s.Processes = nil, nil
			states = append(states, s)
		}
	}
	return states, nil
}

// settings are those of the configuration with the flags over them.
func (c *maintPlanCmd) settings(a *app, cfg *config.Config) (act.Settings, error) {
	m := cfg.Maintenance
	systems := a.systems(cfg)
	set := act.Settings{
		Downtime: m.Downtime.Or(8 * time.Hour), Reboot: act.RebootPolicy(firstOf(c.Reboot, m.Reboot, "if-needed")),
		OnFailure:   katprep.OnFailure(firstOf(c.OnFailure, m.OnFailure, "stop")),
		MaxFailures: orInt(c.MaxFailures, m.MaxFailures, 0), Concurrency: orInt(c.Concurrency, m.Concurrency, 20),
		Updates: m.Updates, Security: c.Security, Only: c.Erratum, Except: c.ExceptErratum,
		Exclude:    append(append([]string(nil), m.Exclude...), c.ExcludePackage...),
		VMSnapshot: act.VMSnapshotUse(firstOf(c.VMSnapshot, m.VMSnapshot, "by-parameter")),
		Quiesce:    act.Quiesce(m.Quiesce), Memory: m.Memory, PerSystem: perSystem(cfg),
		Settle:      m.Settle.Or(5 * time.Minute),
		SnapshotAge: m.SnapshotAge.Or(katprep.VMSnapshotMaxAge),
		Monitors:    systems.Monitors(), Hypervisors: systems.Hypervisors(), Patchers: systems.Patchers(),
	}
	if c.Downtime > 0 {
		set.Downtime = c.Downtime
	}
	if c.NoDowntime {
		set.Downtime = 0
	}
	if c.Updates != nil {
		set.Updates = *c.Updates
	}
	for _, w := range m.Waves {
		set.Waves = append(set.Waves, act.WaveRule{
			Wave:  katprep.Wave{Name: w.Name, Concurrency: w.Concurrency, Gate: katprep.Gate(w.Gate)},
			Hosts: w.Hosts, HostGroups: w.HostGroups, Parameters: w.Parameters, Percent: w.Percent,
		})
	}
	var err error
	if set.Hooks, err = a.hookRules(m.Hooks); err != nil {
		return set, err
	}
	set.Window, err = c.window(m)
	return set, err
}

func orInt(flag, configured, usual int) int {
	for _, n := range []int{flag, configured} {
		if n != 0 {
			return n
		}
	}
	return usual
}

// perSystem limits what is done at once on systems that say so themselves.
func perSystem(cfg *config.Config) map[string]int {
	limits := map[string]int{}
	for _, list := range [][]config.System{cfg.Monitoring, cfg.Hypervisors} {
		for _, s := range list {
			if s.Concurrency > 0 {
				limits[s.Name] = s.Concurrency
			}
		}
	}
	maps.Copy(limits, cfg.Maintenance.Limits)
	return limits
}

func (c *maintPlanCmd) window(m config.Maintenance) (katprep.Window, error) {
	start, err1 := when(c.Start)
	end, err2 := when(c.End)
	if end.IsZero() && !start.IsZero() && m.Window > 0 {
		end = start.Add(m.Window.Std())
	}
	return katprep.Window{Start: start, End: end}, errors.Join(err1, err2)
}

func (a *app) hookRules(hooks []config.Hook) ([]act.HookRule, error) {
	var rules []act.HookRule
	for _, h := range hooks {
		text := h.Run
		if h.File != "" {
			b, err := os.ReadFile(a.path(h.File))
			if err != nil {
				return nil, katprep.Errorf(katprep.Invalid, "read hook %s: %w", h.Name, err)
			}
			text = string(b)
		}
		rules = append(rules, act.HookRule{
			Name: h.Name, Stage: h.Stage, Where: firstOf(h.Where, "host"), Text: text, Undo: h.Undo, User: h.User, Env: h.Env,
			Timeout: h.Timeout.Std(), OnFailure: h.OnFailure, Always: h.Always, Hosts: h.Hosts,
		})
	}
	return rules, nil
}

// sayPlan prints a plan: what is done with each host, in order.
func (a *app) sayPlan(p katprep.Plan) error {
	if a.term.JSON() {
		return a.emit("plan", p)
	}
	w := a.term.Out()
	fmt.Fprintf(w, "%s  %s in %s, from snapshot %s\n", a.term.Styled(term.Bold, "run "+string(p.Run)), plural(len(p.Hosts), "host", "hosts"), plural(len(p.Waves), "wave", "waves"), p.Before.Short())
	if p.Title != "" {
		fmt.Fprintf(w, "%s\n", term.Clean(p.Title))
	}
	if !p.Window.Start.IsZero() || !p.Window.End.IsZero() {
		fmt.Fprintf(w, "window: %s to %s\n", openEnd(p.Window.Start), openEnd(p.Window.End))
	}
	wave := -1
	for i := range p.Hosts {
		h := &p.Hosts[i]
		if h.Wave != wave {
			wave = h.Wave
			fmt.Fprintf(w, "\n%s\n", a.term.Styled(term.Bold, waveLine(p, wave)))
		}
		a.sayHostPlan(h)
	}
	return nil
}

func openEnd(t time.Time) string {
	if t.IsZero() {
		return "open"
	}
	return t.Local().Format("2006-01-02 15:04 -0700")
}

func waveLine(p katprep.Plan, i int) string {
	wave, n := p.Waves[i], 0
	for j := range p.Hosts {
		if p.Hosts[j].Wave == i {
			n++
		}
	}
	line := fmt.Sprintf("wave %s: %s", term.Clean(wave.Name), plural(n, "host", "hosts"))
	switch {
	case i == len(p.Waves)-1:
	case wave.Gate == katprep.GateHealth:
		line += "; the next one begins when all are verified"
	case wave.Gate == katprep.GateConfirm:
		line += "; the next one begins when a person says so"
	case wave.Gate == katprep.GatePause:
		line += "; the run pauses afterwards"
	}
	return line
}

func (a *app) sayHostPlan(h *katprep.HostPlan) {
	w := a.term.Out()
	fmt.Fprintf(w, "  %s\n", term.Clean(h.Name))
	for _, n := range h.Notes {
		fmt.Fprintf(w, "    - %s\n", term.Clean(n))
	}
	stage := katprep.Stage("")
	for i := range h.Steps {
		s := &h.Steps[i]
		head := ""
		if s.Stage != stage {
			stage, head = s.Stage, string(s.Stage)
		}
		fmt.Fprintf(w, "    %-8s %s\n", head, term.Clean(s.Say))
	}
	if a.cli.Verbose && len(h.Errata) > 0 {
		fmt.Fprintf(w, "    errata:  %s\n", term.Clean(strings.Join(h.Errata, " ")))
	}
}
