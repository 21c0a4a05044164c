// Package announce says on the hosts' own pages in Foreman what a run did with
// them: in the host's comment, in parameters, or as a config report.
//
// What is said comes from the archive alone, and only after the run's
// after-snapshot: before it, nobody knows what was installed. The archive stays
// the evidence; what Foreman shows is a pointer to it, and that it could not be
// written says nothing about the run.
package announce

import (
	"cmp"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/act"
	"github.com/stdevel/katprep/internal/foremanapi"
	"github.com/stdevel/katprep/render"
)

// A Way is where on the host's page it is said.
type Way string

// The ways.
const (
	None      Way = "none"
	Comment   Way = "comment"   // one marked line of the host's comment
	Parameter Way = "parameter" // katprep_last_maintenance and katprep_last_maintenance_url
	Report    Way = "report"    // a config report
)

// Ways lists the ways that say something.
var Ways = []string{string(Comment), string(Parameter), string(Report)}

// An Item is what is to be said about one host.
type Item struct {
	Host    katprep.Host // as the run knew it
	Run     katprep.RunID
	At      time.Time // of the after-snapshot: the same each time it is said
	Text    string    // one line: what became of the host
	Link    string    // to its page on the site; "" without one
	Details []Detail  // one line each
	Failed  bool      // a step of the run failed or has an unknown outcome

	Installed, Pending, Unknown int // errata and updates
	Rebooted                    bool
	Seconds                     float64 // from the first to the last step
}

// A Detail is one finding. Level is notice, warning or err.
type Detail struct {
	Level, Text string
}

// Limits of what is sent to Foreman for one host.
const (
	maxText    = 300
	maxDetails = 100
)

// Items says what to tell of the hosts of one source. Hosts with which the run
// had nothing to do are left out. The report must be that of the run's two
// snapshots, its hosts complete; link gives the address of a host's page.
func Items(r *katprep.Report, source string, link func(katprep.Host) string) ([]Item, error) {
	if r.Run == nil {
		return nil, katprep.Errorf(katprep.NotFound, "the two snapshots are those of no run")
	}
	status, err := act.Status(*r.Run)
	if err != nil {
		return nil, err
	}
	changes := make(map[katprep.HostID]*katprep.HostChange, len(r.Hosts))
	for i := range r.Hosts {
		changes[r.Hosts[i].HostID] = &r.Hosts[i]
	}
	took := durations(r.Run.Journal)
	var items []Item
	for i := range status {
		s := &status[i]
		if s.Source != source || s.State == act.HostNothing {
			continue
		}
		it := Item{Host: s.Host, Run: r.Run.Plan.Run, At: r.After.Snapshot.Finished.UTC().Truncate(time.Second), Seconds: took[s.HostID]}
		it.Failed = s.State == act.HostFailed || s.State == act.HostUnknown
		if link != nil {
			it.Link = link(s.Host)
		}
		it.describe(s, changes[s.HostID])
		items = append(items, it)
	}
	return items, nil
}

// durations are the seconds between the first and the last entry of each host.
func durations(journal []katprep.Entry) map[katprep.HostID]float64 {
	type span struct{ from, to time.Time }
	spans := map[katprep.HostID]span{}
	for _, e := range journal {
		s, known := spans[e.HostID]
		if !known {
			s.from = e.At
		}
		s.to = e.At
		spans[e.HostID] = s
	}
	out := make(map[katprep.HostID]float64, len(spans))
	for id, s := range spans {
		out[id] = max(0, s.to.Sub(s.from).Seconds())
	}
	return out
}

// describe puts the findings into words.
func (it *Item) describe(s *act.HostStatus, c *katprep.HostChange) {
	words := []string{string(s.State)}
	if it.Failed {
		words[0] += " at " + s.Step
		it.detail("err", "step %s: %s: %s", s.Step, s.State, s.Reason)
	}
	for _, d := range s.Doubts {
		it.detail("warning", "%s", d)
	}
	switch {
	case c == nil || c.Presence == katprep.OnlyBefore:
		words = append(words, "not in the snapshot after the run")
	case c.Presence != katprep.InBoth:
		words = append(words, "not or not wholly read after the run")
	}
	if c != nil {
		words = append(words, it.findings(c)...)
	}
	it.Text = clip(strings.Join(words, "; "), maxText)
	if n := len(it.Details); n > maxDetails {
		it.Details = append(it.Details[:maxDetails-1:maxDetails-1], Detail{"notice", fmt.Sprintf("and %d more", n-maxDetails+1)})
	}
}

// findings counts what became of errata and updates. What was not collected
// is said to be unknown, never counted as none.
func (it *Item) findings(c *katprep.HostChange) (words []string) {
	errata, updates := map[katprep.Ending]int{}, map[katprep.Ending]int{}
	for _, e := range c.Errata {
		it.count(errata, e.Ending, e.ID)
	}
	for _, u := range c.Updates {
		it.count(updates, u.Ending, u.Name+" "+string(cmp.Or(u.After, u.To)))
	}
	words = append(words, counted("errata", errata)...)
	if !c.Knows(katprep.AspectErrata) {
		words = append(words, "errata not known")
	}
	words = append(words, counted("updates", updates)...)
	switch c.Boot.Rebooted {
	case katprep.Yes:
		it.Rebooted = true
		words = append(words, "rebooted")
	case katprep.NotKnown:
		words = append(words, "not known whether it was rebooted")
	}
	return words
}

func (it *Item) count(counts map[katprep.Ending]int, e katprep.Ending, what string) {
	counts[e]++
	level := "notice"
	switch e {
	case katprep.Installed:
		it.Installed++
	case katprep.RebootPending:
		it.Installed++
		level = "warning"
	case katprep.Pending:
		it.Pending++
	case katprep.Unknown:
		it.Unknown++
		level = "warning"
	}
	if e != katprep.New && e != katprep.Pending {
		it.detail(level, "%s: %s", what, words(e))
	}
}

func words(e katprep.Ending) string {
	if e == katprep.RebootPending {
		return "installed with a reboot pending"
	}
	return strings.ReplaceAll(string(e), "-", " ")
}

func counted(what string, counts map[katprep.Ending]int) []string {
	var parts []string
	for _, e := range katprep.Endings {
		if n := counts[e]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, words(e)))
		}
	}
	if len(parts) == 0 {
		return nil
	}
	return []string{what + ": " + strings.Join(parts, ", ")}
}

func (it *Item) detail(level, format string, args ...any) {
	it.Details = append(it.Details, Detail{level, clip(fmt.Sprintf(format, args...), maxText)})
}

// clip makes untrusted text one line of at most limit bytes that no template
// language of Foreman's takes for code.
func clip(s string, limit int) string {
	s = strings.ReplaceAll(render.Line(s), "<%", "< %")
	if len(s) <= limit {
		return s
	}
	s = s[:limit-len("…")]
	for !utf8.ValidString(s) {
		s = s[:len(s)-1]
	}
	return s + "…"
}

// Line is everything in one line: when, which run, what, and where to read on.
func (it *Item) Line() string {
	s := it.At.UTC().Format(foremanapi.AnnounceTime) + " " + string(it.Run) + ": " + it.Text
	if it.Link != "" {
		s += " " + it.Link
	}
	return s
}
