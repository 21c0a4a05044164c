package act

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/stdevel/katprep"
)

// A StateDir is the directory on the controller where runs keep what the
// archive does not hold yet, and by which they keep out of each other's way.
type StateDir struct{ path string }

// OpenStateDir makes the directory if it is not there.
func OpenStateDir(path string) (*StateDir, error) {
	if err := os.MkdirAll(filepath.Join(path, "runs"), 0o700); err != nil {
		return nil, katprep.Errorf(katprep.Invalid, "make state directory: %w", err)
	}
	return &StateDir{path}, nil
}

// Scripts is where hooks on the controller keep their outcomes.
func (d *StateDir) Scripts() string { return filepath.Join(d.path, "scripts") }

func (d *StateDir) run(id katprep.RunID, name string) string {
	return filepath.Join(d.path, "runs", string(id), name)
}

// A LocalRun is a run that this process, and no other, works on.
type LocalRun struct {
	Journal *FileJournal
	dir     *StateDir
	id      katprep.RunID
	lock    *os.File
}

// Begin opens a run, and is an error of kind katprep.Locked if another
// process has it open. archived are the entries that the archive holds: the
// local journal begins with them, or is an error of kind katprep.Conflict.
func (d *StateDir) Begin(plan katprep.Plan, archived []katprep.Entry) (*LocalRun, error) {
	if !plan.Run.Valid() {
		return nil, katprep.Errorf(katprep.Invalid, "run %q is no name of a run", plan.Run)
	}
	lock, err := lockFile(d.run(plan.Run, "lock"))
	if err != nil {
		return nil, katprep.Errorf(katprep.KindOf(err), "open run %s: %w", plan.Run, err)
	}
	r := &LocalRun{dir: d, id: plan.Run, lock: lock}
	if err := r.open(plan, archived); err != nil {
		lock.Close()
		return nil, err
	}
	return r, nil
}

func (r *LocalRun) open(plan katprep.Plan, archived []katprep.Entry) error {
	if err := r.dir.freeze(plan); err != nil {
		return err
	}
	j, err := OpenJournal(r.dir.run(r.id, "journal.jsonl"))
	if err != nil {
		return err
	}
	if err := adopt(j, archived); err != nil {
		j.Close()
		return err
	}
	r.Journal = j
	return nil
}

// freeze keeps a copy of the plan, and refuses another one.
func (d *StateDir) freeze(plan katprep.Plan) error {
	data, err := json.Marshal(plan)
	if err != nil {
		return err
	}
	path := d.run(plan.Run, "plan.json")
	switch have, err := os.ReadFile(path); {
	case errors.Is(err, fs.ErrNotExist):
		return writeFile(path, data)
	case err != nil:
		return err
	case bytes.Equal(have, data):
		return nil
	}
	if started, err := d.started(plan.Run); err != nil || started {
		return errors.Join(err, katprep.Errorf(katprep.Conflict, "the plan of run %s is not the one that was begun", plan.Run).
			WithHint("nothing but the frozen plan is executed: finish it with the archive it was planned in, or plan another run"))
	}
	return writeFile(path, data)
}

func (d *StateDir) started(id katprep.RunID) (bool, error) {
	info, err := os.Stat(d.run(id, "journal.jsonl"))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil && info.Size() > 0, err
}

// adopt copies archived entries that the local journal lacks.
func adopt(j *FileJournal, archived []katprep.Entry) error {
	n := 0
	for e, err := range j.Entries() {
		if err != nil {
			return err
		}
		if n == len(archived) {
			return nil
		}
		if !sameEntry(e, archived[n]) {
			return katprep.Errorf(katprep.Conflict, "entry %d of the local journal is not the one in the archive", e.Seq).
				WithHint("the run went on somewhere else: continue it there")
		}
		n++
	}
	return j.Append(archived[n:]...)
}

func sameEntry(a, b katprep.Entry) bool {
	x, errx := json.Marshal(a)
	y, erry := json.Marshal(b)
	return errx == nil && erry == nil && bytes.Equal(x, y)
}

// Plan returns the copy of a run's plan; an error of kind katprep.NotFound
// if there is none.
func (d *StateDir) Plan(id katprep.RunID) (p katprep.Plan, err error) {
	if !id.Valid() {
		return p, katprep.Errorf(katprep.Invalid, "run %q is no name of a run", id)
	}
	data, err := os.ReadFile(d.run(id, "plan.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return p, katprep.Errorf(katprep.NotFound, "run %s is not known here", id)
	}
	if err != nil {
		return p, err
	}
	if err := json.Unmarshal(data, &p); err != nil || p.Run != id {
		return p, katprep.Errorf(katprep.Corrupt, "read plan of run %s: %w", id, err)
	}
	return p, nil
}

// Entries returns the local journal of a run without opening the run; none
// if it was not begun here.
func (d *StateDir) Entries(id katprep.RunID) ([]katprep.Entry, error) {
	if !id.Valid() {
		return nil, katprep.Errorf(katprep.Invalid, "run %q is no name of a run", id)
	}
	var es []katprep.Entry
	if started, err := d.started(id); !started {
		return nil, err
	}
	for e, err := range (&FileJournal{path: d.run(id, "journal.jsonl")}).Entries() {
		if err != nil {
			return nil, err
		}
		es = append(es, e)
	}
	return es, nil
}

// Runs lists the runs that were begun here, sorted.
func (d *StateDir) Runs() ([]katprep.RunID, error) {
	dirs, err := os.ReadDir(filepath.Join(d.path, "runs"))
	if err != nil {
		return nil, err
	}
	var ids []katprep.RunID
	for _, e := range dirs {
		if id := katprep.RunID(e.Name()); e.IsDir() && id.Valid() {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids, nil
}

// Close lets other processes have the run.
func (r *LocalRun) Close() error {
	return errors.Join(r.Journal.Close(), r.lock.Close())
}

// A claim says which run has a host.
type claim struct {
	Run  katprep.RunID `json:"run"`
	Host string        `json:"host"` // name, for people
	At   time.Time     `json:"at"`
}

// Claim takes hosts for the run until they are released, also beyond the end
// of this process. If another run has one of them, none is taken, and the
// error is of kind katprep.Locked.
func (r *LocalRun) Claim(hosts []katprep.Host) error {
	return r.dir.claims(func(held map[string]claim) error {
		for _, h := range hosts {
			c, taken := held[h.HostID.String()]
			if taken && c.Run != r.id {
				return katprep.Errorf(katprep.Locked, "host %q is in the hands of run %s since %s", h.Name, c.Run, c.At.Format(time.RFC3339)).
					WithHint("katprep maintenance cleanup %s", c.Run)
			}
			if !taken {
				held[h.HostID.String()] = claim{r.id, h.Name, time.Now().UTC()}
			}
		}
		return nil
	})
}

// Release gives hosts of this run free for other runs.
func (r *LocalRun) Release(hosts []katprep.Host) error {
	if len(hosts) == 0 {
		return nil
	}
	return r.dir.claims(func(held map[string]claim) error {
		for _, h := range hosts {
			if held[h.HostID.String()].Run == r.id {
				delete(held, h.HostID.String())
			}
		}
		return nil
	})
}

// claims changes the table of claims under a lock.
func (d *StateDir) claims(change func(map[string]claim) error) error {
	lock, err := waitLock(filepath.Join(d.path, "claims.lock"))
	if err != nil {
		return err
	}
	defer lock.Close()
	held := map[string]claim{}
	path := filepath.Join(d.path, "claims.json")
	data, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(data, &held)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return katprep.Errorf(katprep.Corrupt, "read %s: %w", path, err)
	}
	if err := change(held); err != nil {
		return err
	}
	if data, err = json.MarshalIndent(held, "", " "); err != nil {
		return err
	}
	return writeFile(path, append(data, '\n'))
}

// writeFile replaces a file at once and safely.
func writeFile(path string, data []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".new-*")
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("write %s: %w", path, err), os.Remove(f.Name()))
	}
	return syncDir(filepath.Dir(path))
}
