package landscape

import (
	"cmp"
	"net/http"
	"slices"
	"strings"
)

// A paramJSON has the keys of a parameter.
type paramJSON struct {
	Priority   *int    `json:"priority,omitempty"`
	CreatedAt  *string `json:"created_at"`
	UpdatedAt  *string `json:"updated_at"`
	ID         int     `json:"id"`
	Name       string  `json:"name"`
	Kind       string  `json:"parameter_type"`
	Associated string  `json:"associated_type,omitempty"`
	Hidden     bool    `json:"hidden_value?"`
	Value      any     `json:"value"`
}

// An effectiveParam is a parameter and where it comes from.
type effectiveParam struct {
	parameter
	priority int
	from     string
}

// effective returns a host's parameters with inherited ones: host over host
// group over global, sorted by name.
func (s *Server) effective(h *host) []effectiveParam {
	best := map[string]effectiveParam{}
	for _, level := range []effectiveLevel{
		{s.globals, 0, "global"}, {s.groupPs[20], 60, "host group"}, {s.groupPs[h.group], 61, "host group"}, {h.params, 70, "host"},
	} {
		for _, p := range level.list {
			best[p.name] = effectiveParam{p, level.priority, level.from}
		}
	}
	list := make([]effectiveParam, 0, len(best))
	for _, p := range best {
		list = append(list, p)
	}
	slices.SortFunc(list, func(a, b effectiveParam) int { return cmp.Compare(a.name, b.name) })
	return list
}

type effectiveLevel struct {
	list     []parameter
	priority int
	from     string
}

func (p effectiveParam) json() paramJSON {
	j := paramJSON{Priority: &p.priority, CreatedAt: at(p.created), UpdatedAt: at(p.updated), ID: p.id, Name: p.name, Kind: p.kind, Associated: p.from, Hidden: p.hidden, Value: p.value}
	if p.hidden {
		j.Value = "*****"
	}
	return j
}

// addParameters adds what include[] asks for. Without view_params there are
// none, silently.
func (s *Server) addParameters(c *call, h *host, j *hostJSON, include []string) {
	show := c.user.may("view_params")
	if slices.Contains(include, "parameters") {
		list := []paramJSON{}
		for _, p := range h.params {
			if show {
				list = append(list, effectiveParam{p, 70, "host"}.json())
			}
		}
		j.Parameters = &list
	}
	if slices.Contains(include, "all_parameters") {
		list := []paramJSON{}
		for _, p := range s.effective(h) {
			if show {
				list = append(list, p.json())
			}
		}
		j.AllParameters = &list
	}
}

func (s *Server) listParameters(c *call) *reply {
	h, bad := s.host(c)
	if bad != nil {
		return bad
	}
	list := slices.Clone(h.params)
	slices.SortFunc(list, func(a, b parameter) int { return cmp.Compare(a.name, b.name) })
	return page(c, len(list), list, func(p parameter) any { return effectiveParam{p, 70, "host"}.json() })
}

// parameter finds a host's parameter by ID or name.
func (s *Server) parameter(c *call) (*host, int, *reply) {
	h, bad := s.host(c)
	if bad != nil {
		return nil, 0, bad
	}
	key := c.PathValue("id")
	i := slices.IndexFunc(h.params, func(p parameter) bool { return p.name == key || itoa(p.id) == key })
	if i < 0 {
		return nil, 0, noSuch("parameter", key)
	}
	return h, i, nil
}

func (s *Server) showParameter(c *call) *reply {
	h, i, bad := s.parameter(c)
	if bad != nil {
		return bad
	}
	return object(200, effectiveParam{h.params[i], 70, "host"}.json())
}

type paramBody struct {
	Parameter struct {
		Name   *string `json:"name"`
		Value  any     `json:"value"`
		Kind   string  `json:"parameter_type"`
		Hidden bool    `json:"hidden_value"`
	} `json:"parameter"`
}

func (s *Server) createParameter(c *call) *reply {
	h, bad := s.host(c)
	if bad != nil {
		return bad
	}
	var b paramBody
	if bad := c.decode(&b); bad != nil {
		return bad
	}
	name := ""
	if b.Parameter.Name != nil {
		name = *b.Parameter.Name
	}
	switch {
	case name == "":
		return unprocessable("name", "can't be blank")
	case strings.ContainsAny(name, " \t\n"):
		return unprocessable("name", "can't contain spaces.")
	case slices.ContainsFunc(h.params, func(p parameter) bool { return p.name == name }):
		return unprocessable("name", "has already been taken")
	}
	s.nextID++
	p := parameter{id: s.nextID, name: name, value: paramValue(b.Parameter.Value), kind: cmp.Or(b.Parameter.Kind, "string"), hidden: b.Parameter.Hidden, created: c.now, updated: c.now}
	h.params = append(slices.Clip(h.params), p)
	return object(201, effectiveParam{p, 70, "host"}.json())
}

func paramValue(v any) any {
	if v == nil {
		return ""
	}
	return v
}

func (s *Server) updateParameter(c *call) *reply {
	h, i, bad := s.parameter(c)
	if bad != nil {
		return bad
	}
	var b paramBody
	if bad := c.decode(&b); bad != nil {
		return bad
	}
	p := &h.params[i]
	if n := b.Parameter.Name; n != nil && *n != p.name {
		p.name = *n
	}
	p.value, p.updated = paramValue(b.Parameter.Value), c.now
	if b.Parameter.Kind != "" {
		p.kind = b.Parameter.Kind
	}
	return object(200, effectiveParam{*p, 70, "host"}.json())
}

func (s *Server) deleteParameter(c *call) *reply {
	h, i, bad := s.parameter(c)
	if bad != nil {
		return bad
	}
	old := h.params[i]
	h.params = slices.Delete(slices.Clone(h.params), i, i+1)
	return object(200, effectiveParam{old, 70, "host"}.json())
}

// deleteAllParameters is what no client must ever call.
func (s *Server) deleteAllParameters(c *call) *reply {
	h, bad := s.host(c)
	if bad != nil {
		return bad
	}
	h.params = nil
	return object(200, map[string]any{})
}

// updateHost changes the comment; host_parameters_attributes replaces all
// parameters, as on a real server.
func (s *Server) updateHost(c *call) *reply {
	h, bad := s.host(c)
	if bad != nil {
		return bad
	}
	var b struct {
		Host struct {
			Comment *string `json:"comment"`
			Params  *[]struct {
				Name  string `json:"name"`
				Value any    `json:"value"`
			} `json:"host_parameters_attributes"`
		} `json:"host"`
	}
	if bad := c.decode(&b); bad != nil {
		return bad
	}
	if b.Host.Comment != nil {
		h.comment = *b.Host.Comment
	}
	if b.Host.Params != nil {
		h.params = nil
		for _, p := range *b.Host.Params {
			s.nextID++
			h.params = append(h.params, parameter{id: s.nextID, name: p.Name, value: p.Value, kind: "string", created: c.now, updated: c.now})
		}
	}
	return object(200, s.hostJSON(c, h))
}

func unprocessable(field, problem string) *reply {
	return object(http.StatusUnprocessableEntity, map[string]any{"error": map[string]any{
		"id": nil, "errors": map[string]any{field: []string{problem}}, "full_messages": []string{capital(field) + " " + problem},
	}})
}

// SetParameter sets a host's parameter as somebody else would. An unknown
// host is ignored.
func (s *Server) SetParameter(hostName, name string, value any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	h := s.byName[hostName]
	if h == nil {
		return
	}
	setParameter(&h.params, s.newParameter(name, value))
}

// SetGroupParameter sets a parameter of a host group, by its title.
func (s *Server) SetGroupParameter(group, name string, value any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, g := range hostGroups {
		if g.title == group {
			list := s.groupPs[g.id]
			setParameter(&list, s.newParameter(name, value))
			s.groupPs[g.id] = list
		}
	}
}

// SetGlobalParameter sets a parameter that all hosts inherit.
func (s *Server) SetGlobalParameter(name string, value any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	setParameter(&s.globals, s.newParameter(name, value))
}

func (s *Server) newParameter(name string, value any) parameter {
	s.nextID++
	kind := "string"
	switch value.(type) {
	case bool:
		kind = "boolean"
	case int:
		kind = "integer"
	case map[string]any, []any:
		kind = "json"
	}
	return parameter{id: s.nextID, name: name, value: value, kind: kind, created: s.clock.now(), updated: s.clock.now()}
}

func setParameter(list *[]parameter, p parameter) {
	for i, old := range *list {
		if old.name == p.name {
			p.id, p.created = old.id, old.created
			(*list)[i] = p
			return
		}
	}
	*list = append(slices.Clip(*list), p)
}
