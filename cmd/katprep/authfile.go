package main

import (
	"cmp"
	"path/filepath"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/internal/config"
	"github.com/stdevel/katprep/internal/creds"
)

// credentialFile is the configured file, or the user's own.
func (a *app) credentialFile(cfg *config.Config) string {
	if cfg.Credentials.File != "" {
		return a.path(cfg.Credentials.File)
	}
	if d := a.xdg("XDG_CONFIG_HOME", ".config"); d != "" {
		return filepath.Join(d, "katprep", "credentials.age")
	}
	return ""
}

// A configuredLogin is what has a credential in the configuration.
type configuredLogin struct {
	kind                  creds.Kind
	name, url, credential string
}

// configuredLogins lists the systems that need a login.
func configuredLogins(cfg *config.Config) []configuredLogin {
	var list []configuredLogin
	add := func(k creds.Kind, name, url, credential string) {
		list = append(list, configuredLogin{k, name, url, cmp.Or(credential, name)})
	}
	for _, s := range cfg.Sources {
		if s.Type == "foreman" {
			add(creds.Management, s.Name, s.URL, s.Credential)
		}
	}
	for _, s := range cfg.Monitoring {
		add(creds.Monitoring, s.Name, s.URL, s.Credential)
	}
	for _, s := range cfg.Hypervisors {
		add(creds.Virtualization, s.Name, s.URL, s.Credential)
	}
	return list
}

// credentialRequest says what is known of the system that a credential is for.
func credentialRequest(cfg *config.Config, name string) creds.Request {
	all := configuredLogins(cfg)
	for _, s := range all {
		if s.credential != name {
			continue
		}
		same := 0
		for _, o := range all {
			if o.kind == s.kind {
				same++
			}
		}
		return creds.Request{Name: name, Kind: s.kind, For: s.name + " at " + s.url, Only: same == 1}
	}
	return creds.Request{Name: name}
}

// openCredentials opens the credential file, or begins a new one.
func (a *app) openCredentials(cfg *config.Config, path string) (*creds.File, error) {
	file, err := a.finder(cfg).Open(a.ctx, path)
	if katprep.KindOf(err) == katprep.NotFound {
		return creds.NewFile(path), nil
	}
	return file, err
}
