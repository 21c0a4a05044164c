// Package landscape is a simulated Foreman with Katello and remote execution:
// a seeded, deterministic data centre behind an [http.Handler] that answers
// as the recorded servers do. Jobs really install: packages move to the fixed
// versions, errata vanish after a delay, a new kernel waits for a reboot.
//
// It is a fake, made from documented and recorded answers, for the demo, for
// tests and for benchmarks; it is not a reference for what a real server does.
// Packages and errata of a host are computed from the seed and the host's
// patch state whenever they are asked for, so that ten thousand hosts need
// little memory.
package landscape

import (
	"net/http"
	"sync"
	"time"
)

// Options describe a landscape. The zero value is a small one.
type Options struct {
	Seed     uint64 // same seed, same landscape
	Hosts    int    // default 50
	Packages int    // per host, about; default 120
	Errata   int    // installable ones per RPM host, about; default 8

	Start time.Time     // the landscape's time at first; default 2026-11-02 06:00 UTC
	Speed float64       // landscape seconds per real second; 0: time stands still but for Tick and Advance
	Tick  time.Duration // time that passes with every request
	// Hurry divides how long jobs, shutdowns, boots and delays take, and
	// leaves the clock alone: with Speed 1 and Start now, no time that the
	// landscape tells lies in the future. Default 1.
	Hurry float64

	ErrataDelay  time.Duration // from an installation until errata vanish; default 60 s
	PackageDelay time.Duration // from an installation until packages change; default 10 s
	BootTime     time.Duration // from the shutdown until a host is up again; default 90 s

	Foreman   string   // version, default "3.12.0.1"
	Katello   string   // version, default "4.14.0.1"
	Satellite string   // version or ""; default "6.16.0" if Foreman is not given
	Plugins   []string // default katello, foreman_remote_execution, foreman-tasks; a missing one is not there at all

	Users []User // default: admin / changeme, who may everything

	// Foreman itself is a host of its own landscape unless this is set.
	NoSelf bool

	Latency time.Duration        // real time that each request takes at least
	Faults  []Fault              // what goes wrong with requests
	Hostile map[string]HostFault // what goes wrong with hosts, by name

	// Command answers a command run by remote execution. Nil, or ok = false,
	// leaves it to the landscape, which knows boot IDs, boot times and
	// kernels, and lets everything else succeed without output. It must not
	// call the Server, which waits for it.
	Command func(host, command string) (output string, exit int, ok bool)
}

func (o Options) withDefaults() Options {
	o.Hosts = orDefault(o.Hosts, 50)
	o.Packages = orDefault(o.Packages, 120)
	o.Errata = orDefault(o.Errata, 8)
	o.ErrataDelay = orDefault(o.ErrataDelay, time.Minute)
	o.PackageDelay = orDefault(o.PackageDelay, 10*time.Second)
	o.BootTime = orDefault(o.BootTime, 90*time.Second)
	if o.Hurry <= 0 {
		o.Hurry = 1
	}
	if o.Start.IsZero() {
		o.Start = time.Date(2026, 11, 2, 6, 0, 0, 0, time.UTC)
	}
	if o.Foreman == "" {
		o.Foreman, o.Satellite = "3.12.0.1", orDefault(o.Satellite, "6.16.0")
	}
	o.Katello = orDefault(o.Katello, "4.14.0.1")
	if o.Plugins == nil {
		o.Plugins = []string{"foreman-tasks", "foreman_remote_execution", "katello"}
	}
	if o.Users == nil {
		o.Users = []User{{Login: "admin", Password: "changeme", Admin: true}}
	}
	return o
}

func orDefault[T comparable](v, d T) T {
	var zero T
	if v == zero {
		return d
	}
	return v
}

// A Server is a landscape and its management server. It is safe for
// concurrent use.
type Server struct {
	o   Options
	mux *http.ServeMux
	cat *catalogue

	mu        sync.Mutex // guards everything below
	clock     clock
	hosts     []*host // sorted by name
	byName    map[string]*host
	byID      map[int]*host
	nextID    int // of anything made later
	globals   []parameter
	groupPs   map[int][]parameter // host group ID → its parameters
	jobs      []*job
	tasks     map[string]*task
	events    queue
	gates     *gates
	faults    []*Fault
	reports   []configReport
	pending   map[string]pendingReport
	pause     int     // jobs yet to be paused
	published [4]bool // environments whose content is new
	stats     Stats
}

// New makes a landscape.
func New(o Options) *Server {
	o = o.withDefaults()
	s := &Server{
		o: o, cat: newCatalogue(o), clock: newClock(o),
		byName: map[string]*host{}, byID: map[int]*host{},
		nextID: 1_000_000, groupPs: map[int][]parameter{},
		tasks: map[string]*task{}, pending: map[string]pendingReport{},
		gates: newGates(o.Users),
	}
	s.makeHosts()
	for _, f := range o.Faults {
		s.faults = append(s.faults, &f)
	}
	s.mux = s.routes()
	return s
}

// Stats counts what was asked of the server.
type Stats struct {
	Requests       int
	PasswordChecks int            // logins with a password or token: each is dear on a real server
	ByRoute        map[string]int // requests by route pattern
	MaxInFlight    int            // requests at the same time
	inFlight       int
}

// Stats returns what was asked so far.
func (s *Server) Stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.stats
	c.ByRoute = make(map[string]int, len(s.stats.ByRoute))
	for k, v := range s.stats.ByRoute {
		c.ByRoute[k] = v
	}
	return c
}
