package act

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/stdevel/katprep"
)

func digestOf(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}

// checkAction says how a check is made. Each looks at the system itself; only
// the patch result is the job's own, from the journal.
func (r *runner) checkAction(h *katprep.HostPlan, s *katprep.PlannedStep, t Target) (action, error) {
	a := action{reads: true, limits: []string{s.System}}
	var err error
	switch s.ID {
	case "ready":
		a.limits = nil
		a.do = func(ctx context.Context, _ map[string]string) (result, error) { return r.checkReady(ctx, h) }
	case "health.before":
		a.do, err = r.healthBefore(s, t)
	case "check.services":
		a.do, err = r.healthAfter(h, s, t)
	case "check.downtime":
		a.do, err = r.checkDowntime(s, t)
	case "check.vm-snapshot":
		a.do, err = r.checkSnapshot(s, t)
	case "check.patch":
		a.do = func(context.Context, map[string]string) (result, error) { return r.checkPatch(h) }
	case "check.reboot":
		a.skip = func(context.Context) (string, error) {
			if st := r.p.step(h.HostID, "reboot"); st.Event == katprep.EventSkipped && st.settled() {
				return st.Message, nil
			}
			return "", nil
		}
		a.do, err = r.checkReboot(h, s, t)
	case "check.downtime-gone":
		a.skip = r.neverMade(h, "downtime")
		a.do, err = r.checkDowntimeGone(s, t)
	case "check.vm-snapshot-gone":
		a.skip = r.neverMade(h, "vm-snapshot")
		a.do, err = r.checkSnapshotGone(s, t)
	case "applicability":
		return r.refreshAction(h, s, t)
	default:
		err = katprep.Errorf(katprep.Invalid, "the plan has a check %q, which is not known", s.ID)
	}
	return a, err
}

type doFunc = func(context.Context, map[string]string) (result, error)

func failed(format string, args ...any) result {
	return result{event: katprep.EventFailed, message: fmt.Sprintf(format, args...)}
}

func (r *runner) checkDowntime(s *katprep.PlannedStep, t Target) (doFunc, error) {
	d, err := system[Downtimer](r, s)
	return func(ctx context.Context, _ map[string]string) (result, error) {
		ref, inEffect, found, err := d.FindDowntime(ctx, t)
		res := done(ref)
		switch {
		case err != nil:
			return res, err
		case !found:
			return failed("%s has no downtime of this run", s.System), nil
		case !inEffect:
			res.event, res.message = katprep.EventFailed, "the downtime is there and not in effect"
			return res, nil
		}
		res.message = "the downtime is in effect"
		return res, nil
	}, err
}

func (r *runner) checkSnapshot(s *katprep.PlannedStep, t Target) (doFunc, error) {
	v, err := system[Snapshotter](r, s)
	return func(ctx context.Context, _ map[string]string) (result, error) {
		ref, found, err := v.FindSnapshot(ctx, t)
		if err == nil && !found {
			return failed("%s has no VM snapshot of this run", s.System), nil
		}
		res := done(ref)
		res.message = "the VM snapshot is there"
		return res, err
	}, err
}

func (r *runner) checkDowntimeGone(s *katprep.PlannedStep, t Target) (doFunc, error) {
	d, err := system[Downtimer](r, s)
	return func(ctx context.Context, _ map[string]string) (result, error) {
		ref, _, found, err := d.FindDowntime(ctx, t)
		res := done(ref)
		if err == nil && found {
			res.event, res.message = katprep.EventFailed, "the downtime is still there"
			return res, nil
		}
		res.message = "no downtime of this run is left"
		return res, err
	}, err
}

func (r *runner) checkSnapshotGone(s *katprep.PlannedStep, t Target) (doFunc, error) {
	v, err := system[Snapshotter](r, s)
	return func(ctx context.Context, _ map[string]string) (result, error) {
		ref, found, err := v.FindSnapshot(ctx, t)
		res := done(ref)
		if err == nil && found {
			res.event, res.message = katprep.EventFailed, "the VM snapshot is still there"
			return res, nil
		}
		res.message = "no VM snapshot of this run is left"
		return res, err
	}, err
}

// checkReady looks right before patching whether what protects the host is
// still there.
func (r *runner) checkReady(ctx context.Context, h *katprep.HostPlan) (result, error) {
	all := result{message: "downtime and VM snapshot are there", data: map[string]string{}}
	for i := range h.Steps {
		s := &h.Steps[i]
		var look doFunc
		var err error
		switch {
		case s.ID == "downtime":
			look, err = r.checkDowntime(s, r.target(h, s))
		case s.ID == "vm-snapshot":
			look, err = r.checkSnapshot(s, r.target(h, s))
		default:
			continue
		}
		if err != nil {
			return all, err
		}
		res, err := look(ctx, nil)
		if err != nil {
			return all, err
		}
		if res.event == katprep.EventFailed {
			res.data = map[string]string{"missing": s.ID}
			res.message += " (prepare makes it anew)"
			return res, nil
		}
		all.data[s.ID] = res.ref
	}
	return all, nil
}

func (r *runner) checkPatch(h *katprep.HostPlan) (result, error) {
	st := r.p.step(h.HostID, "patch")
	if st.Event != katprep.EventDone {
		return failed("the host was not patched: %s", cmp.Or(st.Message, "nothing was begun")), nil
	}
	data := maps.Clone(st.Data)
	if data == nil {
		data = map[string]string{}
	}
	data["patched"] = st.At.UTC().Format(time.RFC3339)
	return result{ref: st.Ref, data: data, message: "the patch job reported success for this host"}, nil
}

func (r *runner) checkReboot(h *katprep.HostPlan, s *katprep.PlannedStep, t Target) (doFunc, error) {
	b, err := system[Rebooter](r, s)
	return func(ctx context.Context, _ map[string]string) (result, error) {
		st := r.p.step(h.HostID, "reboot")
		if st.Event != katprep.EventDone {
			return failed("the host was not rebooted: %s", cmp.Or(st.Message, "nothing was begun")), nil
		}
		now, err := b.BootOf(ctx, t)
		if err != nil {
			return result{}, err
		}
		before := bootFrom(st.Intent)
		data := maps.Clone(st.Intent)
		data[DataBootID] = now.ID
		if !now.Time.IsZero() {
			data[DataBootTime] = now.Time.UTC().Format(time.RFC3339)
		}
		res := result{ref: st.Ref, data: data, message: "the host was booted anew"}
		if !rebooted(before, now) {
			res.event, res.message = katprep.EventFailed, "the host still shows the boot from before"
		}
		return res, nil
	}, err
}

// rebooted reports whether two boots are certainly different. Boot times
// vary by a second or two with the clock.
func rebooted(before, now katprep.Boot) bool {
	if before.ID != "" && now.ID != "" {
		return before.ID != now.ID
	}
	return !before.Time.IsZero() && now.Time.Sub(before.Time) > 5*time.Second
}

// refreshAction waits until the source looked at the host again. It only
// delays what a report can say, so its failure stops nobody.
func (r *runner) refreshAction(h *katprep.HostPlan, s *katprep.PlannedStep, t Target) (action, error) {
	sys, err := r.Systems.System(s.System)
	if err != nil {
		return action{}, err
	}
	f, ok := sys.(Refresher)
	return action{
		reads: true, limits: []string{s.System},
		skip: func(context.Context) (string, error) {
			if !ok {
				return s.System + " computes errata on its own; the next snapshot may be early", nil
			}
			return "", nil
		},
		do: func(ctx context.Context, _ map[string]string) (result, error) {
			ref, err := f.Refresh(ctx, t, r.p.step(h.HostID, "patch").Began)
			res := done(ref)
			res.message = "the host's errata were computed again"
			return res, err
		},
	}, nil
}

func (r *runner) healthBefore(s *katprep.PlannedStep, t Target) (doFunc, error) {
	m, err := system[HealthReader](r, s)
	return func(ctx context.Context, _ map[string]string) (result, error) {
		health, err := m.Health(ctx, t)
		if err != nil {
			return result{}, err
		}
		bad := problems(health)
		res := result{data: healthData(health, bad), message: "before: " + describe(health, bad)}
		return res, nil
	}, err
}

const (
	dataProblems  = "problems" // JSON: service → status of those not OK; the host itself is ""
	dataServices  = "services" // how many there are
	dataAt        = "at"       // the system's time of the look
	dataNewly     = "new_problems"
	maxNamedInMsg = 5
)

// problems returns what is not OK, by service; the host itself is "".
func problems(h Health) map[string]CheckStatus {
	bad := map[string]CheckStatus{}
	for _, c := range append([]CheckState{h.Host}, h.Services...) {
		if c.Status != CheckOK {
			bad[c.Name] = c.Status
		}
	}
	return bad
}

func healthData(h Health, bad map[string]CheckStatus) map[string]string {
	list, err := json.Marshal(bad)
	if err != nil {
		panic(err) // strings always encode
	}
	return map[string]string{
		dataProblems: string(list), dataServices: strconv.Itoa(len(h.Services)), dataAt: h.At.UTC().Format(time.RFC3339),
	}
}

func describe(h Health, bad map[string]CheckStatus) string {
	if len(bad) == 0 {
		return "the host and " + count(len(h.Services), "service", "services") + " are OK"
	}
	return name(bad)
}

// name lists problems for people.
func name(bad map[string]CheckStatus) string {
	var parts []string
	for _, service := range slices.Sorted(maps.Keys(bad)) {
		if len(parts) == maxNamedInMsg {
			parts = append(parts, fmt.Sprintf("and %d more", len(bad)-maxNamedInMsg))
			break
		}
		parts = append(parts, cmp.Or(service, "the host")+" is "+string(bad[service]))
	}
	return strings.Join(parts, ", ")
}

// healthAfter compares with before, and gives services time to come back.
func (r *runner) healthAfter(h *katprep.HostPlan, s *katprep.PlannedStep, t Target) (doFunc, error) {
	m, err := system[HealthReader](r, s)
	settle, perr := time.ParseDuration(s.Args["settle"])
	if err == nil && perr != nil {
		err = katprep.Errorf(katprep.Invalid, "the plan's check of services: %w", perr)
	}
	return func(ctx context.Context, _ map[string]string) (result, error) {
		var before map[string]CheckStatus
		if err := json.Unmarshal([]byte(r.p.step(h.HostID, "health.before").Data[dataProblems]), &before); err != nil {
			return failed("the services' state before is not known, so there is nothing to compare with"), nil
		}
		for deadline := time.Now().Add(settle); ; {
			health, err := m.Health(ctx, t)
			if err != nil {
				return result{}, err
			}
			res, good := compareHealth(before, health)
			if good || !time.Now().Before(deadline) {
				return res, nil
			}
			if err := r.sleep(ctx); err != nil {
				return result{}, err
			}
		}
	}, err
}

// compareHealth reports what is worse than before.
func compareHealth(before map[string]CheckStatus, health Health) (result, bool) {
	now := problems(health)
	newly := map[string]CheckStatus{}
	for service, status := range now {
		if before[service] == "" || before[service] == CheckWarning && status != CheckWarning {
			newly[service] = status
		}
	}
	res := result{data: healthData(health, now)}
	if len(newly) > 0 {
		list, err := json.Marshal(newly)
		if err != nil {
			panic(err) // strings always encode
		}
		res.data[dataNewly] = string(list)
		res.event, res.message = katprep.EventFailed, "worse than before: "+name(newly)
		return res, false
	}
	res.message = describe(health, now)
	if len(now) > 0 {
		res.message = "as before: " + res.message
	}
	return res, true
}
