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

func TestTableCutsAColumn(t *testing.T) {
	const reason = "job 16 failed on the host: Cannot download repomd.xml"
	for _, tc := range []struct {
		columns, cut int
		want         string
	}{
		{0, 1, "web01  " + reason + "  downtime"},
		{40, -1, "web01  " + reason + "  downtime"},
		{200, 1, "web01  " + reason + "  downtime"},
		{50, 1, "web01  job 16 failed on the host: Canno…  downtime"},
		{10, 1, "web01  job 16 failed on th…  downtime"},
	} {
		tb := New(Options{}).NewTable("HOST", "REASON", "LEFT")
		tb.Row("web01", reason, "downtime")
		tb.Row("web02", "", "")
		tb.Cut(tc.cut)
		tb.fit(tc.columns)
		var b strings.Builder
		if err := tb.Write(&b); err != nil {
			t.Fatal(err)
		}
		if lines := strings.Split(b.String(), "\n"); lines[1] != tc.want {
			t.Errorf("%d columns: %q, want %q", tc.columns, lines[1], tc.want)
		} else if lines[2] != "web02" {
			t.Errorf("a row with blanks at its end: %q", lines[2])
		}
	}
}
