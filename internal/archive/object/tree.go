package object

import (
	"bytes"
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
	return int(a.after(n)) - int(b.after(n))
}

// after returns the byte that follows the first n of the name.
func (e Entry) after(n int) byte {
	switch {
	case n < len(e.Name):
		return e.Name[n]
	case e.Dir:
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
			if dir := string(mode) == "40000"; dir || len(mode) == 6 && mode[0] == '1' && mode[1] == '0' {
				if !yield(Entry{Name: string(name), Dir: dir, Hash: h}, nil) {
					return
				}
			}
		}
	}
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
