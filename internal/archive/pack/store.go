package pack

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/klauspost/compress/zlib"

	"github.com/stdevel/katprep/internal/archive/object"
)

// ErrNotFound means that no pack and no loose file holds an object.
var ErrNotFound = errors.New("object not found")

// ErrDamaged means that an object is there, but not what its name says.
var ErrDamaged = errors.New("object is damaged")

const (
	maxOpen    = 64       // pack files at once
	cacheBytes = 24 << 20 // of bases of deltas
)

// A Store reads the objects of a repository. It may be used by many
// goroutines, and beside programs that write, repack and collect garbage.
type Store struct {
	dir   string
	alone bool // it is one pack and nothing else
	cache *cache

	mu    sync.Mutex
	packs []*packFile // the newest first
	last  int         // the one that had the last wanted object
	known map[string]*packFile
	opens int // counts openings, for the age of an open file
}

// A packFile is one pack; its index is in memory once something was looked up
// in it, its file open if recently used.
type packFile struct {
	base string
	made time.Time
	x    *index // the store's lock guards it
	reader
	mu    sync.Mutex
	f     *os.File
	users int
	used  int
}

// Open returns the store of the repository at dir.
func Open(dir string) (*Store, error) {
	s := &Store{dir: dir, cache: newCache(cacheBytes), known: map[string]*packFile{}}
	return s, s.Refresh()
}

// Close closes the files of the store.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var errs []error
	for _, p := range s.packs {
		errs = append(errs, p.close())
	}
	s.packs, s.known = nil, map[string]*packFile{}
	return errors.Join(errs...)
}

// Refresh looks for packs that came or went.
func (s *Store) Refresh() error {
	if s.alone {
		return nil
	}
	names, err := packNames(s.dir)
	if err != nil {
		return err
	}
	there := make(map[string]bool, len(names))
	for _, name := range names {
		there[name] = true
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.packs = slices.DeleteFunc(s.packs, func(p *packFile) bool {
		if there[p.base] {
			return false
		}
		delete(s.known, p.base)
		p.close()
		return true
	})
	s.last = 0
	defer s.newestFirst()
	for _, name := range names {
		if s.known[name] != nil {
			continue
		}
		p, err := s.openPack(name)
		if errors.Is(err, fs.ErrNotExist) {
			continue // repacked in between: the new pack has its objects
		}
		if err != nil {
			return err
		}
		s.packs = append(s.packs, p)
		s.known[name] = p
	}
	return nil
}

// newestFirst orders the packs; the caller holds the lock.
func (s *Store) newestFirst() {
	slices.SortStableFunc(s.packs, func(a, b *packFile) int { return b.made.Compare(a.made) })
}

func (s *Store) openPack(base string) (*packFile, error) {
	st, err := os.Stat(base + ".idx")
	if err != nil {
		return nil, err
	}
	p := &packFile{base: base, made: st.ModTime()}
	p.reader = reader{file: p, cache: s.cache, other: s.Read}
	return p, nil
}

// index returns the pack's index, nil if the pack is gone. Most packs are
// never asked: indexes of years would take more memory than a snapshot.
func (p *packFile) index() (*index, error) {
	if p.x != nil {
		return p.x, nil
	}
	raw, err := os.ReadFile(p.base + ".idx")
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err == nil {
		p.x, err = parseIndex(raw)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %s.idx: %w", ErrDamaged, p.base, err)
	}
	return p.x, nil
}

// ReadAt reads from the pack's file, which is opened when needed.
func (p *packFile) ReadAt(b []byte, at int64) (int, error) {
	p.mu.Lock()
	if p.f == nil {
		f, err := os.Open(p.base + ".pack")
		if err != nil {
			p.mu.Unlock()
			return 0, err
		}
		p.f = f
	}
	f := p.f
	p.users++
	p.mu.Unlock()
	n, err := f.ReadAt(b, at)
	p.mu.Lock()
	p.users--
	p.mu.Unlock()
	return n, err
}

func (p *packFile) close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.f == nil || p.users > 0 {
		return nil
	}
	f := p.f
	p.f = nil
	return f.Close()
}

// touch notes that a pack is used, and closes the ones used least recently
// when many are open.
func (s *Store) touch(p *packFile) {
	s.opens++
	p.used = s.opens
	var open []*packFile
	for _, q := range s.packs {
		if q.isOpen() {
			open = append(open, q)
		}
	}
	if len(open) <= maxOpen {
		return
	}
	slices.SortFunc(open, func(a, b *packFile) int { return cmp.Compare(a.used, b.used) })
	for _, q := range open[:maxOpen/2] {
		if q != p {
			q.close()
		}
	}
}

func (p *packFile) isOpen() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.f != nil
}

// locate finds the pack that holds an object.
func (s *Store) locate(h object.Hash) (*packFile, uint64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	// What belongs together was written about the same time: look at the
	// last pack's neighbours first, and then farther and farther away.
	var damage error
	for far, n := 0, len(s.packs); far < n; far++ {
		for _, at := range [...]int{s.last - far, s.last + far} {
			if at < 0 || at >= n {
				continue
			}
			p := s.packs[at]
			offset, ok, err := p.locate(h)
			if err != nil {
				damage = err // perhaps another pack has it
			}
			if !ok {
				continue
			}
			if far > 0 {
				s.last = at
				s.touch(p)
			}
			return p, offset, nil
		}
	}
	return nil, 0, cmp.Or(damage, ErrNotFound)
}

// locate finds an object in one pack.
func (p *packFile) locate(h object.Hash) (offset uint64, ok bool, err error) {
	x, err := p.index()
	if x == nil {
		return 0, false, err
	}
	i, ok := x.find(h)
	if !ok {
		return 0, false, nil
	}
	if offset, ok = x.offset(i); !ok {
		return 0, false, fmt.Errorf("%w: index %s.idx", ErrDamaged, p.base)
	}
	return offset, true, nil
}

// Read returns an object. Its content is checked against its name.
func (s *Store) Read(ctx context.Context, h object.Hash) (object.Kind, []byte, error) {
	kind, data, err := s.read(ctx, h)
	if err == nil || ctx.Err() != nil {
		return kind, data, err
	}
	// A repack may have moved the object; look once more.
	if err := s.Refresh(); err != nil {
		return 0, nil, err
	}
	return s.read(ctx, h)
}

func (s *Store) read(ctx context.Context, h object.Hash) (kind object.Kind, data []byte, err error) {
	p, offset, err := s.locate(h)
	switch {
	case err == nil:
		kind, data, err = p.at(ctx, offset)
	case errors.Is(err, ErrNotFound):
		kind, data, err = s.loose(h)
	}
	switch {
	case err == nil:
	case errors.Is(err, ErrNotFound), errors.Is(err, fs.ErrNotExist), ctx.Err() != nil:
		return 0, nil, fmt.Errorf("object %s: %w", h, err)
	default:
		return 0, nil, fmt.Errorf("object %s: %w: %w", h, ErrDamaged, err)
	}
	if object.Sum(kind, data) != h {
		return 0, nil, fmt.Errorf("object %s: %w: its content has another hash", h, ErrDamaged)
	}
	return kind, data, nil
}

// loose reads an object from a file of its own.
func (s *Store) loose(h object.Hash) (object.Kind, []byte, error) {
	if s.alone {
		return 0, nil, ErrNotFound
	}
	hex := h.String()
	raw, err := os.ReadFile(filepath.Join(s.dir, "objects", hex[:2], hex[2:]))
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil, ErrNotFound
	}
	if err != nil {
		return 0, nil, err
	}
	z, err := zlib.NewReader(bytes.NewReader(raw))
	if err != nil {
		return 0, nil, noEOF(err)
	}
	data, err := io.ReadAll(io.LimitReader(z, maxObject))
	if err != nil {
		return 0, nil, noEOF(err)
	}
	head, content, _ := bytes.Cut(data, []byte{0})
	word, size, _ := bytes.Cut(head, []byte{' '})
	kind, ok := object.ParseKind(string(word))
	if !ok || strconv.Itoa(len(content)) != string(size) {
		return 0, nil, errors.New("malformed loose object")
	}
	return kind, content, nil
}

// Place says where an object is, so that many can be read in the order of
// their places. Objects that are nowhere come last.
func (s *Store) Place(h object.Hash) Place {
	p, offset, err := s.locate(h)
	if err != nil {
		return Place{Pack: "~"}
	}
	return Place{p.base, offset}
}

// A Place is a position in the store.
type Place struct {
	Pack   string
	Offset uint64
}

// Compare orders places as they should be read.
func (p Place) Compare(o Place) int {
	return cmp.Or(cmp.Compare(p.Pack, o.Pack), cmp.Compare(p.Offset, o.Offset))
}

// Prefix returns the hashes that begin with a lower-case hexadecimal prefix
// of at least two digits, sorted.
func (s *Store) Prefix(prefix string) ([]object.Hash, error) {
	found := map[object.Hash]bool{}
	first, ok := object.ParseHash((prefix + "0000000000000000000000000000000000000000")[:2*object.Size])
	if !ok {
		return nil, nil
	}
	s.mu.Lock()
	var damage error
	for _, p := range s.packs {
		x, err := p.index()
		if x == nil {
			damage = cmp.Or(damage, err)
			continue
		}
		for i, _ := x.find(first); i < x.count && hasPrefix(x.hash(i), prefix); i++ {
			found[x.hash(i)] = true
		}
	}
	s.mu.Unlock()
	if damage != nil {
		return nil, damage
	}
	files, err := filepath.Glob(filepath.Join(s.dir, "objects", prefix[:2], prefix[2:]+"*"))
	if err != nil {
		return nil, err
	}
	for _, f := range files {
		if h, ok := object.ParseHash(prefix[:2] + filepath.Base(f)); ok {
			found[h] = true
		}
	}
	out := make([]object.Hash, 0, len(found))
	for h := range found {
		out = append(out, h)
	}
	slices.SortFunc(out, func(a, b object.Hash) int { return bytes.Compare(a[:], b[:]) })
	return out, nil
}

func hasPrefix(h object.Hash, prefix string) bool {
	s := h.String()
	return len(prefix) <= len(s) && s[:len(prefix)] == prefix
}
