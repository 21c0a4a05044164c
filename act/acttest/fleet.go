package acttest

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/act"
)

// A Fleet patches, reboots and runs scripts on the machines of a world. A
// job that was accepted goes on whatever becomes of whoever sent it.
type Fleet struct{ *World }

// FleetKnobs are what a test decides about the hosts themselves.
type FleetKnobs struct {
	// Unreached says that jobs leave a host out. Nil is never.
	Unreached func(host string) bool
	// Script runs a script. Nil ends each at once with exit code 0.
	Script func(host string, s act.Script) (act.ScriptOutcome, error)
	// JobTime is how long jobs take once they are accepted.
	JobTime time.Duration

	jobs    []*job
	scripts map[string]act.ScriptOutcome
}

type job struct {
	id     string
	marker act.Marker
	hosts  map[string]katprep.HostID
	errata []string
	all    bool
	ends   time.Time
	over   bool
	cancel bool
}

// Identify says that it is in memory.
func (f Fleet) Identify(ctx context.Context) (act.Identity, error) {
	return act.Identity{Product: "in-memory hosts"}, ctx.Err()
}

// Patch keeps the contract of [act.Patcher].
func (f Fleet) Patch(ctx context.Context, ts []act.Target, r act.PatchRequest, sent func(act.Job)) []act.Result {
	results := make([]act.Result, len(ts))
	j, err := f.send(ctx, ts, r)
	if err == nil {
		sent(j.public())
	}
	var all sync.WaitGroup
	for i, t := range ts {
		if err != nil {
			results[i].Err = err
			continue
		}
		all.Go(func() { results[i].Ref, results[i].Err = f.AwaitPatch(ctx, t, act.Job{ID: j.id}) })
	}
	all.Wait()
	return results
}

func checkRequest(r act.PatchRequest) error {
	if len(r.Errata)+len(r.Packages) == 0 && !r.All {
		return katprep.Errorf(katprep.Invalid, "a request for nothing")
	}
	for _, s := range slices.Concat(r.Errata, r.Packages) {
		bad := func(c rune) bool {
			return !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.ContainsRune(":._+-", c))
		}
		if s == "" || s[0] == '-' || strings.ContainsFunc(s, bad) {
			return katprep.Errorf(katprep.Invalid, "%q is no name of an erratum or package", s)
		}
	}
	return nil
}

func (f Fleet) send(ctx context.Context, ts []act.Target, r act.PatchRequest) (*job, error) {
	if err := checkRequest(r); err != nil {
		return nil, err
	}
	j := &job{marker: r.Marker, hosts: map[string]katprep.HostID{}, errata: r.Errata, all: r.All}
	err := f.call(ctx, Call{Op: "send", Arg: string(r.Marker)}, func() (bool, error) {
		for _, t := range ts {
			name := hostName(t)
			if _, err := f.machine(t); err == nil && (f.Unreached == nil || !f.Unreached(name)) {
				j.hosts[name] = t.Host.HostID
				c := Call{Op: "patch", Host: name}
				f.effects[c]++
				f.order = append(f.order, c)
			}
		}
		j.id, j.ends = f.newID("job"), time.Now().Add(f.JobTime)
		f.jobs = append(f.jobs, j)
		return true, nil
	})
	return j, err
}

func (j *job) public() act.Job {
	p := act.Job{ID: j.id}
	for _, name := range slices.Sorted(maps.Keys(j.hosts)) {
		p.Hosts = append(p.Hosts, j.hosts[name])
	}
	return p
}

// settle lets jobs end whose time has come. The lock is held.
func (w *World) settle() {
	for _, j := range w.jobs {
		if j.over || j.cancel || j.ends.After(time.Now()) {
			continue
		}
		j.over = true
		for name := range j.hosts {
			m := w.machines[name]
			if j.all {
				clear(m.pending)
			}
			for _, id := range j.errata {
				delete(m.pending, id)
			}
		}
	}
}

// FindPatch keeps the contract of [act.Patcher].
func (f Fleet) FindPatch(ctx context.Context, t act.Target) (found act.Job, ok bool, err error) {
	err = f.call(ctx, Call{"find", hostName(t), string(t.Marker)}, func() (bool, error) {
		f.settle()
		for _, j := range f.jobs {
			if j.marker == t.Marker {
				found, ok = j.public(), true
			}
		}
		return false, nil
	})
	return found, ok && err == nil, err
}

// AwaitPatch keeps the contract of [act.Patcher].
func (f Fleet) AwaitPatch(ctx context.Context, t act.Target, want act.Job) (act.Ref, error) {
	j := f.job(want.ID)
	if j == nil {
		return act.Ref{}, katprep.Errorf(katprep.NotFound, "no job %q", want.ID)
	}
	if !f.cancelled(j) {
		if err := sleepUntil(ctx, j.ends); err != nil {
			return act.Ref{ID: j.id}, err
		}
	}
	err := f.call(ctx, Call{Op: "await", Host: hostName(t)}, func() (bool, error) {
		f.settle()
		if _, reached := j.hosts[hostName(t)]; !reached {
			return false, katprep.Errorf(katprep.NotFound, "job %s did not reach the host", j.id)
		}
		if j.cancel {
			return false, katprep.Errorf(katprep.Conflict, "job %s was cancelled", j.id)
		}
		return false, nil
	})
	return act.Ref{ID: j.id}, err
}

// CancelPatch keeps the contract of [act.PatchCanceler].
func (f Fleet) CancelPatch(ctx context.Context, _ act.Target, want act.Job) error {
	return f.call(ctx, Call{Op: "cancel", Arg: want.ID}, func() (bool, error) {
		f.settle()
		for _, j := range f.jobs {
			if j.id == want.ID && !j.over {
				j.cancel = true
				return true, nil
			}
		}
		return false, nil
	})
}

func (f Fleet) cancelled(j *job) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return j.cancel
}

func (w *World) job(id string) *job {
	w.mu.Lock()
	defer w.mu.Unlock()
	if i := slices.IndexFunc(w.jobs, func(j *job) bool { return j.id == id }); i >= 0 {
		return w.jobs[i]
	}
	return nil
}

func sleepUntil(ctx context.Context, at time.Time) error {
	timer := time.NewTimer(time.Until(at))
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return ctx.Err()
	}
}

func (m *machine) bootNow() katprep.Boot {
	return katprep.Boot{ID: fmt.Sprintf("boot-%d", m.boot), Time: m.bootTime}
}

// BootOf keeps the contract of [act.Rebooter].
func (f Fleet) BootOf(ctx context.Context, t act.Target) (b katprep.Boot, err error) {
	err = f.call(ctx, Call{Op: "find", Host: hostName(t)}, func() (bool, error) {
		m, err := f.machine(t)
		if err == nil {
			b = m.bootNow()
		}
		return false, err
	})
	return b, err
}

// Reboot keeps the contract of [act.Rebooter].
func (f Fleet) Reboot(ctx context.Context, t act.Target, before katprep.Boot) (ref act.Ref, err error) {
	err = f.call(ctx, Call{Op: "reboot", Host: hostName(t)}, func() (bool, error) {
		m, err := f.machine(t)
		if err != nil {
			return false, err
		}
		changed := m.bootNow().ID == before.ID
		if changed {
			m.restart()
		}
		now := m.bootNow()
		ref = act.Ref{ID: now.ID, Data: map[string]string{
			act.DataOldID: before.ID, act.DataOldTime: before.Time.Format(time.RFC3339),
			act.DataBootID: now.ID, act.DataBootTime: now.Time.Format(time.RFC3339),
		}}
		return changed, nil
	})
	return ref, err
}

// Run keeps the contract of [act.Hook].
func (f Fleet) Run(ctx context.Context, t act.Target, s act.Script) (o act.ScriptOutcome, err error) {
	run := func() {}
	err = f.call(ctx, Call{"script", hostName(t), s.Name}, func() (bool, error) {
		if _, err := f.machine(t); err != nil {
			return false, err
		}
		if f.Script == nil {
			f.remember(t, s.Marker, o)
			return true, nil
		}
		run = func() { o, err = f.Script(hostName(t), s) }
		return true, nil
	})
	if err != nil || f.Script == nil {
		return o, err
	}
	run() // without the lock: it may take long
	f.mu.Lock()
	defer f.mu.Unlock()
	if err == nil {
		f.remember(t, s.Marker, o)
	}
	return o, err
}

func (w *World) remember(t act.Target, m act.Marker, o act.ScriptOutcome) {
	if w.scripts == nil {
		w.scripts = map[string]act.ScriptOutcome{}
	}
	w.scripts[hostName(t)+" "+string(m)] = o
}

// FindScript keeps the contract of [act.ScriptFinder].
func (f Fleet) FindScript(ctx context.Context, t act.Target, m act.Marker) (o act.ScriptOutcome, ended, found bool, err error) {
	err = f.call(ctx, Call{"find", hostName(t), string(m)}, func() (bool, error) {
		o, found = f.scripts[hostName(t)+" "+string(m)]
		return false, nil
	})
	return o, found, found, err
}
