// Package policy judges what snapshots show by an organisation's own rules:
// until when an erratum has to be installed, whether it was, and which
// decisions not to install it are valid. It is pure: the time is given, never
// asked for.
package policy

import (
	"slices"
	"strings"
	"time"

	"github.com/stdevel/katprep"
)

// Unrated is the severity under which a policy keeps the deadline of security
// errata that their vendor did not rate.
const Unrated katprep.Severity = "none"

// A Policy holds deadlines, counted from the day on which an erratum was
// issued. The zero value has none.
type Policy struct {
	Deadlines   map[katprep.Severity]time.Duration
	Groups      []Group // the first that matches a host overrides Deadlines
	Criticality string  // name of the parameter that holds a host's criticality
}

// A Group has deadlines of its own for some hosts. What is empty matches all
// hosts; fields that are not must all match. Patterns are globs without
// regard to case.
type Group struct {
	Hosts       []string
	HostGroups  []string // with their children
	Criticality []string
	Deadlines   map[katprep.Severity]time.Duration
}

// A Host is what rules look at.
type Host struct {
	Name        string
	Group       string
	Criticality string
}

// HostOf takes of a state what rules look at.
func (p *Policy) HostOf(s *katprep.State) Host {
	h := Host{Name: s.Name, Group: s.Facts.HostGroup}
	for _, param := range s.Parameters {
		if p.Criticality != "" && param.Name == p.Criticality && !param.Masked {
			h.Criticality = strings.ToLower(strings.TrimSpace(param.Value))
		}
	}
	return h
}

// Deadline is the time in which an erratum has to be installed on a host; ok
// is false if the policy has none for it.
func (p *Policy) Deadline(h Host, e *katprep.Erratum) (d time.Duration, ok bool) {
	key := e.Severity
	if key == katprep.SeverityNone {
		if e.Type != katprep.Security {
			return 0, false
		}
		key = Unrated
	}
	for i := range p.Groups {
		if p.Groups[i].matches(h) {
			if d, ok = p.Groups[i].Deadlines[key]; ok {
				return d, true
			}
			break
		}
	}
	d, ok = p.Deadlines[key]
	return d, ok
}

func (g *Group) matches(h Host) bool {
	return matchAny(g.Hosts, h.Name) && matchAny(g.Criticality, h.Criticality) && (len(g.HostGroups) == 0 || slices.ContainsFunc(g.HostGroups, func(p string) bool {
		return Glob(p, h.Group) || Glob(p+"/*", h.Group)
	}))
}

func matchAny(patterns []string, s string) bool {
	return len(patterns) == 0 || slices.ContainsFunc(patterns, func(p string) bool { return Glob(p, s) })
}

// Glob reports whether the pattern matches the whole text: '*' is any text,
// '?' one character, case does not count.
func Glob(pattern, s string) bool {
	p, t := []rune(strings.ToLower(pattern)), []rune(strings.ToLower(s))
	star, mark, i, j := -1, 0, 0, 0
	for j < len(t) {
		switch {
		case i < len(p) && p[i] == '*':
			star, mark = i, j
			i++
		case i < len(p) && (p[i] == '?' || p[i] == t[j]):
			i, j = i+1, j+1
		case star >= 0:
			mark++
			i, j = star+1, mark
		default:
			return false
		}
	}
	for i < len(p) && p[i] == '*' {
		i++
	}
	return i == len(p)
}

// A Standing says how an erratum on a host stands to its deadline.
type Standing string

// The standings. None of them is a claim about a host that was not read.
const (
	InTime     Standing = "in time"     // installed by the deadline
	Late       Standing = "late"        // installed, but after it
	Waiting    Standing = "due"         // open, the deadline lies ahead
	Overdue    Standing = "overdue"     // open past the deadline
	NoDeadline Standing = "no deadline" // the policy has none, or the day of issue is not known
	NotCounted Standing = "not counted" // it ended without being installed
)

// A Judgement is how an erratum on a host stands.
type Judgement struct {
	Standing  Standing
	Due       katprep.Date       // last day in time; "" without a deadline
	Days      int                // from issue to installation, or to now while it is open; -1 if not known
	Exception *katprep.Exception // that covers it, expired or not; it never changes the standing
	Expired   bool               // the exception has expired
}

// Judge judges an erratum on a host. installed is when a snapshot proved the
// installation, zero while it is open; now is the time of the newest snapshot.
func (p *Policy) Judge(h Host, e *katprep.Erratum, installed, now time.Time, xs []katprep.Exception) Judgement {
	j := Judgement{Standing: NoDeadline, Days: -1}
	if x := Find(xs, h.Name, e); x != nil && installed.IsZero() {
		j.Exception, j.Expired = x, Expired(x, now)
	}
	issued, err := time.Parse(time.DateOnly, string(e.Issued))
	if err != nil {
		return j
	}
	end := now
	if !installed.IsZero() {
		end = installed
	}
	j.Days = max(0, int(end.UTC().Sub(issued)/(24*time.Hour)))
	d, ok := p.Deadline(h, e)
	if !ok {
		return j
	}
	due := issued.Add(d)
	j.Due = katprep.Date(due.Format(time.DateOnly))
	past := end.UTC().After(due.Add(24 * time.Hour)) // the last day is in time as a whole
	switch {
	case installed.IsZero() && past:
		j.Standing = Overdue
	case installed.IsZero():
		j.Standing = Waiting
	case past:
		j.Standing = Late
	default:
		j.Standing = InTime
	}
	return j
}

// Find returns the exception that covers an erratum on a host, the one that
// expires last, or nil.
func Find(xs []katprep.Exception, host string, e *katprep.Erratum) *katprep.Exception {
	var found *katprep.Exception
	for i := range xs {
		x := &xs[i]
		if matchAny(x.Hosts, host) && covers(x, e) && (found == nil || x.Expires > found.Expires) {
			found = x
		}
	}
	return found
}

// covers reports whether an exception names an erratum, one of its CVEs, or
// one of its packages.
func covers(x *katprep.Exception, e *katprep.Erratum) bool {
	for _, id := range x.Errata {
		if strings.EqualFold(id, e.ID) || slices.ContainsFunc(e.CVEs, func(c string) bool { return strings.EqualFold(c, id) }) {
			return true
		}
	}
	for _, name := range x.Packages {
		if slices.ContainsFunc(e.Packages, func(p katprep.Package) bool { return Glob(name, p.Name) }) {
			return true
		}
	}
	return false
}

// Expired reports whether an exception no longer holds. The day on which it
// expires is its last; one without a date, or with one that cannot be read,
// has expired.
func Expired(x *katprep.Exception, now time.Time) bool {
	t, err := time.Parse(time.DateOnly, string(x.Expires))
	return err != nil || !now.UTC().Before(t.Add(24*time.Hour))
}
