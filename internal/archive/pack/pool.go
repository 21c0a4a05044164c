package pack

import "sync"

// A basePool holds the texts of one pack that others may be deltas of: the
// ones that were not like any other so far.
type basePool struct {
	mu    sync.Mutex
	bases []*base // oldest first
	bytes int
}

const (
	poolSize   = 48      // bases at once
	poolBytes  = 8 << 20 // of text
	likeEnough = 0.4
)

func newBasePool() *basePool { return &basePool{} }

// pick returns the base that is most like the text, or nil if none is like
// it. Only objects before seq can be bases, for they come first in the file.
func (p *basePool) pick(text []byte, seq int) *base {
	p.mu.Lock()
	candidates := append([]*base(nil), p.bases...)
	p.mu.Unlock()
	s := sample(text)
	var best *base
	like := likeEnough
	for _, b := range candidates {
		if b.seq >= seq {
			continue
		}
		b.ready()
		if l := b.likeness(s); l > like || l == like && best == nil {
			best, like = b, l
			if l > 0.97 {
				break
			}
		}
	}
	return best
}

func (p *basePool) add(b *base) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.bases = append(p.bases, b)
	p.bytes += len(b.text)
	for len(p.bases) > poolSize || p.bytes > poolBytes && len(p.bases) > 1 {
		p.bytes -= len(p.bases[0].text)
		p.bases = p.bases[1:]
	}
}
