package object

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
)

// An Entry is one name in a tree.
type Entry struct {
	Name string
	Dir  bool
	Hash Hash
}

// compareEntries orders as Git does: a folder sorts as if its name ended
// with a slash.
func compareEntries(a, b Entry) int {
	n := min(len(a.Name), len(b.Name))
	if c := strings.Compare(a.Name[:n], b.Name[:n]); c != 0 {
		return c
	}
	return int(after(a.Name, a.Dir, n)) - int(after(b.Name, b.Dir, n))
}

// after returns the byte that follows the first n of a name.
func after[T string | []byte](name T, dir bool, n int) byte {
	switch {
	case n < len(name):
		return name[n]
	case dir:
		return '/'
	}
	return 0
}

// EncodeTree returns the content of a tree; it sorts the entries.
func EncodeTree(entries []Entry) []byte {
	slices.SortFunc(entries, compareEntries)
	size := 0
	for i := range entries {
		size += len("100644 ") + len(entries[i].Name) + 1 + Size
	}
	out := make([]byte, 0, size)
	for _, e := range entries {
		mode := "100644 "
		if e.Dir {
			mode = "40000 "
		}
		out = append(out, mode...)
		out = append(out, e.Name...)
		out = append(out, 0)
		out = append(out, e.Hash[:]...)
	}
	return out
}

var errTree = errors.New("malformed tree")

// DecodeTree returns the entries of a tree: files and folders. Links and
// submodules are left out, for an archive has none of its own.
func DecodeTree(content []byte) ([]Entry, error) {
	out := make([]Entry, 0, len(content)/48+1)
	for e, err := range Entries(content) {
		if err != nil {
			return nil, err
		}
		out = append(out, e)
	}
	return out, nil
}

// Entries yields the entries of a tree, as DecodeTree does, and stops at the
// first error.
func Entries(content []byte) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		for len(content) > 0 {
			mode, name, h, rest, err := nextEntry(content)
			if err != nil {
				yield(Entry{}, err)
				return
			}
			content = rest
			if dir := string(mode) == "40000"; dir || isFile(mode) {
				if !yield(Entry{Name: string(name), Dir: dir, Hash: h}, nil) {
					return
				}
			}
		}
	}
}

// CheckTree reports whether a tree can be read to its end.
func CheckTree(content []byte) error {
	for len(content) > 0 {
		var err error
		if _, _, _, content, err = nextEntry(content); err != nil {
			return err
		}
	}
	return nil
}

// isFile leaves links and submodules out.
func isFile(mode []byte) bool { return len(mode) == 6 && mode[0] == '1' && mode[1] == '0' }

// Prefixed yields the entries, as DecodeTree does, whose names have a prefix.
func Prefixed(content []byte, prefix string) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		r := treeReader{rest: content}
		for r.next(); r.ok; r.next() {
			if len(r.name) >= len(prefix) && string(r.name[:len(prefix)]) == prefix && !yield(*r.entry(), nil) {
				return
			}
		}
		if r.err != nil {
			yield(Entry{}, r.err)
		}
	}
}

// Diff yields what differs between two trees: pairs of entries of one name,
// of which one is nil if only one tree has it. The entries are Diff's own and
// change with the next pair. Of a tree that is not sorted as Git sorts, more
// may be yielded than differs, but nothing is left out.
func Diff(before, after []byte) iter.Seq2[[2]*Entry, error] {
	return func(yield func([2]*Entry, error) bool) {
		a, b := treeReader{rest: before}, treeReader{rest: after}
		a.next()
		b.next()
		for a.ok || b.ok {
			var pair [2]*Entry
			order := a.compare(&b)
			switch {
			case order < 0:
				pair[0] = a.entry()
			case order > 0:
				pair[1] = b.entry()
			case a.hash != b.hash:
				pair = [2]*Entry{a.entry(), b.entry()}
			}
			if (pair[0] != nil || pair[1] != nil) && !yield(pair, nil) {
				return
			}
			if order <= 0 {
				a.next()
			}
			if order >= 0 {
				b.next()
			}
		}
		if err := cmp.Or(a.err, b.err); err != nil {
			yield([2]*Entry{}, err)
		}
	}
}

// A treeReader walks over a tree and makes no strings.
type treeReader struct {
	rest []byte
	ok   bool // there is an entry
	err  error

	name []byte
	dir  bool
	hash Hash
	e    Entry
}

func (r *treeReader) next() {
	r.ok = false
	for len(r.rest) > 0 && r.err == nil {
		var mode []byte
		if mode, r.name, r.hash, r.rest, r.err = nextEntry(r.rest); r.err != nil {
			return
		}
		if r.dir = string(mode) == "40000"; r.dir || isFile(mode) {
			r.ok = true
			return
		}
	}
}

func (r *treeReader) entry() *Entry {
	r.e = Entry{Name: string(r.name), Dir: r.dir, Hash: r.hash}
	return &r.e
}

// compare orders the present entries; a reader at its end comes last.
func (r *treeReader) compare(o *treeReader) int {
	switch {
	case !r.ok:
		return 1
	case !o.ok:
		return -1
	}
	n := min(len(r.name), len(o.name))
	if c := bytes.Compare(r.name[:n], o.name[:n]); c != 0 {
		return c
	}
	if c := int(after(r.name, r.dir, n)) - int(after(o.name, o.dir, n)); c != 0 {
		return c
	}
	return len(r.name) - len(o.name) // a name with a slash in it must not pass for a folder
}

// Find looks one name up without decoding the others.
func Find(content []byte, name string) (e Entry, found bool, err error) {
	for len(content) > 0 {
		mode, n, h, rest, err := nextEntry(content)
		if err != nil {
			return Entry{}, false, err
		}
		if string(n) == name {
			return Entry{Name: name, Dir: string(mode) == "40000", Hash: h}, true, nil
		}
		content = rest
	}
	return Entry{}, false, nil
}

func nextEntry(b []byte) (mode, name []byte, h Hash, rest []byte, err error) {
	sp := bytes.IndexByte(b, ' ')
	if sp < 5 || sp > 6 {
		return nil, nil, h, nil, errTree
	}
	nul := bytes.IndexByte(b, 0)
	if nul < sp+2 || len(b) < nul+1+Size {
		return nil, nil, h, nil, fmt.Errorf("%w: entry cut short", errTree)
	}
	copy(h[:], b[nul+1:])
	return b[:sp], b[sp+1 : nul], h, b[nul+1+Size:], nil
}
