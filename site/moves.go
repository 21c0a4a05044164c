package site

import (
	"cmp"
	"slices"
	"strings"

	"github.com/stdevel/katprep"
)

// A move is a package that went from some versions to others.
type move struct {
	name, before, after string // versions of all at once, by ", "; "" is none
	kind                katprep.PackageKind
}

// moves counts the hosts of each move of a comparison: that is what pages of
// packages need, and it does not grow with the number of hosts.
type moves map[move]int

// mostMoves bounds what is kept of one comparison. A landscape that is patched
// has a few for each package.
const mostMoves = 50_000

// add counts the package changes of a host. Architectures that moved alike
// count once.
func (m moves) add(list []katprep.PackageChange) {
	var last move
	for i := range list {
		p := &list[i]
		mv := move{name: p.Name, before: joinVersions(p.Before), after: joinVersions(p.After), kind: p.Kind}
		if mv == last {
			continue
		}
		last = mv
		if _, ok := m[mv]; ok || len(m) < mostMoves {
			m[mv]++
		}
	}
}

func joinVersions(list []katprep.EVR) string {
	if len(list) == 1 {
		return string(list[0])
	}
	var out []string
	for _, v := range list {
		out = append(out, string(v))
	}
	return strings.Join(out, ", ")
}

// A counted move is one with its number of hosts.
type counted struct {
	move
	hosts int
}

// sorted lists moves, for files that are the same every time.
func (m moves) sorted() []counted {
	out := make([]counted, 0, len(m))
	for mv, n := range m {
		out = append(out, counted{mv, n})
	}
	slices.SortFunc(out, func(x, y counted) int {
		return cmp.Or(strings.Compare(x.name, y.name), y.hosts-x.hosts, strings.Compare(x.before, y.before), strings.Compare(x.after, y.after), strings.Compare(string(x.kind), string(y.kind)))
	})
	return out
}

// encodeMoves writes moves after the summaries of a comparison.
func (e *encoder) moves(m moves) {
	list := m.sorted()
	e.int(len(list))
	for i := range list {
		c := &list[i]
		for _, s := range []string{c.name, c.before, c.after, string(c.kind)} {
			e.str(s)
		}
		e.int(c.hosts)
	}
}

func (d *decoder) moves() moves {
	n := d.int(len(d.b))
	m := make(moves, n)
	for range n {
		mv := move{name: d.str(), before: d.str(), after: d.str(), kind: katprep.PackageKind(d.str())}
		m[mv] = d.int(maxCount)
		if d.err != nil {
			return nil
		}
	}
	return m
}
