package site

import (
	"bytes"
	"cmp"
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/policy"
	"github.com/stdevel/katprep/render"
)

func itoa(n int) string { return strconv.Itoa(n) }

// changePage is a host in one pair.
type changePage struct {
	base
	Change *katprep.HostChange
	Pair   *pair
	Gap    bool
	Plan   *katprep.HostPlan
	// HostPath is the page of the host.
	HostPath string
	File     string // in the archive; "" if not known
	Steps    []hostStep
}

// Asked returns the package changes that the plan asked for, or all of them
// if there is no plan for the host.
func (c changePage) Asked() []katprep.PackageChange { return c.packages(true) }

// Unplanned returns the package changes that no plan asked for.
func (c changePage) Unplanned() []katprep.PackageChange { return c.packages(false) }

func (c changePage) packages(asked bool) []katprep.PackageChange {
	var out []katprep.PackageChange
	for i := range c.Change.Packages {
		if p := &c.Change.Packages[i]; asked == (c.Plan == nil || planned(c.Plan, p)) {
			out = append(out, *p)
		}
	}
	return out
}

// hostPage is a host now, and its timeline.
type hostPage struct {
	base
	Host   *host
	State  *katprep.State // in the newest snapshot; nil if it is not there
	Open   []openErratum
	Events []eventRow
	// Failures are the steps of runs that failed or are not confirmed.
	Failures []hostFailure
	Signed   string // who signed the newest snapshot
	File     string // in the archive; "" if not known
}

type openErratum struct {
	*katprep.Erratum
	Installable bool
	Age         int // days from issue to the snapshot; -1 if unknown
	Deadline    verdict
}

type eventRow struct {
	Pair     *pair
	Href     string
	Word     render.Word
	n        [len(katprep.Endings)]int32
	Packages int
	// PackagesKnown says that Packages is a number.
	PackagesKnown bool
	Rebooted      katprep.Answer
	Kernel        bool
	Unknown       bool // errata are not known
}

// A verdict says how an erratum on a host stands to its deadline.
type verdict struct {
	standing  policy.Standing
	due       string // date; "" without
	exception string // ID of the exception that covers it
	lapsed    bool   // the exception has expired
	after     bool   // the exception was recorded after the deadline
}

func (v verdict) word() render.Word {
	switch v.standing {
	case policy.InTime:
		return render.Word{Shape: "✓", Text: "in time", Class: "good"}
	case policy.Late:
		return render.Word{Shape: "!", Text: "late", Class: "wait"}
	case policy.Waiting:
		return render.Word{Shape: "○", Text: "due", Class: "open"}
	case policy.Overdue:
		return render.Word{Shape: "‼", Text: "overdue", Class: "bad"}
	case policy.NotCounted:
		return render.Word{Shape: "–", Text: "not counted", Class: "none"}
	}
	return render.Word{Shape: "–", Text: "no deadline", Class: "none"}
}

// remark says what is wrong with the exception that covers a finding.
func (v verdict) remark() string {
	switch {
	case v.lapsed:
		return "expired"
	case v.after:
		return "recorded after the deadline"
	}
	return ""
}

func (b *builder) now() time.Time { return b.m.head().Snapshot.Finished }

func (b *builder) judge(h *host, e *katprep.Erratum, installed time.Time) (policy.Judgement, verdict) {
	j := b.o.Policy.Judge(policy.Host{Name: h.Name, Group: h.group, Criticality: h.crit}, e, installed, b.now(), b.exceptions)
	v := verdict{standing: j.Standing, due: string(j.Due)}
	if j.Exception != nil {
		v.exception, v.lapsed = j.Exception.ID, j.Expired
		if due, err := time.Parse(time.DateOnly, v.due); err == nil {
			v.after = b.recorded(j.Exception).After(due.AddDate(0, 0, 1))
		}
	}
	return j, v
}

// hostPages writes the page of every host of the newest snapshot as it
// streams by, and then of those that are gone.
func (b *builder) hostPages(ctx context.Context) error {
	if len(b.m.snapshots) == 0 {
		return nil
	}
	b.failures = b.failuresOf()
	b.m.followPackages()
	for s, err := range b.src.States(ctx, b.m.head().Commit) {
		if err := cmp.Or(err, ctx.Err()); err != nil {
			return err
		}
		hi := b.m.hostIndex(s.Host)
		h := b.m.hosts[hi]
		p := b.o.Policy.HostOf(&s)
		h.latest, h.status, h.Host, h.group, h.crit = true, s.Status, s.Host, p.Group, p.Criticality
		if s.Status != katprep.Failed {
			h.errataKnown, h.updatesKnown, h.packagesKnown = s.Knows(katprep.AspectErrata), s.Knows(katprep.AspectUpdates), s.Knows(katprep.AspectPackages)
			h.updates, h.need = int32(len(s.Updates)), s.Reboot.Need
			b.m.seePackages(hi, s.Packages)
		}
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
	path := h.path()
	d := hostPage{base: b.base(path, "hosts", h.Name, true), Host: h, State: s, Failures: b.failures[h.HostID], Signed: b.chain.signature(b.m.head().Commit).Text(), File: b.hostFile(h.Host)}
	if s != nil {
		d.Open = b.openErrata(h, s)
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
	open := *h // the list of hosts reads h later, this page now
	d.Host = &open
	return b.later(path, func(buf *bytes.Buffer) error { return b.views.execute(buf, "host", d) })
}

func (b *builder) eventRow(h *host, e event) eventRow {
	p := b.m.pairs[e.pair]
	s := summary{Presence: presences[e.presence], Flags: e.flags}
	r := eventRow{Pair: p, Word: s.word(), Packages: int(e.packages), PackagesKnown: e.packages > 0 || s.packagesKnown(), Rebooted: answers[e.rebooted], Kernel: s.is(flagKernel), Unknown: s.is(flagNoErrata)}
	for i, n := range e.errata {
		r.n[i] = int32(n)
	}
	if s.is(flagPage) {
		r.Href = p.hostPath(h)
	}
	return r
}

func (b *builder) openErrata(h *host, s *katprep.State) []openErratum {
	var out []openErratum
	for _, he := range s.Errata {
		e := b.m.erratum(he.ID)
		_, v := b.judge(h, e, time.Time{})
		out = append(out, openErratum{Erratum: e, Installable: he.Installable, Age: age(e.Issued, b.now()), Deadline: v})
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
	Sum     erratumSum
	Slug    string // of its files
	Said    vendorText
	Live    bool // of the newest snapshot; otherwise of no one snapshot
	// NoErrata counts the hosts of the newest snapshot whose errata are not
	// known; it stands on live pages only.
	NoErrata int
	Text     string // file with all that the vendor says; "" if the page has it
	Rows     []erratumRow
	Pager    pager
}

type erratumRow struct {
	Host     *host
	Word     render.Word
	Pair     *pair // in which it ended so; nil: open in the newest snapshot
	Known    string
	Deadline verdict
	ending   katprep.Ending
	judged   policy.Judgement
	again    bool
}

// An erratumSum is what an erratum comes to.
type erratumSum struct {
	Open, Overdue, Closed, Unknown int
	Ended                          endings // Closed, by how
}

// endings counts hosts by how an erratum ended on them.
type endings [len(katprep.Endings)]int

func closedSum(e endings) erratumSum {
	s := erratumSum{Ended: e}
	for _, n := range e {
		s.Closed += n
	}
	return s
}

// plus adds the sums of two errata.
func (s erratumSum) plus(o erratumSum) erratumSum {
	s.Open, s.Overdue, s.Closed, s.Unknown = s.Open+o.Open, s.Overdue+o.Overdue, s.Closed+o.Closed, s.Unknown+o.Unknown
	for i, n := range o.Ended {
		s.Ended[i] += n
	}
	return s
}

// EndedText says how it ended on how many hosts, as "installed on 17".
func (s erratumSum) EndedText() string {
	var parts []string
	for i, n := range s.Ended {
		if n > 0 {
			parts = append(parts, render.EndingWord(katprep.Endings[i]).Text+" on "+itoa(n))
		}
	}
	if len(parts) == 0 {
		return "ended on none"
	}
	return strings.Join(parts, ", ")
}

func (b *builder) erratumPages(ctx context.Context) error {
	b.sumUp()
	noErrata := len(b.noErrata())
	for _, id := range sortedKeys(b.m.errata) {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := b.erratumPage(b.m.errata[id], noErrata); err != nil {
			return err
		}
	}
	b.stats.Errata, b.stats.Hosts = len(b.m.errata), len(b.m.hosts)
	return nil
}

func (b *builder) erratumPage(e *katprep.Erratum, noErrata int) error {
	name, key := "errata/"+e.ID, b.erratumKey(e)
	if b.keepClosed(e, name, key) {
		return nil
	}
	rows := b.erratumRows(e)
	sum := erratumSum{}
	for i := range rows {
		b.gov.add(e, &rows[i])
		switch r := &rows[i]; {
		case r.ending == katprep.Pending:
			sum.Open++
			if r.Deadline.standing == policy.Overdue {
				sum.Overdue++
			}
		case r.ending == katprep.Unknown:
			sum.Unknown++
		default:
			sum.Closed++
			sum.Ended[endingIndex(r.ending)]++
		}
	}
	b.m.erratumSums[e.ID] = sum
	delete(b.m.records, e.ID)
	d := erratumPage{Erratum: e, Sum: sum, Slug: idSlug(e.ID), Said: saidBy(e)}
	if d.Said.Cut {
		d.Text = idSlug(e.ID) + ".txt"
	}
	// The newest snapshot matters only while something is open or unknown.
	live := sum.Open+sum.Unknown > 0
	if live {
		d.Live, d.NoErrata = true, noErrata
		key = b.liveKey(key)
	}
	err := b.once(name, key, func() error {
		if err := b.save("errata/"+idSlug(e.ID), erratumTable(rows)); err != nil {
			return err
		}
		if d.Text != "" {
			if err := b.later("errata/"+d.Text, func(buf *bytes.Buffer) error { return wholeText(buf, e) }); err != nil {
				return err
			}
		}
		return b.paged("errata/"+idSlug(e.ID)+".html", len(rows), func(name string, from, to int, p pager) error {
			d.base, d.Rows, d.Pager = b.base(name, "errata", e.ID, live), rows[from:to], p
			return b.page(name, "erratum", d)
		})
	})
	b.made[name].closed = closedOf(e, rows, sum)
	return err
}

// erratumRows says of each host what became of an erratum, what is unknown or
// open first.
func (b *builder) erratumRows(e *katprep.Erratum) []erratumRow {
	records := b.m.records[e.ID]
	slices.SortStableFunc(records, func(x, y record) int { return int(x.host) - int(y.host) })
	var rows []erratumRow
	for len(records) > 0 {
		n := 1
		for n < len(records) && records[n].host == records[0].host {
			n++
		}
		rows = append(rows, b.erratumRow(e, records[:n]))
		records = records[n:]
	}
	order := func(r *erratumRow) int {
		switch r.ending {
		case katprep.Unknown:
			return 0
		case katprep.Pending:
			return 1
		}
		return 2
	}
	slices.SortFunc(rows, func(x, y erratumRow) int {
		return cmp.Or(order(&x)-order(&y), compareHosts(x.Host.Host, y.Host.Host))
	})
	return rows
}

// erratumRow reads the records of one host in the order of time.
func (b *builder) erratumRow(e *katprep.Erratum, records []record) erratumRow {
	h := b.m.hosts[records[0].host]
	r := erratumRow{Host: h, ending: katprep.Pending, Known: "by " + render.Time(b.m.snapshots[0].Snapshot.Finished)}
	for _, rec := range records {
		end := katprep.Endings[rec.ending]
		switch {
		case rec.pair < 0: // open in the newest snapshot
			r.again = r.again || r.ending == katprep.Installed || r.ending == katprep.RebootPending
			r.ending, r.Pair = katprep.Pending, nil
		case end == katprep.New:
			r.again = r.ending == katprep.Installed || r.ending == katprep.RebootPending
			r.ending, r.Pair, r.Known = katprep.New, b.m.pairs[rec.pair], render.Time(b.m.pairs[rec.pair].After.Snapshot.Finished)
		case r.ending != end: // of comparisons that overlap, the first one proves it
			r.again = r.again && end == katprep.Pending
			r.ending, r.Pair = end, b.m.pairs[rec.pair]
		}
	}
	r.Word = render.EndingWord(r.ending)
	switch r.ending {
	case katprep.Installed, katprep.RebootPending:
		r.judged, r.Deadline = b.judge(h, e, r.Pair.After.Snapshot.Finished)
	case katprep.Pending:
		r.judged, r.Deadline = b.judge(h, e, time.Time{})
	default:
		r.Deadline.standing = policy.NotCounted
	}
	if r.again {
		r.Word = render.Word{Shape: "⟲", Text: "pending again", Class: "bad"}
	}
	return r
}

// cvePage is a CVE with the advisories that name it.
type cvePage struct {
	base
	ID      string
	Sum     erratumSum // over all of Errata
	Errata  []cveErratum
	Sources []string
	// NoErrata counts the hosts of the newest snapshot whose errata are not
	// known.
	NoErrata int
}

type cveErratum struct {
	*katprep.Erratum
	erratumSum
}

func (b *builder) cvePages(context.Context) error {
	noErrata := b.noErrata()
	by := map[string][]string{}
	for _, id := range sortedKeys(b.m.errata) {
		for _, c := range b.m.errata[id].CVEs {
			by[c] = append(by[c], id)
		}
	}
	var rows []cvePage
	for _, c := range sortedKeys(by) {
		path := "cves/" + idSlug(c) + ".html"
		d := cvePage{base: b.base(path, "cves", c, true), ID: c, Sources: b.sources(), NoErrata: len(noErrata)}
		for _, id := range slices.Compact(by[c]) {
			s := b.m.erratumSums[id]
			d.Errata = append(d.Errata, cveErratum{b.m.errata[id], s})
			d.Sum = d.Sum.plus(s)
		}
		rows = append(rows, d)
		if err := b.page(path, "cve", d); err != nil {
			return err
		}
	}
	slices.Reverse(rows)
	return b.paged("cves/index.html", len(rows), func(name string, from, to int, p pager) error {
		return b.page(name, "cves", cveList{b.base(name, "cves", "CVEs", true), rows[from:to], len(noErrata), p})
	})
}

// sources names the sources of the newest snapshot.
func (b *builder) sources() []string {
	var out []string
	if len(b.m.snapshots) > 0 {
		for _, s := range b.m.head().Snapshot.Sources {
			out = append(out, render.Line(s.Name))
		}
	}
	return out
}

type cveList struct {
	base
	Rows     []cvePage
	NoErrata int
	Pager    pager
}
