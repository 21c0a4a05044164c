package probe

import (
	"slices"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/internal/vers"
)

// rpm reads the installed packages.
func (a *assembler) rpm() {
	a.s.Format = katprep.RPM
	data, ok := a.section("rpm", katprep.AspectPackages, "rpm")
	ps, bad := ParseRPM(data)
	a.s.Packages = ps
	a.kernel = ParseRPMKernels(a.out.Data("rpm-kernels"))
	switch {
	case bad > 0:
		a.problem(katprep.AspectPackages, "%d lines of rpm could not be read", bad)
	case ok && len(ps) == 0:
		a.problem(katprep.AspectPackages, "rpm lists no package")
	case ok:
		a.knows(katprep.AspectPackages)
	}
}

// dnf reads what the repositories offer, from whichever dnf or yum the host
// has.
func (a *assembler) dnf() {
	if !a.out.Has("dnf4") {
		a.problem(katprep.AspectUpdates, "neither dnf nor yum is there")
		a.problem(katprep.AspectErrata, "neither dnf nor yum is there")
		return
	}
	data, ok := a.section("dnf4", katprep.AspectUpdates, "dnf")
	if !ok {
		a.problem(katprep.AspectErrata, "dnf failed")
		return
	}
	c, err := ParseDNF4(data)
	if err != nil {
		a.problem(katprep.AspectUpdates, "%s", err)
		a.problem(katprep.AspectErrata, "%s", err)
		return
	}
	a.content(c)
}

// content takes over what a package manager said of its repositories.
func (a *assembler) content(c Content) {
	a.s.Repositories = c.Repositories
	a.advisories(c)
	a.updates(c)
	for _, id := range c.Missing {
		a.problem(katprep.AspectUpdates, "repository %s has no usable metadata (dnf makecache)", Clean(id))
		a.problem(katprep.AspectErrata, "repository %s has no usable metadata", Clean(id))
	}
	if c.Problem != "" {
		a.warn(katprep.AspectErrata, "details of advisories are missing: %s", c.Problem)
	}
	switch {
	case len(c.Missing) > 0:
	case len(c.Repositories) == 0:
		a.problem(katprep.AspectUpdates, "no repository is enabled: pending updates are not known")
		a.problem(katprep.AspectErrata, "no repository is enabled: errata are not known")
	default:
		a.knows(katprep.AspectUpdates, katprep.AspectErrata)
		a.fresh(c.Fetched, "dnf makecache")
	}
}

// advisories lists what is still to be installed. An advisory whose fix is
// installed but not running is a needed reboot, not a missing erratum.
func (a *assembler) advisories(c Content) {
	for _, adv := range c.Advisories {
		a.errata = append(a.errata, adv.Erratum)
		if adv.Installed {
			a.s.Reboot.Reasons = append(a.s.Reboot.Reasons, adv.ID)
			continue
		}
		a.s.Errata = append(a.s.Errata, katprep.HostErratum{ID: adv.ID, Installable: true})
	}
}

// updates joins pending updates with what is installed and with the
// advisories that ask for them.
func (a *assembler) updates(c Content) {
	installed := map[katprep.PackageKey]katprep.EVR{}
	for _, p := range a.s.Packages {
		if old, ok := installed[p.Key()]; !ok || vers.RPM(string(old), string(p.EVR)) < 0 {
			installed[p.Key()] = p.EVR
		}
	}
	asks := fixesByPackage(c.Advisories)
	for _, u := range c.Updates {
		u.From = installed[katprep.PackageKey{Name: u.Name, Arch: u.Arch}]
		for _, f := range asks[katprep.PackageKey{Name: u.Name, Arch: u.Arch}] {
			if vers.RPM(string(f.evr), string(u.To)) > 0 {
				continue
			}
			u.Errata = append(u.Errata, f.advisory.ID)
			u.CVEs = append(u.CVEs, f.advisory.CVEs...)
			u.Security = u.Security || f.advisory.Type == katprep.Security
		}
		slices.Sort(u.Errata)
		slices.Sort(u.CVEs)
		u.Errata, u.CVEs = slices.Compact(u.Errata), slices.Compact(u.CVEs)
		a.s.Updates = append(a.s.Updates, u)
	}
}

type fix struct {
	evr      katprep.EVR
	advisory *Advisory
}

func fixesByPackage(advs []Advisory) map[katprep.PackageKey][]fix {
	m := map[katprep.PackageKey][]fix{}
	for i := range advs {
		if advs[i].Installed {
			continue
		}
		for _, s := range advs[i].Packages {
			if p, ok := katprep.ParseNEVRA(s); ok {
				m[p.Key()] = append(m[p.Key()], fix{p.EVR, &advs[i]})
			}
		}
	}
	return m
}

// core lists the packages that Red Hat's needs-restarting plugin says need a
// reboot when they are newer than the boot.
var core = [...]string{
	"dbus", "dbus-broker", "dbus-daemon", "glibc", "kernel", "kernel-core", "kernel-rt", "kernel-rt-core",
	"linux-firmware", "microcode_ctl", "systemd",
}

// rebootRPM applies the rule of that plugin, whether it is installed or not,
// and compares kernels.
func (a *assembler) rebootRPM() {
	if !a.s.Knows(katprep.AspectPackages) {
		a.problem(katprep.AspectReboot, "without the installed packages the need of a reboot is not known")
		return
	}
	newest := a.newestKernel(a.kernel, vers.RPM)
	boot := a.host.Boot.Time
	if newest == "" && boot.IsZero() {
		a.warn(katprep.AspectReboot, "no installed package holds the running kernel, and the boot time is not known")
		return
	}
	for _, p := range a.s.Packages {
		_, isCore := slices.BinarySearch(core[:], p.Name)
		if isCore && !boot.IsZero() && p.Installed.After(boot) {
			a.needReboot(p.Name)
		}
	}
	if len(a.s.Reboot.Reasons) > 0 {
		a.s.Reboot.Need = katprep.Needed
	}
	a.judgeReboot(newest)
}
