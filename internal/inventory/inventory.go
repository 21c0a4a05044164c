// Package inventory reads Ansible inventories (INI and YAML) as lists of
// hosts to reach over SSH. Only connection variables are used; nothing is
// executed, and no template is rendered.
package inventory

import (
	"cmp"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/internal/sshx"
)

// MaxHosts bounds an inventory.
const MaxHosts = 100_000

// A Host is one host of an inventory.
type Host struct {
	sshx.Host
	Group  string   // its deepest group with the group's parents: "web/frontend"; "" if it is in none
	Groups []string // all its groups, sorted, without "all" and "ungrouped"
	Become *bool    // ansible_become, if the inventory says
}

// Read reads an inventory file; its name decides between INI and YAML
// (".yml", ".yaml", ".json"). Hosts are sorted by name. All errors are of
// kind Invalid and name the file, and for INI the line.
func Read(file string) ([]Host, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, katprep.Errorf(katprep.Invalid, "read inventory: %w", err)
	}
	return Parse(file, b)
}

// Parse reads an inventory's text; file is its name.
func Parse(file string, b []byte) ([]Host, error) {
	t := newTree()
	var err error
	switch strings.ToLower(filepath.Ext(file)) {
	case ".yml", ".yaml", ".json":
		err = t.yaml(b)
	default:
		err = t.ini(string(b))
	}
	if err != nil {
		return nil, katprep.Errorf(katprep.Invalid, "inventory %s: %w", file, err)
	}
	hosts, err := t.hosts()
	if err != nil {
		return nil, katprep.Errorf(katprep.Invalid, "inventory %s: %w", file, err)
	}
	return hosts, nil
}

// FromNames makes hosts of plain names "[user@]host[:port]", sorted.
func FromNames(names []string) ([]Host, error) {
	var hosts []Host
	for _, n := range names {
		h, err := sshx.ParseHost(n)
		if err != nil {
			return nil, err
		}
		hosts = append(hosts, Host{Host: h})
	}
	slices.SortStableFunc(hosts, func(a, b Host) int { return cmp.Compare(a.Name, b.Name) })
	return slices.CompactFunc(hosts, func(a, b Host) bool { return a.Name == b.Name }), nil
}

// vars are variables as text.
type vars map[string]string

// tree is an inventory as written: hosts and groups by name.
type tree struct {
	host  map[string]vars
	group map[string]*group
}

type group struct {
	hosts    map[string]bool
	children map[string]bool
	vars     vars
}

func newTree() *tree { return &tree{host: map[string]vars{}, group: map[string]*group{}} }

func (t *tree) groupNamed(name string) *group {
	g := t.group[name]
	if g == nil {
		g = &group{hosts: map[string]bool{}, children: map[string]bool{}, vars: vars{}}
		t.group[name] = g
	}
	return g
}

// add puts hosts that a pattern stands for into a group.
func (t *tree) add(groupName, pattern string, v vars) error {
	names, err := expand(pattern)
	if err != nil {
		return err
	}
	g := t.groupNamed(groupName)
	for _, n := range names {
		if err := sshx.CheckName(n); err != nil {
			return err
		}
		if t.host[n] == nil {
			t.host[n] = vars{}
		}
		if len(t.host) > MaxHosts {
			return fmt.Errorf("more than %d hosts", MaxHosts)
		}
		maps.Copy(t.host[n], v)
		g.hosts[n] = true
	}
	return nil
}

// hosts joins what groups and hosts say.
func (t *tree) hosts() ([]Host, error) {
	depth, path, err := t.paths()
	if err != nil {
		return nil, err
	}
	member := t.members(depth)
	hosts := make([]Host, 0, len(t.host))
	for _, name := range slices.Sorted(maps.Keys(t.host)) {
		v := vars{}
		if all := t.group["all"]; all != nil {
			maps.Copy(v, all.vars)
		}
		groups := member[name]
		for _, g := range groups { // the deepest group says last
			maps.Copy(v, t.group[g].vars)
		}
		maps.Copy(v, t.host[name])
		h, err := makeHost(name, v)
		if err != nil {
			return nil, err
		}
		if h == nil {
			continue
		}
		if n := len(groups); n > 0 {
			deepest := groups[n-1]
			for _, g := range slices.Backward(groups) { // of equals the first by name
				if depth[g] == depth[deepest] {
					deepest = g
				}
			}
			h.Group = path[deepest]
		}
		h.Groups = slices.Sorted(slices.Values(groups))
		hosts = append(hosts, *h)
	}
	return hosts, nil
}

// paths computes each group's depth below "all" and its path. A cycle is an
// error.
func (t *tree) paths() (depth map[string]int, path map[string]string, err error) {
	depth, path = map[string]int{}, map[string]string{}
	parents := map[string][]string{}
	for _, name := range slices.Sorted(maps.Keys(t.group)) {
		for child := range t.group[name].children {
			if name != "all" {
				parents[child] = append(parents[child], name)
			}
		}
	}
	var visit func(name string, above int) error
	visit = func(name string, above int) error {
		if above > 100 {
			return fmt.Errorf("group %s is its own parent", name)
		}
		if _, ok := depth[name]; ok {
			return nil
		}
		d, p := 1, name
		for _, up := range parents[name] {
			if err := visit(up, above+1); err != nil {
				return err
			}
			if depth[up]+1 > d {
				d, p = depth[up]+1, path[up]+"/"+name
			}
		}
		depth[name], path[name] = d, p
		return nil
	}
	for _, name := range slices.Sorted(maps.Keys(t.group)) {
		if err := visit(name, 0); err != nil {
			return nil, nil, err
		}
	}
	return depth, path, nil
}

// members lists each host's groups, parents included, ordered by depth and
// then name.
func (t *tree) members(depth map[string]int) map[string][]string {
	member := map[string][]string{}
	for _, name := range slices.SortedFunc(maps.Keys(t.group), func(a, b string) int {
		return cmp.Or(cmp.Compare(depth[a], depth[b]), cmp.Compare(a, b))
	}) {
		if name == "all" || name == "ungrouped" {
			continue
		}
		found := map[string]bool{}
		t.collect(name, found)
		for h := range found {
			member[h] = append(member[h], name)
		}
	}
	return member
}

// collect adds the hosts of a group and of the groups below it. The tree has
// no cycle.
func (t *tree) collect(name string, into map[string]bool) {
	g := t.group[name]
	maps.Copy(into, g.hosts)
	for child := range g.children {
		t.collect(child, into)
	}
}
