package site_test

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/html"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/site"
	"github.com/stdevel/katprep/site/sitetest"
)

const runPage = "maintenances/2026-11-prod-a/index.html"

// chained is the sample with its commits, in the order given.
func chained(m *sitetest.Memory, order ...site.Link) *sitetest.Chained {
	for i := range order {
		if order[i].Commit == "" {
			order[i].Commit = commit(100 + i)
		}
		if order[i].Signature.State == "" {
			order[i].Signature = site.Signature{State: site.SignatureGood, By: "ann@example.com", Key: "SHA256:abc"}
		}
	}
	return &sitetest.Chained{Memory: m, Commits: order, Tags: map[string]site.Signature{}}
}

func snapshotLink(n int) site.Link {
	return site.Link{Commit: commit(n), Kind: "snapshot", Subject: "snapshot", At: at(9+n, 6)}
}

func approvalLink(d *katprep.Decision, written time.Time) site.Link {
	return site.Link{Kind: "decision", Run: "2026-11-prod-a", At: written, By: "carol", Subject: "run approved", Approval: d}
}

func stageLink(stage katprep.Stage, written time.Time) site.Link {
	return site.Link{Kind: "journal", Run: "2026-11-prod-a", Stage: stage, At: written, By: "bob", Subject: string(stage)}
}

// TestApprovalByOrderOfCommits: what a decision says of its own time does not
// count against the commits.
func TestApprovalByOrderOfCommits(t *testing.T) {
	prepare := stageLink(katprep.StagePrepare, at(11, 21))
	before := &katprep.Decision{By: "carol", At: at(11, 12), Verdict: "approved", Comment: "as discussed"}
	early := &katprep.Decision{By: "carol", At: at(1, 12), Verdict: "approved"}
	plan := site.Link{Kind: "plan", Run: "2026-11-prod-a", At: at(11, 11)}
	later := &katprep.Decision{By: "carol", At: at(12, 12), Verdict: "approved"}
	no := &katprep.Decision{By: "carol", At: at(11, 13), Verdict: "rejected"}
	for name, c := range map[string]struct {
		last  *katprep.Decision
		links []site.Link
		want  []string
		not   []string
	}{
		"before":              {before, []site.Link{approvalLink(before, at(11, 12)), prepare}, []string{"approved before the start", "Recorded 2026-11-11 12:00:00 UTC"}, []string{"after the start", "its commit was written"}},
		"backdated":           {before, []site.Link{prepare, approvalLink(before, at(12, 9))}, []string{"approved after the start", "It says 2026-11-11 12:00:00 UTC, before the first step on 2026-11-11 20:00:00 UTC; but it was recorded on 2026-11-12 09:00:00 UTC", "No approval was in force"}, []string{"approved before the start"}},
		"while stage ran":     {before, []site.Link{approvalLink(before, at(11, 20).Add(time.Minute)), prepare}, []string{"approved after the start", "after the start"}, []string{"approved before the start"}},
		"clock of the commit": {before, []site.Link{prepare, approvalLink(before, at(11, 12))}, []string{"approved after the start"}, []string{"approved before the start"}},
		"one journal":         {before, []site.Link{stageLink(katprep.StageCleanup, at(11, 23)), approvalLink(before, at(11, 12))}, []string{"approved after the start (by the order of commits; it is dated earlier)", "a clock was wrong, or it was dated back", "No approval was in force when the work began on 2026-11-11 20:00 UTC: one was recorded after the start, by the order of commits, and is dated earlier"}, []string{"approved before the start"}},
		"dated before plan":   {early, []site.Link{plan, approvalLink(early, at(11, 12)), prepare}, []string{"approved, but before the plan", "It is dated 2026-11-01 12:00:00 UTC, before its plan of", "The approval is older than its plan."}, []string{"approved before the start"}},
		"before plan":         {before, []site.Link{approvalLink(before, at(11, 12)), plan, prepare}, []string{"approved, but before the plan", "It was recorded before the plan was"}, []string{"approved before the start"}},
		"said again":          {later, []site.Link{approvalLink(before, at(11, 12)), prepare, approvalLink(later, at(12, 12))}, []string{"approved before the start", "by carol, 2026-11-11 12:00:00 UTC “as discussed”", "Recorded 2026-11-11 12:00:00 UTC by carol", "Approved again after the start, 2026-11-12 12:00:00 UTC, by carol (commit"}, []string{"approved after the start", "No approval was in force"}},
		"taken back":          {later, []site.Link{approvalLink(before, at(11, 12)), approvalLink(no, at(11, 13)), prepare, approvalLink(later, at(12, 12))}, []string{"approved after the start", "“rejected” by carol"}, []string{"approved before the start"}},
		"no commit":           {before, []site.Link{prepare}, []string{"No commit of its own brought it"}, []string{"approved before the start"}},
	} {
		t.Run(name, func(t *testing.T) {
			m := sample()
			m.Records[0].Approval = c.last
			links := append([]site.Link{snapshotLink(1), snapshotLink(2)}, c.links...)
			page := text(read(t, build(t, chained(m, append(links, snapshotLink(3), snapshotLink(4))...), site.Options{}), runPage))
			for _, w := range c.want {
				if !strings.Contains(page, w) {
					t.Errorf("lacks %q", w)
				}
			}
			for _, w := range c.not {
				if strings.Contains(page, w) {
					t.Errorf("says %q", w)
				}
			}
		})
	}
}

// TestSignOffIsOfAResult: a sign-off from before the result, or that the work
// went on after, accepts nothing.
func TestSignOffIsOfAResult(t *testing.T) {
	d := &katprep.Decision{By: "carol", At: at(12, 9), Verdict: "accepted", Claim: &katprep.Claim{After: commit(3), Totals: katprep.Totals{Hosts: 5, Errata: map[katprep.Ending]int{katprep.Installed: 2}}}}
	off := site.Link{Kind: "decision", Run: "2026-11-prod-a", At: at(12, 9), By: "carol", SignOff: d}
	for name, c := range map[string]struct {
		links []site.Link
		want  string
	}{
		"after":              {[]site.Link{stageLink(katprep.StageExecute, at(11, 22)), snapshotLink(3), off}, "✓accepted by carol"},
		"before":             {[]site.Link{off, snapshotLink(3)}, "It was recorded before the after-snapshot was."},
		"work went on":       {[]site.Link{snapshotLink(3), off, stageLink(katprep.StageExecute, at(12, 10))}, "The work went on after it"},
		"cleanup is no work": {[]site.Link{snapshotLink(3), off, stageLink(katprep.StageCleanup, at(12, 10))}, "✓accepted by carol"},
	} {
		t.Run(name, func(t *testing.T) {
			m := sample()
			own := *d // the record is decoded apart from the commit
			claim := *d.Claim
			own.Claim = &claim
			m.Records[0].SignOff = &own
			page := text(read(t, build(t, chained(m, append([]site.Link{snapshotLink(1), snapshotLink(2)}, c.links...)...), site.Options{}), runPage))
			if !strings.Contains(page, c.want) {
				t.Errorf("lacks %q", c.want)
			}
		})
	}
}

// TestLaterExceptionsExcuseNothing: what was decided after a maintenance, or
// had expired by then, is told with its time.
func TestLaterExceptionsExcuseNothing(t *testing.T) {
	m := sample()
	list := slices.Clone(m.Policy)
	rule := site.Link{Kind: "policy", At: at(12, 8), Exceptions: list, HasPolicy: true, Subject: "exceptions: 2"}
	late := chained(m, snapshotLink(1), snapshotLink(2), snapshotLink(3), rule, snapshotLink(4))
	page := text(read(t, build(t, late, site.Options{Policy: rules}), runPage))
	if !strings.Contains(page, "until 2026-12-31 recorded on 2026-11-12 08:00 UTC, after this maintenance") {
		t.Error("an exception that came later excuses the past")
	}
	early := chained(sample(), snapshotLink(1), snapshotLink(2), rule, snapshotLink(3), snapshotLink(4))
	if page := text(read(t, build(t, early, site.Options{Policy: rules}), runPage)); strings.Contains(page, "after this maintenance") || !strings.Contains(page, "EX-1") {
		t.Error("an exception of before the maintenance is not told")
	}
	back := site.Link{Kind: "policy", At: at(12, 8), HasPolicy: true, Subject: "exceptions: 0"}
	m = sample()
	m.Policy = nil
	gone := chained(m, snapshotLink(1), snapshotLink(2), rule, snapshotLink(3), back, snapshotLink(4))
	if page := text(read(t, build(t, gone, site.Options{Policy: rules}), runPage)); !strings.Contains(page, "EX-1") {
		t.Error("an exception that held then, and was taken back since, is not told")
	}
}

// TestSignaturesAreNeverSilent: every page that names a commit says who signed
// it, or that nobody checked.
func TestSignaturesAreNeverSilent(t *testing.T) {
	links := []site.Link{snapshotLink(1), snapshotLink(2), snapshotLink(3), snapshotLink(4)}
	links[0].Signature = site.Signature{State: site.SignatureMissing}
	links[2].Signature = site.Signature{State: site.SignatureMissing}
	links[3].Signature = site.Signature{State: site.SignatureUnchecked}
	src := chained(sample(), links...)
	src.Tags["run/2026-11-prod-a/before"] = site.Signature{State: site.SignatureBad, Problem: "bad signature"}
	src.Check = &site.Verification{At: at(12, 1), By: "dora", Tip: commit(2), Commits: 2, Signed: 1, Unsigned: 1, Broken: []string{"hosts/x: gone"}}
	out := build(t, src, site.Options{})
	page := text(read(t, out, "evidence.html"))
	for _, w := range []string{"–not signed", "by ann@example.com, key SHA256:abc", "not signed, though earlier commits are", "the archive holds no allowed_signers", "✗not valid bad signature", "did not hold when it was verified on 2026-11-12 01:00:00 UTC by dora", "hosts/x: gone", "2 commits came since"} {
		if !strings.Contains(page, w) {
			t.Errorf("evidence lacks %q", w)
		}
	}
	page = text(read(t, out, runPage))
	for _, w := range []string{"Commit ✓signed by ann@example.com, key SHA256:abc; tag run/2026-11-prod-a/before ✗not valid bad signature", "Commit ✗not valid not signed, though earlier commits are"} {
		if !strings.Contains(page, w) {
			t.Errorf("the maintenance lacks %q", w)
		}
	}
	for _, p := range glob(t, out, "hosts/web01*.html") {
		if !strings.Contains(text(read(t, out, p)), "signature not checked: the archive holds no allowed_signers") {
			t.Errorf("%s says nothing of the signature", p)
		}
	}
	for _, p := range glob(t, out, "maintenances/2026-11-prod-a/hosts/*.html") {
		if !strings.Contains(text(read(t, out, p)), "signed by ann@example.com, key SHA256:abc") {
			t.Errorf("%s says nothing of the signature", p)
		}
	}
	if page := text(read(t, build(t, sample(), site.Options{}), "evidence.html")); !strings.Contains(page, "Signatures are not checked") {
		t.Error("a source without commits is silent about signatures")
	}
}

// text is what a reader sees of a page, on one line.
func text(page string) string {
	var b strings.Builder
	z := html.NewTokenizer(strings.NewReader(page))
	for {
		switch z.Next() {
		case html.ErrorToken:
			return strings.Join(strings.Fields(b.String()), " ")
		case html.TextToken:
			b.Write(z.Text())
		case html.StartTagToken:
			if name, _ := z.TagName(); string(name) == "td" || string(name) == "th" || string(name) == "p" || string(name) == "span" && strings.Contains(string(z.Raw()), `"sub`) {
				b.WriteString(" ")
			}
		}
	}
}

func glob(t *testing.T, dir, pattern string) []string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(dir, filepath.FromSlash(pattern)))
	if err != nil || len(found) == 0 {
		t.Fatalf("no page is called %s: %v", pattern, err)
	}
	for i := range found {
		found[i], _ = filepath.Rel(dir, found[i])
	}
	return found
}

// TestRemarks: reports of a run say the same of its decisions as the site.
func TestRemarks(t *testing.T) {
	m := sample()
	rec := &m.Records[0]
	after := &m.Refs[2]
	good := chained(m, snapshotLink(1), snapshotLink(2), approvalLink(rec.Approval, at(11, 12)), stageLink(katprep.StagePrepare, at(11, 21)), snapshotLink(3))
	if got, _, err := site.Remarks(t.Context(), good, rec, after); err != nil || len(got) != 0 {
		t.Errorf("%q, %v", got, err)
	}
	late := chained(m, snapshotLink(1), snapshotLink(2), stageLink(katprep.StagePrepare, at(11, 21)), approvalLink(rec.Approval, at(12, 9)), snapshotLink(3))
	got, _, err := site.Remarks(t.Context(), late, rec, after)
	if err != nil || len(got) < 2 || got[0] != "No approval was in force before the start." || !strings.Contains(got[len(got)-1], "but it was recorded on 2026-11-12 09:00:00 UTC") {
		t.Errorf("%q, %v", got, err)
	}
}

// TestIncrementalByCommits: what only the chain of commits tells is told anew
// by a build on top of an earlier one.
func TestIncrementalByCommits(t *testing.T) {
	m := sample()
	list := slices.Clone(m.Policy)
	m.Policy = nil
	m.Records[0].SignOff = nil
	off := &katprep.Decision{By: "carol", At: at(12, 9), Verdict: "accepted"}
	links := []site.Link{snapshotLink(1), snapshotLink(2), approvalLink(m.Records[0].Approval, at(11, 12)), stageLink(katprep.StagePrepare, at(11, 21)), snapshotLink(3), snapshotLink(4)}
	src := chained(m, links...)
	out := build(t, src, site.Options{Policy: rules})
	more := func(l site.Link) { src.Commits = append(src.Commits, l); chained(m, src.Commits...) }
	for name, change := range map[string]func(){
		"1 signed off": func() {
			m.Records[0].SignOff = off
			more(site.Link{Kind: "decision", Run: "2026-11-prod-a", At: at(12, 9), SignOff: off})
		},
		"2 exceptions": func() {
			m.Policy = list
			more(site.Link{Kind: "policy", At: at(13, 21), Exceptions: list, HasPolicy: true})
		},
		"3 tag signed": func() {
			src.Tags["run/2026-11-prod-a/after"] = site.Signature{State: site.SignatureGood, By: "x", Key: "y"}
		},
		"4 key revealed": func() {
			src.Commits[2].Signature = site.Signature{State: site.SignatureBad, Problem: "of a key that is gone"}
		},
		"5 verified":     func() { src.Check = &site.Verification{By: "dora", At: at(14, 1), Tip: commit(3)} },
		"6 work went on": func() { more(stageLink(katprep.StageExecute, at(14, 2))) },
	} {
		change()
		if _, err := site.Build(t.Context(), src, out, site.Options{Policy: rules}); err != nil {
			t.Fatal(err)
		}
		full := build(t, src, site.Options{Policy: rules, Full: true})
		if d := cmp.Diff(tree(t, full), tree(t, out)); d != "" {
			t.Errorf("%s: %s", name, d)
		}
	}
}

// TestWorkAfterTheEnd: what was done after the after-snapshot is in none.
func TestWorkAfterTheEnd(t *testing.T) {
	const want = "The work went on after the after-snapshot (until 2026-11-20 01:00:00 UTC): its effect is in no snapshot of this run."
	m := sample()
	if page := text(read(t, build(t, m, site.Options{}), runPage)); strings.Contains(page, "The work went on") {
		t.Error("work that ended in time is called late")
	}
	m = sample()
	more := m.Records[0].Journal[0]
	more.Seq, more.At, more.Stage, more.Event = 1000, at(20, 1), katprep.StageExecute, katprep.EventDone
	m.Records[0].Journal = append(m.Records[0].Journal, more)
	if page := text(read(t, build(t, m, site.Options{}), runPage)); !strings.Contains(page, want) {
		t.Error("work after the after-snapshot is not told")
	}
	got, _, err := site.Remarks(t.Context(), chained(m, snapshotLink(1), snapshotLink(2), snapshotLink(3)), &m.Records[0], &m.Refs[2])
	if err != nil || !slices.Contains(got, want) {
		t.Errorf("%q, %v", got, err)
	}
}

// TestPlannedIsNotGoverned: a run that did nothing is neither good nor bad.
func TestPlannedIsNotGoverned(t *testing.T) {
	m := sample()
	idle := m.Records[0]
	idle.Plan.Run, idle.Journal, idle.Approval, idle.SignOff = "2026-11-idle", nil, nil, nil
	was := text(read(t, build(t, sample(), site.Options{}), "index.html"))
	m.Records = append(m.Records, idle)
	page := text(read(t, build(t, m, site.Options{}), "index.html"))
	if !strings.Contains(was, "1 of 1 maintenance approved") || !strings.Contains(was, "1 planned, not begun.") || !strings.Contains(page, "1 of 1 maintenance approved") || !strings.Contains(page, "2 planned, not begun.") {
		_, is, _ := strings.Cut(page, "Governed?")
		t.Error(is[:min(len(is), 200)])
	}
}

// TestInTheNameOf: who is named as the author need not be who recorded it.
func TestInTheNameOf(t *testing.T) {
	m := sample()
	l := approvalLink(m.Records[0].Approval, at(11, 12))
	l.By, l.RecordedBy = "Big Boss", "root"
	src := chained(m, snapshotLink(1), snapshotLink(2), l, stageLink(katprep.StagePrepare, at(11, 21)), snapshotLink(3), snapshotLink(4))
	if page := text(read(t, build(t, src, site.Options{}), runPage)); !strings.Contains(page, "Recorded 2026-11-11 12:00:00 UTC in the name of Big Boss, by root in commit") {
		t.Error("the page names only the one who was named")
	}
	against, got, err := site.Remarks(t.Context(), src, &m.Records[0], &m.Refs[2])
	if err != nil || len(against) != 0 || len(got) == 0 || !strings.Contains(got[0], "The approval was recorded in the name of Big Boss, by root (commit ") {
		t.Errorf("%q, %v", got, err)
	}
}
