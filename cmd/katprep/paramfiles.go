package main

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/internal/parameters"
)

type parametersExportCmd struct {
	Names  []string `arg:"" optional:"" name:"parameter" help:"Only these (default: all that begin with katprep_)."`
	Format string   `short:"f" enum:"csv,yaml" default:"csv" placeholder:"csv|yaml" help:"Format: csv or yaml."`
	Own    bool     `help:"Only what the hosts have themselves, nothing inherited."`
	All    bool     `help:"Parameters that are not katprep's, too."`
	selectFlags
}

// Run writes to standard output.
func (c *parametersExportCmd) Run(a *app) error {
	var rows []parameters.Row
	secret := 0
	failed, err := a.eachHost(c.selection(), func(h katprep.State) error {
		for _, p := range h.Parameters {
			switch {
			case !wanted(p, c.Names, c.All) || c.Own && p.Origin != "host":
			case p.Masked:
				secret++
			default:
				rows = append(rows, parameters.Row{Host: h.Name, Name: p.Name, Value: p.Value, From: p.Origin})
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	if secret > 0 {
		a.term.Warn("%d secret values are left out", secret)
	}
	write := parameters.WriteCSV
	if c.Format == "yaml" {
		write = parameters.WriteYAML
	}
	if err := write(a.term.Out(), rows); err != nil {
		return err
	}
	return unread(failed)
}

type parametersImportCmd struct {
	File    string `arg:"" help:"CSV with the columns host, parameter and value, or YAML; - reads standard input."`
	Format  string `short:"f" enum:"auto,csv,yaml" default:"auto" placeholder:"csv|yaml" help:"Format (default: by the file's name)."`
	DryRun  bool   `short:"n" help:"Only say what would be done."`
	AnyName bool   `help:"Parameters whose names do not begin with katprep_, too."`
	selectFlags
}

// Help adds to the command's help.
func (parametersImportCmd) Help() string {
	return `Every line is as "parameters set" for one host. Lines of hosts that the flags do
not select are left out.

  katprep parameters export --group base/db >db.csv
  katprep parameters import db.csv --dry-run`
}

// Run imports the file.
func (c *parametersImportCmd) Run(a *app) error {
	rows, err := c.read(a)
	if err != nil {
		return fmt.Errorf("%s: %w", c.File, err)
	}
	w, hosts, err := parameters.FromRows(rows, c.AnyName)
	if err != nil {
		return fmt.Errorf("%s: %w", c.File, err)
	}
	if len(hosts) == 0 {
		a.term.Note("%s has no parameters", c.File)
		return nil
	}
	sel := c.selection()
	if len(sel.Hosts) == 0 {
		sel.Hosts = hosts
	}
	return a.fulfil(sel, w, c.DryRun)
}

func (c *parametersImportCmd) read(a *app) ([]parameters.Row, error) {
	var in io.Reader = a.std.in
	if c.File != "-" {
		f, err := os.Open(c.File)
		if err != nil {
			return nil, katprep.Errorf(katprep.Invalid, "%w", err)
		}
		defer f.Close()
		in = f
	}
	format := c.Format
	if format == "auto" {
		ext := strings.TrimPrefix(strings.ToLower(filepath.Ext(c.File)), ".")
		format = cmp.Or(map[string]string{"csv": "csv", "yaml": "yaml", "yml": "yaml"}[ext], "?")
	}
	switch format {
	case "csv":
		return parameters.ReadCSV(in)
	case "yaml":
		return parameters.ReadYAML(in)
	}
	return nil, katprep.Errorf(katprep.Invalid, "the name does not tell the format").WithHint("--format csv or --format yaml")
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
