package site

import (
	"strings"
	"time"

	"github.com/stdevel/katprep/render"
)

// runTables writes the data behind the tables of a run.
func (b *builder) runTables(p *pair, v *runView) error {
	journal := &table{head: []string{"no", "at", "stage", "host", "step", "kind", "event", "by", "system", "reference", "message"}}
	for i := range p.Record.Journal {
		e := &p.Record.Journal[i]
		journal.add(itoa(e.Seq), e.At.UTC().Format(time.RFC3339), string(e.Stage), e.Host, e.Step, string(e.Kind), string(e.Event), e.By, e.System, e.Ref, e.Message)
	}
	if err := b.save(p.dir+"/journal", journal); err != nil {
		return err
	}
	checklist := &table{head: []string{"host", "wave"}}
	for _, k := range checkKinds {
		name := strings.ReplaceAll(string(k), "-", "_")
		checklist.head = append(checklist.head, name, name+"_at", name+"_reference")
	}
	checklist.head = append(checklist.head, "notes")
	for i := range v.checks {
		r := &v.checks[i]
		cells := []string{r.Name, r.Wave}
		for _, c := range r.Cells {
			at := ""
			if !c.At.IsZero() {
				at = c.At.UTC().Format(time.RFC3339)
			}
			cells = append(cells, c.Word.Text, at, c.Ref)
		}
		checklist.add(append(cells, strings.Join(r.Notes, "; "))...)
	}
	if err := b.save(p.dir+"/checklist", checklist); err != nil {
		return err
	}
	missing := &table{head: []string{"host", "erratum", "severity", "state", "exception", "reason", "approver", "expires", "remark"}}
	for i := range v.Missing {
		m := &v.Missing[i]
		cells := []string{m.Host, m.Erratum, m.Severity.Text, m.Word.Text, "", "", "", "", render.Line(m.Why)}
		if x := m.Exception; x != nil {
			cells[4], cells[5], cells[6], cells[7] = x.ID, x.Reason, x.Approver, string(x.Expires)
		}
		missing.add(cells...)
	}
	return b.save(p.dir+"/not-installed", missing)
}
