package render

import (
	"fmt"
	"strings"

	"github.com/stdevel/katprep"
)

// OldVMSnapshots returns the VM snapshots that are older than their limit, of
// the report's host or of all.
func (d *Data) OldVMSnapshots() []katprep.VMSnapshot {
	var out []katprep.VMSnapshot
	for _, s := range d.VMSnapshots {
		if s.Old && (d.Host == nil || d.Host.HostID == s.HostID) {
			out = append(out, s)
		}
	}
	return out
}

// forgotten warns of old VM snapshots in a sentence.
func (d *Data) forgotten() []string {
	old := d.OldVMSnapshots()
	if len(old) == 0 {
		return nil
	}
	return []string{OldVMSnapshots(old)}
}

// OldVMSnapshots names VM snapshots that are too old, the first ones of many.
func OldVMSnapshots(old []katprep.VMSnapshot) string {
	const most = 10
	var names []string
	for _, s := range old[:min(len(old), most)] {
		what := fmt.Sprintf("%s (%s, %d h, limit %d h", Line(s.Name), Line(string(s.Run)), s.Age, s.Limit)
		if !s.Certain {
			what += ", not confirmed to exist"
		}
		names = append(names, what+")")
	}
	if n := len(old) - most; n > 0 {
		names = append(names, fmt.Sprintf("and %d more", n))
	}
	subject := fmt.Sprintf("%d VM snapshots of katprep are", len(old))
	if len(old) == 1 {
		subject = "1 VM snapshot of katprep is"
	}
	return subject + " older than allowed and not known to be removed: " + strings.Join(names, ", ") + "."
}
