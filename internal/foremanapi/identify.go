package foremanapi

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"time"
)

// An Identity is how the server presents itself to a login.
type Identity struct {
	Product     string // "Satellite 6.16.0"
	Version     string // "Foreman 3.12.0.1, Katello 4.14.0.1"
	User        string
	Missing     []string // permissions that are known to be missing, sorted
	CertExpires time.Time
	ClockSkew   time.Duration // the server's clock minus ours
}

// A check is a harmless request that needs a permission.
type check struct {
	permission string
	call       *Call
	query      url.Values
	plugin     string
}

var one = url.Values{"per_page": {"1"}}

// What reading hosts needs. Rights to write cannot be asked for without
// writing; their lack shows when they are used.
var readChecks = []check{
	{"view_hosts", callHosts, one, ""},
	{"view_facts", callFacts, one, ""},
	{"view_organizations", callOrgs, one, ""},
	{"view_locations", callLocs, one, ""},
	{"view_hostgroups", callGroups, one, ""},
	{"view_content_views", callViews, one, Katello},
}

// What jobs need, besides create_job_invocations.
var jobChecks = []check{
	{"view_hosts", callHosts, one, ""},
	{"view_remote_execution_features", callFeatures, nil, RemoteExecution},
	{"view_job_templates", callTemplates, one, RemoteExecution},
	{"view_job_invocations", callJobs, one, RemoteExecution},
}

// IdentifyReader says who we are to the server, and what the user may not
// read. Its error means that the server cannot be used at all.
func (c *Client) IdentifyReader(ctx context.Context) (Identity, error) {
	return c.identify(ctx, readChecks, c.parametersCheck)
}

// IdentifyJobs says who we are, and what the user lacks to run jobs. Without
// the plugin for remote execution its name is in Missing.
func (c *Client) IdentifyJobs(ctx context.Context) (Identity, error) {
	return c.identify(ctx, jobChecks, func(_ context.Context, s *Server) []string {
		if !s.Has(RemoteExecution) {
			return []string{"plugin " + RemoteExecution}
		}
		return nil
	})
}

func (c *Client) identify(ctx context.Context, checks []check, more func(context.Context, *Server) []string) (Identity, error) {
	server, err := c.Server(ctx)
	if err != nil {
		return Identity{}, err
	}
	id := Identity{Product: server.Product, Version: server.FullVersion, User: c.login.User}
	for _, k := range checks {
		if k.plugin != "" && !server.Has(k.plugin) {
			continue
		}
		if err := c.call(ctx, k.call, nil, k.query, nil, nil); err != nil {
			switch {
			case StatusOf(err) == http.StatusForbidden:
				id.Missing = append(id.Missing, k.permission)
			case StatusOf(err) == 0 || c.Refused() != nil:
				return id, err
			}
		}
	}
	id.Missing = append(id.Missing, more(ctx, server)...)
	slices.Sort(id.Missing)
	id.Missing = slices.Compact(id.Missing)
	id.CertExpires = c.CertExpires()
	id.ClockSkew, _ = c.ClockSkew()
	return id, nil
}

// parametersCheck asks for the parameters of any host: the list of hosts
// hides them without a word.
func (c *Client) parametersCheck(ctx context.Context, server *Server) []string {
	hosts, err := c.HostNames(ctx, server, "", 1)
	if err != nil || len(hosts) == 0 {
		return nil
	}
	if err := c.CanSeeParameters(ctx, hosts[0].ID); StatusOf(err) == http.StatusForbidden {
		return []string{"view_params"}
	}
	return nil
}
