package site

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/render"
)

func itoa(n int) string { return strconv.Itoa(n) }

// changePage is a host in one pair.
type changePage struct {
	base
	Host   *host
	Change *katprep.HostChange
	Pair   *pair
	Gap    bool
	Index  string
}

// pairPage is a maintenance, or a snapshot and its predecessor.
type pairPage struct {
	base
	Pair   *pair
	Gaps   []row
	Rows   []row
	Errata []*advisory
	Pager  pager
}

// hostPage is a host now, and its timeline.
type hostPage struct {
	base
	Host   *host
	State  *katprep.State // in the newest snapshot; nil if it is not there
	Open   []openErratum
	Events []eventRow
}

type openErratum struct {
	katprep.Erratum
	Href        string
	Installable bool
	Age         int // days from issue to the snapshot; -1 if unknown
}

type eventRow struct {
	Pair     *pair
	Href     string
	Word     render.Word
	Counts   []render.Count
	Packages int
	Rebooted katprep.Answer
	Kernel   bool
}

// hostPages writes the page of every host of the newest snapshot as it
// streams by, and then of those that are gone.
func (b *builder) hostPages(ctx context.Context) error {
	if len(b.m.snapshots) == 0 {
		return nil
	}
	for s, err := range b.src.States(ctx, b.m.head().Commit) {
		if err != nil {
			return err
		}
		hi := b.m.hostIndex(s.Host)
		h := b.m.hosts[hi]
		h.latest, h.status, h.Host = true, s.Status, s.Host
		if err := b.hostPage(h, hi, &s); err != nil {
			return err
		}
	}
	for i, h := range b.m.hosts {
		if !h.latest {
			if err := b.hostPage(h, int32(i), nil); err != nil {
				return err
			}
		}
	}
	return nil
}

func (b *builder) hostPage(h *host, hi int32, s *katprep.State) error {
	path := "hosts/" + h.slug + "/index.html"
	d := hostPage{base: b.base(path, "hosts", h.Name), Host: h, State: s}
	if s != nil {
		d.Open = b.openErrata(s)
		for _, o := range d.Open {
			if o.Installable {
				h.open++
			}
			b.m.records[o.ID] = append(b.m.records[o.ID], record{hi, -1, endingIndex(katprep.Pending)})
		}
	}
	for _, e := range slices.Backward(h.events) {
		d.Events = append(d.Events, b.eventRow(h, e))
	}
	return b.page(path, "host", d)
}

func (b *builder) eventRow(h *host, e event) eventRow {
	p := b.m.pairs[e.pair]
	r := eventRow{Pair: p, Word: e.word, Packages: int(e.packages), Rebooted: e.rebooted, Kernel: e.kernel}
	for i, n := range e.errata {
		if n > 0 {
			r.Counts = append(r.Counts, render.Count{Ending: katprep.Endings[i], N: int(n)})
		}
	}
	if e.page {
		r.Href = p.key() + ".html"
	}
	return r
}

func (b *builder) openErrata(s *katprep.State) []openErratum {
	var out []openErratum
	for _, he := range s.Errata {
		e, ok := b.m.errata[he.ID]
		if !ok {
			e = &katprep.Erratum{ID: he.ID}
			b.m.errata[he.ID] = e
		}
		out = append(out, openErratum{Erratum: *e, Href: "errata/" + idSlug(he.ID) + ".html", Installable: he.Installable, Age: age(e.Issued, b.m.head())})
	}
	slices.SortStableFunc(out, func(a, b openErratum) int {
		return cmp.Or(render.SeverityRank(a.Severity)-render.SeverityRank(b.Severity), strings.Compare(string(a.Issued), string(b.Issued)))
	})
	return out
}

// erratumPage is an advisory with the hosts that it concerns or concerned.
type erratumPage struct {
	base
	Erratum *katprep.Erratum
	CVEs    []link
	Open    int
	Closed  int
	Rows    []erratumRow
	Pager   pager
}

type erratumRow struct {
	Host *host
	Word render.Word
	Pair *pair // in which it ended so; nil: open in the newest snapshot
	Href string
	rank int
}

func (b *builder) erratumPages(ctx context.Context) error {
	for _, id := range sortedKeys(b.m.errata) {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := b.erratumPage(b.m.errata[id]); err != nil {
			return err
		}
	}
	b.stats.Errata, b.stats.Hosts = len(b.m.errata), len(b.m.hosts)
	return nil
}

func (b *builder) erratumPage(e *katprep.Erratum) error {
	rows, open := b.erratumRows(e.ID)
	d := erratumPage{Erratum: e, Open: open, Closed: len(rows) - open}
	for _, c := range e.CVEs {
		d.CVEs = append(d.CVEs, link{render.Line(c), "cves/" + idSlug(c) + ".html"})
	}
	return b.paged("errata/"+idSlug(e.ID)+".html", len(rows), func(name string, from, to int, p pager) error {
		d.base, d.Rows, d.Pager = b.base(name, "errata", e.ID), rows[from:to], p
		return b.page(name, "erratum", d)
	})
}

// erratumRows says of each host what became of an erratum last.
func (b *builder) erratumRows(id string) (rows []erratumRow, open int) {
	last := map[int32]record{}
	for _, r := range b.m.records[id] {
		old, ok := last[r.host]
		if !ok || r.pair < 0 || old.pair >= 0 && r.pair >= old.pair {
			last[r.host] = r
		}
	}
	for hi, r := range last {
		h := b.m.hosts[hi]
		row := erratumRow{Host: h, Word: render.EndingWord(katprep.Endings[r.ending]), Href: "hosts/" + h.slug + "/index.html"}
		switch {
		case r.pair < 0:
			open++
		default:
			row.Pair, row.rank = b.m.pairs[r.pair], int(r.ending)+1
			if katprep.Endings[r.ending] == katprep.Unknown {
				row.rank = -1
			}
		}
		rows = append(rows, row)
	}
	slices.SortFunc(rows, func(a, b erratumRow) int {
		return cmp.Or(a.rank-b.rank, compareHosts(a.Host.Host, b.Host.Host))
	})
	return rows, open
}

// cvePage is a CVE with the advisories that name it.
type cvePage struct {
	base
	ID     string
	Errata []cveErratum
}

type cveErratum struct {
	*katprep.Erratum
	Href         string
	Open, Closed int
}

func (b *builder) cvePages(context.Context) error {
	by := map[string][]string{}
	for _, id := range sortedKeys(b.m.errata) {
		for _, c := range b.m.errata[id].CVEs {
			by[c] = append(by[c], id)
		}
	}
	var rows []cvePage
	for _, c := range sortedKeys(by) {
		path := "cves/" + idSlug(c) + ".html"
		d := cvePage{base: b.base(path, "cves", c), ID: c}
		for _, id := range slices.Compact(by[c]) {
			all, open := b.erratumRows(id)
			d.Errata = append(d.Errata, cveErratum{b.m.errata[id], "errata/" + idSlug(id) + ".html", open, len(all) - open})
		}
		rows = append(rows, d)
		if err := b.page(path, "cve", d); err != nil {
			return err
		}
	}
	slices.Reverse(rows)
	return b.paged("cves/index.html", len(rows), func(name string, from, to int, p pager) error {
		return b.page(name, "cves", cveList{b.base(name, "cves", "CVEs"), rows[from:to], p})
	})
}

type cveList struct {
	base
	Rows  []cvePage
	Pager pager
}

type exceptionsPage struct {
	base
	Rows []katprep.Exception
}

func (b *builder) exceptionPage(ctx context.Context) error {
	xs, err := b.src.Exceptions(ctx)
	if err != nil {
		return err
	}
	slices.SortStableFunc(xs, func(a, b katprep.Exception) int { return strings.Compare(string(a.Expires), string(b.Expires)) })
	return b.page("exceptions.html", "exceptions", exceptionsPage{b.base("exceptions.html", "exceptions", "Exceptions"), xs})
}
