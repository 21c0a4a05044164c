package vm

import (
	"regexp"
	"strings"

	"github.com/stdevel/katprep/act"
)

// A Mark is what a snapshot's description says of itself, so that nobody
// else's snapshot of the same name is taken for ours, and a revert knows
// whether the VM ran.
type Mark struct {
	Marker  act.Marker
	Running bool // the VM ran when the snapshot was made
	// Quiesced says that the snapshot was only to be made quiesced, for
	// hypervisors that do not tell afterwards.
	Quiesced bool
}

const (
	markPrefix = "katprep: "
	markRan    = " (running)"
	markFrozen = " (running, quiesced)"
	maxText    = 400 // characters of the description that follow the mark
)

// Describe puts the mark into the first line of a description.
func Describe(m Mark, text string) string {
	first := markPrefix + string(m.Marker)
	switch {
	case m.Running && m.Quiesced:
		first += markFrozen
	case m.Running:
		first += markRan
	}
	if text = clean(text); text == "" {
		return first
	}
	return first + "\n" + text
}

// ParseMark reads the first line of a description; the zero Mark is
// somebody else's.
func ParseMark(description string) Mark {
	first, _, _ := strings.Cut(description, "\n")
	rest, ok := strings.CutPrefix(strings.TrimSpace(first), markPrefix)
	if !ok {
		return Mark{}
	}
	marker, frozen := strings.CutSuffix(rest, markFrozen)
	marker, ran := strings.CutSuffix(marker, markRan)
	if act.Marker(marker).Check() != nil {
		return Mark{}
	}
	return Mark{Marker: act.Marker(marker), Running: ran || frozen, Quiesced: frozen}
}

// markedName is a name that holds the mark, for hypervisors that have no
// description, or set it only after the snapshot is made.
var markedName = regexp.MustCompile(`^(katprep-\S+) \[katprep(, running(, quiesced)?)?\]$`)

// MarkedName puts the mark into a snapshot's name:
// "katprep-run-1 [katprep, running, quiesced]".
func MarkedName(m Mark) string {
	name := string(m.Marker) + " [katprep"
	if m.Running {
		name += ", running"
		if m.Quiesced {
			name += ", quiesced"
		}
	}
	return name + "]"
}

// ParseMarkedName reads a name; the zero Mark is somebody else's.
func ParseMarkedName(name string) Mark {
	p := markedName.FindStringSubmatch(name)
	if p == nil || act.Marker(p[1]).Check() != nil {
		return Mark{}
	}
	return Mark{Marker: act.Marker(p[1]), Running: p[2] != "", Quiesced: p[3] != ""}
}

// clean keeps what every hypervisor stores unchanged: valid, printable text
// in one bounded line.
func clean(s string) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t' || r == '\r':
			return ' '
		case r < ' ' || r == 0x7f || r == '\uFFFE' || r == '\uFFFF':
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, ""))
	if runes := []rune(s); len(runes) > maxText {
		s = string(runes[:maxText]) + "…"
	}
	return strings.TrimSpace(s)
}
