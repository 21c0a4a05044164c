package render

import (
	"slices"
	"strings"
	"testing"

	"github.com/stdevel/katprep"
)

// debian is a host whose errata nobody knows, with pending updates.
func debian() *katprep.Report {
	r := sample()
	r.Run = nil
	h := katprep.HostChange{Host: katprep.Host{HostID: katprep.HostID{Source: "direct", ID: "deb01"}, Name: "deb01.example.com"}, Presence: katprep.InBoth,
		Before: katprep.Collected, After: katprep.Collected, Known: []katprep.Aspect{katprep.AspectPackages, katprep.AspectUpdates},
		Updates: []katprep.UpdateChange{{Update: katprep.Update{Name: "openssl", To: "3.0.17-1"}, Ending: katprep.Pending}, {Update: katprep.Update{Name: "curl", To: "7.88-2"}, Ending: katprep.New}}}
	r.Hosts, r.Errata = []katprep.HostChange{h}, nil
	r.Totals = katprep.Totals{Hosts: 1, Changed: 1, Updates: map[katprep.Ending]int{katprep.Pending: 1, katprep.New: 1}}
	return r
}

func TestErrataNotKnownAreNotNone(t *testing.T) {
	for _, f := range []Format{Markdown, HTML, CSV, JUnit, Metrics} {
		for what, got := range map[string]string{"landscape": landscape(t, f, debian(), Options{}), "host": hostReport(t, f, debian())} {
			if strings.Contains(got, "No errata") {
				t.Errorf("%s %s claims that there are none", f, what)
			}
			if f == Metrics {
				if strings.Contains(got, "katprep_errata{") || strings.Contains(got, "katprep_host_errata{") || !strings.Contains(got, `katprep_host_errata_known{host="deb01.example.com",source="direct",id="deb01"} 0`) {
					t.Errorf("%s has figures of errata that are not known:\n%s", what, got)
				}
				continue
			}
			if low := strings.ToLower(got); !strings.Contains(low, "errata not known") && !strings.Contains(low, "errata are not known") {
				t.Errorf("%s %s does not say that errata are not known:\n%s", f, what, got)
			}
			if (f == Markdown || f == HTML) && !strings.Contains(got, "2 package updates pending") {
				t.Errorf("%s %s does not tell of pending updates", f, what)
			}
		}
	}
}

func hostReport(t *testing.T, f Format, r *katprep.Report) string {
	t.Helper()
	var b strings.Builder
	if err := Host(&b, f, r, &r.Hosts[0], Options{}); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestVerdictTellsOfWhatIsNotComplete(t *testing.T) {
	clean := func() *katprep.Report {
		r := debian()
		r.Hosts[0].Known = append(r.Hosts[0].Known, katprep.AspectErrata)
		r.Hosts[0].Updates, r.Totals.Updates = nil, nil
		return r
	}
	if d := newData(clean(), nil, Options{}); d.Bad() || !strings.Contains(strings.Join(d.Verdict(), "\n"), "No errata on any host in either snapshot.") {
		t.Errorf("a clean report is bad %v: %q", d.Bad(), d.Verdict())
	}
	named := clean()
	named.Named = []string{"The approval was recorded in the name of CI, by root (commit 1a2b3c)."}
	if d := newData(named, nil, Options{}); d.Bad() || !slices.Contains(d.Verdict(), named.Named[0]) {
		t.Errorf("a decision in another's name is bad %v: %q", d.Bad(), d.Verdict())
	}
	for name, c := range map[string]struct {
		change func(r *katprep.Report)
		want   string
	}{
		"source after":  {func(r *katprep.Report) { r.After.Snapshot.Sources[0].Problem = "502" }, "not complete in the after-snapshot: 502"},
		"source before": {func(r *katprep.Report) { r.Before.Snapshot.Sources[0].Problem = "503" }, "not complete in the before-snapshot: 503"},
		"removed host": {func(r *katprep.Report) {
			r.Totals.Changed, r.Totals.Removed, r.Totals.Errata = 0, 1, map[katprep.Ending]int{katprep.Unknown: 1}
		}, "1 host is in the before-snapshot only: what became of its patches is unknown"},
		"errata of no host known": {func(r *katprep.Report) {
			r.Hosts[0].Known = []katprep.Aspect{katprep.AspectPackages, katprep.AspectUpdates}
		}, "Inconclusive: errata are not known for any host that was read."},
		"neither errata nor updates": {func(r *katprep.Report) {
			other := r.Hosts[0]
			other.Known, other.ID = []katprep.Aspect{katprep.AspectPackages}, "deb02"
			r.Hosts, r.After.Snapshot.Counts.Hosts = append(r.Hosts, other), 2
		}, "Inconclusive for 1 host: neither errata nor package updates are known."},
		"decision":    {func(r *katprep.Report) { r.Remarks = []string{"No approval was in force before the start."} }, "No approval was in force before the start."},
		"failed step": {func(r *katprep.Report) { r.Run = record(r.Hosts[0].Host, r.Hosts[0].Host) }, "failed or are not confirmed"},
	} {
		r := clean()
		c.change(r)
		d := newData(r, nil, Options{})
		if got := strings.Join(d.Verdict(), "\n"); !d.Bad() || !strings.Contains(got, c.want) || strings.Contains(got, "either snapshot") {
			t.Errorf("%s: bad %v, verdict %q, want %q", name, d.Bad(), got, c.want)
		}
	}
}
