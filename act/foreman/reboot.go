package foreman

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strconv"
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
	out, err := a.ask(ctx, h, whichBoot)
	if err != nil {
		return katprep.Boot{}, fmt.Errorf("read boot of %s: %w", h.name, err)
	}
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
// management where jobs cannot; either way another boot must show.
func (a *Actor) Reboot(ctx context.Context, t act.Target, before katprep.Boot) (act.Ref, error) {
	if err := t.Marker.Check(); err != nil {
		return act.Ref{}, err
	}
	h, err := a.one(ctx, t)
	if err != nil {
		return act.Ref{}, err
	}
	now, err := a.boot(ctx, h)
	if err != nil {
		return act.Ref{}, err
	}
	if another(before, now) {
		return bootRef("", before, now), nil
	}
	if before.ID == "" && before.Time.IsZero() {
		before = now
	}
	if before.ID == "" {
		before.ID = now.ID
	}
	id, err := a.askReboot(ctx, h, t.Marker)
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

// askReboot asks for a reboot and returns the job's ID once it has ended: the
// host goes down a minute later. A job that is under way or has just asked is
// not sent again.
func (a *Actor) askReboot(ctx context.Context, h host, marker act.Marker) (string, error) {
	o, err := a.rebootOrder(ctx, h, marker)
	if err != nil {
		return a.askPower(ctx, h, err)
	}
	j, err := a.adoptedReboot(ctx, o, h)
	if err != nil {
		return "", err
	}
	if j == nil {
		if j, err = a.send(ctx, o, []host{h}); err != nil {
			return "", err
		}
	}
	if !targets(j, h.id) {
		return "", katprep.Errorf(katprep.Conflict, "job %d does not target the host", j.ID.N)
	}
	done, err := a.await(ctx, j.ID.N, h.id)
	if err == nil {
		err = a.outcome(ctx, done, h.id)
	}
	return strconv.FormatInt(j.ID.N, 10), err
}

// rebootOrder chooses the template: Foreman's own for power, or Katello's for
// services, which takes "reboot" for one.
func (a *Actor) rebootOrder(ctx context.Context, h host, marker act.Marker) (order, error) {
	o := order{purpose: "reboot", only: h.id, marker: marker, timeout: 5 * time.Minute}
	id, err := a.api.TemplateByName(ctx, "Power Action - Script Default", "Power Action - SSH Default")
	if err == nil {
		o.template, o.inputs = id, map[string]string{"action": "restart"}
		return o, nil
	}
	label, ok, ferr := a.feature(ctx, "katello_service_restart")
	if ferr != nil || !ok {
		return o, errors.Join(err, ferr)
	}
	o.template, o.inputs = label, map[string]string{"helper": "reboot"}
	return o, nil
}

// adoptedReboot finds a job of the marker that will still make the host
// reboot: one that runs, or has just succeeded.
func (a *Actor) adoptedReboot(ctx context.Context, o order, h host) (*foremanapi.Job, error) {
	jobs, err := a.api.JobsByDescription(ctx, o.description())
	if err != nil || len(jobs) == 0 {
		return nil, err
	}
	server, err := a.about(ctx)
	if err != nil {
		return nil, err
	}
	j, err := a.api.Job(ctx, server, jobs[0].ID.N)
	if err != nil || !targets(j, h.id) {
		return nil, err
	}
	status := statusOf(j, h.id)
	if j.Ended() && status != "success" && j.Status.N != foremanapi.JobSucceeded {
		return nil, nil
	}
	if j.Ended() && !a.fresh(j) {
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
