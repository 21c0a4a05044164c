package act

import (
	"math/rand/v2"
	"strings"
	"testing"
)

func TestExcerptKeepsBothEnds(t *testing.T) {
	for _, test := range []struct {
		max    int
		writes []string
		want   string
	}{
		{4, []string{"ab"}, "ab"},
		{4, []string{"abcd", "efgh"}, "abcdefgh"},
		{4, []string{"abcdefghi"}, "abcd\n[… 1 bytes left out …]\nfghi"},
		{4, []string{"abc", "d", "e", "fghij", "k"}, "abcd\n[… 3 bytes left out …]\nhijk"},
		{2, []string{"a\xffb"}, "a\uFFFDb"},
		{3, []string{strings.Repeat("x", 100), "yz!"}, "xxx\n[… 97 bytes left out …]\nyz!"},
	} {
		e := NewExcerpt(test.max)
		for _, w := range test.writes {
			if n, err := e.Write([]byte(w)); n != len(w) || err != nil {
				t.Fatalf("Write(%q) = %d, %v", w, n, err)
			}
		}
		if got := e.String(); got != test.want {
			t.Errorf("max %d, %q: got %q, want %q", test.max, test.writes, got, test.want)
		}
	}
}

// However an output is cut into writes, the excerpt is the same.
func TestExcerptDoesNotDependOnWrites(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		text := make([]byte, rng.IntN(300))
		for i := range text {
			text[i] = byte('a' + i%26)
		}
		whole, parts := NewExcerpt(16), NewExcerpt(16)
		whole.Write(text)
		for rest := text; len(rest) > 0; {
			n := 1 + rng.IntN(len(rest))
			parts.Write(rest[:n])
			rest = rest[n:]
		}
		if whole.String() != parts.String() {
			t.Fatalf("%d bytes: %q in one write, %q in several", len(text), whole, parts)
		}
	}
}
