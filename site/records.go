package site

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/policy"
)

// A Control is a demand of a standard, and the pages that answer it.
type Control struct {
	Standard string   `yaml:"standard"`
	ID       string   `yaml:"id"`
	Asks     string   `yaml:"asks"`
	Pages    []string `yaml:"pages"` // names of pages: see controlPages
}

// controlPages are what a control may point to.
var controlPages = map[string]link{
	"overview": {"Overview", "index.html"}, "maintenances": {"Maintenances", "maintenances/index.html"}, "hosts": {"Hosts", "hosts/index.html"},
	"errata": {"Errata", "errata/index.html"}, "cves": {"CVEs", "cves/index.html"}, "exceptions": {"Exceptions", "exceptions.html"},
	"compliance": {"Compliance", "compliance.html"}, "overdue": {"Overdue", "overdue.html"}, "again": {"Pending again", "again.html"},
	"trends": {"Trends", "trends.html"}, "snapshots": {"Compare", "snapshots/index.html"}, "packages": {"Packages", "packages/index.html"}, "evidence": {"Evidence", "evidence.html"},
}

// LoadControls reads control references from a YAML file: a list of mappings
// with standard, id, asks and pages. Unknown keys and unknown pages are errors
// that name them.
func LoadControls(path string) ([]Control, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, katprep.Errorf(katprep.Invalid, "read controls: %w", err)
	}
	return parseControls(path, b)
}

// BuiltinControls returns the file of control references that is used where
// there is no other: a beginning for one's own.
func BuiltinControls() ([]byte, error) { return files.ReadFile("controls.yaml") }

func parseControls(path string, b []byte) ([]Control, error) {
	d := yaml.NewDecoder(bytes.NewReader(b))
	d.KnownFields(true)
	var out []Control
	if err := d.Decode(&out); err != nil && !errors.Is(err, io.EOF) {
		return nil, katprep.Errorf(katprep.Invalid, "controls %s: %w", path, err)
	}
	for _, c := range out {
		for _, p := range c.Pages {
			if _, ok := controlPages[p]; !ok {
				return nil, katprep.Errorf(katprep.Invalid, "controls %s: %s %s: no page is called %q", path, c.Standard, c.ID, p).
					WithHint("pages are %s", strings.Join(sortedKeys(controlPages), ", "))
			}
		}
	}
	return out, nil
}

type controlRow struct {
	Control
	Links []link
}

type aboutPage struct {
	base
	Endings  []katprep.Ending
	Controls []controlRow
}

// recordPages writes evidence and about.
func (b *builder) recordPages(context.Context) error {
	if err := b.evidence(); err != nil {
		return err
	}
	d := aboutPage{base: b.base("about.html", "about", "About", true), Endings: katprep.Endings[:]}
	controls := b.o.Controls
	if controls == nil {
		raw, err := BuiltinControls()
		if err != nil {
			return err
		}
		if controls, err = parseControls("built in", raw); err != nil {
			return err
		}
	}
	for _, c := range controls {
		r := controlRow{Control: c}
		for _, p := range c.Pages {
			if l, ok := controlPages[p]; ok {
				r.Links = append(r.Links, l)
			}
		}
		d.Controls = append(d.Controls, r)
	}
	return b.page("about.html", "about", d)
}

func expired(x *katprep.Exception, now time.Time) bool { return policy.Expired(x, now) }
