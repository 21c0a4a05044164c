package downtime

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/act"
)

// ScheduleAll is as act.BulkDowntimer says.
func (s *Scheduler) ScheduleAll(ctx context.Context, ts []act.Target, w katprep.Window, comment string) []act.Result {
	js := s.jobs(ts)
	if err := CheckWindow(w, s.r.Now()); err != nil {
		fail(js, "schedule a downtime for", err)
		return results(js)
	}
	s.find(ctx, js)
	for _, j := range open(js) {
		j.req = Request{Host: j.host, Window: fit(w, s.r.Grain), Comment: Comment(j.t.Marker, comment, s.r.ASCII), Marker: j.t.Marker}
	}
	s.request(ctx, open(js))
	s.confirm(ctx, js)
	s.trim(ctx, js)
	return results(js)
}

// request sends what is not there yet. What could not be delivered because the
// system restarts is looked for and sent again, a few times.
func (s *Scheduler) request(ctx context.Context, js []*job) {
	for pause := time.Second; ; pause *= 2 {
		s.survey(ctx, js)
		s.send(ctx, open(js))
		var again []*job
		for _, j := range js {
			if katprep.KindOf(j.err) == katprep.Unreachable {
				again = append(again, j)
			}
		}
		if js = again; len(js) == 0 || pause > 2*time.Second || sleep(ctx, pause) != nil {
			return
		}
		for _, j := range js {
			j.err = nil
		}
	}
}

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// survey learns which services there are and what is scheduled already.
func (s *Scheduler) survey(ctx context.Context, js []*job) {
	if len(js) == 0 {
		return
	}
	services, err := s.d.Services(ctx, hostsOf(js))
	if err != nil {
		fail(js, "list the services of", err)
		return
	}
	es, err := s.d.Entries(ctx, hostsOf(js))
	if err != nil {
		fail(js, "list the downtimes of", err)
		return
	}
	byHost := split(es)
	for _, j := range js {
		j.req.Services = services[j.host]
		j.req.Own = Owned(byHost[j.host], j.host, j.t.Marker)
	}
}

// send sends what is not listed with the wanted window yet. Two targets that
// are the same object with the same marker need one downtime.
func (s *Scheduler) send(ctx context.Context, js []*job) {
	type key struct {
		host   string
		marker act.Marker
	}
	same := map[key][]*job{}
	var keys []key
	var rs []Request
	for _, j := range js {
		if s.missing(&j.req, j.req.Own, false) == "" {
			continue
		}
		k := key{j.host, j.t.Marker}
		if same[k] = append(same[k], j); len(same[k]) == 1 {
			keys, rs = append(keys, k), append(rs, j.req)
		}
	}
	if len(rs) == 0 {
		return
	}
	for i, err := range s.d.Send(ctx, rs) {
		if err != nil {
			fail(same[keys[i]], "schedule a downtime for", err)
		}
	}
}

// refOf names what is there: the IDs of the host's own downtimes, and in the
// data how many services go with them.
func (s *Scheduler) refOf(own []Entry) act.Ref {
	if len(own) == 0 {
		return act.Ref{}
	}
	var ids []string
	services := map[string]bool{}
	main := own[0]
	for _, e := range own {
		if e.Service != "" {
			services[e.Host+"\x00"+e.Service] = true
			continue
		}
		if ids = append(ids, e.ID); main.Service != "" {
			main = e
		}
	}
	if len(ids) == 0 {
		ids = []string{main.ID}
	}
	data := map[string]string{
		"host": main.Host, "author": main.Author, "comment": main.Comment,
		act.DataStart: stamp(main.Start), act.DataEnd: stamp(main.End), "services": strconv.Itoa(len(services)),
	}
	if s.r.Warning != "" {
		data[act.DataWarning] = s.r.Warning
	}
	return act.Ref{ID: strings.Join(ids, ","), Data: data}
}

// split groups entries by host; what is triggered by an entry goes with it.
func split(es []Entry) map[string][]Entry {
	root := map[string]string{} // ID → host
	for _, e := range es {
		root[e.ID] = e.Host
	}
	by := map[string][]Entry{}
	for _, e := range es {
		by[e.Host] = append(by[e.Host], e)
		if h := root[e.By]; e.By != "" && h != "" && h != e.Host {
			by[h] = append(by[h], e)
		}
	}
	return by
}
