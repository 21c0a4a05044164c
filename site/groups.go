package site

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	stdhash "hash"
	"slices"
	"strings"
	"sync"

	"github.com/stdevel/katprep/policy"
)

// groupsPath is where an earlier build left what its groups are.
const groupsPath = ".katprep/groups"

// groupsFormat begins that file; it changes with it.
const groupsFormat = "katprep groups 3"

// A group is pages that are made together, or kept together: those of a pair,
// or of an erratum. Its key names everything that they depend on.
type group struct {
	key    string
	files  []kept
	closed *closed // of an erratum
}

func (g *group) add(mu *sync.Mutex, f kept) {
	if g == nil {
		return
	}
	mu.Lock()
	defer mu.Unlock()
	g.files = append(g.files, f)
}

// once makes a group of pages, unless an earlier build made the same ones.
func (b *builder) once(name, key string, pages func() error) error {
	if old := b.known[name]; old != nil && old.key == key && b.keepAll(old.files) == nil {
		b.made[name] = old
		return nil
	}
	b.group = &group{key: key}
	b.made[name] = b.group
	defer func() { b.group = nil }()
	return pages()
}

// A key collects what pages depend on.
type key struct{ h stdhash.Hash }

func (b *builder) newKey() key {
	k := key{sha256.New()}
	k.add(b.views.hash, b.o.Title, b.o.Version, b.o.Build, itoa(b.o.Rows))
	return k
}

func (k key) add(parts ...string) {
	for _, p := range parts {
		k.h.Write([]byte(p))
		k.h.Write([]byte{0})
	}
}

// json adds a value as JSON. A hash takes everything, and what pages are made
// of is no value that JSON has no form for.
func (k key) json(v any) { _ = json.NewEncoder(k.h).Encode(v) }

func (k key) sum() string { return hex.EncodeToString(k.h.Sum(nil)) }

// saveGroups writes down the groups, for the next build.
func (b *builder) saveGroups(context.Context) error {
	return b.write(nil, groupsPath, encodeGroups(b.made))
}

// loadGroups reads the groups of an earlier build. If they are damaged, there
// are none.
func (b *builder) loadGroups() {
	if b.o.Full {
		return
	}
	if raw, err := b.t.old(groupsPath); err == nil {
		b.known = decodeGroups(raw)
	}
}

func encodeGroups(groups map[string]*group) []byte {
	e := &encoder{}
	e.str(groupsFormat)
	e.int(len(groups))
	for _, name := range sortedKeys(groups) {
		g := groups[name]
		slices.SortFunc(g.files, func(a, b kept) int { return cmp.Or(strings.Compare(a.path, b.path), a.size-b.size) })
		e.str(name)
		e.str(g.key)
		e.int(len(g.files))
		for _, f := range g.files {
			e.str(f.path)
			e.int(f.size)
		}
		e.closed(g.closed)
	}
	return sealed(e.b)
}

// sealed puts a checksum before bytes: what a disk has mixed up would be
// false evidence.
func sealed(b []byte) []byte {
	sum := sha256.Sum256(b)
	return append(sum[:], b...)
}

// unsealed returns the bytes behind a checksum, if it is theirs.
func unsealed(b []byte) ([]byte, bool) {
	if len(b) < sha256.Size {
		return nil, false
	}
	rest := b[sha256.Size:]
	return rest, sha256.Sum256(rest) == [sha256.Size]byte(b)
}

func (e *encoder) closed(c *closed) {
	if c == nil {
		e.int(0)
		return
	}
	e.int(1)
	for _, n := range c.ended {
		e.int(n)
	}
	e.int(len(c.tallies))
	for _, t := range c.tallies {
		for _, s := range []string{t.crit, t.group, t.month, string(t.standing)} {
			e.str(s)
		}
		installed := 0
		if t.installed {
			installed = 1
		}
		e.int(t.days + 1) // -1 is not known
		e.int(installed)
		e.int(t.n)
	}
}

func (d *decoder) closed() *closed {
	if d.int(1) == 0 {
		return nil
	}
	c := &closed{}
	for i := range c.ended {
		c.ended[i] = d.int(maxCount)
	}
	for range d.int(len(d.b)) {
		t := tallied{tally: tally{crit: d.str(), group: d.str(), month: d.str(), standing: policy.Standing(d.str())}}
		t.days, t.installed, t.n = d.int(maxCount)-1, d.int(1) == 1, d.int(maxCount)
		if d.err != nil {
			return nil
		}
		c.tallies = append(c.tallies, t)
	}
	return c
}

func decodeGroups(b []byte) map[string]*group {
	b, ok := unsealed(b)
	d := &decoder{b: b}
	groups := map[string]*group{}
	if !ok || d.str() != groupsFormat {
		return nil
	}
	for range d.int(len(b)) {
		name := d.str()
		g := &group{key: d.str()}
		for range d.int(len(d.b)) {
			g.files = append(g.files, kept{d.str(), d.int(maxCount)})
		}
		g.closed = d.closed()
		if d.err != nil {
			return nil
		}
		groups[name] = g
	}
	if d.err != nil || len(d.b) > 0 {
		return nil
	}
	return groups
}
