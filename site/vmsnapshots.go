package site

import (
	"slices"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/render"
)

// forgotten warns of VM snapshots of a run that are too old as of the newest
// snapshot.
func (b *builder) forgotten(r *katprep.RunRecord) []string {
	if len(b.m.snapshots) == 0 {
		return nil
	}
	old := slices.DeleteFunc(r.VMSnapshots(b.now(), 0), func(s katprep.VMSnapshot) bool { return !s.Old })
	if len(old) == 0 {
		return nil
	}
	return []string{render.OldVMSnapshots(old)}
}

// allForgotten is forgotten for all runs.
func (b *builder) allForgotten() []string {
	var old []katprep.VMSnapshot
	if len(b.m.snapshots) == 0 {
		return nil
	}
	for _, n := range b.m.noted {
		old = append(old, n.old...)
	}
	if len(old) == 0 {
		return nil
	}
	katprep.SortVMSnapshots(old)
	return []string{render.OldVMSnapshots(old)}
}
