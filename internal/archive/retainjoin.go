package archive

import (
	"bufio"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/go-git/go-billy/v5/osfs"
	"github.com/go-git/go-git/v5/plumbing/cache"
	"github.com/go-git/go-git/v5/plumbing/format/packfile"
	"github.com/go-git/go-git/v5/storage/filesystem"

	"github.com/stdevel/katprep"
)

// unbundle puts the objects of a bundle into a repository.
func unbundle(file, dir string) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	b := bufio.NewReaderSize(f, 1<<16)
	line, err := b.ReadString('\n')
	if err != nil || line != "# v2 git bundle\n" {
		return katprep.Errorf(katprep.Invalid, "%s is no bundle of katprep", file)
	}
	for line != "\n" {
		if line, err = b.ReadString('\n'); err != nil || len(line) > 1<<12 {
			return katprep.Errorf(katprep.Invalid, "%s is no bundle of katprep", file)
		}
	}
	// go-git does not follow the links that dir may hold.
	work, err := os.MkdirTemp(dir, "bundle-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	s := filesystem.NewStorage(osfs.New(work), cache.NewObjectLRU(16*cache.MiByte))
	if err := packfile.UpdateObjectStorage(s, b); err != nil {
		return katprep.Errorf(katprep.Corrupt, "%s: %w", file, err)
	}
	if err := s.Close(); err != nil {
		return err
	}
	files, err := filepath.Glob(filepath.Join(work, "objects", "pack", "pack-*"))
	if err != nil {
		return err
	}
	for _, f := range files {
		if err := os.Rename(f, filepath.Join(dir, "objects", "pack", filepath.Base(f))); err != nil {
			return err
		}
	}
	return nil
}

// Join makes, in a new folder, the whole archive of what is here and what the
// bundles in dir hold, for reading. The bundles must be those that are
// recorded.
func (a *Archive) Join(ctx context.Context, dir, folder string) (*Archive, error) {
	const op = "join the archive with its bundles"
	list, _, err := a.Retained(ctx)
	if err != nil {
		return nil, fail(op, err)
	}
	if err := build(folder); err != nil {
		return nil, fail(op, err)
	}
	if err := a.linkObjects(folder); err != nil {
		return nil, fail(op, err)
	}
	tags := map[string]string{}
	for _, r := range list {
		if err := joinBundle(r, dir, folder); err != nil {
			return nil, fail(op, err)
		}
		for name, h := range r.Tags {
			tags["refs/tags/"+name] = h
		}
	}
	for _, prefix := range []string{branch, "refs/tags/", stampsPrefix} {
		refs, err := a.refs.List(prefix)
		if err != nil {
			return nil, fail(op, err)
		}
		for _, ref := range refs {
			tags[ref.Name] = ref.Hash.String()
		}
	}
	var packed strings.Builder
	for name, h := range tags {
		packed.WriteString(h + " " + name + "\n")
	}
	if err := os.WriteFile(filepath.Join(folder, "packed-refs"), []byte(packed.String()), 0o644); err != nil {
		return nil, fail(op, err)
	}
	o := a.opts
	o.Sign = nil
	joined, err := Open(folder, o)
	return joined, fail(op, err)
}

func joinBundle(r Retained, dir, folder string) error {
	if !filepath.IsLocal(r.Bundle) || filepath.Base(r.Bundle) != r.Bundle {
		return katprep.Errorf(katprep.Corrupt, "%s: bundle %q", retainedFile, r.Bundle)
	}
	file := filepath.Join(dir, r.Bundle)
	sum, err := fileSum(file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return katprep.Errorf(katprep.NotFound, "%s is not in %s", r.Bundle, dir)
	case err != nil:
		return err
	case sum != r.SHA256:
		return katprep.Errorf(katprep.Corrupt, "%s is not the bundle that was recorded: its SHA-256 is %s, not %s", file, sum, r.SHA256)
	}
	return unbundle(file, folder)
}

// linkObjects gives another repository the objects of this one.
func (a *Archive) linkObjects(folder string) error {
	from := filepath.Join(mustAbs(a.dir), "objects")
	return filepath.WalkDir(from, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		to := filepath.Join(folder, "objects", rel)
		switch {
		case e.IsDir():
			return os.MkdirAll(to, 0o755)
		case strings.HasPrefix(rel, "info"), strings.Contains(rel, "multi-pack-index"):
			return nil
		}
		if err := os.Symlink(path, to); err != nil {
			return copyFile(path, to) // where links are not allowed
		}
		return nil
	})
}

func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}
