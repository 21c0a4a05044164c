package populate

import (
	"encoding/hex"
	"net/netip"
	"slices"
	"strings"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/act"
)

// An index finds objects by normalized values of their keys.
type index map[Key]map[string][]Object

func (inv *Inventories) index(k Kind) index {
	x := index{}
	for i, s := range inv.Systems {
		if s.Kind != k {
			continue
		}
		for _, o := range inv.Objects[i] {
			x.add(Object{i, o})
		}
	}
	return x
}

func (x index) add(o Object) {
	for key, values := range keysOf(o.Object) {
		if x[key] == nil {
			x[key] = map[string][]Object{}
		}
		for _, v := range values {
			if !slices.ContainsFunc(x[key][v], func(p Object) bool { return same(p, o) }) {
				x[key][v] = append(x[key][v], o)
			}
		}
	}
}

func same(a, b Object) bool { return a.System == b.System && a.Name == b.Name }

// keysOf returns what identifies an object, normalized.
func keysOf(o act.Object) map[Key][]string {
	m := map[Key][]string{}
	if id := uuid(o.UUID); id != "" {
		m[ByUUID] = []string{id}
	}
	for _, a := range o.MACs {
		if a = mac(a); a != "" {
			m[ByMAC] = append(m[ByMAC], a)
		}
	}
	for _, a := range o.IPs {
		if ip, key := address(a); key != "" {
			m[key] = append(m[key], ip)
		}
	}
	for _, n := range []string{o.Name, o.Display} {
		if n = name(n); n == "" {
			continue
		}
		m[ByName] = append(m[ByName], n)
		m[ByLabel] = append(m[ByLabel], label(n))
	}
	return m
}

// An identity is what a host has of one key.
type identity struct {
	key    Key
	values []string
}

// keysOfHost returns what identifies a host, by key from the most certain.
func keysOfHost(h *katprep.State) []identity {
	f := &h.Facts
	ids := []string{}
	if id := uuid(f.UUID); id != "" {
		ids = append(ids, id, swapped(id))
	}
	list := []identity{{ByUUID, ids}, {ByMAC, []string{mac(f.MAC)}}, {ByName, []string{name(h.Name)}}}
	for _, a := range []string{f.IP, f.IP6} {
		if ip, key := address(a); key != "" {
			list = append(list, identity{key, []string{ip}})
		}
	}
	return list
}

// match looks for a host. Every key that finds something must agree: what
// they have in common is the match.
func (inv *Inventories) match(x index, h *katprep.State, k Kind) Match {
	m := Match{Host: h, Kind: k}
	var all []Object // that any key found
	for _, id := range keysOfHost(h) {
		found := x.find(id.key, id.values...)
		if len(found) == 0 {
			continue
		}
		m.By = append(m.By, id.key)
		if len(m.By) == 1 {
			m.Objects, all = found, found
			continue
		}
		all = union(all, found)
		m.Objects = common(m.Objects, found)
	}
	if len(m.By) == 0 {
		if m.Objects = x.find(ByLabel, label(name(h.Name))); len(m.Objects) > 0 {
			m.By, all = []Key{ByLabel}, m.Objects
		}
	}
	if len(m.By) == 0 {
		if m.Objects = inv.decided(x, h, k); len(m.Objects) > 0 {
			m.By, all = []Key{ByParameter}, m.Objects
		}
	}
	return inv.judge(m, all)
}

// decided returns the objects that the host's parameters name, where nothing
// else tells: somebody knew.
func (inv *Inventories) decided(x index, h *katprep.State, k Kind) []Object {
	object, ok := value(h, string(k)+"_name")
	if !ok {
		return nil
	}
	found := slices.Clone(x.find(ByName, name(object)))
	if named, ok := value(h, string(k)); ok {
		found = slices.DeleteFunc(found, func(o Object) bool { return !inv.Systems[o.System].is(named) })
	}
	return found
}

// judge says what the found objects mean.
func (inv *Inventories) judge(m Match, all []Object) Match {
	missing := inv.failed(m.Kind)
	switch {
	case len(missing) > 0:
		m.Status, m.Objects = Unknown, all
		m.Why = "did not answer: " + strings.Join(missing, ", ")
	case len(all) == 0:
		m.Status, m.Why = Unmatched, "no object has its name, addresses or UUID"
	case len(m.Objects) == 1:
		m.Status = Matched
	case len(m.Objects) == 0:
		m.Status, m.Objects = Ambiguous, all
		m.Why = "its " + joinKeys(m.By) + " lead to different objects: " + inv.names(all)
	default:
		m.Status = Ambiguous
		m.Why = "several objects have its " + joinKeys(m.By) + ": " + inv.names(m.Objects)
	}
	return m
}

func (x index) find(key Key, values ...string) []Object {
	var found []Object
	for _, v := range values {
		if v != "" {
			if len(found) == 0 {
				found = x[key][v] // not to be changed, and it is not: union copies
				continue
			}
			found = union(found, x[key][v])
		}
	}
	return found
}

func union(a, b []Object) []Object {
	out := slices.Clone(a)
	for _, o := range b {
		if !slices.ContainsFunc(out, func(p Object) bool { return same(p, o) }) {
			out = append(out, o)
		}
	}
	return out
}

func common(a, b []Object) []Object {
	var out []Object
	for _, o := range a {
		if slices.ContainsFunc(b, func(p Object) bool { return same(p, o) }) {
			out = append(out, o)
		}
	}
	return out
}

func joinKeys(keys []Key) string {
	words := make([]string, len(keys))
	for i, k := range keys {
		words[i] = string(k)
	}
	return strings.Join(words, ", ")
}

// names lists objects with their systems, bounded.
func (inv *Inventories) names(list []Object) string {
	var words []string
	for i, o := range list {
		if i == 5 {
			words = append(words, "…")
			break
		}
		words = append(words, o.Name+" in "+inv.Systems[o.System].Name)
	}
	return strings.Join(words, ", ")
}

func name(s string) string { return strings.ToLower(strings.TrimSuffix(strings.TrimSpace(s), ".")) }

func label(s string) string {
	if _, err := netip.ParseAddr(s); err == nil {
		return "" // 10.0.0.1 has no short name
	}
	first, _, _ := strings.Cut(s, ".")
	return first
}

func without(s, chars string) string {
	return strings.Map(func(r rune) rune {
		if strings.ContainsRune(chars, r) {
			return -1
		}
		return r
	}, s)
}

// mac returns 12 hexadecimal digits, or "" for what identifies nothing.
func mac(s string) string {
	s = strings.ToLower(without(s, ":-. \t"))
	if b, err := hex.DecodeString(s); err != nil || len(b) != 6 || b[0]&1 == 1 || s == "000000000000" {
		return ""
	}
	return s
}

// address returns an IP address in one form and its key; "" for what many
// machines have: loopback, link-local, unspecified and multicast ones.
func address(s string) (string, Key) {
	s, _, _ = strings.Cut(strings.TrimSpace(s), "/")
	a, err := netip.ParseAddr(s)
	if err != nil {
		return "", ""
	}
	a = a.Unmap().WithZone("")
	switch {
	case a.IsLoopback(), a.IsLinkLocalUnicast(), a.IsUnspecified(), a.IsMulticast():
		return "", ""
	case a.Is4():
		return a.String(), ByIPv4
	}
	return a.String(), ByIPv6
}

// uuid returns 32 hexadecimal digits, or "" for what identifies nothing:
// some vendors give the same UUID to all their boards.
func uuid(s string) string {
	s = strings.ToLower(without(s, "-{} \t"))
	b, err := hex.DecodeString(s)
	if err != nil || len(b) != 16 || s == "03000200040005000006000700080009" {
		return ""
	}
	if !slices.ContainsFunc(b, func(c byte) bool { return c != b[0] }) {
		return "" // all zeros, all ones
	}
	return s
}

// swapped returns a UUID with its first three parts in the other byte order:
// firmware and hypervisor do not always agree.
func swapped(id string) string {
	b, err := hex.DecodeString(id)
	if err != nil || len(b) != 16 {
		return ""
	}
	slices.Reverse(b[0:4])
	slices.Reverse(b[4:6])
	slices.Reverse(b[6:8])
	return hex.EncodeToString(b)
}
