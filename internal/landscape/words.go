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
	e.Description = describeFixes(c, e)
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

func describeFixes(c *component, e katprep.Erratum) string {
	var b strings.Builder
	fmt.Fprintf(&b, "The %s packages are part of the operating system.\n\n", c.name)
	if len(e.CVEs) == 0 {
		fmt.Fprintf(&b, "Bug Fix(es) and Enhancement(s):\n\n* %s: wrong result when the input is empty (BZ#%s)\n", c.name, e.Bugs)
		return b.String()
	}
	b.WriteString("Security Fix(es):\n\n")
	for _, id := range e.CVEs {
		fmt.Fprintf(&b, "* %s: out-of-bounds read in a parser (%s)\n", c.name, id)
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
