package render

import "github.com/stdevel/katprep"

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
	x, y := Line(string(from)), Line(string(to))
	if x == "" || y == "" {
		return spans(x, 0, len(x), false), spans(y, 0, len(y), false)
	}
	pre := 0
	for pre < len(x) && pre < len(y) && x[pre] == y[pre] {
		pre++
	}
	for !border(x, pre) || !border(y, pre) {
		pre--
	}
	post := 0
	for post < len(x)-pre && post < len(y)-pre && x[len(x)-1-post] == y[len(y)-1-post] {
		post++
	}
	for !border(x, len(x)-post) || !border(y, len(y)-post) {
		post--
	}
	return spans(x, pre, len(x)-post, true), spans(y, pre, len(y)-post, true)
}

// spans cuts s into the part before i, the part before j, which is marked if
// wanted, and the rest.
func spans(s string, i, j int, mark bool) []Span {
	out := make([]Span, 0, 3)
	for n, part := range [...]string{s[:i], s[i:j], s[j:]} {
		if part != "" {
			out = append(out, Span{part, mark && n == 1})
		}
	}
	return out
}

// border reports whether a number, a word or a sign begins or ends at i.
func border(s string, i int) bool {
	return i == 0 || i == len(s) || class(s[i-1]) != class(s[i]) || class(s[i]) == 0
}

// class tells digits, letters and signs apart. A byte of a longer character
// counts as a letter, so that none is cut.
func class(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return 1
	case alnum(c), c >= 0x80:
		return 2
	}
	return 0
}
