package landscape

import (
	"fmt"
	"slices"
	"strings"

	"github.com/stdevel/katprep"
)

// knownComponents lists components that people know: name[=service], then
// the binary packages. The first ones are on every host.
func knownComponents(f katprep.Format) []string {
	if f == katprep.Deb {
		return []string{
			"linux " + versionedKernel + " linux-image-amd64 linux-libc-dev", "glibc libc6 libc-bin libc-l10n locales", "openssl openssl libssl3",
			"systemd=systemd-journald systemd libsystemd0 udev libudev1", "openssh=ssh openssh-server openssh-client openssh-sftp-server",
			"bash bash", "sudo sudo", "curl curl libcurl4", "gnutls28 libgnutls30", "krb5 libkrb5-3 libgssapi-krb5-2 libk5crypto3 libkrb5support0",
			"expat libexpat1", "nginx=nginx nginx nginx-common", "postgresql-15=postgresql postgresql-15 postgresql-client-15 libpq5", "python3.11 python3.11 python3.11-minimal libpython3.11-stdlib",
			"perl perl perl-base perl-modules-5.36 libperl5.36", "vim vim-tiny vim-common", "tzdata tzdata", "ca-certificates ca-certificates", "bind9 bind9-host bind9-libs", "rsyslog=rsyslog rsyslog",
		}
	}
	return []string{
		"kernel kernel kernel-core kernel-modules kernel-modules-core kernel-tools", "glibc glibc glibc-common glibc-langpack-en glibc-minimal-langpack",
		"openssl openssl openssl-libs", "systemd=systemd-journald systemd systemd-libs systemd-pam systemd-udev", "openssh=sshd openssh openssh-server openssh-clients",
		"bash bash", "sudo sudo", "curl curl libcurl", "NetworkManager=NetworkManager NetworkManager NetworkManager-libnm NetworkManager-tui", "krb5 krb5-libs",
		"expat expat", "httpd=httpd httpd httpd-core httpd-tools httpd-filesystem mod_ssl", "postgresql=postgresql postgresql postgresql-server postgresql-private-libs",
		"python3 python3 python3-libs", "perl perl perl-libs perl-interpreter perl-Errno", "vim vim-minimal vim-common vim-filesystem", "tzdata tzdata", "ca-certificates ca-certificates",
		"bind bind-libs bind-license bind-utils", "dbus=dbus-broker dbus dbus-common dbus-libs", "chrony=chronyd chrony", "rsyslog=rsyslog rsyslog rsyslog-logrotate",
		"gnutls gnutls", "nss nss nss-softokn nss-util nss-sysinit", "libxml2 libxml2 python3-libxml2", "sqlite sqlite sqlite-libs", "firewalld=firewalld firewalld firewalld-filesystem python3-firewall",
		"dnf dnf dnf-data python3-dnf yum", "subscription-manager=rhsmcertd subscription-manager libdnf-plugin-subscription-manager python3-subscription-manager-rhsm", "cups cups-libs",
		"java-17-openjdk java-17-openjdk java-17-openjdk-headless", "nodejs nodejs nodejs-full-i18n npm", "git git git-core git-core-doc perl-Git", "samba samba-client-libs samba-common samba-common-libs libsmbclient",
		"microcode_ctl microcode_ctl", "linux-firmware linux-firmware linux-firmware-whence", "grub2 grub2-common grub2-pc grub2-pc-modules grub2-tools grub2-tools-minimal", "libssh libssh libssh-config", "zlib zlib", "tar tar",
	}
}

// firstVersion is the version that a known component really had when its
// distribution was released, about; "" for any other.
func firstVersion(dist, name string) string {
	column := map[string]int{".el9": 0, ".el8": 1, "": 2}[dist]
	return map[string][3]string{
		"glibc": {"2.34-100", "2.28-251", "2.36-9+deb12u1"}, "openssl": {"1:3.0.7-27", "1:1.1.1k-12", "3.0.11-1~deb12u1"},
		"systemd": {"252-32", "239-82", "252.22-1~deb12u1"}, "openssh": {"8.7p1-38", "8.0p1-24", "1:9.2p1-2+deb12u1"},
		"bash": {"5.1.8-9", "4.4.20-5", "5.2.15-2+deb12u1"}, "sudo": {"1.9.5p2-10", "1.9.5p2-1", "1.9.13p3-1+deb12u1"},
		"curl": {"7.76.1-29", "7.61.1-34", "7.88.1-10+deb12u1"}, "NetworkManager": {"1:1.46.0-8", "1:1.40.16-15"},
		"krb5": {"1.21.1-1", "1.18.2-26", "1.20.1-2+deb12u1"}, "expat": {"2.5.0-2", "2.2.5-13", "2.5.0-1+deb12u1"},
		"httpd": {"2.4.57-8", "2.4.37-64"}, "postgresql": {"13.14-1", "10.23-4"}, "python3": {"3.9.18-3", "3.6.8-62"},
		"perl": {"4:5.32.1-481", "4:5.26.3-422", "5.36.0-7+deb12u1"}, "vim": {"2:8.2.2637-20", "2:8.0.1763-19", "2:9.0.1378-2+deb12u1"},
		"tzdata": {"2024a-1", "2024a-1", "2024a-0+deb12u1"}, "ca-certificates": {"2023.2.60_v7.0.306-90.1", "2023.2.60_v7.0.306-80.0"},
		"bind": {"32:9.16.23-18", "32:9.11.36-14"}, "bind9": {"", "", "1:9.18.24-1+deb12u1"}, "dbus": {"1:1.12.20-8", "1:1.12.8-26"},
		"chrony": {"4.5-1", "4.5-1"}, "rsyslog": {"8.2310.0-4", "8.2102.0-15", "8.2302.0-1+deb12u1"}, "gnutls": {"3.8.3-4", "3.6.16-8"},
		"nss": {"3.90.0-7", "3.90.0-7"}, "libxml2": {"2.9.13-6", "2.9.7-18"}, "sqlite": {"3.34.1-7", "3.26.0-19"}, "firewalld": {"1.3.4-1", "0.9.11-4"},
		"dnf": {"4.14.0-9", "4.7.0-20"}, "subscription-manager": {"1.29.40-1", "1.28.42-1"}, "cups": {"1:2.3.3op2-24", "1:2.2.6-57"},
		"java-17-openjdk": {"1:17.0.10.0.7-2", "1:17.0.10.0.7-2"}, "nodejs": {"1:16.20.2-4", "1:10.24.0-1"}, "git": {"2.43.0-1", "2.43.0-1"},
		"samba": {"4.19.4-104", "4.19.4-3"}, "microcode_ctl": {"4:20230808-2", "4:20230808-2"}, "linux-firmware": {"20240304-143", "20240304-121"},
		"grub2": {"1:2.06-77", "1:2.02-150"}, "libssh": {"0.10.4-13", "0.9.6-14"}, "zlib": {"1.2.11-40", "1.2.11-25"}, "tar": {"2:1.34-6", "2:1.30-9"},
		"gnutls28": {"", "", "3.7.9-2+deb12u1"}, "nginx": {"", "", "1.22.1-9+deb12u1"}, "postgresql-15": {"", "", "15.6-0+deb12u1"}, "python3.11": {"", "", "3.11.2-6+deb12u1"},
	}[name][column]
}

// fillerComponent makes up the i-th further component.
func fillerComponent(f katprep.Format, i int) (string, []string) {
	stems := []string{"archive", "asn1", "async", "base64", "cache", "config", "crypt", "date", "digest", "event", "file", "getopt", "html", "http", "image", "json", "locale", "mail", "math", "mime", "net", "parse", "path", "pod", "regexp", "socket", "storable", "term", "test", "text", "thread", "time", "uri", "xml", "yaml"}
	stem := stems[i%len(stems)]
	if n := i / len(stems) / 3; n > 0 {
		stem = fmt.Sprintf("%s%d", stem, n+1)
	}
	switch kind := i / len(stems) % 3; {
	case f == katprep.Deb && kind == 0:
		return "lib" + stem + "-perl", []string{"lib" + stem + "-perl"}
	case kind == 0:
		return "perl-" + strings.ToUpper(stem[:1]) + stem[1:], []string{"perl-" + strings.ToUpper(stem[:1]) + stem[1:]}
	case kind == 1:
		return "python-" + stem, []string{"python3-" + stem}
	case f == katprep.Deb:
		return "lib" + stem, []string{"lib" + stem + "1", "lib" + stem + "-data"}
	}
	return "lib" + stem, []string{"lib" + stem, "lib" + stem + "-devel"}
}

// describe writes an advisory as Red Hat does.
func describe(f *family, c *component, l level, n int, r uint64) katprep.Erratum {
	kind, prefix, severity := katprep.Security, "RHSA", katprep.Moderate
	switch p := r >> 8 % 100; {
	case p < 4:
		severity = katprep.Critical
	case p < 26:
		severity = katprep.Important
	case p < 55:
	case p < 62:
		severity = katprep.Low
	case p < 90:
		kind, prefix, severity = katprep.Bugfix, "RHBA", katprep.SeverityNone
	default:
		kind, prefix, severity = katprep.Enhancement, "RHEA", katprep.SeverityNone
	}
	e := katprep.Erratum{
		ID: fmt.Sprintf("%s-%d:%04d", prefix, l.issued.Year(), 1001+7*n), Type: kind, Severity: severity,
		Issued: katprep.Date(l.issued.Format("2006-01-02")), RebootSuggested: c.kernel || c.name == "glibc" && kind == katprep.Security,
	}
	rating, what := "", string(kind)+" update"
	if kind == katprep.Security {
		rating, what = capital(string(severity))+": ", "security update"
		e.CVEs = cves(l, n, r)
	} else if kind == katprep.Bugfix {
		what = "bug fix update"
	}
	e.Title = rating + c.name + " " + what
	major, _, _ := strings.Cut(f.os.Version, ".")
	e.Summary = fmt.Sprintf("An update for %s is now available for Red Hat Enterprise Linux %s.", c.name, major)
	e.Description = describeFixes(c, e, r)
	e.Solution = "For details on how to apply this update, refer to:\n\nhttps://access.redhat.com/articles/11258"
	for _, sub := range c.subs {
		e.Packages = append(e.Packages, katprep.Package{Name: sub, EVR: l.evr, Arch: f.arch})
	}
	slices.SortFunc(e.Packages, katprep.ComparePackages)
	e.Bugs = []string{fmt.Sprint(2_200_000 + r>>20%90_000)}
	return e
}

func cves(l level, n int, r uint64) []string {
	var ids []string
	for i := range 1 + r>>16%3 {
		ids = append(ids, fmt.Sprintf("CVE-%d-%d", l.issued.Year(), 20_000+13*uint64(n)+i))
	}
	return ids
}

var flaws = []string{
	"out-of-bounds read in a parser", "use-after-free when a connection is closed", "heap buffer overflow on crafted input",
	"denial of service through unbounded recursion", "improper certificate validation", "privilege escalation through a race",
	"path traversal when archives are extracted", "information leak of uninitialized memory", "integer overflow leads to a crash",
}

func describeFixes(c *component, e katprep.Erratum, r uint64) string {
	var b strings.Builder
	fmt.Fprintf(&b, "The %s packages are part of the operating system.\n\n", c.name)
	if len(e.CVEs) == 0 {
		fmt.Fprintf(&b, "Bug Fix(es) and Enhancement(s):\n\n* %s: wrong result when the input is empty (BZ#%s)\n", c.name, e.Bugs)
		return b.String()
	}
	b.WriteString("Security Fix(es):\n\n")
	for i, id := range e.CVEs {
		fmt.Fprintf(&b, "* %s: %s (%s)\n", c.name, pick(flaws, r>>24+uint64(i)*7), id)
	}
	b.WriteString("\nFor more details about the security issue(s), refer to the CVE page(s) listed in the References section.")
	return b.String()
}

func capital(s string) string {
	if s == "" {
		return ""
	}
	return strings.ToUpper(s[:1]) + s[1:]
}
