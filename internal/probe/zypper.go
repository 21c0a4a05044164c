package probe

import (
	"encoding/xml"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/stdevel/katprep"
)

type zyppStream struct {
	Updates []zyppUpdate `xml:"update-status>update-list>update"`
	Repos   []zyppRepo   `xml:"repo-list>repo"`
}

type zyppUpdate struct {
	Kind        string `xml:"kind,attr"`
	Name        string `xml:"name,attr"`
	Edition     string `xml:"edition,attr"`
	Old         string `xml:"edition-old,attr"`
	Arch        string `xml:"arch,attr"`
	Status      string `xml:"status,attr"`
	Category    string `xml:"category,attr"`
	Severity    string `xml:"severity,attr"`
	Restart     string `xml:"restart,attr"` // a reboot is suggested
	Summary     string `xml:"summary"`
	Description string `xml:"description"`
	Source      struct {
		Alias string `xml:"alias,attr"`
	} `xml:"source"`
	Issued struct {
		Time string `xml:"time_t,attr"`
	} `xml:"issue-date"`
	Issues []struct {
		Type string `xml:"type,attr"`
		ID   string `xml:"id,attr"`
	} `xml:"issue-list>issue"`
}

type zyppRepo struct {
	Alias   string `xml:"alias,attr"`
	Enabled string `xml:"enabled,attr"`
}

func parseZypp(data, what string) (zyppStream, error) {
	var s zyppStream
	d := xml.NewDecoder(strings.NewReader(data))
	d.Strict = true
	if err := d.Decode(&s); err != nil {
		return s, fmt.Errorf("read zypper's %s: %w", what, err)
	}
	return s, nil
}

// silent reports whether the repositories hold no patch at all, needed or not.
func silent(data string) bool {
	s, err := parseZypp(data, "patches")
	return err == nil && !slices.ContainsFunc(s.Updates, func(u zyppUpdate) bool { return u.Kind == "patch" })
}

// ParseZypperPatches reads "zypper --xmlout list-patches --all": the patches
// that are needed or optional.
func ParseZypperPatches(data string) ([]Advisory, error) {
	s, err := parseZypp(data, "patches")
	if err != nil {
		return nil, err
	}
	byID := map[string]*Advisory{}
	for _, u := range s.Updates {
		if u.Kind != "patch" || u.Name == "" || u.Status != "needed" && u.Status != "optional" {
			continue
		}
		byID[u.Name] = &Advisory{Erratum: u.erratum()}
	}
	return gather(byID), nil
}

func (u zyppUpdate) erratum() katprep.Erratum {
	e := katprep.Erratum{
		ID: Clean(u.Name), Title: Clean(u.Summary), Type: zyppType(u.Category), Severity: katprep.ParseSeverity(Clean(u.Severity)),
		Issued: Date(u.Issued.Time), RebootSuggested: u.Restart == "true", Description: Text(u.Description),
	}
	for _, i := range u.Issues {
		switch i.Type {
		case "cve":
			e.CVEs = append(e.CVEs, i.ID)
		case "bugzilla":
			e.Bugs = append(e.Bugs, i.ID)
		}
	}
	e.CVEs, e.Bugs = cves(e.CVEs), words(e.Bugs)
	return e
}

// zyppType is the type of a patch in the words of the others.
func zyppType(category string) katprep.ErratumType {
	switch c := strings.ToLower(Clean(category)); c {
	case "recommended":
		return katprep.Bugfix
	case "optional", "feature":
		return katprep.Enhancement
	default:
		return katprep.ErratumType(c)
	}
}

var zyppConflict = regexp.MustCompile(`^\s+([^\s:]+)\.(\w+) < (\S+)$`)

// ParseZypperFixes reads "zypper info --type patch": a patch conflicts with
// what it fixes. Versions by patch, as NEVRAs.
func ParseZypperFixes(data string) map[string][]string {
	fixes := map[string][]string{}
	id := ""
	for line := range lines(data) {
		if k, v, ok := strings.Cut(line, " : "); ok && strings.TrimSpace(k) == "Name" {
			id = Clean(v)
		}
		if m := zyppConflict.FindStringSubmatch(line); m != nil && id != "" {
			fixes[id] = append(fixes[id], m[1]+"-"+m[3]+"."+m[2])
		}
	}
	return fixes
}

// ParseZypperUpdates reads "zypper --xmlout list-updates".
func ParseZypperUpdates(data string) ([]katprep.Update, error) {
	s, err := parseZypp(data, "updates")
	if err != nil {
		return nil, err
	}
	var c Content
	for _, u := range s.Updates {
		if u.Kind == "package" && u.Name != "" {
			c.Updates = append(c.Updates, katprep.Update{Name: Clean(u.Name), Arch: Clean(u.Arch), From: katprep.EVR(Clean(u.Old)), To: katprep.EVR(Clean(u.Edition)), Origin: Clean(u.Source.Alias)})
		}
	}
	c.sort()
	return onePerPackage(c.Updates), nil
}

// ParseZypperRepos reads "zypper --xmlout repos": the enabled ones.
func ParseZypperRepos(data string) ([]katprep.Repository, error) {
	s, err := parseZypp(data, "repositories")
	if err != nil {
		return nil, err
	}
	var c Content
	for _, r := range s.Repos {
		if r.Enabled == "1" && r.Alias != "" {
			c.Repositories = append(c.Repositories, katprep.Repository{ID: Clean(r.Alias)})
		}
	}
	c.sort()
	return c.Repositories, nil
}
