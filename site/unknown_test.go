package site_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/site"
	"github.com/stdevel/katprep/site/sitetest"
)

func without(s katprep.State, lost ...katprep.Aspect) katprep.State {
	s.Aspects = slices.DeleteFunc(slices.Clone(s.Aspects), func(a katprep.Aspect) bool { return slices.Contains(lost, a) })
	return s
}

// TestNotKnownIsNotNone: a host whose errata nobody knows has no number of
// them, on no page and in no table.
func TestNotKnownIsNotNone(t *testing.T) {
	deb := func(boot string) katprep.State {
		s := without(state("d", "deb01.example.com", boot), katprep.AspectErrata)
		s.Updates = []katprep.Update{{Name: "openssl", To: "3.0.17-1"}}
		return s
	}
	bare := func(boot string) katprep.State {
		return without(state("b", "bare.example.com", boot), katprep.AspectErrata, katprep.AspectUpdates, katprep.AspectPackages)
	}
	m := &sitetest.Memory{}
	m.Add(commit(1), snapshot(10, 6, "", ""), deb("a"), bare("a"))
	m.Add(commit(2), snapshot(11, 6, "", ""), deb("b"), bare("b"))
	out := build(t, m, site.Options{})
	check(t, out)
	pair := "snapshots/" + string(commit(2)[:16])
	for page, wants := range map[string][]string{
		"index.html":         {"Errata are not known for 2 hosts", "Package updates are not known for 1 host", "Installed packages are not known for 1 host", "not known on 2 hosts"},
		"hosts/index.html":   {"not known", "installed packages not known"},
		"data/hosts.csv":     {"deb01.example.com,satellite,d,collected,,1,", "bare.example.com,satellite,b,collected,,,"},
		pair + "/index.html": {"not known"},
		pair + "/hosts.csv":  {"deb01.example.com,satellite,d,changed,collected,collected,,,,,,,0,yes,"},
	} {
		text := read(t, out, page)
		for _, w := range wants {
			if !strings.Contains(text, w) {
				t.Errorf("%s lacks %q", page, w)
			}
		}
	}
	if text := read(t, out, "index.html"); strings.Contains(text, "read in full") {
		t.Error("the first page says that every host was read in full")
	}
}

// TestSelections: a snapshot of some hosts does not speak of all.
func TestSelections(t *testing.T) {
	m := sample()
	for i := range m.Refs {
		m.Refs[i].Snapshot.Selection.Hosts = []string{"web*"}
	}
	m.Refs[2].Snapshot.Selection.Hosts = []string{"web*", "<db*>"}
	out := build(t, m, site.Options{})
	check(t, out)
	for page, wants := range map[string][]string{
		"index.html":    {"Selection: hosts web*"},
		"evidence.html": {"hosts web*", "hosts web*, &lt;db*&gt;"},
		"maintenances/2026-11-prod-a/index.html": {"Selection: hosts web*</span>", "Selection: hosts web*, &lt;db*&gt;</span>", "different selections of hosts: before hosts web*, after hosts web*, &lt;db*&gt;",
			"<li>The snapshots were taken of different selections"},
	} {
		text := read(t, out, page)
		for _, w := range wants {
			if !strings.Contains(text, w) {
				t.Errorf("%s lacks %q", page, w)
			}
		}
	}
	one := &sitetest.Memory{}
	s := snapshot(10, 6, "", "")
	s.Selection.Hosts = []string{"a"}
	one.Add(commit(1), s, state("1", "a", "b"))
	if text := read(t, build(t, one, site.Options{}), "index.html"); strings.Contains(text, "that the sources know") || !strings.Contains(text, "Every selected host was read in full") {
		t.Error("a selection is called everything")
	}
}
