package foremanapi

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/stdevel/katprep"
)

// A Call is a request that the client can send. Nothing is sent that is not
// in [Calls], with no parameter that the call does not list: Foreman ignores
// misspelt parameters without a word, so the tests compare this table with
// the API documentation of every version.
type Call struct {
	Method string
	Path   string   // with :name for each argument
	Params []string // allowed in the query or at the top of the body; "a.b" inside of a
	Plugin string   // that brings the path; "" for Foreman itself
	Reads  bool     // changes nothing, so it can be sent again
	Hidden []string // Params that work but are not in the API documentation
	Since  Feature  // that guards the call, "" if every version has it
}

// expand puts the arguments into the path, escaped.
func (e *Call) expand(args []string) string {
	parts := strings.Split(e.Path, "/")
	for i, p := range parts {
		if strings.HasPrefix(p, ":") && len(args) > 0 {
			parts[i], args = segment(args[0]), args[1:]
		}
	}
	return strings.Join(parts, "/")
}

// segment escapes text so that it is one element of a path, whatever it is.
func segment(s string) string {
	if s == "." || s == ".." {
		return strings.ReplaceAll(s, ".", "%2E")
	}
	return url.PathEscape(s)
}

// accepts holds a request to what its call lists.
func (e *Call) accepts(query url.Values, body any) error {
	for name := range query {
		if !slices.Contains(e.Params, strings.TrimSuffix(name, "[]")) {
			return katprep.Errorf(katprep.Internal, "%s %s has no parameter %q", e.Method, e.Path, name)
		}
	}
	if body == nil {
		return nil
	}
	for _, name := range keysOf(body) {
		if !slices.Contains(e.Params, name) {
			return katprep.Errorf(katprep.Internal, "%s %s has no field %q", e.Method, e.Path, name)
		}
	}
	return nil
}

// keysOf lists the fields of a body, two levels deep.
func keysOf(body any) []string {
	b, err := json.Marshal(body)
	if err != nil {
		return nil
	}
	var top map[string]json.RawMessage
	if json.Unmarshal(b, &top) != nil {
		return nil
	}
	var keys []string
	for name, raw := range top {
		keys = append(keys, name)
		var inner map[string]json.RawMessage
		if json.Unmarshal(raw, &inner) == nil {
			for sub := range inner {
				keys = append(keys, name+"."+sub)
			}
		}
	}
	return keys
}

// Plugins that calls need, as /api/plugins names them.
const (
	Katello         = "katello"
	RemoteExecution = "foreman_remote_execution"
	Tasks           = "foreman-tasks"
)

var paging = []string{"search", "order", "page", "per_page"}

func with(names ...string) []string { return append(slices.Clone(paging), names...) }

var (
	callStatus  = &Call{Method: http.MethodGet, Path: "/api/status", Reads: true}
	callPlugins = &Call{Method: http.MethodGet, Path: "/api/plugins", Params: paging, Reads: true}
	callHosts   = &Call{Method: http.MethodGet, Path: "/api/hosts", Params: with("include", "organization_id", "location_id", "thin"), Reads: true}
	callParams  = &Call{Method: http.MethodGet, Path: "/api/hosts/:host_id/parameters", Params: paging, Reads: true}
	callFacts   = &Call{Method: http.MethodGet, Path: "/api/fact_values", Params: paging, Reads: true}
	callOrgs    = &Call{Method: http.MethodGet, Path: "/api/organizations", Params: paging, Reads: true}
	callLocs    = &Call{Method: http.MethodGet, Path: "/api/locations", Params: paging, Reads: true}
	callGroups  = &Call{Method: http.MethodGet, Path: "/api/hostgroups", Params: paging, Reads: true}

	callHostErrata = &Call{Method: http.MethodGet, Path: "/api/hosts/:host_id/errata", Plugin: Katello, Reads: true,
		Params: []string{"full_result", "include_applicable", "content_view_id", "environment_id", "page", "per_page"}}
	callPackages = &Call{Method: http.MethodGet, Path: "/api/hosts/:host_id/packages", Plugin: Katello, Reads: true,
		Params: []string{"full_result", "include_latest_upgradable", "page", "per_page"}}
	callDebs = &Call{Method: http.MethodGet, Path: "/api/hosts/:host_id/debs", Plugin: Katello, Reads: true, Since: HostDebs,
		Params: []string{"full_result", "include_latest_upgradable", "page", "per_page"}}
	callTraces = &Call{Method: http.MethodGet, Path: "/api/hosts/:host_id/traces", Plugin: Katello, Reads: true, Since: HostTraces,
		Params: []string{"full_result", "page", "per_page"}, Hidden: []string{"full_result", "page", "per_page"}}
	callInstallable = &Call{Method: http.MethodPost, Path: "/api/hosts/bulk/installable_errata", Plugin: Katello, Reads: true, Since: BulkErrata,
		Params: []string{"organization_id", "included", "included.search", "included.ids", "page", "per_page"}, Hidden: []string{"page", "per_page"}}
	callApplicable = &Call{Method: http.MethodPost, Path: "/api/hosts/bulk/applicable_errata", Plugin: Katello, Reads: true, Since: BulkErrata,
		Params: []string{"organization_id", "included", "included.search", "included.ids", "page", "per_page"}, Hidden: []string{"page", "per_page"}}
	callBulkTraces = &Call{Method: http.MethodPost, Path: "/api/hosts/bulk/traces", Plugin: Katello, Reads: true, Since: BulkTraces,
		Params: []string{"organization_id", "included", "included.search", "included.ids", "page", "per_page"}, Hidden: []string{"page", "per_page"}}
)

// Calls lists every request that the client can send.
func Calls() []Call {
	all := []*Call{callStatus, callPlugins, callHosts, callParams, callFacts, callOrgs, callLocs, callGroups,
		callHostErrata, callPackages, callDebs, callTraces, callInstallable, callApplicable, callBulkTraces}
	calls := make([]Call, len(all))
	for i, e := range all {
		calls[i] = *e
	}
	return calls
}
