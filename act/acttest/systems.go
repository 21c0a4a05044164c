package acttest

import "github.com/stdevel/katprep"

// Systems gives an engine systems by name.
type Systems map[string]any

// System keeps the contract of act.Systems.
func (s Systems) System(name string) (any, error) {
	if sys, ok := s[name]; ok {
		return sys, nil
	}
	return nil, katprep.Errorf(katprep.NotFound, "no system %q", name)
}

// Around returns the systems of a world: "monitor", "hypervisor", "source"
// and the controller.
func Around(w *World) Systems {
	return Systems{"monitor": Monitor{w}, "hypervisor": Hypervisor{w}, "source": Fleet{w}, "controller": Fleet{w}}
}
