package downtime

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/act"
)

// confirm looks until each open job is shown as wanted. What was accepted and
// is not listed after half of the patience may have got lost with a core that
// was restarted: it is sent once more.
func (s *Scheduler) confirm(ctx context.Context, js []*job) {
	why, err := s.watch(ctx, js, s.r.Patience/2)
	if len(open(js)) > 0 && ctx.Err() == nil && (err == nil || passing(err)) {
		if err == nil {
			s.request(ctx, open(js))
		}
		why, err = s.watch(ctx, js, s.r.Patience/2)
	}
	for _, j := range open(js) {
		j.err = s.unconfirmed(j, why[j], err)
	}
}

// watch looks for a while, and says what of each open job is not shown.
func (s *Scheduler) watch(ctx context.Context, js []*job, patience time.Duration) (why map[*job]string, err error) {
	why = map[*job]string{}
	err = s.untilWithin(ctx, patience, func() (bool, error) {
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
	return why, err
}

func (s *Scheduler) unconfirmed(j *job, why string, err error) error {
	if err != nil {
		return j.wrap("confirm the downtime of", err)
	}
	e := katprep.Errorf(katprep.Unreachable, "confirm the downtime of %s: %w by %s after %v: %s", j.name(), act.ErrNotShown, s.r.System, s.r.Patience, why)
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
	return s.untilWithin(ctx, s.r.Patience, look)
}

func (s *Scheduler) untilWithin(ctx context.Context, patience time.Duration, look func() (bool, error)) error {
	end := s.r.Now().Add(patience)
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
