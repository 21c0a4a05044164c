// Package pack writes and reads Git's object store: one streamed pack for
// each writer, and readers for packs and loose objects.
//
// A Writer keeps nothing but hashes and offsets, so that its memory does not
// grow with what it writes. A Store reads what any Git program wrote.
package pack

import (
	"bufio"
	"context"
	"crypto/sha1"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"os"
	"path/filepath"
	"runtime"
	"sync"

	"github.com/klauspost/compress/zlib"

	"github.com/stdevel/katprep/internal/archive/object"
)

const (
	ofsDelta = 6
	refDelta = 7
	// Levels of compression: with 5 the size stops falling fast.
	quick, tight = 5, 9
	// maxObject bounds what a damaged length can make us allocate.
	maxObject = 1 << 28
)

// ErrClosed means that the Writer was finished or aborted.
var ErrClosed = errors.New("pack is closed")

// A Writer writes one pack, in the order of its Add calls. Add and Finish
// are for one goroutine; compression happens in others.
type Writer struct {
	repo    string // the repository's folder
	job     Job
	file    *os.File
	buf     *bufio.Writer
	sum     hash.Hash
	offset  uint64
	entries []entry
	index   map[object.Hash]int // into entries

	jobs  chan *job
	order chan *job
	quit  chan struct{}
	wg    sync.WaitGroup
	pool  *basePool
	free  sync.Pool   // of *job
	spare chan []byte // buffers of texts that are in the file; a sync.Pool would lose them at every garbage collection
	seq   int

	mu     sync.Mutex
	err    error
	closed bool
}

type entry struct {
	hash   object.Hash
	crc    uint32
	offset uint64
	seq    int
}

// A job is an object on its way into the pack.
type job struct {
	kind    object.Kind
	data    []byte
	fill    func([]byte) []byte // makes data
	seq     int
	delta   bool              // may be written as a delta
	skip    object.Hash       // nothing is written if the object has this hash
	put     func(object.Hash) // called in order by the writing goroutine
	hash    object.Hash
	before  *base       // the version that this is probably like
	self    *base       // what others may be made of; nil: they may not
	base    *base       // what this was made of; nil: it is whole
	kept    bool        // data is a base of others now
	packed  bytesBuffer // header of the kind and length left out
	rawSize int
	done    chan struct{}
}

// NewWriter begins a pack in the repository at dir. It is invisible to
// readers until Finish.
func NewWriter(dir string) (*Writer, error) {
	return newWriter(dir, Snapshots, max(2, min(4, runtime.GOMAXPROCS(0))), quick)
}

// NewMaintainer is NewWriter for maintenance, which goes on beside a writer
// of snapshots.
func NewMaintainer(dir string) (*Writer, error) {
	return newWriter(dir, Maintenance, max(2, min(4, runtime.GOMAXPROCS(0))), tight)
}

// NewSteadyWriter is NewWriter for a pack whose bytes depend on nothing but
// what is added: it is slower, for it has one worker.
func NewSteadyWriter(dir string) (*Writer, error) { return newWriter(dir, Snapshots, 1, quick) }

func newWriter(dir string, forJob Job, workers, level int) (*Writer, error) {
	tmp := filepath.Join(dir, forJob.dir())
	if err := os.MkdirAll(tmp, 0o755); err != nil {
		return nil, err
	}
	f, err := os.CreateTemp(tmp, "pack-*")
	if err != nil {
		return nil, err
	}
	w := &Writer{
		repo: dir, job: forJob, file: f, sum: sha1.New(), index: map[object.Hash]int{},
		jobs: make(chan *job, workers), order: make(chan *job, 4*workers),
		quit: make(chan struct{}), pool: newBasePool(), spare: make(chan []byte, 5*workers),
	}
	w.buf = bufio.NewWriterSize(f, 1<<16)
	// The count of objects is not known yet; Finish puts it right and sums
	// the file up then.
	if err := w.write([]byte("PACK\x00\x00\x00\x02\x00\x00\x00\x00")); err != nil {
		w.discard()
		return nil, err
	}
	for range workers {
		w.wg.Go(func() { w.compress(level) })
	}
	w.wg.Go(w.drain)
	return w, nil
}

// TempDir is where packs are written before they become part of the
// repository, relative to it. It is a folder of our own, because Git's
// housekeeping deletes what it does not know in its own.
const TempDir = "katprep/tmp"

// Add writes an object unless its hash is skip or it is in this pack
// already. put is called with its hash, for one Add after the other, from
// another goroutine and not later than Flush or Finish return. Add keeps
// data: the caller must not use it afterwards.
func (w *Writer) Add(ctx context.Context, k object.Kind, data []byte, skip object.Hash, put func(object.Hash)) error {
	j := w.newJob(k, skip, put)
	j.data = data
	return w.send(ctx, j)
}

// A Link is an object of this pack that a later one may be made of.
type Link struct {
	b     *base
	depth int // of the chain of deltas, at most
}

// maxDepth bounds chains: the older a version, the longer it takes to make.
// With the base that the first of a chain may have, it is 50 as in Git.
const maxDepth = 49

// AddAfter is Add for a version of what another one, added before, is a
// version of: it is made of that one if they are alike. A nil Link means that
// there is none. It returns the Link for the next version.
func (w *Writer) AddAfter(ctx context.Context, k object.Kind, data []byte, before *Link) (*Link, error) {
	j := w.newJob(k, object.Hash{}, nil)
	j.data = data
	link := &Link{b: newBase(data, w.seq)}
	link.b.tree = k == object.TreeKind
	j.self = link.b
	if before != nil && before.depth < maxDepth && before.b.tree == link.b.tree {
		j.before, link.depth = before.b, before.depth+1
	}
	return link, w.send(ctx, j)
}

// AddFunc is Add for data that fill makes, in another goroutine: it appends
// to an empty buffer, and nothing that it reads may change until Flush.
func (w *Writer) AddFunc(ctx context.Context, k object.Kind, fill func([]byte) []byte, skip object.Hash, put func(object.Hash)) error {
	j := w.newJob(k, skip, put)
	j.fill = fill
	return w.send(ctx, j)
}

func (w *Writer) newJob(k object.Kind, skip object.Hash, put func(object.Hash)) *job {
	j, _ := w.free.Get().(*job)
	if j == nil {
		j = &job{}
	}
	*j = job{kind: k, skip: skip, put: put, packed: j.packed[:0], done: make(chan struct{})}
	return j
}

// send gives a job to the workers, and to drain in the order of the calls.
func (w *Writer) send(ctx context.Context, j *job) error {
	if w.closed {
		return ErrClosed
	}
	if err := w.failed(); err != nil {
		return err
	}
	j.seq = w.seq
	select {
	case w.order <- j:
		w.seq++
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case w.jobs <- j:
		return nil
	case <-ctx.Done():
		w.fail(ctx.Err())
		close(j.done) // drain must not wait for it
		return ctx.Err()
	}
}

// AddNow writes an object and waits for it.
func (w *Writer) AddNow(ctx context.Context, k object.Kind, data []byte, skip object.Hash) (h object.Hash, err error) {
	if err := w.Add(ctx, k, data, skip, func(got object.Hash) { h = got }); err != nil {
		return h, err
	}
	return h, w.Flush(ctx)
}

// Flush waits until everything added is in the file.
func (w *Writer) Flush(ctx context.Context) error {
	if w.closed {
		return ErrClosed
	}
	barrier := &job{done: make(chan struct{}), seq: -1}
	reached := make(chan struct{})
	barrier.put = func(object.Hash) { close(reached) }
	close(barrier.done)
	select {
	case w.order <- barrier:
	case <-ctx.Done():
		return ctx.Err()
	}
	<-reached
	return w.failed()
}

// compress is the body of the workers.
func (w *Writer) compress(level int) {
	z, _ := zlib.NewWriterLevel(nil, level) // the level is valid
	var d []byte
	for j := range w.jobs {
		d = w.prepare(j, z, d[:0])
		close(j.done)
	}
}

// prepare hashes and compresses a job's object; d is a buffer to be used
// again.
func (w *Writer) prepare(j *job, z *zlib.Writer, d []byte) []byte {
	if j.fill != nil {
		var b []byte
		select {
		case b = <-w.spare:
		default:
		}
		j.data = j.fill(b[:0])
	}
	j.delta = (j.kind == object.BlobKind || j.before != nil) && len(j.data) >= 512 && len(j.data) < maxBase
	j.hash = object.Sum(j.kind, j.data)
	if j.hash == j.skip {
		return d
	}
	raw := j.data
	if j.delta {
		if d = w.deltaOf(j, d); j.base != nil {
			raw = d
		}
	}
	j.rawSize = len(raw)
	z.Reset(&j.packed)
	_, err := z.Write(raw)
	if err = errors.Join(err, z.Close()); err != nil {
		w.fail(err)
	}
	return d
}

// deltaOf makes a delta if there is something that the object is like;
// otherwise others may be like it.
func (w *Writer) deltaOf(j *job, d []byte) []byte {
	if b := j.before; b != nil {
		if d = b.delta(d[:0], j.data); len(d) < len(j.data)/2 {
			j.base = b
			return d
		}
	}
	if j.kind != object.BlobKind {
		return d
	}
	if b := w.pool.pick(j.data, j.seq); b != nil {
		if d = b.delta(d[:0], j.data); len(d) < len(j.data)/2 {
			j.base = b
			return d
		}
	}
	if j.self == nil {
		j.self = newBase(j.data, j.seq)
	}
	w.pool.add(j.self)
	j.kept = true
	return d
}

// drain writes the jobs in their order.
func (w *Writer) drain() {
	for j := range w.order {
		<-j.done
		if j.seq >= 0 && w.failed() == nil {
			if err := w.store(j); err != nil {
				w.fail(err)
			}
		}
		if j.put != nil {
			j.put(j.hash)
		}
		if j.seq >= 0 {
			if j.fill != nil && !j.kept {
				select {
				case w.spare <- j.data:
				default:
				}
			}
			w.free.Put(&job{packed: j.packed})
		}
	}
}

func (w *Writer) store(j *job) error {
	if j.hash == j.skip {
		return nil
	}
	if i, ok := w.index[j.hash]; ok {
		if j.self != nil {
			j.self.offset = w.entries[i].offset // the same text serves as base
		}
		return nil
	}
	var head [32]byte
	var h []byte
	if j.base != nil {
		from := j.base.offset
		if from == 0 {
			return fmt.Errorf("base of object %s is missing", j.hash)
		}
		h = appendOffset(appendHead(head[:0], ofsDelta, j.rawSize), w.offset-from)
	} else {
		h = appendHead(head[:0], byte(j.kind), j.rawSize)
	}
	if j.self != nil {
		j.self.offset = w.offset
	}
	crc := crc32.Update(crc32.ChecksumIEEE(h), crc32.IEEETable, j.packed)
	w.mu.Lock()
	w.index[j.hash] = len(w.entries)
	w.entries = append(w.entries, entry{hash: j.hash, crc: crc, offset: w.offset, seq: j.seq})
	w.mu.Unlock()
	if err := w.write(h); err != nil {
		return err
	}
	return w.write(j.packed)
}

func (w *Writer) write(b []byte) error {
	w.offset += uint64(len(b))
	_, err := w.buf.Write(b)
	return err
}

func appendHead(b []byte, kind byte, size int) []byte {
	c := kind<<4 | byte(size&0xf)
	for size >>= 4; size > 0; size >>= 7 {
		b = append(b, c|0x80)
		c = byte(size & 0x7f)
	}
	return append(b, c)
}

// appendOffset writes the distance to a base in Git's own base-128 way.
func appendOffset(b []byte, n uint64) []byte {
	var rev [10]byte
	i := len(rev) - 1
	rev[i] = byte(n & 0x7f)
	for n >>= 7; n > 0; n >>= 7 {
		n--
		i--
		rev[i] = byte(n&0x7f) | 0x80
	}
	return append(b, rev[i:]...)
}

func (w *Writer) fail(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err == nil {
		w.err = err
	}
}

func (w *Writer) failed() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.err
}

// Read returns an object of this pack that was added and flushed; found is
// false if the pack does not hold it.
func (w *Writer) Read(ctx context.Context, h object.Hash) (data []byte, found bool, err error) {
	if err := w.Flush(ctx); err != nil {
		return nil, false, err
	}
	w.mu.Lock()
	i, ok := w.index[h]
	w.mu.Unlock()
	if !ok {
		return nil, false, nil
	}
	if err := w.buf.Flush(); err != nil {
		return nil, false, err
	}
	r := reader{file: w.file}
	_, data, err = r.at(ctx, w.entries[i].offset)
	return data, err == nil, err
}

// Count returns how many objects the pack holds.
func (w *Writer) Count() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.entries)
}

// stop ends the goroutines; everything added is then in the buffer.
func (w *Writer) stop() {
	if w.closed {
		return
	}
	w.closed = true
	close(w.jobs)
	close(w.order)
	w.wg.Wait()
}

// Abort gives the pack up. It may be called any time, also after Finish.
func (w *Writer) Abort() error {
	if w.closed {
		return nil
	}
	w.stop()
	return w.discard()
}

func (w *Writer) discard() error {
	return errors.Join(w.file.Close(), os.Remove(w.file.Name()))
}

// Finish makes the pack part of the repository: complete, synced, and kept
// from Git's housekeeping until Release of what it returns. A pack without
// objects leaves nothing behind.
func (w *Writer) Finish(ctx context.Context) (*Pack, error) {
	if err := w.Flush(ctx); err != nil {
		return nil, err
	}
	w.stop()
	if len(w.entries) == 0 {
		return &Pack{}, w.discard()
	}
	p, err := w.install()
	if err != nil {
		os.Remove(w.file.Name())
		return nil, err
	}
	return p, nil
}

func (w *Writer) install() (*Pack, error) {
	sum, err := w.seal()
	if err != nil {
		return nil, errors.Join(err, w.file.Close())
	}
	if err := w.file.Close(); err != nil {
		return nil, err
	}
	idx := w.file.Name() + ".idx"
	if err := writeIndex(idx, w.entries, sum); err != nil {
		os.Remove(idx)
		return nil, err
	}
	dir := filepath.Join(w.repo, "objects", "pack")
	p := &Pack{base: filepath.Join(dir, "pack-"+sum.String()), job: w.job}
	if err := p.publish(w.file.Name(), idx); err != nil {
		os.Remove(idx)
		return nil, errors.Join(err, p.Release())
	}
	return p, nil
}

// seal writes the true count, sums the pack up and syncs it.
func (w *Writer) seal() (sum object.Hash, err error) {
	if err := w.buf.Flush(); err != nil {
		return sum, err
	}
	var count [4]byte
	binary.BigEndian.PutUint32(count[:], uint32(len(w.entries)))
	if _, err := w.file.WriteAt(count[:], 8); err != nil {
		return sum, err
	}
	if sum, err = sumFile(w.file); err != nil {
		return sum, err
	}
	if _, err := w.file.Write(sum[:]); err != nil {
		return sum, err
	}
	if err := w.file.Chmod(0o444); err != nil {
		return sum, err
	}
	return sum, w.file.Sync()
}
