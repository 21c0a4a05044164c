package migrate

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// pandoc's variables and commands: $name$, ${name}, $if(name)$, $for(name)$ …
// and $$ for a dollar sign.
var pandoc = regexp.MustCompile(`\$\$|\$` + pandocBody + `\$|\$\{\s*` + pandocBody + `\s*\}|\{\{`)

const pandocBody = `(?:(if|for|elseif)\(([\w.-]+)\)|(else|endif|endfor|sep)|([\w.-]+))`

// Template translates a pandoc template of katprep 0.x. The notes name what
// has no equivalent; in the result it is an empty comment at its place.
func Template(text string) (now string, notes []string) {
	t := &template{}
	var b strings.Builder
	rest := 0
	for _, m := range pandoc.FindAllStringSubmatchIndex(text, -1) {
		b.WriteString(text[rest:m[0]])
		rest = m[1]
		whole := text[m[0]:m[1]]
		sub := func(i int) string {
			for _, i := range []int{2 * i, 2 * (i + 4)} { // with $…$ or ${…}
				if m[i] >= 0 {
					return text[m[i]:m[i+1]]
				}
			}
			return ""
		}
		switch {
		case whole == "$$":
			b.WriteString("$")
		case whole == "{{":
			b.WriteString("{{`{{`}}")
		case sub(4) != "":
			b.WriteString(t.value(sub(4)))
		default:
			b.WriteString(t.control(sub(1)+sub(3), sub(2)))
		}
	}
	b.WriteString(text[rest:])
	if len(t.open) > 0 {
		t.note("%d of $if$ and $for$ are not closed", len(t.open))
	}
	return b.String(), t.notes
}

// A template under translation: the ends of what is open, innermost last.
type template struct {
	open  []string
	loops int
	notes []string
}

func (t *template) note(format string, args ...any) {
	if n := fmt.Sprintf(format, args...); !slices.Contains(t.notes, n) {
		t.notes = append(t.notes, n)
	}
}

func (t *template) control(what, name string) string {
	switch what {
	case "for":
		return t.loop(name)
	case "if":
		t.open = append(t.open, "{{end}}")
		return "{{if " + t.condition(name) + "}}"
	case "elseif":
		return "{{else if " + t.condition(name) + "}}"
	case "else":
		return "{{else}}"
	case "sep":
		t.note("$sep$ has no equivalent: use join for lists")
		return "{{/* sep */}}"
	}
	if len(t.open) == 0 {
		t.note("$%s$ closes nothing", what)
		return ""
	}
	end := t.open[len(t.open)-1]
	t.open = t.open[:len(t.open)-1]
	if what == "endfor" {
		t.loops--
	}
	return end
}

// loop is over the errata that are installed, as the old documents meant.
func (t *template) loop(name string) string {
	t.loops++
	if name != "errata" {
		t.note("$for(%s)$ has no equivalent: lists are written with join", name)
		t.open = append(t.open, "{{end}}")
		return "{{if false}}{{/* for " + name + " */}}"
	}
	t.note("the loop has only what is proven to be installed; .Host.Errata has all errata with their endings")
	t.open = append(t.open, "{{end}}{{end}}")
	return `{{range .Host.Errata}}{{if or (eq .Ending "installed") (eq .Ending "reboot-pending")}}`
}

func (t *template) value(name string) string {
	if e := t.expression(name); e != "" {
		return "{{" + e + "}}"
	}
	return "{{/* " + name + " */}}"
}

func (t *template) condition(name string) string {
	if name == "errata" {
		return ".Host.Errata"
	}
	if e := t.expression(name); e != "" {
		return e
	}
	return "false"
}

// known are the equivalents; R stands for the report, which is "$" in a loop.
func known() map[string]string {
	return map[string]string{
		"errata.errata_id": ".ID", "errata.type": ".Type", "errata.severity": ".Severity", "errata.issued": ".Issued",
		"errata.title": ".Title", "errata.cves": `join .CVEs ", "`, "errata.updated": "(R.Erratum .ID).Updated",
		"errata.description": "(R.Erratum .ID).Description", "errata.summary": "(R.Erratum .ID).Summary",
		"errata.solution": "(R.Erratum .ID).Solution", "errata.reboot_suggested": "(R.Erratum .ID).RebootSuggested",
		"errata.packages": "(R.Erratum .ID).Packages", "errata.installable": ".Installable",
		"params.name": "R.Host.Name", "params.ip": "R.Host.Facts.IP", "params.owner": "R.Host.Facts.Owner",
		"params.organization_name": "R.Host.Facts.Organization", "params.location_name": "R.Host.Facts.Location",
		"params.operatingsystem_name": "R.Host.Facts.OS.Name", "params.environment_name": "R.Host.Facts.Environment",
		"params.environment": "R.Host.Facts.Environment",
		"params.date":        "date R.After.Snapshot.Finished", "params.time": "time R.After.Snapshot.Finished",
	}
}

// expression is the equivalent of a variable, "" if there is none.
func (t *template) expression(name string) string {
	root := ""
	if t.loops > 0 {
		root = "$"
	}
	if e, ok := known()[name]; ok {
		if strings.HasPrefix(name, "errata.") && t.loops == 0 {
			t.note("%s stands outside of the loop over errata", name)
			return ""
		}
		if name == "params.date" || name == "params.time" {
			t.note("%s was the time of the document; now it is that of the later snapshot", name)
		}
		return strings.ReplaceAll(e, "R.", root+".")
	}
	switch field, _ := strings.CutPrefix(name, "params."); {
	case strings.HasPrefix(field, "katprep_") && field != name:
		t.note("%s is there only if it changed; katprep show HOST has all parameters", name)
		return fmt.Sprintf("param %s.Host %q", root, field)
	case strings.HasPrefix(name, "verification."), strings.HasPrefix(name, "verifications."):
		t.note("%s: what was done and confirmed is in .Run.Journal; the old flags were set for what never existed", name)
	case name == "errata.hosts_applicable_count", name == "errata.hosts_available_count":
		t.note("%s was the server's number of that moment: .Advisories counts the report's hosts", name)
	default:
		t.note("%s has no equivalent", name)
	}
	return ""
}
