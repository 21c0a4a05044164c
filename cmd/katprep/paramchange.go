package main

import (
	"errors"
	"fmt"
	"iter"
	"reflect"
	"slices"
	"strings"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/collect/foreman"
	"github.com/stdevel/katprep/internal/parameters"
	"github.com/stdevel/katprep/internal/term"
)

// changeFlags are common to all commands that change parameters.
type changeFlags struct {
	DryRun   bool `short:"n" help:"Only say what would be done."`
	AllHosts bool `help:"Really all hosts, when none are selected."`
	AnyName  bool `help:"Parameters whose names do not begin with katprep_, too."`
	selectFlags
}

// selected is the selection; changing all hosts must be said.
func (c *changeFlags) selected() (katprep.Selection, error) {
	sel := c.selection()
	if reflect.DeepEqual(sel, katprep.Selection{}) && !c.AllHosts {
		return sel, katprep.Errorf(katprep.Invalid, "no host is selected").WithHint("select hosts with --host, --group …, or mean all of them with --all-hosts")
	}
	return sel, nil
}

type parametersAddCmd struct {
	Values []string `arg:"" optional:"" name:"name=value" help:"Parameters and their values."`
	Known  bool     `help:"All that katprep 0.x gave every host: placeholders, and no VM snapshot."`
	changeFlags
}

// Help adds to the command's help.
func (parametersAddCmd) Help() string {
	return `Hosts that have a value, own or inherited, keep it; an empty one and "fixmepls"
are none.

  katprep parameters add katprep_virt_snapshot=yes --group 'base/db' --dry-run`
}

// Run adds.
func (c *parametersAddCmd) Run(a *app) error {
	values := c.Values
	if c.Known {
		for _, k := range parameters.List() {
			if k.Default != "" {
				values = append(values, k.Name+"="+k.Default)
			}
		}
	}
	return a.assign(values, parameters.Add, &c.changeFlags)
}

type parametersSetCmd struct {
	Values []string `arg:"" name:"name=value" help:"Parameters and their values."`
	changeFlags
}

// Help adds to the command's help.
func (parametersSetCmd) Help() string {
	return `A host that inherits the value already is left as it is; otherwise it gets a
parameter of its own.

  katprep parameters set katprep_mon=icinga katprep_owner='Anna Schmidt' --host 'web*'`
}

// Run sets.
func (c *parametersSetCmd) Run(a *app) error {
	return a.assign(c.Values, parameters.Set, &c.changeFlags)
}

// assign adds or sets name=value for the selected hosts.
func (a *app) assign(values []string, mode parameters.Mode, c *changeFlags) error {
	if len(values) == 0 {
		return katprep.Errorf(katprep.Invalid, "no parameter was given").WithHint("NAME=VALUE")
	}
	var list []parameters.Wish
	for _, v := range values {
		name, value, ok := strings.Cut(v, "=")
		if !ok {
			return katprep.Errorf(katprep.Invalid, "%q has no value", v).WithHint("write it as NAME=VALUE")
		}
		list = append(list, parameters.Wish{Name: name, Value: value, Mode: mode})
	}
	return a.change(list, c)
}

type parametersRemoveCmd struct {
	Names []string `arg:"" name:"parameter" help:"Names of parameters."`
	changeFlags
}

// Help adds to the command's help.
func (parametersRemoveCmd) Help() string {
	return "What a host inherits from its host group or another place stays, and is said."
}

// Run removes.
func (c *parametersRemoveCmd) Run(a *app) error {
	var list []parameters.Wish
	for _, name := range c.Names {
		list = append(list, parameters.Wish{Name: name, Mode: parameters.Remove})
	}
	return a.change(list, &c.changeFlags)
}

// change fulfils the same wishes for all selected hosts.
func (a *app) change(list []parameters.Wish, c *changeFlags) error {
	for i, w := range list {
		if err := parameters.Check(w, c.AnyName); err != nil {
			return err
		}
		if slices.ContainsFunc(list[:i], func(o parameters.Wish) bool { return o.Name == w.Name }) {
			return katprep.Errorf(katprep.Invalid, "parameter %s is given twice", w.Name)
		}
	}
	sel, err := c.selected()
	if err != nil {
		return err
	}
	return a.fulfil(sel, parameters.Everywhere(list), c.DryRun)
}

// fulfil changes parameters on every Foreman and says what was done.
func (a *app) fulfil(sel katprep.Selection, w parameters.Wishes, dry bool) error {
	list, err := a.foremen(sel.Sources)
	if err != nil {
		return err
	}
	say := &changeTeller{a: a, dry: dry}
	var broken error // one server that fails does not stop the others
	for _, c := range list {
		broken = errors.Join(broken, say.foreman(c, sel, w))
	}
	err = say.end()
	if broken != nil {
		return broken
	}
	return err
}

// foreman changes parameters on one Foreman.
func (t *changeTeller) foreman(c *foreman.Collector, sel katprep.Selection, w parameters.Wishes) error {
	server, err := c.Server(t.a.ctx)
	if err != nil {
		return err
	}
	store := parameters.Foreman{Client: c.Client(), Server: server}
	return t.all(parameters.Run(t.a.ctx, c.Hosts(t.a.ctx, sel), w, store, parameters.Options{DryRun: t.dry, Secret: foreman.LooksSecret}))
}

// A changeTeller says what becomes of wishes.
type changeTeller struct {
	a                          *app
	dry                        bool
	changed, unchanged, failed int
}

func (t *changeTeller) all(changes iter.Seq2[parameters.Change, error]) error {
	for c, err := range changes {
		if err != nil {
			return err
		}
		if err := t.one(c); err != nil {
			return err
		}
	}
	return nil
}

func (t *changeTeller) one(c parameters.Change) error {
	switch {
	case c.Err != nil:
		t.failed++
	case c.Changes():
		t.changed++
	default:
		t.unchanged++
	}
	if t.a.term.JSON() {
		return t.a.emit("change", t.json(c))
	}
	w := t.a.term.Out()
	name := term.Clean(c.Host.Name)
	switch {
	case c.Err != nil:
		fmt.Fprintf(w, "%s %s  %s: %s\n", t.a.term.Styled(term.Red, "✗"), name, c.Name, term.Clean(c.Err.Error()))
	case c.Changes():
		fmt.Fprintf(w, "%s %s  %s: %s → %s%s\n", t.a.term.Styled(term.Green, sign(c.Action)), name, c.Name, shown(c, c.Old), shown(c, c.New), note(c))
	case t.a.cli.Verbose:
		fmt.Fprintf(w, "= %s  %s: %s%s\n", name, c.Name, shown(c, c.Old), note(c))
	}
	return nil
}

func sign(a parameters.Action) string {
	return map[parameters.Action]string{parameters.Created: "+", parameters.Updated: "~", parameters.Removed: "-"}[a]
}

// shown is a value in a line; none is a dash.
func shown(c parameters.Change, v *string) string {
	switch {
	case v == nil:
		return "–"
	case c.Secret:
		return "(secret)"
	}
	return fmt.Sprintf("%q", oneLine(*v))
}

func note(c parameters.Change) string {
	if c.Note == "" {
		return ""
	}
	return "  (" + term.Clean(c.Note) + ")"
}

func (t *changeTeller) json(c parameters.Change) map[string]any {
	m := map[string]any{"host": c.Host, "name": c.Name, "action": c.Action, "from": c.From, "dry_run": t.dry}
	if !c.Secret {
		m["old"], m["new"] = c.Old, c.New
	}
	if c.Note != "" {
		m["note"] = c.Note
	}
	if c.Err != nil {
		m["error"] = c.Err.Error()
	}
	return m
}

// end sums up.
func (t *changeTeller) end() error {
	verb := "changed"
	if t.dry {
		verb = "would change"
	}
	t.a.term.Note("%d %s, %d unchanged, %d failed", t.changed, verb, t.unchanged, t.failed)
	if t.failed > 0 {
		return katprep.Errorf(katprep.Partial, "%d parameters could not be changed", t.failed)
	}
	return nil
}
