package site

import (
	"cmp"
	"crypto/sha256"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/policy"
)

// Most errata of a large archive are dealt with on every host, and nothing
// that is found out later changes their pages. A closed erratum is one of
// those: what it adds to the sums of all errata is remembered, so that its
// hosts need not be judged again.
type closed struct {
	ended   endings
	tallies []tallied
}

// A tally is what the compliance of one erratum on one host adds to.
type tally struct {
	crit, group, month string
	standing           policy.Standing
	days               int
	installed          bool
}

// A tallied is a tally with how many hosts have it.
type tallied struct {
	tally
	n int
}

// tallyOf says what an erratum on a host adds to. Security errata only: no
// standard sets deadlines for others.
func tallyOf(e *katprep.Erratum, r *erratumRow) (t tally, ok bool) {
	installed := r.ending == katprep.Installed || r.ending == katprep.RebootPending
	if e.Type != katprep.Security && e.Severity == "" || !installed && r.ending != katprep.Pending {
		return t, false
	}
	t = tally{crit: r.Host.crit, group: r.Host.group, standing: r.judged.Standing, days: r.judged.Days, installed: installed}
	if installed {
		t.month = r.Pair.After.Snapshot.Finished.UTC().Format("2006-01")
	}
	return t, true
}

// tally counts n hosts of one kind.
func (g *governance) tally(e *katprep.Erratum, t tally, j policy.Judgement, n int) {
	g.all.AddN(j, t.installed, n)
	at(g.cells, cellKey{known(e.Severity), t.crit}).AddN(j, t.installed, n)
	at(g.groups, t.group).AddN(j, t.installed, n)
	if t.installed {
		at(g.months, t.month).AddN(j, true, n)
	}
}

// closedOf returns what is remembered of an erratum, or nil if something is
// open or unknown, or if a list names one of its hosts.
func closedOf(e *katprep.Erratum, rows []erratumRow, sum erratumSum) *closed {
	if sum.Open+sum.Unknown > 0 {
		return nil
	}
	n := map[tally]int{}
	for i := range rows {
		r := &rows[i]
		if r.again || r.Deadline.exception != "" || r.Deadline.standing == policy.Overdue || r.judged.Exception != nil {
			return nil
		}
		if t, ok := tallyOf(e, r); ok {
			n[t]++
		}
	}
	c := &closed{ended: sum.Ended}
	for t, n := range n {
		c.tallies = append(c.tallies, tallied{t, n})
	}
	slices.SortFunc(c.tallies, func(a, b tallied) int {
		return cmp.Or(strings.Compare(a.month, b.month), strings.Compare(a.group, b.group), strings.Compare(a.crit, b.crit), strings.Compare(string(a.standing), string(b.standing)), a.days-b.days)
	})
	return c
}

// keepClosed takes the pages of an erratum that was closed in an earlier
// build and of which nothing has changed.
func (b *builder) keepClosed(e *katprep.Erratum, name, key string) bool {
	old := b.known[name]
	if old == nil || old.closed == nil || old.key != key || b.keepAll(old.files) != nil {
		return false
	}
	for _, t := range old.closed.tallies {
		b.gov.tally(e, t.tally, policy.Judgement{Standing: t.standing, Days: t.days}, t.n)
	}
	b.m.erratumSums[e.ID] = closedSum(old.closed.ended)
	delete(b.m.records, e.ID)
	b.made[name] = old
	return true
}

// erratumKey names everything that the pages of a closed erratum depend on:
// what became of it, where, and what is said of these hosts and comparisons.
func (b *builder) erratumKey(e *katprep.Erratum) string {
	k := b.newKey()
	sum := b.m.sums[e.ID]
	k.add(e.ID, string(sum[:]), b.rules())
	if len(b.m.snapshots) > 0 {
		k.add(string(b.m.snapshots[0].Commit))
	}
	buf := b.keyBuf[:0]
	for _, r := range b.m.records[e.ID] {
		buf = append(buf, b.sums.hosts[r.host][:]...)
		if r.pair >= 0 {
			buf = append(buf, b.sums.pairs[r.pair][:]...)
		}
		buf = append(buf, r.ending, byte(r.pair>>15)) // the sign
	}
	b.keyBuf = buf
	k.h.Write(buf)
	return k.sum()
}

// shortSums are what hosts and comparisons are known by within keys.
type shortSums struct{ hosts, pairs [][16]byte }

// sumUp makes sums of what the pages of errata say of hosts and comparisons.
func (b *builder) sumUp() {
	short := func(parts ...string) [16]byte {
		k := key{sha256.New()}
		k.add(parts...)
		return [16]byte(k.h.Sum(nil)[:16])
	}
	b.sums = shortSums{}
	for _, h := range b.m.hosts {
		b.sums.hosts = append(b.sums.hosts, short(h.HostID.String(), h.Name, h.slug, h.group, h.crit))
	}
	for _, p := range b.m.pairs {
		parts := []string{p.dir, p.title()}
		if p.After != nil {
			parts = append(parts, string(p.After.Commit))
		}
		b.sums.pairs = append(b.sums.pairs, short(parts...))
	}
}

// liveKey adds what only the pages of open errata depend on.
func (b *builder) liveKey(key string) string {
	k := b.newKey()
	k.add(key, string(b.m.head().Commit))
	if raw, err := json.Marshal(b.exceptions); err == nil {
		k.add(string(raw))
	}
	for i := range b.exceptions {
		k.add(b.recorded(&b.exceptions[i]).UTC().Format(time.RFC3339Nano))
	}
	return k.sum()
}

// rules are the deadlines as text.
func (b *builder) rules() string {
	if b.ruleText == "" {
		raw, err := json.Marshal(b.o.Policy)
		if err != nil {
			return ""
		}
		b.ruleText = string(raw)
	}
	return b.ruleText
}
