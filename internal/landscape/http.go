package landscape

import (
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// A reply is an answer before it is sent.
type reply struct {
	status int
	kind   string // media type
	body   []byte
	header http.Header
	drop   bool
}

// A call is one authenticated request.
type call struct {
	*http.Request
	q    url.Values
	user *User
	org  int // organization_id, 0 = any
	loc  int
	body []byte
	now  time.Time
}

// A handler answers a call while the landscape is locked.
type handler func(c *call) *reply

const maxBody = 8 << 20

// ServeHTTP answers a request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(io.LimitReader(r.Body, maxBody))
	if err != nil {
		return
	}
	s.mu.Lock()
	s.stats.Requests++
	s.stats.inFlight++
	s.stats.MaxInFlight = max(s.stats.MaxInFlight, s.stats.inFlight)
	delay, fault := s.o.Latency, s.hit(r)
	s.mu.Unlock()
	defer s.leave()
	if fault != nil {
		delay += fault.Delay
	}
	sleep(r.Context(), delay)
	if fault != nil && fault.After != nil {
		fault.After()
	}
	var p *reply
	if fault != nil && fault.Status != 0 {
		p = &reply{header: http.Header{}} // the application never sees the request
	} else {
		p = s.answer(r, body)
	}
	if fault != nil {
		p = fault.apply(p)
	}
	send(w, p)
}

func (s *Server) leave() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stats.inFlight--
}

func send(w http.ResponseWriter, p *reply) {
	for k, v := range p.header {
		w.Header()[k] = v
	}
	w.Header().Set("Content-Type", p.kind)
	w.Header().Set("Content-Length", strconv.Itoa(len(p.body)))
	w.WriteHeader(p.status)
	if p.drop {
		// Less than announced: the HTTP server closes the connection.
		_, _ = w.Write(p.body[:len(p.body)/2])
		return
	}
	_, _ = w.Write(p.body)
}

// answer runs the application.
func (s *Server) answer(r *http.Request, body []byte) *reply {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.clock.advance(s.o.Tick)
	s.settle()
	header := http.Header{}
	p := s.dispatch(r, body, header)
	for k, v := range header {
		if p.header == nil {
			p.header = http.Header{}
		}
		p.header[k] = v
	}
	return p
}

func (s *Server) dispatch(r *http.Request, body []byte, header http.Header) *reply {
	r = r.Clone(r.Context())
	r.URL.Path = strings.Replace(r.URL.Path, "/api/v2/", "/api/", 1)
	header.Set("Foreman_version", s.o.Foreman)
	header.Set("Foreman_api_version", "2")
	header.Set("X-Request-Id", uuid(mix(s.o.Seed, 77, uint64(s.stats.Requests)), uint64(s.stats.Requests)))
	user, denied := s.login(r, header)
	if denied != nil {
		return denied
	}
	if (r.Method == http.MethodPost || r.Method == http.MethodPut) && mediaType(r) != "application/json" {
		return fail(http.StatusUnsupportedMediaType, "Media type in 'Content-Type: "+r.Header.Get("Content-Type")+
			"' is unsupported in API v2 for POST and PUT requests. Please use 'Content-Type: application/json'.")
	}
	c := &call{Request: r, q: r.URL.Query(), user: user, body: body, now: s.clock.now()}
	if p := c.scope(header); p != nil {
		return p
	}
	_, pattern := s.mux.Handler(r)
	if s.stats.ByRoute == nil {
		s.stats.ByRoute = map[string]int{}
	}
	s.stats.ByRoute[pattern]++
	catch := &catcher{call: c}
	s.mux.ServeHTTP(catch, r)
	if catch.reply == nil {
		return &reply{status: 404, kind: "text/html; charset=utf-8", body: []byte("<!DOCTYPE html><html><head><title>The page you were looking for doesn't exist (404)</title></head><body></body></html>")}
	}
	return catch.reply
}

// scope reads the organization and location of the call.
func (c *call) scope(header http.Header) *reply {
	for _, x := range []struct {
		key    string
		list   []place
		id     *int
		header string
	}{{"organization_id", organizations, &c.org, "Organization"}, {"location_id", locations, &c.loc, "Location"}} {
		v, name := c.q.Get(x.key), "; ANY"
		if v == "" {
			v = c.bodyID(x.key)
		}
		if v != "" {
			id, _ := strconv.Atoi(v)
			p, ok := placeByID(x.list, id)
			if !ok || x.key == "organization_id" && !c.user.inOrg(id) {
				return object(404, map[string]any{"message": fmt.Sprintf("%s with id %s not found", x.header, v)})
			}
			*x.id, name = id, fmt.Sprintf("%d; %s", id, p.title)
		}
		header.Set("Foreman_current_"+strings.ToLower(x.header), name)
	}
	return nil
}

func (c *call) bodyID(key string) string {
	var m map[string]any
	if json.Unmarshal(c.body, &m) != nil {
		return ""
	}
	if v, ok := m[key]; ok && v != nil {
		return fmt.Sprint(v)
	}
	return ""
}

// decode reads the request's body.
func (c *call) decode(into any) *reply {
	if len(c.body) == 0 {
		return nil
	}
	if err := json.Unmarshal(c.body, into); err != nil {
		return object(400, map[string]any{"status": 400, "error": "There was a problem in the JSON you submitted: " + err.Error()})
	}
	return nil
}

func mediaType(r *http.Request) string {
	t, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	return t
}

// A catcher carries a call through the mux to a handler and its reply back.
type catcher struct {
	call  *call
	reply *reply
}

func (c *catcher) Header() http.Header       { return http.Header{} }
func (c *catcher) Write([]byte) (int, error) { return 0, nil }
func (c *catcher) WriteHeader(int)           {}

// guard makes an http.Handler of h that needs a permission.
func guard(permission string, h handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c := w.(*catcher)
		if !c.call.user.may(permission) {
			c.reply = forbidden(permission)
			return
		}
		call := *c.call
		call.Request = r // with its path values
		c.reply = h(&call)
	})
}

func object(status int, v any) *reply {
	b, err := json.Marshal(v)
	if err != nil {
		return fail(500, err.Error())
	}
	return &reply{status: status, kind: "application/json; charset=utf-8", body: b}
}

func fail(status int, message string) *reply {
	return object(status, map[string]any{"error": map[string]any{"message": message}})
}

func forbidden(permission string) *reply {
	return object(403, map[string]any{"error": map[string]any{
		"message": "Access denied", "details": "Missing one of the required permissions: " + permission, "missing_permissions": []string{permission},
	}})
}

func noSuch(resource, id string) *reply {
	return fail(404, fmt.Sprintf("Resource %s not found by id '%s'", resource, id))
}

func badSearch(err error) *reply {
	return object(400, map[string]any{"error": map[string]any{"message": err.Error(), "class": "ScopedSearch::QueryNotSupported"}})
}
