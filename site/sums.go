package site

import (
	"strings"
	"time"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/render"
)

// A kindRow sums one kind of step up over the hosts of a plan: fall-back,
// downtime, patches, reboots and checks in one look.
type kindRow struct {
	Kind                                      string
	Hosts, Done, Skipped, Failed, Unsure, Not int // Not: not begun
	Without                                   int // hosts of the plan that have no such step
}

// kindSums sums the checklist up. Fall-back and reboots have a row even if
// the plan has none of them: that is an answer, too.
func kindSums(checks []checkRow) []kindRow {
	var out []kindRow
	for i, kind := range checkKinds {
		r := kindRow{Kind: strings.ReplaceAll(string(kind), "-", " ")}
		for j := range checks {
			switch checks[j].Cells[i].Word.Text {
			case notPlanned:
				r.Without++
				continue
			case "done":
				r.Done++
			case "skipped":
				r.Skipped++
			case "failed":
				r.Failed++
			case "not begun":
				r.Not++
			default:
				r.Unsure++
			}
			r.Hosts++
		}
		if r.Hosts > 0 || kind == katprep.StepVMSnapshot || kind == katprep.StepDowntime || kind == katprep.StepReboot {
			out = append(out, r)
		}
	}
	return out
}

// worked is when the first stage that touches hosts began, and when the last
// one ended; zero if none did.
func (v *runView) worked() (from, to time.Time) {
	for _, s := range v.Stages {
		if s.Stage != katprep.StagePrepare && s.Stage != katprep.StageExecute && s.Stage != katprep.StageVerify {
			continue
		}
		if from.IsZero() || s.From.Before(from) {
			from = s.From
		}
		if s.To.After(to) {
			to = s.To
		}
	}
	return from, to
}

// From is when the work began.
func (v *runView) From() time.Time { from, _ := v.worked(); return from }

// To is when the work ended.
func (v *runView) To() time.Time { _, to := v.worked(); return to }

// Rest is how many hosts of the plan nothing was begun on.
func (v *runView) Rest() int { return max(0, v.Hosts-v.Touched) }

// A severityRow sums the errata of a pair up by severity.
type severityRow struct {
	Word   render.Word
	Errata int
	Counts [len(katprep.Endings)]int
}

// severitySums counts pairs of host and erratum by severity and ending;
// security errata without a rating, and other errata, have rows of their own.
func severitySums(list []*advisory) []severityRow {
	rows := make([]severityRow, 0, len(katprep.Severities)+1)
	at := map[katprep.Severity]int{}
	for i, s := range katprep.Severities {
		rows, at[s] = append(rows, severityRow{Word: render.SeverityWord(s)}), i
	}
	rows[at[katprep.SeverityNone]].Word.Text = "security, not rated"
	rows = append(rows, severityRow{Word: render.Word{Shape: "·", Text: "no security erratum", Class: "none"}})
	for _, a := range list {
		r := &rows[at[known(a.Severity)]]
		if a.Severity == "" && a.Type != katprep.Security {
			r = &rows[len(rows)-1]
		}
		r.Errata++
		for i, n := range a.n {
			r.Counts[i] += n
		}
	}
	var out []severityRow
	for _, r := range rows {
		if r.Errata > 0 {
			out = append(out, r)
		}
	}
	return out
}
