package direct

import (
	"context"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/act"
	"github.com/stdevel/katprep/internal/inventory"
	"github.com/stdevel/katprep/internal/sshx"
)

// Run runs a script on the host: with "sh -eu" unless it names its own
// interpreter, as root if the connection becomes root, or as the user it
// names.
func (d *Direct) Run(ctx context.Context, t act.Target, s act.Script) (act.ScriptOutcome, error) {
	if s.User != "" {
		if err := sshx.CheckUser(s.User); err != nil {
			return act.ScriptOutcome{}, err
		}
	}
	h, sh, err := d.reach(ctx, t)
	if err != nil {
		return act.ScriptOutcome{}, err
	}
	defer sh.Close()
	j := job{marker: s.Marker, script: s.Text, env: s.Env, stdin: s.Stdin, user: s.User, limit: s.Timeout, max: s.Max}
	if j.marker == "" {
		j.marker = t.Marker
	}
	if _, err := j.query(ctx, sh, true, 0); err != nil {
		return act.ScriptOutcome{}, katprep.Errorf(katprep.KindOf(err), "script %s on %s: %w", s.Name, h.Name, err)
	}
	st, err := d.follow(ctx, h, sh, j)
	if err != nil {
		return act.ScriptOutcome{}, katprep.Errorf(katprep.KindOf(err), "script %s on %s: %w", s.Name, h.Name, err)
	}
	if st.state != "ended" {
		return act.ScriptOutcome{}, katprep.Errorf(katprep.Unreachable, "script %s on %s: nobody knows how it ended", s.Name, h.Name)
	}
	return outcome(st), nil
}

// FindScript looks for a script that was run by its marker.
func (d *Direct) FindScript(ctx context.Context, t act.Target, m act.Marker) (o act.ScriptOutcome, ended, found bool, err error) {
	h, sh, err := d.reach(ctx, t)
	if err != nil {
		return o, false, false, err
	}
	defer sh.Close()
	st, err := job{marker: m}.query(ctx, sh, false, 0)
	if err != nil {
		return o, false, false, katprep.Errorf(katprep.KindOf(err), "look for script %s on %s: %w", m, h.Name, err)
	}
	switch st.state {
	case "none":
		return o, false, false, nil
	case "lost":
		return o, false, true, katprep.Errorf(katprep.Unreachable, "script %s on %s: nobody knows how it ended", m, h.Name)
	}
	return outcome(st), st.state == "ended", true, nil
}

func outcome(st status) act.ScriptOutcome {
	return act.ScriptOutcome{Exit: st.exit, TimedOut: st.late, Took: st.took, Output: st.output}
}

// reach finds and opens a target.
func (d *Direct) reach(ctx context.Context, t act.Target) (inventory.Host, shell, error) {
	h, err := d.host(t)
	if err != nil {
		return h, nil, err
	}
	if err := ctx.Err(); err != nil {
		return h, nil, katprep.Errorf(katprep.Unreachable, "connect to %s: %w", h.Name, context.Cause(ctx))
	}
	sh, err := d.open(ctx, h)
	return h, sh, err
}
