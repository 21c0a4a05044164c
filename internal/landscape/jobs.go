package landscape

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// A job is an invocation of remote execution (or an action of the old agent,
// which has a task only).
type job struct {
	id        int
	n         uint64 // key of the job's randomness
	template  template
	inputs    map[string]string
	text      string // description
	query     string
	level     int // hosts at once; 0: all
	user      string
	startAt   time.Time
	endedAt   time.Time
	scheduled bool // targets are found when it starts
	started   bool
	paused    bool
	cancelled bool
	agent     string // label of an agent task
	hosts     []*hostJob
	taskID    string
}

// A hostJob is the part of a job on one host.
type hostJob struct {
	job    *job
	host   *host
	state  string // N/A pending running success error cancelled
	start  time.Time
	end    time.Time
	exit   int
	output []line
	taskID string
}

type line struct {
	Kind   string  `json:"output_type"`
	Output string  `json:"output"`
	Time   float64 `json:"timestamp"`
}

// A task is what the task API shows of a job or of its part on one host.
type task struct {
	job  *job
	host *hostJob // nil: the parent
}

func (s *Server) newJob(t template, startAt time.Time) *job {
	n := uint64(len(s.jobs) + 1)
	j := &job{id: int(n), n: n, template: t, startAt: startAt, taskID: uuid(mix(s.o.Seed, rTask, n), mix(s.o.Seed, rTask, n, 1))}
	s.jobs = append(s.jobs, j)
	s.tasks[j.taskID] = &task{job: j}
	return j
}

// target adds hosts to a job; those with a fault are left out silently.
func (s *Server) target(j *job, hosts []*host) {
	for _, h := range hosts {
		if h.fault.NotTargeted {
			continue
		}
		hj := &hostJob{job: j, host: h, state: "pending", taskID: uuid(mix(s.o.Seed, rTask, j.n, uint64(h.index)), j.n)}
		j.hosts = append(j.hosts, hj)
		s.tasks[hj.taskID] = &task{job: j, host: hj}
	}
}

// run starts a job: its parts begin at once or in batches.
func (s *Server) run(j *job, now time.Time) {
	if j.cancelled {
		return
	}
	j.started = true
	if s.pause > 0 {
		s.pause--
		j.paused = true
		return
	}
	for i, hj := range j.hosts {
		begin := now.Add(s.clock.takes(time.Second))
		if j.level > 0 {
			begin = begin.Add(s.clock.takes(time.Duration(i/j.level) * 40 * time.Second))
		}
		s.events.add(begin, func(at time.Time) { s.begin(hj, at) })
	}
	if len(j.hosts) == 0 {
		j.endedAt = now
	}
}

func (s *Server) begin(hj *hostJob, now time.Time) {
	if hj.state != "pending" {
		return
	}
	hj.state, hj.start, hj.host.exec = "running", now, 3
	s.events.add(now.Add(s.clock.takes(s.duration(hj))), func(at time.Time) { s.finish(hj, at) })
}

func (s *Server) duration(hj *hostJob) time.Duration {
	if hj.host.down || hj.host.fault.Unreachable {
		return 3 * time.Second
	}
	if hj.job.template.quick {
		return 2 * time.Second
	}
	return time.Duration(15+mix(s.o.Seed, rJob, hj.job.n, uint64(hj.host.index))%25) * time.Second
}

// finish does what the job was to do and records how it ended.
func (s *Server) finish(hj *hostJob, now time.Time) {
	if hj.state != "running" {
		return
	}
	h := hj.host
	hj.end, hj.state = now, "success"
	switch {
	case s.byName[h.name] != h:
		hj.fail(now, "Host has been deleted")
	case h.down || h.fault.Unreachable:
		hj.say(now, "debug", "Error initializing command: RuntimeError - Could not establish connection to remote host using any available authentication method, tried publickey\n")
		hj.fail(now, "StandardError: Job execution failed")
	case h.fault.JobFails:
		hj.say(now, "stderr", "Error: Failed to download metadata for repo 'rhel-baseos': Cannot download repomd.xml\n")
		hj.exit = 1
		hj.fail(now, "Exit status: 1")
	default:
		hj.exit = s.execute(hj, now)
		hj.say(now, "stdout", h.fault.Output)
		if hj.exit != 0 {
			hj.state = "error"
		}
		hj.say(now, "stdout", fmt.Sprintf("Exit status: %d", hj.exit))
	}
	h.exec = btoi(hj.state != "success")
	if !slices.ContainsFunc(hj.job.hosts, func(o *hostJob) bool { return o.end.IsZero() }) {
		hj.job.endedAt = now
	}
}

func (hj *hostJob) fail(at time.Time, why string) {
	hj.state = "error"
	hj.say(at, "stdout", why)
}

func (hj *hostJob) say(at time.Time, kind, text string) {
	if text != "" {
		hj.output = append(hj.output, line{kind, text, float64(at.UnixMilli()) / 1000})
	}
}

// cancel stops what has not ended.
func (s *Server) cancel(j *job, now time.Time) {
	j.cancelled, j.endedAt = true, now
	for _, hj := range j.hosts {
		if hj.end.IsZero() {
			hj.state, hj.end = "cancelled", now
		}
	}
}

// status returns the number and word of a job's state.
func (j *job) status() (int, string) {
	switch {
	case j.cancelled:
		return 4, "cancelled"
	case !j.started:
		return 2, "queued"
	case j.endedAt.IsZero():
		return 3, "running"
	case j.count("error") > 0:
		return 1, "failed"
	}
	return 0, "succeeded"
}

func (j *job) count(states ...string) int {
	n := 0
	for _, hj := range j.hosts {
		n += btoi(slices.Contains(states, hj.state))
	}
	return n
}

// PauseNextJob makes the next n jobs pause with an error before they reach
// any host, as a task does when the server's own machinery fails.
func (s *Server) PauseNextJob(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pause = n
}

// splitList splits a comma or blank separated list.
func splitList(v string) []string {
	return strings.FieldsFunc(v, func(r rune) bool { return strings.ContainsRune(", \n\t", r) })
}
