package archive

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stdevel/katprep"
)

// TestVerifyClaims: what plans and decisions say of themselves is held against
// the commits that bring them.
func TestVerifyClaims(t *testing.T) {
	for _, c := range []struct {
		name, want string
		broken     bool
		do         func(t *testing.T, a *Archive, d katprep.Decision) error
	}{
		{"good", "", false, func(t *testing.T, a *Archive, d katprep.Decision) error {
			_, err := a.PutApproval(t.Context(), d)
			return err
		}},
		{"backdated approval", "approval.json: it is backdated: it says", true, func(t *testing.T, a *Archive, d katprep.Decision) error {
			d.At = d.At.Add(-time.Hour)
			_, err := a.PutApproval(t.Context(), d)
			return err
		}},
		{"approval after the work, dated before it", "approval.json: it says", true, func(t *testing.T, a *Archive, d katprep.Decision) error {
			work := katprep.Entry{Seq: 3, At: d.At.Add(2 * time.Second), Host: "h1.example.com", Stage: katprep.StageExecute, Event: katprep.EventIntent}
			if _, err := a.PutJournal(t.Context(), "p1", katprep.StageCleanup, []katprep.Entry{work}); err != nil {
				return err
			}
			_, err := a.PutApproval(t.Context(), d)
			return err
		}},
		{"approval after the work, and it says so", "", false, func(t *testing.T, a *Archive, d katprep.Decision) error {
			work := katprep.Entry{Seq: 3, At: d.At.Add(-time.Second), Host: "h1.example.com", Stage: katprep.StageExecute, Event: katprep.EventIntent}
			if _, err := a.PutJournal(t.Context(), "p1", katprep.StageCleanup, []katprep.Entry{work}); err != nil {
				return err
			}
			_, err := a.PutApproval(t.Context(), d)
			return err
		}},
		{"sign-off of tomorrow", "signoff.json: it says", true, func(t *testing.T, a *Archive, d katprep.Decision) error {
			d.At = d.At.Add(24 * time.Hour)
			_, err := a.PutSignOff(t.Context(), d)
			return err
		}},
		{"in another's name", "it says that Bob decided, but " + ann.Name + " recorded it", true, func(t *testing.T, a *Archive, d katprep.Decision) error {
			d.By = "Bob"
			_, err := a.PutSignOff(t.Context(), d)
			return err
		}},
		{"plan of another history", "the snapshot that it begins with, 0123456789, is not in the history", true, func(t *testing.T, a *Archive, _ katprep.Decision) error {
			_, err := a.PutPlan(t.Context(), katprep.Plan{Run: "p2", Before: katprep.CommitID(strings.Repeat("0123456789", 4))})
			return err
		}},
		{"plan that begins with no snapshot", "is no snapshot", true, func(t *testing.T, a *Archive, d katprep.Decision) error {
			c, err := a.PutApproval(t.Context(), d)
			if err != nil {
				return err
			}
			_, err = a.PutPlan(t.Context(), katprep.Plan{Run: "p2", Before: c})
			return err
		}},
		{"snapshot without its tag", "run/p2/before: the snapshot of the run has no tag", false, func(t *testing.T, a *Archive, _ katprep.Decision) error {
			shot(t, a, katprep.Snapshot{Run: "p2", Phase: katprep.Before})
			return nil
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			a, _ := create(t)
			maintained(t, a)
			d := katprep.Decision{Run: "p1", By: ann.Name, At: a.opts.Now().UTC().Truncate(time.Second), Verdict: "approved"}
			if err := c.do(t, a, d); err != nil {
				t.Fatal(err)
			}
			v := verify(t, a, VerifyOptions{})
			if (v.Broken() != nil) != c.broken || !strings.Contains(fmt.Sprint(v.Findings), c.want) || c.want == "" && len(v.Findings) > 0 {
				t.Errorf("%v", v.Findings)
			}
		})
	}
}
