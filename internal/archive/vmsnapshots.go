package archive

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/internal/archive/canon"
)

// VMSnapshots returns the VM snapshots of all runs that were there at a time
// and are not known to be removed, by the archive's tip: see
// [katprep.RunRecord.VMSnapshots].
func (a *Archive) VMSnapshots(ctx context.Context, at time.Time) ([]katprep.VMSnapshot, error) {
	ids, err := a.Runs(ctx)
	if err != nil {
		return nil, err
	}
	var list []katprep.VMSnapshot
	for _, id := range ids {
		open, err := a.vmSnapshots(ctx, id, at)
		if err != nil {
			return nil, fail(fmt.Sprintf("read run %q", string(id)), err)
		}
		list = append(list, open...)
	}
	katprep.SortVMSnapshots(list)
	return list, nil
}

// vmSnapshots reads of a run only what tells of VM snapshots: few lines of a
// journal do, and a plan is needed only where something is left.
func (a *Archive) vmSnapshots(ctx context.Context, id katprep.RunID, at time.Time) ([]katprep.VMSnapshot, error) {
	path, err := runPath(id, "")
	if err != nil {
		return nil, err
	}
	tip, err := a.tip()
	if err != nil {
		return nil, err
	}
	text, _, err := a.file(ctx, tip, strings.Split(path+journalFile, "/")...)
	if err != nil {
		return nil, err
	}
	var r katprep.RunRecord
	for line := range bytes.Lines(text) {
		if !bytes.Contains(line, []byte("vm-snapshot")) { // in the names of all such steps
			continue
		}
		var e katprep.Entry
		if err := canon.Decode(line, &e); err != nil {
			return nil, katprep.Errorf(katprep.Corrupt, "%s: %w", path+journalFile, err)
		}
		r.Journal = append(r.Journal, e)
	}
	if len(r.VMSnapshots(at, 0)) == 0 {
		return nil, nil
	}
	if _, err := a.decode(ctx, tip, path+planFile, &r.Plan); err != nil {
		return nil, err
	}
	r.Plan.Run = id
	return r.VMSnapshots(at, 0), nil
}
