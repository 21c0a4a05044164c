package katprep

import (
	"strings"
	"time"
)

// An EVR is "epoch:version-release" of an RPM (the epoch left out when 0), or
// the whole version of a Debian package, which has the same form. Compare two
// with package vers of the host's packaging [Format]; never as text.
type EVR string

// Format is a packaging format; it decides how versions compare.
type Format string

// The packaging formats.
const (
	RPM Format = "rpm"
	Deb Format = "deb"
)

// A Package is one installed package of a host.
type Package struct {
	Name      string    `json:"name"`
	EVR       EVR       `json:"evr"`
	Arch      string    `json:"arch,omitempty"`
	Source    string    `json:"source,omitempty"` // source package: "openssl-3.0.7-24.el9.src.rpm" or "openssl 3.0.11-1"
	Vendor    string    `json:"vendor,omitempty"`
	Installed time.Time `json:"installed,omitzero"` // UTC, when the package manager says so
	Held      bool      `json:"held,omitempty"`     // excluded from upgrades on the host
}

// NEVRA returns "name-epoch:version-release.arch" as dnf prints it.
func (p Package) NEVRA() string {
	s := p.Name + "-" + string(p.EVR)
	if p.Arch != "" {
		s += "." + p.Arch
	}
	return s
}

// Key identifies a package among those of a host, several versions of which
// may be installed at once (kernels).
func (p Package) Key() PackageKey { return PackageKey{p.Name, p.Arch} }

// A PackageKey is a package without its version.
type PackageKey struct {
	Name string `json:"name"`
	Arch string `json:"arch,omitempty"`
}

// String returns "name.arch".
func (k PackageKey) String() string {
	if k.Arch == "" {
		return k.Name
	}
	return k.Name + "." + k.Arch
}

// An Update is a newer version of an installed package that the host's
// repositories offer.
type Update struct {
	Name     string   `json:"name"`
	Arch     string   `json:"arch,omitempty"`
	From     EVR      `json:"from,omitempty"`     // installed now
	To       EVR      `json:"to"`                 // newest on offer
	Origin   string   `json:"origin,omitempty"`   // repository or archive that offers it
	Security bool     `json:"security,omitempty"` // the origin or an advisory says that it fixes a vulnerability
	Errata   []string `json:"errata,omitempty"`   // IDs of the advisories that brought it, sorted
	CVEs     []string `json:"cves,omitempty"`     // named in the changelog between From and To, sorted
}

// ParseNEVRA splits "name-[epoch:]version-release.arch" (also Katello's
// "epoch:name-version-release.arch") into a package. ok is false if s has
// not that form; names and versions may hold further dashes and dots.
func ParseNEVRA(s string) (p Package, ok bool) {
	s = strings.TrimSuffix(s, ".rpm")
	epoch := ""
	if e, rest, found := strings.Cut(s, ":"); found && isDigits(e) {
		epoch, s = e, rest // Katello and old yum put the epoch first
	}
	dot := strings.LastIndexByte(s, '.')
	if dot <= 0 || dot == len(s)-1 {
		return Package{}, false
	}
	rest, arch := s[:dot], s[dot+1:]
	rel := strings.LastIndexByte(rest, '-')
	if rel <= 0 || rel == len(rest)-1 {
		return Package{}, false
	}
	ver := strings.LastIndexByte(rest[:rel], '-')
	if ver <= 0 || ver == rel-1 {
		return Package{}, false
	}
	name, version, release := rest[:ver], rest[ver+1:rel], rest[rel+1:]
	if e, v, found := strings.Cut(version, ":"); found {
		if !isDigits(e) || epoch != "" || v == "" {
			return Package{}, false
		}
		epoch, version = e, v
	}
	return Package{Name: name, EVR: JoinEVR(epoch, version, release), Arch: arch}, true
}

// JoinEVR makes an EVR of its parts; an epoch of "", "0" or "(none)" is left
// out, and so is an empty release.
func JoinEVR(epoch, version, release string) EVR {
	s := version
	if release != "" {
		s += "-" + release
	}
	if e := strings.TrimLeft(epoch, "0"); e != "" && e != "(none)" {
		s = e + ":" + s
	}
	return EVR(s)
}

func isDigits(s string) bool {
	for _, r := range s {
		if r < '0' || r > '9' {
			return false
		}
	}
	return s != ""
}
