package landscape

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/stdevel/katprep"
)

// A catalogue is what the vendors publish: for each OS family its components
// with their versions, and the errata that brought them.
type catalogue struct {
	families []*family
	errata   []*erratum // by issue date, family by family
	byID     map[string]*erratum
}

// A family is an operating system in one major version.
type family struct {
	index   int
	os      katprep.OS
	foreman string // operatingsystem_name
	osID    int
	format  katprep.Format
	arch    string
	dist    string // release suffix, ".el9"
	view    int    // content view ID
	share   uint64
	comps   []*component
	npkgs   int
	known   int // the first so many components are not made up
}

// A component is a source package: its binary packages move together.
type component struct {
	index  int
	name   string
	subs   []string
	levels []level // ascending versions
	kernel bool    // several versions are installed at once
	daemon string  // service that keeps running on replaced files
	core   bool    // on every host
	roles  uint32  // bit set of the roles that have it
}

// A level is one version of a component. The first is from before all
// errata; every other came with an update.
type level struct {
	evr     katprep.EVR
	issued  time.Time
	erratum *erratum // nil for Debian and for the first level
	json    [][]byte // by sub package: the beginning of its API object
	nvra    []string // by sub package
}

type erratum struct {
	id      int
	fam     *family
	comp    *component
	level   int
	text    katprep.Erratum
	updated time.Time
}

const catalogueSpan = 180 * 24 * time.Hour

func newCatalogue(o Options) *catalogue {
	c := &catalogue{byID: map[string]*erratum{}}
	c.families = []*family{
		{os: katprep.OS{ID: "rhel", Version: "9.4", Name: "Red Hat Enterprise Linux 9.4"}, foreman: "RHEL 9.4", osID: 61, format: katprep.RPM, arch: "x86_64", dist: ".el9", view: 31, share: 46},
		{os: katprep.OS{ID: "rhel", Version: "8.10", Name: "Red Hat Enterprise Linux 8.10"}, foreman: "RHEL 8.10", osID: 62, format: katprep.RPM, arch: "x86_64", dist: ".el8", view: 32, share: 36},
		{os: katprep.OS{ID: "debian", Version: "12", Name: "Debian 12"}, foreman: "Debian 12", osID: 63, format: katprep.Deb, arch: "amd64", view: 33, share: 18},
	}
	for i, f := range c.families {
		f.index = i
		f.makeComponents(o)
		c.publish(f, o)
		f.render()
	}
	return c
}

// makeComponents fills the family until it has a quarter more packages than
// a host shall have: a host has about four fifths of them.
func (f *family) makeComponents(o Options) {
	want := max(o.Packages*5/4, 4)
	add := func(c component) {
		c.index = len(f.comps)
		for r := range roles {
			if mix(o.Seed, rInstalled, uint64(r), uint64(f.index), uint64(c.index))%100 < 80 {
				c.roles |= 1 << r
			}
		}
		c.levels = []level{{evr: f.baseEVR(&c, o.Seed), issued: o.Start.Add(-2 * catalogueSpan)}}
		f.comps = append(f.comps, &c)
		f.npkgs += len(c.subs)
	}
	for _, line := range knownComponents(f.format) {
		if f.npkgs >= want {
			break
		}
		words := strings.Fields(line)
		name, daemon, _ := strings.Cut(words[0], "=")
		subs := words[1:]
		if left := want - f.npkgs; len(subs) > left {
			subs = subs[:left]
		}
		add(component{name: name, subs: subs, daemon: daemon, kernel: name == "kernel" || name == "linux", core: len(f.comps) < 8})
	}
	f.known = len(f.comps)
	for i := 0; f.npkgs < want; i++ {
		name, subs := fillerComponent(f.format, i)
		if left := want - f.npkgs; len(subs) > left {
			subs = subs[:left]
		}
		add(component{name: name, subs: subs})
	}
}

func (f *family) baseEVR(c *component, seed uint64) katprep.EVR {
	r := mix(seed, rFiller, uint64(f.index), uint64(c.index))
	switch {
	case c.kernel && f.format == katprep.Deb:
		return "6.1.99-1"
	case c.kernel && f.dist == ".el8":
		return "4.18.0-553.el8_10"
	case c.kernel:
		return "5.14.0-427.13.1.el9_4"
	}
	if v := firstVersion(f.dist, c.name); v != "" {
		return katprep.EVR(v + f.dist)
	}
	epoch := ""
	if r%11 == 0 {
		epoch = strconv.Itoa(1 + int(r>>8%2))
	}
	version := fmt.Sprintf("%d.%d.%d", 1+r>>16%9, r>>24%20, r>>32%12)
	release := fmt.Sprintf("%d", 1+r>>40%40)
	if f.format == katprep.Deb {
		release += "+deb12u1"
	}
	return katprep.JoinEVR(epoch, version, release+f.dist)
}

// next returns the version that follows the newest one of c.
func (f *family) next(c *component) katprep.EVR {
	n := len(c.levels)
	base := string(c.levels[0].evr)
	switch {
	case c.kernel && f.format == katprep.Deb:
		return katprep.EVR(fmt.Sprintf("6.1.%d-1", 99+7*n))
	case c.kernel && f.dist == ".el8":
		return katprep.EVR(fmt.Sprintf("4.18.0-553.%d.1.el8_10", 4+3*n))
	case c.kernel:
		return katprep.EVR(fmt.Sprintf("5.14.0-427.%d.1.el9_4", 13+4*n))
	case f.format == katprep.Deb:
		return katprep.EVR(strings.TrimSuffix(base, "1") + strconv.Itoa(1+n))
	}
	_, minor, _ := strings.Cut(f.os.Version, ".")
	return katprep.EVR(fmt.Sprintf("%s_%s.%d", base, minor, n))
}

// publish issues the family's updates over the last half year: a third of
// that is what a host lags behind on average.
func (c *catalogue) publish(f *family, o Options) {
	n := max(3, o.Errata*3*5/4)
	for i := range n {
		r := mix(o.Seed, rErratum, uint64(f.index), uint64(i))
		comp := f.comps[r%uint64(len(f.comps))]
		switch {
		case i%9 == 4:
			comp = f.comps[0] // the kernel gets more than its share
		case r>>32%4 > 0:
			comp = f.comps[r%uint64(f.known)] // and so do the components that people know
		}
		issued := o.Start.Add(-catalogueSpan + catalogueSpan*time.Duration(i)/time.Duration(n)).Truncate(time.Hour)
		l := level{evr: f.next(comp), issued: issued}
		if f.format == katprep.RPM {
			l.erratum = c.addErratum(f, comp, l, len(comp.levels), r)
		}
		comp.levels = append(comp.levels, l)
	}
}

func (c *catalogue) addErratum(f *family, comp *component, l level, at int, r uint64) *erratum {
	e := &erratum{id: 2000 + len(c.errata), fam: f, comp: comp, level: at, updated: l.issued.Add(time.Hour * time.Duration(r>>50%48))}
	e.text = describe(f, comp, l, len(c.errata), r)
	c.errata = append(c.errata, e)
	c.byID[e.text.ID] = e
	return e
}

// render prepares the packages' API objects: they are by far the most that
// the server ever sends.
func (f *family) render() {
	id := 100_000 * (f.index + 1)
	for _, c := range f.comps {
		for l := range c.levels {
			for i := range c.subs {
				id++
				c.levels[l].add(f, c.subName(l, i), id)
			}
		}
	}
}

// subName is the name of a binary package. Debian's kernels have their ABI
// in the name.
func (c *component) subName(level, i int) string {
	if c.subs[i] == versionedKernel {
		return fmt.Sprintf("linux-image-6.1.0-%d-amd64", 22+level)
	}
	return c.subs[i]
}

// versionedKernel stands for Debian's kernel package.
const versionedKernel = "linux-image-*-amd64"

func (l *level) add(f *family, sub string, id int) {
	epoch, rest, found := strings.Cut(string(l.evr), ":")
	if !found {
		epoch, rest = "", string(l.evr)
	}
	nvra := sub + "-" + rest + "." + f.arch
	l.nvra = append(l.nvra, nvra)
	if f.format == katprep.Deb {
		l.json = append(l.json, fmt.Appendf(nil, `{"id":%d,"name":%q,"version":%q,"architecture":%q`, id, sub, l.evr, f.arch))
		return
	}
	nvrea := nvra
	if epoch != "" {
		nvrea = epoch + ":" + nvra
	}
	l.json = append(l.json, fmt.Appendf(nil, `{"id":%d,"name":%q,"nvrea":%q,"nvra":%q`, id, sub, nvrea, nvra))
}

// levelBefore returns the newest level that was issued until t.
func (c *component) levelBefore(t time.Time) int {
	for l := len(c.levels) - 1; l > 0; l-- {
		if !c.levels[l].issued.After(t) {
			return l
		}
	}
	return 0
}
