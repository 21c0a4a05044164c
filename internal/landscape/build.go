package landscape

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"time"
)

// makeHosts fills the data centre.
func (s *Server) makeHosts() {
	numbers := map[string]int{}
	if !s.o.NoSelf {
		h := s.makeHost(-1, numbers)
		h.id, h.name, h.fam, h.env, h.group, h.self = 1, "foreman.cgn.example.com", s.cat.families[1], 0, 20, true
		s.register(h)
	}
	for i := range s.o.Hosts {
		s.register(s.makeHost(i, numbers))
	}
	slices.SortFunc(s.hosts, func(a, b *host) int { return cmp.Compare(a.name, b.name) })
}

func (s *Server) register(h *host) {
	if f, ok := s.o.Hostile[h.name]; ok {
		h.fault = f
	}
	s.hosts = append(s.hosts, h)
	s.byName[h.name] = h
	s.byID[h.id] = h
}

func (s *Server) makeHost(i int, numbers map[string]int) *host {
	h := &host{index: i + 1, id: 100 + i, exec: -1, tracer: true}
	h.role = byShare(s.hash(h, rRole), len(roles), func(i int) uint64 { return roles[i].share })
	h.site = byShare(s.hash(h, rSite), len(sites), func(i int) uint64 { return sites[i].share })
	h.fam = s.cat.families[byShare(s.hash(h, rOS), len(s.cat.families), func(i int) uint64 { return s.cat.families[i].share })]
	h.env = byShare(s.hash(h, rEnv), 4, func(i int) uint64 { return []uint64{5, 15, 20, 60}[i] })
	h.group, h.view = roles[h.role].group, h.fam.view
	h.owner = s.ownerOf(h)
	h.virtual = s.hash(h, rHardware)%100 < 88
	s.age(h)
	key := roles[h.role].prefix + "." + sites[h.site].domain
	numbers[key]++
	h.name = fmt.Sprintf("%s%02d.%s", roles[h.role].prefix, numbers[key], sites[h.site].domain)
	h.params = s.firstParameters(h)
	return h
}

func (s *Server) ownerOf(h *host) int {
	switch r := s.hash(h, rOwner); {
	case r%100 < 80:
		return roles[h.role].owner
	case r%100 < 97:
		return int(r >> 8 % uint64(len(people)))
	}
	return -1
}

// age decides how long ago the host was patched and booted.
func (s *Server) age(h *host) {
	r := s.hash(h, rLag)
	h.patched = s.o.Start.Add(-34*24*time.Hour - time.Duration(r%52)*24*time.Hour - envLag[h.env]/2)
	booted := h.patched.Add(2*time.Hour + time.Duration(r>>10%7200)*time.Second)
	h.boots = []boot{{at: booted.Truncate(time.Second), kernel: h.fam.comps[0].levelBefore(h.patched)}}
}

// firstParameters gives some hosts the parameters of the predecessor.
func (s *Server) firstParameters(h *host) []parameter {
	r := s.hash(h, rParameter)
	var ps []parameter
	add := func(name string, value any, kind string) {
		at := s.o.Start.Add(-400 * 24 * time.Hour)
		ps = append(ps, parameter{id: 10_000 + h.index*8 + len(ps), name: name, value: value, kind: kind, created: at, updated: at})
	}
	if h.virtual && r%10 < 7 {
		add("katprep_virt_name", "vm-"+strconv.Itoa(h.index)+"-"+roles[h.role].prefix, "string")
		add("katprep_virt_snapshot", pick([]string{"1", "1", "true"}, r>>8), "string")
	}
	if r%10 < 8 {
		add("katprep_mon_name", h.name, "string")
	}
	if r>>16%25 == 0 {
		add("katprep_maintain", pick([]string{"0", "false"}, r>>24), "string")
	}
	return ps
}
