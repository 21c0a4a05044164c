package katprep

import (
	"cmp"
	"slices"
	"strings"
)

// Severity is a vendor's rating of an advisory, lower case; "" if the vendor
// gave none.
type Severity string

// The severities of Red Hat, which Katello uses for all vendors.
const (
	SeverityNone Severity = ""
	Low          Severity = "low"
	Moderate     Severity = "moderate"
	Important    Severity = "important"
	Critical     Severity = "critical"
)

// Severities lists the severities, the most severe first.
var Severities = [...]Severity{Critical, Important, Moderate, Low, SeverityNone}

// ParseSeverity reads a vendor's word for a severity.
func ParseSeverity(s string) Severity {
	switch s = strings.ToLower(strings.TrimSpace(s)); s {
	case "", "none", "unspecified", "null":
		return SeverityNone
	case "medium":
		return Moderate
	case "high":
		return Important
	}
	return Severity(s)
}

// ErratumType is what an advisory is about.
type ErratumType string

// The types that all vendors have; others (SUSE, EPEL, Oracle) are kept as
// they are.
const (
	Security    ErratumType = "security"
	Bugfix      ErratumType = "bugfix"
	Enhancement ErratumType = "enhancement"
)

// An Erratum (advisory) is a vendor's published fix. All texts are untrusted.
type Erratum struct {
	ID              string      `json:"id"` // the vendor's: RHSA-2026:0001, USN-1234-1, …
	Title           string      `json:"title,omitempty"`
	Type            ErratumType `json:"type,omitempty"`
	Severity        Severity    `json:"severity,omitempty"`
	Issued          Date        `json:"issued,omitempty"`
	Updated         Date        `json:"updated,omitempty"`
	RebootSuggested bool        `json:"reboot_suggested,omitempty"`
	URL             string      `json:"url,omitempty"`
	CVEs            []string    `json:"cves,omitempty"`      // sorted
	Bugs            []string    `json:"bugs,omitempty"`      // sorted: IDs or URLs
	Packages        []Package   `json:"packages,omitempty"`  // the fixed versions, sorted; only name, EVR, arch
	NoEpochs        bool        `json:"no_epochs,omitempty"` // the source leaves epochs out of Packages: none there means unknown, not 0
	Modules         []string    `json:"modules,omitempty"`   // name:stream of modular fixes, sorted
	Summary         string      `json:"summary,omitempty"`
	Description     string      `json:"description,omitempty"`
	Solution        string      `json:"solution,omitempty"`
}

// A Date is a day as vendors publish it: "2026-11-24", or "" if unknown.
type Date string

// Merge joins what two hosts or sources say of the same erratum. It is
// commutative and associative, so that the order in which hosts are read
// does not matter.
func (e Erratum) Merge(o Erratum) Erratum {
	m := Erratum{
		ID:              e.ID,
		Title:           richer(e.Title, o.Title),
		Type:            richer(e.Type, o.Type),
		Severity:        richer(e.Severity, o.Severity),
		Issued:          earlier(e.Issued, o.Issued),
		Updated:         max(e.Updated, o.Updated),
		RebootSuggested: e.RebootSuggested || o.RebootSuggested,
		URL:             richer(e.URL, o.URL),
		CVEs:            union(e.CVEs, o.CVEs),
		Bugs:            union(e.Bugs, o.Bugs),
		NoEpochs:        e.NoEpochs || o.NoEpochs,
		Modules:         union(e.Modules, o.Modules),
		Summary:         richer(e.Summary, o.Summary),
		Description:     richer(e.Description, o.Description),
		Solution:        richer(e.Solution, o.Solution),
	}
	m.Packages = slices.Concat(e.Packages, o.Packages)
	slices.SortFunc(m.Packages, ComparePackages)
	m.Packages = slices.CompactFunc(m.Packages, func(a, b Package) bool { return ComparePackages(a, b) == 0 })
	return m
}

// ComparePackages orders packages by name, architecture and EVR as text: an
// order for files and lists, not for versions.
func ComparePackages(a, b Package) int {
	return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Arch, b.Arch), cmp.Compare(a.EVR, b.EVR))
}

// richer prefers the longer text, then the greater one: any total order would
// do that does not depend on which came first.
func richer[T ~string](a, b T) T {
	if len(a) > len(b) || len(a) == len(b) && a > b {
		return a
	}
	return b
}

func earlier(a, b Date) Date {
	if a == "" || b != "" && b < a {
		return b
	}
	return a
}

func union(a, b []string) []string {
	u := slices.Concat(a, b)
	slices.Sort(u)
	return slices.Compact(u)
}
