package archive

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"time"

	"github.com/stdevel/katprep"
)

// A landscape makes the hosts of benchmarks: each about 100 KB of JSON, 400
// packages and 20 errata, like its neighbours of the same role but not equal
// to them. The same arguments give the same host.
type landscape struct {
	hosts    int
	packages int // of each host
	roles    []katprep.State
	odd      []katprep.EVR // versions that single hosts have

	day     int
	patches [][]uint16 // by host and package: 4 × the day of the last patch + which one, 0: never
	last    []int      // by host: the day of the last patch
}

const roleCount = 20

func newLandscape(hosts int) *landscape { return smallLandscape(hosts, 400) }

// smallLandscape makes hosts of fewer packages, for histories that would take
// too long otherwise.
func smallLandscape(hosts, packages int) *landscape {
	l := &landscape{hosts: hosts, packages: packages, patches: make([][]uint16, hosts), last: make([]int, hosts)}
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
		for i := range packages {
			name := fmt.Sprintf("package-%04d-subpackage-%08x", (i*7+role*13)%3000+i, r.Uint32())
			version := fmt.Sprintf("%d.%d.%d-%d.el9_%d.%d", r.IntN(9), r.IntN(30), r.IntN(30), r.IntN(99), r.IntN(5), r.IntN(9))
			s.Packages = append(s.Packages, katprep.Package{Name: name, EVR: katprep.EVR(version), Arch: "x86_64",
				Source: name + "-" + version + ".src.rpm", Vendor: vendors[r.IntN(len(vendors))] + " build host " + strconv.Itoa(r.IntN(40)) + ".build.example.com"})
		}
		for i := range 20 {
			s.Errata = append(s.Errata, katprep.HostErratum{ID: fmt.Sprintf("RHSA-2026:%04d", role*11+i), Installable: true})
		}
		slices.SortFunc(s.Packages, katprep.ComparePackages) // as collectors deliver them
		l.roles = append(l.roles, s)
	}
	return l
}

func (l *landscape) role(i int) int { return i * 7919 % roleCount }

// until lets days pass, on each of which some percent of all hosts are
// patched. A day that is past begins anew.
func (l *landscape) until(day, percent int) {
	if day < l.day {
		clear(l.patches)
		clear(l.last)
		l.day = 0
	}
	for l.day < day {
		l.day++
		for i := range l.hosts {
			r := rand.New(rand.NewPCG(uint64(i), uint64(l.day)+100))
			if r.IntN(100) >= percent {
				continue
			}
			l.last[i] = l.day
			if l.patches[i] == nil {
				l.patches[i] = make([]uint16, l.packages)
			}
			for range max(1, l.packages*3/100) {
				l.patches[i][r.IntN(l.packages)] = uint16(4*l.day + r.IntN(4))
			}
		}
	}
}

// host returns the i-th host after a number of days, see until. Names do not
// go by role, as in life.
func (l *landscape) host(i, day, percent int) katprep.State {
	l.until(day, percent)
	s := l.roles[l.role(i)]
	s.Host = katprep.Host{HostID: katprep.HostID{Source: "satellite", ID: strconv.Itoa(i)}, Name: l.name(i)}
	r := rand.New(rand.NewPCG(uint64(i), 1))
	s.Facts.IP = fmt.Sprintf("10.%d.%d.%d", i>>16, i>>8&0xff, i&0xff)
	s.Facts.UUID = fmt.Sprintf("%016x%016x", r.Uint64(), r.Uint64())
	packages := append([]katprep.Package(nil), s.Packages...)
	born := time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(r.IntN(1e7)) * time.Second)
	for n := range packages {
		if n%40 == 0 && n > 0 {
			born = born.Add(time.Second)
		}
		packages[n].Installed = born
	}
	for range max(1, len(packages)/20) {
		packages[r.IntN(len(packages))].EVR = l.odd[r.IntN(len(l.odd))]
	}
	for n, patch := range l.patches[i] {
		if patch > 0 {
			packages[n].EVR = katprep.EVR(fmt.Sprintf("10.%d-%d.el9", patch/4, patch%4))
			packages[n].Installed = time.Date(2026, 1, 1, 2, 0, i%3600, 0, time.UTC).AddDate(0, 0, int(patch/4))
		}
	}
	s.Packages = packages
	return s
}

func (l *landscape) name(i int) string { return fmt.Sprintf("host%05d.site%d.example.com", i, i%5) }

// counts are what a snapshot of the landscape must say.
func (l *landscape) counts() katprep.Counts {
	return katprep.Counts{Hosts: l.hosts, Collected: l.hosts, HostErrata: l.hosts * len(l.roles[0].Errata), RebootUnknown: l.hosts}
}
