package site

import (
	"context"
	"slices"
	"time"

	"github.com/stdevel/katprep"
)

// A noted run is what is kept of its record, if the source has it again: the
// plan of 10,000 hosts and its journal are tens of megabytes.
type noted struct {
	began   time.Time
	worked  time.Time // last
	by      string    // who ran the stages that touch hosts
	entries int       // of the journal
	old     []katprep.VMSnapshot
}

// note keeps a record, or the small part of it.
func (m *model) note(r *katprep.RunRecord, again bool) {
	p := pair{Record: r}
	n := noted{began: began(r), worked: worked(r), by: p.executors(), entries: len(r.Journal)}
	if len(m.snapshots) > 0 {
		n.old = slices.DeleteFunc(r.VMSnapshots(m.head().Snapshot.Finished, 0), func(s katprep.VMSnapshot) bool { return !s.Old })
	}
	m.noted[r.Plan.Run] = n
	if again {
		r.Plan.Hosts, r.Journal = nil, nil
	}
	m.runs[r.Plan.Run] = r
}

// fetch gets the whole record of a pair's run while its pages are made, and
// returns what lets go of it.
func (b *builder) fetch(ctx context.Context, p *pair) (release func() error, err error) {
	src, ok := b.src.(Recorder)
	if !ok || p.Record == nil {
		return func() error { return nil }, nil
	}
	small := p.Record
	whole, err := src.Run(ctx, p.Run)
	if err != nil {
		return nil, err
	}
	p.Record = &whole
	return func() error {
		if err := b.flush(); err != nil { // pages read the record
			return err
		}
		p.Record = small
		if v := p.run; v != nil {
			v.Record, v.Plan, v.checks = small, &small.Plan, nil
		}
		return nil
	}, nil
}
