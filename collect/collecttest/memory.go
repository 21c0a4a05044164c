// Package collecttest holds the contract suite that every collector passes,
// and a collector and a sink in memory for tests of what stands around them.
package collecttest

import (
	"cmp"
	"context"
	"iter"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/collect"
)

// Memory is a collector of hosts that are given. Faults are put in by the
// fields.
type Memory struct {
	Info      katprep.Source
	SourceErr error // the source cannot be read at all
	Hosts     []MemoryHost
	ListErr   error // ends the list after all Hosts
}

// A MemoryHost is one host; Read, if set, is called instead of returning the
// reading.
type MemoryHost struct {
	Host    katprep.Host
	Reading collect.Reading
	Read    func(ctx context.Context) (collect.Reading, error)
}

// Source returns Info.
func (m *Memory) Source(ctx context.Context) (katprep.Source, error) {
	return m.Info, cmp.Or(m.SourceErr, ctx.Err())
}

// Targets yields Hosts. A host glob that no host has is not found.
func (m *Memory) Targets(ctx context.Context, sel katprep.Selection) iter.Seq2[collect.Target, error] {
	return func(yield func(collect.Target, error) bool) {
		for _, pattern := range sel.Hosts {
			only := katprep.Selection{Hosts: []string{pattern}}
			if !slices.ContainsFunc(m.Hosts, func(h MemoryHost) bool { return collect.Match(only, katprep.State{Host: h.Host}) }) {
				yield(collect.Target{}, katprep.Errorf(katprep.NotFound, "no host is called %q", pattern))
				return
			}
		}
		for _, h := range m.Hosts {
			if err := ctx.Err(); err != nil {
				yield(collect.Target{}, err)
				return
			}
			if !yield(collect.Target{Host: h.Host, Read: h.read}, nil) {
				return
			}
		}
		if m.ListErr != nil {
			yield(collect.Target{}, m.ListErr)
		}
	}
}

func (h MemoryHost) read(ctx context.Context) (collect.Reading, error) {
	if err := ctx.Err(); err != nil {
		return collect.Reading{}, err
	}
	if h.Read != nil {
		return h.Read(ctx)
	}
	rd := h.Reading
	rd.State.Host = h.Host
	return rd, nil
}

// Sink keeps what it is given, and fails the test if it is called twice at a
// time.
type Sink struct {
	T      testing.TB
	Err    error // returned by Put after After states
	After  int
	busy   atomic.Bool
	mu     sync.Mutex
	states []katprep.State
	errata map[string]katprep.Erratum
}

func (s *Sink) enter() func() {
	if !s.busy.CompareAndSwap(false, true) {
		s.T.Error("the sink was called from two goroutines at a time")
	}
	s.mu.Lock()
	return func() { s.mu.Unlock(); s.busy.Store(false) }
}

// Put keeps the state.
func (s *Sink) Put(ctx context.Context, st katprep.State) error {
	defer s.enter()()
	if s.Err != nil && len(s.states) >= s.After {
		return s.Err
	}
	s.states = append(s.states, st)
	return ctx.Err()
}

// PutErratum keeps the erratum, merged with what was known.
func (s *Sink) PutErratum(ctx context.Context, e katprep.Erratum) error {
	defer s.enter()()
	if s.errata == nil {
		s.errata = map[string]katprep.Erratum{}
	}
	if old, ok := s.errata[e.ID]; ok {
		e = e.Merge(old)
	}
	s.errata[e.ID] = e
	return ctx.Err()
}

// States returns the states kept, sorted by source and ID.
func (s *Sink) States() []katprep.State {
	defer s.enter()()
	all := slices.Clone(s.states)
	slices.SortFunc(all, func(a, b katprep.State) int {
		return cmp.Or(cmp.Compare(a.Source, b.Source), cmp.Compare(a.ID, b.ID))
	})
	return all
}

// Errata returns the errata kept, by ID.
func (s *Sink) Errata() map[string]katprep.Erratum {
	defer s.enter()()
	return s.errata
}
