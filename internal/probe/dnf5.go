package probe

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/stdevel/katprep"
)

type dnf5Item struct {
	Name     string `json:"name"`
	Type     string `json:"type"`
	Severity string `json:"severity"`
	NEVRA    string `json:"nevra"`
}

type dnf5Advisory struct {
	Name        string
	Title       string
	Severity    string
	Type        string
	Issued      json.RawMessage // seconds as a number, or text
	Description string
	References  []struct {
		ID   string `json:"Id"`
		Type string
		URL  string `json:"Url"`
	} `json:"references"`
}

// ParseDNF5List reads "dnf5 advisory list --json" (5.2.4 and later), the only
// place where dnf5 says severities and packages right: "--with-cve" prints
// the type as severity, and "info" forgets all collections but the last.
func ParseDNF5List(data string) ([]Advisory, error) {
	var items []dnf5Item
	if err := json.Unmarshal([]byte(data), &items); err != nil {
		return nil, fmt.Errorf("read dnf5's list of advisories: %w", err)
	}
	byID := map[string]*Advisory{}
	for _, it := range items {
		if it.Name == "" || strings.HasPrefix(it.Name, "CVE-") {
			continue
		}
		a := byID[it.Name]
		if a == nil {
			a = &Advisory{Erratum: katprep.Erratum{ID: Clean(it.Name), Type: katprep.ErratumType(strings.ToLower(Clean(it.Type))), Severity: katprep.ParseSeverity(Clean(it.Severity))}}
			byID[it.Name] = a
		}
		a.Packages = append(a.Packages, it.NEVRA)
	}
	return gather(byID), nil
}

// ParseDNF5Info reads "dnf5 advisory info --json" (5.2.9 and later).
func ParseDNF5Info(data string) (map[string]katprep.Erratum, error) {
	var list []dnf5Advisory
	if err := json.Unmarshal([]byte(data), &list); err != nil {
		return nil, fmt.Errorf("read dnf5's advisories: %w", err)
	}
	found := map[string]katprep.Erratum{}
	for _, a := range list {
		e := katprep.Erratum{ID: Clean(a.Name), Title: Clean(a.Title), Type: katprep.ErratumType(strings.ToLower(Clean(a.Type))),
			Issued: Date(strings.Trim(string(a.Issued), `"`)), Description: Text(a.Description)}
		for _, r := range a.References {
			switch strings.ToLower(r.Type) {
			case "cve":
				e.CVEs = append(e.CVEs, r.ID)
			case "bugzilla":
				e.Bugs = append(e.Bugs, r.ID)
			case "self":
				e.URL = Clean(r.URL)
			}
		}
		e.CVEs, e.Bugs = cves(e.CVEs), words(e.Bugs)
		if e.ID != "" {
			found[e.ID] = e
		}
	}
	return found, nil
}

var dnf5Line = regexp.MustCompile(`^(\S+)\s+(security|bugfix|enhancement|newpackage|\S+)\s+(\S+)\s+(\S+-\S+-\S+\.\w+)\s+(\d{4}-\d\d-\d\d)\b`)

// ParseDNF5Text reads "dnf5 advisory list" without JSON: name, type,
// severity, package, issued.
func ParseDNF5Text(data string) []Advisory {
	byID := map[string]*Advisory{}
	for line := range lines(data) {
		m := dnf5Line.FindStringSubmatch(line)
		if m == nil || strings.HasPrefix(m[1], "CVE-") {
			continue
		}
		a := byID[m[1]]
		if a == nil {
			a = &Advisory{Erratum: katprep.Erratum{ID: Clean(m[1]), Type: katprep.ErratumType(Clean(m[2])), Severity: katprep.ParseSeverity(Clean(m[3])), Issued: Date(m[5])}}
			byID[m[1]] = a
		}
		a.Packages = append(a.Packages, m[4])
	}
	return gather(byID)
}

// ParseDNF5Repos reads "dnf5 repo info": blocks of "Key : value" lines.
func ParseDNF5Repos(data string) []katprep.Repository {
	var c Content
	for line := range lines(data) {
		k, v, ok := strings.Cut(line, ":")
		k, v = strings.TrimSpace(k), Clean(v)
		if ok && k == "Repo ID" {
			c.Repositories = append(c.Repositories, katprep.Repository{ID: v})
		}
		if len(c.Repositories) == 0 {
			continue
		}
		r := &c.Repositories[len(c.Repositories)-1]
		switch k {
		case "Revision":
			r.Revision = v
			if n, err := strconv.ParseInt(v, 10, 64); err == nil {
				r.Refreshed = unixInt(n)
			}
		}
	}
	c.sort()
	return c.Repositories
}
