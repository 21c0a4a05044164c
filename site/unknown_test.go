package site_test

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

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
		pair + "/hosts.csv":  {"deb01.example.com,satellite,d,changed,collected,collected,,,,,,,0,yes,", "bare.example.com,satellite,b,changed,collected,collected,,,,,,,,yes,"},
	} {
		text := read(t, out, page)
		for _, w := range wants {
			if !strings.Contains(text, w) {
				t.Errorf("%s lacks %q", page, w)
			}
		}
	}
	found, err := filepath.Glob(filepath.Join(out, "hosts", "bare.example.com*.html"))
	if err != nil || len(found) != 1 {
		t.Fatalf("pages of bare: %v, %v", found, err)
	}
	for _, page := range []string{"hosts/" + filepath.Base(found[0]), pair + "/index.html"} {
		if text := read(t, out, page); !strings.Contains(text, `<td class="num bad">not known</td>`) {
			t.Errorf("%s has a number of packages that nobody knows", page)
		}
	}
	if text := read(t, out, "index.html"); strings.Contains(text, "read in full") {
		t.Error("the first page says that every host was read in full")
	}
}

// TestErrataOfUnreadHosts: no page of a CVE or an erratum lets hosts whose
// errata nobody knows pass as free of it.
func TestErrataOfUnreadHosts(t *testing.T) {
	m := sample()
	newest := m.Refs[len(m.Refs)-1].Commit
	m.Hosts[newest] = append(m.Hosts[newest], without(state("d1", "deb01.example.com", "a"), katprep.AspectErrata), failed("d2", "sap77.example.com", "no route to host"))
	all := 0
	m.Refs[len(m.Refs)-1].Snapshot.Counts = katprep.Counts{Hosts: len(m.Hosts[newest]), Collected: len(m.Hosts[newest]) - 1, Failed: 1}
	for _, s := range m.Hosts[newest] {
		if s.Status == katprep.Failed || !s.Knows(katprep.AspectErrata) {
			all++
		}
	}
	out := build(t, m, site.Options{})
	check(t, out)
	want := fmt.Sprintf(`Errata are not known on <a href="../hosts/~errata-not-known.html">%d hosts</a>: nothing can be said of them`, all)
	pages, err := filepath.Glob(filepath.Join(out, "cves", "*.html"))
	if err != nil || len(pages) < 2 {
		t.Fatalf("pages of CVEs: %v, %v", pages, err)
	}
	for _, p := range pages {
		text := read(t, out, "cves/"+filepath.Base(p))
		if !strings.Contains(text, want) || strings.Contains(text, "in any snapshot:") || strings.Contains(text, "verdict fine") {
			t.Errorf("%s passes over hosts whose errata are not known", filepath.Base(p))
		}
	}
	if pages, err = filepath.Glob(filepath.Join(out, "errata", "*.html")); err != nil || len(pages) < 2 {
		t.Fatalf("pages of errata: %v, %v", pages, err)
	}
	for _, p := range pages {
		if text := read(t, out, "errata/"+filepath.Base(p)); !strings.Contains(text, want) && !strings.Contains(text, `Nothing can be said of <a href="../hosts/~errata-not-known.html">`) {
			t.Errorf("%s passes over hosts whose errata are not known", filepath.Base(p))
		}
	}
	if text, want := read(t, out, "index.html"), fmt.Sprintf(`<p class="big">%d <small>of %d hosts`, len(m.Hosts[newest])-all, len(m.Hosts[newest])); !strings.Contains(text, want) {
		t.Errorf("the first page lacks %q", want)
	}
	list := read(t, out, "hosts/~errata-not-known.html")
	if strings.Count(list, `<tr><th scope="row">`)+strings.Count(list, `<tr class="gap">`) != all || !strings.Contains(list, "deb01.example.com") || !strings.Contains(list, "sap77.example.com") {
		t.Error("the list of hosts whose errata are not known is not theirs")
	}
	for _, table := range []string{"data/errata.csv", "data/cves.csv"} {
		lines := strings.Split(strings.TrimSpace(read(t, out, table)), "\n")
		if len(lines) < 2 || !strings.HasSuffix(lines[0], "unknown,errata_not_known_on_hosts") || !strings.HasSuffix(lines[1], fmt.Sprintf(",%d", all)) {
			t.Errorf("%s does not count the hosts whose errata are not known: %q", table, lines[:min(2, len(lines))])
		}
	}
	if text := read(t, out, "errata/index.html"); !strings.Contains(text, "</span> 1 installed</span>") {
		t.Error("what ended is not told apart by how")
	}
}

// TestUnsignedEvidence: the chain of hashes alone stops nobody who may write.
func TestUnsignedEvidence(t *testing.T) {
	text := read(t, build(t, sample(), site.Options{}), "evidence.html")
	if strings.Contains(text, "unseen") || !strings.Contains(text, "can write their history anew") {
		t.Error("the hash chain of an unsigned archive is said to prove more than it does")
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

// TestUnchangedHostsOfARun: a host that no step changed is in the figures of
// its maintenance, and its page tells of the step that failed.
func TestUnchangedHostsOfARun(t *testing.T) {
	m := sample()
	m.Records[0].Plan.Hosts = append(m.Records[0].Plan.Hosts, katprep.HostPlan{Host: katprep.Host{HostID: katprep.HostID{Source: "satellite", ID: "77"}, Name: "ghost.example.com"}})
	for i := 1; i <= 2; i++ { // the same before and after
		for j, s := range m.Hosts[m.Refs[i].Commit] {
			if s.Name == "idle.example.com" {
				m.Hosts[m.Refs[i].Commit][j].Errata = []katprep.HostErratum{{ID: "RHSA-2026:0002", Installable: true}}
			}
		}
	}
	m.Records[0].Journal = append(m.Records[0].Journal, katprep.Entry{Seq: 9, At: at(11, 23), Host: "idle.example.com", HostID: katprep.HostID{Source: "satellite", ID: "4"}, Step: "patch", Stage: katprep.StageExecute, Event: katprep.EventIntent, Message: "no outcome"})
	out := build(t, m, site.Options{})
	check(t, out)
	dir := "maintenances/2026-11-prod-a/"
	found, err := filepath.Glob(filepath.Join(out, "hosts", "idle.example.com*.html"))
	if err != nil || len(found) != 1 {
		t.Fatalf("pages of idle: %v, %v", found, err)
	}
	idle := "hosts/" + filepath.Base(found[0])
	for page, wants := range map[string][]string{
		dir + "hosts.csv":         {"idle.example.com,satellite,4,unchanged,collected,collected,0,0,0,1,0,0,", "ghost.example.com,satellite,77,unknown,"},
		dir + "errata.csv":        {"RHSA-2026:0002,security,important,2026-11-05,kernel security update,CVE-2026-2001,0,0,0,1,1,0"},
		dir + "index.html":        {"idle.example.com", "in neither snapshot", "3 steps failed or not confirmed"},
		"cves/CVE-2026-2001.html": {"Unknown</th>"},
		idle:                      {"Failed and unconfirmed steps", "November patch day", "no outcome"},
	} {
		text := read(t, out, page)
		for _, w := range wants {
			if !strings.Contains(text, w) {
				t.Errorf("%s lacks %q:\n%s", page, w, text[:min(len(text), 1500)])
			}
		}
	}
}

// tagging is an archive that knows tags.
type tagging struct {
	*sitetest.Memory
	tags map[string]katprep.CommitID
}

func (s tagging) Tagged(_ context.Context, run katprep.RunID, ph katprep.Phase) (katprep.CommitID, bool, error) {
	c, ok := s.tags[string(run)+"/"+string(ph)]
	return c, ok, nil
}

// TestTagDecides: of several after-snapshots the tagged one is the run's.
func TestTagDecides(t *testing.T) {
	m := sample()
	m.Add(commit(5), snapshot(14, 6, "2026-11-prod-a", katprep.After), state("17", "web01.example.com", "z"))
	src := tagging{m, map[string]katprep.CommitID{"2026-11-prod-a/after": commit(3)}}
	page := read(t, build(t, src, site.Options{}), "maintenances/2026-11-prod-a/index.html")
	if !strings.Contains(page, "git show "+string(commit(3))+":snapshot.json") || strings.Contains(page, string(commit(5))) {
		t.Error("the tag does not decide which snapshot is the run's")
	}
	if page := read(t, build(t, src, site.Options{}), "evidence.html"); strings.Count(page, "run/2026-11-prod-a/after<") != 1 {
		t.Error("more than one snapshot bears the tag")
	}
}

// TestStagesAndDeviations: times to the second, skipped steps, no row for a
// stage without steps, and hosts by name.
func TestStagesAndDeviations(t *testing.T) {
	m := sample()
	idle, none := katprep.HostID{Source: "satellite", ID: "4"}, katprep.Host{HostID: katprep.HostID{Source: "satellite", ID: "8"}, Name: "none.example.com"}
	r := &m.Records[0]
	r.Plan.Hosts = append(r.Plan.Hosts, katprep.HostPlan{Host: none})
	for i, step := range []string{"downtime", "patch", "reboot", "end"} {
		r.Journal = append(r.Journal, katprep.Entry{Seq: 20 + i, At: at(11, 23), Host: "idle.example.com", HostID: idle, Step: step, Stage: katprep.StageExecute, Event: katprep.EventSkipped, Message: "nothing to do"})
	}
	r.Journal = append(r.Journal, katprep.Entry{Seq: 30, At: at(11, 23), Stage: katprep.StageCleanup, Event: katprep.EventNote, Message: "begin"})
	m.Records[1].Plan.Hosts = []katprep.HostPlan{{Host: none}}
	out := build(t, m, site.Options{})
	check(t, out)
	page := read(t, out, "maintenances/2026-11-prod-a/index.html")
	for _, w := range []string{"2026-11-11 12:00:00 UTC", "2026-11-11 20:00:00 UTC", "Skipped</th>", "Steps failed or are not confirmed on 1 host: db01.example.com.", "signature not checked"} {
		if !strings.Contains(page, w) {
			t.Errorf("the maintenance lacks %q", w)
		}
	}
	for _, w := range []string{"not touched", "<th scope=\"row\">cleanup</th>"} {
		if strings.Contains(page, w) {
			t.Errorf("the maintenance has %q", w)
		}
	}
	if page := read(t, out, "maintenances/2026-11-prod-b/index.html"); !strings.Contains(page, "No step is recorded in the archive yet") {
		t.Error("an empty journal does not say so")
	}
}

// TestRepeatedFailures: a step that failed three times is one step, in the
// headline as in the table of stages.
func TestRepeatedFailures(t *testing.T) {
	m := sample()
	r := &m.Records[0]
	r.Journal = nil
	add := func(host, step string, ev katprep.Event) {
		n := len(r.Journal) + 1
		r.Journal = append(r.Journal, katprep.Entry{Seq: n, At: at(11, 13).Add(time.Duration(n) * time.Minute), Host: host, HostID: katprep.HostID{Source: "satellite", ID: host}, Step: step, Stage: katprep.StageExecute, Event: ev})
	}
	for range 3 {
		add("db01", "patch", katprep.EventIntent)
		add("db01", "patch", katprep.EventFailed)
	}
	for page, want := range map[string]string{
		"maintenances/2026-11-prod-a/index.html": "1 step failed or not confirmed (3 entries in the journal)</a>",
		"index.html":                             `index.html#failures">1</a> <small>last maintenance`,
		"maintenances/index.html":                `index.html#failures">1</a>`,
	} {
		if text := read(t, build(t, m, site.Options{}), page); !strings.Contains(text, want) {
			t.Errorf("%s lacks %q", page, want)
		}
	}
	add("db01", "patch", katprep.EventDone)
	if text := read(t, build(t, m, site.Options{}), "maintenances/2026-11-prod-a/index.html"); !strings.Contains(text, "(3 entries in the journal), 1 of them confirmed or skipped later") {
		t.Error("a step that was done at last is not told apart")
	}
}
