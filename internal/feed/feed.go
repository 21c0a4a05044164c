// Package feed reads advisories from files that a user keeps: OSV records
// (Ubuntu's USN, Debian's DSA), the lists of Debian's security tracker, and
// updateinfo.xml. It tells which of them concern a host, by the versions of
// its packages. No advisory is ever made up: what no feed names has no ID.
package feed

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/stdevel/katprep"
)

// maxFile bounds one file, unpacked, in bytes.
const maxFile = 1 << 30

// A Feed holds the advisories of some files.
type Feed struct {
	byID   map[string]*advisory
	byName map[string][]entry // by source package (Debian family) or package (RPM)
	newest katprep.Date
}

// advisory is an erratum and what it fixes where.
type advisory struct {
	katprep.Erratum
}

// An entry is one fixed version in one release.
type entry struct {
	advisory *advisory
	format   katprep.Format
	os       string // "debian", "ubuntu"; "" for RPM
	release  string // "bookworm", "12", "22.04"; "" for RPM
	arch     string // of an RPM
	fixed    katprep.EVR
	binaries map[string]katprep.EVR // fixed versions of binary packages, if the feed tells
}

// Load reads files and folders (with all files below that look like a feed).
// All errors are of kind Invalid and name the file.
func Load(paths ...string) (*Feed, error) {
	f := &Feed{byID: map[string]*advisory{}, byName: map[string][]entry{}}
	for _, p := range paths {
		if err := f.load(p); err != nil {
			return nil, katprep.Errorf(katprep.Invalid, "read advisory feed: %w", err)
		}
	}
	if len(f.byID) == 0 && len(paths) > 0 {
		return nil, katprep.Errorf(katprep.Invalid, "read advisory feed: there is no advisory in %s", strings.Join(paths, ", "))
	}
	return f, nil
}

func (f *Feed) load(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return f.file(path)
	}
	return filepath.WalkDir(path, func(p string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() || !looksLikeFeed(p) {
			return err
		}
		return f.file(p)
	})
}

func looksLikeFeed(p string) bool {
	name := strings.TrimSuffix(strings.ToLower(filepath.Base(p)), ".gz")
	return name == "list" || strings.HasSuffix(name, ".json") || strings.HasSuffix(name, "updateinfo.xml")
}

func (f *Feed) file(path string) error {
	r, err := os.Open(path)
	if err != nil {
		return err
	}
	defer r.Close()
	if err := f.Add(r); err != nil {
		return errors.Join(errors.New(path), err)
	}
	return nil
}

// Add reads one file, gzipped or not, of any of the known kinds.
func (f *Feed) Add(r io.Reader) error {
	in := bufio.NewReaderSize(r, 64<<10)
	if magic, _ := in.Peek(2); bytes.Equal(magic, []byte{0x1f, 0x8b}) {
		z, err := gzip.NewReader(in)
		if err != nil {
			return err
		}
		in = bufio.NewReaderSize(z, 64<<10)
	}
	in = bufio.NewReader(io.LimitReader(in, maxFile))
	first, err := firstByte(in)
	switch {
	case err == io.EOF:
		return errors.New("the file is empty")
	case err != nil:
		return err
	case first == '{' || first == '[' && looksLikeJSON(in):
		return f.osv(in)
	case first == '<':
		return f.updateInfo(in)
	case first == '[':
		return f.debianList(in)
	}
	return errors.New("neither OSV, nor a list of the security tracker, nor updateinfo.xml")
}

// firstByte skips blanks and a byte order mark.
func firstByte(in *bufio.Reader) (byte, error) {
	if bom, _ := in.Peek(3); bytes.Equal(bom, []byte("\xef\xbb\xbf")) {
		_, _ = in.Discard(3)
	}
	for {
		b, err := in.Peek(1)
		if err != nil {
			return 0, err
		}
		if b[0] != ' ' && b[0] != '\n' && b[0] != '\r' && b[0] != '\t' {
			return b[0], nil
		}
		_, _ = in.Discard(1)
	}
}

// looksLikeJSON tells a JSON array from "[29 Mar 2023] DSA-5380-1 …".
func looksLikeJSON(in *bufio.Reader) bool {
	head, _ := in.Peek(64)
	head = bytes.TrimLeft(head[1:], " \r\n\t")
	return len(head) > 0 && (head[0] == '{' || head[0] == ']')
}

// erratum returns the advisory of an ID, new or seen before, joined with e.
func (f *Feed) erratum(e katprep.Erratum) *advisory {
	a := f.byID[e.ID]
	if a == nil {
		a = &advisory{e}
		f.byID[e.ID] = a
	} else {
		a.Erratum = a.Merge(e)
	}
	f.newest = max(f.newest, e.Issued, e.Updated)
	return a
}

func (f *Feed) add(name string, e entry) { f.byName[name] = append(f.byName[name], e) }

// Newest is the day of the feed's latest advisory.
func (f *Feed) Newest() katprep.Date { return f.newest }

// Len is the number of advisories.
func (f *Feed) Len() int { return len(f.byID) }

// Erratum returns an advisory; its packages are what it fixes, under the
// names that the feed uses.
func (f *Feed) Erratum(id string) (katprep.Erratum, bool) {
	a, ok := f.byID[id]
	if !ok {
		return katprep.Erratum{}, false
	}
	e := a.Erratum
	e.Packages = slices.Clone(e.Packages)
	for name, entries := range f.byName {
		for _, en := range entries {
			if en.advisory == a {
				e.Packages = append(e.Packages, katprep.Package{Name: name, EVR: en.fixed, Arch: en.arch})
			}
		}
	}
	slices.SortFunc(e.Packages, katprep.ComparePackages)
	return e, true
}
