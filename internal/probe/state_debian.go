package probe

import (
	"slices"
	"strings"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/internal/vers"
)

// debian reads what dpkg and APT said. Errata are not among it: Debian's
// repositories carry none.
func (a *assembler) debian() {
	a.s.Format = katprep.Deb
	a.dpkg()
	a.apt()
	a.changelogs()
	a.s.Repositories = ParseAptLists(a.out.Data("apt-lists"))
	if len(a.s.Repositories) > 0 {
		a.fresh(ParseFetched(a.out.Data("apt-fetched")), "apt-get update")
	}
	a.rebootDebian()
}

func (a *assembler) dpkg() {
	data, ok := a.section("dpkg", katprep.AspectPackages, "dpkg-query")
	ps, broken, bad := ParseDpkg(data)
	a.s.Packages = ps
	if len(broken) > 0 {
		a.warn(katprep.AspectPackages, "not fully installed: %s (dpkg --configure -a)", strings.Join(broken, ", "))
	}
	switch {
	case bad > 0:
		a.problem(katprep.AspectPackages, "%d lines of dpkg-query could not be read", bad)
	case ok && len(ps) == 0:
		a.problem(katprep.AspectPackages, "dpkg-query lists no package")
	case ok:
		a.knows(katprep.AspectPackages)
	}
}

func (a *assembler) apt() {
	data, ok := a.section("apt-get", katprep.AspectUpdates, "apt-get")
	plan := ParseApt(data)
	a.s.Updates = plan.Updates
	if len(plan.Removed) > 0 {
		a.warn(katprep.AspectUpdates, "some updates would remove packages: %s", strings.Join(plan.Removed, ", "))
	}
	if len(plan.Kept) > 0 {
		a.warn(katprep.AspectUpdates, "APT keeps updates back, which are not listed: %s", strings.Join(plan.Kept, ", "))
	}
	switch {
	case !ok:
	case len(ParseAptLists(a.out.Data("apt-lists"))) == 0:
		a.problem(katprep.AspectUpdates, "there are no package lists: pending updates are not known (apt-get update)")
	default:
		a.knows(katprep.AspectUpdates)
	}
}

// rebootDebian asks two witnesses: what packages reported themselves, and
// whether the newest installed kernel runs. On a host without a kernel
// package only the first can speak.
func (a *assembler) rebootDebian() {
	flag := ParseRebootRequired(a.out.Data("reboot-required"))
	newest := a.newestKernel(DebKernels(a.s.Packages), vers.Deb)
	switch {
	case flag.Required:
		a.needReboot(orElse(flag.Packages, "/run/reboot-required")...)
	case newest == "" && !flag.Watched:
		a.warn(katprep.AspectReboot, "no installed package holds the running kernel, and nothing here reports a needed reboot")
		return
	}
	a.judgeReboot(newest)
}

// newestKernel returns the newest installed kernel of the running one's
// flavour, in the form of uname -r, or "".
func (a *assembler) newestKernel(ks []InstalledKernel, compare func(a, b string) int) string {
	var newest InstalledKernel
	for _, k := range ks {
		if flavour(k.Release) != flavour(a.host.Kernel) {
			continue
		}
		if newest.Release == "" || compare(string(k.EVR), string(newest.EVR)) > 0 {
			newest = k
		}
	}
	a.s.Kernel.Installed = newest.Release
	return newest.Release
}

// flavour says which kernels replace each other, by the names uname -r gives:
// "amd64", "cloud-amd64", "generic", "default", "rt", "uek", or "" for the
// plain kernel of the Red Hat family.
func flavour(release string) string {
	for i, part := range strings.Split(release, "-") {
		if part != "" && (part[0] < '0' || part[0] > '9') {
			return strings.Join(strings.Split(release, "-")[i:], "-")
		}
	}
	switch _, plus, ok := strings.Cut(release, "+"); {
	case ok:
		return plus
	case strings.Contains(release, "uek"):
		return "uek"
	case strings.Contains(release, ".rt"):
		return "rt"
	}
	return ""
}

func (a *assembler) needReboot(reasons ...string) {
	a.s.Reboot.Need = katprep.Needed
	a.s.Reboot.Reasons = append(a.s.Reboot.Reasons, reasons...)
}

// judgeReboot compares kernels and closes the question.
func (a *assembler) judgeReboot(newest string) {
	if newest != "" && newest != a.host.Kernel {
		a.needReboot("kernel " + newest)
	}
	if a.s.Reboot.Need == katprep.NeedUnknown {
		a.s.Reboot.Need = katprep.NotNeeded
	}
	slices.Sort(a.s.Reboot.Reasons)
	a.s.Reboot.Reasons = slices.Compact(a.s.Reboot.Reasons)
	a.knows(katprep.AspectReboot)
}

func orElse(list []string, or string) []string {
	if len(list) == 0 {
		return []string{or}
	}
	return list
}
