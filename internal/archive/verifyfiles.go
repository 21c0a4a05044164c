package archive

import (
	"bytes"
	"runtime"
	"slices"
	"strings"
	"sync"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/internal/archive/canon"
	"github.com/stdevel/katprep/internal/archive/names"
	"github.com/stdevel/katprep/internal/archive/object"
	"github.com/stdevel/katprep/internal/archive/pack"
)

// contents verifies the files of a commit that no commit before had.
func (v *verifier) contents(h object.Hash, root map[string]object.Entry) {
	var fresh []located
	for name, e := range root {
		v.gather(h, name, e, &fresh)
	}
	slices.SortFunc(fresh, func(x, y located) int { return strings.Compare(x.path, y.path) })
	results := v.readAll(fresh)
	for i, f := range fresh {
		if results[i].err != "" {
			v.find(h, f.path, "%s", results[i].err)
		}
		v.known[v.place(f.path, f.hash)] = fact{status: results[i].status}
	}
	v.out.Files += len(fresh)
	if hosts := root["hosts"]; !hosts.Hash.IsZero() {
		v.count("hosts", hosts.Hash, 2)
	}
}

// gather lists the files below an entry that are not known.
func (v *verifier) gather(h object.Hash, path string, e object.Entry, fresh *[]located) {
	if _, ok := v.known[v.place(path, e.Hash)]; ok {
		return
	}
	if !e.Dir {
		*fresh = append(*fresh, located{path, e.Hash})
		return
	}
	list, err := v.a.list(v.ctx, e.Hash)
	if err != nil {
		v.find(h, path, "the folder cannot be read: %v", err)
		return
	}
	for _, sub := range list {
		v.gather(h, path+"/"+sub.Name, sub, fresh)
	}
	if !strings.HasPrefix(path, "hosts") {
		v.known[v.place(path, e.Hash)] = fact{}
	}
}

// count sums the hosts of a folder up, once for each folder.
func (v *verifier) count(path string, dir object.Hash, depth int) (c katprep.Counts) {
	if f, ok := v.known[v.place(path, dir)]; ok {
		return f.counts
	}
	list, err := v.a.list(v.ctx, dir)
	if err != nil {
		return c // gather has said so
	}
	for _, e := range list {
		if e.Dir && depth > 1 {
			sub := v.count(path+"/"+e.Name, e.Hash, depth-1)
			c.Hosts += sub.Hosts
			c.Collected += sub.Collected
			c.Incomplete += sub.Incomplete
			c.Failed += sub.Failed
			continue
		}
		c.Hosts++
		switch v.known[v.place(path+"/"+e.Name, e.Hash)].status {
		case katprep.Collected:
			c.Collected++
		case katprep.Incomplete:
			c.Incomplete++
		case katprep.Failed:
			c.Failed++
		}
	}
	v.known[v.place(path, dir)] = fact{counts: c}
	return c
}

// A checked is what reading one file gave.
type checked struct {
	status katprep.Status
	err    string
}

// readAll reads files in the order of the packs, on several cores.
func (v *verifier) readAll(files []located) []checked {
	order := make([]int, len(files))
	places := make([]pack.Place, len(files))
	for i := range files {
		order[i], places[i] = i, v.a.store.Place(files[i].hash)
	}
	slices.SortFunc(order, func(x, y int) int { return places[x].Compare(places[y]) })
	out := make([]checked, len(files))
	workers := max(1, min(8, runtime.GOMAXPROCS(0)))
	var wg sync.WaitGroup
	for mine := range slices.Chunk(order, max(1, (len(order)+workers-1)/workers)) {
		wg.Go(func() {
			d := &canon.Decoder{}
			for _, i := range mine {
				if v.ctx.Err() == nil {
					out[i] = v.file(d, files[i])
				}
			}
		})
	}
	wg.Wait()
	return out
}

// file verifies one file: hash, schema, and that it is where it belongs.
func (v *verifier) file(d *canon.Decoder, f located) (c checked) {
	data, err := v.a.read(v.ctx, f.hash, object.BlobKind)
	if err != nil {
		return checked{err: err.Error()}
	}
	top, rest := splitDir(f.path)
	switch {
	case top == "hosts":
		return hostFile(d, f.path, data)
	case top == "errata":
		var e katprep.Erratum
		err = canon.DecodeStrict(data, &e)
		if err == nil && names.Erratum(e.ID) != f.path {
			return checked{err: "the erratum in it belongs elsewhere"}
		}
	case f.path == snapshotFile:
		err = canon.DecodeStrict(data, new(katprep.Snapshot))
	case top == "runs":
		_, file := splitDir(rest)
		err = runFile(file, data)
	case f.path == retainedFile:
		err = canon.DecodeStrict(data, new(retainedDoc))
	case f.path == exceptionsFile:
		err = canon.DecodeStrict(data, new(exceptions))
	case f.path == verificationFile:
		err = canon.DecodeStrict(data, new(Verified))
	}
	if err != nil {
		c.err = err.Error()
	}
	return c
}

func hostFile(d *canon.Decoder, path string, data []byte) checked {
	h, status, ok := d.Check(data)
	if !ok {
		var s katprep.State
		if err := canon.DecodeStrict(data, &s); err != nil {
			return checked{err: err.Error()}
		}
		h, status = s.Host, s.Status
	}
	switch status {
	case katprep.Collected, katprep.Incomplete, katprep.Failed:
	default:
		return checked{err: "its status is " + string(status)}
	}
	if path != names.Host(h.Name) && path != names.Twin(h.Name, h.Source, h.ID, false) && path != names.Twin(h.Name, h.Source, h.ID, true) {
		return checked{status: status, err: "the host in it belongs elsewhere"}
	}
	return checked{status: status}
}

func runFile(file string, data []byte) error {
	switch file {
	case planFile:
		return canon.DecodeStrict(data, new(katprep.Plan))
	case approvalFile, signOffFile:
		return canon.DecodeStrict(data, new(katprep.Decision))
	case journalFile:
		last := 0
		for line := range bytes.Lines(data) {
			var e katprep.Entry
			if err := canon.DecodeStrict(line, &e); err != nil {
				return err
			}
			if e.Seq <= last {
				return katprep.Errorf(katprep.Corrupt, "entry %d follows entry %d", e.Seq, last)
			}
			last = e.Seq
		}
	}
	return nil
}

// runs verifies that plans are frozen, journals only grow, and no run
// vanishes.
func (v *verifier) runs(h object.Hash, before, now object.Entry) {
	if before.Hash == now.Hash || before.Hash.IsZero() {
		return
	}
	olds, err := v.a.list(v.ctx, before.Hash)
	if err != nil {
		return // found with the parent
	}
	news, err := v.a.list(v.ctx, now.Hash)
	if err != nil {
		return // found by gather
	}
	for _, old := range olds {
		i := slices.IndexFunc(news, func(e object.Entry) bool { return e.Name == old.Name })
		switch {
		case i < 0:
			v.find(h, "runs/"+old.Name, "the run was removed")
		case news[i].Hash != old.Hash:
			v.run(h, "runs/"+old.Name, old.Hash, news[i].Hash)
		}
	}
}

func (v *verifier) run(h object.Hash, path string, before, now object.Hash) {
	olds, err1 := v.a.list(v.ctx, before)
	news, err2 := v.a.list(v.ctx, now)
	if err1 != nil || err2 != nil {
		return
	}
	for _, old := range olds {
		i := slices.IndexFunc(news, func(e object.Entry) bool { return e.Name == old.Name })
		switch {
		case i < 0:
			v.find(h, path+"/"+old.Name, "the file was removed")
		case news[i].Hash == old.Hash:
		case old.Name == planFile:
			v.find(h, path+"/"+old.Name, "the frozen plan was changed")
		case old.Name == journalFile:
			was, err1 := v.a.read(v.ctx, old.Hash, object.BlobKind)
			is, err2 := v.a.read(v.ctx, news[i].Hash, object.BlobKind)
			if err1 == nil && err2 == nil && !bytes.HasPrefix(is, was) {
				v.find(h, path+"/"+old.Name, "the journal was edited: what was written before is not its beginning any more")
			}
		}
	}
}
