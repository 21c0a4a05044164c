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
	Include        Feature = "parameters in the list of hosts"
	Thin           Feature = "thin lists"
	HostDebs       Feature = "packages of Debian hosts"
	HostTraces     Feature = "traces"
	BulkErrata     Feature = "errata of many hosts"
	Applicable     Feature = "applicable errata of one host"
	Upgradable     Feature = "versions on offer"
	UpgradableDebs Feature = "versions on offer for Debian hosts"
	JobCancel      Feature = "cancelling a job"
	Sorted         Feature = "sorted lists of content"
	Agent          Feature = "katello-agent"
	ParameterTypes Feature = "typed parameters"
	Reports        Feature = "report templates"
	ReportFormats  Feature = "report formats"
	JobTimeout     Feature = "timeout of a job"
	JobHostStatus  Feature = "status of a job's hosts"
)

// An era is when a feature came (or, with until, went): the versions of
// Foreman or Katello.
type era struct {
	katello, foreman []int
	until            bool
}

var eras = map[Feature]era{
	Include:        {foreman: []int{1, 14}},
	Thin:           {foreman: []int{1, 16}},
	HostDebs:       {katello: []int{3, 15}},
	HostTraces:     {katello: []int{3, 8}},
	BulkErrata:     {katello: []int{3, 5}},
	Applicable:     {katello: []int{4, 3}},
	Upgradable:     {katello: []int{4, 7}},
	UpgradableDebs: {katello: []int{4, 14}},
	JobCancel:      {foreman: []int{1, 16}},
	Sorted:         {katello: []int{3, 10}},
	Agent:          {katello: []int{4, 10}, until: true},
	ParameterTypes: {foreman: []int{1, 24}},
	Reports:        {foreman: []int{1, 20}},
	ReportFormats:  {foreman: []int{1, 24}},
	JobTimeout:     {foreman: []int{1, 20}},
	JobHostStatus:  {foreman: []int{2, 1}},
}

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

// Can reports whether the versions have the feature. An unknown version can:
// the call is tried and its answer tells.
func (s *Server) Can(f Feature) bool {
	e := eras[f]
	older := s.Katello.Before(e.katello...)
	if e.foreman != nil {
		older = s.Foreman.Before(e.foreman...)
	}
	return older == e.until
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
	status := c.lastStatus()
	foreman := oneLine(string(status.Version), 40)
	s := &Server{Foreman: ParseVersion(foreman), Product: "Foreman " + foreman, Version: foreman, FullVersion: "Foreman " + foreman, Plugins: map[string]string{}}
	if v := oneLine(string(status.Satellite), 40); v != "" {
		s.Product, s.Version = "Satellite "+v, v
	}
	var page Page[plugin]
	err := c.call(ctx, callPlugins, nil, url.Values{"per_page": {"1000"}}, nil, &page)
	if err != nil {
		if c.Refused() != nil || ctx.Err() != nil {
			return nil, err
		}
		s.PluginsErr = err
		c.server.Store(s)
		return s, nil
	}
	for _, p := range page.Results {
		s.Plugins[strings.ReplaceAll(string(p.Name), "foreman_tasks", Tasks)] = string(p.Version)
	}
	if v, ok := s.Plugins[Katello]; ok {
		s.Katello = ParseVersion(v)
		s.FullVersion += ", Katello " + oneLine(v, 40)
	}
	c.server.Store(s)
	return s, nil
}

// lastStatus is what the server said at the last login.
func (c *Client) lastStatus() Status {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.status
}

// Refused returns the error with which the server refused the login, or nil.
func (c *Client) Refused() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.refused
}
