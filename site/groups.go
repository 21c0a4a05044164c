package site

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	stdhash "hash"
	"slices"
	"strings"
	"sync"
)

// groupsPath is where an earlier build left what its groups are.
const groupsPath = ".katprep/groups"

// A group is pages that are made together, or kept together: those of a pair,
// or of an erratum. Its key names everything that they depend on.
type group struct {
	key   string
	files []kept
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
	k.add(b.views.hash, b.o.Title, b.o.Version, itoa(b.o.Rows))
	return k
}

func (k key) add(parts ...string) {
	for _, p := range parts {
		k.h.Write([]byte(p))
		k.h.Write([]byte{0})
	}
}

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
	}
	return e.b
}

func decodeGroups(b []byte) map[string]*group {
	d := &decoder{b: b}
	groups := map[string]*group{}
	for range d.int(len(b)) {
		name := d.str()
		g := &group{key: d.str()}
		for range d.int(len(d.b)) {
			g.files = append(g.files, kept{d.str(), d.int(maxCount)})
		}
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
