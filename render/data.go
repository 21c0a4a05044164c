package render

import (
	"fmt"
	"html/template"
	"maps"
	"slices"
	"strings"

	"github.com/stdevel/katprep"
)

// Data is what templates see: every field of the [katprep.Report], the host
// in a host's report, and the methods below.
type Data struct {
	*katprep.Report
	Meta  map[string]string   // the user's own words: of the template, then of the report
	Host  *katprep.HostChange // nil in a landscape report
	Notes string              // the user's Markdown
}

func newData(r *katprep.Report, h *katprep.HostChange, o Options) *Data {
	d := &Data{Report: r, Host: h, Notes: o.Notes, Meta: map[string]string{}}
	if o.Template != nil {
		maps.Copy(d.Meta, o.Template.Meta)
	}
	maps.Copy(d.Meta, r.Meta)
	return d
}

// erratum finds the details of an advisory, or nil. The report has them sorted.
func (d *Data) erratum(id string) *katprep.Erratum {
	i, ok := slices.BinarySearchFunc(d.Report.Errata, id, func(e katprep.Erratum, id string) int { return strings.Compare(e.ID, id) })
	if !ok {
		return nil
	}
	return &d.Report.Errata[i]
}

// Heading returns the title, or one made of what the report is about.
func (d *Data) Heading() string {
	title := d.Title
	if title == "" {
		title = "Patch report"
	}
	if d.Host != nil {
		return Line(d.Host.Name) + " · " + Line(title)
	}
	return Line(title)
}

// Erratum returns the details of an advisory; only the ID is set if the
// archive has none.
func (d *Data) Erratum(id string) katprep.Erratum {
	if e := d.erratum(id); e != nil {
		return *e
	}
	return katprep.Erratum{ID: id}
}

// UnknownHosts returns the hosts of which nothing is known for certain.
func (d *Data) UnknownHosts() []*katprep.HostChange {
	return d.hosts(func(h *katprep.HostChange) bool { return Gap(h) })
}

// KnownHosts returns the other hosts: changed first, then added, removed, not
// selected, unchanged.
func (d *Data) KnownHosts() []*katprep.HostChange {
	hs := d.hosts(func(h *katprep.HostChange) bool { return !Gap(h) })
	slices.SortStableFunc(hs, func(a, b *katprep.HostChange) int { return rank(a) - rank(b) })
	return hs
}

func (d *Data) hosts(keep func(*katprep.HostChange) bool) []*katprep.HostChange {
	var out []*katprep.HostChange
	for i := range d.Hosts {
		if keep(&d.Hosts[i]) {
			out = append(out, &d.Hosts[i])
		}
	}
	return out
}

// Gap reports whether a host was not wholly read before or after; nothing
// about it may be taken for success.
func Gap(h *katprep.HostChange) bool {
	return h.Presence == katprep.NotCollected || h.After != "" && h.After != katprep.Collected ||
		h.Before != "" && h.Before != katprep.Collected
}

func rank(h *katprep.HostChange) int {
	switch {
	case h.Presence == katprep.OnlyAfter:
		return 1
	case h.Presence == katprep.OnlyBefore:
		return 2
	case h.Presence == katprep.NotSelected:
		return 3
	case h.Changed():
		return 0
	}
	return 4
}

// A Count is how often an ending occurs.
type Count struct {
	Ending katprep.Ending
	N      int
}

// Count returns how many errata of a host ended in each way, in the order of
// reports, without the ways that did not occur.
func (d *Data) Count(h *katprep.HostChange) []Count {
	n := map[katprep.Ending]int{}
	for _, e := range h.Errata {
		n[e.Ending]++
	}
	return counts(n)
}

func counts(n map[katprep.Ending]int) []Count {
	var out []Count
	for _, e := range katprep.Endings {
		if n[e] > 0 {
			out = append(out, Count{e, n[e]})
		}
	}
	return out
}

// An Advisory is an erratum with what became of it on all hosts.
type Advisory struct {
	katprep.Erratum
	Counts []Count
}

// Advisories sums the hosts' errata up, the most severe first.
func (d *Data) Advisories() []Advisory {
	n := map[string]map[katprep.Ending]int{}
	like := map[string]katprep.ErratumChange{}
	for i := range d.Hosts {
		for _, e := range d.Hosts[i].Errata {
			if n[e.ID] == nil {
				n[e.ID], like[e.ID] = map[katprep.Ending]int{}, e
			}
			n[e.ID][e.Ending]++
		}
	}
	var out []Advisory
	for _, id := range slices.Sorted(maps.Keys(n)) {
		e := d.Erratum(id)
		if d.erratum(id) == nil {
			c := like[id]
			e.Title, e.Type, e.Severity, e.Issued, e.CVEs = c.Title, c.Type, c.Severity, c.Issued, c.CVEs
		}
		out = append(out, Advisory{e, counts(n[id])})
	}
	slices.SortStableFunc(out, func(a, b Advisory) int { return SeverityRank(a.Severity) - SeverityRank(b.Severity) })
	return out
}

// SeverityRank orders severities, the most severe first; unknown words come
// after the known ones.
func SeverityRank(s katprep.Severity) int {
	for i, k := range katprep.Severities {
		if s == k {
			return i
		}
	}
	return len(katprep.Severities)
}

func endings(n map[katprep.Ending]int) string {
	var parts []string
	for _, c := range counts(n) {
		parts = append(parts, fmt.Sprintf("%d %s", c.N, EndingWord(c.Ending).Text))
	}
	return strings.Join(parts, " · ")
}

func hostsWord(n int) string {
	if n == 1 {
		return "1 host"
	}
	return fmt.Sprintf("%d hosts", n)
}

// NotesHTML returns the user's notes as HTML; raw HTML in them is dropped.
func (d *Data) NotesHTML() (template.HTML, error) { return NotesHTML(d.Notes) }
