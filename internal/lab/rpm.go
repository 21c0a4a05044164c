//go:build unix

package lab

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/stdevel/katprep/internal/peers"
)

// Arch is this machine's architecture as RPM names it.
func Arch() string {
	switch runtime.GOARCH {
	case "amd64":
		return "x86_64"
	case "arm64":
		return "aarch64"
	}
	return runtime.GOARCH
}

// The kernels of RPM hosts: the installed and running one, and its fix.
var (
	OldKernel = "5.14.0-427.13.1.el9_4." + Arch()
	NewKernel = "5.14.0-427.20.1.el9_4." + Arch()
)

type rpmPackage struct {
	name, version, release string
	noarch                 bool
	requires               string
}

// What every RPM host has, and what its repository offers.
var (
	rpmBase = []rpmPackage{
		{"lab-release", "9.4", "1.el9", true, ""},
		{"libdemo", "1.0", "1.el9", false, ""},
		{"demo-web", "2.0", "1.el9", true, "libdemo"},
		{"demo-openssl", "3.0.7", "24.el9", false, ""},
		{"demo-tools", "1.0", "1.el9", true, ""},
		{"kernel-core", "5.14.0", "427.13.1.el9_4", false, ""},
	}
	rpmUpdates = []rpmPackage{
		{"demo-openssl", "3.0.7", "25.el9_4", false, ""},
		{"demo-openssl", "3.0.7", "27.el9_4", false, ""},
		{"libdemo", "1.0", "2.el9_4", false, ""},
		{"demo-web", "2.1", "1.el9_4", true, "libdemo"},
		{"demo-tools", "1.1", "1.el9", true, ""},
		{"kernel-core", "5.14.0", "427.20.1.el9_4", false, ""},
	}
)

type advisory struct {
	id, kind, severity, title, issued string
	reboot                            bool
	cves, bugs                        []string
	fix                               rpmPackage
}

// advisories of the repository: two security fixes of one package, a kernel
// that wants a reboot, a bug fix and an enhancement. demo-tools has none.
var advisories = []advisory{
	{"RHSA-2026:0001", "security", "Critical", "Critical: demo-openssl security update", "2026-01-10", false, []string{"CVE-2026-1001", "CVE-2026-1002"}, []string{"2200001"}, rpmUpdates[0]},
	{"RHSA-2026:0009", "security", "Important", "Important: demo-openssl security update", "2026-02-12", false, []string{"CVE-2026-1033"}, []string{"2200077"}, rpmUpdates[1]},
	{"RHSA-2026:0020", "security", "Moderate", "Moderate: kernel security and bug fix update", "2026-02-20", true, []string{"CVE-2026-2001"}, []string{"2200100"}, rpmUpdates[5]},
	{"RHBA-2026:0030", "bugfix", "", "libdemo bug fix update", "2026-02-21", false, nil, []string{"2200200"}, rpmUpdates[2]},
	{"RHEA-2026:0040", "enhancement", "", "demo-web enhancement update", "2026-02-25", false, nil, []string{"2200300"}, rpmUpdates[3]},
}

// RPMRepo is a repository of real packages with advisories.
type RPMRepo struct {
	base, updates string
	UpdateInfo    string // updateinfo.xml
}

// BuildRPMRepo builds packages and repository with the real tools.
func BuildRPMRepo(t testing.TB) *RPMRepo {
	t.Helper()
	peers.Need(t, "rpmbuild", "createrepo_c", "modifyrepo_c")
	dir := Dir(t)
	r := &RPMRepo{base: filepath.Join(dir, "base"), updates: filepath.Join(dir, "updates"), UpdateInfo: filepath.Join(dir, "updateinfo.xml")}
	buildRPMs(t, dir, r.base, rpmBase)
	buildRPMs(t, dir, r.updates, rpmUpdates)
	tool(t, dir, "createrepo_c", "-q", r.updates)
	write(t, r.UpdateInfo, updateInfo(advisories), 0o644)
	tool(t, dir, "modifyrepo_c", "--mdtype=updateinfo", r.UpdateInfo, filepath.Join(r.updates, "repodata"))
	return r
}

func buildRPMs(t testing.TB, dir, repo string, ps []rpmPackage) {
	t.Helper()
	write(t, filepath.Join(dir, "home/.rpmmacros"), "%_topdir "+dir+"/build\n%_binary_payload w0.ufdio\n%vendor Example Corp\n%_buildhost lab.example.com\n"+
		"%_build_name_fmt %%{NAME}-%%{VERSION}-%%{RELEASE}.%%{ARCH}.rpm\n", 0o644)
	args := []string{"--quiet", "--define", "_rpmdir " + repo, "-bb"}
	for _, p := range ps {
		f := filepath.Join(dir, "specs", p.name+"-"+p.version+"-"+p.release+".spec")
		write(t, f, p.spec(), 0o644)
		args = append(args, f)
	}
	fatal(t, os.MkdirAll(repo, 0o755))
	tool(t, dir, "rpmbuild", args...)
}

// spec makes a package whose one file lies below /opt; a kernel owns its
// image, the first one that of the kernel which really runs, so that dnf
// takes it for the running one.
func (p rpmPackage) spec() string {
	var b strings.Builder
	fmt.Fprintf(&b, "Name: %s\nVersion: %s\nRelease: %s\nSummary: test package %s\nLicense: MIT\nAutoReqProv: no\n", p.name, p.version, p.release, p.name)
	if p.noarch {
		b.WriteString("BuildArch: noarch\n")
	}
	if p.requires != "" {
		fmt.Fprintf(&b, "Requires: %s\n", p.requires)
	}
	files := "/opt/" + p.name
	install := fmt.Sprintf("mkdir -p %%{buildroot}/opt/%s\necho %s >%%{buildroot}/opt/%s/version\n", p.name, p.version+"-"+p.release, p.name)
	switch p.name {
	case "lab-release":
		b.WriteString("Provides: system-release = 9.4\nProvides: system-release(releasever) = 9\nProvides: redhat-release = 9.4\n")
	case "kernel-core":
		release := p.version + "-" + p.release + "." + Arch()
		image := "/boot/vmlinuz-" + release
		if release == OldKernel {
			image = "/boot/vmlinuz-" + runningKernel()
		}
		fmt.Fprintf(&b, "Provides: kernel = %s-%s\nProvides: installonlypkg(kernel)\nProvides: kernel-uname-r = %s\n", p.version, p.release, release)
		install = "mkdir -p %{buildroot}/boot\necho lab >%{buildroot}" + image + "\n"
		files = image
	}
	fmt.Fprintf(&b, "%%description\nTest package.\n%%install\n%s%%files\n%s\n", install, files)
	return b.String()
}

func runningKernel() string {
	b, _ := os.ReadFile("/proc/sys/kernel/osrelease")
	return strings.TrimSpace(string(b))
}

func updateInfo(list []advisory) string {
	var b strings.Builder
	b.WriteString("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<updates>\n")
	for _, a := range list {
		fmt.Fprintf(&b, "<update from=\"security@example.com\" status=\"final\" type=\"%s\" version=\"1\">\n<id>%s</id><title>%s</title>"+
			"<issued date=\"%s 08:00:00\"/><updated date=\"%s 08:00:00\"/>", a.kind, a.id, a.title, a.issued, a.issued)
		if a.severity != "" {
			fmt.Fprintf(&b, "<severity>%s</severity>", a.severity)
		}
		fmt.Fprintf(&b, "<summary>%s</summary><description>%s&#10;&#10;A second paragraph.</description><solution>Apply.</solution>\n<references>\n", a.title, a.title)
		fmt.Fprintf(&b, "<reference href=\"https://errata.example.com/%s\" id=\"%s\" type=\"self\" title=\"%s\"/>\n", a.id, a.id, a.id)
		for _, c := range a.cves {
			fmt.Fprintf(&b, "<reference href=\"https://cve.example.com/%s\" id=\"%s\" type=\"cve\" title=\"%s\"/>\n", c, c, c)
		}
		for _, n := range a.bugs {
			fmt.Fprintf(&b, "<reference href=\"https://bugs.example.com/%s\" id=\"%s\" type=\"bugzilla\" title=\"bug %s\"/>\n", n, n, n)
		}
		p := a.fix
		fmt.Fprintf(&b, "</references>\n<pkglist><collection short=\"u\"><name>u</name>\n<package name=\"%s\" version=\"%s\" release=\"%s\" epoch=\"0\" arch=\"%s\" src=\"x.src.rpm\"><filename>%s</filename>",
			p.name, p.version, p.release, p.arch(), p.file())
		if a.reboot {
			b.WriteString("<reboot_suggested>True</reboot_suggested>")
		}
		b.WriteString("</package>\n</collection></pkglist>\n</update>\n")
	}
	b.WriteString("</updates>\n")
	return b.String()
}

func (p rpmPackage) arch() string {
	if p.noarch {
		return "noarch"
	}
	return Arch()
}

func (p rpmPackage) file() string {
	return p.name + "-" + p.version + "-" + p.release + "." + p.arch() + ".rpm"
}

// NewHost boots a host with the base packages and the repository.
func (r *RPMRepo) NewHost(t testing.TB, name string) *Host {
	t.Helper()
	peers.Need(t, "rpm", "dnf")
	prepare := func(h *Host) {
		for _, d := range []string{"etc/yum.repos.d", "etc/apt", "etc/dnf"} {
			fatal(t, os.RemoveAll(h.path(d)))
		}
		h.write("etc/rpm/macros", "%_dbpath /var/lib/rpm\n%_db_backend sqlite\n")
		h.write("etc/dnf/dnf.conf", "[main]\ngpgcheck=0\ninstallonly_limit=3\nbest=False\nplugins=0\n")
		h.write("etc/yum.repos.d/lab.repo", "[lab-updates]\nname=lab updates\nbaseurl=file://"+r.updates+"\nenabled=1\ngpgcheck=0\n")
		h.SetKernel(OldKernel)
		// An empty Debian database below would be another truth.
		fatal(t, os.MkdirAll(h.path("var/lib/dpkg"), 0o755))
		h.write("var/lib/dpkg/status", "")
	}
	return newHost(t, name, "NAME=\"Demo Enterprise Linux\"\nVERSION=\"9.4\"\nID=\"rhel\"\nID_LIKE=\"fedora\"\nVERSION_ID=\"9.4\"\nPRETTY_NAME=\"Demo Enterprise Linux 9.4\"\n",
		prepare, fmt.Sprintf("rpm -i --nodeps %s/*.rpm\ndnf -q makecache", r.base))
}

// NewSUSEHost boots a host of the same packages that is managed by zypper.
func (r *RPMRepo) NewSUSEHost(t testing.TB, name string) *Host {
	t.Helper()
	peers.Need(t, "rpm", "zypper")
	prepare := func(h *Host) {
		for _, d := range []string{"etc/yum.repos.d", "etc/apt", "etc/dnf", "etc/zypp/repos.d", "etc/zypp/services.d", "etc/zypp/systemCheck", "etc/zypp/systemCheck.d"} {
			fatal(t, os.RemoveAll(h.path(d)))
		}
		h.write("etc/rpm/macros", "%_dbpath /var/lib/rpm\n%_db_backend sqlite\n")
		h.write("etc/zypp/repos.d/lab.repo", "[lab-updates]\nname=lab updates\nbaseurl=file://"+r.updates+"\nenabled=1\nautorefresh=0\ngpgcheck=0\ntype=rpm-md\n")
		h.SetKernel(OldKernel)
		h.write("var/lib/dpkg/status", "")
	}
	return newHost(t, name, "NAME=\"Demo SUSE\"\nID=\"sles\"\nID_LIKE=\"suse\"\nVERSION_ID=\"15.6\"\nPRETTY_NAME=\"Demo SUSE 15 SP6\"\n",
		prepare, fmt.Sprintf("rpm -i --nodeps %s/*.rpm\nzypper --non-interactive --quiet --no-gpg-checks refresh", r.base))
}

func tool(t testing.TB, home, name string, args ...string) {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Env = append(os.Environ(), "HOME="+filepath.Join(home, "home"), "LC_ALL=C")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", name, err, out)
	}
}
