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
	lists []string // that are looped over, innermost last
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
	if what == "endfor" && len(t.lists) > 0 {
		t.lists = t.lists[:len(t.lists)-1]
	}
	return end
}

// loops are the lists of the old data: what a loop over them becomes, and with
// how many ends.
func loops() map[string]struct{ begin, end string } {
	installed := `{{range R.Host.Errata}}{{if or (eq .Ending "installed") (eq .Ending "reboot-pending")}}`
	updates := `{{range R.Host.Updates}}{{if or (eq .Ending "installed") (eq .Ending "reboot-pending")}}`
	return map[string]struct{ begin, end string }{
		"errata": {installed, "{{end}}{{end}}"}, "patches": {installed, "{{end}}{{end}}"}, "upgrades": {updates, "{{end}}{{end}}"},
		"errata.cves": {"{{range .CVEs}}", "{{end}}"}, "errata.packages": {"{{range (R.Erratum .ID).Packages}}", "{{end}}"},
	}
}

// loop is over what is installed, as the old documents meant.
func (t *template) loop(name string) string {
	l, ok := loops()[name]
	inner := strings.Contains(name, ".")
	if !ok || inner && len(t.lists) == 0 {
		t.note("$for(%s)$ has no equivalent: lists are written with join", name)
		t.open = append(t.open, "{{end}}")
		t.lists = append(t.lists, name)
		return "{{if false}}{{/* for " + name + " */}}"
	}
	if !inner {
		t.note("the loop over %s has only what is proven to be installed; .Host.Errata and .Host.Updates have all with their endings", name)
	}
	begin := t.rooted(l.begin)
	t.open = append(t.open, l.end)
	t.lists = append(t.lists, name)
	return begin
}

// rooted puts the report in: "$" within a loop.
func (t *template) rooted(e string) string {
	root := ""
	if len(t.lists) > 0 {
		root = "$"
	}
	return strings.ReplaceAll(e, "R.", root+".")
}

func (t *template) value(name string) string {
	if e := t.expression(name); e != "" {
		return "{{" + e + "}}"
	}
	return "{{/* " + name + " */}}"
}

// condition is true where the old variable was set.
func (t *template) condition(name string) string {
	lists := map[string]string{"errata": "R.Host.Errata", "patches": "R.Host.Errata", "upgrades": "R.Host.Updates"}
	if l, ok := lists[name]; ok {
		return t.rooted(l)
	}
	if strings.HasPrefix(name, "verification.mon_status") {
		return t.rooted(`(R.Step "check.services").Done`)
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
		"errata.packages": "(R.Erratum .ID).Packages", "errata.installable": ".Installable", "errata.name": ".ID",
		"params.name": "R.Host.Name", "params.ip": "R.Host.Facts.IP", "params.ip6": "R.Host.Facts.IP6", "params.owner": "R.Host.Facts.Owner",
		"params.organization_name": "R.Host.Facts.Organization", "params.location_name": "R.Host.Facts.Location",
		"params.operatingsystem_name": "R.Host.Facts.OS.Name", "params.environment_name": "R.Host.Facts.Environment",
		"params.environment": "R.Host.Facts.Environment", "params.system_physical": `eq R.Host.Facts.Hardware "physical"`,
		"params.date": "date R.After.Snapshot.Finished", "params.time": "time R.After.Snapshot.Finished",
		"date": "date R.After.Snapshot.Finished", "time": "time R.After.Snapshot.Finished",

		// The checklist: what the run's steps say, confirmed by the system that did them.
		"verification.virt_snapshot": `(R.Step "vm-snapshot").Done`, "verification.virt_cleanup": `(R.Step "remove-vm-snapshot").Done`,
		"verification.mon_downtime": `(R.Step "downtime").Done`, "verification.mon_cleanup": `(R.Step "end-downtime").Done`,
		"verification.mon_status": `(R.Step "check.services").Outcome.Text`, "verification.mon_status_detail": `(R.Step "check.services").Message`,
		"verification.system_reboot": `eq R.Host.Boot.Rebooted "yes"`,

		// The unreleased branch for Uyuni.
		"hostname": "R.Host.Name", "organization": "R.Host.Facts.Organization", "location": "R.Host.Facts.Location",
		"patches.name": ".ID", "patches.type": ".Type", "patches.summary": "(R.Erratum .ID).Summary", "patches.issued_at": ".Issued",
		"patches.updated_at": "(R.Erratum .ID).Updated", "patches.reboot_suggested": "(R.Erratum .ID).RebootSuggested",
		"upgrades.package_name": ".Name", "upgrades.name": ".Name",
	}
}

// expression is the equivalent of a variable, "" if there is none.
func (t *template) expression(name string) string {
	name = strings.Replace(name, "verifications.", "verification.", 1) // as the branch spelt it
	if e, ok := known()[name]; ok {
		list, _, nested := strings.Cut(name, ".")
		if _, isList := loops()[list]; nested && isList && !slices.Contains(t.lists, list) {
			t.note("%s stands outside of the loop over %s", name, list)
			return ""
		}
		t.warn(name)
		return t.rooted(e)
	}
	switch field, _ := strings.CutPrefix(name, "params."); {
	case name == "errata.cves.cve_id" && slices.Contains(t.lists, "errata.cves"), name == "it" && len(t.lists) > 0:
		return "."
	case strings.HasPrefix(field, "katprep_") && field != name:
		t.note("%s is there only if it changed; katprep show HOST has all parameters", name)
		return t.rooted(fmt.Sprintf("param R.Host %q", field))
	case strings.HasPrefix(name, "verification."):
		t.note("%s has no equivalent: .Steps are the run's steps with how they ended", name)
	case name == "errata.hosts_applicable_count", name == "errata.hosts_available_count":
		t.note("%s was the server's number of that moment: .Advisories counts the report's hosts", name)
	case name == "errata.id":
		t.note("errata.id was the server's own number, which nothing keeps: errata.errata_id is the advisory's name")
	default:
		t.note("%s has no equivalent", name)
	}
	return ""
}

// warn says where an equivalent means something else.
func (t *template) warn(name string) {
	switch {
	case name == "params.date", name == "params.time", name == "date", name == "time":
		t.note("%s was the time of the document; now it is that of the later snapshot", name)
	case strings.HasPrefix(name, "verification."):
		t.note("%s: now true only if the run's step was confirmed by the system that did it; the old flags were set for what never existed", name)
	}
}
