package pack

import (
	"bufio"
	"bytes"
	"crypto/sha1"
	"encoding/binary"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/stdevel/katprep/internal/archive/object"
)

// bytesBuffer is an io.Writer into a slice that is used again.
type bytesBuffer []byte

func (b *bytesBuffer) Write(p []byte) (int, error) {
	*b = append(*b, p...)
	return len(p), nil
}

// sumFile returns the SHA-1 of a file and leaves it positioned at its end.
func sumFile(f *os.File) (sum object.Hash, err error) {
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return sum, err
	}
	d := sha1.New()
	if _, err := io.CopyBuffer(struct{ io.Writer }{d}, struct{ io.Reader }{f}, make([]byte, 1<<17)); err != nil {
		return sum, err
	}
	d.Sum(sum[:0])
	return sum, nil
}

// A Pack is a finished pack that Git's housekeeping must not touch before
// Release.
type Pack struct {
	base string // path without extension; "" for a pack without objects
	job  Job
}

// A Job is what packs are written for. Each is done by one process at a time,
// under a lock of its own, and cleans up after itself only.
type Job string

// The jobs.
const (
	Snapshots   Job = "tmp"
	Maintenance Job = "tmp-maintain"
)

// dir is where the job's packs are written, relative to the repository.
func (j Job) dir() string { return "katprep/" + string(j) }

// mark is the content of the job's .keep files: how those of killed writers
// are told from those of people.
func (j Job) mark() string { return "katprep is writing: " + string(j) + "\n" }

// File returns the path of the pack file, "" for a pack without objects.
func (p *Pack) File() string {
	if p.base == "" {
		return ""
	}
	return p.base + ".pack"
}

// publish moves the files of a pack into place, readers' entry (the index)
// last, and syncs the folder.
func (p *Pack) publish(packFile, idxFile string) error {
	if err := p.keep(packFile + ".keep"); err != nil {
		return err
	}
	if err := os.Rename(packFile, p.base+".pack"); err != nil {
		return err
	}
	if err := os.Rename(idxFile, p.base+".idx"); err != nil {
		return err
	}
	return SyncDir(filepath.Dir(p.base))
}

// keep makes the .keep file, whole or not at all: CleanUp knows it by its
// content.
func (p *Pack) keep(tmp string) error {
	if err := os.WriteFile(tmp, []byte(p.job.mark()), 0o644); err != nil {
		return errors.Join(err, os.Remove(tmp))
	}
	return os.Rename(tmp, p.base+".keep")
}

// Release lets Git's housekeeping have the pack: a reference leads to it now,
// or nothing ever will.
func (p *Pack) Release() error {
	if p.base == "" {
		return nil
	}
	if err := os.Remove(p.base + ".keep"); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// CleanUp removes what killed writers of a job left in the repository at dir.
// The caller holds the lock that keeps others of the job out.
func CleanUp(dir string, j Job) error {
	old, err := filepath.Glob(filepath.Join(dir, j.dir(), "pack-*"))
	if err != nil {
		return err
	}
	keeps, err := filepath.Glob(filepath.Join(dir, "objects", "pack", "*.keep"))
	if err != nil {
		return err
	}
	for _, k := range keeps {
		if text, err := os.ReadFile(k); err == nil && string(text) == j.mark() {
			old = append(old, k)
		}
	}
	for _, f := range old {
		if err := os.Remove(f); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// SyncDir makes renames in a folder last.
func SyncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// writeIndex writes and syncs a pack index, version 2. It sorts the entries.
func writeIndex(path string, entries []entry, pack object.Hash) error {
	slices.SortFunc(entries, func(a, b entry) int { return bytes.Compare(a.hash[:], b.hash[:]) })
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o444)
	if err != nil {
		return err
	}
	d := sha1.New()
	b := bufio.NewWriter(io.MultiWriter(f, d))
	b.Write(indexBody(entries))
	b.Write(pack[:])
	if err := b.Flush(); err != nil {
		return errors.Join(err, f.Close())
	}
	if _, err := f.Write(d.Sum(nil)); err != nil {
		return errors.Join(err, f.Close())
	}
	return errors.Join(f.Sync(), f.Close())
}

func indexBody(entries []entry) []byte {
	out := make([]byte, 0, 8+256*4+len(entries)*28)
	out = append(out, "\xfftOc\x00\x00\x00\x02"...)
	n := 0
	for first := range 256 {
		for n < len(entries) && int(entries[n].hash[0]) <= first {
			n++
		}
		out = binary.BigEndian.AppendUint32(out, uint32(n))
	}
	for i := range entries {
		out = append(out, entries[i].hash[:]...)
	}
	for i := range entries {
		out = binary.BigEndian.AppendUint32(out, entries[i].crc)
	}
	var far []uint64
	for i := range entries {
		o := entries[i].offset
		if o >= 1<<31 {
			far = append(far, o)
			o = 1<<31 | uint64(len(far)-1)
		}
		out = binary.BigEndian.AppendUint32(out, uint32(o))
	}
	for _, o := range far {
		out = binary.BigEndian.AppendUint64(out, o)
	}
	return out
}

// packNames returns the paths, without extension, of the packs that have an
// index.
func packNames(dir string) ([]string, error) {
	list, err := os.ReadDir(filepath.Join(dir, "objects", "pack"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var out []string
	for _, e := range list {
		if name, ok := strings.CutSuffix(e.Name(), ".idx"); ok && strings.HasPrefix(name, "pack-") {
			out = append(out, filepath.Join(dir, "objects", "pack", name))
		}
	}
	return out, nil
}

// SyncNew makes packs last that another program added, those that are not in
// before.
func SyncNew(dir string, before []string) error {
	now, err := packNames(dir)
	if err != nil {
		return err
	}
	for _, name := range now {
		if slices.Contains(before, name+".pack") {
			continue
		}
		for _, ext := range []string{".pack", ".idx"} {
			f, err := os.Open(name + ext)
			if err != nil {
				return err
			}
			if err := errors.Join(f.Sync(), f.Close()); err != nil {
				return err
			}
		}
	}
	return SyncDir(filepath.Join(dir, "objects", "pack"))
}
