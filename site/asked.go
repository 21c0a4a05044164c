package site

import (
	"slices"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/render"
)

// A Comparison is a pair of snapshots that somebody asked to see compared,
// whatever lies between them.
type Comparison struct {
	Before, After katprep.CommitID
}

// findAsked adds the pairs that were asked for. A pair that has a page as a
// maintenance, or as neighbours, gets no second one.
func (m *model) findAsked(o *Options) error {
	at := func(c katprep.CommitID) *katprep.SnapshotRef {
		if i := slices.IndexFunc(m.snapshots, func(s katprep.SnapshotRef) bool { return s.Commit == c }); i >= 0 {
			return &m.snapshots[i]
		}
		return nil
	}
	list := slices.Clone(o.Compare)
	if o.Monthly {
		list = append(list, m.monthly()...)
	}
	for _, c := range list {
		before, after := at(c.Before), at(c.After)
		if before == nil || after == nil {
			return katprep.Errorf(katprep.NotFound, "compare %s with %s: they are not both snapshots of the archive", c.Before.Short(), c.After.Short())
		}
		if !before.Snapshot.Started.Before(after.Snapshot.Started) {
			return katprep.Errorf(katprep.Invalid, "compare %s with %s: the first one is not the older one", c.Before.Short(), c.After.Short()).
				WithHint("turn them round")
		}
		if !slices.ContainsFunc(m.pairs, func(p *pair) bool { return p.Before == before && p.After == after }) {
			m.pairs = append(m.pairs, &pair{Before: before, After: after, asked: true, dir: "compare/" + shortName(c.Before) + "-" + shortName(c.After)})
		}
	}
	return nil
}

func shortName(c katprep.CommitID) string { return string(c[:min(16, len(c))]) }

// monthly pairs the first snapshot of each month with that of the next month
// that has one.
func (m *model) monthly() (out []Comparison) {
	var last *katprep.SnapshotRef
	for i := range m.snapshots {
		s := &m.snapshots[i]
		if last != nil && month(last) == month(s) {
			continue
		}
		if last != nil {
			out = append(out, Comparison{last.Commit, s.Commit})
		}
		last = s
	}
	return out
}

func month(s *katprep.SnapshotRef) string { return s.Snapshot.Started.UTC().Format("2006-01") }

// askedTitle names a pair by its times.
func (p *pair) askedTitle() string {
	return "From " + render.Time(p.Before.Snapshot.Finished) + " to " + render.Time(p.After.Snapshot.Finished)
}

// Asked reports whether the pair is there because somebody asked for it.
func (p *pair) Asked() bool { return p.asked }

// asked lists the pairs that were asked for, the newest first.
func (b *builder) asked() (out []*pair) {
	for _, p := range slices.Backward(b.m.pairs) {
		if p.asked {
			out = append(out, p)
		}
	}
	return out
}
