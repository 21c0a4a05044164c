package probe

import (
	"slices"
	"strings"

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
	switch {
	case a.out.Has("dnf4"):
		data, ok := a.section("dnf4", katprep.AspectUpdates, "dnf")
		if !ok {
			a.problem(katprep.AspectErrata, "dnf failed")
			return
		}
		c, err := ParseDNF4(data)
		if err != nil {
			a.noContent(err)
			return
		}
		a.content(c)
	case a.out.Has("dnf5-list"):
		a.dnf5()
	case a.out.Has("dnf-list"):
		a.yum()
	default:
		a.problem(katprep.AspectUpdates, "neither dnf nor yum is there")
		a.problem(katprep.AspectErrata, "neither dnf nor yum is there")
	}
}

func (a *assembler) noContent(err error) {
	a.problem(katprep.AspectUpdates, "%s", err)
	a.problem(katprep.AspectErrata, "%s", err)
}

// dnf5 prefers JSON, which came release by release, to text.
func (a *assembler) dnf5() {
	var c Content
	var err error
	list, info := a.out.Sections["dnf5-list"], a.out.Sections["dnf5-info"]
	if list.RC == 0 {
		c.Advisories, err = ParseDNF5List(list.Data)
	} else if data, ok := a.section("dnf5-text", katprep.AspectErrata, "dnf5"); ok {
		c.Advisories = ParseDNF5Text(data)
	} else {
		a.problem(katprep.AspectUpdates, "dnf5 failed")
		return
	}
	if err != nil {
		a.noContent(err)
		return
	}
	details, err := map[string]katprep.Erratum(nil), error(nil)
	if info.RC == 0 {
		details, err = ParseDNF5Info(info.Data)
	}
	if info.RC != 0 || err != nil {
		details = ParseUpdateInfo(a.out.Data("dnf5-info-text"))
	}
	c.Advisories = withDetails(c.Advisories, details)
	c.Repositories = ParseDNF5Repos(a.out.Data("dnf5-repos"))
	a.textUpdates(c, "dnf5")
}

// yum reads what an old or a pythonless host prints for people.
func (a *assembler) yum() {
	data, ok := a.section("dnf-list", katprep.AspectErrata, "updateinfo")
	if !ok {
		a.problem(katprep.AspectUpdates, "yum or dnf failed")
		return
	}
	c := Content{Advisories: withDetails(ParseUpdateInfoList(data), ParseUpdateInfo(a.out.Data("dnf-info")))}
	a.warn(katprep.AspectErrata, "this package manager does not say which advisories suggest a reboot")
	a.textUpdates(c, "yum")
}

// textUpdates adds the updates that "check-update" prints; its exit code is
// 100 if there are any.
func (a *assembler) textUpdates(c Content, tool string) {
	data, ok := a.section("dnf-updates", katprep.AspectUpdates, tool, 100)
	if !ok {
		a.problem(katprep.AspectErrata, "%s check-update failed", tool)
		return
	}
	c.Updates = ParseCheckUpdate(data)
	c.Silent = strings.TrimSpace(a.out.Data("dnf-any")) == ""
	a.takeOver(c)
	a.known(c)
	a.fresh(ParseFetched(a.out.Data("dnf-fetched")), tool+" makecache")
}

// zypper reads patches and updates; their repositories' age is that of the
// cached metadata.
func (a *assembler) zypper() {
	data, ok := a.section("zypper-patches", katprep.AspectErrata, "zypper")
	ups, upsOK := a.section("zypper-updates", katprep.AspectUpdates, "zypper")
	if !ok || !upsOK {
		return
	}
	var c Content
	var err error
	if c.Advisories, err = ParseZypperPatches(data); err != nil {
		a.noContent(err)
		return
	}
	if c.Updates, err = ParseZypperUpdates(ups); err != nil {
		a.noContent(err)
		return
	}
	if c.Repositories, err = ParseZypperRepos(a.out.Data("zypper-repos")); err != nil {
		a.noContent(err)
		return
	}
	fixes := ParseZypperFixes(a.out.Data("zypper-fixes"))
	if s := a.out.Sections["zypper-fixes"]; s.RC != 0 {
		c.Problem = s.Failure()
	}
	for i := range c.Advisories {
		c.Advisories[i].Packages = words(fixes[c.Advisories[i].ID])
		c.Advisories[i].Erratum.Packages = nevras(fixes[c.Advisories[i].ID])
	}
	c.Silent = silent(data)
	c.Fetched = ParseFetched(a.out.Data("zypper-fetched"))
	a.content(c)
	if a.out.Sections["zypper-reboot"].RC == 102 {
		a.needReboot("zypper needs-rebooting")
	}
}

// content takes over what a package manager said of its repositories.
func (a *assembler) content(c Content) {
	a.takeOver(c)
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
		a.known(c)
		a.fresh(c.Fetched, map[bool]string{true: "zypper refresh", false: "dnf makecache"}[a.out.Has("zypper-patches")])
	}
}

// known claims updates, and errata unless the repositories hold none at all:
// those of CentOS never did, and an empty list from them means nothing.
func (a *assembler) known(c Content) {
	a.knows(katprep.AspectUpdates)
	if c.Silent {
		a.warn(katprep.AspectErrata, "no repository carries advisories: errata are not known")
		return
	}
	a.knows(katprep.AspectErrata)
}

func (a *assembler) takeOver(c Content) {
	a.s.Repositories = c.Repositories
	installed := a.newestInstalled()
	for i := range c.Advisories {
		c.Advisories[i].Installed = c.Advisories[i].Installed || reached(c.Advisories[i].Packages, installed)
	}
	a.advisories(c)
	a.updates(c, installed)
}

// newestInstalled maps packages to their newest installed version.
func (a *assembler) newestInstalled() map[katprep.PackageKey]katprep.EVR {
	installed := map[katprep.PackageKey]katprep.EVR{}
	for _, p := range a.s.Packages {
		if old, ok := installed[p.Key()]; !ok || vers.RPM(string(old), string(p.EVR)) < 0 {
			installed[p.Key()] = p.EVR
		}
	}
	return installed
}

// reached reports whether all fixes are installed that made an advisory
// concern the host: then only the running kernel is older, whatever the
// package manager still lists.
func reached(fixes []string, installed map[katprep.PackageKey]katprep.EVR) bool {
	n := 0
	for _, s := range fixes {
		p, ok := katprep.ParseNEVRA(s)
		if !ok {
			return false
		}
		have, there := installed[p.Key()]
		if there && vers.RPM(string(have), string(p.EVR)) < 0 {
			return false
		}
		if there {
			n++
		}
	}
	return n > 0
}

// advisories lists what is still to be installed. An advisory whose fix is
// installed but not running is a needed reboot, not a missing erratum.
func (a *assembler) advisories(c Content) {
	for _, adv := range c.Advisories {
		a.errata = append(a.errata, adv.Erratum)
		if adv.Installed {
			a.waiting = append(a.waiting, adv.ID)
			continue
		}
		a.s.Errata = append(a.s.Errata, katprep.HostErratum{ID: adv.ID, Installable: true})
	}
}

// updates joins pending updates with what is installed and with the
// advisories that ask for them.
func (a *assembler) updates(c Content, installed map[katprep.PackageKey]katprep.EVR) {
	asks := fixesByPackage(c.Advisories)
	for _, u := range c.Updates {
		if from, ok := installed[katprep.PackageKey{Name: u.Name, Arch: u.Arch}]; ok {
			u.From = from
		}
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
	if len(a.waiting) > 0 && newest != a.host.Kernel {
		a.needReboot(a.waiting...)
	}
	a.judgeReboot(newest)
}
