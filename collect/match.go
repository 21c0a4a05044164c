package collect

import (
	"slices"
	"strings"

	"github.com/stdevel/katprep"
)

// Match reports whether the state is in the selection. What is not known of
// the host excludes nothing: a host that could not be read stays a gap and
// does not vanish. Search is in the source's language and is not looked at.
func Match(sel katprep.Selection, s katprep.State) bool {
	if !alternatives(sel.Hosts, s.Name) || !alternatives(sel.Sources, s.Source) {
		return false
	}
	if len(sel.Exclude) > 0 && alternatives(sel.Exclude, s.Name) {
		return false
	}
	if s.Knows(katprep.AspectFacts) && !matchFacts(sel, &s.Facts) {
		return false
	}
	return !s.Knows(katprep.AspectParameters) || matchParameters(sel.Parameters, s.Parameters)
}

func matchFacts(sel katprep.Selection, f *katprep.Facts) bool {
	return alternatives(sel.Organizations, f.Organization) &&
		alternatives(sel.Locations, f.Location) &&
		alternatives(sel.Environments, f.Environment) &&
		alternatives(sel.ContentViews, f.ContentView) &&
		alternatives(sel.HostGroups, withParents(f.HostGroup)...) &&
		alternatives(sel.Collections, f.Collections...) &&
		alternatives(sel.OS, f.OS.ID, f.OS.Name, f.OS.ID+" "+f.OS.Version)
}

// withParents returns "base/db" and "base" for "base/db".
func withParents(group string) []string {
	all := []string{group}
	for i := len(group) - 1; i > 0; i-- {
		if group[i] == '/' {
			all = append(all, group[:i])
		}
	}
	return all
}

func matchParameters(wanted []string, have []katprep.Parameter) bool {
	if len(wanted) == 0 {
		return true
	}
	return slices.ContainsFunc(wanted, func(w string) bool {
		name, value, withValue := strings.Cut(w, "=")
		return slices.ContainsFunc(have, func(p katprep.Parameter) bool {
			return glob(name, p.Name) && (!withValue || !p.Masked && glob(value, p.Value))
		})
	})
}

// alternatives reports whether any pattern matches any value; no pattern
// matches everything.
func alternatives(patterns []string, values ...string) bool {
	if len(patterns) == 0 {
		return true
	}
	return slices.ContainsFunc(patterns, func(p string) bool {
		return slices.ContainsFunc(values, func(v string) bool { return glob(p, v) })
	})
}

// glob matches without regard to case; '*' is any text, '?' any character.
// It takes at most len(pattern) × len(text) steps.
func glob(pattern, text string) bool {
	p, t := []rune(strings.ToLower(pattern)), []rune(strings.ToLower(text))
	star, mark := -1, 0 // the last '*' and how much of the text it swallows
	i, j := 0, 0
	for j < len(t) {
		switch {
		case i < len(p) && p[i] == '*':
			star, mark = i, j
			i++
		case i < len(p) && (p[i] == '?' || p[i] == t[j]):
			i++
			j++
		case star >= 0:
			mark++
			i, j = star+1, mark
		default:
			return false
		}
	}
	for i < len(p) && p[i] == '*' {
		i++
	}
	return i == len(p)
}
