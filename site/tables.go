package site

import (
	"bytes"
	"cmp"
	"context"
	"encoding/csv"
	"encoding/json"
	"encoding/xml"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/stdevel/katprep/render"
)

// A table is the data behind a table of a page: as CSV that spreadsheets may
// open, and as JSON.
type table struct {
	head []string
	rows [][]string
}

func (t *table) add(cells ...string) { t.rows = append(t.rows, cells) }

// save writes the table as path.csv and path.json, now or soon: it must not
// change any more.
func (b *builder) save(path string, t *table) error {
	return cmp.Or(
		b.later(path+".csv", func(buf *bytes.Buffer) error { return t.writeCSV(buf) }),
		b.later(path+".json", func(buf *bytes.Buffer) error { return t.writeJSON(buf) }))
}

func (t *table) writeCSV(w io.Writer) error {
	out := csv.NewWriter(w)
	if err := out.Write(t.head); err != nil {
		return err
	}
	safe := make([]string, len(t.head))
	for _, r := range t.rows {
		safe = safe[:0]
		for _, cell := range r {
			safe = append(safe, render.CSVCell(cell))
		}
		if err := out.Write(safe); err != nil {
			return err
		}
	}
	out.Flush()
	return out.Error()
}

// writeJSON writes a list of objects, their names in the order of the head.
func (t *table) writeJSON(w io.Writer) error {
	heads := make([][]byte, len(t.head))
	for i, name := range t.head {
		heads[i] = append(appendJSON(nil, name), ": "...)
	}
	line := []byte("[")
	for i, r := range t.rows {
		if i > 0 {
			line = append(line, ',')
		}
		line = append(line, "\n {"...)
		for j := range t.head {
			if j > 0 {
				line = append(line, ", "...)
			}
			line = appendJSON(append(line, heads[j]...), r[j])
		}
		if _, err := w.Write(append(line, '}')); err != nil {
			return err
		}
		line = line[:0]
	}
	_, err := w.Write(append(line, "\n]\n"...))
	return err
}

// appendJSON writes a text as encoding/json does. Most texts need no escapes.
func appendJSON(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || strings.IndexByte(`"\<>&`, c) >= 0 {
			raw, err := json.Marshal(s)
			if err != nil { // no text is one
				raw = []byte(`""`)
			}
			return append(b, raw...)
		}
	}
	return append(append(append(b, '"'), s...), '"')
}

// pairTables writes the data behind the page of a pair.
func (b *builder) pairTables(p *pair, rows []row, errata []*advisory) error {
	hosts := &table{head: []string{"host", "source", "id", "state", "before", "after", "installed", "reboot_pending", "no_longer_applicable", "pending", "unknown", "new", "packages", "rebooted", "why"}}
	for i := range rows {
		r := &rows[i]
		cells := []string{r.summary.Host.Name, r.summary.Host.Source, r.summary.Host.ID, r.word().Text, string(r.Before), string(r.After)}
		for _, n := range r.counts() {
			cell := itoa(int(n))
			if n == 0 && r.is(flagNoErrata) {
				cell = "" // nobody knows that there is none
			}
			cells = append(cells, cell)
		}
		packages := itoa(r.Packages)
		if !r.packagesKnown() {
			packages = "" // not known is no number
		}
		hosts.add(append(cells, packages, string(r.Rebooted), strings.Join(r.Problems, "; "))...)
	}
	adv := &table{head: []string{"erratum", "type", "severity", "issued", "title", "cves", "installed", "reboot_pending", "no_longer_applicable", "pending", "unknown", "new"}}
	for _, a := range errata {
		cells := []string{a.ID, string(a.Type), string(a.Severity), string(a.Issued), a.Title, strings.Join(a.CVEs, " ")}
		for _, n := range a.n {
			cells = append(cells, itoa(n))
		}
		adv.add(cells...)
	}
	if err := b.save(p.dir+"/hosts", hosts); err != nil {
		return err
	}
	return b.save(p.dir+"/errata", adv)
}

// tables writes the data behind the lists.
func (b *builder) tables(context.Context) error {
	hosts := &table{head: []string{"host", "source", "id", "status", "installable_errata", "package_updates", "reboot_needed", "host_group", "criticality", "comparisons"}}
	for _, h := range b.sortedHosts() {
		status, open, updates := string(h.status), itoa(int(h.open)), itoa(int(h.updates))
		if !h.latest {
			status = "not there"
		}
		if !h.errataKnown {
			open = "" // not known is no number
		}
		if !h.updatesKnown {
			updates = ""
		}
		hosts.add(h.Name, h.Source, h.ID, status, open, updates, string(h.need), h.group, h.crit, itoa(len(h.events)))
	}
	errata := &table{head: []string{"erratum", "type", "severity", "issued", "title", "cves", "open", "overdue", "dealt_with", "unknown", "errata_not_known_on_hosts"}}
	noErrata := itoa(len(b.noErrata()))
	for _, e := range b.sortedErrata() {
		errata.add(e.ID, string(e.Type), string(e.Severity), string(e.Issued), e.Title, strings.Join(e.CVEs, " "), itoa(e.Open), itoa(e.Overdue), itoa(e.Closed), itoa(e.Unknown), noErrata)
	}
	overdue := &table{head: []string{"host", "erratum", "severity", "issued", "due", "days_over", "exception"}}
	for _, f := range b.gov.overdue {
		overdue.add(f.Host.Name, f.Erratum.ID, string(f.Erratum.Severity), string(f.Erratum.Issued), f.Deadline.due, itoa(f.Days), f.Deadline.exception)
	}
	pairs := &table{head: []string{"name", "run", "outcome", "before", "after", "finished", "hosts", "unknown", "changed", "unchanged", "added", "removed"}}
	for _, p := range slices.Backward(b.m.pairs) {
		if p.complete() {
			t := p.totals
			pairs.add(p.title(), string(p.Run), p.Outcome().Text, string(p.Before.Commit), string(p.After.Commit), p.After.Snapshot.Finished.UTC().Format(time.RFC3339), itoa(t.Hosts), itoa(t.Unknown), itoa(t.Changed), itoa(t.Unchanged), itoa(t.Added), itoa(t.Removed))
		}
	}
	for _, d := range []struct {
		name string
		t    *table
	}{{"hosts", hosts}, {"errata", errata}, {"overdue", overdue}, {"comparisons", pairs}} {
		if err := b.save("data/"+d.name, d.t); err != nil {
			return err
		}
	}
	return nil
}

// An atomFeed is RFC 4287.
type atomFeed struct {
	XMLName xml.Name    `xml:"http://www.w3.org/2005/Atom feed"`
	ID      string      `xml:"id"`
	Title   string      `xml:"title"`
	Updated string      `xml:"updated"`
	Author  string      `xml:"author>name"`
	Entries []atomEntry `xml:"entry"`
}

type atomEntry struct {
	ID      string   `xml:"id"`
	Title   string   `xml:"title"`
	Updated string   `xml:"updated"`
	Link    atomLink `xml:"link"`
	Summary string   `xml:"summary"`
}

type atomLink struct {
	Href string `xml:"href,attr"`
}

// feed writes the newest comparisons. Links are relative to the feed; IDs are
// made of commits and stay what they are wherever the site moves.
func (b *builder) feed(context.Context) error {
	f := atomFeed{ID: "urn:katprep:site", Title: render.Line(b.o.Title), Author: "katprep", Updated: "1970-01-01T00:00:00Z"}
	for _, p := range slices.Backward(b.m.pairs) {
		if !p.complete() || p.asked || len(f.Entries) == 50 {
			continue
		}
		at := p.After.Snapshot.Finished.UTC().Format(time.RFC3339)
		if len(f.Entries) == 0 {
			f.ID, f.Updated = "urn:katprep:first:"+string(b.m.snapshots[0].Commit), at
		}
		t := p.totals
		sum := p.Outcome().Text + ": " + itoa(t.Unknown) + " unknown, " + itoa(t.Changed) + " changed, " + itoa(t.Unchanged) + " unchanged of " + itoa(t.Hosts) + " hosts"
		f.Entries = append(f.Entries, atomEntry{"urn:katprep:" + string(p.Before.Commit) + ":" + string(p.After.Commit), p.title(), at, atomLink{p.dir + "/index.html"}, sum})
	}
	return b.file("feed.atom", func(w io.Writer) error {
		if _, err := io.WriteString(w, xml.Header); err != nil {
			return err
		}
		e := xml.NewEncoder(w)
		e.Indent("", " ")
		return e.Encode(f)
	})
}
