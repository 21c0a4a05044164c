package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/stdevel/katprep"
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
	failed := 0
	for _, s := range sources {
		ctx, cancel := context.WithTimeout(a.ctx, time.Minute)
		c, err := checkSource(ctx, s.Collector)
		cancel()
		if err != nil {
			failed++
		}
		if err := sayCheck(a, s.Name, c, err); err != nil {
			return err
		}
	}
	if failed > 0 {
		return katprep.Errorf(katprep.Unreachable, "%d of %d systems cannot be used", failed, len(sources))
	}
	return nil
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
		v := map[string]any{"name": name, "ok": err == nil, "source": c.Source, "missing": c.Missing}
		if err != nil {
			v["problem"] = err.Error()
		}
		return a.emit("check", v)
	}
	w := a.term.Out()
	if err != nil {
		fmt.Fprintf(w, "%s  %s\n", a.term.Styled(term.Red, "✗ "+name), term.Clean(err.Error()))
		if h := katprep.HintOf(err); h != "" {
			fmt.Fprintf(w, "  hint: %s\n", h)
		}
		return nil
	}
	fmt.Fprintf(w, "%s  %s\n", a.term.Styled(term.Green, "✓ "+name), term.Clean(strings.TrimSpace(c.Source.Product+" "+c.Source.URL)))
	if c.Source.User != "" {
		fmt.Fprintf(w, "  as %s\n", term.Clean(c.Source.User))
	}
	sayMissing(w, c.Missing)
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
		fmt.Fprintf(w, "  ! missing: %s\n", term.Clean(m))
	}
}
