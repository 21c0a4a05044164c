package pack

import (
	"cmp"
	"context"
	"errors"
	"io"
	"math"
	"runtime"
	"slices"
	"sync"

	"github.com/stdevel/katprep/internal/archive/object"
)

// Each reads n objects, each once, on several cores, and calls got for every
// one of them: with its number, from several goroutines at once, in any order.
// name gives the names of their numbers. The data is got's only until it returns. What is wrong
// with an object is in its error; Each itself only fails with the context.
//
// Objects that are deltas are made as Git's index-pack makes them: from the
// whole ones on, so that no base is made twice, however long the chains are
// and however far apart they lie.
func (s *Store) Each(ctx context.Context, n int, name func(i int) object.Hash, got func(worker, i int, kind object.Kind, data []byte, err error)) error {
	e := &each{ctx: ctx, s: s, name: name, got: got, workers: Workers()}
	e.cond.L = &e.mu
	s.cache.clear() // the memory is needed
	wanted := e.find(n)
	for len(wanted) > 0 && ctx.Err() == nil {
		n := 0 // packs are small or many: take several at once
		for n < len(wanted) && (n < forest || wanted[n].pack == wanted[n-1].pack) {
			n++
		}
		e.plant(wanted[:n])
		e.run()
		wanted = wanted[n:]
	}
	return ctx.Err()
}

// forest is how many objects at least are taken at once.
const forest = 1 << 14

// Workers returns how many goroutines Each uses: worker counts from 0.
func Workers() int { return max(1, min(8, runtime.GOMAXPROCS(0))) }

type each struct {
	ctx     context.Context
	s       *Store
	name    func(i int) object.Hash
	got     func(worker, i int, kind object.Kind, data []byte, err error)
	workers int
	packs   []*packFile

	nodes []node

	mu    sync.Mutex
	cond  sync.Cond
	tasks []task
	busy  int
	free  [][]byte
}

// A want is a wanted object that is in a pack.
type want struct {
	offset uint64
	pack   int32 // in each.packs
	i      int32 // number of the object
}

// A node is an entry of a pack in the tree of what is made of what.
type node struct {
	offset      uint64
	pack        int32
	i           int32 // number of the object; -1: only a base
	child, next int32 // first child, next sibling; 0: none, for no root is one's child
}

// A task is a node whose base is there.
type task struct {
	node int32
	base *shared // nil: a root
}

// shared is a base that is given back when all that are made of it are.
type shared struct {
	kind object.Kind
	data []byte
	ours bool // nobody else has data
	left int
}

// find says where the objects are, in the order of the packs. Those that are
// in no pack it reads.
func (e *each) find(n int) []want {
	number := map[*packFile]int32{}
	out := make([]want, 0, n)
	for i := range n {
		p, offset, err := e.s.locate(e.name(i))
		if err != nil {
			e.alone(0, i)
			continue
		}
		at, ok := number[p]
		if !ok {
			at = int32(len(e.packs))
			number[p] = at
			e.packs = append(e.packs, p)
		}
		out = append(out, want{offset, at, int32(i)})
	}
	slices.SortFunc(out, func(a, b want) int {
		return cmp.Or(cmp.Compare(a.pack, b.pack), cmp.Compare(a.offset, b.offset), cmp.Compare(a.i, b.i))
	})
	return out
}

// alone reads an object by itself: it has no pack, or something is wrong.
func (e *each) alone(worker, i int) {
	if e.ctx.Err() != nil {
		return
	}
	kind, data, err := e.s.Read(e.ctx, e.name(i))
	e.got(worker, i, kind, data, err)
}

// plant makes the trees of some objects, and tasks of their roots.
func (e *each) plant(wanted []want) {
	e.nodes = append(e.nodes[:0], node{}) // 0 means none
	for len(wanted) > 0 {
		n := 1
		for n < len(wanted) && wanted[n].pack == wanted[0].pack {
			n++
		}
		e.tree(wanted[:n])
		wanted = wanted[n:]
	}
	slices.Reverse(e.tasks) // they are taken from the end
}

// tree adds the trees of one pack. Bases that are not wanted are added too.
func (e *each) tree(wanted []want) {
	first := int32(len(e.nodes))
	p := e.packs[wanted[0].pack]
	for k, w := range wanted {
		if k > 0 && w.offset == wanted[k-1].offset {
			e.alone(0, int(w.i)) // the same object twice
			continue
		}
		e.nodes = append(e.nodes, node{offset: w.offset, pack: w.pack, i: w.i})
	}
	sorted := e.nodes[first:len(e.nodes):len(e.nodes)]
	extra := map[uint64]int32{}
	heads := headReader{file: p}
	for k := first; int(k) < len(e.nodes); k++ { // it grows meanwhile
		base, isDelta, err := heads.base(e.nodes[k].offset)
		if err != nil || !isDelta {
			e.tasks = append(e.tasks, task{node: k}) // an error shows when it is read
			continue
		}
		at, ok := extra[base]
		if j, found := slices.BinarySearchFunc(sorted, base, func(n node, o uint64) int { return cmp.Compare(n.offset, o) }); found {
			at, ok = first+int32(j), true
		}
		if !ok {
			at = int32(len(e.nodes))
			extra[base] = at
			e.nodes = append(e.nodes, node{offset: base, pack: e.nodes[k].pack, i: -1})
		}
		e.nodes[k].next = e.nodes[at].child
		e.nodes[at].child = k
	}
}

// run does the tasks, and those that follow from them.
func (e *each) run() {
	var wg sync.WaitGroup
	for worker := range e.workers {
		wg.Go(func() {
			for {
				t, ok := e.take()
				if !ok {
					return
				}
				e.do(worker, t)
				e.mu.Lock()
				e.busy--
				e.cond.Broadcast()
				e.mu.Unlock()
			}
		})
	}
	wg.Wait()
}

// take waits for a task; ok is false if there will be none.
func (e *each) take() (t task, ok bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for len(e.tasks) == 0 && e.busy > 0 {
		e.cond.Wait()
	}
	if len(e.tasks) == 0 {
		return t, false
	}
	t = e.tasks[len(e.tasks)-1]
	e.tasks = e.tasks[:len(e.tasks)-1]
	e.busy++
	return t, true
}

// do makes one object, hands it out, and makes tasks of what needs it.
func (e *each) do(worker int, t task) {
	n := &e.nodes[t.node]
	made, err := e.make(n, t.base)
	if err != nil || e.ctx.Err() != nil {
		e.broken(worker, t.node)
		return
	}
	if n.i >= 0 {
		if object.Sum(made.kind, made.data) != e.name(int(n.i)) {
			e.alone(worker, int(n.i)) // it says what is wrong
		} else {
			e.got(worker, int(n.i), made.kind, made.data, nil)
		}
	}
	for c := n.child; c != 0; c = e.nodes[c].next {
		made.left++
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	for c := n.child; c != 0; c = e.nodes[c].next {
		e.tasks = append(e.tasks, task{node: c, base: &made})
	}
	e.recycle(&made)
}

// broken reads a node that could not be made, and all that needs it, one by
// one: perhaps the pack is gone because somebody repacked.
func (e *each) broken(worker int, at int32) {
	n := e.nodes[at]
	if n.i >= 0 {
		e.alone(worker, int(n.i))
	}
	for c := n.child; c != 0 && e.ctx.Err() == nil; c = e.nodes[c].next {
		e.broken(worker, c)
	}
}

// make reads a node and applies it to its base.
func (e *each) make(n *node, base *shared) (made shared, err error) {
	p := e.packs[n.pack]
	entry, err := p.entry(n.offset, e.buffer)
	if base == nil {
		if err == nil && (entry.kind == ofsDelta || entry.kind == refDelta) { // of another pack, or damaged
			made.kind, made.data, err = p.at(e.ctx, n.offset)
			return made, err
		}
		return shared{kind: object.Kind(entry.kind), data: entry.data, ours: true}, err
	}
	if err == nil && entry.kind != ofsDelta {
		err = errors.New("it was another object a moment ago")
	}
	if err == nil {
		_, size, _, _ := deltaSizes(entry.data)
		made = shared{kind: base.kind, ours: true}
		made.data, err = applyDelta(e.buffer(int(size)), base.data, entry.data)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	base.left--
	e.recycle(base)
	e.recycle(&shared{data: entry.data, ours: true})
	return made, err
}

const maxFree = 64 // buffers

// recycle keeps the buffer of what nobody needs any more. The caller holds
// the lock.
func (e *each) recycle(s *shared) {
	if s.left == 0 && s.ours && len(e.free) < maxFree && cap(s.data) >= 1<<10 && cap(s.data) <= 1<<20 {
		e.free = append(e.free, s.data)
	}
}

// buffer returns an empty buffer with room for size bytes.
func (e *each) buffer(size int) []byte {
	e.mu.Lock()
	defer e.mu.Unlock()
	for k := len(e.free) - 1; k >= 0; k-- {
		if b := e.free[k]; cap(b) >= size && cap(b)/8 <= size+1<<10 {
			e.free[k] = e.free[len(e.free)-1]
			e.free = e.free[:len(e.free)-1]
			return b[:0]
		}
	}
	return make([]byte, 0, size+size/8)
}

// A headReader reads the heads of entries whose offsets rise, mostly.
type headReader struct {
	file io.ReaderAt
	buf  []byte
	from uint64 // offset of buf
}

// base returns where the base of the entry at an offset is, if it is a delta
// that says so by distance.
func (r *headReader) base(offset uint64) (base uint64, isDelta bool, err error) {
	const most = 32 // bytes of a head
	if offset < r.from || offset-r.from+most > uint64(len(r.buf)) {
		if offset > math.MaxInt64 {
			return 0, false, errIndex
		}
		r.buf = slices.Grow(r.buf[:0], 1<<16)[:1<<16]
		n, err := r.file.ReadAt(r.buf, int64(offset))
		if err != nil && err != io.EOF {
			return 0, false, err
		}
		r.buf, r.from = r.buf[:n], offset
	}
	b := byteReader{r.buf[offset-r.from:]}
	kind, _, err := readHead(&b)
	if err != nil || kind != ofsDelta {
		return 0, false, err
	}
	back, err := readOffset(&b)
	if err != nil || back == 0 || back > offset {
		return 0, false, errIndex
	}
	return offset - back, true, nil
}

type byteReader struct{ b []byte }

func (r *byteReader) ReadByte() (byte, error) {
	if len(r.b) == 0 {
		return 0, io.EOF
	}
	c := r.b[0]
	r.b = r.b[1:]
	return c, nil
}
