package render

import (
	"fmt"
	"slices"
	"strings"

	"github.com/stdevel/katprep"
)

// Bad reports whether the report must not be read as success at a glance.
func (d *Data) Bad() bool {
	if len(d.Remarks) > 0 {
		return true
	}
	if h := d.Host; h != nil {
		return Gap(h) || h.After == "" || !h.Knows(katprep.AspectErrata) && !h.Knows(katprep.AspectUpdates) ||
			errataCounts(h)[katprep.Unknown] > 0 || len(d.FailedSteps()) > 0
	}
	t := d.Totals
	return t.Unknown > 0 || t.Errata[katprep.Unknown] > 0 || t.Updates[katprep.Unknown] > 0 || len(d.UnknownHosts()) > 0 ||
		len(d.sourceProblems()) > 0 || len(d.FailedSteps()) > 0 || d.inconclusive() != ""
}

// inconclusive says why a report of hosts that were all read is none about
// their patches: nobody knows what was pending.
func (d *Data) inconclusive() string {
	blind, read := 0, 0
	for i := range d.Hosts {
		h := &d.Hosts[i]
		if h.After == "" || h.After == katprep.Failed {
			continue
		}
		read++
		if !h.Knows(katprep.AspectErrata) && !h.Knows(katprep.AspectUpdates) {
			blind++
		}
	}
	switch n := d.ErrataUnknown(); {
	case n > 0 && n >= max(read, d.After.Snapshot.Counts.Hosts-d.After.Snapshot.Counts.Failed):
		return "Inconclusive: errata are not known for any host that was read."
	case blind > 0:
		return fmt.Sprintf("Inconclusive for %s: neither errata nor package updates are known.", hostsWord(blind))
	}
	return ""
}

// Verdict sums the report up in sentences. What is unknown comes first and is
// never counted as good.
func (d *Data) Verdict() []string {
	if d.Host != nil {
		return d.hostVerdict(d.Host)
	}
	t := d.Totals
	out := d.sourceProblems()
	if t.Unknown > 0 {
		out = append(out, fmt.Sprintf("%d of %s could not be read in full: what became of their patches is unknown.", t.Unknown, hostsWord(t.Hosts)))
	}
	if n := len(d.UnknownHosts()) - t.Unknown; n > 0 {
		out = append(out, fmt.Sprintf("%s that came or went could not be read in full either.", hostsWord(n)))
	}
	if t.Removed > 0 {
		out = append(out, fmt.Sprintf("%s in the before-snapshot only: what became of %s patches is unknown.", isAre(t.Removed), its(t.Removed)))
	}
	out = append(out, d.failures()...)
	out = append(out, d.forgotten()...)
	out = append(out, d.sums())
	unknown := d.ErrataUnknown()
	if s := d.inconclusive(); s != "" {
		out = slices.Insert(out, 0, s)
	}
	if unknown > 0 {
		out = append(out, fmt.Sprintf("Errata are not known for %s.", hostsWord(unknown)))
	}
	switch s := endings(t.Errata); {
	case s != "":
		out = append(out, "Errata on hosts: "+s+".")
	case unknown == 0 && !d.Bad():
		out = append(out, "No errata on any host in either snapshot.")
	case unknown == 0:
		out = append(out, "No errata on any host that was read.")
	}
	out = append(out, updatesVerdict(t.Updates)...)
	return append(out, d.remarks()...)
}

// remarks says what the order of commits says against decisions, and in whose
// name others recorded them.
func (d *Data) remarks() (out []string) {
	for _, s := range slices.Concat(d.Remarks, d.Named) {
		out = append(out, Line(s))
	}
	return out
}

// sums says what became of the hosts; the numbers add up to all of them.
func (d *Data) sums() string {
	t := d.Totals
	s := fmt.Sprintf("%d of %s changed, %d are unchanged", t.Changed, hostsWord(t.Hosts), t.Unchanged)
	for _, c := range []struct {
		n    int
		word string
	}{{t.Unknown, "unknown"}, {t.Added, "added"}, {t.Removed, "removed"}, {t.NotSelected, "not selected"}} {
		if c.n > 0 {
			s += fmt.Sprintf(", %d %s", c.n, c.word)
		}
	}
	return s + "."
}

// sourceProblems says which lists of hosts are not complete.
func (d *Data) sourceProblems() (out []string) {
	for _, side := range []struct {
		when string
		ref  *katprep.SnapshotRef
	}{{"before", &d.Before}, {"after", &d.After}} {
		for _, s := range side.ref.Snapshot.Sources {
			if s.Problem != "" {
				out = append(out, fmt.Sprintf("The list of hosts of source %s is not complete in the %s-snapshot: %s", Line(s.Name), side.when, Line(s.Problem)))
			}
		}
	}
	return out
}

// failures says how many steps of the run did not end well.
func (d *Data) failures() []string {
	if n := len(d.FailedSteps()); n == 1 {
		return []string{"1 step of the maintenance failed or is not confirmed."}
	} else if n > 1 {
		return []string{fmt.Sprintf("%d steps of the maintenance failed or are not confirmed.", n)}
	}
	return nil
}

// ErrataUnknown counts the hosts, failed ones left out, of which no errata are
// known afterwards.
func (d *Data) ErrataUnknown() int {
	n := len(d.hosts(func(h *katprep.HostChange) bool {
		return h.After != "" && h.After != katprep.Failed && !h.Knows(katprep.AspectErrata)
	}))
	return max(n, d.After.Snapshot.Counts.ErrataUnknown)
}

func (d *Data) hostVerdict(h *katprep.HostChange) []string {
	var out []string
	switch {
	case Gap(h):
		out = append(out, "This host could not be read in full: what became of its patches is unknown where the list below says nothing else.")
	case h.After == "":
		out = append(out, "This host is not in the after-snapshot: what became of its patches is unknown.")
	}
	out = append(out, d.failures()...)
	out = append(append(out, d.forgotten()...), d.remarks()...)
	known := h.Knows(katprep.AspectErrata)
	if !known && h.After != "" && h.After != katprep.Failed {
		out = append(out, "Errata are not known for this host.")
	}
	switch s := endings(errataCounts(h)); {
	case s != "":
		out = append(out, "Errata: "+s+".")
	case known && !Gap(h):
		out = append(out, "No errata for this host in either snapshot.")
	}
	n := map[katprep.Ending]int{}
	for i := range h.Updates {
		n[h.Updates[i].Ending]++
	}
	out = append(out, updatesVerdict(n)...)
	if len(n) == 0 && h.After == katprep.Collected && !h.Knows(katprep.AspectUpdates) {
		out = append(out, "Pending package updates are not known for this host.")
	}
	return out
}

func errataCounts(h *katprep.HostChange) map[katprep.Ending]int {
	n := map[katprep.Ending]int{}
	for i := range h.Errata {
		n[h.Errata[i].Ending]++
	}
	return n
}

// updatesVerdict tells of package updates, which are all that is known of
// hosts without errata.
func updatesVerdict(n map[katprep.Ending]int) []string {
	s := endings(n)
	if s == "" {
		return nil
	}
	pending := n[katprep.Pending] + n[katprep.New]
	if pending == 1 {
		return []string{"1 package update pending. Package updates: " + s + "."}
	}
	return []string{fmt.Sprintf("%d package updates pending. Package updates: %s.", pending, s)}
}

func isAre(n int) string {
	if n == 1 {
		return "1 host is"
	}
	return fmt.Sprintf("%d hosts are", n)
}

// NotKnown names what of errata and updates is not known of a host that was
// read, or is empty.
func NotKnown(h *katprep.HostChange) string {
	var out []string
	if h.After == "" || h.After == katprep.Failed {
		return ""
	}
	for _, a := range []struct {
		aspect katprep.Aspect
		word   string
	}{{katprep.AspectErrata, "errata"}, {katprep.AspectUpdates, "updates"}, {katprep.AspectPackages, "installed packages"}} {
		if !h.Knows(a.aspect) {
			out = append(out, a.word)
		}
	}
	if len(out) == 0 {
		return ""
	}
	return strings.Join(out, ", ") + " not known"
}

func its(n int) string {
	if n == 1 {
		return "its"
	}
	return "their"
}
