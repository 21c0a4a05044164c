// Package legacy reads the snapshot reports of the old katprep,
// errata-snapshot-report-*.json, in the formats of all its versions, so that
// evidence from before moves into the archive with its dates.
//
// These reports list errata and parameters, but no installed packages: what
// vanished from one to the next is no longer applicable, and nothing proves
// that it was installed.
package legacy

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"time"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/collect"
)

// A File is one snapshot report, read whole. It is a collector of its hosts.
type File struct {
	Path  string
	Taken time.Time // from the file's name, UTC

	hosts []entry // in the order of the file
}

// An entry is one host of a report, not looked into yet.
type entry struct {
	key  string
	data json.RawMessage
}

// maxSize bounds a report; the largest ones known have some dozen MB.
const maxSize = 1 << 30

// ReadAll reads reports, the oldest first. One that is not whole, or has no
// date in its name, is an error, and so nothing of the others is returned.
func ReadAll(paths []string) ([]*File, error) {
	files := make([]*File, 0, len(paths))
	for _, p := range paths {
		f, err := Read(p)
		if err != nil {
			return nil, err
		}
		files = append(files, f)
	}
	slices.SortStableFunc(files, func(a, b *File) int { return cmp.Or(a.Taken.Compare(b.Taken), cmp.Compare(a.Path, b.Path)) })
	return files, nil
}

// Read reads one report.
func Read(path string) (*File, error) {
	taken, err := dateOf(filepath.Base(path))
	if err != nil {
		return nil, err
	}
	r, err := os.Open(path)
	if err != nil {
		kind := katprep.Internal
		if errors.Is(err, fs.ErrNotExist) {
			kind = katprep.NotFound
		} else if errors.Is(err, fs.ErrPermission) {
			kind = katprep.Denied
		}
		return nil, katprep.Errorf(kind, "read snapshot report: %w", err)
	}
	defer r.Close()
	data, err := io.ReadAll(io.LimitReader(r, maxSize+1))
	if err != nil {
		return nil, katprep.Errorf(katprep.Internal, "read snapshot report %s: %w", path, err)
	}
	hosts, err := parse(data)
	if err != nil {
		return nil, katprep.Errorf(katprep.KindOf(err), "read snapshot report %s: %w", path, err)
	}
	return &File{Path: path, Taken: taken, hosts: hosts}, nil
}

var dateInName = regexp.MustCompile(`^errata-snapshot-report-.*-(\d{8}-\d{4})\.json$`)

// dateOf reads the date in a report's name, which is local time. Nothing else
// tells it: the old katprep wrote into its reports afterwards.
func dateOf(name string) (time.Time, error) {
	bad := func() error {
		return katprep.Errorf(katprep.Invalid, "snapshot report %s: its name does not tell when it was taken", name).
			WithHint("name it as the old katprep did: errata-snapshot-report-SERVER-YYYYMMDD-HHMM.json")
	}
	m := dateInName.FindStringSubmatch(name)
	if m == nil {
		return time.Time{}, bad()
	}
	t, err := time.ParseInLocation("20060102-1504", m[1], time.Local)
	if err != nil {
		return time.Time{}, bad()
	}
	return t.UTC(), nil
}

// parse splits a report into its hosts.
func parse(data []byte) ([]entry, error) {
	data = bytes.TrimPrefix(bytes.TrimSpace(data), []byte("\uFEFF"))
	switch {
	case len(data) == 0:
		return nil, katprep.Errorf(katprep.Corrupt, "the file is empty")
	case len(data) > maxSize:
		return nil, katprep.Errorf(katprep.Invalid, "the file is larger than %d bytes", maxSize)
	case data[0] == '[':
		return nil, katprep.Errorf(katprep.Invalid, "the file holds a list, not an object with one member for each host")
	case data[0] != '{':
		return nil, katprep.Errorf(katprep.Invalid, "the file is not JSON with one member for each host")
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	if _, err := dec.Token(); err != nil {
		return nil, broken(dec, err)
	}
	var hosts []entry
	for dec.More() {
		key, err := dec.Token()
		if err != nil {
			return nil, broken(dec, err)
		}
		e := entry{key: fmt.Sprint(key)}
		if err := dec.Decode(&e.data); err != nil {
			return nil, broken(dec, err)
		}
		hosts = append(hosts, e)
	}
	if _, err := dec.Token(); err != nil {
		return nil, broken(dec, err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, katprep.Errorf(katprep.Corrupt, "something follows the end of the report at byte %d", dec.InputOffset())
	}
	return hosts, nil
}

func broken(dec *json.Decoder, err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return katprep.Errorf(katprep.Corrupt, "the file ends in the middle: it was not written whole")
	}
	return katprep.Errorf(katprep.Corrupt, "the file is damaged at byte %d: %w", dec.InputOffset(), err)
}

// Source says which file this is.
func (f *File) Source(ctx context.Context) (katprep.Source, error) {
	return katprep.Source{Type: "legacy", Product: filepath.Base(f.Path)}, ctx.Err()
}

// Targets yields the hosts in the order of the file.
func (f *File) Targets(ctx context.Context, sel katprep.Selection) iter.Seq2[collect.Target, error] {
	return func(yield func(collect.Target, error) bool) {
		if err := f.unknown(sel.Hosts); err != nil {
			yield(collect.Target{}, err)
			return
		}
		for _, e := range f.hosts {
			if err := ctx.Err(); err != nil {
				yield(collect.Target{}, err)
				return
			}
			if !yield(e.target(), nil) {
				return
			}
		}
	}
}

// unknown returns an error for the first pattern that no host matches.
func (f *File) unknown(patterns []string) error {
	for _, p := range patterns {
		one := katprep.Selection{Hosts: []string{p}}
		if !slices.ContainsFunc(f.hosts, func(e entry) bool { return collect.Match(one, katprep.State{Host: e.host()}) }) {
			return katprep.Errorf(katprep.NotFound, "%s holds no host called %q", filepath.Base(f.Path), p)
		}
	}
	return nil
}

// host names an entry: by its key, or by its host name where the key is a
// number.
func (e entry) host() katprep.Host {
	h := katprep.Host{HostID: katprep.HostID{ID: e.key}, Name: e.key}
	var names struct {
		Hostname, Name text
	}
	if json.Unmarshal(e.data, &names) == nil {
		h.Name = cmp.Or(string(names.Hostname), string(names.Name), h.Name)
	}
	return h
}

func (e entry) target() collect.Target {
	h := e.host()
	return collect.Target{Host: h, Read: func(ctx context.Context) (collect.Reading, error) {
		if err := ctx.Err(); err != nil {
			return collect.Reading{}, err
		}
		return reading(h, e.data)
	}}
}
