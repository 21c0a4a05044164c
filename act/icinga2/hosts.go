package icinga2

import (
	"context"
	"encoding/json"
	"net/netip"
	"slices"
	"strings"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/act"
	"github.com/stdevel/katprep/internal/downtime"
)

// few is how many hosts are asked for by name; for more, everything is read
// in one request.
const few = 20

type hostObject struct {
	Name  string `json:"name"`
	Attrs struct {
		Display  string   `json:"display_name"`
		Address  string   `json:"address"`
		Address6 string   `json:"address6"`
		Groups   []string `json:"groups"`
	} `json:"attrs"`
}

// Objects is as act.Inventory says.
func (c *Client) Objects(ctx context.Context) ([]act.Object, error) {
	var hosts []hostObject
	body := map[string]any{"attrs": []string{"display_name", "address", "address6", "groups"}}
	if err := c.query(ctx, "hosts", body, &hosts); err != nil {
		return nil, err
	}
	objects := make([]act.Object, len(hosts))
	for i, h := range hosts {
		objects[i] = act.Object{Name: h.Name, Display: h.Attrs.Display, Groups: h.Attrs.Groups}
		for _, a := range []string{h.Attrs.Address, h.Attrs.Address6} {
			if _, err := netip.ParseAddr(a); err == nil {
				objects[i].IPs = append(objects[i].IPs, a)
			}
		}
	}
	slices.SortFunc(objects, func(a, b act.Object) int { return strings.Compare(a.Name, b.Name) })
	return objects, nil
}

// Find implements downtime.Driver.
func (c *Client) Find(ctx context.Context, ts []act.Target) []downtime.Found {
	if len(ts) == 1 {
		if f, ok := c.byName(ctx, ts[0]); ok {
			return []downtime.Found{f}
		}
	}
	objects, err := c.Objects(ctx)
	if err != nil {
		return slices.Repeat([]downtime.Found{{Err: err}}, len(ts))
	}
	return downtime.Match(ts, objects)
}

// byName asks for one host by its name; ok is false if others fields have to
// be compared.
func (c *Client) byName(ctx context.Context, t act.Target) (f downtime.Found, ok bool) {
	name := t.Name
	if name == "" {
		name = t.Host.Name
	}
	if name == "" {
		return f, false
	}
	var hosts []hostObject
	err := c.query(ctx, "hosts", map[string]any{"host": name, "attrs": []string{"display_name"}}, &hosts)
	switch {
	case err != nil:
		return downtime.Found{Err: err}, true
	case len(hosts) == 1 && hosts[0].Name == name:
		return downtime.Found{Host: name}, true
	case t.Name != "":
		return downtime.Found{Err: downtime.Unknown(t)}, true
	}
	return f, false
}

// ofHosts reads objects that belong to at least these hosts.
func (c *Client) ofHosts(ctx context.Context, kind string, attrs, hosts []string, results any) error {
	raw, err := c.together(ctx, kind, attrs, hosts)
	if err != nil || raw == nil {
		return err
	}
	if err := json.Unmarshal(raw, results); err != nil {
		return katprep.Errorf(katprep.Corrupt, "Icinga 2 at %s: results: %w", c.base, err)
	}
	return nil
}

// Services implements downtime.Driver.
func (c *Client) Services(ctx context.Context, hosts []string) (map[string][]string, error) {
	var services []struct {
		Attrs struct {
			Name string `json:"name"`
			Host string `json:"host_name"`
		} `json:"attrs"`
	}
	if err := c.ofHosts(ctx, "services", []string{"name", "host_name"}, hosts, &services); err != nil {
		return nil, err
	}
	by := map[string][]string{}
	for _, s := range services {
		by[s.Attrs.Host] = append(by[s.Attrs.Host], s.Attrs.Name)
	}
	for _, names := range by {
		slices.Sort(names)
	}
	return by, nil
}
