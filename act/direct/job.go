package direct

import (
	"context"
	_ "embed"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/act"
	"github.com/stdevel/katprep/internal/inventory"
	"github.com/stdevel/katprep/internal/probe"
)

//go:embed job.sh
var jobScript string

//go:embed run.sh
var runScript string

// maxOutput is what is kept of each end of a job's output.
const maxOutput = 16 << 10

// A job is a script that runs on a host on its own.
type job struct {
	marker act.Marker
	script string
	env    map[string]string
	stdin  []byte
	user   string
	limit  time.Duration // 0: none
	max    int
}

// status is what a host says of a job.
type status struct {
	state   string // none, running, ended, lost
	exit    int
	took    time.Duration
	late    bool
	started string
	uid     string
	output  string
}

// jobName is the folder of a marker: markers may hold characters that folders
// should not.
func jobName(m act.Marker) (string, error) {
	if err := m.Check(); err != nil {
		return "", err
	}
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_' || r == '.' {
			return r
		}
		return '+'
	}, string(m)), nil
}

// text is the whole script for one question about a job.
func (j job) text(mark string, start bool, wait int) (string, error) {
	name, err := jobName(j.marker)
	if err != nil {
		return "", err
	}
	if j.max <= 0 {
		j.max = maxOutput
	}
	do, write := "poll", ""
	if start {
		do = "start"
		list := [][2]string{{"run", runScript}, {"script", j.script}, {"stdin", string(j.stdin)}, {"env", ""}, {"options", ""}}
		if list[3][1], err = environment(j.env); err != nil {
			return "", err
		}
		list[4][1] = fmt.Sprintf("user=%s\nlimit=%d\n", quote(j.user), int((j.limit+time.Second-1)/time.Second))
		for _, f := range list {
			if strings.ContainsRune(f[1], 0) {
				return "", katprep.Errorf(katprep.Invalid, "the script or its input holds a NUL byte")
			}
		}
		write = files(list)
	}
	head := fmt.Sprintf("KP_MARK=%s KP_DO=%s KP_JOB=%s KP_WAIT=%d KP_MAX=%d\n", mark, do, quote(name), wait, j.max)
	// One block, read whole before anything runs.
	return "{\n" + head + write + jobScript + "\nmain </dev/null\nexit\n}\n", nil
}

// environment writes assignments; names are checked.
func environment(env map[string]string) (string, error) {
	var b strings.Builder
	for _, k := range sortedKeys(env) {
		for i, c := range []byte(k) {
			if c != '_' && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') && (i == 0 || c < '0' || c > '9') {
				return "", katprep.Errorf(katprep.Invalid, "%.60q is no name of a variable", k)
			}
		}
		if k == "" {
			return "", katprep.Errorf(katprep.Invalid, "a variable has no name")
		}
		fmt.Fprintf(&b, "%s=%s\n", k, quote(env[k]))
	}
	return b.String(), nil
}

func sortedKeys(m map[string]string) []string {
	var keys []string
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// query asks a host about a job, starting it first if start is set.
func (j job) query(ctx context.Context, sh shell, start bool, wait int) (status, error) {
	mark := probe.NewMark()
	script, err := j.text(mark, start, wait)
	if err != nil {
		return status{}, err
	}
	out, err := ask(ctx, sh, mark, script)
	if err != nil {
		return status{}, err
	}
	s, err := parseStatus(out)
	if err == nil && start && s.state == "none" {
		err = katprep.Errorf(katprep.Denied, "start the job: no folder can be made for it")
	}
	return s, err
}

func parseStatus(out *probe.Output) (status, error) {
	kv := map[string]string{}
	for line := range strings.Lines(out.Data("job")) {
		if k, v, ok := strings.Cut(strings.TrimSpace(line), "="); ok {
			kv[k] = v
		}
	}
	if e := kv["error"]; e != "" {
		return status{}, katprep.Errorf(katprep.Denied, "start the job: %s", probe.Clean(e))
	}
	s := status{state: kv["state"], started: probe.Clean(kv["started"]), uid: kv["uid"]}
	if f := strings.Fields(kv["result"]); len(f) == 3 {
		s.exit, _ = strconv.Atoi(f[0])
		seconds, _ := strconv.Atoi(f[1])
		s.took, s.late = time.Duration(seconds)*time.Second, f[2] == "1"
	} else if s.state == "ended" {
		s.state = "lost" // an empty result: the disk was full
	}
	size, _ := strconv.Atoi(kv["size"])
	head, tail := out.Data("head"), out.Data("tail")
	s.output = head + tail
	if left := size - len(head) - len(tail); left > 0 && tail != "" {
		s.output = head + fmt.Sprintf("\n[… %d bytes left out …]\n", left) + tail
	}
	if s.state == "running" {
		s.output = out.Data("latest")
	}
	return s, nil
}

// follow waits for a job to end. A connection that breaks is made again for
// as long as Options.Connect says; the job does not mind.
func (d *Direct) follow(ctx context.Context, h inventory.Host, sh shell, j job) (status, error) {
	lastAnswer := time.Now()
	for {
		s, err := j.query(ctx, sh, false, 30)
		switch {
		case err == nil && s.state != "running":
			return s, nil
		case err == nil:
			lastAnswer = time.Now()
			if d.o.Output != nil && s.output != "" {
				d.o.Output(h.Name, probe.Clean(s.output))
			}
			continue
		case ctx.Err() != nil:
			return status{}, katprep.Errorf(katprep.Unreachable, "%s: not waited any longer, the job goes on: %w", h.Name, context.Cause(ctx))
		case katprep.KindOf(err) != katprep.Unreachable || time.Since(lastAnswer) > d.o.Connect:
			return status{}, err
		}
		sh.Close()
		if err := sleep(ctx, d.o.Poll); err != nil {
			return status{}, err
		}
		if again, err := d.open(ctx, h); err == nil {
			sh = again
			defer again.Close()
		}
	}
}

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return katprep.Errorf(katprep.Unreachable, "wait: %w", context.Cause(ctx))
	case <-time.After(d):
		return nil
	}
}
