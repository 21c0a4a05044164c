package katprep

// An Ending says what became of an erratum (or a pending update) of the
// before-snapshot.
type Ending string

// The endings. Only the first two are claims that something was installed,
// and only installed versions make them true.
const (
	Installed     Ending = "installed"            // gone from the list, and installed versions reach the fixed ones
	RebootPending Ending = "reboot-pending"       // the same, but the fix takes effect with the next boot
	NoLonger      Ending = "no-longer-applicable" // gone, but no versions prove an installation
	Pending       Ending = "pending"              // still listed
	Unknown       Ending = "unknown"              // the host was not collected afterwards, or gone from the list while installed versions are not known
	New           Ending = "new"                  // only in the after-snapshot
)

// Endings lists the endings in the order of reports.
var Endings = [...]Ending{Installed, RebootPending, NoLonger, Pending, Unknown, New}

// Presence says in which of two snapshots a host is.
type Presence string

// The presences. A host that is in scope but could not be read is present.
const (
	InBoth       Presence = "both"
	OnlyBefore   Presence = "removed"      // no longer known to its source
	OnlyAfter    Presence = "added"        //
	NotSelected  Presence = "not-selected" // outside the selection of one of the snapshots
	NotCollected Presence = "unknown"      // failed or incomplete before or after: see Unknown
)

// A HostChange is what differs for one host between two snapshots.
type HostChange struct {
	Host
	Presence   Presence          `json:"presence"`
	Facts      Facts             `json:"facts"` // after, or before if there is no after
	Before     Status            `json:"before,omitempty"`
	After      Status            `json:"after,omitempty"`
	Known      []Aspect          `json:"known,omitempty"`    // what the after-state tells; of what is not here, an empty list means "not known"
	Problems   []Problem         `json:"problems,omitempty"` // of both, the after ones first
	Errata     []ErratumChange   `json:"errata,omitempty"`   // sorted by ending, severity, ID
	Updates    []UpdateChange    `json:"updates,omitempty"`  // sorted by ending, name
	Packages   []PackageChange   `json:"packages,omitempty"` // sorted by name, arch
	Parameters []ParameterChange `json:"parameters,omitempty"`
	Fields     []FieldChange     `json:"fields,omitempty"` // facts that changed
	Kernel     KernelChange      `json:"kernel"`
	Boot       BootChange        `json:"boot"`
	Reboot     Reboot            `json:"reboot"`              // after
	Processes  []Process         `json:"processes,omitempty"` // after: on replaced files
}

// Knows reports whether the aspect was collected afterwards.
func (c *HostChange) Knows(a Aspect) bool {
	for _, known := range c.Known {
		if known == a {
			return true
		}
	}
	return false
}

// Changed reports whether anything about the host differs, a gap included.
func (c *HostChange) Changed() bool {
	if c.Presence != InBoth || c.Before != c.After || c.Kernel.Before != c.Kernel.After || c.Boot.Rebooted == Yes {
		return true
	}
	for _, e := range c.Errata {
		if e.Ending != Pending {
			return true
		}
	}
	for _, u := range c.Updates {
		if u.Ending != Pending {
			return true
		}
	}
	return len(c.Packages)+len(c.Parameters)+len(c.Fields) > 0
}

// An ErratumChange is what became of one erratum on one host, and why that is
// said.
type ErratumChange struct {
	ID          string      `json:"id"`
	Ending      Ending      `json:"ending"`
	Type        ErratumType `json:"type,omitempty"`
	Severity    Severity    `json:"severity,omitempty"`
	Issued      Date        `json:"issued,omitempty"`
	Title       string      `json:"title,omitempty"`
	CVEs        []string    `json:"cves,omitempty"`
	Installable bool        `json:"installable"`
	Proof       []Proof     `json:"proof,omitempty"`  // of an installation: one for each package concerned
	Reason      string      `json:"reason,omitempty"` // of any other ending: "package removed", "versions were not collected" …
}

// A Proof shows that an installed version reaches a fixed one.
type Proof struct {
	Package PackageKey `json:"package"`
	Before  EVR        `json:"before,omitempty"`
	Fixed   EVR        `json:"fixed"`
	After   EVR        `json:"after"`
}

// An UpdateChange is what became of a pending package update.
type UpdateChange struct {
	Update
	Ending Ending `json:"ending"`
	After  EVR    `json:"after,omitempty"`  // installed afterwards
	Reason string `json:"reason,omitempty"` // as of an erratum
}

// PackageKind says how an installed package changed.
type PackageKind string

// The kinds of package change.
const (
	Added      PackageKind = "added"
	Removed    PackageKind = "removed"
	Upgraded   PackageKind = "upgraded"
	Downgraded PackageKind = "downgraded"
	Changed    PackageKind = "changed" // several versions at once, or same version rebuilt
)

// A PackageChange is a change of what is installed under one name and
// architecture; several versions at a time are kernels and their like.
type PackageChange struct {
	PackageKey
	Kind   PackageKind `json:"kind"`
	Before []EVR       `json:"before,omitempty"` // ascending
	After  []EVR       `json:"after,omitempty"`  // ascending
	Source string      `json:"source,omitempty"`
	Errata []string    `json:"errata,omitempty"` // errata of the before-snapshot whose fix this is
}

// A ParameterChange is a parameter set, changed or removed between snapshots.
type ParameterChange struct {
	Name   string  `json:"name"`
	Before *string `json:"before,omitempty"` // nil: not there
	After  *string `json:"after,omitempty"`
}

// A FieldChange is a changed fact, such as the owner or the content view.
type FieldChange struct {
	Field  string `json:"field"` // JSON name within Facts
	Before string `json:"before"`
	After  string `json:"after"`
}

// A KernelChange compares the running kernels.
type KernelChange struct {
	Before string `json:"before,omitempty"`
	After  string `json:"after,omitempty"`
}

// Answer is yes, no, or nobody knows.
type Answer string

// The answers.
const (
	Yes      Answer = "yes"
	No       Answer = "no"
	NotKnown Answer = "unknown"
)

// A BootChange says whether the host was rebooted between the snapshots, and
// what proves it.
type BootChange struct {
	Before   Boot   `json:"before"`
	After    Boot   `json:"after"`
	Rebooted Answer `json:"rebooted"`
	Proof    string `json:"proof,omitempty"` // "boot ID changed", "boot time moved"
}

// A SnapshotRef is a snapshot and the commit that holds it.
type SnapshotRef struct {
	Commit   CommitID `json:"commit"`
	By       string   `json:"by,omitempty"`   // who took it: the commit's author, untrusted text
	With     string   `json:"with,omitempty"` // what wrote it: the commit's committer, untrusted text
	Snapshot Snapshot `json:"snapshot"`
}

// A Report is everything a renderer needs of two snapshots, already computed:
// the same archive gives the same report.
type Report struct {
	Title   string            `json:"title"`
	Meta    map[string]string `json:"meta,omitempty"` // the user's own words
	Before  SnapshotRef       `json:"before"`
	After   SnapshotRef       `json:"after"`
	Run     *RunRecord        `json:"run,omitempty"`
	Remarks []string          `json:"remarks,omitempty"` // what the order of commits says against the run's decisions, in sentences
	Named   []string          `json:"named,omitempty"`   // decisions recorded in another's name, in sentences: that is nothing against them
	Totals  Totals            `json:"totals"`
	Hosts   []HostChange      `json:"hosts"`            // sorted by name, source, ID
	Errata  []Erratum         `json:"errata,omitempty"` // those that Hosts mention, sorted by ID
	Version string            `json:"katprep"`

	// VMSnapshots are those of all runs in the archive that were there when
	// the after-snapshot was finished and are not known to be removed since.
	VMSnapshots []VMSnapshot `json:"vm_snapshots,omitempty"`
}

// Totals sums a landscape up. Hosts counts every host of either snapshot once:
// Hosts = Unchanged + Changed + Unknown + Added + Removed + NotSelected.
type Totals struct {
	Hosts       int                 `json:"hosts"`
	Unchanged   int                 `json:"unchanged"`
	Changed     int                 `json:"changed"`
	Unknown     int                 `json:"unknown"`
	Added       int                 `json:"added"`
	Removed     int                 `json:"removed"`
	NotSelected int                 `json:"not_selected"`
	Rebooted    int                 `json:"rebooted"`
	Errata      map[Ending]int      `json:"errata"`              // pairs of host and erratum
	Updates     map[Ending]int      `json:"updates"`             // pairs of host and update
	Packages    map[PackageKind]int `json:"packages"`            // pairs of host and package
	Installed   map[Severity]int    `json:"installed,omitempty"` // security errata that ended as Installed or RebootPending
}
