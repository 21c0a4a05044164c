package landscape

import "slices"

// A configReport is an uploaded report about a host.
type configReport struct {
	id     int
	host   string
	at     string
	status map[string]any
	lines  []reportLine
}

type reportLine struct {
	Log struct {
		Sources struct {
			Source string `json:"source"`
		} `json:"sources"`
		Messages struct {
			Message string `json:"message"`
		} `json:"messages"`
		Level string `json:"level"`
	} `json:"log"`
}

func (s *Server) configReportRoutes() []route {
	return []route{
		{"POST /api/config_reports", "upload_config_reports", "", s.uploadReport},
		{"GET /api/config_reports", "view_config_reports", "", s.listReports},
		{"GET /api/hosts/{host}/config_reports/last", "view_config_reports", "", s.lastReport},
		{"DELETE /api/config_reports/{id}", "destroy_config_reports", "", s.deleteReport},
	}
}

// uploadReport stores a report. A host that nobody knows is created: that is
// what the real server does.
func (s *Server) uploadReport(c *call) *reply {
	var b struct {
		Report struct {
			Host   string         `json:"host"`
			At     string         `json:"reported_at"`
			Status map[string]any `json:"status"`
			Logs   []reportLine   `json:"logs"`
		} `json:"config_report"`
	}
	if bad := c.decode(&b); bad != nil {
		return bad
	}
	r := b.Report
	for key := range r.Status {
		if !slices.Contains([]string{"applied", "restarted", "failed", "failed_restarts", "skipped", "pending"}, key) {
			return fail(500, "Internal Server Error: the server was unable to finish the request.")
		}
	}
	if r.Host == "" {
		return unprocessable("host", "can't be blank")
	}
	for _, old := range s.reports {
		if old.host == r.Host && old.at == r.At {
			return unprocessable("reported_at", "has already been taken")
		}
	}
	if s.byName[r.Host] == nil {
		s.addHost(r.Host)
	}
	s.nextID++
	report := configReport{s.nextID, r.Host, r.At, r.Status, r.Logs}
	s.reports = append(s.reports, report)
	return object(201, s.reportJSON(report))
}

// reportJSON has the keys of a report in a list.
func (s *Server) reportJSON(r configReport) map[string]any {
	id := 0
	if h := s.byName[r.host]; h != nil {
		id = h.id
	}
	return map[string]any{"id": r.id, "host_id": id, "host_name": r.host, "reported_at": r.at, "status": r.status, "metrics": map[string]any{}}
}

// logs are the lines as the server shows them: "sources" became "source".
func (r configReport) logs() []any {
	out := make([]any, len(r.lines))
	for i, l := range r.lines {
		out[i] = map[string]any{
			"level": l.Log.Level, "source": map[string]any{"source": l.Log.Sources.Source}, "message": map[string]any{"message": l.Log.Messages.Message},
		}
	}
	return out
}

func (s *Server) listReports(c *call) *reply {
	found, err := filter(s.reports, c.q.Get("search"), fieldsOf(map[string]func(configReport) string{"host": func(r configReport) string { return r.host }}))
	if err != nil {
		return badSearch(err)
	}
	return page(c, len(s.reports), found, func(r configReport) any { return s.reportJSON(r) })
}

func (s *Server) lastReport(c *call) *reply {
	h, bad := s.host(c)
	if bad != nil {
		return bad
	}
	var last *configReport
	for i := range s.reports {
		if r := &s.reports[i]; r.host == h.name && (last == nil || r.at > last.at) {
			last = r
		}
	}
	if last == nil {
		return noSuch("config_report", "")
	}
	j := s.reportJSON(*last)
	j["logs"] = last.logs()
	return object(200, j)
}

func (s *Server) deleteReport(c *call) *reply {
	for i, r := range s.reports {
		if itoa(r.id) == c.PathValue("id") {
			s.reports = append(s.reports[:i:i], s.reports[i+1:]...)
			return object(200, s.reportJSON(r))
		}
	}
	return noSuch("config_report", c.PathValue("id"))
}
