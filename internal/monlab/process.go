//go:build unix

// Package monlab starts real monitoring systems for tests: on free loopback
// ports, in a temporary directory, as an unprivileged user where the system
// refuses to run as root. A missing one skips the test, see package peers.
//
// A test package starts each system at most once: keep a [Lab] in TestMain.
package monlab

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// A Lab holds the systems of one test package.
type Lab struct {
	mu    sync.Mutex // for tests that run side by side
	dir   string
	stops []func()

	icinga2      *Icinga2
	nagios4      map[Nagios4Options]*Nagios4
	alertmanager *Alertmanager
	zabbix       *Zabbix
}

// Main runs the tests of a package with its labs and stops what they started.
// Its result is the exit code.
func Main(m *testing.M, labs ...*Lab) int {
	for _, l := range labs {
		defer l.stop()
	}
	return m.Run()
}

func (l *Lab) stop() {
	for i := len(l.stops) - 1; i >= 0; i-- {
		l.stops[i]()
	}
	if l.dir != "" {
		os.RemoveAll(l.dir)
	}
}

// folder makes a directory that lives as long as the lab and that other
// users may enter.
func (l *Lab) folder(name string) (string, error) {
	if l.dir == "" {
		dir, err := os.MkdirTemp("", "katprep-lab")
		if err != nil {
			return "", err
		}
		if err := os.Chmod(dir, 0o755); err != nil { // #nosec G302 -- daemons run as other users
			return "", err
		}
		l.dir = dir
	}
	dir := filepath.Join(l.dir, name)
	return dir, os.MkdirAll(dir, 0o755) // #nosec G301
}

// write writes files below dir, making folders.
func write(dir string, files map[string]string) error {
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil { // #nosec G301
			return err
		}
		if err := os.WriteFile(path, []byte(text), 0o755); err != nil { // #nosec G306
			return err
		}
	}
	return nil
}

// An account is whom a daemon runs as.
type account struct {
	name, group string
	cred        *syscall.Credential // nil: ourselves
	uid, gid    int
}

// accountFor returns the named user if we are root, otherwise ourselves.
func accountFor(name string) (account, error) {
	if os.Geteuid() != 0 {
		u, err := user.Current()
		if err != nil {
			return account{}, err
		}
		name = u.Username
	}
	u, err := user.Lookup(name)
	if err != nil {
		return account{}, err
	}
	g, err := user.LookupGroupId(u.Gid)
	if err != nil {
		return account{}, err
	}
	uid, err1 := strconv.ParseUint(u.Uid, 10, 32)
	gid, err2 := strconv.ParseUint(u.Gid, 10, 32)
	a := account{name: u.Username, group: g.Name, uid: int(uid), gid: int(gid)}
	if os.Geteuid() == 0 {
		a.cred = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	}
	return a, errors.Join(err1, err2)
}

// own gives everything below dir to the account.
func (a account) own(dir string) error {
	if a.cred == nil {
		return nil
	}
	return filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Lchown(path, a.uid, a.gid)
	})
}

// guard runs a program until its own input ends, so that a program whose test
// was killed ends too, and then ends what the program left in its process
// group.
const guard = `"$@" & p=$!; cat >/dev/null; kill -TERM $p; wait $p; kill -KILL 0`

// A process is a running daemon.
type process struct {
	cmd   *exec.Cmd
	input io.Closer
	log   string
}

// start starts a daemon in the foreground of its guard; what it prints goes
// to the file.
func start(dir, log string, as account, env []string, name string, args ...string) (*process, error) {
	out, err := os.Create(filepath.Join(dir, log))
	if err != nil {
		return nil, err
	}
	defer out.Close()
	cmd := exec.Command("/bin/sh", append([]string{"-c", guard, "sh", name}, args...)...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, out, out
	cmd.Env = append(os.Environ(), env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Credential: as.cred}
	input, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	return &process{cmd: cmd, input: input, log: out.Name()}, cmd.Start()
}

// stop ends the daemon and waits for it.
func (p *process) stop() {
	p.input.Close()
	done := make(chan struct{})
	go func() { _ = p.cmd.Wait(); close(done) }()
	select {
	case <-done:
	case <-time.After(10 * time.Second):
		_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
		<-done
	}
}

// cpu sums the processor time of the daemon and its children, of Linux only.
func (p *process) cpu() time.Duration {
	const tick = 10 * time.Millisecond // USER_HZ is 100 everywhere
	var ticks int64
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, path := range stats {
		text, err := os.ReadFile(path)
		if err != nil {
			continue // it has ended
		}
		f := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
		if len(f) < 13 || f[2] != strconv.Itoa(p.cmd.Process.Pid) { // its process group
			continue
		}
		for _, n := range f[11:13] {
			v, _ := strconv.ParseInt(n, 10, 64)
			ticks += v
		}
	}
	return time.Duration(ticks) * tick
}

// run runs a program to its end.
func run(dir string, as account, env []string, name string, args ...string) error {
	cmd := exec.Command(name, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: as.cred}
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", name, err, tail(string(out)))
	}
	return nil
}

func tail(s string) string { return s[max(0, len(s)-2000):] }

// freePort returns a port that was free a moment ago.
func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

// lowPort is freePort for programs that refuse ports above 32767.
func lowPort() (int, error) {
	for range 200 {
		port := 12000 + rand.IntN(20000)
		if l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port)); err == nil {
			return port, l.Close()
		}
	}
	return 0, errors.New("no free port below 32768")
}

// wait calls ready until it returns nil.
func wait(what string, limit time.Duration, ready func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	for {
		err := ready(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s did not come up: %w", what, err)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// must fails the test with the end of a daemon's log.
func must(t testing.TB, err error, logs ...string) {
	t.Helper()
	if err == nil {
		return
	}
	for _, l := range logs {
		if text, e := os.ReadFile(l); e == nil {
			t.Logf("%s: %s", l, tail(string(text)))
		}
	}
	t.Fatal(err)
}
