// Package hook runs scripts on the controller: bounded in time, with their
// children, and in output, and so that the outcome is found again when the
// process that started a script was killed.
package hook

import (
	"cmp"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/act"
)

const (
	defaultTimeout = 5 * time.Minute
	grace          = 10 * time.Second // between TERM and KILL
	drain          = 2 * time.Second  // for output after the script's end
)

// A Runner runs scripts on this machine.
type Runner struct {
	// Dir is where scripts and their outcomes are kept until Forget; it is
	// made if it is not there. It must not be shared between machines.
	Dir string
	// Path is the PATH of scripts; empty is a usual one.
	Path string
	// Mask replaces secrets in outputs; nil is none.
	Mask func(string) string
}

// wrapper runs the script in "$1" with what follows. Whoever makes the
// directory "go" first decides whether the script ever runs: the wrapper, or
// somebody who looks for it after a crash.
const wrapper = `cd "$1" || exit 126
shift
mkdir go 2>/dev/null || exit 126
echo $$ >pid
cd "$KATPREP_HOOK_CWD" || exit 126
dir=$KATPREP_HOOK_DIR
unset KATPREP_HOOK_DIR KATPREP_HOOK_CWD
"$@"
rc=$?
echo $rc >"$dir/rc.new" && mv "$dir/rc.new" "$dir/rc"
exit $rc
`

// Identify says that scripts run on this machine.
func (r *Runner) Identify(ctx context.Context) (act.Identity, error) {
	if _, err := exec.LookPath("/bin/sh"); err != nil {
		return act.Identity{}, katprep.Errorf(katprep.NotFound, "find a shell for hooks: %w", err)
	}
	return act.Identity{Product: "this machine"}, ctx.Err()
}

// Run keeps the contract of [act.Hook]. A script without "#!" runs in sh -eu.
// What is left of its process group when it ends is killed.
func (r *Runner) Run(ctx context.Context, t act.Target, s act.Script) (act.ScriptOutcome, error) {
	if err := ctx.Err(); err != nil {
		return act.ScriptOutcome{}, err
	}
	dir, err := r.prepare(t, s)
	if err != nil {
		return act.ScriptOutcome{}, katprep.Errorf(katprep.KindOf(err), "prepare hook %q: %w", s.Name, err)
	}
	cmd, err := r.command(dir, s)
	if err != nil {
		return act.ScriptOutcome{}, katprep.Errorf(katprep.KindOf(err), "start hook %q: %w", s.Name, err)
	}
	o, err := r.wait(ctx, cmd, s)
	if err != nil {
		return o, katprep.Errorf(katprep.KindOf(err), "hook %q: %w", s.Name, err)
	}
	return o, nil
}

// dirOf is the directory of one script on behalf of one host.
func (r *Runner) dirOf(t act.Target, m act.Marker) string {
	return filepath.Join(r.Dir, digest(t.Host.Source, t.Host.ID, t.Host.Name, string(m)))
}

func (r *Runner) prepare(t act.Target, s act.Script) (string, error) {
	if err := s.Marker.Check(); err != nil {
		return "", err
	}
	dir := r.dirOf(t, s.Marker)
	if err := os.MkdirAll(r.Dir, 0o700); err != nil {
		return "", err
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		if errors.Is(err, os.ErrExist) {
			return "", katprep.Errorf(katprep.Conflict, "the script %s was started before", s.Marker)
		}
		return "", err
	}
	return dir, os.WriteFile(filepath.Join(dir, "script"), []byte(s.Text), 0o700)
}

var variable = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

func (r *Runner) command(dir string, s act.Script) (*exec.Cmd, error) {
	args := []string{"-c", wrapper, "katprep-hook", dir}
	script := filepath.Join(dir, "script")
	if strings.HasPrefix(s.Text, "#!") {
		args = append(args, script)
	} else {
		args = append(args, "/bin/sh", "-eu", script)
	}
	cmd := exec.Command("/bin/sh", args...)
	cmd.Dir = "/"
	cmd.Env = []string{
		"LC_ALL=C", "HOME=" + dir, "KATPREP_HOOK_DIR=" + dir, "KATPREP_HOOK_CWD=/",
		"PATH=" + cmp.Or(r.Path, "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"),
	}
	for k, v := range s.Env {
		if !variable.MatchString(k) || strings.ContainsRune(v, 0) {
			return nil, katprep.Errorf(katprep.Invalid, "environment variable %q", k)
		}
		cmd.Env = append(cmd.Env, k+"="+v)
	}
	return cmd, asUser(cmd, dir, s.User)
}

// wait starts the command and returns when it has ended by itself or was
// killed, because its time was up or ctx ended.
func (r *Runner) wait(ctx context.Context, cmd *exec.Cmd, s act.Script) (act.ScriptOutcome, error) {
	out := act.NewExcerpt(s.Max)
	cmd.Stdout, cmd.Stderr, cmd.WaitDelay = out, out, drain
	if len(s.Stdin) > 0 {
		cmd.Stdin = strings.NewReader(string(s.Stdin))
	}
	ownGroup(cmd)
	started := time.Now()
	if err := cmd.Start(); err != nil {
		return act.ScriptOutcome{}, err
	}
	timedOut, err := r.supervise(ctx, cmd, cmp.Or(s.Timeout, defaultTimeout))
	o := act.ScriptOutcome{Exit: exitCode(cmd), TimedOut: timedOut, Took: time.Since(started), Output: out.String()}
	if r.Mask != nil {
		o.Output = r.Mask(o.Output)
	}
	return o, err
}

func (r *Runner) supervise(ctx context.Context, cmd *exec.Cmd, limit time.Duration) (timedOut bool, err error) {
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	timer := time.NewTimer(limit)
	defer timer.Stop()
	defer killGroup(cmd, true)
	select {
	case err := <-ended:
		return false, waitError(err)
	case <-timer.C:
		timedOut = true
	case <-ctx.Done():
	}
	killGroup(cmd, false)
	wait := grace
	if !timedOut {
		wait = drain // an interrupted run must end soon
	}
	late := time.NewTimer(wait)
	defer late.Stop()
	select {
	case <-ended:
	case <-late.C:
		killGroup(cmd, true)
		<-ended
	}
	return timedOut, nil // interrupted or not, it is known how it ended
}

// waitError drops what the outcome says anyway.
func waitError(err error) error {
	if _, exited := errors.AsType[*exec.ExitError](err); exited || errors.Is(err, exec.ErrWaitDelay) || errors.Is(err, io.ErrClosedPipe) || brokenPipe(err) {
		return nil // a script need not read its standard input
	}
	return err
}

func exitCode(cmd *exec.Cmd) int {
	if cmd.ProcessState == nil {
		return -1
	}
	return cmd.ProcessState.ExitCode()
}

// FindScript keeps the contract of [act.ScriptFinder]. A script that was
// about to start and did not is kept from starting, and is not found.
func (r *Runner) FindScript(ctx context.Context, t act.Target, m act.Marker) (o act.ScriptOutcome, ended, found bool, err error) {
	if err := ctx.Err(); err != nil {
		return o, false, false, err
	}
	dir := r.dirOf(t, m)
	switch err := os.Mkdir(filepath.Join(dir, "go"), 0o700); {
	case err == nil, errors.Is(err, os.ErrNotExist):
		return o, false, false, nil
	case !errors.Is(err, os.ErrExist):
		return o, false, false, katprep.Errorf(katprep.Internal, "look for script %s: %w", m, err)
	}
	rc, err := os.ReadFile(filepath.Join(dir, "rc"))
	if err == nil {
		o.Exit, err = strconv.Atoi(strings.TrimSpace(string(rc)))
		return o, true, err == nil, err
	}
	pid, _ := os.ReadFile(filepath.Join(dir, "pid"))
	if n, err := strconv.Atoi(strings.TrimSpace(string(pid))); err == nil && groupLives(n, dir) {
		return o, false, true, nil
	}
	return o, false, true, katprep.Errorf(katprep.Unreachable, "script %s was started, and nobody knows how it ended", m)
}

// Forget removes what is kept of scripts of other runs that ended.
func (r *Runner) Forget(before time.Time) error {
	entries, err := os.ReadDir(r.Dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	for _, e := range entries {
		if info, ierr := e.Info(); ierr == nil && info.ModTime().Before(before) && len(e.Name()) == digestLen {
			err = errors.Join(err, os.RemoveAll(filepath.Join(r.Dir, e.Name())))
		}
	}
	return err
}
