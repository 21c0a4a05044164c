package foreman

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/collect"
	"github.com/stdevel/katprep/internal/foremanapi"
)

// maxSearch bounds the search that goes into a URL: web servers refuse lines
// of 8 KiB. What does not fit is left to the filter here.
const maxSearch = 4000

// A filter is a selection as this server can apply it.
type filter struct {
	search        string // for the server; it finds at least what is selected
	org, location int64  // the configuration's own limits
	sel           katprep.Selection
	self          []string           // names of the management server
	narrowed      bool               // the server was not asked for all hosts
	collections   map[int64][]string // by host ID, if the selection names any

	hosts     *tracker // names that some host must have
	os        *tracker
	parameter *tracker
}

// resolve looks up the names of a selection. An unknown one is an error of
// kind katprep.NotFound that names similar ones.
func (c *Collector) resolve(ctx context.Context, sel katprep.Selection) (filter, error) {
	f := filter{sel: sel, self: []string{c.api.Host()}, hosts: newTracker("host", sel.Hosts), os: newTracker("operating system", sel.OS)}
	f.parameter = newTracker("parameter", parameterNames(sel.Parameters))
	s := &scope{c: c, ctx: ctx}
	steps := []func(*filter) error{s.ownName, s.limits, s.organizations, s.locations, s.hostGroups, s.environments, s.contentViews, s.hostCollections, s.hostNames}
	for _, step := range steps {
		if err := step(&f); err != nil {
			return f, err
		}
	}
	f.search = f.bounded(s.terms)
	if sel.Search != "" {
		f.search = foremanapi.All("("+sel.Search+")", f.search)
	}
	f.narrowed = f.search != "" || f.org != 0 || f.location != 0
	return f, nil
}

// bounded joins as many terms as a URL can hold.
func (f *filter) bounded(terms []string) string {
	size := len(f.sel.Search)
	var kept []string
	for _, t := range terms {
		if size += len(t) + 5; size < maxSearch {
			kept = append(kept, t)
		}
	}
	return foremanapi.All(kept...)
}

// match reports whether the host is selected, and notes which names of the
// selection it has.
func (f *filter) match(s *katprep.State, h *foremanapi.Host) bool {
	if f.collections != nil {
		s.Facts.Collections = f.collections[h.ID.N]
	}
	f.hosts.see(s.Name)
	f.os.see(s.Facts.OS.ID, s.Facts.OS.Name, s.Facts.OS.ID+" "+s.Facts.OS.Version)
	for _, p := range s.Parameters {
		f.parameter.see(p.Name)
	}
	if !collect.Match(f.sel, *s) {
		return false
	}
	return !f.isSelf(s.Name, h) || f.names(s.Name)
}

// isSelf recognizes the management server among its hosts.
func (f *filter) isSelf(name string, h *foremanapi.Host) bool {
	return bool(h.Infrastructure.V.ForemanInstance) || slices.ContainsFunc(f.self, func(s string) bool { return strings.EqualFold(s, name) })
}

// names reports whether the selection names the host itself, not by a pattern.
func (f *filter) names(host string) bool {
	for _, p := range f.sel.Hosts {
		if strings.EqualFold(p, host) {
			return true
		}
	}
	return false
}

// unfound returns the names of the selection that no host had, after all
// hosts were listed. What only some of the hosts could have had is not held
// against the selection.
func (f *filter) unfound() error {
	if f.narrowed {
		return f.hosts.unfound()
	}
	return errors.Join(f.hosts.unfound(), f.os.unfound(), f.parameter.unfound())
}

func parameterNames(wanted []string) (names []string) {
	for _, w := range wanted {
		name, _, _ := strings.Cut(w, "=")
		names = append(names, name)
	}
	return names
}

// few reports whether the selection names only some hosts, so that asking for
// each of them is cheaper than asking for all.
func (f *filter) few() bool {
	return len(f.sel.Hosts) > 0 && len(f.sel.Hosts) <= 20 && !slices.ContainsFunc(f.sel.Hosts, func(p string) bool { return strings.ContainsAny(p, "*?") })
}
