package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/internal/archive"
)

// claim is what katprep tells of a run now: what a sign-off is about. A run
// without its two snapshots has none.
func (a *app) claim(run katprep.RunID) (*katprep.Claim, error) {
	r, err := a.compare(pairFlags{Run: string(run), Force: true}, false)
	if katprep.KindOf(err) == katprep.NotFound && err != nil {
		a.term.Warn("what was done is not known, for the run lacks a snapshot: %v", err)
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return &katprep.Claim{Before: r.Before.Commit, After: r.After.Commit, Totals: r.Totals, Version: version()}, nil
}

// verifyClaims computes what was signed off again. What is older than since
// is taken as verified.
func (a *app) verifyClaims(arc *archive.Archive, v *archive.Verification, since katprep.CommitID) error {
	runs, err := arc.Runs(a.ctx)
	if err != nil {
		return nil // Verify has found why
	}
	var fresh map[katprep.CommitID]bool
	if since != "" && len(runs) > 0 {
		fresh = map[katprep.CommitID]bool{}
		for c, err := range arc.Log(a.ctx, "") {
			if err != nil || c.ID == since {
				break
			}
			fresh[c.ID] = true
		}
	}
	for _, run := range runs {
		rec, err := arc.Run(a.ctx, run)
		if err != nil || rec.SignOff == nil || rec.SignOff.Claim == nil {
			continue // what cannot be read was found before
		}
		c := rec.SignOff.Claim
		if fresh != nil && !fresh[c.After] {
			continue
		}
		a.verifyClaim(arc, v, archive.RunPath(run)+"/signoff.json", c)
		if err := a.ctx.Err(); err != nil {
			return err
		}
	}
	return nil
}

func (a *app) verifyClaim(arc *archive.Archive, v *archive.Verification, path string, c *katprep.Claim) {
	add := func(warning bool, format string, args ...any) {
		v.Findings = append(v.Findings, archive.Finding{Path: path, Message: fmt.Sprintf(format, args...), Warning: warning})
	}
	if _, err := arc.Snapshot(a.ctx, c.Before); err != nil {
		if v.Cut != nil {
			add(true, "what was signed off cannot be computed here: its snapshots are in %s or before", v.Cut.Bundle)
			return
		}
		add(false, "what was signed off cannot be computed again: %v", err)
		return
	}
	r, err := a.recompute(arc, c.Before, c.After, false)
	if err != nil {
		add(false, "what was signed off cannot be computed again: %v", err)
		return
	}
	if diff := differ(c.Totals, r.Totals); diff != "" {
		// Another version may count otherwise: that is no proof of a lie.
		add(c.Version != version(), "what was signed off is not what the archive gives: %s%s", diff, otherVersion(c.Version))
	}
}

func otherVersion(v string) string {
	if v == version() {
		return ""
	}
	return fmt.Sprintf(" (by katprep %s; this is %s)", v, version())
}

func (a *app) recompute(arc *archive.Archive, before, after katprep.CommitID, whole bool) (*katprep.Report, error) {
	var refs [2]katprep.SnapshotRef
	for i, c := range []katprep.CommitID{before, after} {
		s, err := arc.Snapshot(a.ctx, c)
		if err != nil {
			return nil, err
		}
		refs[i] = katprep.SnapshotRef{Commit: c, Snapshot: s}
	}
	return buildReport(a, arc, refs[0], refs[1], whole, true)
}

// differ names the first number that is another one.
func differ(says, is katprep.Totals) string {
	flat := func(t katprep.Totals) map[string]any {
		out := map[string]any{}
		b, err := json.Marshal(t)
		if err != nil {
			return out
		}
		var doc map[string]any
		if json.Unmarshal(b, &doc) != nil {
			return out
		}
		for k, x := range doc {
			if m, ok := x.(map[string]any); ok {
				for sub, n := range m {
					out[k+"."+sub] = n
				}
				continue
			}
			out[k] = x
		}
		return out
	}
	x, y := flat(says), flat(is)
	for k := range y {
		x[k] = number(x[k])
	}
	for _, k := range slices.Sorted(maps.Keys(x)) {
		if n, m := number(x[k]), number(y[k]); n != m {
			return fmt.Sprintf("it says %s %v, but it is %v", k, n, m)
		}
	}
	return ""
}

// number reads a number; none is 0.
func number(v any) float64 {
	n, _ := v.(float64)
	return n
}

// verifyReport computes a report that was handed over again, from the
// snapshots that it names.
func (a *app) verifyReport(arc *archive.Archive, v *archive.Verification, file string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return katprep.Errorf(katprep.Invalid, "read the report: %w", err)
	}
	var says katprep.Report
	if err := json.Unmarshal(text, &says); err != nil || says.After.Commit == "" {
		return katprep.Errorf(katprep.Invalid, "%s is no report of katprep in JSON", file)
	}
	add := func(format string, args ...any) {
		v.Findings = append(v.Findings, archive.Finding{Path: file, Message: fmt.Sprintf(format, args...) + otherVersion(says.Version), Warning: says.Version != version()})
	}
	is, err := a.recompute(arc, says.Before.Commit, says.After.Commit, len(says.Hosts) >= says.Totals.Hosts-says.Totals.NotSelected)
	if err != nil {
		v.Findings = append(v.Findings, archive.Finding{Path: file, Message: fmt.Sprintf("the report cannot be computed again: %v", err)})
		return nil
	}
	if diff := differ(says.Totals, is.Totals); diff != "" {
		add("the report is not what the archive gives: %s", diff)
	}
	have := map[string]string{}
	for i := range is.Hosts {
		have[is.Hosts[i].HostID.String()] = canonical(&is.Hosts[i])
	}
	for i := range says.Hosts {
		h := &says.Hosts[i]
		id := h.HostID.String()
		if is, ok := have[id]; !ok || is != canonical(h) {
			add("what the report says of %s is not what the archive gives", h.Name)
		}
		delete(have, id)
	}
	if len(have) > 0 {
		add("the report leaves %s out", plural(len(have), "host", "hosts"))
	}
	return nil
}

func canonical(h *katprep.HostChange) string {
	b, err := json.Marshal(h)
	if err != nil {
		return err.Error()
	}
	return string(b)
}
