package site

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/stdevel/katprep"
)

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// age is the number of days from a date to a time, or -1.
func age(d katprep.Date, now time.Time) int {
	t, err := time.Parse(time.DateOnly, string(d))
	if err != nil {
		return -1
	}
	return max(0, int(now.Sub(t)/(24*time.Hour)))
}

// indexPage is the first page: complete, in time, governed?
type indexPage struct {
	base
	Chain        evidencePage // only its numbers
	Snapshot     *katprep.Snapshot
	Gaps         []katprep.Gap
	GapLinks     []string
	Missing      []string // sources whose lists of hosts are not complete
	Maintenances []*pair
	Changes      []*pair // snapshots outside of maintenances
	Policy       bool
	All          cell
	Matrix       matrix
	Again        int
	Governed     governed
	Unknown      unknowns
	Whole        int // hosts of the newest snapshot of which everything is known
	Failures     int // of steps in the last maintenance that has a journal
	FailuresIn   *pair
	Forgotten    []string // VM snapshots that are too old
	Older        []Older  // bundles of older history
}

// unknowns counts the hosts of the newest snapshot, failed ones left out, of
// which something is not known.
type unknowns struct{ Errata, Updates, Packages int }

func (b *builder) unknowns() (u unknowns) {
	for _, h := range b.m.hosts {
		if !h.latest || h.status == katprep.Failed {
			continue
		}
		for _, c := range []struct {
			n     *int
			known bool
		}{{&u.Errata, h.errataKnown}, {&u.Updates, h.updatesKnown}, {&u.Packages, h.packagesKnown}} {
			if !c.known {
				*c.n++
			}
		}
	}
	if len(b.m.snapshots) > 0 {
		u.Errata = max(u.Errata, b.m.head().Snapshot.Counts.ErrataUnknown)
	}
	return u
}

// whole counts the hosts of the newest snapshot that were read, and of which
// errata, updates and packages are known.
func (b *builder) whole() (n int) {
	for _, h := range b.m.hosts {
		if h.latest && h.status == katprep.Collected && h.errataKnown && h.updatesKnown && h.packagesKnown {
			n++
		}
	}
	return n
}

// Any reports whether something is not known.
func (u unknowns) Any() bool { return u.Errata+u.Updates+u.Packages > 0 }

// governed counts decisions.
type governed struct {
	Runs, Approved, Late, Unapproved, SignedOff int // of runs that were begun
	Planned                                     int // not begun, or nothing was done
	Exceptions, Expired                         int
}

// Good reports whether nothing is missing.
func (g governed) Good() bool {
	return g.Runs > 0 && g.Approved == g.Runs && g.SignedOff == g.Runs && g.Expired == 0
}

type hostList struct {
	base
	Rows  []*host
	Pager pager
}

type erratumListPage struct {
	base
	Rows     []cveErratum
	NoErrata int
	Pager    pager
}

type pairList struct {
	base
	Rows      []*pair
	Pager     pager
	Snapshots bool    // the list of comparisons, not of maintenances
	Asked     []*pair // on the first page of comparisons
	Example   *pair   // whose commits stand in examples; may be nil
}

// listPages writes the first page and the lists.
func (b *builder) listPages(ctx context.Context) error {
	for _, step := range []func() error{b.firstPage, b.hostList, b.noErrataList, b.erratumList, b.maintenanceList, b.snapshotList} {
		if err := cmp.Or(ctx.Err(), step()); err != nil {
			return err
		}
	}
	return nil
}

func (b *builder) firstPage() error {
	d := indexPage{base: b.base("index.html", "", "Overview", true), Policy: b.hasPolicy(), All: newCell(&b.gov.all), Matrix: b.gov.matrix(), Again: len(b.gov.again), Governed: b.governed(), Unknown: b.unknowns(), Whole: b.whole(), Forgotten: b.allForgotten(), Older: b.older}
	d.Chain.Known = b.chain.known
	d.Chain.count(b.evidenceRows())
	if len(b.m.snapshots) > 0 {
		d.Snapshot = &b.m.head().Snapshot
		d.Gaps = d.Snapshot.Gaps[:min(len(d.Snapshot.Gaps), b.o.Rows)]
		for _, g := range d.Gaps {
			d.GapLinks = append(d.GapLinks, b.hostHref(g.Host))
		}
		for _, s := range d.Snapshot.Sources {
			if s.Problem != "" {
				d.Missing = append(d.Missing, s.Name+": "+s.Problem)
			}
		}
	}
	runs, changes := b.split()
	d.Maintenances, d.Changes = runs[:min(12, len(runs))], changes[:min(6, len(changes))]
	for _, p := range runs {
		if p.run != nil && p.entries > 0 {
			d.Failures, d.FailuresIn = p.Failures(), p
			break
		}
	}
	return b.page("index.html", "index", d)
}

func (b *builder) governed() (g governed) {
	for _, p := range b.m.pairs {
		if p.Run == "" {
			continue
		}
		if p.Record != nil && b.m.noted[p.Run].began.IsZero() {
			g.Planned++
			continue
		}
		g.Runs++
		switch b.approvalOf(p.Record).State {
		case approvalInTime:
			g.Approved++
		case approvalLate:
			g.Late++
		default:
			g.Unapproved++
		}
		if b.signOffOf(p).Good {
			g.SignedOff++
		}
	}
	for i := range b.exceptions {
		g.Exceptions++
		if len(b.m.snapshots) > 0 && expired(&b.exceptions[i], b.now()) {
			g.Expired++
		}
	}
	return g
}

// split tells maintenances from snapshots, the newest first.
func (b *builder) split() (runs, changes []*pair) {
	for _, p := range slices.Backward(b.m.pairs) {
		if p.Run != "" {
			runs = append(runs, p)
		} else if !p.asked {
			changes = append(changes, p)
		}
	}
	return runs, changes
}

func (b *builder) sortedHosts() []*host {
	hosts := slices.Clone(b.m.hosts)
	slices.SortFunc(hosts, func(x, y *host) int {
		return cmp.Or(hostRank(x)-hostRank(y), compareHosts(x.Host, y.Host))
	})
	return hosts
}

func (b *builder) hostList() error {
	hosts := b.sortedHosts()
	return b.paged("hosts/index.html", len(hosts), func(name string, from, to int, p pager) error {
		return b.page(name, "hosts", hostList{b.base(name, "hosts", "Hosts", true), hosts[from:to], p})
	})
}

// noErrata lists the hosts of the newest snapshot whose errata are not known,
// those that could not be read included: of them no erratum and no CVE can be
// said to be absent.
func (b *builder) noErrata() []*host {
	return slices.DeleteFunc(b.sortedHosts(), func(h *host) bool { return !h.latest || h.errataKnown })
}

func (b *builder) noErrataList() error {
	hosts := b.noErrata()
	return b.paged(noErrataPage, len(hosts), func(name string, from, to int, p pager) error {
		return b.page(name, "no-errata", hostList{b.base(name, "hosts", "Hosts whose errata are not known", true), hosts[from:to], p})
	})
}

// noErrataPage has no name that a host could have.
const noErrataPage = "hosts/~errata-not-known.html"

// hostRank puts hosts that could not be read first and those gone last.
func hostRank(h *host) int {
	switch {
	case !h.latest:
		return 2
	case h.status != katprep.Collected:
		return 0
	}
	return 1
}

func (b *builder) sortedErrata() []cveErratum {
	var rows []cveErratum
	for _, id := range sortedKeys(b.m.errata) {
		rows = append(rows, cveErratum{b.m.errata[id], b.m.erratumSums[id]})
	}
	slices.SortStableFunc(rows, func(x, y cveErratum) int { return strings.Compare(string(y.Issued), string(x.Issued)) })
	return rows
}

func (b *builder) erratumList() error {
	rows, noErrata := b.sortedErrata(), len(b.noErrata())
	return b.paged("errata/index.html", len(rows), func(name string, from, to int, p pager) error {
		return b.page(name, "errata-list", erratumListPage{b.base(name, "errata", "Errata", true), rows[from:to], noErrata, p})
	})
}

func (b *builder) maintenanceList() error {
	runs, _ := b.split()
	return b.pairList("maintenances/index.html", "maintenances", "Maintenances", runs)
}

func (b *builder) snapshotList() error {
	_, changes := b.split()
	return b.pairList("snapshots/index.html", "snapshots", "Compare snapshots", changes)
}

func (b *builder) pairList(first, section, title string, rows []*pair) error {
	return b.paged(first, len(rows), func(name string, from, to int, p pager) error {
		d := pairList{base: b.base(name, section, title, true), Rows: rows[from:to], Pager: p}
		if d.Snapshots = section == "snapshots"; d.Snapshots && p.Page == 1 {
			d.Asked = b.asked()
			if n := len(b.m.snapshots); n > 1 {
				d.Example = &pair{Before: &b.m.snapshots[0], After: b.m.head()}
			}
		}
		return b.page(name, "pairs", d)
	})
}
