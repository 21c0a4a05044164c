// Package vm holds what all hypervisor backends share: finding a VM among
// those of a hypervisor, knowing our own snapshots from those of others, and
// asking again after every action, so that only what a hypervisor confirmed
// counts as done. A backend brings a [Driver] and embeds a [Keeper].
package vm

import (
	"cmp"
	"context"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/act"
)

// A VM is one virtual machine as its hypervisor lists it.
type VM struct {
	ID     string // the hypervisor's own, stable
	Name   string
	Path   string // in an inventory with folders, "" without
	UUID   string
	IPs    []string
	MACs   []string
	Groups []string
}

// A Snapshot is one VM snapshot.
type Snapshot struct {
	ID       string
	Name     string
	Parent   string // ID of another one, "" at the root
	Created  time.Time
	Quiesced bool
	Mark     Mark // ours, if it has one
	Native   any  // what the driver needs to find it again
	// Unfinished says that it is still being made or removed, or that the
	// hypervisor was stopped in the middle of that.
	Unfinished bool
}

// Wanted is a snapshot to be made.
type Wanted struct {
	Name        string
	Description string // holds the mark
	Mark        Mark
	Memory      bool
	Quiesce     bool
	Running     bool // the VM runs
}

// ErrQuiesce is wrapped by a driver's Create if the guest's file systems could
// not be frozen and no snapshot was made.
var ErrQuiesce = errors.New("the guest's file systems cannot be frozen")

// ErrTaken is wrapped by a driver's Create if a snapshot of that name is there
// that the tree does not show, and none was made. Its text says what it is.
var ErrTaken = errors.New("the name is taken")

// A Driver speaks one hypervisor's language. Its methods wait for the
// hypervisor's tasks; whether the result is what was wanted, the [Keeper]
// asks. All of them end with their context. Errors have a kind of katprep.
type Driver interface {
	// List returns all VMs, templates left out. IP addresses may be left out
	// unless they are asked for.
	List(ctx context.Context, addresses bool) ([]VM, error)
	// Tree returns all snapshots of a VM at any depth.
	Tree(ctx context.Context, v VM) ([]Snapshot, error)
	// Create makes a snapshot.
	Create(ctx context.Context, v VM, w Wanted) error
	// Remove removes a snapshot; its children stay.
	Remove(ctx context.Context, v VM, s Snapshot) error
	// Revert takes the VM back. The power state afterwards may be any.
	Revert(ctx context.Context, v VM, s Snapshot) error
	// Power returns the power state.
	Power(ctx context.Context, v VM) (act.PowerState, error)
	// Switch asks for a change of power and may return before it is done.
	Switch(ctx context.Context, v VM, a Action) error
}

// An Action changes a VM's power state.
type Action string

// The actions.
const (
	On     Action = "power on"
	Off    Action = "power off" // as if unplugged
	AskOff Action = "shut down" // the guest is asked
)

// Checker is a driver that can say beforehand why a snapshot will not work.
type Checker interface {
	Check(ctx context.Context, v VM, o act.SnapshotOptions) error
}

// Namer is a driver whose hypervisor restricts the names of snapshots.
type Namer interface {
	SnapshotName(m act.Marker) string
}

// Forester is a driver that returns the snapshots of all VMs at once.
type Forester interface {
	Forest(ctx context.Context) (map[string][]Snapshot, error) // by VM ID
}

// Find returns the VM that a target means. A name that is known decides
// alone: it may be a name, an inventory path, an ID or a UUID. Without one,
// UUID, MAC, IP addresses and the host's name are tried in this order. No
// match is an error of kind katprep.NotFound, several are katprep.Conflict.
func Find(list []VM, t act.Target) (VM, error) {
	for _, step := range steps(t) {
		var found []VM
		for _, v := range list {
			if step.match(v) {
				found = append(found, v)
			}
		}
		if len(found) == 1 {
			return found[0], nil
		}
		if len(found) > 1 {
			return VM{}, katprep.Errorf(katprep.Conflict, "%d VMs have %s", len(found), step.what).
				WithHint("name one by its %s in katprep_virt_name", pathsOrIDs(found))
		}
	}
	if t.Name != "" {
		return VM{}, katprep.Errorf(katprep.NotFound, "there is no VM %q", t.Name)
	}
	return VM{}, katprep.Errorf(katprep.NotFound, "there is no VM for host %q", t.Host.Name).WithHint("set katprep_virt_name to the VM's name")
}

func pathsOrIDs(found []VM) string {
	words := make([]string, len(found))
	for i, v := range found {
		words[i] = cmp.Or(v.Path, v.ID)
	}
	return "path or ID (" + strings.Join(words, ", ") + ")"
}

// A step is one way of looking for a VM.
type step struct {
	what  string
	match func(VM) bool
}

func steps(t act.Target) (list []step) {
	if t.Name != "" {
		return []step{
			{"the name or path " + t.Name, func(v VM) bool { return v.Name == t.Name || v.Path != "" && v.Path == t.Name }},
			{"the ID " + t.Name, func(v VM) bool { return v.ID == t.Name || SameUUID(v.UUID, t.Name) }},
			{"the name " + t.Name, func(v VM) bool { return strings.EqualFold(v.Name, t.Name) }},
		}
	}
	if t.UUID != "" {
		list = append(list, step{"the UUID " + t.UUID, func(v VM) bool { return SameUUID(v.UUID, t.UUID) }})
	}
	if t.MAC != "" {
		list = append(list, step{"the MAC " + t.MAC, func(v VM) bool {
			return slices.ContainsFunc(v.MACs, func(m string) bool { return strings.EqualFold(m, t.MAC) })
		}})
	}
	for _, ip := range []string{t.IP, t.IP6} {
		if a, err := netip.ParseAddr(ip); err == nil {
			list = append(list, step{"the address " + ip, func(v VM) bool { return hasAddr(v, a.WithZone("")) }})
		}
	}
	if n := t.Host.Name; n != "" {
		list = append(list, step{"the name " + n, func(v VM) bool { return strings.EqualFold(v.Name, n) }})
		if short, _, dotted := strings.Cut(n, "."); dotted && short != "" {
			list = append(list, step{"the name " + short, func(v VM) bool { return strings.EqualFold(v.Name, short) }})
		}
	}
	return list
}

func hasAddr(v VM, a netip.Addr) bool {
	return slices.ContainsFunc(v.IPs, func(s string) bool {
		b, err := netip.ParseAddr(s)
		return err == nil && b.WithZone("") == a
	})
}

// SameUUID compares UUIDs without regard to case and dashes. Firmware may
// show the first three groups in the other byte order; that is the same.
func SameUUID(a, b string) bool {
	x, y := bareUUID(a), bareUUID(b)
	return x != "" && y != "" && (x == y || swapped(x) == y)
}

func bareUUID(s string) string {
	s = strings.ToLower(strings.ReplaceAll(s, "-", ""))
	if len(s) != 32 || strings.Trim(s, "0123456789abcdef") != "" || strings.Trim(s, "0") == "" {
		return ""
	}
	return s
}

func swapped(s string) string {
	rev := func(from, to int) string {
		out := ""
		for i := to; i > from; i -= 2 {
			out += s[i-2 : i]
		}
		return out
	}
	return rev(0, 8) + rev(8, 12) + rev(12, 16) + s[16:]
}
