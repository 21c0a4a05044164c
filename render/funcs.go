package render

import (
	"fmt"
	htmltemplate "html/template"
	"maps"
	"reflect"
	"slices"
	"strings"
	"text/template"
	"time"

	"github.com/stdevel/katprep"
)

// funcs returns what templates may call. None of it reads anything but its
// arguments.
func funcs(f Format) map[string]any {
	m := map[string]any{
		"ending":   EndingWord,
		"presence": PresenceWord,
		"kind":     KindWord,
		"severity": SeverityWord,
		"rebooted": RebootWord,
		"need":     NeedWord,
		"gap":      Gap,
		"notKnown": NotKnown,
		"seconds":  Seconds,
		"time":     Time,
		"date":     func(t time.Time) string { return formatTime(t, time.DateOnly) },
		"line":     func(v any) string { return Line(show(v)) },
		"join":     join,
		"keys":     func(m map[string]string) []string { return slices.Sorted(maps.Keys(m)) },
		"evrs":     evrs,
		"param":    parameter,
		"default":  fallback,
		"pick":     func(n map[katprep.Ending]int) []Count { return counts(n) },
		// The standard library's own, bounded: a loop may not double a text
		// until memory ends.
		"print":    bounded1(fmt.Sprint),
		"println":  bounded1(fmt.Sprintln),
		"printf":   bounded2(fmt.Sprintf),
		"urlquery": bounded1(template.URLQueryEscaper),
	}
	switch f {
	case Markdown:
		m["_md"] = escapeValue
		m["raw"] = func(s string) mdText { return mdText(s) }
		m["quote"] = quoteMarkdown
		m["change"] = changeMarkdown
		m["changeOne"] = func(a, b katprep.EVR) mdText { return changeMarkdown(one(a), one(b)) }
		m["changeText"] = func(a, b string) mdText { return changeMarkdown(one(katprep.EVR(a)), one(katprep.EVR(b))) }
		m["html"] = bounded1(template.HTMLEscaper)
		m["js"] = bounded1(template.JSEscaper)
	case HTML:
		m["change"] = changeHTML
		m["changeOne"] = func(a, b katprep.EVR) htmltemplate.HTML { return changeHTML(one(a), one(b)) }
		m["changeText"] = func(a, b string) htmltemplate.HTML { return changeHTML(one(katprep.EVR(a)), one(katprep.EVR(b))) }
		m["paragraphs"] = Paragraphs
		m["errataRows"] = errataRows
		m["packageRows"] = packageRows
		m["notes"] = NotesHTML
	default:
		m["change"] = func(a, b []katprep.EVR) string { return orNone(evrs(a)) + " → " + orNone(evrs(b)) }
		m["html"] = bounded1(template.HTMLEscaper)
		m["js"] = bounded1(template.JSEscaper)
		m["csv"] = cell
		m["changeOne"] = func(a, b katprep.EVR) string { return orNone(string(a)) + " → " + orNone(string(b)) }
	}
	return m
}

// Time writes a time as reports show it: UTC, to the minute.
func Time(t time.Time) string { return formatTime(t, "2006-01-02 15:04 UTC") }

// Seconds is Time with its seconds.
func Seconds(t time.Time) string { return formatTime(t, "2006-01-02 15:04:05 UTC") }

func formatTime(t time.Time, layout string) string {
	if t.IsZero() {
		return "unknown"
	}
	return t.UTC().Format(layout)
}

func join(v any, sep string) (string, error) {
	switch v := v.(type) {
	case []string:
		return bound(strings.Join(v, sep))
	case [][]string:
		var parts []string
		for _, p := range v {
			parts = append(parts, strings.Join(p, sep))
		}
		return bound(strings.Join(parts, sep))
	}
	return "", fmt.Errorf("join: %T is not a list of texts", v)
}

// parameter returns the value that a host's parameter had after, or before.
func parameter(h *katprep.HostChange, name string) string {
	for _, p := range h.Parameters {
		if p.Name == name && p.After != nil {
			return *p.After
		}
	}
	return ""
}

func fallback(def, v string) string {
	if v == "" {
		return def
	}
	return v
}

func bound(s string) (string, error) {
	if len(s) > maxValue {
		return "", fmt.Errorf("a value is longer than %d bytes", maxValue)
	}
	return s, nil
}

func bounded1(f func(...any) string) func(...any) (string, error) {
	return func(args ...any) (string, error) { return bound(f(shown(args)...)) }
}

func bounded2(f func(string, ...any) string) func(string, ...any) (string, error) {
	return func(format string, args ...any) (string, error) { return bound(f(format, shown(args)...)) }
}

// shown replaces pointers to texts and numbers, whose addresses differ from
// run to run.
func shown(args []any) []any {
	out := make([]any, len(args))
	for i, a := range args {
		if out[i] = a; reflect.ValueOf(a).Kind() == reflect.Pointer {
			out[i] = show(a)
		}
	}
	return out
}

func escapeValue(v any) mdText {
	if t, ok := v.(mdText); ok {
		return t
	}
	if w, ok := v.(Word); ok {
		return mdText(w.Shape + " " + EscapeMarkdown(w.Text)) // the shapes are ours
	}
	return mdText(EscapeMarkdown(show(v)))
}

// show writes a value as text; a pointer stands for what it points to.
func show(v any) string {
	r := reflect.ValueOf(v)
	if r.Kind() != reflect.Pointer {
		return fmt.Sprint(v)
	}
	if r.IsNil() {
		return ""
	}
	return show(r.Elem().Interface())
}

// quoteMarkdown writes a longer text as a block quotation.
func quoteMarkdown(s string) mdText {
	var b strings.Builder
	for i, p := range Paragraphs(s) {
		if i > 0 {
			b.WriteString(">\n")
		}
		for _, line := range p {
			b.WriteString("> " + EscapeMarkdown(line) + "\n")
		}
	}
	return mdText(b.String())
}

func changeMarkdown(before, after []katprep.EVR) mdText {
	a, b := markAll(before, after)
	if slices.Equal(before, after) {
		return mdText(spansMarkdown(a))
	}
	return mdText(spansMarkdown(a) + " → " + spansMarkdown(b))
}

// changeHTML writes "a → b" with the changed part of both marked.
func changeHTML(before, after []katprep.EVR) htmltemplate.HTML {
	return htmltemplate.HTML(AppendChange(nil, before, after))
}

func one(v katprep.EVR) []katprep.EVR {
	if v == "" {
		return nil
	}
	return []katprep.EVR{v}
}

func markAll(before, after []katprep.EVR) (a, b []Span) {
	if len(before) == 1 && len(after) == 1 {
		return Mark(before[0], after[0])
	}
	return []Span{{Text: orNone(Line(evrs(before)))}}, []Span{{Text: orNone(Line(evrs(after)))}}
}

func orNone(s string) string {
	if s == "" {
		return "∅"
	}
	return s
}

// spansMarkdown marks the changed part bold where Markdown lets it: the part
// must begin and end with a letter or digit.
func spansMarkdown(ss []Span) string {
	var b strings.Builder
	for i, s := range ss {
		t := escapeMarkdown(s.Text, i == 0)
		if s.Changed && alnum(s.Text[0]) && alnum(s.Text[len(s.Text)-1]) {
			t = "**" + t + "**"
		}
		b.WriteString(t)
	}
	return b.String()
}
