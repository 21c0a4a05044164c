// Package all is the one list of collectors: a new source is a folder beside
// this one and a line in kinds.
package all

import (
	"path/filepath"
	"slices"
	"strings"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/collect"
	"github.com/stdevel/katprep/internal/config"
	"github.com/stdevel/katprep/internal/creds"
)

// Options are what collectors need of the world.
type Options struct {
	Names   []string                               // sources to open; none: all
	Login   func(name string) (creds.Login, error) // finds a credential by its name
	User    string                                 // who runs the program, for the record
	Home    string                                 // the user's home directory, may be ""
	Version string                                 // of katprep, for user agents
	Warn    func(format string, args ...any)       // tells the user what is unsafe
	Dir     string                                 // relative paths of the configuration start here
}

// maker opens one kind of source.
type maker func(s config.Source, o Options) (collect.Collector, error)

// kinds is the list of collectors by their type in the configuration.
var kinds = map[string]maker{
	"direct":  newDirect,
	"foreman": newForeman,
}

// Open makes the collectors of the configuration, in its order. Without any
// source, this machine is the source.
func Open(c *config.Config, o Options) ([]collect.Source, error) {
	sources := c.Sources
	if len(sources) == 0 {
		sources = []config.Source{{Name: "local", Type: "direct"}}
	}
	if err := knownNames(sources, o.Names); err != nil {
		return nil, err
	}
	var opened []collect.Source
	for _, s := range sources {
		if len(o.Names) > 0 && !slices.Contains(o.Names, s.Name) {
			continue
		}
		newKind, ok := kinds[s.Type]
		if !ok {
			return nil, katprep.Errorf(katprep.Invalid, "source %s: type %q is not built in", s.Name, s.Type)
		}
		col, err := newKind(s, o)
		if err != nil {
			return nil, katprep.Errorf(katprep.KindOf(err), "source %s: %w", s.Name, err)
		}
		opened = append(opened, collect.Source{Name: s.Name, Collector: col})
	}
	return opened, nil
}

func knownNames(sources []config.Source, names []string) error {
	var have []string
	for _, s := range sources {
		have = append(have, s.Name)
	}
	for _, n := range names {
		if !slices.Contains(have, n) {
			return katprep.Errorf(katprep.NotFound, "no source is called %q", n).WithHint("sources are %s", strings.Join(have, ", "))
		}
	}
	return nil
}

// path resolves a path of the configuration.
func (o Options) path(p string) string {
	if p == "" || filepath.IsAbs(p) {
		return p
	}
	if rest, ok := strings.CutPrefix(p, "~/"); ok && o.Home != "" {
		return filepath.Join(o.Home, rest)
	}
	return filepath.Join(o.Dir, p)
}
