package foreman

import (
	"slices"
	"strings"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/internal/foremanapi"
)

// erratum translates Katello's words. Texts stay as they are, untrusted.
func erratum(e foremanapi.Erratum) katprep.Erratum {
	out := katprep.Erratum{
		ID:              string(e.ID),
		Title:           string(e.Title),
		Type:            erratumType(string(e.Type)),
		Severity:        katprep.ParseSeverity(string(e.Severity)),
		Issued:          day(string(e.Issued)),
		Updated:         day(string(e.Updated)),
		RebootSuggested: bool(e.Reboot),
		Summary:         string(e.Summary),
		Description:     string(e.Description),
		Solution:        string(e.Solution),
	}
	for _, c := range e.CVEs.V {
		out.CVEs = append(out.CVEs, string(c.ID))
	}
	for _, b := range e.Bugs.V {
		out.Bugs = append(out.Bugs, string(orElse(b.ID, b.Href)))
	}
	out.Packages = fixed(e)
	// Katello since Pulp 3 stores an advisory's packages without epochs, while
	// those of a host have them.
	out.NoEpochs = len(out.Packages) > 0 && !slices.ContainsFunc(out.Packages, func(p katprep.Package) bool {
		return strings.Contains(string(p.EVR), ":")
	})
	for _, m := range e.Modules.V {
		out.Modules = append(out.Modules, string(m.Name)+":"+string(m.Stream))
	}
	out.CVEs, out.Bugs, out.Modules = set(out.CVEs), set(out.Bugs), set(out.Modules)
	return out
}

func set(l []string) []string {
	slices.Sort(l)
	return slices.Compact(slices.DeleteFunc(l, func(s string) bool { return s == "" }))
}

func erratumType(t string) katprep.ErratumType {
	return katprep.ErratumType(strings.ToLower(t))
}

// day takes the date of a date or time.
func day(s string) katprep.Date {
	t := foremanapi.ParseTime(s)
	if t.IsZero() {
		return ""
	}
	return katprep.Date(t.Format("2006-01-02"))
}

// fixed lists the fixed versions, those of module streams as well. What is no
// NEVRA (Debian advisories: "name version") is kept as far as it is clear.
func fixed(e foremanapi.Erratum) []katprep.Package {
	all := slices.Clone([]string(e.Packages))
	for _, m := range e.Modules.V {
		all = append(all, m.Packages...)
	}
	var out []katprep.Package
	for _, s := range all {
		if p, ok := katprep.ParseNEVRA(s); ok {
			out = append(out, p)
		} else if name, version, ok := strings.Cut(s, " "); ok && name != "" && !strings.Contains(version, " ") {
			out = append(out, katprep.Package{Name: name, EVR: katprep.EVR(version)})
		}
	}
	slices.SortFunc(out, katprep.ComparePackages)
	return slices.CompactFunc(out, func(a, b katprep.Package) bool { return katprep.ComparePackages(a, b) == 0 })
}

// unitOf finds the systemd unit in the command that would restart a process.
func unitOf(t foremanapi.Trace) string {
	unit, ok := strings.CutPrefix(strings.TrimPrefix(string(t.Helper), "sudo "), "systemctl restart ")
	if !ok || unit == "" || strings.ContainsAny(unit, " \t\n;&|") {
		return ""
	}
	if !strings.Contains(unit, ".") {
		unit += ".service"
	}
	return unit
}
