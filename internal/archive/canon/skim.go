package canon

import (
	"encoding/binary"
	"math/bits"

	"github.com/stdevel/katprep"
)

// plainEnd returns the position of the first byte, from at on, that does not
// stand for itself in a JSON string; the length of b if there is none.
func plainEnd(b []byte, at int) int {
	for ; at+8 <= len(b); at += 8 {
		if odd := oddBytes(binary.LittleEndian.Uint64(b[at:])); odd != 0 {
			return at + bits.TrailingZeros64(odd)/8 // the first odd byte is exact, see oddBytes
		}
	}
	for at < len(b) && b[at] < 0x7f && plain[b[at]] {
		at++
	}
	return at
}

// skimPackages checks the packages of a state, which are most of it, and
// keeps nothing of them.
func (d *Decoder) skimPackages() {
	d.expect('[')
	for d.ok {
		d.space()
		if !d.plainPackage() {
			d.deep = true
			d.pkg(new(katprep.Package))
			d.deep = false
		}
		switch d.token() {
		case ',':
		case ']':
			return
		default:
			d.ok = false
		}
	}
}

// plainPackage takes a package that is written as the encoder writes it, if
// all its texts are plain; others it leaves to pkg.
func (d *Decoder) plainPackage() bool {
	c := cursor{b: d.in, at: d.at, ok: true}
	c.text(`{"name":"`)
	c.text(`,"evr":"`)
	for _, key := range [...]string{`,"arch":"`, `,"source":"`, `,"vendor":"`} {
		if c.has(key) {
			c.text(key)
		}
	}
	const installed = `,"installed":"`
	if c.has(installed) {
		c.at += len(installed)
		end := c.at + timeLen - 2
		if end >= len(c.b) || c.b[end] != '"' {
			return false
		}
		if _, ok := clockFields(c.b[c.at:end]); !ok {
			return false
		}
		c.at = end + 1
	}
	const held = `,"held":true`
	if c.has(held) {
		c.at += len(held)
	}
	if !c.has("}") {
		return false
	}
	d.at = c.at + 1
	return true
}

// A cursor walks over text that must be just so.
type cursor struct {
	b  []byte
	at int
	ok bool
}

func (c *cursor) has(text string) bool {
	return c.ok && len(c.b)-c.at >= len(text) && string(c.b[c.at:c.at+len(text)]) == text
}

// text takes a key and the plain text that follows it, with its quotes.
func (c *cursor) text(key string) {
	if !c.has(key) {
		c.ok = false
		return
	}
	c.at = plainEnd(c.b, c.at+len(key)) + 1
	c.ok = c.at <= len(c.b) && c.b[c.at-1] == '"'
}
