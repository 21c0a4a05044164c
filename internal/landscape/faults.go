package landscape

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// A Fault is what goes wrong with some requests. It hits those whose method
// and path match, beginning with the Nth such request, Times times.
type Fault struct {
	Method string // "" = any
	Path   string // substring of the path, "" = any
	Nth    int    // 1 = the first that matches; 0 = 1
	Times  int    // 0 = once, -1 = for ever

	Delay      time.Duration // real time before the answer
	Status     int           // answer this instead, with Body
	Body       string        // default: what Foreman (or Apache, for 502 and 503) says
	HTML       bool          // the Body is HTML
	RetryAfter int           // seconds, 0 = no header
	Truncate   int           // send only so many bytes of the answer, as a complete answer
	Drop       bool          // close the connection in the middle of the answer
	After      func()        // called when the fault hits, without locks: remove a host, expire sessions …

	seen int
}

// A HostFault is what goes wrong with one host.
type HostFault struct {
	JobFails    bool   // its jobs end with an error and install nothing
	NoBoot      bool   // once rebooted, it does not come back
	NotTargeted bool   // jobs are accepted but leave it out
	Unreadable  int    // status of every answer about this host alone: 500, 404 …
	Unreachable bool   // down for remote execution
	NoContent   bool   // not registered: no content facet, no packages, no errata
	NoFacts     bool   // no reported data, no IP, no owner; nulls everywhere
	NoTracer    bool   // no traces and no traces_status
	SkipsErrata bool   // its jobs succeed and install nothing
	Output      string // added to the output of its jobs: untrusted text
}

// Inject adds a fault.
func (s *Server) Inject(f Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = append(s.faults, &f)
}

// ClearFaults removes all faults of requests.
func (s *Server) ClearFaults() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = nil
}

// SetHostFault changes what goes wrong with a host.
func (s *Server) SetHostFault(name string, f HostFault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if h := s.byName[name]; h != nil {
		h.fault = f
	}
}

// SetLatency changes the real time that each request takes at least.
func (s *Server) SetLatency(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.o.Latency = d
}

// hit returns the fault of this request, or nil.
func (s *Server) hit(r *http.Request) *Fault {
	var hit *Fault
	for _, f := range s.faults {
		if f.Method != "" && f.Method != r.Method || !strings.Contains(r.URL.Path, f.Path) {
			continue
		}
		f.seen++
		first := max(f.Nth, 1)
		if hit == nil && f.seen >= first && (f.Times < 0 || f.seen < first+max(f.Times, 1)) {
			hit = f
		}
	}
	return hit
}

// apply changes the answer as the fault says.
func (f *Fault) apply(p *reply) *reply {
	if f.Status != 0 {
		p = &reply{status: f.Status, kind: "application/json; charset=utf-8", body: []byte(f.text()), header: p.header}
		if f.HTML || f.Body == "" && (f.Status == 502 || f.Status == 503) {
			p.kind = "text/html; charset=iso-8859-1"
		}
	}
	if f.RetryAfter > 0 {
		p.header.Set("Retry-After", strconv.Itoa(f.RetryAfter))
	}
	if f.Truncate > 0 {
		p.body = p.body[:min(f.Truncate, len(p.body))]
	}
	p.drop = f.Drop
	return p
}

func (f *Fault) text() string {
	switch {
	case f.Body != "":
		return f.Body
	case f.HTML, f.Status == 502, f.Status == 503:
		return "<!DOCTYPE HTML PUBLIC \"-//IETF//DTD HTML 2.0//EN\">\n<html><head>\n<title>" + strconv.Itoa(f.Status) + " " +
			http.StatusText(f.Status) + "</title>\n</head><body>\n<h1>" + http.StatusText(f.Status) + "</h1>\n</body></html>\n"
	case f.Status == 500:
		return `{"error":{"message":"Internal Server Error: the server was unable to finish the request. This may be caused by unavailability of some required service, incorrect API call or a server-side bug. There may be more information in the server's logs."}}`
	}
	return `{"error":{"message":"` + http.StatusText(f.Status) + `"}}`
}

func sleep(ctx context.Context, d time.Duration) {
	if d <= 0 {
		return
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}
