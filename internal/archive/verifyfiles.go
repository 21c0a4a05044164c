package archive

import (
	"bytes"
	"errors"
	"fmt"
	"slices"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/internal/archive/canon"
	"github.com/stdevel/katprep/internal/archive/names"
	"github.com/stdevel/katprep/internal/archive/object"
)

// examine verifies the content of one file: its schema, and that it is where
// it belongs.
func examine(d *canon.Decoder, path string, data []byte) (f fact, err error) {
	top, rest := splitDir(path)
	switch {
	case top == "hosts":
		return hostFile(d, path, data)
	case top == "errata":
		var e katprep.Erratum
		err = canon.DecodeStrict(data, &e)
		if err == nil && names.Erratum(e.ID) != path {
			err = errors.New("the erratum in it belongs elsewhere")
		}
	case path == snapshotFile:
		err = canon.DecodeStrict(data, new(katprep.Snapshot))
	case top == "runs":
		_, file := splitDir(rest)
		err = runFile(file, data)
	case path == retainedFile:
		err = canon.DecodeStrict(data, new(retainedDoc))
	case path == exceptionsFile:
		err = canon.DecodeStrict(data, new(exceptions))
	case path == verificationFile:
		err = canon.DecodeStrict(data, new(Verified))
	}
	return f, err
}

func hostFile(d *canon.Decoder, path string, data []byte) (fact, error) {
	var s katprep.State
	if !d.Skim(data, &s) {
		s = katprep.State{}
		if err := canon.DecodeStrict(data, &s); err != nil {
			return fact{}, err
		}
	}
	f := factOf(&s)
	if f.status == statusOther {
		return f, fmt.Errorf("its status is %s", s.Status)
	}
	if path != names.Host(s.Name) && path != names.Twin(s.Name, s.Source, s.ID, false) && path != names.Twin(s.Name, s.Source, s.ID, true) {
		return f, errors.New("the host in it belongs elsewhere")
	}
	return f, nil
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
