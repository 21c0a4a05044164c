package foreman

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/act"
	"github.com/stdevel/katprep/internal/foremanapi"
)

// Patch implements [act.Patcher]: one job for all hosts, or two if errata and
// further packages are asked for. That a job succeeded on a host does not
// prove that anything was installed; the next snapshot does.
func (a *Actor) Patch(ctx context.Context, ts []act.Target, r act.PatchRequest, sent func(act.Job)) []act.Result {
	results := make([]act.Result, len(ts))
	err := ctx.Err()
	if err == nil {
		err = a.patch(ctx, ts, r, sent, results)
	}
	for i := range results {
		if results[i].Err == nil && results[i].Ref.ID == "" {
			results[i].Err = orErr(err, katprep.Errorf(katprep.Internal, "the host was left out"))
		}
	}
	return results
}

func orErr(err, d error) error {
	if err != nil {
		return err
	}
	return d
}

func (a *Actor) patch(ctx context.Context, ts []act.Target, r act.PatchRequest, sent func(act.Job), results []act.Result) error {
	if err := valid(r); err != nil {
		return err
	}
	hosts, err := a.look(ctx, ts, results)
	if err != nil || len(hosts) == 0 {
		return err
	}
	a.remember(hosts, r)
	if a.o.Agent {
		return a.patchByAgent(ctx, hosts, r, sent, results)
	}
	orders, err := a.orders(ctx, r)
	if err != nil {
		return err
	}
	for _, o := range orders {
		if err := a.perform(ctx, o, hosts, sent, results); err != nil {
			for _, h := range hosts { // also those that an earlier job reached
				results[h.index].Err = err
			}
			return err
		}
		hosts = slices.DeleteFunc(hosts, func(h host) bool { return results[h.index].Err != nil })
		if len(hosts) == 0 {
			break
		}
	}
	return nil
}

// perform makes one job and waits for it. A job with that description that is
// there already is adopted.
func (a *Actor) perform(ctx context.Context, o order, hosts []host, sent func(act.Job), results []act.Result) error {
	j, err := a.adopted(ctx, o, hosts)
	if err != nil {
		return err
	}
	if j == nil {
		if j, err = a.send(ctx, o, hosts); err != nil {
			return err
		}
	}
	sent(a.job(j))
	done, err := a.await(ctx, j.ID.N, 0)
	for _, h := range hosts {
		res := &results[h.index]
		switch {
		case !targets(j, h.id):
			res.Err = katprep.Errorf(katprep.Conflict, "job %d does not target the host", j.ID.N).WithHint("check that the user may see the host and run jobs on it")
		case err != nil && (done == nil || !ended(statusOf(done, h.id))):
			res.Err = err
		default:
			res.Err = a.outcome(ctx, done, h.id)
		}
		if res.Err == nil {
			res.Ref = joinRef(res.Ref, j.ID.N, o.purpose)
		}
	}
	return nil
}

func joinRef(r act.Ref, id int64, purpose string) act.Ref {
	if r.Data == nil {
		r.Data = map[string]string{}
	}
	n := strconv.FormatInt(id, 10)
	what, _, _ := strings.Cut(purpose, "-")
	r.Data["job_"+what] = n
	r.ID = strings.TrimPrefix(r.ID+","+n, ",")
	return r
}

// adopted finds the order's job if it was sent before. One for other hosts is
// not ours to take.
func (a *Actor) adopted(ctx context.Context, o order, hosts []host) (*foremanapi.Job, error) {
	jobs, err := a.api.JobsByDescription(ctx, o.description())
	if err != nil || len(jobs) == 0 {
		return nil, err
	}
	server, err := a.about(ctx)
	if err != nil {
		return nil, err
	}
	j, err := a.api.Job(ctx, server, jobs[0].ID.N)
	if err != nil {
		return nil, err
	}
	for _, h := range hosts {
		if targets(j, h.id) {
			return j, nil
		}
	}
	return nil, katprep.Errorf(katprep.Conflict, "job %d has the marker %s, but concerns none of the hosts", j.ID.N, o.marker)
}

// remember keeps what is pending now, for Refresh.
func (a *Actor) remember(hosts []host, r act.PatchRequest) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, h := range hosts {
		a.baselines[a.hostID(h.id)] = state{total: h.host.Content.V.Counts.V.Total.N, errata: r.Errata}
	}
}

// FindPatch implements [act.Patcher]; a job of several parts is one with
// several IDs.
func (a *Actor) FindPatch(ctx context.Context, t act.Target) (act.Job, bool, error) {
	if err := t.Marker.Check(); err != nil {
		return act.Job{}, false, err
	}
	if a.o.Agent {
		return act.Job{}, false, katprep.Errorf(katprep.Conflict, "tasks of katello-agent carry no marker: nobody can say whether there is one for %s", t.Marker)
	}
	h, err := a.one(ctx, t)
	if err != nil {
		return act.Job{}, false, err
	}
	server, err := a.about(ctx)
	if err != nil {
		return act.Job{}, false, err
	}
	var parts []*foremanapi.Job
	for _, purpose := range purposes {
		jobs, err := a.api.JobsByDescription(ctx, order{marker: t.Marker, purpose: purpose}.description())
		if err != nil {
			return act.Job{}, false, err
		}
		for _, found := range jobs {
			j, err := a.api.Job(ctx, server, found.ID.N)
			if err != nil {
				return act.Job{}, false, err
			}
			if targets(j, h.id) {
				parts = append(parts, j)
				break
			}
		}
	}
	return a.job(parts...), len(parts) > 0, nil
}

// AwaitPatch implements [act.Patcher].
func (a *Actor) AwaitPatch(ctx context.Context, t act.Target, job act.Job) (act.Ref, error) {
	ref := act.Ref{ID: job.ID}
	if task, ok := strings.CutPrefix(job.ID, taskPrefix); ok {
		return a.awaitTask(ctx, task)
	}
	h, err := a.one(ctx, t)
	if err != nil {
		return ref, err
	}
	ids, err := jobIDs(job)
	if err != nil {
		return ref, err
	}
	for i := 0; i < len(ids); i++ {
		j, err := a.await(ctx, ids[i], h.id)
		if err == nil {
			err = a.outcome(ctx, j, h.id)
		}
		if err == nil && len(ids) == 1 {
			ids, err = a.second(ctx, j, ids)
		}
		if err != nil {
			return ref, err
		}
	}
	return ref, nil
}

// second adds the second job of a request of two. If it was never sent, the
// request was not carried out.
func (a *Actor) second(ctx context.Context, j *foremanapi.Job, ids []int64) ([]int64, error) {
	marker, ok := strings.CutSuffix(string(j.Description), " "+errataFirst)
	if !ok {
		return ids, nil
	}
	for _, purpose := range []string{packagesSecond, updateSecond} {
		jobs, err := a.api.JobsByDescription(ctx, order{marker: act.Marker(marker), purpose: purpose}.description())
		if err != nil {
			return ids, err
		}
		if len(jobs) > 0 {
			return append(ids, jobs[0].ID.N), nil
		}
	}
	return ids, katprep.Errorf(katprep.Conflict, "job %d installed the errata; the job for further packages was never sent", j.ID.N).WithHint("execute the run again, or update the packages in another run")
}

func jobIDs(job act.Job) (ids []int64, err error) {
	for s := range strings.SplitSeq(job.ID, ",") {
		id, err := strconv.ParseInt(s, 10, 64)
		if err != nil {
			return nil, katprep.Errorf(katprep.Invalid, "job ID %q is none of Foreman's", job.ID)
		}
		ids = append(ids, id)
	}
	return ids, nil
}

// CancelPatch implements [act.PatchCanceler].
func (a *Actor) CancelPatch(ctx context.Context, _ act.Target, job act.Job) error {
	ids, err := jobIDs(job)
	if err != nil {
		return err
	}
	var errs []error
	for _, id := range ids {
		if err := a.api.CancelJob(ctx, id); err != nil {
			errs = append(errs, err)
			continue
		}
		_, err := a.await(ctx, id, 0)
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}
