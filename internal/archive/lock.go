package archive

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/stdevel/katprep"
)

// lockFile is locked by the katprep that writes. It stays when the lock is
// released; its text says who had it.
const lockFile = "katprep/lock"

// lock keeps other katprep processes from writing, until the file is closed.
// It does not keep Git from writing: the references' own locks do.
func (a *Archive) lock(ctx context.Context) (*held, error) {
	if !a.bare {
		return nil, katprep.Errorf(katprep.Invalid, "it is a clone with a working tree, for reading only").
			WithHint("use a bare repository: git clone --bare")
	}
	// An archive that vanished while it was open is not begun anew.
	if _, err := os.Stat(filepath.Join(a.dir, "HEAD")); err != nil {
		return nil, a.absent("write to archive "+a.path, err)
	}
	path := filepath.Join(a.dir, lockFile)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	if err := a.await(ctx, f); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	if err := a.sign(f); err != nil {
		return nil, errors.Join(err, (&held{f}).Close())
	}
	return &held{f}, nil
}

// A held lock is on an open file.
type held struct{ file *os.File }

// Close unlocks before it closes: a child process that is just being started
// may have the file for a moment longer.
func (h *held) Close() error { return errors.Join(unlock(h.file), h.file.Close()) }

// await takes the lock, and waits for it if another process has it.
func (a *Archive) await(ctx context.Context, f *os.File) error {
	end := time.Now().Add(a.opts.LockWait)
	for pause := 2 * time.Millisecond; ; pause = min(2*pause, 25*time.Millisecond) {
		ok, err := tryLock(f)
		if ok || err != nil {
			return err
		}
		if !time.Now().Before(end) {
			return katprep.Errorf(katprep.Locked, "another katprep is writing: %s", holder(f.Name())).
				WithHint("wait until it has ended, or let this one wait for it")
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause):
		}
	}
}

// sign writes into the lock file who has it.
func (a *Archive) sign(f *os.File) error {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown host"
	}
	text := fmt.Sprintf("process %d on %s since %s\n", os.Getpid(), host, a.opts.Now().UTC().Format(time.RFC3339))
	if err := f.Truncate(0); err != nil {
		return err
	}
	_, err = f.WriteAt([]byte(text), 0)
	return err
}

func holder(path string) string {
	text, err := os.ReadFile(path)
	if line := strings.TrimSpace(string(text)); err == nil && line != "" {
		return line
	}
	return "see " + path
}
