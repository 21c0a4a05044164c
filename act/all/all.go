// Package all is the one list of what can act: a new backend is a folder
// beside this one and a line in the lists below.
package all

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/act"
	"github.com/stdevel/katprep/act/foreman"
	"github.com/stdevel/katprep/act/hook"
	"github.com/stdevel/katprep/internal/config"
	"github.com/stdevel/katprep/internal/creds"
	"github.com/stdevel/katprep/internal/sshx"
)

// Options are what actors need of the world.
type Options struct {
	// Login finds the credential of a system of a kind; title is for people.
	Login  func(kind creds.Kind, name, title string) (creds.Login, error)
	Path   func(string) string              // resolves a path of the configuration
	Warn   func(format string, args ...any) // tells the user what is unsafe
	SSH    sshx.Options                     // how hosts are reached over SSH
	Hooks  *hook.Runner                     // runs hooks on the controller; nil: none are
	Output func(host, line string)          // told what direct hosts print while they are patched; may be nil
	// Foreman changes what the configuration cannot say of a Foreman's
	// patcher, such as its pace in a demo; may be nil.
	Foreman func(*foreman.Options)
}

// A Role is what a system does for katprep.
type Role string

// The roles.
const (
	Monitor    Role = "monitoring system"
	Hypervisor Role = "hypervisor"
	Patcher    Role = "source"
)

// Systems opens the configured systems when they are first needed. It
// implements act.Systems.
type Systems struct {
	cfg *config.Config
	o   Options

	mu   sync.Mutex
	open map[string]opened
}

type opened struct {
	system any
	err    error
}

var _ act.Systems = (*Systems)(nil)

// New returns the systems of a configuration; nothing is opened yet.
func New(cfg *config.Config, o Options) *Systems {
	return &Systems{cfg: cfg, o: o, open: map[string]opened{}}
}

// System opens a system by its name. Errors are of kind katprep.NotFound for
// a name that is not configured.
func (s *Systems) System(name string) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if o, ok := s.open[name]; ok {
		return o.system, o.err
	}
	system, err := s.find(name)
	if err != nil {
		err = fmt.Errorf("system %s: %w", name, err)
	}
	s.open[name] = opened{system, err}
	return system, err
}

func (s *Systems) find(name string) (any, error) {
	if name == act.Controller && s.o.Hooks != nil {
		return s.o.Hooks, nil
	}
	for _, m := range s.cfg.Monitoring {
		if m.Name == name {
			return s.openSystem(monitors, Monitor, creds.Monitoring, m)
		}
	}
	for _, h := range s.cfg.Hypervisors {
		if h.Name == name {
			return s.openSystem(hypervisors, Hypervisor, creds.Virtualization, h)
		}
	}
	for _, src := range sources(s.cfg) {
		if src.Name == name {
			return s.openSource(src)
		}
	}
	return nil, katprep.Errorf(katprep.NotFound, "it is not in the configuration").WithHint("configured are: %s", strings.Join(s.Names(), ", "))
}

// sources are those of the configuration, or this machine without any.
func sources(cfg *config.Config) []config.Source {
	if len(cfg.Sources) == 0 {
		return []config.Source{{Name: "local", Type: "direct"}}
	}
	return cfg.Sources
}

func (s *Systems) openSystem(list map[string]systemMaker, r Role, k creds.Kind, c config.System) (any, error) {
	m, ok := list[c.Type]
	if !ok {
		return nil, katprep.Errorf(katprep.Invalid, "%s of type %q is not built in", r, c.Type)
	}
	var login creds.Login
	if m.login || m.loginIf != nil && m.loginIf(c) {
		var err error
		if login, err = s.o.Login(k, firstOf(c.Credential, c.Name), c.Name+" at "+c.URL); err != nil {
			return nil, err
		}
	}
	if c.Insecure {
		s.o.Warn("%s %s: the server's certificate is NOT checked", r, c.Name)
	}
	return m.open(c, login, s.o)
}

func (s *Systems) openSource(c config.Source) (any, error) {
	m, ok := patchers[c.Type]
	if !ok {
		return nil, katprep.Errorf(katprep.Invalid, "hosts of a source of type %q cannot be patched", c.Type)
	}
	return m(context.Background(), c, s.o)
}

// Names lists all configured systems, sorted.
func (s *Systems) Names() []string {
	var names []string
	for _, p := range slices.Concat(s.Monitors(), s.Hypervisors()) {
		names = append(names, p.Name)
	}
	names = append(names, s.Patchers()...)
	slices.Sort(names)
	return names
}

// Monitors lists the monitoring systems in the order of the configuration.
func (s *Systems) Monitors() []act.PlanSystem { return planSystems(s.cfg.Monitoring) }

// Hypervisors lists the hypervisors in the order of the configuration.
func (s *Systems) Hypervisors() []act.PlanSystem { return planSystems(s.cfg.Hypervisors) }

// Patchers lists the sources whose hosts can be patched.
func (s *Systems) Patchers() []string {
	var names []string
	for _, src := range sources(s.cfg) {
		if _, ok := patchers[src.Type]; ok {
			names = append(names, src.Name)
		}
	}
	return names
}

func planSystems(list []config.System) []act.PlanSystem {
	systems := make([]act.PlanSystem, len(list))
	for i, c := range list {
		systems[i] = act.PlanSystem{Name: c.Name, Type: c.Type, URL: c.URL}
	}
	return systems
}

func firstOf(words ...string) string {
	for _, w := range words {
		if w != "" {
			return w
		}
	}
	return ""
}
