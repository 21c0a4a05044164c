package site

import (
	"strings"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/diff"
	"github.com/stdevel/katprep/render"
)

// selectionText says which hosts a snapshot was to hold; "" means all.
func selectionText(s katprep.Selection) string {
	var out []string
	for _, f := range []struct {
		name string
		list []string
	}{
		{"hosts", s.Hosts}, {"host groups", s.HostGroups}, {"organizations", s.Organizations}, {"locations", s.Locations},
		{"lifecycle environments", s.Environments}, {"operating systems", s.OS}, {"content views", s.ContentViews},
		{"host collections", s.Collections}, {"parameters", s.Parameters}, {"sources", s.Sources}, {"without", s.Exclude},
	} {
		if len(f.list) > 0 {
			out = append(out, f.name+" "+render.Line(strings.Join(f.list, ", ")))
		}
	}
	if s.Search != "" {
		out = append(out, "search “"+render.Line(s.Search)+"”")
	}
	return strings.Join(out, "; ")
}

// selected is the same for readers, never empty.
func selected(s katprep.Selection) string {
	if t := selectionText(s); t != "" {
		return t
	}
	return "all hosts"
}

// SelectionsDiffer reports whether the two snapshots were taken of different
// selections: then hosts may be missing on one side for that reason only.
func (p *pair) SelectionsDiffer() bool {
	return p.Before != nil && p.After != nil && !diff.SameSelection(p.Before.Snapshot.Selection, p.After.Snapshot.Selection)
}
