package downtime

import (
	"cmp"
	"context"
	"slices"

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
