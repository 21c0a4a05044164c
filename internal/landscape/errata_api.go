package landscape

import (
	"cmp"
	"slices"
	"strings"

	"github.com/stdevel/katprep"
)

// A tally counts errata by type.
type tally struct{ installable, applicable map[katprep.ErratumType]int }

func (s *Server) countErrata(h *host) tally {
	t := tally{map[katprep.ErratumType]int{}, map[katprep.ErratumType]int{}}
	s.eachErratum(h, s.erratumView(h), func(e *erratum, installable bool) {
		t.applicable[e.text.Type]++
		if installable {
			t.installable[e.text.Type]++
		}
	})
	return t
}

func counts(m map[katprep.ErratumType]int) map[string]any {
	total := 0
	for _, n := range m {
		total += n
	}
	return map[string]any{"security": m[katprep.Security], "bugfix": m[katprep.Bugfix], "enhancement": m[katprep.Enhancement], "total": total}
}

func (t tally) json(withApplicable bool) map[string]any {
	m := counts(t.installable)
	if withApplicable {
		m["applicable"] = counts(t.applicable)
	}
	return m
}

// status returns errata_status and its label.
func (t tally) status() (*int, *string) {
	switch {
	case t.installable[katprep.Security] > 0:
		return ref(3), ref("Security errata installable")
	case len(t.installable) > 0:
		return ref(2), ref("Non-security errata installable")
	}
	return ref(0), ref("All errata applied")
}

// An erratumJSON has the keys of an erratum, in their order.
type erratumJSON struct {
	ID              int      `json:"id"`
	PulpID          string   `json:"pulp_id"`
	Title           string   `json:"title"`
	ErrataID        string   `json:"errata_id"`
	Issued          string   `json:"issued"`
	Updated         string   `json:"updated"`
	Version         string   `json:"version"`
	Status          string   `json:"status"`
	Release         string   `json:"release"`
	Severity        string   `json:"severity"`
	Description     string   `json:"description"`
	Solution        string   `json:"solution"`
	Summary         string   `json:"summary"`
	RebootSuggested bool     `json:"reboot_suggested"`
	UUID            string   `json:"uuid"`
	Name            string   `json:"name"`
	Type            string   `json:"type"`
	CVEs            []any    `json:"cves"`
	Bugs            []any    `json:"bugs"`
	HostsAvailable  *int     `json:"hosts_available_count,omitempty"`
	HostsApplicable *int     `json:"hosts_applicable_count,omitempty"`
	Packages        []string `json:"packages"`
	ModuleStreams   []any    `json:"module_streams"`
	Installable     *bool    `json:"installable,omitempty"`
	ApplicableHosts []idHost `json:"applicable_hosts,omitempty"`
	Affected        *int     `json:"affected_hosts_count,omitempty"`
}

type idHost struct {
	Name string `json:"name"`
	ID   int    `json:"id"`
}

func (e *erratum) json() erratumJSON {
	t := e.text
	j := erratumJSON{
		ID: e.id, PulpID: t.ID, Title: t.Title, ErrataID: t.ID, Issued: string(t.Issued), Updated: e.updated.Format("2006-01-02"),
		Version: "1", Status: "final", Release: "0", Severity: capital(string(t.Severity)), Description: t.Description, Solution: t.Solution,
		Summary: t.Summary, RebootSuggested: t.RebootSuggested, UUID: t.ID, Name: t.Title, Type: string(t.Type),
		CVEs: []any{}, Bugs: []any{}, Packages: e.comp.levels[e.level].nvra, ModuleStreams: []any{},
	}
	if t.Severity == katprep.SeverityNone {
		j.Severity = "None"
	}
	for _, id := range t.CVEs {
		j.CVEs = append(j.CVEs, map[string]string{"cve_id": id, "href": "https://access.redhat.com/security/cve/" + id})
	}
	for _, id := range t.Bugs {
		j.Bugs = append(j.Bugs, map[string]string{"bug_id": id, "href": "https://bugzilla.redhat.com/show_bug.cgi?id=" + id})
	}
	return j
}

// A hostErratum is an erratum of one host.
type hostErratum struct {
	*erratum
	installable bool
}

func (s *Server) hostErrata(h *host, applicable bool) []hostErratum {
	var list []hostErratum
	s.eachErratum(h, s.erratumView(h), func(e *erratum, installable bool) {
		if installable || applicable {
			list = append(list, hostErratum{e, installable})
		}
	})
	return list
}

func (s *Server) listHostErrata(c *call) *reply {
	h, bad := s.host(c)
	if bad != nil {
		return bad
	}
	if h.fault.NoContent {
		return object(404, map[string]any{"displayMessage": "Host has not been registered with subscription-manager", "errors": []string{"Host has not been registered with subscription-manager"}})
	}
	all := c.q.Get("include_applicable") == "true" && s.katelloAt(4, 3) || c.q.Get("content_view_id") != "" && c.q.Get("environment_id") != ""
	list := s.hostErrata(h, all)
	for _, f := range []struct {
		key string
		of  func(e hostErratum) string
	}{{"type", func(e hostErratum) string { return string(e.text.Type) }}, {"severity", func(e hostErratum) string { return capital(string(e.text.Severity)) }}, {"errata_id", func(e hostErratum) string { return e.text.ID }}} {
		if v := c.q.Get(f.key); v != "" {
			list = slices.DeleteFunc(list, func(e hostErratum) bool { return !strings.EqualFold(f.of(e), v) })
		}
	}
	by := s.sortErrata(c, list)
	affected := s.affectedCounts(c)
	return katelloPage(s, c, list, by, func(e hostErratum) any {
		j := e.json()
		j.Installable = &e.installable
		n := affected(e.erratum)
		j.HostsAvailable, j.HostsApplicable = &n.installable, &n.applicable
		return j
	})
}

// sortErrata sorts as asked; by "updated desc" otherwise.
func (s *Server) sortErrata(c *call, list []hostErratum) sorting {
	by, order := "updated", "desc"
	if f := strings.Fields(c.param("order")); len(f) > 0 {
		by, order = f[0], "asc"
		if len(f) > 1 {
			order = strings.ToLower(f[1])
		}
	}
	if v := c.param("sort_by"); v != "" {
		by, order = v, cmp.Or(c.param("sort_order"), "asc")
	}
	slices.SortStableFunc(list, func(a, b hostErratum) int {
		r := a.updated.Compare(b.updated)
		if by == "errata_id" {
			r = cmp.Compare(a.text.ID, b.text.ID)
		}
		if order == "desc" {
			return -r
		}
		return r
	})
	return sortedBy(by, strings.ToLower(order))
}

// A reach says how many hosts an erratum concerns.
type reach struct{ installable, applicable int }

// affectedCounts counts hosts of an erratum when asked for. It is the costly
// part of a real server, too; here it is left out for large landscapes.
func (s *Server) affectedCounts(c *call) func(*erratum) reach {
	if len(s.hosts) > 500 {
		return func(*erratum) reach { return reach{1, 1} }
	}
	hosts := s.hostList(c)
	return func(e *erratum) reach {
		var n reach
		for _, h := range hosts {
			app, inst := s.concerns(h, e)
			n.applicable += btoi(app)
			n.installable += btoi(inst)
		}
		return n
	}
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// concerns reports whether an erratum is applicable to and installable on a
// host.
func (s *Server) concerns(h *host, e *erratum) (applicable, installable bool) {
	if h.fam != e.fam || h.view == 0 || h.fault.NoContent || !s.has(h, e.comp) {
		return false, false
	}
	applicable = h.level(e.comp, s.erratumView(h)) < e.level
	return applicable, applicable && !e.comp.levels[e.level].issued.After(s.limit(h))
}

func (s *Server) showHostErratum(c *call) *reply {
	h, bad := s.host(c)
	if bad != nil {
		return bad
	}
	e := s.cat.byID[c.PathValue("id")]
	if e == nil {
		return object(404, map[string]any{"displayMessage": "Could not find an erratum with id " + c.PathValue("id"), "errors": []string{"not found"}})
	}
	_, inst := s.concerns(h, e)
	j := e.json()
	j.Installable = &inst
	return object(200, j)
}

// listErrata is the catalogue: /katello/api/errata.
func (s *Server) listErrata(c *call) *reply {
	counts := s.catalogueCounts(c)
	var list []hostErratum
	for _, e := range s.cat.errata {
		n := counts[e]
		switch {
		case c.q.Get("errata_restrict_installable") == "true" && n.installable == 0:
		case c.q.Get("errata_restrict_applicable") == "true" && n.applicable == 0:
		default:
			list = append(list, hostErratum{e, false})
		}
	}
	by := s.sortErrata(c, list)
	return katelloPage(s, c, list, by, func(e hostErratum) any {
		j, n := e.json(), counts[e.erratum]
		j.HostsAvailable, j.HostsApplicable = &n.installable, &n.applicable
		return j
	})
}

func (s *Server) catalogueCounts(c *call) map[*erratum]reach {
	m := map[*erratum]reach{}
	for _, h := range s.hostList(c) {
		if h.fault.NoContent {
			continue
		}
		s.eachErratum(h, s.erratumView(h), func(e *erratum, installable bool) {
			n := m[e]
			n.applicable++
			n.installable += btoi(installable)
			m[e] = n
		})
	}
	return m
}

func (s *Server) showErratum(c *call) *reply {
	for _, e := range s.cat.errata {
		if id := c.PathValue("id"); e.text.ID == id || itoa(e.id) == id {
			return object(200, e.json())
		}
	}
	return object(404, map[string]any{"displayMessage": "Couldn't find erratum", "errors": []string{"Couldn't find erratum"}})
}

// bulkErrata is /api/hosts/bulk/installable_errata and applicable_errata.
func (s *Server) bulkErrata(applicable bool) handler {
	return func(c *call) *reply {
		hosts, bad := s.bulkHosts(c)
		if bad != nil {
			return bad
		}
		reached := map[*erratum][]idHost{}
		for _, h := range hosts {
			if h.fault.NoContent {
				continue
			}
			s.eachErratum(h, s.erratumView(h), func(e *erratum, installable bool) {
				if installable || applicable {
					reached[e] = append(reached[e], idHost{h.name, h.id})
				}
			})
		}
		var list []hostErratum
		for _, e := range s.cat.errata {
			if len(reached[e]) > 0 {
				list = append(list, hostErratum{e, true})
			}
		}
		by := s.sortErrata(c, list)
		return katelloPage(s, c, list, by, func(e hostErratum) any {
			j := e.json()
			j.ApplicableHosts, j.Affected = reached[e.erratum], ref(len(reached[e.erratum]))
			return j
		})
	}
}

// bulkHosts finds the hosts of a bulk call. Like the server it needs one
// host that the user may edit, and then takes all that he may see.
func (s *Server) bulkHosts(c *call) ([]*host, *reply) {
	var b struct {
		Included *struct {
			Search *string `json:"search"`
			IDs    []int   `json:"ids"`
		} `json:"included"`
		Excluded struct {
			IDs []int `json:"ids"`
		} `json:"excluded"`
	}
	if bad := c.decode(&b); bad != nil {
		return nil, bad
	}
	if b.Included == nil || b.Included.Search == nil && len(b.Included.IDs) == 0 {
		return nil, fail(400, "No hosts have been specified")
	}
	hosts := s.hostList(c)
	if b.Included.Search != nil {
		var err error
		if hosts, err = s.searchHosts(hosts, *b.Included.Search); err != nil {
			return nil, object(200, katelloError(err))
		}
	} else {
		hosts = slices.DeleteFunc(hosts, func(h *host) bool { return !slices.Contains(b.Included.IDs, h.id) })
	}
	hosts = slices.DeleteFunc(slices.Clone(hosts), func(h *host) bool { return slices.Contains(b.Excluded.IDs, h.id) })
	if len(hosts) == 0 || s.katelloAt(3, 18) && !c.user.may("edit_hosts") {
		return nil, fail(403, "No hosts matched search, or action unauthorized for selected hosts.")
	}
	return hosts, nil
}

func katelloError(err error) map[string]any {
	return map[string]any{"total": 0, "subtotal": 0, "page": 1, "per_page": 20, "error": err.Error(), "search": nil, "sort": sorting{}, "results": []any{}}
}
