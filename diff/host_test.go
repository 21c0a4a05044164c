package diff

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stdevel/katprep"
)

var everything = []katprep.Aspect{katprep.AspectApplicable, katprep.AspectBoot, katprep.AspectErrata, katprep.AspectFacts,
	katprep.AspectKernel, katprep.AspectPackages, katprep.AspectParameters, katprep.AspectReboot, katprep.AspectUpdates}

func pkg(nevra string) katprep.Package {
	p, ok := katprep.ParseNEVRA(nevra)
	if !ok {
		panic(nevra)
	}
	return p
}

func pkgs(nevras ...string) (list []katprep.Package) {
	for _, n := range nevras {
		list = append(list, pkg(n))
	}
	return list
}

// state makes a collected el9 host; change it as the case needs.
func state(change func(s *katprep.State)) *katprep.State {
	s := &katprep.State{
		Host:    katprep.Host{HostID: katprep.HostID{Source: "s", ID: "1"}, Name: "web01.example.com"},
		Status:  katprep.Collected,
		Aspects: everything,
		Format:  katprep.RPM,
		Facts:   katprep.Facts{OS: katprep.OS{ID: "rhel", Version: "9.4"}},
		Kernel:  katprep.Kernel{Running: "5.14.0-1.el9.x86_64"},
	}
	if change != nil {
		change(s)
	}
	return s
}

func erratum(id string, fixed ...string) katprep.Erratum {
	return katprep.Erratum{ID: id, Type: katprep.Security, Severity: katprep.Important, Packages: pkgs(fixed...)}
}

func lookup(es ...katprep.Erratum) Lookup {
	return func(id string) (katprep.Erratum, bool) {
		for _, e := range es {
			if e.ID == id {
				return e, true
			}
		}
		return katprep.Erratum{}, false
	}
}

func installable(ids ...string) (list []katprep.HostErratum) {
	for _, id := range ids {
		list = append(list, katprep.HostErratum{ID: id, Installable: true})
	}
	return list
}

func without(s *katprep.State, a katprep.Aspect) {
	var left []katprep.Aspect
	for _, x := range s.Aspects {
		if x != a {
			left = append(left, x)
		}
	}
	s.Aspects = left
}

const advisory = "RHSA-2026:0001"

// ends is one case: a host with the advisory before, what it had and has
// installed, and what must be said of the advisory.
type ends struct {
	name     string
	fixed    []string
	old, now []string
	before   func(s *katprep.State)
	after    func(s *katprep.State)
	reboot   bool // the advisory suggests one
	gone     bool // the host is not in the after-snapshot
	listed   bool // the advisory is still listed afterwards
	want     katprep.Ending
	reason   string
	proof    []katprep.Proof
	noLookup bool
	noEpochs bool // the source leaves epochs out of the advisory
}

var endings = []ends{
	{name: "fixed version installed", fixed: []string{"openssl-3.0.7-25.el9.x86_64"}, old: []string{"openssl-3.0.7-24.el9.x86_64"}, now: []string{"openssl-3.0.7-25.el9.x86_64"},
		want:  katprep.Installed,
		proof: []katprep.Proof{{Package: katprep.PackageKey{Name: "openssl", Arch: "x86_64"}, Before: "3.0.7-24.el9", Fixed: "3.0.7-25.el9", After: "3.0.7-25.el9"}}},
	{name: "later version installed", fixed: []string{"openssl-3.0.7-25.el9.x86_64"}, old: []string{"openssl-3.0.7-24.el9.x86_64"}, now: []string{"openssl-3.0.7-27.el9.x86_64"}, want: katprep.Installed},
	{name: "epoch decides", fixed: []string{"openssl-1:3.0.7-25.el9.x86_64"}, old: []string{"openssl-1:3.0.7-24.el9.x86_64"}, now: []string{"openssl-4.0-1.el9.x86_64"},
		want: katprep.NoLonger, reason: "openssl.x86_64 is at 4.0-1.el9 and does not reach 1:3.0.7-25.el9"},
	{name: "the source leaves epochs out", noEpochs: true, fixed: []string{"openssl-3.0.7-25.el9.x86_64"}, old: []string{"openssl-1:3.0.7-24.el9.x86_64"}, now: []string{"openssl-1:3.0.7-25.el9.x86_64"},
		want:  katprep.Installed,
		proof: []katprep.Proof{{Package: katprep.PackageKey{Name: "openssl", Arch: "x86_64"}, Before: "1:3.0.7-24.el9", Fixed: "1:3.0.7-25.el9", After: "1:3.0.7-25.el9"}}},
	{name: "without epochs, not reached", noEpochs: true, fixed: []string{"openssl-3.0.7-25.el9.x86_64"}, old: []string{"openssl-1:3.0.7-23.el9.x86_64"}, now: []string{"openssl-1:3.0.7-24.el9.x86_64"},
		want: katprep.NoLonger, reason: "openssl.x86_64 is at 1:3.0.7-24.el9 and does not reach 1:3.0.7-25.el9"},
	{name: "without epochs, an epoch that changed proves nothing", noEpochs: true, fixed: []string{"openssl-3.0.7-25.el9.x86_64"}, old: []string{"openssl-3.0.7-24.el9.x86_64"}, now: []string{"openssl-1:1.0-1.el9.x86_64"},
		want: katprep.NoLonger, reason: "the epoch of openssl.x86_64 changed, and the source does not tell that of the fix"},
	{name: "epochs are told: none is 0", fixed: []string{"openssl-3.0.7-25.el9.x86_64"}, old: []string{"openssl-1:3.0.7-24.el9.x86_64"}, now: []string{"openssl-1:3.0.7-25.el9.x86_64"},
		want: katprep.NoLonger, reason: "no installed package was older than the fixed versions"},
	{name: "not reached", fixed: []string{"openssl-3.0.7-25.el9.x86_64"}, old: []string{"openssl-3.0.7-23.el9.x86_64"}, now: []string{"openssl-3.0.7-24.el9.x86_64"},
		want: katprep.NoLonger, reason: "openssl.x86_64 is at 3.0.7-24.el9 and does not reach 3.0.7-25.el9"},
	{name: "nothing changed but the list", fixed: []string{"openssl-3.0.7-25.el9.x86_64"}, old: []string{"openssl-3.0.7-24.el9.x86_64"}, now: []string{"openssl-3.0.7-24.el9.x86_64"}, want: katprep.NoLonger},
	{name: "fixed all along", fixed: []string{"openssl-3.0.7-25.el9.x86_64"}, old: []string{"openssl-3.0.7-25.el9.x86_64"}, now: []string{"openssl-3.0.7-26.el9.x86_64"},
		want: katprep.NoLonger, reason: "no installed package was older than the fixed versions"},
	{name: "package removed", fixed: []string{"openssl-3.0.7-25.el9.x86_64"}, old: []string{"openssl-3.0.7-24.el9.x86_64"}, want: katprep.NoLonger, reason: "openssl.x86_64 was removed"},
	{name: "one of two packages lags", fixed: []string{"openssl-3.0.7-25.el9.x86_64", "openssl-libs-3.0.7-25.el9.x86_64"},
		old: []string{"openssl-3.0.7-24.el9.x86_64", "openssl-libs-3.0.7-24.el9.x86_64"}, now: []string{"openssl-3.0.7-25.el9.x86_64", "openssl-libs-3.0.7-24.el9.x86_64"},
		want: katprep.NoLonger, reason: "openssl-libs.x86_64 is at 3.0.7-24.el9 and does not reach 3.0.7-25.el9"},
	{name: "other architecture lags", fixed: []string{"openssl-3.0.7-25.el9.x86_64", "openssl-3.0.7-25.el9.i686"},
		old: []string{"openssl-3.0.7-24.el9.x86_64", "openssl-3.0.7-24.el9.i686"}, now: []string{"openssl-3.0.7-25.el9.x86_64", "openssl-3.0.7-24.el9.i686"},
		want: katprep.NoLonger},
	{name: "a fresh package proves nothing", fixed: []string{"openssl-3.0.7-25.el9.x86_64"}, old: []string{"bash-5-1.el9.x86_64"}, now: []string{"bash-5-1.el9.x86_64", "openssl-3.0.7-25.el9.x86_64"},
		want: katprep.NoLonger, reason: "no installed package was older than the fixed versions"},
	{name: "the source package proves nothing", fixed: []string{"openssl-3.0.7-25.el9.src"}, old: []string{"openssl-3.0.7-24.el9.x86_64"}, now: []string{"openssl-3.0.7-25.el9.x86_64"}, want: katprep.NoLonger},
	{name: "builds of other distributions do not count", fixed: []string{"curl-7.61-30.el8.x86_64", "curl-7.76-29.el9_4.x86_64"},
		old: []string{"curl-7.76-26.el9_3.x86_64"}, now: []string{"curl-7.76-29.el9_4.x86_64"}, want: katprep.Installed},
	{name: "only another distribution's build", fixed: []string{"curl-7.80-1.el8.x86_64"},
		old: []string{"curl-7.76-26.el9_3.x86_64"}, now: []string{"curl-7.81-1.el9_4.x86_64"},
		want: katprep.NoLonger, reason: "the fixed versions of curl.x86_64 are of another distribution than 7.81-1.el9_4"},
	{name: "older stream of the same distribution, exactly", fixed: []string{"curl-7.76-26.el9_2.5.x86_64", "curl-7.76-29.el9_4.x86_64"},
		old: []string{"curl-7.76-26.el9_2.4.x86_64"}, now: []string{"curl-7.76-26.el9_2.5.x86_64"}, want: katprep.Installed},
	{name: "modular build", fixed: []string{"nodejs-1:16.20.2-4.module+el9.4.0+21417+8b0a2b6e.x86_64", "nodejs-1:16.20.2-4.module+el8.9.0+1+2.x86_64"},
		old: []string{"nodejs-1:16.20.1-1.module+el9.3.0+20000+1.x86_64"}, now: []string{"nodejs-1:16.20.2-4.module+el9.4.0+21417+8b0a2b6e.x86_64"}, want: katprep.Installed},
	{name: "unmarked package on a known distribution", fixed: []string{"tool-2-1.el9.x86_64"}, old: []string{"tool-1-1.x86_64"}, now: []string{"tool-3-1.x86_64"}, want: katprep.Installed},
	{name: "unmarked package on an unknown distribution", fixed: []string{"tool-2-1.el9.x86_64"}, old: []string{"tool-1-1.x86_64"}, now: []string{"tool-3-1.x86_64"},
		before: func(s *katprep.State) { s.Facts.OS = katprep.OS{} }, after: func(s *katprep.State) { s.Facts.OS = katprep.OS{} }, want: katprep.NoLonger},
	{name: "fixed versions unknown", fixed: nil, old: []string{"openssl-3.0.7-24.el9.x86_64"}, now: []string{"openssl-3.0.7-25.el9.x86_64"}, want: katprep.NoLonger, reason: "the fixed versions are not known"},
	{name: "advisory unknown", noLookup: true, old: []string{"openssl-3.0.7-24.el9.x86_64"}, now: []string{"openssl-3.0.7-25.el9.x86_64"}, want: katprep.NoLonger, reason: "the fixed versions are not known"},
	{name: "packages not collected afterwards", fixed: []string{"openssl-3.0.7-25.el9.x86_64"}, old: []string{"openssl-3.0.7-24.el9.x86_64"}, now: []string{"openssl-3.0.7-25.el9.x86_64"},
		after: func(s *katprep.State) { without(s, katprep.AspectPackages) }, want: katprep.Unknown, reason: "gone from the list, but installed packages were not collected afterwards"},
	{name: "packages not collected before", fixed: []string{"openssl-3.0.7-25.el9.x86_64"}, old: []string{"openssl-3.0.7-24.el9.x86_64"}, now: []string{"openssl-3.0.7-25.el9.x86_64"},
		before: func(s *katprep.State) { without(s, katprep.AspectPackages) }, want: katprep.Unknown, reason: "gone from the list, but installed packages were not collected before"},
	{name: "another packaging format", fixed: []string{"openssl-3.0.7-25.el9.x86_64"}, old: []string{"openssl-3.0.7-24.el9.x86_64"}, now: []string{"openssl-3.0.7-25.el9.x86_64"},
		after: func(s *katprep.State) { s.Format = katprep.Deb }, want: katprep.Unknown, reason: "gone from the list, but the packaging format is not known or not the same"},
	{name: "host failed afterwards", fixed: []string{"openssl-3.0.7-25.el9.x86_64"}, old: []string{"openssl-3.0.7-24.el9.x86_64"}, now: []string{"openssl-3.0.7-25.el9.x86_64"},
		after: func(s *katprep.State) {
			s.Status, s.Problems = katprep.Failed, []katprep.Problem{{Message: "no route to host"}}
		}, want: katprep.Unknown, reason: "the host was not collected afterwards: no route to host"},
	{name: "errata not collected afterwards", fixed: []string{"openssl-3.0.7-25.el9.x86_64"}, old: []string{"openssl-3.0.7-24.el9.x86_64"}, now: []string{"openssl-3.0.7-25.el9.x86_64"},
		after: func(s *katprep.State) { s.Status = katprep.Incomplete; without(s, katprep.AspectErrata) }, want: katprep.Unknown, reason: "errata were not collected afterwards"},
	{name: "host gone", old: []string{"openssl-3.0.7-24.el9.x86_64"}, gone: true, want: katprep.Unknown, reason: "the host is no longer known to its source"},
	{name: "still listed", fixed: []string{"openssl-3.0.7-25.el9.x86_64"}, old: []string{"openssl-3.0.7-24.el9.x86_64"}, now: []string{"openssl-3.0.7-24.el9.x86_64"}, listed: true, want: katprep.Pending},
	{name: "still listed although fixed", fixed: []string{"openssl-3.0.7-25.el9.x86_64"}, old: []string{"openssl-3.0.7-24.el9.x86_64"}, now: []string{"openssl-3.0.7-25.el9.x86_64"}, listed: true,
		want: katprep.Pending, reason: "still listed, although installed versions reach the fixed ones"},
	{name: "still listed, but no longer to be had", fixed: []string{"openssl-3.0.7-25.el9.x86_64"}, old: []string{"openssl-3.0.7-24.el9.x86_64"}, now: []string{"openssl-3.0.7-24.el9.x86_64"}, listed: true,
		after: func(s *katprep.State) { s.Errata[0].Installable = false }, want: katprep.Pending, reason: "no longer installable from the host's content"},
	{name: "new kernel runs", fixed: []string{"kernel-core-5.14.0-2.el9.x86_64"}, old: []string{"kernel-core-5.14.0-1.el9.x86_64"}, now: []string{"kernel-core-5.14.0-1.el9.x86_64", "kernel-core-5.14.0-2.el9.x86_64"},
		after: func(s *katprep.State) { s.Kernel.Running = "5.14.0-2.el9.x86_64" }, want: katprep.Installed},
	{name: "old kernel runs, advisory gone", fixed: []string{"kernel-core-5.14.0-2.el9.x86_64"}, old: []string{"kernel-core-5.14.0-1.el9.x86_64"}, now: []string{"kernel-core-5.14.0-1.el9.x86_64", "kernel-core-5.14.0-2.el9.x86_64"},
		want: katprep.RebootPending, reason: "kernel 5.14.0-1.el9.x86_64 still runs"},
	{name: "old kernel runs, advisory still listed", fixed: []string{"kernel-core-5.14.0-2.el9.x86_64"}, old: []string{"kernel-core-5.14.0-1.el9.x86_64"}, now: []string{"kernel-core-5.14.0-1.el9.x86_64", "kernel-core-5.14.0-2.el9.x86_64"},
		listed: true, want: katprep.RebootPending, reason: "kernel 5.14.0-1.el9.x86_64 still runs"},
	{name: "old kernel runs, fix not installed", fixed: []string{"kernel-core-5.14.0-3.el9.x86_64"}, old: []string{"kernel-core-5.14.0-1.el9.x86_64"}, now: []string{"kernel-core-5.14.0-1.el9.x86_64", "kernel-core-5.14.0-2.el9.x86_64"},
		listed: true, want: katprep.Pending},
	{name: "kernel waited already", fixed: []string{"kernel-core-5.14.0-2.el9.x86_64"}, old: []string{"kernel-core-5.14.0-1.el9.x86_64", "kernel-core-5.14.0-2.el9.x86_64"}, now: []string{"kernel-core-5.14.0-1.el9.x86_64", "kernel-core-5.14.0-2.el9.x86_64"},
		listed: true, want: katprep.Pending, reason: "installed before already, but kernel 5.14.0-1.el9.x86_64 still runs"},
	{name: "kernel waited, and was booted", fixed: []string{"kernel-core-5.14.0-2.el9.x86_64"}, old: []string{"kernel-core-5.14.0-1.el9.x86_64", "kernel-core-5.14.0-2.el9.x86_64"}, now: []string{"kernel-core-5.14.0-2.el9.x86_64"},
		after: func(s *katprep.State) { s.Kernel.Running = "5.14.0-2.el9.x86_64" }, want: katprep.Installed},
	{name: "running kernel unknown", fixed: []string{"kernel-core-5.14.0-2.el9.x86_64"}, old: []string{"kernel-core-5.14.0-1.el9.x86_64"}, now: []string{"kernel-core-5.14.0-2.el9.x86_64"},
		after: func(s *katprep.State) { without(s, katprep.AspectKernel) }, want: katprep.RebootPending, reason: "the running kernel is not known"},
	{name: "only the kernel's headers", fixed: []string{"kernel-headers-5.14.0-2.el9.x86_64", "kernel-core-5.14.0-2.el9.x86_64"}, old: []string{"kernel-headers-5.14.0-1.el9.x86_64"}, now: []string{"kernel-headers-5.14.0-2.el9.x86_64"}, want: katprep.Installed},
	{name: "kernel of SUSE", fixed: []string{"kernel-default-5.14.21-150500.55.20.1.x86_64"}, old: []string{"kernel-default-5.14.21-150500.55.19.1.x86_64"}, now: []string{"kernel-default-5.14.21-150500.55.20.1.x86_64"},
		after: func(s *katprep.State) { s.Kernel.Running = "5.14.21-150500.55.20-default" }, want: katprep.Installed},
	{name: "reboot suggested, host needs it", reboot: true, fixed: []string{"glibc-2.34-2.el9.x86_64"}, old: []string{"glibc-2.34-1.el9.x86_64"}, now: []string{"glibc-2.34-2.el9.x86_64"},
		after: func(s *katprep.State) { s.Reboot.Need = katprep.Needed }, want: katprep.RebootPending, reason: "the host still needs a reboot"},
	{name: "reboot suggested, installed after boot", reboot: true, fixed: []string{"glibc-2.34-2.el9.x86_64"}, old: []string{"glibc-2.34-1.el9.x86_64"}, now: []string{"glibc-2.34-2.el9.x86_64"},
		after: func(s *katprep.State) {
			s.Boot.Time = time.Unix(1000, 0)
			s.Packages[0].Installed = time.Unix(2000, 0)
		}, want: katprep.RebootPending, reason: "glibc.x86_64 was installed after the last boot"},
	{name: "reboot suggested, booted since", reboot: true, fixed: []string{"glibc-2.34-2.el9.x86_64"}, old: []string{"glibc-2.34-1.el9.x86_64"}, now: []string{"glibc-2.34-2.el9.x86_64"},
		after: func(s *katprep.State) {
			s.Boot.Time = time.Unix(3000, 0)
			s.Packages[0].Installed = time.Unix(2000, 0)
			s.Reboot.Need = katprep.Needed // for something else
		}, want: katprep.Installed},
}

func TestEndings(t *testing.T) {
	for _, c := range endings {
		t.Run(c.name, func(t *testing.T) {
			before := state(func(s *katprep.State) { s.Packages, s.Errata = pkgs(c.old...), installable(advisory) })
			after := state(func(s *katprep.State) { s.Packages = pkgs(c.now...) })
			if c.listed {
				after.Errata = installable(advisory)
			}
			if c.before != nil {
				c.before(before)
			}
			if c.after != nil {
				c.after(after)
			}
			if c.gone {
				after = nil
			}
			e := erratum(advisory, c.fixed...)
			e.RebootSuggested, e.NoEpochs = c.reboot, c.noEpochs
			context := Context{Lookup: lookup(e)}
			if c.noLookup {
				context.Lookup = nil
			}
			h := Host(before, after, context)
			if len(h.Errata) != 1 {
				t.Fatalf("%d errata, want 1: %+v", len(h.Errata), h.Errata)
			}
			got := h.Errata[0]
			if got.Ending != c.want || c.reason != "" && got.Reason != c.reason {
				t.Errorf("%s (%s), want %s (%s)", got.Ending, got.Reason, c.want, c.reason)
			}
			if c.proof != nil {
				if d := cmp.Diff(c.proof, got.Proof); d != "" {
					t.Error(d)
				}
			}
			checkClaim(t, got)
		})
	}
}

// checkClaim: a claim has a proof, everything else has a reason or needs none.
func checkClaim(t *testing.T, e katprep.ErratumChange) {
	t.Helper()
	switch e.Ending {
	case katprep.Installed, katprep.RebootPending:
		if len(e.Proof) == 0 {
			t.Errorf("%s is %s without proof", e.ID, e.Ending)
		}
	case katprep.NoLonger, katprep.Unknown:
		if e.Reason == "" || len(e.Proof) > 0 {
			t.Errorf("%s is %s, reason %q, proof %v", e.ID, e.Ending, e.Reason, e.Proof)
		}
	}
}

func TestDebianKernel(t *testing.T) {
	deb := func(running string, packages ...katprep.Package) *katprep.State {
		return state(func(s *katprep.State) {
			s.Format, s.Facts.OS = katprep.Deb, katprep.OS{ID: "debian", Version: "12"}
			s.Kernel.Running, s.Packages = running, packages
		})
	}
	p := func(name, v string) katprep.Package {
		return katprep.Package{Name: name, EVR: katprep.EVR(v), Arch: "amd64"}
	}
	old := []katprep.Package{p("linux-image-6.1.0-17-amd64", "6.1.69-1"), p("linux-image-amd64", "6.1.69-1")}
	now := []katprep.Package{p("linux-image-6.1.0-17-amd64", "6.1.69-1"), p("linux-image-6.1.0-18-amd64", "6.1.76-1"), p("linux-image-amd64", "6.1.76-1")}
	for running, want := range map[string]katprep.Ending{"6.1.0-17-amd64": katprep.RebootPending, "6.1.0-18-amd64": katprep.Installed, "6.9.custom": katprep.RebootPending} {
		before := deb("6.1.0-17-amd64", old...)
		before.Updates = []katprep.Update{{Name: "linux-image-amd64", Arch: "amd64", From: "6.1.69-1", To: "6.1.76-1"}}
		before.Errata = installable("DSA-1")
		after := deb(running, now...)
		h := Host(before, after, Context{Lookup: lookup(katprep.Erratum{ID: "DSA-1", Packages: []katprep.Package{p("linux-image-amd64", "6.1.76-1")}})})
		if len(h.Updates) != 1 || h.Updates[0].Ending != want || len(h.Errata) != 1 || h.Errata[0].Ending != want {
			t.Errorf("running %s: %+v %+v, want %s", running, h.Updates, h.Errata, want)
		}
	}
}

func TestErrataOfTheAfterSnapshot(t *testing.T) {
	after := func() *katprep.State { return state(func(s *katprep.State) { s.Errata = installable(advisory) }) }
	for name, c := range map[string]struct {
		before *katprep.State
		c      Context
		want   katprep.Ending
	}{
		"published since":      {before: state(nil), want: katprep.New},
		"host added":           {want: katprep.New},
		"not known before":     {before: state(func(s *katprep.State) { without(s, katprep.AspectErrata) }), want: katprep.Pending},
		"failed before":        {before: state(func(s *katprep.State) { s.Status = katprep.Failed }), want: katprep.Pending},
		"source broken before": {c: Context{Absent: katprep.NotCollected, AbsentWhy: "502"}, want: katprep.Pending},
	} {
		h := Host(c.before, after(), c.c)
		if len(h.Errata) != 1 || h.Errata[0].Ending != c.want {
			t.Errorf("%s: %+v, want %s", name, h.Errata, c.want)
		}
	}
}

func TestUpdates(t *testing.T) {
	up := func(to string) []katprep.Update {
		return []katprep.Update{{Name: "bash", Arch: "x86_64", To: katprep.EVR(to)}}
	}
	for name, c := range map[string]struct {
		old, now     string
		before, list []katprep.Update
		change       func(s *katprep.State)
		want         map[katprep.Ending]int
	}{
		"installed":               {"1-1", "2-1", up("2-1"), nil, nil, map[katprep.Ending]int{katprep.Installed: 1}},
		"pending":                 {"1-1", "1-1", up("2-1"), up("2-1"), nil, map[katprep.Ending]int{katprep.Pending: 1}},
		"newer offer":             {"1-1", "1-1", up("2-1"), up("3-1"), nil, map[katprep.Ending]int{katprep.Pending: 1}},
		"installed, newer offer":  {"1-1", "2-1", up("2-1"), up("3-1"), nil, map[katprep.Ending]int{katprep.Installed: 1, katprep.New: 1}},
		"not offered any more":    {"1-1", "1-1", up("2-1"), nil, nil, map[katprep.Ending]int{katprep.NoLonger: 1}},
		"removed":                 {"1-1", "", up("2-1"), nil, nil, map[katprep.Ending]int{katprep.NoLonger: 1}},
		"new":                     {"1-1", "1-1", nil, up("2-1"), nil, map[katprep.Ending]int{katprep.New: 1}},
		"updates not collected":   {"1-1", "2-1", up("2-1"), nil, func(s *katprep.State) { without(s, katprep.AspectUpdates) }, map[katprep.Ending]int{katprep.Unknown: 1}},
		"host failed":             {"1-1", "2-1", up("2-1"), nil, func(s *katprep.State) { s.Status = katprep.Failed }, map[katprep.Ending]int{katprep.Unknown: 1}},
		"packages not collected":  {"1-1", "2-1", up("2-1"), nil, func(s *katprep.State) { without(s, katprep.AspectPackages) }, map[katprep.Ending]int{katprep.Unknown: 1}},
		"listed although reached": {"1-1", "2-1", up("2-1"), up("2-1"), nil, map[katprep.Ending]int{katprep.Pending: 1}},
	} {
		set := func(v string, u []katprep.Update) *katprep.State {
			return state(func(s *katprep.State) {
				s.Updates = u
				if v != "" {
					s.Packages = pkgs("bash-" + v + ".x86_64")
				}
			})
		}
		before, after := set(c.old, c.before), set(c.now, c.list)
		if c.change != nil {
			c.change(after)
		}
		got := map[katprep.Ending]int{}
		for _, u := range Host(before, after, Context{}).Updates {
			got[u.Ending]++
		}
		if d := cmp.Diff(c.want, got); d != "" {
			t.Errorf("%s: %s", name, d)
		}
	}
}

func TestPackagesParametersFacts(t *testing.T) {
	before := state(func(s *katprep.State) {
		s.Packages = pkgs("a-1-1.el9.x86_64", "b-2-1.el9.x86_64", "c-1-1.el9.x86_64", "kernel-core-1-1.el9.x86_64", "same-1-1.noarch", "z-1-1.noarch")
		s.Packages[5].Vendor = "A"
		s.Parameters = []katprep.Parameter{{Name: "gone", Value: "1"}, {Name: "kept", Value: "x"}, {Name: "set", Value: "old"}}
		s.Facts.Owner, s.Facts.Extra = "alice", map[string]string{"rack": "7"}
		s.Errata = installable(advisory)
	})
	after := state(func(s *katprep.State) {
		s.Packages = pkgs("a-1-2.el9.x86_64", "b-1-1.el9.x86_64", "d-1-1.el9.x86_64", "kernel-core-1-1.el9.x86_64", "kernel-core-2-1.el9.x86_64", "same-1-1.noarch", "z-1-1.noarch")
		s.Packages[6].Vendor = "B"
		s.Packages[0].Source = "a-1-2.el9.src.rpm"
		s.Parameters = []katprep.Parameter{{Name: "kept", Value: "x"}, {Name: "new", Value: ""}, {Name: "set", Value: "new"}}
		s.Facts.Owner, s.Facts.Extra = "bob", nil
		s.Name = "web01.example.net"
	})
	h := Host(before, after, Context{Lookup: lookup(erratum(advisory, "a-1-2.el9.x86_64"))})
	x86 := func(n string) katprep.PackageKey { return katprep.PackageKey{Name: n, Arch: "x86_64"} }
	one := func(v string) []katprep.EVR { return []katprep.EVR{katprep.EVR(v)} }
	want := []katprep.PackageChange{
		{PackageKey: x86("a"), Kind: katprep.Upgraded, Before: one("1-1.el9"), After: one("1-2.el9"), Source: "a-1-2.el9.src.rpm", Errata: []string{advisory}},
		{PackageKey: x86("b"), Kind: katprep.Downgraded, Before: one("2-1.el9"), After: one("1-1.el9")},
		{PackageKey: x86("c"), Kind: katprep.Removed, Before: one("1-1.el9"), After: []katprep.EVR{}},
		{PackageKey: x86("d"), Kind: katprep.Added, Before: []katprep.EVR{}, After: one("1-1.el9")},
		{PackageKey: x86("kernel-core"), Kind: katprep.Upgraded, Before: one("1-1.el9"), After: []katprep.EVR{"1-1.el9", "2-1.el9"}},
		{PackageKey: katprep.PackageKey{Name: "z", Arch: "noarch"}, Kind: katprep.Changed, Before: one("1-1"), After: one("1-1")},
	}
	if d := cmp.Diff(want, h.Packages); d != "" {
		t.Error(d)
	}
	text := func(s string) *string { return &s }
	if d := cmp.Diff([]katprep.ParameterChange{{Name: "gone", Before: text("1")}, {Name: "new", After: text("")}, {Name: "set", Before: text("old"), After: text("new")}}, h.Parameters); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]katprep.FieldChange{{Field: "name", Before: "web01.example.com", After: "web01.example.net"}, {Field: "owner", Before: "alice", After: "bob"}, {Field: "extra.rack", Before: "7"}}, h.Fields); d != "" {
		t.Error(d)
	}
	for _, a := range []katprep.Aspect{katprep.AspectPackages, katprep.AspectParameters, katprep.AspectFacts} {
		without(before, a)
	}
	if h := Host(before, after, Context{}); len(h.Packages)+len(h.Parameters) > 0 || len(h.Fields) != 1 {
		t.Errorf("what was not collected differs: %+v", h)
	}
}

func TestReboot(t *testing.T) {
	at := func(s int64) time.Time { return time.Unix(1_800_000_000+s, 0).UTC() }
	for name, c := range map[string]struct {
		before, after katprep.Boot
		since         time.Time
		want          katprep.Answer
		proof         string
	}{
		"other ID":                     {katprep.Boot{ID: "a"}, katprep.Boot{ID: "b"}, time.Time{}, katprep.Yes, "boot ID changed"},
		"same ID, clock set":           {katprep.Boot{ID: "a", Time: at(0)}, katprep.Boot{ID: "a", Time: at(9000)}, time.Time{}, katprep.No, ""},
		"ID on one side only":          {katprep.Boot{Time: at(0)}, katprep.Boot{ID: "b", Time: at(3600)}, time.Time{}, katprep.Yes, "boot time moved"},
		"clock wanders":                {katprep.Boot{Time: at(0)}, katprep.Boot{Time: at(3)}, time.Time{}, katprep.No, ""},
		"boot before the snapshot":     {katprep.Boot{Time: at(0)}, katprep.Boot{Time: at(3600)}, at(7200), katprep.NotKnown, ""},
		"boot after the snapshot":      {katprep.Boot{Time: at(0)}, katprep.Boot{Time: at(3600)}, at(1800), katprep.Yes, "boot time moved"},
		"boot time went back":          {katprep.Boot{Time: at(3600)}, katprep.Boot{Time: at(0)}, time.Time{}, katprep.NotKnown, ""},
		"nothing to compare":           {katprep.Boot{ID: "a"}, katprep.Boot{Time: at(0)}, time.Time{}, katprep.NotKnown, ""},
		"nothing known on either side": {katprep.Boot{}, katprep.Boot{}, time.Time{}, katprep.NotKnown, ""},
	} {
		h := Host(state(func(s *katprep.State) { s.Boot = c.before }), state(func(s *katprep.State) { s.Boot = c.after }), Context{Since: c.since})
		if h.Boot.Rebooted != c.want || h.Boot.Proof != c.proof {
			t.Errorf("%s: %s (%s), want %s (%s)", name, h.Boot.Rebooted, h.Boot.Proof, c.want, c.proof)
		}
	}
}

// TestKnown: an empty list is none only if its aspect is known.
func TestKnown(t *testing.T) {
	before := state(nil)
	for name, c := range map[string]struct {
		after *katprep.State
		want  bool
	}{
		"collected": {state(nil), true},
		"no feed":   {state(func(s *katprep.State) { without(s, katprep.AspectErrata) }), false},
		"failed":    {state(func(s *katprep.State) { s.Status = katprep.Failed }), false},
		"gone":      {nil, false},
	} {
		h := Host(before, c.after, Context{})
		if got := h.Knows(katprep.AspectErrata); got != c.want {
			t.Errorf("%s: errata known %v, want %v", name, got, c.want)
		}
	}
}
