package foreman

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/internal/foremanapi"
)

// A scope looks names of a selection up and collects search terms for them.
type scope struct {
	c     *Collector
	ctx   context.Context
	terms []string
	orgs  []foremanapi.Named // once asked
}

// ownName asks the server for its own name; the URL's is all there is for a
// user who may not know.
func (s *scope) ownName(f *filter) error {
	name, err := s.c.api.OwnName(s.ctx)
	if s.c.fatal(s.ctx, err) {
		return err
	}
	if name != "" {
		f.self = append(f.self, name)
	}
	return nil
}

// limits applies the organization and location of the configuration.
func (s *scope) limits(f *filter) (err error) {
	if s.c.o.Organization != "" {
		if f.org, err = s.one("organization", s.c.o.Organization, s.allOrgs); err != nil {
			return err
		}
	}
	if s.c.o.Location != "" {
		f.location, err = s.one("location", s.c.o.Location, s.c.api.Locations)
	}
	return err
}

// one finds a record by ID, title or name.
func (s *scope) one(what, wanted string, list func(context.Context) ([]foremanapi.Named, error)) (int64, error) {
	all, err := list(s.ctx)
	if err != nil {
		return 0, err
	}
	for _, n := range all {
		if wanted == fmt.Sprint(n.ID.N) || strings.EqualFold(wanted, string(n.Title)) || strings.EqualFold(wanted, string(n.Name)) {
			return n.ID.N, nil
		}
	}
	return 0, unknown(what, wanted, titles(all))
}

func (s *scope) allOrgs(ctx context.Context) ([]foremanapi.Named, error) {
	if s.orgs != nil {
		return s.orgs, nil
	}
	var err error
	s.orgs, err = s.c.api.Organizations(ctx)
	return s.orgs, err
}

func (s *scope) organizations(f *filter) error {
	return s.places("organization", f.sel.Organizations, s.allOrgs)
}

func (s *scope) locations(f *filter) error {
	return s.places("location", f.sel.Locations, s.c.api.Locations)
}

// places resolves organizations or locations. Hosts are compared by the name,
// which is all that a host's record has; the server searches by title.
func (s *scope) places(what string, patterns []string, list func(context.Context) ([]foremanapi.Named, error)) error {
	if len(patterns) == 0 {
		return nil
	}
	all, err := list(s.ctx)
	if err != nil {
		return err
	}
	var terms []string
	for _, p := range patterns {
		found := false
		for _, n := range all {
			if glob(p, string(n.Name)) {
				found = true
				terms = append(terms, foremanapi.Equal(what, string(n.Title)))
			}
		}
		if !found {
			return unknownPlace(what, p, all)
		}
	}
	s.any(terms)
	return nil
}

func unknownPlace(what, pattern string, all []foremanapi.Named) error {
	for _, n := range all {
		if glob(pattern, string(n.Title)) {
			return katprep.Errorf(katprep.NotFound, "%s %q is a title, hosts show the name", what, pattern).WithHint("use %q", n.Name)
		}
	}
	return unknown(what, pattern, names(all))
}

// any adds the terms as alternatives, unless they are very many.
func (s *scope) any(terms []string) {
	slices.Sort(terms)
	if terms = slices.Compact(terms); len(terms) <= 50 {
		s.terms = append(s.terms, foremanapi.Any(terms...))
	}
}

// hostGroups resolves groups by title, with their children.
func (s *scope) hostGroups(f *filter) error {
	if len(f.sel.HostGroups) == 0 {
		return nil
	}
	all, err := s.c.api.HostGroups(s.ctx)
	if err != nil {
		return err
	}
	var terms []string
	for _, p := range f.sel.HostGroups {
		found := false
		for _, n := range all {
			if underneath(p, string(n.Title)) {
				found = true
				terms = append(terms, foremanapi.Equal("hostgroup_title", string(n.Title)))
			}
		}
		if !found {
			return unknown("host group", p, titles(all))
		}
	}
	s.any(terms)
	return nil
}

// underneath reports whether the pattern matches the title or a parent of it.
func underneath(pattern, title string) bool {
	for i := range len(title) {
		if title[i] == '/' && glob(pattern, title[:i]) {
			return true
		}
	}
	return glob(pattern, title)
}

func (s *scope) environments(f *filter) error {
	return s.content("lifecycle environment", "lifecycle_environment", f.sel.Environments, s.c.api.Environments)
}

func (s *scope) contentViews(f *filter) error {
	return s.content("content view", "content_view", f.sel.ContentViews, s.c.api.ContentViews)
}

// content resolves what belongs to organizations.
func (s *scope) content(what, field string, patterns []string, list func(context.Context, int64) ([]foremanapi.Named, error)) error {
	_, terms, err := s.find(what, field, patterns, list)
	if err == nil && len(terms) > 0 {
		s.any(terms)
	}
	return err
}

func (s *scope) find(what, field string, patterns []string, list func(context.Context, int64) ([]foremanapi.Named, error)) (found, terms []string, err error) {
	if len(patterns) == 0 {
		return nil, nil, nil
	}
	all, err := s.ofAllOrgs(what, list)
	if err != nil {
		return nil, nil, err
	}
	for _, p := range patterns {
		before := len(found)
		for _, n := range all {
			if glob(p, string(n.Name)) {
				found = append(found, string(n.Name))
				terms = append(terms, foremanapi.Equal(field, string(n.Name)))
			}
		}
		if len(found) == before {
			return nil, nil, unknown(what, p, names(all))
		}
	}
	slices.Sort(found)
	return slices.Compact(found), terms, nil
}

func (s *scope) ofAllOrgs(what string, list func(context.Context, int64) ([]foremanapi.Named, error)) ([]foremanapi.Named, error) {
	if !s.c.server.Has(foremanapi.Katello) {
		return nil, katprep.Errorf(katprep.NotFound, "no %s is known: the plugin katello is not installed on the server", what)
	}
	orgs, err := s.allOrgs(s.ctx)
	if err != nil {
		return nil, err
	}
	var all []foremanapi.Named
	for _, o := range orgs {
		more, err := list(s.ctx, o.ID.N)
		if err != nil {
			return nil, err
		}
		all = append(all, more...)
	}
	return all, nil
}

// hostCollections resolves collections and asks for their members, which the
// list of hosts does not tell.
func (s *scope) hostCollections(f *filter) error {
	found, terms, err := s.find("host collection", "host_collection", f.sel.Collections, s.c.api.HostCollections)
	if err != nil || len(found) == 0 {
		return err
	}
	s.any(terms)
	f.collections = map[int64][]string{}
	for _, name := range found {
		hosts, err := s.c.api.HostNames(s.ctx, s.c.server, foremanapi.Equal("host_collection", name), 0)
		if err != nil {
			return err
		}
		for _, h := range hosts {
			f.collections[h.ID] = append(f.collections[h.ID], name)
		}
	}
	return nil
}

// hostNames narrows the search by host names and looks for typing errors.
func (s *scope) hostNames(f *filter) error {
	var terms []string
	for _, p := range f.sel.Hosts {
		terms = append(terms, hostTerm(p))
	}
	f.hosts.similar = s.similarHosts
	f.hosts.exists = func(name string) bool {
		found, err := s.c.api.HostNames(s.ctx, s.c.server, hostTerm(name), 1)
		return err == nil && len(found) > 0
	}
	if len(terms) > 0 {
		s.any(terms)
	}
	return nil
}

// hostTerm finds hosts by name. Foreman's names are in lower case.
func hostTerm(pattern string) string {
	if strings.ContainsAny(pattern, "*?") {
		return foremanapi.Like("name", pattern)
	}
	return foremanapi.Equal("name", strings.ToLower(pattern))
}

// similarHosts looks for hosts whose name begins like the wanted one, shorter
// and shorter.
func (s *scope) similarHosts(name string) []string {
	short, _, _ := strings.Cut(strings.Trim(name, "*?"), ".")
	for n := []rune(short); len(n) >= 2; n = n[:len(n)-1] {
		hosts, err := s.c.api.HostNames(s.ctx, s.c.server, foremanapi.Like("name", string(n)+"*"), 20)
		if err != nil {
			return nil
		}
		var found []string
		for _, h := range hosts {
			found = append(found, h.Name)
		}
		if len(found) > 0 {
			return found
		}
	}
	return nil
}

func names(all []foremanapi.Named) (out []string) {
	for _, n := range all {
		out = append(out, string(n.Name))
	}
	return out
}

func titles(all []foremanapi.Named) (out []string) {
	for _, n := range all {
		out = append(out, string(n.Title))
	}
	return out
}
