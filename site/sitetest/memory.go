// Package sitetest provides an archive in memory, for tests of sites.
package sitetest

import (
	"context"
	"iter"
	"slices"
	"strings"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/site"
)

// Memory is a site.Source in memory. The zero value is an empty archive.
type Memory struct {
	Refs    []katprep.SnapshotRef // oldest first
	Hosts   map[katprep.CommitID][]katprep.State
	Known   []katprep.Erratum
	Records []katprep.RunRecord
	Policy  []katprep.Exception
}

// Add appends a snapshot; its counts and gaps are computed from the states.
func (m *Memory) Add(c katprep.CommitID, s katprep.Snapshot, states ...katprep.State) {
	slices.SortFunc(states, func(a, b katprep.State) int { return strings.Compare(a.Name, b.Name) })
	kinds := map[string]bool{}
	s.Counts.Pending = map[katprep.Severity]int{}
	for _, st := range states {
		s.Counts.Hosts++
		switch st.Status {
		case katprep.Collected:
			s.Counts.Collected++
		case katprep.Incomplete:
			s.Counts.Incomplete++
		default:
			s.Counts.Failed++
		}
		if st.Status != katprep.Collected {
			s.Gaps = append(s.Gaps, katprep.Gap{Host: st.Host, Status: st.Status, Problems: st.Problems})
		}
		for _, e := range st.Errata {
			if e.Installable {
				s.Counts.HostErrata++
				kinds[e.ID] = true
				for _, k := range m.Known {
					if k.ID == e.ID && k.Type == katprep.Security {
						s.Counts.Pending[k.Severity]++
					}
				}
			}
		}
		if st.Reboot.Need == katprep.Needed {
			s.Counts.RebootNeeded++
		}
	}
	s.Counts.Errata = len(kinds)
	if m.Hosts == nil {
		m.Hosts = map[katprep.CommitID][]katprep.State{}
	}
	m.Refs = append(m.Refs, katprep.SnapshotRef{Commit: c, Snapshot: s})
	m.Hosts[c] = states
}

// Snapshots is part of site.Source.
func (m *Memory) Snapshots(context.Context) iter.Seq2[katprep.SnapshotRef, error] {
	refs := slices.Clone(m.Refs)
	slices.Reverse(refs)
	return seq(refs)
}

// Compare is part of site.Source.
func (m *Memory) Compare(_ context.Context, before, after katprep.CommitID) (int, iter.Seq2[site.Pair, error], error) {
	type both struct{ b, a *katprep.State }
	all := map[string]*both{}
	get := func(s *katprep.State) *both {
		k := s.Name + "\x00" + s.Source + "\x00" + s.ID
		if all[k] == nil {
			all[k] = &both{}
		}
		return all[k]
	}
	for i := range m.Hosts[before] {
		get(&m.Hosts[before][i]).b = &m.Hosts[before][i]
	}
	for i := range m.Hosts[after] {
		get(&m.Hosts[after][i]).a = &m.Hosts[after][i]
	}
	var keys []string
	for k := range all {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	same, pairs := 0, []site.Pair{}
	for _, k := range keys {
		p := all[k]
		if p.a != nil && p.b != nil && equal(p.a, p.b) {
			same++
			continue
		}
		pairs = append(pairs, site.Pair{Before: p.b, After: p.a})
	}
	return same, seq(pairs), nil
}

// States is part of site.Source.
func (m *Memory) States(_ context.Context, c katprep.CommitID) iter.Seq2[katprep.State, error] {
	return seq(m.Hosts[c])
}

// Errata is part of site.Source.
func (m *Memory) Errata(context.Context, katprep.CommitID) iter.Seq2[katprep.Erratum, error] {
	return seq(m.Known)
}

// Runs is part of site.Source.
func (m *Memory) Runs(context.Context) iter.Seq2[katprep.RunRecord, error] { return seq(m.Records) }

// Exceptions is part of site.Source.
func (m *Memory) Exceptions(context.Context) ([]katprep.Exception, error) { return m.Policy, nil }

func seq[T any](s []T) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for _, v := range s {
			if !yield(v, nil) {
				return
			}
		}
	}
}
