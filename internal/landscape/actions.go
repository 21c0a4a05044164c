package landscape

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
)

// An action does a job's work on one host and returns the exit status.
type action func(s *Server, hj *hostJob, now time.Time) int

func (s *Server) execute(hj *hostJob, now time.Time) int { return hj.job.template.do(s, hj, now) }

// install brings a component to a level, unless it is there already.
func (s *Server) install(hj *hostJob, c *component, level int, now time.Time) bool {
	h := hj.host
	if h.fault.SkipsErrata || !s.has(h, c) || h.level(c, now) >= level {
		return false
	}
	h.changes = append(h.changes, change{now, c.index, level})
	for sub := range c.subs {
		hj.say(now, "stdout", "  "+c.subName(level, sub)+"  "+h.fam.arch+"  "+string(c.levels[level].evr)+"\n")
	}
	return true
}

func (s *Server) installErrata(hj *hostJob, now time.Time) int {
	s.installIDs(hj, splitList(hj.job.inputs["errata"]), now)
	return 0
}

// installIDs is dnf update-minimal --advisory=…: what cannot be installed is
// skipped, and the job still succeeds.
func (s *Server) installIDs(hj *hostJob, ids []string, now time.Time) {
	h, done := hj.host, false
	for _, id := range ids {
		e := s.cat.byID[id]
		if e == nil || e.fam != h.fam || h.view == 0 || e.comp.levels[e.level].issued.After(s.limit(h)) {
			continue
		}
		done = s.install(hj, e.comp, e.level, now) || done
	}
	s.conclude(hj, now, done)
}

func (s *Server) conclude(hj *hostJob, now time.Time, done bool) {
	if done {
		hj.say(now, "stdout", "\nComplete!\n")
	} else {
		hj.say(now, "stdout", "Dependencies resolved.\nNothing to do.\nComplete!\n")
	}
}

var advisoryID = regexp.MustCompile(`RH[A-Z]{2}-\d{4}:\d+`)

func (s *Server) installErrataBySearch(hj *hostJob, now time.Time) int {
	query := hj.job.inputs["Errata search query"]
	ids := advisoryID.FindAllString(query, -1)
	if strings.TrimSpace(query) == "" {
		s.eachErratum(hj.host, now, func(e *erratum, installable bool) { ids = append(ids, e.text.ID) })
	}
	s.installIDs(hj, ids, now)
	return 0
}

func (s *Server) updatePackages(hj *hostJob, now time.Time) int {
	s.updateNames(hj, splitList(hj.job.inputs["package"]), now)
	return 0
}

func (s *Server) updatePackagesBySearch(hj *hostJob, now time.Time) int {
	var names []string
	for _, t := range lexSearch(hj.job.inputs["Packages search query"]) {
		if !slices.Contains([]string{"name", "^", "=", "(", ")", ",", "or", "and"}, strings.ToLower(t.text)) {
			names = append(names, t.text)
		}
	}
	s.updateNames(hj, names, now)
	return 0
}

// updateNames brings packages (all, if none is named) to the newest version
// that the host's content has.
func (s *Server) updateNames(hj *hostJob, names []string, now time.Time) {
	done := false
	for _, c := range hj.host.fam.comps {
		wanted := len(names) == 0 || slices.ContainsFunc(c.subs, func(sub string) bool { return slices.Contains(names, sub) })
		if wanted && hj.host.view != 0 {
			done = s.install(hj, c, s.best(hj.host, c), now) || done
		}
	}
	s.conclude(hj, now, done)
}

func (s *Server) uploadProfile(hj *hostJob, now time.Time) int {
	hj.host.upload = now
	hj.say(now, "stdout", "Profile uploaded.\n")
	return 0
}

func (s *Server) restartServices(hj *hostJob, now time.Time) int {
	if slices.ContainsFunc(splitList(hj.job.inputs["helper"]), func(w string) bool { return w == "reboot" }) {
		return s.shutdown(hj, now)
	}
	hj.host.restarted = now
	return 0
}

func (s *Server) resolveTraces(hj *hostJob, now time.Time) int {
	if s.tracesStatus(hj.host, now) == 2 {
		return s.shutdown(hj, now)
	}
	hj.host.restarted = now
	return 0
}

func (s *Server) powerAction(hj *hostJob, now time.Time) int {
	if hj.job.inputs["action"] == "restart" {
		return s.shutdown(hj, now)
	}
	s.events.add(now.Add(s.clock.takes(time.Minute)), func(time.Time) { hj.host.down = true })
	return 0
}

// shutdown is shutdown -r +1: the job ends before the host goes down.
func (s *Server) shutdown(hj *hostJob, now time.Time) int {
	hj.say(now, "stderr", "Shutdown scheduled for "+now.Add(s.clock.takes(time.Minute)).Format("Mon 2006-01-02 15:04:05")+" UTC, use 'shutdown -c' to cancel.\n")
	h := hj.host
	s.events.add(now.Add(s.clock.takes(time.Minute)), func(at time.Time) { s.goDown(h, at) })
	return 0
}

func (s *Server) goDown(h *host, now time.Time) {
	h.down = true
	s.events.add(now.Add(s.clock.takes(s.o.BootTime)), func(at time.Time) {
		if !h.fault.NoBoot {
			s.comeUp(h, at)
		}
	})
}

// comeUp boots the newest installed kernel.
func (s *Server) comeUp(h *host, now time.Time) {
	ks := h.kernels(now)
	h.down = false
	h.boots = append(h.boots, boot{at: now.Truncate(time.Second), kernel: ks[len(ks)-1], n: h.boot().n + 1})
}

// runCommand knows the commands that tell a boot and a kernel; everything
// else is Options.Command's.
func (s *Server) runCommand(hj *hostJob, now time.Time) int {
	h, command := hj.host, hj.job.inputs["command"]
	if s.o.Command != nil {
		if out, exit, ok := s.o.Command(h.name, command); ok {
			hj.say(now, "stdout", out)
			return exit
		}
	}
	b := h.boot()
	known := []struct{ has, says string }{
		{"boot_id", s.bootID(h, b)},
		{"uptime -s", b.at.Format(time.DateTime)},
		{"uname -r", h.release(b.kernel)},
		{"hostname", h.name},
		{"/proc/stat", fmt.Sprintf("btime %d", b.at.Unix())},
	}
	slices.SortStableFunc(known, func(a, b struct{ has, says string }) int {
		return strings.Index(command, a.has) - strings.Index(command, b.has)
	})
	for _, k := range known {
		if strings.Contains(command, k.has) {
			hj.say(now, "stdout", k.says+"\n")
		}
	}
	if rebooting.MatchString(command) {
		return s.shutdown(hj, now)
	}
	return 0
}

// rebooting finds a command that reboots, not one that only speaks of it.
var rebooting = regexp.MustCompile(`(?m)(?:^|[;&|]|systemctl)\s*(?:reboot|shutdown -r)\b[^-=]*$`)
