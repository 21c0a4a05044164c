package landscape

import (
	"strconv"
	"strings"
)

// A sorting is echoed in the envelope.
type sorting struct {
	By    *string `json:"by"`
	Order *string `json:"order"`
}

func sortedBy(by, order string) sorting { return sorting{&by, &order} }

// An envelope wraps a page of results.
type envelope struct {
	Total      int     `json:"total"`
	Subtotal   int     `json:"subtotal"`
	Selectable *int    `json:"selectable,omitempty"`
	Page       any     `json:"page"`
	PerPage    any     `json:"per_page"`
	Search     *string `json:"search"`
	Sort       sorting `json:"sort"`
	Results    any     `json:"results"`
}

const entriesPerPage = 20

// A span is the part of a list that a page shows.
type span struct{ from, to, page, perPage int }

// span reads page and per_page. ok is false if the server cannot.
func (c *call) span(n int, katello bool) (span, bool) {
	p := span{page: 1, perPage: entriesPerPage}
	if v := c.param("page"); v != "" {
		p.page, _ = strconv.Atoi(v)
	}
	switch v := c.param("per_page"); {
	case katello && (c.param("full_result") == "true" || c.param("full_result") == "1"):
		p.page, p.perPage = 1, max(n, 1)
	case v == "all":
		if katello {
			return p, false // Katello answers 500
		}
		p.page, p.perPage = 1, max(n, 1)
	case v != "":
		p.perPage, _ = strconv.Atoi(v)
	}
	if p.perPage <= 0 {
		p.perPage = entriesPerPage
	}
	p.page = max(p.page, 1)
	p.from, p.to = n, n
	if p.page-1 <= n/p.perPage {
		p.from = min(n, (p.page-1)*p.perPage)
		p.to = min(n, p.from+min(p.perPage, n))
	}
	return p, true
}

// param is a parameter of the query or, for POST, of the body.
func (c *call) param(name string) string {
	if v := c.q.Get(name); v != "" || len(c.body) == 0 {
		return v
	}
	return c.bodyID(name)
}

// page answers with one page of a Foreman list.
func page[T any](c *call, total int, list []T, show func(T) any) *reply {
	p, _ := c.span(len(list), false)
	e := envelope{Total: total, Subtotal: len(list), Page: p.page, PerPage: p.perPage, Search: c.search()}
	e.Results = shown(list[p.from:p.to], show)
	return object(200, e)
}

// katelloPage answers with one page of a Katello list, which echoes page and
// per_page as it got them: as text, until 4.15.
func katelloPage[T any](s *Server, c *call, list []T, by sorting, show func(T) any) *reply {
	e, p, bad := s.katelloEnvelope(c, len(list), by)
	if bad != nil {
		return bad
	}
	e.Results = shown(list[p.from:p.to], show)
	return object(200, katelloList{envelope: e})
}

func (s *Server) katelloEnvelope(c *call, n int, by sorting) (envelope, span, *reply) {
	p, ok := c.span(n, true)
	if !ok {
		return envelope{}, p, fail(500, "Internal Server Error: the server was unable to finish the request.")
	}
	e := envelope{Total: n, Subtotal: n, Page: p.page, PerPage: p.perPage, Search: c.search(), Sort: by}
	if s.katelloAt(4, 3) {
		e.Selectable = &e.Subtotal
	}
	if !s.katelloAt(4, 15) {
		e.Page, e.PerPage = c.echo("page", p.page), c.echo("per_page", p.perPage)
	}
	return e, p, nil
}

func (c *call) echo(name string, v int) any {
	if sent := c.q.Get(name); sent != "" {
		return sent
	}
	return v
}

func (c *call) search() *string {
	if v := c.param("search"); v != "" {
		return &v
	}
	return nil
}

// A katelloList is an envelope with Katello's error, which is there even if
// it is null.
type katelloList struct {
	envelope
	Error *string `json:"error"`
}

func shown[T any](list []T, show func(T) any) []any {
	out := make([]any, len(list))
	for i, v := range list {
		out[i] = show(v)
	}
	return out
}

// katelloAt reports whether the simulated Katello is of a version or later.
func (s *Server) katelloAt(major, minor int) bool { return versionAt(s.o.Katello, major, minor) }
func (s *Server) foremanAt(major, minor int) bool { return versionAt(s.o.Foreman, major, minor) }

func versionAt(version string, major, minor int) bool {
	parts := strings.SplitN(version, ".", 3)
	a, _ := strconv.Atoi(parts[0])
	b := 0
	if len(parts) > 1 {
		b, _ = strconv.Atoi(parts[1])
	}
	return a > major || a == major && b >= minor
}
