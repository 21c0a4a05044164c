package main

import (
	"time"

	"github.com/stdevel/katprep"
)

type maintenanceCmd struct {
	Plan      maintPlanCmd     `cmd:"" help:"Freeze what a run will do with each host."`
	Check     maintCheckCmd    `cmd:"" help:"Ask monitoring systems and hypervisors whether a run will work; changes nothing."`
	Prepare   maintPrepareCmd  `cmd:"" help:"Set downtimes and make VM snapshots."`
	Execute   maintExecuteCmd  `cmd:"" help:"Patch, and reboot where it is due."`
	Verify    maintVerifyCmd   `cmd:"" help:"Look whether everything is as it should be."`
	Cleanup   maintCleanupCmd  `cmd:"" help:"Remove our VM snapshots and downtimes."`
	Revert    maintRevertCmd   `cmd:"" help:"Take hosts back to their VM snapshots."`
	Run       maintRunCmd      `cmd:"" help:"Prepare, execute, verify and clean up, wave by wave."`
	Status    maintStatusCmd   `cmd:"" help:"Say how far the hosts of a run are."`
	List      maintListCmd     `cmd:"" help:"List the runs."`
	Announce  maintAnnounceCmd `cmd:"" help:"Say on the hosts' pages in Foreman what a run did."`
	Leftovers leftoversCmd     `cmd:"" help:"List forgotten VM snapshots of katprep, and remove them."`
}

// runFlags name a run and narrow it to some of its hosts.
type runFlags struct {
	RunID   string   `arg:"" name:"run" help:"The run."`
	Host    []string `placeholder:"GLOB" group:"Selection" help:"Only these hosts of the run."`
	Exclude []string `placeholder:"GLOB" group:"Selection" help:"Not these hosts of the run."`
	Wave    []string `placeholder:"NAME" group:"Selection" help:"Only the hosts of these waves."`
}

// stageFlags are those of commands that act.
type stageFlags struct {
	runFlags
	DryRun       bool `short:"n" help:"Say what would be done, and do nothing. No system is asked."`
	RetryUnknown bool `help:"Do again what nobody can say the outcome of."`
}

// goFlags are those of stages that begin something.
type goFlags struct {
	Outdated bool `help:"Go on although hosts changed since the plan was made. Only the plan is executed."`
}

type maintPrepareCmd struct {
	stageFlags
	goFlags
}

// Run prepares.
func (c *maintPrepareCmd) Run(a *app) error {
	return a.runStages(stageRun{flags: c.stageFlags, stages: []katprep.Stage{katprep.StagePrepare}, fresh: !c.Outdated})
}

type maintExecuteCmd struct {
	stageFlags
	goFlags
	Yes    bool `help:"Begin the next wave without asking, where the plan wants a confirmation; patch this machine although there is no configuration."`
	Cancel bool `help:"Cancel patch jobs when interrupted."`
}

// Run executes.
func (c *maintExecuteCmd) Run(a *app) error {
	return a.runStages(stageRun{
		flags: c.stageFlags, stages: []katprep.Stage{katprep.StageExecute}, fresh: !c.Outdated, yes: c.Yes, cancel: c.Cancel,
	})
}

type maintVerifyCmd struct{ stageFlags }

// Run verifies, also what was verified before.
func (c *maintVerifyCmd) Run(a *app) error {
	return a.runStages(stageRun{flags: c.stageFlags, stages: []katprep.Stage{katprep.StageVerify}, again: true})
}

type maintCleanupCmd struct {
	stageFlags
	Unverified bool `help:"Also hosts that were patched and not verified: there is no way back afterwards."`
}

// Run cleans up.
func (c *maintCleanupCmd) Run(a *app) error {
	return a.runStages(stageRun{flags: c.stageFlags, stages: []katprep.Stage{katprep.StageCleanup}, unverified: c.Unverified})
}

type maintRevertCmd struct {
	stageFlags
	Yes bool `help:"Do not ask: whatever happened on the hosts since their VM snapshots is lost."`
}

// Run reverts.
func (c *maintRevertCmd) Run(a *app) error {
	if !c.Yes && !c.DryRun && !a.yes("Take the selected hosts of "+c.RunID+" back? What happened on them since is lost.") {
		return katprep.Errorf(katprep.Invalid, "nothing was reverted").WithHint("confirm with --yes")
	}
	return a.runStages(stageRun{flags: c.stageFlags, stages: []katprep.Stage{katprep.StageRevert}})
}

type maintRunCmd struct {
	stageFlags
	goFlags
	Yes    bool `help:"Begin the next wave without asking, where the plan wants a confirmation; patch this machine although there is no configuration."`
	Cancel bool `help:"Cancel patch jobs when interrupted."`
	Keep   bool `help:"Stop before the clean-up: VM snapshots and downtimes stay."`
}

// Help adds to the command's help.
func (maintRunCmd) Help() string {
	return `Run again what was interrupted: what was begun is looked up in the other
systems first, and nothing is done twice.

  katprep snapshot --before patch-2026-11 --group prod
  katprep maintenance plan patch-2026-11
  katprep maintenance run patch-2026-11
  katprep snapshot --after patch-2026-11 --group prod`
}

// Run takes the hosts through all stages.
func (c *maintRunCmd) Run(a *app) error {
	stages := []katprep.Stage{katprep.StagePrepare, katprep.StageExecute, katprep.StageVerify, katprep.StageCleanup}
	if c.Keep {
		stages = stages[:3]
	}
	return a.runStages(stageRun{flags: c.stageFlags, stages: stages, fresh: !c.Outdated, yes: c.Yes, cancel: c.Cancel})
}

// when reads a time as people write it: RFC 3339, or local date and time.
func when(s string) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	for _, layout := range []string{time.RFC3339, "2006-01-02 15:04", "2006-01-02T15:04"} {
		if t, err := time.ParseInLocation(layout, s, time.Local); err == nil {
			return t.UTC(), nil
		}
	}
	return time.Time{}, katprep.Errorf(katprep.Invalid, "%q is not a time", s).WithHint("write 2026-11-12T22:00 or 2026-11-12T22:00:00+01:00")
}
