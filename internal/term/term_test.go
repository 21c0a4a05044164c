package term

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"unicode"
)

func TestCleanRemovesControl(t *testing.T) {
	for in, want := range map[string]string{
		"web01.example.com":    "web01.example.com",
		"a\x1b[31mb":           "a�[31mb",
		"line\nbreak\ttab":     "line break tab",
		"bidi\u202eevil\u2066": "bidi�evil�",
		"Köln ✓":               "Köln ✓",
		"bell\a c1\u009b31m":   "bell� c1�31m",
	} {
		if got := Clean(in); got != want {
			t.Errorf("Clean(%q) = %q, want %q", in, got, want)
		}
	}
}

func FuzzClean(f *testing.F) {
	f.Add("a\x1b[2Jb\r\n")
	f.Fuzz(func(t *testing.T, s string) {
		for _, r := range Clean(s) {
			if unicode.IsControl(r) {
				t.Fatalf("Clean(%q) keeps %U", s, r)
			}
		}
	})
}

func TestPipeGetsNoStatusAndNoColour(t *testing.T) {
	var out, errw bytes.Buffer
	tm := New(Options{Out: &out, Err: &errw})
	tm.Status("reading %d", 1)
	if got := tm.Styled(Red, "x"); got != "x" {
		t.Errorf("Styled = %q in a pipe", got)
	}
	if errw.Len() != 0 {
		t.Errorf("status in a pipe: %q", errw.String())
	}
}

func TestErrorNamesHint(t *testing.T) {
	var errw bytes.Buffer
	tm := New(Options{Out: &errw, Err: &errw, Quiet: true})
	tm.Note("not shown")
	tm.Error(errors.New("open archive: no\x1bpe"), "katprep init")
	if got, want := errw.String(), "katprep: open archive: no�pe\nhint: katprep init\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestTableAligns(t *testing.T) {
	var out bytes.Buffer
	tm := New(Options{Out: &out, Err: &out, Color: "never"})
	tb := tm.NewTable("HOST", "N")
	tb.Row("wéb01", 7)
	tb.Row(Cell{"x\n", Red}, 12)
	if err := tb.Write(&out); err != nil {
		t.Fatal(err)
	}
	want := strings.Join([]string{"HOST   N", "wéb01  7", "x      12", ""}, "\n")
	if got := out.String(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
