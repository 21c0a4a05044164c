package render_test

import (
	"fmt"
	"os"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/render"
)

// A user's own template can write, and nothing else. What hosts say is escaped
// for the template's format.
func ExampleHost() {
	tmpl, err := render.ParseTemplate("short.md.tmpl", "{{.Host.Name}}: {{len .Host.Errata}} errata\n")
	if err != nil {
		fmt.Println(err)
		return
	}
	r := &katprep.Report{Hosts: []katprep.HostChange{{
		Host: katprep.Host{Name: "web*01*.example.com"}, Presence: katprep.InBoth, Known: []katprep.Aspect{katprep.AspectErrata},
		Errata: []katprep.ErratumChange{{ID: "RHSA-2026:0001", Ending: katprep.Installed}},
	}}}
	if err := render.Host(os.Stdout, render.Markdown, r, &r.Hosts[0], render.Options{Template: tmpl}); err != nil {
		fmt.Println(err)
	}
	// Output:
	// web\*01\*.example.com: 1 errata
}

// Formats are chosen by name; an unknown one is an error that lists them.
func ExampleParseFormat() {
	f, err := render.ParseFormat("html")
	fmt.Println(f, f.Ext(), err)
	_, err = render.ParseFormat("docx")
	fmt.Println(katprep.KindOf(err) == katprep.Invalid)
	// Output:
	// html .html <nil>
	// true
}
