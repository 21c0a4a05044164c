// Package diff computes what changed between two snapshots, and what that
// proves. It is pure: values in, values out, the same for the same input.
//
// An erratum counts as installed only if it is gone from the host's list and
// installed versions reach the fixed ones; whatever was not collected is
// unknown, never patched.
package diff

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/stdevel/katprep"
)

// A Lookup finds the details of an erratum by its ID.
type Lookup func(id string) (katprep.Erratum, bool)

// Options of a comparison of landscapes.
type Options struct {
	// AllowDifferentSelection compares snapshots of different selections;
	// hosts in one of them only count as not selected.
	AllowDifferentSelection bool
}

// A Landscape compares two snapshots host by host. Add what differs, say how
// many hosts are the same, and ask for the report. It is not safe for use by
// several goroutines.
type Landscape struct {
	before, after katprep.SnapshotRef
	lookup        Lookup
	sameSelection bool
	seen          map[katprep.HostID]bool
	single        map[katprep.HostID]side // hosts of which one side came
	hosts         []katprep.HostChange
	unchanged     int
	read          katprep.Counts // of the after-states that were added
}

// A side is a host's state in one snapshot, the other not having come yet.
type side struct{ before, after *katprep.State }

// New begins a comparison. Snapshots in the wrong order, or of different
// selections unless allowed, are errors of kind katprep.Invalid.
func New(before, after katprep.SnapshotRef, l Lookup, o Options) (*Landscape, error) {
	b, a := before.Snapshot, after.Snapshot
	if a.Started.Before(b.Started) || a.Started.Equal(b.Started) && reversedPhases(b, a) {
		return nil, katprep.Errorf(katprep.Invalid, "compare snapshots: %s (%s) comes before %s (%s)",
			label(after), a.Started.UTC().Format("2006-01-02 15:04:05"), label(before), b.Started.UTC().Format("2006-01-02 15:04:05")).
			WithHint("name the older snapshot first: katprep diff %s %s", label(after), label(before))
	}
	same := selectionKey(b.Selection) == selectionKey(a.Selection)
	if !same && !o.AllowDifferentSelection {
		return nil, katprep.Errorf(katprep.Invalid, "compare snapshots: %s and %s were taken of different selections of hosts", label(before), label(after)).
			WithHint("compare snapshots of one selection, or use --force: hosts outside of one count as not selected")
	}
	if l == nil {
		l = func(string) (katprep.Erratum, bool) { return katprep.Erratum{}, false }
	}
	return &Landscape{before: before, after: after, lookup: l, sameSelection: same,
		seen: map[katprep.HostID]bool{}, single: map[katprep.HostID]side{}}, nil
}

// reversedPhases tells the order of a run's snapshots that share a second.
func reversedPhases(before, after katprep.Snapshot) bool {
	return before.Run == after.Run && before.Phase == katprep.After && after.Phase == katprep.Before
}

func label(r katprep.SnapshotRef) string { return cmp.Or(r.Commit.Short(), "the snapshot") }

// selectionKey is equal for selections that mean the same hosts: the order
// of alternatives and the case of patterns do not count.
func selectionKey(s katprep.Selection) string {
	var b strings.Builder
	for _, list := range [][]string{s.Hosts, s.HostGroups, s.Organizations, s.Locations, s.Environments, s.OS,
		s.ContentViews, s.Collections, s.Parameters, s.Sources, {s.Search}, s.Exclude} {
		words := make([]string, len(list))
		for i, w := range list {
			words[i] = strings.ToLower(w)
		}
		slices.Sort(words)
		b.WriteString(strings.Join(slices.Compact(words), "\x00"))
		b.WriteByte('\x01')
	}
	return b.String()
}

// SameSelection reports whether two selections mean the same hosts.
func SameSelection(a, b katprep.Selection) bool { return selectionKey(a) == selectionKey(b) }

// Add compares one host. nil means that the host is not in that snapshot; a
// host whose two sides come in two calls (it was renamed) is one host.
func (l *Landscape) Add(before, after *katprep.State) {
	switch {
	case before == nil && after == nil:
	case before != nil && after != nil && before.HostID != after.HostID:
		l.Add(before, nil)
		l.Add(nil, after)
	case before != nil && after != nil:
		l.pair(before, after)
	default:
		l.half(before, after)
	}
}

// half keeps one side until the other one comes, or the report is made.
func (l *Landscape) half(before, after *katprep.State) {
	id := hostOf(before, after).HostID
	s := l.single[id]
	if before != nil {
		s.before = before
	} else {
		s.after = after
	}
	if s.before == nil || s.after == nil {
		l.single[id] = s
		return
	}
	delete(l.single, id)
	l.pair(s.before, s.after)
}

// pair compares one host unless that was done already.
func (l *Landscape) pair(before, after *katprep.State) {
	id := hostOf(before, after).HostID
	if l.seen[id] {
		return
	}
	l.seen[id] = true
	if after != nil {
		l.count(after)
	}
	l.hosts = append(l.hosts, host(before, after, l.context(before, after)))
}

func (l *Landscape) count(s *katprep.State) {
	for _, e := range s.Errata {
		if e.Installable {
			l.read.HostErrata++
		} else {
			l.read.Applicable++
		}
	}
	l.read.Updates += len(s.Updates)
}

func (l *Landscape) context(before, after *katprep.State) Context {
	c := Context{Lookup: l.lookup, Since: l.before.Snapshot.Started}
	if before == nil {
		c.Absent, c.AbsentWhy = l.absence(l.before.Snapshot, after.Source, katprep.OnlyAfter)
	}
	if after == nil {
		c.Absent, c.AbsentWhy = l.absence(l.after.Snapshot, before.Source, katprep.OnlyBefore)
	}
	return c
}

// absence says what it means that a snapshot does not hold a host. Only a
// source whose list was complete can tell that a host is gone.
func (l *Landscape) absence(s katprep.Snapshot, source string, gone katprep.Presence) (katprep.Presence, string) {
	if !l.sameSelection {
		return katprep.NotSelected, "the snapshots were taken of different selections"
	}
	i := slices.IndexFunc(s.Sources, func(src katprep.Source) bool { return src.Name == source })
	switch {
	case i < 0:
		return katprep.NotCollected, "source " + source + " was not read"
	case s.Sources[i].Problem != "":
		return katprep.NotCollected, "the list of source " + source + " is not complete: " + s.Sources[i].Problem
	}
	if selectionKey(s.Selection) != selectionKey(katprep.Selection{}) {
		return gone, "its source does not list it, or it is not in the selection"
	}
	return gone, ""
}

// Unchanged says that n further hosts are the same in both snapshots. They
// need not be read: those that were not collected are in the snapshot's gaps.
func (l *Landscape) Unchanged(n int) { l.unchanged += n }

// Report returns the result; nothing may be added afterwards.
func (l *Landscape) Report() katprep.Report {
	for _, s := range l.single {
		l.pair(s.before, s.after)
	}
	clear(l.single)
	r := katprep.Report{Before: l.before, After: l.after}
	unchanged := l.unchanged
	for _, g := range l.unreadGaps() {
		unchanged--
		l.hosts = append(l.hosts, gapChange(g))
	}
	slices.SortFunc(l.hosts, func(a, b katprep.HostChange) int { return byName(a.Host, b.Host) })
	r.Hosts = l.hosts
	r.Totals = Totals(r.Hosts)
	l.addUnread(&r.Totals, unchanged)
	r.Errata = l.errata()
	return r
}

// unreadGaps returns the gaps among the hosts that are the same in both
// snapshots: an unchanged gap is still a gap.
func (l *Landscape) unreadGaps() []katprep.Gap {
	var gaps []katprep.Gap
	for _, g := range l.after.Snapshot.Gaps {
		if len(gaps) < l.unchanged && !l.seen[g.HostID] {
			l.seen[g.HostID] = true
			gaps = append(gaps, g)
		}
	}
	return gaps
}

func gapChange(g katprep.Gap) katprep.HostChange {
	return katprep.HostChange{Host: g.Host, Presence: katprep.NotCollected, Before: g.Status, After: g.Status,
		Problems: g.Problems, Boot: katprep.BootChange{Rebooted: katprep.NotKnown}}
}

// addUnread adds the hosts that were not read. What is pending on them is
// what the snapshot counted in all, less what was seen on the others.
func (l *Landscape) addUnread(t *katprep.Totals, unchanged int) {
	if l.unchanged == 0 {
		return
	}
	t.Hosts += unchanged
	t.Unchanged += unchanged
	c := l.after.Snapshot.Counts
	errata := c.HostErrata + c.Applicable - l.read.HostErrata - l.read.Applicable
	if errata > 0 {
		t.Errata[katprep.Pending] += errata
	}
	if updates := c.Updates - l.read.Updates; updates > 0 {
		t.Updates[katprep.Pending] += updates
	}
}

// errata returns the details of all errata mentioned.
func (l *Landscape) errata() []katprep.Erratum {
	ids := map[string]bool{}
	for i := range l.hosts {
		for _, e := range l.hosts[i].Errata {
			ids[e.ID] = true
		}
	}
	var all []katprep.Erratum
	for _, id := range slices.Sorted(maps.Keys(ids)) {
		if e, ok := l.lookup(id); ok {
			all = append(all, e)
		}
	}
	return all
}

func byName(a, b katprep.Host) int {
	return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Source, b.Source), cmp.Compare(a.ID, b.ID))
}

// hostOf names the host as it was called last.
func hostOf(before, after *katprep.State) katprep.Host {
	if after != nil {
		return after.Host
	}
	return before.Host
}
