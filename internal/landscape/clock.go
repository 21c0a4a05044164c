package landscape

import (
	"container/heap"
	"time"
)

// A clock is the landscape's time. It moves with real time times a speed, by
// ticks and by hand, and never back.
type clock struct {
	base  time.Time // landscape time at the moment real
	real  time.Time
	speed float64
	hurry float64
}

func newClock(o Options) clock {
	return clock{base: o.Start.UTC(), real: time.Now(), speed: o.Speed, hurry: o.Hurry}
}

// takes returns how long something lasts that usually takes d.
func (c *clock) takes(d time.Duration) time.Duration { return time.Duration(float64(d) / c.hurry) }

func (c *clock) now() time.Time {
	if c.speed == 0 {
		return c.base
	}
	return c.base.Add(time.Duration(float64(time.Since(c.real)) * c.speed))
}

func (c *clock) advance(d time.Duration) { c.base = c.base.Add(d) }

// Now returns the landscape's time.
func (s *Server) Now() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.clock.now()
}

// Advance lets time pass: what was due by then has happened when it returns.
func (s *Server) Advance(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.clock.advance(max(d, 0))
	s.settle()
}

// An event is something that happens at a time.
type event struct {
	at  time.Time
	seq int
	do  func(at time.Time)
}

// A queue is a heap of events to come.
type queue struct {
	list events
	seq  int
}

func (q *queue) add(at time.Time, do func(at time.Time)) {
	q.seq++
	heap.Push(&q.list, event{at, q.seq, do})
}

// pop takes the earliest event that is due.
func (q *queue) pop(now time.Time) (event, bool) {
	if len(q.list) == 0 || q.list[0].at.After(now) {
		return event{}, false
	}
	return heap.Pop(&q.list).(event), true
}

type events []event

func (e events) Len() int { return len(e) }
func (e events) Less(i, j int) bool {
	return e[i].at.Before(e[j].at) || e[i].at.Equal(e[j].at) && e[i].seq < e[j].seq
}
func (e events) Swap(i, j int) { e[i], e[j] = e[j], e[i] }
func (e *events) Push(x any)   { *e = append(*e, x.(event)) }
func (e *events) Pop() any {
	old := *e
	last := old[len(old)-1]
	*e = old[:len(old)-1]
	return last
}

// settle lets everything happen that is due.
func (s *Server) settle() {
	for now := s.clock.now(); ; {
		e, ok := s.events.pop(now)
		if !ok {
			return
		}
		e.do(e.at)
	}
}
