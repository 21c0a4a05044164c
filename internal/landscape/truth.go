package landscape

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/stdevel/katprep"
)

// Truth is how a host really is, whatever the server knows of it by now:
// what evidence is compared with.
type Truth struct {
	ID          int
	Name        string
	Family      string              // "rhel 9.4", "debian 12"
	Packages    []katprep.Package   // installed now, sorted
	Installable []string            // errata, sorted
	Applicable  []string            // errata, sorted; installable ones as well
	Kernel      katprep.Kernel      // running and newest installed
	Boot        katprep.Boot        // the present one
	Boots       int                 // how often it was booted since the start
	NeedsReboot bool                // a newer kernel or glibc waits for a boot
	Down        bool                // does not run now
	Virtual     bool                // can have VM snapshots
	Parameters  []katprep.Parameter // the host's own, sorted by name
	IP, IP6     string
	MAC, UUID   string
}

// Names returns the names of all hosts, sorted; the server's own is there
// unless Options.NoSelf.
func (s *Server) Names() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	names := make([]string, len(s.hosts))
	for i, h := range s.hosts {
		names[i] = h.name
	}
	return names
}

// Truth returns how a host really is. ok is false if there is no such host.
func (s *Server) Truth(name string) (t Truth, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.settle()
	h := s.byName[name]
	if h == nil {
		return Truth{}, false
	}
	now := s.clock.now()
	ks, b := h.kernels(now), h.boot()
	t = Truth{
		ID: h.id, Name: h.name, Family: h.fam.os.ID + " " + h.fam.os.Version,
		Kernel:      katprep.Kernel{Running: h.release(b.kernel), Installed: h.release(ks[len(ks)-1])},
		Boot:        katprep.Boot{ID: s.bootID(h, b), Time: b.at},
		Boots:       b.n,
		NeedsReboot: s.tracesStatus(h, now) == 2, Down: h.down, Virtual: h.virtual,
		IP: s.ip(h), IP6: s.ip6(h), MAC: s.mac(h), UUID: s.uuid(h),
	}
	s.eachErratum(h, now, func(e *erratum, installable bool) {
		t.Applicable = append(t.Applicable, e.text.ID)
		if installable {
			t.Installable = append(t.Installable, e.text.ID)
		}
	})
	slices.Sort(t.Applicable)
	slices.Sort(t.Installable)
	t.Packages = s.truePackages(h, now)
	t.Parameters = trueParameters(h)
	return t, true
}

func (s *Server) truePackages(h *host, now time.Time) []katprep.Package {
	var list []katprep.Package
	s.eachPackage(h, now, func(c *component, l, sub int) {
		list = append(list, katprep.Package{Name: c.subName(l, sub), EVR: c.levels[l].evr, Arch: h.fam.arch})
	})
	slices.SortFunc(list, katprep.ComparePackages)
	return list
}

func trueParameters(h *host) []katprep.Parameter {
	var list []katprep.Parameter
	for _, p := range h.params {
		v, isText := p.value.(string)
		if !isText {
			b, err := json.Marshal(p.value)
			if err != nil {
				b = []byte(fmt.Sprint(p.value))
			}
			v = string(b)
		}
		list = append(list, katprep.Parameter{Name: p.name, Value: v, Type: p.kind, Origin: "host"})
	}
	slices.SortFunc(list, func(a, b katprep.Parameter) int {
		if a.Name < b.Name {
			return -1
		}
		return 1
	})
	return list
}

// Erratum returns an advisory of the catalogue.
func (s *Server) Erratum(id string) (e katprep.Erratum, ok bool) {
	if e := s.cat.byID[id]; e != nil {
		return e.text, true
	}
	return katprep.Erratum{}, false
}

// RemoveHost deletes a host, as somebody else would.
func (s *Server) RemoveHost(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	h := s.byName[name]
	if h == nil {
		return
	}
	delete(s.byName, name)
	delete(s.byID, h.id)
	s.hosts = slices.DeleteFunc(slices.Clone(s.hosts), func(o *host) bool { return o == h })
}

// RenameHost gives a host another name; it stays the same host, with its ID.
// Unknown hosts and names that are taken are left alone.
func (s *Server) RenameHost(name, to string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	h := s.byName[name]
	if h == nil || s.byName[to] != nil {
		return
	}
	delete(s.byName, name)
	h.name = to
	s.byName[to] = h
	s.hosts = slices.Clone(s.hosts)
	sortHosts(s.hosts, []string{"name"})
}

// Reregister deletes a host and registers the same machine under another
// name: for the server it is a new host, with another ID.
func (s *Server) Reregister(name, to string) {
	s.RenameHost(name, to)
	s.mu.Lock()
	defer s.mu.Unlock()
	if h := s.byName[to]; h != nil {
		delete(s.byID, h.id)
		s.nextID++
		h.id = s.nextID
		s.byID[h.id] = h
	}
}

// AddHost creates a host that is not registered: no content, no facts.
func (s *Server) AddHost(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.byName[name] == nil {
		s.addHost(name)
	}
}

func (s *Server) addHost(name string) {
	s.nextID++
	h := s.makeHost(s.nextID, map[string]int{})
	h.id, h.name, h.view, h.params = s.nextID, name, 0, nil
	h.fault = HostFault{NoContent: true, NoFacts: true}
	s.hosts = slices.Clone(s.hosts)
	s.register(h)
	sortHosts(s.hosts, []string{"name"})
}

// Install installs errata on a host at once, without any job: as its
// administrator would by hand. Unknown names are ignored.
func (s *Server) Install(name string, ids ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if h := s.byName[name]; h != nil {
		s.installIDs(&hostJob{host: h}, ids, s.clock.now())
	}
}

// Reboot reboots a host at once; it is up again when BootTime has passed.
func (s *Server) Reboot(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if h := s.byName[name]; h != nil {
		s.goDown(h, s.clock.now())
	}
}

// Remove removes a package's component from a host with all its binary
// packages: its errata are no longer applicable, and not installed.
func (s *Server) Remove(name, pkg string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	h := s.byName[name]
	if h == nil {
		return
	}
	for _, c := range h.fam.comps {
		if slices.Contains(c.subs, pkg) {
			h.removed = append(slices.Clip(h.removed), c.index)
		}
	}
}

// Publish lets a host's content move on: everything that is applicable to
// its lifecycle environment becomes installable there.
func (s *Server) Publish(environment string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, e := range environments {
		if e.name == environment {
			s.published[i] = true
		}
	}
}

// A JobTruth is what a job did to a host.
type JobTruth struct {
	Job      int
	Template string
	State    string // pending, running, success, error, cancelled
	Ended    time.Time
}

// Jobs returns what jobs did to a host, oldest first.
func (s *Server) Jobs(name string) []JobTruth {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.settle()
	var list []JobTruth
	for _, j := range s.jobs {
		for _, hj := range j.hosts {
			if hj.host.name == name {
				list = append(list, JobTruth{j.id, j.template.name, hj.state, hj.end})
			}
		}
	}
	return list
}
