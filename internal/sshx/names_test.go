package sshx

import (
	"strings"
	"testing"

	"github.com/stdevel/katprep"
)

func TestCheckName(t *testing.T) {
	for _, good := range []string{"web01", "web01.example.com", "10.0.0.1", "2001:db8::1", "fe80::1%eth0", "under_score", "a-b"} {
		if err := CheckName(good); err != nil {
			t.Errorf("%q: %v", good, err)
		}
	}
	for _, bad := range []string{"", "-oProxyCommand=reboot", "--", "a b", "a;reboot", "$(reboot)", "`x`", "a\nb", "a|b", "a'b", `a"b`, "../etc", "a/b", "a@b", "wéb",
		"fe80::1%$(x)", "fe80::1% x", "::1;x", "a:b", strings.Repeat("a", 254), "a\x00b", "*", "~"} {
		if err := CheckName(bad); katprep.KindOf(err) != katprep.Invalid || err == nil {
			t.Errorf("%q was accepted: %v", bad, err)
		}
	}
}

func TestParseHost(t *testing.T) {
	for in, want := range map[string]Host{
		"web": {Name: "web"}, "root@web": {Name: "web", User: "root"}, "root@web:2222": {Name: "web", User: "root", Port: 2222},
		"::1": {Name: "::1"}, "[::1]:22": {Name: "::1", Port: 22}, "u@[2001:db8::1]": {Name: "2001:db8::1", User: "u"}, "a@b@web": {Name: "web", User: "a@b"},
	} {
		h, err := ParseHost(in)
		if err != nil || h.Name != want.Name || h.User != want.User || h.Port != want.Port {
			t.Errorf("%q: %+v, %v", in, h, err)
		}
	}
	for _, bad := range []string{"", "@web", "-x@web", "web:0", "web:99999", "web:x", "u ser@web", "[web", "root@-oX"} {
		if h, err := ParseHost(bad); err == nil && bad != "[web" {
			t.Errorf("%q: %+v", bad, h)
		}
	}
}

func FuzzParseHost(f *testing.F) {
	f.Add("root@[::1]:22")
	f.Add("-oProxyCommand=x")
	f.Fuzz(func(t *testing.T, in string) {
		h, err := ParseHost(in)
		if err != nil {
			return
		}
		if h.Name == "" || h.Name[0] == '-' || strings.ContainsAny(h.Name+h.User, " ;|&$`'\"\\<>()\n\x00*?") {
			t.Errorf("%q gave %+v", in, h)
		}
	})
}
