package downtime

import (
	"context"
	"strings"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/act"
)

// EndAll is as act.BulkDowntimer says.
func (s *Scheduler) EndAll(ctx context.Context, ts []act.Target) []act.Result {
	js := s.jobs(ts)
	s.find(ctx, js)
	var own []Entry
	var whose []*job
	if todo := open(js); len(todo) > 0 {
		es, err := s.d.Entries(ctx, hostsOf(todo))
		if err != nil {
			fail(todo, "list the downtimes of", err)
			return results(js)
		}
		own, whose = s.collect(todo, split(es))
	}
	if len(own) > 0 {
		for i, err := range s.d.Remove(ctx, own) {
			if err != nil && whose[i].err == nil {
				whose[i].err = whose[i].wrap("end the downtime of", err)
			}
		}
	}
	s.gone(ctx, js)
	return results(js)
}

// collect gathers what the jobs own, each entry once; jobs that own nothing
// are done.
func (s *Scheduler) collect(js []*job, byHost map[string][]Entry) (own []Entry, whose []*job) {
	seen := map[string]bool{}
	for _, j := range js {
		mine := Owned(byHost[j.host], j.host, j.t.Marker)
		if j.ref = s.refOf(mine); len(mine) == 0 {
			j.done = true
		}
		for _, e := range mine {
			if !seen[e.ID] {
				seen[e.ID] = true
				own, whose = append(own, e), append(whose, j)
			}
		}
	}
	return own, whose
}

// gone looks until nothing of the open jobs is listed any more.
func (s *Scheduler) gone(ctx context.Context, js []*job) {
	left := map[*job][]string{}
	err := s.until(ctx, func() (bool, error) {
		todo := open(js)
		if len(todo) == 0 {
			return true, nil
		}
		es, err := s.d.Entries(ctx, hostsOf(todo))
		if err != nil {
			return false, err
		}
		byHost := split(es)
		for _, j := range todo {
			left[j] = nil
			for _, e := range Owned(byHost[j.host], j.host, j.t.Marker) {
				left[j] = append(left[j], e.ID)
			}
			j.done = len(left[j]) == 0
		}
		return len(open(todo)) == 0, nil
	})
	for _, j := range open(js) {
		if err != nil {
			j.err = j.wrap("confirm the end of the downtime of", err)
			continue
		}
		j.err = katprep.Errorf(katprep.Unreachable, "end the downtime of %s: accepted, but after %v %s still lists %s", j.name(), s.r.Patience, s.r.System, strings.Join(left[j], ", "))
	}
}
