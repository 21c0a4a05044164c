package foremanapi

import (
	"context"
	"encoding/json"
	"net/url"
	"strconv"
	"strings"

	"github.com/stdevel/katprep"
)

// The states of a job.
const (
	JobSucceeded = 0
	JobFailed    = 1
	JobQueued    = 2
	JobRunning   = 3
	JobCancelled = 4
)

// A Job is a job invocation of remote execution.
type Job struct {
	ID          number            `json:"id"`
	Description text              `json:"description"`
	Status      number            `json:"status"`
	Label       text              `json:"status_label"`
	Total       number            `json:"total"`   // "N/A" while queued
	Pending     number            `json:"pending"` // "N/A" while queued
	StartAt     text              `json:"start_at"`
	Task        object[Task]      `json:"task"`
	Dynflow     object[Task]      `json:"dynflow_task"`
	Targeting   object[Targeting] `json:"targeting"`
}

// Targeting is which hosts a job really concerns.
type Targeting struct {
	Hosts list[JobHost] `json:"hosts"`
}

// A JobHost is a host of a job; Status is there only when asked for.
type JobHost struct {
	ID     number `json:"id"`
	Name   text   `json:"name"`
	Status text   `json:"job_status"` // success, error, running, planned, pending, cancelled, N/A
}

// TaskID returns the ID of the job's task, or "".
func (j *Job) TaskID() string { return string(orElse(j.Task.V.ID, j.Dynflow.V.ID)) }

// Ended reports whether the job is over, well or not.
func (j *Job) Ended() bool {
	return j.Status.Valid && j.Status.N != JobQueued && j.Status.N != JobRunning
}

func orElse[T comparable](v, d T) T {
	var zero T
	if v == zero {
		return d
	}
	return v
}

// A Task is a task of Foreman's task engine.
type Task struct {
	ID        text         `json:"id"`
	Action    text         `json:"action"`
	State     text         `json:"state"`
	Result    text         `json:"result"`
	Humanized object[Said] `json:"humanized"`
}

// Said is what a task says of itself to people.
type Said struct {
	Errors names           `json:"errors"`
	Output json.RawMessage `json:"output"`
}

// Ended reports whether the task will not go on by itself: stopped, or paused
// for a human.
func (k *Task) Ended() bool { return k.State == "stopped" || k.State == "paused" }

// A JobRequest is a job to be made. Its Description carries the marker by
// which it is found again.
type JobRequest struct {
	Template    int64
	Search      string // the hosts, in Foreman's search language
	Inputs      map[string]string
	Description string
	Timeout     int    // seconds for one host; 0: none
	User        string // effective user on the hosts; "": the template's
	Concurrency int    // hosts at once; 0: the server's limit
}

// CreateJob makes a job. It is never sent twice: after an error the job may
// exist nevertheless, see JobsByDescription.
func (c *Client) CreateJob(ctx context.Context, server *Server, r JobRequest) (*Job, error) {
	inv := map[string]any{
		"job_template_id":    r.Template,
		"targeting_type":     "static_query",
		"search_query":       r.Search,
		"inputs":             r.Inputs,
		"description_format": r.Description,
	}
	if r.Timeout > 0 && server.Can(JobTimeout) {
		inv["execution_timeout_interval"] = r.Timeout
	}
	if r.User != "" {
		inv["ssh"] = map[string]any{"effective_user": r.User}
	}
	if r.Concurrency > 0 {
		inv["concurrency_control"] = map[string]any{"concurrency_level": r.Concurrency}
	}
	var j Job
	if err := c.call(ctx, callCreateJob, nil, nil, map[string]any{"job_invocation": inv}, &j); err != nil {
		return nil, err
	}
	if !j.ID.Valid {
		return nil, katprep.Errorf(katprep.Corrupt, "POST %s on %s: the answer names no job", callCreateJob.Path, c.base.Host)
	}
	return &j, nil
}

// Job reads a job with its hosts and, where the version can, the status of
// each.
func (c *Client) Job(ctx context.Context, server *Server, id int64) (*Job, error) {
	q := url.Values{}
	if server.Can(JobHostStatus) {
		q.Set("host_status", "true")
	}
	var j Job
	if err := c.call(ctx, callJob, []string{strconv.FormatInt(id, 10)}, q, nil, &j); err != nil {
		return nil, err
	}
	return &j, nil
}

// JobsByDescription finds jobs by the whole text of their description, the
// newest first, at most 100.
func (c *Client) JobsByDescription(ctx context.Context, description string) ([]Job, error) {
	return c.jobs(ctx, Equal("description", description), func(d string) bool { return d == description })
}

// JobsByPrefix finds jobs by the beginning of their description, the newest
// first, at most 100.
func (c *Client) JobsByPrefix(ctx context.Context, prefix string) ([]Job, error) {
	return c.jobs(ctx, Like("description", prefix+"*"), func(d string) bool { return strings.HasPrefix(d, prefix) })
}

func (c *Client) jobs(ctx context.Context, search string, wanted func(description string) bool) ([]Job, error) {
	q := url.Values{"search": {search}, "order": {"id DESC"}, "per_page": {"100"}}
	page, err := c.page(ctx, callJobs, nil, q, nil)
	if err != nil {
		return nil, err
	}
	var out []Job
	for _, raw := range page.Results {
		var j Job
		if err := json.Unmarshal(raw, &j); err != nil {
			return nil, c.notExpected(callJobs, nil, err)
		}
		if wanted(string(j.Description)) {
			out = append(out, j)
		}
	}
	return out, nil
}

// CancelJob asks the server to stop a job.
func (c *Client) CancelJob(ctx context.Context, id int64) error {
	return c.call(ctx, callCancelJob, []string{strconv.FormatInt(id, 10)}, nil, nil, nil)
}

// JobOutput is what a job wrote on one host.
type JobOutput struct {
	Complete flag `json:"complete"`
	Output   list[struct {
		Type text `json:"output_type"` // stdout, stderr, debug
		Text text `json:"output"`
	}] `json:"output"`
}

// Text returns what was written, in order, untrusted.
func (o *JobOutput) Text(types ...string) string {
	var b strings.Builder
	for _, l := range o.Output.V {
		for _, t := range types {
			if string(l.Type) == t {
				b.WriteString(string(l.Text))
			}
		}
	}
	return b.String()
}

// JobOutput reads what a job wrote on one host.
func (c *Client) JobOutput(ctx context.Context, job, host int64) (*JobOutput, error) {
	var o JobOutput
	args := []string{strconv.FormatInt(job, 10), strconv.FormatInt(host, 10)}
	if err := c.call(ctx, callJobOutput, args, nil, nil, &o); err != nil {
		return nil, err
	}
	return &o, nil
}

// Task reads a task.
func (c *Client) Task(ctx context.Context, id string) (*Task, error) {
	var k Task
	if err := c.call(ctx, callTask, []string{id}, nil, nil, &k); err != nil {
		return nil, err
	}
	return &k, nil
}

// A JobFeature says which template serves a purpose on this server.
type JobFeature struct {
	Label    text   `json:"label"`
	Template number `json:"job_template_id"`
}

// JobFeatures returns the templates by feature label. A feature without a
// template is left out.
func (c *Client) JobFeatures(ctx context.Context) (map[string]int64, error) {
	b, err := c.raw(ctx, callFeatures, nil, nil, nil)
	if err != nil {
		return nil, err
	}
	var features []JobFeature
	if json.Unmarshal(b, &features) != nil { // a page in some versions
		var page Page[JobFeature]
		if err := json.Unmarshal(b, &page); err != nil {
			return nil, c.notExpected(callFeatures, nil, err)
		}
		features = page.Results
	}
	out := map[string]int64{}
	for _, f := range features {
		if f.Template.Valid {
			out[string(f.Label)] = f.Template.N
		}
	}
	return out, nil
}

// TemplateByName finds a job template by the first of the names that exists.
func (c *Client) TemplateByName(ctx context.Context, wanted ...string) (int64, error) {
	for _, name := range wanted {
		q := url.Values{"search": {"name = " + Quote(name)}, "per_page": {"20"}}
		page, err := c.page(ctx, callTemplates, nil, q, nil)
		if err != nil {
			return 0, err
		}
		for _, raw := range page.Results {
			var n Named
			if json.Unmarshal(raw, &n) == nil && n.ID.Valid && string(n.Name) == name {
				return n.ID.N, nil
			}
		}
	}
	return 0, katprep.Errorf(katprep.NotFound, "no job template on %s is called %q", c.base.Host, strings.Join(wanted, `" or "`)).
		WithHint("let the user see it (view_job_templates), or restore the default templates")
}

// AgentErrata asks katello-agent on a host to install errata.
func (c *Client) AgentErrata(ctx context.Context, host int64, errata []string) (*Task, error) {
	return c.agent(ctx, callAgentErrata, host, map[string]any{"errata_ids": errata})
}

// AgentUpgradeAll asks katello-agent on a host to install all updates.
func (c *Client) AgentUpgradeAll(ctx context.Context, host int64) (*Task, error) {
	return c.agent(ctx, callAgentPackages, host, nil)
}

func (c *Client) agent(ctx context.Context, e *Call, host int64, body any) (*Task, error) {
	var k Task
	if err := c.call(ctx, e, []string{strconv.FormatInt(host, 10)}, nil, body, &k); err != nil {
		return nil, err
	}
	if k.ID == "" {
		return nil, katprep.Errorf(katprep.Corrupt, "%s %s on %s: the answer names no task", e.Method, e.Path, c.base.Host)
	}
	return &k, nil
}

// Power asks the compute resource or BMC of a host for a power action: "soft"
// or "reboot".
func (c *Client) Power(ctx context.Context, host int64, action string) error {
	return c.call(ctx, callPower, []string{strconv.FormatInt(host, 10)}, nil, map[string]any{"power_action": action}, nil)
}

// ShowHost reads one host.
func (c *Client) ShowHost(ctx context.Context, id int64) (*Host, error) {
	var h Host
	if err := c.call(ctx, callHost, []string{strconv.FormatInt(id, 10)}, nil, nil, &h); err != nil {
		return nil, err
	}
	return &h, nil
}
