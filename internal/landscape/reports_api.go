package landscape

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// A pendingReport is a scheduled report that becomes ready.
type pendingReport struct {
	ready time.Time
	kind  string
	body  []byte
	user  string
}

func (s *Server) reportRoutes() []route {
	return []route{
		{"GET /api/report_templates", "view_report_templates", "", s.listReportTemplates},
		{"POST /api/report_templates/{id}/generate", "generate_report_templates", "", s.generate},
		{"POST /api/report_templates/{id}/schedule_report", "generate_report_templates", "", s.scheduleReport},
		{"GET /api/report_templates/{id}/report_data/{job}", "generate_report_templates", "", s.reportData},
	}
}

// reportTemplate is the name of the errata report, which changed over time.
func (s *Server) reportTemplate() string {
	switch {
	case s.foremanAt(3, 7):
		return "Host - Available Errata"
	case s.foremanAt(2, 3):
		return "Host - Applicable Errata"
	}
	return "Applicable errata"
}

func (s *Server) listReportTemplates(c *call) *reply {
	all := []idName{{ID: 135, Name: s.reportTemplate()}, {ID: 136, Name: "Host - Statuses"}}
	if !s.hasPlugin("katello") {
		all = all[1:]
	}
	found, err := filter(all, c.q.Get("search"), fieldsOf(map[string]func(idName) string{"name": func(t idName) string { return t.Name }}))
	if err != nil {
		return badSearch(err)
	}
	return page(c, len(all), found, func(t idName) any { return t })
}

// render makes the report that a call asks for.
func (s *Server) render(c *call) (kind string, body []byte, bad *reply) {
	id, _, _ := strings.Cut(c.PathValue("id"), "-")
	if id != "135" || !s.hasPlugin("katello") {
		return "", nil, noSuch("report_template", c.PathValue("id"))
	}
	var b struct {
		Inputs map[string]string `json:"input_values"`
		Format string            `json:"report_format"`
	}
	if bad := c.decode(&b); bad != nil {
		return "", nil, bad
	}
	hosts, err := s.searchHosts(s.hostList(c), b.Inputs["Hosts filter"])
	if err != nil {
		return "", nil, badSearch(err)
	}
	installable := b.Inputs["Installability"] == "installable"
	rows := s.errataRows(hosts, installable)
	if b.Format == "json" {
		list := []map[string]string{}
		for _, row := range rows[1:] {
			m := map[string]string{}
			for i, v := range row {
				m[rows[0][i]] = v
			}
			list = append(list, m)
		}
		body, _ = json.Marshal(list)
		return "application/json", body, nil
	}
	var buf bytes.Buffer
	w := csv.NewWriter(&buf)
	_ = w.WriteAll(rows) // into memory
	return "text/csv", buf.Bytes(), nil
}

func (s *Server) errataRows(hosts []*host, installable bool) [][]string {
	since := "Applicable since"
	if installable {
		since = "Available since"
	}
	rows := [][]string{{"Host", "Operating System", "Environment", "Erratum", "Type", "Published", since, "Severity", "Packages", "CVEs", "Reboot suggested"}}
	for _, h := range hosts {
		if h.fault.NoContent {
			continue
		}
		s.eachErratum(h, s.erratumView(h), func(e *erratum, inst bool) {
			if installable && !inst {
				return
			}
			t := e.text
			rows = append(rows, []string{h.name, h.fam.foreman, environments[h.env].name, t.ID, string(t.Type), string(t.Issued), e.updated.Format(stamp),
				e.json().Severity, strings.Join(e.comp.subs, ","), strings.Join(t.CVEs, ","), strconv.FormatBool(t.RebootSuggested)})
		})
	}
	return rows
}

func (s *Server) generate(c *call) *reply {
	kind, body, bad := s.render(c)
	if bad != nil {
		return bad
	}
	return &reply{status: 200, kind: kind, body: body}
}

func (s *Server) scheduleReport(c *call) *reply {
	kind, body, bad := s.render(c)
	if bad != nil {
		return bad
	}
	s.nextID++
	id := uuid(mix(s.o.Seed, rTask, uint64(s.nextID), 9), uint64(s.nextID))
	if kind == "application/json" {
		body, _ = json.Marshal(string(body)) // encoded twice, as the real one
	}
	s.pending[id] = pendingReport{c.now.Add(s.clock.takes(3 * time.Second)), kind, body, c.user.Login}
	return object(200, map[string]any{"job_id": id, "data_url": fmt.Sprintf("/api/v2/report_templates/135-%s/report_data/%s", url.PathEscape(s.reportTemplate()), id)})
}

func (s *Server) reportData(c *call) *reply {
	r, ok := s.pending[c.PathValue("job")]
	switch {
	case !ok:
		return object(404, map[string]any{"message": "Report not found, please ensure you used the correct job_id"})
	case r.user != c.user.Login:
		return object(403, map[string]any{"message": "Data are available only for the user who triggered report and administrators"})
	case c.now.Before(r.ready):
		return &reply{status: 204, kind: "application/json"}
	}
	return &reply{status: 200, kind: r.kind, body: r.body}
}
