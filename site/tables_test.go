package site

import (
	"encoding/json"
	"testing"
)

// FuzzAppendJSON holds that the short way writes what encoding/json writes.
func FuzzAppendJSON(f *testing.F) {
	for _, s := range []string{"", "plain text, with ~ and /", "<b>&", "a\"b\\c", "\x00\n\t\x7f", "é\u2028", "\xff"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		want, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		if got := appendJSON(nil, s); string(got) != string(want) {
			t.Errorf("%q: %s, not %s", s, got, want)
		}
	})
}
