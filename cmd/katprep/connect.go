package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/act"
	"github.com/stdevel/katprep/collect"
	"github.com/stdevel/katprep/internal/config"
	"github.com/stdevel/katprep/internal/term"
)

// checkConnections logs in to every system and says what it is.
func checkConnections(a *app, cfg *config.Config) error {
	sources, err := a.sources(nil)
	if err != nil {
		return err
	}
	failed, weak, all := 0, 0, 0
	look := func(name string, check func(ctx context.Context) (collect.Check, error)) error {
		ctx, cancel := context.WithTimeout(a.ctx, time.Minute)
		defer cancel()
		a.term.Status("asking %s", name)
		c, err := check(ctx)
		a.term.Status("")
		all++
		if err != nil {
			failed++
		} else if len(c.Missing) > 0 {
			weak++
		}
		return sayCheck(a, name, c, err)
	}
	for _, s := range sources {
		if err := look(s.Name, func(ctx context.Context) (collect.Check, error) {
			ck, err := checkSource(ctx, s.Collector)
			return checkAnnouncing(ctx, cfg, s.Collector, ck, err)
		}); err != nil {
			return err
		}
	}
	systems := a.systems(cfg)
	for _, s := range slices.Concat(systems.Monitors(), systems.Hypervisors()) {
		if err := look(s.Name, func(ctx context.Context) (collect.Check, error) { return checkSystem(ctx, systems, s) }); err != nil {
			return err
		}
	}
	if failed > 0 {
		return katprep.Errorf(katprep.Unreachable, "%d of %s cannot be used", failed, plural(all, "system", "systems"))
	}
	part := ""
	if weak > 0 {
		part = fmt.Sprintf(", %d of them only in part: see what is marked with !", weak)
	}
	a.term.Note("%s can be used%s", plural(all, "system", "systems"), part)
	return nil
}

// checkSystem asks a monitoring system or hypervisor who it is.
func checkSystem(ctx context.Context, systems act.Systems, s act.PlanSystem) (collect.Check, error) {
	opened, err := systems.System(s.Name)
	if err != nil {
		return collect.Check{}, err
	}
	sys, ok := opened.(act.System)
	if !ok {
		return collect.Check{}, katprep.Errorf(katprep.Internal, "a system of type %s cannot be asked who it is", s.Type)
	}
	id, err := sys.Identify(ctx)
	return collect.Check{
		Source:  katprep.Source{Name: s.Name, Type: s.Type, URL: s.URL, Product: strings.TrimSpace(id.Product + " " + id.Version), User: id.User},
		Missing: id.Missing, CertExpires: id.CertExpires, ClockSkew: id.ClockSkew,
	}, err
}

func checkSource(ctx context.Context, c collect.Collector) (collect.Check, error) {
	if ck, ok := c.(collect.Checker); ok {
		return ck.Check(ctx)
	}
	src, err := c.Source(ctx)
	return collect.Check{Source: src}, err
}

// sayCheck prints one system as a checklist.
func sayCheck(a *app, name string, c collect.Check, err error) error {
	if a.term.JSON() {
		v := map[string]any{"name": name, "ok": err == nil, "source": c.Source, "missing": c.Missing, "untried": c.Untried}
		if err != nil {
			v["problem"] = err.Error()
		}
		return a.emit("check", v)
	}
	w := a.term.Out()
	if err != nil {
		fmt.Fprintf(w, "%s  %s\n", a.term.Styled(term.Red, "✗ "+name), term.Clean(err.Error()))
		h := katprep.HintOf(err)
		if h == "" && katprep.KindOf(err) == katprep.Unreachable {
			h = "are address and port right, and may this machine connect to them?"
		}
		if h != "" {
			fmt.Fprintf(w, "  hint: %s\n", term.Clean(h))
		}
		return nil
	}
	fmt.Fprintf(w, "%s  %s\n", a.term.Styled(term.Green, "✓ "+name), term.Clean(strings.TrimSpace(c.Source.Product+" "+c.Source.URL)))
	if c.Source.User != "" {
		fmt.Fprintf(w, "  as %s\n", term.Clean(c.Source.User))
	}
	sayMissing(w, c.Missing)
	if len(c.Untried) > 0 {
		fmt.Fprintf(w, "  · not tried, as that would write: %s\n", term.Clean(strings.Join(c.Untried, ", ")))
	}
	if !c.CertExpires.IsZero() {
		left := time.Until(c.CertExpires)
		sign := "✓"
		if left < 30*24*time.Hour {
			sign = "!"
		}
		fmt.Fprintf(w, "  %s certificate valid until %s\n", sign, c.CertExpires.UTC().Format("2006-01-02"))
	}
	if s := c.ClockSkew.Abs(); s > time.Minute {
		fmt.Fprintf(w, "  ! its clock differs from this machine's by %s\n", s.Round(time.Second))
	}
	return nil
}

func sayMissing(w io.Writer, missing []string) {
	for _, m := range missing {
		if cost := missingCosts()[m]; cost != "" {
			m += ": " + cost
		}
		fmt.Fprintf(w, "  ! missing: %s\n", term.Clean(m))
	}
}

// missingCosts say what does not work without a permission.
func missingCosts() map[string]string {
	return map[string]string{
		"view_hosts":         "no host can be read",
		"view_params":        "host parameters are not known, and with them which monitoring system and hypervisor a host has",
		"view_facts":         "for some hosts it is not known whether they are virtual",
		"view_organizations": "hosts cannot be selected by organization",
		"view_locations":     "hosts cannot be selected by location",
		"view_hostgroups":    "hosts cannot be selected by host group",
		"view_content_views": "hosts cannot be selected by content view",
	}
}
