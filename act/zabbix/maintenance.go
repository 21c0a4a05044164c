package zabbix

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/act"
	"github.com/stdevel/katprep/internal/downtime"
)

// shortest is the least length of a period.
const shortest = 5 * time.Minute

// longestName is the room for a maintenance's name.
const longestName = 128

type host struct {
	ID          string `json:"hostid"`
	Host        string `json:"host"`
	Name        string `json:"name"`
	Status      string `json:"status"`             // "0": monitored
	Maintenance string `json:"maintenance_status"` // "1": in effect
	Interfaces  []struct {
		IP        string `json:"ip"`
		Available string `json:"available"`
		Error     string `json:"error"`
	} `json:"interfaces"`
	Groups     []group `json:"groups"`     // until 6.0
	HostGroups []group `json:"hostgroups"` // from 6.2
}

type group struct {
	Name string `json:"name"`
}

// hosts reads hosts by technical name; nil reads all.
func (c *Client) hosts(ctx context.Context, names []string) ([]host, error) {
	if _, err := c.signIn(ctx); err != nil {
		return nil, err
	}
	p := map[string]any{
		"output":           []string{"hostid", "host", "name", "status", "maintenance_status"},
		"selectInterfaces": []string{"ip", "available", "error"},
	}
	if c.atLeast(6, 2) {
		p["selectHostGroups"] = []string{"name"}
	} else {
		p["selectGroups"] = []string{"name"}
	}
	if names != nil {
		p["filter"] = map[string]any{"host": names}
	}
	var hs []host
	err := c.call(ctx, "host.get", p, &hs)
	slices.SortFunc(hs, func(a, b host) int { return cmp.Compare(a.Host, b.Host) })
	return hs, err
}

// Objects is as act.Inventory says.
func (c *Client) Objects(ctx context.Context) ([]act.Object, error) {
	hs, err := c.hosts(ctx, nil)
	if err != nil {
		return nil, err
	}
	objects := make([]act.Object, len(hs))
	for i, h := range hs {
		objects[i] = act.Object{Name: h.Host, Display: h.Name}
		for _, f := range h.Interfaces {
			if f.IP != "" && !slices.Contains(objects[i].IPs, f.IP) {
				objects[i].IPs = append(objects[i].IPs, f.IP)
			}
		}
		for _, g := range append(h.Groups, h.HostGroups...) {
			objects[i].Groups = append(objects[i].Groups, g.Name)
		}
	}
	return objects, nil
}

// Find implements downtime.Driver.
func (c *Client) Find(ctx context.Context, ts []act.Target) []downtime.Found {
	if len(ts) == 1 && ts[0].Name != "" {
		hs, err := c.hosts(ctx, []string{ts[0].Name})
		switch {
		case err != nil:
			return []downtime.Found{{Err: err}}
		case len(hs) == 1 && hs[0].Host == ts[0].Name:
			return []downtime.Found{{Host: ts[0].Name}}
		}
		return []downtime.Found{{Err: downtime.Unknown(ts[0])}}
	}
	objects, err := c.Objects(ctx)
	if err != nil {
		return slices.Repeat([]downtime.Found{{Err: err}}, len(ts))
	}
	return downtime.Match(ts, objects)
}

// Services implements downtime.Driver: a maintenance is of the whole host.
func (c *Client) Services(ctx context.Context, _ []string) (map[string][]string, error) {
	return nil, ctx.Err()
}

// name names a maintenance: names are unique, and the marker comes first.
func name(m act.Marker, host string) string {
	s := string(m) + " " + host
	if len(s) <= longestName {
		return s
	}
	sum := sha256.Sum256([]byte(host))
	return strings.ToValidUTF8(s[:longestName-17], "") + " " + hex.EncodeToString(sum[:8])
}

// Entries implements downtime.Driver. A maintenance that covers more than one
// host is none of ours, because its end would concern the others.
func (c *Client) Entries(ctx context.Context, names []string) ([]downtime.Entry, error) {
	hs, err := c.hosts(ctx, names)
	if err != nil {
		return nil, err
	}
	covered, ids := map[string]bool{}, make([]string, len(hs))
	for i, h := range hs {
		covered[h.Host], ids[i] = h.Maintenance == "1", h.ID
	}
	var list []struct {
		ID          string  `json:"maintenanceid"`
		Name        string  `json:"name"`
		Description string  `json:"description"`
		Since       string  `json:"active_since"`
		Till        string  `json:"active_till"`
		Hosts       []host  `json:"hosts"`
		Groups      []group `json:"groups"`
		HostGroups  []group `json:"hostgroups"`
	}
	p := map[string]any{"output": "extend", "selectHosts": []string{"host"}, "hostids": ids}
	if c.atLeast(6, 2) {
		p["selectHostGroups"] = []string{"name"}
	} else {
		p["selectGroups"] = []string{"name"}
	}
	if err := c.call(ctx, "maintenance.get", p, &list); err != nil {
		return nil, err
	}
	now := time.Now()
	var es []downtime.Entry
	for _, m := range list {
		if len(m.Hosts) != 1 || len(m.Groups)+len(m.HostGroups) > 0 {
			continue
		}
		e := downtime.Entry{ID: m.ID, Host: m.Hosts[0].Host, Comment: m.Name, Start: seconds(m.Since), End: seconds(m.Till)}
		e.InEffect = covered[e.Host] && !e.Start.After(now) && e.End.After(now)
		es = append(es, e)
	}
	return es, nil
}

func seconds(s string) time.Time { return time.Unix(number(s), 0).UTC() }

// batch is how many maintenances go into one request.
const batch = 100

// Send implements downtime.Driver. As names are unique, a maintenance with
// other times is changed in place.
func (c *Client) Send(ctx context.Context, rs []downtime.Request) []error {
	errs := make([]error, len(rs))
	names := make([]string, len(rs))
	for i, r := range rs {
		names[i] = r.Host
	}
	hs, err := c.hosts(ctx, names)
	if err != nil {
		return slices.Repeat([]error{err}, len(rs))
	}
	ids := map[string]string{}
	for _, h := range hs {
		ids[h.Host] = h.ID
	}
	params := make([]any, len(rs))
	methods := map[string][]int{}
	for i, r := range rs {
		p, err := c.maintenance(ids[r.Host], r)
		if errs[i] = err; err != nil {
			continue
		}
		method := "maintenance.create"
		if len(r.Own) > 0 {
			method, p["maintenanceid"] = "maintenance.update", r.Own[0].ID
		}
		params[i], methods[method] = p, append(methods[method], i)
	}
	for method, indexes := range methods {
		c.each(ctx, method, params, indexes, errs)
	}
	return errs
}

// each calls a method for the parameters with the indexes, many at once. The
// API does all or nothing: what it refuses together is tried one by one.
func (c *Client) each(ctx context.Context, method string, params []any, indexes []int, errs []error) {
	for part := range slices.Chunk(indexes, batch) {
		list := make([]any, len(part))
		for n, i := range part {
			list[n] = params[i]
		}
		err := c.call(ctx, method, list, nil)
		if _, refused := errors.AsType[*fault](err); refused && len(part) > 1 {
			for _, i := range part {
				c.each(ctx, method, params, []int{i}, errs)
			}
			continue
		}
		for _, i := range part {
			errs[i] = err
		}
	}
}

// maintenance is what the API wants to know of one.
func (c *Client) maintenance(hostID string, r downtime.Request) (map[string]any, error) {
	length := r.Window.End.Sub(r.Window.Start)
	switch {
	case hostID == "":
		return nil, katprep.Errorf(katprep.NotFound, "Zabbix has no host %q any more", r.Host)
	case length < shortest:
		return nil, katprep.Errorf(katprep.Invalid, "Zabbix takes no maintenance of less than %v", shortest)
	}
	start, end := r.Window.Start.Unix(), r.Window.End.Unix()
	p := map[string]any{
		"name": name(r.Marker, r.Host), "description": r.Comment, "maintenance_type": 0,
		"active_since": start, "active_till": end,
		"hosts":       []map[string]string{{"hostid": hostID}},
		"timeperiods": []map[string]any{{"timeperiod_type": 0, "start_date": start, "period": int64(length / time.Second)}},
	}
	if !c.atLeast(6, 0) {
		delete(p, "hosts")
		p["hostids"] = []string{hostID}
	}
	return p, nil
}

// Remove implements downtime.Driver.
func (c *Client) Remove(ctx context.Context, es []downtime.Entry) []error {
	errs := make([]error, len(es))
	ids, indexes := make([]any, len(es)), make([]int, len(es))
	for i, e := range es {
		ids[i], indexes[i] = e.ID, i
	}
	c.each(ctx, "maintenance.delete", ids, indexes, errs)
	for i, err := range errs {
		if f, ok := errors.AsType[*fault](err); ok && strings.Contains(f.Data, "or it does not exist") {
			errs[i] = nil // gone, or the next look will find it again
		}
	}
	return errs
}
