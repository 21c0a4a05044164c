package downtime

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/act"
)

// A job is one target on its way.
type job struct {
	t    act.Target
	host string
	req  Request
	ref  act.Ref
	err  error
	done bool
}

func (s *Scheduler) jobs(ts []act.Target) []*job {
	js := make([]*job, len(ts))
	for i, t := range ts {
		js[i] = &job{t: t, err: CheckMarker(t.Marker)}
	}
	return js
}

func (j *job) name() string { return cmp.Or(j.host, j.t.Name, j.t.Host.Name, j.t.IP, j.t.IP6) }

// wrap says what was being done to the host, and keeps kind and hint.
func (j *job) wrap(doing string, err error) error {
	if err == nil {
		return nil
	}
	return &katprep.Error{Kind: katprep.KindOf(err), Op: doing + " " + j.name(), Err: err, Hint: katprep.HintOf(err)}
}

// open returns the jobs that are neither done nor failed.
func open(js []*job) []*job {
	return slices.DeleteFunc(slices.Clone(js), func(j *job) bool { return j.done || j.err != nil })
}

func hostsOf(js []*job) []string {
	hosts := make([]string, len(js))
	for i, j := range js {
		hosts[i] = j.host
	}
	slices.Sort(hosts)
	return slices.Compact(hosts)
}

func fail(js []*job, doing string, err error) {
	for _, j := range js {
		j.err = j.wrap(doing, err)
	}
}

func results(js []*job) []act.Result {
	rs := make([]act.Result, len(js))
	for i, j := range js {
		rs[i] = act.Result{Ref: j.ref, Err: j.err}
	}
	return rs
}

func (s *Scheduler) find(ctx context.Context, js []*job) {
	js = open(js)
	if len(js) == 0 {
		return
	}
	ts := make([]act.Target, len(js))
	for i, j := range js {
		ts[i] = j.t
	}
	for i, f := range s.d.Find(ctx, ts) {
		js[i].host = f.Host
		if js[i].err = js[i].wrap("find", f.Err); f.Err == nil && f.Host == "" {
			js[i].err = katprep.Errorf(katprep.NotFound, "find %s: unknown to %s", js[i].name(), s.r.System)
		}
	}
}

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

// confirm looks until each open job is shown as wanted.
func (s *Scheduler) confirm(ctx context.Context, js []*job) {
	why := map[*job]string{}
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
			own := Owned(byHost[j.host], j.host, j.t.Marker)
			if why[j] = s.missing(&j.req, own, true); why[j] == "" {
				j.done, j.req.Own = true, own
			}
		}
		return len(open(todo)) == 0, nil
	})
	for _, j := range open(js) {
		j.err = s.unconfirmed(j, why[j], err)
	}
}

func (s *Scheduler) unconfirmed(j *job, why string, err error) error {
	if err != nil {
		return j.wrap("confirm the downtime of", err)
	}
	e := katprep.Errorf(katprep.Unreachable, "confirm the downtime of %s: accepted, but after %v %s does not show it: %s", j.name(), s.r.Patience, s.r.System, why)
	if s.r.Skew != nil {
		if skew, ok := s.r.Skew(); ok && skew.Abs() > 2*time.Second {
			return e.WithHint("the clock of %s differs from ours by %v: correct it", s.r.System, skew.Round(time.Second))
		}
	}
	return e
}

// until calls look until it says that it has seen enough, patience ends, or
// the context does. A look that fails is repeated: systems restart. Its error
// is returned if the last look failed.
func (s *Scheduler) until(ctx context.Context, look func() (bool, error)) error {
	end := s.r.Now().Add(s.r.Patience)
	for pause := 50 * time.Millisecond; ; pause = min(2*pause, s.r.Interval) {
		enough, err := look()
		if enough || err != nil && !passing(err) {
			return err
		}
		if s.r.Now().After(end) {
			return err
		}
		if err := sleep(ctx, pause); err != nil {
			return err
		}
	}
}

// passing reports whether a failed look may succeed later.
func passing(err error) bool {
	switch katprep.KindOf(err) {
	case katprep.Denied, katprep.Invalid:
		return false
	}
	return true
}

// trim removes own entries whose window is not the wanted one, and sees them
// go.
func (s *Scheduler) trim(ctx context.Context, js []*job) {
	var stale []Entry
	whose := map[string]*job{}
	for _, j := range js {
		if !j.done {
			continue
		}
		keep := slices.DeleteFunc(slices.Clone(j.req.Own), func(e Entry) bool {
			if s.fits(&j.req, e) {
				return false
			}
			if whose[e.ID] == nil {
				stale, whose[e.ID] = append(stale, e), j
			}
			return true
		})
		j.ref = s.refOf(keep)
	}
	if len(stale) == 0 {
		return
	}
	for i, err := range s.d.Remove(ctx, stale) {
		if j := whose[stale[i].ID]; err != nil && j.err == nil {
			j.err = j.wrap("remove an earlier downtime of", err)
		}
	}
	s.vanish(ctx, stale, whose)
}

// vanish looks until none of the entries is listed any more.
func (s *Scheduler) vanish(ctx context.Context, stale []Entry, whose map[string]*job) {
	var left []Entry
	err := s.until(ctx, func() (bool, error) {
		hosts := make([]string, len(stale))
		for i, e := range stale {
			hosts[i] = e.Host
		}
		slices.Sort(hosts)
		es, err := s.d.Entries(ctx, slices.Compact(hosts))
		left = slices.DeleteFunc(es, func(e Entry) bool { return whose[e.ID] == nil })
		return err == nil && len(left) == 0, err
	})
	for _, e := range left {
		if j := whose[e.ID]; j.err == nil {
			j.err = katprep.Errorf(katprep.Unreachable, "remove an earlier downtime of %s: %s still lists %s", j.name(), s.r.System, e.ID)
		}
	}
	if err != nil {
		for _, e := range stale {
			if j := whose[e.ID]; j.err == nil {
				j.err = j.wrap("confirm the end of an earlier downtime of", err)
			}
		}
	}
}

// missing says in words what of a request the entries do not show; "" if
// they show all of it, and in effect if its time has come (and effect is
// asked for).
func (s *Scheduler) missing(r *Request, own []Entry, effect bool) string {
	effect = effect && !s.r.Now().Before(r.Window.Start)
	shown := map[string]int{} // 1: other times, 2: not in effect, 3: as wanted
	for _, e := range own {
		if e.Host == r.Host {
			shown[e.Service] = max(shown[e.Service], s.rate(r, e, effect))
		}
	}
	var bad []string
	for _, name := range append([]string{""}, r.Services...) {
		if n := shown[name]; n < 3 {
			bad = append(bad, describe(name, n))
		}
	}
	if len(bad) > 5 {
		bad = append(bad[:5], fmt.Sprintf("%d more", len(bad)-5))
	}
	return strings.Join(bad, ", ")
}

func (s *Scheduler) rate(r *Request, e Entry, effect bool) int {
	switch {
	case !s.fits(r, e):
		return 1
	case effect && !e.InEffect:
		return 2
	}
	return 3
}

func describe(service string, n int) string {
	what := "the host itself"
	if service != "" {
		what = fmt.Sprintf("service %q", service)
	}
	return what + [...]string{" is not listed", " is listed with other times", " is listed, but not in effect"}[n]
}

func (s *Scheduler) fits(r *Request, e Entry) bool {
	start := e.Start.Equal(r.Window.Start) ||
		s.r.LateStart && e.InEffect && e.Start.After(r.Window.Start)
	return start && e.End.Equal(r.Window.End)
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
