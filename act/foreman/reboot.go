package foreman

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"sync"
	"time"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/act"
	"github.com/stdevel/katprep/internal/foremanapi"
)

// whichBoot asks for the present boot: its ID, and when it began (UTC).
var whichBoot = question{purpose: "boot", command: "cat /proc/sys/kernel/random/boot_id && grep ^btime /proc/stat"}

var (
	bootID   = regexp.MustCompile(`(?m)^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\s*$`)
	bootTime = regexp.MustCompile(`(?m)^btime (\d{1,12})\s*$`)
)

// BootOf implements [act.Rebooter] by running a command on the host.
func (a *Actor) BootOf(ctx context.Context, t act.Target) (katprep.Boot, error) {
	h, err := a.one(ctx, t)
	if err != nil {
		return katprep.Boot{}, err
	}
	return a.boot(ctx, h)
}

func (a *Actor) boot(ctx context.Context, h host) (katprep.Boot, error) {
	said := a.ask(ctx, h, whichBoot)
	if said.err != nil {
		return katprep.Boot{}, fmt.Errorf("read boot of %s: %w", h.name, said.err)
	}
	out := said.out
	b := katprep.Boot{ID: trimmed(bootID.FindString(out))}
	if m := bootTime.FindStringSubmatch(out); m != nil {
		if s, err := strconv.ParseInt(m[1], 10, 64); err == nil {
			b.Time = time.Unix(s, 0).UTC()
		}
	}
	if b.ID == "" {
		return b, katprep.Errorf(katprep.Corrupt, "read boot of %s: no boot ID in %q", h.name, excerpt(out, 100))
	}
	return b, nil
}

func trimmed(s string) string {
	if len(s) > 36 {
		s = s[:36]
	}
	return s
}

// another reports whether two boots are different ones. Without IDs the times
// tell; they jitter by seconds.
func another(before, now katprep.Boot) bool {
	if before.ID != "" && now.ID != "" {
		return before.ID != now.ID
	}
	return !before.Time.IsZero() && !now.Time.IsZero() && now.Time.Sub(before.Time) > time.Minute
}

// Reboot implements [act.Rebooter]: a job makes the host reboot, or its power
// management where jobs cannot; either way another boot must show. A reboot
// that was asked for before (the process was killed since) is waited for.
func (a *Actor) Reboot(ctx context.Context, t act.Target, before katprep.Boot) (act.Ref, error) {
	if err := t.Marker.Check(); err != nil {
		return act.Ref{}, err
	}
	h, err := a.one(ctx, t)
	if err != nil {
		return act.Ref{}, err
	}
	j, err := a.rebootAsked(ctx, h, t.Marker)
	if err != nil && foremanapi.StatusOf(err) != http.StatusNotFound { // no remote execution at all
		return act.Ref{}, err
	}
	if j == nil || before.ID == "" {
		now, err := a.boot(ctx, h)
		if err != nil {
			return act.Ref{}, err
		}
		if another(before, now) {
			return bootRef("", before, now), nil
		}
		before = katprep.Boot{ID: now.ID, Time: orElse(before.Time, now.Time)}
	}
	id, err := a.askReboot(ctx, h, t.Marker, j)
	if err != nil {
		return act.Ref{}, err
	}
	after, err := a.awaitBoot(ctx, h, before)
	return bootRef(id, before, after), err
}

func bootRef(id string, before, after katprep.Boot) act.Ref {
	d := map[string]string{act.DataOldID: before.ID, act.DataBootID: after.ID}
	if !before.Time.IsZero() {
		d[act.DataOldTime] = before.Time.UTC().Format(time.RFC3339)
	}
	if !after.Time.IsZero() {
		d[act.DataBootTime] = after.Time.UTC().Format(time.RFC3339)
	}
	return act.Ref{ID: orElse(id, after.ID), Data: d}
}

// askReboot asks for a reboot, in one job with other hosts that must reboot
// now, and returns the job's ID once it has ended on the host: the host goes
// down a minute later. A job that asked already is waited for.
func (a *Actor) askReboot(ctx context.Context, h host, marker act.Marker, asked *foremanapi.Job) (string, error) {
	if asked != nil {
		done, err := a.await(ctx, asked.ID.N, h.id)
		if err == nil {
			err = a.outcome(ctx, done, h.id)
		}
		return strconv.FormatInt(asked.ID.N, 10), err
	}
	if _, err := a.rebootTemplate(ctx); err != nil {
		return a.askPower(ctx, h, err)
	}
	r := a.ask(ctx, h, question{purpose: "reboot", reboot: marker})
	return strconv.FormatInt(r.job, 10), r.err
}

// A demand is a template that makes hosts reboot.
type demand struct {
	id     int64
	inputs map[string]string
}

// rebootTemplate chooses the template once: Foreman's own for power, or
// Katello's for services, which takes "reboot" for one.
func (a *Actor) rebootTemplate(ctx context.Context) (demand, error) {
	a.mu.Lock()
	known := a.demand
	a.mu.Unlock()
	if known.id != 0 {
		return known, nil
	}
	id, err := a.api.TemplateByName(ctx, "Power Action - Script Default", "Power Action - SSH Default")
	d := demand{id, map[string]string{"action": "restart"}}
	if err != nil {
		label, ok, ferr := a.feature(ctx, "katello_service_restart")
		if ferr != nil || !ok {
			return d, errors.Join(err, ferr)
		}
		d = demand{label, map[string]string{"helper": "reboot"}}
	}
	a.mu.Lock()
	a.demand = d
	a.mu.Unlock()
	return d, nil
}

// reboots remembers which job asked a host to reboot, by marker and host.
// What an earlier process asked is read from the server once.
type reboots struct {
	mu    sync.Mutex
	byRun map[act.Marker]map[int64]int64
}

func (r *reboots) note(m act.Marker, j *foremanapi.Job) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.byRun[m] == nil {
		r.byRun[m] = map[int64]int64{}
	}
	for _, h := range j.Targeting.V.Hosts.V {
		r.byRun[m][h.ID.N] = j.ID.N
	}
}

// earlier returns the newest job that asked the host.
func (a *Actor) earlier(ctx context.Context, h host, m act.Marker) (int64, error) {
	a.reboots.mu.Lock()
	defer a.reboots.mu.Unlock()
	if a.reboots.byRun[m] == nil {
		found, err := a.readReboots(ctx, m)
		if err != nil {
			return 0, err
		}
		a.reboots.byRun[m] = found
	}
	return a.reboots.byRun[m][h.id], nil
}

func (a *Actor) readReboots(ctx context.Context, m act.Marker) (map[int64]int64, error) {
	server, err := a.about(ctx)
	if err != nil {
		return nil, err
	}
	jobs, err := a.api.JobsByPrefix(ctx, string(m)+" reboot ")
	if err != nil {
		return nil, err
	}
	found := map[int64]int64{}
	for _, listed := range jobs {
		j, err := a.api.Job(ctx, server, listed.ID.N)
		if err != nil {
			return nil, err
		}
		for _, h := range j.Targeting.V.Hosts.V {
			found[h.ID.N] = max(found[h.ID.N], j.ID.N)
		}
	}
	return found, nil
}

// rebootAsked finds a job of the marker that will still make the host reboot:
// one that runs, or has just succeeded there.
func (a *Actor) rebootAsked(ctx context.Context, h host, m act.Marker) (*foremanapi.Job, error) {
	id, err := a.earlier(ctx, h, m)
	if err != nil || id == 0 {
		return nil, err
	}
	server, err := a.about(ctx)
	if err != nil {
		return nil, err
	}
	j, err := a.api.Job(ctx, server, id)
	if err != nil {
		return nil, err
	}
	status := statusOf(j, h.id)
	failed := status == "error" || status == "cancelled" || j.Ended() && status != "success" && j.Status.N != foremanapi.JobSucceeded
	if failed || ended(status) && !a.fresh(j) || j.Ended() && !a.fresh(j) {
		return nil, nil
	}
	return j, nil
}

// fresh reports whether a job began so recently that its reboot can still be
// under way.
func (a *Actor) fresh(j *foremanapi.Job) bool {
	start := foremanapi.ParseTime(string(j.StartAt))
	skew, _ := a.api.ClockSkew()
	return !start.IsZero() && time.Now().Add(skew).Sub(start) < a.o.BootDelay+a.o.BootWait
}

// askPower uses the hypervisor or BMC, gently, where no job can reboot.
func (a *Actor) askPower(ctx context.Context, h host, why error) (string, error) {
	err := a.api.Power(ctx, h.id, "soft")
	if err != nil {
		return "", errors.Join(why, err)
	}
	return "power", nil
}

// awaitBoot looks until the host shows another boot. That it does not answer
// for a while is part of it.
func (a *Actor) awaitBoot(ctx context.Context, h host, before katprep.Boot) (katprep.Boot, error) {
	ctx, cancel := context.WithTimeout(ctx, a.o.BootDelay+a.o.BootWait)
	defer cancel()
	pause, last := a.o.BootDelay, error(nil)
	for {
		if err := sleep(ctx, pause); err != nil {
			return katprep.Boot{}, katprep.Errorf(katprep.Unreachable, "%s did not show another boot in time: %w", h.name, errors.Join(err, last)).
				WithHint("look at the host's console; the reboot was asked for")
		}
		now, err := a.boot(ctx, h)
		if err == nil && another(before, now) {
			return now, nil
		}
		last = err
		pause = max(a.o.Poll, a.o.BootDelay/5)
	}
}
