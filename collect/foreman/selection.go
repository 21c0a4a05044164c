package foreman

import (
	"context"
	"strings"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/internal/foremanapi"
)

// A filter is a selection as this server can apply it.
type filter struct {
	search string // for the server; it may find more than is selected
	sel    katprep.Selection
	self   string          // name of the management server
	found  map[string]bool // host names of the selection that were seen
}

func (c *Collector) resolve(_ context.Context, sel katprep.Selection) (filter, error) {
	return filter{search: sel.Search, sel: sel, self: c.api.Host(), found: map[string]bool{}}, nil
}

// match reports whether the host is selected, as far as the list of hosts
// tells.
func (f *filter) match(s *katprep.State, h *foremanapi.Host) bool {
	named := false
	for _, p := range f.sel.Hosts {
		if glob(p, s.Name) {
			named = true
			f.found[p] = true
		}
	}
	if len(f.sel.Hosts) > 0 && !named {
		return false
	}
	return !f.isSelf(s.Name, h) || f.names(s.Name)
}

// isSelf recognizes the management server among its hosts.
func (f *filter) isSelf(name string, h *foremanapi.Host) bool {
	return bool(h.Infrastructure.V.ForemanInstance) || strings.EqualFold(name, f.self)
}

func (f *filter) names(host string) bool {
	for _, p := range f.sel.Hosts {
		if strings.EqualFold(p, host) {
			return true
		}
	}
	return false
}

func (f *filter) unfound() error { return nil }

// glob matches '*' and '?' without regard to case.
func glob(pattern, s string) bool {
	return globFold([]rune(strings.ToLower(pattern)), []rune(strings.ToLower(s)))
}

func globFold(p, s []rune) bool {
	star, mark := -1, 0
	i, j := 0, 0
	for j < len(s) {
		switch {
		case i < len(p) && p[i] == '*':
			star, mark = i, j
			i++
		case i < len(p) && (p[i] == '?' || p[i] == s[j]):
			i++
			j++
		case star >= 0:
			i, mark = star+1, mark+1
			j = mark
		default:
			return false
		}
	}
	for i < len(p) && p[i] == '*' {
		i++
	}
	return i == len(p)
}
