package katprep

import "time"

// A Plan is what a run was to do, frozen before its first step: the archive
// keeps it, and nothing else may be executed.
type Plan struct {
	Format    int        `json:"format"`
	Run       RunID      `json:"run"`
	Title     string     `json:"title,omitempty"`
	Created   time.Time  `json:"created"` // UTC
	By        string     `json:"by"`
	Version   string     `json:"katprep"`
	Before    CommitID   `json:"before"` // the snapshot the plan was made from
	Selection Selection  `json:"selection"`
	Window    Window     `json:"window,omitzero"` // nothing starts outside of it
	Waves     []Wave     `json:"waves"`
	Limits    Limits     `json:"limits"`
	Hosts     []HostPlan `json:"hosts"` // by wave, then name
}

// A Window is a span of time. Zero ends are open.
type Window struct {
	Start time.Time `json:"start,omitzero"` // UTC
	End   time.Time `json:"end,omitzero"`   // UTC
}

// A Wave is a group of hosts that are treated together, one wave after the
// other.
type Wave struct {
	Name        string `json:"name"`
	Concurrency int    `json:"concurrency,omitempty"` // hosts at once; 0: the run's limit
	Gate        Gate   `json:"gate,omitempty"`        // what must hold before the next wave
}

// Gate says what lets the next wave begin.
type Gate string

// The gates.
const (
	GateNone    Gate = ""        // the next wave begins at once
	GateHealth  Gate = "health"  // every host of the wave verified
	GateConfirm Gate = "confirm" // a person says so
	GatePause   Gate = "pause"   // the run ends here and is resumed by hand
)

// Limits bound a run.
type Limits struct {
	Concurrency int            `json:"concurrency"`            // hosts at once
	MaxFailures int            `json:"max_failures,omitempty"` // failed hosts that stop the run; 0: no limit
	OnFailure   OnFailure      `json:"on_failure"`             // what a failed host means
	PerSystem   map[string]int `json:"per_system,omitempty"`   // actions at once on one hypervisor, datastore or monitor

	VMSnapshotAge string `json:"vm_snapshot_max_age,omitempty"` // a VM snapshot older than this, as "72h0m0s", is forgotten; empty: VMSnapshotMaxAge
}

// OnFailure says what follows when a step of a host fails.
type OnFailure string

// The policies.
const (
	FailStop     OnFailure = "stop"     // this host goes no further, no further host begins
	FailContinue OnFailure = "continue" // this host goes no further, others go on
	FailRevert   OnFailure = "revert"   // this host goes back to its VM snapshot, others go on
)

// A HostPlan is what is to be done with one host, in order.
type HostPlan struct {
	Host
	IP      string        `json:"ip,omitempty"` // by these other systems find it if they do not know its name
	IP6     string        `json:"ip6,omitempty"`
	MAC     string        `json:"mac,omitempty"`
	UUID    string        `json:"uuid,omitempty"`
	OS      string        `json:"os,omitempty"`      // OS.ID, for hooks
	Wave    int           `json:"wave"`              // index into Plan.Waves
	Errata  []string      `json:"errata,omitempty"`  // to be installed, sorted
	Updates []Update      `json:"updates,omitempty"` // pending updates at plan time, to be installed too
	Steps   []PlannedStep `json:"steps"`
	Notes   []string      `json:"notes,omitempty"` // why a step is not there: "physical host: no VM snapshot"
}

// A PlannedStep is one step to come. Its parameters are frozen as text, so
// that a dry run shows exactly what a run does.
type PlannedStep struct {
	ID     string            `json:"id"` // unique within the host: "patch", "hook.pre.remount" …
	Stage  Stage             `json:"stage"`
	Kind   StepKind          `json:"kind"`
	System string            `json:"system,omitempty"` // name in the configuration of what does it
	Target string            `json:"target,omitempty"` // the host's name there
	Args   map[string]string `json:"args,omitempty"`
	Say    string            `json:"say"` // one line for people
}

// StepKind is what a step does.
type StepKind string

// The kinds of step, in the order of a patch day.
const (
	StepHook       StepKind = "hook"
	StepDowntime   StepKind = "downtime"
	StepVMSnapshot StepKind = "vm-snapshot"
	StepPatch      StepKind = "patch"
	StepReboot     StepKind = "reboot"
	StepCheck      StepKind = "check"
	StepRevert     StepKind = "revert"
	StepEndDown    StepKind = "end-downtime"
	StepRemoveVM   StepKind = "remove-vm-snapshot"
)

// An Entry is one line of a run's journal: the intent of an action before it
// is sent, or its outcome after the other system said so.
type Entry struct {
	Seq     int               `json:"seq"`
	At      time.Time         `json:"at"`             // UTC
	Host    string            `json:"host,omitempty"` // name; empty: the run itself
	HostID  HostID            `json:"host_id,omitzero"`
	Step    string            `json:"step,omitempty"` // PlannedStep.ID
	Kind    StepKind          `json:"kind,omitempty"`
	Stage   Stage             `json:"stage"`
	Event   Event             `json:"event"`
	By      string            `json:"by,omitempty"`
	System  string            `json:"system,omitempty"`
	Ref     string            `json:"ref,omitempty"` // the other system's own reference: task ID, downtime ID …
	Message string            `json:"message,omitempty"`
	Data    map[string]string `json:"data,omitempty"` // evidence
}

// Event is what a journal entry says.
type Event string

// The events.
const (
	EventIntent  Event = "intent"  // about to be sent; nothing is known to have happened
	EventSent    Event = "sent"    // accepted by the other system, not yet confirmed
	EventDone    Event = "done"    // confirmed by the system that did it
	EventFailed  Event = "failed"  // it said that it failed, or could not be reached before anything was sent
	EventUnknown Event = "unknown" // sent, and nobody can say what became of it
	EventSkipped Event = "skipped" // not needed, or not allowed: see Message
	EventNote    Event = "note"    // output, progress, stage borders
)

// Stage is a part of a run that a person starts.
type Stage string

// The stages.
const (
	StagePlan    Stage = "plan"
	StagePrepare Stage = "prepare"
	StageExecute Stage = "execute"
	StageVerify  Stage = "verify"
	StageRevert  Stage = "revert"
	StageCleanup Stage = "cleanup"
)

// A Decision records who allowed or accepted a run.
type Decision struct {
	Run     RunID     `json:"run"`
	By      string    `json:"by"`
	At      time.Time `json:"at"`      // UTC
	Verdict string    `json:"verdict"` // "approved", "accepted", "rejected"
	Comment string    `json:"comment,omitempty"`
	Claim   *Claim    `json:"claim,omitempty"` // of a sign-off: what it is about
}

// A Claim is what katprep told of a run to the person who signed it off.
// Whoever has the archive can compute it again.
type Claim struct {
	Before  CommitID `json:"before"`
	After   CommitID `json:"after"`
	Totals  Totals   `json:"totals"`
	Version string   `json:"katprep"`
}

// A RunRecord is what the archive holds of one run.
type RunRecord struct {
	Plan     Plan      `json:"plan"`
	Journal  []Entry   `json:"journal,omitempty"`
	Approval *Decision `json:"approval,omitempty"`
	SignOff  *Decision `json:"sign_off,omitempty"`
}

// An Exception is a decision not to install something, for a while.
type Exception struct {
	ID       string    `json:"id"`
	Hosts    []string  `json:"hosts"`            // globs; empty: all
	Errata   []string  `json:"errata,omitempty"` // advisory IDs or CVEs
	Packages []string  `json:"packages,omitempty"`
	Reason   string    `json:"reason"`
	Owner    string    `json:"owner"`
	Approver string    `json:"approver"`
	Created  time.Time `json:"created"` // UTC
	Expires  Date      `json:"expires"`
}
