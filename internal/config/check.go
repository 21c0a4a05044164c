package config

import (
	"fmt"
	"maps"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/stdevel/katprep"
	"go.yaml.in/yaml/v3"
)

// The types of systems that a configuration may name.
var (
	SourceTypes     = []string{"direct", "foreman", "ssh"}
	MonitoringTypes = []string{"alertmanager", "icinga1", "icinga2", "livestatus", "nagios", "thruk", "zabbix"}
	HypervisorTypes = []string{"hyperv", "libvirt", "proxmox", "vsphere", "xapi"}
)

// stepKinds are the kinds of step that can have a timeout.
var stepKinds = []string{
	string(katprep.StepHook), string(katprep.StepDowntime), string(katprep.StepVMSnapshot), string(katprep.StepPatch), string(katprep.StepReboot),
	string(katprep.StepCheck), string(katprep.StepRevert), string(katprep.StepEndDown), string(katprep.StepRemoveVM),
}

var goodName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)

// checker collects problems with their lines.
type checker struct {
	root     *yaml.Node
	problems []string
}

func (k *checker) say(path []any, format string, args ...any) {
	k.problems = append(k.problems, fmt.Sprintf("line %d: ", lineOf(k.root, path...))+fmt.Sprintf(format, args...))
}

func at(path ...any) []any { return path }

// check finds what YAML cannot: unknown types, missing URLs, double names.
func (c *Config) check(root *yaml.Node) []string {
	k := &checker{root: root}
	names := map[string]bool{}
	for i := range c.Sources {
		k.source(at("sources", i), &c.Sources[i], names)
	}
	k.systems("monitoring", c.Monitoring, MonitoringTypes, names)
	k.systems("hypervisors", c.Hypervisors, HypervisorTypes, names)
	k.archive(&c.Archive)
	k.maintenance(&c.Maintenance)
	k.policy(&c.Policy)
	return k.problems
}

func (k *checker) name(path []any, name string, names map[string]bool) {
	at := append(slices.Clone(path), "name")
	switch {
	case name == "":
		k.say(at, "a name is missing")
	case !goodName.MatchString(name):
		k.say(at, "name %q: letters, digits, '.', '_' and '-' only, at most 64", name)
	case names[name]:
		k.say(at, "name %q is used twice", name)
	}
	names[name] = true
}

func (k *checker) oneOf(path []any, what, value string, allowed []string) bool {
	if slices.Contains(allowed, value) {
		return true
	}
	k.say(path, "%s %q: use one of %s", what, value, strings.Join(allowed, ", "))
	return false
}

func (k *checker) optional(path []any, what, value string, allowed ...string) {
	if value != "" {
		k.oneOf(path, what, value, allowed)
	}
}

func (k *checker) source(path []any, s *Source, names map[string]bool) {
	k.name(path, s.Name, names)
	field := func(f string) []any { return append(slices.Clone(path), f) }
	if !k.oneOf(field("type"), "type", s.Type, SourceTypes) {
		return
	}
	switch s.Type {
	case "foreman":
		k.url(field("url"), s.URL, "https", "http")
		k.optional(field("errata_source"), "errata_source", s.ErrataSource, "auto", "bulk", "report", "search", "host")
	case "ssh":
		if s.Inventory == "" && len(s.Hosts) == 0 {
			k.say(path, "source %q of type ssh needs inventory or hosts", s.Name)
		}
	}
	if s.Concurrency < 0 || s.Concurrency > 1000 {
		k.say(field("concurrency"), "concurrency %d: 1 to 1000", s.Concurrency)
	}
	if s.Port < 0 || s.Port > 65535 {
		k.say(field("port"), "port %d: 1 to 65535", s.Port)
	}
}

func (k *checker) systems(section string, systems []System, types []string, names map[string]bool) {
	for i := range systems {
		s, path := &systems[i], at(section, i)
		k.name(path, s.Name, names)
		if k.oneOf(at(section, i, "type"), "type", s.Type, types) && s.URL == "" {
			k.say(path, "%q needs a url", s.Name)
		}
	}
}

func (k *checker) url(path []any, s string, schemes ...string) {
	u, err := url.Parse(s)
	switch {
	case s == "":
		k.say(path, "a url is missing")
	case err != nil || u.Host == "" || !slices.Contains(schemes, u.Scheme):
		k.say(path, "url %q: use %s://host", redactURL(s), schemes[0])
	case u.User != nil:
		k.say(path, "url %q holds a user: name a credential instead", redactURL(s))
	}
}

// redactURL hides what may be a password in a URL that goes into a message.
func redactURL(s string) string {
	if at := strings.LastIndexByte(s, '@'); at >= 0 {
		if i := strings.Index(s, "://"); i >= 0 && i < at {
			return s[:i+3] + "…" + s[at:]
		}
		return "…" + s[at:]
	}
	return s
}

func (k *checker) archive(a *Archive) {
	if a.Sign.SSHKey != "" && a.Sign.OpenPGPKey != "" {
		k.say(at("archive", "sign"), "sign: either ssh_key or openpgp_key")
	}
	for i, name := range a.Push {
		if _, ok := a.Remotes[name]; !ok {
			k.say(at("archive", "push", i), "push %q: no such remote", name)
		}
	}
	for i, g := range a.Mask {
		k.glob(at("archive", "mask", i), g)
	}
	if a.Stamp != (Stamp{}) {
		k.url(at("archive", "stamp", "url"), a.Stamp.URL, "https", "http")
	}
	k.optional(at("archive", "stamp", "on_failure"), "on_failure", a.Stamp.OnFailure, "warn", "fail")
}

func (k *checker) glob(p []any, g string) {
	if _, err := path.Match(g, ""); err != nil || g == "" {
		k.say(p, "pattern %q is not a glob", g)
	}
}

func (k *checker) maintenance(m *Maintenance) {
	section := func(f ...any) []any { return append(at("maintenance"), f...) }
	k.optional(section("reboot"), "reboot", m.Reboot, "if-needed", "always", "never")
	k.optional(section("on_failure"), "on_failure", m.OnFailure, "stop", "continue", "revert")
	k.optional(section("vm_snapshot"), "vm_snapshot", m.VMSnapshot, "by-parameter", "always", "never")
	k.optional(section("announce"), "announce", m.Announce, "none", "comment", "parameter", "report")
	k.optional(section("quiesce"), "quiesce", m.Quiesce, "no", "try", "require")
	for _, name := range slices.Sorted(maps.Keys(m.Limits)) {
		if m.Limits[name] < 1 {
			k.say(section("limits", name), "limit of %q: at least 1", name)
		}
	}
	for _, kind := range slices.Sorted(maps.Keys(m.Timeouts)) {
		k.oneOf(section("timeouts", kind), "kind of step", kind, stepKinds)
		if m.Timeouts[kind] <= 0 {
			k.say(section("timeouts", kind), "timeout of %q: more than nothing", kind)
		}
	}
	for i, w := range m.Waves {
		if w.Name == "" {
			k.say(section("waves", i), "a wave needs a name")
		}
		if w.Percent < 0 || w.Percent > 100 {
			k.say(section("waves", i, "percent"), "percent %d: 0 to 100", w.Percent)
		}
		k.optional(section("waves", i, "gate"), "gate", w.Gate, "health", "confirm", "pause")
	}
	for i := range m.Hooks {
		k.hook(section("hooks", i), &m.Hooks[i])
	}
}

func (k *checker) hook(path []any, h *Hook) {
	field := func(f string) []any { return append(slices.Clone(path), f) }
	if !goodName.MatchString(h.Name) {
		k.say(field("name"), "hook name %q: letters, digits, '.', '_' and '-' only", h.Name)
	}
	if (h.Run == "") == (h.File == "") {
		k.say(path, "hook %q needs either run or file", h.Name)
	}
	k.optional(field("where"), "where", h.Where, "host", "controller")
	k.optional(field("on_failure"), "on_failure", h.OnFailure, "abort-host", "abort-run", "continue")
	stage, when, _ := strings.Cut(h.Stage, ".")
	if !slices.Contains([]string{"prepare", "patch", "reboot", "verify", "cleanup"}, stage) || when != "pre" && when != "post" {
		k.say(field("stage"), "stage %q: prepare, patch, reboot, verify or cleanup with .pre or .post", h.Stage)
	}
}

func (k *checker) policy(p *Policy) {
	known := []string{"critical", "important", "moderate", "low", "none"}
	for _, s := range slices.Sorted(maps.Keys(p.Deadlines)) {
		k.oneOf(at("policy", "deadlines"), "severity", string(s), known)
	}
	for i, g := range p.Exclude {
		k.glob(at("policy", "exclude", i), g)
	}
}
