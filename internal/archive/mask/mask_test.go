package mask

import (
	"fmt"
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
	{"bindpw", "x"}, {"rootpw", "x"}, {"clientSecret", "x"}, {"clientsecret", "x"}, {"dbpassword", "x"}, {"ldapBindPassword", "x"}, {"authToken", "x"}, {"authtoken", "x"},
	{"snmp.auth.pass", "x"}, {"storageKey", "x"}, {"connectionString", "x"}, {"slack_webhook", "x"}, {"krb5_keytab", "x"}, {"user-credentials", "x"}, {"password2", "x"}, {"PGPASSWORD", "x"},
	{"x", "PuTTY-User-Key-File-3: ssh-ed25519"}, {"x", "{SSHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g="}, {"x", "*2470C0C06DEE42FD1618BB99005ADCA2EC9D1E19"},
	{"x", "grub.pbkdf2.sha512.10000.ABCDEF"}, {"x", "ann:$apr1$abcdefgh$ijklmnopqrstuv"}, {"x", "$P$B55D6LjfHDkINU5wF.v2BuuzO0/XPk/"},
	{"x", "npm_0123456789abcdefghijABCDEFGHIJ012345"}, {"x", "pypi-AgEIcHlwaS5vcmcCJDAwMDAw"}, {"x", "dckr_pat_0123456789abcdefghij"}, {"x", "glsa_0123456789abcdefghij_0a1b2c3d"},
	{"x", "dop_v1_0123456789abcdef0123456789abcdef"}, {"x", "abcdefgh12345.atlasv1.0123456789abcdefghijklmn"}, {"x", "123456789:AAF0123456789abcdefghijABCDEFGHIJKL"},
	{"x", "sk_live_" + "0123456789abcdef"}, {"x", "SG." + "0123456789abcdefgh.0123456789abcdefgh"}, {"x", "sk-ant-0123456789abcdefghijklmnop"},
	{"x", "DefaultEndpointsProtocol=https;AccountName=a;AccountKey=0123456789abcdefghijABCDEFGHIJ=="}, {"x", "https://a.example.com/c?sv=1&sig=0123456789abcdefghij%3D"},
	{"x", "https://s3.example.com/o?X-Amz-Signature=0123456789abcdef0123456789abcdef"}, {"x", "https://hooks.slack.com/services/T000/B000/abc"}, {"x", "https://discord.com/api/webhooks/1/abc"},
	{"x", "[Interface]\nPrivateKey = yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk="}, {"x", "mysqldump --password=hunter2 all"}, {"x", "tool --token hunter2"}, {"x", "sshpass -p hunter2 ssh a"},
	{"x", "curl -u ann:hunter2 https://example.com"}, {"x", "CREATE USER a IDENTIFIED BY 'hunter2'"}, {"x", "<dbPassword>hunter2</dbPassword>"}, {"x", "PGPASSWORD=hunter2 psql"},
	{"x", "DB_PASS=hunter2"}, {"x", "Server=db;User=a;Pwd=hunter2;"}, {"x", "https://example.com/?access_token=hunter2"}, {"x", "db:\n  user: a\n  password: hunter2\n"},
	{"x", "-----BEGIN PGP PRIVATE KEY BLOCK-----"}, {"x", "-----BEGIN ENCRYPTED PRIVATE KEY-----"}, {"x", `{"a":{"b":["x",{"apiKey":"1234"}]}}`},
}

var innocent = []struct{ name, value string }{
	{"katprep_owner", "ann"}, {"author", "someone"}, {"password_expires", "true"}, {"passwords", ""}, {"remote_execution_ssh_keys", `["ssh-ed25519 AAAAC3 ann"]`},
	{"ssh_key", "ssh-rsa AAAAB3Nza"}, {"compass", "north"}, {"bypass", "no"}, {"url", "https://example.com/a:b@c"}, {"note", "nothing to see"},
	{"kt_env", "Library"}, {"price", "$5 and $6"}, {"monkey", "bars"}, {"tokenizer", "x"}, {"root_pass", Masked}, {"list", `["a","b"]`},
	{"secretary", "ann"}, {"sas_controller", "0"}, {"surpass", "1"}, {"note", "the patch passes: all is well"}, {"note", "see https://example.com:8443/path"}, {"note", "ssh -u ann host"},
	{"note", "use --passive mode"}, {"key", "sk-ssh-ed25519@openssh.com AAAA"}, {"key", "sk-ecdsa-sha2-nistp256@openssh.com AAAA"}, {"digest", "sha256:0123456789abcdef0123456789abcdef"},
	{"uuid", "123e4567-e89b-12d3-a456-426614174000"}, {"cve", "CVE-2026-1234"}, {"kernel", "5.14.0-427.el9.x86_64"}, {"mounts", "/ /boot /var"}, {"commit", "0123456789abcdef0123456789abcdef01234567"},
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

// TestWhatPersonsAndServersWrite: texts beside hosts are masked, too.
func TestWhatPersonsAndServersWrite(t *testing.T) {
	r := &Rules{}
	const leak = "GET https://ann:hunter2@example.com: 401"
	given := katprep.Snapshot{
		Sources:  []katprep.Source{{Name: "sat", Problem: leak}, {Name: "lab"}},
		Gaps:     []katprep.Gap{{Problems: []katprep.Problem{{Message: leak}}}},
		Warnings: []katprep.HostWarning{{Message: leak}},
	}
	for what, v := range map[string]any{
		"snapshot":   r.Snapshot(given),
		"decision":   r.Decision(katprep.Decision{Comment: leak}),
		"exceptions": r.Exceptions([]katprep.Exception{{Reason: leak}}),
	} {
		if text := fmt.Sprintf("%+v", v); strings.Contains(text, "hunter2") || !strings.Contains(text, Masked) {
			t.Errorf("%s: %s", what, text)
		}
	}
	if given.Gaps[0].Problems[0].Message != leak || given.Sources[0].Problem != leak {
		t.Error("the caller's values were changed")
	}
}

// TestNothingLeft: whatever is planted in a text for people is gone from it.
func TestNothingLeft(t *testing.T) {
	r := &Rules{}
	for _, p := range planted {
		if r.Value(p.value) == "" {
			continue // secret by its name
		}
		if text := r.Text("before " + p.value + " after"); r.Value(text) != "" || strings.Contains(text, "hunter2") {
			t.Errorf("%q became %q", p.value, text)
		}
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
