package policy_test

import (
	"fmt"
	"time"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/policy"
)

// A deadline counts from the day of issue; the time of judgement is given.
func ExamplePolicy_Judge() {
	p := policy.Policy{Deadlines: map[katprep.Severity]time.Duration{katprep.Critical: 7 * 24 * time.Hour}}
	e := katprep.Erratum{ID: "RHSA-2026:0001", Type: katprep.Security, Severity: katprep.Critical, Issued: "2026-11-01"}
	now := time.Date(2026, 11, 12, 0, 0, 0, 0, time.UTC)
	for _, installed := range []time.Time{{}, time.Date(2026, 11, 5, 22, 0, 0, 0, time.UTC)} {
		j := p.Judge(policy.Host{Name: "web01.example.com"}, &e, installed, now, nil)
		fmt.Println(j.Standing, "due", j.Due, "days", j.Days)
	}
	// Output:
	// overdue due 2026-11-08 days 11
	// in time due 2026-11-08 days 4
}
