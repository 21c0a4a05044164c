//go:build unix

package lab

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/stdevel/katprep/internal/peers"
)

type debPackage struct {
	suite, name, version, urgency, cves, bug string
	depends                                  string
	conflicts                                string
}

// DebKernel is the kernel of Debian hosts.
var DebKernel = "6.1.0-20-" + runtime.GOARCH

// What Debian hosts have (bookworm), and what the other suites offer. demo-ssl
// was fixed twice, demo-tools for no security reason.
var debPackages = []debPackage{
	{"bookworm", "libdemo1", "1.0-1", "medium", "", "", "", ""},
	{"bookworm", "demo-web", "2.0-1", "medium", "", "", "libdemo1", ""},
	{"bookworm", "demo-ssl", "3.0.11-1~deb12u1", "medium", "", "", "", ""},
	{"bookworm", "demo-tools", "1.0-1", "low", "", "", "", ""},
	{"bookworm", "linux-image-" + DebKernel, "6.1.85-1", "medium", "", "", "", ""},
	{"bookworm-security", "demo-ssl", "3.0.11-1~deb12u2", "high", "CVE-2026-1001, CVE-2026-1002", "1100001", "", ""},
	{"bookworm-security", "demo-ssl", "3.0.11-1~deb12u3", "high", "CVE-2026-1033", "1100077", "", ""},
	{"bookworm-security", "libdemo1", "1.0-1+deb12u1", "high", "CVE-2026-3001", "1100200", "", ""},
	{"bookworm-updates", "demo-tools", "1.1-1", "low", "", "1100300", "", ""},
	// Not on offer until a test enables the suite: an upgrade that would remove another package.
	{"bookworm-extra", "demo-tools", "2.0-1", "low", "", "", "", "demo-web"},
}

var debSuites = []string{"bookworm", "bookworm-security", "bookworm-updates", "bookworm-extra"}

// DebRepo is a repository of real Debian packages.
type DebRepo struct{ dir string }

// BuildDebRepo builds packages and repository with the real tools.
func BuildDebRepo(t testing.TB) *DebRepo {
	t.Helper()
	peers.Need(t, "dpkg-deb", "apt-ftparchive")
	r := &DebRepo{Dir(t)}
	for _, p := range debPackages {
		r.build(t, p)
	}
	for _, suite := range debSuites {
		r.index(t, suite)
	}
	return r
}

func (r *DebRepo) build(t testing.TB, p debPackage) {
	t.Helper()
	d := filepath.Join(r.dir, "build", p.name+"_"+p.version)
	control := fmt.Sprintf("Package: %s\nVersion: %s\nArchitecture: %s\nMaintainer: Test <test@example.com>\nSource: src-%s\nSection: misc\nPriority: optional\nDescription: test package %s\n",
		p.name, p.version, runtime.GOARCH, strings.TrimRight(p.name, "0123456789"), p.name)
	if p.depends != "" {
		control += "Depends: " + p.depends + "\n"
	}
	if p.conflicts != "" {
		control += "Conflicts: " + p.conflicts + "\n"
	}
	write(t, filepath.Join(d, "DEBIAN/control"), control, 0o644)
	write(t, filepath.Join(d, "opt", p.name, "version"), p.version+"\n", 0o644)
	write(t, filepath.Join(d, "usr/share/doc", p.name, "changelog.Debian.gz"), changelog(p), 0o644)
	fatal(t, os.MkdirAll(filepath.Join(r.dir, "pool", p.suite), 0o755))
	file := filepath.Join(r.dir, "pool", p.suite, p.name+"_"+strings.ReplaceAll(p.version, ":", "%3a")+"_"+runtime.GOARCH+".deb")
	tool(t, r.dir, "dpkg-deb", "--root-owner-group", "-Znone", "-b", d, file)
}

// changelog holds the package's entry and those of its older versions.
func changelog(p debPackage) string {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	i := slices.Index(debPackages, p)
	for ; i >= 0; i-- {
		e := debPackages[i]
		if e.name != p.name {
			continue
		}
		fmt.Fprintf(z, "src-%s (%s) %s; urgency=%s\n\n  * A change.\n", strings.TrimRight(e.name, "0123456789"), e.version, e.suite, e.urgency)
		if e.cves != "" {
			fmt.Fprintf(z, "    - %s\n", e.cves)
		}
		if e.bug != "" {
			fmt.Fprintf(z, "    (Closes: #%s)\n", e.bug)
		}
		fmt.Fprintf(z, "\n -- Test <test@example.com>  Mon, 05 Jan 2026 10:00:00 +0000\n\n")
	}
	z.Close()
	return b.String()
}

func (r *DebRepo) index(t testing.TB, suite string) {
	t.Helper()
	dir := filepath.Join(r.dir, "dists", suite, "main", "binary-"+runtime.GOARCH)
	fatal(t, os.MkdirAll(dir, 0o755))
	label := "Debian"
	if suite == "bookworm-security" {
		label = "Debian-Security"
	}
	set := func(k, v string) []string { return []string{"-o", "APT::FTPArchive::Release::" + k + "=" + v} }
	write(t, filepath.Join(dir, "Packages"), r.output(t, "packages", "pool/"+suite), 0o644)
	args := slices.Concat(set("Origin", "Debian"), set("Label", label), set("Suite", "oldstable"+strings.TrimPrefix(suite, "bookworm")),
		set("Codename", suite), set("Version", "12"), set("Architectures", runtime.GOARCH), set("Components", "main"), []string{"release", "dists/" + suite})
	release := r.output(t, args...)
	write(t, filepath.Join(r.dir, "dists", suite, "Release"), release, 0o644)
}

func (r *DebRepo) output(t testing.TB, args ...string) string {
	t.Helper()
	cmd := exec.Command("apt-ftparchive", args...)
	cmd.Dir = r.dir
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("apt-ftparchive %v: %v", args, err)
	}
	return string(out)
}

// NewHost boots a host with the packages of bookworm.
func (r *DebRepo) NewHost(t testing.TB, name string) *Host {
	t.Helper()
	peers.Need(t, "dpkg", "apt-get")
	prepare := func(h *Host) {
		for _, d := range []string{"etc/apt", "etc/yum.repos.d", "etc/kernel"} {
			fatal(t, os.RemoveAll(h.path(d)))
		}
		for _, d := range []string{"etc/apt/apt.conf.d", "etc/apt/preferences.d", "etc/apt/trusted.gpg.d", "etc/apt/sources.list.d",
			"var/lib/dpkg/info", "var/lib/dpkg/updates", "var/lib/dpkg/triggers", "var/lib/apt/lists/partial", "var/cache/apt/archives/partial", "var/log/apt"} {
			fatal(t, os.MkdirAll(h.path(d), 0o755))
		}
		h.write("var/lib/dpkg/status", "")
		h.write("etc/apt/apt.conf.d/lab", "APT::Sandbox::User \"root\";\nAcquire::Languages \"none\";\nDPkg::Use-Pty \"0\";\n")
		list := ""
		for _, s := range debSuites[:3] {
			list += r.Line(s)
		}
		h.write("etc/apt/sources.list", list)
		h.SetKernel(DebKernel)
	}
	return newHost(t, name, "PRETTY_NAME=\"Demo Debian 12\"\nNAME=\"Demo Debian\"\nID=debian\nVERSION_ID=\"12\"\nVERSION_CODENAME=bookworm\n",
		prepare, "dpkg -i "+r.dir+"/pool/bookworm/*.deb >/dev/null\napt-get -qq update")
}

// Line is the line of sources.list for a suite.
func (r *DebRepo) Line(suite string) string {
	return "deb [trusted=yes] file:" + r.dir + " " + suite + " main\n"
}
