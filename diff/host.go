package diff

import (
	"slices"
	"time"

	"github.com/stdevel/katprep"
)

// Context is what a comparison of one host depends on besides its states.
type Context struct {
	Lookup Lookup
	// Absent says what it means that one of the states is nil, AbsentWhy why.
	// Empty means that the host was removed or added.
	Absent    katprep.Presence
	AbsentWhy string
	// Since is when the before-snapshot was begun; a boot before that is not
	// one between the snapshots. Zero: not known.
	Since time.Time
}

// Host compares two states of one host. One of them may be nil, but not both.
func Host(before, after *katprep.State, c Context) katprep.HostChange {
	if c.Lookup == nil {
		c.Lookup = func(string) (katprep.Erratum, bool) { return katprep.Erratum{}, false }
	}
	return host(before, after, c)
}

// A pair is one host before and after, with what is asked of it again and
// again.
type pair struct {
	before, after *katprep.State
	lookup        Lookup
	presence      katprep.Presence
	why           string // what the absence means
	format        katprep.Format
	comparable    bool     // packages were collected on both sides, in one format
	old, new      packages // nil until asked for
}

func host(before, after *katprep.State, c Context) katprep.HostChange {
	p := &pair{before: before, after: after, lookup: c.Lookup, why: c.AbsentWhy}
	p.presence = presence(before, after, c)
	p.format, p.comparable = format(before, after)
	h := katprep.HostChange{Host: hostOf(before, after), Presence: p.presence, Boot: bootChange(before, after, c.Since)}
	h.Problems = problems(before, after, p)
	h.Facts, h.Before, h.After = facts(before, after), status(before), status(after)
	if knows(before, katprep.AspectKernel) {
		h.Kernel.Before = before.Kernel.Running
	}
	if knows(after, katprep.AspectKernel) {
		h.Kernel.After = after.Kernel.Running
	}
	if after != nil && after.Status != katprep.Failed {
		h.Known = after.Aspects
	}
	if after != nil {
		h.Reboot, h.Processes = after.Reboot, after.Processes
	}
	h.Errata = p.errata()
	h.Updates = p.updates()
	h.Packages = p.packages(h.Errata)
	h.Parameters = parameters(before, after)
	h.Fields = fields(before, after)
	return h
}

// was returns the packages installed before, none if nobody knows them.
func (p *pair) was() packages {
	if p.old == nil {
		p.old = group(p.before, p.format)
	}
	return p.old
}

// now returns the packages installed afterwards, none if nobody knows them.
func (p *pair) now() packages {
	if p.new == nil {
		p.new = group(p.after, p.format)
	}
	return p.new
}

// knows reports whether a state can be asked about an aspect. A host that
// failed knows nothing, whatever it says.
func knows(s *katprep.State, a katprep.Aspect) bool {
	return s != nil && s.Status != katprep.Failed && s.Knows(a)
}

func presence(before, after *katprep.State, c Context) katprep.Presence {
	switch {
	case before != nil && after != nil && before.Status == katprep.Collected && after.Status == katprep.Collected:
		return katprep.InBoth
	case before != nil && after != nil:
		return katprep.NotCollected
	case c.Absent != "":
		return c.Absent
	case after == nil:
		return katprep.OnlyBefore
	}
	return katprep.OnlyAfter
}

func format(before, after *katprep.State) (f katprep.Format, comparable bool) {
	if !knows(before, katprep.AspectPackages) || !knows(after, katprep.AspectPackages) {
		return "", false
	}
	return after.Format, before.Format == after.Format && after.Format != ""
}

func status(s *katprep.State) katprep.Status {
	if s == nil {
		return ""
	}
	return s.Status
}

// facts takes those of after, unless nobody read them.
func facts(before, after *katprep.State) katprep.Facts {
	if before != nil && !knows(after, katprep.AspectFacts) {
		return before.Facts
	}
	return after.Facts
}

// problems joins those of both sides, the after ones first, each once.
func problems(before, after *katprep.State, p *pair) (all []katprep.Problem) {
	if p.why != "" {
		all = append(all, katprep.Problem{Message: p.why, Warning: p.presence != katprep.NotCollected})
	}
	for _, s := range []*katprep.State{after, before} {
		if s == nil {
			continue
		}
		for _, pr := range s.Problems {
			if !slices.Contains(all, pr) {
				all = append(all, pr)
			}
		}
	}
	return all
}

// bootTolerance is how far a boot time wanders with the clock of a host that
// is not rebooted.
const bootTolerance = time.Minute

// bootChange says whether the host was rebooted: by its boot ID, or by a boot
// time that moved to after the first snapshot.
func bootChange(before, after *katprep.State, since time.Time) katprep.BootChange {
	c := katprep.BootChange{Rebooted: katprep.NotKnown}
	if knows(before, katprep.AspectBoot) {
		c.Before = before.Boot
	}
	if knows(after, katprep.AspectBoot) {
		c.After = after.Boot
	}
	moved := c.After.Time.Sub(c.Before.Time)
	switch {
	case c.Before.ID != "" && c.After.ID != "":
		if c.Rebooted = katprep.No; c.Before.ID != c.After.ID {
			c.Rebooted, c.Proof = katprep.Yes, "boot ID changed"
		}
	case c.Before.Time.IsZero() || c.After.Time.IsZero():
	case moved.Abs() <= bootTolerance:
		c.Rebooted = katprep.No
	case moved > 0 && (since.IsZero() || c.After.Time.After(since)):
		c.Rebooted, c.Proof = katprep.Yes, "boot time moved"
	}
	return c
}
