package site

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/policy"
	"github.com/stdevel/katprep/render"
)

// governance sums judgements up while the pages of errata are written.
type governance struct {
	all     policy.Stats
	cells   map[cellKey]*policy.Stats
	groups  map[string]*policy.Stats
	months  map[string]*policy.Stats // by the month of installation
	overdue []finding
	again   []finding
	covered map[string]int // open findings by exception
}

type cellKey struct {
	severity    katprep.Severity
	criticality string
}

// A finding is an erratum on a host that needs a reader's attention.
type finding struct {
	Host     *host
	Erratum  *katprep.Erratum
	Deadline verdict
	Days     int // over the deadline
}

func newGovernance() *governance {
	return &governance{cells: map[cellKey]*policy.Stats{}, groups: map[string]*policy.Stats{}, months: map[string]*policy.Stats{}, covered: map[string]int{}}
}

// add counts an erratum on a host. Security errata only: no standard sets
// deadlines for others.
func (g *governance) add(e *katprep.Erratum, r *erratumRow) {
	if r.again {
		g.again = append(g.again, finding{r.Host, e, r.Deadline, 0})
	}
	if r.Deadline.exception != "" {
		g.covered[r.Deadline.exception]++
	}
	if r.Deadline.standing == policy.Overdue {
		g.overdue = append(g.overdue, finding{r.Host, e, r.Deadline, 0})
	}
	if t, ok := tallyOf(e, r); ok {
		g.tally(e, t, r.judged, 1)
	}
}

// known puts severities that are no word of ours with the unrated ones.
func known(s katprep.Severity) katprep.Severity {
	if slices.Contains(katprep.Severities[:], s) {
		return s
	}
	return katprep.SeverityNone
}

func at[K comparable](m map[K]*policy.Stats, k K) *policy.Stats {
	if m[k] == nil {
		m[k] = new(policy.Stats)
	}
	return m[k]
}

// A matrix is the table of NIST SP 800-40r4: importance of the vulnerability
// by importance of the host.
type matrix struct {
	Columns []string
	Rows    []matrixRow
}

type matrixRow struct {
	Word  render.Word
	Cells []cell
}

// A cell never shows a share without its basis and without the rest.
type cell struct {
	Share, Mean, Median, P90        string // "–" if there is none
	N, Waiting, Overdue, Excepted   int
	NoDeadline, Installed, Findings int
	Shape, Criticality              string // of a cell of the matrix: words that filter lists
}

func newCell(s *policy.Stats) cell {
	c := cell{Share: "–", Mean: "–", Median: "–", P90: "–"}
	if s == nil {
		return c
	}
	c.N, c.Waiting, c.Overdue, c.NoDeadline = s.N(), s.Counts[policy.Waiting], s.Counts[policy.Overdue], s.Counts[policy.NoDeadline]
	c.Excepted, c.Installed = s.Excepted, s.Installed()
	for _, n := range s.Counts {
		c.Findings += n
	}
	if p, ok := s.Share(); ok {
		c.Share = itoa(p) + "\u00a0%"
	}
	if d, ok := s.Mean(); ok {
		median, _ := s.Quantile(50)
		p90, _ := s.Quantile(90)
		c.Mean, c.Median, c.P90 = itoa(d)+"\u00a0d", itoa(median)+"\u00a0d", itoa(p90)+"\u00a0d"
	}
	return c
}

// criticalities lists what hosts have, the known words in their order.
func (g *governance) criticalities() []string {
	seen := map[string]bool{}
	for k := range g.cells {
		seen[k.criticality] = true
	}
	order := func(s string) int {
		if i := slices.Index([]string{"critical", "high", "medium", "moderate", "low"}, s); i >= 0 {
			return i
		}
		if s == "" {
			return 99
		}
		return 50
	}
	keys := sortedKeys(seen)
	slices.SortStableFunc(keys, func(a, b string) int { return order(a) - order(b) })
	return keys
}

func (g *governance) matrix() matrix {
	m := matrix{}
	crit := g.criticalities()
	for _, c := range crit {
		name := render.Line(c)
		if c == "" {
			name = "not stated"
		}
		m.Columns = append(m.Columns, name)
	}
	for _, s := range katprep.Severities {
		r := matrixRow{Word: render.SeverityWord(s)}
		for _, c := range crit {
			n := newCell(g.cells[cellKey{s, c}])
			n.Shape, n.Criticality = r.Word.Shape, c
			r.Cells = append(r.Cells, n)
		}
		m.Rows = append(m.Rows, r)
	}
	return m
}

// A groupRow is the compliance of a group of hosts, or of a month.
type groupRow struct {
	Name string
	cell
}

// Numbers are shown by templates through the embedded cell.

// rowsOf lists sums by name.
func rowsOf(m map[string]*policy.Stats, empty string) []groupRow {
	var out []groupRow
	for _, k := range sortedKeys(m) {
		name := render.Line(k)
		if k == "" {
			name = empty
		}
		out = append(out, groupRow{name, newCell(m[k])})
	}
	return out
}

type findingsPage struct {
	base
	Overdue bool
	Rows    []finding
	Pager   pager
	Policy  bool
}

type compliancePage struct {
	base
	All    cell
	Matrix matrix
	Groups []groupRow
	Months []groupRow
	Policy bool
}

type exceptionRow struct {
	*katprep.Exception
	Expired   bool
	Covers    int
	Recorded  time.Time
	Link      *Link // the commit that brought it; nil if not known
	Signature Signature
	Backdated bool // it says that it is older than its commit
}

type exceptionsPage struct {
	base
	Rows []exceptionRow
}

func (b *builder) hasPolicy() bool { return len(b.o.Policy.Deadlines)+len(b.o.Policy.Groups) > 0 }

func (b *builder) governancePages(context.Context) error {
	g := b.gov
	for i := range g.overdue {
		f := &g.overdue[i]
		if t, err := time.Parse(time.DateOnly, f.Deadline.due); err == nil {
			f.Days = int(b.now().Sub(t) / (24 * time.Hour))
		}
	}
	byDue := func(x, y finding) int {
		return cmp.Or(strings.Compare(x.Deadline.due, y.Deadline.due), render.SeverityRank(x.Erratum.Severity)-render.SeverityRank(y.Erratum.Severity), compareHosts(x.Host.Host, y.Host.Host), strings.Compare(x.Erratum.ID, y.Erratum.ID))
	}
	slices.SortFunc(g.overdue, byDue)
	slices.SortFunc(g.again, byDue)
	if err := b.findings("overdue.html", "Overdue", true, g.overdue); err != nil {
		return err
	}
	if err := b.findings("again.html", "Pending again", false, g.again); err != nil {
		return err
	}
	c := compliancePage{base: b.base("compliance.html", "compliance", "Compliance", true), All: newCell(&g.all), Matrix: g.matrix(), Groups: rowsOf(g.groups, "no host group"), Months: rowsOf(g.months, "unknown"), Policy: b.hasPolicy()}
	if err := b.page("compliance.html", "compliance", c); err != nil {
		return err
	}
	return b.exceptionPage()
}

func (b *builder) findings(path, title string, overdue bool, list []finding) error {
	return b.paged(path, len(list), func(name string, from, to int, p pager) error {
		return b.page(name, "findings", findingsPage{b.base(name, "compliance", title, true), overdue, list[from:to], p, b.hasPolicy()})
	})
}

func (b *builder) exceptionPage() error {
	d := exceptionsPage{base: b.base("exceptions.html", "exceptions", "Exceptions", true)}
	for i := range b.exceptions {
		x := &b.exceptions[i]
		r := exceptionRow{Exception: x, Expired: len(b.m.snapshots) > 0 && policy.Expired(x, b.now()), Covers: b.gov.covered[x.ID], Recorded: b.recorded(x)}
		if i, ok := b.chain.recorded[exceptionKey(x)]; ok {
			r.Link = &b.chain.links[i]
			r.Signature = b.chain.signature(r.Link.Commit)
			r.Backdated = r.Recorded.Sub(x.Created) > drift
		}
		d.Rows = append(d.Rows, r)
	}
	slices.SortStableFunc(d.Rows, func(x, y exceptionRow) int {
		if x.Expired != y.Expired {
			if x.Expired {
				return -1
			}
			return 1
		}
		return cmp.Or(strings.Compare(string(x.Expires), string(y.Expires)), strings.Compare(x.ID, y.ID))
	})
	return b.page("exceptions.html", "exceptions", d)
}
