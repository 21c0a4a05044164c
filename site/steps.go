package site

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/render"
)

// A hostStep is how a step of a run ended on a host: the answer to "by whom,
// and who says so".
type hostStep struct {
	Step, By, System, Ref, Message string
	Stage                          katprep.Stage
	Word                           render.Word
	At                             time.Time
	Href                           string // its line in the journal
}

// stepsOf lists the steps of a journal by host, each as it ended.
func (b *builder) stepsOf(p *pair) map[katprep.HostID][]hostStep {
	out := map[katprep.HostID][]hostStep{}
	if p.Record == nil {
		return out
	}
	type key struct {
		host katprep.HostID
		step string
	}
	at, by := map[key]int{}, map[key]string{}
	for i := range p.Record.Journal {
		e := &p.Record.Journal[i]
		if e.Step == "" || e.Host == "" || e.Event == katprep.EventNote {
			continue
		}
		k := key{e.HostID, e.Step}
		if by[k] = cmp.Or(e.By, by[k]); by[k] == "" {
			by[k] = p.executors()
		}
		s := hostStep{Step: e.Step, By: by[k], System: e.System, Ref: e.Ref, Message: e.Message, Stage: e.Stage, At: e.At, Word: cellOf(*e, katprep.PlannedStep{}).Word, Href: p.dir + "/" + b.pageOf("journal.html", i) + "#e" + itoa(e.Seq)}
		if j, ok := at[k]; ok {
			out[e.HostID][j] = s
		} else {
			at[k] = len(out[e.HostID])
			out[e.HostID] = append(out[e.HostID], s)
		}
	}
	return out
}

// pageOf names the page of a long table that has the row.
func (b *builder) pageOf(first string, row int) string {
	if n := row / b.o.Rows; n > 0 {
		return strings.TrimSuffix(first, ".html") + "~" + itoa(n+1) + ".html"
	}
	return first
}

// executors names who ran the stages that touch hosts.
func (p *pair) executors() string {
	if p.by == nil {
		var names []string
		for i := range p.Record.Journal {
			e := &p.Record.Journal[i]
			if e.By != "" && (e.Stage == katprep.StagePrepare || e.Stage == katprep.StageExecute) && !slices.Contains(names, e.By) {
				names = append(names, e.By)
			}
		}
		s := strings.Join(names, ", ")
		p.by = &s
	}
	return *p.by
}

// By names who ran the stages that touch hosts, or is empty.
func (p *pair) By() string {
	if p.Record == nil {
		return ""
	}
	return p.executors()
}

// journalState stands for a journal in keys: it only grows.
func (p *pair) journalState() string {
	if p.Record == nil || len(p.Record.Journal) == 0 {
		return ""
	}
	last := &p.Record.Journal[len(p.Record.Journal)-1]
	return itoa(len(p.Record.Journal)) + " " + itoa(last.Seq) + " " + last.At.UTC().Format(time.RFC3339Nano)
}
