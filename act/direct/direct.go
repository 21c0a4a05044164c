// Package direct patches and reboots hosts without a management server, and
// runs scripts on them: this machine, or others over SSH.
//
// What changes a host runs there as a job of its own (a session, a folder
// named after the marker, an exit code in a file): a connection that breaks,
// or katprep itself ending, leaves the package manager to finish, and the
// outcome is found again by the marker.
package direct

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/act"
	"github.com/stdevel/katprep/internal/inventory"
	"github.com/stdevel/katprep/internal/sshx"
)

// Options say which hosts there are and how they are reached.
type Options struct {
	Dialer      *sshx.Dialer     // nil: this machine
	Hosts       []inventory.Host // over SSH
	Any         bool             // reach hosts that are not among Hosts by their names
	Local       katprep.Host     // this machine's identity, without a Dialer
	Sudo        bool             // become root with "sudo -n /bin/sh -s"; the inventory may say otherwise
	Concurrency int              // hosts patched at once; 0: 8
	Connect     time.Duration    // how long a host that does not answer is asked again; 0: 5 minutes
	RebootTime  time.Duration    // within which a host must be back; 0: 15 minutes
	Poll        time.Duration    // between questions while waiting; 0: 5 seconds
	// Fixes returns the details of an advisory, for hosts whose package
	// manager knows none (Debian, Ubuntu); nil if there is no feed.
	Fixes func(id string) (katprep.Erratum, bool)
	// Output is told each host's latest line while a job runs; nil: nobody.
	Output func(host, line string)
	Sh     []string // this machine's shell that reads a script on its input; nil: "/bin/sh", "-s", through sudo if Sudo
}

// Direct is an act.Patcher, act.Rebooter, act.RebootNeeder, act.Hook and
// act.ScriptFinder.
type Direct struct{ o Options }

var (
	_ act.Patcher      = (*Direct)(nil)
	_ act.Rebooter     = (*Direct)(nil)
	_ act.Hook         = (*Direct)(nil)
	_ act.ScriptFinder = (*Direct)(nil)
	_ act.RebootNeeder = (*Direct)(nil)
)

// New returns an actor on the hosts of the options.
func New(o Options) *Direct {
	or := func(d *time.Duration, v time.Duration) {
		if *d <= 0 {
			*d = v
		}
	}
	or(&o.Connect, 5*time.Minute)
	or(&o.RebootTime, 15*time.Minute)
	or(&o.Poll, 5*time.Second)
	if o.Concurrency <= 0 {
		o.Concurrency = 8
	}
	if len(o.Sh) == 0 {
		o.Sh = []string{"/bin/sh", "-s"}
		if o.Sudo {
			o.Sh = []string{"sudo", "-n", "/bin/sh", "-s"}
		}
	}
	return &Direct{o}
}

// Identify says what this is; hosts are asked when they are needed.
func (d *Direct) Identify(ctx context.Context) (act.Identity, error) {
	if err := ctx.Err(); err != nil {
		return act.Identity{}, err
	}
	product := "hosts over SSH"
	if d.o.Dialer == nil {
		product = "this machine"
	}
	return act.Identity{Product: product}, nil
}

// host finds a target's connection.
func (d *Direct) host(t act.Target) (inventory.Host, error) {
	name := t.Name
	if name == "" {
		name = t.Host.Name
	}
	same := func(h inventory.Host) bool { return strings.EqualFold(h.Name, name) }
	if i := slices.IndexFunc(d.o.Hosts, same); i >= 0 {
		return d.o.Hosts[i], nil
	}
	if d.o.Dialer == nil && (strings.EqualFold(name, d.o.Local.Name) || t.Host.HostID == d.o.Local.HostID && name == "") {
		return inventory.Host{Host: sshx.Host{Name: d.o.Local.Name}}, nil
	}
	if d.o.Any && d.o.Dialer != nil {
		return inventory.Host{Host: sshx.Host{Name: name}}, sshx.CheckName(name)
	}
	return inventory.Host{}, katprep.Errorf(katprep.NotFound, "no host %q is known here", name)
}
