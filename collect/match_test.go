package collect_test

import (
	"path"
	"strings"
	"testing"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/collect"
)

func TestMatch(t *testing.T) {
	s := katprep.State{
		Host:    katprep.Host{HostID: katprep.HostID{Source: "satellite", ID: "5"}, Name: "Web01.example.com"},
		Status:  katprep.Collected,
		Aspects: []katprep.Aspect{katprep.AspectFacts, katprep.AspectParameters},
		Facts: katprep.Facts{OS: katprep.OS{ID: "rhel", Version: "9.4", Name: "Red Hat Enterprise Linux 9.4 (Plow)"},
			Organization: "ACME", HostGroup: "base/prod/web", Collections: []string{"blue", "green"}},
		Parameters: []katprep.Parameter{{Name: "katprep_virt", Value: "vc1"}, {Name: "token", Value: "***", Masked: true}},
	}
	cases := []struct {
		sel  katprep.Selection
		want bool
	}{
		{katprep.Selection{}, true},
		{katprep.Selection{Hosts: []string{"db*", "web??.EXAMPLE.com"}}, true},
		{katprep.Selection{Hosts: []string{"web"}}, false},
		{katprep.Selection{Exclude: []string{"web*"}}, false},
		{katprep.Selection{Exclude: []string{"db*"}}, true},
		{katprep.Selection{HostGroups: []string{"base/prod"}}, true},
		{katprep.Selection{HostGroups: []string{"base/pro"}}, false},
		{katprep.Selection{HostGroups: []string{"prod"}}, false},
		{katprep.Selection{HostGroups: []string{"*/web"}}, true},
		{katprep.Selection{OS: []string{"rhel"}}, true},
		{katprep.Selection{OS: []string{"rhel 9*"}}, true},
		{katprep.Selection{OS: []string{"red hat*9.4*"}}, true},
		{katprep.Selection{OS: []string{"debian"}}, false},
		{katprep.Selection{Organizations: []string{"acme"}, Locations: []string{"Berlin"}}, false},
		{katprep.Selection{Collections: []string{"green"}}, true},
		{katprep.Selection{Collections: []string{"red"}}, false},
		{katprep.Selection{Parameters: []string{"katprep_virt"}}, true},
		{katprep.Selection{Parameters: []string{"katprep_virt=vc2", "katprep_virt=VC1"}}, true},
		{katprep.Selection{Parameters: []string{"token=***"}}, false},
		{katprep.Selection{Sources: []string{"sat*"}}, true},
		{katprep.Selection{Sources: []string{"dmz"}}, false},
		{katprep.Selection{Search: "anything"}, true},
	}
	for _, c := range cases {
		if got := collect.Match(c.sel, s); got != c.want {
			t.Errorf("Match(%+v) = %v", c.sel, got)
		}
	}
	gap := katprep.State{Host: s.Host, Status: katprep.Failed}
	if !collect.Match(katprep.Selection{HostGroups: []string{"other"}, Parameters: []string{"x"}}, gap) {
		t.Error("a host that could not be read vanished from its selection")
	}
	if collect.Match(katprep.Selection{Hosts: []string{"db*"}}, gap) {
		t.Error("a host of another name is not meant")
	}
}

func FuzzGlob(f *testing.F) {
	f.Add("a*b?c", "axxbyc")
	f.Add("*", "")
	f.Add("*a*a*a*a*a*a*a*b", strings.Repeat("a", 200))
	f.Fuzz(func(t *testing.T, pattern, text string) {
		got := collect.Glob(pattern, text)
		if strings.ContainsAny(pattern, `[\/`) || strings.Contains(text, "/") || len(pattern) > 20 || len(text) > 200 {
			return // means something else to path.Match, or takes it too long
		}
		want, err := path.Match(strings.ToLower(pattern), strings.ToLower(text))
		if err == nil && got != want {
			t.Errorf("glob(%q, %q) = %v", pattern, text, got)
		}
	})
}
