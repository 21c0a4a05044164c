package foreman

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/act"
	"github.com/stdevel/katprep/internal/foremanapi"
)

// An order is a job to be made for hosts.
type order struct {
	template int64
	inputs   map[string]string
	purpose  string // one word: what the marker's job does
	marker   act.Marker
	timeout  time.Duration // for one host
	user     string
	only     int64  // host of a job for one host: many hosts can have the same marker
	nonce    string // of one of many jobs with a marker
}

// description is the job's name on the server: marker, purpose, host or nonce.
func (o order) description() string {
	d := string(o.marker) + " " + o.purpose
	if o.only != 0 {
		d += " " + strconv.FormatInt(o.only, 10)
	}
	if o.nonce != "" {
		d += " " + o.nonce
	}
	return d
}

// send makes the job and returns it with the hosts that it really targets.
// If the answer gets lost, the job is looked for by its description: it is
// never sent twice.
func (a *Actor) send(ctx context.Context, o order, hosts []host) (*foremanapi.Job, error) {
	server, err := a.about(ctx)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, h := range hosts {
		names = append(names, h.name)
	}
	j, err := a.api.CreateJob(ctx, server, foremanapi.JobRequest{
		Template: o.template, Search: "name ^ (" + strings.Join(names, ", ") + ")", Inputs: o.inputs,
		Description: o.description(), Timeout: int(orElse(o.timeout, a.o.JobTimeout).Seconds()), User: o.user,
	})
	if err != nil {
		if j, err = a.lost(ctx, o, err); err != nil {
			return nil, err
		}
	}
	if !j.Targeting.V.Hosts.Given || len(j.Targeting.V.Hosts.V) == 0 {
		if j, err = a.api.Job(ctx, server, j.ID.N); err != nil {
			return nil, err
		}
	}
	return j, a.tooMany(ctx, j, hosts)
}

// lost decides what became of a job whose answer did not come.
func (a *Actor) lost(ctx context.Context, o order, cause error) (*foremanapi.Job, error) {
	if status := foremanapi.StatusOf(cause); status >= 400 && status < 500 || a.api.Refused() != nil || ctx.Err() != nil {
		return nil, cause // the server said no, or we stopped
	}
	for range 3 {
		if err := sleep(ctx, a.o.Poll); err != nil {
			break
		}
		jobs, err := a.api.JobsByDescription(ctx, o.description())
		if err == nil && len(jobs) > 0 {
			return &jobs[0], nil
		}
	}
	return nil, fmt.Errorf("%w; no job %q is there", cause, o.description())
}

// tooMany stops a job that concerns hosts nobody asked for.
func (a *Actor) tooMany(ctx context.Context, j *foremanapi.Job, hosts []host) error {
	for _, t := range j.Targeting.V.Hosts.V {
		if !slices.ContainsFunc(hosts, func(h host) bool { return t.ID.Valid && h.id == t.ID.N }) {
			err := katprep.Errorf(katprep.Conflict, "job %d targets host %q, which was not asked for", j.ID.N, t.Name)
			return errors.Join(err, a.api.CancelJob(ctx, j.ID.N))
		}
	}
	return nil
}

func targets(j *foremanapi.Job, id int64) bool {
	return slices.ContainsFunc(j.Targeting.V.Hosts.V, func(t foremanapi.JobHost) bool { return t.ID.Valid && t.ID.N == id })
}

// job describes a job to the engine.
func (a *Actor) job(jobs ...*foremanapi.Job) act.Job {
	var ids []string
	var out act.Job
	for _, j := range jobs {
		ids = append(ids, strconv.FormatInt(j.ID.N, 10))
		for _, h := range j.Targeting.V.Hosts.V {
			if id := a.hostID(h.ID.N); h.ID.Valid && !slices.Contains(out.Hosts, id) {
				out.Hosts = append(out.Hosts, id)
			}
		}
	}
	out.ID = strings.Join(ids, ",")
	return out
}

// await looks at a job until it has ended, for all hosts or for the one host
// if that is given. A task that is paused waits for a person and will not end.
func (a *Actor) await(ctx context.Context, id, only int64) (*foremanapi.Job, error) {
	return a.watch(ctx, id, func(j *foremanapi.Job) bool { return only != 0 && ended(statusOf(j, only)) })
}

// watch looks at a job until it has ended, or enough of it has.
func (a *Actor) watch(ctx context.Context, id int64, enough func(*foremanapi.Job) bool) (*foremanapi.Job, error) {
	server, err := a.about(ctx)
	if err != nil {
		return nil, err
	}
	pause := a.o.Poll
	for {
		j, err := a.api.Job(ctx, server, id)
		if err != nil {
			return nil, err
		}
		if enough(j) || j.Ended() {
			return j, nil
		}
		if err := a.paused(ctx, j); err != nil {
			return j, err
		}
		if err := sleep(ctx, pause); err != nil {
			return j, fmt.Errorf("job %d has not ended: %w", id, err)
		}
		pause = min(2*pause, max(30*time.Second, a.o.Poll))
	}
}

// paused returns an error for a job whose task waits for a person.
func (a *Actor) paused(ctx context.Context, j *foremanapi.Job) error {
	state := orElse(j.Task.V.State, j.Dynflow.V.State)
	if state != "paused" {
		return nil
	}
	why := "the task is paused"
	if task, err := a.api.Task(ctx, j.TaskID()); err == nil && len(task.Humanized.V.Errors) > 0 {
		why += ": " + excerpt(strings.Join(task.Humanized.V.Errors, "; "), 300)
	}
	return katprep.Errorf(katprep.Conflict, "job %d: %s", j.ID.N, why).WithHint("resume or cancel task %s on %s", j.TaskID(), a.api.Host())
}

// statusOf is the server's word for a host's part of a job, "" if it says
// none.
func statusOf(j *foremanapi.Job, id int64) string {
	for _, h := range j.Targeting.V.Hosts.V {
		if h.ID.Valid && h.ID.N == id {
			return string(h.Status)
		}
	}
	return ""
}

func ended(status string) bool {
	return status == "success" || status == "error" || status == "cancelled"
}

// outcome says what became of one host of a job that has ended.
func (a *Actor) outcome(ctx context.Context, j *foremanapi.Job, id int64) error {
	if !targets(j, id) {
		return katprep.Errorf(katprep.Conflict, "job %d does not target the host", j.ID.N)
	}
	status := statusOf(j, id)
	if !ended(status) && j.Ended() { // an old server that does not tell
		switch j.Status.N {
		case foremanapi.JobSucceeded:
			status = "success"
		case foremanapi.JobCancelled:
			status = "cancelled"
		default:
			return a.byOutput(ctx, j, id)
		}
	}
	switch status {
	case "success":
		return nil
	case "cancelled":
		return katprep.Errorf(katprep.Conflict, "job %d was cancelled", j.ID.N)
	case "error":
		return a.failure(ctx, j, id)
	}
	return katprep.Errorf(katprep.Unreachable, "job %d: nobody says how it ended on the host (%s)", j.ID.N, orElse(status, "no status"))
}

// byOutput judges a host of a failed job by the exit status that remote
// execution writes after a script.
func (a *Actor) byOutput(ctx context.Context, j *foremanapi.Job, id int64) error {
	o, err := a.api.JobOutput(ctx, j.ID.N, id)
	if err != nil {
		return err
	}
	if bool(o.Complete) && strings.HasSuffix(strings.TrimSpace(o.Text("stdout", "stderr", "debug")), "Exit status: 0") {
		return nil
	}
	return a.failure(ctx, j, id)
}

// failure is the error of a host on which a job failed, with the end of what
// it wrote.
func (a *Actor) failure(ctx context.Context, j *foremanapi.Job, id int64) error {
	said := "no output"
	if o, err := a.api.JobOutput(ctx, j.ID.N, id); err == nil {
		if text := strings.TrimSpace(o.Text("stdout", "stderr", "debug")); text != "" {
			said = excerpt(text, 400)
		}
	}
	return katprep.Errorf(katprep.Conflict, "job %d failed on the host: %s", j.ID.N, said)
}

// excerpt is the end of untrusted text as one line.
func excerpt(s string, limit int) string {
	s = strings.Join(strings.FieldsFunc(s, func(r rune) bool { return r <= ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 }), " ")
	if len(s) > limit {
		s = "… " + strings.ToValidUTF8(s[len(s)-limit:], "")
	}
	return s
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
