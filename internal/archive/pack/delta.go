package pack

import (
	"bytes"
	"encoding/binary"
	"errors"
	"sync"

	"github.com/stdevel/katprep/internal/archive/object"
)

// The deltas here are made for text with one item per line: the beginning of
// every line of the base is an anchor, and a match grows from there in both
// directions. That finds what a general search finds in such files, for a
// small part of the cost.

const (
	anchorLen = 32      // bytes of a line that make an anchor
	anchorMin = 12      // shorter lines are none: they are everywhere
	maxCopy   = 0xffff  // of one instruction; longer is not understood everywhere
	maxLit    = 127     // bytes of one literal instruction
	maxBase   = 1 << 24 // larger files are not used as bases
)

// A base is a text that others can be deltas of. It does not change.
type base struct {
	text   []byte
	tree   bool   // its records are entries, not lines
	seq    int    // of the object in the pack
	offset uint64 // in the pack, known to the goroutine that writes it

	once  sync.Once // makes what follows
	slots []uint32  // open addressing: position of a record + 1
	mask  uint32
}

func newBase(text []byte, seq int) *base { return &base{text: text, seq: seq} }

// ready indexes the records of the text.
func (b *base) ready() {
	b.once.Do(func() {
		records := anchors(b.text)
		lines := len(b.text) / 32
		if b.tree {
			records = entries(b.text)
		} else {
			lines = bytes.Count(b.text, []byte{'\n'}) + 1
		}
		size := 64
		for size < 2*lines {
			size *= 2
		}
		b.slots, b.mask = make([]uint32, size), uint32(size-1)
		for at, a := range records {
			i := hashAnchor(a) & b.mask
			for b.slots[i] != 0 {
				i = (i + 1) & b.mask
			}
			b.slots[i] = uint32(at) + 1
		}
	})
}

// anchors yields the position and the anchor of each line that has one.
func anchors(text []byte) func(yield func(int, []byte) bool) {
	return func(yield func(int, []byte) bool) {
		for at := 0; at < len(text); {
			end := bytes.IndexByte(text[at:], '\n')
			if end < 0 {
				end = len(text) - at
			}
			if end >= anchorMin && !yield(at, text[at:at+min(end, anchorLen)]) {
				return
			}
			at += end + 1
		}
	}
}

func hashAnchor(a []byte) uint32 {
	const k = 0x9e3779b97f4a7c15
	h := uint64(len(a)) * k
	for len(a) >= 8 {
		h = (h ^ binary.LittleEndian.Uint64(a)) * k
		h ^= h >> 29
		a = a[8:]
	}
	for _, c := range a {
		h = (h ^ uint64(c)) * k
	}
	return uint32(h >> 32)
}

// entries yields the position and the anchor of each entry of a tree, as far
// as it is one: mode and name.
func entries(tree []byte) func(yield func(int, []byte) bool) {
	return func(yield func(int, []byte) bool) {
		for at := 0; at < len(tree); {
			nul := bytes.IndexByte(tree[at:], 0)
			if nul < 0 || len(tree)-at < nul+1+object.Size {
				return
			}
			if !yield(at, tree[at:at+min(nul+1, anchorLen)]) {
				return
			}
			at += nul + 1 + object.Size
		}
	}
}

// find returns the position in the base where the anchor begins; of several,
// the one nearest to the wanted place.
func (b *base) find(a []byte, want int) (at int, ok bool) {
	if want >= 0 && want < len(b.text) && (want == 0 || b.tree || b.text[want-1] == '\n') && bytes.HasPrefix(b.text[want:], a) {
		return want, true // as it is most of the time
	}
	best := 0
	for i, tries := hashAnchor(a)&b.mask, 0; b.slots[i] != 0 && tries < 16; i, tries = (i+1)&b.mask, tries+1 {
		p := int(b.slots[i]) - 1
		if bytes.HasPrefix(b.text[p:], a) && (!ok || abs(p-want) < abs(best-want)) {
			best, ok = p, true
		}
	}
	return best, ok
}

func abs(n int) int {
	if n < 0 {
		return -n
	}
	return n
}

// likeness is the share of the text's anchors, of a sample, that the base
// has: 0 to 1.
func (b *base) likeness(sample [][]byte) float64 {
	if len(sample) == 0 {
		return 0
	}
	n := 0
	for _, a := range sample {
		if _, ok := b.find(a, 0); ok {
			n++
		}
	}
	return float64(n) / float64(len(sample))
}

// sample returns some 64 anchors of a text, spread over it.
func sample(text []byte) [][]byte {
	step := max(1, bytes.Count(text, []byte{'\n'})/64)
	var out [][]byte
	n := 0
	for _, a := range anchors(text) {
		if n%step == 0 {
			out = append(out, a)
		}
		n++
	}
	return out
}

// delta appends to out the instructions that make text of the base.
func (b *base) delta(out, text []byte) []byte {
	b.ready()
	if b.tree {
		return b.treeDelta(out, text)
	}
	out = binary.AppendUvarint(out, uint64(len(b.text)))
	out = binary.AppendUvarint(out, uint64(len(text)))
	done := 0  // of text, that out makes
	shift := 0 // of the last match: where the next is expected
	for at := 0; at < len(text); {
		eol := bytes.IndexByte(text[at:], '\n')
		if eol < 0 {
			eol = len(text) - at
		}
		if eol < anchorMin {
			at += eol + 1
			continue
		}
		src, ok := b.find(text[at:at+min(eol, anchorLen)], at+shift)
		if !ok {
			at += eol + 1
			continue
		}
		back := commonSuffix(b.text[:src], text[done:at])
		n := back + commonPrefix(b.text[src:], text[at:])
		out = appendLiteral(out, text[done:at-back])
		out = appendCopy(out, src-back, n)
		shift = src - at
		done = at - back + n
		at = nextLine(text, done)
	}
	return appendLiteral(out, text[done:])
}

// treeDelta is delta for trees.
func (b *base) treeDelta(out, text []byte) []byte {
	out = binary.AppendUvarint(out, uint64(len(b.text)))
	out = binary.AppendUvarint(out, uint64(len(text)))
	done, shift := 0, 0
	for at, a := range entries(text) {
		if at < done {
			continue
		}
		src, ok := b.find(a, at+shift)
		if !ok {
			continue
		}
		back := commonSuffix(b.text[:src], text[done:at])
		n := back + commonPrefix(b.text[src:], text[at:])
		out = appendLiteral(out, text[done:at-back])
		out = appendCopy(out, src-back, n)
		shift = src - at
		done = at - back + n
	}
	return appendLiteral(out, text[done:])
}

// nextLine returns where the first line begins that starts at or after at.
func nextLine(text []byte, at int) int {
	if at == 0 || at >= len(text) || text[at-1] == '\n' {
		return at
	}
	i := bytes.IndexByte(text[at:], '\n')
	if i < 0 {
		return len(text)
	}
	return at + i + 1
}

func commonPrefix(a, b []byte) int {
	n := min(len(a), len(b))
	i := 0
	for i+8 <= n && binary.LittleEndian.Uint64(a[i:]) == binary.LittleEndian.Uint64(b[i:]) {
		i += 8
	}
	for i < n && a[i] == b[i] {
		i++
	}
	return i
}

func commonSuffix(a, b []byte) int {
	n := min(len(a), len(b))
	i := 0
	for i < n && a[len(a)-1-i] == b[len(b)-1-i] {
		i++
	}
	return i
}

func appendLiteral(out, lit []byte) []byte {
	for len(lit) > 0 {
		n := min(len(lit), maxLit)
		out = append(out, byte(n))
		out = append(out, lit[:n]...)
		lit = lit[n:]
	}
	return out
}

func appendCopy(out []byte, at, n int) []byte {
	for n > 0 {
		size := min(n, maxCopy)
		op := len(out)
		out = append(out, 0x80)
		for i := range 4 {
			if c := byte(at >> (8 * i)); c != 0 {
				out[op] |= 1 << i
				out = append(out, c)
			}
		}
		for i := range 2 {
			if c := byte(size >> (8 * i)); c != 0 {
				out[op] |= 1 << (4 + i)
				out = append(out, c)
			}
		}
		at, n = at+size, n-size
	}
	return out
}

var errDelta = errors.New("malformed delta")

// deltaSizes reads the sizes of base and result off the head of a delta.
func deltaSizes(d []byte) (from, to uint64, rest []byte, err error) {
	from, n := binary.Uvarint(d)
	if n <= 0 {
		return 0, 0, nil, errDelta
	}
	to, m := binary.Uvarint(d[n:])
	if m <= 0 || from > maxObject || to > maxObject {
		return 0, 0, nil, errDelta
	}
	return from, to, d[n+m:], nil
}

// applyDelta makes the text that a delta says of its base, in the empty
// buffer out if it has room.
func applyDelta(out, from, d []byte) ([]byte, error) {
	size, to, d, err := deltaSizes(d)
	if err != nil || size != uint64(len(from)) {
		return nil, errDelta
	}
	if out = out[:0]; uint64(cap(out)) < to {
		out = make([]byte, 0, to)
	}
	for len(d) > 0 {
		op := d[0]
		d = d[1:]
		var part []byte
		if op&0x80 == 0 {
			if op == 0 || int(op) > len(d) {
				return nil, errDelta
			}
			part, d = d[:op], d[op:]
		} else if part, d, err = copied(from, op, d); err != nil {
			return nil, err
		}
		if len(out)+len(part) > int(to) {
			return nil, errDelta
		}
		out = append(out, part...)
	}
	if len(out) != int(to) {
		return nil, errDelta
	}
	return out, nil
}

// copied returns the part of the base that a copy instruction means, and
// the rest of the delta.
func copied(from []byte, op byte, d []byte) (part, rest []byte, err error) {
	var at, n int
	for i := range 7 {
		if op&(1<<i) == 0 {
			continue
		}
		if len(d) == 0 {
			return nil, nil, errDelta
		}
		if i < 4 {
			at |= int(d[0]) << (8 * i)
		} else {
			n |= int(d[0]) << (8 * (i - 4))
		}
		d = d[1:]
	}
	if n == 0 {
		n = 0x10000
	}
	if at > len(from) || n > len(from)-at {
		return nil, nil, errDelta
	}
	return from[at : at+n], d, nil
}
