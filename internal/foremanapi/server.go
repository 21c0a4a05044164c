package foremanapi

import (
	"context"
	"net/url"
	"strconv"
	"strings"
)

// Status is how the server presents itself to a login.
type Status struct {
	Version   text `json:"version"`           // of Foreman
	Satellite text `json:"satellite_version"` // "" for upstream
}

// A Version is dotted numbers, compared number by number; nil is unknown.
type Version []int

// ParseVersion reads the leading numbers: "3.12.0-develop" is 3.12.0.
func ParseVersion(s string) Version {
	var v Version
	for part := range strings.SplitSeq(s, ".") {
		end := strings.IndexFunc(part, func(r rune) bool { return r < '0' || r > '9' })
		digits := part
		if end >= 0 {
			digits = part[:end]
		}
		n, err := strconv.Atoi(digits)
		if err != nil {
			break
		}
		v = append(v, n)
		if end >= 0 {
			break
		}
	}
	return v
}

// Before reports whether v is known and older than the given numbers.
func (v Version) Before(numbers ...int) bool {
	if len(v) == 0 {
		return false
	}
	for i, n := range numbers {
		have := 0
		if i < len(v) {
			have = v[i]
		}
		if have != n {
			return have < n
		}
	}
	return false
}

// Feature is an ability that not every version has.
type Feature string

// The features.
const (
	HostDebs   Feature = "packages of Debian hosts" // Katello 3.15
	HostTraces Feature = "traces"                   // Katello 3.8
	BulkErrata Feature = "errata of many hosts"     // Katello 3.5
	BulkTraces Feature = "traces of many hosts"     // Katello 3.16
	Applicable Feature = "include_applicable"       // Katello 4.3
	Upgradable Feature = "upgradable versions"      // Katello 4.7
	Agent      Feature = "katello-agent"            // until Katello 4.9
)

// A Server is what is known of the server: versions and plugins.
type Server struct {
	Foreman     Version
	Katello     Version           // nil if absent or unknown
	Product     string            // "Satellite 6.16.0", "Foreman 3.12.0"
	Version     string            // "6.16.0", "3.12.0"
	Plugins     map[string]string // name to version
	PluginsErr  error             // why Plugins is not known
	FullVersion string            // "Foreman 3.12.0.1, Katello 4.14.0"
}

// Has reports whether the server has a plugin; unknown counts as yes, so that
// the call is tried and its answer tells.
func (s *Server) Has(plugin string) bool {
	_, ok := s.Plugins[plugin]
	return ok || s.PluginsErr != nil
}

// Can reports whether the version has the feature; an unknown version can.
func (s *Server) Can(f Feature) bool {
	switch f {
	case HostDebs:
		return !s.Katello.Before(3, 15)
	case HostTraces:
		return !s.Katello.Before(3, 8)
	case BulkErrata:
		return !s.Katello.Before(3, 5)
	case BulkTraces:
		return !s.Katello.Before(3, 16)
	case Applicable:
		return !s.Katello.Before(4, 3)
	case Upgradable:
		return !s.Katello.Before(4, 7)
	case Agent:
		return s.Katello.Before(4, 10)
	}
	return true
}

type plugin struct {
	Name    text `json:"name"`
	Version text `json:"version"`
}

// Server logs in and asks for versions and plugins. A user who may not list
// plugins is told by Server.PluginsErr and is no error.
func (c *Client) Server(ctx context.Context) (*Server, error) {
	if err := c.Login(ctx); err != nil {
		return nil, err
	}
	s := &Server{Foreman: ParseVersion(string(c.status.Version)), Plugins: map[string]string{}}
	s.Product, s.Version = "Foreman "+oneLine(string(c.status.Version), 40), oneLine(string(c.status.Version), 40)
	if v := oneLine(string(c.status.Satellite), 40); v != "" {
		s.Product, s.Version = "Satellite "+v, v
	}
	s.FullVersion = "Foreman " + oneLine(string(c.status.Version), 40)
	var page Page[plugin]
	err := c.call(ctx, callPlugins, nil, url.Values{"per_page": {"1000"}}, nil, &page)
	if err != nil {
		if c.Refused() != nil || ctx.Err() != nil {
			return nil, err
		}
		s.PluginsErr = err
		return s, nil
	}
	for _, p := range page.Results {
		s.Plugins[strings.ReplaceAll(string(p.Name), "foreman_tasks", Tasks)] = string(p.Version)
	}
	if v, ok := s.Plugins[Katello]; ok {
		s.Katello = ParseVersion(v)
		s.FullVersion += ", Katello " + oneLine(v, 40)
	}
	return s, nil
}

// Refused returns the error with which the server refused the login, or nil.
func (c *Client) Refused() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.refused
}
