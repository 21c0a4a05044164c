package diff

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func show(lines []Line) string {
	var b strings.Builder
	for _, l := range lines {
		fmt.Fprintf(&b, "%d,%d%s", l.Before, l.After, l.Op)
		for _, s := range l.Spans {
			if s.Changed {
				fmt.Fprintf(&b, "[%s]", s.Text)
			} else {
				b.WriteString(s.Text)
			}
		}
		b.WriteByte('\n')
	}
	return b.String()
}

func TestText(t *testing.T) {
	for name, c := range map[string]struct{ a, b, want string }{
		"same":          {"a\nb\n", "a\nb\n", "1,1 a\n2,2 b\n"},
		"both empty":    {"", "", ""},
		"from nothing":  {"", "x\ny\n", "0,1+[x]\n0,2+[y]\n"},
		"to nothing":    {"x\n", "", "1,0-[x]\n"},
		"inline":        {"head\nopenssl 3.0.7-24.el9\n", "head\nopenssl 3.0.7-25.el9\n", "1,1 head\n2,0-openssl 3.0.7-2[4].el9\n0,2+openssl 3.0.7-2[5].el9\n"},
		"little common": {"abcdefgh\n", "zyxwvuta\n", "1,0-[abcdefgh]\n0,1+[zyxwvuta]\n"},
		"line added":    {"a\nc\n", "a\nb\nc\n", "1,1 a\n0,2+[b]\n2,3 c\n"},
		"no final line": {"a", "a\n", "1,1 a\n"},
		"not UTF-8":     {"ab\xffcd\n", "ab\xfecd\n", "1,0-[ab\xffcd]\n0,1+[ab\xfecd]\n"},
		"empty line":    {"\n", "x\n", "1,0-[]\n0,1+[x]\n"},
	} {
		if d := cmp.Diff(c.want, show(Text(c.a, c.b))); d != "" {
			t.Errorf("%s: %s", name, d)
		}
	}
}

func TestTextOfManyLines(t *testing.T) {
	var a, b strings.Builder
	for i := range 70_000 { // more different lines than there are characters below the surrogates
		fmt.Fprintf(&a, "line %d\n", i)
		if i%1000 != 999 {
			fmt.Fprintf(&b, "line %d\n", i)
		}
	}
	checkText(t, a.String(), b.String())
	small := strings.Join(strings.SplitAfter(a.String(), "\n")[:40_000], "")
	checkText(t, small, strings.ReplaceAll(small, "00\n", "0x\n"))
}

// checkText: the lines give both texts again, in order, and numbers count up.
func checkText(t *testing.T, a, b string) {
	t.Helper()
	var gotA, gotB []string
	for _, l := range Text(a, b) {
		if l.Op != Insert {
			gotA = append(gotA, l.String())
			if l.Before != len(gotA) {
				t.Fatalf("line %d of the first text has number %d", len(gotA), l.Before)
			}
		}
		if l.Op != Delete {
			gotB = append(gotB, l.String())
			if l.After != len(gotB) {
				t.Fatalf("line %d of the second text has number %d", len(gotB), l.After)
			}
		}
	}
	if strings.Join(gotA, "\n") != strings.TrimSuffix(a, "\n") || strings.Join(gotB, "\n") != strings.TrimSuffix(b, "\n") {
		t.Fatalf("texts do not come back")
	}
}

func FuzzText(f *testing.F) {
	f.Add("a\nb\nc", "a\nx\nc\n")
	f.Add("ünïcode\n", "unicode\n")
	f.Add("\xff\n", "\xfe\n\n\n")
	f.Fuzz(func(t *testing.T, a, b string) {
		checkText(t, a, b)
		for _, l := range Text(a, a) {
			if l.Op != Same {
				t.Fatalf("%q differs from itself", a)
			}
		}
	})
}
