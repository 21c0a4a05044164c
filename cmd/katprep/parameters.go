package main

import (
	"slices"
	"strings"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/collect/foreman"
	"github.com/stdevel/katprep/internal/parameters"
)

type parametersCmd struct {
	List   parametersListCmd   `cmd:"" help:"List which parameters exist, and on how many hosts."`
	Show   parametersShowCmd   `cmd:"" help:"Show the hosts' values and where they come from."`
	Add    parametersAddCmd    `cmd:"" help:"Give a value to hosts that have none."`
	Set    parametersSetCmd    `cmd:"" help:"Make a value the effective one."`
	Remove parametersRemoveCmd `cmd:"" help:"Remove the hosts' own parameters."`
	Export parametersExportCmd `cmd:"" help:"Write the values as CSV or YAML."`
	Import parametersImportCmd `cmd:"" help:"Set the values of a CSV or YAML file."`
}

// foremen opens the configured Foreman servers.
func (a *app) foremen(names []string) ([]*foreman.Collector, error) {
	sources, err := a.sources(names)
	if err != nil {
		return nil, err
	}
	var list []*foreman.Collector
	for _, s := range sources {
		if f, ok := s.Collector.(*foreman.Collector); ok {
			list = append(list, f)
		}
	}
	if len(list) == 0 {
		return nil, katprep.Errorf(katprep.Invalid, "no source of type foreman is configured: only Foreman has host parameters").WithHint("katprep init")
	}
	return list, nil
}

// eachHost calls f for every selected host of every Foreman. Hosts that cannot
// be read are told and counted.
func (a *app) eachHost(sel katprep.Selection, f func(h katprep.State) error) (failed int, err error) {
	list, err := a.foremen(sel.Sources)
	if err != nil {
		return 0, err
	}
	for _, c := range list {
		for h, err := range c.Hosts(a.ctx, sel) {
			if err != nil {
				return failed, err
			}
			if !h.Knows(katprep.AspectParameters) {
				failed++
				a.term.Warn("%s: %s", h.Name, whyNot(h))
				continue
			}
			if err := f(h); err != nil {
				return failed, err
			}
		}
	}
	return failed, nil
}

func whyNot(h katprep.State) string {
	for _, p := range h.Problems {
		if !p.Warning {
			return p.Message
		}
	}
	return "its parameters are not known"
}

func unread(n int) error {
	if n == 0 {
		return nil
	}
	return katprep.Errorf(katprep.Partial, "the parameters of %d hosts could not be read", n)
}

// wanted reports whether a parameter is asked for: by name, or katprep's own.
func wanted(p katprep.Parameter, names []string, all bool) bool {
	if len(names) > 0 {
		return slices.Contains(names, p.Name)
	}
	return all || strings.HasPrefix(p.Name, parameters.Prefix)
}

// valueText is a value for people; a secret stays one.
func valueText(p katprep.Parameter) string {
	if p.Masked {
		return "(secret)"
	}
	return p.Value
}

type parametersListCmd struct {
	All bool `help:"Parameters that are not katprep's, too."`
	selectFlags
}

type usage struct {
	own, inherited int
	values         map[string]bool
}

// Run counts.
func (c *parametersListCmd) Run(a *app) error {
	use := map[string]*usage{}
	for _, k := range parameters.List() {
		use[k.Name] = &usage{values: map[string]bool{}}
	}
	failed, err := a.eachHost(c.selection(), func(h katprep.State) error {
		for _, p := range h.Parameters {
			if wanted(p, nil, c.All) {
				count(use, p)
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	if err := sayUsage(a, use); err != nil {
		return err
	}
	return unread(failed)
}

func count(use map[string]*usage, p katprep.Parameter) {
	u := use[p.Name]
	if u == nil {
		u = &usage{values: map[string]bool{}}
		use[p.Name] = u
	}
	if p.Origin == "host" {
		u.own++
	} else {
		u.inherited++
	}
	u.values[valueText(p)] = true
}

func sayUsage(a *app, use map[string]*usage) error {
	meaning := map[string]string{}
	for _, k := range parameters.List() {
		meaning[k.Name] = k.Meaning
	}
	t := a.term.NewTable("PARAMETER", "OWN", "INHERITED", "VALUES", "MEANING")
	for _, name := range sortedKeys(use) {
		u := use[name]
		if a.term.JSON() {
			if err := a.emit("parameter", map[string]any{"name": name, "own": u.own, "inherited": u.inherited, "values": len(u.values), "meaning": meaning[name]}); err != nil {
				return err
			}
			continue
		}
		t.Row(name, u.own, u.inherited, len(u.values), meaning[name])
	}
	return t.Write(a.term.Out())
}

type parametersShowCmd struct {
	Names []string `arg:"" optional:"" name:"parameter" help:"Only these (default: all that begin with katprep_)."`
	All   bool     `help:"Parameters that are not katprep's, too."`
	selectFlags
}

// Run shows one line for each host and parameter.
func (c *parametersShowCmd) Run(a *app) error {
	t := a.term.NewTable("HOST", "PARAMETER", "VALUE", "FROM", "NOTE")
	failed, err := a.eachHost(c.selection(), func(h katprep.State) error {
		for _, p := range h.Parameters {
			if !wanted(p, c.Names, c.All) {
				continue
			}
			note := parameters.Explain(p.Name, p.Value)
			if a.term.JSON() {
				if err := a.emit("parameter", map[string]any{"host": h.Host, "parameter": p, "note": note}); err != nil {
					return err
				}
				continue
			}
			t.Row(h.Name, p.Name, oneLine(valueText(p)), p.Origin, note)
		}
		return nil
	})
	if err != nil {
		return err
	}
	if err := t.Write(a.term.Out()); err != nil {
		return err
	}
	return unread(failed)
}

// oneLine shortens scripts and the like for a table.
func oneLine(s string) string {
	first, _, more := strings.Cut(s, "\n")
	if r := []rune(first); len(r) > 60 {
		first, more = string(r[:60]), true
	}
	if more {
		first += "…"
	}
	return first
}
