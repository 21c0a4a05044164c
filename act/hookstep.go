package act

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/stdevel/katprep"
)

const (
	exitSkip    = 75 // EX_TEMPFAIL: leave this host out for now
	hookOutput  = 8 << 10
	dataScript  = "script_sha256"
	dataOutput  = "output"
	dataTimeout = "timed_out"
)

func (r *runner) hookAction(h *katprep.HostPlan, i int) (action, error) {
	s := &h.Steps[i]
	hook, err := system[Hook](r, s)
	if err != nil {
		return action{}, err
	}
	t := r.target(h, s)
	script, err := r.script(h, s)
	if err != nil {
		return action{}, err
	}
	return action{
		limits: []string{s.System},
		intent: func(_ context.Context, last StepState) (map[string]string, error) {
			return map[string]string{
				dataMarker: string(ScriptMarker(r.Plan.Run, i, last.Attempts+1)), dataScript: digestOf(script.Text),
			}, nil
		},
		find: func(ctx context.Context, last StepState) (result, bool, error) {
			return r.findScript(ctx, hook, t, s, last)
		},
		do: func(ctx context.Context, intent map[string]string) (result, error) {
			script.Marker = Marker(intent[dataMarker])
			o, err := hook.Run(ctx, t, script)
			if err != nil {
				return result{}, err
			}
			return judgeScript(s, o, intent), nil
		},
	}, nil
}

// findScript waits for a script whose end nobody saw. Not found means that
// it never began.
func (r *runner) findScript(ctx context.Context, hook Hook, t Target, s *katprep.PlannedStep, last StepState) (result, bool, error) {
	f, ok := hook.(ScriptFinder)
	if !ok {
		return result{}, false, katprep.Errorf(katprep.Unreachable, "%s cannot be asked how the hook ended", s.System).
			WithHint("look at the host, then run the command with --retry-unknown")
	}
	for {
		o, ended, found, err := f.FindScript(ctx, t, Marker(last.Intent[dataMarker]))
		if err != nil || !found {
			return result{}, false, err
		}
		if ended {
			return judgeScript(s, o, last.Intent), true, nil
		}
		if err := r.sleep(ctx); err != nil {
			return result{}, false, err
		}
	}
}

func (r *runner) sleep(ctx context.Context) error {
	d := r.Options.Poll
	if d <= 0 {
		d = 10 * time.Second
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func judgeScript(s *katprep.PlannedStep, o ScriptOutcome, intent map[string]string) result {
	data := maps.Clone(intent)
	if data == nil {
		data = map[string]string{}
	}
	data["exit"], data["took"] = strconv.Itoa(o.Exit), o.Took.Round(time.Millisecond).String()
	if o.Output != "" {
		data[dataOutput] = o.Output
	}
	res := result{event: katprep.EventDone, ref: intent[dataMarker], data: data, message: s.Say}
	switch {
	case o.TimedOut:
		data[dataTimeout] = "yes"
		res.event, res.message = katprep.EventFailed, "hook "+s.Args["name"]+" did not end within "+s.Args["timeout"]+" and was killed"
	case o.Exit < 0:
		res.event, res.message = katprep.EventFailed, "hook "+s.Args["name"]+" was killed"
	case o.Exit == exitSkip && s.Args["undo"] == "":
		data[dataDefer] = "yes"
		res.event, res.message = katprep.EventSkipped, "hook "+s.Args["name"]+" says that the host is to be left out for now"+lastLine(o.Output)
	case o.Exit != 0:
		res.event, res.message = katprep.EventFailed, fmt.Sprintf("hook %s ended with exit code %d%s", s.Args["name"], o.Exit, lastLine(o.Output))
	}
	return res
}

func lastLine(output string) string {
	ls := strings.Split(strings.TrimSpace(output), "\n")
	if l := strings.TrimSpace(ls[len(ls)-1]); l != "" {
		return ": " + firstLine(l)
	}
	return ""
}

// script is what a hook step runs, with its environment.
func (r *runner) script(h *katprep.HostPlan, s *katprep.PlannedStep) (Script, error) {
	timeout, err := time.ParseDuration(s.Args["timeout"])
	if err != nil {
		return Script{}, katprep.Errorf(katprep.Invalid, "the plan's hook %s: %w", s.ID, err)
	}
	patch := r.p.step(h.HostID, "patch")
	env := map[string]string{
		"KATPREP_RUN_ID": string(r.Plan.Run), "KATPREP_STAGE": string(s.Stage), "KATPREP_HOOK": s.Args["name"],
		"KATPREP_HOST": h.Name, "KATPREP_HOST_ID": h.HostID.String(), "KATPREP_OS_ID": h.OS,
		"KATPREP_ADVISORIES": strings.Join(h.Errata, " "), "KATPREP_PACKAGES": packageNames(h),
		"KATPREP_SNAPSHOT_COMMIT": string(r.Plan.Before), "KATPREP_RESULT": string(patch.Event),
		"KATPREP_FAILED_STEP": r.failedStep(h),
	}
	stdin, err := json.Marshal(env)
	if err != nil {
		return Script{}, err
	}
	for k, v := range s.Args {
		if name, ok := strings.CutPrefix(k, "env."); ok {
			env[name] = v
		}
	}
	return Script{
		Name: s.ID, Text: s.Args["script"], User: s.Args["user"], Env: env,
		Stdin: append(stdin, '\n'), Timeout: timeout, Max: hookOutput,
	}, nil
}

func packageNames(h *katprep.HostPlan) string {
	var names []string
	for _, u := range h.Updates {
		names = append(names, u.Name)
	}
	slices.Sort(names)
	return strings.Join(slices.Compact(names), " ")
}

func (r *runner) failedStep(h *katprep.HostPlan) string {
	for i := range h.Steps {
		switch r.p.step(h.HostID, h.Steps[i].ID).Event {
		case katprep.EventFailed, katprep.EventUnknown:
			if !soft(&h.Steps[i]) {
				return h.Steps[i].ID
			}
		}
	}
	return ""
}
