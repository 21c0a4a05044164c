package site

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/stdevel/katprep/policy"
)

// moreTables writes the data behind the pages that are about all hosts.
func (b *builder) moreTables(context.Context) error {
	for _, d := range []struct {
		name string
		t    *table
	}{{"exceptions", b.exceptionTable()}, {"again", b.againTable()}, {"compliance", b.complianceTable()}, {"commits", b.commitTable()}, {"cves", b.cveTable()}} {
		if err := b.save("data/"+d.name, d.t); err != nil {
			return err
		}
	}
	return nil
}

func (b *builder) exceptionTable() *table {
	t := &table{head: []string{"id", "state", "expires", "open_findings", "hosts", "errata", "packages", "reason", "owner", "approver", "created", "recorded"}}
	for i := range b.exceptions {
		x := &b.exceptions[i]
		state := "holds"
		if len(b.m.snapshots) > 0 && policy.Expired(x, b.now()) {
			state = "expired"
		}
		t.add(x.ID, state, string(x.Expires), itoa(b.gov.covered[x.ID]), strings.Join(x.Hosts, " "), strings.Join(x.Errata, " "), strings.Join(x.Packages, " "), x.Reason, x.Owner, x.Approver, stamp(x.Created), stamp(b.recorded(x)))
	}
	return t
}

func (b *builder) againTable() *table {
	t := &table{head: []string{"host", "erratum", "severity", "issued", "due"}}
	for _, f := range b.gov.again {
		t.add(f.Host.Name, f.Erratum.ID, string(f.Erratum.Severity), string(f.Erratum.Issued), f.Deadline.due)
	}
	return t
}

// complianceTable has the matrix, the groups and the months in one table:
// "by" says which.
func (b *builder) complianceTable() *table {
	t := &table{head: []string{"by", "name", "criticality", "in_time", "n", "overdue", "due", "under_exception", "no_deadline", "installations", "mean_days", "median_days", "p90_days"}}
	number := func(s string) string { // "57 %", "6 d", or a dash
		n, _, _ := strings.Cut(s, "\u00a0")
		return strings.TrimPrefix(n, "–")
	}
	add := func(by, name, crit string, c cell) {
		t.add(by, name, crit, number(c.Share), itoa(c.N), itoa(c.Overdue), itoa(c.Waiting), itoa(c.Excepted), itoa(c.NoDeadline), itoa(c.Installed), number(c.Mean), number(c.Median), number(c.P90))
	}
	add("all", "", "", newCell(&b.gov.all))
	m := b.gov.matrix()
	for _, r := range m.Rows {
		for j := range r.Cells {
			add("severity", r.Word.Text, m.Columns[j], r.Cells[j])
		}
	}
	for _, g := range rowsOf(b.gov.groups, "") {
		add("host group", g.Name, "", g.cell)
	}
	for _, g := range rowsOf(b.gov.months, "") {
		add("month", g.Name, "", g.cell)
	}
	return t
}

func (b *builder) commitTable() *table {
	t := &table{head: []string{"no", "commit", "written", "kind", "run", "stage", "by", "what", "signature", "signed_by", "key", "problem", "tag", "tag_signature"}}
	for _, r := range b.evidenceRows() {
		tag := ""
		if r.Tag != "" {
			tag = r.TagSig.Word().Text
		}
		t.add(itoa(r.No), string(r.Commit), stamp(r.At), r.Kind, string(r.Run), string(r.Stage), r.By, r.What, r.Signature.Word().Text, r.Signature.By, r.Signature.Key, r.Signature.Problem, r.Tag, tag)
	}
	return t
}

func (b *builder) cveTable() *table {
	t := &table{head: []string{"cve", "erratum", "severity", "issued", "open", "overdue", "dealt_with", "unknown", "errata_not_known_on_hosts"}}
	by, noErrata := map[string][]string{}, itoa(len(b.noErrata()))
	for _, id := range sortedKeys(b.m.errata) {
		for _, c := range b.m.errata[id].CVEs {
			by[c] = append(by[c], id)
		}
	}
	for _, c := range sortedKeys(by) {
		for _, id := range slices.Compact(by[c]) {
			e, s := b.m.errata[id], b.m.erratumSums[id]
			t.add(c, id, string(e.Severity), string(e.Issued), itoa(s.Open), itoa(s.Overdue), itoa(s.Closed), itoa(s.Unknown), noErrata)
		}
	}
	return t
}

// erratumTable is the data behind the page of an erratum.
func erratumTable(rows []erratumRow) *table {
	t := &table{head: []string{"host", "source", "id", "state", "known", "proven_at", "proven_by", "commit", "standing", "due", "exception", "remark"}}
	for i := range rows {
		r := &rows[i]
		at, by, commit := "", "", ""
		if r.Pair != nil {
			at, by, commit = stamp(r.Pair.After.Snapshot.Finished), r.Pair.title(), string(r.Pair.After.Commit)
		}
		t.add(r.Host.Name, r.Host.Source, r.Host.ID, r.Word.Text, r.Known, at, by, commit, string(r.Deadline.standing), r.Deadline.due, r.Deadline.exception, r.Deadline.remark())
	}
	return t
}

func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}
