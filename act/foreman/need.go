package foreman

import (
	"context"
	"regexp"
	"strconv"
	"time"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/act"
)

// whetherReboot asks the host's own package manager whether it needs a reboot.
var whetherReboot = question{purpose: "reboot-needed", command: `if command -v needs-restarting >/dev/null 2>&1; then needs-restarting -r >/dev/null 2>&1 && echo katprep-reboot=no || echo katprep-reboot=yes
elif command -v zypper >/dev/null 2>&1; then zypper needs-rebooting >/dev/null 2>&1; case $? in 0) echo katprep-reboot=no;; 102) echo katprep-reboot=yes;; esac
elif command -v apt-get >/dev/null 2>&1; then if [ -e /var/run/reboot-required ]; then echo katprep-reboot=yes; else echo katprep-reboot=no; fi
fi`}

var needSaid = regexp.MustCompile(`(?m)^katprep-reboot=(yes|no)\s*$`)

// RebootNeeded implements [act.RebootNeeder]: the host itself is asked; if it
// cannot tell, the server's traces do. Neither is unknown, which is no error.
func (a *Actor) RebootNeeded(ctx context.Context, t act.Target) (katprep.Reboot, error) {
	h, err := a.one(ctx, t)
	if err != nil {
		return katprep.Reboot{}, err
	}
	said := a.ask(ctx, h, whetherReboot)
	if m := needSaid.FindStringSubmatch(said.out); said.err == nil && m != nil {
		return katprep.Reboot{Need: katprep.Need(m[1])}, nil
	}
	switch h.host.TracesStatus.N {
	case 2:
		return katprep.Reboot{Need: katprep.Needed, Reasons: []string{"traces"}}, nil
	case 0, 1:
		if h.host.TracesStatus.Valid {
			return katprep.Reboot{Need: katprep.NotNeeded}, nil
		}
	}
	return katprep.Reboot{}, said.err
}

// uploadProfile makes a host tell the server its packages.
var uploadProfile = question{purpose: "upload", feature: "katello_upload_profile"}

// Refresh implements [act.Refresher]: where the server can, the host uploads
// its packages at once; then its errata are looked at until they changed. If
// it is not known what was pending before (another process patched), any
// change counts.
func (a *Actor) Refresh(ctx context.Context, t act.Target, since time.Time) (act.Ref, error) {
	h, err := a.one(ctx, t)
	if err != nil {
		return act.Ref{}, err
	}
	ref := act.Ref{ID: strconv.FormatInt(h.id, 10), Data: map[string]string{}}
	if _, ok, err := a.feature(ctx, uploadProfile.feature); err == nil && ok {
		if r := a.ask(ctx, h, uploadProfile); r.err != nil {
			ref.Data[act.DataWarning] = excerpt("the upload of the package profile was not confirmed: "+r.err.Error(), 300)
		}
	}
	a.mu.Lock()
	before, known := a.baselines[a.hostID(h.id)]
	a.mu.Unlock()
	if !known {
		before.total = h.host.Content.V.Counts.V.Total.N
	}
	return ref, a.awaitErrata(ctx, h, before, since)
}

func (a *Actor) awaitErrata(ctx context.Context, h host, before state, since time.Time) error {
	pause := a.o.Poll
	for {
		now, err := a.api.ShowHost(ctx, h.id)
		if err != nil {
			return err
		}
		counts := now.Content.V.Counts
		if counts.OK && counts.V.Total.Valid && (counts.V.Total.N != before.total || counts.V.Total.N == 0) {
			return nil
		}
		if err := sleep(ctx, pause); err != nil {
			return katprep.Errorf(katprep.Unreachable, "%s: its errata were not computed again since %s: %w", h.name, since.UTC().Format(time.RFC3339), err)
		}
		pause = min(2*pause, max(30*time.Second, a.o.Poll))
	}
}
