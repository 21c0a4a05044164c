package parameters

import (
	"strings"

	"github.com/stdevel/katprep"
)

// Prefix begins the names that are katprep's own.
const Prefix = "katprep_"

// A Known parameter is one that katprep, or its predecessor, reads.
type Known struct {
	Name    string
	Meaning string
	Default string // what the predecessor gave it, "" if nothing
	YesNo   bool
}

// List returns the known parameters, the predecessor's names unchanged.
func List() []Known {
	return []Known{
		{Name: "katprep_mon", Meaning: "monitoring system: its name in the configuration, or its URL; no: none", Default: Placeholder},
		{Name: "katprep_mon_name", Meaning: "the host's name there, if it is another one"},
		{Name: "katprep_mon_type", Meaning: "type of the monitoring system; the configuration knows it"},
		{Name: "katprep_virt", Meaning: "hypervisor: its name in the configuration, or its URI", Default: Placeholder},
		{Name: "katprep_virt_name", Meaning: "the VM's name there, if it is another one"},
		{Name: "katprep_virt_type", Meaning: "type of the hypervisor; the configuration knows it"},
		{Name: "katprep_virt_snapshot", Meaning: "whether a VM snapshot protects the host: yes or no", Default: "0", YesNo: true},
		{Name: "katprep_last_maintenance", Meaning: "written by katprep: what the last run did"},
		{Name: "katprep_last_maintenance_url", Meaning: "written by katprep: where to read on"},
		{Name: "katprep_owner", Meaning: "who is responsible for the host"},
	}
}

// Placeholder is what the predecessor wrote where somebody has yet to decide.
const Placeholder = "fixmepls"

// IsUnset reports whether a value means that nobody decided: empty, or the
// placeholder.
func IsUnset(value string) bool {
	v := strings.TrimSpace(value)
	return v == "" || strings.EqualFold(v, Placeholder)
}

// An Answer is what a yes-or-no value means.
type Answer string

// The answers; what is neither is Unclear, never a guess.
const (
	Yes     Answer = "yes"
	No      Answer = "no"
	Unset   Answer = "unset"
	Unclear Answer = "unclear"
)

// Parse reads a yes-or-no value as the predecessor documented it: 1 and yes,
// 0 and no, and true, false, on, off; empty and the placeholder are unset.
// (In fact the predecessor took everything else, 0 included, for yes.)
func Parse(value string) Answer {
	switch v := strings.ToLower(strings.TrimSpace(value)); {
	case IsUnset(v):
		return Unset
	case v == "1", v == "yes", v == "y", v == "true", v == "on":
		return Yes
	case v == "0", v == "no", v == "n", v == "false", v == "off":
		return No
	}
	return Unclear
}

// Explain says what a person must know of a value, or "".
func Explain(name, value string) string {
	switch {
	case strings.EqualFold(strings.TrimSpace(value), Placeholder):
		return "not decided yet"
	case name == "katprep_virt_snapshot" && Parse(value) == Unclear:
		return "neither yes nor no: no VM snapshot is made"
	case name == "katprep_virt_snapshot" && Parse(value) == No:
		return "no VM snapshot (katprep 0.x made one all the same)"
	case name == "katprep_mon_type" && strings.EqualFold(value, "icinga"):
		return "ambiguous: Icinga 2 for katprep 0.5, Icinga 1 for its later branch"
	}
	return ""
}

// Check refuses wishes that cannot be meant. Names that are not katprep's own
// belong to somebody else, and are refused unless foreign is set.
func Check(w Wish, foreign bool) error {
	switch {
	case w.Name == "" || len(w.Name) > 255 || strings.ContainsAny(w.Name, " \t\r\n\x00"):
		return katprep.Errorf(katprep.Invalid, "parameter name %.80q: Foreman takes 1 to 255 characters without spaces", w.Name)
	case !foreign && !strings.HasPrefix(w.Name, Prefix):
		return katprep.Errorf(katprep.Invalid, "parameter %.80q is not katprep's own: its name does not begin with %q", w.Name, Prefix).
			WithHint("--any-name, if it is really meant")
	case w.Mode == Remove:
		return nil
	}
	for _, k := range List() {
		if k.Name == w.Name && k.YesNo && Parse(w.Value) == Unclear {
			return katprep.Errorf(katprep.Invalid, "%s=%.40q is neither yes nor no", w.Name, w.Value).WithHint("use yes or no (or 1 and 0)")
		}
	}
	return nil
}
