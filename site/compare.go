package site

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/diff"
	"github.com/stdevel/katprep/render"
)

// A row is a host on the page of a pair.
type row struct {
	Host     *host
	Href     string // page of the change; "" if there is none
	Word     render.Word
	Before   katprep.Status
	After    katprep.Status
	Counts   []render.Count
	Packages int
	Rebooted katprep.Answer
	Need     katprep.Need
	Problems []katprep.Problem
	Gap      bool
	rank     int
}

// An advisory is an erratum on the page of a pair.
type advisory struct {
	katprep.Erratum
	Href   string
	Counts []render.Count
	n      map[katprep.Ending]int
}

// A comparison collects what the page of a pair shows.
type comparison struct {
	b      *builder
	i      int32
	p      *pair
	seen   map[katprep.HostID]bool // of the gaps
	rows   []row
	errata map[string]*advisory
}

// pair compares two snapshots and writes the pages about it.
func (b *builder) pair(ctx context.Context, i int32, p *pair) error {
	c := &comparison{b: b, i: i, p: p, seen: map[katprep.HostID]bool{}, errata: map[string]*advisory{}}
	if p.complete() {
		if err := c.read(ctx); err != nil {
			return err
		}
		b.stats.Comparisons++
	}
	if p.Run != "" {
		b.stats.Maintenances++
	}
	return c.write()
}

func (c *comparison) read(ctx context.Context) error {
	gaps := c.gaps()
	same, pairs, err := c.b.src.Compare(ctx, c.p.Before.Commit, c.p.After.Commit)
	if err != nil {
		return err
	}
	// Hosts of which one side came, new, gone or renamed, are few: they are
	// put together by diff when all have come.
	halves, err := diff.New(*c.p.Before, *c.p.After, c.b.m.lookup, diff.Options{AllowDifferentSelection: true})
	if err != nil {
		return err
	}
	for p, err := range pairs {
		if err := cmp.Or(err, ctx.Err()); err != nil {
			return err
		}
		if p.Before == nil || p.After == nil || p.Before.HostID != p.After.HostID {
			halves.Add(p.Before, p.After)
			continue
		}
		h := diff.Host(p.Before, p.After, diff.Context{Lookup: c.b.m.lookup, Since: c.p.Before.Snapshot.Started})
		if err := c.compared(&h, gaps); err != nil {
			return err
		}
	}
	r := halves.Report()
	for i := range r.Hosts {
		if err := c.compared(&r.Hosts[i], gaps); err != nil {
			return err
		}
	}
	// A host that could not be read before and after may have the same state
	// twice; that is no state to call unchanged.
	for _, g := range c.sorted(gaps) {
		if !c.seen[g.HostID] {
			same--
			if err := c.add(g, false); err != nil {
				return err
			}
		}
	}
	c.p.totals.Hosts += max(0, same)
	c.p.totals.Unchanged += max(0, same)
	return nil
}

// gaps lists the hosts that either snapshot does not hold whole.
func (c *comparison) gaps() map[katprep.HostID]*katprep.HostChange {
	out := map[katprep.HostID]*katprep.HostChange{}
	for i, gs := range [][]katprep.Gap{c.p.After.Snapshot.Gaps, c.p.Before.Snapshot.Gaps} {
		for _, g := range gs {
			h := out[g.HostID]
			if h == nil {
				h = &katprep.HostChange{Host: g.Host, Presence: katprep.NotCollected, Problems: g.Problems, Boot: katprep.BootChange{Rebooted: katprep.NotKnown}}
				out[g.HostID] = h
			}
			if i == 0 {
				h.After = g.Status
			} else {
				h.Before = g.Status
			}
		}
	}
	return out
}

func (c *comparison) sorted(m map[katprep.HostID]*katprep.HostChange) []*katprep.HostChange {
	var out []*katprep.HostChange
	for _, h := range m {
		out = append(out, h)
	}
	slices.SortFunc(out, func(a, b *katprep.HostChange) int { return compareHosts(a.Host, b.Host) })
	return out
}

func compareHosts(a, b katprep.Host) int {
	return cmp.Or(strings.Compare(a.Name, b.Name), strings.Compare(a.Source, b.Source), strings.Compare(a.ID, b.ID))
}

// compared takes a host that was compared, and ticks it off the gaps.
func (c *comparison) compared(h *katprep.HostChange, gaps map[katprep.HostID]*katprep.HostChange) error {
	if _, ok := gaps[h.HostID]; ok {
		c.seen[h.HostID] = true
	}
	return c.add(h, true)
}

func (m *model) lookup(id string) (katprep.Erratum, bool) {
	e, ok := m.errata[id]
	if !ok {
		return katprep.Erratum{}, false
	}
	return *e, true
}

// add takes a host into the page, its timeline and its errata, and writes the
// page of its change if there is one.
func (c *comparison) add(h *katprep.HostChange, detail bool) error {
	m, gap := c.b.m, render.Gap(h)
	hi := m.hostIndex(h.Host)
	host := m.hosts[hi]
	r := row{Host: host, Word: render.PresenceWord(h), Before: h.Before, After: h.After, Packages: len(h.Packages), Rebooted: h.Boot.Rebooted, Need: h.Reboot.Need, Gap: gap, rank: rank(h, gap)}
	if gap {
		r.Problems = h.Problems
	}
	e := event{pair: c.i, packages: int32(len(h.Packages)), word: r.Word, rebooted: h.Boot.Rebooted, kernel: h.Kernel.Before != h.Kernel.After}
	n := map[katprep.Ending]int{}
	for _, ec := range h.Errata {
		n[ec.Ending]++
		e.errata[endingIndex(ec.Ending)]++
		c.erratum(ec, hi)
	}
	r.Counts = countList(n)
	c.p.totals.add(h, gap)
	if detail && (h.Changed() || gap) {
		r.Href = "hosts/" + host.slug + "/" + c.key() + ".html"
	}
	c.rows = append(c.rows, r)
	e.page = r.Href != ""
	host.events = append(host.events, e)
	if r.Href == "" {
		return nil
	}
	return c.b.page(r.Href, "change", changePage{base: c.b.base(r.Href, "hosts", h.Name), Host: host, Change: h, Pair: c.p, Gap: gap, Index: host.slug})
}

func (c *comparison) key() string { return c.p.key() }

// key is the last part of a pair's path.
func (p *pair) key() string { return p.dir[strings.LastIndexByte(p.dir, '/')+1:] }

func (c *comparison) erratum(ec katprep.ErratumChange, hi int32) {
	a := c.errata[ec.ID]
	if a == nil {
		a = &advisory{Erratum: katprep.Erratum{ID: ec.ID, Title: ec.Title, Type: ec.Type, Severity: ec.Severity, Issued: ec.Issued, CVEs: ec.CVEs}, Href: "errata/" + idSlug(ec.ID) + ".html", n: map[katprep.Ending]int{}}
		c.errata[ec.ID] = a
		if c.b.m.errata[ec.ID] == nil {
			e := a.Erratum
			c.b.m.errata[ec.ID] = &e
		}
	}
	a.n[ec.Ending]++
	if ec.Ending != katprep.Pending {
		c.b.m.records[ec.ID] = append(c.b.m.records[ec.ID], record{hi, int16(c.i), endingIndex(ec.Ending)})
	}
}

func countList(n map[katprep.Ending]int) []render.Count {
	var out []render.Count
	for _, e := range katprep.Endings {
		if n[e] > 0 {
			out = append(out, render.Count{Ending: e, N: n[e]})
		}
	}
	return out
}

func rank(h *katprep.HostChange, gap bool) int {
	switch {
	case gap:
		return 0
	case h.Presence == katprep.InBoth:
		return 1
	case h.Presence == katprep.OnlyAfter:
		return 2
	case h.Presence == katprep.OnlyBefore:
		return 3
	}
	return 4
}

// write makes the pages of the pair: what is unknown first.
func (c *comparison) write() error {
	slices.SortFunc(c.rows, func(a, b row) int { return cmp.Or(a.rank-b.rank, compareHosts(a.Host.Host, b.Host.Host)) })
	gaps := 0
	for gaps < len(c.rows) && c.rows[gaps].Gap {
		gaps++
	}
	var errata []*advisory
	for _, a := range c.errata {
		a.Counts = countList(a.n)
		errata = append(errata, a)
	}
	slices.SortFunc(errata, func(a, b *advisory) int {
		return cmp.Or(render.SeverityRank(a.Severity)-render.SeverityRank(b.Severity), strings.Compare(string(b.Issued), string(a.Issued)), strings.Compare(a.ID, b.ID))
	})
	data := pairPage{Pair: c.p, Gaps: c.rows[:gaps], Errata: errata}
	first := c.p.dir + "/index.html"
	return c.b.paged(first, len(c.rows)-gaps, func(name string, from, to int, pg pager) error {
		d := data
		d.base, d.Rows, d.Pager = c.b.base(name, "", c.p.title()), c.rows[gaps+from:gaps+to], pg
		if name != first {
			d.Gaps, d.Errata = nil, nil
		}
		return c.b.page(name, "pair", d)
	})
}
