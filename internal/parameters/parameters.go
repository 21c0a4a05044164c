// Package parameters changes the parameters of many hosts in Foreman: it
// works out what a wish means for each host, and does it with calls that touch
// one parameter each. A dry run goes the same way and stops before the call.
package parameters

import (
	"context"
	"encoding/json"
	"iter"
	"reflect"
	"slices"
	"strings"

	"github.com/stdevel/katprep"
)

// A Store holds the hosts' own parameters.
type Store interface {
	// Own returns a host's own parameters, not those it inherits. A host
	// whose parameters may not be seen is an error, not an empty list.
	Own(ctx context.Context, h katprep.Host) ([]Own, error)
	// Create adds a parameter; one of that name there is an error.
	Create(ctx context.Context, h katprep.Host, name, value string) error
	// Update changes a parameter's value.
	Update(ctx context.Context, h katprep.Host, p Own, value string) error
	// Delete removes a parameter.
	Delete(ctx context.Context, h katprep.Host, p Own) error
}

// Own is one of a host's own parameters.
type Own struct {
	ID     int64
	Name   string
	Value  string // as text; JSON for arrays and objects
	Type   string // the server's type; "" or "string" for texts
	Hidden bool   // the server does not tell the value
}

// Mode says what a wish does.
type Mode int

// The modes.
const (
	Add    Mode = iota // give a value to hosts that have none, own or inherited
	Set                // make this the effective value
	Remove             // remove the host's own parameter
)

// A Wish is what is wanted of one parameter of a host.
type Wish struct {
	Name  string
	Value string
	Mode  Mode
}

// Wishes says what is wanted of a host; none leaves it alone.
type Wishes func(h katprep.State) []Wish

// Everywhere wants the same of all hosts.
func Everywhere(list []Wish) Wishes { return func(katprep.State) []Wish { return list } }

// Action is what is done with a parameter.
type Action string

// The actions. Only the first three change anything.
const (
	Created   Action = "create"
	Updated   Action = "update"
	Removed   Action = "remove"
	Unchanged Action = "unchanged"
)

// A Change is what a wish meant for a host. If Err is set it was not done.
type Change struct {
	Host   katprep.Host
	Name   string
	Action Action
	Old    *string // effective value before; nil: none
	From   string  // where Old comes from: "host", "hostgroup", "global" …
	New    *string // effective value wished for; nil after a removal of what nothing else gives
	Secret bool    // values are not to be shown
	Note   string  // why nothing is done, or what to know
	Err    error
}

// Changes reports whether the change alters something.
func (c Change) Changes() bool { return c.Action != Unchanged }

// Options bound the work.
type Options struct {
	DryRun      bool
	Concurrency int                    // hosts at once; 0: 4
	Secret      func(name string) bool // names whose values are not shown; nil: none
}

// Run fulfils wishes for hosts, whose states need only facts and parameters,
// and yields what became of each wish, host by host in their order. A host
// that fails does not stop the others: its changes carry the error. An error
// of the sequence means that hosts is not complete or ctx ended.
func Run(ctx context.Context, hosts iter.Seq2[katprep.State, error], w Wishes, s Store, o Options) iter.Seq2[Change, error] {
	if o.Concurrency <= 0 {
		o.Concurrency = 4
	}
	r := &runner{store: s, o: o, wishes: w}
	return func(yield func(Change, error) bool) {
		for changes, err := range inOrder(ctx, hosts, o.Concurrency, r.host) {
			if err != nil {
				yield(Change{}, err)
				return
			}
			for _, c := range changes {
				if !yield(c, nil) {
					return
				}
			}
		}
	}
}

type runner struct {
	store  Store
	o      Options
	wishes Wishes
}

// host works out and does what is wanted of one host.
func (r *runner) host(ctx context.Context, h katprep.State) []Change {
	wishes := r.wishes(h)
	changes := make([]Change, len(wishes))
	for i, w := range wishes {
		changes[i] = Change{Host: h.Host, Name: w.Name, Action: Unchanged, Secret: r.secret(w.Name)}
	}
	if !slices.ContainsFunc(wishes, func(w Wish) bool { return mayChange(h, w) }) {
		for i, w := range wishes {
			decide(&changes[i], w, effective(h, w.Name), nil)
		}
		return changes
	}
	own, err := r.store.Own(ctx, h.Host) // the list may be minutes old
	for i, w := range wishes {
		if err != nil {
			changes[i].Err = err
			continue
		}
		r.one(ctx, &changes[i], w, h, own)
	}
	if err == nil && !r.o.DryRun {
		r.confirm(ctx, h.Host, changes)
	}
	return changes
}

func (r *runner) secret(name string) bool { return r.o.Secret != nil && r.o.Secret(name) }

// one decides about one wish and does it.
func (r *runner) one(ctx context.Context, c *Change, w Wish, h katprep.State, own []Own) {
	mine := find(own, w.Name)
	decide(c, w, inherited(h, w.Name, mine), mine)
	if mine != nil && mine.Hidden {
		c.Secret = true
	}
	if r.o.DryRun {
		return
	}
	switch c.Action {
	case Created:
		c.Err = r.store.Create(ctx, h.Host, w.Name, w.Value)
	case Updated:
		c.Err = r.store.Update(ctx, h.Host, *mine, w.Value)
	case Removed:
		c.Err = r.store.Delete(ctx, h.Host, *mine)
	}
}

// confirm reads the host again: what the server does not show is not done.
func (r *runner) confirm(ctx context.Context, h katprep.Host, changes []Change) {
	if !slices.ContainsFunc(changes, func(c Change) bool { return c.Changes() && c.Err == nil }) {
		return
	}
	own, err := r.store.Own(ctx, h)
	for i := range changes {
		c := &changes[i]
		if !c.Changes() || c.Err != nil {
			continue
		}
		if err != nil {
			c.Err = katprep.Errorf(katprep.KindOf(err), "sent, but not confirmed: %w", err)
			continue
		}
		now := find(own, c.Name)
		gone := c.Action == Removed && now == nil
		there := c.Action != Removed && now != nil && (now.Hidden || same(now.Value, *c.New, now.Type))
		if !gone && !there {
			c.Err = katprep.Errorf(katprep.Conflict, "the server accepted it, and shows another value now")
		}
	}
}

func find(own []Own, name string) *Own {
	for i := range own {
		if own[i].Name == name {
			return &own[i]
		}
	}
	return nil
}

// effective is a host's parameter as the list of hosts shows it.
func effective(h katprep.State, name string) *katprep.Parameter {
	for i := range h.Parameters {
		if h.Parameters[i].Name == name {
			return &h.Parameters[i]
		}
	}
	return nil
}

// inherited is what a host has, given its own parameter as it is now: own
// over inherited.
func inherited(h katprep.State, name string, mine *Own) *katprep.Parameter {
	if mine != nil {
		return &katprep.Parameter{Name: name, Value: mine.Value, Type: mine.Type, Origin: "host", Masked: mine.Hidden}
	}
	if p := effective(h, name); p != nil && p.Origin != "host" {
		return p
	}
	return nil // or it was the host's own and is gone meanwhile
}

// mayChange is decide by what the list shows: if nothing would change the
// host is not read again.
func mayChange(h katprep.State, w Wish) bool {
	if !h.Knows(katprep.AspectParameters) {
		return true
	}
	p := effective(h, w.Name)
	switch {
	case p == nil:
		return w.Mode != Remove
	case w.Mode == Remove:
		return p.Origin == "host" || p.Origin == ""
	case w.Mode == Add:
		return p.Origin == "" || IsUnset(p.Value) && !p.Masked
	}
	return p.Masked || p.Origin == "" || !same(p.Value, w.Value, p.Type)
}

// same reports whether two texts are the same value. The server writes typed
// values in its own form, and line ends change on the way through forms.
func same(a, b, kind string) bool {
	a, b = strings.ReplaceAll(a, "\r\n", "\n"), strings.ReplaceAll(b, "\r\n", "\n")
	switch kind {
	case "", "string":
		return a == b
	case "boolean":
		return a == b || Parse(a) == Parse(b) && (Parse(a) == Yes || Parse(a) == No)
	}
	var x, y any
	if json.Unmarshal([]byte(a), &x) == nil && json.Unmarshal([]byte(b), &y) == nil {
		return reflect.DeepEqual(x, y)
	}
	return a == b
}

// decide says what a wish means: has is the effective value, mine the host's
// own.
func decide(c *Change, w Wish, has *katprep.Parameter, mine *Own) {
	if has != nil {
		c.From = has.Origin
		c.Old = &has.Value
		c.Secret = c.Secret || has.Masked
	}
	switch w.Mode {
	case Remove:
		decideRemove(c, has, mine)
	case Add:
		decideAdd(c, w, has, mine)
	default:
		decideSet(c, w, has, mine)
	}
}

func decideRemove(c *Change, has *katprep.Parameter, mine *Own) {
	switch {
	case mine != nil:
		c.Action = Removed
	case has == nil:
		c.Note = "not there"
	default:
		c.New, c.Note = c.Old, "inherited from "+fromOf(has)+": change it there"
	}
}

func decideAdd(c *Change, w Wish, has *katprep.Parameter, mine *Own) {
	if has != nil && (has.Masked || !IsUnset(has.Value)) {
		c.New = c.Old
		c.Note = "has a value already"
		if mine == nil && has.Origin != "host" {
			c.Note = "inherits a value from " + fromOf(has)
		}
		return
	}
	decideSet(c, w, has, mine)
}

func decideSet(c *Change, w Wish, has *katprep.Parameter, mine *Own) {
	value := w.Value
	c.New = &value
	switch {
	case has != nil && !has.Masked && same(has.Value, w.Value, has.Type):
		if has.Origin != "host" {
			c.Note = "inherited from " + fromOf(has)
		}
	case mine != nil:
		c.Action = Updated
	default:
		c.Action = Created
		if has != nil {
			c.Note = "overrides the value from " + fromOf(has)
		}
	}
}

func fromOf(p *katprep.Parameter) string {
	if p.Origin == "" {
		return "somewhere"
	}
	return strings.ToLower(p.Origin)
}
