package landscape

import (
	"net/http"
	"slices"

	"github.com/stdevel/katprep"
)

// routes lists everything that the server answers, with the permission that
// it needs.
func (s *Server) routes() *http.ServeMux {
	m := http.NewServeMux()
	for _, r := range slices.Concat(s.coreRoutes(), s.contentRoutes(), s.placeRoutes(), s.actionRoutes(), s.agentRoutes(), s.reportRoutes(), s.configReportRoutes()) {
		if r.plugin == "" || s.hasPlugin(r.plugin) {
			m.Handle(r.pattern, guard(r.permission, r.handler))
		}
	}
	return m
}

type route struct {
	pattern    string
	permission string
	plugin     string
	handler    handler
}

// hasPlugin reports whether a plugin is installed.
func (s *Server) hasPlugin(plugin string) bool { return slices.Contains(s.o.Plugins, plugin) }

func (s *Server) coreRoutes() []route {
	return []route{
		{"GET /api/status", "", "", s.status},
		{"GET /api/ping", "", "", func(*call) *reply {
			return object(200, map[string]any{"results": map[string]any{"foreman": map[string]any{"database": map[string]any{"active": true, "duration_ms": "0"}}}})
		}},
		{"GET /api/plugins", "", "", s.plugins},
		{"GET /api/hosts", "view_hosts", "", s.listHosts},
		{"GET /api/hosts/{host}", "view_hosts", "", s.showHost},
		{"PUT /api/hosts/{host}", "edit_hosts", "", s.updateHost},
		{"GET /api/hosts/{host}/parameters", "view_params", "", s.listParameters},
		{"GET /api/hosts/{host}/parameters/{id}", "view_params", "", s.showParameter},
		{"POST /api/hosts/{host}/parameters", "create_params", "", s.createParameter},
		{"PUT /api/hosts/{host}/parameters/{id}", "edit_params", "", s.updateParameter},
		{"DELETE /api/hosts/{host}/parameters/{id}", "destroy_params", "", s.deleteParameter},
		{"DELETE /api/hosts/{host}/parameters", "destroy_params", "", s.deleteAllParameters},
	}
}

func (s *Server) contentRoutes() []route {
	const k = "katello"
	return []route{
		{"GET /api/hosts/{host}/errata", "view_hosts", k, s.listHostErrata},
		{"GET /api/hosts/{host}/errata/{id}", "view_hosts", k, s.showHostErratum},
		{"GET /api/hosts/{host}/packages", "view_hosts", k, s.listPackages(katprep.RPM)},
		{"GET /api/hosts/{host}/debs", "view_hosts", k, s.listPackages(katprep.Deb)},
		{"GET /api/hosts/{host}/traces", "view_hosts", k, s.listTraces},
		{"POST /api/hosts/bulk/installable_errata", "view_hosts", k, s.bulkErrata(false)},
		{"POST /api/hosts/bulk/applicable_errata", "view_hosts", k, s.bulkErrata(true)},
		{"GET /katello/api/errata", "", k, s.listErrata},
		{"GET /katello/api/errata/{id}", "", k, s.showErratum},
	}
}

func (s *Server) status(*call) *reply {
	m := map[string]any{"result": "ok", "status": 200, "version": s.o.Foreman, "api_version": 2}
	if s.o.Satellite != "" {
		m["satellite_version"] = s.o.Satellite
	}
	return object(200, m)
}

func (s *Server) plugins(c *call) *reply {
	versions := map[string]string{"katello": s.o.Katello, "foreman_remote_execution": "13.2.0", "foreman-tasks": "9.2.0"}
	return page(c, len(s.o.Plugins), s.o.Plugins, func(name string) any {
		return map[string]any{"name": name, "id": name, "author": "", "description": "", "url": "", "version": orDefault(versions[name], "1.0.0")}
	})
}
