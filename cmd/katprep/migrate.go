package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/internal/migrate"
	"github.com/stdevel/katprep/internal/term"
)

type migrateCmd struct {
	File     []string `arg:"" help:"Crontabs and scripts with commands of katprep 0.x; - reads standard input."`
	Template bool     `short:"t" help:"The files are pandoc templates: print them translated."`
}

// Help adds to the command's help.
func (migrateCmd) Help() string {
	return `Prints each old command with what takes its place, and names what has no
translation. Nothing is changed.

  crontab -l | katprep migrate -
  katprep migrate /etc/cron.d/katprep /usr/local/bin/patchday.sh
  katprep migrate --template template.html >patch.html.tmpl

Snapshots and credentials move with "katprep archive import" and "katprep auth
import"; host parameters keep their names.`
}

// Run translates.
func (c *migrateCmd) Run(a *app) error {
	found := 0
	var settings []string
	for _, path := range c.File {
		text, err := a.readInput(path)
		if err != nil {
			return err
		}
		if c.Template {
			if err := sayTemplate(a, path, text); err != nil {
				return err
			}
			continue
		}
		for l, err := range migrate.Lines(bytes.NewReader(text)) {
			if err != nil {
				return fmt.Errorf("%s: %w", path, err)
			}
			found++
			settings = append(settings, l.Config...)
			if err := sayMigrated(a, path, l); err != nil {
				return err
			}
		}
	}
	if c.Template {
		return nil
	}
	if found == 0 {
		return katprep.Errorf(katprep.NotFound, "no command of katprep 0.x was found").WithHint("katprep migrate --template FILE translates templates")
	}
	return saySettings(a, settings)
}

// readInput reads a file, or standard input for "-".
func (a *app) readInput(path string) ([]byte, error) {
	if path == "-" {
		return io.ReadAll(a.std.in)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, katprep.Errorf(katprep.Invalid, "read what is to be translated: %w", err)
	}
	return text, nil
}

func sayTemplate(a *app, path string, text []byte) error {
	now, notes := migrate.Template(string(text))
	if a.term.JSON() {
		return a.emit("migration", map[string]any{"file": path, "new": []string{now}, "notes": notes})
	}
	for _, n := range notes {
		a.term.Warn("%s: %s", path, term.Clean(n))
	}
	_, err := io.WriteString(a.term.Out(), now)
	return err
}

func sayMigrated(a *app, path string, l migrate.Line) error {
	if a.term.JSON() {
		return a.emit("migration", map[string]any{"file": path, "line": l.Number, "old": l.Old, "new": l.New, "config": l.Config, "notes": l.Notes})
	}
	w := a.term.Out()
	fmt.Fprintf(w, "%s:%d\n", path, l.Number)
	fmt.Fprintf(w, "  old   %s\n", term.Clean(l.Old))
	for _, n := range l.New {
		fmt.Fprintf(w, "  new   %s\n", a.term.Styled(term.Bold, term.Clean(n)))
	}
	for _, n := range l.Notes {
		fmt.Fprintf(w, "  %s  %s\n", a.term.Styled(term.Yellow, "note"), term.Clean(n))
	}
	_, err := fmt.Fprintln(w)
	return err
}

// saySettings prints what the old commands said on each line, once.
func saySettings(a *app, settings []string) error {
	if a.term.JSON() || len(settings) == 0 {
		return nil
	}
	slices.Sort(settings)
	fmt.Fprintln(a.term.Out(), "For katprep.yml (katprep init writes one; join lists of the same name):")
	for _, s := range slices.Compact(settings) {
		fmt.Fprintf(a.term.Out(), "  %s\n", term.Clean(s))
	}
	return nil
}
