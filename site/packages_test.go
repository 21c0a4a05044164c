package site_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/site"
)

// TestPackagePages: what changed in a maintenance, or what errata name, has a
// page with its versions, its hosts and its history; nothing else has.
func TestPackagePages(t *testing.T) {
	m := sample()
	for c, states := range m.Hosts {
		for i := range states {
			if s := &states[i]; len(s.Packages) > 0 && s.Name == "idle.example.com" {
				s.Packages = append(s.Packages, katprep.Package{Name: "quiet", EVR: "1-1", Arch: "noarch"})
			}
		}
		m.Hosts[c] = states
	}
	out := build(t, m, site.Options{})
	page := text(read(t, out, "packages/openssl.html"))
	for _, w := range []string{"1:3.0.7-24.el9 3 db01.example.com, idle.example.com, new.example.com", "1:3.0.7-27.el9 1 web01.example.com", "November patch day, production A", "RHSA-2026:0001", "upgraded"} {
		if !strings.Contains(page, w) {
			t.Errorf("openssl lacks %q in\n%s", w, page)
		}
	}
	if list := text(read(t, out, "packages/index.html")); !strings.Contains(list, "openssl 4 2") || strings.Contains(list, "quiet") || strings.Contains(list, "bash") {
		t.Errorf("the list is %s", list)
	}
	if index := read(t, out, "assets/index.js"); !strings.Contains(index, `Package\topenssl\tpackages/openssl.html`) {
		t.Error("the search does not find the package")
	}
	if _, err := os.Stat(filepath.Join(out, "packages", "quiet.html")); err == nil {
		t.Error("a package that nobody asks about has a page")
	}
}
