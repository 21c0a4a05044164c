package foreman

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/internal/foremanapi"
	"github.com/stdevel/katprep/internal/vers"
)

func (j *job) readPackages(ctx context.Context) error {
	err := j.readByFormat(ctx)
	if err != nil {
		return j.lost(ctx, katprep.AspectPackages, "packages", err)
	}
	if len(j.state.Packages) == 0 { // no system is without packages
		missing(&j.state, katprep.AspectPackages, "the host has not uploaded its package profile")
		return nil
	}
	know(&j.state, katprep.AspectPackages)
	slices.SortFunc(j.state.Packages, katprep.ComparePackages)
	j.state.Packages = slices.CompactFunc(j.state.Packages, func(a, b katprep.Package) bool { return katprep.ComparePackages(a, b) == 0 })
	j.state.Updates = newest(j.state.Updates, j.state.Packages, string(j.state.Format))
	return nil
}

// newest keeps one update for each package and architecture: from the newest
// version installed to the newest on offer. What is installed already (an
// older kernel has newer ones) is no update.
func newest(updates []katprep.Update, installed []katprep.Package, format string) []katprep.Update {
	compare := func(a, b katprep.EVR) int { return vers.Compare(format, string(a), string(b)) }
	have := map[katprep.PackageKey]katprep.EVR{}
	for _, p := range installed {
		if e, ok := have[p.Key()]; !ok || compare(p.EVR, e) > 0 {
			have[p.Key()] = p.EVR
		}
	}
	best := map[katprep.PackageKey]katprep.Update{}
	for _, u := range updates {
		key := katprep.PackageKey{Name: u.Name, Arch: u.Arch}
		u.From = have[key]
		if b, ok := best[key]; compare(u.To, u.From) > 0 && (!ok || compare(u.To, b.To) > 0) {
			best[key] = u
		}
	}
	return slices.SortedFunc(maps.Values(best), func(a, b katprep.Update) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Arch, b.Arch))
	})
}

// readByFormat asks for RPMs or Debian packages; a host whose system does not
// tell is asked for both.
func (j *job) readByFormat(ctx context.Context) error {
	if j.state.Format != katprep.Deb {
		if err := j.readRPMs(ctx); err != nil || len(j.state.Packages) > 0 || j.state.Format == katprep.RPM {
			return err
		}
	}
	if !j.server.Can(foremanapi.HostDebs) {
		return katprep.Errorf(katprep.NotFound, "Debian packages need Katello 3.15 or newer")
	}
	return j.readDebs(ctx)
}

func (j *job) readRPMs(ctx context.Context) error {
	list, err := j.api.Packages(ctx, j.host.ID.N, j.server.Can(foremanapi.Upgradable))
	if err != nil {
		return err
	}
	for _, p := range list {
		nevra := orElse(string(p.NEVRA), string(p.NVRA))
		pkg, ok := katprep.ParseNEVRA(nevra)
		if !ok {
			return katprep.Errorf(katprep.Corrupt, "package %q has no readable version", nevra)
		}
		j.state.Packages = append(j.state.Packages, pkg)
		for _, v := range p.Upgradable.Versions {
			to, ok := katprep.ParseNEVRA(v)
			if !ok {
				return katprep.Errorf(katprep.Corrupt, "update %q has no readable version", v)
			}
			j.update(pkg, to.EVR)
		}
		j.offered(p.Upgradable)
	}
	if len(list) > 0 {
		j.state.Format = katprep.RPM
	}
	return nil
}

func (j *job) readDebs(ctx context.Context) error {
	list, err := j.api.Debs(ctx, j.host.ID.N, j.server.Can(foremanapi.UpgradableDebs))
	if err != nil {
		return err
	}
	for _, p := range list {
		pkg := katprep.Package{Name: string(p.Name), EVR: katprep.EVR(p.Version), Arch: string(p.Architecture)}
		j.state.Packages = append(j.state.Packages, pkg)
		for _, v := range p.Upgradable.Versions {
			j.update(pkg, debVersion(pkg.Name, v))
		}
		j.offered(p.Upgradable)
	}
	if len(list) > 0 {
		j.state.Format = katprep.Deb
	}
	return nil
}

// debVersion takes the version out of "name_version_arch" where a server
// writes that instead of the version alone.
func debVersion(name, v string) katprep.EVR {
	if rest, ok := strings.CutPrefix(v, name+"_"); ok {
		v, _, _ = strings.Cut(rest, "_")
	}
	return katprep.EVR(v)
}

func (j *job) update(p katprep.Package, to katprep.EVR) {
	j.state.Updates = append(j.state.Updates, katprep.Update{Name: p.Name, Arch: p.Arch, From: p.EVR, To: to})
}

// offered notes that the server spoke of newer versions.
func (j *job) offered(o foremanapi.Offered) {
	if o.Known {
		know(&j.state, katprep.AspectUpdates)
	}
}
