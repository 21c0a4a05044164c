package probe

import (
	"regexp"
	"strings"

	"github.com/stdevel/katprep"
)

var (
	listLine   = regexp.MustCompile(`^(?:i )?\s*(\S+)\s+(\S+)\s+(\S+-\S+-\S+\.\w+)$`)
	updateLine = regexp.MustCompile(`^(\S+)\.(\w+)\s+(\S+)\s+(\S+)$`)
)

// ParseUpdateInfoList reads "dnf updateinfo list" and "yum updateinfo list":
// advisory, kind, package. The kind is "Critical/Sec.", "bugfix" and so on.
func ParseUpdateInfoList(data string) []Advisory {
	byID := map[string]*Advisory{}
	for line := range lines(data) {
		m := listLine.FindStringSubmatch(line)
		if m == nil || strings.HasPrefix(m[1], "CVE-") {
			continue
		}
		a := byID[m[1]]
		if a == nil {
			a = &Advisory{Erratum: katprep.Erratum{ID: Clean(m[1])}}
			a.Type, a.Severity = listKind(m[2])
			byID[m[1]] = a
		}
		a.Packages = append(a.Packages, Clean(m[3]))
	}
	return gather(byID)
}

func listKind(s string) (katprep.ErratumType, katprep.Severity) {
	sev, kind, ok := strings.Cut(s, "/")
	if ok && strings.HasPrefix(kind, "Sec") {
		return katprep.Security, katprep.ParseSeverity(sev)
	}
	switch s {
	case "security", "Sec.":
		return katprep.Security, ""
	case "bugfix", "enhancement", "newpackage":
		return katprep.ErratumType(s), ""
	}
	return katprep.ErratumType(strings.ToLower(Clean(s))), ""
}

// gather sorts advisories and makes their packages the fixed versions.
func gather(byID map[string]*Advisory) []Advisory {
	var c Content
	for _, a := range byID {
		a.Packages = words(a.Packages)
		a.Erratum.Packages = nevras(a.Packages)
		c.Advisories = append(c.Advisories, *a)
	}
	c.sort()
	return c.Advisories
}

// ParseUpdateInfo reads "dnf updateinfo info", "yum updateinfo info" and
// "dnf5 advisory info": blocks of right-aligned "Key: value" lines, continued
// by lines that begin with a colon.
func ParseUpdateInfo(data string) map[string]katprep.Erratum {
	found := map[string]katprep.Erratum{}
	var e katprep.Erratum
	key, title, heading := "", "", false
	done := func() {
		if e.ID != "" {
			e.CVEs, e.Bugs = cves(e.CVEs), words(e.Bugs)
			e.Description = strings.TrimSpace(e.Description)
			found[e.ID] = e
		}
		e, key = katprep.Erratum{}, ""
	}
	for line := range strings.Lines(data) {
		line = strings.TrimRight(line, "\r\n")
		if strings.HasPrefix(line, "====") {
			if heading = !heading; heading {
				done()
			}
			continue
		}
		if heading {
			title = Clean(line)
			continue
		}
		k, v, ok := strings.Cut(line, ":")
		k, v = strings.TrimSpace(k), strings.TrimSpace(v)
		switch {
		case !ok:
			continue
		case k == "Update ID" || k == "Name" && e.ID == "":
			done()
			e.ID, e.Title, title = Clean(v), title, ""
			key = k
		case k != "":
			key = k
		}
		infoValue(&e, key, v)
	}
	done()
	return found
}

func infoValue(e *katprep.Erratum, key, v string) {
	switch key {
	case "Title":
		e.Title = Clean(v)
	case "Type":
		e.Type = katprep.ErratumType(strings.ToLower(Clean(v)))
	case "Severity":
		e.Severity = katprep.ParseSeverity(Clean(v))
	case "Issued":
		e.Issued = Date(v)
	case "Updated":
		e.Updated = Date(v)
	case "CVEs":
		e.CVEs = append(e.CVEs, v)
	case "Bugs":
		id, _, _ := strings.Cut(v, " ")
		e.Bugs = append(e.Bugs, id)
	case "Description":
		if len(e.Description) < 64<<10 {
			e.Description += Text(v) + "\n"
		}
	}
}

// withDetails joins a list with the details of its advisories.
func withDetails(list []Advisory, info map[string]katprep.Erratum) []Advisory {
	for i := range list {
		if e, ok := info[list[i].ID]; ok {
			e.Packages = nil // the list knows them better
			list[i].Erratum = list[i].Merge(e)
		}
	}
	return list
}

// ParseCheckUpdate reads "check-update" of yum, dnf and dnf5: package,
// version, repository. What obsoletes something is no update.
func ParseCheckUpdate(data string) []katprep.Update {
	var c Content
	for line := range lines(data) {
		if strings.HasPrefix(line, "Obsoleting") {
			break
		}
		m := updateLine.FindStringSubmatch(strings.TrimSpace(line))
		if m == nil || !strings.Contains(m[3], "-") {
			continue
		}
		epoch, vr, ok := strings.Cut(m[3], ":")
		if !ok {
			epoch, vr = "", m[3]
		}
		c.Updates = append(c.Updates, katprep.Update{Name: Clean(m[1]), Arch: Clean(m[2]), To: katprep.JoinEVR(epoch, Clean(vr), ""), Origin: Clean(m[4])})
	}
	c.sort()
	return onePerPackage(c.Updates)
}

// onePerPackage keeps the last of several updates of one package.
func onePerPackage(us []katprep.Update) []katprep.Update {
	var out []katprep.Update
	for _, u := range us {
		if n := len(out); n > 0 && out[n-1].Name == u.Name && out[n-1].Arch == u.Arch {
			out[n-1] = u
			continue
		}
		out = append(out, u)
	}
	return out
}
