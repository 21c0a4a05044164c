package landscape

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/stdevel/katprep"
)

func itoa(n int) string { return strconv.Itoa(n) }

// eachPackage calls f for every package of the host installed at a time:
// component, level, and the index of the binary package.
func (s *Server) eachPackage(h *host, at time.Time, f func(c *component, level, sub int)) {
	for _, c := range h.fam.comps {
		if !s.has(h, c) {
			continue
		}
		levels := []int{h.level(c, at)}
		if c.kernel {
			levels = h.kernels(at)
		}
		for _, l := range levels {
			for sub, name := range c.subs {
				if h.fam.format == katprep.Deb && l != levels[len(levels)-1] && name != versionedKernel {
					continue // only the kernel itself is there several times
				}
				f(c, l, sub)
			}
		}
	}
}

// countUpdates counts binary packages with an applicable and an upgradable
// update.
func (s *Server) countUpdates(h *host) (applicable, upgradable int) {
	at := s.packageView(h)
	for _, c := range h.fam.comps {
		if len(c.levels) == 1 || !s.has(h, c) {
			continue
		}
		now := h.level(c, at)
		if now < len(c.levels)-1 {
			applicable += len(c.subs)
		}
		if now < s.best(h, c) {
			upgradable += len(c.subs)
		}
	}
	return applicable, upgradable
}

// A listedPackage is one object of a list of packages.
type listedPackage struct {
	comp       *component
	level, sub int
	upgradable bool
}

// listPackages answers for RPM or Debian hosts; the other kind has none.
func (s *Server) listPackages(format katprep.Format) handler {
	return func(c *call) *reply {
		h, bad := s.host(c)
		if bad != nil {
			return bad
		}
		var list []listedPackage
		if h.fam.format == format && h.view != 0 && !h.fault.NoContent {
			list = s.packageObjects(c, h)
		}
		e, p, bad := s.katelloEnvelope(c, len(list), sortedBy("nvra", "asc"))
		if bad != nil {
			return bad
		}
		e.Results = json.RawMessage("[]")
		return s.packageReply(h, object(200, katelloList{envelope: e}), list[p.from:p.to])
	}
}

// packageReply puts the packages into an answer without any: by hand, since
// they are by far the most that the server sends.
func (s *Server) packageReply(h *host, p *reply, list []listedPackage) *reply {
	head, tail, _ := bytes.Cut(p.body, []byte(`"results":[]`))
	b := make([]byte, 0, len(p.body)+200*len(list))
	b = append(append(b, head...), `"results":[`...)
	for i, l := range list {
		if i > 0 {
			b = append(b, ',')
		}
		b = s.appendPackage(b, h, l)
	}
	p.body = append(append(b, ']'), tail...)
	return p
}

func (s *Server) packageObjects(c *call, h *host) []listedPackage {
	at := s.packageView(h)
	status, search := c.q.Get("status"), strings.ToLower(c.q.Get("search"))
	search = strings.Trim(strings.TrimPrefix(strings.ReplaceAll(search, " ", ""), "name="), `"`)
	list := make([]listedPackage, 0, h.fam.npkgs)
	s.eachPackage(h, at, func(comp *component, l, sub int) {
		newest := l == h.level(comp, at)
		upgradable := newest && l < s.best(h, comp) && comp.subs[sub] != versionedKernel
		if status == "upgradable" && !upgradable || status == "up-to-date" && upgradable ||
			search != "" && !strings.Contains(strings.ToLower(comp.subName(l, sub)), search) {
			return
		}
		list = append(list, listedPackage{comp, l, sub, upgradable})
	})
	return list
}

func (s *Server) appendPackage(b []byte, h *host, l listedPackage) []byte {
	b = append(b, l.comp.levels[l.level].json[l.sub]...)
	switch {
	case !s.katelloAt(4, 7):
		return append(b, '}')
	case !l.upgradable:
		return append(b, `,"upgradable_versions":null}`...)
	}
	to := l.comp.levels[s.best(h, l.comp)]
	version := to.nvra[l.sub]
	if h.fam.format == katprep.Deb {
		version = string(to.evr)
	}
	return fmt.Appendf(b, `,"upgradable_versions":[%q]}`, version)
}

// listTraces shows what runs on replaced files.
func (s *Server) listTraces(c *call) *reply {
	h, bad := s.host(c)
	if bad != nil {
		return bad
	}
	type trace struct {
		ID          int     `json:"id"`
		Application string  `json:"application"`
		Helper      string  `json:"helper"`
		Restart     *string `json:"restart_command"`
		Kind        string  `json:"app_type"`
		HostID      int     `json:"host_id"`
		Host        string  `json:"host"`
		Reboot      bool    `json:"reboot_required"`
	}
	var list []trace
	if h.view != 0 && h.tracer && !h.fault.NoTracer && !h.fault.NoContent && h.fam.format == katprep.RPM {
		for _, comp := range h.fam.comps {
			if !s.has(h, comp) || !s.stale(h, comp, s.packageView(h)) {
				continue
			}
			t := trace{ID: h.id*100 + comp.index, Application: comp.daemon, HostID: h.id, Host: h.name, Kind: "daemon"}
			t.Helper = "systemctl restart " + comp.daemon
			t.Restart = ref(t.Helper)
			if comp.kernel || comp.name == "glibc" || comp.name == "dbus" {
				t.Application, t.Kind, t.Reboot = comp.name, "static", true
				t.Helper, t.Restart = "You will have to reboot your computer", ref("reboot")
			}
			list = append(list, t)
		}
	}
	return katelloPage(s, c, list, sortedBy("application", "asc"), func(t trace) any { return t })
}
