package landscape

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/stdevel/katprep"
)

// A host is one managed system. What is not here follows from the seed.
type host struct {
	index     int // creation order: the key of the host's randomness
	id        int
	name      string
	fam       *family
	role      int
	site      int
	env       int // index into environments
	owner     int // index into people; -1: none
	view      int // content view ID; 0: not registered, no content
	group     int // host group ID
	virtual   bool
	self      bool // the management server
	tracer    bool
	patched   time.Time // all updates until then are installed
	changes   []change  // installations since
	removed   []int     // components that were removed
	params    []parameter
	boots     []boot // ascending
	down      bool
	restarted time.Time // when services were restarted without a reboot
	upload    time.Time // last forced upload of the package profile
	exec      int       // execution_status; -1: no job yet
	comment   string
	fault     HostFault
}

// A change is an installation.
type change struct {
	at    time.Time
	comp  int
	level int
}

// A boot is one uptime of a host with the kernel it runs.
type boot struct {
	at     time.Time
	kernel int // level of the kernel
	n      int
}

// A parameter is a host's, group's or global parameter.
type parameter struct {
	id      int
	name    string
	value   any
	kind    string
	hidden  bool
	created time.Time
	updated time.Time
}

// level returns which level of a component is installed at a time.
func (h *host) level(c *component, at time.Time) int {
	l := c.levelBefore(h.patched)
	for _, ch := range h.changes {
		if ch.comp == c.index && ch.level > l && !ch.at.After(at) {
			l = ch.level
		}
	}
	return l
}

// has reports whether the component is installed: by role, so that hosts of
// one role are alike.
func (s *Server) has(h *host, c *component) bool {
	if slices.Contains(h.removed, c.index) {
		return false
	}
	return c.core || c.roles>>h.role&1 == 1
}

// limit returns until when content is installable on the host.
func (s *Server) limit(h *host) time.Time {
	if s.published[h.env] {
		return s.o.Start
	}
	return s.o.Start.Add(-envLag[h.env])
}

// best returns the newest level of a component that the host's content has.
func (s *Server) best(h *host, c *component) int { return c.levelBefore(s.limit(h)) }

// erratumView and packageView are the times as of which the server knows the
// host's errata and packages: it learns of installations late.
func (s *Server) erratumView(h *host) time.Time {
	return latest(s.clock.now().Add(-s.clock.takes(s.o.ErrataDelay)), h.upload)
}

func (s *Server) packageView(h *host) time.Time {
	return latest(s.clock.now().Add(-s.clock.takes(s.o.PackageDelay)), h.upload)
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// eachErratum calls f for every applicable erratum as of a time.
func (s *Server) eachErratum(h *host, at time.Time, f func(e *erratum, installable bool)) {
	if h.view == 0 {
		return
	}
	limit := s.limit(h)
	for _, c := range h.fam.comps {
		if len(c.levels) == 1 || !s.has(h, c) {
			continue
		}
		for l := h.level(c, at) + 1; l < len(c.levels); l++ {
			if e := c.levels[l].erratum; e != nil {
				f(e, !c.levels[l].issued.After(limit))
			}
		}
	}
}

// kernels returns the installed levels of the kernel, ascending: older ones
// stay, three at most.
func (h *host) kernels(at time.Time) []int {
	c := h.fam.comps[0]
	ls := []int{c.levelBefore(h.patched)}
	for _, ch := range h.changes {
		if ch.comp == c.index && !ch.at.After(at) && !slices.Contains(ls, ch.level) {
			ls = append(ls, ch.level)
		}
	}
	slices.Sort(ls)
	return ls[max(0, len(ls)-3):]
}

func (h *host) boot() boot { return h.boots[len(h.boots)-1] }

// release returns a kernel level in the form of uname -r.
func (h *host) release(level int) string {
	evr := string(h.fam.comps[0].levels[level].evr)
	if h.fam.format == katprep.Deb {
		return fmt.Sprintf("6.1.0-%d-amd64", 22+level)
	}
	return evr + "." + h.fam.arch
}

func (s *Server) bootID(h *host, b boot) string {
	return uuid(mix(s.o.Seed, rBoot, uint64(h.index), uint64(b.n)), mix(s.o.Seed, rBoot, uint64(h.index), uint64(b.n), 1))
}

// tracesStatus is 2 if the newest installed kernel or glibc is newer than
// the boot, 1 if services run on replaced files, else 0.
func (s *Server) tracesStatus(h *host, at time.Time) int {
	status := 0
	for _, c := range h.fam.comps {
		if !s.stale(h, c, at) {
			continue
		}
		if c.kernel || c.name == "glibc" || c.name == "dbus" {
			return 2
		}
		status = 1
	}
	return status
}

// stale reports whether the component was replaced since the host's boot and
// something still uses the old files.
func (s *Server) stale(h *host, c *component, at time.Time) bool {
	if c.kernel {
		ks := h.kernels(at)
		return ks[len(ks)-1] > h.boot().kernel
	}
	if c.daemon == "" && c.name != "glibc" {
		return false
	}
	since := h.boot().at
	if c.daemon != "" && c.name != "dbus" {
		since = latest(since, h.restarted)
	}
	for _, ch := range h.changes {
		if ch.comp == c.index && !ch.at.After(at) && ch.at.After(since) {
			return true
		}
	}
	return false
}

func (s *Server) hash(h *host, kind uint64) uint64 { return mix(s.o.Seed, kind, uint64(h.index)) }

func (s *Server) ip(h *host) string {
	return fmt.Sprintf("%s.%d.%d", sites[h.site].net, h.index/250%250, 1+h.index%250)
}

func (s *Server) ip6(h *host) string { return fmt.Sprintf("2001:db8:%x::%x", h.site+1, h.index+1) }

func (s *Server) mac(h *host) string {
	r := s.hash(h, rAddress)
	return fmt.Sprintf("52:54:%02x:%02x:%02x:%02x", r&0xff, h.index>>16&0xff, h.index>>8&0xff, h.index&0xff)
}

func (s *Server) uuid(h *host) string {
	return uuid(s.hash(h, rUUID), mix(s.o.Seed, rUUID, uint64(h.index), 1))
}

func (h *host) domain() string {
	_, d, _ := strings.Cut(h.name, ".")
	return d
}
