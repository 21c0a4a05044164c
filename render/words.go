package render

import (
	"strings"
	"unicode"

	"github.com/stdevel/katprep"
)

// A Word is a state as readers see it: never by colour alone, always with a
// shape and a word. Class is its CSS class.
type Word struct {
	Shape string
	Text  string
	Class string
}

// String returns shape and word: "✓ installed".
func (w Word) String() string { return w.Shape + " " + w.Text }

// EndingWord returns the word for what became of an erratum or an update. An
// ending that this version does not know reads as unknown.
func EndingWord(e katprep.Ending) Word {
	switch e {
	case katprep.Installed:
		return Word{"✓", "installed", "good"}
	case katprep.RebootPending:
		return Word{"↻", "installed, reboot pending", "wait"}
	case katprep.NoLonger:
		return Word{"∅", "no longer applicable", "none"}
	case katprep.Pending:
		return Word{"○", "pending", "open"}
	case katprep.New:
		return Word{"+", "new", "new"}
	}
	return Word{"?", "unknown", "bad"}
}

// PresenceWord returns the word for a host in a comparison. A host in both
// snapshots is changed or unchanged.
func PresenceWord(h *katprep.HostChange) Word {
	switch h.Presence {
	case katprep.InBoth:
		if h.Changed() {
			return Word{"●", "changed", "good"}
		}
		return Word{"=", "unchanged", "none"}
	case katprep.OnlyBefore:
		return Word{"−", "removed", "wait"}
	case katprep.OnlyAfter:
		return Word{"+", "added", "new"}
	case katprep.NotSelected:
		return Word{"·", "not selected", "none"}
	}
	return Word{"?", "unknown", "bad"}
}

// KindWord returns the word for a package change; a downgrade is loud.
func KindWord(k katprep.PackageKind) Word {
	switch k {
	case katprep.Upgraded:
		return Word{"↑", "upgraded", "good"}
	case katprep.Downgraded:
		return Word{"↓", "downgraded", "bad"}
	case katprep.Added:
		return Word{"+", "added", "new"}
	case katprep.Removed:
		return Word{"−", "removed", "wait"}
	}
	return Word{"≠", "changed", "open"}
}

// SeverityWord returns the word for a severity; filled blocks grow with it.
func SeverityWord(s katprep.Severity) Word {
	switch s {
	case katprep.Critical:
		return Word{"▰▰▰▰", "critical", "sev4"}
	case katprep.Important:
		return Word{"▰▰▰▱", "important", "sev3"}
	case katprep.Moderate:
		return Word{"▰▰▱▱", "moderate", "sev2"}
	case katprep.Low:
		return Word{"▰▱▱▱", "low", "sev1"}
	case katprep.SeverityNone:
		return Word{"▱▱▱▱", "not rated", "sev0"}
	}
	return Word{"▱▱▱▱", Line(string(s)), "sev0"}
}

// RebootWord returns the word for whether a host was rebooted.
func RebootWord(a katprep.Answer) Word {
	switch a {
	case katprep.Yes:
		return Word{"✓", "rebooted", "good"}
	case katprep.No:
		return Word{"–", "not rebooted", "none"}
	}
	return Word{"?", "unknown", "bad"}
}

// NeedWord returns the word for whether a host must be rebooted.
func NeedWord(n katprep.Need) Word {
	switch n {
	case katprep.Needed:
		return Word{"↻", "reboot needed", "wait"}
	case katprep.NotNeeded:
		return Word{"✓", "no reboot needed", "good"}
	}
	return Word{"?", "unknown", "bad"}
}

// A Span is a part of a version; Changed parts differ from the other version.
type Span struct {
	Text    string
	Changed bool
}

// Mark splits two versions into what they share and what differs, at the
// borders of numbers and words.
func Mark(from, to katprep.EVR) (a, b []Span) {
	ta, tb := tokens(Line(string(from))), tokens(Line(string(to)))
	if len(ta) == 0 || len(tb) == 0 {
		return spans(nil, ta, nil), spans(nil, tb, nil)
	}
	pre := 0
	for pre < len(ta) && pre < len(tb) && ta[pre] == tb[pre] {
		pre++
	}
	post := 0
	for post < len(ta)-pre && post < len(tb)-pre && ta[len(ta)-1-post] == tb[len(tb)-1-post] {
		post++
	}
	return spans(ta[:pre], ta[pre:len(ta)-post], ta[len(ta)-post:]),
		spans(tb[:pre], tb[pre:len(tb)-post], tb[len(tb)-post:])
}

func spans(pre, mid, post []string) []Span {
	var out []Span
	for i, part := range [][]string{pre, mid, post} {
		if s := strings.Join(part, ""); s != "" {
			out = append(out, Span{s, i == 1 && (pre != nil || post != nil)})
		}
	}
	return out
}

// tokens splits a version into runs of digits, runs of letters, and single
// other characters.
func tokens(s string) []string {
	var out []string
	class := func(r rune) int {
		switch {
		case unicode.IsDigit(r):
			return 1
		case unicode.IsLetter(r):
			return 2
		}
		return 0
	}
	last := 0
	for _, r := range s {
		c := class(r)
		if c != 0 && c == last {
			out[len(out)-1] += string(r)
		} else {
			out = append(out, string(r))
		}
		last = c
	}
	return out
}
