package diff

import (
	"regexp"
	"strings"

	"github.com/stdevel/katprep"
)

// distTag finds the mark of the distribution a package was built for: "el9"
// in "24.el9_4.1" and in "module+el9.4.0+123", "fc40", "amzn2023", "lp155",
// "deb12" in "1+deb12u3" and "1~deb12u3", "bpo12" of a backport.
var distTag = regexp.MustCompile(`(?:^|[.+~_-])(el|fc|amzn|lp|deb|bpo|azl|cm|mga)([0-9]+)`)

// distOf returns the mark of a version, or "" if it bears none.
func distOf(v katprep.EVR) string {
	found := distTag.FindAllStringSubmatch(string(v), -1)
	if len(found) == 0 {
		return ""
	}
	last := found[len(found)-1] // "bpo12" is the last word of "1~deb12u1~bpo11"
	return last[1] + last[2]
}

// families are the marks that an operating system's own packages bear.
var families = map[string]string{
	"rhel": "el", "centos": "el", "almalinux": "el", "rocky": "el", "ol": "el", "fedora": "fc",
	"amzn": "amzn", "debian": "deb", "azurelinux": "azl", "mariner": "cm", "mageia": "mga",
}

// distOfHost returns the mark that the host's own distribution uses, or "".
func distOfHost(f katprep.Facts) string {
	if f.OS.ID == "opensuse-leap" {
		return "lp" + strings.ReplaceAll(f.OS.Version, ".", "")
	}
	family := families[f.OS.ID]
	major, _, _ := strings.Cut(f.OS.Version, ".")
	if family == "" || major == "" {
		return ""
	}
	return family + major
}

// fits reports whether a fixed version was built for the distribution of the
// installed one. A version without a mark fits every distribution; one with a
// mark fits only what is known to be that distribution.
func fits(fixed katprep.EVR, host string, installed ...katprep.EVR) bool {
	mark := distOf(fixed)
	if mark == "" {
		return true
	}
	for _, v := range installed {
		own := distOf(v)
		if own == "" {
			own = host
		}
		if own != mark {
			return false
		}
	}
	return true
}
