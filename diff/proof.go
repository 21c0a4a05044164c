package diff

import (
	"fmt"
	"slices"
	"strings"

	"github.com/stdevel/katprep"
)

// A verdict is what installed versions say of a fix. Without proof there is a
// reason; with it, pending says why the fix has no effect yet.
// unknown says that no reason is known either, because versions are not.
type verdict struct {
	proof   []katprep.Proof
	pending string
	reason  string
	unknown bool
}

// prove asks whether the host's packages moved from below the erratum's fixed
// versions to them. Only packages count that the host had, older than fixed,
// and all of them must have reached it.
func (p *pair) prove(e katprep.Erratum, found bool) verdict {
	if why := p.noVersions(); why != "" {
		return verdict{reason: why, unknown: true}
	}
	if !found || len(e.Packages) == 0 {
		return verdict{reason: "the fixed versions are not known"}
	}
	var v verdict
	for _, k := range p.concerned(e) {
		fixed, reason := p.epochs(e, k, fixedVersions(e, k))
		if reason != "" {
			return verdict{reason: reason}
		}
		proof, reason := p.reached(k, fixed)
		if reason != "" {
			return verdict{reason: reason}
		}
		if proof != nil {
			v.proof = append(v.proof, *proof)
		}
	}
	if len(v.proof) == 0 {
		return verdict{reason: "no installed package was older than the fixed versions"}
	}
	v.pending = p.notEffective(e, v.proof)
	return v
}

// noVersions says why installed versions cannot be compared, or "".
func (p *pair) noVersions() string {
	switch {
	case !knows(p.after, katprep.AspectPackages):
		return "installed packages were not collected afterwards"
	case !knows(p.before, katprep.AspectPackages):
		return "installed packages were not collected before"
	case !p.comparable:
		return "the packaging format is not known or not the same"
	}
	return ""
}

// concerned lists the packages of the erratum that the host had before, by
// their keys on the host, sorted.
func (p *pair) concerned(e katprep.Erratum) (keys []katprep.PackageKey) {
	for _, f := range e.Packages {
		if f.Arch == "src" || f.Arch == "nosrc" {
			continue
		}
		for _, have := range p.was().of(f.Key()) {
			keys = append(keys, have.Key())
		}
	}
	slices.SortFunc(keys, compareKeys)
	return slices.Compact(keys)
}

// fixedVersions returns all fixed versions of a package that the erratum
// names, for whatever distribution.
func fixedVersions(e katprep.Erratum, k katprep.PackageKey) (fixed []katprep.EVR) {
	for _, f := range e.Packages {
		if f.Name == k.Name && f.Arch != "src" && f.Arch != "nosrc" && (f.Arch == k.Arch || f.Arch == "" || k.Arch == "") {
			fixed = append(fixed, f.EVR)
		}
	}
	return fixed
}

// epochs completes fixed versions whose epochs the source left out by the
// epoch of the package they fix. It is not known if that changed meanwhile.
func (p *pair) epochs(e katprep.Erratum, k katprep.PackageKey, fixed []katprep.EVR) ([]katprep.EVR, string) {
	if !e.NoEpochs {
		return fixed, ""
	}
	old := epoch(p.effective(p.before, p.was(), k))
	now, still := p.installed(p.now(), k)
	if still && epoch(now) != old {
		return nil, fmt.Sprintf("the epoch of %s changed, and the source does not tell that of the fix", k)
	}
	lent := make([]katprep.EVR, len(fixed))
	for i, v := range fixed {
		if lent[i] = v; epoch(v) == "" && old != "" {
			lent[i] = katprep.EVR(old + ":" + string(v))
		}
	}
	return lent, ""
}

// epoch returns the epoch of a version, "" for none.
func epoch(v katprep.EVR) string {
	e, _, found := strings.Cut(string(v), ":")
	if !found {
		return ""
	}
	return e
}

// reached returns the proof that one package moved to a fixed version, or the
// reason why it did not, or neither if the package was not older than fixed.
func (p *pair) reached(k katprep.PackageKey, fixed []katprep.EVR) (*katprep.Proof, string) {
	old := p.effective(p.before, p.was(), k)
	now, still := p.installed(p.now(), k)
	dist := distOfHost(facts(p.before, p.after))
	newer := slices.DeleteFunc(slices.Clone(fixed), func(v katprep.EVR) bool { return compare(p.format, old, v) >= 0 })
	if still && slices.Contains(newer, now) {
		return &katprep.Proof{Package: k, Before: old, Fixed: now, After: now}, "" // exactly what the erratum names
	}
	own := slices.DeleteFunc(slices.Clone(newer), func(v katprep.EVR) bool {
		return !fits(v, dist, old) || still && !fits(v, dist, now)
	})
	switch {
	case len(newer) == 0:
		return nil, ""
	case len(own) == 0 && p.fixedBefore(fixed, old, dist):
		return nil, "" // other distributions need newer ones; this one had its own
	case !still:
		return nil, fmt.Sprintf("%s was removed", k)
	case len(own) == 0:
		return nil, fmt.Sprintf("the fixed versions of %s are of another distribution than %s", k, now)
	}
	need := slices.MaxFunc(own, func(a, b katprep.EVR) int { return compare(p.format, a, b) })
	if compare(p.format, now, need) < 0 {
		return nil, fmt.Sprintf("%s is at %s and does not reach %s", k, now, need)
	}
	return &katprep.Proof{Package: k, Before: old, Fixed: need, After: now}, ""
}

// fixedBefore reports whether the version before reached a fix of its own
// distribution.
func (p *pair) fixedBefore(fixed []katprep.EVR, old katprep.EVR, dist string) bool {
	return slices.ContainsFunc(fixed, func(v katprep.EVR) bool { return fits(v, dist, old) && compare(p.format, old, v) >= 0 })
}

// installed returns the highest installed version of a package.
func (p *pair) installed(m packages, k katprep.PackageKey) (katprep.EVR, bool) {
	list := m.exact(k)
	if len(list) == 0 {
		list = m.of(k)
	}
	if len(list) == 0 {
		return "", false
	}
	return highest(p.format, list).EVR, true
}

// effective returns the version that counted before: of a kernel the running
// one if a newer one waited for its boot, else the highest.
func (p *pair) effective(s *katprep.State, m packages, k katprep.PackageKey) katprep.EVR {
	top, _ := p.installed(m, k)
	if !isKernel(k.Name) {
		return top
	}
	if v, ok := running(s, m); ok {
		for _, have := range m.exact(k) {
			if compare(p.format, have.EVR, v) == 0 {
				return have.EVR
			}
		}
	}
	return top
}

// fresh reports whether a kernel's fix was installed since the first
// snapshot, and not only waited for a boot since long before.
func (p *pair) fresh(k katprep.PackageKey, fixed katprep.EVR) bool {
	top, _ := p.installed(p.was(), k)
	return compare(p.format, top, fixed) < 0
}

// notEffective says why a fix that is installed has no effect yet, or "".
func (p *pair) notEffective(e katprep.Erratum, proof []katprep.Proof) string {
	kernel := false
	for _, pr := range proof {
		if !isKernel(pr.Package.Name) {
			continue
		}
		kernel = true
		if why := p.kernelWaits(pr.Fixed); why != "" {
			return why
		}
	}
	if kernel || !e.RebootSuggested {
		return ""
	}
	return p.bootWaits(proof)
}

// kernelWaits says why the running kernel does not have a fix, or "".
func (p *pair) kernelWaits(fixed katprep.EVR) string {
	v, ok := running(p.after, p.now())
	switch {
	case !ok:
		return "the running kernel is not known"
	case compare(p.format, v, fixed) < 0:
		return fmt.Sprintf("kernel %s still runs", p.after.Kernel.Running)
	}
	return ""
}

// bootWaits says why a fix that asks for a reboot has no effect yet, or "".
// When it was installed and when the host was booted decide; if that is not
// known, what the host says.
func (p *pair) bootWaits(proof []katprep.Proof) string {
	boot := p.after.Boot.Time
	known := knows(p.after, katprep.AspectBoot) && !boot.IsZero()
	for _, pr := range proof {
		for _, have := range p.now().exact(pr.Package) {
			if have.EVR != pr.After || have.Installed.IsZero() {
				known = false
			} else if known && have.Installed.After(boot) {
				return fmt.Sprintf("%s was installed after the last boot", pr.Package)
			}
		}
	}
	if !known && p.after.Reboot.Need == katprep.Needed {
		return "the host still needs a reboot"
	}
	return ""
}
