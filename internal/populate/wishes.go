package populate

import (
	"strings"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/internal/parameters"
)

// Wishes makes of matches what is wanted of the hosts' parameters. Without
// update only what is unset is filled in, and a host that names another system
// already is left alone; with update the matches win.
func (inv *Inventories) Wishes(matches []Match, update bool) parameters.Wishes {
	byHost := map[katprep.HostID][]Match{}
	for _, m := range matches {
		if m.Status == Matched {
			byHost[m.Host.HostID] = append(byHost[m.Host.HostID], m)
		}
	}
	return func(h katprep.State) []parameters.Wish {
		var wishes []parameters.Wish
		for _, m := range byHost[h.HostID] {
			wishes = append(wishes, inv.wishes(m, &h, update)...)
		}
		return wishes
	}
}

// wishes are those of one match.
func (inv *Inventories) wishes(m Match, h *katprep.State, update bool) []parameters.Wish {
	o := m.Objects[0]
	s := inv.Systems[o.System]
	mode := parameters.Add
	if update {
		mode = parameters.Set
	}
	named, nameSet := value(h, string(m.Kind))
	if nameSet && !update && !s.is(named) {
		return nil // somebody decided for another system
	}
	var list []parameters.Wish
	if !nameSet || !s.is(named) {
		list = append(list, parameters.Wish{Name: string(m.Kind), Value: s.Name, Mode: mode})
	}
	object, objectSet := value(h, string(m.Kind)+"_name")
	if !objectSet {
		object = h.Name // what is taken without the parameter
	}
	if object != o.Name {
		list = append(list, parameters.Wish{Name: string(m.Kind) + "_name", Value: o.Name, Mode: mode})
	}
	return list
}

// is reports whether a parameter's value means this system: its name, or its
// URL as the predecessor wrote it.
func (s System) is(v string) bool {
	trim := func(u string) string { return strings.TrimRight(strings.ToLower(strings.TrimSpace(u)), "/") }
	return strings.EqualFold(v, s.Name) || s.URL != "" && trim(v) == trim(s.URL)
}

// value is the effective value of a parameter, if somebody decided about it.
func value(h *katprep.State, name string) (string, bool) {
	for _, p := range h.Parameters {
		if p.Name == name && !parameters.IsUnset(p.Value) {
			return p.Value, true
		}
	}
	return "", false
}

// Disagrees says where a matched host's parameters say something else than
// the match and are left alone, or "".
func (inv *Inventories) Disagrees(m Match) string {
	if m.Status != Matched {
		return ""
	}
	o := m.Objects[0]
	s := inv.Systems[o.System]
	if named, ok := value(m.Host, string(m.Kind)); ok && !s.is(named) {
		return string(m.Kind) + " says " + named
	}
	if object, ok := value(m.Host, string(m.Kind)+"_name"); ok && object != o.Name {
		return string(m.Kind) + "_name says " + object
	}
	return ""
}
