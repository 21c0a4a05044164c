package mask

import (
	"strings"
	"testing"

	"github.com/stdevel/katprep"
)

// planted are secrets of many shapes, by harmless names, and plain values by
// telling names. None is real.
var planted = []struct{ name, value string }{
	{"root_pass", "hunter2"}, {"db_password", "x7"}, {"DB_PASSWD", "abc"}, {"adminPassword", "abc"}, {"vault-token", "abc"}, {"snmp_community", "public"},
	{"api_key", "1234"}, {"apikey", "1234"}, {"AWS_SECRET_ACCESS_KEY", "wJalr/K7"}, {"ssh.private.key", "abc"}, {"oauth_client_secret", "abc"},
	{"note", "-----BEGIN OPENSSH PRIVATE KEY-----\nb3Bl\n-----END"}, {"note", "-----BEGIN RSA PRIVATE KEY-----"},
	{"hash", "$6$saltsalt$qwertyuiopasdfghjkl"}, {"hash", "$y$j9T$abcdefgh$ijklmnop"}, {"hash", "$2b$12$abcdefghijklmnopqrstuv"},
	{"x", "AKIAIOSFODNN7EXAMPLE"}, {"x", "ghp_0123456789abcdefghijABCDEFGHIJ"}, {"x", "glpat-0123456789abcdefghij"}, {"x", "xoxb-123456789012-abcdef"},
	{"x", "hvs.CAESIJabcdefghijklmnop"}, {"x", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.abc"}, {"proxy", "http://user:pa55@proxy.example.com:3128"},
	{"note", "log in with password=hunter2 please"}, {"note", "Authorization: Bearer abcdefghijklmnop1234"}, {"x", "$ANSIBLE_VAULT;1.1;AES256"},
	{"config", `{"db":{"user":"a","password":"hunter2"}}`}, {"config", `[{"token":12345}]`}, {"x", "AGE-SECRET-KEY-1QQQQQQQQQQQQQQQQQQQQQQQQQQQQ"},
	{"x", "AIzaSyA0123456789abcdefghijklmnopqrstuv"},
}

var innocent = []struct{ name, value string }{
	{"katprep_owner", "ann"}, {"author", "someone"}, {"password_expires", "true"}, {"passwords", ""}, {"remote_execution_ssh_keys", `["ssh-ed25519 AAAAC3 ann"]`},
	{"ssh_key", "ssh-rsa AAAAB3Nza"}, {"compass", "north"}, {"bypass", "no"}, {"url", "https://example.com/a:b@c"}, {"note", "nothing to see"},
	{"kt_env", "Library"}, {"price", "$5 and $6"}, {"monkey", "bars"}, {"tokenizer", "x"}, {"root_pass", Masked}, {"list", `["a","b"]`},
}

func TestSecrets(t *testing.T) {
	r := &Rules{Names: []string{"*_Geheim", "magic"}}
	for _, p := range planted {
		if r.Secret(p.name, p.value) == "" {
			t.Errorf("%s = %s is not found", p.name, p.value)
		}
	}
	for _, p := range innocent {
		if why := r.Secret(p.name, p.value); why != "" {
			t.Errorf("%s = %s: %s", p.name, p.value, why)
		}
	}
	for _, n := range []string{"my_geheim", "MAGIC"} {
		if r.Secret(n, "abc") == "" {
			t.Errorf("%s is not found", n)
		}
	}
}

func TestState(t *testing.T) {
	r := &Rules{}
	s := katprep.State{Problems: []katprep.Problem{{Message: "GET https://a:secretpw@example.com: 401"}}}
	s.Facts.Extra = map[string]string{"os": "rhel"}
	s.Facts.Comment = "password: hunter2"
	for i, p := range planted {
		s.Parameters = append(s.Parameters, katprep.Parameter{Name: p.name, Value: p.value})
		s.Facts.Extra[p.name+strings.Repeat("_", i)] = p.value
	}
	s.Parameters = append(s.Parameters, katprep.Parameter{Name: "owner", Value: "ann"})
	given := s.Parameters[0]
	if n := len(r.Leaks(&s)); n != 2*len(planted)+2 {
		t.Errorf("%d leaks of %d planted", n, 2*len(planted)+2)
	}
	masked := s
	r.State(&masked)
	if s.Parameters[0] != given || s.Facts.Extra["root_pass"] != "hunter2" || s.Problems[0].Message == masked.Problems[0].Message {
		t.Error("the caller's values were changed")
	}
	if left := r.Leaks(&masked); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
	last := masked.Parameters[len(masked.Parameters)-1]
	if last.Value != "ann" || last.Masked || !masked.Parameters[0].Masked || masked.Parameters[0].Value != Masked {
		t.Errorf("parameters %+v", masked.Parameters)
	}
}

func TestEntry(t *testing.T) {
	r := &Rules{}
	e := r.Entry(katprep.Entry{Message: "curl -u: token=abcdef failed", Data: map[string]string{"password": "hunter2", "url": "http://a:b@c/", "task": "7"}})
	if strings.Contains(e.Message, "abcdef") || e.Data["password"] != Masked || strings.Contains(e.Data["url"], "a:b@") || e.Data["task"] != "7" {
		t.Errorf("%+v", e)
	}
}

func FuzzText(f *testing.F) {
	for _, p := range planted {
		f.Add(p.name, p.value)
	}
	r := &Rules{}
	f.Fuzz(func(t *testing.T, name, value string) {
		s := katprep.State{Parameters: []katprep.Parameter{{Name: name, Value: value}}}
		s.Facts.Comment = value
		r.State(&s)
		if s.Parameters[0].Value != value && !s.Parameters[0].Masked {
			t.Fatal("changed but not masked")
		}
		if r.Secret(name, s.Parameters[0].Value) != "" && !s.Parameters[0].Masked {
			t.Fatalf("%q = %q is left", name, s.Parameters[0].Value)
		}
	})
}
