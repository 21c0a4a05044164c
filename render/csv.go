package render

import (
	"encoding/csv"
	"io"
	"strings"

	"github.com/stdevel/katprep"
)

// csvHeader names the columns: one row for each erratum, update and package
// change of a host, and one for the host itself.
var csvHeader = [...]string{"host", "source", "source_id", "presence", "what", "name", "type", "severity", "issued", "status", "before", "after", "cves", "title", "reason"}

type csvRow = [len(csvHeader)]string

func writeCSV(w io.Writer, d *Data) error {
	out := csv.NewWriter(w)
	put := func(r csvRow) error {
		for i := range r {
			r[i] = cell(r[i])
		}
		return out.Write(r[:])
	}
	if err := out.Write(csvHeader[:]); err != nil {
		return err
	}
	hosts := []*katprep.HostChange{d.Host}
	if d.Host == nil {
		hosts = append(d.UnknownHosts(), d.KnownHosts()...)
	}
	for _, h := range hosts {
		for _, r := range csvRows(h) {
			if err := put(r); err != nil {
				return err
			}
		}
	}
	out.Flush()
	return out.Error()
}

func csvRows(h *katprep.HostChange) []csvRow {
	row := func(what, name string) csvRow {
		return csvRow{h.Name, h.Source, h.ID, string(h.Presence), what, name}
	}
	r := row("host", h.Name)
	r[9], r[10], r[11], r[14] = PresenceWord(h).Text, string(h.Before), string(h.After), hostReason(h)
	rows := []csvRow{r}
	for _, e := range h.Errata {
		r := row("erratum", e.ID)
		r[6], r[7], r[8], r[9] = string(e.Type), string(e.Severity), string(e.Issued), string(e.Ending)
		r[10], r[11] = proofs(e.Proof)
		r[12], r[13], r[14] = strings.Join(e.CVEs, " "), e.Title, e.Reason
		rows = append(rows, r)
	}
	for _, u := range h.Updates {
		r := row("update", u.Name)
		r[9], r[10], r[11], r[12] = string(u.Ending), string(u.From), string(u.After), strings.Join(u.CVEs, " ")
		r[14] = "offered: " + string(u.To)
		rows = append(rows, r)
	}
	for _, p := range h.Packages {
		r := row("package", p.String())
		r[9], r[10], r[11] = string(p.Kind), evrs(p.Before), evrs(p.After)
		r[14] = strings.Join(p.Errata, " ")
		rows = append(rows, r)
	}
	return rows
}

func proofs(ps []katprep.Proof) (before, after string) {
	var b, a []string
	for _, p := range ps {
		b = append(b, p.Package.String()+" "+string(p.Before))
		a = append(a, p.Package.String()+" "+string(p.After))
	}
	return strings.Join(b, ", "), strings.Join(a, ", ")
}

func problems(ps []katprep.Problem) string {
	var out []string
	for _, p := range ps {
		s := p.Message
		if p.Aspect != "" {
			s = string(p.Aspect) + ": " + s
		}
		out = append(out, s)
	}
	return strings.Join(out, "; ")
}

func evrs(vs []katprep.EVR) string {
	s := make([]string, len(vs))
	for i, v := range vs {
		s[i] = string(v)
	}
	return strings.Join(s, ", ")
}

// CSVCell guards a field of CSV against being read as a formula by
// spreadsheets, and cleans it.
func CSVCell(s string) string { return cell(s) }

// hostReason says what a host lacks, why, and what of it is not known.
func hostReason(h *katprep.HostChange) string {
	var parts []string
	for _, s := range []string{problems(h.Problems), NotKnown(h)} {
		if s != "" {
			parts = append(parts, s)
		}
	}
	return strings.Join(parts, "; ")
}
