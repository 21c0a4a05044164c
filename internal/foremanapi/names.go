package foremanapi

import (
	"context"
	"encoding/json"
	"net/url"
	"strconv"
	"strings"
)

// Organizations lists those that the user may see; Title is the full path of
// a nested one.
func (c *Client) Organizations(ctx context.Context) ([]Named, error) {
	return c.named(ctx, callOrgs, nil, nil)
}

// Locations lists those that the user may see; Title is the full path.
func (c *Client) Locations(ctx context.Context) ([]Named, error) {
	return c.named(ctx, callLocs, nil, nil)
}

// HostGroups lists those that the user may see; Title is the full path.
func (c *Client) HostGroups(ctx context.Context) ([]Named, error) {
	return c.named(ctx, callGroups, nil, nil)
}

// Environments lists the lifecycle environments of an organization.
func (c *Client) Environments(ctx context.Context, org int64) ([]Named, error) {
	return c.named(ctx, callEnvironments, []string{strconv.FormatInt(org, 10)}, nil)
}

// ContentViews lists the content views of an organization.
func (c *Client) ContentViews(ctx context.Context, org int64) ([]Named, error) {
	return c.named(ctx, callViews, nil, url.Values{"organization_id": {strconv.FormatInt(org, 10)}})
}

// HostCollections lists the host collections of an organization.
func (c *Client) HostCollections(ctx context.Context, org int64) ([]Named, error) {
	return c.named(ctx, callCollections, nil, url.Values{"organization_id": {strconv.FormatInt(org, 10)}})
}

type owner struct {
	ID    number `json:"id"`
	Login text   `json:"login"`
	First text   `json:"firstname"`
	Last  text   `json:"lastname"`
	Name  text   `json:"name"`
}

// Owners lists users (or groups of users) by ID, for servers that give a
// host's owner by ID only. The name is what people read.
func (c *Client) Owners(ctx context.Context, groups bool) (map[int64]string, error) {
	call := callUsers
	if groups {
		call = callUserGroups
	}
	owners := map[int64]string{}
	for u, err := range walk(ctx, call.Path+" of "+c.base.Host, 200, 1, plain[owner], c.pages(call, nil, nil, 200)) {
		if err != nil {
			return nil, err
		}
		if u.ID.Valid {
			full := strings.TrimSpace(string(u.First + " " + u.Last))
			owners[u.ID.N] = orElse(full, string(orElse(u.Name, u.Login)))
		}
	}
	return owners, nil
}

func (c *Client) named(ctx context.Context, e *Call, args []string, query url.Values) ([]Named, error) {
	const per = 200
	var all []Named
	for n, err := range walk(ctx, e.expand(args)+" of "+c.base.Host, per, 1, plain[Named], c.pages(e, args, query, per)) {
		if err != nil {
			return nil, err
		}
		if n.ID.Valid && n.Name+n.Title != "" {
			n.Name, n.Title = orElse(n.Name, n.Title), orElse(n.Title, n.Name)
			all = append(all, n)
		}
	}
	return all, nil
}

// A HostName is a host by ID and name alone.
type HostName struct {
	ID   int64
	Name string
}

// HostNames finds hosts by a search, at most limit of them (0: all), with
// nothing but ID and name.
func (c *Client) HostNames(ctx context.Context, server *Server, search string, limit int) ([]HostName, error) {
	q := url.Values{"search": {search}, "order": {"name ASC"}}
	if server.Can(Thin) {
		q.Set("thin", "true")
	}
	per := 1000
	if limit > 0 {
		per = min(limit, per)
	}
	var all []HostName
	for n, err := range walk(ctx, "hosts of "+c.base.Host, per, 1, plain[Named], c.pages(callHosts, nil, q, per)) {
		if err != nil {
			return nil, err
		}
		if n.ID.Valid {
			all = append(all, HostName{n.ID.N, string(n.Name)})
		}
		if limit > 0 && len(all) == limit {
			break
		}
	}
	return all, nil
}

// OwnName returns the name under which the server knows itself, from its
// setting foreman_url. A user who may not read settings gets "".
func (c *Client) OwnName(ctx context.Context) (string, error) {
	q := url.Values{"search": {Equal("name", "foreman_url")}, "per_page": {"20"}}
	page, err := c.page(ctx, callSettings, nil, q, nil)
	if err != nil {
		return "", err
	}
	for _, raw := range page.Results {
		var s struct {
			Name  text `json:"name"`
			Value text `json:"value"`
		}
		if json.Unmarshal(raw, &s) != nil || s.Name != "foreman_url" {
			continue
		}
		if u, err := url.Parse(string(s.Value)); err == nil {
			return u.Hostname(), nil
		}
	}
	return "", nil
}
