package main

import (
	"fmt"

	"go.yaml.in/yaml/v3"
)

type configCmd struct {
	Check configCheckCmd `cmd:"" help:"Check the configuration, and with --connect every system in it."`
	Show  configShowCmd  `cmd:"" help:"Print the configuration as katprep reads it."`
}

type configShowCmd struct{}

// Run prints the configuration. It holds no secret: credentials are named.
func (configShowCmd) Run(a *app) error {
	cfg, err := a.config()
	if err != nil {
		return err
	}
	if a.term.JSON() {
		return a.emit("config", map[string]any{"file": a.cfgPath, "config": cfg})
	}
	from := a.cfgPath
	if from == "" {
		from = "no file: these are the defaults"
	}
	fmt.Fprintf(a.term.Out(), "# %s\n", from)
	enc := yaml.NewEncoder(a.term.Out())
	enc.SetIndent(2)
	return enc.Encode(cfg)
}

type configCheckCmd struct {
	Connect bool `help:"Log in to every system and say what it is and what is missing."`
}

// Run checks the configuration.
func (c configCheckCmd) Run(a *app) error {
	cfg, err := a.config()
	if err != nil {
		return err
	}
	if a.cfgPath == "" {
		a.term.Note("there is no configuration: the source is this machine")
	} else {
		a.term.Note("%s: %s, %s, %s, no fault found", a.cfgPath, plural(len(cfg.Sources), "source", "sources"),
			plural(len(cfg.Monitoring), "monitoring system", "monitoring systems"), plural(len(cfg.Hypervisors), "hypervisor", "hypervisors"))
	}
	if !c.Connect {
		return nil
	}
	return checkConnections(a, cfg)
}
