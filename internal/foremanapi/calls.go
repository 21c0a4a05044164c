package foremanapi

import (
	"encoding/json"
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
	Text   bool     // the answer is no JSON
	Since  Feature  // that guards the call, "" if every version has it

	// Guards are the features that guard single parameters.
	Guards map[string]Feature
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

// accepts holds a request to what its call lists, and to what the server's
// version has as far as that is known.
func (e *Call) accepts(s *Server, query url.Values, body any) error {
	if s != nil && e.Since != "" && !s.Can(e.Since) {
		return katprep.Errorf(katprep.NotFound, "%s has no %s (%s %s)", s.FullVersion, e.Since, e.Method, e.Path)
	}
	var used []string
	for name := range query {
		used = append(used, strings.TrimSuffix(name, "[]"))
	}
	if body != nil {
		used = append(used, keysOf(body)...)
	}
	for _, name := range used {
		if inside(name, e.Params) {
			continue
		}
		if !slices.Contains(e.Params, name) {
			return katprep.Errorf(katprep.Internal, "%s %s has no parameter %q", e.Method, e.Path, name)
		}
		if f, guarded := e.Guards[name]; guarded && s != nil && !s.Can(f) {
			return katprep.Errorf(katprep.Internal, "%s %s has no parameter %q in %s", e.Method, e.Path, name, s.FullVersion)
		}
	}
	return nil
}

// inside reports whether the name is one inside of a parameter whose content
// is free, such as the inputs of a report.
func inside(name string, params []string) bool {
	top, _, nested := strings.Cut(name, ".")
	return nested && slices.Contains(params, top) && !slices.ContainsFunc(params, func(p string) bool { return strings.HasPrefix(p, top+".") })
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
