package main

import (
	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/act"
	"github.com/stdevel/katprep/internal/config"
	"github.com/stdevel/katprep/internal/populate"
)

// inventories opens the configured systems that know hosts or VMs.
func (a *app) inventories(cfg *config.Config, monitoring, hypervisors bool) ([]populate.System, error) {
	var list []populate.System
	opened := a.systems(cfg)
	add := func(k populate.Kind, systems []config.System) error {
		for _, s := range systems {
			system, err := opened.System(s.Name)
			if err != nil {
				return err
			}
			inv, ok := system.(act.Inventory)
			if !ok {
				return katprep.Errorf(katprep.Invalid, "%s %s: type %q cannot list its hosts", k, s.Name, s.Type)
			}
			list = append(list, populate.System{Name: s.Name, URL: s.URL, Kind: k, Inventory: inv})
		}
		return nil
	}
	if monitoring {
		if err := add(populate.Monitoring, cfg.Monitoring); err != nil {
			return nil, err
		}
	}
	if hypervisors {
		if err := add(populate.Hypervisor, cfg.Hypervisors); err != nil {
			return nil, err
		}
	}
	if len(list) == 0 {
		return nil, katprep.Errorf(katprep.Invalid, "no monitoring system and no hypervisor is configured").WithHint("add them to the configuration; katprep init shows how")
	}
	return list, nil
}
