package creds

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stdevel/katprep"
)

// answers is a person with prepared answers.
type answers struct {
	list  []string
	asked []string
}

func (a *answers) Ask(_ context.Context, question string, secret bool) (string, error) {
	a.asked = append(a.asked, question)
	if len(a.list) == 0 {
		return "", errors.New("asked too often")
	}
	v := a.list[0]
	a.list = a.list[1:]
	return v, nil
}

func secretFile(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// credentialFile makes a file with a passphrase, cheap to open.
func credentialFile(t *testing.T, passphrase string, logins map[string]Login) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "credentials.age")
	f := NewFile(path)
	f.workFactor = 8
	if err := f.Protect(NewSecret(passphrase)); err != nil {
		t.Fatal(err)
	}
	for name, l := range logins {
		f.Set(name, l)
	}
	if err := f.Save(); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestOrder(t *testing.T) {
	file := credentialFile(t, "correct horse", map[string]Login{"satellite": {User: "file-user", Password: NewSecret("file")}})
	systemd := t.TempDir()
	if err := os.WriteFile(filepath.Join(systemd, "satellite"), []byte("systemd\nuser: systemd-user\n"), 0o400); err != nil {
		t.Fatal(err)
	}
	env := map[string]string{PassphraseVariable: "correct horse", "PATH": os.Getenv("PATH")}
	with := func(kv ...string) map[string]string {
		m := map[string]string{}
		for k, v := range env {
			m[k] = v
		}
		for i := 0; i < len(kv); i += 2 {
			m[kv[i]] = kv[i+1]
		}
		return m
	}
	printf := func(s string) []string { return []string{"printf", s} }
	ring := fakeKeyring{"satellite": `{"user":"ring-user","password":"ring"}`}
	for _, x := range []struct {
		name string
		o    Options
		only bool
		want string
	}{
		{"environment first", Options{Env: with("KATPREP_CREDENTIAL_SATELLITE_USER", "u", "KATPREP_CREDENTIAL_SATELLITE_PASSWORD", "p", "CREDENTIALS_DIRECTORY", systemd), File: file}, false, "u p environment"},
		{"predecessor's variables", Options{Env: with("FOREMAN_LOGIN", "old", "FOREMAN_PASSWORD", "older"), File: file}, true, "old older environment"},
		{"predecessor's variables are not for one of several", Options{Env: with("FOREMAN_LOGIN", "old", "FOREMAN_PASSWORD", "older"), File: file}, false, "file-user file credential file"},
		{"systemd", Options{Env: with("CREDENTIALS_DIRECTORY", systemd), File: file, Commands: map[string][]string{"satellite": printf("own")}}, false, "systemd-user systemd systemd credentials"},
		{"own command", Options{Env: env, File: file, Commands: map[string][]string{"satellite": printf("own\nlogin: {{name}}\n")}}, false, "satellite own command"},
		{"file", Options{Env: env, File: file, Command: printf("any\nuser: x\n"), Keyring: true}, false, "file-user file credential file"},
		{"command", Options{Env: env, Command: printf("any\nuser: x\n"), Keyring: true}, false, "x any command"},
		{"keyring", Options{Env: env, Keyring: true}, false, "ring-user ring keyring"},
		{"prompt last", Options{Env: env, Prompt: &answers{list: []string{"me", "typed"}}}, false, "me typed prompt"},
		{"user from the environment, password from elsewhere", Options{Env: with("KATPREP_CREDENTIAL_SATELLITE_USER", "file-user"), File: file}, false, "file-user file credential file"},
		{"never another user's password", Options{Env: with("KATPREP_CREDENTIAL_SATELLITE_USER", "other"), File: file, Prompt: &answers{list: []string{"typed"}}}, false, "other typed prompt"},
	} {
		f := New(x.o)
		f.keyring = ring
		l, origin, err := f.Find(t.Context(), Request{Name: "satellite", Kind: Management, Only: x.only})
		if err != nil {
			t.Errorf("%s: %v", x.name, err)
			continue
		}
		if got := l.User + " " + l.Password.Reveal() + " " + string(origin); got != x.want {
			t.Errorf("%s: %s, want %s", x.name, got, x.want)
		}
	}
}

type fakeKeyring map[string]string

func (k fakeKeyring) get(name string) (string, error) { return k[name], nil }
func (k fakeKeyring) set(name, secret string) error   { k[name] = secret; return nil }

func TestFoundOnlyOnce(t *testing.T) {
	a := &answers{list: []string{"me", "typed"}}
	f := New(Options{Prompt: a})
	for range 3 {
		if _, _, err := f.Find(t.Context(), Request{Name: "x", For: "x at https://x"}); err != nil {
			t.Fatal(err)
		}
	}
	if len(a.asked) != 2 || !strings.Contains(a.asked[0], "https://x") {
		t.Errorf("asked %q", a.asked)
	}
}

// The passphrase of the file is asked for once, whatever is asked of it.
func TestPassphraseAskedOnce(t *testing.T) {
	path := credentialFile(t, "correct horse", map[string]Login{"a": {User: "u", Password: NewSecret("p")}, "b": {User: "v", Password: NewSecret("q")}})
	person := &answers{list: []string{"correct horse"}}
	f := New(Options{File: path, Prompt: person})
	if file, err := f.Open(t.Context(), path); err != nil || len(file.Names()) != 2 {
		t.Fatal(err)
	}
	for _, name := range []string{"a", "b"} {
		if _, origin, err := f.Lookup(t.Context(), Request{Name: name}); err != nil || origin != "credential file" {
			t.Errorf("look up %s: %s, %v", name, origin, err)
		}
		if _, _, err := f.Find(t.Context(), Request{Name: name}); err != nil {
			t.Error(err)
		}
	}
	if _, _, err := f.Lookup(t.Context(), Request{Name: "nobody"}); katprep.KindOf(err) != katprep.NotFound {
		t.Errorf("not there: %v", err)
	}
	if len(person.asked) != 1 {
		t.Errorf("asked %q", person.asked)
	}
}

func TestNothingFound(t *testing.T) {
	_, _, err := New(Options{File: "/nonexistent/credentials.age"}).Find(t.Context(), Request{Name: "my-sat.1"})
	if katprep.KindOf(err) != katprep.NotFound || !strings.Contains(katprep.HintOf(err), "KATPREP_CREDENTIAL_MY_SAT_1_PASSWORD") {
		t.Errorf("%v, hint %q", err, katprep.HintOf(err))
	}
}

func TestCommandFails(t *testing.T) {
	env := map[string]string{"PATH": os.Getenv("PATH"), "KATPREP_CREDENTIAL_OTHER_PASSWORD": "leak", "FOREMAN_PASSWORD": "leak", PassphraseVariable: "leak", "VISIBLE": "yes"}
	for _, x := range []struct {
		command []string
		says    string
	}{
		{[]string{"sh", "-c", "echo s3cret; echo sealed >&2; exit 2"}, "sealed"},
		{[]string{"true"}, "printed no password"},
		{[]string{"/nonexistent/command"}, "no such file"},
	} {
		_, _, err := New(Options{Env: env, Command: x.command}).Find(t.Context(), Request{Name: "x"})
		if err == nil || !strings.Contains(err.Error(), x.says) || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%q: %v", x.command, err)
		}
	}
	l, _, err := New(Options{Env: env, Command: []string{"sh", "-c", "printf '%s\\nuser: x\\n' \"$(env | grep -c leak)$VISIBLE\""}}).Find(t.Context(), Request{Name: "x"})
	if err != nil || l.Password.Reveal() != "0yes" {
		t.Errorf("environment of the command: %q, %v", l.Password.Reveal(), err)
	}
}

func TestFileRoundTrip(t *testing.T) {
	want := map[string]Login{"a": {User: "ü", Password: NewSecret("pässwörd\n ")}, "b": {User: "root", Password: NewSecret("x")}}
	path := credentialFile(t, "correct horse", want)
	st, err := os.Stat(path)
	if err != nil || st.Mode().Perm() != 0o600 {
		t.Fatalf("mode %v, %v", st.Mode(), err)
	}
	b, err := os.ReadFile(path)
	if err != nil || strings.Contains(string(b), "root") {
		t.Fatalf("not encrypted: %s %v", b, err)
	}
	f, err := OpenFile(t.Context(), path, passphrase("correct horse"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range f.Names() {
		if l, ok := f.Get(name); !ok || l != want[name] {
			t.Errorf("%s: %+v", name, l)
		}
	}
	if f.Remove("nobody") || !f.Remove("a") || !slices.Equal(f.Names(), []string{"b"}) {
		t.Errorf("after removing: %v", f.Names())
	}
}

func passphrase(p string) Key {
	return Key{Passphrase: func(context.Context) (Secret, error) { return NewSecret(p), nil }}
}

func TestFileRefused(t *testing.T) {
	good := credentialFile(t, "correct horse", map[string]Login{"a": {User: "u", Password: NewSecret("s3cret")}})
	b, err := os.ReadFile(good)
	if err != nil {
		t.Fatal(err)
	}
	open := credentialFile(t, "correct horse", nil)
	if err := os.Chmod(open, 0o644); err != nil {
		t.Fatal(err)
	}
	cut := secretFile(t, "cut.age", string(b[:len(b)/2]))
	text := secretFile(t, "text.age", `{"a":{"user":"u"}}`)
	for _, x := range []struct {
		path, pass string
		kind       katprep.Kind
	}{
		{good, "wrong horse", katprep.Unlock}, {good, "", katprep.Unlock}, {open, "correct horse", katprep.Denied},
		{cut, "correct horse", katprep.Corrupt}, {text, "correct horse", katprep.Corrupt}, {good + ".not", "x", katprep.NotFound},
		{filepath.Dir(good), "x", katprep.Denied},
	} {
		_, err := OpenFile(t.Context(), x.path, passphrase(x.pass))
		if k := katprep.KindOf(err); err == nil || k != x.kind && !(x.kind == katprep.Denied && k == katprep.Invalid) {
			t.Errorf("%s with %q: %v", filepath.Base(x.path), x.pass, err)
		}
	}
}

func TestTwoWriters(t *testing.T) {
	path := credentialFile(t, "correct horse", map[string]Login{"a": {User: "u", Password: NewSecret("p")}})
	open := func() *File {
		f, err := OpenFile(t.Context(), path, passphrase("correct horse"))
		if err != nil {
			t.Fatal(err)
		}
		f.workFactor = 8
		return f
	}
	first, second := open(), open()
	first.Set("b", Login{User: "u", Password: NewSecret("p")})
	if err := first.Save(); err != nil {
		t.Fatal(err)
	}
	second.Set("c", Login{User: "u", Password: NewSecret("p")})
	if err := second.Save(); katprep.KindOf(err) != katprep.Conflict {
		t.Errorf("second writer: %v", err)
	}
	if err := os.WriteFile(path+".new", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := first.Save(); katprep.KindOf(err) != katprep.Locked {
		t.Errorf("while another writes: %v", err)
	}
	if err := os.Remove(path + ".new"); err != nil {
		t.Fatal(err)
	}
	if err := first.Save(); err != nil {
		t.Error(err)
	}
	if got := open().Names(); !slices.Equal(got, []string{"a", "b"}) {
		t.Errorf("in the file: %v", got)
	}
	left, err := filepath.Glob(filepath.Join(filepath.Dir(path), "*"))
	if err != nil || len(left) != 1 {
		t.Errorf("left over: %v", left)
	}
}

func TestSecretsNeverShow(t *testing.T) {
	l := Login{User: "u", Password: NewSecret("s3cret")}
	b, err := json.Marshal(l)
	if err != nil {
		t.Fatal(err)
	}
	shown := fmt.Sprintf("%v %+v %#v %s %q %s", l, l, l, l.Password, l.Password, b)
	if strings.Contains(shown, "s3cret") || !strings.Contains(shown, "redacted") {
		t.Error(shown)
	}
}

func TestPipeIsNeverAsked(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	if Terminal(r, w) != nil || Terminal(strings.NewReader("x"), w) != nil {
		t.Error("a pipe would be asked")
	}
}
