package landscape

import (
	"strings"
	"time"
)

// agentRoutes are the actions of katello-agent, which vanished with Katello
// 4.10.
func (s *Server) agentRoutes() []route {
	if s.katelloAt(4, 10) {
		return nil
	}
	const k = "katello"
	return []route{
		{"PUT /api/hosts/{host}/errata/apply", "edit_hosts", k, s.agentErrata},
		{"PUT /api/hosts/{host}/packages/upgrade_all", "edit_hosts", k, s.agentUpgrade},
		{"PUT /api/hosts/bulk/install_content", "edit_hosts", k, s.agentBulk},
	}
}

func (s *Server) agentErrata(c *call) *reply {
	h, bad := s.host(c)
	if bad != nil {
		return bad
	}
	var b struct {
		IDs []string `json:"errata_ids"`
	}
	if bad := c.decode(&b); bad != nil {
		return bad
	}
	return s.agentTask(c, "Actions::Katello::Host::Erratum::Install", (*Server).installErrata, map[string]string{"errata": strings.Join(b.IDs, ",")}, h)
}

func (s *Server) agentUpgrade(c *call) *reply {
	h, bad := s.host(c)
	if bad != nil {
		return bad
	}
	return s.agentTask(c, "Actions::Katello::Host::Update", (*Server).updatePackages, nil, h)
}

func (s *Server) agentBulk(c *call) *reply {
	hosts, bad := s.bulkHosts(c)
	if bad != nil {
		return bad
	}
	var b struct {
		Content []string `json:"content"`
	}
	if bad := c.decode(&b); bad != nil {
		return bad
	}
	return s.agentTask(c, "Actions::BulkAction", (*Server).installErrata, map[string]string{"errata": strings.Join(b.Content, ",")}, hosts...)
}

func (s *Server) agentTask(c *call, label string, do action, inputs map[string]string, hosts ...*host) *reply {
	j := s.newJob(template{name: label, do: do}, c.now.Truncate(time.Second))
	j.agent, j.inputs, j.text, j.user = label, inputs, label, c.user.Login
	s.target(j, hosts)
	s.run(j, c.now)
	return object(202, s.tasks[j.taskID].json())
}
