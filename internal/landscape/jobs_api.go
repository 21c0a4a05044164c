package landscape

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

func (s *Server) actionRoutes() []route {
	const rex, tasks = "foreman_remote_execution", "foreman-tasks"
	return []route{
		{"GET /api/remote_execution_features", "view_remote_execution_features", rex, s.listFeatures},
		{"GET /api/job_templates", "view_job_templates", rex, s.listTemplates},
		{"GET /api/job_templates/{id}", "view_job_templates", rex, s.showTemplate},
		{"POST /api/job_invocations", "create_job_invocations", rex, s.createJob},
		{"GET /api/job_invocations", "view_job_invocations", rex, s.listJobs},
		{"GET /api/job_invocations/{id}", "view_job_invocations", rex, s.showJob},
		{"GET /api/job_invocations/{id}/hosts/{host}", "view_job_invocations", rex, s.jobOutput},
		{"GET /api/job_invocations/{id}/hosts/{host}/raw", "view_job_invocations", rex, s.jobOutputRaw},
		{"GET /api/job_invocations/{id}/outputs", "view_job_invocations", rex, s.jobOutputs},
		{"GET /api/job_invocations/{id}/template_invocations", "view_template_invocations", rex, s.templateInvocations},
		{"POST /api/job_invocations/{id}/cancel", "cancel_job_invocations", rex, s.cancelJob},
		{"POST /api/job_invocations/{id}/rerun", "create_job_invocations", rex, s.rerunJob},
		{"GET /foreman_tasks/api/tasks", "view_foreman_tasks", tasks, s.listTasks},
		{"GET /foreman_tasks/api/tasks/{id}", "view_foreman_tasks", tasks, s.showTask},
		{"GET /foreman_tasks/api/tasks/{id}/sub_tasks", "view_foreman_tasks", tasks, s.subTasks},
		{"POST /foreman_tasks/api/tasks/bulk_search", "view_foreman_tasks", tasks, s.bulkTasks},
		{"GET /api/hosts/{host}/power", "power_hosts", "", s.powerState},
		{"PUT /api/hosts/{host}/power", "power_hosts", "", s.power},
	}
}

func (s *Server) listFeatures(*call) *reply {
	list := []any{}
	for _, t := range s.templates() {
		if t.feature != "" {
			list = append(list, map[string]any{"id": t.id - 180, "label": t.feature, "name": t.feature, "description": t.name, "job_template_id": t.id, "job_template_name": t.name})
		}
	}
	return object(200, list)
}

func templateJSON(t template) map[string]any {
	return map[string]any{"id": t.id, "name": t.name, "job_category": t.category, "provider_type": "script", "snippet": false, "description_format": "%{template_name}"}
}

func (s *Server) listTemplates(c *call) *reply {
	all := s.templates()
	found, err := filter(all, c.q.Get("search"), fieldsOf(map[string]func(template) string{
		"name": func(t template) string { return t.name }, "job_category": func(t template) string { return t.category }, "id": func(t template) string { return itoa(t.id) },
	}))
	if err != nil {
		return badSearch(err)
	}
	return page(c, len(all), found, func(t template) any { return templateJSON(t) })
}

func (s *Server) showTemplate(c *call) *reply {
	id, _ := strconv.Atoi(c.PathValue("id"))
	t, ok := s.templateByID(id)
	if !ok {
		return noSuch("job_template", c.PathValue("id"))
	}
	m := templateJSON(t)
	var inputs []any
	for i, name := range t.inputs {
		inputs = append(inputs, map[string]any{"id": t.id*10 + i, "name": name, "required": name == t.required, "input_type": "user"})
	}
	m["template_inputs"] = inputs
	return object(200, m)
}

// A jobRequest is the body that makes a job.
type jobRequest struct {
	Job struct {
		Feature     string         `json:"feature"`
		TemplateID  any            `json:"job_template_id"`
		Query       *string        `json:"search_query"`
		HostIDs     any            `json:"host_ids"`
		Targeting   string         `json:"targeting_type"`
		Inputs      map[string]any `json:"inputs"`
		Description string         `json:"description_format"`
		Concurrency struct {
			Level int `json:"concurrency_level"`
		} `json:"concurrency_control"`
		Scheduling struct {
			StartAt string `json:"start_at"`
		} `json:"scheduling"`
	} `json:"job_invocation"`
}

func (s *Server) createJob(c *call) *reply {
	var b jobRequest
	if bad := c.decode(&b); bad != nil {
		return bad
	}
	t, bad := s.pickTemplate(&b)
	if bad != nil {
		return bad
	}
	inputs, bad := checkInputs(t, b.Job.Inputs)
	if bad != nil {
		return bad
	}
	start, err := startTime(b.Job.Scheduling.StartAt, c.now)
	if err != nil {
		return fail(422, err.Error())
	}
	hosts, query, bad := s.targets(c, &b)
	if bad != nil {
		return bad
	}
	j := s.newJob(t, start)
	j.inputs, j.query, j.level, j.user = inputs, query, b.Job.Concurrency.Level, c.user.Login
	j.text = describeJob(cmp.Or(b.Job.Description, t.name), t, inputs)
	if start.After(c.now) {
		j.scheduled = true
		s.events.add(start, func(at time.Time) { s.target(j, hosts); s.run(j, at) })
	} else {
		s.target(j, hosts)
		s.run(j, c.now)
	}
	return object(201, s.jobJSON(c, j, false))
}

func (s *Server) pickTemplate(b *jobRequest) (template, *reply) {
	id, _ := strconv.Atoi(fmt.Sprint(b.Job.TemplateID))
	if b.Job.Feature != "" && id != 0 {
		return template{}, fail(500, "Internal Server Error: the server was unable to finish the request. This may be caused by unavailability of some required service, incorrect API call or a server-side bug.")
	}
	if t, ok := s.templateByID(id); ok {
		return t, nil
	}
	if t, ok := s.templateByFeature(b.Job.Feature); ok {
		return t, nil
	}
	shown := ""
	if id != 0 {
		shown = itoa(id)
	}
	return template{}, fail(404, "Template with id '"+shown+"' was not found")
}

func checkInputs(t template, given map[string]any) (map[string]string, *reply) {
	inputs := map[string]string{}
	for name, v := range given {
		if !slices.Contains(t.inputs, name) {
			return nil, fail(500, fmt.Sprintf("Unknown input %s for template %s", name, t.name))
		}
		if v != nil {
			inputs[name] = fmt.Sprint(v)
		}
	}
	if t.required != "" && inputs[t.required] == "" {
		return nil, fail(500, fmt.Sprintf("Validation failed: Pattern template invocations input values value can't be blank (%s)", t.required))
	}
	return inputs, nil
}

func startTime(v string, now time.Time) (time.Time, error) {
	if v == "" {
		return now, nil
	}
	for _, layout := range []string{stamp, time.RFC3339, "2006-01-02 15:04:05 -0700", time.DateTime, "2006-01-02 15:04"} {
		if t, err := time.Parse(layout, v); err == nil {
			return latest(t, now), nil
		}
	}
	return now, fmt.Errorf("start_at: %s is not a valid time", v)
}

// targets finds the hosts of a job. Old remote execution ignores the query
// of a feature and wants host_ids.
func (s *Server) targets(c *call, b *jobRequest) ([]*host, string, *reply) {
	hosts := slices.DeleteFunc(s.hostList(c), func(h *host) bool { return false })
	if b.Job.HostIDs != nil && (b.Job.Query == nil || b.Job.Feature != "" && !s.foremanAt(2, 5)) {
		ids, isList := b.Job.HostIDs.([]any)
		if isList {
			want := map[string]bool{}
			for _, id := range ids {
				want[fmt.Sprint(id)] = true
			}
			found := slices.DeleteFunc(hosts, func(h *host) bool { return !want[itoa(h.id)] })
			return found, "", nil
		}
		found, err := s.searchHosts(hosts, fmt.Sprint(b.Job.HostIDs))
		if err != nil {
			return nil, "", badSearch(err)
		}
		return found, fmt.Sprint(b.Job.HostIDs), nil
	}
	if b.Job.Query == nil || *b.Job.Query == "" || b.Job.Feature != "" && !s.foremanAt(2, 5) {
		return nil, "", fail(500, "Validation failed: Targeting search query can't be blank")
	}
	found, err := s.searchHosts(hosts, *b.Job.Query)
	if err != nil {
		return nil, "", badSearch(err)
	}
	return found, *b.Job.Query, nil
}

func describeJob(format string, t template, inputs map[string]string) string {
	format = strings.ReplaceAll(format, "%{template_name}", t.name)
	for name, v := range inputs {
		format = strings.ReplaceAll(format, "%{"+name+"}", v)
	}
	return format
}

func (s *Server) jobJSON(c *call, j *job, hostStatus bool) map[string]any {
	status, label := j.status()
	m := map[string]any{
		"id": j.id, "description": j.text, "job_category": j.template.category, "targeting_id": j.id, "status": status, "status_label": label,
		"start_at": at(j.startAt), "ssh_user": nil, "time_to_pickup": nil, "template_id": j.template.id, "template_name": j.template.name,
		"effective_user": "root", "succeeded": j.count("success"), "failed": j.count("error"), "pending": j.count("pending", "running"),
		"cancelled": j.count("cancelled"), "total": len(j.hosts), "missing": 0, "total_hosts": len(j.hosts),
	}
	if !j.started && !j.cancelled {
		m["total"], m["pending"] = "N/A", "N/A"
	}
	taskState, _ := j.taskState()
	ref := map[string]any{"id": j.taskID, "state": taskState}
	m["dynflow_task"], m["task"] = ref, ref
	hosts := []any{}
	for _, hj := range j.hosts {
		h := map[string]any{"name": hj.host.name, "id": hj.host.id, "display_name": hj.host.name}
		if hostStatus {
			h["job_status"] = hj.state
		}
		hosts = append(hosts, h)
	}
	m["targeting"] = map[string]any{"bookmark_id": nil, "search_query": j.query, "targeting_type": "static_query", "user_id": 4, "randomized_ordering": nil, "status": label, "hosts": hosts}
	return m
}

func (s *Server) jobList() []*job {
	return slices.DeleteFunc(slices.Clone(s.jobs), func(j *job) bool { return j.agent != "" })
}

func (s *Server) listJobs(c *call) *reply {
	all := s.jobList()
	found, err := filter(all, c.q.Get("search"), fieldsOf(map[string]func(*job) string{
		"id": func(j *job) string { return itoa(j.id) }, "description": func(j *job) string { return j.text },
		"status": func(j *job) string { _, l := j.status(); return l }, "job_category": func(j *job) string { return j.template.category },
	}))
	if err != nil {
		return badSearch(err)
	}
	if strings.EqualFold(c.q.Get("order"), "id DESC") || c.q.Get("order") == "" {
		found = slices.Clone(found)
		slices.Reverse(found)
	}
	return page(c, len(all), found, func(j *job) any {
		m := s.jobJSON(c, j, false)
		delete(m["targeting"].(map[string]any), "hosts")
		return m
	})
}

func (s *Server) job(c *call) (*job, *reply) {
	id, _ := strconv.Atoi(c.PathValue("id"))
	for _, j := range s.jobs {
		if j.id == id && j.agent == "" {
			return j, nil
		}
	}
	return nil, noSuch("job_invocation", c.PathValue("id"))
}

func (s *Server) showJob(c *call) *reply {
	j, bad := s.job(c)
	if bad != nil {
		return bad
	}
	return object(200, s.jobJSON(c, j, c.q.Get("host_status") == "true" || c.q.Get("host_status") == "1"))
}

func (s *Server) hostJob(c *call) (*hostJob, *reply) {
	j, bad := s.job(c)
	if bad != nil {
		return nil, bad
	}
	key := c.PathValue("host")
	for _, hj := range j.hosts {
		if itoa(hj.host.id) == key || hj.host.name == key {
			return hj, nil
		}
	}
	return nil, noSuch("host", key)
}

func (hj *hostJob) json() map[string]any {
	done := !hj.end.IsZero()
	out := hj.output
	if out == nil {
		out = []line{}
	}
	return map[string]any{"complete": done, "refresh": !done, "output": out}
}

func (s *Server) jobOutput(c *call) *reply {
	hj, bad := s.hostJob(c)
	if bad != nil {
		return bad
	}
	return object(200, hj.json())
}

func (s *Server) jobOutputRaw(c *call) *reply {
	hj, bad := s.hostJob(c)
	if bad != nil {
		return bad
	}
	m := hj.json()
	var b strings.Builder
	for _, l := range hj.output {
		b.WriteString(l.Output)
	}
	m["output"] = b.String()
	return object(200, m)
}

func (s *Server) jobOutputs(c *call) *reply {
	j, bad := s.job(c)
	if bad != nil {
		return bad
	}
	hosts := make([]*host, len(j.hosts))
	for i, hj := range j.hosts {
		hosts[i] = hj.host
	}
	found, err := s.searchHosts(hosts, c.q.Get("search_query"))
	if err != nil {
		return badSearch(err)
	}
	list := []any{}
	for _, hj := range j.hosts {
		if slices.Contains(found, hj.host) {
			m := hj.json()
			m["host_id"] = hj.host.id
			list = append(list, m)
		}
	}
	return object(200, map[string]any{"outputs": list})
}

func (s *Server) templateInvocations(c *call) *reply {
	j, bad := s.job(c)
	if bad != nil {
		return bad
	}
	return page(c, len(j.hosts), j.hosts, func(hj *hostJob) any {
		return map[string]any{"id": j.id*100_000 + hj.host.id, "template_id": j.template.id, "template_name": j.template.name, "job_invocation_id": j.id,
			"effective_user": "root", "host_id": hj.host.id, "host_name": hj.host.name, "run_host_job_task_id": hj.taskID, "input_values": []any{}}
	})
}

func (s *Server) cancelJob(c *call) *reply {
	j, bad := s.job(c)
	if bad != nil {
		return bad
	}
	if !j.endedAt.IsZero() {
		return fail(422, "The job could not be cancelled.")
	}
	s.cancel(j, c.now)
	return object(200, map[string]any{"cancelled": true, "id": j.id})
}

func (s *Server) rerunJob(c *call) *reply {
	old, bad := s.job(c)
	if bad != nil {
		return bad
	}
	var hosts []*host
	for _, hj := range old.hosts {
		if failedOnly := c.param("failed_only"); hj.state == "error" || failedOnly != "1" && failedOnly != "true" {
			hosts = append(hosts, hj.host)
		}
	}
	j := s.newJob(old.template, c.now)
	j.inputs, j.text, j.query, j.user = old.inputs, old.text, old.query, c.user.Login
	s.target(j, hosts)
	s.run(j, c.now)
	return object(201, s.jobJSON(c, j, false))
}
