// Package all is the one list of collectors: a new source is a folder beside
// this one and a line in kinds.
package all

import (
	"slices"
	"strings"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/collect"
	"github.com/stdevel/katprep/internal/config"
	"github.com/stdevel/katprep/internal/creds"
	"github.com/stdevel/katprep/internal/sshx"
)

// Options are what collectors need of the world.
type Options struct {
	Names []string                                                // sources to open; none: all
	Login func(s config.Source, name string) (creds.Login, error) // finds a source's credential by its name
	User  string                                                  // who runs the program, for the record
	Path  func(string) string                                     // resolves a path of the configuration
	Warn  func(format string, args ...any)                        // tells the user what is unsafe
	SSH   sshx.Options                                            // what the user's surroundings say about SSH

	sources []config.Source  // all of the configuration: one may list hosts for another
	kinds   map[string]maker // what opens them
}

// maker opens one kind of source.
type maker func(s config.Source, o Options) (collect.Collector, error)

// kinds is the list of collectors by their type in the configuration.
var kinds = map[string]maker{
	"direct":  newDirect,
	"foreman": newForeman,
	"ssh":     newSSH,
}

// Open makes the collectors of the configuration, in its order. Without any
// source, this machine is the source.
func Open(c *config.Config, o Options) ([]collect.Source, error) {
	sources := c.Sources
	if len(sources) == 0 {
		sources = []config.Source{{Name: "local", Type: "direct"}}
	}
	o.sources, o.kinds = c.Sources, kinds
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
