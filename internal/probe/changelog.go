package probe

import (
	"regexp"
	"slices"
	"strings"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/internal/vers"
)

// A Changelog is that of a Debian package which is downloaded and not yet
// installed.
type Changelog struct {
	Package string
	Version katprep.EVR // of the package
	Entries []ChangelogEntry
}

// A ChangelogEntry is one version of a source package.
type ChangelogEntry struct {
	Source  string
	Version katprep.EVR
	CVEs    []string // sorted
}

var (
	entryHead = regexp.MustCompile(`^([a-z0-9][a-z0-9+.-]*) \(([^)\s]+)\) `)
	cveID     = regexp.MustCompile(`CVE-\d{4}-\d{4,}`)
)

// ParseChangelogs reads the section "changelogs".
func ParseChangelogs(data string) []Changelog {
	var list []Changelog
	for line := range lines(data) {
		if rest, ok := strings.CutPrefix(line, "=deb "); ok {
			name, version, _ := strings.Cut(rest, " ")
			list = append(list, Changelog{Package: Clean(name), Version: katprep.EVR(Clean(version))})
			continue
		}
		if len(list) == 0 {
			continue
		}
		c := &list[len(list)-1]
		if m := entryHead.FindStringSubmatch(line); m != nil {
			c.Entries = append(c.Entries, ChangelogEntry{Source: m[1], Version: katprep.EVR(Clean(m[2]))})
			continue
		}
		if n := len(c.Entries); n > 0 {
			c.Entries[n-1].CVEs = words(append(c.Entries[n-1].CVEs, cveID.FindAllString(line, -1)...))
		}
	}
	return list
}

// changelogs adds to pending updates the CVEs that the changelogs name
// between the installed version and the new one. All packages of one source
// share its changelog, whichever of them was downloaded.
func (a *assembler) changelogs() {
	installed := map[katprep.PackageKey]katprep.Package{}
	for _, p := range a.s.Packages {
		installed[p.Key()] = p
	}
	logs := map[string]Changelog{} // by source
	for _, c := range ParseChangelogs(a.out.Data("changelogs")) {
		pending := func(u katprep.Update) bool { return u.Name == c.Package && u.To == c.Version }
		if len(c.Entries) > 0 && slices.ContainsFunc(a.s.Updates, pending) {
			logs[c.Entries[0].Source] = c
		}
	}
	for i := range a.s.Updates {
		u := &a.s.Updates[i]
		source, version := SourceOf(installed[katprep.PackageKey{Name: u.Name, Arch: u.Arch}])
		for _, e := range logs[source].Entries {
			if e.Source == source && vers.Deb(string(e.Version), string(version)) > 0 {
				u.CVEs = words(append(u.CVEs, e.CVEs...))
			}
		}
	}
}
