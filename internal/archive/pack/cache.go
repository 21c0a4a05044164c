package pack

import (
	"container/list"
	"sync"

	"github.com/stdevel/katprep/internal/archive/object"
)

// A cache keeps the bases of deltas, the most recently used ones up to a
// number of bytes.
type cache struct {
	mu    sync.Mutex
	limit int
	bytes int
	order *list.List // of *cached, the most recently used first
	at    map[cacheKey]*list.Element
}

type cacheKey struct {
	pack   *reader
	offset uint64
}

type cached struct {
	key  cacheKey
	kind object.Kind
	data []byte
}

func newCache(limit int) *cache {
	return &cache{limit: limit, order: list.New(), at: map[cacheKey]*list.Element{}}
}

func (c *cache) get(r *reader, offset uint64) (object.Kind, []byte, bool) {
	if c == nil {
		return 0, nil, false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.at[cacheKey{r, offset}]
	if !ok {
		return 0, nil, false
	}
	c.order.MoveToFront(e)
	v := e.Value.(*cached)
	return v.kind, v.data, true
}

func (c *cache) put(r *reader, offset uint64, kind object.Kind, data []byte) {
	if c == nil || len(data) > c.limit/4 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	key := cacheKey{r, offset}
	if _, ok := c.at[key]; ok {
		return
	}
	c.at[key] = c.order.PushFront(&cached{key, kind, data})
	c.bytes += len(data)
	for c.bytes > c.limit {
		last := c.order.Back()
		v := c.order.Remove(last).(*cached)
		delete(c.at, v.key)
		c.bytes -= len(v.data)
	}
}

// clear forgets everything.
func (c *cache) clear() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.order.Init()
	clear(c.at)
	c.bytes = 0
}
