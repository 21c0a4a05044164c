//go:build unix

package lab

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stdevel/katprep/internal/peers"
)

// BuildLargeRPMRepo builds a repository for hosts with many packages: a fifth
// of them can be updated, and the advisories are spread over all of them.
func BuildLargeRPMRepo(t testing.TB, packages, advisories int) *RPMRepo {
	t.Helper()
	peers.Need(t, "rpmbuild", "createrepo_c", "modifyrepo_c")
	dir := Dir(t)
	r := &RPMRepo{base: filepath.Join(dir, "base"), updates: filepath.Join(dir, "updates"), UpdateInfo: filepath.Join(dir, "updateinfo.xml")}
	buildRPMs(t, dir, r.base, []rpmPackage{rpmBase[0], rpmBase[5]})
	buildMany(t, dir, r.base, packages, "1")
	buildMany(t, dir, r.updates, packages/5, "2")
	tool(t, dir, "createrepo_c", "-q", r.updates)
	var list []advisory
	for i := range advisories {
		n, release := i%packages, "1"
		if n < packages/5 {
			release = "2"
		}
		list = append(list, advisory{id: fmt.Sprintf("RHSA-2026:%04d", i), kind: "security", severity: "Moderate", title: fmt.Sprintf("package%04d update", n), issued: "2026-01-10",
			cves: []string{fmt.Sprintf("CVE-2026-%04d", i)}, fix: rpmPackage{name: fmt.Sprintf("package%04d", n), version: "1.0", release: release, noarch: true}})
	}
	write(t, r.UpdateInfo, updateInfo(list), 0o644)
	tool(t, dir, "modifyrepo_c", "--mdtype=updateinfo", r.UpdateInfo, filepath.Join(r.updates, "repodata"))
	return r
}

// buildMany makes many packages of one spec file.
func buildMany(t testing.TB, dir, repo string, n int, release string) {
	t.Helper()
	var b strings.Builder
	fmt.Fprintf(&b, "Name: many\nVersion: 1.0\nRelease: %s\nSummary: many\nLicense: MIT\nBuildArch: noarch\nAutoReqProv: no\n%%description\nx\n", release)
	for i := range n {
		fmt.Fprintf(&b, "%%package -n package%04d\nSummary: package %d\nAutoReqProv: no\n%%description -n package%04d\nx\n%%files -n package%04d\n", i, i, i, i)
	}
	spec := filepath.Join(dir, "specs", "many-"+release+".spec")
	write(t, spec, b.String(), 0o644)
	tool(t, dir, "rpmbuild", "--quiet", "--define", "_rpmdir "+repo, "-bb", spec)
}
