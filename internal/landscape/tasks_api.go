package landscape

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// taskState returns the state and result of a job's parent task.
func (j *job) taskState() (state, result string) {
	switch {
	case j.paused:
		return "paused", "error"
	case j.cancelled:
		return "stopped", "cancelled"
	case !j.started:
		return "scheduled", "pending"
	case j.endedAt.IsZero():
		return "running", "pending"
	case j.agent != "" && j.count("error") > 0:
		return "stopped", "error"
	case j.count("error") > 0:
		return "stopped", "warning"
	}
	return "stopped", "success"
}

func (hj *hostJob) taskState() (state, result string) {
	switch hj.state {
	case "success", "error", "cancelled":
		return "stopped", hj.state
	case "running":
		return "running", "pending"
	}
	return "planned", "pending"
}

func (t *task) json() map[string]any {
	j := t.job
	state, result := j.taskState()
	id, label, started, ended := j.taskID, "Actions::RemoteExecution::RunHostsJob", j.startAt, j.endedAt
	output := map[string]any{"total_count": len(j.hosts), "success_count": j.count("success"), "failed_count": j.count("error"), "pending_count": j.count("pending", "running"), "cancelled_count": j.count("cancelled")}
	input := map[string]any{"job_invocation": map[string]any{"id": j.id, "name": j.template.name, "description": j.text}}
	errs := []string{}
	if j.agent != "" {
		label = j.agent
	}
	if hj := t.host; hj != nil {
		state, result = hj.taskState()
		id, label, started, ended = hj.taskID, "Actions::RemoteExecution::RunHostJob", hj.start, hj.end
		output = map[string]any{"exit_status": hj.exit}
		input["host"] = map[string]any{"id": hj.host.id, "name": hj.host.name}
	}
	if result == "error" {
		errs = append(errs, "Job execution failed")
	}
	progress, duration := 0.0, ""
	if state == "stopped" {
		progress, duration = 1, fmt.Sprintf("%.6f", ended.Sub(started).Seconds())
	}
	return map[string]any{
		"id": id, "label": label, "pending": state != "stopped", "action": j.text, "username": j.user, "started_at": at(started), "ended_at": at(ended),
		"duration": duration, "state": state, "result": result, "progress": progress, "input": input, "output": output, "cli_example": nil, "start_at": at(started),
		"humanized":         map[string]any{"action": j.text, "input": "", "output": "", "errors": errs},
		"available_actions": map[string]any{"cancellable": state == "running", "resumable": state == "paused"},
	}
}

// taskList returns all tasks, newest job first, parents before children.
func (s *Server) taskList() []*task {
	var list []*task
	for _, j := range slices.Backward(s.jobs) {
		list = append(list, s.tasks[j.taskID])
		if j.agent == "" {
			list = append(list, s.children(j)...)
		}
	}
	return list
}

func (s *Server) children(j *job) []*task {
	list := make([]*task, len(j.hosts))
	for i, hj := range j.hosts {
		list[i] = s.tasks[hj.taskID]
	}
	return list
}

var taskFields = fieldsOf(map[string]func(*task) string{
	"id":    func(t *task) string { return fmt.Sprint(t.json()["id"]) },
	"label": func(t *task) string { return fmt.Sprint(t.json()["label"]) },
	"state": func(t *task) string { return fmt.Sprint(t.json()["state"]) },
	"result": func(t *task) string {
		return fmt.Sprint(t.json()["result"])
	},
	"parent_task_id": func(t *task) string {
		if t.host == nil {
			return ""
		}
		return t.job.taskID
	},
})

func (s *Server) listTasks(c *call) *reply {
	all := s.taskList()
	found, err := filter(all, c.q.Get("search"), taskFields)
	if err != nil {
		return badSearch(err)
	}
	return page(c, len(all), found, func(t *task) any { return t.json() })
}

func (s *Server) showTask(c *call) *reply {
	t := s.tasks[c.PathValue("id")]
	if t == nil {
		return noSuch("task", c.PathValue("id"))
	}
	return object(200, t.json())
}

func (s *Server) subTasks(c *call) *reply {
	t := s.tasks[c.PathValue("id")]
	if t == nil {
		return noSuch("task", c.PathValue("id"))
	}
	var list []*task
	if t.host == nil && t.job.agent == "" {
		list = s.children(t.job)
	}
	return page(c, len(list), list, func(t *task) any { return t.json() })
}

func (s *Server) bulkTasks(c *call) *reply {
	var b struct {
		Searches []map[string]any `json:"searches"`
	}
	if bad := c.decode(&b); bad != nil {
		return bad
	}
	list := []any{}
	for _, search := range b.Searches {
		results := []any{}
		if t := s.tasks[fmt.Sprint(search["task_id"])]; t != nil {
			results = append(results, t.json())
		}
		list = append(list, map[string]any{"search_params": search, "results": results})
	}
	return object(200, list)
}

const noPower = "Power operations are not enabled on this host."

func (s *Server) powerState(c *call) *reply {
	h, bad := s.host(c)
	if bad != nil {
		return bad
	}
	state, title := "on", "On"
	if h.down {
		state, title = "off", "Off"
	}
	if !h.virtual {
		return object(200, map[string]any{"id": h.id, "state": "na", "title": "N/A", "statusText": noPower})
	}
	return object(200, map[string]any{"id": h.id, "state": state, "title": title})
}

func (s *Server) power(c *call) *reply {
	h, bad := s.host(c)
	if bad != nil {
		return bad
	}
	var b struct {
		Action string `json:"power_action"`
	}
	if bad := c.decode(&b); bad != nil {
		return bad
	}
	if !h.virtual {
		return fail(422, noPower)
	}
	switch strings.ToLower(b.Action) {
	case "status", "state":
		return object(200, map[string]any{"power": map[bool]string{true: "off", false: "on"}[h.down]})
	case "soft", "reboot", "reset", "cycle":
		s.goDown(h, c.now)
	case "start", "on":
		if h.down && !h.fault.NoBoot {
			s.comeUp(h, c.now.Add(20*time.Second))
		}
	case "stop", "off":
		h.down = true
	default:
		return object(422, map[string]any{"error": "Unknown power action: " + b.Action + ", available methods are start, stop, poweroff, reboot, reset, state, on, off, soft, cycle, status, ready?"})
	}
	return object(200, map[string]any{"power": true})
}
