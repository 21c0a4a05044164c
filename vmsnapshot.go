package katprep

import (
	"cmp"
	"slices"
	"time"
)

// VMSnapshotMaxAge is how old a VM snapshot may get where a plan says nothing
// else.
const VMSnapshotMaxAge = 72 * time.Hour

// A VMSnapshot is a VM snapshot that a run made, or may have made, and that
// is not known to be removed.
type VMSnapshot struct {
	Host
	Run     RunID     `json:"run"`
	System  string    `json:"system,omitempty"`
	Ref     string    `json:"ref,omitempty"`
	Created time.Time `json:"created"`   // UTC; as the hypervisor said, else when it was asked for
	Certain bool      `json:"certain"`   // false: it was asked for, and nobody knows what became of that
	Age     int       `json:"age_hours"` // full hours
	Old     bool      `json:"old"`       // older than the limit
	Limit   int       `json:"limit_hours"`
}

// VMSnapshots returns the run's VM snapshots that were there at a time as far
// as the journal tells, sorted by host. A limit of 0 is the plan's own.
func (r *RunRecord) VMSnapshots(at time.Time, limit time.Duration) []VMSnapshot {
	limit = cmp.Or(limit, r.Plan.Limits.maxAge())
	open := map[HostID]VMSnapshot{}
	for i := range r.Journal {
		e := &r.Journal[i]
		s, there := open[e.HostID]
		switch {
		case e.Host == "" || e.Event == EventNote || e.Event == EventSkipped:
		case (e.Kind == StepRemoveVM || e.Step == "check.vm-snapshot-gone") && e.Event == EventDone:
			delete(open, e.HostID)
		case e.Kind != StepVMSnapshot || e.At.After(at):
		case e.Event == EventDone:
			open[e.HostID] = VMSnapshot{Host: Host{HostID: e.HostID, Name: e.Host}, Run: r.Plan.Run, System: e.System, Ref: e.Ref, Created: createdOf(e), Certain: true}
		case e.Event == EventFailed && !s.Certain:
			delete(open, e.HostID) // the hypervisor said that there is none
		case !there:
			open[e.HostID] = VMSnapshot{Host: Host{HostID: e.HostID, Name: e.Host}, Run: r.Plan.Run, System: e.System, Created: e.At.UTC()}
		}
	}
	var out []VMSnapshot
	for _, s := range open {
		age := max(at.Sub(s.Created), 0)
		s.Age, s.Limit, s.Old = int(age/time.Hour), int(limit/time.Hour), age > limit
		out = append(out, s)
	}
	SortVMSnapshots(out)
	return out
}

// SortVMSnapshots sorts by host, then run.
func SortVMSnapshots(list []VMSnapshot) {
	slices.SortFunc(list, func(a, b VMSnapshot) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Source, b.Source), cmp.Compare(a.ID, b.ID), cmp.Compare(a.Run, b.Run))
	})
}

// createdOf is the hypervisor's own time if it told one.
func createdOf(e *Entry) time.Time {
	if t, err := time.Parse(time.RFC3339, e.Data["created"]); err == nil {
		return t.UTC()
	}
	return e.At.UTC()
}

func (l *Limits) maxAge() time.Duration {
	if d, err := time.ParseDuration(l.VMSnapshotAge); err == nil && d > 0 {
		return d
	}
	return VMSnapshotMaxAge
}
