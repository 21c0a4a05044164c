// Package act takes hosts through a maintenance: it reads a frozen plan, asks
// other systems to act, and keeps a journal of what they said.
//
// The interfaces here are what the engine needs of monitoring systems,
// hypervisors and patchers; the packages below implement them. All share
// three rules. Everything made carries the request's [Marker], and only what
// carries it is ever changed or removed. A method that acts returns without
// error only after the other system has been asked again and confirmed the
// result; "accepted" is not proof. A method that finds says found = false
// only if the system answered and has no such thing; a system that cannot be
// asked is an error.
package act

import (
	"context"
	"errors"
	"time"

	"github.com/stdevel/katprep"
)

// A Marker identifies what one run made for one host in another system:
// printable ASCII without spaces, quotes, ';' or '|', at most 80 characters.
// It begins with "katprep-" and the run's ID.
type Marker string

// A Target names a host to another system. Name is the object's name there
// if it is known; otherwise the system is searched by Host.Name and the other
// fields, and more than one match is an error of kind katprep.Conflict.
type Target struct {
	Host   katprep.Host
	Name   string
	IP     string
	IP6    string
	MAC    string
	UUID   string
	Marker Marker
}

// A Ref is what was made in another system, in the other system's words.
type Ref struct {
	ID   string            // its own ID: downtime name, task ID, snapshot ID; several separated by ','
	Data map[string]string // evidence worth keeping: times, names, counts
}

// A System presents itself, for the record and for "config check --connect".
type System interface {
	// Identify logs in and says what the system is, which version it runs,
	// as whom we are known, and which permissions are missing.
	Identify(ctx context.Context) (Identity, error)
}

// An Identity is how a system presented itself.
type Identity struct {
	Product     string
	Version     string
	User        string
	Missing     []string      // permissions that katprep needs and the user lacks
	CertExpires time.Time     // of the server's certificate; zero without TLS
	ClockSkew   time.Duration // the system's clock minus ours, if known
}

// A Downtimer schedules downtimes in a monitoring system.
type Downtimer interface {
	System

	// Schedule puts the host and its services into a downtime for the window
	// and returns when the system shows exactly that in effect (or scheduled,
	// if the window begins later). A downtime with the marker is adopted, and
	// changed if its window differs. Zero times and windows in the past are
	// errors of kind katprep.Invalid before anything is sent.
	Schedule(ctx context.Context, t Target, w katprep.Window, comment string) (Ref, error)

	// FindDowntime looks for downtimes with the target's marker.
	FindDowntime(ctx context.Context, t Target) (ref Ref, inEffect, found bool, err error)

	// EndDowntime removes the downtimes with the target's marker, and no
	// others, and returns when they are gone. None there is no error.
	EndDowntime(ctx context.Context, t Target) error
}

// A BulkDowntimer schedules many downtimes in few requests.
type BulkDowntimer interface {
	// ScheduleAll is Schedule for many hosts; the results are in the order
	// of the targets.
	ScheduleAll(ctx context.Context, ts []Target, w katprep.Window, comment string) []Result
	// EndAll is EndDowntime for many hosts.
	EndAll(ctx context.Context, ts []Target) []Result
}

// ErrNotShown is in the error of a downtime that the system accepted and then
// did not list as it was wanted. Asking once more makes nothing of it.
var ErrNotShown = errors.New("accepted, but not shown")

// A Result is what became of one of many requests.
type Result struct {
	Ref Ref
	Err error
}

// A HealthReader reads the state of a host and its services in monitoring.
type HealthReader interface {
	Health(ctx context.Context, t Target) (Health, error)
}

// Health is a host with its services at one time.
type Health struct {
	At       time.Time // UTC, the system's clock if it tells
	Host     CheckState
	Services []CheckState // sorted by name
}

// A CheckState is the state of a host ("" as its name) or a service.
type CheckState struct {
	Name         string
	Status       CheckStatus
	Output       string // untrusted, first line
	Acknowledged bool
	InDowntime   bool
}

// CheckStatus is a monitoring state; hosts are OK or Critical.
type CheckStatus string

// The states. Pending means not yet checked and is not OK.
const (
	CheckOK       CheckStatus = "ok"
	CheckWarning  CheckStatus = "warning"
	CheckCritical CheckStatus = "critical"
	CheckUnknown  CheckStatus = "unknown"
	CheckPending  CheckStatus = "pending"
)

// An Inventory lists the hosts or VMs that a system knows, for populate.
type Inventory interface {
	// Objects yields nothing twice and is sorted by name.
	Objects(ctx context.Context) ([]Object, error)
}

// An Object is a host or VM as a monitoring system or hypervisor knows it.
type Object struct {
	Name    string // to be used as Target.Name
	Display string
	IPs     []string
	MACs    []string
	UUID    string
	Groups  []string
}

// A Snapshotter makes snapshots of virtual machines.
type Snapshotter interface {
	System

	// CreateSnapshot makes a snapshot named after the marker and returns
	// when the hypervisor's snapshot tree shows it. One with the marker is
	// adopted; where somebody else's has the name, ours gets another one.
	CreateSnapshot(ctx context.Context, t Target, o SnapshotOptions) (Ref, error)

	// FindSnapshot looks for the marker's snapshot at any depth of the tree.
	FindSnapshot(ctx context.Context, t Target) (ref Ref, found bool, err error)

	// RemoveSnapshot removes the marker's snapshot, never its children, and
	// returns when it is gone. None there is no error.
	RemoveSnapshot(ctx context.Context, t Target) error

	// RevertSnapshot takes the VM back to the marker's snapshot, at any depth
	// of the tree, and powers it on again if it ran before. None there is an
	// error of kind katprep.NotFound. No hypervisor tells of reverts that are
	// over, so one whose outcome was lost is unknown until it is asked for
	// again, and then done again.
	RevertSnapshot(ctx context.Context, t Target) (Ref, error)
}

// SnapshotOptions say what kind of VM snapshot is wanted.
type SnapshotOptions struct {
	Description string
	Memory      bool
	Quiesce     Quiesce
}

// Quiesce says whether the guest's file systems are frozen for a snapshot.
type Quiesce string

// The ways. Ref.Data["quiesced"] says what really happened: "yes" or "no".
const (
	QuiesceNo      Quiesce = "no"
	QuiesceTry     Quiesce = "try"     // crash-consistent with a warning if the guest cannot
	QuiesceRequire Quiesce = "require" // or fail
)

// A SnapshotChecker says before a patch day whether snapshots will work.
type SnapshotChecker interface {
	// CheckSnapshot returns the true reason why the VM cannot be snapshot
	// and reverted as asked (driver, disk format, free space), or nil.
	CheckSnapshot(ctx context.Context, t Target, o SnapshotOptions) error
}

// Leftovers finds forgotten VM snapshots of katprep.
type Leftovers interface {
	Leftovers(ctx context.Context) ([]Leftover, error)
}

// A Leftover is a VM snapshot that carries a marker of katprep.
type Leftover struct {
	VM      string
	Name    string
	Marker  Marker
	Created time.Time
}

// Power reads and changes the power state of a VM.
type Power interface {
	PowerState(ctx context.Context, t Target) (PowerState, error)
	// PowerOn, Shutdown (graceful) and Restart (graceful; reset only if
	// force) return when the new state is confirmed.
	PowerOn(ctx context.Context, t Target) error
	Shutdown(ctx context.Context, t Target, force bool) error
	Restart(ctx context.Context, t Target, force bool) error
}

// PowerState is whether a machine runs.
type PowerState string

// The power states.
const (
	PowerUnknown PowerState = ""
	PoweredOn    PowerState = "on"
	PoweredOff   PowerState = "off"
	Suspended    PowerState = "suspended"
)

// A Patcher installs errata and package updates.
type Patcher interface {
	System

	// Patch installs on all targets what the request asks for, in as few
	// jobs as the system allows, calls sent for each job as soon as the
	// system has accepted it (before waiting), and returns one result for
	// each target, in order, when all jobs have ended or ctx is done. A
	// target that the job did not really reach is an error in its result.
	Patch(ctx context.Context, ts []Target, r PatchRequest, sent func(Job)) []Result

	// FindPatch looks for a job with the marker of the target. ended is
	// false while it runs; Await waits for it.
	FindPatch(ctx context.Context, t Target) (job Job, found bool, err error)

	// AwaitPatch waits for a job found or sent earlier.
	AwaitPatch(ctx context.Context, t Target, job Job) (Ref, error)
}

// A PatchRequest says what to install. All targets of one request get the
// same.
type PatchRequest struct {
	Errata   []string // advisory IDs; empty with All false means none
	Packages []string // names of packages to be updated
	All      bool     // every pending update
	Security bool     // with All: only security updates
	Exclude  []string // package name globs never to be touched
	Download bool     // only download, ahead of the window
	Marker   Marker   // of the job
}

// A Job is a task in another system that concerns some hosts.
type Job struct {
	ID    string
	Hosts []katprep.HostID // really targeted, as the system says
}

// A Rebooter reboots hosts.
type Rebooter interface {
	// Reboot reboots the host and returns when a changed boot ID (or boot
	// time) proves it, with both in Ref.Data. before is what the caller
	// knows of the boot that must end; if the host shows another boot
	// already, it is not rebooted again.
	Reboot(ctx context.Context, t Target, before katprep.Boot) (Ref, error)

	// BootOf reads the host's present boot.
	BootOf(ctx context.Context, t Target) (katprep.Boot, error)
}

// A Hook runs a script on a host or on the controller.
type Hook interface {
	// Run returns the outcome whatever the exit code was; an error means
	// that the script was not started, or that nobody knows how it ended.
	Run(ctx context.Context, t Target, s Script) (ScriptOutcome, error)
}

// A Script is what a hook runs.
type Script struct {
	Name    string
	Marker  Marker // unique for this script on this host, whatever runs it
	Text    string
	User    string // "" = as connected
	Env     map[string]string
	Stdin   []byte
	Timeout time.Duration // then TERM, and KILL 10 s later, to the whole process group
	Max     int           // bytes kept of each end of the output
}

// A ScriptOutcome is how a script ended.
type ScriptOutcome struct {
	Exit     int
	TimedOut bool
	Took     time.Duration
	Output   string // bounded, untrusted, secrets masked
}

// Optional abilities: a backend that has one implements the interface, and
// the engine finds it by a type assertion.

// A ScriptFinder says what became of a script whose outcome was lost with
// the process that started it.
type ScriptFinder interface {
	// FindScript looks for the script with the marker on the host. ended is
	// false while it runs; the outcome is complete only if ended.
	FindScript(ctx context.Context, t Target, m Marker) (o ScriptOutcome, ended, found bool, err error)
}

// A Placer says which shared parts of its system a host uses, so that actions
// on one of them can be limited.
type Placer interface {
	// Places returns the parts by name, sorted: datastores, storage pools.
	Places(ctx context.Context, t Target) ([]string, error)
}

// A RebootNeeder asks a host whether it needs a reboot now. A Patcher or
// Rebooter may be one.
type RebootNeeder interface {
	RebootNeeded(ctx context.Context, t Target) (katprep.Reboot, error)
}

// A Refresher makes its system look at a host again after patching. A Patcher
// may be one.
type Refresher interface {
	// Refresh returns when the list of applicable errata was computed again
	// after since; ctx bounds the wait. Not in time is an error of kind
	// katprep.Unreachable.
	Refresh(ctx context.Context, t Target, since time.Time) (Ref, error)
}

// A PatchCanceler stops a job. A Patcher may be one.
type PatchCanceler interface {
	// CancelPatch returns when the job has ended. Hosts may be patched
	// already: AwaitPatch says so.
	CancelPatch(ctx context.Context, t Target, job Job) error
}
