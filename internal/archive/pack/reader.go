package pack

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/klauspost/compress/zlib"

	"github.com/stdevel/katprep/internal/archive/object"
)

// maxChain bounds a chain of deltas; Git makes 50 by default, and 4095 at
// most.
const maxChain = 4096

// A reader reads the objects of one pack file by their offset.
type reader struct {
	file  io.ReaderAt
	cache *cache // may be nil
	// other finds the base of a delta that names it by hash.
	other func(ctx context.Context, h object.Hash) (object.Kind, []byte, error)
}

type step struct {
	offset uint64
	data   []byte
}

// at returns the object at an offset, its deltas resolved.
func (r *reader) at(ctx context.Context, offset uint64) (object.Kind, []byte, error) {
	var chain []step
	for range maxChain {
		if kind, data, ok := r.cache.get(r, offset); ok {
			return r.resolve(kind, data, chain)
		}
		if err := ctx.Err(); err != nil {
			return 0, nil, err
		}
		e, err := r.entry(offset, nil)
		if err != nil {
			return 0, nil, err
		}
		switch e.kind {
		case ofsDelta:
			chain = append(chain, step{offset, e.data})
			offset = e.base
		case refDelta:
			chain = append(chain, step{offset, e.data})
			if r.other == nil {
				return 0, nil, errors.New("delta of an object outside the pack")
			}
			kind, data, err := r.other(ctx, e.ref)
			if err != nil {
				return 0, nil, fmt.Errorf("base %s: %w", e.ref, err)
			}
			return r.resolve(kind, data, chain)
		default:
			if len(chain) > 0 {
				r.cache.put(r, offset, object.Kind(e.kind), e.data)
			}
			return r.resolve(object.Kind(e.kind), e.data, chain)
		}
	}
	return 0, nil, errors.New("chain of deltas without end")
}

// scratch are the buffers for what is only a step on the way.
type scratch [2][]byte

var scratches = sync.Pool{New: func() any { return new(scratch) }}

// resolve applies a chain of deltas, the last one first.
func (r *reader) resolve(kind object.Kind, data []byte, chain []step) (object.Kind, []byte, error) {
	if len(chain) == 0 {
		return kind, data, nil
	}
	tmp := scratches.Get().(*scratch)
	defer scratches.Put(tmp)
	for i := len(chain) - 1; i > 0; i-- {
		out, err := applyDelta(tmp[i%2], data, chain[i].data)
		if err != nil {
			return 0, nil, err
		}
		tmp[i%2], data = out, out
	}
	data, err := applyDelta(nil, data, chain[0].data)
	if err != nil {
		return 0, nil, err
	}
	if len(chain) > 1 {
		r.cache.put(r, chain[0].offset, kind, data) // the next older version is made of it
	}
	return kind, data, nil
}

// A packed is one entry of a pack as it is there.
type packed struct {
	kind byte
	data []byte
	base uint64      // of ofsDelta
	ref  object.Hash // of refDelta
}

// An inflater is reused: making one costs more than a small object.
type inflater struct {
	buf *bufio.Reader
	z   io.ReadCloser
}

var inflaters = sync.Pool{New: func() any { return &inflater{buf: bufio.NewReaderSize(nil, 1<<13)} }}

// entry reads the entry at an offset, into an empty buffer that it asks for
// if there is anybody to ask.
func (r *reader) entry(offset uint64, buffer func(size int) []byte) (p packed, err error) {
	in := inflaters.Get().(*inflater)
	defer inflaters.Put(in)
	in.buf.Reset(io.NewSectionReader(r.file, int64(offset), 1<<62-int64(offset)))
	kind, size, err := readHead(in.buf)
	if err != nil {
		return p, fmt.Errorf("entry at %d: %w", offset, err)
	}
	p.kind = kind
	switch kind {
	case ofsDelta:
		back, err := readOffset(in.buf)
		if err != nil || back == 0 || back > offset {
			return p, fmt.Errorf("entry at %d: base out of range", offset)
		}
		p.base = offset - back
	case refDelta:
		if _, err := io.ReadFull(in.buf, p.ref[:]); err != nil {
			return p, err
		}
	case byte(object.CommitKind), byte(object.TreeKind), byte(object.BlobKind), byte(object.TagKind):
	default:
		return p, fmt.Errorf("entry at %d: unknown kind %d", offset, kind)
	}
	if buffer == nil {
		p.data = make([]byte, size)
	} else {
		p.data = buffer(int(size))[:size]
	}
	if err = in.inflate(p.data); err != nil {
		return p, fmt.Errorf("entry at %d: %w", offset, err)
	}
	return p, nil
}

// inflate reads data, which is all that there must be, and the checksum that
// follows it.
func (in *inflater) inflate(data []byte) error {
	var err error
	if in.z == nil {
		in.z, err = zlib.NewReader(in.buf)
	} else {
		err = in.z.(zlib.Resetter).Reset(in.buf, nil)
	}
	if err != nil {
		in.z = nil
		return err
	}
	if _, err := io.ReadFull(in.z, data); err != nil {
		return noEOF(err)
	}
	var more [1]byte
	switch n, err := in.z.Read(more[:]); {
	case n != 0:
		return errors.New("longer than it says")
	case err != io.EOF:
		return noEOF(err)
	}
	return nil
}

func noEOF(err error) error {
	if err == io.EOF || err == nil {
		return io.ErrUnexpectedEOF
	}
	return err
}

func readHead(b io.ByteReader) (kind byte, size uint64, err error) {
	c, err := b.ReadByte()
	if err != nil {
		return 0, 0, noEOF(err)
	}
	kind, size = c>>4&7, uint64(c&0xf)
	for shift := 4; c&0x80 != 0; shift += 7 {
		if c, err = b.ReadByte(); err != nil {
			return 0, 0, noEOF(err)
		}
		if size |= uint64(c&0x7f) << shift; shift > 28 || size > maxObject {
			return 0, 0, errors.New("length out of range")
		}
	}
	return kind, size, nil
}

func readOffset(b io.ByteReader) (uint64, error) {
	c, err := b.ReadByte()
	if err != nil {
		return 0, err
	}
	n := uint64(c & 0x7f)
	for c&0x80 != 0 {
		if c, err = b.ReadByte(); err != nil {
			return 0, err
		}
		if n = (n+1)<<7 | uint64(c&0x7f); n > 1<<56 {
			return 0, errors.New("offset out of range")
		}
	}
	return n, nil
}

// index is a pack index (version 2) in memory.
type index struct {
	raw   []byte
	count int
}

var errIndex = errors.New("malformed pack index")

const indexHead = 8 + 256*4

func parseIndex(raw []byte) (*index, error) {
	if len(raw) < indexHead+2*object.Size || string(raw[:8]) != "\xfftOc\x00\x00\x00\x02" {
		return nil, fmt.Errorf("%w (or of version 1: run git index-pack)", errIndex)
	}
	x := &index{raw: raw}
	x.count = int(x.fan(255))
	if x.count < 0 || indexHead+x.count*(object.Size+8)+2*object.Size > len(raw) {
		return nil, errIndex
	}
	for i := range 255 {
		if x.fan(i) > x.fan(i+1) {
			return nil, errIndex
		}
	}
	return x, nil
}

func (x *index) fan(i int) uint32 { return binary.BigEndian.Uint32(x.raw[8+4*i:]) }

func (x *index) hash(i int) (h object.Hash) {
	copy(h[:], x.raw[indexHead+i*object.Size:])
	return h
}

// offset returns where the i-th object is; ok is false if the index is
// damaged there.
func (x *index) offset(i int) (uint64, bool) {
	o := binary.BigEndian.Uint32(x.raw[indexHead+x.count*(object.Size+4)+4*i:])
	if o < 1<<31 {
		return uint64(o), true
	}
	at := indexHead + x.count*(object.Size+8) + 8*int(o&^(1<<31))
	if at+8 > len(x.raw)-2*object.Size {
		return 0, false
	}
	far := binary.BigEndian.Uint64(x.raw[at:])
	return far, far < 1<<62
}

// find returns the number of the first object whose hash is h or follows it.
func (x *index) find(h object.Hash) (i int, ok bool) {
	lo, hi := 0, int(x.fan(int(h[0])))
	if h[0] > 0 {
		lo = int(x.fan(int(h[0]) - 1))
	}
	for lo < hi {
		mid := int(uint(lo+hi) / 2)
		switch c := compareAt(x.raw[indexHead+mid*object.Size:], h); {
		case c == 0:
			return mid, true
		case c < 0:
			lo = mid + 1
		default:
			hi = mid
		}
	}
	return lo, false
}

func compareAt(raw []byte, h object.Hash) int {
	for i := range h {
		if raw[i] != h[i] {
			return int(raw[i]) - int(h[i])
		}
	}
	return 0
}
