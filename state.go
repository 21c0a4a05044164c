package katprep

import "time"

// Status says how much of a host a snapshot holds.
type Status string

// The statuses of a host in a snapshot. Whatever is not [Collected] is
// evidence of nothing but a gap.
const (
	Collected  Status = "collected"  // everything that was asked for
	Incomplete Status = "incomplete" // some aspects, see State.Aspects
	Failed     Status = "failed"     // nothing but the host's identity
)

// An Aspect is a part of a host's state that is either known or not. An
// empty list means "none" only if its aspect is in State.Aspects; otherwise
// it means "not known".
type Aspect string

// The aspects of a host's state.
const (
	AspectFacts      Aspect = "facts"
	AspectParameters Aspect = "parameters"
	AspectPackages   Aspect = "packages"   // installed packages
	AspectUpdates    Aspect = "updates"    // pending package updates
	AspectErrata     Aspect = "errata"     // installable errata
	AspectApplicable Aspect = "applicable" // applicable errata as well
	AspectKernel     Aspect = "kernel"     // running kernel
	AspectBoot       Aspect = "boot"       // boot ID or time
	AspectReboot     Aspect = "reboot"     // whether a reboot is needed
	AspectProcesses  Aspect = "processes"  // processes on replaced files
)

// A State is one host at one time. It holds no time of collection: a host
// that did not change has the same state, byte for byte (the time is in the
// [Snapshot]).
type State struct {
	Host
	Status   Status    `json:"status"`
	Problems []Problem `json:"problems,omitempty"` // why Status is not Collected, and warnings
	Aspects  []Aspect  `json:"aspects,omitempty"`  // what is known, sorted

	Facts        Facts         `json:"facts"`
	Format       Format        `json:"format,omitempty"` // of the packages
	Kernel       Kernel        `json:"kernel"`
	Boot         Boot          `json:"boot"`
	Reboot       Reboot        `json:"reboot"`
	Parameters   []Parameter   `json:"parameters,omitempty"`   // sorted by name
	Repositories []Repository  `json:"repositories,omitempty"` // sorted by ID
	Errata       []HostErratum `json:"errata,omitempty"`       // sorted by ID
	Updates      []Update      `json:"updates,omitempty"`      // sorted by name, arch
	Processes    []Process     `json:"processes,omitempty"`    // sorted
	Packages     []Package     `json:"packages,omitempty"`     // sorted by name, arch, EVR as text
}

// Knows reports whether the aspect was collected.
func (s *State) Knows(a Aspect) bool {
	for _, known := range s.Aspects {
		if known == a {
			return true
		}
	}
	return false
}

// A Problem says what about a host could not be read, or is doubtful.
type Problem struct {
	Aspect  Aspect `json:"aspect,omitempty"`  // what is missing; empty: the whole host
	Message string `json:"message"`           // the cause, untrusted text
	Warning bool   `json:"warning,omitempty"` // nothing is missing, but a reader must know
}

// A HostErratum is an erratum that concerns a host.
type HostErratum struct {
	ID          string `json:"id"`
	Installable bool   `json:"installable"` // from the content the host has; otherwise only applicable
}

// A Kernel names the kernels of a host.
type Kernel struct {
	Running   string `json:"running,omitempty"`   // uname -r
	Installed string `json:"installed,omitempty"` // newest installed, in the form of uname -r
}

// A Boot identifies one boot of a host. A changed ID proves a reboot.
type Boot struct {
	ID   string    `json:"id,omitempty"`  // /proc/sys/kernel/random/boot_id
	Time time.Time `json:"time,omitzero"` // UTC, seconds
}

// Reboot says whether the host must be rebooted for its installed packages
// to take effect. The zero value is unknown.
type Reboot struct {
	Need    Need     `json:"need,omitempty"`
	Reasons []string `json:"reasons,omitempty"` // sorted: package names, "kernel …"
}

// Need answers a question that may have no answer.
type Need string

// The answers. The zero value means that nobody said.
const (
	NeedUnknown Need = ""
	Needed      Need = "yes"
	NotNeeded   Need = "no"
)

// A Repository is a package source of a host and how fresh the host's copy
// of its metadata is.
type Repository struct {
	ID        string    `json:"id"`
	Refreshed time.Time `json:"refreshed,omitzero"` // UTC: when the metadata was made or fetched
	Revision  string    `json:"revision,omitempty"`
}

// A Process still uses files that an upgrade replaced. It has no process ID:
// a restart of the same old program is not a change.
type Process struct {
	Name string `json:"name"`
	Unit string `json:"unit,omitempty"` // systemd unit
}
