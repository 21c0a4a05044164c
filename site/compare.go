package site

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/diff"
	"github.com/stdevel/katprep/render"
)

// A comparison reads two snapshots, or remembers having read them.
type comparison struct {
	b    *builder
	p    *pair
	key  string
	same int
	list []summary
	move moves
	size []*int // of the pages of list, once they are made
	gaps map[katprep.HostID]*katprep.HostChange
	plan map[katprep.HostID]*katprep.HostPlan
	step map[katprep.HostID][]hostStep
}

// compare reads a pair and writes the pages of its changes; if an earlier
// build has done so, its pages are kept.
func (b *builder) compare(ctx context.Context, p *pair) (*comparison, error) {
	c := &comparison{b: b, p: p, key: b.pairKey(p), move: moves{}}
	if c.remembered() {
		return c, nil
	}
	c.same, c.list, c.move = 0, nil, moves{}
	if err := cmp.Or(c.read(ctx), b.flush()); err != nil {
		return nil, err
	}
	return c, c.remember()
}

// remember writes down what was read, with the sizes of the pages: what a
// power failure cut short is not kept by the next build.
func (c *comparison) remember() error {
	for i, n := range c.size {
		c.list[i].Size = *n
	}
	return c.b.write(nil, c.p.cachePath(), sealed(append([]byte(c.errataHash()), encodeSummaries(c.key, c.same, c.list, c.move)...)))
}

// cachePath is where a comparison is remembered.
func (p *pair) cachePath() string { return ".katprep/" + p.key() }

// pairKey names everything that the pages of a pair's changes depend on, but
// for the details of errata, which are known only when they are met.
func (b *builder) pairKey(p *pair) string {
	h := sha256.New()
	for _, s := range []string{b.views.hash, b.o.Title, b.o.Version, b.o.Build, string(p.Before.Commit), string(p.After.Commit), p.title(), p.dir, p.from.Signature.Text(), p.to.Signature.Text(), p.journalState(), itoa(b.o.Rows)} {
		h.Write([]byte(s + "\x00"))
	}
	if p.Record != nil {
		for i := range p.Record.Plan.Hosts {
			key{h}.json(&p.Record.Plan.Hosts[i])
		}
	}
	return hex.EncodeToString(h.Sum(nil))
}

// remembered loads the comparison of an earlier build and keeps its pages. Any
// doubt means that it is read anew.
func (c *comparison) remembered() bool {
	if c.b.o.Full {
		return false
	}
	raw, err := c.b.t.old(c.p.cachePath())
	if err != nil {
		return false
	}
	text, ok := unsealed(raw)
	if !ok || len(text) < 64 {
		return false
	}
	c.same, c.list, c.move, err = decodeSummaries(c.key, text[64:])
	if err != nil || string(text[:64]) != c.errataHash() {
		return false
	}
	var pages []kept
	for i := range c.list {
		if s := &c.list[i]; s.is(flagPage) {
			pages = append(pages, kept{c.changePath(s), s.Size})
		}
	}
	return c.b.keepFolder(c.p.dir+"/hosts", pages) == nil && c.b.keepAll([]kept{{c.p.cachePath(), len(raw)}}) == nil
}

// errataHash is a hash over the details of all errata of the comparison.
func (c *comparison) errataHash() string {
	ids := map[string]bool{}
	for i := range c.list {
		for _, o := range c.list[i].Errata {
			ids[o.ID] = true
		}
	}
	h := sha256.New()
	for _, id := range sortedKeys(ids) {
		h.Write([]byte(id))
		if sum, ok := c.b.m.sums[id]; ok {
			h.Write(sum[:])
		}
	}
	return hex.EncodeToString(h.Sum(nil))
}

func (c *comparison) read(ctx context.Context) error {
	c.findGaps()
	c.plan, c.step = map[katprep.HostID]*katprep.HostPlan{}, c.b.stepsOf(c.p)
	if c.p.Record != nil {
		for i := range c.p.Record.Plan.Hosts {
			h := &c.p.Record.Plan.Hosts[i]
			c.plan[h.HostID] = h
		}
	}
	if err := c.readPairs(ctx); err != nil {
		return err
	}
	if c.p.Run != "" {
		if err := c.readUnchanged(ctx); err != nil {
			return err
		}
	}
	// A host that could not be read before and after may have the same state
	// twice; that is no state to call unchanged.
	for _, g := range sortedGaps(c.gaps) {
		c.same--
		c.list = append(c.list, summarise(g, false, nil))
	}
	c.same = max(0, c.same)
	return nil
}

// readUnchanged adds the hosts of a maintenance that are the same in both
// snapshots: what is pending on them is pending, whoever failed to patch them.
// A host of the plan that neither snapshot holds is unknown.
func (c *comparison) readUnchanged(ctx context.Context) error {
	seen := map[katprep.HostID]bool{}
	for i := range c.list {
		seen[c.list[i].Host.HostID] = true
	}
	// Those that changed are seen, whoever yields them again.
	states := c.b.src.States(ctx, c.p.After.Commit)
	if u, ok := c.b.src.(Unchanger); ok {
		states = u.Unchanged(ctx, c.p.Before.Commit, c.p.After.Commit)
	}
	for s, err := range states {
		if err := cmp.Or(err, ctx.Err()); err != nil {
			return err
		}
		if seen[s.HostID] || c.gaps[s.HostID] != nil {
			continue
		}
		seen[s.HostID] = true
		h := diff.Host(&s, &s, diff.Context{Lookup: c.b.m.lookup, Since: c.p.Before.Snapshot.Started})
		c.same--
		c.list, c.size = append(c.list, summarise(&h, false, nil)), append(c.size, new(int))
	}
	if c.p.Record == nil {
		return nil
	}
	for i := range c.p.Record.Plan.Hosts {
		h := c.p.Record.Plan.Hosts[i].Host
		if seen[h.HostID] || c.gaps[h.HostID] != nil {
			continue
		}
		seen[h.HostID] = true
		c.same++ // gaps are taken off again
		c.gaps[h.HostID] = &katprep.HostChange{Host: h, Presence: katprep.NotCollected, Boot: katprep.BootChange{Rebooted: katprep.NotKnown},
			Problems: []katprep.Problem{{Message: "the host is in the plan, but in neither snapshot"}}}
	}
	return nil
}

func (c *comparison) readPairs(ctx context.Context) error {
	same, pairs, err := c.b.src.Compare(ctx, c.p.Before.Commit, c.p.After.Commit)
	if err != nil {
		return err
	}
	c.same = same
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
		if err := c.add(&h); err != nil {
			return err
		}
	}
	r := halves.Report()
	for i := range r.Hosts {
		if err := c.add(&r.Hosts[i]); err != nil {
			return err
		}
	}
	return nil
}

// findGaps lists the hosts that either snapshot does not hold whole.
func (c *comparison) findGaps() {
	c.gaps = map[katprep.HostID]*katprep.HostChange{}
	for i, gs := range [][]katprep.Gap{c.p.After.Snapshot.Gaps, c.p.Before.Snapshot.Gaps} {
		for _, g := range gs {
			h := c.gaps[g.HostID]
			if h == nil {
				h = &katprep.HostChange{Host: g.Host, Presence: katprep.NotCollected, Problems: g.Problems, Boot: katprep.BootChange{Rebooted: katprep.NotKnown}}
				c.gaps[g.HostID] = h
			}
			if i == 0 {
				h.After = g.Status
			} else {
				h.Before = g.Status
			}
		}
	}
}

func sortedGaps(m map[katprep.HostID]*katprep.HostChange) []*katprep.HostChange {
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

// add takes a host that was compared, and writes the page of its change.
func (c *comparison) add(h *katprep.HostChange) error {
	delete(c.gaps, h.HostID)
	s := summarise(h, true, c.plan[h.HostID])
	c.move.add(h.Packages)
	size := new(int)
	c.list, c.size = append(c.list, s), append(c.size, size)
	if !s.is(flagPage) {
		return nil
	}
	// The slug is fixed by the host's first name, so it is asked for here and
	// not by the page, which is written later.
	c.b.m.hostIndex(h.Host)
	path := c.changePath(&s)
	steps, plan, hostPath := c.step[h.HostID], c.plan[h.HostID], c.b.m.hosts[c.b.m.hostIndex(h.Host)].path()
	return c.b.later(path, func(buf *bytes.Buffer) error {
		err := c.b.views.execute(buf, "change", changePage{base: c.b.base(path, "hosts", h.Name, false), Change: h, Pair: c.p, Gap: render.Gap(h), Plan: plan, HostPath: hostPath, File: c.b.hostFile(h.Host), Steps: steps})
		*size = buf.Len()
		return err
	})
}

func (c *comparison) changePath(s *summary) string {
	return c.p.hostPath(c.b.m.hosts[c.b.m.hostIndex(s.Host)])
}

func (m *model) lookup(id string) (katprep.Erratum, bool) {
	e, ok := m.errata[id]
	if !ok {
		return katprep.Erratum{}, false
	}
	return *e, true
}
