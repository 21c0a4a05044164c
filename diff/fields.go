package diff

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/stdevel/katprep"
)

// parameters returns the parameters set, changed or removed, if both sides
// know them.
func parameters(before, after *katprep.State) (changes []katprep.ParameterChange) {
	if !knows(before, katprep.AspectParameters) || !knows(after, katprep.AspectParameters) {
		return nil
	}
	old, now := parametersOf(before), parametersOf(after)
	for _, name := range bothKeys(old, now) {
		b, a := pointer(old, name), pointer(now, name)
		if b == nil || a == nil || *b != *a {
			changes = append(changes, katprep.ParameterChange{Name: name, Before: b, After: a})
		}
	}
	return changes
}

func parametersOf(s *katprep.State) map[string]string {
	m := make(map[string]string, len(s.Parameters))
	for _, p := range s.Parameters {
		m[p.Name] = p.Value
	}
	return m
}

func bothKeys(a, b map[string]string) []string {
	keys := slices.AppendSeq(slices.Collect(maps.Keys(a)), maps.Keys(b))
	slices.Sort(keys)
	return slices.Compact(keys)
}

func pointer(m map[string]string, key string) *string {
	if v, ok := m[key]; ok {
		return &v
	}
	return nil
}

// fields returns the facts that differ, if both sides know them, and a new
// name.
func fields(before, after *katprep.State) (changes []katprep.FieldChange) {
	if before == nil || after == nil {
		return nil
	}
	add := func(field, b, a string) {
		if b != a {
			changes = append(changes, katprep.FieldChange{Field: field, Before: b, After: a})
		}
	}
	add("name", before.Name, after.Name)
	if !knows(before, katprep.AspectFacts) || !knows(after, katprep.AspectFacts) {
		return changes
	}
	b, a := &before.Facts, &after.Facts
	osBefore, osAfter := osNames(b.OS, a.OS)
	add("os", osBefore, osAfter)
	add("arch", b.Arch, a.Arch)
	add("ip", b.IP, a.IP)
	add("ip6", b.IP6, a.IP6)
	add("mac", b.MAC, a.MAC)
	add("uuid", b.UUID, a.UUID)
	add("machine_id", b.MachineID, a.MachineID)
	add("hardware", string(b.Hardware), string(a.Hardware))
	add("owner", b.Owner, a.Owner)
	add("owner_type", b.OwnerType, a.OwnerType)
	add("organization", b.Organization, a.Organization)
	add("location", b.Location, a.Location)
	add("host_group", b.HostGroup, a.HostGroup)
	add("lifecycle_environment", b.Environment, a.Environment)
	add("content_view", b.ContentView, a.ContentView)
	add("host_collections", strings.Join(b.Collections, ", "), strings.Join(a.Collections, ", "))
	add("comment", b.Comment, a.Comment)
	for _, k := range bothKeys(b.Extra, a.Extra) {
		add("extra."+k, b.Extra[k], a.Extra[k])
	}
	return changes
}

// osNames names two operating systems so that different ones have different
// names.
func osNames(b, a katprep.OS) (string, string) {
	short := func(o katprep.OS) string { return strings.TrimSpace(o.ID + " " + o.Version) }
	nb, na := cmp.Or(b.Name, short(b)), cmp.Or(a.Name, short(a))
	if nb == na && b != a {
		return nb + " (" + short(b) + ")", na + " (" + short(a) + ")"
	}
	return nb, na
}
