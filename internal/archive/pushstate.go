package archive

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/stdevel/katprep"
)

// A PushState says how a remote's copy stands, as far as it is known here.
type PushState struct {
	Remote   string    `json:"remote"`
	Unpushed int       `json:"unpushed"`          // commits that it did not have when it was last asked
	Failed   time.Time `json:"failed,omitzero"`   // of the last push, if it failed, UTC
	Problem  string    `json:"problem,omitempty"` // why
}

// A pushFailure is kept beside the repository until a push succeeds.
type pushFailure struct {
	At    time.Time `json:"at"`
	Error string    `json:"error"`
}

func (a *Archive) pushFile(r Remote) string {
	return filepath.Join(a.dir, "katprep", "push", FileName(r.Name)+".json")
}

// notePush remembers that a push failed, or forgets it. An archive that cannot
// be written keeps no note.
func (a *Archive) notePush(r Remote, failed error) error {
	file := a.pushFile(r)
	if failed == nil {
		if err := os.Remove(file); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return nil
	}
	text, err := json.Marshal(pushFailure{a.opts.Now().UTC().Truncate(time.Second), oneLine(a.opts.Mask.Text(failed.Error()))})
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return nil //nolint:nilerr // the push's own error is what counts
	}
	_ = os.WriteFile(file, append(text, '\n'), 0o644)
	return nil
}

// PushState tells what a remote lacks, and whether the last push to it failed.
// It asks nobody.
func (a *Archive) PushState(ctx context.Context, r Remote) (s PushState, err error) {
	s.Remote = r.Name
	if s.Unpushed, err = a.Unpushed(ctx, r); err != nil {
		return s, err
	}
	text, err := os.ReadFile(a.pushFile(r))
	if errors.Is(err, fs.ErrNotExist) {
		return s, nil
	}
	var f pushFailure
	if err == nil {
		err = json.Unmarshal(text, &f)
	}
	if err != nil {
		return s, katprep.Errorf(katprep.Corrupt, "read how the last push ended: %w", err)
	}
	s.Failed, s.Problem = f.At, f.Error
	return s, nil
}
