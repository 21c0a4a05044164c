package policy

import (
	"testing"
	"time"

	"github.com/stdevel/katprep"
)

const day = 24 * time.Hour

func at(s string) time.Time {
	t, err := time.Parse("2006-01-02 15:04", s)
	if err != nil {
		panic(err)
	}
	return t
}

func TestJudge(t *testing.T) {
	p := &Policy{Deadlines: map[katprep.Severity]time.Duration{katprep.Critical: 7 * day, Unrated: 90 * day},
		Groups: []Group{{HostGroups: []string{"dmz"}, Deadlines: map[katprep.Severity]time.Duration{katprep.Critical: 2 * day}}}}
	critical := &katprep.Erratum{ID: "RHSA-1", Type: katprep.Security, Severity: katprep.Critical, Issued: "2026-11-01", CVEs: []string{"CVE-1"}}
	unrated := &katprep.Erratum{ID: "RHSA-2", Type: katprep.Security, Issued: "2026-11-01"}
	bugfix := &katprep.Erratum{ID: "RHBA-1", Type: katprep.Bugfix, Issued: "2026-11-01"}
	undated := &katprep.Erratum{ID: "RHSA-3", Type: katprep.Security, Severity: katprep.Critical}
	web, dmz := Host{Name: "web", Group: "base/web"}, Host{Name: "mx", Group: "dmz/mail"}
	for name, c := range map[string]struct {
		h         Host
		e         *katprep.Erratum
		installed string
		now       string
		want      Standing
		due       katprep.Date
		days      int
	}{
		"in time":            {web, critical, "2026-11-05 10:00", "2026-12-01 00:00", InTime, "2026-11-08", 4},
		"on the last day":    {web, critical, "2026-11-08 23:59", "2026-12-01 00:00", InTime, "2026-11-08", 7},
		"a minute late":      {web, critical, "2026-11-09 00:01", "2026-12-01 00:00", Late, "2026-11-08", 8},
		"waiting":            {web, critical, "", "2026-11-08 12:00", Waiting, "2026-11-08", 7},
		"overdue":            {web, critical, "", "2026-11-09 12:00", Overdue, "2026-11-08", 8},
		"group is stricter":  {dmz, critical, "", "2026-11-05 12:00", Overdue, "2026-11-03", 4},
		"group falls back":   {dmz, unrated, "", "2026-11-05 12:00", Waiting, "2027-01-30", 4},
		"bugfix":             {web, bugfix, "", "2027-11-05 12:00", NoDeadline, "", 369},
		"issue date unknown": {web, undated, "", "2027-11-05 12:00", NoDeadline, "", -1},
		"before its issue":   {web, critical, "2026-10-20 00:00", "2026-12-01 00:00", InTime, "2026-11-08", 0},
	} {
		var installed time.Time
		if c.installed != "" {
			installed = at(c.installed)
		}
		j := p.Judge(c.h, c.e, installed, at(c.now), nil)
		if j.Standing != c.want || j.Due != c.due || j.Days != c.days {
			t.Errorf("%s: %s, due %s, %d days; want %s, %s, %d", name, j.Standing, j.Due, j.Days, c.want, c.due, c.days)
		}
	}
}

func TestExceptionsHideNothing(t *testing.T) {
	p := &Policy{Deadlines: map[katprep.Severity]time.Duration{katprep.Critical: day}}
	e := &katprep.Erratum{ID: "RHSA-1", Severity: katprep.Critical, Issued: "2026-11-01", CVEs: []string{"CVE-1"}, Packages: []katprep.Package{{Name: "openssl-libs"}}}
	xs := []katprep.Exception{
		{ID: "old", Errata: []string{"RHSA-1"}, Expires: "2026-11-10"},
		{ID: "cve", Hosts: []string{"db*"}, Errata: []string{"cve-1"}, Expires: "2026-11-20"},
		{ID: "package", Hosts: []string{"app?"}, Packages: []string{"openssl*"}, Expires: "2026-11-20"},
		{ID: "other", Errata: []string{"RHSA-9"}, Expires: "2030-01-01"},
	}
	for _, c := range []struct {
		host, now, id string
		expired       bool
	}{
		{"web", "2026-11-09 00:00", "old", false},
		{"web", "2026-11-10 23:00", "old", false},
		{"web", "2026-11-11 00:00", "old", true},
		{"DB1", "2026-11-15 00:00", "cve", false},
		{"app1", "2026-11-15 00:00", "package", false},
	} {
		j := p.Judge(Host{Name: c.host}, e, time.Time{}, at(c.now), xs)
		if j.Standing != Overdue {
			t.Errorf("%s: the exception hides that it is overdue: %s", c.host, j.Standing)
		}
		if j.Exception == nil || j.Exception.ID != c.id || j.Expired != c.expired {
			t.Errorf("%s at %s: exception %+v, expired %v", c.host, c.now, j.Exception, j.Expired)
		}
	}
	if x := Find(xs, "web", &katprep.Erratum{ID: "RHSA-7"}); x != nil {
		t.Errorf("%+v covers what it does not name", x)
	}
	if !Expired(&katprep.Exception{}, at("2026-01-01 00:00")) {
		t.Error("an exception without an end holds for ever")
	}
}

func TestStats(t *testing.T) {
	var s Stats
	if _, ok := s.Share(); ok {
		t.Error("a share of nothing")
	}
	for _, d := range []int{1, 2, 3, 10} {
		s.Add(Judgement{Standing: InTime, Days: d}, true)
	}
	s.Add(Judgement{Standing: Late, Days: 40}, true)
	s.Add(Judgement{Standing: Overdue, Days: 99}, false)
	s.Add(Judgement{Standing: Waiting, Days: 1, Exception: &katprep.Exception{}}, false)
	if n := s.N(); n != 6 {
		t.Errorf("N = %d", n)
	}
	if p, _ := s.Share(); p != 66 {
		t.Errorf("share = %d", p)
	}
	mean, _ := s.Mean()
	median, _ := s.Quantile(50)
	p90, _ := s.Quantile(90)
	if mean != 11 || median != 3 || p90 != 40 || s.Installed() != 5 || s.Excepted != 1 {
		t.Errorf("mean %d, median %d, p90 %d, installed %d, excepted %d", mean, median, p90, s.Installed(), s.Excepted)
	}
	if h := s.Histogram([]int{2, 10, 30}); h[0] != 2 || h[1] != 2 || h[2] != 0 || h[3] != 1 {
		t.Errorf("histogram %v", h)
	}
}

func TestGlob(t *testing.T) {
	for _, c := range []struct {
		p, s string
		want bool
	}{{"*", "", true}, {"", "", true}, {"", "a", false}, {"a*c", "ABBC", true}, {"a*c", "abcb", false}, {"?b", "ab", true}, {"**a", "bba", true}, {"a", "ab", false}} {
		if Glob(c.p, c.s) != c.want {
			t.Errorf("Glob(%q, %q)", c.p, c.s)
		}
	}
}

// FuzzGlob holds that a text matches itself with any of its characters
// replaced by '?', and that no pattern takes for ever.
func FuzzGlob(f *testing.F) {
	f.Add("a*b*c", "aabbcc")
	f.Fuzz(func(t *testing.T, p, s string) {
		Glob(p, s)
		if !Glob("*", s) {
			t.Errorf("* does not match %q", s)
		}
	})
}
