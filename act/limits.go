package act

import (
	"context"
	"strings"
	"sync"
)

// limits bounds actions at once on systems and parts of them.
type limits struct {
	most  map[string]int
	mu    sync.Mutex
	slots map[string]chan struct{}
}

func newLimits(most map[string]int) *limits {
	return &limits{most: most, slots: map[string]chan struct{}{}}
}

// parts reports whether there are limits on parts of the system.
func (l *limits) parts(system string) bool {
	for key := range l.most {
		if strings.HasPrefix(key, system+"/") {
			return true
		}
	}
	return false
}

// acquire waits for a slot on each key that has a limit. The keys must come
// in the same order from everybody.
func (l *limits) acquire(ctx context.Context, keys []string) (release func(), err error) {
	var held []chan struct{}
	release = func() {
		for _, s := range held {
			<-s
		}
	}
	for _, key := range keys {
		s := l.slot(key)
		if s == nil {
			continue
		}
		select {
		case s <- struct{}{}:
			held = append(held, s)
		case <-ctx.Done():
			release()
			return nil, context.Cause(ctx)
		}
	}
	return release, nil
}

func (l *limits) slot(key string) chan struct{} {
	n := l.most[key]
	if n <= 0 {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.slots[key] == nil {
		l.slots[key] = make(chan struct{}, n)
	}
	return l.slots[key]
}
