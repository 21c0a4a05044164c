package collect

import (
	"cmp"
	"slices"
	"strings"

	"github.com/stdevel/katprep"
)

// A tally sums a snapshot up while states pass by; it keeps names and errata
// IDs, but no states.
type tally struct {
	counts  katprep.Counts
	gaps    []katprep.Gap
	pairs   map[string]int             // hosts by installable erratum
	ratings map[string]katprep.Erratum // ID, type and severity only
	names   map[string][]katprep.Host  // by lower-case name
}

func newTally() *tally {
	return &tally{pairs: map[string]int{}, ratings: map[string]katprep.Erratum{}, names: map[string][]katprep.Host{}}
}

// erratum notes how an erratum is rated; it may come after hosts that need it.
func (t *tally) erratum(e katprep.Erratum) {
	rating := katprep.Erratum{ID: e.ID, Type: e.Type, Severity: e.Severity}
	t.ratings[e.ID] = rating.Merge(t.ratings[e.ID])
}

// host counts a state.
func (t *tally) host(s *katprep.State) {
	c := &t.counts
	c.Hosts++
	switch s.Status {
	case katprep.Collected:
		c.Collected++
	case katprep.Incomplete:
		c.Incomplete++
	default:
		c.Failed++
	}
	if s.Status != katprep.Collected {
		t.gaps = append(t.gaps, katprep.Gap{Host: s.Host, Status: s.Status, Problems: slices.Clone(s.Problems)})
	}
	for _, e := range s.Errata {
		if !e.Installable {
			c.Applicable++
			continue
		}
		t.pairs[e.ID]++
	}
	if s.Status != katprep.Failed && !s.Knows(katprep.AspectErrata) {
		c.ErrataUnknown++
	}
	c.Updates += len(s.Updates)
	switch s.Reboot.Need {
	case katprep.Needed:
		c.RebootNeeded++
	case katprep.NeedUnknown:
		c.RebootUnknown++
	}
	key := strings.ToLower(s.Name)
	t.names[key] = append(t.names[key], s.Host)
}

// twins warns of hosts with the same name; all of them stay.
func (t *tally) twins() (warnings []katprep.HostWarning) {
	for _, hosts := range t.names {
		if len(hosts) < 2 {
			continue
		}
		slices.SortFunc(hosts, byName)
		for i, h := range hosts {
			var others []string
			for j, o := range hosts {
				if i != j {
					others = append(others, o.HostID.String())
				}
			}
			warnings = append(warnings, katprep.HostWarning{Host: h, Message: "has the same name as " + firstOf(others, 5)})
		}
	}
	slices.SortFunc(warnings, func(a, b katprep.HostWarning) int { return byName(a.Host, b.Host) })
	return warnings
}

// sums returns the counts, and gaps and warnings in their order.
func (t *tally) sums() (katprep.Counts, []katprep.Gap, []katprep.HostWarning) {
	c := t.counts
	c.Errata = len(t.pairs)
	for id, n := range t.pairs {
		c.HostErrata += n
		if r := t.ratings[id]; r.Type == katprep.Security {
			if c.Pending == nil {
				c.Pending = map[katprep.Severity]int{}
			}
			c.Pending[r.Severity] += n
		}
	}
	slices.SortFunc(t.gaps, func(a, b katprep.Gap) int { return byName(a.Host, b.Host) })
	return c, t.gaps, t.twins()
}

func byName(a, b katprep.Host) int {
	return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Source, b.Source), cmp.Compare(a.ID, b.ID))
}

// sourceInfo is a source with what came of it.
type sourceInfo struct {
	katprep.Source
	err    error
	listed bool // err is about the list of hosts
	hosts  int
}

// sourceRecords returns the sources with their problems. That one source
// does not know a name in the selection is none if another one does.
func (r *runner) sourceRecords() []katprep.Source {
	known := slices.ContainsFunc(r.infos, func(s sourceInfo) bool { return s.hosts > 0 })
	records := make([]katprep.Source, 0, len(r.infos))
	for _, s := range r.infos {
		if s.err != nil && (!known || !s.listed || s.hosts > 0 || katprep.KindOf(s.err) != katprep.NotFound) {
			s.Problem = message(s.err)
		}
		records = append(records, s.Source)
	}
	return records
}
