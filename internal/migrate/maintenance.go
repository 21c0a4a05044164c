package migrate

import (
	"fmt"
	"slices"
	"strings"
)

func maintenanceProgram() program {
	m := common()
	both(m, "-n", "--dry-run", set("dry"))
	both(m, "-c", "--config", takes("", "-c was never implemented: left out"))
	for _, name := range []string{"--virt-uri", "--mon-url", "--mon-type"} {
		m[name] = takes("", name+" never did anything: left out; systems are in katprep.yml")
	}
	planning(m)
	both(m, "-E", "--exclude", part("--exclude"))
	both(m, "-I", "--include-only", part("--host"))
	for _, name := range []string{"--include-patches", "--exclude-patches", "--include-upgrades", "--exclude-upgrades"} {
		m[name] = takes("", name+" took the server's numbers or crashed: plan with --erratum ID, --except-erratum ID or --exclude-package GLOB")
	}
	return program{m, finishMaintenance}
}

const (
	never  = "--reboot never"
	always = "--reboot always"
)

// oneReboot leaves one of two contrary options.
func (t *translation) oneReboot() {
	if slices.Contains(t.plan, never) && slices.Contains(t.plan, always) {
		t.plan = slices.DeleteFunc(t.plan, func(f string) bool { return f == always })
		t.note("-r with -R rebooted all the same, against the help of -R: without reboots here; for what it did, use --reboot always")
	}
	t.plan = slices.Compact(t.plan)
}

// planning are the options that decide what a run does: they belong to its
// plan now.
func planning(m map[string]option) {
	plan := func(now, note string) option {
		return option{apply: func(t *translation, _ string) {
			t.plan = append(t.plan, now)
			if note != "" {
				t.note("%s", note)
			}
		}}
	}
	both(m, "-r", "--reboot-systems", plan(always, ""))
	both(m, "-R", "--no-reboot", plan(never, "-R did the opposite of its help: with it hosts were rebooted where errata suggest it, without it never. Translated as its help says; for what it did, use --reboot if-needed"))
	both(m, "-k", "--skip-snapshot", plan("--vm-snapshot never", ""))
	both(m, "-K", "--skip-downtime", plan("--no-downtime", ""))
	both(m, "-S", "--mon-suggested", option{apply: func(t *translation, _ string) {
		t.note("-S never restricted anything: every host of the run gets its downtime (none where katprep_mon=no)")
	}})
	both(m, "-p", "--include-packages", plan("--updates", ""))
	both(m, "-t", "--mon-downtime", option{value: true, apply: func(t *translation, raw string) {
		t.plan = append(t.plan, "--downtime "+raw+"h")
	}})
	server := func(now string) option {
		return option{value: true, apply: func(t *translation, raw string) { t.plan = append(t.plan, now+" "+safe(raw)) }}
	}
	both(m, "-l", "--location", server("--location"))
	both(m, "-o", "--organization", server("--org"))
	both(m, "-e", "--environment", server("--env"))
	m["-g"] = takes("", "-g was in the man page only; plan with --group")
	m["--hostgroup"] = m["-g"]
}

// part is a filter that looked for a part of the name: '*' and '%' were
// deleted, and what was left could stand anywhere.
func part(now string) option {
	return option{value: true, apply: func(t *translation, raw string) {
		old := unquote(raw)
		glob := "*" + strings.NewReplacer("*", "", "%", "").Replace(old) + "*"
		if glob == "**" {
			glob = "*"
		}
		t.flags = append(t.flags, now+" "+quote(glob))
		t.note("%s %s: the old filter found this part anywhere in a name; patterns hold for the whole name now: %s may be what you mean", now, quote(old), quote(old))
	}}
}

func finishMaintenance(t *translation) {
	t.oneReboot()
	flags := strings.Join(t.flags, " ")
	dry := ""
	if t.options["dry"] != "" {
		dry = "--dry-run"
	}
	stage := t.arg(1)
	if len(t.words) > 0 {
		t.note("the file %s is not needed: the plan is made from the archive", t.words[0].raw)
	}
	switch stage {
	case "prepare":
		t.command("maintenance plan", `"$RUN"`, dry, strings.Join(t.plan, " "), flags)
		t.command("maintenance prepare", `"$RUN"`, dry)
		if dry != "" {
			t.note("with --dry-run the plan is not kept: keep one (without it) before the stages")
		}
	case "execute", "verify", "cleanup", "revert":
		t.command("maintenance", stage, `"$RUN"`, dry, flags)
		stageNotes(t, stage)
	case "status":
		t.command("maintenance status", `"$RUN"`, flags)
	case "":
		t.note("the command is missing: prepare, execute, status, revert, verify or cleanup")
		return
	default:
		t.note("%q is no command of katprep_maintenance", stage)
		return
	}
	noteRun(t)
}

func stageNotes(t *translation, stage string) {
	if len(t.plan) > 0 {
		t.note("what a run does is frozen in its plan: katprep maintenance plan \"$RUN\" %s", strings.Join(t.plan, " "))
	}
	switch stage {
	case "execute":
		if !strings.Contains(fmt.Sprint(t.plan), "--reboot") {
			t.note("without -r the old katprep never rebooted; now hosts reboot where it is needed: plan with --reboot never to keep that")
		}
	case "revert":
		t.note("revert asks first: without a terminal it needs --yes")
	}
}
