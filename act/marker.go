package act

import (
	"strconv"
	"strings"

	"github.com/stdevel/katprep"
)

const (
	markerPrefix = "katprep-"
	markerMax    = 80
)

// Keys of Ref.Data that every backend uses where it knows the value. Times
// are RFC 3339 in UTC.
const (
	DataStart    = "start"       // of a downtime
	DataEnd      = "end"         // of a downtime
	DataCreated  = "created"     // of a VM snapshot, in the hypervisor's words
	DataQuiesced = "quiesced"    // "yes" or "no"
	DataWarning  = "warning"     // what a person must know although it worked
	DataBootID   = "boot_id"     // after a reboot
	DataBootTime = "boot_time"   // after a reboot
	DataOldID    = "old_boot_id" // before it
	DataOldTime  = "old_boot_time"
	DataReboot   = "reboot" // after a patch: "yes" or "no" if the host said whether it needs one
)

// NewMarker returns the marker of everything a run makes for a host.
func NewMarker(run katprep.RunID) Marker { return Marker(markerPrefix + string(run)) }

// JobMarker returns the marker of the run's nth patch job.
func JobMarker(run katprep.RunID, n int) Marker {
	return NewMarker(run) + Marker("-j"+strconv.Itoa(n))
}

// jobNumber is the number in a job's marker, or 0.
func jobNumber(m Marker) int {
	i := strings.LastIndex(string(m), "-j")
	if i < 0 {
		return 0
	}
	n, err := strconv.Atoi(string(m[i+len("-j"):]))
	if err != nil {
		return 0
	}
	return n
}

// ScriptMarker returns the marker of an attempt to run the script that is
// the step with the index in a host's plan.
func ScriptMarker(run katprep.RunID, step, attempt int) Marker {
	return NewMarker(run) + Marker("-s"+strconv.Itoa(step)+"."+strconv.Itoa(attempt))
}

// Check returns an error of kind katprep.Invalid unless the marker is safe to
// be put into other systems.
func (m Marker) Check() error {
	if !strings.HasPrefix(string(m), markerPrefix) || len(m) <= len(markerPrefix) || len(m) > markerMax {
		return katprep.Errorf(katprep.Invalid, "marker %q: want %q and the run, at most %d characters", string(m), markerPrefix, markerMax)
	}
	for _, c := range []byte(m) {
		if c <= ' ' || c > '~' || strings.IndexByte(`"';|`+"`\\", c) >= 0 {
			return katprep.Errorf(katprep.Invalid, "marker %q: character %q", string(m), c)
		}
	}
	return nil
}

// CheckName returns an error of kind katprep.Invalid unless the marker may be
// the name of a VM snapshot: letters, digits, '.', '_' and '-', which every
// hypervisor takes and no shell, path, XML or HTML sees anything in. Other
// names, and long ones, are half created by some.
func (m Marker) CheckName() error {
	if err := m.Check(); err != nil {
		return err
	}
	for _, c := range []byte(m) {
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("._-", c) >= 0) {
			return katprep.Errorf(katprep.Invalid, "marker %q cannot be the name of a VM snapshot: character %q", string(m), c)
		}
	}
	return nil
}
