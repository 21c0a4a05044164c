package landscape

import (
	"slices"
	"strconv"
)

func (s *Server) placeRoutes() []route {
	const k = "katello"
	org := func(p place) bool { return true }
	return []route{
		{"GET /api/organizations", "view_organizations", "", s.listPlaces(organizations, titled, nil)},
		{"GET /katello/api/organizations", "view_organizations", k, s.listPlaces(organizations, titled, org)},
		{"GET /api/locations", "view_locations", "", s.listPlaces(locations, titled, nil)},
		{"GET /api/hostgroups", "view_hostgroups", "", s.listPlaces(hostGroups, titled, nil)},
		{"GET /katello/api/environments", "view_lifecycle_environments", k, s.listPlaces(environments, plain, org)},
		{"GET /katello/api/organizations/{org}/environments", "view_lifecycle_environments", k, s.listPlaces(environments, plain, org)},
		{"GET /katello/api/content_views", "view_content_views", k, s.listPlaces(contentViews, plain, org)},
		{"GET /katello/api/host_collections", "view_host_collections", k, s.listPlaces(collections, plain, org)},
		{"GET /api/users", "view_users", "", s.listPeople(false)},
		{"GET /api/usergroups", "view_usergroups", "", s.listPeople(true)},
		{"GET /api/settings", "view_settings", "", s.settings},
		{"GET /api/fact_values", "view_facts", "", s.factValues},
		{"GET /api/hosts/{host}/facts", "view_facts", "", s.hostFacts},
		{"GET /api/hosts/{host}/host_collections", "view_host_collections", k, s.hostCollections},
		{"GET /api/organizations/{in}/hosts", "view_hosts", "", s.hostsIn("organization_id")},
		{"GET /api/locations/{in}/hosts", "view_hosts", "", s.hostsIn("location_id")},
		{"GET /api/hostgroups/{in}/hosts", "view_hosts", "", s.hostsIn("hostgroup_id")},
		{"GET /api/hostgroups/{in}/parameters", "view_params", "", s.groupParameters},
		{"GET /api/common_parameters", "view_params", "", func(c *call) *reply {
			return page(c, len(s.globals), s.globals, func(p parameter) any { return effectiveParam{p, 0, ""}.json() })
		}},
	}
}

func titled(p place) any {
	m := map[string]any{"id": p.id, "name": p.name, "title": p.title, "description": nil}
	if p.parent != 0 {
		m["parent_id"] = p.parent
	}
	return m
}

func plain(p place) any { return map[string]any{"id": p.id, "name": p.name, "label": p.name} }

// listPlaces lists organizations and the like; katello is non-nil for
// Katello's lists.
func (s *Server) listPlaces(list []place, show func(place) any, katello func(place) bool) handler {
	return func(c *call) *reply {
		all := list
		if len(list) > 0 && list[0].id == organizations[0].id {
			all = slices.DeleteFunc(slices.Clone(list), func(p place) bool { return !c.user.inOrg(p.id) })
		}
		found, err := filter(all, c.q.Get("search"), fieldsOf(map[string]func(place) string{
			"name": func(p place) string { return p.name }, "title": func(p place) string { return p.title }, "id": func(p place) string { return itoa(p.id) },
		}))
		switch {
		case err != nil && katello != nil:
			return object(200, katelloError(err))
		case err != nil:
			return badSearch(err)
		case katello != nil:
			return katelloPage(s, c, found, sorting{}, show)
		}
		return page(c, len(all), found, show)
	}
}

func (s *Server) listPeople(groups bool) handler {
	return func(c *call) *reply {
		all := slices.DeleteFunc(slices.Clone(people), func(p person) bool { return p.group != groups })
		found, err := filter(all, c.q.Get("search"), fieldsOf(map[string]func(person) string{
			"login": func(p person) string { return p.login }, "name": func(p person) string { return p.name },
		}))
		if err != nil {
			return badSearch(err)
		}
		return page(c, len(all), found, func(p person) any {
			if groups {
				return map[string]any{"id": p.id, "name": p.name}
			}
			return map[string]any{"id": p.id, "login": p.login, "name": p.name}
		})
	}
}

func (s *Server) settings(c *call) *reply {
	all := []idName{{ID: 1, Name: "entries_per_page"}}
	found, err := filter(all, c.q.Get("search"), fieldsOf(map[string]func(idName) string{"name": func(i idName) string { return i.Name }}))
	if err != nil {
		return badSearch(err)
	}
	return page(c, 1, found, func(i idName) any { return map[string]any{"id": i.Name, "name": i.Name, "value": entriesPerPage} })
}

// A fact is one value of one host.
type fact struct{ host, name, value string }

// allFacts lists the facts of hosts, or only whether they are guests: that
// is what is asked of thousands.
func (s *Server) allFacts(hosts []*host, onlyGuest bool) []fact {
	var all []fact
	for _, h := range hosts {
		if onlyGuest {
			if !h.fault.NoFacts {
				all = append(all, fact{h.name, isGuest, strconv.FormatBool(h.virtual)})
			}
			continue
		}
		facts := s.facts(h)
		for _, name := range sortedKeys(facts) {
			all = append(all, fact{h.name, name, facts[name]})
		}
	}
	return all
}

const isGuest = "virt::is_guest"

// factValues is paged by fact, and its totals are of no use.
func (s *Server) factValues(c *call) *reply {
	query := c.q.Get("search")
	found, err := filter(s.allFacts(s.hostList(c), query == "name = "+isGuest || query == `name = "`+isGuest+`"`), query, fieldsOf(map[string]func(fact) string{
		"name": func(f fact) string { return f.name }, "fact": func(f fact) string { return f.name }, "host": func(f fact) string { return f.host }, "value": func(f fact) string { return f.value },
	}))
	if err != nil {
		return badSearch(err)
	}
	p, _ := c.span(len(found), false)
	results := map[string]map[string]string{}
	for _, f := range found[p.from:p.to] {
		if results[f.host] == nil {
			results[f.host] = map[string]string{}
		}
		results[f.host][f.name] = f.value
	}
	return object(200, envelope{Total: len(found), Subtotal: len(found), Page: p.page, PerPage: p.perPage, Search: c.search(), Results: results})
}

func sortedKeys(m map[string]string) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

func (s *Server) hostFacts(c *call) *reply {
	h, bad := s.host(c)
	if bad != nil {
		return bad
	}
	facts := s.facts(h)
	return object(200, envelope{Total: len(facts), Subtotal: len(facts), Page: 1, PerPage: max(len(facts), 1), Results: map[string]any{h.name: facts}})
}

func (s *Server) hostCollections(c *call) *reply {
	h, bad := s.host(c)
	if bad != nil {
		return bad
	}
	return katelloPage(s, c, s.collectionsOf(h), sorting{}, plain)
}

// hostsIn lists the hosts of an organization, location or host group.
func (s *Server) hostsIn(scope string) handler {
	return func(c *call) *reply {
		id, err := strconv.Atoi(c.PathValue("in"))
		if err != nil {
			return noSuch(scope, c.PathValue("in"))
		}
		switch scope {
		case "organization_id":
			c.org = id
		case "location_id":
			c.loc = id
		default:
			c.q.Set(scope, itoa(id))
		}
		return s.listHosts(c)
	}
}

func (s *Server) groupParameters(c *call) *reply {
	id, _ := strconv.Atoi(c.PathValue("in"))
	if _, ok := placeByID(hostGroups, id); !ok {
		return noSuch("hostgroup", c.PathValue("in"))
	}
	list := s.groupPs[id]
	return page(c, len(list), list, func(p parameter) any { return effectiveParam{p, 60, "host group"}.json() })
}
