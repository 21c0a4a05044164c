package site

import (
	"slices"
	"strings"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/render"
)

// deviations lists what differs from the plan in sentences.
func deviations(p *pair, v *runView) []string {
	var out []string
	if p.SelectionsDiffer() {
		out = append(out, "The snapshots were taken of different selections of hosts: before "+selected(p.Before.Snapshot.Selection)+", after "+selected(p.After.Snapshot.Selection)+".")
	}
	w := v.Plan.Window
	for _, s := range v.Stages {
		if s.Stage != katprep.StagePrepare && s.Stage != katprep.StageExecute {
			continue
		}
		if !w.Start.IsZero() && s.From.Before(w.Start) {
			out = append(out, "The stage “"+string(s.Stage)+"” began on "+render.Time(s.From)+", before the window opened on "+render.Time(w.Start)+".")
		}
		if !w.End.IsZero() && s.To.After(w.End) {
			out = append(out, "The stage “"+string(s.Stage)+"” ended on "+render.Time(s.To)+", after the window closed on "+render.Time(w.End)+".")
		}
	}
	if n := len(v.untouched); !v.Began.IsZero() && n > 0 {
		out = append(out, itoa(n)+" of the "+itoa(v.Hosts)+" hosts of the plan were not touched: "+list(v.untouched)+".")
	}
	if failed := failedHosts(v.Failures); len(failed) > 0 {
		out = append(out, "Steps failed or are not confirmed on "+plural(len(failed), "host", "hosts")+": "+list(failed)+".")
	}
	if p.totals.Unplanned > 0 {
		out = append(out, itoa(p.totals.Unplanned)+" package changes on hosts of the plan were not asked for by it.")
	}
	if p.Run.Valid() {
		out = append(out, afterwards(worked(v.Record), p.After)...)
	}
	switch v.Approval.State {
	case approvalEarly:
		out = append(out, "The approval is older than its plan.")
	case approvalLate:
		if v.Began.IsZero() {
			out = append(out, "No approval was in force before the first stage.")
		} else {
			out = append(out, "No approval was in force when the work began on "+render.Time(v.Began)+v.Approval.datedBack()+".")
		}
	case approvalRejected:
		out = append(out, "The run was not approved: "+render.Line(v.Approval.Verdict)+".")
	case approvalNone:
		if !v.Began.IsZero() {
			out = append(out, "The run began without a recorded approval.")
		}
	}
	return out
}

// untouched names the hosts of the plan on which nothing was begun. A host
// without steps, or whose steps were all skipped, had nothing to do.
func untouched(plan *katprep.Plan, journal []katprep.Entry, touched map[katprep.HostID]bool) []string {
	skipped := map[katprep.HostID]map[string]bool{}
	for _, e := range journal {
		if e.Event == katprep.EventSkipped && e.Step != "" {
			if skipped[e.HostID] == nil {
				skipped[e.HostID] = map[string]bool{}
			}
			skipped[e.HostID][e.Step] = true
		}
	}
	var out []string
	for i := range plan.Hosts {
		h := &plan.Hosts[i]
		left := slices.ContainsFunc(h.Steps, func(s katprep.PlannedStep) bool { return !skipped[h.HostID][s.ID] })
		if left && !touched[h.HostID] {
			out = append(out, h.Name)
		}
	}
	return out
}

// failedHosts names the hosts of failures, each once.
func failedHosts(fs []failure) []string {
	var out []string
	for _, f := range fs {
		if f.Host != "" && !slices.Contains(out, f.Host) {
			out = append(out, f.Host)
		}
	}
	slices.Sort(out)
	return out
}

// list writes names, the first twenty of them.
func list(names []string) string {
	const most = 20
	var out []string
	for _, n := range names[:min(len(names), most)] {
		out = append(out, render.Line(n))
	}
	if len(names) > most {
		out = append(out, "and "+itoa(len(names)-most)+" more")
	}
	return strings.Join(out, ", ")
}
