package pack

import (
	"context"
	"crypto/sha1"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"

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
	for _, name := range names {
		for _, ext := range []string{".pack", ".idx"} {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			ok, err := checkFile(name + ext)
			if errors.Is(err, fs.ErrNotExist) {
				continue // repacked meanwhile; a pack without its file shows when objects are read
			}
			if err != nil {
				return nil, err
			}
			if !ok {
				damaged = append(damaged, filepath.Base(name)+ext)
			}
		}
	}
	return damaged, nil
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
	if _, err := io.CopyN(d, f, st.Size()-object.Size); err != nil {
		return false, err
	}
	var want, got object.Hash
	if _, err := io.ReadFull(f, want[:]); err != nil {
		return false, err
	}
	d.Sum(got[:0])
	return got == want, nil
}
