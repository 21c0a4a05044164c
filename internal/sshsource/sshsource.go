// Package sshsource opens a configured source of hosts over SSH, for those
// who collect from it and those who act on it.
package sshsource

import (
	"slices"
	"strings"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/internal/config"
	"github.com/stdevel/katprep/internal/inventory"
	"github.com/stdevel/katprep/internal/sshx"
)

// fromSource begins an inventory that is another source of the configuration.
const fromSource = "source:"

// From returns the name of the source that lists the hosts of this one, for
// "inventory: source:NAME"; ok is false if a file or nothing does.
func From(s config.Source) (name string, ok bool) { return strings.CutPrefix(s.Inventory, fromSource) }

// Open returns the hosts of a source, sorted by name, and what connects to
// them. base holds what the user's surroundings say; path resolves paths of
// the configuration.
func Open(s config.Source, base sshx.Options, path func(string) string) ([]inventory.Host, *sshx.Dialer, error) {
	hosts, err := inventory.FromNames(s.Hosts)
	if err != nil {
		return nil, nil, err
	}
	if _, other := From(s); s.Inventory != "" && !other {
		listed, err := inventory.Read(path(s.Inventory))
		if err != nil {
			return nil, nil, err
		}
		hosts = join(hosts, listed)
	}
	if s.User != "" {
		if err := sshx.CheckUser(s.User); err != nil {
			return nil, nil, err
		}
		base.User = s.User
	}
	if s.Port < 0 || s.Port > 65535 {
		return nil, nil, katprep.Errorf(katprep.Invalid, "port %d", s.Port)
	}
	base.Port = s.Port
	if s.IdentityFile != "" {
		base.Identity = []string{path(s.IdentityFile)}
	}
	if s.KnownHosts != "" {
		base.KnownHosts = []string{path(s.KnownHosts)}
	}
	base.Jump = s.ProxyJump
	return hosts, sshx.New(base), nil
}

// join adds the hosts of an inventory to those named one by one, which win.
func join(named, listed []inventory.Host) []inventory.Host {
	have := map[string]bool{}
	for _, h := range named {
		have[strings.ToLower(h.Name)] = true
	}
	for _, h := range listed {
		if !have[strings.ToLower(h.Name)] {
			named = append(named, h)
		}
	}
	slices.SortStableFunc(named, func(a, b inventory.Host) int { return strings.Compare(a.Name, b.Name) })
	return named
}
