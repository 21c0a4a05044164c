package archive

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"time"

	"github.com/stdevel/katprep"
)

// A landscape makes the hosts of benchmarks: each about 100 KB of JSON, 400
// packages and 20 errata, like its neighbours of the same role but not equal
// to them. The same arguments give the same host.
type landscape struct {
	hosts int
	roles []katprep.State
	odd   []katprep.EVR // versions that single hosts have
}

const roleCount = 20

func newLandscape(hosts int) *landscape {
	l := &landscape{hosts: hosts}
	r := rand.New(rand.NewPCG(7, 7))
	vendors := []string{"Red Hat, Inc.", "Fedora Project", "SUSE LLC <https://www.suse.com/>"}
	for i := range 9 {
		l.odd = append(l.odd, katprep.EVR(fmt.Sprintf("9.%d-1.el9", i)))
	}
	for role := range roleCount {
		s := katprep.State{Status: katprep.Collected, Format: katprep.RPM,
			Aspects: []katprep.Aspect{katprep.AspectErrata, katprep.AspectFacts, katprep.AspectPackages}}
		s.Facts = katprep.Facts{OS: katprep.OS{ID: "rhel", Version: "9.4", Name: "Red Hat Enterprise Linux 9.4 (Plow)"}, Arch: "x86_64",
			Organization: "Example", HostGroup: fmt.Sprintf("base/role%02d", role)}
		for i := range 400 {
			name := fmt.Sprintf("package-%04d-subpackage-%08x", (i*7+role*13)%3000+i, r.Uint32())
			version := fmt.Sprintf("%d.%d.%d-%d.el9_%d.%d", r.IntN(9), r.IntN(30), r.IntN(30), r.IntN(99), r.IntN(5), r.IntN(9))
			s.Packages = append(s.Packages, katprep.Package{Name: name, EVR: katprep.EVR(version), Arch: "x86_64",
				Source: name + "-" + version + ".src.rpm", Vendor: vendors[r.IntN(len(vendors))] + " build host " + strconv.Itoa(r.IntN(40)) + ".build.example.com"})
		}
		for i := range 20 {
			s.Errata = append(s.Errata, katprep.HostErratum{ID: fmt.Sprintf("RHSA-2026:%04d", role*11+i), Installable: true})
		}
		l.roles = append(l.roles, s)
	}
	return l
}

func (l *landscape) role(i int) int { return i * 7919 % roleCount }

// host returns the i-th host after a number of days, on each of which some
// percent of all hosts are patched. Names do not go by role, as in life.
func (l *landscape) host(i, day, percent int) katprep.State {
	s := l.roles[l.role(i)]
	s.Host = katprep.Host{HostID: katprep.HostID{Source: "satellite", ID: strconv.Itoa(i)}, Name: fmt.Sprintf("host%05d.site%d.example.com", i, i%5)}
	r := rand.New(rand.NewPCG(uint64(i), 1))
	s.Facts.IP = fmt.Sprintf("10.%d.%d.%d", i>>16, i>>8&0xff, i&0xff)
	s.Facts.UUID = fmt.Sprintf("%016x%016x", r.Uint64(), r.Uint64())
	packages := append([]katprep.Package(nil), s.Packages...)
	born := time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(r.IntN(1e7)) * time.Second)
	for n := range packages {
		packages[n].Installed = born.Add(time.Duration(n/40) * time.Second)
	}
	for range 20 {
		packages[r.IntN(len(packages))].EVR = l.odd[r.IntN(len(l.odd))]
	}
	for d := 1; d <= day; d++ {
		if patch := rand.New(rand.NewPCG(uint64(i), uint64(d)+100)); patch.IntN(100) < percent {
			for range 12 {
				n := patch.IntN(len(packages))
				packages[n].EVR = katprep.EVR(fmt.Sprintf("10.%d-%d.el9", d, patch.IntN(4)))
				packages[n].Installed = time.Date(2026, 1, 1, 2, 0, i%3600, 0, time.UTC).AddDate(0, 0, d)
			}
		}
	}
	s.Packages = packages
	return s
}
