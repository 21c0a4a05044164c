// Package populate finds hosts in monitoring systems and hypervisors, and says
// which parameters would tell katprep so. It never guesses: what fits more
// than one object, or contradicts itself, is reported and left alone.
package populate

import (
	"context"
	"slices"
	"strings"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/act"
	"golang.org/x/sync/errgroup"
)

// Kind is what a system does for hosts.
type Kind string

// The kinds, each with the parameter that names the system; the object's name
// is in the same parameter with "_name".
const (
	Monitoring Kind = "katprep_mon"
	Hypervisor Kind = "katprep_virt"
)

// Kinds lists the kinds in the order of reports.
var Kinds = [...]Kind{Monitoring, Hypervisor}

// String returns the kind for people.
func (k Kind) String() string {
	if k == Hypervisor {
		return "hypervisor"
	}
	return "monitoring"
}

// A System is a configured system that knows hosts or VMs.
type System struct {
	Name      string // in the configuration
	URL       string // as the predecessor's parameters may name it
	Kind      Kind
	Inventory act.Inventory
}

// An Object is a host or VM of one of the systems.
type Object struct {
	System int // index into the systems
	act.Object
}

// Key is what a host and an object have in common.
type Key string

// The keys, the most certain first. ByLabel, the first part of the name, only
// counts where nothing else fits.
const (
	ByUUID  Key = "UUID"
	ByMAC   Key = "MAC"
	ByName  Key = "name"
	ByIPv4  Key = "IPv4"
	ByIPv6  Key = "IPv6"
	ByLabel Key = "short name"

	ByParameter Key = "parameter" // katprep_mon_name or katprep_virt_name, where nothing else fits
)

// Status is how the search for a host ended.
type Status string

// The statuses.
const (
	Matched   Status = "matched"
	Ambiguous Status = "ambiguous" // several objects fit, or what fits contradicts itself
	Unmatched Status = "unmatched" // no object fits
	Unknown   Status = "unknown"   // a system that could know it did not answer
)

// A Match is what was found of one host in the systems of one kind.
type Match struct {
	Host    *katprep.State // one of those given to Find
	Kind    Kind
	Status  Status
	Objects []Object // the one; or all that fit
	By      []Key    // what they have in common, the most certain first
	Why     string   // of all but Matched
}

// An Inventories holds what the systems know.
type Inventories struct {
	Systems []System
	Objects [][]act.Object // by system
	Errs    []error        // by system: why it did not answer
}

// Load asks all systems at once. A system that fails is in Errs; the others
// are still asked.
func Load(ctx context.Context, systems []System) *Inventories {
	inv := &Inventories{Systems: systems, Objects: make([][]act.Object, len(systems)), Errs: make([]error, len(systems))}
	var g errgroup.Group
	g.SetLimit(4)
	for i, s := range systems {
		g.Go(func() error {
			inv.Objects[i], inv.Errs[i] = s.Inventory.Objects(ctx)
			return nil
		})
	}
	_ = g.Wait() // errors are in inv.Errs
	return inv
}

// failed returns the names of systems of the kind that did not answer.
func (inv *Inventories) failed(k Kind) (names []string) {
	for i, s := range inv.Systems {
		if s.Kind == k && inv.Errs[i] != nil {
			names = append(names, s.Name)
		}
	}
	return names
}

func (inv *Inventories) has(k Kind) bool {
	return slices.ContainsFunc(inv.Systems, func(s System) bool { return s.Kind == k })
}

// Find matches the hosts with the objects: for every host one Match for each
// kind that has a system, in the hosts' order. Physical hosts and containers
// are not looked for on hypervisors. Unclaimed are the objects that belong to
// no host.
func (inv *Inventories) Find(hosts []katprep.State) (matches []Match, unclaimed []Object) {
	indexes := map[Kind]index{}
	for _, k := range Kinds {
		if inv.has(k) {
			indexes[k] = inv.index(k)
		}
	}
	claims := map[claim][]int{}
	for i := range hosts {
		for _, k := range Kinds {
			x, ok := indexes[k]
			if hw := hosts[i].Facts.Hardware; !ok || k == Hypervisor && (hw == katprep.Physical || hw == katprep.Container) {
				continue
			}
			m := inv.match(x, &hosts[i], k)
			for _, o := range m.Objects {
				c := claim{o.System, o.Name}
				claims[c] = append(claims[c], len(matches))
			}
			matches = append(matches, m)
		}
	}
	rivals(matches, claims)
	return matches, inv.unclaimed(claims)
}

type claim struct {
	system int
	object string
}

// rivals makes hosts ambiguous that matched the same object.
func rivals(matches []Match, claims map[claim][]int) {
	for c, list := range claims {
		list = slices.DeleteFunc(slices.Clone(list), func(i int) bool { return matches[i].Status != Matched })
		if len(list) < 2 {
			continue
		}
		var names []string
		for _, i := range list {
			names = append(names, matches[i].Host.Name)
		}
		slices.Sort(names)
		for _, i := range list {
			matches[i].Status = Ambiguous
			matches[i].Why = c.object + " fits several hosts: " + strings.Join(names, ", ")
		}
	}
}

func (inv *Inventories) unclaimed(claims map[claim][]int) []Object {
	var list []Object
	for i, objects := range inv.Objects {
		for _, o := range objects {
			if len(claims[claim{i, o.Name}]) == 0 {
				list = append(list, Object{i, o})
			}
		}
	}
	return list
}
