package katprep

import "strings"

// A HostID identifies a host for ever: the source that knows it, and the
// source's own ID for it. Names can change and can collide; a HostID cannot.
type HostID struct {
	Source string `json:"source"` // name of the source in the configuration, e.g. "satellite"
	ID     string `json:"id"`     // the source's own ID, e.g. "528" or a machine ID
}

// String returns "source/id", for messages.
func (h HostID) String() string { return h.Source + "/" + h.ID }

// A Host is one managed system as its source names it. Name is untrusted text.
type Host struct {
	HostID
	Name string `json:"name"` // FQDN as the source gives it
}

// Domain returns what follows the first dot of the host's name, or "" if
// there is none.
func (h Host) Domain() string {
	_, domain, _ := strings.Cut(h.Name, ".")
	return domain
}

// Facts are the properties of a host that select it, group it and name its
// owner. An empty field means that the source did not say.
type Facts struct {
	OS           OS                `json:"os"`
	Arch         string            `json:"arch,omitempty"`
	IP           string            `json:"ip,omitempty"`
	IP6          string            `json:"ip6,omitempty"`
	MAC          string            `json:"mac,omitempty"`
	UUID         string            `json:"uuid,omitempty"`       // of the (virtual) hardware
	MachineID    string            `json:"machine_id,omitempty"` // /etc/machine-id
	Hardware     Hardware          `json:"hardware,omitempty"`
	Owner        string            `json:"owner,omitempty"`
	OwnerType    string            `json:"owner_type,omitempty"` // "User" or "Usergroup"
	Organization string            `json:"organization,omitempty"`
	Location     string            `json:"location,omitempty"`
	HostGroup    string            `json:"host_group,omitempty"` // with its parents: "base/db"
	Environment  string            `json:"lifecycle_environment,omitempty"`
	ContentView  string            `json:"content_view,omitempty"`
	Collections  []string          `json:"host_collections,omitempty"` // sorted
	Comment      string            `json:"comment,omitempty"`
	Extra        map[string]string `json:"extra,omitempty"` // further facts that were asked for
}

// OS is an operating system as /etc/os-release or the source names it.
type OS struct {
	ID      string `json:"id,omitempty"`      // "rhel", "debian", …
	Version string `json:"version,omitempty"` // "9.4"
	Name    string `json:"name,omitempty"`    // "Red Hat Enterprise Linux 9.4 (Plow)"
}

// Hardware says what a host runs on; only a virtual machine can have VM
// snapshots. The zero value is unknown.
type Hardware string

// What a host can run on.
const (
	HardwareUnknown Hardware = ""
	Physical        Hardware = "physical"
	Virtual         Hardware = "virtual"
	Container       Hardware = "container"
)

// A Parameter is a named value attached to a host in its source, such as the
// katprep_* parameters of Foreman.
type Parameter struct {
	Name   string `json:"name"`
	Value  string `json:"value"`            // as text; JSON for arrays and objects
	Type   string `json:"type,omitempty"`   // the source's type, "string" if empty
	Origin string `json:"origin,omitempty"` // where the value comes from: "host", "hostgroup base/db", "global" …
	Masked bool   `json:"masked,omitempty"` // the value looked secret and was replaced
}
