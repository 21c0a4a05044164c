package site_test

import (
	"strings"
	"testing"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/site"
	"github.com/stdevel/katprep/site/sitetest"
)

// TestPendingAgain: an erratum that came back is pending again until its
// packages are there again, and no longer.
func TestPendingAgain(t *testing.T) {
	host := func(boot, evr string, errata ...string) katprep.State {
		s := state("17", "web01.example.com", boot, errata...)
		s.Packages[1].EVR = katprep.EVR(evr)
		return s
	}
	const erratum, old, fixed = "RHSA-2026:0001", "1:3.0.7-24.el9", "1:3.0.7-27.el9"
	m := &sitetest.Memory{Known: sample().Known}
	m.Add(commit(1), snapshot(10, 6, "", ""), host("a", old, erratum))
	m.Add(commit(2), snapshot(11, 6, "", ""), host("b", fixed))
	m.Add(commit(3), snapshot(12, 6, "", ""), host("c", old, erratum))
	for _, stage := range []struct {
		says, not string
		add       func()
	}{
		{"pending again", "installed", func() {}},
		{"installed", "pending again", func() { m.Add(commit(4), snapshot(13, 6, "", ""), host("d", fixed)) }},
		{"pending again", "installed", func() { m.Add(commit(5), snapshot(14, 6, "", ""), host("e", old, erratum)) }},
	} {
		stage.add()
		out := build(t, m, site.Options{})
		table := read(t, out, "errata/RHSA-2026_0001.html")
		table = table[strings.LastIndex(table, `<th scope="row"><a href="../hosts/web01`):]
		table = table[:strings.Index(table, "</tr>")]
		if !strings.Contains(table, "</b>"+stage.says) || strings.Contains(table, "</b>"+stage.not) {
			t.Errorf("%d snapshots: %q is not said, or %q is, in\n%s", len(m.Refs), stage.says, stage.not, table)
		}
	}
}
