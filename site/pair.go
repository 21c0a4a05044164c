package site

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/render"
)

// A row is a host on the page of a pair.
type row struct {
	*summary
	host *host
	href string // page of the change, or of the host
}

// An advisory is an erratum on the page of a pair.
type advisory struct {
	*katprep.Erratum
	Href string
	n    [len(katprep.Endings)]int
}

// pairPage is a maintenance, or a snapshot and its predecessor.
type pairPage struct {
	base
	Pair   *pair
	Gaps   []row
	Rows   []row
	Errata []*advisory
	Sums   []severityRow
	Pager  pager
	Run    *runView
}

// pair compares two snapshots, remembers what became of hosts and errata, and
// writes the pages about it.
func (b *builder) pair(ctx context.Context, i int, p *pair) error {
	release, err := b.fetch(ctx, p)
	if err != nil {
		return err
	}
	return cmp.Or(b.comparedPair(ctx, i, p), release())
}

func (b *builder) comparedPair(ctx context.Context, i int, p *pair) error {
	if p.Run != "" {
		b.stats.Maintenances++
	}
	if !p.complete() {
		return b.pairPages(ctx, p, nil, nil, b.runView(p))
	}
	c, err := b.compare(ctx, p)
	if err != nil {
		return err
	}
	b.stats.Comparisons++
	p.totals.Hosts, p.totals.Unchanged = c.same, c.same
	errata := map[string]*advisory{}
	rows := make([]row, 0, len(c.list))
	for j := range c.list {
		s := &c.list[j]
		p.totals.add(s)
		if p.asked { // what it shows is told by the pairs that lie in between
			rows = append(rows, b.row(p, s))
		} else {
			rows = append(rows, b.absorb(i, p, s))
		}
		b.m.count(errata, s)
	}
	if !p.asked {
		b.m.noteMoves(i, p, c.move)
	}
	if err := b.flush(); err != nil {
		return err
	}
	v := b.runView(p)
	if v != nil {
		v.Missing = b.missingOf(p, c.list)
	}
	return b.pairPages(ctx, p, rows, errata, v)
}

// absorb notes a host's part in a pair in the model.
func (b *builder) absorb(i int, p *pair, s *summary) row {
	m := b.m
	hi := m.hostIndex(s.Host)
	h := m.hosts[hi]
	h.group = s.Group
	if s.is(flagChanged | flagGap) {
		h.events = append(h.events, newEvent(i, s))
	}
	for _, o := range s.Errata {
		if katprep.Endings[o.Ending] != katprep.Pending {
			m.records[o.ID] = append(m.records[o.ID], record{hi, int16(i), o.Ending})
		}
	}
	return b.row(p, s)
}

func (b *builder) row(p *pair, s *summary) row {
	h := b.m.hosts[b.m.hostIndex(s.Host)]
	r := row{summary: s, host: h, href: h.path()}
	if s.is(flagPage) {
		r.href = p.hostPath(h)
	}
	return r
}

// count adds a host's errata to those of the pair.
func (m *model) count(errata map[string]*advisory, s *summary) {
	for _, o := range s.Errata {
		a := errata[o.ID]
		if a == nil {
			a = &advisory{Erratum: m.erratum(o.ID), Href: "errata/" + idSlug(o.ID) + ".html"}
			errata[o.ID] = a
		}
		a.n[o.Ending]++
	}
}

// erratum returns the details of an erratum, or just its ID.
func (m *model) erratum(id string) *katprep.Erratum {
	e, ok := m.errata[id]
	if !ok {
		e = &katprep.Erratum{ID: id}
		m.errata[id] = e
	}
	return e
}

// rank puts what is unknown first.
func (r *row) rank() int {
	switch {
	case r.is(flagGap):
		return 0
	case r.Presence == katprep.InBoth && !r.is(flagChanged):
		return 5
	case r.Presence == katprep.InBoth:
		return 1
	case r.Presence == katprep.OnlyAfter:
		return 2
	case r.Presence == katprep.OnlyBefore:
		return 3
	}
	return 4
}

func (b *builder) pairPages(ctx context.Context, p *pair, rows []row, errata map[string]*advisory, v *runView) error {
	p.run = v
	return b.once(p.dir, b.pageKey(p, rows, errata), func() error {
		slices.SortFunc(rows, func(a, b row) int {
			return cmp.Or(a.rank()-b.rank(), compareHosts(a.summary.Host, b.summary.Host))
		})
		gaps := 0
		for gaps < len(rows) && rows[gaps].is(flagGap) {
			gaps++
		}
		data := pairPage{Pair: p, Gaps: rows[:gaps], Errata: sortAdvisories(errata), Run: v}
		data.Sums = severitySums(data.Errata)
		if err := cmp.Or(b.runPages(ctx, p, v), b.pairTables(p, rows, data.Errata)); err != nil {
			return err
		}
		first := p.dir + "/index.html"
		return b.paged(first, len(rows)-gaps, func(name string, from, to int, pg pager) error {
			d := data
			d.base, d.Rows, d.Pager = b.base(name, p.section(), p.title(), false), rows[gaps+from:gaps+to], pg
			if name != first {
				d.Gaps, d.Errata, d.Run = nil, nil, nil
			}
			return b.page(name, "pair", d)
		})
	})
}

// pageKey names everything that the pages of a pair depend on.
func (b *builder) pageKey(p *pair, rows []row, errata map[string]*advisory) string {
	k := b.newKey()
	for _, s := range []*katprep.SnapshotRef{p.Before, p.After} {
		if s != nil {
			k.add(string(s.Commit))
		} else {
			k.add("none")
		}
	}
	for _, v := range []any{p.from, p.to, p.run.judged()} {
		k.json(v)
	}
	for i := range rows { // a host may have got its name from a snapshot that was imported later
		k.add(rows[i].href)
	}
	for _, id := range sortedKeys(errata) {
		sum := b.m.sums[id]
		k.add(id, string(sum[:]))
	}
	if p.Record != nil {
		rest := *p.Record
		rest.Plan.Hosts, rest.Journal = nil, nil
		k.json(rest)
		k.json(b.exceptions)
		for i := range p.Record.Journal { // one by one: a journal may be large
			k.json(&p.Record.Journal[i])
		}
		for i := range p.Record.Plan.Hosts {
			h := &p.Record.Plan.Hosts[i]
			k.json(h)
			k.add(b.hostHref(h.Host))
			for _, id := range h.Errata { // an exception may name its CVEs
				sum := b.m.sums[id]
				k.add(string(sum[:]))
			}
		}
	}
	return k.sum()
}

func (p *pair) section() string {
	if p.Run != "" {
		return "maintenances"
	}
	return "snapshots"
}

func sortAdvisories(m map[string]*advisory) []*advisory {
	var out []*advisory
	for _, a := range m {
		out = append(out, a)
	}
	slices.SortFunc(out, func(a, b *advisory) int {
		return cmp.Or(render.SeverityRank(a.Severity)-render.SeverityRank(b.Severity), strings.Compare(string(b.Issued), string(a.Issued)), strings.Compare(a.ID, b.ID))
	})
	return out
}
