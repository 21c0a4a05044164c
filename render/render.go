// Package render turns a finished report into documents: Markdown, HTML, JSON,
// CSV, JUnit XML and OpenMetrics, and whatever a user's own template makes of
// it; and a host's state into a software bill of materials.
//
// All texts of a report come from other systems and are not trusted. Every
// format escapes them for itself; none of them relies on the input being
// well-behaved. The same report gives the same bytes.
package render

import (
	"encoding/json"
	"io"
	"slices"
	"strings"

	"github.com/stdevel/katprep"
)

// A Format is a kind of document.
type Format string

// The formats.
const (
	Markdown Format = "markdown"
	HTML     Format = "html"
	JSON     Format = "json"
	CSV      Format = "csv"
	JUnit    Format = "junit"
	Metrics  Format = "openmetrics"
)

// Formats lists the formats in the order in which they are offered.
func Formats() []Format { return []Format{Markdown, HTML, JSON, CSV, JUnit, Metrics} }

// Ext returns the usual extension of the format's files, with its dot.
func (f Format) Ext() string {
	switch f {
	case Markdown:
		return ".md"
	case JUnit:
		return ".junit.xml"
	case Metrics:
		return ".prom"
	}
	return "." + string(f)
}

// ParseFormat reads the name or the extension of a format.
func ParseFormat(s string) (Format, error) {
	for _, f := range Formats() {
		if s = strings.ToLower(s); s == string(f) || "."+strings.TrimPrefix(s, ".") == f.Ext() {
			return f, nil
		}
	}
	return "", katprep.Errorf(katprep.Invalid, "unknown report format %q", s).
		WithHint("formats are %s", names(Formats()))
}

// Options say how a report is written. The zero value is the built-in look.
type Options struct {
	Template *Template // the user's own; nil: built in. Its format wins over the one asked for
	Notes    string    // the user's own words in Markdown (GFM), put before the findings
	MaxBytes int64     // bound of a user template's output; 0: 64 MiB
}

// Landscape writes the report of all hosts.
func Landscape(w io.Writer, f Format, r *katprep.Report, o Options) error {
	return write(w, f, newData(r, nil, o), o)
}

// Host writes the report of one host of r. h need not be among r.Hosts.
func Host(w io.Writer, f Format, r *katprep.Report, h *katprep.HostChange, o Options) error {
	if h == nil {
		return katprep.Errorf(katprep.Invalid, "render host report: no host given")
	}
	return write(w, f, newData(r, h, o), o)
}

func write(w io.Writer, f Format, d *Data, o Options) error {
	if o.Template != nil {
		return o.Template.execute(w, d, o.MaxBytes)
	}
	switch f {
	case Markdown:
		return builtin(w, "md", d)
	case HTML:
		return builtin(w, "html", d)
	case JSON:
		return writeJSON(w, d)
	case CSV:
		return writeCSV(w, d)
	case JUnit:
		return writeJUnit(w, d)
	case Metrics:
		return writeMetrics(w, d)
	}
	return katprep.Errorf(katprep.Invalid, "unknown report format %q", f).
		WithHint("formats are %s", names(Formats()))
}

// A hostDocument is the JSON of one host's report.
type hostDocument struct {
	Title   string              `json:"title"`
	Meta    map[string]string   `json:"meta,omitempty"`
	Before  katprep.SnapshotRef `json:"before"`
	After   katprep.SnapshotRef `json:"after"`
	Host    *katprep.HostChange `json:"host"`
	Errata  []katprep.Erratum   `json:"errata,omitempty"`
	Version string              `json:"katprep"`
}

// writeJSON escapes <, > and & as the standard library does by default, so
// that the document may be put into a page.
func writeJSON(w io.Writer, d *Data) error {
	e := json.NewEncoder(w)
	e.SetIndent("", " ")
	if d.Host == nil {
		r := *d.Report
		r.Meta = d.Meta
		return e.Encode(&r)
	}
	doc := hostDocument{Title: d.Report.Title, Meta: d.Meta, Before: d.Before, After: d.After, Host: d.Host, Version: d.Version}
	for _, c := range d.Host.Errata {
		if er := d.erratum(c.ID); er != nil {
			doc.Errata = append(doc.Errata, *er)
		}
	}
	slices.SortFunc(doc.Errata, func(a, b katprep.Erratum) int { return strings.Compare(a.ID, b.ID) })
	return e.Encode(doc)
}

func names(fs []Format) string {
	s := make([]string, len(fs))
	for i, f := range fs {
		s[i] = string(f)
	}
	return strings.Join(s, ", ")
}
