// Package downtime does what all monitoring backends do in the same way: find
// the hosts, look for what carries the marker, send what is missing, and ask
// again until the system shows exactly what was wanted. What differs between
// the systems is a [Driver].
//
// IDs that are removed come from one place only, [Owned], which compares host
// and marker exactly: somebody else's downtime cannot be touched.
package downtime

import (
	"context"
	"strings"
	"time"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/act"
)

// An Entry is one downtime of a host or a service as the system lists it.
type Entry struct {
	ID       string // the system's own, fit for Driver.Remove
	Host     string // name of the host object
	Service  string // "": the host itself
	Author   string // as the system keeps it
	Comment  string
	Start    time.Time
	End      time.Time
	InEffect bool
	By       string // ID of the entry that triggered this one: it ends with it
}

// A Request is a downtime to be sent for a host and its services.
type Request struct {
	Host     string
	Services []string       // all of the host, sorted; nil where the system has none
	Window   katprep.Window // already in the system's grain
	Comment  string         // begins with the marker
	Marker   act.Marker
	Own      []Entry // what carries the marker now, for systems that change in place
}

// A Found is the host object that a target names, or why there is none.
type Found struct {
	Host string
	Err  error
}

// A Driver speaks to one monitoring system. Its methods take many hosts, so
// that few requests do; errors of a slice belong to the item at that place.
type Driver interface {
	// Find returns the host object of each target.
	Find(ctx context.Context, ts []act.Target) []Found
	// Services lists the services of each host, sorted.
	Services(ctx context.Context, hosts []string) (map[string][]string, error)
	// Entries lists the downtimes of at least these hosts, anybody's. It must
	// tell "none" from "cannot be read".
	Entries(ctx context.Context, hosts []string) ([]Entry, error)
	// Send asks for downtimes. It confirms nothing.
	Send(ctx context.Context, rs []Request) []error
	// Remove asks for the removal of entries by ID. One that is gone already
	// is no error.
	Remove(ctx context.Context, es []Entry) []error
}

// Rules are the habits of a system.
type Rules struct {
	System    string        // in messages: "Icinga 2"
	Patience  time.Duration // after this long without being shown, a downtime is not confirmed; 0: 30 s
	Interval  time.Duration // longest pause between two looks; 0: 1 s
	Grain     time.Duration // the system's times are multiples of it; 0: 1 s
	LateStart bool          // a start in the past becomes the time of creation
	ASCII     bool          // comments lose everything else
	Warning   string        // what a person must know of every downtime

	// Skew tells the system's clock minus ours, if it is known.
	Skew func() (time.Duration, bool)
	// Now is our clock; nil: time.Now.
	Now func() time.Time
}

// A Scheduler schedules, finds and ends downtimes through a driver. It is the
// part of act.Downtimer and act.BulkDowntimer that is the same everywhere.
type Scheduler struct {
	d Driver
	r Rules
}

// New returns a scheduler.
func New(d Driver, r Rules) *Scheduler {
	if r.Patience == 0 {
		r.Patience = 30 * time.Second
	}
	if r.Interval == 0 {
		r.Interval = time.Second
	}
	if r.Grain == 0 {
		r.Grain = time.Second
	}
	if r.Now == nil {
		r.Now = time.Now
	}
	return &Scheduler{d: d, r: r}
}

// Schedule is as act.Downtimer says.
func (s *Scheduler) Schedule(ctx context.Context, t act.Target, w katprep.Window, comment string) (act.Ref, error) {
	r := s.ScheduleAll(ctx, []act.Target{t}, w, comment)[0]
	return r.Ref, r.Err
}

// EndDowntime is as act.Downtimer says.
func (s *Scheduler) EndDowntime(ctx context.Context, t act.Target) error {
	return s.EndAll(ctx, []act.Target{t})[0].Err
}

// FindDowntime is as act.Downtimer says. In effect is what the host's own
// downtime is; services may follow. One whose time has come and that is not in
// effect is looked at again for a while: a system that has just been restarted
// shows its downtimes before it applies them.
func (s *Scheduler) FindDowntime(ctx context.Context, t act.Target) (ref act.Ref, inEffect, found bool, err error) {
	j := s.jobs([]act.Target{t})
	if s.find(ctx, j); j[0].err != nil {
		return ref, false, false, j[0].err
	}
	var own []Entry
	look := func() (enough bool, err error) {
		es, err := s.d.Entries(ctx, []string{j[0].host})
		if err != nil {
			return true, err
		}
		own = Owned(es, j[0].host, t.Marker)
		due := false
		for _, e := range own {
			inEffect = inEffect || e.Service == "" && e.InEffect
			due = due || e.Service == "" && within(e, s.r.Now())
		}
		return inEffect || !due, nil
	}
	if err := s.untilWithin(ctx, min(s.r.Patience, secondLook), look); err != nil {
		return ref, false, false, j[0].wrap("look for a downtime of", err)
	}
	return s.refOf(own), inEffect, len(own) > 0, nil
}

// secondLook is how long FindDowntime waits for a downtime to be applied.
const secondLook = 10 * time.Second

func within(e Entry, now time.Time) bool { return !e.Start.After(now) && e.End.After(now) }

// Owned returns the entries of the host that carry exactly the marker, and
// the entries with the marker that were triggered by them.
func Owned(es []Entry, host string, m act.Marker) []Entry {
	if m == "" || host == "" {
		return nil
	}
	var own []Entry
	ids := map[string]bool{}
	for _, e := range es {
		if e.Host == host && Carries(e.Comment, m) {
			own = append(own, e)
			ids[e.ID] = true
		}
	}
	for more := true; more; { // children of children come later
		more = false
		for _, e := range es {
			if e.By != "" && ids[e.By] && !ids[e.ID] && Carries(e.Comment, m) {
				own = append(own, e)
				ids[e.ID] = true
				more = true
			}
		}
	}
	return own
}

// Carries reports whether the comment's first word is exactly the marker.
func Carries(comment string, m act.Marker) bool {
	first, _, _ := strings.Cut(comment, " ")
	return m != "" && first == string(m)
}
