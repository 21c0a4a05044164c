package alertmanager

import (
	"cmp"
	"context"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"time"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/act"
	"github.com/stdevel/katprep/internal/downtime"
)

// parallel is how many requests that change something are under way at once.
const parallel = 4

type matcher struct {
	Name  string `json:"name"`
	Value string `json:"value"`
	Regex bool   `json:"isRegex"`
	Equal bool   `json:"isEqual"`
}

type silence struct {
	ID       string    `json:"id,omitempty"`
	Matchers []matcher `json:"matchers"`
	Start    time.Time `json:"startsAt"`
	End      time.Time `json:"endsAt"`
	By       string    `json:"createdBy"`
	Comment  string    `json:"comment"`
	Status   *struct {
		State string `json:"state"`
	} `json:"status,omitempty"`
}

// pattern matches the host as the value of a label, with or without a port.
// Alertmanager anchors it.
func pattern(host string) string {
	if ip := net.ParseIP(host); ip != nil && ip.To4() == nil {
		return `\[?` + regexp.QuoteMeta(host) + `\]?(:[0-9]+)?`
	}
	return regexp.QuoteMeta(host) + `(:[0-9]+)?`
}

// Find implements downtime.Driver. Only hosts with an alert can be looked up;
// of the others the name is believed.
func (c *Client) Find(ctx context.Context, ts []act.Target) []downtime.Found {
	fs := make([]downtime.Found, len(ts))
	if !slices.ContainsFunc(ts, func(t act.Target) bool { return t.Name == "" }) {
		for i, t := range ts {
			fs[i].Host = t.Name
		}
		return fs
	}
	objects, err := c.Objects(ctx)
	if err != nil {
		return slices.Repeat([]downtime.Found{{Err: err}}, len(ts))
	}
	fs = downtime.Match(ts, objects)
	for i, t := range ts {
		if fs[i].Err != nil && katprep.KindOf(fs[i].Err) == katprep.NotFound {
			fs[i] = downtime.Found{Host: cmp.Or(t.Name, t.Host.Name, t.IP, t.IP6)}
		}
	}
	return fs
}

// Services implements downtime.Driver: a further label that holds the host
// needs a silence of its own, as if it were a service.
func (c *Client) Services(ctx context.Context, hosts []string) (map[string][]string, error) {
	by := map[string][]string{}
	for _, h := range hosts {
		by[h] = c.labels[1:]
	}
	return by, ctx.Err()
}

// Entries implements downtime.Driver. It lists silences of the form that
// katprep makes; others cannot be ours.
func (c *Client) Entries(ctx context.Context, hosts []string) ([]downtime.Entry, error) {
	var silences []silence
	if err := c.call(ctx, http.MethodGet, "/silences", nil, &silences); err != nil {
		return nil, err
	}
	host := map[string]string{}
	for _, h := range hosts {
		host[pattern(h)] = h
	}
	var es []downtime.Entry
	for _, s := range silences {
		if len(s.Matchers) != 1 || s.Status == nil || s.Status.State == "expired" {
			continue
		}
		m := s.Matchers[0]
		label := slices.Index(c.labels, m.Name)
		if host[m.Value] == "" || !m.Regex || !m.Equal || label < 0 {
			continue
		}
		e := downtime.Entry{
			ID: s.ID, Host: host[m.Value], Author: s.By, Comment: s.Comment,
			Start: s.Start.UTC(), End: s.End.UTC(), InEffect: s.Status.State == "active",
		}
		if label > 0 {
			e.Service = m.Name
		}
		es = append(es, e)
	}
	return es, nil
}

// Send implements downtime.Driver.
func (c *Client) Send(ctx context.Context, rs []downtime.Request) []error {
	return downtime.Each(len(rs), parallel, func(i int) error {
		r := rs[i]
		for _, label := range c.labels {
			s := silence{
				Matchers: []matcher{{Name: label, Value: pattern(r.Host), Regex: true, Equal: true}},
				Start:    r.Window.Start, End: r.Window.End, By: cmp.Or(c.login.User, "katprep"), Comment: r.Comment,
			}
			if err := c.call(ctx, http.MethodPost, "/silences", s, nil); err != nil {
				return err
			}
		}
		return nil
	})
}

// Remove implements downtime.Driver. A silence is expired, not erased.
func (c *Client) Remove(ctx context.Context, es []downtime.Entry) []error {
	return downtime.Each(len(es), parallel, func(i int) error {
		err := c.call(ctx, http.MethodDelete, "/silence/"+url.PathEscape(es[i].ID), nil, nil)
		if katprep.KindOf(err) == katprep.NotFound {
			return nil
		}
		return err
	})
}
