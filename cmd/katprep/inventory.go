package main

import (
	"cmp"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/act"
	"github.com/stdevel/katprep/act/icinga2"
	"github.com/stdevel/katprep/act/libvirt"
	"github.com/stdevel/katprep/act/vsphere"
	"github.com/stdevel/katprep/internal/config"
	"github.com/stdevel/katprep/internal/creds"
	"github.com/stdevel/katprep/internal/populate"
)

// inventories opens the configured systems that know hosts or VMs.
func (a *app) inventories(cfg *config.Config, monitoring, hypervisors bool) ([]populate.System, error) {
	var list []populate.System
	add := func(k populate.Kind, ck creds.Kind, systems []config.System) error {
		for _, s := range systems {
			inv, err := a.inventory(cfg, ck, s, len(systems))
			if err != nil {
				return katprep.Errorf(katprep.KindOf(err), "%s %s: %w", k, s.Name, err)
			}
			list = append(list, populate.System{Name: s.Name, URL: s.URL, Kind: k, Inventory: inv})
		}
		return nil
	}
	if monitoring {
		if err := add(populate.Monitoring, creds.Monitoring, cfg.Monitoring); err != nil {
			return nil, err
		}
	}
	if hypervisors {
		if err := add(populate.Hypervisor, creds.Virtualization, cfg.Hypervisors); err != nil {
			return nil, err
		}
	}
	if len(list) == 0 {
		return nil, katprep.Errorf(katprep.Invalid, "no monitoring system and no hypervisor is configured").WithHint("add them to the configuration; katprep init shows how")
	}
	return list, nil
}

// inventory opens one system.
func (a *app) inventory(cfg *config.Config, k creds.Kind, s config.System, systems int) (act.Inventory, error) {
	var login creds.Login
	var err error
	if s.Type != "libvirt" { // it has its own ways to log in
		if login, err = a.login(cfg, k, cmp.Or(s.Credential, s.Name), s.Name+" at "+s.URL, systems); err != nil {
			return nil, err
		}
	}
	var client any
	switch s.Type {
	case "icinga2":
		client, err = icinga2.New(icinga2.Options{URL: s.URL, Login: login, CAFile: a.path(s.CAFile), ServerName: s.ServerName, Insecure: s.Insecure, Timeout: s.Timeout.Std()})
	case "vsphere":
		client, err = vsphere.New(vsphere.Options{URL: s.URL, Login: login, CAFile: a.path(s.CAFile), ServerName: s.ServerName, Thumbprint: s.Thumbprint, Insecure: s.Insecure})
	case "libvirt":
		ssh := a.sshOptions()
		ssh.User = s.User
		if s.KnownHosts != "" {
			ssh.KnownHosts = []string{a.path(s.KnownHosts)}
		}
		client, err = libvirt.New(libvirt.Options{URI: s.URL, CAFile: a.path(s.CAFile), ServerName: s.ServerName, SSH: ssh})
	}
	if err != nil {
		return nil, err
	}
	inv, ok := client.(act.Inventory)
	if !ok {
		return nil, katprep.Errorf(katprep.Invalid, "type %q cannot list its hosts", s.Type)
	}
	return inv, nil
}
