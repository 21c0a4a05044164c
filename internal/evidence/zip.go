package evidence

import (
	"archive/zip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// Zip packs a folder into a file that does not exist yet. The same folder
// gives the same bytes.
func Zip(file, dir string) (err error) {
	f, err := os.OpenFile(file, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err != nil {
		return fmt.Errorf("pack the evidence: %w", err)
	}
	z := zip.NewWriter(f)
	defer func() {
		if err = errors.Join(err, z.Close(), f.Close()); err != nil {
			os.Remove(file)
		}
	}()
	return filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		in, err := os.Open(path)
		if err != nil {
			return err
		}
		defer in.Close()
		out, err := z.Create(filepath.ToSlash(name))
		if err != nil {
			return err
		}
		_, err = io.Copy(out, in)
		return err
	})
}
