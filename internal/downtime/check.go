package downtime

import (
	"strings"
	"time"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/act"
)

// longestComment bounds what is sent to any system, the marker included.
const longestComment = 250

// CheckMarker refuses a marker that is none, or that a system would change on
// its way.
func CheckMarker(m act.Marker) error {
	if err := m.Check(); err != nil {
		return err
	}
	if i := strings.IndexAny(string(m), "<>&"); i >= 0 {
		return katprep.Errorf(katprep.Invalid, "marker %q: character %q", string(m), m[i])
	}
	return nil
}

// CheckWindow refuses windows that systems accept and then ignore: open ends,
// reversed, already over.
func CheckWindow(w katprep.Window, now time.Time) error {
	switch {
	case w.Start.IsZero() || w.End.IsZero():
		return katprep.Errorf(katprep.Invalid, "a downtime needs a start and an end")
	case !w.End.After(w.Start):
		return katprep.Errorf(katprep.Invalid, "the downtime would end (%s) before it begins (%s)", stamp(w.End), stamp(w.Start))
	case !w.End.After(now):
		return katprep.Errorf(katprep.Invalid, "the downtime would have ended already (%s)", stamp(w.End))
	}
	return nil
}

// fit rounds a window outwards to the system's grain.
func fit(w katprep.Window, grain time.Duration) katprep.Window {
	end := w.End.UTC().Truncate(grain)
	if end.Before(w.End) {
		end = end.Add(grain)
	}
	return katprep.Window{Start: w.Start.UTC().Truncate(grain), End: end}
}

// Comment joins marker and comment into text that no system takes for more
// than a comment: one line, without the separators of commands and of HTML.
func Comment(m act.Marker, comment string, ascii bool) string {
	clean := strings.Map(func(r rune) rune {
		switch {
		case r == ';':
			return ','
		case r < ' ' || r == 0x7f || strings.ContainsRune("<>|\u0085\u2028\u2029", r):
			return ' '
		case ascii && r > '~':
			return '?'
		}
		return r
	}, strings.ToValidUTF8(comment, "?"))
	text := string(m) + " " + strings.Join(strings.Fields(clean), " ")
	if len(text) > longestComment {
		text = strings.ToValidUTF8(text[:longestComment], "")
	}
	return strings.TrimSpace(text)
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }
