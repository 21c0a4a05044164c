package inventory

import (
	"errors"
	"fmt"

	"go.yaml.in/yaml/v3"
)

type yamlGroup struct {
	Hosts    map[string]map[string]any `yaml:"hosts"`
	Vars     map[string]any            `yaml:"vars"`
	Children map[string]*yamlGroup     `yaml:"children"`
}

// yaml reads Ansible's YAML form.
func (t *tree) yaml(b []byte) error {
	var top map[string]*yamlGroup
	if err := yaml.Unmarshal(b, &top); err != nil {
		return err
	}
	if len(top) == 0 {
		return errors.New("there is no group in it")
	}
	for name, g := range top {
		if err := t.yamlGroup(name, g, 0); err != nil {
			return err
		}
	}
	return nil
}

func (t *tree) yamlGroup(name string, g *yamlGroup, depth int) error {
	if name == "" || depth > 50 {
		return fmt.Errorf("group %.60q: no name, or nested too deep", name)
	}
	own := t.groupNamed(name)
	if g == nil {
		return nil
	}
	for k, v := range g.Vars {
		own.vars[k] = text(v)
	}
	for pattern, v := range g.Hosts {
		hostVars := vars{}
		for k, value := range v {
			hostVars[k] = text(value)
		}
		if err := t.add(name, pattern, hostVars); err != nil {
			return fmt.Errorf("group %s: %w", name, err)
		}
	}
	for child, cg := range g.Children {
		own.children[child] = true
		if err := t.yamlGroup(child, cg, depth+1); err != nil {
			return err
		}
	}
	return nil
}

func text(v any) string {
	if v == nil {
		return ""
	}
	return fmt.Sprint(v)
}
