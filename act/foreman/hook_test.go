package foreman

import (
	"encoding/base64"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stdevel/katprep/act"
)

func TestUnwrap(t *testing.T) {
	b := func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) + "\n" }
	good := "katprep-head\n" + b("first\n") + "katprep-tail\n" + b("last\n") + "katprep-end 3 0 12\n"
	for name, tc := range map[string]struct {
		text string
		ok   bool
		exit int
		out  string
	}{
		"whole":         {good, true, 3, "first\nlast\n"},
		"noise around":  {"Last login\n" + good + "Exit status: 3", true, 3, "first\nlast\n"},
		"cut off":       {good[:len(good)-5], false, 0, ""},
		"nothing":       {"", false, 0, ""},
		"not base64":    {strings.Replace(good, b("first\n"), "!!!\n", 1), false, 0, ""},
		"forged output": {"katprep-head\n" + b("katprep-tail\nkatprep-end 0 0 1\n") + "katprep-tail\n\nkatprep-end 9 1 1\n", true, 9, "katprep-tail\nkatprep-end 0 0 1\n"},
	} {
		o, ok := unwrap(tc.text)
		if ok != tc.ok || ok && (o.Exit != tc.exit || o.Output != tc.out) {
			t.Errorf("%s: %+v, %v", name, o, ok)
		}
	}
}

func FuzzUnwrap(f *testing.F) {
	f.Add("katprep-head\nYQ==\nkatprep-tail\n\nkatprep-end 3 0 12\n")
	f.Fuzz(func(t *testing.T, s string) {
		if o, ok := unwrap(s); ok && !utf8.ValidString(o.Output) {
			t.Errorf("output %q", o.Output)
		}
	})
}

// FuzzWrap: nothing of a script's text, environment or input reaches the
// shell but as data.
func FuzzWrap(f *testing.F) {
	f.Add("echo hi", "x", "'; reboot; '")
	f.Add("KATPREP\nreboot\n", "a'b", "\n$(id)\n@SCRIPT@")
	f.Fuzz(func(t *testing.T, text, stdin, value string) {
		w := wrap(act.Script{Text: text, Stdin: []byte(stdin), Env: map[string]string{"X": value}})
		_, rest, _ := strings.Cut(w, "export X='")
		for i := 0; i < len(rest); i++ {
			if rest[i] != '\'' {
				continue
			}
			if strings.HasPrefix(rest[i:], `'\''`) {
				i += 3
				continue
			}
			if !strings.HasPrefix(rest[i:], "'\nexec timeout ") {
				t.Fatalf("the value ends early: %q", rest[:i+1])
			}
			return
		}
		t.Fatal("the value has no end")
	})
}

func TestErrataQuery(t *testing.T) {
	a := &Actor{features: map[string]int64{errataByID: 1, errataBySearch: 2}}
	for want, r := range map[string]act.PatchRequest{
		"":                        {Packages: []string{"bash"}},
		"1 errata=A,B":            {Errata: []string{"A", "B"}},
		"2 query=type = security": {All: true, Security: true},
		"2 query=type = security or errata_id ^ (A, B)": {All: true, Security: true, Errata: []string{"A", "B"}},
	} {
		o, ok, err := a.errataOrder(t.Context(), r)
		got := ""
		switch {
		case o.template == 1:
			got = "1 errata=" + o.inputs["errata"]
		case o.template == 2:
			got = "2 query=" + o.inputs[errataQuery]
		}
		if got != want || !ok || err != nil {
			t.Errorf("%+v: %q, %v, %v", r, got, ok, err)
		}
	}
	a.features = map[string]int64{errataBySearch: 2}
	if o, ok, _ := a.errataOrder(t.Context(), act.PatchRequest{Errata: []string{"A"}}); !ok || o.inputs[errataQuery] != "errata_id ^ (A)" {
		t.Errorf("%+v, %v", o, ok)
	}
	a.features = map[string]int64{}
	if _, ok, _ := a.errataOrder(t.Context(), act.PatchRequest{Errata: []string{"A"}}); ok {
		t.Error("no template, and yet possible")
	}
}
