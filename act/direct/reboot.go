package direct

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/act"
	"github.com/stdevel/katprep/internal/inventory"
	"github.com/stdevel/katprep/internal/probe"
)

// rebootScript leaves the connection time to end in peace.
const rebootScript = `#!/bin/sh
PATH=/usr/sbin:/usr/bin:/sbin:/bin:/usr/local/bin
sleep 1
if [ -d /run/systemd/system ] && command -v systemctl >/dev/null 2>&1; then systemctl reboot; else shutdown -r now || reboot; fi
`

// BootOf reads the host's present boot.
func (d *Direct) BootOf(ctx context.Context, t act.Target) (katprep.Boot, error) {
	h, err := d.host(t)
	if err != nil {
		return katprep.Boot{}, err
	}
	p, err := d.present(ctx, h)
	return p.Boot, err
}

// present asks a host for its identity and boot.
func (d *Direct) present(ctx context.Context, h inventory.Host) (probe.Host, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	sh, err := d.open(ctx, h)
	if err != nil {
		return probe.Host{}, err
	}
	defer sh.Close()
	mark := probe.NewMark()
	out, err := ask(ctx, sh, mark, probe.Script(mark, probe.Options{HostOnly: true}))
	if err != nil {
		return probe.Host{}, err
	}
	p := probe.ParseHost(out.Data("host"))
	if p.Boot.ID == "" && p.Boot.Time.IsZero() {
		return p, katprep.Errorf(katprep.NotFound, "%s shows neither boot ID nor boot time", h.Name)
	}
	return p, nil
}

// Reboot reboots the host and waits for another boot of the same machine.
func (d *Direct) Reboot(ctx context.Context, t act.Target, before katprep.Boot) (act.Ref, error) {
	h, err := d.host(t)
	if err != nil {
		return act.Ref{}, err
	}
	if ctx.Err() != nil {
		return act.Ref{}, katprep.Errorf(katprep.Unreachable, "reboot %s: %w", h.Name, context.Cause(ctx))
	}
	now, err := d.present(ctx, h)
	if err != nil {
		return act.Ref{}, katprep.Errorf(katprep.KindOf(err), "reboot %s: %w", h.Name, err)
	}
	if before == (katprep.Boot{}) {
		before = now.Boot
	}
	if another(before, now.Boot) {
		return bootRef(before, now.Boot), nil
	}
	if err := d.sendReboot(ctx, h, t, now.Boot); err != nil {
		return act.Ref{}, err
	}
	return d.awaitBoot(ctx, h, before, now.MachineID)
}

// sendReboot starts the reboot as a job of its own, named after the boot it
// ends. While one runs, no second one is sent; one that ended and left the
// host running may be tried again.
func (d *Direct) sendReboot(ctx context.Context, h inventory.Host, t act.Target, boot katprep.Boot) error {
	sh, err := d.open(ctx, h)
	if err != nil {
		return err
	}
	defer sh.Close()
	for n := 1; n <= 9; n++ {
		j := job{marker: rebootMarker(t.Marker, boot, n), script: rebootScript}
		s, err := j.query(ctx, sh, false, 0)
		if err == nil && s.state == "none" {
			s, err = j.query(ctx, sh, true, 0)
		}
		switch {
		case err != nil:
			return katprep.Errorf(katprep.KindOf(err), "reboot %s: %w", h.Name, err)
		case s.uid != "0":
			return katprep.Errorf(katprep.Denied, "reboot %s: the user is not root there", h.Name).WithHint("set sudo: true, or be root")
		case s.state == "running":
			return nil
		}
	}
	return katprep.Errorf(katprep.Conflict, "reboot %s: it was asked nine times and still runs the old boot", h.Name)
}

func rebootMarker(m act.Marker, boot katprep.Boot, n int) act.Marker {
	id := boot.ID
	if id == "" {
		id = boot.Time.Format("20060102150405")
	}
	if m == "" {
		m = "katprep-reboot"
	}
	return m[:min(len(m), 50)] + act.Marker("-boot-"+id[:min(len(id), 14)]+"-"+strconv.Itoa(n))
}

// RebootNeeded asks the host whether its installed packages need a reboot.
func (d *Direct) RebootNeeded(ctx context.Context, t act.Target) (katprep.Reboot, error) {
	h, sh, err := d.reach(ctx, t)
	if err != nil {
		return katprep.Reboot{}, err
	}
	defer sh.Close()
	s, err := d.state(ctx, sh)
	if err != nil {
		return katprep.Reboot{}, katprep.Errorf(katprep.KindOf(err), "ask %s whether it needs a reboot: %w", h.Name, err)
	}
	return s.Reboot, nil
}

// awaitBoot asks again and again until the host shows another boot.
func (d *Direct) awaitBoot(ctx context.Context, h inventory.Host, before katprep.Boot, machine string) (act.Ref, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, d.o.RebootTime, fmt.Errorf("not back within %s", d.o.RebootTime))
	defer cancel()
	var last error
	for {
		if err := sleep(ctx, d.o.Poll); err != nil {
			return act.Ref{}, katprep.Errorf(katprep.Unreachable, "reboot %s: %w", h.Name, errors.Join(context.Cause(ctx), last))
		}
		now, err := d.present(ctx, h)
		switch {
		case err != nil:
			last = err
		case machine != "" && now.MachineID != machine:
			return act.Ref{}, katprep.Errorf(katprep.Conflict, "reboot %s: another machine answers in its place", h.Name)
		case another(before, now.Boot):
			return bootRef(before, now.Boot), nil
		default:
			last = errors.New("it still runs the old boot")
		}
	}
}

// another reports whether two boots are certainly not the same.
func another(a, b katprep.Boot) bool {
	if a.ID != "" && b.ID != "" {
		return a.ID != b.ID
	}
	// The clock may have been set a little in between.
	return !a.Time.IsZero() && b.Time.Sub(a.Time) > 30*time.Second
}

func bootRef(before, after katprep.Boot) act.Ref {
	r := act.Ref{ID: after.ID, Data: map[string]string{act.DataBootID: after.ID, act.DataOldID: before.ID}}
	if !after.Time.IsZero() {
		r.Data[act.DataBootTime] = after.Time.Format(time.RFC3339)
	}
	if !before.Time.IsZero() {
		r.Data[act.DataOldTime] = before.Time.Format(time.RFC3339)
	}
	if r.ID == "" {
		r.ID = r.Data[act.DataBootTime]
	}
	return r
}
