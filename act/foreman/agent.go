package foreman

import (
	"context"
	"fmt"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/act"
	"github.com/stdevel/katprep/internal/foremanapi"
)

// taskPrefix marks jobs of the agent, which are tasks.
const taskPrefix = "task:"

// patchByAgent asks katello-agent on each host, for servers before Katello
// 4.10.
func (a *Actor) patchByAgent(ctx context.Context, hosts []host, r act.PatchRequest, sent func(act.Job), results []act.Result) error {
	server, err := a.about(ctx)
	if err != nil {
		return err
	}
	if !server.Can(foremanapi.Agent) {
		return katprep.Errorf(katprep.NotFound, "%s has no katello-agent any more", server.Product).WithHint("use remote execution")
	}
	if len(r.Exclude) > 0 || r.Security || r.Download || len(r.Packages) > 0 {
		return katprep.Errorf(katprep.Invalid, "katello-agent installs errata or all updates, nothing else")
	}
	tasks := make([][]string, len(hosts))
	for i, h := range hosts { // one after the other: sent is not for many at once
		for _, start := range a.agentCalls(h.id, r) {
			task, err := start(ctx)
			if err != nil {
				results[h.index].Err = err
				break
			}
			tasks[i] = append(tasks[i], string(task.ID))
			sent(act.Job{ID: taskPrefix + string(task.ID), Hosts: []katprep.HostID{a.hostID(h.id)}})
		}
	}
	var g errgroup.Group
	g.SetLimit(8)
	for i, h := range hosts {
		if results[h.index].Err != nil {
			continue
		}
		g.Go(func() error {
			results[h.index].Ref, results[h.index].Err = a.awaitTask(ctx, strings.Join(tasks[i], ","))
			return nil
		})
	}
	return g.Wait()
}

func (a *Actor) agentCalls(host int64, r act.PatchRequest) []func(context.Context) (*foremanapi.Task, error) {
	var calls []func(context.Context) (*foremanapi.Task, error)
	if len(r.Errata) > 0 {
		calls = append(calls, func(ctx context.Context) (*foremanapi.Task, error) { return a.api.AgentErrata(ctx, host, r.Errata) })
	}
	if r.All {
		calls = append(calls, func(ctx context.Context) (*foremanapi.Task, error) { return a.api.AgentUpgradeAll(ctx, host) })
	}
	return calls
}

// awaitTask looks at tasks until they have ended.
func (a *Actor) awaitTask(ctx context.Context, ids string) (act.Ref, error) {
	ref := act.Ref{ID: taskPrefix + ids}
	for id := range strings.SplitSeq(ids, ",") {
		pause := a.o.Poll
		for {
			task, err := a.api.Task(ctx, id)
			if err != nil {
				return ref, err
			}
			if task.Ended() {
				if task.State == "stopped" && task.Result == "success" {
					break
				}
				return ref, katprep.Errorf(katprep.Conflict, "task %s is %s with result %s: %s", id, task.State, task.Result, excerpt(strings.Join(task.Humanized.V.Errors, "; "), 300))
			}
			if err := sleep(ctx, pause); err != nil {
				return ref, fmt.Errorf("task %s has not ended: %w", id, err)
			}
			pause = min(2*pause, max(30*time.Second, a.o.Poll))
		}
	}
	return ref, nil
}
