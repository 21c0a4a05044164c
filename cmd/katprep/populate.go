package main

import (
	"fmt"
	"iter"
	"strings"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/collect/foreman"
	"github.com/stdevel/katprep/internal/parameters"
	"github.com/stdevel/katprep/internal/populate"
	"github.com/stdevel/katprep/internal/term"
)

type populateCmd struct {
	Update          bool `short:"u" help:"Change parameters that say something else, too."`
	DryRun          bool `short:"n" help:"Only say what would be done."`
	SkipMonitoring  bool `help:"Do not look in monitoring systems."`
	SkipHypervisors bool `help:"Do not look on hypervisors."`
	selectFlags
}

// Help adds to the command's help.
func (populateCmd) Help() string {
	return `Finds the hosts of Foreman in the configured monitoring systems and on the
hypervisors, by name, addresses, MAC and UUID, and fills in katprep_mon,
katprep_virt and their _name where nobody decided yet. Hosts that fit several
objects, and hosts that fit none, are listed and left alone.`
}

// Run finds and fills in.
func (c *populateCmd) Run(a *app) error {
	cfg, err := a.config()
	if err != nil {
		return err
	}
	systems, err := a.inventories(cfg, !c.SkipMonitoring, !c.SkipHypervisors)
	if err != nil {
		return err
	}
	return c.fill(a, systems)
}

// A foremanHosts is one Foreman with its selected hosts.
type foremanHosts struct {
	*foreman.Collector
	hosts []katprep.State
}

// fill matches the hosts of all Foremans with the systems.
func (c *populateCmd) fill(a *app, systems []populate.System) error {
	inv := populate.Load(a.ctx, systems)
	silent := 0
	for i, err := range inv.Errs {
		if err != nil {
			silent++
			a.term.Warn("%s does not answer: %v", systems[i].Name, err)
		}
	}
	sources, unreadable, err := a.listHosts(c.selection())
	if err != nil {
		return err
	}
	var all []katprep.State
	for _, s := range sources {
		all = append(all, s.hosts...)
	}
	matches, unclaimed := inv.Find(all)
	open, err := sayMatches(a, inv, matches, c.Update)
	if err != nil {
		return err
	}
	if err := sayUnclaimed(a, inv, unclaimed); err != nil {
		return err
	}
	say := &changeTeller{a: a, dry: c.DryRun}
	for _, s := range sources {
		server, err := s.Server(a.ctx)
		if err != nil {
			return err
		}
		store := parameters.Foreman{Client: s.Client(), Server: server}
		if err := say.all(parameters.Run(a.ctx, each(s.hosts), inv.Wishes(matches, c.Update), store, parameters.Options{DryRun: c.DryRun})); err != nil {
			return err
		}
	}
	return endPopulate(say, open, silent, unreadable)
}

// listHosts reads the selected hosts of all Foremans with their parameters.
func (a *app) listHosts(sel katprep.Selection) (list []foremanHosts, unreadable int, err error) {
	collectors, err := a.foremen(sel.Sources)
	if err != nil {
		return nil, 0, err
	}
	for _, c := range collectors {
		f := foremanHosts{Collector: c}
		for h, err := range c.Hosts(a.ctx, sel) {
			if err != nil {
				return nil, 0, err
			}
			if !h.Knows(katprep.AspectParameters) {
				unreadable++
				a.term.Warn("%s: %s", h.Name, whyNot(h))
				continue
			}
			f.hosts = append(f.hosts, h)
		}
		list = append(list, f)
	}
	return list, unreadable, nil
}

func each(hosts []katprep.State) iter.Seq2[katprep.State, error] {
	return func(yield func(katprep.State, error) bool) {
		for _, h := range hosts {
			if !yield(h, nil) {
				return
			}
		}
	}
}

// sayMatches tells what was not matched, and what was only when asked.
func sayMatches(a *app, inv *populate.Inventories, matches []populate.Match, update bool) (open int, err error) {
	for _, m := range matches {
		if m.Status != populate.Matched {
			open++
		}
		if a.term.JSON() {
			if err := a.emit("match", matchJSON(inv, m)); err != nil {
				return open, err
			}
			continue
		}
		sayMatch(a, inv, m, update)
	}
	return open, nil
}

func sayMatch(a *app, inv *populate.Inventories, m populate.Match, update bool) {
	w, name := a.term.Out(), term.Clean(m.Host.Name)
	switch differs := inv.Disagrees(m); {
	case m.Status != populate.Matched:
		fmt.Fprintf(w, "%s %s  %s: %s: %s\n", a.term.Styled(term.Yellow, "?"), name, m.Kind, m.Status, term.Clean(m.Why))
	case differs != "" && !update:
		fmt.Fprintf(w, "%s %s  %s: found as %s, but %s: left alone without --update\n", a.term.Styled(term.Yellow, "!"), name, m.Kind, objectName(inv, m.Objects[0]), term.Clean(differs))
	case a.cli.Verbose:
		fmt.Fprintf(w, "= %s  %s: found as %s by %s\n", name, m.Kind, objectName(inv, m.Objects[0]), keyWords(m.By))
	}
}

func objectName(inv *populate.Inventories, o populate.Object) string {
	return term.Clean(o.Name) + " in " + inv.Systems[o.System].Name
}

func keyWords(keys []populate.Key) string {
	words := make([]string, len(keys))
	for i, k := range keys {
		words[i] = string(k)
	}
	return strings.Join(words, ", ")
}

func matchJSON(inv *populate.Inventories, m populate.Match) map[string]any {
	objects := []map[string]string{}
	for _, o := range m.Objects {
		objects = append(objects, map[string]string{"system": inv.Systems[o.System].Name, "name": o.Name})
	}
	v := map[string]any{"host": m.Host.Host, "kind": m.Kind.String(), "status": m.Status, "objects": objects, "by": m.By}
	if m.Why != "" {
		v["why"] = m.Why
	}
	if d := inv.Disagrees(m); d != "" {
		v["parameters"] = d
	}
	return v
}

// sayUnclaimed tells which objects belong to no selected host.
func sayUnclaimed(a *app, inv *populate.Inventories, list []populate.Object) error {
	if a.term.JSON() {
		for _, o := range list {
			if err := a.emit("unclaimed", map[string]any{"system": inv.Systems[o.System].Name, "name": o.Name}); err != nil {
				return err
			}
		}
		return nil
	}
	if !a.cli.Verbose {
		if len(list) > 0 {
			a.term.Note("%d objects belong to none of these hosts; -v lists them", len(list))
		}
		return nil
	}
	for _, o := range list {
		fmt.Fprintf(a.term.Out(), "  %s belongs to none of these hosts\n", objectName(inv, o))
	}
	return nil
}

// endPopulate sums up; hosts that were not found are for a person to look at.
func endPopulate(say *changeTeller, open, silent, unreadable int) error {
	err := say.end()
	switch {
	case err != nil || silent+unreadable > 0:
		return katprep.Errorf(katprep.Partial, "not everything was done: %d systems did not answer, %d hosts could not be read, %d parameters could not be changed", silent, unreadable, say.failed)
	case open > 0:
		say.a.term.Note("%d times a host was not found, or not only once", open)
	}
	return nil
}
