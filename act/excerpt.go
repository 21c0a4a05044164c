package act

import (
	"fmt"
	"strings"
	"sync"
)

// ExcerptMax is how many bytes of each end of an output are kept unless
// somebody says otherwise.
const ExcerptMax = 64 << 10

// An Excerpt keeps the first and the last bytes of what is written to it,
// however much that is. It may be written from any goroutine.
type Excerpt struct {
	max   int
	mu    sync.Mutex
	head  []byte
	tail  []byte // a ring, once it is full
	next  int
	total int64
}

// NewExcerpt returns an Excerpt that keeps max bytes of each end; max <= 0 is
// ExcerptMax.
func NewExcerpt(max int) *Excerpt {
	if max <= 0 {
		max = ExcerptMax
	}
	return &Excerpt{max: max}
}

// Write never fails.
func (e *Excerpt) Write(p []byte) (int, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	n := len(p)
	e.total += int64(n)
	if room := e.max - len(e.head); room > 0 {
		k := min(room, len(p))
		e.head = append(e.head, p[:k]...)
		p = p[k:]
	}
	if len(p) > e.max {
		p = p[len(p)-e.max:]
	}
	e.ring(p)
	return n, nil
}

func (e *Excerpt) ring(p []byte) {
	if room := e.max - len(e.tail); room > 0 {
		k := min(room, len(p))
		e.tail = append(e.tail, p[:k]...)
		p = p[k:]
	}
	for len(p) > 0 {
		k := copy(e.tail[e.next:], p)
		e.next = (e.next + k) % e.max
		p = p[k:]
	}
}

// Total is how many bytes were written.
func (e *Excerpt) Total() int64 {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.total
}

// String returns what was kept as valid UTF-8, and says how much is missing.
func (e *Excerpt) String() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	s := string(e.head)
	if missing := e.total - int64(len(e.head)+len(e.tail)); missing > 0 {
		s += fmt.Sprintf("\n[… %d bytes left out …]\n", missing)
	}
	s += string(e.tail[e.next:]) + string(e.tail[:e.next])
	return strings.ToValidUTF8(s, "�")
}
