package katprep_test

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/stdevel/katprep"
)

// Errors say what kind they are, what failed, and what helps.
func ExampleErrorf() {
	cause := katprep.Errorf(katprep.NoArchive, "open archive /srv/a.git: %w", fs.ErrNotExist).WithHint("katprep --archive /srv/a.git init")
	err := fmt.Errorf("snapshot before patch-2026-11: %w", cause)
	fmt.Println(err)
	fmt.Println(katprep.KindOf(err) == katprep.NoArchive, errors.Is(err, fs.ErrNotExist))
	fmt.Println(katprep.HintOf(err))
	// Output:
	// snapshot before patch-2026-11: open archive /srv/a.git: file does not exist
	// true true
	// katprep --archive /srv/a.git init
}

// A package is read in the forms in which package managers and Katello write
// it.
func ExampleParseNEVRA() {
	for _, s := range []string{"openssl-libs-1:3.0.7-27.el9.x86_64", "1:openssl-libs-3.0.7-27.el9.x86_64", "no version"} {
		p, ok := katprep.ParseNEVRA(s)
		fmt.Println(ok, p.Name, p.EVR, p.Arch)
	}
	// Output:
	// true openssl-libs 1:3.0.7-27.el9 x86_64
	// true openssl-libs 1:3.0.7-27.el9 x86_64
	// false
}

// What was not collected is not known: an empty list means "none" only if its
// aspect was read.
func ExampleState_Knows() {
	s := katprep.State{Status: katprep.Incomplete, Aspects: []katprep.Aspect{katprep.AspectErrata}}
	fmt.Println("errata:", len(s.Errata), s.Knows(katprep.AspectErrata))
	fmt.Println("packages:", len(s.Packages), s.Knows(katprep.AspectPackages))
	// Output:
	// errata: 0 true
	// packages: 0 false
}

// A login is handed to a backend; nothing that prints or logs it shows the
// password.
func ExampleLogin() {
	l := katprep.Login{User: "katprep", Password: katprep.NewSecret("correct horse")}
	fmt.Printf("%v\n%+v\n", l, l)
	// Output:
	// {katprep redacted}
	// {User:katprep Password:redacted}
}
