package foreman_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/collect"
	"github.com/stdevel/katprep/collect/foreman"
	"github.com/stdevel/katprep/internal/creds"
	"github.com/stdevel/katprep/internal/landscape"
)

// TestEveryVersion: what a version lacks is a gap or found in another way,
// and never an empty list.
func TestEveryVersion(t *testing.T) {
	for _, v := range []struct {
		foreman, katello string
		debs             bool // packages of Debian hosts can be read
		applicable       bool
	}{
		{"1.20.1", "3.10.0", false, false}, {"1.24.0", "3.14.0", false, false}, {"2.3.0", "3.18.0", true, false},
		{"2.5.0", "4.1.0", true, false}, {"3.1.0", "4.3.0", true, true}, {"3.12.0", "4.14.0", true, true}, {"3.16.0", "4.18.0", true, true},
	} {
		t.Run(v.katello, func(t *testing.T) {
			_, o := serve(t, landscape.Options{Hosts: 40, Foreman: v.foreman, Katello: v.katello, NoSelf: true})
			o.Packages, o.Applicable, o.PerPage = true, true, 15
			states, _, snap := read(t, o, katprep.Selection{})
			if len(states) != 40 || snap.Sources[0].Problem != "" {
				t.Fatalf("%d hosts, %q", len(states), snap.Sources[0].Problem)
			}
			for name, s := range states {
				deb := s.Facts.OS.ID == "debian" || s.Facts.OS.ID == "ubuntu"
				if s.Knows(katprep.AspectErrata) == deb || !s.Knows(katprep.AspectParameters) {
					t.Errorf("%s (%s): %v, %v", name, s.Facts.OS.ID, s.Aspects, s.Problems)
				}
				if s.Knows(katprep.AspectPackages) != (v.debs || !deb) {
					t.Errorf("%s (%s): packages known is %v: %v", name, s.Facts.OS.ID, s.Knows(katprep.AspectPackages), s.Problems)
				}
				if v.applicable && s.Knows(katprep.AspectApplicable) == deb {
					t.Errorf("%s: applicable errata are not known: %v", name, s.Problems)
				}
				if s.Facts.Owner == "" && s.Facts.OwnerType != "" {
					t.Errorf("%s: the owner has no name", name)
				}
			}
		})
	}
}

// TestDebian: Katello counts no errata for Debian packages, which is not the
// same as none being pending.
func TestDebian(t *testing.T) {
	for _, packages := range []bool{false, true} {
		_, o := serve(t, landscape.Options{Hosts: 40, NoSelf: true})
		o.Packages, o.Applicable = packages, true
		states, _, snap := read(t, o, katprep.Selection{})
		debs := 0
		for name, s := range states {
			if s.Format != katprep.Deb {
				continue
			}
			debs++
			said := slices.ContainsFunc(s.Problems, func(p katprep.Problem) bool {
				return p.Aspect == katprep.AspectErrata && p.Warning && strings.Contains(p.Message, "knows no errata for this host's packages")
			})
			if s.Knows(katprep.AspectErrata) || s.Knows(katprep.AspectApplicable) || !said || s.Status != katprep.Collected {
				t.Errorf("%s: %s, %v, %v", name, s.Status, s.Aspects, s.Problems)
			}
			if packages != s.Knows(katprep.AspectUpdates) {
				t.Errorf("%s: updates known: %v", name, s.Aspects)
			}
		}
		if debs == 0 || snap.Counts.ErrataUnknown != debs {
			t.Errorf("%d Debian hosts, errata unknown on %d", debs, snap.Counts.ErrataUnknown)
		}
	}
}

// TestNoKatello: a plain Foreman has hosts, and no errata are known.
func TestNoKatello(t *testing.T) {
	_, o := serve(t, landscape.Options{Hosts: 5, Plugins: []string{"foreman_remote_execution"}, NoSelf: true})
	o.Packages = true
	states, _, _ := read(t, o, katprep.Selection{})
	for name, s := range states {
		if s.Status != katprep.Incomplete || s.Knows(katprep.AspectErrata) || s.Knows(katprep.AspectPackages) {
			t.Errorf("%s: %s, %v", name, s.Status, s.Aspects)
		}
	}
	if len(states) != 5 {
		t.Errorf("%d hosts", len(states))
	}
}

// TestFaults: each trouble with the server either passes or becomes a gap
// with a reason; no host that was read is lost, none is made up.
func TestFaults(t *testing.T) {
	const hosts = 40
	for name, tc := range map[string]struct {
		fault landscape.Fault
		gaps  bool   // hosts may be incomplete
		stops string // what the source's problem says, if the list breaks
	}{
		"503 once":                   {landscape.Fault{Path: "/api/hosts", Status: 503}, false, ""},
		"429 once":                   {landscape.Fault{Path: "/api/hosts", Status: 429}, false, ""},
		"connection breaks once":     {landscape.Fault{Path: "/api/hosts", Drop: true, Nth: 3}, false, ""},
		"packages break for ever":    {landscape.Fault{Path: "/packages", Status: 500, Times: -1}, true, ""},
		"packages truncated":         {landscape.Fault{Path: "/packages", Truncate: 300, Times: 3}, true, ""},
		"packages are HTML":          {landscape.Fault{Path: "/packages", Status: 200, HTML: true, Body: "<html>proxy</html>", Times: 3}, true, ""},
		"bulk errata break":          {landscape.Fault{Path: "/bulk/installable_errata", Status: 500, Times: -1}, false, ""},
		"bulk errata truncated":      {landscape.Fault{Path: "/bulk/installable_errata", Truncate: 500, Times: -1}, false, ""},
		"list is HTML":               {landscape.Fault{Path: "/api/hosts", Status: 200, HTML: true, Body: "<html>Blocked by policy</html>", Times: -1}, false, "Blocked by policy"},
		"second page breaks":         {landscape.Fault{Method: "GET", Path: "/api/hosts", Nth: 4, Status: 500, Times: -1}, true, "500"},
		"plugins cannot be listed":   {landscape.Fault{Path: "/api/plugins", Status: 403, Times: -1}, false, ""},
		"facts cannot be read":       {landscape.Fault{Path: "/api/fact_values", Status: 403, Times: -1}, false, ""},
		"settings cannot be read":    {landscape.Fault{Path: "/api/settings", Status: 403, Times: -1}, false, ""},
		"maintenance from the start": {landscape.Fault{Path: "/api", Status: 503, Times: -1}, false, "503"},
	} {
		t.Run(name, func(t *testing.T) {
			l, o := serve(t, landscape.Options{Hosts: hosts, Packages: 20, NoSelf: true})
			o.PerPage, o.Packages, o.Retries = 10, true, 1
			l.Inject(tc.fault)
			states, _, snap := read(t, o, katprep.Selection{})
			problem := snap.Sources[0].Problem
			if !strings.Contains(problem, tc.stops) || (tc.stops == "") != (problem == "") {
				t.Errorf("problem is %q", problem)
			}
			if tc.stops == "" && len(states) != hosts {
				t.Errorf("%d hosts", len(states))
			}
			if gaps := snap.Counts.Incomplete + snap.Counts.Failed; gaps > 0 != (tc.gaps && len(states) > 0) && tc.stops == "" {
				t.Errorf("%d gaps: %v", gaps, snap.Gaps[:min(1, len(snap.Gaps))])
			}
		})
	}
}

// TestSessionsEnd: a restart of the server ends sessions in the middle.
func TestSessionsEnd(t *testing.T) {
	l, o := serve(t, landscape.Options{Hosts: 40, Packages: 20, NoSelf: true})
	o.Packages = true
	var once sync.Once
	l.Inject(landscape.Fault{Path: "/packages", Nth: 10, After: func() { once.Do(l.ExpireSessions) }})
	_, _, snap := read(t, o, katprep.Selection{})
	if snap.Counts.Collected != 40 || snap.Sources[0].Problem != "" {
		t.Errorf("%+v, %q, %v", snap.Counts, snap.Sources[0].Problem, snap.Gaps[:min(1, len(snap.Gaps))])
	}
	if p := l.Stats().PasswordChecks; p > 2+8 { // two logins, and what was under way with the old session
		t.Errorf("%d password checks", p)
	}
}

// TestExpiredPassword: one refusal, whatever there is to be read.
func TestExpiredPassword(t *testing.T) {
	l, o := serve(t, landscape.Options{Hosts: 40, Packages: 20})
	o.Login.Password = creds.NewSecret("expired")
	_, _, snap := read(t, o, katprep.Selection{})
	if l.Stats().PasswordChecks != 1 || l.Stats().Requests != 1 || !strings.Contains(snap.Sources[0].Problem, "Unable to authenticate") {
		t.Errorf("%+v, %q", l.Stats(), snap.Sources[0].Problem)
	}
}

func TestManyHosts(t *testing.T) {
	l, o := serve(t, landscape.Options{Hosts: 1337, Packages: 10, NoSelf: true})
	states, errata, snap := read(t, o, katprep.Selection{})
	if len(states) != 1337 || snap.Counts.Collected != 1337 {
		t.Errorf("%d hosts, %+v", len(states), snap.Counts)
	}
	if limit := 1337/250 + len(errata)/100 + 50; l.Stats().Requests > limit {
		t.Errorf("%d requests, at most %d", l.Stats().Requests, limit)
	}
	if l.Stats().MaxInFlight > 4 {
		t.Errorf("%d requests at once", l.Stats().MaxInFlight)
	}
}

// TestOddNames: names are kept as they are; they are the archive's to encode.
func TestOddNames(t *testing.T) {
	names := []string{"../../etc/passwd", ".git", "CON", "bücher.example.com", "ホスト.example.com", "WEB.example.com", "web.example.com", strings.Repeat("a", 300), "x\ny", "a b"}
	var hosts []string
	for i, n := range names {
		hosts = append(hosts, web(map[string]any{"id": i + 1, "name": n, "content_facet_attributes": map[string]any{"errata_counts": map[string]any{"total": 0}}}))
	}
	_, o := newFake(t, list(hosts...), nil)
	states, _, _ := read(t, o, katprep.Selection{})
	for _, n := range names {
		if states[n].Name != n {
			t.Errorf("%q is missing", n)
		}
	}
}

func TestCancelledInTheMiddle(t *testing.T) {
	_, o := serve(t, landscape.Options{Hosts: 200, Packages: 10, NoSelf: true})
	o.PerPage = 10
	ctx, cancel := context.WithCancel(t.Context())
	n, last := 0, error(nil)
	for _, err := range open(t, o).Targets(ctx, katprep.Selection{}) {
		if last = err; err != nil {
			break
		}
		if n++; n == 30 {
			cancel()
		}
	}
	cancel()
	if last == nil || n >= 200 {
		t.Errorf("%d hosts after the end, error %v", n, last)
	}
}

// TestAdvisoriesComeOnce: however many hosts an advisory concerns.
func TestAdvisoriesComeOnce(t *testing.T) {
	_, o := serve(t, landscape.Options{Hosts: 200, Packages: 10, NoSelf: true})
	sink := &recorder{states: map[string]katprep.State{}, errata: map[string]katprep.Erratum{}}
	_, err := collect.Run(t.Context(), []collect.Source{{Name: "satellite", Collector: open(t, o)}}, katprep.Selection{}, sink, collect.Options{})
	if err != nil || sink.times != len(sink.errata) || sink.times == 0 {
		t.Errorf("%d errata came %d times, error %v", len(sink.errata), sink.times, err)
	}
}

func TestOrganizationOfTheConfiguration(t *testing.T) {
	_, o := serve(t, landscape.Options{Hosts: 60, Packages: 10, NoSelf: true})
	for _, wanted := range []string{"ACME", "acme", "3"} {
		o.Organization = wanted
		states, _, snap := read(t, o, katprep.Selection{})
		if len(states) == 0 || len(states) == 60 || snap.Sources[0].Problem != "" {
			t.Errorf("%s: %d hosts, %q", wanted, len(states), snap.Sources[0].Problem)
		}
		for name, s := range states {
			if s.Facts.Organization != "ACME" {
				t.Errorf("%s is in %s", name, s.Facts.Organization)
			}
		}
	}
	o.Organization = "Acmee"
	if _, _, snap := read(t, o, katprep.Selection{}); !strings.Contains(snap.Sources[0].Problem, `no organization is called "Acmee"`) {
		t.Errorf("problem is %q", snap.Sources[0].Problem)
	}
}

// TestTextIsJustText: an erratum that speaks of authentication is no refusal.
func TestTextIsJustText(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == "/api/hosts":
			_, _ = io.WriteString(w, list(web(nil)))
		case strings.HasSuffix(r.URL.Path, "installable_errata"):
			_, _ = io.WriteString(w, strings.ReplaceAll(bulkTwo, "Important: openssl", `Unable to authenticate user admin; 401 Unauthorized; {\"error\":1}`))
		case r.URL.Path == "/api/status":
			_, _ = io.WriteString(w, `{"version":"3.12.0"}`)
		default:
			_, _ = io.WriteString(w, `{"total":1,"subtotal":1,"results":[{"name":"katello","version":"4.14"}]}`)
		}
	}))
	defer srv.Close()
	o := foreman.Options{Name: "satellite", URL: srv.URL, Pause: 1}
	states, errata, snap := read(t, o, katprep.Selection{})
	if s := states["web01.example.com"]; s.Status != katprep.Collected || len(s.Errata) != 2 {
		t.Errorf("%s, %v, %v, %q", s.Status, s.Problems, s.Errata, snap.Sources[0].Problem)
	}
	if !strings.Contains(fmt.Sprint(errata), "Unable to authenticate") {
		t.Error("the text is gone")
	}
}
