package landscape

import (
	"fmt"
	"strconv"
	"strings"
)

// field returns what a search field means for a host: its values.
func (s *Server) field(name string) (getter[*host], error) {
	name = strings.ToLower(name)
	if p, ok := strings.CutPrefix(name, "params."); ok {
		return func(h *host) []string { return s.paramValues(h, p) }, nil
	}
	if f, ok := strings.CutPrefix(name, "facts."); ok {
		return func(h *host) []string { return one(s.facts(h)[f]) }, nil
	}
	if f, ok := s.plainFields()[name]; ok { // built anew: searches are rare
		return func(h *host) []string { return one(f(h)) }, nil
	}
	switch name {
	case "host_collection":
		return func(h *host) (names []string) {
			for _, p := range s.collectionsOf(h) {
				names = append(names, p.name)
			}
			return names
		}, nil
	case "installable_errata", "applicable_errata":
		return func(h *host) (ids []string) {
			for _, e := range s.hostErrata(h, name == "applicable_errata") {
				ids = append(ids, e.text.ID)
			}
			return ids
		}, nil
	case "params_name":
		return func(h *host) (names []string) {
			for _, p := range s.effective(h) {
				names = append(names, p.name)
			}
			return names
		}, nil
	}
	return nil, noField(name)
}

func one(v string) []string { return []string{v} }

func (s *Server) plainFields() map[string]func(h *host) string {
	title := func(list []place, id func(h *host) int, name bool) func(h *host) string {
		return func(h *host) string {
			p, _ := placeByID(list, id(h))
			if name {
				return p.name
			}
			return p.title
		}
	}
	group := func(h *host) int { return h.group }
	view := func(h *host) int { return h.view }
	return map[string]func(h *host) string{
		"name":                  func(h *host) string { return h.name },
		"id":                    func(h *host) string { return itoa(h.id) },
		"organization":          title(organizations, (*host).org, false),
		"organization_id":       func(h *host) string { return itoa(h.org()) },
		"location":              title(locations, func(h *host) int { return sites[h.site].location }, false),
		"location_id":           func(h *host) string { return itoa(sites[h.site].location) },
		"hostgroup":             title(hostGroups, group, true),
		"hostgroup_title":       title(hostGroups, group, false),
		"hostgroup_fullname":    title(hostGroups, group, false),
		"hostgroup_name":        title(hostGroups, group, true),
		"lifecycle_environment": func(h *host) string { return environments[h.env].name },
		"content_view":          title(contentViews, view, true),
		"owner":                 func(h *host) string { return ownerLogin(h) },
		"comment":               func(h *host) string { return h.comment },
		"os":                    func(h *host) string { return strings.Fields(h.fam.foreman)[0] },
		"os_title":              func(h *host) string { return h.fam.foreman },
		"os_major":              func(h *host) string { major, _, _ := strings.Cut(h.fam.os.Version, "."); return major },
		"ip":                    s.ip,
		"mac":                   s.mac,
		"uuid":                  s.uuid,
		"managed":               func(*host) string { return "false" },
		"reported.virtual":      func(h *host) string { return strconv.FormatBool(h.virtual) },
		"errata_status":         s.errataWord,
		"trace_status":          s.traceWord,
	}
}

func ownerLogin(h *host) string {
	if h.owner < 0 {
		return ""
	}
	return people[h.owner].login
}

func (s *Server) errataWord(h *host) string {
	status, _ := s.countErrata(h).status()
	return []string{"updated", "unknown", "errata_needed", "security_needed"}[*status]
}

func (s *Server) traceWord(h *host) string {
	return []string{"updated", "process_restart_needed", "reboot_needed"}[s.tracesStatus(h, s.packageView(h))]
}

func (s *Server) paramValues(h *host, name string) []string {
	for _, p := range s.effective(h) {
		if strings.EqualFold(p.name, name) {
			return one(fmt.Sprint(p.value))
		}
	}
	return nil
}
