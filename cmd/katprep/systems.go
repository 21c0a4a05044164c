package main

import (
	"path/filepath"

	"github.com/stdevel/katprep/act/all"
	"github.com/stdevel/katprep/act/hook"
	"github.com/stdevel/katprep/internal/config"
	"github.com/stdevel/katprep/internal/creds"
)

// systems are the configured ones, each opened when it is first needed.
func (a *app) systems(cfg *config.Config) *all.Systems {
	if a.acting != nil {
		return a.acting
	}
	count := map[creds.Kind]int{
		creds.Monitoring: len(cfg.Monitoring), creds.Virtualization: len(cfg.Hypervisors), creds.Management: foremans(cfg),
	}
	o := all.Options{
		Login: func(k creds.Kind, name, title string) (creds.Login, error) {
			return a.login(cfg, k, name, title, count[k])
		},
		Path: a.path, Warn: a.term.Warn, SSH: a.sshOptions(),
	}
	if dir, err := a.stateDir(cfg); err == nil {
		o.Hooks = &hook.Runner{Dir: filepath.Join(dir, "scripts")}
	}
	if a.pace != nil {
		o.Foreman = a.pace.foreman
	}
	a.acting = all.New(cfg, o)
	return a.acting
}
