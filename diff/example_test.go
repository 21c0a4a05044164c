package diff_test

import (
	"fmt"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/diff"
)

func state(openssl katprep.EVR, errata ...string) *katprep.State {
	s := &katprep.State{
		Host:   katprep.Host{HostID: katprep.HostID{Source: "satellite", ID: "17"}, Name: "web01.example.com"},
		Status: katprep.Collected, Format: katprep.RPM,
		Aspects:  []katprep.Aspect{katprep.AspectErrata, katprep.AspectPackages},
		Packages: []katprep.Package{{Name: "openssl", Arch: "x86_64", EVR: openssl}},
	}
	for _, id := range errata {
		s.Errata = append(s.Errata, katprep.HostErratum{ID: id, Installable: true})
	}
	return s
}

// That an erratum is gone from the list is not enough: installed versions must
// reach the fixed ones.
func ExampleLandscape() {
	advisory := func(id string) (katprep.Erratum, bool) {
		return katprep.Erratum{ID: id, Packages: []katprep.Package{{Name: "openssl", Arch: "x86_64", EVR: "1:3.0.7-28.el9"}}}, true
	}
	for _, after := range []katprep.EVR{"1:3.0.7-28.el9", "1:3.0.7-27.el9"} {
		l, err := diff.New(katprep.SnapshotRef{}, katprep.SnapshotRef{}, advisory, diff.Options{})
		if err != nil {
			fmt.Println(err)
			return
		}
		l.Add(state("1:3.0.7-27.el9", "RHSA-2026:0001"), state(after))
		r := l.Report()
		for _, e := range r.Hosts[0].Errata {
			fmt.Println(after, e.ID, e.Ending)
		}
	}
	// Output:
	// 1:3.0.7-28.el9 RHSA-2026:0001 installed
	// 1:3.0.7-27.el9 RHSA-2026:0001 no-longer-applicable
}

// Lines that replace each other are compared character by character.
func ExampleText() {
	for _, l := range diff.Text("owner: anna\ngroup: web\n", "owner: anna b\ngroup: web\n") {
		fmt.Printf("%s%s\n", l.Op, l)
	}
	// Output:
	// -owner: anna
	// +owner: anna b
	//  group: web
}
