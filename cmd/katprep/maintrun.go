package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	xterm "golang.org/x/term"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/act"
	"github.com/stdevel/katprep/internal/archive"
	"github.com/stdevel/katprep/internal/config"
	"github.com/stdevel/katprep/internal/term"
)

// A stageRun is what a command wants to be run.
type stageRun struct {
	flags      stageFlags
	stages     []katprep.Stage
	fresh      bool // refuse if hosts changed since the plan
	yes        bool
	cancel     bool
	again      bool
	unverified bool
}

// stateDir is where runs keep their journals until the archive has them.
func (a *app) stateDir(cfg *config.Config) (string, error) {
	if cfg.Maintenance.StateDir != "" {
		return a.path(cfg.Maintenance.StateDir), nil
	}
	if d := a.xdg("XDG_STATE_HOME", ".local/state"); d != "" {
		return filepath.Join(d, "katprep"), nil
	}
	return "", katprep.Errorf(katprep.Invalid, "nowhere to keep the journal: neither maintenance.state_dir nor HOME is set")
}

// runRecord reads a run of which there must be a plan.
func (a *app) runRecord(arc *archive.Archive, id katprep.RunID) (katprep.RunRecord, error) {
	rec, err := arc.Run(a.ctx, id)
	switch {
	case err != nil:
	case rec.Plan.Run == "":
		err = katprep.Errorf(katprep.NotFound, "run %s has no plan", id).WithHint("katprep maintenance plan %s", id)
	case rec.Plan.Run != id:
		err = katprep.Errorf(katprep.Corrupt, "run %s has the plan of run %q", id, string(rec.Plan.Run))
	default:
		err = act.CheckPlan(rec.Plan)
	}
	return rec, err
}

// runStages takes hosts of a run through stages.
func (a *app) runStages(c stageRun) error {
	cfg, err := a.config()
	if err != nil {
		return err
	}
	arc, err := a.archive()
	if err != nil {
		return err
	}
	rec, err := a.runRecord(arc, katprep.RunID(c.flags.RunID))
	if err != nil {
		return err
	}
	keep, err := c.flags.filter(rec.Plan)
	if err != nil {
		return err
	}
	if rec.Approval != nil && rec.Approval.Verdict == "rejected" {
		return katprep.Errorf(katprep.Denied, "run %s was rejected by %s: %s", rec.Plan.Run, rec.Approval.By, rec.Approval.Comment)
	}
	path, err := a.stateDir(cfg)
	if err != nil {
		return err
	}
	state, err := act.OpenStateDir(path)
	if err != nil {
		return err
	}
	if c.flags.DryRun {
		return a.preview(state, rec, c, keep)
	}
	if err := a.meansThisMachine(c); err != nil {
		return err
	}
	local, err := state.Begin(rec.Plan, rec.Journal)
	if err != nil {
		return err
	}
	defer local.Close()
	return a.runLocal(cfg, arc, local, rec, c, keep)
}

// meansThisMachine asks before the machine that katprep was only tried out on
// is patched: without a configuration it is the only source, and who types the
// commands of the documentation may not think of it.
func (a *app) meansThisMachine(c stageRun) error {
	if a.cfgPath != "" || c.yes || !slices.Contains(c.stages, katprep.StageExecute) {
		return nil
	}
	if a.yes("There is no configuration: this machine itself will be patched. Go on?") {
		return nil
	}
	return katprep.Errorf(katprep.Invalid, "nothing was done: there is no configuration, so this machine itself would be patched").
		WithHint("say that it is meant with --yes, or write a configuration: katprep init")
}

// filter narrows a run to what the flags name; a name that the run does not
// have is an error.
func (f *runFlags) filter(p katprep.Plan) (func(*katprep.HostPlan) bool, error) {
	in, err := hostFilter(f.Host)
	if err != nil {
		return nil, err
	}
	for _, name := range f.Wave {
		if !slices.ContainsFunc(p.Waves, func(w katprep.Wave) bool { return w.Name == name }) {
			return nil, katprep.Errorf(katprep.NotFound, "run %s has no wave %q", p.Run, name)
		}
	}
	keep := func(h *katprep.HostPlan) bool {
		if len(f.Wave) > 0 && !slices.Contains(f.Wave, p.Waves[h.Wave].Name) {
			return false
		}
		if len(f.Exclude) > 0 {
			if out, err := hostFilter(f.Exclude); err == nil && out(h.Name) {
				return false
			}
		}
		return in(h.Name)
	}
	for i := range p.Hosts {
		if keep(&p.Hosts[i]) {
			return keep, nil
		}
	}
	return nil, katprep.Errorf(katprep.NotFound, "run %s has no such host", p.Run).WithHint("katprep maintenance status %s", p.Run)
}

// preview says what would be done, from the plan and the journal alone.
func (a *app) preview(state *act.StateDir, rec katprep.RunRecord, c stageRun, keep func(*katprep.HostPlan) bool) error {
	entries, err := a.newestJournal(state, rec)
	if err != nil {
		return err
	}
	e := &act.Engine{Plan: rec.Plan, Journal: act.Recorded(entries), Options: act.Options{Select: keep, Unverified: c.unverified, VerifyAgain: c.again}}
	previews, err := e.Preview(a.ctx, c.stages...)
	if err != nil {
		return err
	}
	w := a.term.Out()
	for _, pv := range previews {
		if a.term.JSON() {
			if err := a.emit("preview", map[string]any{"host": pv.Host.Name, "stage": pv.Stage, "steps": pv.Steps, "reason": pv.Reason}); err != nil {
				return err
			}
			continue
		}
		if pv.Reason != "" {
			fmt.Fprintf(w, "%s  %s: not possible now: %s\n", term.Clean(pv.Host.Name), pv.Stage, term.Clean(pv.Reason))
		}
		for _, s := range pv.Steps {
			fmt.Fprintf(w, "%s  %s: %s\n", term.Clean(pv.Host.Name), pv.Stage, term.Clean(s.Say))
			if s.Kind == katprep.StepHook && a.cli.Verbose {
				fmt.Fprintln(w, term.CleanLines(indent(s.Args["script"])))
			}
		}
	}
	a.term.Note("dry run: nothing was done")
	return nil
}

func indent(s string) string {
	return "    | " + strings.ReplaceAll(strings.TrimRight(s, "\n"), "\n", "\n    | ")
}

// newestJournal is the local journal if this machine has one that is ahead
// of the archive.
func (a *app) newestJournal(state *act.StateDir, rec katprep.RunRecord) ([]katprep.Entry, error) {
	local, err := state.Entries(rec.Plan.Run)
	if err != nil {
		return nil, err
	}
	if len(local) > len(rec.Journal) {
		return local, nil
	}
	return rec.Journal, nil
}

func (a *app) runLocal(cfg *config.Config, arc *archive.Archive, local *act.LocalRun, rec katprep.RunRecord, c stageRun, keep func(*katprep.HostPlan) bool) error {
	var hosts []katprep.Host
	for i := range rec.Plan.Hosts {
		if h := &rec.Plan.Hosts[i]; keep(h) && len(h.Steps) > 0 {
			hosts = append(hosts, h.Host)
		}
	}
	if err := local.Claim(hosts); err != nil {
		return err
	}
	if c.fresh {
		if err := a.checkDrift(arc, rec, keep); err != nil {
			return err
		}
	}
	e := &act.Engine{
		Plan: rec.Plan, Systems: a.systems(cfg), Journal: local.Journal,
		Options: act.Options{
			By: a.author().Name, Select: keep, Notify: a.tellStep(len(hosts)), Commit: a.committer(arc, local, rec.Plan.Run, len(rec.Journal)),
			Confirm: a.confirmer(c.yes), Unverified: c.unverified, RetryUnknown: c.flags.RetryUnknown,
			VerifyAgain: c.again, CancelOnInterrupt: c.cancel, Timeouts: stepTimeouts(cfg),
		},
	}
	if a.pace != nil {
		a.pace.engine(&e.Options)
	}
	sum, err := e.Run(a.ctx, c.stages...)
	a.term.Status("")
	if rerr := a.release(local, rec.Plan, hosts); rerr != nil {
		err = errors.Join(err, rerr)
	}
	return a.sayStages(rec.Plan, sum, err)
}

// stepTimeouts are the configured ones; the others are the engine's usual ones.
func stepTimeouts(cfg *config.Config) map[katprep.StepKind]time.Duration {
	m := make(map[katprep.StepKind]time.Duration, len(cfg.Maintenance.Timeouts))
	for kind, d := range cfg.Maintenance.Timeouts {
		m[katprep.StepKind(kind)] = d.Std()
	}
	return m
}

// slowCommit is how many entries take so long to store that an interrupted
// run leaves it to the next command.
const slowCommit = 20000

// committer copies what is new in the journal into the archive. An interrupt does not stop
// it: what was done is to be known.
func (a *app) committer(arc *archive.Archive, local *act.LocalRun, run katprep.RunID, archived int) func(katprep.Stage) error {
	return func(stage katprep.Stage) error {
		if n := local.Journal.Len() - archived; a.ctx.Err() != nil && n > slowCommit {
			return katprep.Errorf(katprep.Partial, "interrupted: %d entries wait for the next command", n)
		}
		entries, err := journalOf(local.Journal)
		if err != nil {
			return err
		}
		if archived >= len(entries) {
			return nil
		}
		if _, err = arc.PutJournal(context.WithoutCancel(a.ctx), run, stage, entries[archived:]); err == nil {
			a.pushConfigured()
		}
		return err
	}
}

func journalOf(j act.Journal) ([]katprep.Entry, error) {
	var entries []katprep.Entry
	for e, err := range j.Entries() {
		if err != nil {
			return nil, err
		}
		entries = append(entries, e)
	}
	return entries, nil
}

// release gives hosts free of which nothing of ours is left.
func (a *app) release(local *act.LocalRun, p katprep.Plan, hosts []katprep.Host) error {
	entries, err := journalOf(local.Journal)
	if err != nil {
		return err
	}
	status, err := act.Status(katprep.RunRecord{Plan: p, Journal: entries})
	if err != nil {
		return err
	}
	var free []katprep.Host
	for i := range status {
		s := &status[i]
		if (s.Clean || s.State == act.HostPlanned) && slices.Contains(hosts, s.Host) {
			free = append(free, s.Host)
		}
	}
	return local.Release(free)
}

// checkDrift refuses to begin if hosts changed since the plan was made.
func (a *app) checkDrift(arc *archive.Archive, rec katprep.RunRecord, keep func(*katprep.HostPlan) bool) error {
	latest, err := arc.Resolve(a.ctx, "latest")
	if err != nil || latest == rec.Plan.Before {
		return err
	}
	was, err := arc.Snapshot(a.ctx, rec.Plan.Before)
	if err != nil {
		return err
	}
	is, err := arc.Snapshot(a.ctx, latest)
	if err != nil || !is.Finished.After(was.Finished) {
		return err
	}
	before, err := statesByID(a, arc, rec.Plan.Before)
	if err != nil {
		return err
	}
	now, err := statesByID(a, arc, latest)
	if err != nil {
		return err
	}
	drifts, err := act.Drifted(rec, before, now, sameSelection(was, is) && !gaps(is))
	if err != nil {
		return err
	}
	return a.refuseDrift(rec.Plan, drifts, keep)
}

func sameSelection(a, b katprep.Snapshot) bool {
	return fmt.Sprintf("%#v", a.Selection) == fmt.Sprintf("%#v", b.Selection) && len(a.Sources) == len(b.Sources)
}

// gaps reports whether a source's list of hosts is not complete.
func gaps(s katprep.Snapshot) bool {
	return slices.ContainsFunc(s.Sources, func(src katprep.Source) bool { return src.Problem != "" })
}

func statesByID(a *app, arc *archive.Archive, c katprep.CommitID) (map[katprep.HostID]katprep.State, error) {
	states, err := selectedStates(a, arc, c, katprep.Selection{})
	byID := make(map[katprep.HostID]katprep.State, len(states))
	for _, s := range states {
		byID[s.HostID] = s
	}
	return byID, err
}

func (a *app) refuseDrift(p katprep.Plan, drifts []act.Drift, keep func(*katprep.HostPlan) bool) error {
	chosen := map[katprep.HostID]bool{}
	for i := range p.Hosts {
		chosen[p.Hosts[i].HostID] = keep(&p.Hosts[i])
	}
	drifts = slices.DeleteFunc(drifts, func(d act.Drift) bool { return !chosen[d.HostID] })
	if len(drifts) == 0 {
		return nil
	}
	for i, d := range drifts {
		if i == 20 {
			a.term.Warn("and %d more", len(drifts)-i)
			break
		}
		a.term.Warn("changed since the plan: %s", d)
	}
	return katprep.Errorf(katprep.Conflict, "%s changed since run %s was planned", plural(len(drifts), "host", "hosts"), p.Run).
		WithHint("katprep maintenance plan %s.2 --replan %s, or --outdated to do what the plan says", p.Run, p.Run)
}

// tellStep shows what happens: the steps of each host with -v, a line of
// counts otherwise.
func (a *app) tellStep(hosts int) func(katprep.Entry) {
	var done, failed atomic.Int64
	return func(e katprep.Entry) {
		if a.term.JSON() {
			_ = a.emit("entry", e) // a broken pipe must not end a run half-way
			return
		}
		switch e.Event {
		case katprep.EventDone:
			done.Add(1)
		case katprep.EventFailed, katprep.EventUnknown:
			failed.Add(1)
			a.term.Note("%s: %s %s: %s", e.Host, e.Step, e.Event, e.Message)
		}
		if a.cli.Verbose && e.Event != katprep.EventFailed && e.Event != katprep.EventUnknown {
			a.term.Note("%s: %s %s: %s", firstOf(e.Host, "run"), e.Step, e.Event, e.Message)
		}
		a.term.Status("%s: %s; %d steps done, %d failed", e.Stage, plural(hosts, "host", "hosts"), done.Load(), failed.Load())
	}
}

// confirmer asks whether the next wave may begin; nobody can be asked
// without a terminal.
func (a *app) confirmer(yes bool) func(context.Context, katprep.Wave, act.Summary) (bool, error) {
	if yes {
		return func(context.Context, katprep.Wave, act.Summary) (bool, error) { return true, nil }
	}
	if !a.attended() {
		return nil
	}
	return func(ctx context.Context, w katprep.Wave, s act.Summary) (bool, error) {
		return a.yes(fmt.Sprintf("Wave %s is done, %s failed. Begin the next one?", w.Name, plural(s.Failures(), "host", "hosts"))), ctx.Err()
	}
}

// attended reports whether somebody sits at the terminal.
func (a *app) attended() bool {
	f, ok := a.std.in.(*os.File)
	return ok && xterm.IsTerminal(int(f.Fd()))
}

// yes asks a person; without one, the answer is no.
func (a *app) yes(question string) bool {
	if !a.attended() {
		return false
	}
	a.term.Status("")
	fmt.Fprintf(a.std.err, "%s [y/N] ", term.Clean(question))
	answer := make(chan string, 1)
	go func() {
		line, _ := bufio.NewReader(a.std.in).ReadString('\n') // an end of input is a no
		answer <- line
	}()
	select {
	case line := <-answer:
		line = strings.ToLower(strings.TrimSpace(line))
		return line == "y" || line == "yes"
	case <-a.ctx.Done():
		return false
	}
}

// sayStages says how the hosts came out.
func (a *app) sayStages(p katprep.Plan, s act.Summary, err error) error {
	if serr := a.sayResults(s); serr != nil {
		return errors.Join(err, serr)
	}
	if s.Uncommitted != nil {
		a.term.Warn("the journal is not in the archive yet, it is kept here: %v", s.Uncommitted)
	}
	switch n := s.Failures(); {
	case err != nil:
		return err
	case s.Stopped != "":
		return katprep.Errorf(katprep.Partial, "the run stopped: %s", s.Stopped).WithHint("katprep maintenance status %s", p.Run)
	case n > 0:
		return katprep.Errorf(katprep.Partial, "%d of %s are not where they should be", n, plural(len(s.Hosts), "host", "hosts")).
			WithHint("katprep maintenance status %s; run the command again when the cause is gone", p.Run)
	case s.Uncommitted != nil:
		return katprep.Errorf(katprep.Partial, "the journal could not be stored in the archive: %w", s.Uncommitted).
			WithHint("run the command again: what is done is not done twice")
	case s.Paused != "":
		a.term.Note("the run pauses after wave %s; go on with the same command", s.Paused)
	}
	return nil
}

func (a *app) sayResults(s act.Summary) error {
	states := map[act.HostState]int{}
	tb := a.term.NewTable("HOST", "STATE", "STEP", "REASON")
	for i := range s.Hosts {
		r := &s.Hosts[i]
		states[r.State]++
		if a.term.JSON() {
			v := map[string]any{"host": r.Host, "stage": r.Stage, "state": r.State, "step": r.Step, "reason": r.Reason, "doubts": r.Doubts, "bad": r.Bad()}
			if err := a.emit("result", v); err != nil {
				return err
			}
		} else if r.Bad() || len(r.Doubts) > 0 {
			tb.Row(r.Name, r.State, r.Step, firstOf(r.Reason, strings.Join(r.Doubts, "; ")))
		}
	}
	if a.term.JSON() {
		return a.emit("summary", map[string]any{"hosts": len(s.Hosts), "states": states, "bad": s.Failures(), "stopped": s.Stopped, "paused": s.Paused})
	}
	var parts []string
	for _, st := range slices.Sorted(maps.Keys(states)) {
		parts = append(parts, fmt.Sprintf("%d %s", states[st], st))
	}
	fmt.Fprintf(a.term.Out(), "%s: %s\n", plural(len(s.Hosts), "host", "hosts"), strings.Join(parts, ", "))
	return tb.Write(a.term.Out())
}
