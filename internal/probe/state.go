package probe

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/stdevel/katprep"
)

// Rules are what a state depends on besides the host's answers.
type Rules struct {
	Now   time.Time
	Stale time.Duration // age from which package lists are called old
}

// assembler makes a state of a probe's output, section by section.
type assembler struct {
	Rules
	out    *Output
	host   Host
	s      katprep.State
	errata []katprep.Erratum
	kernel []InstalledKernel

	waiting []string // advisories that are installed and wait for a boot
}

// State makes a host's state of a probe's output, and the details of the
// errata that came with it. It holds nothing that changes from one run to the
// next on a host that does not change.
func State(h katprep.Host, out *Output, r Rules) (katprep.State, []katprep.Erratum) {
	a := &assembler{Rules: r, out: out, s: katprep.State{Host: h}}
	a.facts()
	a.boot()
	if r, ran := out.Sections["refresh"]; ran && r.RC != 0 {
		a.warn(katprep.AspectUpdates, "the package lists could not be refreshed: %s", r.Failure())
	}
	switch strings.TrimSpace(out.Data("family")) {
	case "deb":
		a.debian()
	case "rpm":
		a.rpm()
		a.dnf()
		a.rebootRPM()
	case "suse":
		a.rpm()
		a.zypper()
		a.rebootRPM()
	default:
		a.problem(katprep.AspectPackages, "neither dpkg nor rpm manages this host's packages")
	}
	a.processes()
	return a.finish(), a.errata
}

func (a *assembler) knows(as ...katprep.Aspect) { a.s.Aspects = append(a.s.Aspects, as...) }

// problem says that an aspect is missing.
func (a *assembler) problem(as katprep.Aspect, format string, args ...any) {
	a.s.Problems = append(a.s.Problems, katprep.Problem{Aspect: as, Message: fmt.Sprintf(format, args...)})
}

// warn says something that a reader must know.
func (a *assembler) warn(as katprep.Aspect, format string, args ...any) {
	a.s.Problems = append(a.s.Problems, katprep.Problem{Aspect: as, Message: fmt.Sprintf(format, args...), Warning: true})
}

// section returns what a tool printed; ok is false, and the aspect has a
// problem, if the tool failed or never ran. Exit codes in fine are no failure.
func (a *assembler) section(name string, as katprep.Aspect, tool string, fine ...int) (data string, ok bool) {
	s, ran := a.out.Sections[name]
	switch {
	case !ran:
		a.problem(as, "%s was not asked", tool)
	case s.RC == 0 || slices.Contains(fine, s.RC):
		return s.Data, true
	case s.RC < 0:
		a.problem(as, "the answer of %s ends early", tool)
	default:
		a.problem(as, "%s: %s", tool, s.Failure())
	}
	return s.Data, false
}

// facts fills in identity, operating system and addresses.
func (a *assembler) facts() {
	data, ok := a.section("host", katprep.AspectFacts, "the shell")
	a.host = ParseHost(data)
	n := ParseNet(a.out.Data("net"))
	a.s.Facts = katprep.Facts{
		OS: ParseOSRelease(a.out.Data("os-release")), Arch: a.host.Arch, IP: n.IP, IP6: n.IP6, MAC: n.MAC,
		UUID: a.host.UUID, MachineID: a.host.MachineID, Hardware: a.host.Hardware,
	}
	if ok {
		a.knows(katprep.AspectFacts)
	}
}

// boot fills in the running kernel and the boot.
func (a *assembler) boot() {
	a.s.Kernel.Running = a.host.Kernel
	a.s.Boot = a.host.Boot
	if a.s.Kernel.Running != "" {
		a.knows(katprep.AspectKernel)
	} else {
		a.problem(katprep.AspectKernel, "the host did not name its running kernel")
	}
	if a.s.Boot.ID != "" || !a.s.Boot.Time.IsZero() {
		a.knows(katprep.AspectBoot)
	} else {
		a.problem(katprep.AspectBoot, "/proc shows neither boot ID nor boot time")
	}
}

// processes fills in what still runs from replaced files.
func (a *assembler) processes() {
	data, ok := a.section("stale", katprep.AspectProcesses, "the search for processes on replaced files", 1)
	if !ok {
		return
	}
	ps, denied := ParseStale(data)
	a.s.Processes = ps
	if denied {
		a.warn(katprep.AspectProcesses, "some processes could not be looked into (user ID %s): only what was seen is listed", a.host.UID)
		return
	}
	a.knows(katprep.AspectProcesses)
}

// fresh warns if package lists are old or have never been fetched.
func (a *assembler) fresh(fetched time.Time, how string) {
	switch {
	case fetched.IsZero():
		a.warn(katprep.AspectUpdates, "nobody knows when the package lists were refreshed: newer updates may exist (%s)", how)
	case a.Now.Sub(fetched) > a.Stale:
		a.warn(katprep.AspectUpdates, "the package lists were last refreshed on %s: newer updates may exist (%s)", fetched.Format(time.DateOnly), how)
	}
}

// finish judges how much is known. A missing list of processes or errata, or
// an unknown need of a reboot, is said but leaves the host collected: not
// every host can tell.
func (a *assembler) finish() katprep.State {
	if !a.out.Complete {
		a.problem("", "%s", strings.TrimSuffix("the probe ended early: "+a.out.Why, ": "))
	}
	a.s.Status = katprep.Collected
	for _, p := range a.s.Problems {
		if !p.Warning {
			a.s.Status = katprep.Incomplete
		}
	}
	slices.Sort(a.s.Aspects)
	a.s.Aspects = slices.Compact(a.s.Aspects)
	return a.s
}
