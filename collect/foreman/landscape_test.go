package foreman_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/collect"
	"github.com/stdevel/katprep/collect/collecttest"
	"github.com/stdevel/katprep/collect/foreman"
	"github.com/stdevel/katprep/internal/creds"
	"github.com/stdevel/katprep/internal/foremanapi"
	"github.com/stdevel/katprep/internal/landscape"
)

// serve starts a simulated Foreman: a fake, made from recorded answers.
func serve(t testing.TB, o landscape.Options) (*landscape.Server, foreman.Options) {
	t.Helper()
	l := landscape.New(o)
	srv := httptest.NewServer(l)
	t.Cleanup(srv.Close)
	return l, foreman.Options{Name: "satellite", URL: srv.URL, Login: creds.Login{User: "admin", Password: creds.NewSecret("changeme")}, Pause: 1, Now: l.Now}
}

func open(t testing.TB, o foreman.Options) *foreman.Collector {
	t.Helper()
	c, err := foreman.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestContract(t *testing.T) {
	_, o := serve(t, landscape.Options{Hosts: 40, NoSelf: true})
	o.Packages, o.Applicable, o.Traces, o.PerPage = true, true, true, 7
	collecttest.Run(t, collecttest.Case{
		New:   func(t *testing.T) collect.Collector { return open(t, o) },
		Hosts: 40,
	})
}

// TestEveryWayTellsTheSame: the four ways to the errata give the same states.
func TestEveryWayTellsTheSame(t *testing.T) {
	l, o := serve(t, landscape.Options{Hosts: 60, Packages: 40, NoSelf: true})
	o.Applicable = true
	var first string
	for _, way := range []foreman.ErrataSource{foreman.ErrataHost, foreman.ErrataBulk, foreman.ErrataReport, foreman.ErrataSearch, foreman.ErrataAuto} {
		before := l.Stats().Requests
		o.ErrataSource = way
		states, errata, snap := read(t, o, katprep.Selection{})
		got := text(t, states)
		if first == "" {
			first = got
		}
		if got != first {
			t.Errorf("%s: other states than host by host", way)
		}
		if snap.Counts.HostErrata == 0 || len(errata) == 0 || snap.Counts.Collected != 60 {
			t.Errorf("%s: counts %+v", way, snap.Counts)
		}
		t.Logf("%s: %d requests", way, l.Stats().Requests-before)
	}
}

func text(t *testing.T, v any) string {
	t.Helper()
	b, err := json.MarshalIndent(v, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// TestReadOnlyUser: who may edit no host is refused the bulk list, and gets
// the errata in another way.
func TestReadOnlyUser(t *testing.T) {
	may := []string{"view_hosts", "view_params", "view_facts", "view_organizations"}
	for _, more := range [][]string{nil, {"view_report_templates", "generate_report_templates"}} {
		l, o := serve(t, landscape.Options{Hosts: 60, NoSelf: true, Users: []landscape.User{{Login: "admin", Password: "changeme", Permissions: slices.Concat(may, more)}}})
		_, _, snap := read(t, o, katprep.Selection{})
		if snap.Counts.Collected != 60 || snap.Counts.HostErrata == 0 || snap.Sources[0].Problem != "" {
			t.Errorf("counts %+v, %q, gaps %v", snap.Counts, snap.Sources[0].Problem, snap.Gaps[:min(2, len(snap.Gaps))])
		}
		if p := l.Stats().PasswordChecks; p != 1 {
			t.Errorf("%d password checks", p)
		}
	}
}

func TestSelection(t *testing.T) {
	_, o := serve(t, landscape.Options{Hosts: 80, Packages: 10})
	o.PerPage = 30
	all, _, _ := read(t, o, katprep.Selection{})
	if len(all) == 0 {
		t.Fatal("no hosts")
	}
	var some katprep.State
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if some = all[name]; strings.Contains(some.Facts.HostGroup, "/") && len(some.Parameters) > 0 {
			break
		}
	}
	parent, _, _ := strings.Cut(some.Facts.HostGroup, "/")
	for name, sel := range map[string]katprep.Selection{
		"host":                   {Hosts: []string{some.Name}},
		"host in capitals":       {Hosts: []string{strings.ToUpper(some.Name)}},
		"glob":                   {Hosts: []string{some.Name[:4] + "*"}},
		"glob in the middle":     {Hosts: []string{some.Name[:2] + "*" + some.Name[6:]}},
		"question mark":          {Hosts: []string{"?" + some.Name[1:]}},
		"host group":             {HostGroups: []string{some.Facts.HostGroup}},
		"host group with childs": {HostGroups: []string{parent}},
		"organization":           {Organizations: []string{strings.ToLower(some.Facts.Organization)}},
		"location":               {Locations: []string{some.Facts.Location}},
		"environment":            {Environments: []string{some.Facts.Environment}},
		"content view":           {ContentViews: []string{some.Facts.ContentView}},
		"OS":                     {OS: []string{some.Facts.OS.ID}},
		"OS by label":            {OS: []string{some.Facts.OS.Name}},
		"parameter":              {Parameters: []string{some.Parameters[0].Name}},
		"parameter with value":   {Parameters: []string{some.Parameters[0].Name + "=" + some.Parameters[0].Value}},
		"several":                {Organizations: []string{some.Facts.Organization}, HostGroups: []string{parent}, OS: []string{some.Facts.OS.ID}},
		"excluded":               {Organizations: []string{some.Facts.Organization}, Exclude: []string{"*1.*"}},
		"search":                 {Search: "name ~ " + some.Name[:3] + " or name = nobody"},
		"search and more":        {Search: "name ~ web or name ~ db", Organizations: []string{some.Facts.Organization}},
	} {
		t.Run(name, func(t *testing.T) {
			want := map[string]katprep.State{}
			for n, s := range all {
				if collect.Match(sel, s) && searched(sel.Search, n, some.Name) {
					want[n] = s
				}
			}
			got, _, snap := read(t, o, sel)
			if text(t, got) != text(t, want) || snap.Sources[0].Problem != "" {
				t.Errorf("%d hosts, want %d; problem %q", len(got), len(want), snap.Sources[0].Problem)
			}
			if len(want) == 0 {
				t.Error("the test selects nothing")
			}
		})
	}
}

// searched says what the searches of TestSelection find.
func searched(search, name, some string) bool {
	switch {
	case search == "":
		return true
	case strings.Contains(search, "nobody"):
		return strings.Contains(name, some[:3])
	}
	return strings.Contains(name, "web") || strings.Contains(name, "db")
}

func TestUnknownNames(t *testing.T) {
	_, o := serve(t, landscape.Options{Hosts: 40, Packages: 10})
	all, _, _ := read(t, o, katprep.Selection{})
	some := all[slices.Min(slices.Collect(maps.Keys(all)))]
	wrong := func(s string) string { return s[:len(s)-1] + "x" }
	for name, tc := range map[string]struct {
		sel  katprep.Selection
		hint string
	}{
		"host":         {katprep.Selection{Hosts: []string{wrong(some.Name)}}, some.Name},
		"glob":         {katprep.Selection{Hosts: []string{"nothing-like-it*"}}, ""},
		"organization": {katprep.Selection{Organizations: []string{wrong(some.Facts.Organization)}}, some.Facts.Organization},
		"host group":   {katprep.Selection{HostGroups: []string{wrong(some.Facts.HostGroup)}}, some.Facts.HostGroup},
		"location":     {katprep.Selection{Locations: []string{wrong(some.Facts.Location)}}, some.Facts.Location},
		"environment":  {katprep.Selection{Environments: []string{wrong(some.Facts.Environment)}}, some.Facts.Environment},
		"content view": {katprep.Selection{ContentViews: []string{wrong(some.Facts.ContentView)}}, some.Facts.ContentView},
		"collection":   {katprep.Selection{Collections: []string{"nothing"}}, ""},
		"OS":           {katprep.Selection{OS: []string{wrong(some.Facts.OS.Name)}}, ""},
		"parameter":    {katprep.Selection{Parameters: []string{"katprep_virtt"}}, "katprep_virt"},
		"hostile":      {katprep.Selection{Hosts: []string{`" or name ~ "`}}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			got := error(nil)
			for _, err := range open(t, o).Targets(t.Context(), tc.sel) {
				got = err
				if err == nil {
					t.Error("a host is listed")
				}
			}
			if katprep.KindOf(got) != katprep.NotFound && !strings.Contains(fmt.Sprint(got), "is called") {
				t.Fatalf("error is %v", got)
			}
			if !strings.Contains(fmt.Sprint(katprep.HintOf(got), got), tc.hint) {
				t.Errorf("hint of %v is %q", got, katprep.HintOf(got))
			}
		})
	}
}

func TestHostCollections(t *testing.T) {
	_, o := serve(t, landscape.Options{Hosts: 40, Packages: 10})
	client, err := foremanapi.New(foremanapi.Options{URL: o.URL, Login: o.Login})
	if err != nil {
		t.Fatal(err)
	}
	orgs, err := client.Organizations(t.Context())
	if err != nil || len(orgs) == 0 {
		t.Fatal(orgs, err)
	}
	list, err := client.HostCollections(t.Context(), orgs[0].ID.N)
	if err != nil || len(list) == 0 {
		t.Fatal(list, err)
	}
	name := string(list[0].Name)
	got, _, snap := read(t, o, katprep.Selection{Collections: []string{name}})
	if len(got) == 0 || len(got) == 40 || snap.Sources[0].Problem != "" {
		t.Errorf("%d hosts in %s: %q", len(got), name, snap.Sources[0].Problem)
	}
	for n, s := range got {
		if !slices.Contains(s.Facts.Collections, name) {
			t.Errorf("%s is in %v", n, s.Facts.Collections)
		}
	}
}
