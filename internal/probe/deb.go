package probe

import (
	"cmp"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/stdevel/katprep"
)

// ParseDpkg reads the section "dpkg": status, package, version, architecture,
// source package and its version, separated by tabs. broken names packages
// that are not fully installed, and lines that cannot be read are counted.
func ParseDpkg(data string) (ps []katprep.Package, broken []string, bad int) {
	for line := range lines(data) {
		f := strings.Split(line, "\t")
		if len(f) != 6 || len(f[0]) < 2 || f[1] == "" {
			bad++
			continue
		}
		switch f[0][1] {
		case 'n', 'c': // not installed, configuration files only
			continue
		case 'i':
		default:
			broken = append(broken, Clean(f[1]))
			if f[0][1] == 'H' || f[2] == "" { // half-installed: no usable version
				continue
			}
		}
		p := katprep.Package{Name: Clean(f[1]), EVR: katprep.EVR(Clean(f[2])), Arch: Clean(f[3]), Held: f[0][0] == 'h'}
		if f[4] != "" && (f[4] != f[1] || f[5] != f[2]) {
			p.Source = Clean(f[4] + " " + f[5])
		}
		ps = append(ps, p)
	}
	slices.SortFunc(ps, katprep.ComparePackages)
	slices.Sort(broken)
	return ps, broken, bad
}

// SourceOf returns the source package and its version of a Debian package.
func SourceOf(p katprep.Package) (name string, v katprep.EVR) {
	if n, v, ok := strings.Cut(p.Source, " "); ok {
		return n, katprep.EVR(v)
	}
	return p.Name, p.EVR
}

var aptInst = regexp.MustCompile(`^Inst (\S+) \[([^\]\s]+)\] \((\S+) (.+) \[(\S+)\]\)`)

// An AptPlan is what a simulated upgrade would do.
type AptPlan struct {
	Updates []katprep.Update // of installed packages, sorted
	Removed []string         // packages that would go, sorted
	Kept    []string         // packages with updates that are kept back or deferred, sorted
}

// ParseApt reads a simulated "apt-get dist-upgrade".
func ParseApt(data string) AptPlan {
	var p AptPlan
	keeping := false
	for line := range lines(data) {
		if keeping = keeping && line[0] == ' '; keeping {
			p.Kept = append(p.Kept, strings.Fields(line)...)
			continue
		}
		if name, ok := strings.CutPrefix(line, "Remv "); ok {
			name, _, _ = strings.Cut(name, " ")
			p.Removed = append(p.Removed, name)
			continue
		}
		if m := aptInst.FindStringSubmatch(line); m != nil {
			p.Updates = append(p.Updates, aptUpdate(m))
			continue
		}
		keeping = strings.HasSuffix(line, "have been kept back:") || strings.HasSuffix(line, "deferred due to phasing:")
	}
	slices.SortFunc(p.Updates, compareUpdates)
	p.Updates = onePerPackage(p.Updates)
	p.Removed, p.Kept = words(p.Removed), words(p.Kept)
	return p
}

func aptUpdate(m []string) katprep.Update {
	name, arch, ok := strings.Cut(m[1], ":")
	if !ok {
		arch = m[5]
	}
	return katprep.Update{
		Name: Clean(name), Arch: Clean(arch), From: katprep.EVR(Clean(m[2])), To: katprep.EVR(Clean(m[3])),
		Origin: Clean(m[4]), Security: aptSecurity(m[4]),
	}
}

// aptSecurity reports whether one of the archives "Label:Version/Suite" is a
// security archive of Debian or Ubuntu (ESM included).
func aptSecurity(origins string) bool {
	for o := range strings.SplitSeq(origins, ",") {
		label, suite, _ := strings.Cut(strings.TrimSpace(o), "/")
		label, _, _ = strings.Cut(label, ":")
		if label == "Debian-Security" || strings.HasSuffix(suite, "-security") {
			return true
		}
	}
	return false
}

func compareUpdates(a, b katprep.Update) int {
	return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Arch, b.Arch), cmp.Compare(a.To, b.To))
}

// ParseAptLists reads the headers of the Release files that APT fetched.
func ParseAptLists(data string) []katprep.Repository {
	var rs []katprep.Repository
	for line := range lines(data) {
		k, v, ok := strings.Cut(line, ": ")
		if !ok {
			continue
		}
		if k == "File" {
			rs = append(rs, katprep.Repository{ID: aptListName(Clean(v))})
		}
		if len(rs) == 0 {
			continue
		}
		r := &rs[len(rs)-1]
		switch k {
		case "Date":
			r.Refreshed = releaseDate(v)
		case "Version":
			r.Revision = Clean(v)
		}
	}
	slices.SortFunc(rs, func(a, b katprep.Repository) int { return cmp.Compare(a.ID, b.ID) })
	return slices.CompactFunc(rs, func(a, b katprep.Repository) bool { return a.ID == b.ID })
}

// aptListName makes "deb.example.org/debian bookworm-security" of the name of
// a file in /var/lib/apt/lists.
func aptListName(f string) string {
	f = strings.TrimSuffix(strings.TrimSuffix(f, "_InRelease"), "_Release")
	base, suite, ok := strings.Cut(f, "_dists_")
	if !ok {
		return strings.ReplaceAll(f, "_", "/")
	}
	return strings.ReplaceAll(base, "_", "/") + " " + strings.ReplaceAll(suite, "_", "/")
}

func releaseDate(s string) time.Time {
	for _, layout := range []string{time.RFC1123, time.RFC1123Z, "Mon, _2 Jan 2006 15:04:05 MST"} {
		if t, err := time.Parse(layout, strings.TrimSpace(s)); err == nil {
			return t.UTC()
		}
	}
	return time.Time{}
}

// ParseFetched returns the latest of the times in lines "seconds [name]".
func ParseFetched(data string) time.Time {
	var latest time.Time
	for line := range lines(data) {
		s, _, _ := strings.Cut(line, " ")
		if t := unix(s); t.After(latest) {
			latest = t
		}
	}
	return latest
}

// A RebootRequired is what Debian's own mechanism says.
type RebootRequired struct {
	Watched  bool // packages report here when they need a reboot
	Required bool
	Packages []string // sorted
}

// ParseRebootRequired reads the section "reboot-required".
func ParseRebootRequired(data string) RebootRequired {
	var r RebootRequired
	for line := range lines(data) {
		switch line {
		case "=watched":
			r.Watched = true
		case "=required":
			r.Required = true
		default:
			r.Packages = append(r.Packages, Clean(line))
		}
	}
	slices.Sort(r.Packages)
	r.Packages = slices.Compact(r.Packages)
	return r
}

// DebKernels returns the names (as uname -r prints them) and package versions
// of the installed kernel images.
func DebKernels(ps []katprep.Package) []InstalledKernel {
	var ks []InstalledKernel
	for _, p := range ps {
		name, ok := strings.CutPrefix(p.Name, "linux-image-")
		name = strings.TrimPrefix(name, "unsigned-")
		if ok && name != "" && name[0] >= '0' && name[0] <= '9' && !strings.HasSuffix(name, "-dbg") {
			ks = append(ks, InstalledKernel{Release: name, EVR: p.EVR, Package: p.Name})
		}
	}
	return ks
}

// An InstalledKernel is a kernel that a host could boot.
type InstalledKernel struct {
	Release   string // as uname -r prints it
	EVR       katprep.EVR
	Package   string
	Installed time.Time
}

func sortedProcesses(ps []katprep.Process) []katprep.Process {
	slices.SortFunc(ps, func(a, b katprep.Process) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Unit, b.Unit))
	})
	return slices.Compact(ps)
}
