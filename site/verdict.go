package site

import (
	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/render"
)

// An outcome of a maintenance, or of the time between two snapshots, in one
// word. Inconclusive is its own answer and never part of a good one.
var (
	outcomeGood    = render.Word{Shape: "✓", Text: "as planned", Class: "good"}
	outcomeRead    = render.Word{Shape: "✓", Text: "read in full", Class: "good"}
	outcomeBad     = render.Word{Shape: "✗", Text: "not as planned", Class: "bad"}
	outcomeUnsure  = render.Word{Shape: "?", Text: "inconclusive", Class: "bad"}
	outcomeOpen    = render.Word{Shape: "…", Text: "under way", Class: "wait"}
	outcomePlanned = render.Word{Shape: "○", Text: "not begun", Class: "open"}
)

// Outcome sums a pair up in one word.
func (p *pair) Outcome() render.Word {
	switch {
	case !p.complete():
		return p.unfinished()
	case p.run != nil && (len(p.run.Failures) > 0 || p.run.NotInstalled() > 0):
		return outcomeBad
	case len(p.Doubts()) > 0 || p.run != nil && p.run.NotKnown() > 0:
		return outcomeUnsure
	case p.run != nil:
		return outcomeGood
	}
	return outcomeRead
}

func (p *pair) unfinished() render.Word {
	switch {
	case p.After != nil: // without a before-snapshot, or an older one
		return outcomeUnsure
	case p.Record == nil || p.entries > 0:
		return outcomeOpen
	}
	return outcomePlanned
}

// NotInstalled counts planned errata that are known not to be installed;
// those of which nobody knows are a doubt.
func (v *runView) NotInstalled() (n int) {
	for i := range v.Missing {
		if v.Missing[i].ending != katprep.Unknown {
			n++
		}
	}
	return n
}

// NotKnown counts planned errata of which nobody knows.
func (v *runView) NotKnown() int { return len(v.Missing) - v.NotInstalled() }

// Planned counts the pairs of host and erratum in the plan.
func (v *runView) Planned() (n int) {
	for i := range v.Plan.Hosts {
		n += len(v.Plan.Hosts[i].Errata)
	}
	return n
}

// Doubts says in sentences why nothing, or not everything, can be concluded
// of a complete pair.
func (p *pair) Doubts() []string {
	var out []string
	if p.SelectionsDiffer() {
		out = append(out, "The snapshots were taken of different selections of hosts: before "+selected(p.Before.Snapshot.Selection)+", after "+selected(p.After.Snapshot.Selection)+". Nothing is known of hosts outside of one of them.")
	}
	t := p.totals
	if t.Unknown > 0 {
		out = append(out, plural(t.Unknown, "host", "hosts")+" of "+itoa(t.Hosts)+" could not be read in full: what became of "+its(t.Unknown)+" patches is unknown.")
	}
	for _, s := range []*katprep.SnapshotRef{p.Before, p.After} {
		for _, src := range s.Snapshot.Sources {
			if src.Problem != "" {
				out = append(out, "The list of hosts of source "+render.Line(src.Name)+" is not complete: "+render.Line(src.Problem))
			}
		}
	}
	switch n := p.noErrata(); {
	case n > 0 && n >= p.read():
		out = append(out, "Errata are not known for any host that was read: whether security fixes are installed cannot be said.")
	case t.Blind > 0:
		out = append(out, "Neither errata nor package updates are known for "+plural(t.Blind, "host", "hosts")+": what is pending there is unknown.")
	}
	return out
}

// Partly says of how many hosts no errata are known, if that is not told as a
// doubt.
func (p *pair) Partly() string {
	n := p.noErrata()
	if n == 0 || n >= p.read() {
		return ""
	}
	return "Errata are not known for " + plural(n, "host", "hosts") + "."
}

// noErrata counts the hosts that were read, and whose errata are not known.
func (p *pair) noErrata() int { return max(p.totals.NoErrata, p.After.Snapshot.Counts.ErrataUnknown) }

// read counts the hosts of the after-snapshot that were read at all.
func (p *pair) read() int { return p.After.Snapshot.Counts.Hosts - p.After.Snapshot.Counts.Failed }

// Failures counts the steps that failed or are not confirmed, each once.
func (p *pair) Failures() int {
	if p.run == nil {
		return 0
	}
	return p.run.sumFailures().Steps
}

func its(n int) string {
	if n == 1 {
		return "its"
	}
	return "their"
}
