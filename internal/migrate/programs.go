package migrate

import (
	"fmt"
	"slices"
	"strings"
)

// A translation is under way: what was read of a command so far.
type translation struct {
	words    []word            // arguments that are no options
	options  map[string]string // for finish: the option's name and raw value
	flags    []string          // new options, in the order of the old ones
	plan     []string          // new options that belong to the plan of a run
	commands []string
	config   []string
	notes    []string
	secrets  []string // raw words that are not shown
}

func (t *translation) note(format string, args ...any) {
	if n := fmt.Sprintf(format, args...); !slices.Contains(t.notes, n) {
		t.notes = append(t.notes, n)
	}
}

// command adds a new command; empty words are left out.
func (t *translation) command(words ...string) {
	words = slices.DeleteFunc(words, func(w string) bool { return w == "" })
	t.commands = append(t.commands, "katprep "+strings.Join(words, " "))
}

// arg is the plain text of an argument, "" if there are fewer.
func (t *translation) arg(i int) string {
	if i >= len(t.words) {
		return ""
	}
	return t.words[i].plain
}

// A program of katprep 0.x.
type program struct {
	options map[string]option
	finish  func(t *translation) // writes the new commands
}

// An option of a program and what becomes of it.
type option struct {
	value  bool
	secret bool // the value is a password
	apply  func(t *translation, raw string)
}

// flag stands for an option without a value: "" and a note only, or neither.
func flag(now, format string) option {
	return option{apply: func(t *translation, _ string) {
		if now != "" {
			t.flags = append(t.flags, now)
		}
		if format != "" {
			t.note("%s", format)
		}
	}}
}

// takes stands for an option with a value that keeps it.
func takes(now, note string) option {
	return option{value: true, apply: func(t *translation, raw string) {
		if now != "" {
			t.flags = append(t.flags, now+" "+raw)
		}
		if note != "" {
			t.note("%s", note)
		}
	}}
}

// keep leaves the value to finish.
func keep(name string) option {
	return option{value: true, apply: func(t *translation, raw string) { t.options[name] = raw }}
}

func set(name string) option {
	return option{apply: func(t *translation, _ string) { t.options[name] = "yes" }}
}

// both are the short and the long name of an option.
func both(m map[string]option, short, long string, o option) {
	for _, name := range []string{short, long} {
		if name != "" {
			m[name] = o
		}
	}
}

func programs() map[string]program {
	return map[string]program{
		"katprep_snapshot":    snapshotProgram(),
		"katprep_maintenance": maintenanceProgram(),
		"katprep_report":      reportProgram(),
		"katprep_parameters":  parametersProgram(),
		"katprep_populate":    populateProgram(),
		"katprep_authconfig":  authProgram(),
	}
}

// common are the options that every program had.
func common() map[string]option {
	m := map[string]option{}
	both(m, "-q", "--quiet", flag("--quiet", ""))
	both(m, "-d", "--debug", flag("--verbose", ""))
	both(m, "-h", "--help", flag("--help", ""))
	both(m, "-v", "--version", flag("", "--version is now: katprep version"))
	both(m, "-C", "--auth-container", option{value: true, apply: func(t *translation, raw string) {
		t.note("credentials are found by the system's name now: once, katprep auth import %s", raw)
	}})
	both(m, "-P", "--auth-password", option{value: true, secret: true, apply: func(t *translation, _ string) {
		t.note("no password belongs on a command line: set KATPREP_CREDENTIALS_PASSPHRASE, or better encrypt for a key (docs/credentials.md); change this one, it was visible to every user")
	}})
	both(m, "", "--insecure", flag("", "--insecure: name the server's CA with ca_file in katprep.yml; insecure: true there still works, and every report says so"))
	both(m, "", "--mgmt-type", option{value: true, apply: func(t *translation, raw string) {
		if unquote(raw) != "foreman" {
			t.note("--mgmt-type %s: only Foreman and Satellite 6 are read; other hosts over SSH (docs/direct.md)", raw)
		}
	}})
	server := option{value: true, apply: func(t *translation, raw string) {
		t.config = append(t.config, fmt.Sprintf("sources: [{name: satellite, type: foreman, url: \"https://%s\", credential: satellite}]", unquote(raw)))
	}}
	for _, name := range []string{"-s", "--server", "--foreman-server", "--mgmt-server"} {
		m[name] = server
	}
	return m
}

// filters are the options that select hosts on the server.
func filters(m map[string]option) {
	named := func(now string) option {
		return option{value: true, apply: func(t *translation, raw string) {
			if plain := unquote(raw); plain != "" && strings.Trim(plain, "0123456789") == "" {
				t.note("%s %s: a number was taken for an ID; write the name", now, raw)
			}
			t.flags = append(t.flags, now+" "+safe(raw))
		}}
	}
	both(m, "-l", "--location", named("--location"))
	both(m, "-o", "--organization", named("--org"))
	both(m, "-g", "--hostgroup", named("--group"))
	both(m, "-e", "--environment", named("--env"))
}

func snapshotProgram() program {
	m := common()
	filters(m)
	both(m, "-p", "--output-path", takes("", "-p: snapshots go into the archive (archive.path in katprep.yml), not into files; old files: katprep archive import FILE…"))
	both(m, "-E", "--exclude", option{value: true, apply: func(t *translation, raw string) {
		t.flags = append(t.flags, "--exclude "+safe(raw))
		if strings.ContainsAny(raw, "*?%") {
			t.note("-E %s: the old snapshot took this for a whole name, in which nothing stood for anything else; now it is a pattern", raw)
		}
	}})
	return program{m, func(t *translation) {
		t.command(append([]string{"snapshot"}, t.flags...)...)
		t.note("around a maintenance, add --before RUN and --after RUN: reports go by them, not by the age of files")
	}}
}

func reportProgram() program {
	m := common()
	both(m, "-p", "--output-path", keep("out"))
	both(m, "-o", "--output-type", keep("type"))
	both(m, "-x", "--preserve-yaml", flag("-f json", "-x: the data of a report is written as JSON"))
	both(m, "-t", "--template", takes("--template", "-t: the template must be translated from pandoc's language: katprep migrate --template FILE"))
	return program{m, finishReport}
}

func finishReport(t *translation) {
	if typ := unquote(t.options["type"]); typ != "" {
		now := map[string]string{"html": "html", "htm": "html", "md": "markdown", "markdown": "markdown", "txt": "markdown", "pdf": "pdf", "docx": "docx", "odt": "odt"}[strings.TrimPrefix(typ, ".")]
		if now == "" {
			t.note("-o %s: there is no such format (katprep report --help lists them)", typ)
		} else {
			t.flags = append(t.flags, "-f "+now)
		}
	}
	if slices.ContainsFunc(t.flags, func(f string) bool { return strings.HasPrefix(f, "--template") }) &&
		slices.ContainsFunc(t.flags, func(f string) bool { return slices.Contains([]string{"-f pdf", "-f docx", "-f odt"}, f) }) {
		t.note("-t with -o %s: templates write text (HTML, Markdown …); documents of that kind are made of the built-in report", unquote(t.options["type"]))
	}
	out := t.options["out"]
	if out == "" {
		out = "."
	}
	if len(t.words) > 0 {
		raw := make([]string, len(t.words))
		for i, w := range t.words {
			raw[i] = w.raw
		}
		t.note("old snapshot files first go into the archive: katprep archive import %s", strings.Join(raw, " "))
	}
	t.command(append([]string{"report", `--run "$RUN"`, "-o " + out}, t.flags...)...)
	noteRun(t)
	t.note("the old report left hosts and errata out and listed others as installed that were not: numbers will differ")
}

func noteRun(t *translation) {
	t.note("RUN is a name of your choice for the patch day, the same in all its commands: RUN=patch-2026-11 (in a crontab, write %% as \\%%)")
}

func parametersProgram() program {
	m := common()
	filters(m)
	both(m, "-n", "--dry-run", flag("--dry-run", ""))
	both(m, "-A", "--add-parameters", set("add"))
	both(m, "", "--add-optional-parameters", set("optional"))
	both(m, "", "--include-optional-parameters", set("optional"))
	both(m, "-R", "--remove-parameters", set("remove"))
	both(m, "-D", "--display-parameters", set("show"))
	both(m, "-U", "--update-parameters", set("update"))
	both(m, "-L", "--list-parameters", set("list"))
	return program{m, finishParameters}
}

func finishParameters(t *translation) {
	flags := slices.Clone(t.flags)
	reading := slices.DeleteFunc(slices.Clone(flags), func(f string) bool { return f == "--dry-run" })
	if !slices.ContainsFunc(flags, func(f string) bool {
		return strings.HasPrefix(f, "--location") || strings.HasPrefix(f, "--org") || strings.HasPrefix(f, "--group") || strings.HasPrefix(f, "--env")
	}) {
		flags = append(flags, "--all-hosts")
	}
	has := func(action string) bool { return t.options[action] != "" }
	if has("add") {
		t.command(append([]string{"parameters add --known"}, flags...)...)
	}
	if has("optional") {
		t.note("optional parameters: the option crashed; give values yourself: katprep parameters set katprep_virt_name=NAME --host HOST")
	}
	if has("remove") {
		t.command(append([]string{"parameters remove katprep_mon katprep_virt katprep_virt_snapshot"}, flags...)...)
	}
	if has("show") {
		t.command(append([]string{"parameters show"}, reading...)...)
	}
	if has("list") {
		t.command("parameters list")
	}
	if has("update") {
		t.note("-U asked for one value for all hosts; now: katprep parameters set NAME=VALUE, or for many hosts katprep parameters export >FILE, edit, katprep parameters import FILE")
	}
}

func populateProgram() program {
	m := common()
	both(m, "-n", "--dry-run", flag("--dry-run", ""))
	both(m, "-u", "--update", flag("--update", ""))
	both(m, "", "--ipv6-only", flag("", "--ipv6-only never matched a host; both kinds of addresses are compared now"))
	both(m, "", "--skip-virt", flag("--skip-hypervisors", ""))
	both(m, "", "--skip-mon", flag("--skip-monitoring", ""))
	for _, name := range []string{"virt-uri", "virt-type", "mon-url", "mon-type"} {
		both(m, "", "--"+name, keep(name))
	}
	return program{m, func(t *translation) {
		systems(t)
		t.command(append([]string{"populate"}, t.flags...)...)
	}}
}

// systems puts hypervisor and monitoring into the configuration.
func systems(t *translation) {
	if uri := unquote(t.options["virt-uri"]); uri != "" {
		typ := "libvirt"
		if unquote(t.options["virt-type"]) == "pyvmomi" {
			typ = "vsphere"
			if !strings.Contains(uri, "://") {
				uri = "https://" + uri
			}
		}
		t.config = append(t.config, fmt.Sprintf("hypervisors: [{name: hypervisor, type: %s, url: %q, credential: hypervisor}]", typ, uri))
	}
	if url := unquote(t.options["mon-url"]); url != "" {
		typ := "icinga2"
		if unquote(t.options["mon-type"]) == "icinga" {
			t.note("--mon-type icinga meant Icinga 2 until 0.5, and Icinga 1 in the unreleased branch: for the latter, set type: icinga1")
		}
		if unquote(t.options["mon-type"]) == "nagios" {
			typ = "nagios"
			t.note("--mon-type nagios meant Nagios and Icinga 1: for the latter, set type: icinga1")
		}
		t.config = append(t.config, fmt.Sprintf("monitoring: [{name: monitoring, type: %s, url: %q, credential: monitoring}]", typ, url))
	}
}

func authProgram() program {
	m := map[string]option{}
	for _, name := range []string{"-q", "--quiet", "-d", "--debug", "-h", "--help", "-v", "--version"} {
		m[name] = common()[name]
	}
	both(m, "-a", "--show-passwords", flag("", "-a: passwords are never shown; katprep auth list --check says where each comes from"))
	both(m, "-P", "--auth-password", option{value: true, secret: true, apply: func(t *translation, _ string) {
		t.note("-P: katprep_authconfig had no such option, it always asked: now the passphrase comes from KATPREP_CREDENTIALS_PASSPHRASE or is asked for; change this one, it was visible to every user")
	}})
	both(m, "-H", "--hostname", keep("host"))
	both(m, "-u", "--username", keep("user"))
	both(m, "-p", "--password", option{value: true, secret: true, apply: func(t *translation, _ string) {
		t.note("-p: the password was visible to every user: change it; now it is asked for, or read with --stdin")
	}})
	return program{m, finishAuth}
}

func finishAuth(t *translation) {
	t.note("once: katprep auth import %s", t.arg(0))
	host := t.options["host"]
	if host == "" {
		host = "NAME"
	}
	switch t.arg(1) {
	case "list":
		t.command(append([]string{"auth list"}, t.flags...)...)
	case "add":
		user := t.options["user"]
		if user == "" {
			user = "USER"
		}
		t.command("auth add", host, "--user "+user)
		t.note("credentials are called as in katprep.yml (credential: …), not by host")
	case "remove":
		t.command("auth remove", host)
		t.note("credentials are called as in katprep.yml (credential: …), not by host")
	case "password":
		t.command("auth password")
	default:
		t.note("%q is no command of katprep_authconfig", t.arg(1))
	}
}
