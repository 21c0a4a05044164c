package katprep

import "time"

// ArchiveFormat is the version of the archive's schema that this program
// writes. It reads all versions up to this one.
const ArchiveFormat = 1

// A CommitID is the full hexadecimal name of a commit in the archive.
type CommitID string

// Short returns the first 10 characters, for people.
func (c CommitID) Short() string {
	if len(c) > 10 {
		return string(c[:10])
	}
	return string(c)
}

// A RunID names one maintenance: letters, digits, '.', '_' and '-', at most
// 64 of them, not starting with '.' or '-'; see [RunID.Valid].
type RunID string

// Valid reports whether the ID may be used in tags, paths and descriptions.
func (r RunID) Valid() bool {
	if r == "" || len(r) > 64 || r[0] == '.' || r[0] == '-' || r[len(r)-1] == '.' {
		return false
	}
	for i := range len(r) {
		c := r[i]
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '.' && r[i-1] != '.' || c == '_' || c == '-') {
			return false
		}
	}
	return len(r) < 5 || r[len(r)-5:] != ".lock"
}

// Phase says which snapshot of a run this is.
type Phase string

// The phases. A snapshot outside any run has none.
const (
	Before Phase = "before"
	After  Phase = "after"
)

// A Snapshot describes the states of all selected hosts at one time. The
// states themselves are streamed; see the archive.
type Snapshot struct {
	Format    int       `json:"format"`
	Started   time.Time `json:"started"`  // UTC, seconds
	Finished  time.Time `json:"finished"` // UTC, seconds
	Run       RunID     `json:"run,omitempty"`
	Phase     Phase     `json:"phase,omitempty"`
	Version   string    `json:"katprep"` // version of the program
	Selection Selection `json:"selection"`
	Sources   []Source  `json:"sources"` // in the order of the configuration
	Counts    Counts    `json:"counts"`
	Gaps      []Gap     `json:"gaps,omitempty"` // hosts not collected, sorted by name, source, ID

	// Warnings are about hosts that were read, and that a reader may confuse:
	// the same name twice. Sorted by name, source, ID.
	Warnings []HostWarning `json:"warnings,omitempty"`
}

// A Source is a system that knows hosts, as it presented itself.
type Source struct {
	Name    string `json:"name"`              // in the configuration
	Type    string `json:"type"`              // "foreman", "direct", "ssh", "legacy"
	URL     string `json:"url,omitempty"`     // without credentials
	Product string `json:"product,omitempty"` // "Satellite 6.16.0", "Foreman 3.12.0"
	Version string `json:"version,omitempty"`
	User    string `json:"user,omitempty"`    // on whose behalf it was read
	Problem string `json:"problem,omitempty"` // why its list of hosts is not complete
}

// Counts sums a snapshot up. Hosts = Collected + Incomplete + Failed.
type Counts struct {
	Hosts         int              `json:"hosts"`
	Collected     int              `json:"collected"`
	Incomplete    int              `json:"incomplete"`
	Failed        int              `json:"failed"`
	Errata        int              `json:"errata"`                   // different errata that are installable on some host
	HostErrata    int              `json:"host_errata"`              // pairs of host and installable erratum
	ErrataUnknown int              `json:"errata_unknown,omitempty"` // hosts, failed ones left out, of which no errata are known
	Applicable    int              `json:"applicable"`               // pairs of host and erratum that is applicable, but not installable
	Pending       map[Severity]int `json:"pending,omitempty"`        // HostErrata by severity, security errata only
	Updates       int              `json:"updates"`                  // pairs of host and pending package update
	RebootNeeded  int              `json:"reboot_needed"`            // hosts
	RebootUnknown int              `json:"reboot_unknown"`           // hosts
}

// A Gap is a host that a snapshot does not hold, or not whole.
type Gap struct {
	Host
	Status   Status    `json:"status"`
	Problems []Problem `json:"problems"`
}

// A HostWarning says what a reader must know of a host in a snapshot.
type HostWarning struct {
	Host
	Message string `json:"message"`
}

// A Selection says which hosts are meant. Lists of one field are alternatives,
// different fields must all hold, and what Exclude matches is out. The zero
// value is every host. Patterns are globs without regard to case: '*' any
// text, '?' one character.
type Selection struct {
	Hosts         []string `json:"hosts,omitempty"`
	HostGroups    []string `json:"host_groups,omitempty"` // with their children
	Organizations []string `json:"organizations,omitempty"`
	Locations     []string `json:"locations,omitempty"`
	Environments  []string `json:"lifecycle_environments,omitempty"`
	OS            []string `json:"os,omitempty"`
	ContentViews  []string `json:"content_views,omitempty"`
	Collections   []string `json:"host_collections,omitempty"`
	Parameters    []string `json:"parameters,omitempty"` // "name" or "name=value"
	Sources       []string `json:"sources,omitempty"`
	Search        string   `json:"search,omitempty"`  // in the source's own language
	Exclude       []string `json:"exclude,omitempty"` // host globs
}
