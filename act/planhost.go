package act

import (
	"cmp"
	"errors"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/stdevel/katprep"
)

// hostPlanner gathers the steps of one host.
type hostPlanner struct {
	r    *PlanRequest
	s    *katprep.State
	p    *katprep.HostPlan
	errs []error
}

// usualSteps is about how many steps a host has without hooks.
const usualSteps = 18

func planHost(r *PlanRequest, s *katprep.State) (katprep.HostPlan, error) {
	p := katprep.HostPlan{
		Host: s.Host, IP: s.Facts.IP, IP6: s.Facts.IP6, MAC: s.Facts.MAC, UUID: s.Facts.UUID, OS: s.Facts.OS.ID,
	}
	b := &hostPlanner{r: r, s: s, p: &p}
	if reason := b.unplannable(); reason != "" {
		b.note(reason)
		return p, nil
	}
	b.chooseContent()
	if !b.needed() {
		b.note(b.idle())
		return p, nil
	}
	b.noteUnasked()
	p.Steps = make([]katprep.PlannedStep, 0, usualSteps+3*len(r.Settings.Hooks))
	b.prepare()
	b.execute()
	b.verify()
	b.cleanup()
	p.Steps = slices.Clone(p.Steps)
	return p, errors.Join(b.errs...)
}

func (b *hostPlanner) unplannable() string {
	switch {
	case b.s.Status == katprep.Failed:
		return "the host was not collected: nothing is known of it, so nothing is done"
	case !slices.Contains(b.r.Settings.Patchers, b.s.Source):
		return "source " + b.s.Source + " cannot patch hosts"
	}
	return ""
}

func (b *hostPlanner) note(text string) { b.p.Notes = append(b.p.Notes, text) }

func (b *hostPlanner) fail(format string, args ...any) *katprep.Error {
	err := katprep.Errorf(katprep.Invalid, "host "+strconv.Quote(b.s.Name)+": "+format, args...)
	b.errs = append(b.errs, err)
	return err
}

func (b *hostPlanner) step(st katprep.PlannedStep) { b.p.Steps = append(b.p.Steps, st) }

// chooseContent says which errata and packages are to be installed.
func (b *hostPlanner) chooseContent() {
	set := &b.r.Settings
	for _, e := range b.s.Errata {
		if !e.Installable || len(set.Only) > 0 && !slices.Contains(set.Only, e.ID) || slices.Contains(set.Except, e.ID) {
			continue
		}
		if known, ok := b.r.Erratum(e.ID); set.Security && (!ok || known.Type != katprep.Security) {
			continue
		}
		b.p.Errata = append(b.p.Errata, e.ID)
	}
	slices.Sort(b.p.Errata)
	noErrata := !b.s.Knows(katprep.AspectErrata) && b.s.Knows(katprep.AspectUpdates)
	for _, u := range b.s.Updates {
		covered := slices.ContainsFunc(u.Errata, func(id string) bool { return slices.Contains(b.p.Errata, id) })
		if (set.Updates && (!set.Security || u.Security) || noErrata && u.Security) && !covered && !matchAny(set.Exclude, u.Name) && len(set.Only) == 0 {
			b.p.Updates = append(b.p.Updates, u)
		}
	}
	if noErrata && !set.Updates && len(b.p.Updates) > 0 {
		b.note("the source gives no errata for this host: its security updates are installed by package")
	}
}

// noteUnasked says of a host with steps what the plan passes over because
// nobody knows it or asked for it.
func (b *hostPlanner) noteUnasked() {
	if b.s.Knows(katprep.AspectErrata) || len(b.p.Updates) > 0 {
		return
	}
	b.note(strings.Join(b.content(), ", "))
}

// content says what is known of a host that gets nothing installed.
func (b *hostPlanner) content() []string {
	var known []string
	if b.s.Knows(katprep.AspectErrata) {
		known = append(known, "nothing to install")
	} else {
		known = append(known, "errata are not known")
	}
	n := len(b.s.Updates)
	switch {
	case n > 0 && b.r.Settings.Updates:
		known = append(known, count(n, "package update", "package updates")+" pending, left out by the plan's settings")
	case n > 0:
		known = append(known, count(n, "package update", "package updates")+" pending, not asked for")
	case b.s.Knows(katprep.AspectErrata):
	case b.s.Knows(katprep.AspectUpdates):
		known = append(known, "no package update is pending")
	default:
		known = append(known, "package updates are not known")
	}
	return known
}

// idle says why a host gets no steps: what is known, and what is not.
func (b *hostPlanner) idle() string {
	known := b.content()
	switch b.s.Reboot.Need {
	case katprep.Needed: // else it had a step
		known = append(known, "a reboot is due, and the plan says never")
	case katprep.NotNeeded:
		known = append(known, "no reboot is due")
	default:
		known = append(known, "whether a reboot is due is not known")
	}
	return strings.Join(known, ", ")
}

func (b *hostPlanner) patches() bool { return len(b.p.Errata)+len(b.p.Updates) > 0 }

func (b *hostPlanner) needed() bool {
	switch b.r.Settings.Reboot {
	case RebootAlways:
		return true
	case RebootIfNeeded:
		return b.patches() || b.s.Reboot.Need == katprep.Needed
	}
	return b.patches()
}

// parameter returns a parameter's value; the predecessor's placeholder
// counts as unset.
func (b *hostPlanner) parameter(name string) string {
	for _, p := range b.s.Parameters {
		if v := strings.TrimSpace(p.Value); p.Name == name && !p.Masked && v != "fixmepls" {
			return v
		}
	}
	return ""
}

func yes(s string) bool {
	switch strings.ToLower(s) {
	case "1", "yes", "true", "on", "y":
		return true
	}
	return false
}

func no(s string) bool {
	switch strings.ToLower(s) {
	case "0", "no", "none", "false", "off", "n":
		return true
	}
	return false
}

// system finds the system that a parameter names, by name or URL. Without
// the parameter the only configured one is taken.
func (b *hostPlanner) system(parameter string, systems []PlanSystem) (PlanSystem, bool) {
	v := b.parameter(parameter)
	if v == "" {
		if len(systems) == 1 {
			return systems[0], true
		}
		return PlanSystem{}, false
	}
	for _, s := range systems {
		if s.Name == v || sameURL(s.URL, v) {
			return s, true
		}
	}
	b.fail("%s is %q, and no such system is configured", parameter, v).
		WithHint("give the system of that URL a name in the configuration, or correct the parameter")
	return PlanSystem{}, false
}

// sameURL compares what two URLs lead to: host and port; scheme and path only
// where both have one.
func sameURL(a, b string) bool {
	x, y := hostPort(a), hostPort(b)
	return x != "" && x == y
}

func hostPort(s string) string {
	if !strings.Contains(s, "://") {
		s = "//" + s
	}
	u, err := url.Parse(s)
	if err != nil || u.Host == "" {
		return ""
	}
	port := cmp.Or(u.Port(), map[string]string{"https": "443", "http": "80"}[u.Scheme])
	if u.Scheme == "" && u.Port() == "" {
		port = "443"
	}
	return strings.ToLower(u.Hostname()) + ":" + port
}

func (b *hostPlanner) prepare() {
	b.hooks(katprep.StagePrepare, "prepare.pre")
	b.downtime()
	b.vmSnapshot()
	b.hooks(katprep.StagePrepare, "prepare.post")
}

func (b *hostPlanner) downtime() {
	switch {
	case b.r.Settings.Downtime == 0:
		b.note("no downtime: the plan was asked for none")
		return
	case no(b.parameter("katprep_mon")):
		b.note("no downtime: katprep_mon says so")
		return
	}
	m, ok := b.system("katprep_mon", b.r.Settings.Monitors)
	if !ok {
		if b.parameter("katprep_mon") == "" {
			b.note("no downtime: katprep_mon is not set, and there is not exactly one monitoring system")
		}
		return
	}
	target := b.parameter("katprep_mon_name")
	name := cmp.Or(target, b.s.Name)
	length := b.r.Settings.Downtime.String()
	b.step(katprep.PlannedStep{
		ID: "health.before", Stage: katprep.StagePrepare, Kind: katprep.StepCheck, System: m.Name, Target: target,
		Say: "note the state of the host's services in " + m.Name,
	})
	b.step(katprep.PlannedStep{
		ID: "downtime", Stage: katprep.StagePrepare, Kind: katprep.StepDowntime, System: m.Name, Target: target,
		Args: map[string]string{"length": length},
		Say:  "set a downtime of " + length + " for " + name + " and its services in " + m.Name,
	})
}

func (b *hostPlanner) vmSnapshot() {
	set := &b.r.Settings
	wanted := set.VMSnapshot == SnapshotAlways || set.VMSnapshot == SnapshotByParameter && yes(b.parameter("katprep_virt_snapshot"))
	switch {
	case !wanted:
		b.note("no VM snapshot: " + map[bool]string{true: "the plan was asked for none", false: "katprep_virt_snapshot does not ask for one"}[set.VMSnapshot == SnapshotNever])
		return
	case b.s.Facts.Hardware == katprep.Physical || b.s.Facts.Hardware == katprep.Container:
		b.note("no VM snapshot: the host is a " + string(b.s.Facts.Hardware) + " one")
		return
	}
	v, ok := b.system("katprep_virt", set.Hypervisors)
	if !ok {
		if b.parameter("katprep_virt") == "" {
			b.fail("a VM snapshot is wanted, and it is not known on which hypervisor").
				WithHint("set the parameter katprep_virt to one of the configured hypervisors, for instance by katprep populate")
		}
		return
	}
	target := b.parameter("katprep_virt_name")
	name := cmp.Or(target, b.s.Name)
	b.step(katprep.PlannedStep{
		ID: "vm-snapshot", Stage: katprep.StagePrepare, Kind: katprep.StepVMSnapshot, System: v.Name, Target: target,
		Args: map[string]string{"memory": strconv.FormatBool(set.Memory), "quiesce": string(cmp.Or(set.Quiesce, QuiesceNo))},
		Say:  "make VM snapshot " + string(NewMarker(b.r.Run)) + " of " + name + " on " + v.Name,
	})
}

func (b *hostPlanner) execute() {
	if b.has("downtime") || b.has("vm-snapshot") {
		b.step(katprep.PlannedStep{
			ID: "ready", Stage: katprep.StageExecute, Kind: katprep.StepCheck,
			Say: "look whether downtime and VM snapshot are still there",
		})
	}
	if b.patches() {
		undo := b.hooks(katprep.StageExecute, "patch.pre")
		b.patch()
		undo = append(undo, b.hooks(katprep.StageExecute, "patch.post")...)
		b.undo(katprep.StageExecute, undo)
	}
	b.reboot()
	if b.patches() {
		b.step(katprep.PlannedStep{
			ID: "applicability", Stage: katprep.StageExecute, Kind: katprep.StepCheck, System: b.s.Source,
			Args: map[string]string{"on_failure": "continue"},
			Say:  "wait until " + b.s.Source + " has computed the host's errata again",
		})
	}
}

func (b *hostPlanner) has(id string) bool {
	return slices.ContainsFunc(b.p.Steps, func(s katprep.PlannedStep) bool { return s.ID == id })
}

func (b *hostPlanner) patch() {
	var packages []string
	for _, u := range b.p.Updates {
		packages = append(packages, u.Name)
	}
	slices.Sort(packages)
	packages = slices.Compact(packages)
	args := map[string]string{}
	if len(packages) > 0 {
		args["packages"] = strings.Join(packages, " ")
	}
	if len(b.r.Settings.Exclude) > 0 {
		args["exclude"] = strings.Join(b.r.Settings.Exclude, " ")
	}
	b.step(katprep.PlannedStep{
		ID: "patch", Stage: katprep.StageExecute, Kind: katprep.StepPatch, System: b.s.Source, Args: args,
		Say: "install " + count(len(b.p.Errata), "erratum", "errata") + " and " + count(len(packages), "package update", "package updates") + " through " + b.s.Source,
	})
}

func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return strconv.Itoa(n) + " " + many
}

func (b *hostPlanner) reboot() {
	policy := b.r.Settings.Reboot
	if policy == RebootNever {
		b.note("no reboot: the plan says never")
		return
	}
	reasons := b.rebootReasons()
	args := map[string]string{"policy": string(policy)}
	say := "reboot if the host needs it after patching"
	if policy == RebootAlways {
		say = "reboot"
	} else if len(reasons) > 0 {
		args["reasons"] = strings.Join(reasons, ", ")
		say = "reboot because of " + args["reasons"]
	}
	undo := b.hooks(katprep.StageExecute, "reboot.pre")
	b.step(katprep.PlannedStep{
		ID: "reboot", Stage: katprep.StageExecute, Kind: katprep.StepReboot, System: b.s.Source,
		Args: args, Say: say,
	})
	undo = append(undo, b.hooks(katprep.StageExecute, "reboot.post")...)
	b.undo(katprep.StageExecute, undo)
}

// rebootReasons says what is known before patching of the need to reboot.
func (b *hostPlanner) rebootReasons() []string {
	var reasons []string
	if b.s.Reboot.Need == katprep.Needed {
		reasons = append(reasons, "a reboot that was due before")
	}
	for _, id := range b.p.Errata {
		if e, ok := b.r.Erratum(id); ok && e.RebootSuggested {
			reasons = append(reasons, id)
		}
	}
	return reasons
}

func (b *hostPlanner) verify() {
	undo := b.hooks(katprep.StageVerify, "verify.pre")
	check := func(of, id, say string) {
		i := slices.IndexFunc(b.p.Steps, func(s katprep.PlannedStep) bool { return s.ID == of })
		if i < 0 {
			return
		}
		s := katprep.PlannedStep{ID: id, Stage: katprep.StageVerify, Kind: katprep.StepCheck, System: b.p.Steps[i].System, Target: b.p.Steps[i].Target, Say: say}
		if id == "check.services" {
			s.Args = map[string]string{"settle": cmp.Or(b.r.Settings.Settle, 5*time.Minute).String()}
		}
		b.step(s)
	}
	check("downtime", "check.downtime", "look whether the downtime is in effect")
	check("vm-snapshot", "check.vm-snapshot", "look whether the VM snapshot is there")
	check("patch", "check.patch", "look at the result of the patch job")
	check("reboot", "check.reboot", "look whether the host was booted anew")
	check("health.before", "check.services", "compare the services with before")
	undo = append(undo, b.hooks(katprep.StageVerify, "verify.post")...)
	b.undo(katprep.StageVerify, undo)
}

func (b *hostPlanner) cleanup() {
	undo := b.hooks(katprep.StageCleanup, "cleanup.pre")
	if i := slices.IndexFunc(b.p.Steps, func(s katprep.PlannedStep) bool { return s.ID == "vm-snapshot" }); i >= 0 {
		s := b.p.Steps[i]
		b.step(katprep.PlannedStep{ID: "remove-vm-snapshot", Stage: katprep.StageCleanup, Kind: katprep.StepRemoveVM, System: s.System, Target: s.Target, Say: "remove VM snapshot " + string(NewMarker(b.r.Run)) + " of " + cmp.Or(s.Target, b.s.Name) + " from " + s.System})
		b.step(katprep.PlannedStep{ID: "check.vm-snapshot-gone", Stage: katprep.StageCleanup, Kind: katprep.StepCheck, System: s.System, Target: s.Target, Say: "look whether the VM snapshot is gone"})
	}
	if i := slices.IndexFunc(b.p.Steps, func(s katprep.PlannedStep) bool { return s.ID == "downtime" }); i >= 0 {
		s := b.p.Steps[i]
		b.step(katprep.PlannedStep{ID: "end-downtime", Stage: katprep.StageCleanup, Kind: katprep.StepEndDown, System: s.System, Target: s.Target, Say: "end our downtime of " + cmp.Or(s.Target, b.s.Name) + " in " + s.System})
		b.step(katprep.PlannedStep{ID: "check.downtime-gone", Stage: katprep.StageCleanup, Kind: katprep.StepCheck, System: s.System, Target: s.Target, Say: "look whether the downtime is gone"})
	}
	undo = append(undo, b.hooks(katprep.StageCleanup, "cleanup.post")...)
	b.undo(katprep.StageCleanup, undo)
	b.undo(katprep.StageCleanup, b.rules("prepare.pre", "prepare.post"))
	if i := slices.IndexFunc(b.p.Steps, func(s katprep.PlannedStep) bool { return s.ID == "vm-snapshot" }); i >= 0 {
		s := b.p.Steps[i]
		b.step(katprep.PlannedStep{ID: "revert", Stage: katprep.StageRevert, Kind: katprep.StepRevert, System: s.System, Target: s.Target, Say: "take " + cmp.Or(s.Target, b.s.Name) + " back to VM snapshot " + string(NewMarker(b.r.Run)) + " on " + s.System})
	}
}

// rules are the hooks of some stages for this host, in order.
func (b *hostPlanner) rules(stages ...string) []HookRule {
	var rs []HookRule
	for _, stage := range stages {
		for _, h := range b.r.Settings.Hooks {
			if h.Stage == stage && (len(h.Hosts) == 0 || matchAny(h.Hosts, b.s.Name)) {
				rs = append(rs, h)
			}
		}
	}
	return rs
}

// hooks plans the hooks of a stage and returns them.
func (b *hostPlanner) hooks(stage katprep.Stage, at string) []HookRule {
	rules := b.rules(at)
	for _, h := range rules {
		args := h.args(h.Text)
		args["on_failure"] = cmp.Or(h.OnFailure, map[bool]string{true: "abort-host", false: "continue"}[strings.HasSuffix(at, ".pre")])
		if h.Always {
			args["always"] = "yes"
		}
		b.step(katprep.PlannedStep{
			ID: "hook." + at + "." + h.Name, Stage: stage, Kind: katprep.StepHook, System: h.system(b.s.Source),
			Args: args, Say: "run hook " + h.Name + " on the " + h.Where + ": " + firstLine(h.Text),
		})
	}
	return rules
}

func (h *HookRule) system(source string) string {
	if h.Where == "controller" {
		return Controller
	}
	return source
}

// Controller is the system that runs hooks on the controller.
const Controller = "controller"

func (h *HookRule) args(text string) map[string]string {
	args := map[string]string{"script": text, "name": h.Name, "timeout": cmp.Or(h.Timeout, 5*time.Minute).String()}
	if h.User != "" {
		args["user"] = h.User
	}
	for k, v := range h.Env {
		args["env."+k] = v
	}
	return args
}

// undo plans what takes hooks back, the last one first, whatever happened
// in between.
func (b *hostPlanner) undo(stage katprep.Stage, rules []HookRule) {
	for _, h := range slices.Backward(rules) {
		if h.Undo == "" {
			continue
		}
		args := h.args(h.Undo)
		args["undo"], args["always"], args["on_failure"] = "hook."+h.Stage+"."+h.Name, "yes", "abort-host"
		b.step(katprep.PlannedStep{
			ID: "undo." + h.Stage + "." + h.Name, Stage: stage, Kind: katprep.StepHook, System: h.system(b.s.Source),
			Args: args, Say: "undo hook " + h.Name + ": " + firstLine(h.Undo),
		})
	}
}

func firstLine(s string) string {
	for line := range strings.Lines(s) {
		line = strings.TrimSpace(line)
		if line != "" && !strings.HasPrefix(line, "#") {
			if r := []rune(line); len(r) > 60 {
				return string(r[:59]) + "…"
			}
			return line
		}
	}
	return ""
}
