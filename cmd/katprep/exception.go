package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/internal/archive"
	"github.com/stdevel/katprep/policy"
)

type exceptionCmd struct {
	Add    exceptionAddCmd    `cmd:"" help:"Record a decision not to install something for a while."`
	List   exceptionListCmd   `cmd:"" help:"List the decisions."`
	Remove exceptionRemoveCmd `cmd:"" help:"Take a decision back; it stays in the history."`
}

type exceptionAddCmd struct {
	ID       string   `placeholder:"ID" help:"Name (default: made of the number of decisions)."`
	Host     []string `placeholder:"GLOB" help:"Hosts it is about (default: all)."`
	Erratum  []string `placeholder:"ID" help:"Errata or CVEs."`
	Package  []string `placeholder:"GLOB" help:"Packages."`
	Reason   string   `required:"" placeholder:"TEXT" help:"Why."`
	Owner    string   `required:"" placeholder:"NAME" help:"Who answers for the hosts."`
	Approver string   `required:"" placeholder:"NAME" help:"Who allowed it."`
	Expires  string   `required:"" placeholder:"DATE" help:"Last day on which it holds: 2026-12-31."`
}

// Run records the decision.
func (c *exceptionAddCmd) Run(a *app) error {
	if len(c.Erratum)+len(c.Package) == 0 {
		return katprep.Errorf(katprep.Invalid, "an exception from what?").WithHint("name errata, CVEs or packages: --erratum RHSA-2026:0001")
	}
	last, err := time.Parse(time.DateOnly, c.Expires)
	if err != nil {
		return katprep.Errorf(katprep.Invalid, "%q is no date", c.Expires).WithHint("write it as 2026-12-31; an exception without an end is none")
	}
	if last.AddDate(0, 0, 1).Before(time.Now()) {
		return katprep.Errorf(katprep.Invalid, "%s has passed: the exception would never hold", c.Expires)
	}
	if err := validGlobs(c.Host); err != nil {
		return err
	}
	arc, err := a.archive()
	if err != nil {
		return err
	}
	list, err := arc.Exceptions(a.ctx)
	if err != nil {
		return err
	}
	x := katprep.Exception{ID: c.ID, Hosts: c.Host, Errata: c.Erratum, Packages: c.Package, Reason: c.Reason, Owner: c.Owner, Approver: c.Approver,
		Created: time.Now().UTC().Truncate(time.Second), Expires: katprep.Date(c.Expires)}
	for n := len(list) + 1; x.ID == ""; n++ {
		if id := fmt.Sprintf("EX-%d", n); findException(list, id) < 0 {
			x.ID = id
		}
	}
	if findException(list, x.ID) >= 0 {
		return katprep.Errorf(katprep.Conflict, "there is an exception %q already", x.ID).WithHint("katprep exception remove %s", x.ID)
	}
	if _, err := arc.PutExceptions(a.ctx, append(list, x)); err != nil {
		return err
	}
	c.doubts(a, arc)
	if a.term.JSON() {
		return a.emit("exception", x)
	}
	a.term.Note("recorded exception %s until %s", x.ID, x.Expires)
	return nil
}

// doubts warns of a decision that is unusual, or about what nobody knows.
func (c *exceptionAddCmd) doubts(a *app, arc *archive.Archive) {
	if strings.EqualFold(c.Owner, c.Approver) {
		a.term.Warn("owner and approver are the same person: %s", c.Owner)
	}
	head, err := arc.Resolve(a.ctx, "latest")
	if err != nil {
		return
	}
	for _, id := range c.Erratum {
		if strings.HasPrefix(strings.ToUpper(id), "CVE-") {
			continue
		}
		if _, err := arc.Erratum(a.ctx, head, id); katprep.KindOf(err) == katprep.NotFound && err != nil {
			a.term.Warn("no snapshot knows an erratum %s", id)
		}
	}
	keep, err := hostFilter(c.Host)
	if err != nil || len(c.Host) == 0 {
		return
	}
	if !slices.ContainsFunc(hostNames(a), keep) {
		a.term.Warn("no host of the last snapshot matches %s", strings.Join(c.Host, ", "))
	}
}

func validGlobs(globs []string) error {
	for _, g := range globs {
		if strings.TrimSpace(g) == "" {
			return katprep.Errorf(katprep.Invalid, "an empty host pattern matches nothing").WithHint("leave --host out for all hosts")
		}
	}
	return nil
}

func findException(list []katprep.Exception, id string) int {
	return slices.IndexFunc(list, func(x katprep.Exception) bool { return x.ID == id })
}

type exceptionListCmd struct{}

// Run lists the decisions, expired ones first.
func (exceptionListCmd) Run(a *app) error {
	arc, err := a.archive()
	if err != nil {
		return err
	}
	list, err := arc.Exceptions(a.ctx)
	if err != nil {
		return err
	}
	slices.SortStableFunc(list, func(x, y katprep.Exception) int { return strings.Compare(string(x.Expires), string(y.Expires)) })
	tb := a.term.NewTable("ID", "UNTIL", "STATE", "HOSTS", "WHAT", "OWNER", "APPROVED BY", "REASON")
	for i := range list {
		x := &list[i]
		state := "holds"
		if policy.Expired(x, time.Now()) {
			state = "expired"
		}
		if a.term.JSON() {
			if err := a.emit("exception", x); err != nil {
				return err
			}
			continue
		}
		tb.Row(x.ID, string(x.Expires), state, orAll(x.Hosts), strings.Join(slices.Concat(x.Errata, x.Packages), " "), x.Owner, x.Approver, x.Reason)
	}
	if a.term.JSON() {
		return nil
	}
	return tb.Write(a.term.Out())
}

func orAll(hosts []string) string {
	if len(hosts) == 0 {
		return "all"
	}
	return strings.Join(hosts, " ")
}

type exceptionRemoveCmd struct {
	ID string `arg:"" help:"Name of the exception."`
}

// Run takes a decision back.
func (c *exceptionRemoveCmd) Run(a *app) error {
	arc, err := a.archive()
	if err != nil {
		return err
	}
	list, err := arc.Exceptions(a.ctx)
	if err != nil {
		return err
	}
	i := findException(list, c.ID)
	if i < 0 {
		return katprep.Errorf(katprep.NotFound, "there is no exception %q", c.ID).WithHint("katprep exception list")
	}
	_, err = arc.PutExceptions(a.ctx, slices.Delete(list, i, i+1))
	return err
}
