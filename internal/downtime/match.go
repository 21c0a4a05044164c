package downtime

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/act"
)

// Match finds the object of each target in a list of all objects: by Name
// alone if it is set; otherwise by the host's name, then without regard to
// case or by display name, then by address. More than one object is a
// conflict.
func Match(ts []act.Target, objects []act.Object) []Found {
	x := indexOf(objects)
	fs := make([]Found, len(ts))
	for i, t := range ts {
		fs[i] = x.find(t)
	}
	return fs
}

type index struct {
	name, fold, addr map[string][]string
}

func indexOf(objects []act.Object) index {
	x := index{map[string][]string{}, map[string][]string{}, map[string][]string{}}
	for _, o := range objects {
		add(x.name, o.Name, o.Name)
		add(x.fold, strings.ToLower(o.Name), o.Name)
		add(x.fold, strings.ToLower(o.Display), o.Name)
		for _, ip := range o.IPs {
			add(x.addr, addr(ip), o.Name)
		}
	}
	return x
}

func add(m map[string][]string, key, name string) {
	if key != "" && !slices.Contains(m[key], name) {
		m[key] = append(m[key], name)
	}
}

// addr returns an address in one spelling, or "" if it is none.
func addr(s string) string {
	a, err := netip.ParseAddr(strings.TrimSpace(s))
	if err != nil || a.IsUnspecified() {
		return ""
	}
	return a.Unmap().WithZone("").String()
}

func (x index) find(t act.Target) Found {
	if t.Name != "" {
		return pick(t, "name", x.name[t.Name])
	}
	if t.Host.Name == "" && addr(t.IP) == "" && addr(t.IP6) == "" {
		return Found{Err: katprep.Errorf(katprep.Invalid, "the target names no host")}
	}
	if names := x.name[t.Host.Name]; len(names) > 0 {
		return pick(t, "name", names)
	}
	if names := x.fold[strings.ToLower(t.Host.Name)]; len(names) > 0 {
		return pick(t, "name", names)
	}
	var names []string
	for _, ip := range []string{t.IP, t.IP6} {
		for _, n := range x.addr[addr(ip)] {
			if !slices.Contains(names, n) {
				names = append(names, n)
			}
		}
	}
	return pick(t, "address", names)
}

func pick(t act.Target, by string, names []string) Found {
	switch len(names) {
	case 1:
		return Found{Host: names[0]}
	case 0:
		return Found{Err: Unknown(t)}
	}
	slices.Sort(names)
	err := katprep.Errorf(katprep.Conflict, "%d hosts have that %s: %s", len(names), by, quoted(names))
	return Found{Err: err.WithHint("name one of them in the host's parameter katprep_mon_name")}
}

// Unknown is the error for a target that matches nothing.
func Unknown(t act.Target) error {
	tried := []string{fmt.Sprintf("%q", cmp.Or(t.Name, t.Host.Name))}
	if t.Name == "" {
		for _, ip := range []string{t.IP, t.IP6} {
			if addr(ip) != "" {
				tried = append(tried, addr(ip))
			}
		}
	}
	return katprep.Errorf(katprep.NotFound, "monitoring knows no host %s, or our user may not see it", strings.Join(tried, ", ")).
		WithHint("name the object in the host's parameter katprep_mon_name, or run katprep populate")
}

func quoted(names []string) string {
	q := make([]string, 0, len(names))
	for _, n := range names[:min(len(names), 5)] {
		q = append(q, fmt.Sprintf("%q", n))
	}
	if len(names) > 5 {
		q = append(q, "…")
	}
	return strings.Join(q, ", ")
}
