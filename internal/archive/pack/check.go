package pack

import (
	"cmp"
	"context"
	"crypto/sha1"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/stdevel/katprep/internal/archive/object"
)

// Check sums all packs and indexes up and returns the names of those that
// are not what their checksums say. It finds what reading objects cannot:
// bits that no object uses, and objects that nothing leads to.
func (s *Store) Check(ctx context.Context) (damaged []string, err error) {
	names, err := packNames(s.dir)
	if err != nil {
		return nil, err
	}
	var files []string
	for _, name := range names {
		files = append(files, name+".pack", name+".idx")
	}
	bad := make([]bool, len(files))
	errs := make([]error, len(files))
	var next atomic.Int64
	var wg sync.WaitGroup
	for range Workers() {
		wg.Go(func() {
			for i := int(next.Add(1)) - 1; i < len(files) && ctx.Err() == nil; i = int(next.Add(1)) - 1 {
				ok, err := checkFile(files[i])
				if errors.Is(err, fs.ErrNotExist) {
					continue // repacked meanwhile; a pack without its file shows when objects are read
				}
				bad[i], errs[i] = !ok && err == nil, err
			}
		})
	}
	wg.Wait()
	for i, file := range files {
		if bad[i] {
			damaged = append(damaged, filepath.Base(file))
		}
	}
	return damaged, errors.Join(ctx.Err(), errors.Join(errs...))
}

// checkFile compares a file with the checksum at its end.
func checkFile(path string) (bool, error) {
	f, err := os.Open(path)
	if err != nil {
		return false, err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil || st.Size() < object.Size {
		return false, err
	}
	d := sha1.New()
	body := io.LimitReader(f, st.Size()-object.Size)
	if _, err := io.CopyBuffer(struct{ io.Writer }{d}, body, make([]byte, 1<<17)); err != nil {
		return false, err
	}
	var want, got object.Hash
	if _, err := io.ReadFull(f, want[:]); err != nil {
		return false, err
	}
	d.Sum(got[:0])
	return got == want, nil
}

// Holds checks that a pack file alone, with no other pack to help, holds n
// objects whole. It is for those who are about to remove the others.
func Holds(ctx context.Context, file string, n int, name func(i int) object.Hash) error {
	s := &Store{alone: true, cache: newCache(cacheBytes), known: map[string]*packFile{}}
	p, err := s.openPack(strings.TrimSuffix(file, ".pack"))
	if err != nil {
		return err
	}
	s.packs = []*packFile{p}
	defer s.Close()
	if ok, err := checkFile(file); err != nil || !ok {
		return cmp.Or(err, fmt.Errorf("%w: %s", ErrDamaged, file))
	}
	var mu sync.Mutex
	var first error
	err = s.Each(ctx, n, name, func(_, _ int, _ object.Kind, _ []byte, err error) {
		mu.Lock()
		defer mu.Unlock()
		if first == nil {
			first = err
		}
	})
	return cmp.Or(err, first)
}
