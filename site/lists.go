package site

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/render"
)

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// age is the number of days from a date to a snapshot, or -1.
func age(d katprep.Date, s *katprep.SnapshotRef) int {
	t, err := time.Parse(time.DateOnly, string(d))
	if err != nil || s == nil {
		return -1
	}
	return int(s.Snapshot.Finished.Sub(t) / (24 * time.Hour))
}

// indexPage is the first page.
type indexPage struct {
	base
	Snapshot     *katprep.Snapshot
	Gaps         []katprep.Gap
	GapLinks     []link
	Maintenances []*pair
	Changes      []*pair // snapshots outside of maintenances
}

type hostList struct {
	base
	Rows  []*host
	Pager pager
}

type erratumList struct {
	base
	Rows  []cveErratum
	Pager pager
}

type pairList struct {
	base
	Rows  []*pair
	Pager pager
}

// listPages writes the first page and the lists.
func (b *builder) listPages(ctx context.Context) error {
	for _, step := range []func() error{b.firstPage, b.hostList, b.erratumList, b.maintenanceList, b.snapshotList} {
		if err := cmp.Or(ctx.Err(), step()); err != nil {
			return err
		}
	}
	return nil
}

func (b *builder) firstPage() error {
	d := indexPage{base: b.base("index.html", "", b.o.Title)}
	if len(b.m.snapshots) > 0 {
		d.Snapshot = &b.m.head().Snapshot
		for _, g := range d.Snapshot.Gaps {
			d.GapLinks = append(d.GapLinks, link{render.Line(g.Name), "hosts/" + b.m.hosts[b.m.hostIndex(g.Host)].slug + "/index.html"})
		}
		d.Gaps = d.Snapshot.Gaps[:min(len(d.Snapshot.Gaps), b.o.Rows)]
	}
	runs, changes := b.split()
	d.Maintenances, d.Changes = runs[:min(20, len(runs))], changes[:min(20, len(changes))]
	return b.page("index.html", "index", d)
}

// split tells maintenances from snapshots, the newest first.
func (b *builder) split() (runs, changes []*pair) {
	for _, p := range slices.Backward(b.m.pairs) {
		if p.Run != "" {
			runs = append(runs, p)
		} else {
			changes = append(changes, p)
		}
	}
	return runs, changes
}

func (b *builder) hostList() error {
	hosts := slices.Clone(b.m.hosts)
	slices.SortFunc(hosts, func(x, y *host) int {
		return cmp.Or(hostRank(x)-hostRank(y), compareHosts(x.Host, y.Host))
	})
	return b.paged("hosts/index.html", len(hosts), func(name string, from, to int, p pager) error {
		return b.page(name, "hosts", hostList{b.base(name, "hosts", "Hosts"), hosts[from:to], p})
	})
}

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

func (b *builder) erratumList() error {
	var rows []cveErratum
	for _, id := range sortedKeys(b.m.errata) {
		all, open := b.erratumRows(id)
		rows = append(rows, cveErratum{b.m.errata[id], "errata/" + idSlug(id) + ".html", open, len(all) - open})
	}
	slices.SortStableFunc(rows, func(x, y cveErratum) int { return strings.Compare(string(y.Issued), string(x.Issued)) })
	return b.paged("errata/index.html", len(rows), func(name string, from, to int, p pager) error {
		return b.page(name, "errata-list", erratumList{b.base(name, "errata", "Errata"), rows[from:to], p})
	})
}

func (b *builder) maintenanceList() error {
	runs, _ := b.split()
	return b.pairList("maintenances/index.html", "maintenances", "Maintenances", runs)
}

func (b *builder) snapshotList() error {
	_, changes := b.split()
	return b.pairList("snapshots/index.html", "snapshots", "Snapshots", changes)
}

func (b *builder) pairList(first, section, title string, rows []*pair) error {
	return b.paged(first, len(rows), func(name string, from, to int, p pager) error {
		return b.page(name, "pairs", pairList{b.base(name, section, title), rows[from:to], p})
	})
}
