package site

import (
	"cmp"
	"context"
	"fmt"
	"html/template"
	"slices"
	"strings"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/render"
)

// A package is what is kept of one that changed in a maintenance, or that an
// erratum names. Others have no page: a landscape has thousands that nobody
// asks about.
type pkg struct {
	name   string
	moved  []moved
	errata []string
	now    map[string]*versionNow // by EVR
}

// A moved package is a move within a pair.
type moved struct {
	pair int32
	counted
}

// A versionNow is a version in the newest snapshot.
type versionNow struct {
	evr   katprep.EVR
	hosts int
	some  []int32 // of the hosts, the first ones
}

// someHosts is how many hosts of a version a page names.
const someHosts = 100

// noteMoves keeps what moved in a pair. What was interesting in a maintenance
// is followed through all snapshots.
func (m *model) noteMoves(i int, p *pair, mv moves) {
	for _, c := range mv.sorted() {
		k := m.packages[c.name]
		if k == nil {
			k = &pkg{name: c.name}
			m.packages[c.name] = k
		}
		k.moved = append(k.moved, moved{int32(i), c})
		if p.Run != "" {
			m.followed[c.name] = true
		}
	}
}

// followPackages settles which packages have pages, before the hosts of the
// newest snapshot stream by.
func (m *model) followPackages() {
	for _, id := range sortedKeys(m.errata) {
		for _, p := range m.errata[id].Packages {
			m.followed[p.Name] = true
			k := m.packages[p.Name]
			if k == nil {
				k = &pkg{name: p.Name}
				m.packages[p.Name] = k
			}
			if n := len(k.errata); n == 0 || k.errata[n-1] != id {
				k.errata = append(k.errata, id)
			}
		}
	}
	for name := range m.packages {
		if !m.followed[name] || name == "" {
			delete(m.packages, name)
		}
	}
}

// seePackages notes the versions that a host has now.
func (m *model) seePackages(host int32, list []katprep.Package) {
	for i := range list {
		k := m.packages[list[i].Name]
		if k == nil {
			continue
		}
		v := k.now[string(list[i].EVR)]
		if v == nil {
			if k.now == nil {
				k.now = map[string]*versionNow{}
			}
			v = &versionNow{evr: list[i].EVR}
			k.now[string(v.evr)] = v
		}
		if n := len(v.some); n > 0 && v.some[n-1] == host {
			continue // another architecture
		}
		v.hosts++
		if len(v.some) < someHosts {
			v.some = append(v.some, host)
		}
	}
}

func (k *pkg) path() string { return "packages/" + idSlug(k.name) + ".html" }

// hosts counts those that have the package now; one with two versions counts
// twice.
func (k *pkg) hosts() (n int) {
	for _, v := range k.now {
		n += v.hosts
	}
	return n
}

// versions lists the versions that hosts have now, the most frequent first.
func (k *pkg) versions() []*versionNow {
	var out []*versionNow
	for _, v := range k.now {
		out = append(out, v)
	}
	slices.SortFunc(out, func(x, y *versionNow) int {
		return cmp.Or(y.hosts-x.hosts, strings.Compare(string(x.evr), string(y.evr)))
	})
	return out
}

type packagePage struct {
	base
	Name     string
	Versions []packageVersion
	NotKnown int // hosts that were read, and whose packages are not known
	Errata   []cveErratum
	Rows     []packageMove
	Pager    pager
}

type packageVersion struct {
	EVR   string
	Hosts int
	Some  []link
}

// More counts the hosts that the page does not name.
func (v packageVersion) More() int { return v.Hosts - len(v.Some) }

type packageMove struct {
	Pair          *pair
	Word          render.Word
	Before, After []katprep.EVR
	Hosts         int
}

type packageList struct {
	base
	Rows  []packageRow
	Pager pager
}

type packageRow struct {
	Name, Href                       string
	Hosts, Versions, Changes, Errata int
}

// packagePages writes a page for each package that is followed.
func (b *builder) packagePages(ctx context.Context) error {
	var rows []packageRow
	notKnown := b.unknowns().Packages
	for _, name := range sortedKeys(b.m.packages) {
		if err := ctx.Err(); err != nil {
			return err
		}
		k := b.m.packages[name]
		if len(k.now)+len(k.moved) == 0 { // an erratum names it, and no host ever had it
			delete(b.m.packages, name)
			continue
		}
		rows = append(rows, packageRow{name, k.path(), k.hosts(), len(k.now), len(k.moved), len(k.errata)})
		if err := b.packagePage(k, notKnown); err != nil {
			return err
		}
	}
	t := &table{head: []string{"package", "hosts", "versions", "changes", "errata"}}
	for _, r := range rows {
		t.add(r.Name, itoa(r.Hosts), itoa(r.Versions), itoa(r.Changes), itoa(r.Errata))
	}
	if err := b.save("data/packages", t); err != nil {
		return err
	}
	return b.paged("packages/index.html", len(rows), func(name string, from, to int, p pager) error {
		return b.page(name, "packages", packageList{b.base(name, "packages", "Packages", true), rows[from:to], p})
	})
}

func (b *builder) packagePage(k *pkg, notKnown int) error {
	d := packagePage{Name: k.name, NotKnown: notKnown}
	for _, v := range k.versions() {
		pv := packageVersion{EVR: string(v.evr), Hosts: v.hosts}
		for _, h := range v.some {
			pv.Some = append(pv.Some, link{b.m.hosts[h].Name, b.m.hosts[h].path()})
		}
		d.Versions = append(d.Versions, pv)
	}
	for _, id := range k.errata {
		d.Errata = append(d.Errata, cveErratum{b.m.errata[id], b.m.erratumSums[id]})
	}
	for _, m := range slices.Backward(k.moved) {
		d.Rows = append(d.Rows, packageMove{b.m.pairs[m.pair], render.KindWord(m.kind), splitVersions(m.before), splitVersions(m.after), m.hosts})
	}
	rows := d.Rows
	return b.once("packages/"+k.name, b.packageKey(&d), func() error {
		return b.paged(k.path(), len(rows), func(name string, from, to int, p pager) error {
			d.base, d.Rows, d.Pager = b.base(name, "packages", k.name, true), rows[from:to], p
			return b.page(name, "package", d)
		})
	})
}

// packageKey names everything that the page of a package depends on.
func (b *builder) packageKey(d *packagePage) string {
	k := b.newKey()
	if len(b.m.snapshots) > 0 {
		k.add(string(b.m.head().Commit))
	}
	k.add(itoa(d.NotKnown), fmt.Sprint(d.Versions))
	for i := range d.Errata {
		sum := b.m.sums[d.Errata[i].ID]
		k.add(d.Errata[i].ID, string(sum[:]), fmt.Sprint(d.Errata[i].erratumSum))
	}
	for i := range d.Rows {
		r := &d.Rows[i]
		k.add(r.Pair.dir, r.Pair.title(), r.Pair.when(), r.Word.Text, fmt.Sprint(r.Before, r.After, r.Hosts))
	}
	return k.sum()
}

func splitVersions(s string) []katprep.EVR {
	if s == "" {
		return nil
	}
	var out []katprep.EVR
	for v := range strings.SplitSeq(s, ", ") {
		out = append(out, katprep.EVR(v))
	}
	return out
}

// packageMoves writes how a package changed over time, the newest first.
func packageMoves(root string, rows []packageMove) template.HTML {
	m := &markup{root: root}
	for i := range rows {
		r := &rows[i]
		m.lit(`<tr><th scope="row" class="t">`).lit(render.Time(r.Pair.After.Snapshot.Finished)).lit(`</th><td>`).link(r.Pair.dir+"/index.html", "", r.Pair.title()).lit(`</td><td>`).word(r.Word).lit(`</td><td>`).change(r.Before, r.After).lit(`</td>`).number(r.Hosts).lit("</tr>\n")
	}
	return m.html()
}
