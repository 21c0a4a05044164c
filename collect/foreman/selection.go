package foreman

import (
	"context"
	"strings"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/collect"
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

// match reports whether the host is selected.
func (f *filter) match(s *katprep.State, h *foremanapi.Host) bool {
	if !collect.Match(f.sel, *s) {
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
