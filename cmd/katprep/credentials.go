package main

import (
	"path/filepath"
	"strings"

	"github.com/stdevel/katprep/internal/config"
	"github.com/stdevel/katprep/internal/creds"
)

// path resolves a path of the configuration: relative ones start at its file.
func (a *app) path(p string) string {
	switch rest, home := strings.CutPrefix(p, "~/"); {
	case p == "" || filepath.IsAbs(p):
		return p
	case home && a.env["HOME"] != "":
		return filepath.Join(a.env["HOME"], rest)
	}
	return filepath.Join(filepath.Dir(a.cfgPath), p)
}

// finder finds credentials as the configuration says; a person is asked only
// on a terminal.
func (a *app) finder(cfg *config.Config) *creds.Finder {
	if a.creds == nil {
		c := cfg.Credentials
		a.creds = creds.New(creds.Options{
			Env: a.env, File: a.credentialFile(cfg), Identity: a.path(c.Identity),
			Command: c.Command, Commands: c.Commands, Keyring: c.Keyring,
			Prompt: creds.Terminal(a.std.in, a.std.err),
		})
	}
	return a.creds
}

// login finds a credential; systems is how many of its kind there are, title
// is for the prompt.
func (a *app) login(cfg *config.Config, kind creds.Kind, name, title string, systems int) (creds.Login, error) {
	a.term.Status("")
	l, from, err := a.finder(cfg).Find(a.ctx, creds.Request{Name: name, Kind: kind, Only: systems == 1, For: title})
	if err == nil && a.cli.Verbose {
		a.term.Note("credential %s: from the %s", name, from)
	}
	return l, err
}

// sourceLogin finds the credential of a source.
func (a *app) sourceLogin(cfg *config.Config) func(s config.Source, name string) (creds.Login, error) {
	return func(s config.Source, name string) (creds.Login, error) {
		return a.login(cfg, creds.Management, name, s.Name+" at "+s.URL, foremans(cfg))
	}
}

// foremans counts the management servers.
func foremans(cfg *config.Config) (n int) {
	for _, s := range cfg.Sources {
		if s.Type == "foreman" {
			n++
		}
	}
	return n
}
