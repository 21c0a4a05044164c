// Package direct reads hosts without a management server: the machine
// katprep runs on, and any other over SSH. Both answer the same probe; see
// package probe for what is asked.
package direct

import (
	"context"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/collect"
	"github.com/stdevel/katprep/internal/feed"
	"github.com/stdevel/katprep/internal/probe"
)

// Options say how hosts are read. The zero value is good.
type Options struct {
	Name       string           // of the source in the configuration; "" means "local"
	ToolLimit  time.Duration    // for each tool on the host; 0: two minutes
	Stale      time.Duration    // age from which package lists are called old; 0: seven days
	Changelogs bool             // read CVEs out of Debian packages that are downloaded for an upgrade
	Feed       *feed.Feed       // advisories from files; nil: none
	Refresh    bool             // let the package manager refresh its lists first (needs root there)
	Now        func() time.Time // nil: time.Now; decides only whether package lists are old
	Root       string           // where this machine's own files are; "" means "/"
	Command    []string         // reads the probe on standard input; nil: "/bin/sh", "-s"
}

// staleAfter is the age from which a package list is worth a warning: every
// distribution's timer refreshes at least daily.
const staleAfter = 7 * 24 * time.Hour

func (o Options) withDefaults() Options {
	if o.Name == "" {
		o.Name = "local"
	}
	if o.Stale <= 0 {
		o.Stale = staleAfter
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Root == "" {
		o.Root = "/"
	}
	if len(o.Command) == 0 {
		o.Command = []string{"/bin/sh", "-s"}
	}
	return o
}

// Local reads the machine that katprep runs on.
type Local struct {
	o    Options
	user string
}

var _ collect.Collector = (*Local)(nil)

// NewLocal returns a collector of this machine. user is on whose behalf it
// reads, for the record.
func NewLocal(o Options, user string) *Local {
	return &Local{o: o.withDefaults(), user: user}
}

// Source identifies this machine.
func (l *Local) Source(ctx context.Context) (katprep.Source, error) {
	h, err := l.identity(ctx)
	if err != nil {
		return katprep.Source{}, err
	}
	return katprep.Source{Name: l.o.Name, Type: "direct", Product: "this machine", Version: h.Name, User: l.user}, nil
}

// Targets yields this machine.
func (l *Local) Targets(ctx context.Context, sel katprep.Selection) iter.Seq2[collect.Target, error] {
	return func(yield func(collect.Target, error) bool) {
		h, err := l.identity(ctx)
		if err != nil {
			yield(collect.Target{}, err)
			return
		}
		read := func(ctx context.Context) (collect.Reading, error) { return l.read(ctx, h) }
		if mayMatch(sel, h.Name) && !yield(collect.Target{Host: h, Read: read}, nil) {
			return
		}
		if err := unknownNames(sel, []katprep.Host{h}, l.o.Name); err != nil {
			yield(collect.Target{}, err)
		}
	}
}

func (l *Local) read(ctx context.Context, h katprep.Host) (collect.Reading, error) {
	out, err := l.probe(ctx)
	if err != nil {
		return collect.Reading{}, err
	}
	return l.o.reading(h, out), nil
}

// reading makes a state of a probe's output, with what the feed knows of it.
func (o Options) reading(h katprep.Host, out *probe.Output) collect.Reading {
	now := o.Now()
	s, errata := probe.State(h, out, probe.Rules{Now: now, Stale: o.Stale})
	if o.Feed != nil {
		errata = append(errata, o.Feed.Apply(&s, now)...)
	}
	return collect.Reading{State: s, Errata: errata}
}

func (o Options) script(mark string) string {
	return probe.Script(mark, probe.Options{Limit: o.ToolLimit, Changelogs: o.Changelogs, Refresh: o.Refresh})
}

// unknownNames is the error that a selection deserves which names a host, not
// a pattern, that the source does not know.
func unknownNames(sel katprep.Selection, known []katprep.Host, source string) error {
	var missing []string
	for _, name := range sel.Hosts {
		isKnown := func(h katprep.Host) bool { return strings.EqualFold(h.Name, name) }
		if !strings.ContainsAny(name, "*?") && !slices.ContainsFunc(known, isKnown) {
			missing = append(missing, name)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	return katprep.Errorf(katprep.NotFound, "source %s knows no host %s", source, strings.Join(missing, ", "))
}
